/*
 * policies.c - row-security policies that a caller must satisfy.
 *
 * A row that comes back must be one that the caller could insert.  Which
 * policies that asks for, and what they say of a row, PostgreSQL decides: a
 * SELECT of the rows is run as the caller, and when it is parsed the WITH CHECK
 * conditions that an INSERT would get are added to its target list.  From there
 * on they are rewritten, planned and evaluated like any expression of the
 * caller's; the SELECT policies apply to the rows anyway.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "cascade.h"
#include "compat.h"
#include "nodes/makefuncs.h"
#include "policies.h"
#include "rewrite/rewriteHandler.h"
#include "rewrite/rowsecurity.h"
#include "run.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

/* The conditions that are asked for in one statement. */
typedef struct Checks
{
	List	   *policies;		/* names of the policies, NULL for the permissive
								 * ones, which count together */
	MemoryContext context;		/* of the list */
} Checks;

/*
 * Does row security restrict what the current user inserts?  Error 42501 when
 * it would and row_security is off.
 */
bool
sd_policies_apply(Oid relid)
{
	return check_enable_rls(relid, InvalidOid, false) == RLS_ENABLED;
}

static void
refuse_row(Oid relid, const char *policy)
{
	if (policy)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("new row violates row-level security policy \"%s\" for table \"%s\"",
						policy, get_rel_name(relid)),
				 errhint("Undelete needs the rights of an INSERT of the row.")));
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("new row violates row-level security policy for table \"%s\"",
					get_rel_name(relid)),
			 errhint("Undelete needs the rights of an INSERT of the row.")));
}

/*
 * The statement of sd_policies_check() has been parsed: the conditions that an
 * INSERT into its first table would get are added to what it returns.
 */
static void
add_checks(Query *query, void *arg)
{
	Checks	   *checks = arg;
	Query	   *insert = copyObject(query);
	RangeTblEntry *table = linitial_node(RangeTblEntry, insert->rtable);
	List	   *quals;
	List	   *options;
	bool		has_row_security;
	bool		has_sublinks;
	ListCell   *lc;

	insert->commandType = CMD_INSERT;
	insert->resultRelation = 1;
	sd_query_permissions(insert, table)->requiredPerms = ACL_INSERT;
	get_row_security_policies(insert, table, 1, &quals, &options, &has_row_security, &has_sublinks);
	checks->policies = NIL;
	foreach(lc, options)
	{
		WithCheckOption *option = lfirst_node(WithCheckOption, lc);
		MemoryContext old;

		query->targetList = lappend(query->targetList,
									makeTargetEntry((Expr *) option->qual,
													list_length(query->targetList) + 1,
													"holds", false));
		old = MemoryContextSwitchTo(checks->context);
		checks->policies = lappend(checks->policies,
								   option->polname ? pstrdup(option->polname) : NULL);
		MemoryContextSwitchTo(old);
	}
	query->hasSubLinks |= has_sublinks;
	query->hasRowSecurity |= has_row_security;
	AcquireRewriteLocks(query, true, false);
}

/*
 * Rows of a table that came back (tableoid, tid, upper), all or the upper ones:
 * error 42501 if the current user may not see them or could not insert them.
 */
void
sd_policies_check(Oid relid, SdRowset *rows, bool all)
{
	StringInfoData sql;
	SdStatement statement = {0};
	SdRowset   *result = NULL;
	Checks		checks = {.context = CurrentMemoryContext};
	TupleTableSlot *slot;
	int64		expected = 0;
	bool		isnull;

	slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(rows->store);
	while (tuplestore_gettupleslot(rows->store, true, false, slot))
		if (all || DatumGetBool(slot_getattr(slot, 3, &isnull)))
			expected++;
	ExecDropSingleTupleTableSlot(slot);

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT true AS seen FROM %s c, " SD_ROWS_NAME " s"
					 " WHERE c.ctid OPERATOR(pg_catalog.=) s.tid"
					 " AND c.tableoid OPERATOR(pg_catalog.=) s.tableoid%s",
					 sd_quoted_relation(relid), all ? "" : " AND s.upper");
	statement.sql = sql.data;
	statement.kind = SD_RUN_LIVE;
	statement.own_path = true;
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = rows;
	statement.parsed = add_checks;
	statement.parsed_arg = &checks;
	statement.result = &result;
	if (sd_run(&statement) < expected)
		refuse_row(relid, NULL);

	slot = MakeSingleTupleTableSlot(result->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(result->store);
	while (tuplestore_gettupleslot(result->store, true, false, slot))
	{
		int			column = 1;
		ListCell   *lc;

		foreach(lc, checks.policies)
		{
			bool		holds = DatumGetBool(slot_getattr(slot, ++column, &isnull));

			if (isnull || !holds)
				refuse_row(relid, lfirst(lc));
		}
	}
	ExecDropSingleTupleTableSlot(slot);
	sd_rowset_free(result);
}
