# Builds a tree; sourced by contrib/check and contrib/demo, in the top folder of the sources.

# build_tree DIR [CONFIGURE ARGUMENT...]: configured when it is not yet, made; DIR/make.log has the talk. Shows its end on failure.
build_tree() {
	build_in=$1
	shift
	mkdir -p "$build_in"
	if ! build_steps "$@" > "$build_in/make.log" 2>&1 < /dev/null; then
		tail -n 40 "$build_in/make.log" >&2
		echo "the build in $build_in failed" >&2
		return 1
	fi
}

build_steps() {
	build_top=$PWD
	[ -x configure ] && [ configure -nt configure.ac ] || ./autogen.sh || return 1
	(
		cd "$build_in" || exit 1
		[ -f Makefile ] || "$build_top"/configure -q "$@" || exit 1
		make -s -j"$(nproc)"
	)
}
