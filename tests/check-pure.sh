#!/bin/sh
# libbase and libcore may call only what tests/pure-allowed names: no socket, no clock, no other library than libidn2 and jansson.
echo 1..2
n=0
for lib in libbase libcore; do
	n=$((n + 1))
	"${NM:-nm}" -u "$builddir/$lib.a" | awk '$1 == "U" {sub(/@.*/, "", $2); print $2}' | sort -u > "check-pure.$lib.used"
	"${NM:-nm}" --defined-only "$builddir/libbase.a" "$builddir/libcore.a" 2>/dev/null |
		awk 'NF == 3 && $2 ~ /[A-Z]/ {print $3}' | sort -u > check-pure.own
	# a line of the list: "LIB SYMBOL-PATTERN"; libcore may use what libbase may not
	awk -v lib="$lib" '$1 == lib || $1 == "both" {print "^" $2 "$"}' "$srcdir/tests/pure-allowed" > check-pure.allowed
	bad=$(grep -vxFf check-pure.own "check-pure.$lib.used" | grep -vE '^(__asan|__ubsan|__tsan|__sanitizer|__sanitizer_cov|__gcov|__llvm)' |
		grep -vEf check-pure.allowed)
	if [ -z "$bad" ]; then
		echo "ok $n - $lib calls only what tests/pure-allowed names"
	else
		echo "not ok $n - $lib calls: $(echo $bad)"
	fi
	rm -f "check-pure.$lib.used" check-pure.own check-pure.allowed
done
