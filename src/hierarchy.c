/*
 * hierarchy.c - tables that are put below registered ones, or taken from there.
 *
 * A partition is registered by the guard that PostgreSQL clones to it and is
 * not any more when it is detached, because PostgreSQL drops the clone: so a
 * partition with deleted rows is not let go.  An inheritance child has a guard
 * of its own and keeps it.
 *
 * Statements are looked at twice.  Before they run, for what will be gone
 * afterwards; after they have run, when the locks are held that make the answer
 * final.  An error then undoes the statement.
 */
#include "postgres.h"

#include "adopt.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "compat.h"
#include "hierarchy.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "register.h"
#include "registry.h"
#include "run.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* One thing that a statement does to the place of a table. */
typedef struct Change
{
	enum
	{
		ATTACH,
		DETACH,
		INHERIT,
		NO_INHERIT,
		CREATE_BELOW,			/* a table is made below others */
		CONSTRAIN				/* a foreign key may be made or changed */
	}			kind;
	Oid			child;			/* InvalidOid for CREATE_BELOW */
	RangeVar   *name;			/* CREATE_BELOW: of the table */
	Oid			parent;
	bool		was_registered;	/* the child */
	char	   *deleted_rows;	/* DETACH: SQL that finds one */
	char	   *flag;			/* DETACH, NO_INHERIT: of the child; NULL: to be
								 * named when it is registered again */
	char	   *deletion_id;
} Change;

/* ---------- rows that must not come to light, or vanish ---------- */

static bool
finds_row(Oid relid, const char *sql)
{
	SdStatement statement = {0};
	SdRowset   *rows;
	bool		any;

	statement.sql = sql;
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = relid;
	statement.limit = 1;
	statement.result = &rows;
	any = sd_run(&statement) > 0;
	sd_rowset_free(rows);
	return any;
}

static void
refuse_deleted_rows(const Change *change)
{
	if (finds_row(change->child, change->deleted_rows))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot detach partition \"%s\", which holds deleted rows",
						get_rel_name(change->child)),
				 errdetail("The detached table is not registered: its deleted rows would be seen as live."),
				 errhint("Find them with SET softdelete.show_deleted = 'only' and bring them back with softdelete_undelete() first.")));
}

/*
 * Rows that the table had before and that its new flag says are deleted, though
 * no deletion took them.
 */
static void
refuse_unknown_rows(const Change *change)
{
	if (finds_row(change->child,
				  psprintf("SELECT 1 FROM %s t WHERE NOT %s AND t.%s IS NULL",
						   sd_quoted_relation(change->child), sd_live_sql(change->parent, "t"),
						   quote_identifier(sd_deletion_id_name(change->parent)))))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot put table \"%s\" below registered table \"%s\": it has rows that would be hidden though nobody deleted them",
						get_rel_name(change->child), get_rel_name(change->parent)),
				 errhint("Update column \"%s\" of those rows first.", sd_flag_name(change->parent))));
}

/* ---------- what must not stand below a registered table ---------- */

static void
refuse_foreign(Oid child, Oid parent)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(child, NoLock, NULL))
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot put foreign table \"%s\" below registered table \"%s\"",
							get_rel_name(lfirst_oid(lc)), get_rel_name(parent)),
					 errhint("Register the table on its own server, and keep it apart here.")));
}

/*
 * A table that is registered by itself is registered from now on with its new
 * parent, by the parent's guard, under the same columns.
 */
static void
give_up_guard(const Change *change)
{
	if (!sd_is_owner(change->parent, GetUserId()) || !sd_is_owner(change->child, GetUserId()))
		return;					/* PostgreSQL is about to refuse */
	LockRelationOid(change->parent, ShareUpdateExclusiveLock);
	LockRelationOid(change->child, AccessExclusiveLock);
	if (!sd_registered(change->parent, NULL) || !sd_registered(change->child, NULL))
		return;
	if (!sd_same_columns(change->child, change->parent))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot attach table \"%s\" to table \"%s\": they are registered with different columns",
						get_rel_name(change->child), get_rel_name(change->parent)),
				 strcmp(sd_flag_name(change->child), sd_flag_name(change->parent)) == 0 &&
				 strcmp(sd_deletion_id_name(change->child), sd_deletion_id_name(change->parent)) == 0 ?
				 errhint("Their flags say the opposite of each other: run SELECT softdelete_unregister(%s) first.",
						 quote_literal_cstr(sd_quoted_relation(change->child))) :
				 errhint("Rename columns \"%s\" and \"%s\" of table \"%s\" to \"%s\" and \"%s\".",
						 sd_flag_name(change->child), sd_deletion_id_name(change->child),
						 get_rel_name(change->child), sd_flag_name(change->parent),
						 sd_deletion_id_name(change->parent))));
	sd_drop_guard(change->child);
}

/* ---------- before ---------- */

static List *
add_change(List *changes, int kind, Oid parent, Oid child)
{
	Change	   *change = palloc0(sizeof(Change));

	change->kind = kind;
	change->parent = parent;
	change->child = child;
	change->was_registered = OidIsValid(child) && sd_registered(child, NULL);
	if ((kind == DETACH || kind == NO_INHERIT) && change->was_registered)
	{
		SdTable		table;

		(void) sd_registered(child, &table);
		change->flag = table.kind == SD_FLAG_LIVE ? sd_flag_name(child) : NULL;
		change->deletion_id = sd_deletion_id_name(child);
		change->deleted_rows = psprintf("SELECT 1 FROM %s t WHERE NOT %s",
										sd_quoted_relation(child), sd_live_sql(child, "t"));
	}
	return lappend(changes, change);
}

