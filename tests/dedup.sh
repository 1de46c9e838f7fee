#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# examples/dedup as its users meet it: what goes in comes out again, whichever engines it goes through; and bad input, full
# disks and signals leave a message and nothing else. What needs root is said to be skipped without.
# usage: dedup.sh DEDUP [STEP]: of a small archive every STEPth byte is damaged, every third if not said
set -uo pipefail
dedup=$(realpath "$1")
step=${2:-3}
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
cp "$dedup" "$work/dedup" # where other users find it
dedup=$work/dedup
tester=dedup
. "$(dirname "$0")/expect.sh"
cd "$work" || exit 1
mkdir room
engines=(data pipeline)

# nothing_left: neither an output nor what should have become one
nothing_left() {
	[ -z "$(ls room)" ] || { flunk "left behind: $(ls room | head -3 | tr '\n' ' ')after $*"; rm -rf room/*; }
}

# fails PATTERN COMMAND FILE: by both engines, with words, and without a trace
fails() {
	local engine
	for engine in "${engines[@]}"; do
		expect 1 "^dedup: $1" "$dedup" "$2" --engine "$engine" "$3" room/output
		nothing_left "$2 $3"
	done
}

# ---- there and back

# Of all kinds: text, noise, one byte for ever; half of it once more, and the other half once more, moved by a byte.
python3 - <<'PYTHON'
import random
random.seed(1)
text = " ".join(random.choice(["lock", "barrier", "pool", "guest", "host", "vCPU"]) + str(random.randrange(9999)) for _ in range(200000)).encode()
once = text[:1300000] + random.randbytes(700000) + bytes(900000) + b"abc" * 100000
open("once", "wb").write(once)
open("twice", "wb").write(once + b"!" + once)
open("many", "wb").write(b"?".join([once] * 12)) # windows of the data engine, if the CPUs are not very many
for size in (1, 63, 1023, 1024, 1025, 32768, 524287, 524288, 524289, 524288 + 32768, 1048577):
    open("size-%d" % size, "wb").write(text[:size])
    open("noise-%d" % size, "wb").write(random.randbytes(size))
PYTHON
: >size-0
truncate -s 160M zeros # more fragments than the pipeline has in flight, and one new chunk, for which all of them wait
for input in once twice many zeros size-* noise-*; do
	for engine in "${engines[@]}"; do
		expect 0 '' "$dedup" compress --engine $engine "$input" "$input.$engine"
	done
	cmp -s "$input.data" "$input.pipeline" || flunk "the engines make different archives of $input"
	for engine in "${engines[@]}"; do
		expect 0 '' "$dedup" restore --engine $engine "$input.data" restored
		cmp -s "$input" restored || flunk "$input comes out otherwise by $engine"
	done
done
one_cpu=(taskset -c "$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')")
for engine in "${engines[@]}"; do
	expect 0 '' "${one_cpu[@]}" "$dedup" compress --engine $engine many many.one-cpu
	cmp -s many.data many.one-cpu || flunk "$engine on one CPU makes another archive"
	expect 0 '' "${one_cpu[@]}" "$dedup" restore --engine $engine many.data restored
	cmp -s many restored || flunk "many comes out otherwise by $engine on one CPU"
done

size_of() { stat -c %s "$1"; }
[ $((2 * $(size_of once.data))) -lt "$(size_of once)" ] || flunk "$(size_of once) bytes became $(size_of once.data)"
[ $(($(size_of twice.data) * 100)) -lt $(($(size_of once.data) * 120)) ] || flunk "the same again, moved by a byte, is not found"
[ "$(size_of noise-1048577.data)" -lt 1070000 ] || flunk 'noise grew'

# An output that is there already is replaced, and keeps its mode.
echo old >there
chmod 640 there
expect 0 '' "$dedup" restore once.data there
cmp -s once there && [ "$(stat -c %a there)" = 640 ] || flunk 'an existing output was not replaced as it should'

for engine in "${engines[@]}"; do
	expect 0 '' "$dedup" compress --engine $engine twice again
	for line in 'wall time +[0-9.]+ s' 'CPU time +[0-9.]+ s' 'voluntary switches +[0-9]+' 'involuntary switches +[0-9]+' \
		'futex calls +([0-9]+|not counted \(.+\))' 'TLB shootdowns \(all\) +([0-9]+|not counted \(.+\))' \
		'[0-9]+ bytes in [0-9]+ chunks, [0-9]+ of them different'; do
		grep -qE "^$line" out || flunk "the report of $engine has no \"$line\""
	done
done

# ---- what cannot be read

: >empty
fails '"empty" is empty' restore empty
fails '"once" is not an archive' restore once
fails 'cannot read "nonexistent": No such file' compress nonexistent
fails 'cannot read "nonexistent": No such file' restore nonexistent
fails 'cannot read "room": ' compress room
mkfifo pipe
fails 'cannot read "pipe": it is neither' compress pipe
fails 'cannot read "": No such file' compress ''
fails 'cannot read "": No such file' restore ''

archive=once.data
for length in 1 7 8 47 48 60 103 104 3000 $(($(size_of $archive) / 2)) $(($(size_of $archive) - 64)) $(($(size_of $archive) - 1)); do
	head -c "$length" $archive >damaged
	fails '"damaged" is truncated: it ends after '"$length"' bytes' restore damaged
done
{ cat $archive; echo; } >damaged
fails '"damaged" is corrupt: something follows the end' restore damaged

# change OFFSET: one bit of the byte there, counted from the end if negative
change() {
	local place=$1 byte
	[ "$place" -ge 0 ] || place=$(($(size_of $archive) + place))
	byte=$(od -An -tu1 -j "$place" -N 1 $archive)
	cp $archive damaged
	printf "\\x$(printf %x $((byte ^ 4)))" | dd of=damaged bs=1 seek="$place" conv=notrunc status=none
}
for offset in 9 20 50 52 56 60 70 110 150 $(($(size_of $archive) / 2)) -70 -60 -50 -40 -30 -1; do
	change "$offset"
	fails '"damaged" is (corrupt: .*, at byte|truncated)' restore damaged
done
change 3
fails '"damaged" is not an archive' restore damaged

# A small one in all its parts: cut there, and a bit of the byte there changed.
archive=size-63.data
for ((place = 0; place < $(size_of $archive); place += step)); do
	engines_then=("${engines[@]}")
	engines=("${engines[place / step % 2]}")
	head -c $place $archive >damaged
	fails '"damaged" is (empty|truncated: it ends after '$place' bytes)' restore damaged
	change $place
	fails '"damaged" is (not an archive|corrupt: .*, at byte|truncated)' restore damaged
	engines=("${engines_then[@]}")
done
archive=once.data

# Archives whose digests are right and whose numbers are not: made on purpose.
cat >forge.py <<'PYTHON'
import hashlib, struct, sys
what, chain = sys.argv[1], b""
def digested(fields, records=b""):
    global chain
    chain = hashlib.sha256(chain + fields + records).digest()
    return fields + chain + records
def new(data, size=None, stored=None):
    return struct.pack("<II", len(data) if size is None else size, len(data) if stored is None else stored) + hashlib.sha256(data).digest()
def repeated(size, number):
    return struct.pack("<IIQ", size, 0, number)
def fragment(records, size, data, stored=None):
    return digested(struct.pack("<4sIII", b"FRAG", len(records), size, len(data) if stored is None else stored), records) + data
data, count, size = b"x" * 1000, 2, 2000
records, stored = new(data) + repeated(1000, 0), None
if what == "later": records = repeated(1000, 0) + new(data)
elif what == "beyond": records = new(data) + repeated(1000, 1)
elif what == "other-size": records, size = new(data) + repeated(999, 0), 1999
elif what == "huge-chunk": data, size, count = b"x" * 40000, 40000, 1; records = new(data)
elif what == "stored-more": # a frame of 200 bytes, and one to skip: more than there is room for
    frame = bytes.fromhex("28b52ffd20c8") + struct.pack("<I", 200 << 3 | 1)[:3] + b"x" * 200
    data, size, count = frame + struct.pack("<II", 0x184d2a50, 40000) + bytes(40000), 203 * 200, 203
    records = struct.pack("<II", 200, len(data)) + hashlib.sha256(b"x" * 200).digest() + repeated(200, 0) * 202
elif what == "no-chunk": records, size = new(data) + repeated(0, 0), 1000
elif what == "sum": size = 2001
elif what == "stored-sum": stored = 999
elif what == "huge-fragment": data, size, count = b"x" * 32768, 21 * 32768, 21; records = new(data) + repeated(32768, 0) * 20
elif what == "huge-stored": records, stored = new(data) + repeated(1000, 0), 0xfffffff
elif what == "cut-record": records = records[:-1]
elif what == "many-chunks": data, size, count = b"x", 700, 700; records = new(data) + repeated(1, 0) * 699
body = digested(struct.pack("<8sQ", b"GSDEDUP1", size)) + fragment(records, size, data, stored)
body += digested(struct.pack("<4sIQQQ", b"END.", 0, 1 if what != "fragments" else 2, count if what != "chunks" else 1, 1))
open("damaged", "wb").write(body)
PYTHON
python3 forge.py nothing
expect 0 '' "$dedup" restore damaged restored
[ "$(size_of restored)" -eq 2000 ] || flunk 'a forged archive without fault is not restored'
while read -r what words; do
	python3 forge.py $what
	fails "\"damaged\" is corrupt: $words, at byte " restore damaged
done <<'END'
later a chunk repeats one that does not come before it
beyond a chunk repeats one that does not come before it
other-size a chunk repeats one of another size
no-chunk a chunk repeats one of another size
huge-chunk a record makes no sense
stored-more a record makes no sense
cut-record a record makes no sense
sum a fragment's sizes do not add up
stored-sum a fragment's sizes do not add up
huge-fragment a fragment's sizes are impossible
huge-stored a fragment's sizes are impossible
many-chunks a fragment has too many chunks
fragments the sums at the end do not add up
chunks the sums at the end do not add up
END

# ---- what cannot be written

fails_to_write() { # PATTERN OUTPUT
	for engine in "${engines[@]}"; do
		expect 1 "^dedup: cannot write \"$2\": $1" "$dedup" compress --engine $engine twice "$2"
		expect 1 "^dedup: cannot write \"$2\": $1" "$dedup" restore --engine $engine twice.data "$2"
	done
}
fails_to_write 'No such file' nonexistent/output
fails_to_write 'Is a directory' room
fails_to_write 'No space left' /dev/full
for engine in "${engines[@]}"; do # so little that it is written only at the end
	expect 1 '^dedup: cannot write "/dev/full": No space left' "$dedup" compress --engine $engine size-1 /dev/full
	expect 1 '^dedup: cannot write "room/output": File too large' sh -c 'ulimit -f 1; exec "$0" compress --engine $1 noise-1025 room/output' \
		"$dedup" $engine
	nothing_left 'a file that may not have its last byte'
done
echo old >there
expect 1 'cannot write "there": File too large' sh -c 'ulimit -f 100; exec "$0" compress twice there' "$dedup"
[ "$(cat there)" = old ] && [ -z "$(ls there.* 2>/dev/null)" ] || flunk 'an output that could not be replaced is no longer as it was'
expect 1 'cannot write the report' sh -c '"$0" compress once room/output >/dev/full' "$dedup"
rm -f room/output
for engine in "${engines[@]}"; do
	expect 1 'cannot write "room/output": File too large' sh -c 'ulimit -f 100; exec "$0" compress --engine $1 twice room/output' "$dedup" $engine
	nothing_left 'a file that may not grow'
done
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
	for engine in "${engines[@]}"; do
		expect 1 '^dedup: cannot write "room/output": No space left' unshare -m sh -c \
			'mount -t tmpfs -o size=256k none room || exit 9
			for how in "compress twice" "restore twice.data" "compress noise-524288"; do
				"$0" ${how% *} --engine $1 ${how#* } room/output && exit 8
				[ -z "$(ls -A room)" ] || exit 7
			done
			exit 1' "$dedup" $engine
	done
	chmod 777 room
	install -m 600 once secret
	as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	for engine in "${engines[@]}"; do
		for command in compress restore; do
			expect 1 '^dedup: cannot read "secret": Permission denied' "${as_nobody[@]}" "$dedup" $command --engine $engine secret room/output
			nothing_left 'a file that may not be read'
		done
	done
	# Where nobody has mounted the tracepoints nobody is refused them.
	expect 0 '' unshare -m sh -c 'mount -t tracefs none /sys/kernel/tracing 2>/dev/null; exec "$@"' sh \
		"${as_nobody[@]}" "$dedup" compress once room/output
	grep -q '^futex calls  *not counted (.*Permission denied' out || flunk 'without rights it does not say why futex calls are not counted'
	rm -f room/output
	chmod 755 room
	expect 1 '^dedup: cannot write "room/output": Permission denied' "${as_nobody[@]}" "$dedup" compress once room/output
else
	skip 'a full disk, a file that may not be read: needs root'
	if [ "$(id -u)" -ne 0 ]; then
		install -m 0 once secret
		fails 'cannot read "secret": Permission denied' compress secret
	fi
fi

# ---- signals

truncate -s 64G endless
for engine in "${engines[@]}"; do
	for signal in INT TERM HUP; do
		# In the background SIGINT is ignored, under nohup SIGHUP, and would stay so.
		env --default-signal=INT,TERM,HUP "$dedup" compress --engine $engine endless room/output >out 2>err &
		child=$!
		for ((i = 0; i < 200; i++)); do
			[ -z "$(ls room)" ] || break
			sleep 0.05
		done
		[ -n "$(ls room)" ] || flunk "$engine: no temporary file to look for"
		sleep 0.2
		kill -s $signal $child
		{ wait $child; } 2>/dev/null
		status=$?
		[ $status -eq $((128 + $(kill -l $signal))) ] || flunk "$engine: status $status after SIG$signal"
		nothing_left "SIG$signal"
	done
done

# ---- words

expect 0 '' "$dedup" --help
grep -q '^usage: dedup compress' out || flunk '--help does not help'
expect 2 'dedup: unknown engine "nonsense"; known: data, pipeline' "$dedup" compress --engine nonsense once room/output
expect 2 'dedup: .*option' "$dedup" --nonsense
expect 2 'dedup: expected compress or restore, and two files' "$dedup" compress once
expect 2 'dedup: expected compress or restore, and two files' "$dedup" explode once room/output
expect 1 'cannot write the report' sh -c '"$0" --help >/dev/full' "$dedup"
nothing_left 'wrong options'

[ $failed -eq 0 ] && echo 'dedup: all checks passed'
exit $failed
