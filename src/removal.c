/*
 * removal.c - rows of registered tables that really go.
 *
 * What purge and erase have in common: rows are chosen, locked as a DELETE does,
 * and looked at again; what refers to them goes along, or is found; then they are
 * deleted, with no trigger fired and no foreign key asked, for nothing refers to
 * them any more.
 *
 * Who refers to a row is asked when it is locked, with a newer snapshot: a new
 * reference needs a lock on the row that is referred to, and so was there before,
 * or waits for us.  The journal is asked after the table: a row moves from the
 * table to the journal.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "cascade.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "deletion.h"
#include "linkrows.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "registry.h"
#include "removal.h"
#include "run.h"
#include "unlinked.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* So many deletions are looked for one after the other. */
#define FEW_DELETIONS 16

static inline bool
is_among(int64 id, const int64 *ids, int nids)
{
	for (int i = 0; i < nids; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* Is this table, or a partition of it, what the foreign key is of? */
bool
sd_heap_is_within(Oid relid, Oid fkey_child)
{
	return relid == fkey_child ||
		(get_rel_relispartition(relid) &&
		 list_member_oid(find_all_inheritors(fkey_child, NoLock, NULL), relid));
}

/* Of rows (row_place, deletion_id, flagged_at) those that are old enough, by a join with the log. */
static SdRowset *
old_by_join(const SdHeap *heap, SdRowset *rows)
{
	SdStatement statement = {0};
	SdRowset   *old = NULL;

	statement.sql = psprintf("SELECT r." SD_ROW_PLACE ", r.deletion_id FROM " SD_ROWS_NAME " r LEFT JOIN "
							 SD_SCHEMA ".deletion l ON l.id = r.deletion_id CROSS JOIN LATERAL"
							 " (SELECT COALESCE(l.deleted_at, r.flagged_at) AS deleted_at) d WHERE %s",
							 heap->condition);
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("deletion");
	statement.latest = true;
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = rows;
	statement.result = &old;
	sd_run(&statement);
	return old;
}

/*
 * The first row of each deletion that rows (row_place, deletion_id, ...) belong to;
 * NULL if the deletions are more than few.
 */
static SdRowset *
first_of_each_deletion(SdRowset *rows)
{
	SdRowset   *firsts = sd_rowset_create(rows->desc);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	int64		seen[FEW_DELETIONS];
	int			nseen = 0;
	bool		few = true;

	tuplestore_rescan(rows->store);
	while (few && tuplestore_gettupleslot(rows->store, true, false, slot))
	{
		bool		isnull;
		int64		id = DatumGetInt64(slot_getattr(slot, 2, &isnull));

		if (isnull || is_among(id, seen, nseen))
			continue;
		few = nseen < FEW_DELETIONS;
		if (few)
		{
			seen[nseen++] = id;
			tuplestore_puttupleslot(firsts->store, slot);
		}
	}
	ExecDropSingleTupleTableSlot(slot);
	if (few)
		return firsts;
	sd_rowset_free(firsts);
	return NULL;
}

/* Rows (row_place, deletion_id) of those deletions of which "old" has a row. */
static SdRowset *
of_deletions(SdRowset *rows, SdRowset *old)
{
	SdRowset   *chosen = sd_rowset_create(old->desc);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(old->desc, &TTSOpsMinimalTuple);
	int64		ids[FEW_DELETIONS];
	int			nids = 0;
	bool		isnull;

	tuplestore_rescan(old->store);
	while (tuplestore_gettupleslot(old->store, true, false, slot))
		ids[nids++] = DatumGetInt64(slot_getattr(slot, 2, &isnull));
	ExecDropSingleTupleTableSlot(slot);
	slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(rows->store);
	while (nids > 0 && tuplestore_gettupleslot(rows->store, true, false, slot))
	{
		slot_getsomeattrs(slot, 2);
		if (!slot->tts_isnull[1] && is_among(DatumGetInt64(slot->tts_values[1]), ids, nids))
			tuplestore_putvalues(chosen->store, chosen->desc, slot->tts_values, slot->tts_isnull);
	}
	ExecDropSingleTupleTableSlot(slot);
	return chosen;
}

/*
 * Of rows (row_place, deletion_id, flagged_at) of a table those that are old enough;
 * frees them.  Where only the log knows the time, and the rows are of few deletions,
 * it is asked once for each of these.
 */
SdRowset *
sd_heap_old_enough(const SdHeap *heap, SdRowset *rows)
{
	SdRowset   *firsts = NULL;
	SdRowset   *old;
	SdTable		table;

	if (heap->condition == NULL || sd_rowset_count(rows) == 0)
		return rows;
	if (sd_registered(heap->relid, &table) && sd_flag_type(&table) == BOOLOID)
		firsts = first_of_each_deletion(rows);
	if (firsts)
	{
		SdRowset   *old_firsts = old_by_join(heap, firsts);

		old = of_deletions(rows, old_firsts);
		sd_rowset_free(old_firsts);
		sd_rowset_free(firsts);
	}
	else
		old = old_by_join(heap, rows);
	sd_rowset_free(rows);
	return old;
}

/*
 * The columns (row_place, deletion_id, flagged_at) of rows c of a heap, as SQL;
 * palloc'd.  The last is when a row was deleted by what its flag says, if it says so.
 */
char *
sd_heap_listed_columns(const SdHeap *heap)
{
	SdTable		table;

	(void) sd_registered(heap->relid, &table);
	return psprintf("c.ctid AS " SD_ROW_PLACE ", c.%s AS deletion_id, %s::timestamptz AS flagged_at",
					quote_identifier(sd_deletion_id_name(heap->relid)),
					sd_flag_type(&table) == BOOLOID ? "NULL" :
					psprintf("c.%s", quote_identifier(sd_flag_name(heap->relid))));
}

/*
 * Looks at a heap and its foreign keys as they are now; the lock keeps others from
 * being added until the transaction ends.
 */
void
sd_heap_open(SdHeap *heap)
{
	Relation	rel = try_table_open(heap->relid, RowExclusiveLock);
	ListCell   *lc;

	heap->there = false;
	heap->fkeys = NIL;
	heap->going = heap->newest = NULL;
	if (rel == NULL)
		return;
	if (sd_registered(heap->relid, NULL))
	{
		heap->there = true;
		heap->fkeys = sd_fkeys_referencing(rel, false);
		foreach(lc, heap->fkeys)
		{
			SdForeignKey *fkey = lfirst(lc);

			for (int i = 0; i < fkey->nkeys; i++)
				fkey->parent_att[i] = get_attnum(heap->relid,
												 get_attname(fkey->parent, fkey->parent_att[i], false));
			fkey->parent = heap->relid;
		}
	}
	table_close(rel, NoLock);
}

/* The columns of a heap that foreign keys reference. */
static List *
key_columns(const SdHeap *heap)
{
	List	   *atts = NIL;
	ListCell   *lc;

	foreach(lc, heap->fkeys)
	{
		SdForeignKey *fkey = lfirst(lc);

		for (int i = 0; i < fkey->nkeys; i++)
			atts = list_append_unique_int(atts, fkey->parent_att[i]);
	}
	return atts;
}

/* The columns of heap->going, of rows c of the table, as SQL; palloc'd. */
char *
sd_heap_going_columns(const SdHeap *heap)
{
	StringInfoData sql;
	char		column[SD_COLUMN_SIZE];
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "c.tableoid AS " SD_ROW_TABLE ", c.ctid AS " SD_ROW_PLACE);
	foreach(lc, key_columns(heap))
		appendStringInfo(&sql, ", %s AS " SD_KEY_PREFIX "%d",
						 sd_fkey_column(column, "c", NULL, heap->relid, lfirst_int(lc)),
						 lfirst_int(lc));
	return sql.data;
}

/* An empty set of such rows. */
static SdRowset *
make_going(const SdHeap *heap, List *atts)
{
	TupleDesc	desc = CreateTemplateTupleDesc(2 + list_length(atts));
	int			n = 2;
	ListCell   *lc;

	TupleDescInitEntry(desc, 1, SD_ROW_TABLE, OIDOID, -1, 0);
	TupleDescInitEntry(desc, 2, SD_ROW_PLACE, TIDOID, -1, 0);
	foreach(lc, atts)
	{
		Oid			type;
		int32		typmod;
		Oid			collation;

		get_atttypetypmodcoll(heap->relid, lfirst_int(lc), &type, &typmod, &collation);
		TupleDescInitEntry(desc, ++n, psprintf(SD_KEY_PREFIX "%d", lfirst_int(lc)), type, typmod, 0);
		TupleDescInitEntryCollation(desc, n, collation);
	}
	return sd_rowset_create(desc);
}

/*
 * Somebody has changed the row meanwhile: it is left alone; under REPEATABLE READ and
 * above error 40001, as SELECT FOR UPDATE would say.
 */
static void
changed_meanwhile(void)
{
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update")));
}

/*
 * Locks one row as a DELETE does, if it can still be seen and nobody has changed it.
 */
static bool
lock_row(Relation rel, ItemPointer place, Snapshot snapshot, TupleTableSlot *slot)
{
	ItemPointerData tid = *place;
	TM_FailureData failure;
	TM_Result	result;

	if (!table_tuple_fetch_row_version(rel, &tid, snapshot, slot))
		return false;
	result = table_tuple_lock(rel, &tid, snapshot, slot, GetCurrentCommandId(false),
							  LockTupleExclusive, LockWaitBlock, 0, &failure);
	if (result == TM_Updated || result == TM_Deleted)
	{
		changed_meanwhile();
		return false;
	}
	if (result != TM_Ok)
		elog(ERROR, "unexpected table_tuple_lock status: %d", result);
	return true;
}

/* Is the row deleted, by the deletion (NULL: by none) under which it was listed? */
static bool
is_as_listed(TupleTableSlot *row, const SdTable *table, TupleTableSlot *listed)
{
	bool		no_id;
	bool		isnull;
	Datum		wanted;
	Datum		id;

	if (sd_slot_is_live(row, table))
		return false;
	wanted = slot_getattr(listed, 2, &no_id);
	id = slot_getattr(row, table->deletion_id, &isnull);
	return isnull == no_id && (isnull || DatumGetInt64(id) == DatumGetInt64(wanted));
}

/*
 * Locks those of the rows (row_place, deletion_id) that are still deleted, by the
 * same deletion, and returns them as rows of heap->going.  Frees the argument.  Not by
 * a query: a join of places with the table makes a scan of its own for each row, which
 * takes longer than the deletion.
 */
SdRowset *
sd_heap_lock(SdHeap *heap, SdRowset *rows)
{
	Relation	rel = table_open(heap->relid, RowShareLock);
	List	   *atts = key_columns(heap);
	SdRowset   *locked = make_going(heap, atts);
	TupleTableSlot *listed = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	TupleTableSlot *row = table_slot_create(rel, NULL);
	Datum	   *values = palloc(locked->desc->natts * sizeof(Datum));
	bool	   *nulls = palloc0(locked->desc->natts * sizeof(bool));
	Snapshot	snapshot;
	SdTable		table;

	(void) sd_registered(heap->relid, &table);
	CommandCounterIncrement();
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	values[0] = ObjectIdGetDatum(heap->relid);
	tuplestore_rescan(rows->store);
	while (tuplestore_gettupleslot(rows->store, true, false, listed))
	{
		bool		isnull;
		ItemPointer place = (ItemPointer) DatumGetPointer(slot_getattr(listed, 1, &isnull));
		ListCell   *lc;
		int			n = 2;

		CHECK_FOR_INTERRUPTS();
		if (!lock_row(rel, place, snapshot, row) || !is_as_listed(row, &table, listed))
			continue;
		values[1] = PointerGetDatum(&row->tts_tid);
		foreach(lc, atts)
		{
			values[n] = slot_getattr(row, lfirst_int(lc), &nulls[n]);
			n++;
		}
		tuplestore_putvalues(locked->store, locked->desc, values, nulls);
	}
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(row);
	ExecDropSingleTupleTableSlot(listed);
	table_close(rel, NoLock);
	pfree(values);
	pfree(nulls);
	sd_rowset_free(rows);
	return locked;
}

void
sd_heap_add(SdRowset **to, SdRowset *rows)
{
	if (*to == NULL)
		*to = sd_rowset_create(rows->desc);
	sd_rowset_append(*to, rows);
}

int64
sd_heap_count(const SdRowset *rows)
{
	return rows ? sd_rowset_count(rows) : 0;
}

/*
 * The deleted rows of one heap, not chosen yet, that refer to these rows of
 * another, and are old enough; locked.
 */
static SdRowset *
rows_below(const SdForeignKey *fkey, SdRowset *parents, SdHeap *child)
{
	SdForeignKey own = *fkey;
	StringInfoData sql;
	SdStatement statement = {0};
	SdRowset   *rows = NULL;

	own.child = child->relid;
	for (int i = 0; i < fkey->nkeys; i++)
		own.child_att[i] = get_attnum(child->relid, get_attname(fkey->child, fkey->child_att[i], false));
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM ONLY %s c WHERE NOT %s AND EXISTS (SELECT FROM "
					 SD_ROWS_NAME " p WHERE ", sd_heap_listed_columns(child),
					 sd_quoted_relation(child->relid), sd_live_sql(child->relid, "c"));
	sd_fkey_match(&sql, &own, "p", SD_KEY_PREFIX, "c", NULL);
	appendStringInfoChar(&sql, ')');
	if (child->going)
		appendStringInfoString(&sql, " AND NOT EXISTS (SELECT FROM " SD_GOING_NAME " g"
							   " WHERE g." SD_ROW_PLACE " = c.ctid)");
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = child->relid;
	statement.latest = true;
	statement.ninputs = child->going ? 2 : 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = parents;
	statement.input_names[1] = SD_GOING_NAME;
	statement.inputs[1] = child->going;
	statement.result = &rows;
	sd_run(&statement);
	return sd_heap_lock(child, sd_heap_old_enough(child, rows));
}

/* One round: what refers to the rows that the last one found.  False: nothing. */
bool
sd_heaps_take_along(List *heaps, bool cascade_only)
{
	bool		found = false;
	List	   *frontiers = NIL;
	ListCell   *lc;
	ListCell   *lr;

	foreach(lc, heaps)
	{
		SdHeap	   *heap = lfirst(lc);

		frontiers = lappend(frontiers, heap->newest);
		heap->newest = NULL;
	}
	forboth(lc, heaps, lr, frontiers)
	{
		SdHeap	   *parent = lfirst(lc);
		SdRowset   *frontier = lfirst(lr);
		ListCell   *lf;
		ListCell   *ld;

		if (sd_heap_count(frontier) == 0)
			continue;
		foreach(lf, parent->fkeys)
			foreach(ld, heaps)
			{
				SdForeignKey *fkey = lfirst(lf);
				SdHeap	   *child = lfirst(ld);
				SdRowset   *rows;

				if (cascade_only && fkey->on_delete != FKCONSTR_ACTION_CASCADE)
					continue;
				if (!child->there || !sd_heap_is_within(child->relid, fkey->child))
					continue;
				rows = rows_below(fkey, frontier, child);
				if (sd_rowset_count(rows) > 0)
				{
					sd_heap_add(&child->going, rows);
					sd_heap_add(&child->newest, rows);
					found = true;
				}
				sd_rowset_free(rows);
			}
		sd_rowset_free(frontier);
	}
	return found;
}

/*
 * The places of those rows to which a row refers that stays: one that is not among
 * "all", which are rows (row_table, row_place); NULL: none is.
 */
SdRowset *
sd_heap_referred(const SdForeignKey *fkey, SdRowset *rows, SdRowset *all)
{
	StringInfoData sql;
	SdStatement statement = {0};
	SdRowset   *referred = NULL;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT p." SD_ROW_PLACE " FROM " SD_ROWS_NAME
					 " p WHERE EXISTS (SELECT FROM %s%s c WHERE ",
					 sd_only(fkey->child), sd_quoted_relation(fkey->child));
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "c", NULL);
	if (all)
		appendStringInfoString(&sql, " AND NOT EXISTS (SELECT FROM " SD_GOING_NAME " g WHERE g."
							   SD_ROW_TABLE " = c.tableoid AND g." SD_ROW_PLACE " = c.ctid)");
	appendStringInfoChar(&sql, ')');
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = fkey->child;
	statement.latest = true;
	statement.ninputs = all ? 2 : 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = rows;
	statement.input_names[1] = SD_GOING_NAME;
	statement.inputs[1] = all;
	statement.result = &referred;
	sd_run(&statement);
	return referred;
}

