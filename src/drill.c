/*
 * drill.c - proving that a deletion can be undone, without undoing it.
 *
 * It is brought back in a subtransaction, which is rolled back whatever comes of
 * it, and what came back is compared with what the log and the tables say.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "registry.h"
#include "remaining.h"
#include "undelete.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

/* A table of the deletion. */
typedef struct Drilled
{
	Oid			relid;
	int64		expected;		/* rows that should come back */
	int64		restored;		/* rows that did */
	double		seconds;		/* that it took to find and change them */
} Drilled;

/*
 * What should come back, to the tables that it can come back to.  The log says so
 * as long as nothing has come back or gone since; then the rows are counted.
 */
static List *
expectations(int64 deletion)
{
	bool		told = sd_log_tells(deletion) && sd_brought_back(deletion) == 0;
	List	   *all = NIL;
	ListCell   *lc;

	foreach(lc, sd_taken_together(deletion))
	{
		SdTaken    *taken = lfirst(lc);
		Drilled    *drilled;

		if (get_rel_name(taken->relid) == NULL || !sd_registered(taken->relid, NULL))
			continue;
		drilled = palloc0(sizeof(Drilled));
		drilled->relid = taken->relid;
		drilled->expected = told ? taken->rows : sd_count_deleted(taken->relid, deletion);
		all = lappend(all, drilled);
	}
	return all;
}

/* Adds what came back of one table, or of one that inherits from it. */
static void
note_restored(List *all, const SdRestoredRows *rows)
{
	ListCell   *lc;

	foreach(lc, all)
	{
		Drilled    *drilled = lfirst(lc);

		if (!list_member_oid(sd_tables_of(drilled->relid), rows->relid))
			continue;
		drilled->restored += rows->rows;
		drilled->seconds += rows->seconds;
		return;
	}
}

/* Brings the deletion back and takes that back; an error becomes a WARNING. */
static void
try_undelete(int64 deletion, List *all)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	List	   *restored = NIL;
	ErrorData  *error = NULL;
	ListCell   *lc;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		/* until the subtransaction ends */
		(void) set_config_option("client_min_messages", "error", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
		restored = sd_undelete_on_trial(deletion);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (error && (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
				  error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE))
		ReThrowError(error);
	if (error)
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("deletion " INT64_FORMAT " cannot be undone: %s", deletion, error->message),
				 error->detail ? errdetail_internal("%s", error->detail) : 0,
				 errhint("SELECT * FROM softdelete_conflicts(" INT64_FORMAT ") shows all that stands in the way.",
						 deletion)));
	foreach(lc, restored)
		note_restored(all, lfirst(lc));
}

static Datum
interval_of(double seconds)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = (TimeOffset) (seconds * USECS_PER_SEC);
	return IntervalPGetDatum(interval);
}

PG_FUNCTION_INFO_V1(softdelete_drill);

/*
 * softdelete_drill(deletion_id bigint): relation, expected, restored, ok, elapsed.
 * Errors: 22004, 25006, 42501, 55006, P0002.
 */
Datum
softdelete_drill(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext context;
	MemoryContext old;
	int64		deletion;
	List	   *all;
	ListCell   *lc;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("deletion_id must not be null"),
				 errhint("softdelete.deletions shows the deletions.")));
	deletion = PG_GETARG_INT64(0);
	PreventCommandIfReadOnly("softdelete_drill()");
	InitMaterializedSRF(fcinfo, 0);
	context = AllocSetContextCreate(CurrentMemoryContext, "softdelete drill", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	sd_undelete_deletion_privileges(deletion);
	all = expectations(deletion);
	try_undelete(deletion, all);
	foreach(lc, all)
	{
		Drilled    *drilled = lfirst(lc);
		Datum		values[5];
		bool		nulls[5] = {0};

		values[0] = ObjectIdGetDatum(drilled->relid);
		values[1] = Int64GetDatum(drilled->expected);
		values[2] = Int64GetDatum(drilled->restored);
		values[3] = BoolGetDatum(drilled->expected == drilled->restored);
		values[4] = interval_of(drilled->seconds);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}
