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
quick=(--seconds 0.02 --rounds 2 --threads 1,2)

tester=command
. "$(dirname "$0")/expect.sh"

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
holds 'set("name layers confidential unknown_signature kvm_features kvm_hints role nested version dedicated hyperv tsc_khz".split()) == set(d["hypervisor"])'
holds '(d["hypervisor"]["role"] is None) == (d["hypervisor"]["name"] == "none")'
holds 'set("run_queue_wait_ns timeslices runnable pressure_avg10 throttled_periods throttled_ns".split()) == set(d["load"])'
holds 'set("packages cores threads numa_nodes l1d_bytes l2_bytes l3_bytes".split()) == set(d["topology"])'
holds 'd["topology"]["threads"] in (None, d["cpus"]["affinity"]) and set(d["idle"]) == {"driver", "governor"}'
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
expect 0 'GUESTSYNC_STATS=yes: not a whole number from 0 to 1' env GUESTSYNC_STATS=yes "$guestsync" detect --json
[ "$(wc -l <"$work/err")" -eq 1 ] || flunk "not one line about GUESTSYNC_STATS=yes"
expect 0 'guestsync: statistics of guestsync, process [0-9]' env GUESTSYNC_STATS=1 "$guestsync" detect --json
holds 'd["cpus"]["usable"] > 0'
expect 0 'GUESTSYNC_NONSENSE: no such setting' env GUESTSYNC_NONSENSE=1 "$guestsync" detect
expect 0 '' env GUESTSYNC_SPIN_NS=4321 "$guestsync" detect --json
holds 'd["profile"]["spin_ns"] == 4321'
expect 0 '' env GUESTSYNC_QUIET=1 "$guestsync" detect --json
holds 'd["wake_ns"] is None and not d["wake_trusted"] and d["profile"]["usable_cpus"] == 1 and d["profile"]["spin_ns"] == 0'

# Whoever runs a program with raised rights must not choose how it waits.
if [ "$(id -u)" -eq 0 ] && cp "$guestsync" "$work/raised" && chmod 4755 "$work/raised" &&
	setpriv --reuid 65534 --regid 65534 --clear-groups grep -q '^CapEff.*0000$' /proc/self/status &&
	! findmnt -no OPTIONS -T "$work" | grep -w nosuid >/dev/null; then
	expect 0 '' setpriv --reuid 65534 --regid 65534 --clear-groups env GUESTSYNC_SPIN_NS=4321 GUESTSYNC_EAGER=abc \
		GUESTSYNC_STATS=1 \
		"$work/raised" detect --json
	holds 'd["profile"]["spin_ns"] != 4321'
else
	skip 'a setuid program ignores the environment: needs root and a file system that allows setuid'
fi

# ---- recordings

recording=$work/machine.rec
expect 0 '' "$guestsync" detect --record "$recording" --note 'a test'
expect 0 '' "$guestsync" detect --replay "$recording" --check
expect 0 '' "$guestsync" detect --replay "$recording"
grep -q '^A replay of .*machine.rec", recorded on a real machine' "$work/out" || flunk 'a replay does not say that it is one'
expect 0 '' "$guestsync" detect --replay "$recording" --json
"$guestsync" detect --json >"$work/here.json"
holds 'd["replay"] == {"origin": "real", "note": "a test", "measured": True} and d["wake_ns"] > 0'
holds "d['topology'] == json.load(open('$work/here.json'))['topology']"
expect 0 '' sh -c '"$0" detect --record - | "$0" detect --replay - --check' "$guestsync"
sed 's/^expect container .*/expect container nonsense/; s/^expect cpus.usable .*/expect cpus.usable.nonsense 1/' "$recording" >"$work/wrong.rec"
expect 1 'wrong.rec:[0-9]+: container should be "nonsense", and is' "$guestsync" detect --replay "$work/wrong.rec" --check
expect 1 'cpus.usable.nonsense should be "1", and is "absent"' "$guestsync" detect --replay "$work/wrong.rec" --check
printf 'guestsync recording 1\norigin composed\ncpus online 3\n' >"$work/small.rec"
expect 0 '' "$guestsync" detect --replay "$work/small.rec" --json
holds 'd["cpus"]["usable"] == 3 and d["wake_ns"] is None and d["pause_ns"] is None and not d["replay"]["measured"]'
expect 0 '' "$guestsync" detect --replay "$work/small.rec" --explain
grep -q '^  Because: the least that a wake-up usually costs' "$work/out" || flunk 'a replay without measurements explains its thresholds otherwise'
expect 0 '' env GUESTSYNC_SPIN_NS=77 "$guestsync" detect --replay "$work/small.rec" --explain --json
holds 'd["profile"]["spin_ns"] == d["explain"]["spin_ns"]["value"] == 5000 and d["wake_spread"] is None and d["replay"]'
printf '%s\n' 'cpuid 1 = 0 0 80000000 0' 'cpuid 40000000 = 40000001 4b4d564b 564b4d56 4d' >>"$work/small.rec"
expect 0 '' "$guestsync" detect --replay "$work/small.rec" --json
holds 'd["profile"]["spin_ns"] == 15000 and "explain" not in d'
echo 'cpuid 40000001 = 0 0 0 1' >>"$work/small.rec"
expect 0 '' "$guestsync" detect --replay "$work/small.rec" --json
holds 'd["profile"]["spin_ns"] == 5000 and d["hypervisor"]["dedicated"]'
expect 1 'expects nothing' "$guestsync" detect --replay "$work/small.rec" --check
echo nonsense >>"$work/small.rec"
expect 1 'small.rec:7: no line begins with "nonsense"' "$guestsync" detect --replay "$work/small.rec"
expect 1 'cannot read ".*": No such file' "$guestsync" detect --replay "$work/nonexistent"
expect 1 'cannot read ".*": Is a directory' "$guestsync" detect --replay "$work"
expect 1 'longer than any recording' "$guestsync" detect --replay /dev/zero
expect 1 'cannot write "/nonexistent/r"' "$guestsync" detect --record /nonexistent/r
expect 1 'cannot write "/dev/full"' "$guestsync" detect --record /dev/full
expect 1 'cannot write the output' sh -c '"$0" detect --record - >/dev/full' "$guestsync"
expect 2 'neither --json nor --replay' "$guestsync" detect --record - --json
expect 2 'nor --explain' "$guestsync" detect --record - --explain
expect 2 ': --check goes with --replay' "$guestsync" detect --check
expect 2 'not with --json or --explain' "$guestsync" detect --replay "$recording" --check --explain
expect 2 ': --note goes with --record' "$guestsync" detect --note x
expect 2 'printable ASCII' "$guestsync" detect --record - --note "$(printf 'a\nb')"
expect 2 . "$guestsync" detect --record
[ -z "$(find "$work" -name 'machine.rec.*')" ] || flunk '--record left something beside the file'

