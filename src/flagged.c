/*
 * flagged.c - UPDATEs that set the flag.
 *
 * An application that soft-deletes by itself writes the flag.  That stays an UPDATE
 * to its author: tag, rights, triggers, the value written.  For what hangs below it
 * is a deletion: the row gets this transaction's deletion_id, its keys are taken
 * down, and the statement cascades when its rows are processed, as a DELETE does.
 *
 * One that makes a deleted row live is an undelete of that row alone.  Its parents
 * must be live; they are looked at, under the lock of a new reference, when all rows
 * are processed, because the statement may bring them back too.
 *
 * All of this is one virtual BEFORE UPDATE trigger behind those of the user, so that
 * what it sees is what will be written.  What it needs is made with the first row
 * that changes its state: frameworks write all columns, the flag as it was.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "cascade.h"
#include "catalog/pg_trigger.h"
#include "deletion.h"
#include "flagged.h"
#include "fkey.h"
#include "miscadmin.h"
#include "registry.h"
#include "update.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"

struct SdFlagged
{
	SdTarget   *target;
	EState	   *estate;
	List	   *revived;		/* Revived */
	HTAB	   *counts;			/* Count; NULL: no row has been revived */
};

/* Rows of one result relation that become live, as they will be. */
typedef struct Revived
{
	Relation	rel;
	List	   *fkeys;			/* SdForeignKey to registered tables */
	Tuplestorestate *rows;
} Revived;

/* Rows that become live, by the deletion that took them. */
typedef struct Count
{
	int64		deletion;		/* hash key; 0: none is known */
	int64		rows;
} Count;

/* Of one result relation. */
typedef struct FlaggedLeaf
{
	SdFlagged  *flagged;
	bool		lock;			/* are deleted rows locked as by a DELETE? */
	bool		looked;			/* is the next known? */
	List	   *captures;		/* of sd_leaf_captures() */
	Revived    *revived;		/* NULL: none yet */
} FlaggedLeaf;

/*
 * For one ModifyTable of an UPDATE that names the flag; "first" if the log wants to
 * know with which rows the deletion begins.  Lives as long as the EState.
 */
SdFlagged *
sd_flagged_create(EState *estate, ModifyTableState *state, bool first)
{
	SdFlagged  *flagged = palloc0(sizeof(SdFlagged));

	flagged->estate = estate;
	flagged->target = palloc0(sizeof(SdTarget));
	flagged->target->state = state;
	flagged->target->flagged = flagged;
	flagged->target->rel = state->rootResultRelInfo->ri_RelationDesc;
	if (first)
		flagged->target->root = sd_root_create(RelationGetRelid(flagged->target->rel));
	return flagged;
}

/* What it deletes, for the statement's end. */
SdTarget *
sd_flagged_target(SdFlagged *flagged)
{
	return flagged->target;
}

/* ---------- rows ---------- */

/* The row is deleted: it gets a deletion_id, and its keys are taken down. */
static void
note_deleted(SdVirtual *v, TriggerData *data)
{
	FlaggedLeaf *leaf = v->arg;
	Relation	rel = data->tg_relation;
	int			column = v->table.deletion_id;
	Datum		id = Int64GetDatum(sd_deletion_id());
	bool		isnull = false;

	if (leaf->lock)
		sd_lock_deleted_row(v, data);
	if (!leaf->looked)
	{
		MemoryContext old = MemoryContextSwitchTo(v->estate->es_query_cxt);

		leaf->captures = sd_leaf_captures(leaf->flagged->target, rel, v->estate->es_query_cxt);
		leaf->looked = true;
		MemoryContextSwitchTo(old);
	}
	leaf->flagged->target->rows++;
	if (leaf->flagged->target->root)
		sd_root_add(leaf->flagged->target->root, rel, data->tg_trigtuple);
	sd_capture_row(leaf->captures, rel, data->tg_trigtuple);
	data->tg_newtuple = heap_modify_tuple_by_cols(data->tg_newtuple, RelationGetDescr(rel), 1,
												  &column, &id, &isnull);
}

