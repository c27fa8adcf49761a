/*
 * keyddl.c - DDL that concerns the unique keys of registered tables.
 *
 * A key added to a registered table is made partial over live rows, by one more
 * condition before it is built; one over a new column, afterwards.  And those who
 * know a key as a constraint may go on to drop and rename it by that name.
 *
 * A dump restores keys as they were: under row_security = off, which it sets,
 * nothing is changed.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "compat.h"
#include "fullkeys.h"
#include "keyddl.h"
#include "keys.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "registry.h"
#include "run.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

/* The registered table that a statement names, or InvalidOid. */
static Oid
registered_table(const RangeVar *relation, SdTable *table)
{
	Oid			relid = relation ? RangeVarGetRelid(relation, NoLock, true) : InvalidOid;

	return OidIsValid(relid) && sd_registered(relid, table) ? relid : InvalidOid;
}

static bool
names_column(Node *node, const char *name)
{
	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef))
	{
		Node	   *last = llast(((ColumnRef *) node)->fields);

		return IsA(last, String) && strcmp(strVal(last), name) == 0;
	}
	return raw_expression_tree_walker(node, names_column, (void *) name);
}

/* A condition as the parser has it, and that the row is live. */
static Node *
and_live(Node *condition, Oid relid)
{
	ColumnRef  *flag = makeNode(ColumnRef);
	Node	   *live = (Node *) flag;
	SdTable		table;

	(void) sd_registered(relid, &table);
	flag->fields = list_make1(makeString(sd_flag_name(relid)));
	flag->location = -1;
	if (table.kind == SD_FLAG_DELETED)
		live = (Node *) makeBoolExpr(NOT_EXPR, list_make1(flag), -1);
	else if (table.kind != SD_FLAG_LIVE)
	{
		NullTest   *test = makeNode(NullTest);

		test->arg = (Expr *) flag;
		test->nulltesttype = IS_NULL;
		test->location = -1;
		live = (Node *) test;
	}
	return condition ? (Node *) makeBoolExpr(AND_EXPR, list_make2(condition, live), -1) : live;
}

static void
notice_partial(Oid relid, const char *key)
{
	ereport(NOTICE,
			(errmsg("unique key \"%s\" of registered table \"%s\" is partial over live rows",
					key, get_rel_name(relid))));
}

/* CREATE UNIQUE INDEX: one more condition, unless the user has thought of it. */
static Node *
create_index(IndexStmt *statement)
{
	SdTable		table;
	Oid			relid = statement->unique && !statement->primary && !statement->isconstraint ?
		registered_table(statement->relation, &table) : InvalidOid;
	IndexStmt  *copy;

	if (!OidIsValid(relid) || table.full_keys || !row_security ||
		names_column(statement->whereClause, sd_flag_name(relid)))
		return (Node *) statement;
	copy = copyObject(statement);
	copy->whereClause = and_live(copy->whereClause, relid);
	ereport(NOTICE,
			(errmsg("unique index of registered table \"%s\" is partial over live rows",
					get_rel_name(relid))));
	return (Node *) copy;
}

/* DROP CONSTRAINT of what has become an index; false if it is not that. */
static bool
drop_former_constraint(Oid relid, const AlterTableCmd *command)
{
	Oid			index = sd_keys_former_constraint(relid, command->name);

	if (!OidIsValid(index))
		return false;
	sd_run_utility(psprintf("DROP INDEX %s%s", sd_quoted_relation(index),
							command->behavior == DROP_CASCADE ? " CASCADE" : ""));
	return true;
}

static void
append_names(StringInfo sql, List *names)
{
	ListCell   *lc;

	foreach(lc, names)
		appendStringInfo(sql, "%s%s", lc == list_head(names) ? "" : ", ",
						 quote_identifier(strVal(lfirst(lc))));
}

/* The name that PostgreSQL would give to a UNIQUE constraint. */
static char *
constraint_name(Oid relid, List *columns)
{
	StringInfoData addition;
	ListCell   *lc;

	initStringInfo(&addition);
	foreach(lc, columns)
	{
		appendStringInfo(&addition, "%s%s", addition.len ? "_" : "", strVal(lfirst(lc)));
		if (addition.len >= NAMEDATALEN)
			break;
	}
	return ChooseRelationName(get_rel_name(relid), addition.data, "key",
							  get_rel_namespace(relid), true);
}

/* Are they there before the statement that names them? */
static bool
columns_exist(Oid relid, List *names)
{
	ListCell   *lc;

	foreach(lc, names)
		if (get_attnum(relid, strVal(lfirst(lc))) == InvalidAttrNumber)
			return false;
	return true;
}

