/*
 * utility.c - utility statements around registered tables.
 *
 * COPY table TO would read the table without the planner, and so without the
 * hiding condition: it becomes COPY (SELECT ...) TO.  What queries inside ALTER
 * TABLE and REFRESH MATERIALIZED VIEW see is told to the planner (visibility.h).
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "deletion.h"
#include "drops.h"
#include "image.h"
#include "leaving.h"
#include "links.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "register.h"
#include "registry.h"
#include "run.h"
#include "utility.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "viewer.h"
#include "visibility.h"

static List *made_triggers = NIL;	/* OIDs: by the statement under way; in
									 * TopTransactionContext */

static ResTarget *
column_target(char *name)
{
	ColumnRef  *column = makeNode(ColumnRef);
	ResTarget  *target = makeNode(ResTarget);

	column->fields = list_make1(makeString(name));
	column->location = -1;
	target->val = (Node *) column;
	target->location = -1;
	return target;
}

/* The columns that COPY of a table would write. */
static List *
copied_columns(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *targets = NIL;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && !att->attgenerated)
			targets = lappend(targets, column_target(pstrdup(NameStr(att->attname))));
	}
	table_close(rel, NoLock);
	return targets;
}

/*
 * COPY of a registered table becomes COPY of a query, except where the session
 * sees all rows.  DoCopy() itself does the same for row security.  Where it stays as
 * it is the table is named by its schema: DoCopy() looks the name up again, and by
 * then it could mean another table.
 */
static PlannedStmt *
copy_to(PlannedStmt *statement, CopyStmt *copy)
{
	Oid			relid;
	SelectStmt *select;
	RangeVar   *from;
	CopyStmt   *query;
	PlannedStmt *result;
	bool		registered;
	ListCell   *lc;

	if (copy->is_from || copy->relation == NULL)
		return statement;
	relid = RangeVarGetRelid(copy->relation, AccessShareLock, false);
	registered = get_rel_relkind(relid) == RELKIND_RELATION && sd_registered(relid, NULL);
	if (registered && sd_shows_all_rows())
		sd_require_viewer(relid);
	result = copyObject(statement);
	if (!registered || sd_shows_all_rows())
	{
		query = (CopyStmt *) result->utilityStmt;
		query->relation->schemaname = get_namespace_name(get_rel_namespace(relid));
		return result;
	}
	select = makeNode(SelectStmt);
	if (copy->attlist == NIL)
		select->targetList = copied_columns(relid);
	foreach(lc, copy->attlist)
		select->targetList = lappend(select->targetList, column_target(strVal(lfirst(lc))));
	from = makeRangeVar(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid), -1);
	from->inh = false;
	select->fromClause = list_make1(from);

	query = copyObject(copy);
	query->relation = NULL;
	query->attlist = NIL;
	query->query = (Node *) select;
	result->utilityStmt = (Node *) query;
	return result;
}

/*
 * A registered table below one that is not would show its deleted rows there.
 */
static void
refuse_below(RangeVar *parent, RangeVar *child)
{
	Oid			parentid = RangeVarGetRelid(parent, NoLock, true);
	Oid			childid = RangeVarGetRelid(child, NoLock, true);

	if (OidIsValid(parentid) && OidIsValid(childid) &&
		sd_registered(childid, NULL) && !sd_registered(parentid, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot put registered table \"%s\" below table \"%s\", which is not registered",
						child->relname, parent->relname),
				 errhint("Attach a table that is not registered, then run SELECT softdelete_register(%s).",
						 quote_literal_cstr(sd_quoted_relation(parentid)))));
}

/* Does the table begin to inherit?  Refuses what must not be put below what. */
static bool
adds_parent(AlterTableStmt *alter)
{
	bool		adds = false;
	ListCell   *lc;

	foreach(lc, alter->cmds)
	{
		AlterTableCmd *command = lfirst_node(AlterTableCmd, lc);

		if (command->subtype == AT_AddInherit)
		{
			refuse_below((RangeVar *) command->def, alter->relation);
			adds = true;
		}
		else if (command->subtype == AT_AttachPartition)
			refuse_below(alter->relation, ((PartitionCmd *) command->def)->name);
	}
	return adds;
}

static void
rename_column(const RenameStmt *rename, SdUtilityAfter *after)
{
	Oid			relid = rename->relation ?
		RangeVarGetRelid(rename->relation, NoLock, true) : InvalidOid;

	if (!OidIsValid(relid) || !OidIsValid(sd_find_own_relation("link")) ||
		(get_rel_relkind(relid) != RELKIND_RELATION &&
		 get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE))
		return;
	after->renamed = relid;
	after->old_name = pstrdup(rename->subname);
	after->new_name = pstrdup(rename->newname);
}

