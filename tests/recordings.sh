#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every recorded machine is still recognised as what it is. Usage: tests/recordings.sh GUESTSYNC
set -uo pipefail
guestsync=$(realpath "$1")
cd "$(dirname "$0")/recordings"
failed=0 count=0
flunk() { printf 'recordings: %s\n' "$*" >&2; failed=1; }

for recording in *.rec; do
	count=$((count + 1))
	grep -q '^note ' "$recording" || flunk "$recording: no note says what machine this is"
	for answer in hypervisor.name hypervisor.layers container cpus.usable; do
		grep -q "^expect $answer[. ]" "$recording" || flunk "$recording: expects no $answer"
	done
	"$guestsync" detect --replay "$recording" --check >/dev/null || failed=1
	# What is reported of it is a report, too.
	"$guestsync" detect --replay "$recording" >/dev/null || failed=1
done
[ "$count" -ge 28 ] || flunk "only $count recordings are here"
[ $failed -eq 0 ] && printf '%d recordings hold\n' "$count"
exit $failed
