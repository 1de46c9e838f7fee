#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# examples/dedup on 640 MB, a part of /usr as a tar, four times: what the engines cost, and how data compares with pipeline.
# Takes a minute; the figures are worth something on a machine that does nothing else. Not a part of `./run test`.
set -euo pipefail

usage() {
	cat <<'END'
usage: tests/dedup-large.sh [--guest] [--rounds N] [DEDUP]

DEDUP is build/gcc/example_dedup, if not said. With --guest it runs in an
emulated guest with 8 vCPUs (see ./run guest --help), which takes a quarter of
an hour. Rounds: 5, by turns, after one that does not count.

The exit status is 0 if both engines restore the same and the medians of data
÷ pipeline are at most 0.8 in wall time and 0.1 in voluntary switches, else 1.
END
}

part_bytes=160000000 parts=4 rounds=5 guest=false
while [ $# -gt 0 ]; do
	case $1 in
	--guest) guest=true ;;
	--rounds) rounds=${2:?--rounds needs a number}; shift ;;
	--help) usage; exit 0 ;;
	-*) usage >&2; exit 2 ;;
	*) break ;;
	esac
	shift
done
[[ $rounds =~ ^[1-9][0-9]?$ ]] || { printf 'dedup-large: --rounds must be 1 to 99, not "%s"\n' "$rounds" >&2; exit 2; }
here=$(realpath "$(dirname "$0")")
dedup=$(realpath "${1:-$here/../build/gcc/example_dedup}")
[ -x "$dedup" ] || { printf 'dedup-large: no program at %s: build first, or name it\n' "$dedup" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

# head ends when it has enough, and tar with it.
{ tar -c --sort=name -C /usr bin include lib share 2>/dev/null || true; } | head -c $part_bytes >"$work/part"
[ "$(stat -c %s "$work/part")" -eq $part_bytes ] || { echo "dedup-large: /usr is too small" >&2; exit 1; }

replicate="for part in $(seq -s ' ' $parts); do cat $work/part; done"
if $guest; then
	chmod +x "$work/part" # what --with takes is programs
	"$here/guest/boot" --seconds 7200 --qemu -m --qemu 6144 --with "$dedup" --with "$here/dedup-rounds.sh" --with "$work/part" \
		--before 'mount -t tracefs none /sys/kernel/tracing; mkdir /large && mount -t tmpfs -o size=4g none /large' --before "($replicate) >/large/input" \
		--before "sh $here/dedup-rounds.sh $dedup /large/input /large $rounds" detect >"$work/lines"
else
	(eval "$replicate") >"$work/input"
	sh "$here/dedup-rounds.sh" "$dedup" "$work/input" "$work" "$rounds" >"$work/lines" || { tail -1 "$work/lines" >&2; exit 1; }
fi

python3 - "$work/lines" $((part_bytes * parts)) <<'PYTHON'
import statistics, sys
names = ["wall s", "CPU s", "voluntary", "involuntary", "futex", "shootdowns"]
rows = [line.split() for line in open(sys.argv[1])]
engines = {"data": [], "pipeline": []}
for row in rows:
    if row and row[0] == "round":
        engines[row[1]].append([None if x == "-" else float(x) for x in row[2:]])
restored = {}
for row in rows:
    if row and row[0] == "restored":
        restored.setdefault(row[1], []).append([float(x) for x in row[2:]])
def median(engine, i):
    values = [round[i] for round in engines[engine]]
    return None if None in values or not values else statistics.median(values)
print("%.0f MB, medians of %d rounds" % (int(sys.argv[2]) / 1e6, len(engines["data"])))
print("%-12s %12s %12s %8s   %s" % ("", "data", "pipeline", "ratio", "data: least to most, pipeline: least to most"))
ratios = {}
for i, name in enumerate(names):
    d, p = median("data", i), median("pipeline", i)
    if d is None or p is None:
        print("%-12s not counted here" % name)
        continue
    ratios[name] = d / p if p else float("nan")
    ranges = ["%g to %g" % (min(r[i] for r in engines[e]), max(r[i] for r in engines[e])) for e in ("data", "pipeline")]
    print("%-12s %12g %12g %8.3f   %s" % (name, d, p, ratios[name], ", ".join(ranges)))
for engine, rounds in restored.items():
    print("restored by %s: %.3f s, CPU %.3f s, identical" % (engine, *map(statistics.median, zip(*rounds))))
failed = False
for says, words in ((len(restored) == 2, "both engines restore the same"),
                    (ratios.get("wall s", 9) <= 0.8, "wall time at most 0.8"),
                    (ratios.get("voluntary", 9) <= 0.1, "voluntary switches at most 0.1")):
    print(("yes: " if says else "NO:  ") + words)
    failed |= not says
sys.exit(failed)
PYTHON