/*
 * ADD CONSTRAINT ... UNIQUE: a partial index from the start, because deleted rows
 * may have equal keys.
 */
static void
add_unique(Oid relid, const Constraint *constraint)
{
	StringInfoData sql;
	char	   *name = constraint->conname ? constraint->conname :
		constraint_name(relid, list_concat_copy(constraint->keys, constraint->including));
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE UNIQUE INDEX %s ON %s (", quote_identifier(name),
					 sd_quoted_relation(relid));
	append_names(&sql, constraint->keys);
	if (constraint->including)
	{
		appendStringInfoString(&sql, ") INCLUDE (");
		append_names(&sql, constraint->including);
	}
	appendStringInfo(&sql, ")%s", constraint->nulls_not_distinct ? " NULLS NOT DISTINCT" : "");
	foreach(lc, constraint->options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		appendStringInfo(&sql, "%s%s = %s", lc == list_head(constraint->options) ? " WITH (" : ", ",
						 quote_identifier(option->defname), quote_literal_cstr(defGetString(option)));
	}
	if (constraint->options)
		appendStringInfoChar(&sql, ')');
	if (constraint->indexspace)
		appendStringInfo(&sql, " TABLESPACE %s", quote_identifier(constraint->indexspace));
	appendStringInfo(&sql, " WHERE %s", sd_live_sql(relid, NULL));
	sd_run_utility(sql.data);
	sd_keys_mark(get_relname_relid(name, get_rel_namespace(relid)));
	notice_partial(relid, name);
}

/*
 * ADD CONSTRAINT ... UNIQUE USING INDEX, of an index that is partial because the
 * table is registered: the index takes the name.  False if it is not that.
 */
static bool
use_partial_index(Oid relid, const SdTable *table, const Constraint *constraint)
{
	Oid			index;
	Relation	rel;
	bool		partial;

	index = get_relname_relid(constraint->indexname, get_rel_namespace(relid));
	if (!OidIsValid(index) || get_rel_relkind(index) != RELKIND_INDEX)
		return false;
	rel = index_open(index, AccessShareLock);
	partial = rel->rd_index->indrelid == relid && rel->rd_index->indisunique &&
		rel->rd_index->indisvalid && list_length(RelationGetIndexPredicate(rel)) == 1 &&
		sd_key_is_partial(rel, table);
	index_close(rel, NoLock);
	if (!partial)
		return false;
	if (constraint->conname && strcmp(constraint->conname, constraint->indexname) != 0)
		sd_run_utility(psprintf("ALTER INDEX %s RENAME TO %s", sd_quoted_relation(index),
								quote_identifier(constraint->conname)));
	sd_keys_mark(index);
	notice_partial(relid, get_rel_name(index));
	return true;
}

/*
 * Runs a command that adds a key which can be partial, as such; false if it is
 * left to PostgreSQL.  An exclusion constraint only gets one more condition.
 */
static bool
add_partial_key(Oid relid, const SdTable *table, AlterTableCmd *command)
{
	Constraint *constraint = (Constraint *) command->def;

	if (command->subtype != AT_AddConstraint || !IsA(constraint, Constraint) ||
		constraint->deferrable || table->full_keys || !row_security ||
		sd_constraint_without_overlaps(constraint))
		return false;
	if (constraint->contype == CONSTR_UNIQUE)
	{
		if (constraint->indexname)
			return use_partial_index(relid, table, constraint);
		if (!columns_exist(relid, constraint->keys) || !columns_exist(relid, constraint->including))
			return false;
		add_unique(relid, constraint);
		return true;
	}
	if (constraint->contype == CONSTR_EXCLUSION)
		constraint->where_clause = and_live(constraint->where_clause, relid);
	return false;
}

/*
 * Runs those commands of an ALTER TABLE that concern constraints which are
 * indexes now; the others are left to PostgreSQL.
 */
