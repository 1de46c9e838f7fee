#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The guestsync command as its users meet it: formats, bad input, rooms where things are hidden or forbidden.
# What needs root or a cgroup v1 tree is tested where there is one, and said to be skipped elsewhere.
set -uo pipefail
guestsync=$(realpath "$1")
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
cp "$guestsync" "$work/guestsync"
guestsync=$work/guestsync
failed=0
quick=(--seconds 0.02 --rounds 2 --threads 1,2)

flunk() { printf 'command: FAILED: %s\n' "$*" >&2; failed=1; }
skip() { printf 'command: skipped: %s\n' "$*"; }

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
		grep -qE "$pattern" "$work/err" || flunk "no \"$pattern\" on stderr of $*: $(head -1 "$work/err")"
	fi
}

# holds PYTHON-CONDITION: about the JSON in $work/out, as d
holds() {
	python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); sys.exit(0 if eval(sys.argv[2]) else 1)' "$work/out" "$1" ||
		flunk "the JSON does not say: $1"
}

# ---- detect

expect 0 '' "$guestsync" detect
expect 0 '' "$guestsync" detect --json
holds 'isinstance(d["hypervisor"]["name"], str) and isinstance(d["hypervisor"]["layers"], list)'
holds 'isinstance(d["container"], str) and d["cpus"]["usable"] > 0 and {"online","affinity","quota"} <= set(d["cpus"])'
holds 'd["pause_ns"] > 0 and d["wake_ns"] > 0 and "steal_percent" in d and d["profile"]["spin_ns"] >= 0'
expect 0 '' taskset -c "$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')" "$guestsync" detect --json
holds 'd["cpus"]["usable"] == 1 and d["profile"]["spin_ns"] == 0'
expect 2 'option' "$guestsync" detect --nonsense
expect 2 'unknown command' "$guestsync" nonsense
expect 2 . "$guestsync"
expect 0 '' "$guestsync" --help
expect 0 '' "$guestsync" --version
expect 0 '' "$guestsync" bench --help

expect 0 'GUESTSYNC_SPIN_NS=abc: not a whole number' env GUESTSYNC_SPIN_NS=abc "$guestsync" detect --json
[ "$(wc -l <"$work/err")" -eq 1 ] || flunk "not one line about GUESTSYNC_SPIN_NS=abc"
holds 'd["profile"]["spin_ns"] != 0 or d["cpus"]["usable"] <= 1'
expect 0 'GUESTSYNC_NONSENSE: no such setting' env GUESTSYNC_NONSENSE=1 "$guestsync" detect
expect 0 '' env GUESTSYNC_SPIN_NS=4321 "$guestsync" detect --json
holds 'd["profile"]["spin_ns"] == 4321'

# Whoever runs a program with raised rights must not choose how it waits.
if [ "$(id -u)" -eq 0 ] && cp "$guestsync" "$work/raised" && chmod 4755 "$work/raised" &&
	setpriv --reuid 65534 --regid 65534 --clear-groups grep -q '^CapEff.*0000$' /proc/self/status &&
	! findmnt -no OPTIONS -T "$work" | grep -qw nosuid; then
	expect 0 '' setpriv --reuid 65534 --regid 65534 --clear-groups env GUESTSYNC_SPIN_NS=4321 GUESTSYNC_EAGER=abc \
		"$work/raised" detect --json
	holds 'd["profile"]["spin_ns"] != 4321'
else
	skip 'a setuid program ignores the environment: needs root and a file system that allows setuid'
fi

group=/sys/fs/cgroup/cpu/guestsync-test-$$
if [ "$(id -u)" -eq 0 ] && [ "$(nproc)" -ge 2 ] && mkdir "$group" 2>/dev/null; then
	if echo 100000 2>/dev/null >"$group/cpu.cfs_period_us" && echo 150000 2>/dev/null >"$group/cpu.cfs_quota_us"; then
		expect 0 '' sh -c 'echo $$ >"$0/cgroup.procs" && exec "$1" detect --json' "$group" "$guestsync"
		holds 'd["cpus"]["quota"] == 1.5 and d["cpus"]["usable"] == 1.5'
	else
		skip 'cgroup v1 quota: this kernel has none'
	fi
	rmdir "$group"
else
	skip 'cgroup v1 quota: needs root, two CPUs and a v1 cpu controller'
