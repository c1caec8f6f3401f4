# block.awk - puts tlsmode's lines into a main.cf or master.cf and takes them out again. For setup beside it; POSIX awk.
#
#   awk -v kind=KIND -v act=out -f block.awk FILE
#       FILE as it would be without us; on standard error KEY<tab>LINE for what is no longer as we wrote it and stays
#   awk -v kind=KIND -v act=in -v head=TEXT -f block.awk WANT FILE
#       FILE, in which there is nothing of ours, with the lines of WANT; TEXT goes behind the first marker
#
# KIND is main or master. Our lines stand at the end of the file between two markers: comments that begin with "##",
# settings or services, and for each of these a record of what was written. Lines that they replace stay in their
# places as comments. What belongs together is a logical line; its key is the parameter, or the service and its type.

BEGIN {
	BEGINS = "# tlsmode begin"
	ENDS = "# tlsmode end"
	RECORD = "#tlsmode= "
	WAS = "#tlsmode# "
}

act == "in" && FILENAME == ARGV[1] { want[++wants] = $0; next }
{ line[++lines] = $0 }

END {
	if (act == "in")
		put_in()
	else
		take_out()
}

function begins(text, with) { return substr(text, 1, length(with)) == with }

function is_comment(text) { return text ~ /^[ \t]*(#|$)/ }

function continues(text) { return text ~ /^[ \t]/ }

function key_of(text,    word) {
	if (kind == "master") {
		split(text, word, /[ \t]+/)
		return word[1] "/" word[2]
	}
	sub(/[ \t]*=.*/, "", text)
	return text
}

# One spelling of what Postfix reads alike.
function plain(text) {
	gsub(/[ \t]+/, " ", text)
	if (kind == "main")
		sub(/ ?= ?/, " = ", text)
	sub(/ $/, "", text)
	return text
}

function put_in(    i, key, keys, order, wanted) {
	for (i = 1; i <= wants; i++) {
		if (is_comment(want[i]))
			continue
		if (!continues(want[i]))
			order[++keys] = key_of(want[i])
		wanted[order[keys]] = wanted[order[keys]] want[i] " "
	}
	for (i = 1; i <= lines; i++) {
		if (!is_comment(line[i]) && !continues(line[i]))
			key = key_of(line[i])
		print (!is_comment(line[i]) && (key in wanted) ? WAS : "") line[i]
	}
	if (!keys)
		return
	print BEGINS head
	for (i = 1; i <= wants; i++)
		print want[i]
	print "## What setup wrote, so that it knows what was changed since:"
	for (i = 1; i <= keys; i++)
		print RECORD plain(wanted[order[i]])
	print ENDS
}

function damaged(why) {
	print "damaged\t" why | "cat 1>&2"
	close("cat 1>&2")
	exit 1
}

# Gives each line its class and key, and collects what stands inside and outside.
function read_lines(    i, text, inside, live, saved) {
	for (i = 1; i <= lines; i++) {
		text = line[i]
		class[i] = "other"
		if (begins(text, BEGINS)) {
			if (inside)
				damaged("\"" BEGINS "\" twice")
			inside = first = i
			class[i] = "marker"
			unended = text ~ / no-newline$/
		} else if (begins(text, ENDS)) {
			if (!inside)
				damaged("\"" ENDS "\" without \"" BEGINS "\"")
			inside = 0
			class[i] = "marker"
		} else if (begins(text, RECORD)) {
			text = substr(text, length(RECORD) + 1)
			record[key_of(text)] = text
			class[i] = "marker"
		} else if (begins(text, WAS)) {
			line[i] = substr(text, length(WAS) + 1)
			if (!continues(line[i]))
				saved = key_of(line[i])
			class[i] = "was"
			key[i] = saved
		} else if (is_comment(text)) {
			if (inside && begins(text, "##"))
				class[i] = "marker"
		} else {
			if (!continues(text))
				live = key_of(text)
			key[i] = live
			if (inside) {
				class[i] = "ours"
				block[live] = block[live] text " "
			} else
				outside[live] = 1
		}
	}
	if (inside)
		damaged("\"" BEGINS "\" without \"" ENDS "\"")
}

# Somebody who changed a setting since does not get the one before back: both would stand there.
function take_out(    i, k, n, out, from, untouched) {
	read_lines()
	for (k in record) {
		if ((k in block) && plain(block[k]) == record[k])
			untouched[k] = 1
		if (!(k in untouched) || (k in outside)) {
			overtaken[k] = 1
			print k "\t" ((k in block) && !(k in untouched) ? plain(block[k]) : "") | "cat 1>&2"
		}
	}
	for (i = 1; i <= lines; i++) {
		if (class[i] == "marker" || (class[i] == "ours" && (key[i] in untouched)))
			continue
		if (class[i] == "was" && ((key[i] in overtaken) || (key[i] in outside)))
			line[i] = "# " line[i]
		out[++n] = line[i]
		from[n] = i
	}
	for (i = 1; i < n; i++)
		print out[i]
	if (n)
		printf("%s%s", out[n], ((unended && from[n] < first) ? "" : "\n"))
}