static List *
prepare_detach(List *changes, Oid parent, Oid child, bool at_once)
{
	Change	   *change;

	if (!sd_registered(child, NULL))
		return changes;
	changes = add_change(changes, DETACH, parent, child);
	change = llast(changes);

	/* CONCURRENTLY cannot be undone when it has begun */
	if (!at_once && sd_is_owner(parent, GetUserId()))
		refuse_deleted_rows(change);
	return changes;
}

static List *
prepare_alter(AlterTableStmt *alter)
{
	Oid			relid = RangeVarGetRelid(alter->relation, NoLock, true);
	List	   *changes = NIL;
	ListCell   *lc;

	if (!OidIsValid(relid) ||
		(alter->objtype != OBJECT_TABLE && alter->objtype != OBJECT_FOREIGN_TABLE))
		return NIL;
	foreach(lc, alter->cmds)
	{
		AlterTableCmd *command = lfirst_node(AlterTableCmd, lc);
		RangeVar   *other = NULL;
		Oid			otherid;

		switch (command->subtype)
		{
			case AT_AddInherit:
			case AT_DropInherit:
				other = (RangeVar *) command->def;
				break;
			case AT_AttachPartition:
			case AT_DetachPartition:
			case AT_DetachPartitionFinalize:
				other = ((PartitionCmd *) command->def)->name;
				break;
			case AT_AddConstraint:
			case AT_AlterConstraint:
				changes = add_change(changes, CONSTRAIN, InvalidOid, relid);
				continue;
			default:
				continue;
		}
		otherid = RangeVarGetRelid(other, NoLock, true);
		if (!OidIsValid(otherid))
			continue;
		switch (command->subtype)
		{
			case AT_AddInherit:
				changes = add_change(changes, INHERIT, otherid, relid);
				break;
			case AT_DropInherit:
				changes = add_change(changes, NO_INHERIT, otherid, relid);
				break;
			case AT_AttachPartition:
				changes = add_change(changes, ATTACH, relid, otherid);
				if (((Change *) llast(changes))->was_registered && sd_registered(relid, NULL))
					give_up_guard(llast(changes));
				break;
			default:
				changes = prepare_detach(changes, relid, otherid,
										 command->subtype == AT_DetachPartition &&
										 !((PartitionCmd *) command->def)->concurrent);
				break;
		}
	}
	return changes;
}

static List *
prepare_create(CreateStmt *create)
{
	List	   *changes = NIL;
	ListCell   *lc;

	foreach(lc, create->inhRelations)
	{
		Oid			parent = RangeVarGetRelid(lfirst_node(RangeVar, lc), NoLock, true);

		if (!OidIsValid(parent))
			continue;
		changes = add_change(changes, CREATE_BELOW, parent, InvalidOid);
		((Change *) llast(changes))->name = copyObject(create->relation);
	}
	return changes;
}

/*
 * Looks at a utility statement before it runs.  Returns what sd_hierarchy_done()
 * needs; the statement itself may be gone by then.
 */
List *
sd_hierarchy_prepare(Node *utility)
{
	switch (nodeTag(utility))
	{
		case T_AlterTableStmt:
			return prepare_alter((AlterTableStmt *) utility);
		case T_CreateStmt:
		case T_CreateForeignTableStmt:
			return prepare_create((CreateStmt *) utility);
		default:
			return NIL;
	}
}

/* ---------- after ---------- */

static void
done_detach(const Change *change)
{
	if (sd_registered(change->child, NULL))
		return;
	refuse_deleted_rows(change);
	sd_mark_columns(change->child, change->flag, change->deletion_id);
	ereport(NOTICE,
			(errmsg("table \"%s\" is not registered any more", get_rel_name(change->child)),
			 errhint("Run SELECT softdelete_register(%s) to register it by itself.",
					 quote_literal_cstr(sd_quoted_relation(change->child)))));
}

static void
done_below(const Change *change)
{
	if (!sd_registered(change->parent, NULL))
		return;

	/* IF NOT EXISTS, and the name was taken */
	if (change->kind == CREATE_BELOW &&
		!list_member_oid(find_inheritance_children(change->parent, NoLock), change->child))
		return;
	refuse_foreign(change->child, change->parent);
	if (change->kind != ATTACH)
		sd_refuse_mixed_parents(change->child);
	if (change->kind != CREATE_BELOW && !change->was_registered)
		refuse_unknown_rows(change);
}

/* After the statement has run. */
void
sd_hierarchy_done(List *changes)
{
	ListCell   *lc;

	foreach(lc, changes)
	{
		Change	   *change = lfirst(lc);

		if (change->kind == CREATE_BELOW)
			change->child = RangeVarGetRelid(change->name, NoLock, true);
		if (!OidIsValid(change->child) || get_rel_name(change->child) == NULL)
			continue;
		switch (change->kind)
		{
			case DETACH:
				done_detach(change);
				break;
			case NO_INHERIT:
				if (change->was_registered)
					sd_mark_columns(change->child, change->flag, change->deletion_id);
				break;
			case ATTACH:
			case INHERIT:
			case CREATE_BELOW:
				done_below(change);
				break;
			case CONSTRAIN:
				break;
		}
		if (change->kind == ATTACH || change->kind == CONSTRAIN)
			sd_refuse_new_period_keys(change->child);
	}
}
