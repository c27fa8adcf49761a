/*
 * erase.c - rows that have to go on request, and what is known of them.
 *
 * A live row is deleted first as by any DELETE: its triggers fire, and the actions
 * of its foreign keys run.  Then it goes, as a purged row does, at any age; with
 * "cascade" together with the deleted rows below it over ON DELETE CASCADE,
 * whatever deletion took them.  References of deleted rows that are ON DELETE SET
 * NULL become null.  With the rows go their images and journalled references, and
 * statement and reason of their deletions.
 *
 * What stays is an event with a keyed hash of the row's key, by which a backup can
 * be searched for it.
 */
#include "postgres.h"

#include "access/table.h"
#include "cascade.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "compat.h"
#include "deletion.h"
#include "fkey.h"
#include "fmgr.h"
#include "image.h"
#include "links.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "register.h"
#include "registry.h"
#include "removal.h"
#include "rowkey.h"
#include "run.h"
#include "statement.h"
#include "tcop/utility.h"
#include "undelete.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#define KEYS_NAME "softdelete_keys"

/* ---------- where the rows are ---------- */

static SdHeap *
add_heap(List **heaps, Oid relid)
{
	SdHeap	   *heap;
	ListCell   *lc;

	foreach(lc, *heaps)
		if (((SdHeap *) lfirst(lc))->relid == relid)
			return lfirst(lc);
	heap = palloc0(sizeof(SdHeap));
	heap->relid = relid;
	sd_heap_open(heap);
	*heaps = lappend(*heaps, heap);
	return heap;
}

static void
add_table(List **heaps, Oid relid)
{
	ListCell   *lc;

	foreach(lc, get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE ?
			find_all_inheritors(relid, RowExclusiveLock, NULL) : sd_tables_of(relid))
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_RELATION)
			(void) add_heap(heaps, lfirst_oid(lc));
}

/* The registered tables that ON DELETE CASCADE reaches from these. */
static void
add_tables_below(List **heaps)
{
	for (int i = 0; i < list_length(*heaps); i++)
	{
		ListCell   *lc;

		foreach(lc, ((SdHeap *) list_nth(*heaps, i))->fkeys)
		{
			SdForeignKey *fkey = lfirst(lc);

			if (fkey->on_delete == FKCONSTR_ACTION_CASCADE && sd_registered(fkey->child, NULL))
				add_table(heaps, fkey->child);
		}
	}
}

/* ---------- which rows ---------- */

/* Locks the rows named, live or deleted, or only the deleted ones. */
static int64
lock_named(List *heaps, const SdRowKeys *keys, bool only_deleted)
{
	int64		rows = 0;
	ListCell   *lc;

	foreach(lc, heaps)
	{
		SdHeap	   *heap = lfirst(lc);
		SdRowKeys	own = *keys;
		StringInfoData sql;
		SdStatement statement = {0};
		ListCell   *la;
		char		left[SD_COLUMN_SIZE];
		char		right[SD_COLUMN_SIZE];

		initStringInfo(&sql);
		appendStringInfo(&sql, "SELECT %s FROM ONLY %s c, " KEYS_NAME " k WHERE %s",
						 sd_heap_going_columns(heap), sd_quoted_relation(heap->relid),
						 only_deleted ? psprintf("NOT %s", sd_live_sql(heap->relid, "c")) : "true");
		foreach(la, own.atts)
		{
			char	   *name = get_attname(keys->relid, lfirst_int(la), false);

			appendStringInfoString(&sql, " AND ");
			sd_equal(&sql, sd_fkey_column(left, "c", NULL, heap->relid, get_attnum(heap->relid, name)),
					 sd_fkey_column(right, "k", SD_ID_PREFIX, keys->relid, lfirst_int(la)),
					 get_atttype(keys->relid, lfirst_int(la)));
		}
		appendStringInfoString(&sql, " FOR UPDATE OF c");
		if (heap->going)
			sd_rowset_free(heap->going);
		statement.sql = sql.data;
		statement.kind = SD_RUN_PHYSICAL;
		statement.owner_of = heap->relid;
		statement.latest = true;
		statement.ninputs = 1;
		statement.input_names[0] = KEYS_NAME;
		statement.inputs[0] = keys->rows;
		statement.result = &heap->going;
		rows += sd_run(&statement);
	}
	return rows;
}

