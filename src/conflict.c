/*
 * conflict.c - new rows that meet a deleted one on a unique key.
 *
 * Keys that are partial over live rows do not know of deleted rows, and an
 * INSERT ... ON CONFLICT is made to find them.  What is left are the keys that
 * count all rows, the primary key among them (keys.c).  Before a row is inserted
 * that does not draw its key from a sequence, or before an UPDATE changes such a
 * key, a virtual trigger (triggers.c) looks for a deleted row that has it:
 *
 *   - where no foreign key references the key, nor anything the deleted row by
 *     another one, the deleted row moves to the journal (image.c);
 *   - else the new row is refused with 23505, naming the deletion.
 *
 * ON CONFLICT DO UPDATE gets one more condition on the existing row, which raises
 * an error where somebody deletes the row in between.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/sysattr.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "cascade.h"
#include "catalog/index.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "conflict.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "fkey.h"
#include "fullkeys.h"
#include "fmgr.h"
#include "image.h"
#include "keys.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_func.h"
#include "run.h"
#include "storage/lmgr.h"
#include "update.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

static void
refuse_deleted(Oid relid, bool has_deletion, int64 deletion)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("a deleted row of table \"%s\" has the same key", get_rel_name(relid)),
			 has_deletion ?
			 errdetail("It was deleted by deletion " INT64_FORMAT ".", deletion) : 0,
			 has_deletion ?
			 errhint("Use another key, or bring the row back with softdelete_undelete() or softdelete_undelete_deletion(" INT64_FORMAT ").",
					 deletion) :
			 errhint("Use another key, or bring the row back with softdelete_undelete().")));
}

PG_FUNCTION_INFO_V1(softdelete_require_live);

/*
 * softdelete.require_live(table, flag, deletion_id): true for a live row, error
 * 23505 for a deleted one.
 */
Datum
softdelete_require_live(PG_FUNCTION_ARGS)
{
	if (!PG_ARGISNULL(1) && !PG_GETARG_BOOL(1))
		refuse_deleted(PG_GETARG_OID(0), !PG_ARGISNULL(2),
					   PG_ARGISNULL(2) ? 0 : PG_GETARG_INT64(2));
	PG_RETURN_BOOL(true);
}

/*
 * Makes ON CONFLICT find keys that are partial over live rows; DO UPDATE refuses
 * deleted rows, and to set the flag or deletion_id.
 */
void
sd_conflict_convert(Query *query, RangeTblEntry *rte, const SdTable *table)
{
	OnConflictExpr *conflict = query->onConflict;
	ListCell   *lc;
	Oid			function;
	Expr	   *live;

	if (conflict->arbiterElems)
	{
		Node	   *where = (Node *) sd_live_condition(table, query->resultRelation);

		conflict->arbiterWhere = conflict->arbiterWhere ?
			make_and_qual(conflict->arbiterWhere, where) : where;
	}
	if (conflict->action != ONCONFLICT_UPDATE)
		return;
	foreach(lc, conflict->onConflictSet)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);

		if (!entry->resjunk &&
			(entry->resno == table->flag || entry->resno == table->deletion_id))
			sd_refuse_flag_change(rte->relid, entry->resno);
	}
	function = LookupFuncName(list_make2(makeString(SD_SCHEMA), makeString("require_live")),
							  -1, NULL, false);
	live = (Expr *)
		makeFuncExpr(function, BOOLOID,
					 list_make3(makeConst(REGCLASSOID, -1, InvalidOid, sizeof(Oid),
										  ObjectIdGetDatum(rte->relid), false, true),
								sd_live_condition(table, query->resultRelation),
								makeVar(query->resultRelation, table->deletion_id, INT8OID, -1, InvalidOid, 0)),
					 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
	conflict->onConflictWhere = conflict->onConflictWhere ?
		make_and_qual((Node *) live, conflict->onConflictWhere) : (Node *) live;
}

/* ---------- keys that count all rows ---------- */

/* A key that a new row may have in common with a deleted one. */
typedef struct FullKey
{
	Oid			index;
	IndexInfo  *info;
	bool		exclusion;
	Bitmapset  *used;			/* its columns and those of its condition */
} FullKey;

