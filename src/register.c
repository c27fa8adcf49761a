/*
 * register.c - registering tables.
 *
 * A table is registered with everything that a DELETE from it would reach over
 * ON DELETE CASCADE, in one transaction: all or nothing.  What makes it so are
 * two columns, added without a rewrite, and the guard trigger (registry.h).
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "adopt.h"
#include "compat.h"
#include "deletion.h"
#include "fkey.h"
#include "fmgr.h"
#include "funcapi.h"
#include "keys.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "preload.h"
#include "register.h"
#include "registry.h"
#include "run.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#define FLAG_NAME "active"
#define OTHER_FLAG_NAME "softdelete_active"
#define DELETION_ID_NAME "deletion_id"
#define FLAG_COMMENT "softdelete: is the row live?"
#define DELETED_FLAG_COMMENT "softdelete: is the row deleted?"
#define DELETION_ID_COMMENT "softdelete: the deletion that took the row last"

/* ---------- what can be registered ---------- */

static void
require_table(Relation rel)
{
	char		kind = rel->rd_rel->relkind;

	if (OidIsValid(rel->rd_rel->reloftype))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot register typed table \"%s\"", RelationGetRelationName(rel)),
				 errhint("Run ALTER TABLE %s NOT OF first: softdelete adds two columns.",
						 sd_quoted_relation(RelationGetRelid(rel)))));
	if (kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE)
		return;
	if (kind == RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot register foreign table \"%s\"", RelationGetRelationName(rel)),
				 errhint("Register the table on its own server.")));
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" is not a table", RelationGetRelationName(rel)),
			 errhint("Register the tables that it is made of; DELETE through a view follows.")));
}

static void
refuse_kept_tables(Relation rel)
{
	Oid			extension;

	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot register temporary table \"%s\"", RelationGetRelationName(rel)),
				 errhint("Register a permanent table.")));
	if (IsSystemRelation(rel) || RelationGetRelid(rel) < FirstNormalObjectId)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot register system table \"%s\"", RelationGetRelationName(rel)),
				 errhint("Register tables of your own.")));
	extension = getExtensionOfObject(RelationRelationId, RelationGetRelid(rel));
	if (OidIsValid(extension))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot register table \"%s\", which belongs to extension \"%s\"",
						RelationGetRelationName(rel), get_extension_name(extension)),
				 errhint("Register tables of your own.")));
}

static void
refuse_parts(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);
	ListCell   *lc;

	if (rel->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot register partition \"%s\" alone", RelationGetRelationName(rel)),
				 errhint("Register the partitioned table \"%s\".",
						 get_rel_name(sd_partition_root(relid)))));
	foreach(lc, find_all_inheritors(relid, AccessExclusiveLock, NULL))
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot register table \"%s\": its %s \"%s\" is a foreign table",
							RelationGetRelationName(rel),
							get_rel_relispartition(lfirst_oid(lc)) ? "partition" : "child",
							get_rel_name(lfirst_oid(lc))),
					 get_rel_relispartition(lfirst_oid(lc)) ?
					 errhint("Detach the foreign partition first.") :
					 errhint("Run ALTER FOREIGN TABLE %s NO INHERIT first.",
							 sd_quoted_relation(lfirst_oid(lc)))));
}

/* The tables from which this one inherits directly. */
List *
sd_inheritance_parents(Oid relid)
{
	Relation	inherits = table_open(InheritsRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *parents = NIL;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		parents = lappend_oid(parents, ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent);
	systable_endscan(scan);
	table_close(inherits, AccessShareLock);
	return parents;
}

static bool
is_period_key(const SdForeignKey *fkey)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(fkey->id));
	bool		period;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", fkey->id);
	period = sd_constraint_is_period((Form_pg_constraint) GETSTRUCT(tuple));
	ReleaseSysCache(tuple);
	return period;
}

/*
 * A key over a period would see the rows that the session sees: deleted ones, or
 * none of them where they must count.
 */
static void
refuse_period_keys(Relation rel)
{
	ListCell   *lc;

	foreach(lc, sd_fkeys_below(rel))
	{
		SdForeignKey *fkey = lfirst(lc);

		if (is_period_key(fkey))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot register table \"%s\": foreign key constraint \"%s\" of table \"%s\" references it over a period",
							RelationGetRelationName(rel), fkey->name, get_rel_name(fkey->child)),
					 errhint("Drop that foreign key first.")));
	}
	foreach(lc, sd_fkeys_above(rel))
	{
		SdForeignKey *fkey = lfirst(lc);

		if (is_period_key(fkey))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot register table \"%s\": its foreign key constraint \"%s\" is over a period",
							RelationGetRelationName(rel), fkey->name),
					 errhint("Drop that foreign key first.")));
	}
}

