/*
 * run.c - running SQL of our own.
 *
 * Identity and snapshots follow ri_PerformCheck() in PostgreSQL's
 * utils/adt/ri_triggers.c.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "compat.h"
#include "miscadmin.h"
#include "run.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* The statement of ours that is being planned or executed, if any. */
static const SdStatement *current = NULL;

/*
 * The statement of ours whose text this is, or NULL.  Functions and triggers
 * called from within a statement of ours have texts of their own and are not
 * taken for it.
 */
const SdStatement *
sd_run_current(const char *source)
{
	if (current == NULL || source == NULL)
		return NULL;
	return strcmp(current->sql, source) == 0 ? current : NULL;
}

Oid
sd_relation_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* From now on, until the caller sets its user again, we act as the owner of a table. */
void
sd_become_owner(Oid relid)
{
	Oid			user;
	int			context;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(sd_relation_owner(relid),
						   context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
}

/* A query has been parsed, perhaps of a statement of ours that has more to add. */
void
sd_run_parsed(Query *query, const char *source)
{
	const SdStatement *own = sd_run_current(source);

	if (own && own->parsed)
		own->parsed(query, own->parsed_arg);
}

static void
register_inputs(const SdStatement *statement)
{
	for (int i = 0; i < statement->ninputs; i++)
	{
		EphemeralNamedRelation enr = palloc0(sizeof(*enr));

		enr->md.name = pstrdup(statement->input_names[i]);
		enr->md.tupdesc = statement->inputs[i]->desc;
		enr->md.enrtype = ENR_NAMED_TUPLESTORE;
		enr->md.enrtuples = sd_rowset_count(statement->inputs[i]);
		enr->reldata = statement->inputs[i]->store;
		tuplestore_rescan(statement->inputs[i]->store);
		if (SPI_register_relation(enr) != SPI_OK_REL_REGISTER)
			elog(ERROR, "could not register rowset \"%s\"", enr->md.name);
	}
}

/*
 * The plan of the statement: the kept one while it is valid, else a new one.
 */
static SPIPlanPtr
prepare(const SdStatement *statement)
{
	SPIPlanPtr	plan;

	if (statement->plan && *statement->plan)
		return *statement->plan;
	plan = SPI_prepare(statement->sql, statement->nargs, statement->argtypes);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare returned %s for %s",
			 SPI_result_code_string(SPI_result), statement->sql);
	if (statement->plan)
	{
		SPI_keepplan(plan);
		*statement->plan = plan;
	}
	return plan;
}

/* Moves what SPI collected into a rowset of the caller. */
static SdRowset *
take_result(MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	SdRowset   *rows = sd_rowset_create(SPI_tuptable->tupdesc);

	for (uint64 i = 0; i < SPI_processed; i++)
		tuplestore_puttuple(rows->store, SPI_tuptable->vals[i]);
	MemoryContextSwitchTo(old);
	return rows;
}

static void
set_locally(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Makes names resolve in pg_catalog alone, and values convert to text that does
 * not depend on the session, as set_transmission_modes() of postgres_fdw does.
 * Ends with sd_portable_end().
 */
int
sd_portable_begin(void)
{
	int			nestlevel = NewGUCNestLevel();

	set_locally("search_path", "pg_catalog, pg_temp");
	set_locally("datestyle", "ISO");
	set_locally("intervalstyle", "postgres");
	set_locally("extra_float_digits", "3");
	set_locally("bytea_output", "hex");
	set_locally("timezone", "UTC");
	set_locally("lc_monetary", "C");
	return nestlevel;
}

void
sd_portable_end(int nestlevel)
{
	AtEOXact_GUC(true, nestlevel);
}

/* The same for the search_path alone. */
static int
pin_search_path(void)
{
	int			nestlevel = NewGUCNestLevel();

	set_locally("search_path", "pg_catalog, pg_temp");
	return nestlevel;
}

static void
refuse_rewritten(const SdStatement *statement)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("a statement of softdelete on table \"%s\" gave unexpected result",
					get_rel_name(statement->owner_of)),
			 errdetail_internal("%s", statement->sql),
			 errhint("This is most likely due to a rule having rewritten the query; drop the rule.")));
}

