# setup-main.sh - what main.cf shall say here, from the wiring's main.cf and what the administrator has. Read by setup.
# shellcheck shell=sh disable=SC2016,SC2154

# joined FIRST SECOND: a list of both.
joined() { say "$1${2:+${1:+, }}$2"; }

same_list() { [ "$(say "$1" | tr -s ' ,\t' ' ')" = "$(say "$2" | tr -s ' ,\t' ' ')" ]; }

# The list $1 without maps of tlsmode-mapd, whatever their names.
others() {
	say "$1" | awk -v ours="socketmap:$map_socket:" '{
		while (i = index($0, ours)) {
			rest = substr($0, i)
			sub(/^[^ ,\t]*[ ,\t]*/, "", rest)
			$0 = substr($0, 1, i - 1) rest
		}
		sub(/[ ,\t]+$/, "")
		print
	}'
}

# The wiring's main.cf without its first words; from 3.10 on with the lines for it in the places of others, or behind them.
wiring_lines() {
	{ [ -z "$pieces" ] || wiring "main$pieces.cf" | sed '1,/^$/d'; } > "$work/later"
	wiring main.cf | sed '1,/^$/d' | awk '
		/^#/ {above = above $0 "\n"; next}
		FILENAME == ARGV[1] {order[++n] = $1; later[$1] = above $0; above = ""; next}
		$1 in later {print above later[$1]; delete later[$1]; above = ""; next}
		{print above $0; above = ""}
		END {for (i = 1; i <= n; i++) if (order[i] in later) print later[order[i]]}' "$work/later" - | sed '/^$/d'
}

# The line for each parameter that is not as it should be, with its comments.
want_main() {
	wiring_lines > "$work/lines"
	comments=''
	while IFS= read -r text; do
		case $text in
		'#'*)
			comments="$comments#$text
"
			continue
			;;
		esac
		name=${text%% =*} value=${text#*=}
		wanted "$name" "${value# }"
		same_list "$value" "$before" || printf '%s%s = %s\n' "$comments" "$name" "$value"
		comments=''
	done < "$work/lines"
}

# wanted NAME VALUE: what parameter NAME should be, where the wiring has VALUE, in $value; as it is in $before.
wanted() {
	before=$(raw "$1")
	value=$before
	case $1 in
	smtp_dns_support_level) wanted_dns "$2" ;;
	smtp_tls_security_level) wanted_level "$2" ;;
	smtp_tls_policy_maps) wanted_policies "$2" ;;
	sender_dependent_default_transport_maps) wanted_transports "$2" ;;
	address_verify_sender_dependent_default_transport_maps) wanted_probes ;;
	smtp_tls_CAfile) value=$ca_file ;;
	smtpd_milters | non_smtpd_milters)
		case $before in
		*"$milter_socket"* | *'$smtpd_milters'* | *'${smtpd_milters}'*) ;;
		*) value=$(joined "$before" "$2") ;;
		esac
		;;
	smtp_header_checks)
		case $before in
		*"$strip_map"*) ;;
		*) value=$(joined "$2" "$before") ;;
		esac
		;;
	smtp_tls_loglevel) [ "$(expanded "$1")" -ge "$2" ] 2> /dev/null || value=$2 ;;
	*) value=$2 ;;
	esac
}

wanted_dns() {
	[ -z "$no_dane" ] || return
	value=$1
	if [ "$before" = disabled ] || { [ -z "$before" ] && [ "$(expanded disable_dns_lookups)" = yes ]; }; then
		conflict "this Postfix does not use DNS (smtp_dns_support_level, disable_dns_lookups):" \
			"run setup --no-dane, and set mapd { dane = false } in tlsmode.conf"
	fi
}

# Stricter for everybody is the administrator's right; "none" would leave opportunistic senders in the clear.
wanted_level() {
	case $(expanded smtp_tls_security_level) in
	may | dane) ;;
	'' | none)
		value=$1
		[ "$(expanded smtp_enforce_tls)" != yes ] ||
			conflict "smtp_enforce_tls = yes is obsolete and would be weakened:" \
				"postconf -e smtp_tls_security_level=encrypt && postconf -X smtp_enforce_tls"
		;;
	*) note "smtp_tls_security_level = $before stays: it holds for opportunistic senders, too" ;;
	esac
}

# The strict services ask tlsmode alone, so their mail would no longer see a table of one's own.
wanted_policies() {
	rest=$(others "$before")
	value=$(joined "$1" "$rest")
	if [ -z "$before" ] && [ -n "$(expanded smtp_tls_per_site)" ]; then
		conflict "smtp_tls_per_site is obsolete, and is not read beside smtp_tls_policy_maps: carry its entries over to" \
			"settings of the destination (tlsmode domain set --rcpt DEST mode=...), then postconf -X smtp_tls_per_site"
	fi
	case $(expanded smtp_tls_policy_maps) in
	'' | "socketmap:$map_socket:"*) ;;
	*)
		[ -n "$keep_maps" ] || [ -z "$rest" ] ||
			conflict "smtp_tls_policy_maps = $rest: mail of enforced and verified senders would no longer see it." \
				"Carry entries that demand more over to settings of the destination (tlsmode domain set --rcpt" \
				"DEST mode=verified match=NAMES), those that demand less to exceptions (--except); then" \
				"postconf -X smtp_tls_policy_maps. Or run setup --keep-policy-maps, which keeps it behind" \
				"tlsmode's for opportunistic senders"
		;;
	esac
}