group=/sys/fs/cgroup/cpu/guestsync-test-$$
if [ "$(id -u)" -eq 0 ] && [ "$(nproc)" -ge 2 ] && mkdir "$group" 2>/dev/null; then
	if echo 100000 2>/dev/null >"$group/cpu.cfs_period_us" && echo 150000 2>/dev/null >"$group/cpu.cfs_quota_us"; then
		expect 0 '' sh -c 'echo $$ >"$0/cgroup.procs" && exec "$1" detect --json' "$group" "$guestsync"
		holds 'd["cpus"]["quota"] == 1.5 and d["cpus"]["usable"] == 1.5'
		holds 'd["load"]["throttled_periods"] == 0'
		# With a tenth of a CPU a busy loop is stopped.
		echo 10000 >"$group/cpu.cfs_quota_us"
		expect 0 '' sh -c 'echo $$ >"$0/cgroup.procs" && i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done; exec "$1" detect --json' \
			"$group" "$guestsync"
		holds 'd["load"]["throttled_periods"] > 0 and d["load"]["throttled_ns"] > 0'
	else
		skip 'cgroup v1 quota: this kernel has none'
	fi
	rmdir "$group"
else
	skip 'cgroup v1 quota: needs root, two CPUs and a v1 cpu controller'
fi

if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
	# hwloc fails an assertion where the directory of the NUMA nodes is empty.
	for hidden in /proc /sys "/proc /sys" /sys/devices/system/node /sys/devices/system/cpu /sys/fs/cgroup; do
		for directory in $hidden; do [ -d "$directory" ] || continue 2; done
		expect 0 '' unshare -m sh -c 'for d in $0; do mount -t tmpfs none $d || exit 9; done; exec "$1" detect --json' \
			"$hidden" "$guestsync"
		holds 'd["cpus"]["usable"] > 0 and d["hypervisor"]["name"]'
		holds 'all(d["topology"][k] is None or d["topology"][k] > 0 for k in d["topology"])'
		case $hidden in
		*/sys | */cpu) holds 'd["topology"]["cores"] is None and d["idle"] == {"driver": None, "governor": None}' ;;&
		/proc*) holds 'd["load"]["runnable"] is None and d["load"]["timeslices"] is None' ;;&
		*/sys | */cgroup) holds 'd["load"]["throttled_periods"] is None' ;;
		esac
		expect 0 '' unshare -m sh -c 'for d in $0; do mount -t tmpfs none $d || exit 9; done; exec "$1" calibrate' \
			"$hidden" "$guestsync"
	done
	expect 0 '' unshare -m sh -c 'mount -t tmpfs none /proc; exec "$0" bench --seconds 0.02 --rounds 1 --threads 2 --locks ours' \
		"$guestsync"
else
	skip '/proc and /sys hidden: needs root'
fi

# ---- calibrate

expect 0 '' "$guestsync" calibrate
for word in PAUSE 'wake-up, by a timer' counter 'across CPUs' sched_yield trust; do
	grep -q -- "$word" "$work/out" || flunk "calibrate does not say \"$word\""