/* Deletes those of the rows that are live, as any DELETE does. */
static void
delete_live(const SdRowKeys *keys)
{
	StringInfoData sql;
	SdStatement statement = {0};

	initStringInfo(&sql);
	appendStringInfo(&sql, "DELETE FROM %s c USING " KEYS_NAME " k WHERE ",
					 sd_quoted_relation(keys->relid));
	sd_rowkeys_match(&sql, keys, "c", NULL, "k");
	statement.sql = sql.data;
	statement.kind = SD_RUN_LIVE;
	statement.owner_of = keys->relid;
	statement.own_path = true;
	statement.expect = SPI_OK_DELETE;
	statement.ninputs = 1;
	statement.input_names[0] = KEYS_NAME;
	statement.inputs[0] = keys->rows;
	sd_run(&statement);
}

/* ---------- what refers to them ---------- */

static void
refuse_referenced(const SdForeignKey *fkey, bool cascade)
{
	Relation	child = table_open(fkey->child, AccessShareLock);

	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("erasing from table \"%s\" violates foreign key constraint \"%s\" on table \"%s\"",
					get_rel_name(fkey->parent), fkey->name, RelationGetRelationName(child)),
			 errdetail("A live or deleted row still refers to it."),
			 cascade || (fkey->on_delete != FKCONSTR_ACTION_CASCADE &&
						 fkey->on_delete != FKCONSTR_ACTION_SETNULL) ?
			 errhint("Erase that row first.") :
			 errhint("Use cascade := true to erase what is below and give up other references."),
			 errtableconstraint(child, fkey->name)));
}

/* References of deleted rows that stay become null, as they would on a delete. */
static void
unlink_deleted(const SdForeignKey *fkey, SdRowset *rows, SdRowset *all)
{
	StringInfoData sql;
	SdStatement statement = {0};

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s%s c SET ", sd_only(fkey->child), sd_quoted_relation(fkey->child));
	for (int i = 0; i < fkey->nset; i++)
		appendStringInfo(&sql, "%s%s = NULL", i ? ", " : "",
						 quote_identifier(get_attname(fkey->child, fkey->set_att[i], false)));
	appendStringInfoString(&sql, " FROM " SD_ROWS_NAME " p WHERE ");
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "c", NULL);
	appendStringInfo(&sql, " AND NOT %s AND NOT EXISTS (SELECT FROM " SD_GOING_NAME " g WHERE g."
					 SD_ROW_TABLE " = c.tableoid AND g." SD_ROW_PLACE " = c.ctid)",
					 sd_live_sql(fkey->child, "c"));
	statement.sql = sql.data;
	statement.kind = SD_RUN_LINKS;
	statement.owner_of = fkey->child;
	statement.latest = true;
	statement.expect = SPI_OK_UPDATE;
	statement.ninputs = 2;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = rows;
	statement.input_names[1] = SD_GOING_NAME;
	statement.inputs[1] = all;
	sd_run(&statement);
}

/* Nothing may refer to the rows any more but rows that go with them. */
static void
clear_references(List *heaps, bool cascade)
{
	SdRowset   *all = sd_heaps_going(heaps);
	ListCell   *lc;

	foreach(lc, heaps)
	{
		SdHeap	   *heap = lfirst(lc);
		ListCell   *lf;

		foreach(lf, heap->fkeys)
		{
			SdForeignKey *fkey = lfirst(lf);
			SdRowset   *places;

			if (sd_heap_count(heap->going) == 0)
				break;
			if (cascade && fkey->on_delete == FKCONSTR_ACTION_SETNULL &&
				sd_registered(fkey->child, NULL))
				unlink_deleted(fkey, heap->going, all);
			places = sd_heap_referred(fkey, heap->going, all);
			if (sd_rowset_count(places) > 0)
				refuse_referenced(fkey, cascade);
			sd_rowset_free(places);
			places = sd_images_referring(fkey, heap->going);
			if (places)
				refuse_referenced(fkey, cascade);
		}
	}
	sd_rowset_free(all);
}

/* ---------- what is known of them ---------- */

/*
 * Of the rows of a heap that go: these columns (attribute numbers) as text[] in
 * "texts", and their deletion_id.
 */
