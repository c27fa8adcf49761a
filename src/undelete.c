/*
 * undelete.c - bringing deleted rows back.
 *
 * The rows named are made live, and then those below (descend.c).  The other parents of all these rows are looked at (parents.c), the
 * references that the deletion had taken away are put back (links.c), and at the
 * end INSERT triggers fire (restored.c).
 */
#include "postgres.h"

#include "access/xact.h"
#include "cascade.h"
#include "catalog/pg_type.h"
#include "deletion.h"
#include "descend.h"
#include "fkey.h"
#include "fmgr.h"
#include "image.h"
#include "leftover.h"
#include "links.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "override.h"
#include "parents.h"
#include "portability/instr_time.h"
#include "registry.h"
#include "remaining.h"
#include "restored.h"
#include "rowkey.h"
#include "run.h"
#include "statement.h"
#include "touched.h"
#include "undelete.h"
#include "unlinked.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Puts back the references that the deletion took from the rows that came back. */
static void
put_back_all_links(SdUndelete *undelete, List *deletions)
{
	ListCell   *lt;

	if (!sd_links_exist(deletions))
		return;
	sd_unlinked_again();

	foreach(lt, undelete->tables)
	{
		SdTouched  *table = lfirst(lt);
		SdRowset   *live = NULL;
		ListCell   *lc;

		if (table->rows == NULL)
			continue;
		foreach(lc, table->below)
		{
			SdForeignKey *fkey = lfirst(lc);

			if (live == NULL)
				live = sd_touched_live(undelete, table);
			sd_links_put_back(fkey, live);
		}
		if (live)
			sd_rowset_free(live);
	}
}

/* ---------- entry points ---------- */

/* Error 42P01 or 55000 unless this is a registered table. */
void
sd_require_registered(Oid relid)
{
	char	   *name = get_rel_name(relid);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (!sd_registered(relid, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not registered", name),
				 errhint("Rows of tables that are not registered are really deleted; softdelete.tables shows what is registered.")));
}

static int64
total(const SdUndelete *undelete)
{
	int64		rows = 0;
	ListCell   *lc;

	foreach(lc, undelete->tables)
		rows += ((SdTouched *) lfirst(lc))->restored;
	return rows;
}

/*
 * Frees the rowsets: their temporary files belong to the resource owner of the
 * statement around us, not to a memory context.
 */
static void
finish(SdUndelete *undelete)
{
	ListCell   *lc;

	foreach(lc, undelete->tables)
	{
		SdTouched  *table = lfirst(lc);

		if (table->rows)
			sd_rowset_free(table->rows);
		if (table->taken_back)
			sd_rowset_free(table->taken_back);
		if (table->orphans)
			sd_rowset_free(table->orphans);
		if (table->taken)
			sd_rowset_free(table->taken);
	}
}

/*
 * All the rows that the keys name, as the caller sees them: an unknown key, or
 * one of a row that the caller's policies hide, is error P0002.
 */
void
sd_require_rows(const SdRowKeys *keys)
{
	StringInfoData sql;
	SdStatement statement = {0};
	SdRowset   *missing = NULL;
	ListCell   *lc;
	const char *sep = "";
	char		column[SD_COLUMN_SIZE];

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	foreach(lc, keys->atts)
	{
		appendStringInfo(&sql, "%s%s", sep,
						 sd_fkey_column(column, "k", SD_ID_PREFIX, keys->relid, lfirst_int(lc)));
		sep = ", ";
	}
	appendStringInfo(&sql, " FROM softdelete_keys k WHERE NOT EXISTS (SELECT FROM %s c WHERE ",
					 sd_quoted_relation(keys->relid));
	sd_rowkeys_match(&sql, keys, "c", NULL, "k");
	appendStringInfoString(&sql, ")");
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.physical = keys->relid;
	statement.own_path = true;
	statement.ninputs = 1;
	statement.input_names[0] = "softdelete_keys";
	statement.inputs[0] = keys->rows;
	statement.result = &missing;
	if (sd_run(&statement) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("table \"%s\" has no row, live or deleted, with key %s",
						get_rel_name(keys->relid), sd_rowkeys_first(keys, missing)),
				 errhint("SET softdelete.show_deleted = deleted shows the deleted rows.")));
	sd_rowset_free(missing);
}

