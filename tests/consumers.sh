#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Programs of others: built against an installed library with pkg-config, meson and plain cc, shared and static, in C
# and C++, and with the shim pressed on them by -include. Also: the library exports what the headers declare, no more.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/usr
lib=$prefix/lib

ok() { printf 'consumers: %s\n' "$*"; }

meson setup "$work/build" --prefix="$prefix" --libdir=lib -Dtests=false -Dcli=false -Dexamples=false >"$work/log" 2>&1 ||
	{ cat "$work/log" >&2; exit 1; }
meson install -C "$work/build" >>"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
export PKG_CONFIG_PATH=$lib/pkgconfig LD_LIBRARY_PATH=$lib

# A program that knows nothing of us; its own feature-test macro must still work after -include.
cat >"$work/posix.c" <<'EOF'
#define _GNU_SOURCE 1
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
static pthread_spinlock_t lock;
int main(void)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	if (pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE) || pthread_spin_lock(&lock) || pthread_spin_unlock(&lock))
		return 1;
	return sizeof(lock) == sizeof(int) ? 0 : 1;
}
EOF
cat >"$work/all.cpp" <<'EOF'
#include <guestsync/guestsync.h>
#include <mutex>
static gsync_spinlock_t spinlock = GSYNC_SPINLOCK_INIT;
static gsync_mutex_t mutex = GSYNC_MUTEX_INIT;
static gsync_oticket_t oticket = GSYNC_OTICKET_INIT;
static gsync_barrier_t barrier = GSYNC_BARRIER_INIT(1);
struct lockable {
	void lock() { gsync_mutex_lock(&mutex); }
	void unlock() { gsync_mutex_unlock(&mutex); }
	bool try_lock() { return gsync_mutex_trylock(&mutex) == 0; }
};
int main()
{
	lockable own;
	std::lock_guard<lockable> guard(own);
	gsync_spinlock_lock(&spinlock);
	gsync_spinlock_unlock(&spinlock);
	gsync_oticket_lock(&oticket);
	gsync_oticket_unlock(&oticket);
	return gsync_barrier_wait(&barrier) == GSYNC_BARRIER_SERIAL_THREAD && !own.try_lock() ? 0 : 1;
}
EOF

warnings=(-Wall -Wextra -Wconversion -Werror)
for cc in gcc clang; do
	$cc "${warnings[@]}" examples/mutex.c $(pkg-config --cflags --libs guestsync) -pthread -o "$work/shared"
	"$work/shared" >/dev/null
	$cc "${warnings[@]}" examples/mutex.c -I"$prefix/include" "$lib/libguestsync.a" $(pkg-config --libs liburcu-bp) -pthread \
		-o "$work/static"
	LD_LIBRARY_PATH= "$work/static" >/dev/null
	$cc "${warnings[@]}" -static examples/mutex.c $(pkg-config --static --cflags --libs guestsync) -o "$work/allstatic"
	"$work/allstatic" >/dev/null
	$cc "${warnings[@]}" -include guestsync/pthread_spin.h "$work/posix.c" $(pkg-config --cflags --libs guestsync) \
		-o "$work/shimmed"
	"$work/shimmed"
	nm "$work/shimmed" | grep -q 'U gsync_spinlock_lock_slow_'
	if nm -D "$work/shimmed" | grep -q pthread_spin; then
		echo "consumers: the shim left a pthread_spin function in place" >&2
		exit 1
	fi
	ok "$cc: shared, static, fully static, -include shim"
done
for cxx in g++ clang++; do
	$cxx -std=c++17 "${warnings[@]}" "$work/all.cpp" $(pkg-config --cflags --libs guestsync) -o "$work/cxx"
	"$work/cxx"
	$cxx -std=c++17 "${warnings[@]}" -x c++ -include guestsync/pthread_spin.h "$work/posix.c" \
		$(pkg-config --cflags --libs guestsync) -U_GNU_SOURCE -o "$work/cxxshim"
	"$work/cxxshim"
	ok "$cxx: C++17 and the shim"
done

mkdir -p "$work/user/subprojects"
ln -s "$PWD" "$work/user/subprojects/guestsync"
cp examples/mutex.c "$work/user/"
cat >"$work/user/meson.build" <<'EOF'
project('user', 'c')
executable('installed', 'mutex.c', dependencies: [dependency('guestsync'), dependency('threads')])
EOF
meson setup "$work/user/build" "$work/user" >>"$work/log" 2>&1 && ninja -C "$work/user/build" >>"$work/log" 2>&1 ||
	{ cat "$work/log" >&2; exit 1; }
"$work/user/build/installed" >/dev/null
ok "meson, installed"
sed -i "s/dependency('guestsync')/dependency('guestsync', allow_fallback: true, default_options: ['tests=false', 'cli=false', 'examples=false'])/" \
	"$work/user/meson.build"
PKG_CONFIG_PATH= meson setup "$work/user/build2" "$work/user" --wrap-mode=forcefallback >>"$work/log" 2>&1 &&
	ninja -C "$work/user/build2" >>"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
LD_LIBRARY_PATH= "$work/user/build2/installed" >/dev/null
ok "meson, as a subproject"

# What the headers declare and what the library exports are the same.
grep -ho 'GSYNC_API [^;(]*(' include/guestsync/*.h | grep -o 'gsync_[a-z_]*(' | tr -d '(' | sort -u >"$work/declared"
nm -D --defined-only "$lib/libguestsync.so" | awk '$2 == "T" || $2 == "D" || $2 == "B" { sub(/@.*/, "", $3); print $3 }' |
	sort -u >"$work/exported"
diff "$work/declared" "$work/exported"
readelf -d "$lib/libguestsync.so" | grep -q 'SONAME.*libguestsync.so.0'
# One constructor and no more: it reads the environment and tells liburcu of forks.
if [ "$(readelf -SW "$lib/libguestsync.a" | grep -c ' \.init_array')" -ne 1 ]; then
	echo "consumers: the library has more than one constructor, or none" >&2
	exit 1
fi
grep -q '^Requires.private:.*liburcu-bp' "$lib/pkgconfig/guestsync.pc"
ok "exports what it declares, soname libguestsync.so.0"