/*
 * Looks at a utility statement before it runs.  Returns it, or a copy that
 * runs in its place; what it sets in sd_utility is for the caller to put back.
 * In *after what sd_utility_done() needs: the statement itself may be gone by
 * then.
 */
PlannedStmt *
sd_utility_prepare(PlannedStmt *statement, ProcessUtilityContext context, SdUtilityAfter *after)
{
	Node	   *utility = sd_keyddl_prepare(statement->utilityStmt, &after->keys);

	if (utility != statement->utilityStmt)
	{
		statement = copyObject(statement);
		statement->utilityStmt = utility;
	}

	after->guarded = sd_guard_change(utility, &after->guarded_as);
	switch (nodeTag(utility))
	{
		case T_CopyStmt:
			return copy_to(statement, (CopyStmt *) utility);
		case T_TruncateStmt:
			return sd_truncate(statement, &after->truncation);
		case T_AlterTableStmt:
			sd_utility_set(SD_UTILITY_ALTER_TABLE);
			sd_leaving_detach((AlterTableStmt *) utility);
			if (adds_parent((AlterTableStmt *) utility))
				after->heir = copyObject(((AlterTableStmt *) utility)->relation);
			break;
		case T_CreateStmt:
			if (((CreateStmt *) utility)->inhRelations && !((CreateStmt *) utility)->partbound)
				after->heir = copyObject(((CreateStmt *) utility)->relation);
			break;
		case T_RenameStmt:
			if (((RenameStmt *) utility)->renameType == OBJECT_COLUMN)
				rename_column((RenameStmt *) utility, after);
			break;
		case T_CreateTrigStmt:
			after->restored = context == PROCESS_UTILITY_TOPLEVEL;
			break;
		case T_RefreshMatViewStmt:
			sd_utility_set(SD_UTILITY_REFRESH);
			break;
		default:
			break;
	}
	return statement;
}

/* ---------- triggers ---------- */

/* A trigger has been made, or replaced; its entry in the catalog is not seen yet. */
void
sd_utility_trigger(Oid trigger)
{
	MemoryContext old;

	if (IsBinaryUpgrade)
		return;
	old = MemoryContextSwitchTo(TopTransactionContext);
	made_triggers = lappend_oid(made_triggers, trigger);
	MemoryContextSwitchTo(old);
}

static List *
take_made_triggers(void)
{
	List	   *triggers = made_triggers;

	made_triggers = NIL;
	return triggers;
}

/* A statement begins; what it returns is for sd_utility_end(). */
List *
sd_utility_begin(void)
{
	return take_made_triggers();
}

/* It has ended, or failed. */
void
sd_utility_end(List *outer)
{
	made_triggers = outer;
}

/* The table of a trigger that says that it is registered, or excluded; else InvalidOid. */
static Oid
table_marked_by(Oid trigger)
{
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			relid = InvalidOid;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
	scan = systable_beginscan(triggers, TriggerOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple) && sd_is_guard(((Form_pg_trigger) GETSTRUCT(tuple))->tgfoid))
		relid = ((Form_pg_trigger) GETSTRUCT(tuple))->tgrelid;
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
	return relid;
}

/*
 * A trigger with the guard's function is for the owner of the table to make, though
 * to PostgreSQL the privilege for triggers is enough.  A restore may have made it.
 */
static void
look_at_trigger(Oid trigger, bool restored)
{
	Oid			relid = table_marked_by(trigger);

	if (!OidIsValid(relid))
		return;
	sd_require_owner(sd_partition_root(relid));
	if (restored && sd_registered(relid, NULL) && !get_rel_relispartition(relid))
		sd_register_ids(relid);
}

/*
 * After the statement has run: what began to inherit, new keys, a table that a
 * dump has registered, renamed columns.
 */
void
sd_utility_done(const SdUtilityAfter *after)
{
	Oid			relid;
	ListCell   *lc;

	sd_truncate_check();
	if (after->truncation)
		sd_truncate_done(after->truncation);
	relid = after->heir ? RangeVarGetRelid(after->heir, NoLock, true) : InvalidOid;

	if (OidIsValid(relid))
		sd_register_inherited(relid);
	sd_guard_changed(after->guarded, &after->guarded_as);
	sd_keyddl_done(&after->keys);
	foreach(lc, take_made_triggers())
		look_at_trigger(lfirst_oid(lc), after->restored);
	if (OidIsValid(after->renamed))
	{
		if (sd_registered(after->renamed, NULL))
			foreach(lc, sd_tables_of(after->renamed))
				sd_images_rename_column(lfirst_oid(lc), after->old_name, after->new_name);
		foreach(lc, find_all_inheritors(after->renamed, NoLock, NULL))
			sd_links_rename_column(lfirst_oid(lc), after->old_name, after->new_name);
	}
}
