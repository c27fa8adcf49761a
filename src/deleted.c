/*
 * deleted.c - the deleted rows of a table as a set.
 *
 * softdelete_deleted(NULL::t) in FROM becomes, before planning, a subquery that reads
 * t, of which it sees the deleted rows: so conditions find their indexes, as they
 * would without the function.  Row security of t applies, as of any table.  Where
 * the call cannot be replaced (in a target list, in a SQL function that PostgreSQL
 * inlines later) the function runs, with the same rows.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "deleted.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "registry.h"
#include "rewrite/rewriteHandler.h"
#include "run.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
#include "viewer.h"

#define FUNCTION_NAME "softdelete_deleted"

/* Is this the C function of that name?  Only a superuser can make one. */
static bool
is_our_function(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		found = false;

	if (!HeapTupleIsValid(tuple))
		return false;
	if (((Form_pg_proc) GETSTRUCT(tuple))->prolang == ClanguageId)
	{
		bool		isnull;
		Datum		source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);

		found = !isnull && strcmp(TextDatumGetCString(source), FUNCTION_NAME) == 0;
	}
	ReleaseSysCache(tuple);
	return found;
}

/* The table whose row type this is; InvalidOid for other types. */
static Oid
table_of_type(Oid type)
{
	Oid			relid = get_typ_typrelid(type);

	return OidIsValid(relid) && sd_registered(relid, NULL) ? relid : InvalidOid;
}

/* The table of which this entry of FROM wants the deleted rows; else InvalidOid. */
static Oid
table_wanted(RangeTblEntry *rte)
{
	RangeTblFunction *function;
	FuncExpr   *call;

	if (rte->rtekind != RTE_FUNCTION || rte->funcordinality || list_length(rte->functions) != 1)
		return InvalidOid;
	function = linitial(rte->functions);
	call = (FuncExpr *) function->funcexpr;
	if (!IsA(call, FuncExpr) || list_length(call->args) != 1 || !IsA(linitial(call->args), Const) ||
		!is_our_function(call->funcid))
		return InvalidOid;
	return table_of_type(call->funcresulttype);
}

typedef struct Fitting
{
	TupleDesc	desc;
	Index		rti;
	int			depth;			/* of the query at hand below that of the entry */
} Fitting;

/* Has the table been altered since the query was parsed?  True if a column does not fit. */
static bool
does_not_fit(Node *node, Fitting *fitting)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;
		Form_pg_attribute column;

		if (var->varno != fitting->rti || var->varlevelsup != fitting->depth || var->varattno == 0)
			return false;
		if (var->varattno < 0 || var->varattno > fitting->desc->natts)
			return true;
		column = TupleDescAttr(fitting->desc, var->varattno - 1);
		return column->attisdropped || column->atttypid != var->vartype ||
			column->atttypmod != var->vartypmod;
	}
	if (IsA(node, Query))
	{
		bool		result;

		fitting->depth++;
		result = query_tree_walker((Query *) node, does_not_fit, fitting, 0);
		fitting->depth--;
		return result;
	}
	return expression_tree_walker(node, does_not_fit, fitting);
}

/*
 * SELECT of all columns of the table, null for those that have been dropped, as
 * its row type has them, with row security.
 */
static Query *
select_deleted(Relation rel)
{
	ParseState *pstate = make_parsestate(NULL);
	ParseNamespaceItem *item = addRangeTableEntryForRelation(pstate, rel, AccessShareLock, NULL, true, true);
	RangeTblRef *reference = makeNode(RangeTblRef);
	Query	   *query = makeNode(Query);
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		Expr	   *value;

		if (column->attisdropped)
			value = (Expr *) makeNullConst(INT4OID, -1, InvalidOid);
		else
		{
			Var		   *var = makeVar(1, column->attnum, column->atttypid, column->atttypmod,
									  column->attcollation, 0);

			markVarForSelectPriv(pstate, var);
			value = (Expr *) var;
		}
		query->targetList = lappend(query->targetList,
									makeTargetEntry(value, i + 1, pstrdup(NameStr(column->attname)), false));
	}
	item->p_rte->ctename = SD_DELETED_MARK;
	reference->rtindex = 1;
	query->commandType = CMD_SELECT;
	query->canSetTag = true;
	query->rtable = pstate->p_rtable;
	sd_take_permissions(query, pstate);
	query->jointree = makeFromExpr(list_make1(reference), NULL);
	free_parsestate(pstate);
	return linitial(QueryRewrite(query));
}

