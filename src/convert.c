/*
 * convert.c - the DELETE that becomes an UPDATE.
 *
 * Before planning, a DELETE of a registered table, at the top, in a
 * data-modifying CTE or as an action of MERGE, becomes an UPDATE of the flag
 * and deletion_id.  Its range-table entry keeps the DELETE privilege as the
 * one required: that decides what the user must be allowed, and it is how
 * planner and executor recognise a conversion, in cached plans too.
 *
 * The columns said to be updated are all of them: where foreign keys reference
 * the table or triggers watch its deletes the executor then takes the lock of a
 * DELETE in one step, and a concurrent reference to the row waits.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/heap.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "conflict.h"
#include "convert.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "registry.h"
#include "rewrite/rewriteManip.h"
#include "settings.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* Names of the columns by which the plan hands old values to RETURNING. */
#define OLD_PREFIX "softdelete_old_"
#define OLD_DELETION_ID OLD_PREFIX "deletion_id"

/*
 * Has a MERGE actions that really delete?  Conversion leaves none.
 */
bool
sd_merge_deletes(List *actions)
{
	ListCell   *lc;

	foreach(lc, actions)
		if (lfirst_node(MergeAction, lc)->commandType == CMD_DELETE)
			return true;
	return false;
}

/*
 * Is range-table entry rti the target of a converted DELETE, or of a MERGE
 * with one?  Such a statement acts on live rows, whatever the session shows.
 */
bool
sd_is_converted_target(Query *query, Index rti)
{
	RangeTblEntry *rte;
	AclMode		required;

	if (query->resultRelation != rti ||
		(query->commandType != CMD_UPDATE && query->commandType != CMD_MERGE))
		return false;
	rte = rt_fetch(rti, query->rtable);
	if (!sd_has_permissions(rte))
		return false;
	required = sd_query_permissions(query, rte)->requiredPerms;
	if (query->commandType == CMD_MERGE)
		return (required & ACL_DELETE) != 0 && !sd_merge_deletes(query->mergeActionList);
	return (required & ACL_DELETE) != 0 && (required & ACL_UPDATE) == 0;
}

static List *
flag_target_list(Oid relid, const SdTable *table)
{
	return list_make2(makeTargetEntry(sd_deleted_flag(relid, table), table->flag,
									  get_attname(relid, table->flag, false), false),
					  makeTargetEntry(sd_new_deletion_id(), table->deletion_id,
									  get_attname(relid, table->deletion_id, false), false));
}

/*
 * Says that all columns are updated.  So the executor takes the lock of a DELETE
 * where triggers make it lock; and it does not take the new index entries for
 * those of a logically unchanged row, which would make it look, in vain, for old
 * versions to remove whenever an index page is full: in a cascade they are all
 * of the running transaction.
 */
static void
set_updated_columns(SdPermissions *permissions, Oid relid)
{
	Relation	rel = table_open(relid, NoLock);

	for (int att = 1; att <= RelationGetNumberOfAttributes(rel); att++)
		permissions->updatedCols = bms_add_member(permissions->updatedCols,
												  att - FirstLowInvalidHeapAttributeNumber);
	table_close(rel, NoLock);
}

#if !SD_RETURNING_OLD
typedef struct ReturningContext
{
	Oid			relid;
	SdTable		table;
	List	   *kept;			/* attribute numbers whose old values the plan
								 * must hand over */
} ReturningContext;

