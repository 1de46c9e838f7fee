/* SPDX-License-Identifier: MIT */
/*
 * Which chunks are known: a lock-free hash table (liburcu's rculfhash) from
 * fingerprints to entries, one for each different content. Entries are only ever
 * added, so whoever has found one may keep it until index_free.
 */
#ifndef DEDUP_INDEX_H
#define DEDUP_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include <urcu/urcu-bp.h>
#include <urcu/rculfhash.h>

#include "tools.h"

#define ENTRY_UNNUMBERED UINT64_MAX

struct entry {
	struct cds_lfht_node node;
	uint8_t digest[DIGEST_BYTES];
	bool published;
	uint32_t stored_length; /* valid when STORED is not NULL */
	const uint8_t *stored;	/* what the archive will contain; NULL as long as nobody has compressed it */
	uint64_t number;	/* given by the writer, in the input's order */
};

struct index {
	struct cds_lfht *table;
};

/* Sized for an input of BYTES. Returns false when memory is short. */
bool index_make(struct index *index, uint64_t bytes);
void index_free(struct index *index);

/*
 * The entry of a fingerprint, made if there is none; *ADDED says which. NULL when
 * memory is short. Lock-free.
 */
struct entry *index_enter(struct index *index, const uint8_t digest[DIGEST_BYTES], bool *added);

/* STORED is set last, so that who sees it may read what it points to. */
static inline void entry_set_stored(struct entry *entry, const uint8_t *stored, size_t length)
{
	entry->stored_length = (uint32_t)length;
	__atomic_store_n(&entry->stored, stored, __ATOMIC_RELEASE);
}

static inline bool entry_is_stored(const struct entry *entry)
{
	return __atomic_load_n(&entry->stored, __ATOMIC_ACQUIRE) != NULL;
}

#endif
