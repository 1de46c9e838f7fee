/* SPDX-License-Identifier: MIT */
/*
 * Comes before each file of the library that is built to be delayed (meson.build):
 * whatever it does to a word that others see is a step, and before each step there
 * may be a delay. So between any two steps of an unlock, of a hand-over or of a
 * wake-up a thread can lose its CPU, the inlined paths of the headers included,
 * and nothing of that is in the library's own text.
 */
#ifndef GUESTSYNC_TESTS_TORTURE_STEPS_H
#define GUESTSYNC_TESTS_TORTURE_STEPS_H

void faults_step(void);

#define __atomic_store_n(...) (faults_step(), __atomic_store_n(__VA_ARGS__))
#define __atomic_exchange_n(...) (faults_step(), __atomic_exchange_n(__VA_ARGS__))
#define __atomic_compare_exchange_n(...) (faults_step(), __atomic_compare_exchange_n(__VA_ARGS__))
#define __atomic_fetch_add(...) (faults_step(), __atomic_fetch_add(__VA_ARGS__))
#define __atomic_fetch_sub(...) (faults_step(), __atomic_fetch_sub(__VA_ARGS__))
#define __atomic_fetch_and(...) (faults_step(), __atomic_fetch_and(__VA_ARGS__))
#define __atomic_fetch_or(...) (faults_step(), __atomic_fetch_or(__VA_ARGS__))
#define __atomic_add_fetch(...) (faults_step(), __atomic_add_fetch(__VA_ARGS__))
#define __atomic_sub_fetch(...) (faults_step(), __atomic_sub_fetch(__VA_ARGS__))
#define __atomic_and_fetch(...) (faults_step(), __atomic_and_fetch(__VA_ARGS__))
#define __atomic_or_fetch(...) (faults_step(), __atomic_or_fetch(__VA_ARGS__))

#endif