static int64
execute(const SdStatement *statement, SPIPlanPtr plan, MemoryContext caller)
{
	bool		snapshots = IsolationUsesXactSnapshot() &&
		(statement->crosscheck || statement->latest);
	int			rc;

	if (snapshots || statement->result == NULL)
	{
		Snapshot	latest = InvalidSnapshot;
		Snapshot	crosscheck = InvalidSnapshot;

		if (snapshots)
		{
			CommandCounterIncrement();
			latest = GetLatestSnapshot();
			if (statement->crosscheck)
				crosscheck = GetTransactionSnapshot();
		}
		rc = SPI_execute_snapshot(plan, statement->args, statement->argnulls,
								  latest, crosscheck, false,
								  !statement->fire_at_end, statement->limit);
		if (rc >= 0 && statement->result)
			*statement->result = take_result(caller);
	}
	else
	{
		SPIExecuteOptions options = {0};
		List	   *sources = SPI_plan_get_plan_sources(plan);
		CachedPlanSource *source = linitial(sources);
		MemoryContext old;
		SdRowset   *rows;

		if (source->resultDesc == NULL)
			refuse_rewritten(statement);
		old = MemoryContextSwitchTo(caller);
		rows = sd_rowset_create(source->resultDesc);
		MemoryContextSwitchTo(old);
		if (statement->nargs > 0)
		{
			ParamListInfo params = makeParamList(statement->nargs);

			for (int i = 0; i < statement->nargs; i++)
			{
				params->params[i].value = statement->args[i];
				params->params[i].isnull = statement->argnulls &&
					statement->argnulls[i] == 'n';
				params->params[i].pflags = PARAM_FLAG_CONST;
				params->params[i].ptype = statement->argtypes[i];
			}
			options.params = params;
		}
		options.dest = sd_rowset_receiver(rows);
		options.tcount = statement->limit;
		rc = SPI_execute_plan_extended(plan, &options);
		*statement->result = rows;
	}
	if (statement->expect != 0 && rc >= 0 && rc != statement->expect)
		refuse_rewritten(statement);
	if (rc < 0)
		elog(ERROR, "SPI_execute returned %s for %s",
			 SPI_result_code_string(rc), statement->sql);
	return statement->result ? sd_rowset_count(*statement->result) : (int64) SPI_processed;
}

/* A unique key that was taken meanwhile: says what to do about it. */
static void
add_hint(void *arg)
{
	const SdStatement *statement = arg;

	if (statement == current && statement->kind == SD_RUN_FLAG &&
		(geterrcode() == ERRCODE_UNIQUE_VIOLATION || geterrcode() == ERRCODE_EXCLUSION_VIOLATION))
		errhint("A live row has taken the key. Delete that row or change its key, and undelete again.");
}

/*
 * Runs a statement.  Returns the number of rows that it returned or changed.
 * Errors are the statement's own.
 */
int64
sd_run(const SdStatement *statement)
{
	const SdStatement *outer = current;
	MemoryContext caller = CurrentMemoryContext;
	Oid			save_user;
	int			save_context;
	int64		processed = 0;
	int			nestlevel = 0;
	ErrorContextCallback callback;

	if (statement->portable)
		nestlevel = sd_portable_begin();
	else if (!statement->own_path)
		nestlevel = pin_search_path();
	GetUserIdAndSecContext(&save_user, &save_context);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	current = statement;
	callback.callback = add_hint;
	callback.arg = (void *) statement;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	PG_TRY();
	{
		register_inputs(statement);
		if (OidIsValid(statement->owner_of))
			sd_become_owner(statement->owner_of);
		processed = execute(statement, prepare(statement), caller);
		SetUserIdAndSecContext(save_user, save_context);
	}
	PG_FINALLY();
	{
		current = outer;
	}
	PG_END_TRY();
	error_context_stack = callback.previous;
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	if (nestlevel > 0)
		AtEOXact_GUC(true, nestlevel);
	return processed;
}

/*
 * The first column of the first row that a SELECT returns, as bigint; 0 when
 * there is no row or the value is null.
 */
int64
sd_run_int64(const SdStatement *statement)
{
	SdStatement copy = *statement;
	SdRowset   *rows;
	TupleTableSlot *slot;
	int64		value = 0;

	copy.result = &rows;
	sd_run(&copy);
	slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(rows->store);
	if (tuplestore_gettupleslot(rows->store, true, false, slot))
	{
		bool		isnull;
		Datum		datum = slot_getattr(slot, 1, &isnull);

		Assert(TupleDescAttr(rows->desc, 0)->atttypid == INT8OID);
		if (!isnull)
			value = DatumGetInt64(datum);
	}
	ExecDropSingleTupleTableSlot(slot);
	sd_rowset_free(rows);
	return value;
}

/* Runs a utility command (DDL) as the current user. */
void
sd_run_utility(const char *sql)
{
	int			rc;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	rc = SPI_execute(sql, false, 0);
	if (rc < 0)
		elog(ERROR, "SPI_execute returned %s for %s",
			 SPI_result_code_string(rc), sql);
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

/*
 * Runs something in a subtransaction, which stays if it returns true and is rolled
 * back otherwise; on error it is rolled back, and the error goes on.  Memory is the
 * caller's all the time.
 */
bool
sd_subtransaction(bool (*action) (void *arg), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	bool		stays = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		stays = action(arg);
		if (stays)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
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
		ReThrowError(error);
	}
	PG_END_TRY();
	return stays;
}

/*
 * A procedure of ours that commits.  Makes a memory context current that survives
 * that, until sd_committing_end().
 */
void
sd_committing_begin(void)
{
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

/* Commits, and begins a transaction. */
void
sd_commit(void)
{
	SPI_commit();
	EnsurePortalSnapshotExists();
}

void
sd_committing_end(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

/* schema.name of a relation, quoted; palloc'd. */
char *
sd_quoted_relation(Oid relid)
{
	char	   *name = get_rel_name(relid);

	if (name == NULL)
		elog(ERROR, "cache lookup failed for relation %u", relid);
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  name);
}

/* "ONLY " unless the relation is partitioned, as foreign keys understand it. */
const char *
sd_only(Oid relid)
{
	return get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ";
}

/*
 * The name of a type for a cast that changes nothing: qualified, and without a
 * length where the bare name would mean one (character, bit); palloc'd.
 */
char *
sd_type_name(Oid type)
{
	return format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}