/* The same after a table has been given foreign keys. */
void
sd_refuse_new_period_keys(Oid relid)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	ListCell   *lc;

	foreach(lc, sd_fkeys_above(rel))
	{
		SdForeignKey *fkey = lfirst(lc);

		if (is_period_key(fkey) &&
			(sd_registered(fkey->parent, NULL) || sd_registered(relid, NULL)))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("foreign key constraint \"%s\" of table \"%s\" is over a period, and table \"%s\" is registered",
							fkey->name, RelationGetRelationName(rel),
							get_rel_name(sd_registered(relid, NULL) ? relid : fkey->parent)),
					 errhint("Use a foreign key without PERIOD.")));
	}
	relation_close(rel, NoLock);
}

/* Error 42501 unless the current user owns the table. */
void
sd_require_owner(Oid relid)
{
	if (!sd_is_owner(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)),
					   get_rel_name(relid));
}

/* ---------- making a table registered ---------- */

/*
 * The columns are known again by their comments when the guard is gone, because
 * the extension was dropped: a dump carries them, and they may be renamed.
 */
static char *
column_with_comment(Relation rel, const char *comment, Oid type)
{
	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), i);
		char	   *found;

		if (att->attisdropped || att->atttypid != type)
			continue;
		found = GetComment(RelationGetRelid(rel), RelationRelationId, att->attnum);
		if (found && strcmp(found, comment) == 0)
			return pstrdup(NameStr(att->attname));
	}
	return NULL;
}

/* Was the flag added by a registration? */
static bool
is_our_flag(Oid relid, AttrNumber flag)
{
	char	   *comment = GetComment(relid, RelationRelationId, flag);

	return comment && (strcmp(comment, FLAG_COMMENT) == 0 || strcmp(comment, DELETED_FLAG_COMMENT) == 0);
}

/* Is there a column of this name, in the table or an inheritance child? */
static bool
name_is_taken(Oid relid, const char *name)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, AccessShareLock, NULL))
		if (get_attnum(lfirst_oid(lc), name) != InvalidAttrNumber)
			return true;
	return false;
}

static void
refuse_taken(Oid relid, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_COLUMN),
			 errmsg("column \"%s\" of relation \"%s\" already exists", name, get_rel_name(relid)),
			 errhint("Rename the column; softdelete adds one of this name.")));
}

/*
 * Ids that rows of the table have already must not be given again: they come from
 * an earlier installation, another database or a publisher.
 */
static void
advance_ids(Oid relid, const char *deletion_id)
{
	SdStatement statement = {0};
	int64		last;

	statement.sql = psprintf("SELECT pg_catalog.max(%s) FROM %s",
							 quote_identifier(deletion_id), sd_quoted_relation(relid));
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = relid;
	last = sd_run_int64(&statement);
	if (last > 0)
		sd_deletion_id_past(last);
}

/* The same after a guard has been put on a table that somebody has loaded. */
void
sd_register_ids(Oid relid)
{
	advance_ids(relid, sd_deletion_id_name(relid));
}

static void
add_column(Oid relid, const char *name, const char *type, const char *comment)
{
	if (name_is_taken(relid, name))
		refuse_taken(relid, name);
	sd_run_utility(psprintf("ALTER TABLE %s ADD COLUMN %s %s", sd_quoted_relation(relid),
							quote_identifier(name), type));
	sd_run_utility(psprintf("COMMENT ON COLUMN %s.%s IS %s", sd_quoted_relation(relid),
							quote_identifier(name), quote_literal_cstr(comment)));
}

/*
 * The flag that an earlier registration has added, or the one that the caller wants,
 * or a new one.  Adding it rewrites nothing: the default is a constant.
 */
