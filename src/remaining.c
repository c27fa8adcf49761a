/*
 * remaining.c - what of a deletion is still deleted.
 *
 * The log knows what a deletion took and what undeletes brought back of it.  Only
 * where rows have really gone since do the tables have to be read: deletion_id
 * has no index, which would cost every DELETE its HOT update.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "deletion.h"
#include "fmgr.h"
#include "image.h"
#include "miscadmin.h"
#include "registry.h"
#include "remaining.h"
#include "run.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* A statement on the log with the deletion's id as $1; its plan is kept. */
static SdStatement
about(const char *sql, SPIPlanPtr *plan, const int64 *deletion)
{
	static Oid	types[] = {INT8OID};
	SdStatement statement = {0};
	Datum	   *value = palloc(sizeof(Datum));

	*value = Int64GetDatum(*deletion);
	statement.sql = sql;
	statement.plan = plan;
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("deletion");
	statement.nargs = 1;
	statement.argtypes = types;
	statement.args = value;
	return statement;
}

/* The tables from which a deletion took rows: SdTaken, in the order of statements. */
List *
sd_taken(int64 deletion)
{
	static SPIPlanPtr plan = NULL;
	SdStatement statement = about("SELECT l.relation::pg_catalog.oid, pg_catalog.sum(l.row_count)::bigint,"
								  " pg_catalog.bool_or(l.named) FROM " SD_SCHEMA ".deleted_relation l"
								  " WHERE l.deletion_id = $1 GROUP BY 1"
								  " ORDER BY pg_catalog.min(l.statement_no), 3 DESC, 1", &plan, &deletion);
	SdRowset   *rows = NULL;
	TupleTableSlot *slot;
	List	   *tables = NIL;

	statement.result = &rows;
	sd_run(&statement);
	slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(rows->store);
	while (tuplestore_gettupleslot(rows->store, true, false, slot))
	{
		SdTaken    *taken = palloc(sizeof(SdTaken));
		bool		isnull;

		taken->relid = DatumGetObjectId(slot_getattr(slot, 1, &isnull));
		taken->rows = DatumGetInt64(slot_getattr(slot, 2, &isnull));
		taken->named = DatumGetBool(slot_getattr(slot, 3, &isnull));
		tables = lappend(tables, taken);
	}
	ExecDropSingleTupleTableSlot(slot);
	sd_rowset_free(rows);
	return tables;
}

/*
 * The same, but a table that inherits from another one of them counts with that, in
 * which its rows are found: SdTaken.
 */
List *
sd_taken_together(int64 deletion)
{
	List	   *tables = sd_taken(deletion);
	List	   *together = NIL;
	ListCell   *lc;

	foreach(lc, tables)
	{
		SdTaken    *taken = lfirst(lc);
		ListCell   *other;

		foreach(other, tables)
		{
			SdTaken    *above = lfirst(other);

			if (above->relid != taken->relid && get_rel_name(above->relid) != NULL &&
				list_member_oid(sd_tables_of(above->relid), taken->relid))
			{
				above->rows += taken->rows;
				break;
			}
		}
		if (other == NULL)
			together = lappend(together, taken);
	}
	return together;
}

/* The same; error P0002 for an unknown deletion. */
List *
sd_require_taken(int64 deletion)
{
	List	   *tables = sd_taken(deletion);

	if (tables == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("deletion " INT64_FORMAT " does not exist", deletion),
				 errhint("softdelete.deletions shows the deletions.")));
	return tables;
}

/* How many rows of a deletion undeletes have brought back. */
int64
sd_brought_back(int64 deletion)
{
	static SPIPlanPtr plan = NULL;
	SdStatement statement = about("SELECT pg_catalog.sum(e.row_count)::bigint FROM " SD_SCHEMA ".event e"
								  " WHERE e.deletion_id = $1 AND e.event = 'undelete'", &plan, &deletion);

	return sd_run_int64(&statement);
}

/*
 * Does the log tell how many of its rows are still deleted?  Not if rows have really
 * gone since: purged, erased, or under softdelete.enabled = off.
 */
bool
sd_log_tells(int64 deletion)
{
	static SPIPlanPtr plan = NULL;
	SdStatement statement = about("SELECT pg_catalog.count(*) FROM " SD_SCHEMA ".deletion d, " SD_SCHEMA ".event e"
								  " WHERE d.id = $1 AND e.deletion_id IS NULL AND e.happened_at >= d.deleted_at"
								  " AND (e.event = 'bypass' OR (e.event <> 'undelete' AND e.relation IN"
								  " (SELECT l.relation FROM " SD_SCHEMA ".deleted_relation l WHERE l.deletion_id = $1)))",
								  &plan, &deletion);

	return sd_run_int64(&statement) == 0;
}

static int64
count(const char *sql, Oid owner_of)
{
	SdStatement statement = {0};

	statement.sql = sql;
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = owner_of;
	return sd_run_int64(&statement);
}

/*
 * How many rows of a table are deleted ones of this deletion, in the table and in
 * the journal: the table is read.  0 where it is not there or not registered.
 */
int64
sd_count_deleted(Oid relid, int64 deletion)
{
	int64		rows = 0;
	ListCell   *lc;

	if (get_rel_name(relid) == NULL || !sd_registered(relid, NULL))
		return 0;
	foreach(lc, sd_tables_of(relid))
	{
		Oid			table = lfirst_oid(lc);

		rows += count(psprintf("SELECT pg_catalog.count(*) FROM " SD_SCHEMA ".image i"
							   " WHERE i.relation = %u::pg_catalog.regclass AND i.deletion_id = " INT64_FORMAT,
							   table, deletion), sd_own_relation("image"));
		rows += count(psprintf("SELECT pg_catalog.count(*) FROM %s%s c WHERE NOT %s AND c.%s = " INT64_FORMAT,
							   sd_only(table), sd_quoted_relation(table), sd_live_sql(table, "c"),
							   quote_identifier(sd_deletion_id_name(table)), deletion),
					  table);
	}
	return rows;
}

/* Whoever may not read a table is not told how many rows are deleted there. */
static bool
may_read_all(List *tables)
{
	ListCell   *lc;

	foreach(lc, tables)
	{
		Oid			relid = ((SdTaken *) lfirst(lc))->relid;

		if (get_rel_name(relid) != NULL &&
			pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
			return false;
	}
	return true;
}

static int64
rows_left(int64 deletion, List *tables)
{
	int64		rows = 0;
	bool		told = sd_log_tells(deletion);
	ListCell   *lc;

	foreach(lc, tables)
	{
		SdTaken    *taken = lfirst(lc);

		if (get_rel_name(taken->relid) == NULL || sd_excluded(taken->relid))
			continue;
		rows += told ? taken->rows : sd_count_deleted(taken->relid, deletion);
	}
	return told ? rows - sd_brought_back(deletion) : rows;
}

PG_FUNCTION_INFO_V1(softdelete_rows_left);

/* softdelete.rows_left(deletion_id bigint): for the view softdelete.deletions. */
Datum
softdelete_rows_left(PG_FUNCTION_ARGS)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "softdelete rows left",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	int64		deletion = PG_GETARG_INT64(0);
	List	   *tables = sd_taken_together(deletion);
	bool		readable = tables != NIL && may_read_all(tables);
	int64		rows = readable ? rows_left(deletion, tables) : 0;

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	if (!readable)
		PG_RETURN_NULL();
	PG_RETURN_INT64(rows);
}