static FullKey *
make_key(const SdFullKey *full)
{
	Relation	index = index_open(full->index, AccessShareLock);
	FullKey    *key = palloc(sizeof(FullKey));

	key->index = full->index;
	key->info = BuildIndexInfo(index);
	key->used = full->used;
	key->exclusion = key->info->ii_ExclusionOps != NULL;
	if (!key->exclusion)
		BuildSpeculativeIndexInfo(index, key->info);
	index_close(index, NoLock);
	return key;
}

/*
 * The keys of a registered table that count deleted rows too, in the current
 * memory context: of an INSERT those without a column that it draws from a
 * sequence; all for none.
 */
List *
sd_conflict_keys(Relation rel, const SdTable *table, const Bitmapset *drawn)
{
	List	   *chosen = NIL;
	List	   *keys = NIL;
	ListCell   *lc;

	foreach(lc, sd_full_keys(rel, table))
	{
		SdFullKey  *full = lfirst(lc);
		SdFullKey  *copy;

		if (bms_overlap(full->columns, drawn))
			continue;
		copy = palloc(sizeof(SdFullKey));
		*copy = *full;
		copy->columns = NULL;
		copy->used = bms_copy(full->used);
		chosen = lappend(chosen, copy);
	}
	foreach(lc, chosen)
		keys = lappend(keys, make_key(lfirst(lc)));
	return keys;
}

static Relation
open_index(ResultRelInfo *rel, Oid index)
{
	for (int i = 0; i < rel->ri_NumIndices; i++)
		if (rel->ri_IndexRelationDescs[i] &&
			RelationGetRelid(rel->ri_IndexRelationDescs[i]) == index)
			return rel->ri_IndexRelationDescs[i];
	return NULL;
}

/*
 * Finds a deleted row that has the key of the new one, or a live one too, but
 * not the one at "self", and puts it into "holder".  Waits for transactions that have yet to decide.
 * Follows check_exclusion_or_unique_constraint() in executor/execIndexing.c.
 */
static bool
find_holder(Relation heap, Relation index, FullKey *key, EState *estate, const SdTable *table,
			Datum *values, bool *isnull, bool live_too, ItemPointer self, TupleTableSlot *holder)
{
	int			n = IndexRelationGetNumberOfKeyAttributes(index);
	Oid		   *procs = key->exclusion ? key->info->ii_ExclusionProcs : key->info->ii_UniqueProcs;
	uint16	   *strategies = key->exclusion ? key->info->ii_ExclusionStrats : key->info->ii_UniqueStrats;
	ScanKeyData scankeys[INDEX_MAX_KEYS];
	SnapshotData dirty;

	InitDirtySnapshot(dirty);
	for (int i = 0; i < n; i++)
	{
		if (isnull[i] && !key->info->ii_NullsNotDistinct)
			return false;
		ScanKeyEntryInitialize(&scankeys[i], isnull[i] ? SK_ISNULL | SK_SEARCHNULL : 0, i + 1,
							   strategies[i], InvalidOid, index->rd_indcollation[i],
							   procs[i], values[i]);
	}
	for (;;)
	{
		IndexScanDesc scan = sd_index_beginscan(heap, index, &dirty, n);
		TransactionId wait = InvalidTransactionId;
		bool		found = false;

		index_rescan(scan, scankeys, n, NULL, 0);
		while (!found && index_getnext_slot(scan, ForwardScanDirection, holder))
		{
			if (self && ItemPointerEquals(self, &holder->tts_tid))
				continue;
			if (scan->xs_recheck)
			{
				ExprContext *econtext = GetPerTupleExprContext(estate);
				TupleTableSlot *saved = econtext->ecxt_scantuple;
				Datum		existing[INDEX_MAX_KEYS];
				bool		existing_null[INDEX_MAX_KEYS];
				bool		same = true;

				econtext->ecxt_scantuple = holder;
				FormIndexDatum(key->info, holder, estate, existing, existing_null);
				econtext->ecxt_scantuple = saved;
				for (int i = 0; same && i < n; i++)
					same = !existing_null[i] &&
						DatumGetBool(OidFunctionCall2Coll(procs[i], index->rd_indcollation[i],
														  existing[i], values[i]));
				if (!same)
					continue;
			}
			wait = TransactionIdIsValid(dirty.xmin) ? dirty.xmin : dirty.xmax;
			if (TransactionIdIsValid(wait))
				break;
			found = live_too || !sd_slot_is_live(holder, table);
		}
		index_endscan(scan);
		if (!TransactionIdIsValid(wait))
			return found;
		if (dirty.speculativeToken)
			SpeculativeInsertionWait(dirty.xmin, dirty.speculativeToken);
		else
			XactLockTableWait(wait, heap, &holder->tts_tid, XLTW_InsertIndex);
	}
}

