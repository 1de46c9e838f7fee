#!/bin/sh
# SPDX-License-Identifier: MIT
# dedup-rounds.sh DEDUP INPUT DIRECTORY ROUNDS: both engines by turns, also in a guest's busybox. After a round without
# figures, each prints "round ENGINE wall cpu voluntary involuntary futex shootdowns"; then each restores what the other made.
set -u
dedup=$1 input=$2 directory=$3 rounds=$4

measure() { # ENGINE
	"$dedup" compress --engine "$1" "$input" "$directory/$1" >"$directory/report" || exit 1
}

# value NAME: a line's first number; "-" where the kernel did not tell
value() {
	sed -n "s/^$1  *\(.*\)/\1/p" "$directory/report" | sed 's/ .*//; s/^not$/-/'
}

for round in $(seq 0 "$rounds"); do
	for engine in data pipeline; do
		measure $engine
		[ "$round" -eq 0 ] || echo "round $engine $(value 'wall time') $(value 'CPU time') $(value 'voluntary switches')" \
			"$(value 'involuntary switches') $(value 'futex calls') $(value 'TLB shootdowns (all)')"
	done
done
cmp "$directory/data" "$directory/pipeline" || { echo "the engines make different archives"; exit 1; }
for engine in data pipeline; do
	"$dedup" restore --engine $engine "$directory/data" "$directory/restored" >"$directory/report" || exit 1
	cmp "$input" "$directory/restored" || { echo "$engine restores something else"; exit 1; }
	rm "$directory/restored"
	echo "restored $engine $(value 'wall time') $(value 'CPU time')"
done
