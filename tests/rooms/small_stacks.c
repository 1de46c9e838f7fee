/* SPDX-License-Identifier: MIT */
/* Preloaded: gives every thread that asks for no other stack one of 16 KB. */
#include <pthread.h>
#include <stdlib.h>

#define STACK 16384

static __attribute__((constructor)) void make_small(void)
{
	pthread_attr_t attributes;
	size_t size = 0;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK);
	pthread_setattr_default_np(&attributes);
	pthread_attr_destroy(&attributes);
	pthread_getattr_default_np(&attributes);
	pthread_attr_getstacksize(&attributes, &size);
	if (size != STACK)
		abort();
	pthread_attr_destroy(&attributes);
}
