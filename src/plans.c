/*
 * plans.c - statements of ours whose plans are kept.
 *
 * The planner freezes its estimate of the rows that are given to a plan; so a
 * foreign key has one plan for few rows and one for many, and more than that
 * are worth planning for.  A plan that is no longer valid, or whose constraint
 * may have changed, is made anew from a new text: a rename shows there.
 */
#include "postgres.h"

#include "plans.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#define FEW 100
#define MANY 10000

typedef struct Key
{
	Oid			constraint;
	int16		purpose;
	int16		many;
} Key;

typedef struct Entry
{
	Key			key;
	SdPlan		plan;
	bool		stale;			/* the constraint may have changed */
	int			in_use;
} Entry;

static HTAB *entries = NULL;

static void
invalidate(Datum arg, int cacheid, uint32 hashvalue)
{
	HASH_SEQ_STATUS scan;
	Entry	   *entry;

	if (entries == NULL)
		return;
	hash_seq_init(&scan, entries);
	while ((entry = hash_seq_search(&scan)) != NULL)
		entry->stale = true;
}

/* Registers the invalidation callback; called once. */
void
sd_plans_init(void)
{
	CacheRegisterSyscacheCallback(CONSTROID, invalidate, (Datum) 0);
}

static void
drop_plan(Entry *entry)
{
	if (entry->plan.plan)
		SPI_freeplan(entry->plan.plan);
	if (entry->plan.sql)
		pfree(entry->plan.sql);
	memset(&entry->plan, 0, sizeof(entry->plan));
	entry->stale = false;
}

/* Forgets what may be out of date: its constraint may be gone for good. */
static void
sweep(void)
{
	HASH_SEQ_STATUS scan;
	Entry	   *entry;

	hash_seq_init(&scan, entries);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->stale && entry->in_use == 0)
		{
			drop_plan(entry);
			hash_search(entries, &entry->key, HASH_REMOVE, NULL);
		}
}

static Entry *
find_entry(const SdForeignKey *fkey, SdPurpose purpose, bool many)
{
	Key			key;
	Entry	   *entry;
	bool		found;

	memset(&key, 0, sizeof(key));
	key.constraint = fkey->id;
	key.purpose = purpose;
	key.many = many;
	if (entries == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(Key),.entrysize = sizeof(Entry)};

		entries = hash_create("softdelete plans", 64, &control, HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(entries, &key, HASH_FIND, &found);
	if (!found)
	{
		sweep();
		entry = hash_search(entries, &key, HASH_ENTER, &found);
		memset(&entry->plan, 0, sizeof(entry->plan));
		entry->stale = false;
		entry->in_use = 0;
	}
	return entry;
}

/*
 * The kept plan for this many rows, or NULL when it is not worth keeping or is
 * out of date while in use further up.  The text is asked for when there is
 * none that is valid.  To be released, on error too.
 */
SdPlan *
sd_plan_take(const SdForeignKey *fkey, SdPurpose purpose, int64 rows,
			 SdPlanText text, void *arg)
{
	Entry	   *entry;
	char	   *sql;
	bool		valid;

	if (rows > MANY)
		return NULL;
	entry = find_entry(fkey, purpose, rows > FEW);
	valid = entry->plan.sql && !entry->stale && entry->plan.plan &&
		SPI_plan_is_valid(entry->plan.plan);
	if (!valid)
	{
		if (entry->in_use > 0)
			return NULL;
		drop_plan(entry);
		sql = text(fkey, purpose, arg);
		entry->plan.sql = MemoryContextStrdup(TopMemoryContext, sql);
	}
	entry->in_use++;
	return &entry->plan;
}

void
sd_plan_release(SdPlan *plan)
{
	Entry	   *entry = (Entry *) ((char *) plan - offsetof(Entry, plan));

	entry->in_use--;
}
