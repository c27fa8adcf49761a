/*
 * fullkeys.c - the keys of a registered table that count deleted rows too.
 *
 * Every INSERT asks for them, and most have nothing to do with them, because they
 * draw their key from a sequence.  So they are kept per table until the relation's
 * cache entry is invalidated, as it is when an index comes or goes.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/sysattr.h"
#include "fullkeys.h"
#include "nodes/nodes.h"
#include "optimizer/optimizer.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"

typedef struct Entry
{
	Oid			relid;			/* hash key */
	bool		valid;
	MemoryContext context;		/* of the list; NULL before the first */
	List	   *keys;			/* SdFullKey */
} Entry;

static HTAB *entries = NULL;
static uint64 invalidations = 0;

static void
invalidate(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS scan;
	Entry	   *entry;

	invalidations++;
	if (entries == NULL)
		return;
	if (OidIsValid(relid))
	{
		entry = hash_search(entries, &relid, HASH_FIND, NULL);
		if (entry)
			entry->valid = false;
		return;
	}
	hash_seq_init(&scan, entries);
	while ((entry = hash_seq_search(&scan)) != NULL)
		entry->valid = false;
}

/* Registers the invalidation callback; called once. */
void
sd_full_keys_init(void)
{
	CacheRegisterRelcacheCallback(invalidate, (Datum) 0);
}

/* Is one of the index's conditions that the row is live? */
bool
sd_key_is_partial(Relation index, const SdTable *table)
{
	ListCell   *lc;

	foreach(lc, RelationGetIndexPredicate(index))
		if (sd_is_live_condition(table, lfirst(lc)))
			return true;
	return false;
}

static Bitmapset *
index_columns(Relation index)
{
	Bitmapset  *columns = NULL;

	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
		if (index->rd_index->indkey.values[i] != 0)
			columns = bms_add_member(columns, index->rd_index->indkey.values[i] -
									 FirstLowInvalidHeapAttributeNumber);
	pull_varattnos((Node *) RelationGetIndexExpressions(index), 1, &columns);
	return columns;
}

static List *
read_keys(Relation rel, const SdTable *table)
{
	List	   *keys = NIL;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if ((index->rd_index->indisunique || index->rd_index->indisexclusion) &&
			index->rd_index->indisready && !sd_key_is_partial(index, table))
		{
			SdFullKey  *key = palloc(sizeof(SdFullKey));

			key->index = RelationGetRelid(index);
			key->columns = index_columns(index);
			key->used = bms_copy(key->columns);
			pull_varattnos((Node *) RelationGetIndexPredicate(index), 1, &key->used);
			keys = lappend(keys, key);
		}
		index_close(index, NoLock);
	}
	return keys;
}

/*
 * The keys of a table that is open and registered: a list of SdFullKey that holds
 * until the next look at the catalogs.
 */
List *
sd_full_keys(Relation rel, const SdTable *table)
{
	Oid			relid = RelationGetRelid(rel);
	Entry	   *entry;
	bool		found;

	if (entries == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(Oid),.entrysize = sizeof(Entry)};

		entries = hash_create("softdelete full keys", 64, &control, HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(entries, &relid, HASH_ENTER, &found);
	if (!found)
	{
		entry->valid = false;
		entry->context = NULL;
	}
	if (!entry->valid)
	{
		uint64		before = invalidations;
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "softdelete full keys",
													  ALLOCSET_SMALL_SIZES);
		MemoryContext old = MemoryContextSwitchTo(context);
		List	   *keys = read_keys(rel, table);

		MemoryContextSwitchTo(old);
		if (entry->context)
			MemoryContextDelete(entry->context);
		MemoryContextSetParent(context, CacheMemoryContext);
		entry->context = context;
		entry->keys = keys;
		entry->valid = before == invalidations;
	}
	return entry->keys;
}
