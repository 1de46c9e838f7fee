#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The static probes are in the library, each with as many arguments as the manual says, and no others.
# Usage: tests/probes.sh LIBRARY
set -euo pipefail
library=$(realpath "$1")
cd "$(dirname "$0")/.."

# NAME and how many arguments, of each probe; one place may have several notes
in_library() {
	readelf -n "$library" | awk '
		$1 == "Provider:" { ours = $2 == "guestsync" }
		ours && $1 == "Name:" { name = $2 }
		ours && $1 == "Arguments:" { print name, NF - 1 }' | sort -u
}

in_manual() {
	awk -F ' Ta ' '
		/^\.Ss Probes/ { inside = 1 }
		/^\.El/ { inside = 0 }
		inside && /^\.It Li / { print substr($1, 8), split($2, arguments, ",") }' man/gsync_statistics.3 | sort -u
}

[ "$(in_library | wc -l)" -gt 20 ] || { echo "probes: $library has hardly any" >&2; exit 1; }
if ! diff <(in_manual) <(in_library) >&2; then
	echo 'probes: FAILED: < is what the manual says, > what the library has' >&2
	exit 1
fi
echo 'probes: all there'