static void expand(SdPlanning *planning, Query *query);

static bool
expand_in_expression(Node *node, SdPlanning *planning)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		expand(planning, (Query *) node);
		return false;
	}
	return expression_tree_walker(node, expand_in_expression, planning);
}

/* Puts a subquery in the place of the call, unless it would not fit. */
static void
replace(SdPlanning *planning, Query *query, Index rti, Oid relid)
{
	RangeTblEntry *rte = rt_fetch(rti, query->rtable);
	Relation	rel = table_open(relid, AccessShareLock);
	Fitting		fitting = {.desc = RelationGetDescr(rel),.rti = rti};

	if (list_length(rte->eref->colnames) == fitting.desc->natts &&
		!query_tree_walker(query, does_not_fit, &fitting, 0))
	{
		rte->rtekind = RTE_SUBQUERY;
		rte->subquery = select_deleted(rel);
		rte->security_barrier = false;
		rte->functions = NIL;
		planning->by_role |= rte->subquery->hasRowSecurity;
	}
	table_close(rel, NoLock);
}

/* One query, and those within it. */
static void
expand(SdPlanning *planning, Query *query)
{
	ListCell   *lc;
	Index		rti = 0;

	foreach(lc, query->rtable)
	{
		RangeTblEntry *rte = lfirst(lc);
		Oid			relid = table_wanted(rte);

		rti++;
		if (OidIsValid(relid))
			replace(planning, query, rti, relid);
		else if (rte->rtekind == RTE_SUBQUERY)
			expand(planning, rte->subquery);
	}
	foreach(lc, query->cteList)
		expand(planning, (Query *) lfirst_node(CommonTableExpr, lc)->ctequery);
	if (query->hasSubLinks)
		(void) query_tree_walker(query, expand_in_expression, planning,
								 QTW_IGNORE_RT_SUBQUERIES | QTW_IGNORE_CTE_SUBQUERIES);
}

/* Before planning: calls of softdelete_deleted() in FROM become subqueries. */
void
sd_deleted_expand(SdPlanning *planning, Query *query)
{
	if (query->commandType != CMD_UTILITY)
		expand(planning, query);
}

/* ---------- the function itself ---------- */

/* SELECT of the deleted rows, as select_deleted() has it. */
static char *
deleted_sql(Oid relid, TupleDesc desc)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		appendStringInfo(&sql, "%s%s", i ? ", " : "",
						 column->attisdropped ? "NULL" :
						 psprintf("c.%s", quote_identifier(NameStr(column->attname))));
	}
	appendStringInfo(&sql, " FROM %s c WHERE NOT %s", sd_quoted_relation(relid), sd_live_sql(relid, "c"));
	return sql.data;
}

PG_FUNCTION_INFO_V1(softdelete_deleted);

/*
 * softdelete_deleted(anyelement): the type of the argument is that of a registered
 * table.  Errors: 42804, 42501, 55000.
 */
Datum
softdelete_deleted(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 0);
	Oid			relid = OidIsValid(type) ? get_typ_typrelid(type) : InvalidOid;
	SdStatement statement = {0};
	SdRowset   *rows = NULL;
	TupleTableSlot *slot;
	TupleDesc	desc;

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the argument of %s() must be of the row type of a table", FUNCTION_NAME),
				 errhint("Write %s(NULL::tablename).", FUNCTION_NAME)));
	if (!sd_registered(relid, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not registered", get_rel_name(relid)),
				 errhint("softdelete.tables shows what is registered.")));
	sd_require_viewer(relid);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC | MAT_SRF_BLESS);
	desc = lookup_rowtype_tupdesc(type, -1);
	statement.sql = deleted_sql(relid, desc);
	statement.kind = SD_RUN_PHYSICAL;
	statement.physical = relid;
	statement.own_path = true;
	statement.result = &rows;
	sd_run(&statement);
	slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(rows->store);
	while (tuplestore_gettupleslot(rows->store, true, false, slot))
	{
		slot_getallattrs(slot);
		tuplestore_putvalues(result->setResult, desc, slot->tts_values, slot->tts_isnull);
	}
	ExecDropSingleTupleTableSlot(slot);
	sd_rowset_free(rows);
	ReleaseTupleDesc(desc);
	return (Datum) 0;
}
