#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fuzzes the parser of recordings, and detection with what it accepts, under AddressSanitizer and
# UndefinedBehaviorSanitizer. Usage: tests/fuzz.sh SECONDS. The inputs it comes up with stay in build/fuzz/corpus, where
# the next run begins; one that breaks something is kept as build/fuzz/crash-…, and makes the exit status 1.
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { printf 'fuzz: %s\n' "$*" >&2; exit 1; }
[[ ${1:-} =~ ^[1-9][0-9]*$ ]] || fail "usage: tests/fuzz.sh SECONDS"
command -v clang >/dev/null || fail "clang is not installed"

mkdir -p build
if [ ! -f build/fuzz/build.ninja ]; then
	CC=clang CXX=clang++ meson setup build/fuzz --buildtype=debugoptimized -Dwerror=true -Dfuzz=true -Dtests=false \
		-Dexamples=false -Db_sanitize=address,undefined -Db_lundef=false >build/fuzz.log 2>&1 ||
		{ cat build/fuzz.log >&2; fail "cannot configure build/fuzz"; }
fi
ninja -C build/fuzz fuzz_recording >build/fuzz.log || { cat build/fuzz.log >&2; fail "cannot build"; }
mkdir -p build/fuzz/corpus
status=0
UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 build/fuzz/fuzz_recording -max_total_time="$1" -max_len=16384 -timeout=10 \
	-dict=tests/fuzz/recording.dict -artifact_prefix=build/fuzz/ \
	build/fuzz/corpus tests/fuzz/corpus tests/recordings >build/fuzz.log 2>&1 || status=$?
if [ $status -ne 0 ]; then
	tail -60 build/fuzz.log >&2
	fail "this input breaks something: $(ls -t build/fuzz/{crash,leak,oom,timeout}-* 2>/dev/null | head -1)"
fi
grep -E '^#[0-9]+.*(INITED|DONE)' build/fuzz.log
