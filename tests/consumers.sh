#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Programs of others: built against an installed library with plain cc, pkg-config, meson and CMake, shared and static, in C
# and C++, and with the shim pressed on them by -include. Also: the library exports what the headers declare, no more.
# Usage: tests/consumers.sh PREFIX
set -euo pipefail
cd "$(dirname "$0")/.."

prefix=$1
lib=$(dirname "$(find "$prefix" -name libguestsync.a)")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PKG_CONFIG_PATH=$lib/pkgconfig LD_LIBRARY_PATH=$lib

ok() { printf 'consumers: %s\n' "$*"; }

# passes shared|static PROGRAM: it runs, and has our library in it or beside it, as it should
passes() {
	local wanted=$1 found=static

	"$2" >/dev/null
	if readelf -d "$2" | grep 'NEEDED.*libguestsync.so.0' >/dev/null; then
		found=shared
	fi
	[ $found = "$wanted" ] || { echo "consumers: $2 is $found, not $wanted" >&2; exit 1; }
}

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

cp examples/mutex.c "$work/user.c"
cp examples/mutex.c "$work/user.cpp"

warnings=(-Wall -Wextra -Wconversion -Werror)

# build COMPILER…: the four ways without a build system; $user is the source
build() {
	"$@" "${warnings[@]}" "$user" -I"$prefix/include" -L"$lib" -lguestsync -pthread -o "$work/plain"
	passes shared "$work/plain"
	"$@" "${warnings[@]}" "$user" -I"$prefix/include" "$lib/libguestsync.a" -lurcu-bp -pthread -o "$work/plainstatic"
	passes static "$work/plainstatic"
	"$@" "${warnings[@]}" "$user" $(pkg-config --cflags --libs guestsync) -pthread -o "$work/packaged"
	passes shared "$work/packaged"
	"$@" "${warnings[@]}" -static "$user" $(pkg-config --static --cflags --libs guestsync) -o "$work/packagedstatic"
	passes static "$work/packagedstatic"
}

for cc in gcc clang; do
	user=$work/user.c
	build $cc
	$cc "${warnings[@]}" -include guestsync/pthread_spin.h "$work/posix.c" $(pkg-config --cflags --libs guestsync) \
		-o "$work/shimmed"
	passes shared "$work/shimmed"
	nm "$work/shimmed" | grep 'U gsync_spinlock_lock_slow_' >/dev/null
	if nm -D "$work/shimmed" | grep pthread_spin >/dev/null; then
		echo "consumers: the shim left a pthread_spin function in place" >&2
		exit 1
	fi
	ok "$cc: plain and with pkg-config, shared and static; -include shim"
done
for cxx in g++ clang++; do
	user=$work/user.cpp
	build $cxx -std=c++17
	$cxx -std=c++17 "${warnings[@]}" "$work/all.cpp" $(pkg-config --cflags --libs guestsync) -o "$work/cxx"
	passes shared "$work/cxx"
	$cxx -std=c++17 "${warnings[@]}" -x c++ -include guestsync/pthread_spin.h "$work/posix.c" \
		$(pkg-config --cflags --libs guestsync) -U_GNU_SOURCE -o "$work/cxxshim"
	passes shared "$work/cxxshim"
	ok "$cxx: plain and with pkg-config, shared and static; C++17 throughout; -include shim"
done

# built WORD SOURCE: what a build system has made of the four programs in SOURCE/build
built() {
	for language in c cpp; do
		passes shared "$2/build/shared_$language"
		passes static "$2/build/static_$language"
	done
	ok "$1: shared and static, C and C++"
}

logged() {
	"$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
}

mkdir "$work/meson" "$work/cmake"
cp "$work"/user.* "$work/meson/"
cp "$work"/user.* "$work/cmake/"
cat >"$work/meson/meson.build" <<'EOF'
project('user', 'c', 'cpp', default_options: 'cpp_std=c++17')
threads = dependency('threads')
foreach language : ['c', 'cpp']
  executable('shared_' + language, 'user.' + language, dependencies: [dependency('guestsync', version: '>=0.1'), threads])
  executable('static_' + language, 'user.' + language, dependencies: [dependency('guestsync', static: true), threads])
endforeach
EOF
logged meson setup "$work/meson/build" "$work/meson"
logged ninja -C "$work/meson/build"
built meson "$work/meson"

cat >"$work/cmake/CMakeLists.txt" <<'EOF'
cmake_minimum_required(VERSION 3.16)
project(user C CXX)
find_package(guestsync 0.1 REQUIRED)
find_package(guestsync 99 QUIET)
if(guestsync_FOUND)
  message(FATAL_ERROR "version 99 was found")
endif()
foreach(language c cpp)
  add_executable(shared_${language} user.${language})
  target_link_libraries(shared_${language} guestsync::guestsync)
  add_executable(static_${language} user.${language})
  target_link_libraries(static_${language} guestsync::guestsync_static)
endforeach()
EOF
logged cmake -G Ninja -S "$work/cmake" -B "$work/cmake/build" -DCMAKE_PREFIX_PATH="$prefix"
logged ninja -C "$work/cmake/build"
built CMake "$work/cmake"

mkdir -p "$work/super/subprojects"
ln -s "$PWD" "$work/super/subprojects/guestsync"
cp examples/mutex.c "$work/super/"
cat >"$work/super/meson.build" <<'EOF'
project('super', 'c')
guestsync = dependency('guestsync', default_options: ['tests=false', 'cli=false', 'examples=false'])
executable('user', 'mutex.c', dependencies: [guestsync, dependency('threads')])
EOF
PKG_CONFIG_PATH= logged meson setup "$work/super/build" "$work/super" --wrap-mode=forcefallback
logged ninja -C "$work/super/build" user
LD_LIBRARY_PATH= passes shared "$work/super/build/user"
ok "meson, as a subproject"

# What the headers declare and what the library exports are the same.
{
	grep -ho 'GSYNC_API [^;(]*(' include/guestsync/*.h | grep -o 'gsync_[a-z_]*(' | tr -d '('
	sed -n 's/^extern GSYNC_API [a-z0-9_]* \(gsync_[a-z_]*\).*/\1/p' include/guestsync/*.h
} | sort -u >"$work/declared"
nm -D --defined-only "$lib/libguestsync.so" | awk '$2 == "T" || $2 == "D" || $2 == "B" { sub(/@.*/, "", $3); print $3 }' |
	sort -u >"$work/exported"
diff "$work/declared" "$work/exported"
readelf -d "$lib/libguestsync.so" | grep 'SONAME.*libguestsync.so.0' >/dev/null
# Two constructors and no more: one reads the environment and tells liburcu of forks, one counts if that is asked for there.
if [ "$(readelf -SW "$lib/libguestsync.a" | grep -c ' \.init_array')" -ne 2 ]; then
	echo "consumers: the library has not the two constructors that it should have" >&2
	exit 1
fi
grep -q '^Requires.private:.*liburcu-bp' "$lib/pkgconfig/guestsync.pc"
ok "exports what it declares, soname libguestsync.so.0"
