#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# examples/barrier-render: both barriers hold, the table has both and their ratio, bad options are refused.
set -uo pipefail
render=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tester=barrier-render
. "$(dirname "$0")/expect.sh"

expect 0 '' "$render" --threads 8 --frames 3 --rounds 1
for line in '8 threads, 3 frames, medians of 1 rounds' 'while \(counter\); +[0-9.]+ s +[0-9.]+ s' \
	'gsync_barrier +[0-9.]+ s +[0-9.]+ s' 'gsync / spin +[0-9.]+ +[0-9.]+'; do
	grep -qE "^$line$" "$work/out" || flunk "no line \"$line\""
done
expect 0 '' "$render" --threads 1 --frames 1 --rounds 2
expect 0 '' "$render" --help
grep -q '^usage: barrier-render' "$work/out" || flunk '--help does not help'
for bad in 0 -1 x 1025 99999999999999999999 ''; do
	expect 2 '^barrier-render: --threads must be 1 to 1024, not "'"$bad"'"$' "$render" --threads "$bad"
done
expect 2 '--frames must be' "$render" --frames 0
expect 2 '--rounds must be 1 to 99' "$render" --rounds 100
expect 2 'barrier-render: .*option' "$render" --nonsense
expect 2 'takes options only, but got "stray"' "$render" stray
expect 1 'cannot write the report' sh -c '"$0" --help >/dev/full' "$render"

[ $failed -eq 0 ] && echo 'barrier-render: all checks passed'
exit $failed