static Node *
old_value(Var *var, replace_rte_variables_context *replace)
{
	ReturningContext *context = replace->callback_arg;

	if (var->varattno == context->table.flag)
		return (Node *) sd_live_flag(&context->table);
	if (var->varattno == InvalidAttrNumber)
	{
		Relation	rel = table_open(context->relid, NoLock);
		TupleDesc	desc = RelationGetDescr(rel);
		RowExpr    *row = makeNode(RowExpr);

		for (int i = 0; i < desc->natts; i++)
		{
			Form_pg_attribute att = TupleDescAttr(desc, i);

			row->colnames = lappend(row->colnames,
									makeString(pstrdup(NameStr(att->attname))));
			if (att->attisdropped)
				row->args = lappend(row->args, makeNullConst(INT4OID, -1, InvalidOid));
			else
			{
				Var		   *column = makeVar(var->varno, i + 1, att->atttypid, att->atttypmod,
											 att->attcollation, var->varlevelsup);

				row->args = lappend(row->args, old_value(column, replace));
			}
		}
		row->row_typeid = var->vartype;
		row->row_format = COERCE_IMPLICIT_CAST;
		row->location = -1;
		table_close(rel, NoLock);
		return (Node *) row;
	}
	if (var->varattno == context->table.deletion_id ||
		(var->varattno < 0 && var->varattno != TableOidAttributeNumber))
		context->kept = list_append_unique_int(context->kept, var->varattno);
	return (Node *) copyObject(var);
}

/*
 * Makes RETURNING of a converted DELETE show the row as it was.  What the
 * UPDATE changes, and the system columns, travel through the plan; see
 * sd_convert_returning() for the other end.
 */
static void
convert_returning(SdPlanning *planning, Query *query, Oid relid, const SdTable *table)
{
	ReturningContext context = {.relid = relid,.table = *table};
	ListCell   *lc;

	query->returningList = (List *)
		replace_rte_variables((Node *) query->returningList, query->resultRelation,
							  0, old_value, &context, &query->hasSubLinks);
	planning->old_values |= context.kept != NIL;
	foreach(lc, context.kept)
	{
		AttrNumber	att = lfirst_int(lc);
		Var		   *var;
		char	   *name;

		if (att == table->deletion_id)
		{
			var = makeVar(query->resultRelation, att, INT8OID, -1, InvalidOid, 0);
			name = OLD_DELETION_ID;
		}
		else
		{
			const FormData_pg_attribute *system = SystemAttributeDefinition(att);

			var = makeVar(query->resultRelation, att, system->atttypid,
						  system->atttypmod, system->attcollation, 0);
			name = psprintf(OLD_PREFIX "%d", att);
		}
		query->targetList = lappend(query->targetList,
									makeTargetEntry((Expr *) var,
													list_length(query->targetList) + 1,
													name, true));
	}
}
#else
static Node *
old_value(Var *var, replace_rte_variables_context *replace)
{
	Var		   *copy;

	if (var->varreturningtype == VAR_RETURNING_NEW)
		return (Node *) makeNullConst(var->vartype, var->vartypmod, var->varcollid);
	copy = copyObject(var);
	copy->varreturningtype = VAR_RETURNING_OLD;
	return (Node *) copy;
}

/* Makes RETURNING of a converted DELETE show the row as it was. */
static void
convert_returning(SdPlanning *planning, Query *query, Oid relid, const SdTable *table)
{
	query->returningList = (List *)
		replace_rte_variables((Node *) query->returningList, query->resultRelation,
							  0, old_value, NULL, &query->hasSubLinks);
}
#endif

static bool
convert_delete(SdPlanning *planning, Query *query, RangeTblEntry *rte, const SdTable *table)
{
	query->commandType = CMD_UPDATE;
	query->targetList = flag_target_list(rte->relid, table);
	set_updated_columns(sd_query_permissions(query, rte), rte->relid);
	if (query->returningList)
		convert_returning(planning, query, rte->relid, table);
	return true;
}

/* ---------- RETURNING of MERGE (17) ---------- */

typedef struct MergeContext
{
	Index		rti;			/* target */
	Oid			relid;
	SdTable		table;
	int			depth;			/* of subqueries */
} MergeContext;

static Var *
merge_column(const MergeContext *context, AttrNumber att)
{
	Oid			type;
	int32		typmod;
	Oid			collation;

	get_atttypetypmodcoll(context->relid, att, &type, &typmod, &collation);
	return makeVar(context->rti, att, type, typmod, collation, context->depth);
}

