divert(-1)dnl
dnl tlsmode.m4 - Sendmail 8.17 and 8.18 with tlsmode: a TLS mode per sender domain, MTA-STS, DANE where Sendmail has it,
dnl and the milter. README says what is covered and what is not.
dnl
dnl In sendmail.mc, before the MAILER lines:   include(`/etc/mail/tlsmode.m4')
dnl Before that line, where the defaults below do not fit:
dnl   define(`TLSMODE_MAPD', `local:/run/tlsmode/map.sock')   the socket of tlsmode-mapd as Sendmail writes it
dnl   define(`TLSMODE_MILTER', `local:/run/tlsmode/m.sock')   the socket of tlsmode-milter; empty where there is none
dnl   define(`confDANE', `true')                              only where "sendmail -d0.1 -bt" names DANE
dnl
dnl Not here: where mail goes (mailertable, SMART_HOST), and whom we trust (confCACERT).
ifdef(`TLSMODE_MAPD', `', `define(`TLSMODE_MAPD', `inet:8461@127.0.0.1')')dnl
ifdef(`TLSMODE_MILTER', `', `define(`TLSMODE_MILTER', `inet:8462@127.0.0.1')')dnl

dnl -T<TMPF>: without it a map that is away reads as "nothing is set", and enforced mail leaves in the clear.
dnl -d15: longer than mapd.deadline, so that the TEMP of mapd comes first.
define(`_TLSMODE_MAP_', `socket -d15 -T<TMPF> TLSMODE_MAPD')dnl

dnl SNI, and no envelope for a host that is not in the policy. NO_SAN_TST: its own test of the names knows no wildcards.
dnl The rules below test the names, and the chain once more, for every recipient.
FEATURE(`sts', _TLSMODE_MAP_, `NO_SAN_TST')dnl

dnl A refusal is for one message: the next one to the same host must be tried, whatever became of this.
define(`confTO_HOSTSTATUS', `0s')dnl
undefine(`confHOST_STATUS_DIRECTORY')dnl
dnl The names of a certificate are known only right after its handshake (one class for the whole process), so a verified
dnl message cannot use a connection that another has opened: it waits for the next queue run. Hence none is kept.
define(`confMCI_CACHE_SIZE', `0')dnl
dnl Opportunistic mail goes in the clear where a handshake fails; the rules keep all other mail from that connection.
define(`confTLS_FALLBACK_TO_CLEAR', `true')dnl

ifelse(defn(`TLSMODE_MILTER'), `', `',
	`INPUT_MAIL_FILTER(`tlsmode', `S='defn(`TLSMODE_MILTER')`, F=T, T=C:30s;S:10s;R:30s;E:1m')')dnl

LOCAL_CONFIG
# ---- tlsmode ----
O SetCertAltnames=true
# tlsmode-mapd is asked for these names.
Kmode _TLSMODE_MAP_
Kopportunistic _TLSMODE_MAP_
Kenforced _TLSMODE_MAP_
Kverified _TLSMODE_MAP_
# -f: its key keeps upper and lower case.
Krefusal socket -f -d15 -T<TMPF> TLSMODE_MAPD
# The names of match=a:b in a policy.
Ktlsmode_match regex -s2 (match=)(.*)

define(`_LOCAL_CLT_FEATURES_')dnl
define(`_LOCAL_TRY_TLS_')dnl
define(`_LOCAL_TLS_SERVER_')dnl
define(`_LOCAL_TLS_RCPT_')dnl
divert(9)dnl
######################################################################
###  tlsmode: what a message needs of the connection that is to carry it
######################################################################
# A new connection.
SLocal_clt_features
R$*			$: $1 $(macro {tlsmode_new} $@ new $)

# The server offers STARTTLS: what fails from here on is no missing offer.
SLocal_try_tls
R$*			$: $1 $(macro {tlsmode_offer} $@ $&{server_name}/$&{server_addr} $)

# After the handshake, or where there was none; before the envelope is told. This is where refusals belong: a temporary
# one of tls_rcpt turns into a bounce when another recipient of the same message has failed for good before.
# Recipients of several domains with the same MX hosts share a transaction: here the first and the last are looked at.
SLocal_tls_server
R$*			$: <$&{tlsmode_new}> $(macro {tlsmode_new} $@ $) $(macro {tlsmode_fresh} $@ $)
R<new>			$: $(macro {tlsmode_fresh} $@ $&{server_name}/$&{server_addr} $)
R$*			$: <$&{server_addr}>
R<$->			$@ ok
R$*			$: $>tlsmode_hop $&u
R$+			$: <$1> $>tlsmode_connection $1
R<$+> $#$*		$@ $#$2
R<$+> $*		$: <$1> <$&{rcpt_addr}>
R<$+> <>		$@ ok
R<$+> <$+>		$: <$1> $>tlsmode_hop $2
R<$+> $&{tlsmode_hop}	$@ ok
R<$+> $+		$@ $>tlsmode_connection $2
R$*			$@ ok

# Before every RCPT, whoever opened the connection. $1: the recipient.
SLocal_tls_rcpt
R$*			$: <$&{server_addr}> $1
R<$-> $*		$@ ok
R<$*> $*		$: $>tlsmode_hop $2
R$*			$@ $>tlsmode_connection $1

# The next hop of recipient $1: as a smart host or a mailertable names it in brackets, else the domain of the recipient.
Stlsmode_hop
R$*			$: <$&h> $1
R<[$+]$*> $*		$@ [$1]
R<$*> $*@$+		$: $3
R$+.			$: $1
R<$*> $*		$: unknown

# Is the connection good enough for the sender and next hop $1? -> ok, or an error
Stlsmode_connection
R$*			$: $(macro {tlsmode_hop} $@ $1 $) $1 $| $>tlsmode_mode $&g
R$*<TMPF>$*		$#error $@ 4.7.5 $: "451 4.7.5 TLS mode of the sender cannot be looked up"
R$* $| $*		$: <$2> $1 $| $>tlsmode_mode $&f
R$*<TMPF>$*		$#error $@ 4.7.5 $: "451 4.7.5 TLS mode of the sender cannot be looked up"
# The sender as it came and as the server is told it (masquerading): the stricter mode counts.
R<$*> $* $| verified	$: verified $| $2
R<verified> $* $| $*	$: verified $| $1
R<$*> $* $| enforced	$: enforced $| $2
R<$+> $* $| $*		$: $1 $| $2
R$* $| $*		$: $(macro {tlsmode_mode} $@ $1 $) $1 $| $2
Ropportunistic $| $*	$: opportunistic $| $1 $| $(opportunistic $1 $: none $)
Renforced $| $*		$: enforced $| $1 $| $(enforced $1 $: none $)
Rverified $| $*		$: verified $| $1 $| $(verified $1 $: none $)
R$* $| $* $| $*<TMPF>	$#error $@ 4.7.5 $: "451 4.7.5 TLS policy of the destination cannot be looked up"
Ropportunistic $| $* $| none	$@ ok
R$* $| $* $| may $*	$@ ok
R$* $| $* $| encrypt $*	$@ $>tlsmode_encrypted $2
R$* $| $* $| verify $*	$@ $>tlsmode_verify $2
R$* $| $* $| secure $*	$@ $>tlsmode_secure $2 $| $3
R$* $| $* $| dane $*	$@ $>tlsmode_dane $2
R$* $| $* $| dane-only $*	$@ $>tlsmode_dane_only $2
R$*			$#error $@ 4.7.5 $: "451 4.7.5 No TLS policy for this destination"

# The mode of the sender $1; <TMPF>. A sender without a domain is of this host.
Stlsmode_mode
R$-			$: $1@$j
R$*			$: $(mode $1 $: opportunistic $)
R$*<TMPF>		$@ <TMPF>

# TLS of any kind. $1: next hop.
Stlsmode_encrypted
R$*			$: <$&{verify}> $1
R<OK> $*		$@ ok
R<TRUSTED> $*		$@ ok
R<NO> $*		$@ ok
R<NOT> $*		$@ ok
R<FAIL> $*		$@ ok
R<NONE> $*		$: <$&{tlsmode_offer}> <$&{client_flags}> $1
# Refused, though offered; switched off by ourselves; or nobody knows, because another message opened the connection.
R<$&{server_name}/$&{server_addr}> $*	$: <>
R<$*> <$* SS $*> $*	$: <>
R<$*> <$*> $+		$: <$&{tlsmode_fresh}> $3
R<$&{server_name}/$&{server_addr}> $+	$@ $>tlsmode_plain $1
R$*			$#error $@ 4.7.0 $: "454 4.7.0 TLS handshake failed with "$&{server_name}

# No TLS is offered. For good only where nothing but the mode of the sender wants it, as the map refusal knows; Sendmail
# goes on to the next MX host all the same. $1: next hop.
Stlsmode_plain
R$*			$: $&{tlsmode_mode}
Ropportunistic		$: no
Renforced		$: $(refusal "4.7.4 TLS is required, but was not offered by host "$&{server_name}[$&{server_addr}] $: no $)
Rverified		$: $(refusal "4.7.4 TLS is required, but was not offered by host "$&{server_name}[$&{server_addr}] $: no $)
R5.7.10 $*		$#error $@ 5.7.10 $: "550 5.7.10 Sender domain requires TLS, which was not offered by "$&{server_name}
R$*			$#error $@ 4.7.4 $: "454 4.7.4 TLS is required, but was not offered by "$&{server_name}

# A trusted chain, and the names of this certificate at hand; trusted: DANE has decided. $1: next hop.
Stlsmode_chain
R$*			$: $>tlsmode_encrypted $1
R$#$*			$@ $#$1
R$*			$: <$&{verify}> <$&{tlsmode_fresh}>
R<TRUSTED> $*		$@ trusted
R<OK> <$&{server_name}/$&{server_addr}>	$@ ok
R<OK> $*		$#error $@ 4.7.5 $: "454 4.7.5 Certificate names are not known on a reused connection to "$&{server_name}
R$*			$#error $@ 4.7.5 $: "454 4.7.5 Server certificate not trusted of "$&{server_name}

# Authenticated as the MX host. $1: next hop.
Stlsmode_verify
R$*			$: $>tlsmode_chain $1
R$#$*			$@ $#$1
Rtrusted		$@ ok
R$*			$: $>tlsmode_named $&{server_name}
Ryes			$@ ok
R$*			$#error $@ 4.7.5 $: "454 4.7.5 Server certificate does not name "$&{server_name}

# Authenticated by one of the names in match=. $1: next hop, $2: the policy.
Stlsmode_secure
R$* $| $*		$: <$2> $>tlsmode_chain $1
R<$*> $#$*		$@ $#$2
R<$*> trusted		$@ ok
R<$* servername=hostname $*> $*	$: <$1>
R<$*> $*		$: $>tlsmode_match $(tlsmode_match $1 $: $):
Ryes			$@ ok
R$*			$#error $@ 4.7.5 $: "454 4.7.5 Server certificate has no name that the policy allows, of "$&{server_name}

# $1 (a:.b:): does the certificate have such a name? -> yes, no
Stlsmode_match
R$+:$*			$: <$2> $>tlsmode_allowed $1
R<$*> yes		$@ yes
R<$+> no		$@ $>tlsmode_match $1
R$*			$@ no

# .b stands for the hosts right below b: the server must be one, and prove it. -> yes, no
Stlsmode_allowed
R.$+			$: <.$1> $(macro {tlsmode_item} $@ .$1 $) $&{server_name}
R<.$+> $-$&{tlsmode_item}	$@ $>tlsmode_named $&{server_name}
R<.$+> $*		$@ no
R$*			$@ $>tlsmode_named $1

# Does the certificate name the host $1, by itself or by a wildcard for its first label? -> yes, no
Stlsmode_named
R$={cert_altnames}	$@ yes
R$-.$+			$: *.$2
R$={cert_altnames}	$@ yes
R$*			$@ no

# Sendmail looks at the TLSA records itself and refuses what they refuse; {verify} tells that they were there and right.
Stlsmode_dane_only
R$*			$: $&{verify}
RTRUSTED		$@ ok
R$*			$#error $@ 4.7.5 $: "454 4.7.5 Destination has DANE, which has not authenticated "$&{server_name}

# dane: some host of the destination has TLSA records. Without them TLS is still wanted: they may be unusable ones.
Stlsmode_dane
ifelse(defn(`confDANE'), `', `dnl
R$*			$#error $@ 4.7.5 $: "454 4.7.5 Destination has DANE, which this Sendmail cannot check"', `dnl
R$*			$@ $>tlsmode_encrypted $1')
divert(-1)dnl