done
expect 0 '' "$guestsync" calibrate --json
holds 'set(d) == set("machine pause_ns wake_ns counter_mhz cross_cpu_wake_ns same_cpu_wake_ns yield_ns futex_wake_ns".split())'
holds 'all({"value","spread","trusted","why"} <= set(v) for k, v in d.items() if k != "machine" and v is not None)'
holds 'all(isinstance(v["trusted"], bool) and v["why"] for k, v in d.items() if k != "machine" and v is not None)'
holds 'all(d[k]["value"] > 0 for k in ("pause_ns", "wake_ns", "same_cpu_wake_ns", "yield_ns", "futex_wake_ns"))'
holds '(d["cross_cpu_wake_ns"] is None) == (d["machine"]["cpus"]["affinity"] == 1)'
holds '"profile" in d["machine"] and {"pause_spread","wake_spread","pause_trusted","wake_trusted"} <= set(d["machine"])'
expect 0 '' taskset -c "$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')" "$guestsync" calibrate --json
holds 'd["cross_cpu_wake_ns"] is None and d["counter_mhz"]["cpus_compared"] == 0 and d["counter_mhz"]["offset_ns"] is None'
expect 0 '' taskset -c "$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')" "$guestsync" calibrate
grep -q 'across CPUs .*skipped' "$work/out" || flunk 'calibrate on one CPU does not say what it skipped'
expect 0 '' "$guestsync" calibrate --help
expect 2 'option' "$guestsync" calibrate --nonsense
expect 2 'calibrate takes options only, but got "stray-word"' "$guestsync" calibrate stray-word
expect 1 'write' sh -c '"$0" calibrate --json >/dev/full' "$guestsync"

# ---- bench

expect 0 '' "$guestsync" bench "${quick[@]}" --threads 2 --kind forkjoin --body empty,us --scenario plain,oc --json
holds '{(c["kind"], c["body"], c["scenario"]) for c in d["cells"]} == {("forkjoin", b, s) for b in ["empty","us"] for s in ["plain","oc"]}'
holds '{"gsync_for","serial","pthread_for"} <= {c["lock"] for c in d["cells"]}'
holds '{"omp_for","omp_passive_for","llvm_omp_for","tbb_for"} <= {c["lock"] for c in d["cells"]} | set(d["settings"]["not_compiled_in"])'
holds 'all(c["median"]["errors"] == 0 and c["median"]["ops_per_s"] > 0 for c in d["cells"])'
cp "$work/out" "$work/forkjoin.json"
expect 0 '' "$guestsync" bench --from "$work/forkjoin.json" --json
holds '[(c["scenario"], c["body"], c["lock"], c["rounds"]) for c in d["cells"]] == [(c["scenario"], c["body"], c["lock"], c["rounds"]) for c in json.load(open("'"$work/forkjoin.json"'"))["cells"]]'
expect 0 '' "$guestsync" bench --from "$work/forkjoin.json" --format csv
grep -q '^forkjoin,oc,gsync_for,2,.*,us$' "$work/out" || flunk 'the csv does not tell what a region does'
expect 2 'body is for --kind forkjoin' "$guestsync" bench --body us

expect 0 '' "$guestsync" bench "${quick[@]}" --kind lock,barrier --locks all --json
holds 'set(d) == {"machine","settings","cells"} and len(d["cells"]) > 0'
holds 'all({"kind","scenario","lock","threads","cs_ns","think_ns","rounds","median"} <= set(c) for c in d["cells"])'
holds 'all(set("ops_per_s cpu_ns_per_op jain wait_p50_ns wait_p99_ns wait_p999_ns wait_max_ns voluntary_switches involuntary_switches errors".split()) == set(m) for c in d["cells"] for m in c["rounds"] + [c["median"]])'
holds 'all(len(c["rounds"]) == 2 and c["median"]["errors"] == 0 for c in d["cells"])'
holds '{"gsync_spin","gsync_mutex","gsync_oticket","pthread_spin","pthread_mutex","pthread_mutex_adaptive","gsync_barrier","pthread_barrier"} <= {c["lock"] for c in d["cells"]}'
# A peer is in the table, or the report says that it is not, and whoever names it learns what to install.
peers='ck_fas ck_ticket ck_mcs ck_clh nsync_mu tbb_spin tbb_queuing absl_mutex'
holds 'set("'"$peers"'".split()) <= {c["lock"] for c in d["cells"]} | set(d["settings"]["not_compiled_in"])'
for peer in $(python3 -c 'import json,sys; print(*json.load(open(sys.argv[1]))["settings"]["not_compiled_in"])' "$work/out"); do
	expect 2 "$peer is not compiled in \(install lib[a-z]*-dev" "$guestsync" bench --kind lock,barrier --locks "$peer"
	expect 0 '' "$guestsync" bench --seconds 0.01 --rounds 1 --threads 1 --locks pthread_spin
	grep -q "^$peer is not compiled in" "$work/out" || flunk "the table does not say that $peer is missing"
done
expect 0 '' "$guestsync" bench "${quick[@]}" --locks gsync_spin,gsync_mutex,gsync_oticket --format csv
[ "$(wc -l <"$work/out")" -eq 8 ] || flunk "CSV of 7 cells has $(wc -l <"$work/out") lines"
expect 0 '' "$guestsync" bench "${quick[@]}" --locks gsync_oticket,pthread_mutex --pin never --json
holds '[(c["lock"], c["threads"], c.get("bound")) for c in d["cells"]] == [("gsync_oticket",1,None), ("pthread_mutex",1,None), ("gsync_oticket",2,None), ("token_ring",2,True), ("pthread_mutex",2,None)]'
holds '[c["over_bound"] > 0 for c in d["cells"] if "over_bound" in c] == [True] and d["cells"][3]["median"]["ops_per_s"] > 0'
holds 'd["cells"][3]["pinned"] and not d["cells"][2]["pinned"] and d["settings"]["locks"] == ["gsync_oticket", "pthread_mutex"]'
expect 0 '' "$guestsync" bench "${quick[@]}" --locks gsync_oticket
grep -qE '^† gsync_oticket ÷ token_ring: [0-9.]+ \(bound: one CPU, no halted vCPU to wake\)$' "$work/out" ||
	flunk 'the table does not compare gsync_oticket with its bound'
