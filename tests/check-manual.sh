#!/bin/sh
# tlsmode.conf(5) names every option of the table with its section and default, and no other.
echo 1..1
want=$("$builddir/tlsmode-milter" --print-sample-config | awk '
	/^[a-z]+ [{]$/ { section = $1; next }
	/^}/ { section = ""; next }
	/^\t?[a-z_]+ = / { sub(/^\t/, ""); print section "." $0 }')
have=$(awk '
	$1 == ".Ss" { section = $2 == "Account" ? "" : $2 }
	$1 == ".It" && $2 == "Ic" { name = $3; sub(/.* No = /, ""); print section "." name " = " $0 }' "$srcdir/doc/tlsmode.conf.5" |
	sed -e 's/\\(dq/"/g' -e 's/\\&//g')
if [ -n "$want" ] && [ "$want" = "$have" ]; then
	echo "ok 1 - tlsmode.conf(5) has every option with its default"
else
	echo "not ok 1 - tlsmode.conf(5) and the option table differ"
	printf '%s\n' "$want" > check-manual.want
	printf '%s\n' "$have" > check-manual.have
	diff check-manual.want check-manual.have | sed 's/^/# /'
	rm -f check-manual.want check-manual.have
fi
