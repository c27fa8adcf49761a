/*
 * taken.c - unique keys that rows coming back would find taken.
 *
 * For each unique index and exclusion constraint of a table SQL conditions are
 * made about two of its rows: c, which is to come back, and x, which is there.
 * They compare with the operators and collations of the index.  Of c the flag
 * counts as that of a live row, in the index's condition and in its columns.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/index.h"
#include "nodes/nodeFuncs.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "registry.h"
#include "run.h"
#include "taken.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

/* The row as it will be when it is live. */
static Node *
make_live(Node *node, void *table)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Var) && ((Var *) node)->varattno == ((const SdTable *) table)->flag)
		return (Node *) sd_live_flag(table);
	return expression_tree_mutator(node, make_live, table);
}

/* An expression on the columns of a table that goes by an alias, as SQL. */
static char *
deparse(Node *expression, Oid relid, const char *alias, const SdTable *live)
{
	if (live)
		expression = make_live(expression, (void *) live);
	return deparse_expression(expression, deparse_context_for(alias, relid), true, false);
}

/* The columns of an index, as expressions. */
static List *
key_expressions(Relation rel, Relation index)
{
	List	   *expressions = RelationGetIndexExpressions(index);
	ListCell   *next = list_head(expressions);
	List	   *keys = NIL;

	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
	{
		AttrNumber	att = index->rd_index->indkey.values[i];

		if (att == 0)
		{
			keys = lappend(keys, lfirst(next));
			next = lnext(expressions, next);
		}
		else
		{
			Form_pg_attribute column = TupleDescAttr(RelationGetDescr(rel), att - 1);

			keys = lappend(keys, makeVar(1, att, column->atttypid, column->atttypmod,
										 column->attcollation, 0));
		}
	}
	return keys;
}

/* The operators by which an index tells that two rows collide. */
static Oid *
colliding_operators(Relation index)
{
	Oid		   *operators = palloc(index->rd_index->indnkeyatts * sizeof(Oid));
	Oid		   *procs;
	uint16	   *strategies;

	if (index->rd_index->indisexclusion)
	{
		RelationGetExclusionInfo(index, &operators, &procs, &strategies);
		return operators;
	}
	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
		operators[i] = get_opfamily_member(index->rd_opfamily[i], index->rd_opcintype[i],
										   index->rd_opcintype[i], BTEqualStrategyNumber);
	return operators;
}

/* Does the index have something to do with the flag? */
static bool
mentions_flag(Relation index, List *keys, const SdTable *table)
{
	List	   *vars = list_concat(pull_var_clause((Node *) keys, 0),
								   pull_var_clause((Node *) RelationGetIndexPredicate(index), 0));
	ListCell   *lc;

	foreach(lc, vars)
		if (lfirst_node(Var, lc)->varattno == table->flag)
			return true;
	return false;
}

/* The condition under which c and x collide; "both": x is made live as well. */
static char *
collision(Relation rel, Relation index, List *keys, const SdTable *table, bool both)
{
	Oid			relid = RelationGetRelid(rel);
	Oid		   *operators = colliding_operators(index);
	List	   *predicate = RelationGetIndexPredicate(index);
	const SdTable *x_live = both ? table : NULL;
	StringInfoData sql;
	ListCell   *lc;
	int			i = 0;

	initStringInfo(&sql);
	foreach(lc, keys)
	{
		Node	   *key = lfirst(lc);
		Oid			type = getBaseType(exprType(key));
		Oid			collation = index->rd_indcollation[i];
		char	   *c = deparse(key, relid, "c", table);
		char	   *x = deparse(key, relid, "x", x_live);
		char	   *c_compared = c;

		if (OidIsValid(collation) && collation != exprCollation(key))
			c_compared = psprintf("(%s COLLATE %s)", c, generate_collation_name(collation));
		if (i > 0)
			appendStringInfoString(&sql, " AND ");
		appendStringInfoChar(&sql, '(');
		generate_operator_clause(&sql, c_compared, type, operators[i], x, type);
		if (index->rd_index->indnullsnotdistinct)
			appendStringInfo(&sql, " OR (%s IS NULL AND %s IS NULL)", c, x);
		appendStringInfoChar(&sql, ')');
		i++;
	}
	if (predicate != NIL)
	{
		Node	   *condition = (Node *) make_ands_explicit(predicate);

		appendStringInfo(&sql, " AND (%s) AND (%s)", deparse(condition, relid, "c", table),
						 deparse(condition, relid, "x", x_live));
	}
	return sql.data;
}

/* The unique keys of a registered table: SdUnique. */
List *
sd_uniques(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	List	   *uniques = NIL;
	ListCell   *lc;
	int			nestlevel = sd_portable_begin();
	SdTable		table;

	(void) sd_registered(relid, &table);
	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if ((index->rd_index->indisunique || index->rd_index->indisexclusion) &&
			index->rd_index->indisready)
		{
			SdUnique   *unique = palloc(sizeof(SdUnique));
			List	   *keys = key_expressions(rel, index);

			unique->name = pstrdup(RelationGetRelationName(index));
			unique->of_live = mentions_flag(index, keys, &table);
			unique->taken = collision(rel, index, keys, &table, false);
			unique->both = collision(rel, index, keys, &table, true);
			uniques = lappend(uniques, unique);
		}
		index_close(index, NoLock);
	}
	sd_portable_end(nestlevel);
	table_close(rel, NoLock);
	return uniques;
}

/*
 * SQL for: c, a deleted row of this table, cannot become live because another row
 * has a key; NULL if that cannot be.
 */
char *
sd_taken_sql(Oid relid)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, sd_uniques(relid))
	{
		SdUnique   *unique = lfirst(lc);

		if (unique->of_live)
			appendStringInfo(&sql, "%sEXISTS (SELECT FROM %s%s x WHERE %s)", sql.len ? " OR " : "",
							 sd_only(relid), sd_quoted_relation(relid), unique->taken);
	}
	return sql.len ? psprintf("(%s)", sql.data) : NULL;
}