static Node *
alter_table(AlterTableStmt *statement, SdKeyDdl *ddl)
{
	SdTable		table;
	Oid			relid = registered_table(statement->relation, &table);
	List	   *left = NIL;
	AlterTableStmt *copy;
	bool		adds = false;
	ListCell   *lc;

	if (!OidIsValid(relid))
		return (Node *) statement;
	copy = copyObject(statement);
	foreach(lc, copy->cmds)
	{
		AlterTableCmd *command = lfirst_node(AlterTableCmd, lc);
		bool		done = false;

		if (command->subtype == AT_DropConstraint)
			done = drop_former_constraint(relid, command);
		else
			done = add_partial_key(relid, &table, command);
		if (!done)
			left = lappend(left, command);
		adds |= !done && (command->subtype == AT_AddColumn || command->subtype == AT_AddConstraint);
	}
	if (adds && !table.full_keys && row_security)
	{
		Relation	rel = table_open(relid, AccessShareLock);

		ddl->relid = relid;
		ddl->table = table;
		ddl->known = RelationGetIndexList(rel);
		table_close(rel, NoLock);
	}
	copy->cmds = left;
	return (Node *) copy;
}

/* RENAME CONSTRAINT of what has become an index. */
static Node *
rename_constraint(RenameStmt *statement)
{
	SdTable		table;
	Oid			relid = registered_table(statement->relation, &table);
	Oid			index = OidIsValid(relid) ?
		sd_keys_former_constraint(relid, statement->subname) : InvalidOid;
	RenameStmt *copy;

	if (!OidIsValid(index))
		return (Node *) statement;
	copy = copyObject(statement);
	copy->renameType = OBJECT_INDEX;
	copy->relation = makeRangeVar(get_namespace_name(get_rel_namespace(index)),
								  get_rel_name(index), -1);
	copy->subname = NULL;
	return (Node *) copy;
}

/* COMMENT ON INDEX of what was a constraint keeps the mark that says so. */
static Node *
comment_on_index(CommentStmt *statement)
{
	RangeVar   *name = makeRangeVarFromNameList((List *) statement->object);
	Oid			index = RangeVarGetRelid(name, NoLock, true);
	char	   *comment = OidIsValid(index) ? sd_keys_comment(index, statement->comment) :
		statement->comment;
	CommentStmt *copy;

	if (comment == statement->comment)
		return (Node *) statement;
	copy = copyObject(statement);
	copy->comment = comment;
	return (Node *) copy;
}

/* A new foreign key to a key that has become partial: it has to be full. */
static void
reference_key(const Constraint *constraint)
{
	SdTable		table;
	Oid			relid;

	if (constraint->contype != CONSTR_FOREIGN || constraint->pk_attrs == NIL)
		return;
	relid = registered_table(constraint->pktable, &table);
	if (OidIsValid(relid))
		sd_keys_make_referable(relid, &table, constraint->pk_attrs);
}

/* The same for an element of a table's definition. */
static void
reference_keys(Node *element)
{
	ListCell   *lc;

	if (element == NULL)
		return;
	if (IsA(element, Constraint))
		reference_key((Constraint *) element);
	else if (IsA(element, ColumnDef))
		foreach(lc, ((ColumnDef *) element)->constraints)
			reference_keys(lfirst(lc));
}

static void
reference_keys_of(Node *utility)
{
	ListCell   *lc;

	if (IsA(utility, CreateStmt))
		foreach(lc, ((CreateStmt *) utility)->tableElts)
			reference_keys(lfirst(lc));
	else
		foreach(lc, ((AlterTableStmt *) utility)->cmds)
			reference_keys(lfirst_node(AlterTableCmd, lc)->def);
}

/*
 * Before a utility statement runs: returns it, or a copy that runs in its
 * place; in *ddl what there will be to do afterwards.
 */
Node *
sd_keyddl_prepare(Node *utility, SdKeyDdl *ddl)
{
	if (sd_keys_changing())
		return utility;
	switch (nodeTag(utility))
	{
		case T_IndexStmt:
			return create_index((IndexStmt *) utility);
		case T_CreateStmt:
			reference_keys_of(utility);
			return utility;
		case T_AlterTableStmt:
			reference_keys_of(utility);
			return alter_table((AlterTableStmt *) utility, ddl);
		case T_CommentStmt:
			if (((CommentStmt *) utility)->objtype == OBJECT_INDEX)
				return comment_on_index((CommentStmt *) utility);
			return utility;
		case T_RenameStmt:
			if (((RenameStmt *) utility)->renameType == OBJECT_TABCONSTRAINT)
				return rename_constraint((RenameStmt *) utility);
			return utility;
		default:
			return utility;
	}
}

/* After it has run: keys that it added are made partial. */
void
sd_keyddl_done(const SdKeyDdl *ddl)
{
	SdTable		table;

	if (OidIsValid(ddl->relid) && sd_registered(ddl->relid, &table))
		sd_keys_make_new_partial(ddl->relid, &table, ddl->known);
}
