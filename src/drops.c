/*
 * drops.c - DDL that would take deleted rows away, or bring them to light.
 *
 * Whatever drops a registered table, by its name, with its schema, owner or
 * type, drops its guard first; and so does what drops a column that the guard
 * watches, or the extension.  So PostgreSQL tells about the guard.  Why it went
 * is known when the statement has run: then the table is gone, or the column, or
 * the guard's function, or none of them.  An error undoes the statement.
 *
 * What PostgreSQL drops on its own account (PERFORM_DELETION_INTERNAL) passes:
 * the guards of partitions that are detached (hierarchy.c), tables on an
 * unregister, temporary tables.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "deletion.h"
#include "drops.h"
#include "image.h"
#include "nodes/parsenodes.h"
#include "physical.h"
#include "registry.h"
#include "run.h"
#include "settings.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "visibility.h"

/* A guard that the running utility statement has dropped. */
typedef struct Dropped
{
	Oid			relid;			/* its table, and how it was registered */
	SdTable		table;
	char	   *name;			/* of the table */
	char	   *root;			/* of the table at the top, if it is a partition */
	char	   *qualified;		/* the same, quoted */
	Oid			function;		/* of the guard */
	bool		rows;			/* were there any in the table? */
} Dropped;

/* Those of the innermost utility statement; in TopTransactionContext. */
static List *dropped = NIL;

/* ---------- refusals ---------- */

static void
refuse_table(const Dropped *d)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot drop registered table \"%s\", which has rows", d->name),
			 errdetail("Live and deleted rows would be gone for good."),
			 errhint("Run SELECT softdelete_unregister(%s) first, or SET softdelete.enabled = off.",
					 quote_literal_cstr(d->qualified))));
}

static void
refuse_guard(const char *name, const char *qualified)
{
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot drop, disable or change trigger \"%s\" because table \"%s\" is registered",
					SD_GUARD_NAME, name),
			 errhint("Run SELECT softdelete_unregister(%s).", quote_literal_cstr(qualified))));
}

static void
refuse_column(const Dropped *d)
{
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot drop flag or deletion_id because table \"%s\" is registered", d->root),
			 errhint("Run SELECT softdelete_unregister(%s).", quote_literal_cstr(d->qualified))));
}

static void
refuse_extension(const char *holder)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot drop extension softdelete because %s has deleted rows", holder),
			 errdetail("They would be seen as live, or nothing could bring them back."),
			 errhint("Run SELECT softdelete_unregister() for each registered table first, or SET softdelete.enabled = off.")));
}

/* ---------- while a statement runs ---------- */

/* The table of a guard trigger, and its function; InvalidOid for other triggers. */
static Oid
guarded_table(Oid triggerid, Oid *function)
{
	Relation	rel = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			relid = InvalidOid;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(triggerid));
	scan = systable_beginscan(rel, TriggerOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

		*function = form->tgfoid;
		if (strcmp(NameStr(form->tgname), SD_GUARD_NAME) == 0 && sd_is_guard(form->tgfoid))
			relid = form->tgrelid;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return relid;
}

static void
drop_guard(Oid triggerid)
{
	Oid			function;
	Oid			relid = guarded_table(triggerid, &function);
	MemoryContext old;
	Dropped    *d;
	Relation	rel;

	if (!OidIsValid(relid))
		return;
	/* the lock that dropping the trigger takes next */
	rel = table_open(relid, AccessExclusiveLock);
	old = MemoryContextSwitchTo(TopTransactionContext);
	d = palloc0(sizeof(Dropped));
	if (sd_registered(relid, &d->table))
	{
		d->relid = relid;
		d->name = pstrdup(RelationGetRelationName(rel));
		d->root = get_rel_name(sd_partition_root(relid));
		d->qualified = sd_quoted_relation(sd_partition_root(relid));
		d->function = function;
		d->rows = sd_has_rows(rel);
		if (sd_utility_depth > 0)
			dropped = lappend(dropped, d);
		else if (sd_enabled)
			refuse_guard(d->root, d->qualified);
	}
	MemoryContextSwitchTo(old);
	table_close(rel, NoLock);
}

/* Rows that are in the journal only go with the extension. */
static void
drop_relation(Oid relid)
{
	Relation	rel;
	bool		images;

	if (relid != sd_find_own_relation("image") || !sd_enabled)
		return;
	rel = table_open(relid, AccessExclusiveLock);
	images = sd_has_rows(rel);
	table_close(rel, NoLock);
	if (images)
		refuse_extension("the journal");
}

/* PostgreSQL is about to drop an object. */
void
sd_drop(Oid classid, Oid objectid, int subid, int flags)
{
	if (subid != 0 || (flags & PERFORM_DELETION_INTERNAL) != 0)
		return;
	if (classid == TriggerRelationId)
		drop_guard(objectid);
	else if (classid == RelationRelationId)
		drop_relation(objectid);
}

/* ---------- after it ---------- */

static bool
column_is_gone(Oid relid, AttrNumber att)
{
	return !OidIsValid(get_atttype(relid, att));
}

