#!/bin/sh
# Replies of Redis are opened in redis_reply.c and nowhere else (io/redis/redis_reply.h): whoever looks into one without looking
# at its type takes a number for a pointer. Prints TAP.
cd "$srcdir" || exit 1
echo 1..3
# hiredis's names: the struct, its types, its array, what it finds inside of a parser
opens='redisReply([^a-zA-Z]|$)|(^|[^A-Z_])REDIS_REPLY_[A-Z]|(->|\.)elements?([^a-zA-Z_]|$)|redisReaderGetObject'

# opened_in FILE...: the lines that open one; words in comments and strings are none.
opened_in() {
	awk -v pattern="$opens" '
		{ text = $0; gsub(/"([^"\\]|\\.)*"/, "\"\"", text); gsub(/\/\*[^*]*\*\//, "", text); sub(/\/\*.*/, "", text) }
		text ~ /^ \*/ { next }
		text ~ pattern { print FILENAME ":" FNR ": " $0 }' "$@"
}

one=$(find src -name 'redis_reply.c')
if [ -n "$one" ] && [ "$(echo "$one" | wc -l)" -eq 1 ] && [ -n "$(opened_in "$one")" ]; then
	echo "ok 1 - $one opens replies"
else
	echo "not ok 1 - the one file that opens replies: found '$one', where the pattern finds nothing"
fi
bad=$(find src tests bench -name '*.[ch]' ! -path "$one" -print | while read -r file; do opened_in "$file"; done)
if [ -z "$bad" ]; then
	echo "ok 2 - no other file does"
else
	echo "not ok 2 - no other file does"
	echo "$bad" | sed 's/^/# /'
fi
# a struct of that name with an inside would be a second way in
bad=$(grep -rnE 'struct redis_reply \{|struct redisReply' src tests bench --include='*.[ch]')
if [ -z "$bad" ]; then
	echo "ok 3 - a reply has no inside in any header"
else
	echo "not ok 3 - a reply has no inside in any header"
	echo "$bad" | sed 's/^/# /'
fi
