#!/bin/sh
# Each program links only what it uses: the NEEDED entries of its ELF file are exactly those of the list below (HACKING).
echo 1..3
: "${builddir:=.}"

# PROGRAM LIBRARY...: names without lib and .so.N.
lists='tlsmode-mapd c confuse crypto curl event_core hiredis idn2 jansson ssl unbound
tlsmode-milter c confuse event_core hiredis idn2 milter
tlsmode c confuse crypto hiredis idn2 jansson'
# TLS to Redis, where hiredis has it
if grep -q '^#define HAVE_HIREDIS_SSL' "$builddir/config.h"; then
	with_tls='hiredis_ssl ssl crypto'
else
	with_tls=
fi

# The compiler's own: the dynamic linker, and what a sanitizer's runtime brings along.
own='^ld-linux'
needed() {
	also=
	if "${NM:-nm}" "$1" | grep -qE ' __(asan|tsan|ubsan)_'; then also='|^(asan|tsan|ubsan|gcc_s|m|dl|rt|pthread|resolv|stdc\+\+)$'; fi
	readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(lib\)\{0,1\}\([^]]*\)\]/\2/p' |
		sed 's/\.so.*//; s/-[0-9.]*$//' | grep -vE "$own$also" | sort -u
}

n=0
echo "$lists" | while read -r program list; do
	n=$((n + 1))
	printf '%s\n' $list $with_tls | sort -u > check-links.want
	needed "$builddir/$program" > check-links.have
	more=$(comm -13 check-links.want check-links.have)
	less=$(comm -23 check-links.want check-links.have)
	if [ ! -s check-links.have ]; then
		echo "not ok $n - $program: readelf tells nothing of it"
	elif [ -n "$more$less" ]; then
		echo "not ok $n - $program:${more:+ links also $(echo $more)}${less:+ does not link $(echo $less)}"
	else
		echo "ok $n - $program links $(echo $(cat check-links.have))"
	fi
	rm -f check-links.want check-links.have
done
