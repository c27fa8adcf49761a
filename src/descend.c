/*
 * descend.c - what hangs below rows that come back.
 *
 * Set by set and foreign key by foreign key the rows of the same deletion are made
 * live.  Rows of it that are live already, brought back earlier, are passed through.
 */
#include "postgres.h"

#include "cascade.h"
#include "descend.h"
#include "image.h"
#include "miscadmin.h"
#include "plans.h"
#include "registry.h"
#include "run.h"
#include "taken.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Makes rows of the child live, but not those for which a condition on c holds. */
static char *
flip_sql(const SdForeignKey *fkey, const SdTouched *child, const char *unless)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s%s c SET %s FROM " SD_ROWS_NAME " p WHERE ",
					 sd_only(fkey->child), sd_quoted_relation(fkey->child), child->set_live);
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "c", NULL);
	appendStringInfo(&sql, " AND NOT %s AND c.%s = p.deletion_id", child->live, child->deletion_id);
	if (unless)
		appendStringInfo(&sql, " AND NOT %s", unless);
	appendStringInfo(&sql, " RETURNING %s", sd_touched_columns(child, false, true));
	return sql.data;
}

static char *
flip_statement(const SdForeignKey *fkey, SdPurpose purpose, void *arg)
{
	return flip_sql(fkey, arg, NULL);
}

/* Notes the rows that stay deleted below because a key of theirs is taken. */
static void
note_taken(SdUndelete *undelete, const SdWork *work, const SdForeignKey *fkey, SdTouched *child,
		   const char *taken)
{
	StringInfoData sql;
	SdRowset   *rows;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT DISTINCT c.tableoid, c.ctid AS tid FROM %s%s c, " SD_ROWS_NAME " p WHERE ",
					 sd_only(fkey->child), sd_quoted_relation(fkey->child));
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "c", NULL);
	appendStringInfo(&sql, " AND NOT %s AND c.%s = p.deletion_id AND %s",
					 child->live, child->deletion_id, taken);
	if (child->taken)
		appendStringInfoString(&sql, " AND NOT EXISTS (SELECT FROM softdelete_taken t"
							   " WHERE t.tid = c.ctid AND t.tableoid = c.tableoid)");
	rows = sd_touched_run(undelete, child, SD_RUN_PHYSICAL, sql.data, NULL, child->taken ? 2 : 1,
						  SD_ROWS_NAME, work->rows, "softdelete_taken", child->taken);
	if (child->taken)
	{
		sd_rowset_append(child->taken, rows);
		sd_rowset_free(rows);
	}
	else
		child->taken = rows;
}

/*
 * After rows were to be made live: has somebody taken the key of one of them
 * meanwhile, so that it has left the table?  "before": images that there were.
 */
void
sd_refuse_moved(Oid relid, SdRowset *rows, int64 before)
{
	if (sd_images_of_deletions(relid, rows) > before)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not undelete in table \"%s\" due to concurrent changes of keys",
						get_rel_name(relid)),
				 errhint("Run it again.")));
}

/* Makes the rows live that hang below over one foreign key. */
static void
flip_below(SdUndelete *undelete, const SdWork *work, const SdForeignKey *fkey, SdTouched *child)
{
	char	   *taken = undelete->skip ? sd_taken_sql(fkey->child) : NULL;
	SdPlan	   *kept = taken ? NULL :
		sd_plan_take(fkey, SD_UNDELETE_FLIP, sd_rowset_count(work->rows), flip_statement, child);
	SdRowset   *rows = NULL;
	int64		images = undelete->images ? sd_images_of_deletions(child->relid, work->rows) : 0;

	PG_TRY();
	{
		rows = sd_touched_run(undelete, child, SD_RUN_FLAG,
							  kept ? kept->sql : flip_sql(fkey, child, taken),
							  kept ? &kept->plan : NULL,
							  1, SD_ROWS_NAME, work->rows, NULL, NULL);
	}
	PG_FINALLY();
	{
		if (kept)
			sd_plan_release(kept);
	}
	PG_END_TRY();
	sd_refuse_moved(child->relid, work->rows, images);
	if (taken)
		note_taken(undelete, work, fkey, child, taken);
	sd_touch(undelete, child, rows, false, true, true, work->flipped ? fkey->id : InvalidOid);
}

/* Passes through the rows that were brought back earlier. */
static void
pass_below(SdUndelete *undelete, const SdWork *work, const SdForeignKey *fkey, SdTouched *child)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM %s%s c, " SD_ROWS_NAME " p WHERE ",
					 sd_touched_columns(child, false, false),
					 sd_only(fkey->child), sd_quoted_relation(fkey->child));
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "c", NULL);
	appendStringInfo(&sql, " AND %s AND c.%s = p.deletion_id", child->live, child->deletion_id);
	if (child->rows)
		appendStringInfoString(&sql, " AND NOT EXISTS (SELECT FROM softdelete_touched t"
							   " WHERE t.tid = c.ctid AND t.tableoid = c.tableoid)");
	sd_touch(undelete, child,
		  sd_touched_run(undelete, child, SD_RUN_PHYSICAL, sql.data, NULL, child->rows ? 2 : 1,
				 SD_ROWS_NAME, work->rows, "softdelete_touched", child->rows),
		  false, false, true, InvalidOid);
}

static void
descend_over(SdUndelete *undelete, const SdWork *work, const SdForeignKey *fkey)
{
	SdTouched  *child;

	if (!sd_registered(fkey->child, NULL))
		return;
	child = sd_touched_table(undelete, fkey->child);
	if (undelete->images &&
		sd_images_return_below(fkey, work->rows, undelete->skip ? &child->taken_images : NULL) > 0)
		child->returned = true;
	flip_below(undelete, work, fkey, child);
	if (undelete->repeated && child->below != NIL)
		pass_below(undelete, work, fkey, child);
}

/* Works off what may have more below it.  Errors: 23505, 40001. */
void
sd_descend(SdUndelete *undelete)
{
	MemoryContext item_context = AllocSetContextCreate(undelete->context,
													   "softdelete undelete item",
													   ALLOCSET_DEFAULT_SIZES);

	while (undelete->work != NIL)
	{
		SdWork	   *work = linitial(undelete->work);
		MemoryContext old = MemoryContextSwitchTo(item_context);
		ListCell   *lc;

		undelete->work = list_delete_first(undelete->work);
		foreach(lc, work->table->below)
		{
			CHECK_FOR_INTERRUPTS();
			descend_over(undelete, work, lfirst(lc));
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(item_context);
		sd_rowset_free(work->rows);
		pfree(work);
	}
	MemoryContextDelete(item_context);
}
