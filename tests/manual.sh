#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The manual says what is so: every call, command, option and variable has its place in it, and nothing else has; prototypes
# and examples compile; references lead somewhere. Usage: tests/manual.sh GUESTSYNC
set -uo pipefail
guestsync=$(realpath "$1")
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tester=manual
. tests/expect.sh

# same WHAT PROGRAM MANUAL: two lists
same() {
	local lacks strange

	lacks=$(comm -23 <(sort -u <<<"$2") <(sort -u <<<"$3"))
	strange=$(comm -13 <(sort -u <<<"$2") <(sort -u <<<"$3"))
	[ -z "$lacks" ] || flunk "$1: the manual lacks" $lacks
	[ -z "$strange" ] || flunk "$1: the manual alone has" $strange
}

# section NAME FILE: the lines of one section
section() {
	awk -v wanted="$1" '/^\.Sh / { inside = substr($0, 5) == wanted; next } inside' "$2"
}

# ---- form

if command -v mandoc >/dev/null; then
	mandoc -T lint -W warning man/* >"$work/lint" 2>/dev/null || flunk "mandoc: $(head -3 "$work/lint")"
	[ ! -s "$work/lint" ] || flunk "mandoc: $(head -3 "$work/lint")"
else
	skip 'the form of the pages: no mandoc'
fi

# ---- calls

names_of() { section NAME "$1" | awk '$1 == ".Nm" { print $2 }'; }

# What ends in "_" is for the headers' own use.
calls=$({
	grep -o 'gsync_[a-z0-9_]*[a-z0-9];' lib/guestsync.map
	sed -n 's/^static inline .*\(gsync_[a-z0-9_]*[a-z0-9]\)(.*/\1/p' include/guestsync/*.h | grep -v '^gsync_shim_'
} | tr -d ';')
same 'calls' "$calls" "$(for page in man/*.3; do names_of "$page"; done)"
twice=$(for page in man/*.3; do names_of "$page"; done | sort | uniq -d)
[ -z "$twice" ] || flunk "in more than one page: $twice"

same 'guestsync(7), its references' "$(ls man/*.3 | sed 's/.*man.//; s/\.3$//')" \
	"$(section 'SEE ALSO' man/guestsync.7 | sed -n 's/^\.Xr \([a-z_]*\) 3.*/\1/p')"

# literal SECTION PAGE: its C code
literal() {
	section "$1" "$2" | awk '/^\.Bd -literal/ { inside = 1; next } /^\.Ed/ { inside = 0 } inside' | sed 's/\\&//g; s/\\e/\\/g'
}

prototypes() {
	section SYNOPSIS "$1" | awk '
		/^\.Ft / { type = substr($0, 5); gsub(/"/, "", type) }
		/^\.Fn / {
			count = split($0, part, "\"")
			list = count > 1 ? part[2] : $3
			for (i = 4; i <= count; i += 2)
				list = list ", " part[i]
			printf "%s %s(%s);\n", type, $2, list
		}'
}

for page in man/*.3; do
	same "$page, its synopsis" "$(prototypes "$page" | sed -n '/^typedef/!s/.*\(gsync_[a-z0-9_]*\)(.*/\1/p')" "$(names_of "$page")"
	{
		section SYNOPSIS "$page" | sed -n 's/^\.In \(.*\)/#include <\1>/p'
		echo '#include <stdio.h>'
		prototypes "$page"
		printf 'void synopsis(void)\n{\n%s\n}\n' "$(literal SYNOPSIS "$page")"
		literal EXAMPLES "$page"
	} >"$work/page.c"
	cc -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -Wno-unused -Iinclude -fsyntax-only "$work/page.c" \
		2>"$work/err" || flunk "$page does not compile: $(grep -m1 error "$work/err")"
	[ -n "$(literal EXAMPLES "$page")" ] || flunk "$page has no example"
done

# ---- commands and their options

words() { grep -oE -- '--[a-z][a-z-]*' | sort -u; }

commands=$("$guestsync" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p')
same 'commands' "$commands" "$(ls man/guestsync-*.1 | sed 's/.*guestsync-//; s/\.1$//')"
same 'commands' "$commands" "$(sed -n 's/^\.It Cm //p' man/guestsync.1)"
for command in '' $commands; do
	page=man/guestsync${command:+-$command}.1
	help=$("$guestsync" $command --help)
	[ "$command" != calibrate ] || help+=$("$guestsync" calibrate --oracle --help)
	same "$page" "$(words <<<"$help")" "$(sed -n 's/^\.It Fl \(-[a-z-]*\).*/-\1/p' "$page")"
	strange=$(grep -oE 'Fl -[a-z-]+' "$page" | sed 's/Fl /-/' | grep -vxF -e "$(words <<<"$help")")
	[ -z "$strange" ] || flunk "$page mentions" $strange
done

# ---- variables, and the library's answer to those that the manual has

variables=$(grep -o 'GUESTSYNC_[A-Z_]*[A-Z]' man/guestsync.7 | sort -u)
"$guestsync" detect --explain | sed -n 's/^ *\(GUESTSYNC_[A-Z_]*\)=.*/\1/p' | sort -u >"$work/thresholds"
[ -s "$work/thresholds" ] || flunk 'detect --explain names no variable'
missing=$(comm -13 <(echo "$variables") "$work/thresholds")
[ -z "$missing" ] || flunk "guestsync(7) does not have" $missing
for variable in $variables; do
	env "$variable=1" "$guestsync" --version 2>&1 >/dev/null | grep 'no such setting' >/dev/null && flunk "guestsync(7) has $variable"
done

# ---- sizes: here and in the README

{
	echo '#include <guestsync/guestsync.h>'
	sed -n 's/^\.It Xr \(gsync_[a-z]*\) 3 Ta \([0-9][0-9]*\) Ta .*/\1 \2/p' man/guestsync.7
	sed -n 's/^| `\(gsync_[a-z]*\)` | \([0-9]*\) B |.*/\1 \2/p' README.md
} | sed 's/^\(gsync_[a-z]*\) \([0-9]*\)$/_Static_assert(sizeof(\1_t) == \2, "\1");/' >"$work/sizes.c"
[ "$(grep -c sizeof "$work/sizes.c")" -ge 8 ] || flunk 'the tables of sizes were not found'
cc -std=c11 -Iinclude -fsyntax-only "$work/sizes.c" 2>"$work/err" || flunk "sizes: $(grep -m1 error "$work/err")"

# ---- references

grep -ohE '^\.Xr (gsync|guestsync)[a-z0-9_-]* [0-9]' man/* | sort -u | while read -r _ name number; do
	[ -f "man/$name.$number" ] || grep -qx ".Nm $name\( ,\)\?" man/*."$number" || echo "$name($number)"
done >"$work/dangling"
[ ! -s "$work/dangling" ] || flunk "no such page:" $(cat "$work/dangling")

for document in *.md docs/*.md; do
	for target in $(grep -oE '\]\([^):#]+' "$document" | sed 's/^](//'); do
		[[ $target = http* ]] || [ -e "${document%"${document##*/}"}$target" ] ||
			flunk "$document leads to $target, which is not there"
	done
done

version=$("$guestsync" --version | cut -d' ' -f2)
grep -m1 '^## ' CHANGELOG.md 2>/dev/null | grep -F "[$version]" >/dev/null || flunk "CHANGELOG.md does not begin with [$version]"

[ $failed -eq 0 ] && echo 'the manual holds'
exit $failed
