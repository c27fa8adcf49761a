/*
 * leftover.c - telling what an undelete brings back and what it leaves behind, in
 * NOTICEs and WARNINGs.
 */
#include "postgres.h"

#include "access/table.h"
#include "cascade.h"
#include "deletion.h"
#include "leftover.h"
#include "registry.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* What came back to which table, where it is more than one. */
void
sd_report_restored(const SdUndelete *undelete)
{
	StringInfoData list;
	int64		rows = 0;
	int			tables = 0;
	ListCell   *lc;

	initStringInfo(&list);
	foreach(lc, undelete->tables)
	{
		SdTouched  *table = lfirst(lc);

		if (table->restored == 0)
			continue;
		appendStringInfo(&list, "%s" INT64_FORMAT " of \"%s\"", list.len ? ", " : "",
						 table->restored, get_rel_name(table->relid));
		rows += table->restored;
		tables++;
	}
	if (tables > 1)
		ereport(NOTICE,
				(errmsg("undeleted " INT64_FORMAT " rows: %s", rows, list.data)));
}

/* How many of the rows that were made deleted again are still so? */
static int64
count_deleted(const SdUndelete *undelete, const SdTouched *table, SdRowset *taken_back)
{
	StringInfoData sql;
	SdRowset   *rows;
	int64		n;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT 1 FROM %s c, " SD_ROWS_NAME " s"
					 " WHERE c.ctid = s.tid AND c.tableoid = s.tableoid AND NOT %s",
					 sd_quoted_relation(table->relid), table->live);
	if (taken_back == NULL)
		return 0;
	rows = sd_touched_run(undelete, table, SD_RUN_PHYSICAL, sql.data, NULL, 1,
						  SD_ROWS_NAME, taken_back, NULL, NULL);
	n = sd_rowset_count(rows);
	sd_rowset_free(rows);
	return n;
}

/* Rows that were made deleted again, because another parent is deleted. */
void
sd_report_taken_back(SdUndelete *undelete)
{
	ListCell   *lc;

	foreach(lc, undelete->tables)
	{
		SdTouched  *table = lfirst(lc);
		int64		n = count_deleted(undelete, table, table->taken_back);

		if (n > 0)
			ereport(NOTICE,
					(errmsg_plural(INT64_FORMAT " row of table \"%s\" stays deleted, because another parent that went in the same deletion is still deleted",
								   INT64_FORMAT " rows of table \"%s\" stay deleted, because another parent that went in the same deletion is still deleted",
								   n, n, get_rel_name(table->relid)),
					 errhint("They come back when that parent is undeleted with cascade := true.")));
	}
}

/* Rows that on_conflict := 'skip' left. */
void
sd_report_skipped(SdUndelete *undelete)
{
	ListCell   *lc;

	foreach(lc, undelete->tables)
	{
		SdTouched  *table = lfirst(lc);
		char	   *name = get_rel_name(table->relid);
		int64		n = count_deleted(undelete, table, table->orphans);

		if (n > 0)
			ereport(NOTICE,
					(errmsg_plural(INT64_FORMAT " row of table \"%s\" stays deleted, because a parent that went in another deletion is still deleted",
								   INT64_FORMAT " rows of table \"%s\" stay deleted, because a parent that went in another deletion is still deleted",
								   n, n, name),
					 errhint("Run it again with with_parents := true to bring those parents back too.")));
		n = count_deleted(undelete, table, table->taken) + table->taken_images;
		if (n > 0)
			ereport(NOTICE,
					(errmsg_plural(INT64_FORMAT " row of table \"%s\" stays deleted, because a live row has taken its key",
								   INT64_FORMAT " rows of table \"%s\" stay deleted, because live rows have taken their keys",
								   n, n, name),
					 errhint("softdelete_conflicts() shows the rows that have the keys.")));
	}
}

/*
 * After an undelete without cascade: what is still deleted right below the rows of a
 * table that the keys named.
 */
