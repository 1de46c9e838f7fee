# SPDX-License-Identifier: MIT
# Sourced after common.sh by the demonstrations that need a quota: a cgroup of our own, v1, or v2 below the one we are in.

# Where groups can be made, in $home; with $version. False, and why not in $why_no_group, if there is no such place.
find_home() {
	local v1 v2
	v1=/sys/fs/cgroup/cpu$(sed -n 's/^[0-9]*:\([^:]*,\)\?cpu\(,[^:]*\)\?:\(.*\)/\3/p' /proc/self/cgroup)
	v2=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
	why_no_group='needs root'
	[ "$(id -u)" -eq 0 ] || return 1
	why_no_group='needs a cgroup cpu controller'
	if [ -f "$v1/cpu.cfs_quota_us" ]; then
		version=1 home=${v1%/}
	elif grep -qw cpu "$v2/cgroup.controllers" 2>/dev/null; then
		version=2 home=${v2%/}
	else
		return 1
	fi
}

# grant US: of each 100 ms
grant() {
	if [ $version -eq 1 ]; then
		echo 100000 >"$group/cpu.cfs_period_us" && echo "$1" >"$group/cpu.cfs_quota_us"
	else
		echo "$1 100000" >"$group/cpu.max"
	fi
}

# within COMMAND…: runs it in the group
within() { sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "$@"; }

leave() {
	end_children
	# Who has just ended may still be counted as a member.
	for ((i = 0; i < 20; i++)); do
		! rmdir "$group" 2>/dev/null || break
		sleep 0.1
	done
	clean_up
}

# make_group US: with that quota, until the end
make_group() {
	find_home || return 1
	group=$home/guestsync-adapt-$$
	why_no_group="may not make a cgroup in $home"
	mkdir "$group" 2>/dev/null || return 1
	trap leave EXIT
	why_no_group='this kernel, or the group above, grants no quota to a new cgroup'
	grant "$1" 2>/dev/null || return 1
	why_no_group='may not enter a new cgroup'
	within true 2>/dev/null
}

# account: microseconds throttled, periods throttled
account() {
	awk '$1 == "throttled_time" { us = $2 / 1000 } $1 == "throttled_usec" { us = $2 } $1 == "nr_throttled" { n = $2 }
		END { printf "%.0f %d", us, n }' "$group/cpu.stat"
}