expect 2 'token_ring is a bound, not a lock' "$guestsync" bench --locks token_ring
expect 0 '' "$guestsync" bench "${quick[@]}" --locks gsync_mutex --scenario plain,hogs --json
holds '{c["scenario"] for c in d["cells"]} == {"plain","hogs"}'
if readlink /proc/[0-9]*/exe 2>/dev/null | grep -xF "$guestsync" >/dev/null; then flunk 'hogs were left behind'; fi
expect 0 '' "$guestsync" bench --seconds 0.1 --rounds 3 --threads 1,2 --kind lock,barrier --locks gsync_mutex,gsync_barrier \
	--scenario plain,oc --every 50 --json
cat >"$work/effects.py" <<'EOF'
# The effects again, from the medians alone.
import json, sys
d = json.load(open(sys.argv[1]))
def close(a, b): return abs(a - b) <= 1e-4 * max(1, abs(b))
plain = {(c["lock"], c["threads"]): c["median"] for c in d["cells"] if c["scenario"] == "plain"}
for c in d["cells"]:
    if c["scenario"] == "plain":
        assert "against_plain" not in c
        continue
    v, p, e = c["median"], plain[c["lock"], c["threads"]], c["against_plain"]
    resource = v["cpu_ns_per_op"] / p["cpu_ns_per_op"] - 1
    time = p["ops_per_s"] / v["ops_per_s"] * e["cpus"] / e["cpus_plain"] - 1
    assert close(e["resource_effect"], resource) and e["resource_effect"] == e["delta_eta_r"], c
    assert close(e["time_effect"], time) and e["time_effect"] == e["delta_eta_t"], c
    assert close(e["impact_factor"], (1 + time) / (1 + resource)) and e["impact_factor"] == e["omega"], c
    assert close(e["cpus"], e["cpus_plain"] / 2), c
    assert all(m["timeline"] for m in c["rounds"]), c
EOF
python3 "$work/effects.py" "$work/out" || flunk 'the effects do not add up'
holds 'len(d["cells"]) == 8'
expect 0 '' "$guestsync" bench "${quick[@]}" --locks gsync_mutex --scenario oc --json
holds 'not any("against_plain" in c for c in d["cells"]) and all(m["errors"] == 0 for c in d["cells"] for m in c["rounds"])'
expect 0 '' "$guestsync" bench "${quick[@]}" --locks gsync_mutex --scenario plain,oc
grep -q '^δη_r, resource effect:' "$work/out" || flunk 'the table does not say what the effects are'

# Whatever ends it, nothing of the second copy may stay; and without the copy a window is worth nothing.
under_way() {
	local exe
	for exe in /proc/[0-9]*/exe; do
		[ "$(readlink "$exe" 2>/dev/null)" != "$guestsync" ] || printf '%s\n' "${exe//[!0-9]/}"
	done
}
nobody_left() {
	local i
	for ((i = 0; i < 40; i++)); do
		[ -n "$(under_way)" ] || return 0
		sleep 0.05
	done
	return 1
}
long=(--seconds 20 --rounds 1 --threads 2 --locks gsync_mutex --scenario oc)
for end in INT TERM KILL; do
	timeout --foreground -s $end 1 "$guestsync" bench "${long[@]}" >"$work/out" 2>"$work/err"
	nobody_left || flunk "the second copy was left behind after SIG$end"
done
"$guestsync" bench "${long[@]}" >"$work/out" 2>"$work/err" &
for ((i = 0; i < 200; i++)); do
	copy=$(under_way | grep -vx $!) && break
	sleep 0.05
done
sleep 0.5
kill -KILL "$copy"
wait $! && flunk 'the second copy was killed, and the window counted all the same'
grep -q 'second copy ended before the window' "$work/err" || flunk 'nothing is said about a second copy that was killed'
expect 0 '' "$guestsync" bench --seconds 0.1 --rounds 2 --threads 2 --locks ours,pthread_spin --every 50 --json
holds 'all(set("t_ms ops_per_s cpu_ns_per_op voluntary_per_s involuntary_per_s usable_cpus spin_ns pressure_percent".split()) == set(x) for c in d["cells"] for m in c["rounds"] for x in m["timeline"])'
holds 'all(1 <= len(m["timeline"]) <= 2 for c in d["cells"] for m in c["rounds"]) and not any("timeline" in c["median"] for c in d["cells"])'
expect 0 '' "$guestsync" bench --seconds 0.1 --rounds 2 --threads 2 --locks gsync_mutex --every 50
grep -q '^gsync_mutex over time, round 2:' "$work/out" || flunk 'no time table'
mkdir "$work/fake"
printf '#!/bin/sh\ncat\n' >"$work/fake/gnuplot"
chmod +x "$work/fake/gnuplot"
expect 0 '' env PATH="$work/fake:$PATH" "$guestsync" bench --seconds 0.1 --rounds 2 --threads 2 --locks gsync_mutex --every 50 \
	--plot "$work/script"