/* Has anything of the deletions of these rows been brought back before? */
bool
sd_restored_before(SdRowset *rows)
{
	SdStatement statement = {0};

	if (rows == NULL)
		return false;
	statement.sql = "SELECT pg_catalog.count(*) FROM " SD_SCHEMA ".event e"
		" WHERE e.deletion_id IN (SELECT r.deletion_id FROM " SD_ROWS_NAME " r)";
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("event");
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = rows;
	return sd_run_int64(&statement) > 0;
}

static bool
any_restored_before(const SdUndelete *undelete)
{
	ListCell   *lc;

	foreach(lc, undelete->tables)
		if (sd_restored_before(((SdTouched *) lfirst(lc))->rows))
			return true;
	return false;
}

static bool
contains_deletion(List *deletions, int64 deletion)
{
	ListCell   *lc;

	foreach(lc, deletions)
		if (*(int64 *) lfirst(lc) == deletion)
			return true;
	return false;
}

/*
 * The deletions from which the rows came that the caller named, and the
 * parents brought back for them: a list of int64 pointers; 0 for rows that do not
 * know their deletion.
 */
static List *
deletions_of_upper_rows(const SdUndelete *undelete)
{
	List	   *deletions = NIL;
	ListCell   *lc;

	foreach(lc, undelete->tables)
	{
		SdTouched  *table = lfirst(lc);
		TupleTableSlot *slot;

		if (!table->has_upper)
			continue;
		slot = MakeSingleTupleTableSlot(table->rows->desc, &TTSOpsMinimalTuple);
		tuplestore_rescan(table->rows->store);
		while (tuplestore_gettupleslot(table->rows->store, true, false, slot))
		{
			bool		isnull;
			bool		upper = DatumGetBool(slot_getattr(slot, 3, &isnull));
			Datum		value = slot_getattr(slot, 5, &isnull);
			int64		deletion = isnull ? 0 : DatumGetInt64(value);
			int64	   *copy;

			if (!upper || contains_deletion(deletions, deletion))
				continue;
			copy = palloc(sizeof(int64));
			*copy = deletion;
			deletions = lappend(deletions, copy);
		}
		ExecDropSingleTupleTableSlot(slot);
	}
	return deletions;
}

/* How many of the rows that came back, and stay, are of a deletion. */
static int64
restored_of(const SdUndelete *undelete, int64 deletion)
{
	int64		rows = 0;
	ListCell   *lc;

	foreach(lc, undelete->tables)
	{
		SdTouched  *table = lfirst(lc);
		SdRowset   *counted;

		if (table->restored == 0)
			continue;
		counted = sd_touched_run(undelete, table, SD_RUN_PHYSICAL,
								 psprintf("SELECT 1 FROM %s c, " SD_ROWS_NAME " s"
										  " WHERE c.ctid = s.tid AND c.tableoid = s.tableoid AND %s"
										  " AND s.flipped AND COALESCE(s.deletion_id, 0) = " INT64_FORMAT,
										  sd_quoted_relation(table->relid), table->live, deletion),
								 NULL, 1, SD_ROWS_NAME, table->rows, NULL, NULL);
		rows += sd_rowset_count(counted);
		sd_rowset_free(counted);
	}
	return rows;
}

/*
 * Logs the undelete, once for each deletion from which rows came back.  To be called
 * before references are put back, which moves rows.
 */
static void
log_undelete(const SdUndelete *undelete, Oid relid)
{
	List	   *deletions;
	ListCell   *lc;

	if (total(undelete) == 0)
		return;
	deletions = deletions_of_upper_rows(undelete);
	foreach(lc, deletions)
	{
		int64		deletion = *(int64 *) lfirst(lc);
		int64		rows = list_length(deletions) == 1 ? total(undelete) :
			restored_of(undelete, deletion);

		if (rows > 0)
			sd_event_log("undelete", deletion, relid, rows);
	}
}