static void
find_flag(Oid relid, const SdWantedFlag *wanted, SdColumns *columns)
{
	Relation	rel = table_open(relid, AccessShareLock);
	char	   *live = column_with_comment(rel, FLAG_COMMENT, BOOLOID);
	char	   *deleted = column_with_comment(rel, DELETED_FLAG_COMMENT, BOOLOID);

	table_close(rel, NoLock);
	columns->adopted = columns->existed = false;
	if (sd_flag_adopted(relid, wanted, columns))
		return;
	columns->flag = live ? live : deleted;
	columns->live_value = live != NULL || deleted == NULL;
	columns->existed = columns->flag != NULL;
	if (columns->existed)
		return;
	if (wanted->name && !wanted->below)
	{
		columns->flag = pstrdup(wanted->name);
		columns->live_value = wanted->live_value;
	}
	else
		columns->flag = name_is_taken(relid, FLAG_NAME) ? OTHER_FLAG_NAME : FLAG_NAME;
	add_column(relid, columns->flag, columns->live_value ? "boolean NOT NULL DEFAULT true" :
			   "boolean NOT NULL DEFAULT false",
			   columns->live_value ? FLAG_COMMENT : DELETED_FLAG_COMMENT);
}

/* Adds the two columns, or finds those that are there. */
static void
add_columns(Oid relid, const SdWantedFlag *wanted, SdColumns *columns)
{
	Relation	rel = table_open(relid, AccessShareLock);

	columns->deletion_id = column_with_comment(rel, DELETION_ID_COMMENT, INT8OID);
	table_close(rel, NoLock);
	find_flag(relid, wanted, columns);
	if (columns->deletion_id)
	{
		advance_ids(relid, columns->deletion_id);
		return;
	}
	columns->deletion_id = DELETION_ID_NAME;
	add_column(relid, columns->deletion_id, "bigint", DELETION_ID_COMMENT);
}

/* How a table is registered, beside its columns. */
typedef struct SdOptions
{
	bool		alone;			/* without what hangs below it */
	bool		full_keys;		/* keys are not made partial */
	const char *retention;		/* NULL: for ever */
} SdOptions;

static SdOptions
options_of(Oid relid)
{
	SdOptions	options;
	SdTable		table;

	(void) sd_registered(relid, &table);
	options.alone = table.alone;
	options.full_keys = table.full_keys;
	options.retention = sd_retention(relid);
	return options;
}

/* The guard's arguments, as SQL: what is not the default. */
static const char *
guard_arguments(bool live_value, const SdOptions *options)
{
	StringInfoData arguments;

	initStringInfo(&arguments);
	if (!live_value)
		appendStringInfoString(&arguments, ", '" SD_GUARD_LIVE_VALUE "=false'");
	if (options->alone)
		appendStringInfoString(&arguments, ", '" SD_GUARD_CASCADE "=false'");
	if (options->full_keys)
		appendStringInfoString(&arguments, ", '" SD_GUARD_PARTIAL_UNIQUE "=false'");
	if (options->retention)
		appendStringInfo(&arguments, ", %s",
						 quote_literal_cstr(psprintf(SD_GUARD_RETENTION "=%s", options->retention)));
	return arguments.len > 0 ? arguments.data + 2 : "";
}

static void
add_guard(Oid relid, const SdColumns *columns, const SdOptions *options)
{
	sd_run_utility(psprintf("CREATE OR REPLACE TRIGGER " SD_GUARD_NAME " BEFORE DELETE ON %s FOR EACH ROW"
							" WHEN (OLD.%s IS NOT NULL OR OLD.%s IS NULL OR true)"
							" EXECUTE FUNCTION " SD_SCHEMA ".softdelete_guard(%s)",
							sd_quoted_relation(relid), quote_identifier(columns->flag),
							quote_identifier(columns->deletion_id),
							guard_arguments(columns->live_value, options)));
}

