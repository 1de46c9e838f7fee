#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What programs were built against stays: the soname, the exported symbols and the types of the public headers, compared with
# their description in lib/guestsync.abi. That is x86-64's, without paths, lines and names of parameters; a debug build by gcc
# is described, so that it does not depend on what an optimizer does.
#
#     tests/abi.sh            compares
#     tests/abi.sh --renew    describes anew what is in the tree now
set -euo pipefail
cd "$(dirname "$0")/.."
stored=lib/guestsync.abi

fail() { printf 'abi: %s\n' "$*" >&2; exit 1; }

[ $# -eq 0 ] || [ "$*" = --renew ] || fail "usage: tests/abi.sh [--renew]"
if [ "$(uname -m)" != x86_64 ]; then
	echo 'abi: skipped: the stored description is of x86-64'
	exit 0
fi
command -v abidiff >/dev/null || fail 'abigail-tools are not installed'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
library=$work/build/libguestsync.so

{ CC=gcc meson setup "$work/build" --buildtype=debug -Dtests=false -Dcli=false -Dexamples=false &&
	meson compile -C "$work/build" guestsync:shared_library; } >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }

# Whatever is no public header's is ours to change. struct gsync_pool must stay, or calls would lose the parameter; but nobody
# outside sees more of it than its name.
cat >"$work/private" <<'EOF'
[suppress_type]
  source_location_not_regexp = include/
  name_not_regexp = ^gsync_pool$
  drop = true
EOF

describe() {
	abidw --suppressions "$work/private" --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed \
		--no-parameter-names --no-write-default-sizes --drop-undefined-syms --exported-interfaces-only \
		--type-id-style hash "$library" >"$work/all"
	awk '
		/<class-decl name=.gsync_pool. / {
			sub(/size-in-bits=.[0-9]*. /, "")
			sub(/>$/, " is-declaration-only=\"yes\"/>")
			print
			inside = 1
		}
		!inside { print }
		/<\/class-decl>/ { inside = 0 }' "$work/all" |
		sed "s| path='[^']*/\([a-z]*/[a-z_]*\.c\)'| path='\1'|; 1a <!-- SPDX-License-Identifier: MIT; by tests/abi.sh -->"
}

if [ $# -eq 1 ]; then
	describe >"$work/abi"
	mv "$work/abi" "$stored"
	echo "abi: $stored describes what is in the tree now"
	exit 0
fi
status=0
abidiff "$stored" "$library" >"$work/differences" || status=$?
if [ $status -ne 0 ]; then
	cat "$work/differences" >&2
	# 1 and 2: it could not compare.
	[ $((status & 3)) -eq 0 ] || exit 1
	fail "not what $stored describes. If that is meant: tests/abi.sh --renew, and a line in CHANGELOG.md; where
something was removed or changed, programs of today would break, and soversion in meson.build must change as well"
fi
echo "abi: the library is as $stored describes it"
