#!/bin/sh
# Every header compiles alone.
cd "$srcdir/src" || exit 1
# shellcheck disable=SC2046
set -- $(find . -name '*.h' | sed 's|^\./||' | sort)
[ $# -ge 150 ] || { echo "Bail out! only $# headers found"; exit 1; }
echo "1..$#"
n=0
for h in "$@"; do
	n=$((n + 1))
	if echo "#include \"$h\"" | ${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -I. -fsyntax-only -xc -; then
		echo "ok $n - $h compiles alone"
	else
		echo "not ok $n - $h does not compile alone"
	fi
done