grep -q "^set xlabel 'seconds'" "$work/script" && grep -qE '^0\.0[5-9][0-9]* [0-9]' "$work/script" || flunk 'no plot over time'
expect 0 '' env PATH="$work/fake:$PATH" "$guestsync" bench --ramp --seconds 0.1 --rounds 2 --threads 1,2,8,2,1 --locks gsync_mutex \
	--json --plot "$work/script"
holds 'd["settings"]["ramp"] and d["settings"]["threads"] == [1, 2, 8, 2, 1] == [s["threads"] for s in d["cells"][0]["ramp"]]'
holds 'len(d["cells"]) == 1 and d["cells"][0]["threads"] == 8 and set(d["cells"][0]["median"]) == set(d["cells"][0]["rounds"][0]) - {"timeline"}'
holds 'all(s["ops_per_s"] > 0 and len(s["rounds"]) == 2 for s in d["cells"][0]["ramp"])'
[ "$(nproc)" -ne 2 ] || holds '["full_speed_after_ms" in s for s in d["cells"][0]["ramp"]] == [False, False, False, True, True]'
[ "$(nproc)" -ne 2 ] || holds '[s["pinned"] for s in d["cells"][0]["ramp"]] == [True, True, False, True, True]'
holds 'd["cells"][0]["ramp"][4]["full_speed_ops_per_s"] == d["cells"][0]["ramp"][0]["steady_ops_per_s"]'
# In milliseconds; on a busy machine a moment comes late.
holds 'all(1 <= x["threads"] <= 8 and 0 < x["t_ms"] < 1e6 for m in d["cells"][0]["rounds"] for x in m["timeline"])'
[ "$(grep -c '^set arrow' "$work/script")" -eq 4 ] && grep -q '^set label " 8" at first 0.2' "$work/script" &&
	grep -q 'threads: 1, 2, 8, 2, 1"' "$work/script" || flunk 'no plot of the ramp'
expect 0 '' "$guestsync" bench --ramp --seconds 0.05 --rounds 1 --locks gsync_mutex,pthread_spin
grep -q '^gsync_mutex step by step:' "$work/out" && grep -q '^pthread_spin step by step:' "$work/out" &&
	grep -q 'full speed after' "$work/out" && grep -q 'pressure  threads$' "$work/out" || flunk 'no table of the ramp'
expect 2 ': --ramp has no place in csv' "$guestsync" bench --ramp --format csv
expect 2 ': --ramp is for locks' "$guestsync" bench --ramp --kind lock,barrier
expect 2 'steps of --seconds 0.05' "$guestsync" bench --ramp --seconds 0.02
expect 2 'takes 64 steps at most, not 65' "$guestsync" bench --ramp --threads "1$(printf ',2%.0s' {1..64})"
expect 0 '' env PATH="$work/fake:$PATH" "$guestsync" bench "${quick[@]}" --locks gsync_mutex --plot "$work/script"
grep -q "^set xlabel 'threads'" "$work/script" || flunk 'no plot over threads'
expect 0 '' "$guestsync" bench "${quick[@]}" --locks ours --out "$work/report.json" --json
[ -s "$work/report.json" ] || flunk '--out wrote nothing'

cat >"$work/page.py" <<'EOP'
# The page is well-formed, needs nothing but itself, and shows every lock in every cell of the JSON beside it.
import csv, html.parser, json, re, sys, xml.etree.ElementTree
directory = sys.argv[1]
text = open(directory + "/index.html", encoding="utf-8").read()
cells = json.load(open(directory + "/results.json"))["cells"]
VOID = {"meta"}
class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(); self.open, self.ids, self.links, self.rows = [], [], [], 0
    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag not in VOID: self.open.append(tag)
        if "id" in attributes: self.ids.append(attributes["id"])
        self.links += [attributes[k] for k in ("href", "src") if k in attributes]
        assert tag not in ("script", "link", "img", "iframe", "object"), tag
        assert tag != "th" or attributes["scope"] in ("row", "col"), attributes
        self.rows += tag == "tr"
    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes); self.handle_endtag(tag)
    def handle_endtag(self, tag):
        if tag not in VOID: assert self.open and self.open.pop() == tag, tag
page = Page(); page.feed(text); page.close()
assert page.open == [] and len(set(page.ids)) == len(page.ids)
assert all(link.startswith("#") and link[1:] in page.ids for link in page.links), page.links
assert "url(" not in text and "@import" not in text and "viewport" in text
pictures = [xml.etree.ElementTree.fromstring(s) for s in re.findall(r"<svg\b.*?</svg>", text, re.S)]
charts = [p for p in pictures if p.get("class") == "chart"]
assert all(p.find("title").text and p.find("desc").text and p.get("viewBox") for p in charts)
panels = {(c["kind"], c["scenario"], c["cs_ns"], c["think_ns"]) for c in cells}
groups = {(c["kind"], c["scenario"], c["cs_ns"], c["think_ns"], c["threads"]) for c in cells}
timed = any("timeline" in r for c in cells for r in c["rounds"])
assert len(charts) == 3 * len(panels) + len(groups) * (2 if timed else 1), len(charts)
for name in {c["lock"] for c in cells}:
    mine = [c for c in cells if c["lock"] == name]
    over = len({(c["kind"], c["scenario"], c["cs_ns"], c["think_ns"]) for c in mine})
    moments = sum(len(c["rounds"][-1].get("timeline", [])) for c in mine)
    heading = name + " (bound)" * any("bound" in c for c in mine)
    assert text.count('<th scope="row">%s</th>' % heading) == 3 * over + len(mine) + moments, name
    assert sum(t.text == name for p in charts for t in p.iter("text")) == len(mine), name