/*
 * Makes the named rows of one table live, and notes those that are so already;
 * returns how many those are.
 */
static int64
restore_named(SdUndelete *undelete, SdTouched *root, Oid relid, const SdRowKeys *keys, bool cascade)
{
	StringInfoData sql;
	SdRowset   *rows;
	int64		live;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s%s c SET %s FROM softdelete_keys k WHERE NOT %s AND ",
					 sd_only(relid), sd_quoted_relation(relid), root->set_live, root->live);
	sd_rowkeys_match(&sql, keys, "c", NULL, "k");
	appendStringInfo(&sql, " RETURNING %s", sd_touched_columns(root, true, true));
	rows = sd_touched_run(undelete, root, SD_RUN_FLAG, sql.data, NULL, 1, "softdelete_keys", keys->rows, NULL, NULL);
	sd_touch(undelete, root, rows, true, true, cascade, InvalidOid);

	/* after the UPDATE, which may have waited for another undelete */
	resetStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM %s%s c, softdelete_keys k WHERE %s AND ",
					 sd_touched_columns(root, true, false), sd_only(relid), sd_quoted_relation(relid),
					 root->live);
	sd_rowkeys_match(&sql, keys, "c", NULL, "k");
	if (root->rows)
		appendStringInfoString(&sql, " AND NOT EXISTS (SELECT FROM softdelete_touched t"
							   " WHERE t.tid = c.ctid AND t.tableoid = c.tableoid)");
	rows = sd_touched_run(undelete, root, SD_RUN_PHYSICAL, sql.data, NULL, root->rows ? 2 : 1,
						  "softdelete_keys", keys->rows, "softdelete_touched", root->rows);
	live = sd_rowset_count(rows);
	sd_touch(undelete, root, rows, true, false, cascade, InvalidOid);
	return live;
}

/*
 * The same in a table and the tables that inherit from it, each of which has
 * foreign keys of its own.  Partitions are looked at as one table.
 */
static void
restore_all_named(SdUndelete *undelete, Oid relid, const SdRowKeys *keys, bool cascade)
{
	int64		live = 0;
	ListCell   *lc;

	foreach(lc, sd_tables_of(relid))
	{
		SdTouched  *table = sd_touched_table(undelete, lfirst_oid(lc));

		table->named = relid;
		live += restore_named(undelete, table, lfirst_oid(lc), keys, cascade);
	}
	if (live > 0)
		ereport(NOTICE,
				(errmsg_plural(INT64_FORMAT " row of table \"%s\" is not deleted",
							   INT64_FORMAT " rows of table \"%s\" are not deleted",
							   live, live, get_rel_name(relid))));
}

/* In the middle of a DELETE its cascade would take again what comes back now. */
static void
refuse_while_deleting(void)
{
	if (sd_statement_deleting())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("cannot undelete while a DELETE of the same session is under way"),
				 errhint("Call it in a statement of its own, or in an AFTER trigger.")));
}

/* Notes from which command on changes are ours. */
static void
begin(SdUndelete *undelete, bool fire_triggers)
{
	CommandCounterIncrement();
	undelete->first_command = GetCurrentCommandId(true);
	undelete->context = CurrentMemoryContext;
	undelete->fire_triggers = fire_triggers;
}

