/*
 * newchild.c - tables that a new foreign key puts below registered ones.
 *
 * A DELETE would reach them by ON DELETE CASCADE, and would be refused as long as
 * they are not registered.  So they are, by the statement that makes the foreign
 * key; where that cannot be, a WARNING tells at once and not the DELETE later.
 *
 * Not under row_security = off, which a restore sets: it brings the guards itself.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "compat.h"
#include "fkey.h"
#include "miscadmin.h"
#include "newchild.h"
#include "register.h"
#include "registry.h"
#include "run.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/rls.h"

/* ---------- before ---------- */

static bool
has_foreign_key(Node *element)
{
	ListCell   *lc;

	if (element == NULL)
		return false;
	if (IsA(element, Constraint))
		return ((Constraint *) element)->contype == CONSTR_FOREIGN;
	if (IsA(element, ColumnDef))
		foreach(lc, ((ColumnDef *) element)->constraints)
			if (has_foreign_key(lfirst(lc)))
				return true;
	return false;
}

static List *
created(const CreateStmt *create, const char *schema)
{
	RangeVar   *table;
	ListCell   *lc;

	foreach(lc, create->tableElts)
		if (has_foreign_key(lfirst(lc)))
			break;
	if (lc == NULL || create->relation->relpersistence == RELPERSISTENCE_TEMP)
		return NIL;
	table = copyObject(create->relation);
	if (table->schemaname == NULL && schema)
		table->schemaname = pstrdup(schema);
	/* IF NOT EXISTS, and it is there */
	if (OidIsValid(RangeVarGetRelid(table, NoLock, true)))
		return NIL;
	return list_make1(table);
}

static List *
altered(const AlterTableStmt *alter)
{
	ListCell   *lc;

	foreach(lc, alter->cmds)
	{
		const AlterTableCmd *command = lfirst_node(AlterTableCmd, lc);

		if (command->subtype == AT_AlterConstraint ||
			((command->subtype == AT_AddConstraint || command->subtype == AT_AddColumn) &&
			 has_foreign_key(command->def)))
			return list_make1(copyObject(alter->relation));
	}
	return NIL;
}

/*
 * Looks at a utility statement before it runs: the tables (RangeVar) to which it adds
 * foreign keys.  Parts of a statement are looked at with the whole.
 */
List *
sd_new_children_prepare(Node *utility, ProcessUtilityContext context)
{
	List	   *tables = NIL;
	ListCell   *lc;

	if (context == PROCESS_UTILITY_SUBCOMMAND || !row_security || IsBinaryUpgrade)
		return NIL;
	switch (nodeTag(utility))
	{
		case T_CreateStmt:
			return created((CreateStmt *) utility, NULL);
		case T_AlterTableStmt:
			return altered((AlterTableStmt *) utility);
		case T_CreateSchemaStmt:
			foreach(lc, ((CreateSchemaStmt *) utility)->schemaElts)
				if (IsA(lfirst(lc), CreateStmt) && ((CreateSchemaStmt *) utility)->schemaname)
					tables = list_concat(tables, created(lfirst(lc), ((CreateSchemaStmt *) utility)->schemaname));
			return tables;
		default:
			return NIL;
	}
}

/* ---------- after ---------- */

/* A registered table from which a DELETE now reaches this one; InvalidOid: none. */
static Oid
parent_of(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	Oid			parent = InvalidOid;
	ListCell   *lc;

	foreach(lc, sd_fkeys_above(rel))
	{
		const SdForeignKey *fkey = lfirst(lc);
		SdTable		table;

		if (fkey->on_delete == FKCONSTR_ACTION_CASCADE && sd_registered(fkey->parent, &table) &&
			!table.alone)
			parent = sd_partition_root(fkey->parent);
	}
	table_close(rel, NoLock);
	return parent;
}

/* Is this an error of the session, and not of the table? */
static bool
goes_on(int code)
{
	return ERRCODE_TO_CATEGORY(code) == ERRCODE_TO_CATEGORY(ERRCODE_QUERY_CANCELED) ||
		ERRCODE_TO_CATEGORY(code) == ERRCODE_TO_CATEGORY(ERRCODE_T_R_DEADLOCK_DETECTED) ||
		ERRCODE_TO_CATEGORY(code) == ERRCODE_TO_CATEGORY(ERRCODE_OUT_OF_MEMORY) ||
		ERRCODE_TO_CATEGORY(code) == ERRCODE_TO_CATEGORY(ERRCODE_LOCK_NOT_AVAILABLE);
}

/* Registers the table, in a subtransaction; what stands in the way is a WARNING. */
static void
register_child(Oid child, Oid parent)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		sd_register_below(child, parent);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		ereport(NOTICE,
				(errmsg("table \"%s\" is registered with table \"%s\", to which it refers by ON DELETE CASCADE",
						get_rel_name(child), get_rel_name(parent))));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (goes_on(error->sqlerrcode))
			ReThrowError(error);
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("table \"%s\" could not be registered: a DELETE from table \"%s\" that reaches it will be refused",
						get_rel_name(child), get_rel_name(parent)),
				 errdetail("%s", error->message),
				 errhint("Run SELECT softdelete_register(%s).",
						 quote_literal_cstr(sd_quoted_relation(child)))));
	}
	PG_END_TRY();
}

/* After the statement has run. */
void
sd_new_children_done(List *tables)
{
	ListCell   *lc;

	foreach(lc, tables)
	{
		Oid			relid = RangeVarGetRelid(lfirst_node(RangeVar, lc), NoLock, true);
		Oid			parent;

		if (!OidIsValid(relid) ||
			(get_rel_relkind(relid) != RELKIND_RELATION &&
			 get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE))
			continue;
		relid = sd_partition_root(relid);
		if (sd_registered(relid, NULL) || sd_excluded(relid))
			continue;
		parent = parent_of(relid);
		if (OidIsValid(parent))
			register_child(relid, parent);
	}
}
