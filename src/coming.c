/*
 * coming.c - the rows that an undelete would bring back.
 *
 * The way of an undelete (undelete.c, descend.c, parents.c), but nothing is changed
 * or locked.  Images in the journal are noted as rows without a place, so that they
 * are followed downwards and upwards like others.
 */
#include "postgres.h"

#include "access/xact.h"
#include "cascade.h"
#include "catalog/pg_type.h"
#include "coming.h"
#include "image.h"
#include "miscadmin.h"
#include "registry.h"
#include "remaining.h"
#include "run.h"
#include "undelete.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* ---------- images ---------- */

static SdRowset *
run_on_images(Oid relid, const char *sql, SdRowset *images)
{
	SdStatement statement = {0};
	SdRowset   *result = NULL;

	statement.sql = sql;
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = relid;
	statement.portable = true;
	statement.ninputs = 1;
	statement.input_names[0] = "softdelete_images";
	statement.inputs[0] = images;
	statement.result = &result;
	sd_run(&statement);
	return result;
}

/* What goes wrong when all values of these images are read; NULL: nothing. */
static char *
reading_error(Oid relid, SdRowset *images)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	char	   *message = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		run_on_images(relid, psprintf("SELECT pg_catalog.count(softdelete_row) FROM %s softdelete_row",
									  sd_images_as_rows(relid)), images);
		ReleaseCurrentSubTransaction();
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
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		message = error->message;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return message;
}

/* Of the images those that can be read; the others are noted, and all are freed. */
static SdRowset *
readable(SdComing *coming, Oid relid, SdRowset *images)
{
	SdRowset   *good;
	TupleTableSlot *slot;

	if (sd_rowset_count(images) == 0 || reading_error(relid, images) == NULL)
		return images;
	good = sd_rowset_create(images->desc);
	slot = MakeSingleTupleTableSlot(images->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(images->store);
	while (tuplestore_gettupleslot(images->store, true, true, slot))
	{
		SdRowset   *one = sd_rowset_create(images->desc);
		char	   *message;
		bool		isnull;

		slot_getallattrs(slot);
		tuplestore_putvalues(one->store, one->desc, slot->tts_values, slot->tts_isnull);
		message = reading_error(relid, one);
		if (message == NULL)
			sd_rowset_append(good, one);
		else
		{
			SdUnreadable *bad = palloc(sizeof(SdUnreadable));

			bad->relid = relid;
			bad->image = DatumGetInt64(slot_getattr(slot, 1, &isnull));
			bad->message = message;
			coming->unreadable = lappend(coming->unreadable, bad);
		}
		sd_rowset_free(one);
	}
	ExecDropSingleTupleTableSlot(slot);
	sd_rowset_free(images);
	return good;
}

/* Images that have not been noted yet; the others are freed. */
static SdRowset *
new_images(SdTouched *table, SdRowset *images)
{
	SdStatement statement = {0};
	SdRowset   *result = NULL;

	if (table->images == NULL || sd_rowset_count(images) == 0)
		return images;
	statement.sql = "SELECT i.* FROM softdelete_images i"
		" WHERE NOT EXISTS (SELECT FROM softdelete_known k WHERE k.id = i.id)";
	statement.kind = SD_RUN_PLAIN;
	statement.ninputs = 2;
	statement.input_names[0] = "softdelete_images";
	statement.inputs[0] = images;
	statement.input_names[1] = "softdelete_known";
	statement.inputs[1] = table->images;
	statement.result = &result;
	sd_run(&statement);
	sd_rowset_free(images);
	return result;
}

/* Notes images as rows that would come back; frees them. */
static void
touch_images(SdComing *coming, SdTouched *table, SdRowset *images, bool upper, bool descend)
{
	StringInfoData sql;
	MemoryContext old;
	SdRowset   *rows;
	ListCell   *lc;
	char		column[SD_COLUMN_SIZE];

	images = readable(coming, table->relid, new_images(table, images));
	if (sd_rowset_count(images) == 0)
	{
		sd_rowset_free(images);
		return;
	}
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %u::pg_catalog.oid AS tableoid, NULL::pg_catalog.tid AS tid,"
					 " %s AS upper, true AS flipped, c.%s AS deletion_id",
					 table->relid, upper ? "true" : "false", table->deletion_id);
	foreach(lc, table->atts)
		appendStringInfo(&sql, ", %s AS " SD_KEY_PREFIX "%d",
						 sd_fkey_column(column, "c", NULL, table->relid, lfirst_int(lc)), lfirst_int(lc));
	appendStringInfo(&sql, " FROM %s c", sd_images_as_rows(table->relid));
	old = MemoryContextSwitchTo(coming->rows.context);
	rows = run_on_images(table->relid, sql.data, images);
	if (table->images == NULL)
		table->images = sd_rowset_create(images->desc);
	sd_rowset_append(table->images, images);
	MemoryContextSwitchTo(old);
	sd_rowset_free(images);
	sd_touch(&coming->rows, table, rows, upper, true, descend, InvalidOid);
}