/*
 * Will ON CONFLICT take care of the row anyway, because it meets a live one?
 */
static bool
meets_live_row(ResultRelInfo *rel, TupleTableSlot *slot, EState *estate, const SdTable *table)
{
	TupleTableSlot *existing = table_slot_create(rel->ri_RelationDesc, NULL);
	bool		live = false;

	for (int i = 0; !live && i < rel->ri_NumIndices; i++)
	{
		Relation	index = rel->ri_IndexRelationDescs[i];
		ItemPointerData tid;

		if (index == NULL || !(index->rd_index->indisunique || index->rd_index->indisexclusion) ||
			!index->rd_index->indimmediate ||
			(rel->ri_onConflictArbiterIndexes &&
			 !list_member_oid(rel->ri_onConflictArbiterIndexes, RelationGetRelid(index))))
			continue;
		if (!sd_check_index_constraints(rel, slot, estate, &tid,
										list_make1_oid(RelationGetRelid(index))) &&
			table_tuple_fetch_row_version(rel->ri_RelationDesc, &tid, SnapshotAny, existing))
			live = sd_slot_is_live(existing, table);
	}
	ExecDropSingleTupleTableSlot(existing);
	return live;
}

/* Does any row, live or deleted, refer to this one? */
static bool
is_referenced(Relation rel, TupleTableSlot *row)
{
	ListCell   *lc;

	foreach(lc, sd_fkeys_referencing(rel, false))
		if (sd_row_is_referenced(lfirst(lc), rel, row))
			return true;
	return false;
}

static void
refuse_key(Relation rel, Relation index, TupleTableSlot *holder, const SdTable *table,
		   Datum *values, bool *isnull, bool exclusion)
{
	char	   *description = BuildIndexValueDescription(index, values, isnull);
	const char *key = description ? psprintf("Key %s", description) : "The key";
	bool		null;
	bool		live = sd_slot_is_live(holder, table);
	int64		deletion = DatumGetInt64(slot_getattr(holder, table->deletion_id, &null));

	ereport(ERROR,
			(errcode(exclusion ? ERRCODE_EXCLUSION_VIOLATION : ERRCODE_UNIQUE_VIOLATION),
			 exclusion ?
			 errmsg("conflicting key value violates exclusion constraint \"%s\"",
					RelationGetRelationName(index)) :
			 errmsg("duplicate key value violates unique constraint \"%s\"",
					RelationGetRelationName(index)),
			 live ?
			 errdetail("%s has been taken by a live row.", key) :
			 null ?
			 errdetail("%s belongs to a deleted row that foreign keys reference.", key) :
			 errdetail("%s belongs to a row that deletion " INT64_FORMAT " has taken and that foreign keys reference.",
					   key, deletion),
			 live ?
			 errhint("Delete that row or change its key, and undelete again.") :
			 null ?
			 errhint("Use another key, or bring the row back with softdelete_undelete().") :
			 errhint("Use another key, or bring the row back with softdelete_undelete() or softdelete_undelete_deletion(" INT64_FORMAT ").",
					 deletion),
			 errtableconstraint(rel, RelationGetRelationName(index))));
}