/* Where all rows are that go: row_table, row_place. */
SdRowset *
sd_heaps_going(List *heaps)
{
	TupleDesc	desc = CreateTemplateTupleDesc(2);
	SdRowset   *all;
	ListCell   *lc;

	TupleDescInitEntry(desc, 1, SD_ROW_TABLE, OIDOID, -1, 0);
	TupleDescInitEntry(desc, 2, SD_ROW_PLACE, TIDOID, -1, 0);
	all = sd_rowset_create(desc);
	foreach(lc, heaps)
	{
		SdHeap	   *heap = lfirst(lc);
		TupleTableSlot *slot;

		if (sd_heap_count(heap->going) == 0)
			continue;
		slot = MakeSingleTupleTableSlot(heap->going->desc, &TTSOpsMinimalTuple);
		tuplestore_rescan(heap->going->store);
		while (tuplestore_gettupleslot(heap->going->store, true, false, slot))
		{
			slot_getsomeattrs(slot, 2);
			tuplestore_putvalues(all->store, all->desc, slot->tts_values, slot->tts_isnull);
		}
		ExecDropSingleTupleTableSlot(slot);
	}
	return all;
}

/*
 * Really deletes the rows, or some of them, with the references that the journal has
 * of them; they are locked, and nobody refers to them.
 */
