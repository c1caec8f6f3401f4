#!/bin/sh
# No function of src/ has more than 60 lines (HACKING, "Style"). Prints TAP.
echo 1..1
if long=$("$srcdir/contrib/sizes" --check); then
	echo "ok 1 - no function over 60 lines"
else
	echo "not ok 1 - no function over 60 lines"
	echo "$long" | sed 's/^/# /'
fi
