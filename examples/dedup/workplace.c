/* SPDX-License-Identifier: MIT */
#include "workplace.h"

#include <stdlib.h>

static void workplace_free(struct workplace *workplace)
{
	tools_free(&workplace->tools);
	free(workplace->buffer);
	free(workplace);
}

static struct workplace *workplace_make(size_t buffer_bytes)
{
	struct workplace *workplace = calloc(1, sizeof(*workplace));

	if (workplace == NULL)
		return NULL;
	workplace->buffer = malloc(buffer_bytes);
	if (tools_make(&workplace->tools) && workplace->buffer != NULL)
		return workplace;
	workplace_free(workplace);
	return NULL;
}

struct workplace *workplace_take(struct workplaces *workplaces)
{
	struct workplace *workplace;

	gsync_spinlock_lock(&workplaces->lock);
	workplace = workplaces->free;
	if (workplace != NULL)
		workplaces->free = workplace->next;
	gsync_spinlock_unlock(&workplaces->lock);
	return workplace != NULL ? workplace : workplace_make(workplaces->buffer_bytes);
}

void workplace_give_back(struct workplaces *workplaces, struct workplace *workplace)
{
	gsync_spinlock_lock(&workplaces->lock);
	workplace->next = workplaces->free;
	workplaces->free = workplace;
	gsync_spinlock_unlock(&workplaces->lock);
}

void workplaces_free(struct workplaces *workplaces)
{
	while (workplaces->free != NULL)
		workplace_free(workplace_take(workplaces));
}
