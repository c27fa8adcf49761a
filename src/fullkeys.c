/*
 * fullkeys.c - the keys of a registered table that count deleted rows too.
 *
 * Every INSERT asks for them, and most have nothing to do with them, because they
 * draw their key from a sequence.  So they are kept per table until it changes, as
 * it does when an index comes or goes.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/sysattr.h"
#include "fullkeys.h"
#include "memo.h"
#include "nodes/nodes.h"
#include "optimizer/optimizer.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"

typedef struct Entry
{
	SdMemoEntry memo;			/* comes first */
	MemoryContext context;		/* of the list; NULL before the first */
	List	   *keys;			/* SdFullKey */
} Entry;

static SdMemo *full_keys = NULL;

static void
free_entry(SdMemoEntry *entry)
{
	if (((Entry *) entry)->context)
		MemoryContextDelete(((Entry *) entry)->context);
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

	if (full_keys == NULL)
		full_keys = sd_memo_create("softdelete full keys", sizeof(Entry), free_entry);
	entry = (Entry *) sd_memo_entry(full_keys, relid);
	if (!entry->memo.valid)
	{
		uint64		reading = sd_memo_reading();
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "softdelete full keys",
													  ALLOCSET_SMALL_SIZES);
		MemoryContext old = MemoryContextSwitchTo(context);
		List	   *keys = read_keys(rel, table);

		MemoryContextSwitchTo(old);
		entry = (Entry *) sd_memo_entry(full_keys, relid);
		free_entry(&entry->memo);
		MemoryContextSetParent(context, CacheMemoryContext);
		entry->context = context;
		entry->keys = keys;
		sd_memo_read(&entry->memo, reading);
	}
	return entry->keys;
}