/* ---------- rows ---------- */

/* Notes rows c of a table for which a condition, perhaps on another rowset, holds. */
static int64
touch_rows(SdComing *coming, SdTouched *table, Oid relid, const char *from, const char *condition,
		   SdRowset *input, const char *input_name, bool upper, bool flipped, bool descend)
{
	StringInfoData sql;
	SdRowset   *rows;
	int64		n;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT DISTINCT ON (c.tableoid, c.ctid) %s FROM %s%s c%s WHERE %s%s AND %s",
					 sd_touched_columns(table, upper, flipped), sd_only(relid), sd_quoted_relation(relid),
					 from, flipped ? "NOT " : "", sd_live_sql(relid, "c"), condition);
	if (table->rows)
		appendStringInfoString(&sql, " AND NOT EXISTS (SELECT FROM softdelete_touched t"
							   " WHERE t.tid = c.ctid AND t.tableoid = c.tableoid)");
	rows = sd_touched_run(&coming->rows, table, SD_RUN_PHYSICAL, sql.data, NULL, table->rows ? 2 : 1,
						  input_name, input, "softdelete_touched", table->rows);
	n = sd_rowset_count(rows);
	sd_touch(&coming->rows, table, rows, upper, flipped, descend, InvalidOid);
	return n;
}

static void
descend_over(SdComing *coming, const SdWork *work, const SdForeignKey *fkey)
{
	SdTouched  *child;
	StringInfoData condition;

	if (!sd_registered(fkey->child, NULL))
		return;
	child = sd_touched_table(&coming->rows, fkey->child);
	initStringInfo(&condition);
	appendStringInfo(&condition, "c.%s = p.deletion_id AND ", child->deletion_id);
	sd_fkey_match(&condition, fkey, "p", SD_KEY_PREFIX, "c", NULL);
	touch_rows(coming, child, fkey->child, ", " SD_ROWS_NAME " p", condition.data, work->rows, SD_ROWS_NAME,
			   false, true, true);
	if (coming->rows.repeated && child->below != NIL)
		touch_rows(coming, child, fkey->child, ", " SD_ROWS_NAME " p", condition.data, work->rows,
				   SD_ROWS_NAME, false, false, true);
	if (coming->rows.images)
		touch_images(coming, child, sd_images_below_in_deletion(fkey, work->rows), false, true);
}

static void
descend(SdComing *coming)
{
	while (coming->rows.work != NIL)
	{
		SdWork	   *work = linitial(coming->rows.work);
		ListCell   *lc;

		coming->rows.work = list_delete_first(coming->rows.work);
		foreach(lc, work->table->below)
		{
			CHECK_FOR_INTERRUPTS();
			descend_over(coming, work, lfirst(lc));
		}
		sd_rowset_free(work->rows);
	}
}

/* ---------- parents ---------- */

/*
 * The parents, over one foreign key, of rows that would come back, which are deleted
 * and would stay so; NULL if there are none.  Columns: k<att> of the key,
 * deletion_id.
 */
SdRowset *
sd_coming_dead_parents(SdComing *coming, SdTouched *child, const SdForeignKey *fkey)
{
	SdTouched  *parent = sd_touched_table(&coming->rows, fkey->parent);
	StringInfoData sql;
	char		column[SD_COLUMN_SIZE];
	SdRowset   *dead;

	if (child->rows == NULL)
		return NULL;
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT DISTINCT ");
	for (int i = 0; i < fkey->nkeys; i++)
		appendStringInfo(&sql, "%s AS " SD_KEY_PREFIX "%d, ",
						 sd_fkey_column(column, "p", NULL, fkey->parent, fkey->parent_att[i]),
						 fkey->parent_att[i]);
	appendStringInfo(&sql, "p.%s AS deletion_id FROM %s%s p WHERE NOT %s AND EXISTS (SELECT FROM "
					 SD_ROWS_NAME " s WHERE s.flipped AND ",
					 parent->deletion_id, sd_only(fkey->parent), sd_quoted_relation(fkey->parent),
					 sd_live_sql(fkey->parent, "p"));
	sd_fkey_match(&sql, fkey, "p", NULL, "s", SD_KEY_PREFIX);
	appendStringInfoChar(&sql, ')');
	if (parent->rows)
		appendStringInfoString(&sql, " AND NOT EXISTS (SELECT FROM softdelete_parents r"
							   " WHERE r.flipped AND r.tid = p.ctid AND r.tableoid = p.tableoid)");
	dead = sd_touched_run(&coming->rows, parent, SD_RUN_PHYSICAL, sql.data, NULL, parent->rows ? 2 : 1,
						  SD_ROWS_NAME, child->rows, "softdelete_parents", parent->rows);
	if (sd_rowset_count(dead) > 0)
		return dead;
	sd_rowset_free(dead);
	return NULL;
}

