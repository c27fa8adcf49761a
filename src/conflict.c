/*
 * conflict.c - INSERT ... ON CONFLICT that meets a deleted row.
 *
 * A deleted row holds its unique keys.  DO UPDATE would change a row that
 * nobody sees, and DO NOTHING would skip the new one for it: in both cases the
 * data that the user has just stored would be hidden.  Both are refused with
 * the error of a plain INSERT, 23505, naming the deletion.
 *
 * DO UPDATE gets one more condition on the existing row, which raises the
 * error; DO NOTHING evaluates nothing there, so a virtual trigger looks first
 * (triggers.c).
 */
#include "postgres.h"

#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "conflict.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_func.h"
#include "triggers.h"
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
 * Makes ON CONFLICT DO UPDATE refuse deleted rows, and to set the flag or
 * deletion_id.
 */
void
sd_conflict_convert(Query *query, RangeTblEntry *rte, const SdTable *table)
{
	OnConflictExpr *conflict = query->onConflict;
	ListCell   *lc;
	Oid			function;
	Expr	   *live;

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
								makeVar(query->resultRelation, table->flag, BOOLOID, -1, InvalidOid, 0),
								makeVar(query->resultRelation, table->deletion_id, INT8OID, -1, InvalidOid, 0)),
					 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
	conflict->onConflictWhere = conflict->onConflictWhere ?
		make_and_qual((Node *) live, conflict->onConflictWhere) : (Node *) live;
}

/*
 * Before ON CONFLICT DO NOTHING inserts a row: does it conflict with a deleted
 * one?  The indexes are open, as the executor opens them before it fires
 * triggers.
 */
void
sd_conflict_check(ResultRelInfo *rel, TupleTableSlot *slot, EState *estate,
				  const SdTable *table)
{
	ItemPointerData tid;
	TupleTableSlot *existing;
	bool		live_null;
	bool		deletion_null;
	bool		live;
	int64		deletion;
	TupleConstr *constr = RelationGetDescr(rel->ri_RelationDesc)->constr;
	bool		free_of_conflicts;

	if (constr && constr->has_generated_stored)
	{
		/* they are not computed yet, and a key may be made of them */
		TupleTableSlot *computed = MakeSingleTupleTableSlot(RelationGetDescr(rel->ri_RelationDesc),
															&TTSOpsHeapTuple);

		ExecCopySlot(computed, slot);
		ExecComputeStoredGenerated(rel, estate, computed, CMD_INSERT);
		free_of_conflicts = sd_check_index_constraints(rel, computed, estate, &tid,
													   rel->ri_onConflictArbiterIndexes);
		ExecDropSingleTupleTableSlot(computed);
	}
	else
		free_of_conflicts = sd_check_index_constraints(rel, slot, estate, &tid,
													   rel->ri_onConflictArbiterIndexes);
	if (free_of_conflicts)
		return;
	existing = table_slot_create(rel->ri_RelationDesc, NULL);
	if (!table_tuple_fetch_row_version(rel->ri_RelationDesc, &tid, SnapshotAny, existing))
		elog(ERROR, "could not fetch the conflicting row");
	live = DatumGetBool(slot_getattr(existing, table->flag, &live_null));
	deletion = DatumGetInt64(slot_getattr(existing, table->deletion_id, &deletion_null));
	ExecDropSingleTupleTableSlot(existing);
	if (!live)
		refuse_deleted(RelationGetRelid(rel->ri_RelationDesc), !deletion_null, deletion);
}