/* CASE WHEN the row has just been deleted THEN deleted ELSE otherwise END */
static Node *
if_deleted(const MergeContext *context, Expr *deleted, Expr *otherwise)
{
	NullTest   *has_id = makeNode(NullTest);
	CaseWhen   *when = makeNode(CaseWhen);
	CaseExpr   *choice = makeNode(CaseExpr);
	Node	   *gone;

	has_id->arg = (Expr *) merge_column(context, context->table.deletion_id);
	has_id->nulltesttype = IS_NOT_NULL;
	has_id->location = -1;
	gone = (Node *) sd_deleted_condition(&context->table, context->rti);
	IncrementVarSublevelsUp(gone, context->depth, 0);
	when->expr = make_andclause(list_make2(gone, has_id));
	when->result = deleted;
	when->location = -1;
	choice->casetype = exprType((Node *) otherwise);
	choice->casecollid = exprCollation((Node *) otherwise);
	choice->args = list_make1(when);
	choice->defresult = otherwise;
	choice->location = -1;
	return (Node *) choice;
}

static Node *merge_value(Node *node, MergeContext *context);

/* A whole row of the target, column by column. */
static Node *
merge_row(const Var *var, MergeContext *context)
{
	Relation	rel = table_open(context->relid, NoLock);
	TupleDesc	desc = RelationGetDescr(rel);
	RowExpr    *row = makeNode(RowExpr);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		row->colnames = lappend(row->colnames, makeString(pstrdup(NameStr(att->attname))));
		row->args = lappend(row->args, att->attisdropped ?
							(Node *) makeNullConst(INT4OID, -1, InvalidOid) :
							merge_value((Node *) merge_column(context, i + 1), context));
	}
	row->row_typeid = var->vartype;
	row->row_format = COERCE_IMPLICIT_CAST;
	row->location = -1;
	table_close(rel, NoLock);
	return (Node *) row;
}

/*
 * What RETURNING shows of a row that MERGE deletes: that it is a DELETE, and the
 * row as it was, live; before version 18 what deletion_id was is not known, and
 * it was null in a row that had never been deleted.
 */
static Node *
merge_value(Node *node, MergeContext *context)
{
	if (node == NULL)
		return NULL;
	if (SD_IS_MERGE_ACTION(node))
		return if_deleted(context, (Expr *)
						  makeConst(TEXTOID, -1, exprCollation(node), -1,
									CStringGetTextDatum("DELETE"), false, false), (Expr *) node);
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;

		if (var->varno != context->rti || var->varlevelsup != context->depth)
			return node;
		if (sd_returns_new(var))
			return if_deleted(context, (Expr *) makeNullConst(var->vartype, var->vartypmod, var->varcollid),
							  (Expr *) var);
		if (sd_returns_old(var))
			return node;
		if (var->varattno == InvalidAttrNumber)
			return merge_row(var, context);
		if (var->varattno == context->table.flag)
			return if_deleted(context, sd_live_flag(&context->table), (Expr *) var);
		if (var->varattno == context->table.deletion_id)
			return if_deleted(context, sd_old_column(var), (Expr *) var);
		return node;
	}
	if (IsA(node, Query))
	{
		Query	   *query;

		context->depth++;
		query = query_tree_mutator((Query *) node, merge_value, context, 0);
		context->depth--;
		return (Node *) query;
	}
	return expression_tree_mutator(node, merge_value, context);
}

static bool
convert_merge(Query *query, RangeTblEntry *rte, const SdTable *table)
{
	bool		converted = false;
	bool		updates = false;
	ListCell   *lc;

	foreach(lc, query->mergeActionList)
	{
		MergeAction *action = lfirst_node(MergeAction, lc);

		if (action->commandType == CMD_UPDATE)
			updates = true;
		if (action->commandType != CMD_DELETE)
			continue;
		action->commandType = CMD_UPDATE;
		action->targetList = flag_target_list(rte->relid, table);
		converted = true;
	}

	/*
	 * Beside an UPDATE action the columns said to be updated are checked
	 * against the user's privileges; there the lock is taken later.
	 */
	if (converted && !updates)
		set_updated_columns(sd_query_permissions(query, rte), rte->relid);
	if (converted && query->returningList)
	{
		MergeContext context = {.rti = query->resultRelation,.relid = rte->relid,.table = *table};

		query->returningList = (List *) merge_value((Node *) query->returningList, &context);
	}
	return converted;
}