static int64
undelete_rows(Oid relid, Datum id, Oid type, bool cascade, bool with_parents, bool skip,
			  Jsonb *set, bool fire_triggers)
{
	SdUndelete	undelete = {0};
	SdRowKeys  *keys;
	SdTouched  *root;
	List	   *restored;
	ListCell   *lc;
	int64		rows;

	PreventCommandIfReadOnly("softdelete_undelete()");
	refuse_while_deleting();
	sd_require_registered(relid);
	sd_undelete_privileges(relid);
	begin(&undelete, fire_triggers);
	undelete.with_parents = with_parents;
	undelete.skip = skip;
	undelete.images = sd_images_exist();
	keys = sd_rowkeys_from_value(relid, id, type);
	if (undelete.images && sd_images_return_named(keys) > 0)
		sd_touched_table(&undelete, relid)->returned = true;
	sd_require_rows(keys);
	if (set)
		sd_override(keys, set);
	restore_all_named(&undelete, relid, keys, cascade);
	undelete.repeated = cascade && any_restored_before(&undelete);
	sd_descend(&undelete);
	sd_parents_settle(&undelete);
	log_undelete(&undelete, relid);
	restored = sd_restored(&undelete);
	if (cascade)
		put_back_all_links(&undelete, deletions_of_upper_rows(&undelete));
	sd_restored_check(&undelete, restored);
	rows = total(&undelete);
	sd_report_restored(&undelete);
	sd_report_taken_back(&undelete);
	sd_report_skipped(&undelete);
	foreach(lc, sd_tables_of(relid))
	{
		root = sd_touched_table(&undelete, lfirst_oid(lc));
		if (!cascade)
			sd_report_left_below(root, keys);
		sd_report_unconnected(root);
	}
	sd_restored_finish(&undelete, restored);
	sd_rowset_free(keys->rows);
	finish(&undelete);
	return rows;
}

/* A boolean argument; null is false. */
static bool
flag_argument(FunctionCallInfo fcinfo, int n)
{
	return !PG_ARGISNULL(n) && PG_GETARG_BOOL(n);
}

/* on_conflict: shall rows below that cannot come back be left?  null is error. */
static bool
skip_argument(FunctionCallInfo fcinfo, int n)
{
	char	   *value = PG_ARGISNULL(n) ? "error" : text_to_cstring(PG_GETARG_TEXT_PP(n));

	if (strcmp(value, "skip") != 0 && strcmp(value, "error") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized value for on_conflict: \"%s\"", value),
				 errhint("Use error or skip.")));
	return strcmp(value, "skip") == 0;
}

PG_FUNCTION_INFO_V1(softdelete_undelete);

/*
 * softdelete_undelete(rel regclass, id, cascade boolean, with_parents boolean,
 * on_conflict text, set jsonb, fire_triggers boolean): id is of any type.  Errors: 0A000, 22004,
 * 22023, 23503, 42501, 42703, 55000, P0002, and what triggers and, with "set",
 * constraints raise.
 */
Datum
softdelete_undelete(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	MemoryContext old;
	int64		rows;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", PG_ARGISNULL(0) ? "rel" : "id"),
				 errhint("Name a registered table and the key of a row.")));
	context = AllocSetContextCreate(CurrentMemoryContext, "softdelete undelete",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	rows = undelete_rows(PG_GETARG_OID(0), PG_GETARG_DATUM(1),
						 get_fn_expr_argtype(fcinfo->flinfo, 1),
						 flag_argument(fcinfo, 2), flag_argument(fcinfo, 3),
						 skip_argument(fcinfo, 4),
						 PG_ARGISNULL(5) ? NULL : PG_GETARG_JSONB_P(5),
						 PG_ARGISNULL(6) || PG_GETARG_BOOL(6));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	PG_RETURN_INT64(rows);
}

/* One row with the deletion's id, for statements that find its rows. */
SdRowset *
sd_deletion_row(int64 deletion)
{
	TupleDesc	desc = CreateTemplateTupleDesc(1);
	SdRowset   *row;
	Datum		value = Int64GetDatum(deletion);
	bool		isnull = false;

	TupleDescInitEntry(desc, 1, "deletion_id", INT8OID, -1, 0);
	row = sd_rowset_create(desc);
	tuplestore_putvalues(row->store, row->desc, &value, &isnull);
	return row;
}

static int
compare_tables(const ListCell *a, const ListCell *b)
{
	Oid			left = ((SdTaken *) lfirst(a))->relid;
	Oid			right = ((SdTaken *) lfirst(b))->relid;

	return left < right ? -1 : left > right ? 1 : 0;
}

static bool
is_registered(const SdTaken *taken)
{
	return get_rel_name(taken->relid) != NULL && sd_registered(taken->relid, NULL);
}

