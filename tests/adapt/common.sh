# SPDX-License-Identifier: MIT
# Sourced by the demonstrations beside it: a bench that runs while its machine is changed, and what is read off it.
# Exit status of each: 0 pass, 1 fail, 77 this machine cannot show it.
set -euo pipefail

guestsync=${1:-$(dirname "$0")/../../build/gcc/guestsync}
[ -x "$guestsync" ] || { printf '%s: no command at %s: build first, or name it\n' "$0" "$guestsync" >&2; exit 2; }

work=$(mktemp -d)
children=()
end_children() {
	[ ${#children[@]} -eq 0 ] || kill "${children[@]}" 2>/dev/null || true
	[ ${#children[@]} -eq 0 ] || wait "${children[@]}" 2>/dev/null || true
	children=()
}
clean_up() { end_children; rm -rf "$work"; }
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

skip() { printf 'skipped: %s\n' "$*"; exit 77; }

verdict() {
	case $1 in
	0) echo 'verdict: pass' ;;
	77) echo 'verdict: none' ;;
	*) echo 'verdict: fail' ;;
	esac
	exit "$1"
}

now() { printf '%s' "$EPOCHREALTIME"; }

# start SECONDS OPTION…: a bench of gsync_mutex over time, in the background, as $bench
start() {
	seconds=$1
	shift
	"$guestsync" bench --locks gsync_mutex --threads 4 --cs 1000 --pin never --rounds 1 --seconds "$seconds" \
		--json "$@" >"$work/bench.json" &
	bench=$!
	children+=($bench)
}

# finish: waits for it. The window began no later than its length before now, so that what was done to the machine is
# dated early rather than late, and the library's answer never looks sooner than it was.
finish() {
	local status=0
	wait $bench || status=$?
	began=$(python3 -c 'import sys; print(float(sys.argv[1]) - float(sys.argv[2]))' "$(now)" "$seconds")
	children=()
	[ $status -eq 0 ] || { printf '%s: bench failed, status %s\n' "$0" $status >&2; exit 1; }
}

# judge LINE-MS TIME NAME TIME NAME…: prints a line of the timeline every LINE-MS, each event in its place, and runs the
# Python on stdin, which knows the moments as m, the events' times in s as at[NAME], and says(condition, words).
judge() {
	cat >"$work/judge.py"
	python3 - "$work" "$began" "$@" <<'PYTHON'
import json, sys
work, began, step, rest = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]
with open(work + "/bench.json") as file:
    m = json.load(file)["cells"][0]["rounds"][0]["timeline"]
for moment in m:
    moment["t"] = moment["t_ms"] / 1e3
at = {name: float(time) - began for time, name in zip(rest[::2], rest[1::2])}
events, last = sorted((time, name) for name, time in at.items()), -step / 1e3
print("   time      ops/s  CPU ns/op  sleeps/s  preempted/s  CPUs  spin ns  pressure")
for before, moment in zip([m[0]] + m, m):
    while events and events[0][0] < moment["t"]:
        print("%6.2f s  -- %s" % events.pop(0))
    watched = ("usable_cpus", "spin_ns")
    changed = any(moment[x] != before[x] for x in watched) or (moment["pressure_percent"] > 0) != (before["pressure_percent"] > 0)
    if changed or moment["t"] - last > step / 1e3 - 1e-3:
        print("%6.2f s %10.0f %10.0f %9.0f %12.0f %5d %8d %7d %%" % (moment["t"], moment["ops_per_s"],
              moment["cpu_ns_per_op"], moment["voluntary_per_s"], moment["involuntary_per_s"], moment["usable_cpus"],
              moment["spin_ns"], moment["pressure_percent"]))
        last = moment["t"]
failed = 0
def says(condition, words):
    global failed
    print(("yes: " if condition else "NO:  ") + words)
    failed |= not condition
def first(condition, since, until=1e9):
    """The first moment from which on CONDITION holds for all of [SINCE, UNTIL); None if there is none."""
    found = None
    for moment in m:
        if since <= moment["t"] < until:
            found = None if not condition(moment) else found if found is not None else moment["t"]
    return found
exec(open(work + "/judge.py").read())
sys.exit(failed)
PYTHON
}