static bool
convert_query(SdPlanning *planning, Query *query)
{
	RangeTblEntry *rte;
	SdTable		table;

	if (query->commandType != CMD_DELETE && query->commandType != CMD_MERGE &&
		!(query->commandType == CMD_INSERT && query->onConflict))
		return false;
	rte = rt_fetch(query->resultRelation, query->rtable);
	if (rte->rtekind != RTE_RELATION || !sd_registered(rte->relid, &table))
		return false;
	if (query->commandType != CMD_INSERT && !sd_enabled && planning->own == NULL)
		return false;
	switch (query->commandType)
	{
		case CMD_DELETE:
			return convert_delete(planning, query, rte, &table);
		case CMD_MERGE:
			return convert_merge(query, rte, &table);
		default:
			sd_conflict_convert(query, rte, &table);
			return false;
	}
}

/*
 * Converts the DELETEs of a query in place (the planner may scribble on it).
 * Under softdelete.enabled = off they stay what they are, but for those of a
 * cascade: what began as a soft delete ends as one.  True if the top one was a
 * DELETE: then the plan must say so again.
 */
bool
sd_convert(SdPlanning *planning, Query *query)
{
	bool		is_delete = query->commandType == CMD_DELETE;
	ListCell   *lc;

	if (planning->foreign_key ||
		(planning->own && planning->own->kind != SD_RUN_PLAIN && planning->own->kind != SD_RUN_LIVE))
		return false;
	if (query->hasModifyingCTE)
		foreach(lc, query->cteList)
		{
			CommonTableExpr *cte = lfirst_node(CommonTableExpr, lc);

			if (IsA(cte->ctequery, Query))
				convert_query(planning, (Query *) cte->ctequery);
		}
	return convert_query(planning, query) && is_delete;
}

#if !SD_RETURNING_OLD
typedef struct FinishContext
{
	Index		rti;			/* result relation */
	AttrNumber	deletion_id;	/* its column */
	List	   *targetlist;		/* of the plan below ModifyTable */
} FinishContext;

static Node *
take_old_values(Node *node, FinishContext *context)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;
		char	   *name;
		ListCell   *lc;

		if (var->varno != context->rti)
			return node;
		if (var->varattno == context->deletion_id)
			name = OLD_DELETION_ID;
		else if (var->varattno < 0)
			name = psprintf(OLD_PREFIX "%d", var->varattno);
		else
			return node;
		foreach(lc, context->targetlist)
		{
			TargetEntry *entry = lfirst_node(TargetEntry, lc);

			if (entry->resjunk && entry->resname && strcmp(entry->resname, name) == 0)
				return (Node *) makeVar(OUTER_VAR, entry->resno, var->vartype,
										var->vartypmod, var->varcollid, 0);
		}
		return node;
	}
	return expression_tree_mutator(node, take_old_values, context);
}

static void
finish_modify_table(PlannedStmt *stmt, Plan *plan)
{
	ModifyTable *modify = (ModifyTable *) plan;
	ListCell   *lists;
	ListCell   *rtis;

	if (plan == NULL || !IsA(plan, ModifyTable) || modify->operation != CMD_UPDATE)
		return;
	forboth(lists, modify->returningLists, rtis, modify->resultRelations)
	{
		FinishContext context = {.rti = lfirst_int(rtis)};
		SdTable		table;

		if (!sd_registered(rt_fetch(context.rti, stmt->rtable)->relid, &table))
			continue;
		context.deletion_id = table.deletion_id;
		context.targetlist = outerPlan(plan)->targetlist;
		lfirst(lists) = take_old_values(lfirst(lists), &context);
	}
	if (modify->returningLists)
		plan->targetlist = linitial(modify->returningLists);
}

/* Lets RETURNING take the old values that the plan hands over. */
void
sd_convert_returning(PlannedStmt *plan)
{
	ListCell   *lc;

	finish_modify_table(plan, plan->planTree);
	foreach(lc, plan->subplans)
		finish_modify_table(plan, lfirst(lc));
}
#else
void
sd_convert_returning(PlannedStmt *plan)
{
}
#endif
