/*
 * memo.c - what is remembered of relations until they change.
 *
 * A memo has an entry for each relation that was asked about, which is valid until
 * the relation's cache entry is invalidated.  The invalidation callback only flips
 * flags.  What was read while an invalidation came in is used once and not kept.
 *
 * Entries that are not valid are removed when they have become many, so that a
 * session that makes and drops tables does not grow.
 */
#include "postgres.h"

#include "memo.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#define SMALL 256				/* entries with which no memo is too large */

struct SdMemo
{
	HTAB	   *entries;
	Size		entry_size;
	SdMemoFree	free_entry;
	long		sweep_at;		/* entries with which invalid ones are removed */
	struct SdMemo *next;
};

static SdMemo *memos = NULL;
static uint64 invalidations = 0;	/* so far */

static void
invalidate(Datum arg, Oid relid)
{
	invalidations++;
	for (SdMemo *memo = memos; memo; memo = memo->next)
	{
		HASH_SEQ_STATUS scan;
		SdMemoEntry *entry;

		if (OidIsValid(relid))
		{
			entry = hash_search(memo->entries, &relid, HASH_FIND, NULL);
			if (entry)
				entry->valid = false;
			continue;
		}
		hash_seq_init(&scan, memo->entries);
		while ((entry = hash_seq_search(&scan)) != NULL)
			entry->valid = false;
	}
}

/* Registers the invalidation callback; called once. */
void
sd_memo_init(void)
{
	CacheRegisterRelcacheCallback(invalidate, (Datum) 0);
}

/* A memo that lives as long as the session. */
SdMemo *
sd_memo_create(const char *name, Size entry_size, SdMemoFree free_entry)
{
	SdMemo	   *memo = MemoryContextAllocZero(CacheMemoryContext, sizeof(SdMemo));
	HASHCTL		control = {.keysize = sizeof(Oid),.entrysize = entry_size};

	memo->entries = hash_create(name, SMALL, &control, HASH_ELEM | HASH_BLOBS);
	memo->entry_size = entry_size;
	memo->free_entry = free_entry;
	memo->sweep_at = SMALL;
	memo->next = memos;
	memos = memo;
	return memo;
}

static void
sweep(SdMemo *memo)
{
	HASH_SEQ_STATUS scan;
	SdMemoEntry *entry;

	hash_seq_init(&scan, memo->entries);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (!entry->valid)
		{
			if (memo->free_entry)
				memo->free_entry(entry);
			hash_search(memo->entries, &entry->relid, HASH_REMOVE, NULL);
		}
	memo->sweep_at = Max(SMALL, 2 * hash_get_num_entries(memo->entries));
}

/*
 * The entry of a relation; a new one is all zero and not valid.  It stays where it
 * is until the next call for the same memo.
 */
SdMemoEntry *
sd_memo_entry(SdMemo *memo, Oid relid)
{
	SdMemoEntry *entry = hash_search(memo->entries, &relid, HASH_FIND, NULL);
	bool		found;

	if (entry)
		return entry;
	if (hash_get_num_entries(memo->entries) >= memo->sweep_at)
		sweep(memo);
	entry = hash_search(memo->entries, &relid, HASH_ENTER, &found);
	memset(entry, 0, memo->entry_size);
	entry->relid = relid;
	return entry;
}

/* To be asked before the catalogs are read for an entry, and given to sd_memo_read(). */
uint64
sd_memo_reading(void)
{
	return invalidations;
}

/* The entry has been read: it is valid if no invalidation came in meanwhile. */
void
sd_memo_read(SdMemoEntry *entry, uint64 reading)
{
	entry->valid = reading == invalidations;
}
