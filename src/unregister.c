/*
 * unregister.c - making registered tables ordinary ones again.
 *
 * The guard goes, unique keys become full, the two columns stay.  What is
 * deleted would come to light, so it is dealt with first.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "compat.h"
#include "deletion.h"
#include "fkey.h"
#include "fmgr.h"
#include "image.h"
#include "keys.h"
#include "links.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "purge.h"
#include "register.h"
#include "registry.h"
#include "run.h"
#include "storage/lmgr.h"
#include "undelete.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "viewer.h"

static void
refuse_parts(Oid relid)
{
	ListCell   *lc;

	if (get_rel_relispartition(relid))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot unregister partition \"%s\" alone", get_rel_name(relid)),
				 errhint("Unregister the partitioned table \"%s\".",
						 get_rel_name(sd_partition_root(relid)))));
	foreach(lc, sd_inheritance_parents(relid))
		if (sd_registered(lfirst_oid(lc), NULL))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot unregister table \"%s\", which inherits from registered table \"%s\"",
							get_rel_name(relid), get_rel_name(lfirst_oid(lc))),
					 errhint("Unregister table \"%s\"; its children come with it.",
							 get_rel_name(lfirst_oid(lc)))));
}

/* Deleted rows in the table and in the journal. */
static int64
deleted_rows(Oid relid)
{
	SdStatement statement = {0};

	statement.sql = psprintf("SELECT pg_catalog.count(*) FROM %s%s c WHERE NOT %s",
							 sd_only(relid), sd_quoted_relation(relid), sd_live_sql(relid, "c"));
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = relid;
	statement.latest = true;
	return sd_run_int64(&statement) + sd_images_of(relid);
}

static void
refuse_deleted_rows(Oid relid, bool undeleted, bool purged)
{
	int64		n = deleted_rows(relid);

	if (n > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg_plural("cannot unregister table \"%s\", which has " INT64_FORMAT " deleted row",
							   "cannot unregister table \"%s\", which has " INT64_FORMAT " deleted rows",
							   n, get_rel_name(relid), n),
				 undeleted ?
				 errdetail("Other rows have taken their keys.") :
				 purged ?
				 errdetail("Other rows refer to them.") : 0,
				 purged ?
				 errhint("Purge the tables that refer to it first, or undelete the rows with softdelete_undelete().") :
				 undeleted ?
				 errhint("softdelete.deletions shows their deletions; delete the rows that have their keys and undelete them, or leave the table registered.") :
				 errhint("To bring them back, run SELECT softdelete_unregister(%s, 'undelete'); 'purge' deletes them for good.",
						 quote_literal_cstr(sd_quoted_relation(relid)))));
}

/* A DELETE that used to be soft may be refused, or leave this table out. */
static void
warn_about_parents(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	ListCell   *lc;

	foreach(lc, sd_fkeys_above(rel))
	{
		SdForeignKey *fkey = lfirst(lc);

		if (fkey->parent != relid && fkey->on_delete == FKCONSTR_ACTION_CASCADE &&
			sd_registered(fkey->parent, NULL))
			ereport(WARNING,
					(errmsg("a DELETE from registered table \"%s\" that reaches table \"%s\" by foreign key constraint \"%s\" will be refused",
							get_rel_name(fkey->parent), get_rel_name(relid), fkey->name)));
	}
	table_close(rel, NoLock);
}

static void
unregister_one(Oid relid)
{
	char	   *flag = sd_flag_name(relid);
	SdTable		table;
	ListCell   *lc;

	(void) sd_registered(relid, &table);
	sd_drop_guard(relid);
	foreach(lc, sd_tables_with_keys(relid))
	{
		table.flag = get_attnum(lfirst_oid(lc), flag);
		sd_keys_make_full(lfirst_oid(lc), &table);
	}
}

PG_FUNCTION_INFO_V1(softdelete_unregister);

/*
 * softdelete_unregister(rel regclass, deleted_rows text).  Errors: 22004, 22023,
 * 42501, 0A000, 55000, and those of an undelete.
 */
Datum
softdelete_unregister(PG_FUNCTION_ARGS)
{
	Oid			relid;
	char	   *deleted;
	bool		undelete;
	bool		purge;
	List	   *tables;
	ListCell   *lc;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", PG_ARGISNULL(0) ? "rel" : "deleted_rows")));
	relid = PG_GETARG_OID(0);
	deleted = text_to_cstring(PG_GETARG_TEXT_PP(1));
	undelete = strcmp(deleted, "undelete") == 0;
	purge = strcmp(deleted, "purge") == 0;
	if (!undelete && !purge && strcmp(deleted, "refuse") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized value for deleted_rows: \"%s\"", deleted),
				 errhint("Use refuse, undelete or purge.")));
	sd_require_registered(relid);
	sd_require_owner(relid);
	if (undelete)
		sd_require_viewer(relid);
	refuse_parts(relid);
	LockRelationOid(relid, AccessExclusiveLock);
	tables = get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE ? list_make1_oid(relid) :
		find_all_inheritors(relid, AccessExclusiveLock, NULL);
	if (purge)
		sd_purge_all(tables);
	foreach(lc, tables)
	{
		if (undelete)
			sd_undelete_table(lfirst_oid(lc));
		refuse_deleted_rows(lfirst_oid(lc), undelete, purge);
	}
	foreach(lc, tables)
	{
		unregister_one(lfirst_oid(lc));
		sd_links_drop_parent(lfirst_oid(lc));
	}
	warn_about_parents(relid);
	sd_event_log("unregister", 0, relid, 0);
	PG_RETURN_VOID();
}