static SdRowset *
texts_of(const SdHeap *heap, List *atts)
{
	StringInfoData sql;
	SdStatement statement = {0};
	SdRowset   *texts = NULL;
	char		column[SD_COLUMN_SIZE];
	const char *sep = "";
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ARRAY[");
	foreach(lc, atts)
	{
		appendStringInfoString(&sql, sep);
		appendStringInfo(&sql, SD_TO_TEXT,
						 sd_fkey_column(column, "c", NULL, heap->relid, lfirst_int(lc)));
		sep = ", ";
	}
	appendStringInfo(&sql, "]::pg_catalog.text[] AS texts, c.%s AS deletion_id FROM ONLY %s c, "
					 SD_ROWS_NAME " p WHERE c.ctid = p." SD_ROW_PLACE,
					 quote_identifier(sd_deletion_id_name(heap->relid)),
					 sd_quoted_relation(heap->relid));
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = heap->relid;
	statement.latest = true;
	statement.portable = true;
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = heap->going;
	statement.result = &texts;
	sd_run(&statement);
	return texts;
}

/* A statement on the tables of the extension that reads these rows. */
static int64
run_own(const char *table, const char *sql, SdRowset *rows)
{
	SdStatement statement = {0};

	statement.sql = sql;
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation(table);
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = rows;
	return sd_run(&statement);
}

/* Forgets journalled references to the rows of a heap; those of the rows go with them. */
static void
forget_links(const SdHeap *heap)
{
	ListCell   *lc;

	foreach(lc, heap->fkeys)
	{
		SdForeignKey *fkey = lfirst(lc);
		List	   *atts = NIL;
		SdRowset   *texts;

		for (int i = 0; i < fkey->nkeys; i++)
			atts = lappend_int(atts, fkey->parent_att[i]);
		texts = texts_of(heap, atts);
		run_own("link", psprintf("DELETE FROM " SD_SCHEMA ".link l USING " SD_ROWS_NAME " r"
								 " WHERE l.child = %u::pg_catalog.regclass AND l.parent_key = r.texts"
								 " AND (l.constraint_name = %s OR NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k"
								 " WHERE k.conrelid = l.child AND k.conname = l.constraint_name))",
								 fkey->child, quote_literal_cstr(fkey->name)), texts);
		sd_rowset_free(texts);
	}
}

/* Blanks what people wrote about the deletions that took the rows. */
static void
blank_log(SdRowset *rows)
{
	run_own("deletion", "UPDATE " SD_SCHEMA ".deletion d SET statement = NULL, reason = NULL"
			" WHERE (d.statement IS NOT NULL OR d.reason IS NOT NULL)"
			" AND d.id IN (SELECT r.deletion_id FROM " SD_ROWS_NAME " r)", rows);
}

/* Adds to an event which keys were erased: a keyed hash each. */
static void
log_keys(int64 event, const SdRowKeys *keys)
{
	StringInfoData sql;
	SdStatement statement = {0};
	SdRowset   *texts = NULL;
	char		column[SD_COLUMN_SIZE];
	const char *sep = "";
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT DISTINCT ARRAY[");
	foreach(lc, keys->atts)
	{
		appendStringInfoString(&sql, sep);
		appendStringInfo(&sql, SD_TO_TEXT,
						 sd_fkey_column(column, "k", SD_ID_PREFIX, keys->relid, lfirst_int(lc)));
		sep = ", ";
	}
	appendStringInfoString(&sql, "]::pg_catalog.text[] AS texts FROM " KEYS_NAME " k");
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.portable = true;
	statement.owner_of = keys->relid;
	statement.ninputs = 1;
	statement.input_names[0] = KEYS_NAME;
	statement.inputs[0] = keys->rows;
	statement.result = &texts;
	sd_run(&statement);
	run_own("event", psprintf("UPDATE " SD_SCHEMA ".event e SET key_hashes ="
							  " (SELECT pg_catalog.array_agg(" SD_SCHEMA ".key_hash(r.texts)) FROM "
							  SD_ROWS_NAME " r) WHERE e.id = " INT64_FORMAT,
							  event), texts);
	sd_rowset_free(texts);
}

/* ---------- all of it ---------- */

/* Erases images of rows of a table; frees them. */
static int64
erase_images(SdRowset *images, Oid relid, List **counts)
{
	int64		rows;

	blank_log(images);
	rows = sd_images_delete(images);
	*counts = sd_count_rows(*counts, sd_partition_root(relid), rows);
	return rows;
}

/* Erases the images that refer to rows that go, by ON DELETE CASCADE. */
static int64
erase_images_below(List *heaps, List **counts)
{
	int64		rows = 0;
	ListCell   *lc;

	foreach(lc, heaps)
	{
		SdHeap	   *heap = lfirst(lc);
		ListCell   *lf;

		foreach(lf, heap->fkeys)
		{
			SdForeignKey *fkey = lfirst(lf);

			if (sd_heap_count(heap->going) > 0 && fkey->on_delete == FKCONSTR_ACTION_CASCADE &&
				sd_registered(fkey->child, NULL))
				rows += erase_images(sd_images_below(fkey, heap->going), fkey->child, counts);
		}
	}
	return rows;
}

static int64
erase(Oid relid, Datum id, Oid type, bool cascade)
{
	SdRowKeys  *keys;
	List	   *heaps = NIL;
	List	   *named;
	List	   *counts = NIL;
	SdRowset   *images;
	int64		found;
	int64		rows = 0;
	ListCell   *lc;

	PreventCommandIfReadOnly("softdelete_erase()");
	sd_require_registered(relid);
	sd_require_owner(relid);
	if (sd_statement_deleting())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("cannot erase rows while a DELETE is under way"),
				 errhint("Call softdelete_erase() when the statement has ended.")));
	keys = sd_rowkeys_from_value(relid, id, type);
	add_table(&heaps, relid);
	named = list_copy(heaps);
	images = sd_images_named(keys);
	found = lock_named(named, keys, false);
	if (found == 0 && sd_rowset_count(images) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("table \"%s\" has no row, live or deleted, with key %s",
						get_rel_name(relid), sd_rowkeys_first(keys, keys->rows)),
				 errhint("SET softdelete.show_deleted = on shows all rows.")));
	if (!cascade)
		clear_references(named, false);
	delete_live(keys);
	if (lock_named(named, keys, true) < found)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot erase from table \"%s\": a trigger keeps a row from being deleted",
						get_rel_name(relid)),
				 errhint("Disable the trigger, and erase again.")));
	if (cascade)
	{
		add_tables_below(&heaps);
		foreach(lc, named)
			sd_heap_add(&((SdHeap *) lfirst(lc))->newest, ((SdHeap *) lfirst(lc))->going);
		while (sd_heaps_take_along(heaps, true))
			CHECK_FOR_INTERRUPTS();
	}
	rows += erase_images(images, relid, &counts);
	if (cascade)
		rows += erase_images_below(heaps, &counts);
	clear_references(heaps, cascade);
	foreach(lc, heaps)
	{
		SdHeap	   *heap = lfirst(lc);
		SdRowset   *deletions;

		if (sd_heap_count(heap->going) == 0)
			continue;
		deletions = texts_of(heap, NIL);
		blank_log(deletions);
		sd_rowset_free(deletions);
		forget_links(heap);
	}
	foreach(lc, heaps)
	{
		SdHeap	   *heap = lfirst(lc);

		if (sd_heap_count(heap->going) > 0)
		{
			int64		deleted = sd_heap_delete(heap, PG_INT64_MAX);

			counts = sd_count_rows(counts, sd_partition_root(heap->relid), deleted);
			rows += deleted;
		}
	}
	foreach(lc, counts)
	{
		SdRowCount *count = lfirst(lc);

		int64		event = sd_event_log("erase", 0, count->relid, count->rows);

		if (count->relid == sd_partition_root(relid))
			log_keys(event, keys);
	}
	return rows;
}

PG_FUNCTION_INFO_V1(softdelete_erase);

/*
 * softdelete_erase(rel regclass, id, cascade boolean): id is of any type.  Errors:
 * 22004, 22023, 23503, 42501, 55000, 55006, P0002, and those of a DELETE.
 */
Datum
softdelete_erase(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	MemoryContext old;
	int64		rows;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", PG_ARGISNULL(0) ? "rel" : "id"),
				 errhint("Name a registered table and the key of a row.")));
	context = AllocSetContextCreate(CurrentMemoryContext, "softdelete erase",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	rows = erase(PG_GETARG_OID(0), PG_GETARG_DATUM(1), get_fn_expr_argtype(fcinfo->flinfo, 1),
				 !PG_ARGISNULL(2) && PG_GETARG_BOOL(2));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	PG_RETURN_INT64(rows);
}