/* Makes a table one that is not registered; on its own account, so that it passes. */
void
sd_drop_guard(Oid relid)
{
	ObjectAddress guard;

	ObjectAddressSet(guard, TriggerRelationId, get_trigger_oid(relid, SD_GUARD_NAME, false));
	performDeletion(&guard, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
	CommandCounterIncrement();
}

/* The tables whose keys concern this one: itself and its partitions. */
List *
sd_tables_with_keys(Oid relid)
{
	return get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE ?
		find_all_inheritors(relid, AccessExclusiveLock, NULL) : list_make1_oid(relid);
}

/* Makes one table, whose columns are there, a registered one. */
static void
guard_table(Oid relid, const SdColumns *columns, const SdOptions *options, StringInfo note)
{
	const char *arguments = !columns->adopted ? "" :
		psprintf(", flag := %s%s", quote_literal_cstr(columns->flag),
				 columns->live_value ? "" : ", live_value := false");
	ListCell   *lc;

	if (!options->full_keys)
		foreach(lc, sd_tables_with_keys(relid))
		{
			SdTable		table = sd_flag_described(lfirst_oid(lc), columns);

			sd_keys_make_partial(lfirst_oid(lc), &table, arguments, note);
		}
	add_guard(relid, columns, options);
}

/* The columns under which a table is registered. */
static SdColumns
columns_of(Oid relid)
{
	SdColumns	columns;
	SdTable		table;

	(void) sd_registered(relid, &table);
	columns.flag = sd_flag_name(relid);
	columns.deletion_id = sd_deletion_id_name(relid);
	columns.live_value = table.kind != SD_FLAG_DELETED;
	columns.adopted = false;
	columns.existed = true;
	return columns;
}

/* Gives a registered table other options. */
static void
change_options(Oid relid, const SdOptions *options)
{
	SdColumns	columns = columns_of(relid);

	LockRelationOid(relid, AccessExclusiveLock);
	add_guard(relid, &columns, options);
	CommandCounterIncrement();
}

/* Gives a registered table, and those that inherit from it, another retention. */
static void
set_retention(Oid relid, const char *retention)
{
	ListCell   *lc;

	LockRelationOid(relid, AccessExclusiveLock);
	foreach(lc, sd_tables_of(relid))
	{
		SdColumns	columns = columns_of(lfirst_oid(lc));
		SdOptions	options = options_of(lfirst_oid(lc));

		options.retention = retention;
		add_guard(lfirst_oid(lc), &columns, &options);
	}
	CommandCounterIncrement();
}

/* ---------- excluded tables ---------- */

/* Makes a table one whose rows may really go with a deleted parent. */
static void
exclude_table(Oid relid)
{
	char	   *name = get_rel_name(relid);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (sd_registered(relid, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot exclude table \"%s\", which is registered", name),
				 errhint("Run SELECT softdelete_unregister(%s) first.",
						 quote_literal_cstr(sd_quoted_relation(relid)))));
	if (get_rel_relkind(relid) != RELKIND_RELATION && get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", name)));
	if (get_rel_relispartition(relid))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot exclude partition \"%s\" alone", name),
				 errhint("Exclude the partitioned table \"%s\".",
						 get_rel_name(sd_partition_root(relid)))));
	sd_require_owner(relid);
	if (sd_excluded(relid))
		return;
	sd_run_utility(psprintf("CREATE TRIGGER " SD_EXCLUDED_NAME " BEFORE DELETE ON %s FOR EACH STATEMENT"
							" WHEN (false) EXECUTE FUNCTION " SD_SCHEMA ".softdelete_guard()",
							sd_quoted_relation(relid)));
	CommandCounterIncrement();
}

static void
exclude_tables(ArrayType *tables)
{
	Datum	   *values;
	bool	   *nulls;
	int			n;

	deconstruct_array(tables, REGCLASSOID, sizeof(Oid), true, TYPALIGN_INT, &values, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("exclude must not contain nulls")));
		exclude_table(DatumGetObjectId(values[i]));
	}
}

/*
 * Makes the columns of a table that was registered with another known again, for
 * a registration by itself; flag: NULL if that is to be named then.
 */
void
sd_mark_columns(Oid relid, const char *flag, const char *deletion_id)
{
	if (flag)
		CreateComments(relid, RelationRelationId, get_attnum(relid, flag), FLAG_COMMENT);
	CreateComments(relid, RelationRelationId, get_attnum(relid, deletion_id), DELETION_ID_COMMENT);
}

/* ---------- notes ---------- */

static void
note_parents(StringInfo note, Relation rel)
{
	ListCell   *lc;

	foreach(lc, sd_fkeys_from(rel))
	{
		SdForeignKey *fkey = lfirst(lc);

		if (sd_registered(fkey->parent, NULL) || fkey->on_delete == FKCONSTR_ACTION_NOACTION ||
			fkey->on_delete == FKCONSTR_ACTION_RESTRICT)
			continue;
		appendStringInfo(note, "%sDELETE from %s, which is not registered, is refused while rows here refer to it by constraint %s",
						 note->len ? "; " : "", sd_quoted_relation(fkey->parent),
						 quote_identifier(fkey->name));
	}
}

