/*
 * linkrows.c - the rows of which the journal has references, when they go.
 *
 * The journal knows the row that lost a reference by its key (links.c), which is
 * the row's as long as it is in its table.  A row that takes the key later is
 * another one, and must not be given the reference.  So whatever takes a row out
 * of its table, or gives it another key, tells the journal:
 *   - a row that really goes: its references are marked as gone, or forgotten with
 *     it when it is purged or erased;
 *   - a row that moves to the journal because its key is taken: they are marked as
 *     gone, and its image keeps their ids; when it comes back they are its own;
 *   - a row that gets another key: they follow.
 *
 * Entries are read and changed directly, without a query, as the rows go by: no
 * name and no operator of a user takes part, and the user needs no rights.  The
 * caller holds a lock on the row.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "deletion.h"
#include "fkey.h"
#include "linkrows.h"
#include "links.h"
#include "run.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* By which columns entries of a table know a row. */
typedef struct Key
{
	Oid			child;			/* the table, as foreign keys name it */
	Datum		columns;		/* names of the columns: text[] */
	int			natts;
	AttrNumber *atts;			/* the columns, in the relation at hand */
	bool		exact;			/* several rows may have the key: those are meant
								 * in which the reference is as it was set */
	bool		generated;		/* is a column not computed yet when the row
								 * changes? */
	bool		plain;			/* text that does not depend on the session? */
} Key;

struct SdLinkRows
{
	Relation	rel;
	List	   *keys;			/* Key */
	MemoryContext scratch;
};

/* What becomes of entries. */
typedef enum Fate
{
	FATE_GONE,
	FATE_FORGOTTEN,
	FATE_CHANGED
} Fate;

/* ---------- is there anything? ---------- */

/* Can the journal be asked?  Not without the extension, nor while it is dropped. */
bool
sd_links_can_be_asked(void)
{
	Oid			journal = sd_find_own_relation("link");

	return OidIsValid(journal) && OidIsValid(get_relname_relid("link_row", get_rel_namespace(journal)));
}

