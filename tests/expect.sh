# SPDX-License-Identifier: MIT
# Sourced by the tests of commands, which set $tester (the name they go by) and $work (a directory), and end with $failed.
failed=0

flunk() { printf '%s: FAILED: %s\n' "$tester" "$*" >&2; failed=1; }
skip() { printf '%s: skipped: %s\n' "$tester" "$*"; }

# expect STATUS PATTERN COMMAND…: the exit status, and what stderr says ("" = nothing)
expect() {
	local status=$1 pattern=$2 got
	shift 2
	"$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	[ $got -eq "$status" ] || flunk "status $got, not $status: $*: $(head -1 "$work/err")"
	if [ -z "$pattern" ]; then
		[ ! -s "$work/err" ] || flunk "unexpected words of $*: $(head -1 "$work/err")"
	else
		grep -qE -e "$pattern" "$work/err" || flunk "no \"$pattern\" on stderr of $*: $(head -1 "$work/err")"
	fi
}
