/* SPDX-License-Identifier: MIT */
/* oneTBB's loop, with its automatic partitioner and as many threads as asked for. */
#include <new>

#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>

extern "C" {
#include "bench/forkjoin.h"
}

/* For as long as the process lives. */
static tbb::global_control *limit;

static int start(unsigned threads, struct bench_error *error)
{
	limit = new (std::nothrow) tbb::global_control(tbb::global_control::max_allowed_parallelism, threads);
	return limit != nullptr ? 0 : bench_fail(error, "no memory for oneTBB");
}

static void loop(size_t count, bench_range_fn *run, void *context, bool)
{
	tbb::parallel_for(tbb::blocked_range<size_t>(0, count),
			  [=](const tbb::blocked_range<size_t> &range) { run(context, range.begin(), range.end()); });
}

extern "C" {
/* In C++ what is const is also static, unless it was declared before. */
extern const struct bench_runtime bench_tbb_for = {
	.name = "tbb_for", .ours = false, .gathers = false, .library = nullptr, .reason = nullptr, .start = start,
	.threads = nullptr, .loop = loop,
};
}