/*
 * Whoever brings a deletion back needs the rights on the tables that it named; on all
 * of them if one of those is there no more, which cannot say who may.
 */
void
sd_undelete_deletion_privileges(int64 deletion)
{
	List	   *tables = sd_require_taken(deletion);
	bool		all = false;
	ListCell   *lc;

	foreach(lc, tables)
	{
		SdTaken    *taken = lfirst(lc);

		all |= taken->named && !is_registered(taken);
	}

	list_sort(tables, compare_tables);
	foreach(lc, tables)
	{
		SdTaken    *taken = lfirst(lc);

		if ((taken->named || all) && is_registered(taken))
			sd_undelete_privileges(taken->relid);
	}
}

static void
restore_deleted(SdUndelete *undelete, Oid relid, SdRowset *row)
{
	SdTouched  *table = sd_touched_table(undelete, relid);
	StringInfoData sql;
	SdRowset   *rows;
	int64		images;

	if (undelete->images && sd_images_return_deletion(table->relid, row) > 0)
		table->returned = true;
	images = undelete->images ? sd_images_of_deletions(table->relid, row) : 0;
	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s%s c SET %s FROM " SD_ROWS_NAME " r WHERE NOT %s"
					 " AND c.%s = r.deletion_id RETURNING %s",
					 sd_only(table->relid), sd_quoted_relation(table->relid), table->set_live, table->live,
					 table->deletion_id, sd_touched_columns(table, false, true));
	rows = sd_touched_run(undelete, table, SD_RUN_FLAG, sql.data, NULL, 1, SD_ROWS_NAME, row, NULL, NULL);
	sd_refuse_moved(table->relid, row, images);
	sd_touch(undelete, table, rows, false, true, false, InvalidOid);

	/* rows brought back before may miss references that were taken away */
	if (!undelete->repeated || table->below == NIL)
		return;
	resetStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM %s%s c, " SD_ROWS_NAME " r WHERE %s AND c.%s = r.deletion_id",
					 sd_touched_columns(table, false, false), sd_only(table->relid), sd_quoted_relation(table->relid),
					 table->live, table->deletion_id);
	if (table->rows)
		appendStringInfoString(&sql, " AND NOT EXISTS (SELECT FROM softdelete_touched t"
							   " WHERE t.tid = c.ctid AND t.tableoid = c.tableoid)");
	rows = sd_touched_run(undelete, table, SD_RUN_PHYSICAL, sql.data, NULL, table->rows ? 2 : 1, SD_ROWS_NAME, row,
				  "softdelete_touched", table->rows);
	sd_touch(undelete, table, rows, false, false, false, InvalidOid);
}

/* Brings back all that a deletion took from one table. */
static void
restore_table(SdUndelete *undelete, const SdTaken *taken, SdRowset *row)
{
	ListCell   *lc;

	foreach(lc, sd_tables_of(taken->relid))
	{
		instr_time	start;
		instr_time	duration;

		INSTR_TIME_SET_CURRENT(start);
		if (taken->named)
			sd_touched_table(undelete, lfirst_oid(lc))->named = taken->relid;
		restore_deleted(undelete, lfirst_oid(lc), row);
		INSTR_TIME_SET_CURRENT(duration);
		INSTR_TIME_SUBTRACT(duration, start);
		sd_touched_table(undelete, lfirst_oid(lc))->seconds += INSTR_TIME_GET_DOUBLE(duration);
	}
}

