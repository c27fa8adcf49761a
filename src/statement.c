/*
 * statement.c - statements under way.
 *
 * A statement that deletes is armed with virtual triggers when the executor has
 * set it up (triggers.c).  When its rows are processed it cascades, and what it
 * has deleted is logged; after that PostgreSQL fires its AFTER triggers.
 *
 * State lives in the EState's memory context and is found by a list of the
 * statements under way; the context's reset takes it off the list.
 */
#include "postgres.h"

#include "access/xact.h"
#include "cascade.h"
#include "commands/trigger.h"
#include "compat.h"
#include "deletion.h"
#include "executor/executor.h"
#include "explain.h"
#include "nodes/plannodes.h"
#include "parser/parsetree.h"
#include "registry.h"
#include "run.h"
#include "statement.h"
#include "triggers.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* A statement that deletes. */
typedef struct Statement
{
	EState	   *estate;
	List	   *targets;
	bool		running;		/* have BEFORE STATEMENT triggers fired? */
	SdCascade  *cascade;		/* whose statement this is, if a cascade's */
	bool		own_rows;		/* had the transaction written anything before? */
	MemoryContextCallback unlink;
	struct Statement *next;
} Statement;

static Statement *statements = NULL;

static void
unlink_statement(void *arg)
{
	for (Statement **link = &statements; *link; link = &(*link)->next)
		if (*link == arg)
		{
			*link = (*link)->next;
			return;
		}
}

static Statement *
find_statement(EState *estate)
{
	Statement  *statement = statements;

	while (statement && statement->estate != estate)
		statement = statement->next;
	return statement;
}

static Statement *
make_statement(EState *estate, bool of_cascade)
{
	Statement  *statement = palloc0(sizeof(Statement));

	statement->estate = estate;
	statement->cascade = of_cascade ? sd_cascade_running() : NULL;
	statement->own_rows = statement->cascade ? sd_cascade_own_rows(statement->cascade) :
		TransactionIdIsValid(GetTopTransactionIdIfAny());
	statement->unlink.func = unlink_statement;
	statement->unlink.arg = statement;
	MemoryContextRegisterResetCallback(estate->es_query_cxt, &statement->unlink);
	statement->next = statements;
	statements = statement;
	return statement;
}

/*
 * Has this node been made of a DELETE of a registered table, or of a MERGE with
 * one?  The privileges that it requires tell.
 */
bool
sd_statement_deletes(ModifyTableState *state)
{
	EState	   *estate = state->ps.state;
	RangeTblEntry *rte;
	AclMode		required;

	if ((state->operation != CMD_UPDATE && state->operation != CMD_MERGE) ||
		!sd_registered(RelationGetRelid(state->rootResultRelInfo->ri_RelationDesc), NULL))
		return false;
	rte = exec_rt_fetch(((ModifyTable *) state->ps.plan)->nominalRelation, estate);
	if (!sd_has_permissions(rte))
		return false;
	required = sd_estate_permissions(estate, rte)->requiredPerms;
	return (required & ACL_DELETE) != 0 &&
		(state->operation == CMD_MERGE || (required & ACL_UPDATE) == 0);
}

/* One ModifyTable that updates, deletes or merges. */
static void
arm_changes(QueryDesc *query, ModifyTableState *state, int eflags, Statement **statement)
{
	EState	   *estate = query->estate;
	const SdStatement *own = sd_run_current(query->sourceText);
	RangeTblEntry *rte;
	SdPermissions *permissions;

	if (own && (own->kind == SD_RUN_FLAG || own->kind == SD_RUN_LINKS))
	{
		sd_arm_own_update(estate, state, own->kind);
		return;
	}
	if (!sd_registered(RelationGetRelid(state->rootResultRelInfo->ri_RelationDesc), NULL))
	{
		if (own == NULL)
			sd_arm_user_update(estate, state, true);
		return;
	}
	rte = exec_rt_fetch(((ModifyTable *) state->ps.plan)->nominalRelation, estate);
	if (!sd_has_permissions(rte))
		return;
	permissions = sd_estate_permissions(estate, rte);
	if (!sd_statement_deletes(state))
	{
		sd_arm_user_update(estate, state, own == NULL);
		return;
	}
	if (state->operation == CMD_MERGE && (permissions->requiredPerms & ACL_UPDATE) == 0)
		state->mt_merge_subcommands &= ~MERGE_UPDATE;
	if (*statement == NULL)
		*statement = make_statement(estate, own && (eflags & EXEC_FLAG_SKIP_TRIGGERS) != 0);
	(*statement)->targets =
		lappend((*statement)->targets,
				sd_arm_delete(estate, state, state->operation == CMD_MERGE,
							  (*statement)->own_rows,
							  (*statement)->cascade ?
							  sd_cascade_context((*statement)->cascade) : estate->es_query_cxt));
}