rows = list(csv.DictReader(open(directory + "/results.csv")))
assert [(r["lock"], int(r["threads"])) for r in rows] == [(c["lock"], c["threads"]) for c in cells]
EOP
mkdir "$work/page"
echo kept >"$work/page/other"
echo old >"$work/page/index.html"
expect 0 '' "$guestsync" bench "${quick[@]}" --kind lock,barrier --scenario plain,hogs --cs 0,100 --report "$work/page" --json
python3 "$work/page.py" "$work/page" || flunk 'the page is not as it should be'
cmp -s "$work/out" "$work/page/results.json" || flunk '--report and --json differ'
[ "$(ls "$work/page")" = "$(printf 'index.html\nother\nresults.csv\nresults.json')" ] && [ "$(cat "$work/page/other")" = kept ] ||
	flunk '--report left something else in its directory'
expect 0 '' "$guestsync" bench --seconds 0.1 --rounds 2 --threads 2 --locks ours,pthread_spin --every 50 --report "$work/timed"
python3 "$work/page.py" "$work/timed" || flunk 'the page over time is not as it should be'
expect 0 '' "$guestsync" bench --ramp --seconds 0.05 --rounds 1 --threads 1,3,1 --locks gsync_oticket,pthread_spin --scenario oc \
	--report "$work/ramp"
for words in 'Throughput over time, up to 3 threads' 'on top: threads at work' \
	'<th scope="col">threads</th><th scope="col">1</th><th scope="col">3</th><th scope="col">1</th></tr>' \
	'each window in steps of 0.05 s with 1, 3, 1 threads' 'second copy of the measurement'; do
	grep -q "$words" "$work/ramp/index.html" || flunk "the page of a ramp does not say \"$words\""
done
expect 1 'cannot use ".*/ramp/results.json": it was measured with --ramp' \
	"$guestsync" bench --from "$work/ramp/results.json" --out "$work/nothing"
timeout -s TERM 1 "$guestsync" bench --seconds 60 --threads 2 --report "$work/never" >"$work/out" 2>"$work/err"
[ ! -e "$work/never" ] && grep -q interrupted "$work/err" || flunk '--report, interrupted, left something or said nothing'
expect 1 'cannot make the directory "/nonexistent/report"' "$guestsync" bench --seconds 60 --report /nonexistent/report
expect 1 'cannot write ".*/other/index.html": Not a directory' "$guestsync" bench --seconds 60 --report "$work/page/other"

expect 0 '' "$guestsync" bench --from "$work/page/results.json" --json
holds 'len(d["cells"]) > 0 and d["settings"]["measured"][0]["command"].startswith("guestsync bench --seconds 0.02 ")'
holds "[c['rounds'] for c in d['cells']] == [c['rounds'] for c in sorted(json.load(open('$work/page/results.json'))['cells'], key=lambda c: (c['kind'] == 'barrier', c['scenario'] == 'hogs', c['threads'], c['cs_ns']))]"
expect 0 '' "$guestsync" bench --from "$work/page/results.json" --report "$work/again" --format markdown
python3 "$work/page.py" "$work/again" || flunk 'the page from a file is not as it should be'
for row in '## locks, hogs: ' '### locks, plain, critical section 100 ns' '\| \*\*gsync_mutex\*\* +\| ' '\| pthread_barrier +\| ' '    guestsync bench --seconds'; do
	grep -qE "^$row" "$work/out" || flunk "the Markdown has no line \"$row\""
done
echo '- because *of this*' >"$work/notes.md"
expect 0 '' "$guestsync" bench --from "$work/page/results.json" --format markdown --notes "$work/notes.md"
sed -n '/^## Where ours fall short/,/^## Figures/p' "$work/out" | grep -xF -e '- because *of this*' >/dev/null || flunk 'the notes are not where they belong'
expect 1 'cannot read "/nonexistent"' "$guestsync" bench --seconds 60 --format markdown --notes /nonexistent --out "$work/nothing"
expect 1 'cannot read ".*": Is a directory' "$guestsync" bench --seconds 60 --format markdown --notes "$work" --out "$work/nothing"
expect 2 ': --notes goes with --format markdown' "$guestsync" bench --notes "$work/notes.md"
for scenario in plain hogs; do
	"$guestsync" bench "${quick[@]}" --locks gsync_mutex,pthread_mutex --scenario $scenario --json >"$work/$scenario.json"