static void
warn_about_children(Relation rel)
{
	ListCell   *lc;

	foreach(lc, sd_fkeys_below(rel))
	{
		SdForeignKey *fkey = lfirst(lc);

		if (fkey->on_delete == FKCONSTR_ACTION_CASCADE &&
			!sd_registered(fkey->child, NULL) && !sd_excluded(fkey->child))
			ereport(WARNING,
					(errmsg("table \"%s\" is not registered: a DELETE from table \"%s\" that reaches it by foreign key constraint \"%s\" will be refused",
							get_rel_name(fkey->child), RelationGetRelationName(rel), fkey->name),
					 errhint("Run SELECT softdelete_register(%s).",
							 quote_literal_cstr(sd_quoted_relation(fkey->child)))));
	}
}

/* ---------- registration ---------- */

/*
 * A table that inherits from several must find itself registered in the same way
 * from whichever it is looked at.
 */
void
sd_refuse_mixed_parents(Oid relid)
{
	ListCell   *lc;

	foreach(lc, sd_inheritance_parents(relid))
	{
		Oid			parent = lfirst_oid(lc);

		if (!sd_registered(parent, NULL))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("table \"%s\" inherits from table \"%s\", which is not registered, and from one that is",
							get_rel_name(relid), get_rel_name(parent)),
					 errhint("Run ALTER TABLE %s NO INHERIT %s, or register that table before it has this child.",
							 sd_quoted_relation(relid), sd_quoted_relation(parent))));
		if (!sd_same_columns(relid, parent))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("table \"%s\" inherits from tables that are registered with different columns",
							get_rel_name(relid)),
					 errhint("Give the columns of table \"%s\" the same names, \"%s\" and \"%s\".",
							 get_rel_name(parent), sd_flag_name(relid), sd_deletion_id_name(relid))));
	}
}

/*
 * Registers one table, and its inheritance children with it; NULL if it is
 * already, but ids that it has got since are seen.  Returns what to know about its
 * keys; *existed: did it have the flag, so that rows may be deleted ones?
 */
static StringInfo
register_one(Oid relid, const SdWantedFlag *wanted, const SdOptions *options, bool *existed)
{
	StringInfo	note;
	Relation	rel;
	SdColumns	columns;
	List	   *children;
	ListCell   *lc;

	if (sd_registered(relid, NULL))
	{
		sd_register_ids(relid);
		return NULL;
	}
	/* the strongest lock at once: a weaker one would have to be upgraded */
	rel = relation_open(relid, AccessExclusiveLock);
	require_table(rel);
	refuse_kept_tables(rel);
	refuse_parts(rel);
	foreach(lc, sd_inheritance_parents(relid))
		if (!sd_registered(lfirst_oid(lc), NULL))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot register table \"%s\", which inherits from table \"%s\"",
							RelationGetRelationName(rel), get_rel_name(lfirst_oid(lc))),
					 errhint("Register table \"%s\"; its children come with it.",
							 get_rel_name(lfirst_oid(lc)))));
	refuse_period_keys(rel);
	children = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ? NIL :
		list_delete_first(find_all_inheritors(relid, AccessExclusiveLock, NULL));
	relation_close(rel, NoLock);

	if (sd_excluded(relid))
		sd_run_utility(psprintf("DROP TRIGGER " SD_EXCLUDED_NAME " ON %s", sd_quoted_relation(relid)));
	add_columns(relid, wanted, &columns);
	note = makeStringInfo();
	guard_table(relid, &columns, options, note);
	foreach(lc, children)
		if (!sd_registered(lfirst_oid(lc), NULL))
			guard_table(lfirst_oid(lc), &columns, options, note);
	CommandCounterIncrement();
	foreach(lc, children)
		sd_refuse_mixed_parents(lfirst_oid(lc));
	sd_event_log("register", 0, relid, 0);
	*existed = columns.existed;
	return note;
}

/*
 * After CREATE TABLE or ALTER TABLE: a table that now inherits from a registered
 * one is registered with it, under the same columns.
 */
void
sd_register_inherited(Oid relid)
{
	ListCell   *lc;

	if (get_rel_relispartition(relid) || get_rel_relkind(relid) == RELKIND_FOREIGN_TABLE ||
		sd_registered(relid, NULL))
		return;
	foreach(lc, sd_inheritance_parents(relid))
		if (sd_registered(lfirst_oid(lc), NULL))
		{
			SdColumns	columns = columns_of(lfirst_oid(lc));
			SdOptions	options = options_of(lfirst_oid(lc));
			StringInfo	note = makeStringInfo();

			guard_table(relid, &columns, &options, note);
			CommandCounterIncrement();
			ereport(NOTICE,
					(errmsg("table \"%s\" is registered with table \"%s\", from which it inherits",
							get_rel_name(relid), get_rel_name(lfirst_oid(lc)))));
			return;
		}
}

