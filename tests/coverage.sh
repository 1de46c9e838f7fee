#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: coverage.sh BUILD — how much of the library the tests execute. BUILD is set up with -Db_coverage=true. What counts
# is what all tests together reach that meson knows, and the command's; nothing is left out of the count. An inline function
# of a header is one, however many files include it. Fails when a directory has less than the least; the lines and branches
# that are left stand in BUILD/left-lines.txt and BUILD/left-branches.txt, and those that stay so, with the reasons, in
# tests/coverage-left.md.
set -euo pipefail
build=${1:?usage: coverage.sh BUILD}
cd "$(dirname "$0")/.."
directories=(detect primitives lib)
least_lines=95
least_branches=85

# Some tests drop their rights, and what they then execute counts, too: whoever they are, they must find a place for it.
if [ "$(id -u)" -eq 0 ] && ! setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$build"; then
	printf 'coverage: %s must be where all users can reach it\n' "$(realpath "$build")" >&2
	exit 1
fi
find "$build" -name '*.gcno' | while IFS= read -r notes; do
	: >"${notes%.gcno}.gcda"
	chmod 666 "${notes%.gcno}.gcda"
done
meson test -C "$build" --no-rebuild --print-errorlogs
tests/command.sh "$build/guestsync"

find "$build" -name '*.gcda' -empty -delete
gcovr --root . --json "$build/coverage.json" "${directories[@]/#/--filter=}" "$build"
gcovr --root . --add-tracefile "$build/coverage.json" --txt "$build/left-lines.txt"
gcovr --root . --add-tracefile "$build/coverage.json" --branches --txt "$build/left-branches.txt"
# To a file: gcovr removes what stands at the place of its output, and root's /dev/null would be gone.
status=0
for directory in "${directories[@]}"; do
	printf '%s:\n' "$directory"
	gcovr --root . --add-tracefile "$build/coverage.json" --filter "$directory/" --print-summary --txt "$build/left-here.txt" \
		--fail-under-line $least_lines --fail-under-branch $least_branches || status=1
done
[ $status -eq 0 ] || printf 'coverage: less than %s %% of the lines or %s %% of the branches\n' $least_lines $least_branches >&2
exit $status
