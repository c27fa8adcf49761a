/*
 * redo.c - taking an undelete back.
 *
 * What a deletion took, was brought back and is still live is deleted again, in the
 * same deletion: by a DELETE from each table that its statements had named, in their
 * order, with all that a DELETE does.  The cascade takes what hangs below; rows that
 * it does not find there any more go after it, as the owners of their tables.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "deletion.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "registry.h"
#include "remaining.h"
#include "run.h"
#include "statement.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Are there live rows that came back from a deletion? */
static bool
any_back(const SdTaken *taken, int64 deletion)
{
	SdStatement statement = {0};
	SdRowset   *rows = NULL;
	bool		any;

	statement.sql = psprintf("SELECT 1 FROM %s c WHERE %s AND c.%s = " INT64_FORMAT,
							 sd_quoted_relation(taken->relid), sd_live_sql(taken->relid, "c"),
							 quote_identifier(sd_deletion_id_name(taken->relid)), deletion);
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = taken->relid;
	statement.limit = 1;
	statement.result = &rows;
	any = sd_run(&statement) > 0;
	sd_rowset_free(rows);
	return any;
}

/* Deletes them, as the caller. */
static void
delete_again(const SdTaken *taken, int64 deletion)
{
	SdStatement statement = {0};

	statement.sql = psprintf("DELETE FROM %s c WHERE c.%s OPERATOR(pg_catalog.=) " INT64_FORMAT "::pg_catalog.int8",
							 sd_quoted_relation(taken->relid),
							 quote_identifier(sd_deletion_id_name(taken->relid)), deletion);
	statement.kind = SD_RUN_LIVE;
	statement.own_path = true;
	statement.expect = SPI_OK_DELETE;
	sd_run(&statement);
}

/*
 * What hangs below the rows of the tables that the deletion named goes with them, by
 * its foreign keys.  What is left of the rest hangs elsewhere by now, and is the
 * caller's to delete, or not.
 */
static void
delete_all_again(List *tables, int64 deletion)
{
	for (int named = 1; named >= 0; named--)
	{
		ListCell   *lc;

		foreach(lc, tables)
		{
			SdTaken    *taken = lfirst(lc);

			CHECK_FOR_INTERRUPTS();
			if (taken->named == (named == 1) && get_rel_name(taken->relid) != NULL &&
				sd_registered(taken->relid, NULL))
			{
				if (named == 1 || any_back(taken, deletion))
					delete_again(taken, deletion);
			}
		}
	}
}

static int64
redo(int64 deletion)
{
	List	   *tables;
	SdDeletionState *own;
	int64		rows = 0;

	PreventCommandIfReadOnly("softdelete_redo_deletion()");
	if (sd_statement_deleting())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("cannot redo a deletion while a DELETE of the same session is under way"),
				 errhint("Call it in a statement of its own, or in an AFTER trigger.")));
	tables = sd_require_taken(deletion);
	own = sd_deletion_resume(deletion);
	PG_TRY();
	{
		delete_all_again(tables, deletion);
	}
	PG_FINALLY();
	{
		rows = sd_deletion_leave(own);
	}
	PG_END_TRY();
	if (rows > 0)
		sd_event_log("redo", deletion, InvalidOid, rows);
	else
		ereport(NOTICE,
				(errmsg("no row of deletion " INT64_FORMAT " has been brought back and is still live", deletion)));
	return rows;
}

PG_FUNCTION_INFO_V1(softdelete_redo_deletion);

/*
 * softdelete_redo_deletion(deletion_id bigint).  Errors: 22004, 55006, P0002, and
 * those of a DELETE.
 */
Datum
softdelete_redo_deletion(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	MemoryContext old;
	int64		rows;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("deletion_id must not be null"),
				 errhint("softdelete.deletions shows the deletions.")));
	context = AllocSetContextCreate(CurrentMemoryContext, "softdelete redo",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	rows = redo(PG_GETARG_INT64(0));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	PG_RETURN_INT64(rows);
}
