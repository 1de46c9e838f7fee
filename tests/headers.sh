#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each public header compiles alone, as strict C11 and as C++17, without a warning, with gcc and clang.
set -euo pipefail
cd "$(dirname "$0")/.."

warnings=(-Wall -Wextra -Wconversion -Wpedantic -Werror -fsyntax-only -Iinclude)
failed=0

check() { # COMPILER-WORDS… : compiles standard input
	if ! "$@" "${warnings[@]}" -; then
		printf 'failed: %s with %s\n' "$header" "$*" >&2
		failed=1
	fi
}

for path in include/guestsync/*.h; do
	header=guestsync/${path##*/}
	for compiler in gcc clang; do
		printf '#include <%s>\n#include <%s>\nextern int used;\n' "$header" "$header" |
			check $compiler -x c -std=c11 -D_POSIX_C_SOURCE=200809L
		printf '#include <%s>\n#include <%s>\n' "$header" "$header" | check ${compiler/gcc/g++} -x c++ -std=c++17
	done
done
[ $failed -eq 0 ] && echo "headers: all compile alone as C11 and C++17"
exit $failed