wanted_transports() {
	rest=$(others "$before")
	value=$(joined "$1" "$rest")
	[ -z "$rest" ] ||
		note "sender_dependent_default_transport_maps: tlsmode's map comes before $rest, which mail of strict senders" \
			"no longer sees; give these senders a family (setup --family NAME, and via=NAME in their settings)"
}

# Probes keep the transports that they had.
wanted_probes() {
	case $before in
	'$sender_dependent_default_transport_maps' | '${sender_dependent_default_transport_maps}')
		value=$(others "$(raw sender_dependent_default_transport_maps)")
		;;
	*sender_dependent_default_transport_maps* | *"socketmap:$map_socket:"*)
		conflict "address_verify_sender_dependent_default_transport_maps = $before would use tlsmode's map:" \
			"name there what address probes shall use"
		;;
	esac
}

# In $ca_file: as asked, as it is, or what this system has.
find_ca_file() {
	if [ -n "$ca_file" ]; then
		[ -r "$ca_file" ] || conflict "--ca-file $ca_file cannot be read"
		return
	fi
	ca_file=$(raw smtp_tls_CAfile)
	if [ -n "$ca_file" ]; then
		[ -r "$(expanded smtp_tls_CAfile)" ] || conflict "smtp_tls_CAfile = $ca_file cannot be read"
		return
	fi
	for f in "$(wiring main.cf | sed -n 's/^smtp_tls_CAfile = //p')" \
		/etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
		[ ! -r "$f" ] || { ca_file=$f && return; }
	done
	conflict "no file with certification authorities: install ca-certificates, or name one with --ca-file"
}

# Limits and delays of a transport are named after it, so they would not hold for the strict ones.
want_limits() {
	postconf -c "$work/base" -n > "$work/parameters" 2> /dev/null
	limits_of "$transport" "$enforced" "$verified"
	for family in $families; do
		limits_of "$family" "$family-enforced" "$family-verified"
	done
}

limits_of() {
	sed -n -e "s/^$1\(_destination_[a-z_]*\) = .*/\1/p" -e "s/^$1\(_initial_destination_[a-z_]*\) = .*/\1/p" \
		-e "s/^$1\(_transport_rate_delay\) = .*/\1/p" "$work/parameters" | while read -r limit; do
		for service in "$2" "$3"; do
			grep -q "^$service$limit =" "$work/parameters" || say "$service$limit = \$$1$limit"
		done
	done
}

# What lies beside our lines and changes what they mean.
look_around() {
	[ -z "$(expanded smtp_fallback_relay)" ] ||
		note "smtp_fallback_relay = $(raw smtp_fallback_relay) is a way around what a destination demands by DANE or MTA-STS;" \
			"strict senders' mail does not take it, that of opportunistic ones does"
	sed -n 's/^\([a-z][A-Za-z_]*\) =.*/\1/p' "$work/lines" > "$work/names"
	postconf -c "$work/base" -P 2> /dev/null | awk -F '[/ ]' -v strict=" $enforced $verified " '
		FILENAME == ARGV[1] {ours[$1]; next}
		$3 in ours && !index(strict, " " $1 " ") && $1 !~ /-(enforced|verified)$/' "$work/names" - |
		while IFS=/ read -r service type text; do
			note "$service/$type in master.cf has its own \"$text\": what main.cf says does not hold there"
		done
	case $version in
	3.5 | 3.5[!0-9]*) look_for_min_tls ;;
	3.10.[0-4] | 3.10.[0-4][!0-9]*)
		note "Postfix $version does not yet hold MX names against MTA-STS policies to the letter: 3.10.5 does"
		;;
	esac
	look_for_socket "$map_socket" tlsmode-mapd "until it does, all mail is deferred"
	look_for_socket "$milter_socket" tlsmode-milter "until it does, clients are told to come back"
}

# "protocols=>=TLSv1.2" makes 3.5 defer all mail that must be encrypted.
look_for_min_tls() {
	answer=$(cd "$(expanded queue_directory)" 2> /dev/null &&
		postmap -q '[192.0.2.1]' "socketmap:$map_socket:enforced" 2> /dev/null)
	case $answer in
	*'>='*)
		conflict "tlsmode-mapd answers \"$answer\", which Postfix $version does not understand and defers:" \
			"set mapd { min_tls = \"\" } in tlsmode.conf and reload tlsmode-mapd"
		;;
	'') note "Postfix $version does not understand protocols=>=TLSv1.2: tlsmode.conf must have mapd { min_tls = \"\" }" ;;
	esac
}

look_for_socket() {
	case $1 in
	unix:/*) socket=${1#unix:} ;;
	unix:*) socket=$(expanded queue_directory)/${1#unix:} ;;
	*) return ;;
	esac
	[ -S "$socket" ] || note "$2 does not listen at $socket: $3"
}
