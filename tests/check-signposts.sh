#!/bin/sh
# Every file, and every part of doc/, that a comment of src/ or a page for people names is there; none cites a page that is not in
# this tree.
echo 1..3
cd "$srcdir" || exit 1

# Names that are not ours.
outside='config.h mfapi.h smtp_proto.c'

# All files, by their last name.
find autogen.sh README HACKING NEWS configure.ac Makefile.am bench contrib doc etc src tests -type f | sed 's|.*/||' | sort -u > "$builddir/check-signposts.there"

# Comments of C, one line each as FILE:LINE:TEXT; what people read, whole.
words() {
	find src -name '*.[ch]' | sort | xargs awk '
		FNR == 1 { on = 0 }
		{ line = $0; text = ""
		  while (line != "") {
			if (!on) {
				if (!(at = index(line, "/*"))) break
				line = substr(line, at + 2); on = 1
			}
			if (at = index(line, "*/")) { text = text " " substr(line, 1, at - 1); line = substr(line, at + 2); on = 0 }
			else { text = text " " line; line = "" }
		  }
		  if (text != "") print FILENAME ":" FNR ":" text }'
	grep -n '' HACKING README doc/*.md bench/README
}

bad=$(words | awk -v there="$builddir/check-signposts.there" -v outside="$outside" '
	BEGIN {
		while ((getline name < there) > 0) known[name] = 1
		n = split(outside, o, /[ \n]+/); for (i in o) known[o[i]] = 1
	}
	{ split($0, part, ":"); text = substr($0, length(part[1]) + length(part[2]) + 3)
	  while (match(text, /[A-Za-z0-9_*.\/-]*[A-Za-z0-9_*]\.(c|h|py|md|sh|am)/)) {
		name = substr(text, RSTART, RLENGTH); rest = substr(text, RSTART + RLENGTH); text = rest
		if (rest ~ /^[A-Za-z0-9_]/ || rest ~ /^\.[A-Za-z0-9]/) continue
		seen++
		if (name ~ /\*|^\.|^[^\/]*\.[^\/]*\./) continue # a pattern, a domain
		sub(/.*\//, "", name)
		if (!(name in known)) print part[1] ":" part[2] " " name
	  } }
	END { if (seen < 200) print "only " seen + 0 " names found" }')
rm -f "$builddir/check-signposts.there"
if [ -z "$bad" ]; then
	echo "ok 1 - every file that is named is there"
else
	echo "not ok 1 - named, but not there: $(echo $bad)"
fi

# The contract of the tree stands in the tree; only the map of the conformance matrix looks for that beside it.
pages='(PRODUCT|HOUSE|FACTS|CONFORMANCE)''\.md'
bad=$(grep -rnIE "$pages" README HACKING NEWS configure.ac Makefile.am bench contrib doc etc src tests | grep -v '^tests/check-conformance.sh:')
if [ -z "$bad" ]; then
	echo "ok 2 - no page outside of the tree is cited"
else
	echo "not ok 2 - cited: $(echo "$bad" | cut -c1-100)"
fi

# A part of the design or the decision that is named in quotation marks stands there, as a heading or in bold.
bad=$(for file in $(find src tests \( -name '*.[ch]' -o -name '*.py' \)); do
	tr '\n' ' ' < "$file" | sed 's/ [*] / /g; s/  */ /g' | grep -oE 'doc/(design|decision)\.md,? "[^"]+"' | sed "s|^|$file |"
done | while read -r file page part; do
	part=${part#\"} part=${part%\"}
	grep -qE "^(#+ |[*][*])$part" "${page%,}" || echo "$file: $page \"$part\""
done)
if [ -z "$bad" ]; then
	echo "ok 3 - every part of doc/ that is named is there"
else
	echo "not ok 3 - no such part: $(echo $bad)"
fi
