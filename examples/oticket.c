/* SPDX-License-Identifier: MIT */
/* gsync_oticket: customers are served in the order in which they came. */
#include <guestsync/oticket.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#define CUSTOMERS 8

static gsync_oticket_t counter = GSYNC_OTICKET_INIT;
static int out_of_order;
static int served;

static void *be_served(void *argument)
{
	int place = *(int *)argument;

	gsync_oticket_lock(&counter);
	if (place != served)
		out_of_order++;
	printf("customer %d is number %d to be served\n", place, served);
	served++;
	gsync_oticket_unlock(&counter);
	return NULL;
}

int main(void)
{
	pthread_t customers[CUSTOMERS];
	int places[CUSTOMERS];

	gsync_oticket_lock(&counter); /* not open yet */
	for (int i = 0; i < CUSTOMERS; i++) {
		places[i] = i;
		if (pthread_create(&customers[i], NULL, be_served, &places[i]) != 0)
			return 1;
		/* The next one comes when this one has drawn a ticket; a program would not look inside. */
		while (__atomic_load_n(&counter.next, __ATOMIC_RELAXED) != (uint32_t)i + 2)
			sched_yield();
	}
	gsync_oticket_unlock(&counter);
	for (int i = 0; i < CUSTOMERS; i++)
		pthread_join(customers[i], NULL);
	return out_of_order == 0 && served == CUSTOMERS ? 0 : 1;
}
