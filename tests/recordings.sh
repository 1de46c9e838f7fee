#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every recorded machine is still recognised as what it is. Usage: tests/recordings.sh GUESTSYNC
set -uo pipefail
guestsync=$(realpath "$1")
cd "$(dirname "$0")/recordings"
failed=0 count=0

for recording in *.rec; do
	count=$((count + 1))
	grep -q '^note ' "$recording" || { printf '%s: no note says what machine this is\n' "$recording" >&2; failed=1; }
	for answer in hypervisor.name hypervisor.layers container cpus.usable; do
		grep -q "^expect $answer[. ]" "$recording" || { printf '%s: expects no %s\n' "$recording" "$answer" >&2; failed=1; }
	done
	"$guestsync" detect --replay "$recording" --check >/dev/null || failed=1
	# What is reported of it is a report, too.
	"$guestsync" detect --replay "$recording" >/dev/null || failed=1
done
[ "$count" -ge 28 ] || { printf 'only %d recordings are here\n' "$count" >&2; failed=1; }
[ $failed -eq 0 ] && printf '%d recordings hold\n' "$count"
exit $failed