/*
 * Gives their guards back to partitions and inheritance children of a registered
 * table that have lost them, as a session without the library may drop one.
 */
static void
guard_members(Oid relid)
{
	bool		partitioned = get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE;
	bool		lost = false;
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		if (sd_registered(lfirst_oid(lc), NULL) || get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
			continue;
		lost = true;
		if (partitioned)
			break;
		LockRelationOid(lfirst_oid(lc), AccessExclusiveLock);
		sd_register_inherited(lfirst_oid(lc));
	}
	if (lost && partitioned)
	{
		SdOptions	options = options_of(relid);

		change_options(relid, &options);
	}
}

/*
 * The tables that a DELETE from this one reaches over ON DELETE CASCADE, without
 * those that are excluded.
 */
static List *
cascading_children(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	List	   *tables = NIL;
	ListCell   *lc;

	foreach(lc, sd_fkeys_below(rel))
	{
		SdForeignKey *fkey = lfirst(lc);

		if (fkey->on_delete == FKCONSTR_ACTION_CASCADE && !sd_excluded(fkey->child))
			tables = list_append_unique_oid(tables, sd_partition_root(fkey->child));
	}
	table_close(rel, NoLock);
	return tables;
}

/* What softdelete_register() answers for one table. */
typedef struct Answer
{
	Oid			relid;
	char	   *flag;
	StringInfo	note;
} Answer;

static Answer *
make_answer(Oid relid, StringInfo note, bool existed)
{
	Answer	   *answer = palloc(sizeof(Answer));
	Relation	rel = table_open(relid, AccessShareLock);

	note_parents(note, rel);
	sd_note_uses(note, rel);
	if (existed)
		sd_note_orphans(note, rel);
	warn_about_children(rel);
	table_close(rel, NoLock);
	answer->relid = relid;
	answer->flag = sd_flag_name(relid);
	answer->note = note;
	return answer;
}