static Revived *
make_revived(SdFlagged *flagged, Relation rel)
{
	Revived    *revived = palloc0(sizeof(Revived));
	ListCell   *lc;

	revived->rel = rel;
	revived->rows = tuplestore_begin_heap(false, false, work_mem);
	foreach(lc, sd_fkeys_from(rel))
		if (sd_registered(((SdForeignKey *) lfirst(lc))->parent, NULL))
			revived->fkeys = lappend(revived->fkeys, lfirst(lc));
	flagged->revived = lappend(flagged->revived, revived);
	return revived;
}

static void
count_revived(SdFlagged *flagged, int64 deletion)
{
	Count	   *count;
	bool		found;

	if (flagged->counts == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(int64),.entrysize = sizeof(Count)};

		control.hcxt = flagged->estate->es_query_cxt;
		flagged->counts = hash_create("softdelete revived rows", 16, &control,
									  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	count = hash_search(flagged->counts, &deletion, HASH_ENTER, &found);
	count->rows = found ? count->rows + 1 : 1;
}

/* The row becomes live: it is kept until its parents can be looked at. */
static void
note_revived(SdVirtual *v, TriggerData *data)
{
	FlaggedLeaf *leaf = v->arg;
	MemoryContext old = MemoryContextSwitchTo(v->estate->es_query_cxt);
	bool		isnull;
	Datum		deletion = heap_getattr(data->tg_trigtuple, v->table.deletion_id,
										RelationGetDescr(data->tg_relation), &isnull);

	if (leaf->revived == NULL)
		leaf->revived = make_revived(leaf->flagged, data->tg_relation);
	if (leaf->revived->fkeys)
		tuplestore_puttuple(leaf->revived->rows, data->tg_newtuple);
	count_revived(leaf->flagged, isnull ? 0 : DatumGetInt64(deletion));
	MemoryContextSwitchTo(old);
}

/* Does the UPDATE delete the row, or make it live?  Error 0A000 if it sets deletion_id. */
static bool
note_change(SdVirtual *v, TriggerData *data)
{
	bool		before = sd_row_is_live(v, data->tg_trigtuple);
	bool		after = sd_row_is_live(v, data->tg_newtuple);

	sd_refuse_new_deletion_id(v, data);
	if (before && !after)
		note_deleted(v, data);
	else if (!before && after)
		note_revived(v, data);
	return true;
}

/* Watches one registered result relation of the UPDATE. */
void
sd_arm_flagged(SdFlagged *flagged, EState *estate, ResultRelInfo *leaf, const SdTable *table)
{
	FlaggedLeaf *watched = palloc0(sizeof(FlaggedLeaf));

	watched->flagged = flagged;
	watched->lock = sd_deletes_need_lock(leaf->ri_RelationDesc);
	(void) sd_append_virtual(estate, leaf, TRIGGER_TYPE_UPDATE, table, note_change, watched);
}

/* ---------- when all rows are processed ---------- */

static void
check_parents(Revived *revived)
{
	TupleTableSlot *row = MakeSingleTupleTableSlot(RelationGetDescr(revived->rel), &TTSOpsMinimalTuple);

	while (tuplestore_gettupleslot(revived->rows, true, false, row))
	{
		ListCell   *lc;

		foreach(lc, revived->fkeys)
			sd_check_live_parent(lfirst(lc), revived->rel, row);
	}
	ExecDropSingleTupleTableSlot(row);
	tuplestore_end(revived->rows);
}

/*
 * Looks at the parents of the rows that have become live, and logs them as undeleted.
 * Error 23503.
 */
void
sd_flagged_revived(SdFlagged *flagged)
{
	Oid			relid = sd_partition_root(RelationGetRelid(flagged->target->rel));
	HASH_SEQ_STATUS scan;
	Count	   *count;
	ListCell   *lc;

	if (flagged->counts == NULL)
		return;
	foreach(lc, flagged->revived)
		check_parents(lfirst(lc));
	hash_seq_init(&scan, flagged->counts);
	while ((count = hash_seq_search(&scan)) != NULL)
		sd_event_log("undelete", count->deletion, relid, count->rows);
	sd_deletion_returned(list_make1_oid(relid));
}