/* Does the journal have anything of rows of this table, which foreign keys name? */
bool
sd_links_of(Oid child)
{
	Relation	journal = table_open(sd_own_relation("link"), AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData key;
	SysScanDesc scan;
	bool		found;

	ScanKeyInit(&key, SD_LINK_CHILD, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(child));
	scan = systable_beginscan(journal, sd_own_relation("link_row"), true, snapshot, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(journal, AccessShareLock);
	return found;
}

/* The tables under which the journal may have rows of this one (OIDs). */
List *
sd_link_children(Relation rel)
{
	List	   *children = NIL;
	ListCell   *lc;

	if (RelationGetFKeyList(rel) == NIL)
		return NIL;
	foreach(lc, sd_fkeys_from(rel))
		children = list_append_unique_oid(children, ((SdForeignKey *) lfirst(lc))->child);
	return children;
}

/* ---------- keys ---------- */

static bool
is_plain(Oid type)
{
	switch (getBaseType(type))
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case OIDOID:
		case NAMEOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case UUIDOID:
			return true;
		default:
			return false;
	}
}

static Datum
text_array(Datum *texts, bool *nulls, int n)
{
	int			lower = 1;

	if (n == 0)
		return PointerGetDatum(construct_empty_array(TEXTOID));
	return PointerGetDatum(construct_md_array(texts, nulls, 1, &n, &lower, TEXTOID, -1, false,
											  TYPALIGN_INT));
}

static bool
equal_arrays(Datum one, Datum other)
{
	return DatumGetBool(OidFunctionCall2Coll(F_ARRAY_EQ, C_COLLATION_OID, one, other));
}

static void
add_key(SdLinkRows *rows, const SdForeignKey *fkey)
{
	Relation	rel = rows->rel;
	List	   *columns = sd_row_key(fkey);
	Key		   *key = palloc0(sizeof(Key));
	Datum	   *names = palloc(list_length(columns) * sizeof(Datum));
	bool	   *nulls = palloc0(list_length(columns) * sizeof(bool));
	ListCell   *lc;

	key->child = fkey->child;
	key->atts = palloc(list_length(columns) * sizeof(AttrNumber));
	key->plain = true;
	key->exact = sd_row_key_is_shared(fkey);
	foreach(lc, columns)
	{
		char	   *name = get_attname(fkey->child, lfirst_int(lc), false);
		AttrNumber	att = get_attnum(RelationGetRelid(rel), name);
		Form_pg_attribute type = TupleDescAttr(RelationGetDescr(rel), att - 1);

		names[key->natts] = CStringGetTextDatum(name);
		key->atts[key->natts++] = att;
		key->plain &= is_plain(type->atttypid);
		key->generated |= type->attgenerated != '\0';
	}
	key->columns = text_array(names, nulls, key->natts);
	foreach(lc, rows->keys)
	{
		Key		   *other = lfirst(lc);

		if (other->child == key->child && equal_arrays(other->columns, key->columns))
		{
			other->exact |= key->exact;
			return;
		}
	}
	rows->keys = lappend(rows->keys, key);
}

/*
 * For changes of the rows of a relation, in the current memory context; NULL if
 * the journal has nothing of them.
 */
SdLinkRows *
sd_link_rows(Relation rel)
{
	SdLinkRows *rows = NULL;
	ListCell   *lc;

	if (RelationGetFKeyList(rel) == NIL)
		return NULL;
	foreach(lc, sd_fkeys_from(rel))
	{
		SdForeignKey *fkey = lfirst(lc);

		if (!sd_links_of(fkey->child))
			continue;
		if (rows == NULL)
		{
			rows = palloc0(sizeof(SdLinkRows));
			rows->rel = rel;
			rows->scratch = AllocSetContextCreate(CurrentMemoryContext, "softdelete link rows",
												  ALLOCSET_SMALL_SIZES);
		}
		add_key(rows, fkey);
	}
	return rows;
}

/* May an UPDATE of these columns, offset as in updatedCols, matter to the journal? */
bool
sd_link_rows_depend(const SdLinkRows *rows, const Bitmapset *columns)
{
	ListCell   *lc;

	foreach(lc, rows->keys)
	{
		Key		   *key = lfirst(lc);

		if (key->exact)
			return true;
		for (int i = 0; i < key->natts; i++)
			if (bms_is_member(key->atts[i] - FirstLowInvalidHeapAttributeNumber, columns))
				return true;
	}
	return false;
}

/* ---------- a row ---------- */

/* Columns of a row as text[], as the journal has them. */
static Datum
texts_of(TupleTableSlot *row, const AttrNumber *atts, int n, bool plain)
{
	Datum	   *texts = palloc(n * sizeof(Datum));
	bool	   *nulls = palloc(n * sizeof(bool));
	int			nestlevel = plain ? 0 : sd_portable_begin();

	for (int i = 0; i < n; i++)
	{
		Datum		value = slot_getattr(row, atts[i], &nulls[i]);
		Oid			output;
		bool		varlena;

		if (nulls[i])
			continue;
		getTypeOutputInfo(TupleDescAttr(row->tts_tupleDescriptor, atts[i] - 1)->atttypid,
						  &output, &varlena);
		texts[i] = CStringGetTextDatum(OidOutputFunctionCall(output, value));
	}
	if (!plain)
		sd_portable_end(nestlevel);
	return text_array(texts, nulls, n);
}

/* Is the reference of an entry in the row still what it was set to? */
static bool
is_as_set(Relation rel, TupleTableSlot *row, Datum set_columns, Datum new_values)
{
	Datum	   *names;
	int			n;
	AttrNumber *atts;

	deconstruct_array(DatumGetArrayTypeP(set_columns), NAMEOID, NAMEDATALEN, false,
					  TYPALIGN_CHAR, &names, NULL, &n);
	atts = palloc(n * sizeof(AttrNumber));
	for (int i = 0; i < n; i++)
	{
		atts[i] = get_attnum(RelationGetRelid(rel), NameStr(*DatumGetName(names[i])));
		if (atts[i] == InvalidAttrNumber)
			return true;		/* who knows? */
	}
	return equal_arrays(texts_of(row, atts, n, false), new_values);
}

/* Locks an entry; false: somebody has changed or forgotten it. */
static bool
lock_entry(Relation journal, HeapTuple entry)
{
	TupleTableSlot *slot = table_slot_create(journal, NULL);
	TM_FailureData failure;
	TM_Result	result;

	result = table_tuple_lock(journal, &entry->t_self, GetActiveSnapshot(), slot,
							  GetCurrentCommandId(true), LockTupleExclusive, LockWaitBlock,
							  0, &failure);
	ExecDropSingleTupleTableSlot(slot);
	return result == TM_Ok;
}

/* The fate of one entry; returns its id. */
static Datum
meet(Relation journal, HeapTuple entry, Fate fate, Datum new_key)
{
	TupleDesc	desc = RelationGetDescr(journal);
	Datum		values[SD_LINK_COLUMNS] = {0};
	bool		nulls[SD_LINK_COLUMNS] = {0};
	bool		replaces[SD_LINK_COLUMNS] = {0};
	bool		isnull;
	Datum		id = heap_getattr(entry, SD_LINK_ID, desc, &isnull);
	HeapTuple	changed;

	if (fate == FATE_FORGOTTEN)
	{
		CatalogTupleDelete(journal, &entry->t_self);
		return id;
	}
	if (fate == FATE_GONE)
	{
		replaces[SD_LINK_GONE - 1] = true;
		values[SD_LINK_GONE - 1] = BoolGetDatum(true);
	}
	else
	{
		replaces[SD_LINK_ROW_KEY - 1] = replaces[SD_LINK_ROW_HASH - 1] = true;
		values[SD_LINK_ROW_KEY - 1] = new_key;
		values[SD_LINK_ROW_HASH - 1] = sd_link_hash(new_key);
	}
	changed = heap_modify_tuple(entry, desc, values, nulls, replaces);
	CatalogTupleUpdate(journal, &entry->t_self, changed);
	return id;
}

/*
 * The entries of a row by one key.  "after": what the row becomes, or NULL.  Adds
 * the ids of entries that it has changed to *ids (Datum), n of them, unless NULL.
 */
static void
meet_all(SdLinkRows *rows, const Key *key, TupleTableSlot *row, TupleTableSlot *after, Fate fate,
		 ArrayBuildState **ids)
{
	Relation	journal;
	TupleDesc	desc;
	Datum		row_key = texts_of(row, key->atts, key->natts, key->plain);
	Datum		new_key = (Datum) 0;
	bool		same = false;
	ScanKeyData scankeys[2];
	Snapshot	snapshot;
	SysScanDesc scan;
	HeapTuple	entry;

	if (after && !key->generated)
	{
		new_key = texts_of(after, key->atts, key->natts, key->plain);
		same = equal_arrays(row_key, new_key);
		if (same && !key->exact)
			return;
	}
	journal = table_open(sd_own_relation("link"), RowExclusiveLock);
	desc = RelationGetDescr(journal);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyInit(&scankeys[0], SD_LINK_CHILD, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(key->child));
	ScanKeyInit(&scankeys[1], SD_LINK_ROW_HASH, BTEqualStrategyNumber, F_INT4EQ,
				sd_link_hash(row_key));
	scan = systable_beginscan(journal, sd_own_relation("link_row"), true, snapshot, 2, scankeys);
	while (HeapTupleIsValid(entry = systable_getnext(scan)))
	{
		Datum		values[SD_LINK_COLUMNS];
		bool		nulls[SD_LINK_COLUMNS];
		Fate		its_fate = fate;

		heap_deform_tuple(entry, desc, values, nulls);
		if (DatumGetBool(values[SD_LINK_GONE - 1]) ||
			!equal_arrays(values[SD_LINK_ROW_COLUMNS - 1], key->columns) ||
			!equal_arrays(values[SD_LINK_ROW_KEY - 1], row_key))
			continue;
		if (key->exact &&
			!is_as_set(rows->rel, row, values[SD_LINK_SET_COLUMNS - 1], values[SD_LINK_NEW_VALUES - 1]))
			continue;
		if (after && (key->generated ||
					  (key->exact && !is_as_set(rows->rel, after, values[SD_LINK_SET_COLUMNS - 1],
												values[SD_LINK_NEW_VALUES - 1]))))
			its_fate = FATE_GONE;
		else if (same)
			continue;
		if (lock_entry(journal, entry))
		{
			Datum		id = meet(journal, entry, its_fate, new_key);

			if (ids)
				*ids = accumArrayResult(*ids, id, false, INT8OID, rows->scratch);
		}
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(journal, NoLock);
}

static void
all_keys(SdLinkRows *rows, TupleTableSlot *row, TupleTableSlot *after, Fate fate,
		 ArrayBuildState **ids)
{
	ListCell   *lc;

	foreach(lc, rows->keys)
		meet_all(rows, lfirst(lc), row, after, fate, ids);
}

static void
meet_row(SdLinkRows *rows, TupleTableSlot *row, TupleTableSlot *after, Fate fate)
{
	MemoryContext old = MemoryContextSwitchTo(rows->scratch);

	all_keys(rows, row, after, fate, NULL);
	MemoryContextSwitchTo(old);
	MemoryContextReset(rows->scratch);
}

/* The row really goes. */
void
sd_link_rows_gone(SdLinkRows *rows, TupleTableSlot *row)
{
	meet_row(rows, row, NULL, FATE_GONE);
}

/* The row is purged or erased. */
void
sd_link_rows_forget(SdLinkRows *rows, TupleTableSlot *row)
{
	meet_row(rows, row, NULL, FATE_FORGOTTEN);
}

/* The row changes: its key does, perhaps. */
void
sd_link_rows_changed(SdLinkRows *rows, TupleTableSlot *before, TupleTableSlot *after)
{
	meet_row(rows, before, after, FATE_CHANGED);
}

/*
 * The row moves to the journal: the ids of its entries, as bigint[] in the current
 * memory context; 0 if there are none.
 */
Datum
sd_link_rows_moved(SdLinkRows *rows, TupleTableSlot *row)
{
	MemoryContext caller = MemoryContextSwitchTo(rows->scratch);
	ArrayBuildState *ids = NULL;
	Datum		array = (Datum) 0;

	all_keys(rows, row, NULL, FATE_GONE, &ids);
	if (ids)
		array = makeArrayResult(ids, caller);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(rows->scratch);
	return array;
}