/*
 * Rows below that would be made deleted again, because a parent that went in the same
 * deletion stays so: they are no longer counted among those that come back.
 */
static bool
take_back(SdComing *coming, SdTouched *child, const SdForeignKey *fkey, SdRowset *dead)
{
	StringInfoData sql;
	SdRowset   *rows;
	bool		fewer;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT s.* FROM " SD_ROWS_NAME " s WHERE s.upper OR NOT s.flipped OR NOT EXISTS"
						   " (SELECT FROM softdelete_dead p WHERE p.deletion_id = s.deletion_id AND ");
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "s", SD_KEY_PREFIX);
	appendStringInfoChar(&sql, ')');
	rows = sd_touched_run(&coming->rows, child, SD_RUN_PHYSICAL, sql.data, NULL, 2,
						  SD_ROWS_NAME, child->rows, "softdelete_dead", dead);
	fewer = sd_rowset_count(rows) < sd_rowset_count(child->rows);
	sd_rowset_free(child->rows);
	child->rows = rows;
	return fewer;
}

/* Takes back to the fixed point. */
static void
take_back_all(SdComing *coming)
{
	bool		again = true;

	while (again)
	{
		again = false;
		for (int i = 0; i < list_length(coming->rows.tables); i++)
		{
			SdTouched  *child = list_nth(coming->rows.tables, i);
			ListCell   *lc;

			foreach(lc, child->above)
			{
				SdForeignKey *fkey = lfirst(lc);
				SdRowset   *dead;

				if (!sd_registered(fkey->parent, NULL))
					continue;
				dead = sd_coming_dead_parents(coming, child, fkey);
				if (dead == NULL)
					continue;
				again |= take_back(coming, child, fkey, dead);
				sd_rowset_free(dead);
			}
		}
	}
}

/* ---------- all together ---------- */

static SdComing *
begin(void)
{
	SdComing   *coming = palloc0(sizeof(SdComing));

	coming->rows.pretend = true;
	coming->rows.context = CurrentMemoryContext;
	coming->rows.images = sd_images_exist();
	return coming;
}

/*
 * What softdelete_undelete() would bring back.  To be freed with sd_coming_free().
 * Error P0002 for an unknown key.
 */
SdComing *
sd_coming_named(const SdRowKeys *keys, bool cascade)
{
	SdComing   *coming = begin();
	StringInfoData condition;
	SdRowset   *images = coming->rows.images ? sd_images_named_last(keys) : NULL;
	ListCell   *lc;

	if (images == NULL || sd_rowset_count(images) == 0)
		sd_require_rows(keys);
	initStringInfo(&condition);
	sd_rowkeys_match(&condition, keys, "c", NULL, "k");
	foreach(lc, sd_tables_of(keys->relid))
	{
		SdTouched  *table = sd_touched_table(&coming->rows, lfirst_oid(lc));

		touch_rows(coming, table, lfirst_oid(lc), ", softdelete_keys k", condition.data, keys->rows,
				   "softdelete_keys", true, true, cascade);
		touch_rows(coming, table, lfirst_oid(lc), ", softdelete_keys k", condition.data, keys->rows,
				   "softdelete_keys", true, false, cascade);
		if (cascade && table->rows)
			coming->rows.repeated |= sd_restored_before(table->rows);
	}
	if (images)
		touch_images(coming, sd_touched_table(&coming->rows, keys->relid), images, true, cascade);
	descend(coming);
	take_back_all(coming);
	return coming;
}

/* What softdelete_undelete_deletion() would bring back. */
SdComing *
sd_coming_deletion(int64 deletion)
{
	SdComing   *coming = begin();
	SdRowset   *row = sd_deletion_row(deletion);
	ListCell   *lt;

	foreach(lt, sd_require_taken(deletion))
	{
		Oid			relid = ((SdTaken *) lfirst(lt))->relid;
		ListCell   *lc;

		if (get_rel_name(relid) == NULL || !sd_registered(relid, NULL))
			continue;
		foreach(lc, sd_tables_of(relid))
		{
			SdTouched  *table = sd_touched_table(&coming->rows, lfirst_oid(lc));

			touch_rows(coming, table, lfirst_oid(lc), ", softdelete_deletion d",
					   psprintf("c.%s = d.deletion_id", table->deletion_id), row, "softdelete_deletion",
					   false, true, false);
			if (coming->rows.images)
				touch_images(coming, table, sd_images_in_deletion(table->relid, row), false, false);
		}
	}
	sd_rowset_free(row);
	take_back_all(coming);
	return coming;
}

/* Frees the rowsets, whose files belong to the resource owner. */
void
sd_coming_free(SdComing *coming)
{
	ListCell   *lc;

	foreach(lc, coming->rows.tables)
	{
		SdTouched  *table = lfirst(lc);

		if (table->rows)
			sd_rowset_free(table->rows);
		if (table->images)
			sd_rowset_free(table->images);
	}
}
