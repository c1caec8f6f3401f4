# setup-master.sh - the strict services that master.cf shall have here, from the wiring's master.cf and the administrator's
# own service, whose columns and options they take. Read by setup.
# shellcheck shell=sh disable=SC2154

program_of() { postconf -c "$work/base" -M "$1/unix" 2> /dev/null | awk '{print $8}'; }

# In $transport: the service that mail leaves by today.
look_at_transport() {
	nexthop=$(expanded default_transport)
	transport=${nexthop%%:*} nexthop=${nexthop#"${nexthop%%:*}"}
	nexthop=${nexthop#:}
	if [ "$(program_of "$transport")" != smtp ]; then
		conflict "default_transport = $transport is no service of smtp(8), by which mail of strict senders would leave all" \
			"the same: run setup where the mail leaves by smtp(8)"
	elif [ -n "$nexthop" ]; then
		conflict "default_transport has a next hop, to which mail of strict senders would not go:" \
			"postconf -e default_transport=$transport 'relayhost=$nexthop'"
	fi
}

want_master() {
	want_service "$enforced" enforced '' "$transport"
	want_service "$verified" verified '' "$transport"
	for family in $families; do
		case $family/$(program_of "$family") in
		"$transport"/*) conflict "--family $family: that is the default, whose services are $enforced and $verified" ;;
		*/smtp)
			say "## For senders with via=$family."
			want_service "$family-enforced" enforced "$family" "$family"
			want_service "$family-verified" verified "$family" "$family"
			;;
		*/) conflict "master.cf has no service $family: make it, or take it out of tlsmode with --family $family --remove" ;;
		*) conflict "the service $family in master.cf is not one of smtp(8)" ;;
		esac
	done
}

# The options of service $1, NAME=VALUE one a line.
options_of() { postconf -c "$work/base" -P "$1/unix/*" 2> /dev/null | sed "s|^$1/unix/||; s/ = */=/"; }

# The same of the wiring's service smtp-$1, as they are for the family $2 (empty: the default).
strict_options() {
	{
		awk -v service="smtp-$1" '
			!/^[ \t#]/ {on = $1 == service}
			on && sub(/^[ \t]+-o /, "")' "$work/master.wiring"
		[ -z "$pieces" ] || wiring "master$pieces.cf" | sed -n "s|^smtp-$1/unix/\([^ ]*\) = |\1=|p"
	} | awk -v family="$2" -v ca="$ca_file" '
		{name = $0; sub(/=.*/, "", name)}
		name == "smtp_tls_CAfile" {$0 = name "=" ca}
		name == "syslog_name" && family != "" {sub(/postfix\//, "postfix/" family "-")}
		!(name in option) {order[++n] = name}
		{option[name] = $0}
		END {for (i = 1; i <= n; i++) print option[order[i]]}'
}

# The line of a service for the service $1, without its options NAME=VALUE and { NAME = VALUE }.
columns_for() {
	awk -v name="$1" '{
		printf "%-10s %-7s %-7s %-7s %-7s %-7s %-7s %s", name, $2, $3, $4, $5, $6, $7, $8
		for (i = 9; i <= NF; i++) {
			if ($i != "-o") {
				printf " %s", $i
				continue
			}
			depth = 0
			do {
				word = $(++i)
				depth += gsub(/[{]/, "", word) - gsub(/[}]/, "", word)
			} while (depth > 0 && i < NF)
		}
		print ""
	}'
}

# A service that is there without us is right when it has every option of its mode.
look_at_service() {
	options_of "$1" > "$work/have"
	missing=$(awk 'FILENAME == ARGV[1] {have[$0]; next} !($0 in have)' "$work/have" "$work/strict" |
		sed "s|.*| '$1/unix/&'|" | tr -d '\n')
	[ -z "$missing" ] || conflict "master.cf has a service $1 that setup did not make, and it lacks something: postconf -Pe$missing"
}

# want_service NAME MODE FAMILY BASE: the service NAME, with the columns and options of BASE below those of its mode.
want_service() {
	wiring master.cf > "$work/master.wiring"
	strict_options "$2" "$3" > "$work/strict"
	case $(program_of "$1") in
	'') ;;
	smtp)
		look_at_service "$1"
		return
		;;
	*)
		conflict "the service $1 in master.cf is not one of smtp(8): give it another name, or tlsmode's (--$2 NAME)"
		return
		;;
	esac
	[ -n "$3" ] || awk -v service="smtp-$2" '
		/^#/ {above = above "#" $0 "\n"; next}
		$1 == service {printf "%s", above}
		{above = ""}' "$work/master.wiring"
	postconf -c "$work/base" -M "$4/unix" | columns_for "$1"
	options_of "$4" | awk '
		{name = $0; sub(/=.*/, "", name)}
		FILENAME == ARGV[1] {ours[name]; next}
		!(name in ours)' "$work/strict" - | cat - "$work/strict" | sed 's/.*[[:space:]].*/{ & }/; s/^/  -o /'
}