/* The table has lost its guard and is still there. */
static void
check_unguarded(const Dropped *d)
{
	Relation	rel;
	bool		deleted;

	if (sd_registered(d->relid, NULL))
		return;
	if (!sd_enabled)
	{
		if (OidIsValid(sd_find_own_relation("image")))
			sd_bypass_log(sd_partition_root(d->relid));
		return;
	}
	if (column_is_gone(d->relid, d->table.flag) || column_is_gone(d->relid, d->table.deletion_id))
		refuse_column(d);
	if (SearchSysCacheExists1(PROCOID, ObjectIdGetDatum(d->function)))
		refuse_guard(d->root, d->qualified);
	rel = table_open(d->relid, NoLock);
	deleted = sd_has_deleted_rows(rel, &d->table);
	table_close(rel, NoLock);
	if (deleted)
		refuse_extension(psprintf("table \"%s\"", d->name));
}

/* The table is gone; so are then the rows that it has in the journal. */
static void
check_dropped(const Dropped *d)
{
	bool		has_journal = OidIsValid(sd_find_own_relation("image"));
	bool		images = has_journal && sd_images_of(d->relid) > 0;

	if (!d->rows && !images)
		return;
	if (sd_enabled)
		refuse_table(d);
	if (has_journal)
		sd_bypass_log(d->relid);
	if (images)
		(void) sd_images_forget(d->relid, NULL);
}

/* Before a utility statement: the drops of the one around it, if any. */
List *
sd_drops_begin(void)
{
	List	   *outer = dropped;

	dropped = NIL;
	return outer;
}

/* After it has run: errors for what it must not have dropped. */
void
sd_drops_done(void)
{
	ListCell   *lc;

	foreach(lc, dropped)
	{
		Dropped    *d = lfirst(lc);

		if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(d->relid)))
			check_unguarded(d);
		else
			check_dropped(d);
	}
}

void
sd_drops_end(List *outer)
{
	dropped = outer;
}

/* ---------- the guard renamed, replaced or disabled ---------- */

static Oid
registered_table(const RangeVar *relation)
{
	Oid			relid = RangeVarGetRelid(relation, NoLock, true);

	return OidIsValid(relid) && sd_registered(relid, NULL) ? relid : InvalidOid;
}

/* The guard does not fit a boolean flag that may be null, nor a time that may not. */
static void
refuse_null_flag(Oid relid, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot %s NOT NULL of column \"%s\" because table \"%s\" is registered",
					what, sd_flag_name(relid), get_rel_name(relid)),
			 errhint("Run SELECT softdelete_unregister(%s).",
					 quote_literal_cstr(sd_quoted_relation(sd_partition_root(relid))))));
}

static void
check_alter(const AlterTableStmt *alter, Oid relid)
{
	ListCell   *lc;

	foreach(lc, alter->cmds)
	{
		AlterTableCmd *command = lfirst_node(AlterTableCmd, lc);

		if ((command->subtype == AT_DisableTrig || command->subtype == AT_EnableReplicaTrig) &&
			strcmp(command->name, SD_GUARD_NAME) == 0)
			refuse_guard(get_rel_name(relid), sd_quoted_relation(relid));
		if ((command->subtype == AT_DropNotNull || command->subtype == AT_SetNotNull) &&
			strcmp(command->name, sd_flag_name(relid)) == 0)
		{
			SdTable		table;
			bool		boolean;

			(void) sd_registered(relid, &table);
			boolean = sd_flag_type(&table) == BOOLOID;
			if (boolean == (command->subtype == AT_DropNotNull))
				refuse_null_flag(relid, boolean ? "drop" : "set");
		}
	}
}

/*
 * Before a utility statement: the registered table whose guard it may change,
 * and how it is registered, for sd_guard_changed(); or InvalidOid.
 */
Oid
sd_guard_change(Node *utility, SdTable *table)
{
	Oid			relid = InvalidOid;

	if (!sd_enabled)
		return InvalidOid;
	if (IsA(utility, AlterTableStmt))
	{
		AlterTableStmt *alter = (AlterTableStmt *) utility;

		if (alter->objtype == OBJECT_TABLE)
			relid = registered_table(alter->relation);
		if (OidIsValid(relid))
			check_alter(alter, relid);
	}
	else if (IsA(utility, RenameStmt))
	{
		RenameStmt *rename = (RenameStmt *) utility;

		if (rename->renameType == OBJECT_TRIGGER && strcmp(rename->subname, SD_GUARD_NAME) == 0)
			relid = registered_table(rename->relation);
	}
	else if (IsA(utility, CreateTrigStmt))
	{
		CreateTrigStmt *create = (CreateTrigStmt *) utility;

		if (create->replace && strcmp(create->trigname, SD_GUARD_NAME) == 0)
			relid = registered_table(create->relation);
	}
	if (OidIsValid(relid))
		(void) sd_registered(relid, table);
	return relid;
}

/* After it has run: is the table still registered, and under the same columns? */
void
sd_guard_changed(Oid relid, const SdTable *before)
{
	SdTable		table;

	if (OidIsValid(relid) && SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)) &&
		(!sd_registered(relid, &table) || table.flag != before->flag ||
		 table.kind != before->kind || table.deletion_id != before->deletion_id))
		refuse_guard(get_rel_name(relid), sd_quoted_relation(relid));
}