int64
sd_heap_delete(SdHeap *heap, int64 at_most)
{
	Relation	rel = table_open(heap->relid, RowExclusiveLock);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(heap->going->desc, &TTSOpsMinimalTuple);
	SdLinkRows *links = sd_link_rows(rel);
	bool		unlinked = sd_unlinked_any();
	TupleTableSlot *row = links || unlinked ? table_slot_create(rel, NULL) : NULL;
	CommandId	command;
	int64		rows = 0;

	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	command = GetCurrentCommandId(true);
	tuplestore_rescan(heap->going->store);
	while (rows < at_most && tuplestore_gettupleslot(heap->going->store, true, false, slot))
	{
		bool		isnull;
		ItemPointer place = (ItemPointer) DatumGetPointer(slot_getattr(slot, 2, &isnull));
		TM_FailureData failure;
		TM_Result	result;

		CHECK_FOR_INTERRUPTS();
		if (row)
		{
			if (!table_tuple_fetch_row_version(rel, place, GetActiveSnapshot(), row))
				elog(ERROR, "row of relation %u is not there", heap->relid);
			if (links)
				sd_link_rows_forget(links, row);
			if (unlinked)
				sd_unlinked_left(rel, row, NULL);
		}
		result = table_tuple_delete(rel, place, command, GetActiveSnapshot(), InvalidSnapshot,
									true, &failure, false);
		if (result != TM_Ok)
			elog(ERROR, "unexpected table_tuple_delete status: %d", result);
		rows++;
	}
	PopActiveSnapshot();
	CommandCounterIncrement();
	ExecDropSingleTupleTableSlot(slot);
	if (row)
		ExecDropSingleTupleTableSlot(row);
	table_close(rel, NoLock);
	return rows;
}

