#!/bin/sh
# tests/CONFORMANCE maps each row of the conformance matrix to the tests that prove it; this holds the map against both ends.
#   check-conformance.sh               the named tests exist, and every row of ../shared/CONFORMANCE.md has its place (when it is there)
#   check-conformance.sh --ran BUILD   after all tests: each of them was run there and passed
# How a name is written: tests/CONFORMANCE says it. Prints TAP.
: "${srcdir:=$(dirname "$0")/..}"
table=$srcdir/tests/CONFORMANCE
matrix=$srcdir/../shared/CONFORMANCE.md
errors=$(mktemp) || exit 71
trap 'rm -f "$errors"' EXIT
count=0 failed=0

# result NAME: ok when nothing was complained about.
result() {
	count=$((count + 1))
	if [ -s "$errors" ]; then
		failed=$((failed + 1))
		echo "not ok $count - $1"
		sed 's/^/# /' "$errors"
	else
		echo "ok $count - $1"
	fi
}

# Both ways of reading the table: calls row(id, priority, reason) and proof(id, file, name) for each line.
read_table='
function complain(what) { print "tests/CONFORMANCE:" FNR ": " what }
/^#/ || NF == 0 { next }
/^[A-Z]/ {
	id = $1; priority = $2; reason = ""
	if (id !~ /^[A-Z]+-[0-9][0-9]$/ || priority !~ /^P[012]$/) complain("neither a row nor a test: " $0)
	if (seen[id]++) complain(id " twice")
	rest = $0; sub(/^[^ ]+ +[^ ]+ */, "", rest)
	if (rest ~ /^none: ./) { reason = substr(rest, 7); rest = "" }
	row(id, priority, reason)
	if (rest == "") next
	$0 = rest
}
{
	line = $0; sub(/^[ \t]+/, "", line)
	if (line !~ /^tests\/[^ :]+: "[^"]+"$/ || id == "") { complain("neither a row nor a test: " line); next }
	file = line; sub(/: .*/, "", file)
	name = line; sub(/^[^"]*"/, "", name); sub(/"$/, "", name)
	proof(id, file, name)
}
# Do the pieces of NAME, which * joins, stand in TEXT in this order?
function stands(text, name,   piece, n, i, at) {
	n = split(name, piece, "*")
	for (i = 1; i <= n; i++) {
		if ((at = index(text, piece[i])) == 0) return 0
		text = substr(text, at + length(piece[i]))
	}
	return 1
}
# The lines of a file, read once.
function load(path,   text) {
	if (path in lines) return
	lines[path] = 0
	while ((getline text < path) > 0) line_of[path, ++lines[path]] = text
	close(path)
}
'

check_names() {
	awk -v top="$srcdir" "$read_table"'
	function row(id, priority, reason) { }
	function proof(id, file, name,   path, i) {
		path = top "/" file
		load(path)
		if (!lines[path]) { complain(id ": no such file: " file); return }
		for (i = 1; i <= lines[path]; i++) if (stands(line_of[path, i], name)) return
		complain(id ": " file " has no check \"" name "\"")
	}' "$table" > "$errors" || echo "awk failed" >> "$errors"
	result "every named test stands in its file"
}

check_rows() {
	awk "$read_table"'
	function row(id, priority, reason) { rank[id] = priority; why[id] = reason }
	function proof(id, file, name) { proofs[id]++ }
	END {
		for (id in rank) {
			if (!proofs[id] && why[id] == "") print id " has neither a test nor a reason"
			if (proofs[id] && why[id] != "") print id " has a test and a reason for having none"
		}
	}' "$table" > "$errors" || echo "awk failed" >> "$errors"
	result "every row has a test, or the reason why it has none"
}

# Sections A to I and L to N are this program's sender side; J and K (reports, REQUIRETLS) may be named, too.
check_matrix() {
	awk "$read_table"'
	function row(id, priority, reason) { rank[id] = priority }
	function proof(id, file, name) { }
	END {
		while ((getline text < matrix) > 0) {
			if (text ~ /^## [A-Z]\. /) part = substr(text, 4, 1)
			n = split(text, cell, "|")
			for (i in cell) gsub(/^ +| +$/, "", cell[i])
			if (n < 4 || cell[2] !~ /^[A-Z]+-[0-9][0-9]$/) continue
			known[cell[2]] = 1
			if (cell[2] in rank && rank[cell[2]] != cell[n - 1]) print cell[2] " is " cell[n - 1] ", not " rank[cell[2]]
			if (!(cell[2] in rank) && part ~ /[A-ILMN]/) print cell[2] " (" cell[n - 1] ") is missing"
		}
		for (id in rank) if (!(id in known)) print id " is no row of the matrix"
	}' matrix="$matrix" "$table" > "$errors" || echo "awk failed" >> "$errors"
	result "every row of the matrix, and no other, with its priority"
}

# Automake keeps the TAP of each test in NAME.log, tests/run-e2e in e2e/NAME.tap.
check_ran() {
	awk -v build="$1" "$read_table"'
	function row(id, priority, reason) { }
	function log_of(file,   base) {
		base = file; sub(/\.[^.]*$/, "", base)
		if (sub(/^tests\/e2e\//, "e2e/", base)) return base ".tap"
		return file ~ /\.case$/ ? "run_case.log" : base ".log"
	}
	function proof(id, file, name,   log_name, path, i, text, all) {
		log_name = log_of(file); path = build "/" log_name
		load(path)
		if (!lines[path]) { complain(id ": " log_name " is not there"); return }
		for (i = 1; i <= lines[path]; i++) {
			text = line_of[path, i]
			if (text ~ /^1\.\.0 # SKIP/) { skipped[file] = text; return }
			if (text ~ /^ok [0-9]+ - / && text !~ / # SKIP/ && stands(text, name)) { proved++; return }
		}
		complain(id ": no passed check \"" name "\" in " log_name)
	}
	END {
		for (file in skipped) print "SKIP: " file > "/dev/stderr"
		print "# " proved + 0 " tests that rows name were run and passed" > "/dev/stderr"
	}' "$table" 2>&1 > "$errors" || echo "awk failed" >> "$errors"
	result "every test that a row names was run and passed"
}

if [ "${1-}" = --ran ]; then
	check_ran "$2"
	[ "$failed" = 0 ] && echo "# PASS: 1" || echo "FAIL: conformance: $(wc -l < "$errors") tests that rows name did not pass"
else
	check_names
	check_rows
	if [ -r "$matrix" ]; then
		check_matrix
	else
		count=$((count + 1))
		echo "ok $count - every row of the matrix # SKIP ../shared/CONFORMANCE.md is not there"
	fi
fi
echo "1..$count"
[ "$failed" = 0 ]