done
expect 0 '' "$guestsync" bench --from "$work/hogs.json,$work/plain.json" --json
holds '[(c["scenario"], c["threads"]) for c in d["cells"]] == [(s, t) for s in ("plain", "hogs") for t in (1, 1, 2, 2)]'
holds 'len(d["settings"]["measured"]) == 2 and all("against_plain" in c for c in d["cells"] if c["scenario"] == "hogs" and c["median"]["ops_per_s"] > 0)'
expect 1 'the same cell twice' "$guestsync" bench --from "$work/plain.json,$work/plain.json" --out "$work/nothing"
sed 's/"name": "[a-z]*"/"name": "elsewhere"/' "$work/hogs.json" >"$work/moved.json"
expect 1 'another machine: elsewhere' "$guestsync" bench --from "$work/plain.json,$work/moved.json" --out "$work/nothing"
sed 's/"errors": 0/"errors": 1/' "$work/plain.json" >"$work/broken.json"
expect 4 'gsync_mutex is broken: 2 errors' "$guestsync" bench --from "$work/broken.json" --report "$work/again"
grep -q 'Broken exclusion' "$work/again/index.html" || flunk 'the page hides a broken lock'
for bad in '{' '[]' '{"machine":{},"settings":{},"cells":[]}' '{"cells":[1]}'; do
	echo "$bad" >"$work/bad.json"
	expect 1 'cannot use ".*/bad.json"' "$guestsync" bench --from "$work/bad.json" --report "$work/nothing"
done
head -c 3000 "$work/plain.json" >"$work/bad.json"
expect 1 'cannot use ".*/bad.json": .*, line [0-9]+' "$guestsync" bench --from "$work/bad.json" --out "$work/nothing"
expect 1 'cannot use ".*/nonexistent.json": .*No such file' "$guestsync" bench --from "$work/nonexistent.json" --out "$work/nothing"
expect 2 'threads has no place' "$guestsync" bench --from "$work/plain.json" --threads 2
expect 2 'ramp has no place' "$guestsync" bench --from "$work/plain.json" --ramp
[ ! -e "$work/nothing" ] || flunk '--from wrote a report of nothing'

# How far it has come is told to a terminal, and to one that can clear a line.
if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
	for kind in xterm dumb; do
		script -qec "env TERM=$kind '$guestsync' bench --locks gsync_mutex --threads 1 --rounds 2 --seconds 1.1" "$work/shown" \
			>/dev/null </dev/null || flunk "bench fails on a terminal of kind $kind"
		[ "$(grep -c '2 of 2' "$work/shown")" -eq "$([ $kind = dumb ] && echo 0 || echo 1)" ] ||
			flunk "progress on a terminal of kind $kind"
	done
else
	skip 'progress on a terminal: needs script, and a pseudo-terminal'
fi

expect 2 "unknown lock 'nonsense'; known: .*gsync_mutex" "$guestsync" bench --locks nonsense
expect 2 'threads' "$guestsync" bench --threads 0
expect 2 'threads' "$guestsync" bench --threads 2,x
expect 2 'threads' "$guestsync" bench --threads 99999
expect 2 'critical section' "$guestsync" bench --cs -1
expect 2 'think' "$guestsync" bench --think -1
expect 2 'seconds' "$guestsync" bench --seconds -1
expect 2 'seconds' "$guestsync" bench --seconds nan
expect 2 'rounds' "$guestsync" bench --rounds 0
expect 2 'every' "$guestsync" bench --every 9
expect 2 'longer than a window' "$guestsync" bench --every 500 --seconds 0.2
expect 2 'no place in csv' "$guestsync" bench --every 100 --format csv
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

# ---- calibrate --oracle

small=(--threads 2 --cs 1000 --seconds 0.01 --rounds 3)
expect 0 '' "$guestsync" calibrate --help
expect 0 '' "$guestsync" calibrate --oracle --help
expect 0 '' "$guestsync" calibrate --oracle "${small[@]}" --json
cat >"$work/oracle.py" <<'EOF'
# The verdict again, from the rounds alone.
import json, statistics, sys
d = json.load(open(sys.argv[1]))
budgets = [str(b) for b in d["settings"]["budgets_ns"]]
def close(a, b): return abs(a - b) <= 1e-4 * max(1, abs(b))
def median(values): return statistics.median(values) if values else 0
for c in d["cells"]:
    rounds, ratios = c["rounds"], []
    assert len(rounds) == 3 and all(set(r["budgets"]) == set(budgets) for r in rounds)
    for r in rounds:
        best = max(budgets, key=lambda b: median([o["budgets"][b] for o in rounds if o is not r]))
        if r["budgets"][best] > 0:
            ratios.append(r["chosen"] / r["budgets"][best])
    assert close(c["chosen_over_best"], median(ratios)), c
    assert close(c["control_over_chosen"], median([r["control"] / r["chosen"] for r in rounds if r["chosen"] > 0])), c
s = d["summary"]
for key, prefix in (("chosen_over_best", ""), ("control_over_chosen", "control_")):
    values = [c[key] for c in d["cells"]]
    assert s[prefix + "least"] == min(values)
    assert s[prefix + "at_least_095"] == sum(v >= 0.95 for v in values)
    assert s[prefix + "at_least_085"] == sum(v >= 0.85 for v in values)