void
sd_report_left_below(SdTouched *root, const SdRowKeys *keys)
{
	ListCell   *lc;

	if (root->rows == NULL)
		return;
	foreach(lc, root->below)
	{
		SdForeignKey *fkey = lfirst(lc);
		SdStatement statement = {0};
		StringInfoData sql;
		int64		n;

		if (!sd_registered(fkey->child, NULL))
			continue;
		initStringInfo(&sql);
		appendStringInfo(&sql, "SELECT pg_catalog.count(*) FROM %s%s c, " SD_ROWS_NAME " p WHERE NOT %s AND c.%s = p.deletion_id AND ",
						 sd_only(fkey->child), sd_quoted_relation(fkey->child),
						 sd_live_sql(fkey->child, "c"),
						 quote_identifier(sd_deletion_id_name(fkey->child)));
		sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "c", NULL);
		statement.sql = sql.data;
		statement.kind = SD_RUN_PHYSICAL;
		statement.owner_of = fkey->child;
		statement.ninputs = 1;
		statement.input_names[0] = SD_ROWS_NAME;
		statement.inputs[0] = root->rows;
		n = sd_run_int64(&statement);
		if (n > 0)
		{
			char	   *key = sd_rowkeys_literal(keys);

			ereport(NOTICE,
					(errmsg_plural(INT64_FORMAT " row of table \"%s\" that went in the same deletion stays deleted",
								   INT64_FORMAT " rows of table \"%s\" that went in the same deletion stay deleted",
								   n, n, get_rel_name(fkey->child)),
					 key ?
					 errhint("To bring back what is below, run SELECT softdelete_undelete(%s, %s, cascade := true).",
							 quote_literal_cstr(sd_quoted_relation(keys->relid)), key) :
					 errhint("Call softdelete_undelete() again with cascade := true to bring back what is below.")));
		}
	}
}

/* The tables that are connected with a table over foreign keys, either way. */
static List *
connected_tables(Oid relid)
{
	List	   *known = list_make1_oid(relid);

	for (int i = 0; i < list_length(known); i++)
	{
		Relation	rel = table_open(list_nth_oid(known, i), AccessShareLock);
		ListCell   *lc;

		foreach(lc, sd_fkeys_below(rel))
			known = list_append_unique_oid(known, ((SdForeignKey *) lfirst(lc))->child);
		foreach(lc, sd_fkeys_above(rel))
			known = list_append_unique_oid(known,
										   sd_partition_root(((SdForeignKey *) lfirst(lc))->parent));
		table_close(rel, AccessShareLock);
	}
	return known;
}

/* Rows of the same deletion where no foreign key leads, either way. */
void
sd_report_unconnected(SdTouched *root)
{
	SdStatement statement = {0};
	SdRowset   *logged = NULL;
	List	   *connected;
	TupleTableSlot *slot;

	if (root->rows == NULL)
		return;
	connected = connected_tables(root->relid);
	statement.sql = "SELECT DISTINCT l.relation::pg_catalog.oid, l.deletion_id FROM " SD_SCHEMA ".deleted_relation l"
		" WHERE l.deletion_id IN (SELECT r.deletion_id FROM " SD_ROWS_NAME " r) ORDER BY 1, 2";
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("deletion");
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = root->rows;
	statement.result = &logged;
	sd_run(&statement);

	slot = MakeSingleTupleTableSlot(logged->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(logged->store);
	while (tuplestore_gettupleslot(logged->store, true, true, slot))
	{
		bool		isnull;
		Oid			relid = DatumGetObjectId(slot_getattr(slot, 1, &isnull));
		int64		deletion = DatumGetInt64(slot_getattr(slot, 2, &isnull));
		SdStatement count = {0};
		StringInfoData sql;
		int64		n;

		if (list_member_oid(connected, relid) || get_rel_name(relid) == NULL ||
			!sd_registered(relid, NULL))
			continue;
		initStringInfo(&sql);
		appendStringInfo(&sql, "SELECT pg_catalog.count(*) FROM %s c WHERE NOT %s AND c.%s = " INT64_FORMAT
						 " AND EXISTS (SELECT FROM " SD_ROWS_NAME ")",
						 sd_quoted_relation(relid), sd_live_sql(relid, "c"),
						 quote_identifier(sd_deletion_id_name(relid)), deletion);
		count.sql = sql.data;
		count.kind = SD_RUN_PHYSICAL;
		count.owner_of = relid;
		count.ninputs = 1;
		count.input_names[0] = SD_ROWS_NAME;
		count.inputs[0] = root->rows;
		n = sd_run_int64(&count);
		if (n > 0)
			ereport(WARNING,
					(errmsg_plural(INT64_FORMAT " row of table \"%s\" went in the same deletion and stays deleted: no foreign key leads there from table \"%s\"",
								   INT64_FORMAT " rows of table \"%s\" went in the same deletion and stay deleted: no foreign key leads there from table \"%s\"",
								   n, n, get_rel_name(relid), get_rel_name(root->relid)),
					 errhint("To bring back the whole deletion, run SELECT softdelete_undelete_deletion(" INT64_FORMAT ").",
							 deletion)));
	}
	ExecDropSingleTupleTableSlot(slot);
	sd_rowset_free(logged);
}