static void
arm(QueryDesc *query, ModifyTableState *state, int eflags, Statement **statement)
{
	const SdStatement *own = sd_run_current(query->sourceText);

	if (state->operation == CMD_UPDATE || state->operation == CMD_MERGE)
		arm_changes(query, state, eflags, statement);
	if (state->operation == CMD_INSERT ||
		(state->operation == CMD_MERGE && (state->mt_merge_subcommands & MERGE_INSERT) != 0))
		sd_arm_insert(query->estate, state, own && own->kind == SD_RUN_IMAGES);
}

/* EXPLAIN without ANALYZE: the node will not run. */
static void
explain_only(ModifyTableState *state)
{
	if (sd_statement_deletes(state))
		sd_explain_as_delete(state, 0);
}

/* Is a statement of this session deleting rows, or cascading? */
bool
sd_statement_deleting(void)
{
	return statements != NULL || sd_cascade_running() != NULL;
}

/*
 * After ExecutorStart: looks for the ModifyTable nodes of the statement, which
 * are its top and those of data-modifying CTEs.
 */
void
sd_statement_start(QueryDesc *query, int eflags)
{
	EState	   *estate = query->estate;
	Statement  *statement = NULL;
	MemoryContext old;
	ListCell   *lc;

	if (query->planstate == NULL)
		return;
	if (!IsA(query->planstate, ModifyTableState) && estate->es_auxmodifytables == NIL)
		return;
	old = MemoryContextSwitchTo(estate->es_query_cxt);
	if ((eflags & EXEC_FLAG_EXPLAIN_ONLY) != 0)
	{
		if (IsA(query->planstate, ModifyTableState))
			explain_only((ModifyTableState *) query->planstate);
		foreach(lc, estate->es_auxmodifytables)
			explain_only(lfirst(lc));
	}
	else
	{
		if (IsA(query->planstate, ModifyTableState))
			arm(query, (ModifyTableState *) query->planstate, eflags, &statement);
		foreach(lc, estate->es_auxmodifytables)
			arm(query, lfirst(lc), eflags, &statement);
	}
	MemoryContextSwitchTo(old);
}

/* Before rows are processed: the user's BEFORE DELETE STATEMENT triggers. */
void
sd_statement_run(QueryDesc *query)
{
	Statement  *statement = statements ? find_statement(query->estate) : NULL;
	MemoryContext old;
	ListCell   *lc;

	if (statement == NULL || statement->running)
		return;
	statement->running = true;
	old = MemoryContextSwitchTo(query->estate->es_query_cxt);
	foreach(lc, statement->targets)
	{
		SdTarget   *target = lfirst(lc);

		if (target->root_copy)
			ExecBSDeleteTriggers(query->estate, target->root_copy);
	}
	MemoryContextSwitchTo(old);
}

/* Runs data-modifying CTEs that nobody read to their end. */
static void
complete_ctes(EState *estate)
{
	ListCell   *lc;

	estate->es_direction = ForwardScanDirection;
	foreach(lc, estate->es_auxmodifytables)
	{
		PlanState  *state = lfirst(lc);

		for (;;)
		{
			TupleTableSlot *slot;

			ResetPerTupleExprContext(estate);
			slot = ExecProcNode(state);
			if (TupIsNull(slot))
				break;
		}
	}
}

/*
 * Before ExecutorFinish fires AFTER triggers: the cascade, and the log.  The
 * user's AFTER STATEMENT triggers are queued first, as they would be.
 */
void
sd_statement_finish(QueryDesc *query)
{
	EState	   *estate = query->estate;
	Statement  *statement = statements ? find_statement(estate) : NULL;
	MemoryContext old;
	List	   *deleted = NIL;
	List	   *counts = NIL;
	ResultRelInfo *first = NULL;
	ListCell   *lc;

	if (statement == NULL)
		return;
	sd_statement_run(query);
	old = MemoryContextSwitchTo(estate->es_query_cxt);
	complete_ctes(estate);
	unlink_statement(statement);
	foreach(lc, statement->targets)
	{
		SdTarget   *target = lfirst(lc);
		int64		rows = target->bare ? estate->es_processed : target->rows;
		ListCell   *set;

		sd_explain_as_delete(target->state, rows);
		if (target->root_copy)
			ExecASDeleteTriggers(estate, target->root_copy, target->transition);
		counts = sd_count_rows(counts, sd_partition_root(RelationGetRelid(target->rel)), rows);
		foreach(set, target->captures)
		{
			if (sd_rowset_count(((SdDeleted *) lfirst(set))->rows) == 0)
			{
				sd_deleted_free(lfirst(set));
				continue;
			}
			deleted = lappend(deleted, lfirst(set));
			first = target->state->rootResultRelInfo;
		}
	}
	if (statement->cascade)
		sd_cascade_add(statement->cascade, deleted, counts);
	else
	{
		int			named = list_length(counts);

		if (deleted)
			counts = sd_cascade(estate, first, deleted, counts, statement->own_rows);
		sd_deletion_log(counts, named);
	}
	MemoryContextSwitchTo(old);
}
