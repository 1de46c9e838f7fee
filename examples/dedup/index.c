/* SPDX-License-Identifier: MIT */
/*
 * The table's size is fixed, since the input's size tells how many chunks there
 * can be: a table that grows would start a thread of liburcu's for that.
 */
#include "index.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_PER_BUCKET 8192u
#define BUCKETS_MIN 64u

/* A fingerprint is as good as random: any part of it is a hash. */
static unsigned long hash_of(const uint8_t digest[DIGEST_BYTES])
{
	unsigned long hash;

	memcpy(&hash, digest, sizeof(hash));
	return hash;
}

/* The acquire, with the release in add(), says what the table's own barriers do: ThreadSanitizer does not see those. */
static int matches(struct cds_lfht_node *node, const void *digest)
{
	const struct entry *entry = caa_container_of(node, struct entry, node);

	(void)__atomic_load_n(&entry->published, __ATOMIC_ACQUIRE);
	return memcmp(entry->digest, digest, DIGEST_BYTES) == 0;
}

bool index_make(struct index *index, uint64_t bytes)
{
	unsigned long buckets = BUCKETS_MIN;

	while (buckets < bytes / BYTES_PER_BUCKET)
		buckets *= 2;
	index->table = cds_lfht_new_flavor(buckets, buckets, buckets, 0, &urcu_bp_flavor, NULL);
	return index->table != NULL;
}

/* Nobody else uses the index any more, so nothing needs to wait for readers. */
void index_free(struct index *index)
{
	struct cds_lfht_iter place;
	struct entry *entry;

	if (index->table == NULL)
		return;
	urcu_bp_read_lock();
	cds_lfht_for_each_entry(index->table, &place, entry, node) {
		cds_lfht_del(index->table, &entry->node);
		free(entry);
	}
	urcu_bp_read_unlock();
	cds_lfht_destroy(index->table, NULL);
	index->table = NULL;
}

static struct entry *lookup(struct index *index, const uint8_t digest[DIGEST_BYTES])
{
	struct cds_lfht_iter place;
	struct cds_lfht_node *node;

	cds_lfht_lookup(index->table, hash_of(digest), matches, digest, &place);
	node = cds_lfht_iter_get_node(&place);
	return node != NULL ? caa_container_of(node, struct entry, node) : NULL;
}

/* Another thread may add the same at the same moment: then its entry counts, and ours was in vain. */
static struct entry *add(struct index *index, const uint8_t digest[DIGEST_BYTES], bool *added)
{
	struct entry *own = malloc(sizeof(*own));
	struct cds_lfht_node *node;

	if (own == NULL)
		return NULL;
	*own = (struct entry){ .number = ENTRY_UNNUMBERED };
	memcpy(own->digest, digest, DIGEST_BYTES);
	cds_lfht_node_init(&own->node);
	__atomic_store_n(&own->published, true, __ATOMIC_RELEASE);
	node = cds_lfht_add_unique(index->table, hash_of(digest), matches, digest, &own->node);
	*added = node == &own->node;
	if (!*added)
		free(own);
	return caa_container_of(node, struct entry, node);
}

struct entry *index_enter(struct index *index, const uint8_t digest[DIGEST_BYTES], bool *added)
{
	struct entry *entry;

	*added = false;
	urcu_bp_read_lock();
	entry = lookup(index, digest);
	if (entry == NULL)
		entry = add(index, digest, added);
	urcu_bp_read_unlock();
	return entry;
}
