# Debian packages for building and testing; sourced by contrib/check and contrib/demo.
PACKAGES_BUILD="autoconf automake pkg-config make gcc libc6-dev libmilter-dev libssl-dev libhiredis-dev libunbound-dev
libevent-dev libcurl4-openssl-dev libconfuse-dev libidn2-dev libjansson-dev libcmocka-dev"

# Installs what is missing, without questions, never removing a package and never starting a service.
packages_install() {
	missing=
	for p in "$@"; do
		dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $p"
	done
	[ -n "$missing" ] || return 0
	apt-get -q -o DPkg::Lock::Timeout=300 update < /dev/null
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends --no-remove \
		-o DPkg::Lock::Timeout=300 install $missing < /dev/null
}