static int64
undelete_deletion(SdUndelete *undelete, int64 deletion)
{
	SdRowset   *row = sd_deletion_row(deletion);
	List	   *tables;
	List	   *restored;
	int64		rows;
	ListCell   *lc;

	PreventCommandIfReadOnly("softdelete_undelete_deletion()");
	refuse_while_deleting();
	undelete->whole = true;
	undelete->repeated = sd_restored_before(row);
	undelete->images = sd_images_exist();
	tables = sd_require_taken(deletion);
	sd_undelete_deletion_privileges(deletion);
	list_sort(tables, compare_tables);
	foreach(lc, tables)
	{
		SdTaken    *taken = lfirst(lc);

		if (get_rel_name(taken->relid) != NULL && sd_excluded(taken->relid))
			continue;
		if (get_rel_name(taken->relid) == NULL || !sd_registered(taken->relid, NULL))
			ereport(WARNING,
					(errmsg("a table of deletion " INT64_FORMAT " is no longer there or no longer registered: OID %u",
							deletion, taken->relid)));
		else
			restore_table(undelete, taken, row);
	}
	sd_parents_settle(undelete);
	restored = sd_restored(undelete);
	put_back_all_links(undelete, list_make1(&deletion));
	sd_restored_check(undelete, restored);
	rows = total(undelete);
	if (rows > 0)
		sd_event_log("undelete", deletion, InvalidOid, rows);
	sd_report_restored(undelete);
	sd_report_taken_back(undelete);
	if (rows == 0)
		ereport(NOTICE,
				(errmsg("no row of deletion " INT64_FORMAT " is still deleted", deletion)));
	sd_restored_finish(undelete, restored);
	sd_rowset_free(row);
	finish(undelete);
	return rows;
}

/*
 * Brings a deletion back, without triggers and without asking for their owners: the
 * caller takes it all back.  Returns what came back: SdRestoredRows.
 */
List *
sd_undelete_on_trial(int64 deletion)
{
	SdUndelete	undelete = {0};
	List	   *all = NIL;
	ListCell   *lc;

	begin(&undelete, false);
	undelete.trial = true;
	(void) undelete_deletion(&undelete, deletion);
	foreach(lc, undelete.tables)
	{
		SdTouched  *table = lfirst(lc);
		SdRestoredRows *rows = palloc(sizeof(SdRestoredRows));

		rows->relid = table->relid;
		rows->rows = table->restored;
		rows->seconds = table->seconds;
		all = lappend(all, rows);
	}
	return all;
}

PG_FUNCTION_INFO_V1(softdelete_undelete_deletion);

/*
 * softdelete_undelete_deletion(deletion_id bigint, fire_triggers boolean).
 * Errors: 22004, 23503, 42501, P0002, and what triggers raise.
 */
Datum
softdelete_undelete_deletion(PG_FUNCTION_ARGS)
{
	SdUndelete	undelete = {0};
	MemoryContext context;
	MemoryContext old;
	int64		rows;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("deletion_id must not be null"),
				 errhint("softdelete.deletions shows the deletions.")));
	context = AllocSetContextCreate(CurrentMemoryContext, "softdelete undelete",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	begin(&undelete, PG_ARGISNULL(1) || PG_GETARG_BOOL(1));
	rows = undelete_deletion(&undelete, PG_GETARG_INT64(0));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	PG_RETURN_INT64(rows);
}

/*
 * Brings back all deleted rows of one table, whatever deletions took them, and the
 * references to them that these overwrote.  Errors
 * as softdelete_undelete(); the caller has decided about rights.
 */
void
sd_undelete_table(Oid relid)
{
	SdUndelete	undelete = {0};
	SdTouched  *table;
	StringInfoData sql;
	SdRowset   *rows;
	List	   *restored;

	refuse_while_deleting();
	begin(&undelete, true);
	undelete.images = sd_images_exist();
	table = sd_touched_table(&undelete, relid);
	if (undelete.images && sd_images_return_all(relid) > 0)
		table->returned = true;
	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s%s c SET %s WHERE NOT %s RETURNING %s",
					 sd_only(relid), sd_quoted_relation(relid), table->set_live, table->live,
					 sd_touched_columns(table, true, true));
	rows = sd_touched_run(&undelete, table, SD_RUN_FLAG, sql.data, NULL, 0, NULL, NULL, NULL, NULL);
	sd_touch(&undelete, table, rows, true, true, false, InvalidOid);
	sd_parents_settle(&undelete);
	restored = sd_restored(&undelete);
	put_back_all_links(&undelete, deletions_of_upper_rows(&undelete));
	sd_restored_check(&undelete, restored);
	log_undelete(&undelete, relid);
	sd_restored_finish(&undelete, restored);
	finish(&undelete);
}
