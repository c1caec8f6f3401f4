# Debian packages for building, for the small mail world and for testing; sourced by contrib/check and contrib/demo.
PACKAGES_BUILD="autoconf automake pkg-config make gcc libc6-dev libmilter-dev libssl-dev libhiredis-dev libunbound-dev nettle-dev
libevent-dev libcurl4-openssl-dev libconfuse-dev libidn2-dev libjansson-dev libcmocka-dev"
PACKAGES_WORLD="python3 openssl ca-certificates iproute2 mount knot knot-dnssecutils unbound redis-server redis-tools postfix"
PACKAGES_CHECK="dns-root-data knot-dnssecutils clang libclang-rt-dev llvm valgrind binutils"
# For bench/plot only.
PACKAGES_PLOT="gnuplot-nox"
# Unpacked into a folder, never installed: it would take Postfix's place.
PACKAGES_SENDMAIL="sendmail-bin sendmail-base sendmail-cf"

# The words of its arguments that are not installed.
packages_missing() {
	for p in "$@"; do
		dpkg-query -W -f '${Status}\n' "$p" 2> /dev/null | grep -q '^install ok installed' || echo "$p"
	done
}

# Installs what is missing: no questions, no standard input, no recommended packages, no package removed (never somebody's
# MTA), no service started, no new service left enabled. Its talk goes to file LOG: packages_install LOG PACKAGE...
packages_install() {
	packages_log=$1
	shift
	packages_list=$(packages_missing "$@")
	[ -n "$packages_list" ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "these packages are missing and only root can install them:" $packages_list >&2
		return 1
	fi
	echo "installing $(echo "$packages_list" | wc -w) packages (log: $packages_log)"
	if (packages_run) > "$packages_log" 2>&1 < /dev/null; then
		return 0
	fi
	tail -n 15 "$packages_log" >&2
	echo "could not install:" $packages_list >&2
	return 1
}

# Downloads packages, and the libraries they need that are not installed, and unpacks them below FOLDER, which is kept: a
# second call does nothing, two at once wait for each other. Its talk goes to file LOG: packages_unpack LOG FOLDER PACKAGE...
packages_unpack() {
	packages_log=$1
	mkdir -p "$2" && packages_folder=$(cd "$2" && pwd) || return 1
	shift 2
	if (flock -w 300 9 && packages_unpack_run "$@") > "$packages_log" 2>&1 < /dev/null 9< "$packages_folder"; then
		return 0
	fi
	tail -n 5 "$packages_log" >&2
	return 1
}

packages_unpack_run() {
	[ ! -e "$packages_folder.unpacked" ] || exit 0
	export DEBIAN_FRONTEND=noninteractive
	apt-cache show "$@" > /dev/null || apt-get -q -o DPkg::Lock::Timeout=300 update || exit 1
	packages_libraries=$(apt-cache depends --no-recommends --no-suggests "$@" | sed -n 's/^ *\(Pre\)\{0,1\}Depends: \(lib[^ ]*\)$/\2/p')
	# shellcheck disable=SC2046,SC2086
	mkdir -p "$packages_folder.debs" && cd "$packages_folder.debs" &&
		apt-get -q -o APT::Sandbox::User=root download "$@" $(packages_missing $packages_libraries) || exit 1
	for p in *.deb; do
		dpkg-deb -x "$p" "$packages_folder" || exit 1
	done
	touch "$packages_folder.unpacked"
}

# In a subshell, so that the traps are its own. The lock (on a folder, no file is made) keeps two runs from each other's policy-rc.d.
packages_run() {
	exec 9< /usr/sbin
	flock -w 300 9
	packages_policy=
	packages_units_before=$(packages_units)
	trap packages_leave EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		packages_policy=/usr/sbin/policy-rc.d
		printf '#!/bin/sh\n# temporary, by tlsmode contrib/packages.sh: no service starts\nexit 101\n' > $packages_policy
		chmod 755 $packages_policy
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q -o DPkg::Lock::Timeout=300 update || exit 1
	# shellcheck disable=SC2086
	apt-get -q -y --no-install-recommends --no-remove -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install $packages_list
}

packages_leave() {
	packages_status=$?
	trap - EXIT HUP INT TERM
	[ -z "$packages_policy" ] || rm -f "$packages_policy"
	packages_units | while read -r kind name; do
		echo "$packages_units_before" | grep -qxF "$kind $name" || packages_disable "$kind" "$name"
	done
	exit $packages_status
}

# What starts at boot: "link PATH" for every enabled unit, "init NAME" for every init script.
packages_units() {
	find /etc/systemd/system -mindepth 1 -type l 2> /dev/null | sed 's/^/link /'
	find /etc/init.d -mindepth 1 -type f 2> /dev/null | sed 's|.*/|init |'
}

packages_disable() {
	case $1 in
	link)
		unit=${2##*/}
		! command -v systemctl > /dev/null || systemctl --no-reload disable "$unit" || true
		rm -f "$2" # without a running systemd, or an alias that disable left
		;;
	init)
		! command -v update-rc.d > /dev/null || update-rc.d "$2" disable || true
		;;
	esac
}