static void
return_row(ReturnSetInfo *result, const Answer *answer)
{
	Datum		values[3];
	bool		nulls[3] = {0};
	Name		flag = palloc0(NAMEDATALEN);

	namestrcpy(flag, answer->flag);
	values[0] = ObjectIdGetDatum(answer->relid);
	values[1] = NameGetDatum(flag);
	nulls[2] = answer->note->len == 0;
	values[2] = nulls[2] ? (Datum) 0 : CStringGetTextDatum(answer->note->data);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* What the caller of softdelete_register() asked for. */
typedef struct Request
{
	Oid			first;
	SdWantedFlag flag;
	bool		cascade;
	ArrayType  *exclude;
	bool		partial_unique;
	const char *retention;		/* NULL: that of the first table */
} Request;

/* Registers all of it; returns a list of Answer. */
static List *
register_all(const Request *request)
{
	List	   *tables = list_make1_oid(request->first);
	List	   *registered = NIL;
	List	   *notes = NIL;
	List	   *flags = NIL;
	List	   *answers = NIL;
	SdWantedFlag wanted = request->flag;
	ListCell   *lc;
	ListCell   *ln;
	ListCell   *la;

	if (request->exclude)
		exclude_tables(request->exclude);
	for (int i = 0; i < list_length(tables); i++)
	{
		Oid			relid = list_nth_oid(tables, i);
		bool		existed = false;
		SdOptions	options;
		StringInfo	note;

		sd_require_owner(relid);
		options.alone = !request->cascade;
		options.full_keys = !request->partial_unique;
		options.retention = request->retention || i == 0 ? request->retention :
			sd_retention(request->first);
		note = register_one(relid, &wanted, &options, &existed);
		if (note == NULL)
			guard_members(relid);
		if (note == NULL && request->retention)
			set_retention(relid, request->retention);
		if (note == NULL && i == 0)
		{
			SdTable		table;

			note = makeStringInfo();
			(void) sd_registered(relid, &table);
			sd_flag_require(relid, &wanted);
			options = options_of(relid);
			if (request->partial_unique && sd_keys_take_prepared(relid, &table, note))
				options.full_keys = false;
			if (request->cascade)
				options.alone = false;
			if (options.full_keys != table.full_keys || options.alone != table.alone)
				change_options(relid, &options);
		}
		if (note)
		{
			registered = lappend_oid(registered, relid);
			notes = lappend(notes, note);
			flags = lappend_int(flags, existed);
		}
		if (i == 0 && wanted.name && !wanted.below)
		{
			wanted.below = true;
			wanted.type = get_atttype(relid, get_attnum(relid, wanted.name));
		}
		if (request->cascade)
			tables = list_concat_unique_oid(tables, cascading_children(relid));
	}
	forthree(lc, registered, ln, notes, la, flags)
		answers = lappend(answers, make_answer(lfirst_oid(lc), lfirst(ln), lfirst_int(la)));
	return answers;
}

/*
 * Registers a table that has got a foreign key to a registered one, and what is below
 * it, as that one is.  Errors as softdelete_register().
 */
void
sd_register_below(Oid child, Oid parent)
{
	SdOptions	options = options_of(parent);
	Request		request = {0};
	SdTable		table;

	(void) sd_registered(parent, &table);
	request.first = child;
	if (!is_our_flag(parent, table.flag))
	{
		request.flag.name = sd_flag_name(parent);
		request.flag.live_value = table.kind != SD_FLAG_DELETED;
		request.flag.below = true;
		request.flag.type = sd_flag_type(&table);
	}
	request.cascade = true;
	request.partial_unique = !options.full_keys;
	request.retention = options.retention;
	(void) register_all(&request);
}

/* Of a dry run. */
typedef struct DryRun
{
	const Request *request;
	List	   *answers;
} DryRun;

static bool
try_register(void *arg)
{
	DryRun	   *run = arg;

	run->answers = register_all(run->request);
	return false;
}

/* The same, and takes it back: nothing stays but the answers. */
static List *
register_dry(const Request *request)
{
	DryRun		run = {.request = request};

	(void) sd_subtransaction(try_register, &run);
	return run.answers;
}

/* An interval as text that any session reads the same. */
static char *
retention_text(Datum interval)
{
	Interval	zero = {0};
	int			nestlevel;
	char	   *text;

	if (DatumGetBool(DirectFunctionCall2(interval_lt, interval, IntervalPGetDatum(&zero))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("retention must not be negative")));
	/* one that reaches back too far is an error now, not in each purge of all tables */
	(void) DirectFunctionCall2(timestamptz_mi_interval,
							   TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()), interval);
	nestlevel = sd_portable_begin();
	text = DatumGetCString(DirectFunctionCall1(interval_out, interval));
	sd_portable_end(nestlevel);
	return text;
}

PG_FUNCTION_INFO_V1(softdelete_register);

/*
 * softdelete_register(rel regclass, flag name, live_value boolean, cascade boolean,
 * exclude regclass[], partial_unique boolean, retention interval, dry_run boolean)
 * returns a row for each table that it registered, and one for rel.  Errors: 22004,
 * 22023, 42501, 42701, 42804, 42809, 0A000, 55000.
 */
Datum
softdelete_register(PG_FUNCTION_ARGS)
{
	Request		request = {0};
	List	   *answers;
	ListCell   *lc;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("rel must not be null"),
				 errhint("Name a table.")));
	request.first = PG_GETARG_OID(0);
	if (get_rel_name(request.first) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", request.first)));
	request.flag.name = PG_ARGISNULL(1) ? NULL : NameStr(*PG_GETARG_NAME(1));
	request.flag.live_value = PG_ARGISNULL(2) || PG_GETARG_BOOL(2);
	request.cascade = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	request.exclude = PG_ARGISNULL(4) ? NULL : PG_GETARG_ARRAYTYPE_P(4);
	request.partial_unique = PG_ARGISNULL(5) || PG_GETARG_BOOL(5);
	request.retention = PG_ARGISNULL(6) ? NULL : retention_text(PG_GETARG_DATUM(6));
	if (request.flag.name == NULL && !request.flag.live_value)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("live_value must not be false without flag"),
				 errhint("Name the column, for instance flag := 'is_deleted'.")));
	InitMaterializedSRF(fcinfo, 0);
	sd_warn_if_not_preloaded();

	answers = !PG_ARGISNULL(7) && PG_GETARG_BOOL(7) ? register_dry(&request) : register_all(&request);
	foreach(lc, answers)
		return_row((ReturnSetInfo *) fcinfo->resultinfo, lfirst(lc));
	return (Datum) 0;
}
