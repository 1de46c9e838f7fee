#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ./run install and uninstall: everything is in its place, programs of others build against it and run, and afterwards nothing
# is left; neither in a folder of its own, nor below a DESTDIR in which others have files, too.
set -uo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/new/usr

tester=install
. tests/expect.sh

# run_quietly ARGUMENT…: ./run; what it says while all is well is not for this test's readers
run_quietly() {
	./run "$@" >"$work/log" 2>&1 || { flunk "./run $*"; cat "$work/log" >&2; exit 1; }
}

# there PATH…: below the prefix
there() {
	local path
	for path in "$@"; do
		[ -e "$prefix/$path" ] || flunk "$path was not installed"
	done
}

expect 1 'nothing into' ./run uninstall --prefix "$prefix"
expect 1 'whole path' ./run install --prefix usr
expect 1 'nothing else' ./run install --destination "$prefix"
[ ! -e "$work/new" ] || flunk 'who was refused left something behind'

run_quietly install --prefix "$prefix"
find "$work/new" | sort >"$work/first"
# Over itself: the list of what is to be removed must not become shorter by that.
run_quietly install --prefix "$prefix"
find "$work/new" | sort | diff "$work/first" - >&2 || flunk 'installed twice is something else than installed once'

there bin/guestsync lib/libguestsync.{a,so,so.0} lib/pkgconfig/guestsync.pc
there lib/cmake/guestsync/guestsync-config{,-version}.cmake
there $(cd include && find . -name '*.h' | sed 's|^\.|include|')
there $(cd man && for page in *; do echo "share/man/man${page##*.}/$page"; done)
[ "$("$prefix/bin/guestsync" --version)" = "$(build/install/guestsync --version)" ] || flunk 'the installed command does not run'

# Every call leads to its page.
for call in $(grep -o 'gsync_[a-z0-9_]*[a-z0-9];' lib/guestsync.map | tr -d ';') gsync_mutex_lock; do
	there "share/man/man3/$call.3"
	grep -q "^\.Nm $call" "$prefix/share/man/man3/$call.3" || flunk "$call.3 does not tell of it"
done
# Not grep -q, which leaves at the first match: who still writes then fails, and with pipefail all do.
if command -v man >/dev/null; then
	man -M "$prefix/share/man" gsync_mutex_lock 2>/dev/null </dev/null | grep 'GSYNC_MUTEX(3)' >/dev/null || flunk 'man gsync_mutex_lock'
elif command -v mman >/dev/null; then
	mman -M "$prefix/share/man" gsync_mutex_lock 2>/dev/null </dev/null | grep 'GSYNC_MUTEX(3)' >/dev/null || flunk 'mman gsync_mutex_lock'
else
	skip 'man gsync_mutex_lock: there is no man'
fi

tests/consumers.sh "$prefix" || failed=1

run_quietly uninstall --prefix "$prefix"
[ ! -e "$work/new" ] || flunk "uninstall left behind: $(find "$work/new")"

# As a packager does it, and beside files of others.
export DESTDIR=$work/stage
mkdir -p "$DESTDIR/usr/include"
echo other >"$DESTDIR/usr/include/other.h"
run_quietly install --prefix=/usr
echo other >"$DESTDIR/usr/share/other"
grep -q '^prefix=/usr$' "$DESTDIR/usr/lib/pkgconfig/guestsync.pc" || flunk 'guestsync.pc names the DESTDIR'
run_quietly uninstall --prefix=/usr
[ "$(find "$DESTDIR" -mindepth 1 | sort)" = "$(printf '%s\n' "$DESTDIR"/usr{,/include{,/other.h},/share{,/other}})" ] ||
	flunk "below DESTDIR there is now: $(find "$DESTDIR")"

[ $failed -eq 0 ] && echo 'install: all in its place, and gone again'
exit $failed
