/*
 * limits.c - how large a deletion may get, and when the server log hears of it.
 *
 * What the transaction has deleted so far is counted by table and by the
 * subtransaction that did it, so that a rollback to a savepoint takes it back.
 */
#include "postgres.h"

#include "access/xact.h"
#include "deletion.h"
#include "lib/stringinfo.h"
#include "limits.h"
#include "mb/pg_wchar.h"
#include "settings.h"
#include "tcop/tcopprot.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Rows that one subtransaction, and those committed into it, deleted from a table. */
typedef struct Tally
{
	SubTransactionId sub;
	Oid			relid;
	int64		rows;
} Tally;

static List *tallies = NIL;		/* Tally; in TopTransactionContext */
static int64 deletion_id = 0;	/* whose these are */

/* What is written once the transaction has come through needs no more than this. */
#define LINE_BYTES 1024
#define STATEMENT_BYTES 2048

static char *line = NULL;		/* for the server log; in TopTransactionContext */
static char *undo_hint = NULL;

static Tally *
find(SubTransactionId sub, Oid relid)
{
	ListCell   *lc;

	foreach(lc, tallies)
		if (((Tally *) lfirst(lc))->sub == sub && ((Tally *) lfirst(lc))->relid == relid)
			return lfirst(lc);
	return NULL;
}

static void
add(SubTransactionId sub, Oid relid, int64 rows)
{
	Tally	   *tally = find(sub, relid);
	MemoryContext old;

	if (tally)
	{
		tally->rows += rows;
		return;
	}
	old = MemoryContextSwitchTo(TopTransactionContext);
	tally = palloc(sizeof(Tally));
	tally->sub = sub;
	tally->relid = relid;
	tally->rows = rows;
	tallies = lappend(tallies, tally);
	MemoryContextSwitchTo(old);
}

/* "3 of table "a", 10 of table "b"", of the transaction so far and of these counts. */
static char *
describe(List *counts)
{
	List	   *all = NIL;
	StringInfoData text;
	const char *sep = "";
	ListCell   *lc;

	foreach(lc, tallies)
		all = sd_count_rows(all, ((Tally *) lfirst(lc))->relid, ((Tally *) lfirst(lc))->rows);
	foreach(lc, counts)
		all = sd_count_rows(all, ((SdRowCount *) lfirst(lc))->relid, ((SdRowCount *) lfirst(lc))->rows);
	initStringInfo(&text);
	foreach(lc, all)
	{
		const SdRowCount *count = lfirst(lc);
		char	   *name = get_rel_name(count->relid);

		appendStringInfo(&text, "%s" INT64_FORMAT " of \"%s\"", sep, count->rows, name ? name : "?");
		sep = ", ";
	}
	return text.data;
}

static int64
total(List *counts)
{
	int64		rows = 0;
	ListCell   *lc;

	foreach(lc, tallies)
		rows += ((Tally *) lfirst(lc))->rows;
	foreach(lc, counts)
		rows += ((SdRowCount *) lfirst(lc))->rows;
	return rows;
}

/*
 * Error 54000 if the transaction deletes too much, with what a statement under way
 * has deleted so far: a list of SdRowCount.
 */
void
sd_limits_check(List *counts)
{
	if (sd_max_rows_per_deletion < 0 || total(counts) <= sd_max_rows_per_deletion)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("deletion exceeds softdelete.max_rows_per_deletion (%d)", sd_max_rows_per_deletion),
			 errdetail("Rows so far: %s.", describe(counts)),
			 errhint("softdelete_preview() tells what a DELETE would take. If it is meant, raise softdelete.max_rows_per_deletion for the transaction with SET LOCAL.")));
}

/* A statement has deleted: counts is a list of SdRowCount.  Error 54000. */
void
sd_limits_add(List *counts, int64 deletion)
{
	SubTransactionId sub = GetCurrentSubTransactionId();
	ListCell   *lc;

	sd_limits_check(counts);
	deletion_id = deletion;
	foreach(lc, counts)
		add(sub, ((SdRowCount *) lfirst(lc))->relid, ((SdRowCount *) lfirst(lc))->rows);
}

/* The transaction is about to commit: makes the line for the server log, if it deletes much. */
static void
prepare_line(void)
{
	MemoryContext old;
	char	   *rows;

	line = undo_hint = NULL;
	if (sd_log_min_rows < 0 || tallies == NIL || total(NIL) < sd_log_min_rows)
		return;
	old = MemoryContextSwitchTo(TopTransactionContext);
	rows = describe(NIL);
	if (strlen(rows) > LINE_BYTES)
		strcpy(rows + pg_mbcliplen(rows, strlen(rows), LINE_BYTES - 3), "...");
	undo_hint = psprintf("SELECT softdelete_undelete_deletion(" INT64_FORMAT ") brings them back.", deletion_id);
	line = psprintf("deletion " INT64_FORMAT ": " INT64_FORMAT " rows: %s", deletion_id, total(NIL), rows);
	MemoryContextSwitchTo(old);
}

/*
 * The transaction has come through.  It cannot fail any more, and an error here would
 * bring the server down: so nothing is made, nothing is asked of those who would add
 * context, nothing goes to the client, and all of it fits into the memory that is kept
 * for errors.
 */
static void
tell(void)
{
	ErrorContextCallback *callers = error_context_stack;

	if (line == NULL)
		return;
	error_context_stack = NULL;
	ereport(LOG_SERVER_ONLY,
			(errmsg_internal("%s", line),
			 errhint("%s", undo_hint),
			 errhidestmt(debug_query_string && strlen(debug_query_string) > STATEMENT_BYTES)));
	error_context_stack = callers;
}

static void
end_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			prepare_line();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
			tell();
			/* FALLTHROUGH */
		case XACT_EVENT_ABORT:
			tallies = NIL;
			line = undo_hint = NULL;
			break;
		default:
			break;
	}
}

static void
end_subtransaction(SubXactEvent event, SubTransactionId sub, SubTransactionId parent, void *arg)
{
	ListCell   *lc;

	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	foreach(lc, tallies)
	{
		Tally	   *tally = lfirst(lc);
		Tally	   *of_parent;

		if (tally->sub != sub)
			continue;
		of_parent = event == SUBXACT_EVENT_COMMIT_SUB ? find(parent, tally->relid) : NULL;
		if (event == SUBXACT_EVENT_COMMIT_SUB && of_parent == NULL)
		{
			tally->sub = parent;
			continue;
		}
		if (of_parent)
			of_parent->rows += tally->rows;
		tallies = foreach_delete_current(tallies, lc);
		pfree(tally);
	}
}

/* Registers the transaction callbacks; called once. */
void
sd_limits_init(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}