/*
 * Does a row go by one operation?  It need not be locked first where no foreign key
 * references the table, so that nobody is to be asked about it, and no reference that
 * the journal has of its rows is to be forgotten.
 */
bool
sd_heap_is_bare(const SdHeap *heap)
{
	Relation	rel;
	SdLinkRows *links;

	if (heap->fkeys != NIL || sd_unlinked_any())
		return false;
	rel = table_open(heap->relid, NoLock);
	links = sd_link_rows(rel);
	table_close(rel, NoLock);
	return links == NULL;
}

/*
 * Really deletes those rows (row_place, deletion_id) of a bare heap that are still as
 * they were listed.  Frees the argument.  A deletion takes the version that is seen,
 * or, when somebody has changed the row meanwhile, none.
 */
int64
sd_heap_delete_bare(SdHeap *heap, SdRowset *rows, int64 at_most)
{
	Relation	rel = table_open(heap->relid, RowExclusiveLock);
	TupleTableSlot *listed = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	TupleTableSlot *row = table_slot_create(rel, NULL);
	CommandId	command;
	SdTable		table;
	int64		deleted = 0;

	(void) sd_registered(heap->relid, &table);
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	command = GetCurrentCommandId(true);
	tuplestore_rescan(rows->store);
	while (deleted < at_most && tuplestore_gettupleslot(rows->store, true, false, listed))
	{
		bool		isnull;
		ItemPointerData place = *(ItemPointer) DatumGetPointer(slot_getattr(listed, 1, &isnull));
		TM_FailureData failure;
		TM_Result	result;

		CHECK_FOR_INTERRUPTS();
		if (!table_tuple_fetch_row_version(rel, &place, GetActiveSnapshot(), row) ||
			!is_as_listed(row, &table, listed))
			continue;
		ExecClearTuple(row);
		result = table_tuple_delete(rel, &place, command, GetActiveSnapshot(), InvalidSnapshot,
									true, &failure, false);
		if (result == TM_Ok)
			deleted++;
		else if (result == TM_Updated || result == TM_Deleted)
			changed_meanwhile();
		else
			elog(ERROR, "unexpected table_tuple_delete status: %d", result);
	}
	PopActiveSnapshot();
	CommandCounterIncrement();
	ExecDropSingleTupleTableSlot(row);
	ExecDropSingleTupleTableSlot(listed);
	table_close(rel, NoLock);
	sd_rowset_free(rows);
	return deleted;
}
