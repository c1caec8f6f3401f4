#!/bin/sh
# One hand (HACKING, "Style"): what a formatter does not hold. Prints TAP.
cd "$srcdir" || exit 1
files=$(find src tests bench -name '*.[ch]')
count=0

# style NAME PATTERN: no line of code has it. What stands in strings and comments is not looked at.
style() {
	count=$((count + 1))
	# shellcheck disable=SC2086
	bad=$(awk -v pattern="$2" '
		{ text = $0; gsub(/"([^"\\]|\\.)*"/, "\"\"", text); sub(/\/\*.*/, "", text) }
		text ~ /^ \*/ { next }
		text ~ pattern { print FILENAME ":" FNR ": " $0 }' $files)
	if [ -z "$bad" ]; then
		echo "ok $count - $1"
	else
		echo "not ok $count - $1"
		echo "$bad" | sed 's/^/# /'
	fi
}

style 'pointers are tested as !p and p' '[!=]= NULL'
style 'sizeof(x) with its parentheses' 'sizeof [A-Za-z_*]'
style '(void)x; on lines of their own' '\(void\)[a-z_]+,'
echo "1..$count"