fi

if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
	for hidden in /proc /sys "/proc /sys"; do
		expect 0 '' unshare -m sh -c 'for d in $0; do mount -t tmpfs none $d || exit 9; done; exec "$1" detect --json' \
			"$hidden" "$guestsync"
		holds 'd["cpus"]["usable"] > 0 and d["hypervisor"]["name"]'
	done
	expect 0 '' unshare -m sh -c 'mount -t tmpfs none /proc; exec "$0" bench --seconds 0.02 --rounds 1 --threads 2 --locks ours' \
		"$guestsync"
else
	skip '/proc and /sys hidden: needs root'
fi

# ---- bench

expect 0 '' "$guestsync" bench "${quick[@]}" --kind lock,barrier --locks all --json
holds 'set(d) == {"machine","settings","cells"} and len(d["cells"]) > 0'
holds 'all({"kind","scenario","lock","threads","cs_ns","think_ns","rounds","median"} <= set(c) for c in d["cells"])'
holds 'all(set("ops_per_s cpu_ns_per_op jain wait_p50_ns wait_p99_ns wait_p999_ns wait_max_ns voluntary_switches involuntary_switches errors".split()) == set(m) for c in d["cells"] for m in c["rounds"] + [c["median"]])'
holds 'all(len(c["rounds"]) == 2 and c["median"]["errors"] == 0 for c in d["cells"])'
holds '{"gsync_spin","gsync_mutex","gsync_oticket","pthread_spin","pthread_mutex","pthread_mutex_adaptive","gsync_barrier","pthread_barrier"} <= {c["lock"] for c in d["cells"]}'
expect 0 '' "$guestsync" bench "${quick[@]}" --locks ours --format csv
[ "$(wc -l <"$work/out")" -eq 7 ] || flunk "CSV of 6 cells has $(wc -l <"$work/out") lines"
expect 0 '' "$guestsync" bench "${quick[@]}" --locks gsync_mutex --scenario plain,hogs --json
holds '{c["scenario"] for c in d["cells"]} == {"plain","hogs"}'
if readlink /proc/[0-9]*/exe 2>/dev/null | grep -qxF "$guestsync"; then flunk 'hogs were left behind'; fi
expect 0 '' "$guestsync" bench "${quick[@]}" --locks ours --out "$work/report.json" --json
[ -s "$work/report.json" ] || flunk '--out wrote nothing'

expect 2 "unknown lock 'nonsense'; known: .*gsync_mutex" "$guestsync" bench --locks nonsense
expect 2 'threads' "$guestsync" bench --threads 0
expect 2 'threads' "$guestsync" bench --threads 2,x
expect 2 'threads' "$guestsync" bench --threads 99999
expect 2 'critical section' "$guestsync" bench --cs -1
expect 2 'think' "$guestsync" bench --think -1
expect 2 'seconds' "$guestsync" bench --seconds -1
expect 2 'seconds' "$guestsync" bench --seconds nan
expect 2 'rounds' "$guestsync" bench --rounds 0
expect 2 'scenario' "$guestsync" bench --scenario nonsense
expect 2 'format' "$guestsync" bench --format xml
expect 2 . "$guestsync" bench stray-word
expect 1 'cannot write "/nonexistent/report"' "$guestsync" bench --out /nonexistent/report
expect 1 'write' sh -c '"$0" bench --seconds 0.02 --rounds 1 --threads 1 --locks ours >/dev/full' "$guestsync"
if [ "$(id -u)" -eq 0 ]; then
	mkdir "$work/locked"
	chmod 755 "$work/locked"
	expect 1 'cannot write .*Permission denied' setpriv --reuid 65534 --regid 65534 --clear-groups "$guestsync" bench \
		--out "$work/locked/report"
	[ -z "$(ls "$work/locked")" ] || flunk 'something was left beside --out'
	expect 3 'SCHED_FIFO' setpriv --reuid 65534 --regid 65534 --clear-groups "$guestsync" bench "${quick[@]}" \
		--locks gsync_mutex --scenario plain,steal --json
	holds '{c["scenario"] for c in d["cells"]} == {"plain"}'
else
	skip 'another user without rights: needs root'
fi

[ $failed -eq 0 ] && echo 'command: all checks passed'
exit $failed
