#!/bin/sh
# What may wait for something outside without an end is called in one place that sees to it (doc/design.md, "Threads"). Prints TAP.
cd "$srcdir" || exit 1
count=0

# only NAME PATTERN WHERE FILE...: below WHERE, no line of code but in FILEs has it. Strings and comments are not looked at.
only() {
	count=$((count + 1))
	name=$1 pattern=$2 where=$3
	shift 3
	# shellcheck disable=SC2086
	bad=$(find $where -name '*.c' -print0 | sort -z | xargs -0 awk -v pattern="$pattern" -v allowed=" $* " '
		{ text = $0; gsub(/"([^"\\]|\\.)*"/, "\"\"", text); sub(/\/[\/*].*/, "", text) }
		text ~ /^ \*/ || index(allowed, " " FILENAME " ") { next }
		text ~ pattern { print FILENAME ":" FNR ": " $0 }')
	for file; do
		grep -qE "$pattern" "$file" || bad="$bad $file needs no exception"
	done
	if [ -z "$bad" ]; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		echo "$bad" | sed 's/^/# /'
	fi
}

daemons='src/base src/core src/io src/mapd src/milter'
only 'files are opened for reading by io/regular: a FIFO is refused' '(^|[^a-z_])fopen\(' src
only 'syslog(3) is called by the thread of the log' '(^|[^a-z_])(v?syslog|openlog)\(' src src/base/log.c src/milter/libmilter_words.c
only 'standard error is written to by the log' 'STDERR_FILENO|[(, ]stderr\)|[(]stderr,|(^|[^a-z_])perror\(' "$daemons" \
	src/base/log.c src/mapd/main.c src/milter/main.c
only 'daemons look no host up' '(^|[^a-z_])(getaddrinfo|gethostbyname|getnameinfo)\(' "$daemons"
echo "1..$count"