/* The row with its stored generated columns, of which a key may be made. */
static TupleTableSlot *
with_generated(ResultRelInfo *rel, TupleTableSlot *slot, EState *estate)
{
	TupleConstr *constr = RelationGetDescr(rel->ri_RelationDesc)->constr;
	TupleTableSlot *computed;

	if (constr == NULL || !constr->has_generated_stored)
		return slot;
	computed = MakeSingleTupleTableSlot(RelationGetDescr(rel->ri_RelationDesc), &TTSOpsHeapTuple);
	ExecCopySlot(computed, slot);
	ExecComputeStoredGenerated(rel, estate, computed, CMD_INSERT);
	return computed;
}

/* Have two versions of a row the same key, and meet its condition alike? */
static bool
is_same_key(const FullKey *key, TupleTableSlot *old, TupleTableSlot *slot)
{
	int			member = -1;

	while ((member = bms_next_member(key->used, member)) >= 0)
	{
		AttrNumber	att = member + FirstLowInvalidHeapAttributeNumber;
		Form_pg_attribute type;
		bool		null_before;
		bool		null_after;
		Datum		before;
		Datum		after;

		if (att <= 0)
			return false;
		type = TupleDescAttr(slot->tts_tupleDescriptor, att - 1);
		before = slot_getattr(old, att, &null_before);
		after = slot_getattr(slot, att, &null_after);
		if (null_before != null_after ||
			(!null_before && !datumIsEqual(before, after, type->attbyval, type->attlen)))
			return false;
	}
	return true;
}

static void
free_key(ResultRelInfo *rel, FullKey *key, TupleTableSlot *slot, EState *estate,
		 const SdTable *table, SdNewRow kind, TupleTableSlot *old, TupleTableSlot *holder)
{
	Relation	index = open_index(rel, key->index);
	ExprContext *econtext = GetPerTupleExprContext(estate);
	TupleTableSlot *saved = econtext->ecxt_scantuple;
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull[INDEX_MAX_KEYS];
	bool		counts = true;

	if (index == NULL || (old && is_same_key(key, old, slot)))
		return;
	econtext->ecxt_scantuple = slot;
	if (key->info->ii_Predicate && key->info->ii_PredicateState == NULL)
		key->info->ii_PredicateState = ExecPrepareQual(key->info->ii_Predicate, estate);
	if (key->info->ii_Predicate)
		counts = ExecQual(key->info->ii_PredicateState, econtext);
	if (counts)
		FormIndexDatum(key->info, slot, estate, values, isnull);
	econtext->ecxt_scantuple = saved;
	if (!counts)
		return;
	while (find_holder(rel->ri_RelationDesc, index, key, estate, table, values, isnull,
					   kind == SD_NEW_IMAGE, old ? &old->tts_tid : NULL, holder))
	{
		if (kind == SD_NEW_ON_CONFLICT && meets_live_row(rel, slot, estate, table))
			return;
		if (sd_slot_is_live(holder, table) ||
			sd_key_is_referenced(key->index) || is_referenced(rel->ri_RelationDesc, holder))
			refuse_key(rel->ri_RelationDesc, index, holder, table, values, isnull, key->exclusion);
		(void) sd_image_move(rel->ri_RelationDesc, holder, table);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Before a row is inserted, or its keys are changed: frees those keys that
 * deleted rows have.  The indexes are open, as the executor opens them before it
 * fires triggers.  "old" is the row that is updated, or NULL; "holder" a slot of
 * the table to work with.  Error 23505 (23P01) where a key is referenced.
 */
void
sd_conflict_free_keys(ResultRelInfo *rel, List *keys, TupleTableSlot *slot, EState *estate,
					  const SdTable *table, SdNewRow kind, TupleTableSlot *old,
					  TupleTableSlot *holder)
{
	TupleTableSlot *complete = with_generated(rel, slot, estate);
	ListCell   *lc;

	foreach(lc, keys)
	{
		free_key(rel, lfirst(lc), complete, estate, table, kind, old, holder);
		ExecClearTuple(holder);
	}
	if (complete != slot)
		ExecDropSingleTupleTableSlot(complete);
}