EOF
python3 "$work/oracle.py" "$work/out" || flunk 'calibrate --oracle does not add up'
holds 'set(d) == {"machine","settings","cells","summary"} and d["summary"]["cells"] == len(d["cells"]) == 6'
holds '{(c["kind"], c["lock"], c["scenario"]) for c in d["cells"]} == {(k, l, s) for k, l in [("lock","gsync_mutex"),("lock","gsync_oticket"),("barrier","gsync_barrier")] for s in ["plain","hogs"]}'
holds '{"threads","cs_ns","think_ns","chosen_ops_per_s","best_ops_per_s","best_spin_ns","spread"} <= set(d["cells"][0])'
if readlink /proc/[0-9]*/exe 2>/dev/null | grep -xF "$guestsync" >/dev/null; then flunk 'calibrate --oracle left hogs behind'; fi
expect 0 '' "$guestsync" calibrate --oracle --threads 2 --cs 1000 --seconds 0.1 --rounds 2 --scenario oc --locks gsync_mutex --json
holds 'len(d["cells"]) == 1 and d["cells"][0]["scenario"] == "oc" and any(r["chosen"] > 0 for r in d["cells"][0]["rounds"])'
expect 0 '' "$guestsync" calibrate --oracle "${small[@]}" --scenario plain --locks gsync_barrier --out "$work/oracle.txt"
grep -q 'chosen ÷ best' "$work/oracle.txt" || flunk 'calibrate --oracle --out wrote no table'
# --foreground: one signal, without help from what makes one of two.
timeout --foreground -s TERM 1 "$guestsync" calibrate --oracle --out "$work/never" >"$work/out" 2>"$work/err"
[ ! -e "$work/never" ] && [ ! -s "$work/out" ] && grep -q interrupted "$work/err" ||
	flunk 'calibrate --oracle, interrupted, left something or said nothing'
expect 2 'option' "$guestsync" calibrate --oracle --nonsense
expect 2 'stray-word' "$guestsync" calibrate --oracle stray-word
expect 2 'rounds must be .* from 2' "$guestsync" calibrate --oracle --rounds 1
expect 2 'threads' "$guestsync" calibrate --oracle --threads 0
expect 2 'critical section' "$guestsync" calibrate --oracle --cs x
expect 2 'seconds' "$guestsync" calibrate --oracle --seconds 0
expect 2 'unknown scenario' "$guestsync" calibrate --oracle --scenario nonsense
expect 2 'unknown lock' "$guestsync" calibrate --oracle --locks nonsense
expect 2 'pthread_mutex has none' "$guestsync" calibrate --oracle --locks gsync_mutex,pthread_mutex
expect 2 'pthread_barrier has none' "$guestsync" calibrate --oracle --locks pthread_barrier
expect 1 'cannot write "/nonexistent/report"' "$guestsync" calibrate --oracle --out /nonexistent/report
expect 1 'write' sh -c '"$0" calibrate --oracle --threads 2 --cs 0 --seconds 0.01 --rounds 2 --scenario plain \
	--locks gsync_mutex >/dev/full' "$guestsync"

# ---- torture

expect 0 '' "$guestsync" torture --help
expect 0 '' "$guestsync" torture --minutes 0.02 --seed 4711 --threads 4
[ "$(grep -c ' s  ' "$work/out")" -eq 14 ] && grep -q '^seed 4711: 14 of 14 stages passed$' "$work/out" ||
	flunk 'torture does not tell of each stage'
expect 0 '' "$guestsync" torture --minutes 0.01 --locks gsync_oticket,pthread_barrier --json
holds 'set(d) == set("seed seconds bound_s threads thief stages failed".split()) and d["failed"] == 0 and d["bound_s"] == 10'
holds '[(s["lock"], s["act"]) for s in d["stages"]] == [("gsync_oticket", a) for a in ("crowd", "line", "ends", "processes")] + [("pthread_barrier", a) for a in ("phases", "processes")]'
holds 'all(s["failure"] is None and s["seconds"] > 0 and s["events"]["threads"] > 0 for s in d["stages"])'
expect 0 '' "$guestsync" torture --minutes 0.005 --locks pool,pool
grep -q '1 of 1 stages passed' "$work/out" || flunk 'torture plays the pool twice, or not at all'
first=$("$guestsync" torture --minutes 0.001 --locks pthread_spin | sed -n '1s/seed \([0-9]*\): .*/\1/p')
[ -n "$first" ] || flunk 'torture does not tell the seed that it has drawn'
timeout --foreground -s TERM 1 "$guestsync" torture >"$work/out" 2>"$work/err"
[ $? -ne 0 ] && grep -q interrupted "$work/err" || flunk 'torture, interrupted, said nothing'
sleep 0.3
if readlink /proc/[0-9]*/exe 2>/dev/null | grep -xF "$guestsync" >/dev/null; then flunk 'torture left processes behind'; fi
expect 2 'minutes' "$guestsync" torture --minutes 0
expect 2 'minutes' "$guestsync" torture --minutes 1x
expect 2 'seed' "$guestsync" torture --seed -1
expect 2 'threads' "$guestsync" torture --threads 2
expect 2 'bound' "$guestsync" torture --bound 0
expect 2 "unknown lock 'nonsense'; known: gsync_spin, .*, gsync_barrier, .*, pool; ours, peers, all\$" "$guestsync" torture --locks nonsense
expect 2 'empty item' "$guestsync" torture --locks pool,
expect 2 'stray-word' "$guestsync" torture stray-word
expect 2 'option' "$guestsync" torture --nonsense
if [ "$(id -u)" -eq 0 ]; then
	expect 0 '' setpriv --reuid 65534 --regid 65534 --clear-groups "$guestsync" torture --minutes 0.001 --locks gsync_spin
	grep -q '^no thief: SCHED_FIFO is refused' "$work/out" || flunk 'torture does not say that there is no thief'
fi

[ $failed -eq 0 ] && echo 'command: all checks passed'
exit $failed
