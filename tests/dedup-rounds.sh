#!/bin/sh
# SPDX-License-Identifier: MIT
# dedup-rounds.sh DEDUP INPUT DIRECTORY ROUNDS: both engines by turns, also in a guest's busybox. After a round without
# figures, each prints "round ENGINE wall cpu voluntary involuntary futex shootdowns"; then, by turns as well, each
# restores what the other made and prints "restored ENGINE wall cpu".
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

# What is still on its way to the disk would be written beside the engine that comes next.
restore() { # ENGINE ROUND
	sync
	"$dedup" restore --engine "$1" "$directory/data" "$directory/restored" >"$directory/report" || exit 1
	[ "$2" -ne 0 ] || cmp "$input" "$directory/restored" || { echo "$1 restores something else"; exit 1; }
	rm "$directory/restored"
	[ "$2" -eq 0 ] || echo "restored $1 $(value 'wall time') $(value 'CPU time')"
}

for round in $(seq 0 "$rounds"); do
	restore data "$round"
	restore pipeline "$round"
done
