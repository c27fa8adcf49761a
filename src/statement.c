/*
 * statement.c - statements under way.
 *
 * A statement that deletes is armed with virtual triggers when the executor has
 * set it up (triggers.c).  When its rows are processed it cascades, and what it
 * has deleted is logged; after that PostgreSQL fires its AFTER triggers.
 *
 * All this happens within the standard executor functions and not in hooks around
 * them: then the time that it takes is the statement's, and what runs within is
 * nested in it, whichever other library's hooks come before ours or after.  The
 * cascade is a node at the end of es_auxmodifytables, which ExecutorFinish runs
 * to their end before it fires AFTER triggers; BEFORE STATEMENT triggers are
 * fired by a function around that of the ModifyTable node.
 *
 * State lives in the EState's memory context and is found by a list of the
 * statements under way; the context's reset takes it off the list.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/xact.h"
#include "cascade.h"
#include "commands/trigger.h"
#include "compat.h"
#include "convert.h"
#include "deletion.h"
#include "executor/executor.h"
#include "explain.h"
#include "flagged.h"
#include "follow.h"
#include "insert.h"
#include "leaving.h"
#include "limits.h"
#include "nodes/plannodes.h"
#include "parser/parsetree.h"
#include "registry.h"
#include "run.h"
#include "statement.h"
#include "triggers.h"
#include "update.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "virtual.h"

/* A statement that deletes. */
typedef struct Statement
{
	PlanState	finish;			/* its function is finish(); comes first */
	EState	   *estate;
	List	   *targets;
	SdCascade  *cascade;		/* whose statement this is, if a cascade's */
	bool		own_rows;		/* had the transaction written anything before? */
	bool		outermost;		/* is it within no other statement that deletes? */
	MemoryContextCallback unlink;
	struct Statement *next;
} Statement;

static Statement *statements = NULL;

static TupleTableSlot *finish(PlanState *node);

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
	statement->outermost = !sd_statement_deleting();
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
	if ((required & ACL_DELETE) == 0)
		return false;
	return state->operation == CMD_MERGE ?
		!sd_merge_deletes(linitial(((ModifyTable *) state->ps.plan)->mergeActionLists)) :
		(required & ACL_UPDATE) == 0;
}

/*
 * The first call of a ModifyTable node that deletes: the user's BEFORE DELETE
 * STATEMENT triggers.
 */
static TupleTableSlot *
process_first(PlanState *node)
{
	Statement  *statement = find_statement(node->state);
	ListCell   *lc;

	foreach(lc, statement->targets)
	{
		SdTarget   *target = lfirst(lc);

		if (&target->state->ps == node)
		{
			MemoryContext old = MemoryContextSwitchTo(node->state->es_query_cxt);

			ExecSetExecProcNode(node, target->process);
			ExecBSDeleteTriggers(node->state, target->root_copy);
			MemoryContextSwitchTo(old);
			return target->process(node);
		}
	}
	elog(ERROR, "node is not armed");
	return NULL;
}

/*
 * A row that a bare statement is about to delete, one of the first: its place is
 * noted, for the log.
 */
static TupleTableSlot *
note_row(PlanState *subplan)
{
	Statement  *statement = find_statement(subplan->state);
	SdTarget   *target = NULL;
	ResultRelInfo *leaf;
	TupleTableSlot *row;
	ListCell   *lc;
	bool		isnull;

	foreach(lc, statement->targets)
		if (outerPlanState(((SdTarget *) lfirst(lc))->state) == subplan)
			target = lfirst(lc);
	row = target->next(subplan);
	if (TupIsNull(row))
		return row;
	leaf = target->state->resultRelInfo;
	if (target->state->mt_nrels > 1)
		leaf = ExecLookupResultRelByOid(target->state,
										DatumGetObjectId(ExecGetJunkAttribute(row, target->state->mt_resultOidAttno, &isnull)),
										false, false);
	sd_root_note_place(target->root, RelationGetRelid(leaf->ri_RelationDesc),
					   (ItemPointer) DatumGetPointer(ExecGetJunkAttribute(row, leaf->ri_RowIdAttNo, &isnull)));
	if (sd_root_is_full(target->root))
		ExecSetExecProcNode(subplan, target->next);
	return row;
}

/* Does an UPDATE of a registered table name the flag? */
static bool
names_flag(ModifyTableState *state)
{
	SdTable		table;

	return state->operation == CMD_UPDATE &&
		sd_registered(RelationGetRelid(state->rootResultRelInfo->ri_RelationDesc), &table) &&
		bms_is_member(table.flag - FirstLowInvalidHeapAttributeNumber,
					  ExecGetUpdatedCols(state->rootResultRelInfo, state->ps.state));
}

/* One that is not converted; it may name the flag. */
static void
arm_update(QueryDesc *query, ModifyTableState *state, int eflags, const SdStatement *own,
		   Statement **statement)
{
	EState	   *estate = query->estate;
	SdUpdate	kind = {0};

	if (own == NULL && names_flag(state))
	{
		if (*statement == NULL)
			*statement = make_statement(estate, false);
		kind.flagged = sd_flagged_create(estate, state, (*statement)->outermost &&
										 sd_deletion_wants_root());
		(*statement)->targets = lappend((*statement)->targets, sd_flagged_target(kind.flagged));
	}

	kind.unlinks = own == NULL;
	kind.follows = sd_follow_update(query, eflags);
	kind.of_user = own == NULL && (eflags & EXEC_FLAG_SKIP_TRIGGERS) == 0;
	sd_arm_user_update(query->estate, state, &kind);
}

/* One ModifyTable that updates, deletes or merges. */
static void
arm_changes(QueryDesc *query, ModifyTableState *state, int eflags, Statement **statement)
{
	EState	   *estate = query->estate;
	const SdStatement *own = sd_run_current(query->sourceText);
	RangeTblEntry *rte;
	SdPermissions *permissions;
	SdTarget   *target;

	if (own && (own->kind == SD_RUN_FLAG || own->kind == SD_RUN_LINKS))
	{
		sd_arm_own_update(estate, state, own->kind);
		return;
	}
	if (!sd_registered(RelationGetRelid(state->rootResultRelInfo->ri_RelationDesc), NULL))
	{
		if (own == NULL)
			arm_update(query, state, eflags, own, statement);
		return;
	}
	rte = exec_rt_fetch(((ModifyTable *) state->ps.plan)->nominalRelation, estate);
	if (!sd_has_permissions(rte))
		return;
	permissions = sd_estate_permissions(estate, rte);
	if (!sd_statement_deletes(state))
	{
		arm_update(query, state, eflags, own, statement);
		return;
	}
	if (state->operation == CMD_MERGE && (permissions->requiredPerms & ACL_UPDATE) == 0)
		state->mt_merge_subcommands &= ~MERGE_UPDATE;
	if (*statement == NULL)
		*statement = make_statement(estate, own && (eflags & EXEC_FLAG_SKIP_TRIGGERS) != 0);
	target = sd_arm_delete(estate, state, state->operation == CMD_MERGE,
						   (*statement)->own_rows,
						   (*statement)->outermost && sd_deletion_wants_root(),
						   (*statement)->cascade ?
						   sd_cascade_context((*statement)->cascade) : estate->es_query_cxt);
	(*statement)->targets = lappend((*statement)->targets, target);
	target->process = state->ps.ExecProcNodeReal;
	if (target->root && target->bare)
	{
		target->next = outerPlanState(state)->ExecProcNodeReal;
		ExecSetExecProcNode(outerPlanState(state), note_row);
	}
	if (target->root_copy && target->root_copy->ri_TrigDesc->trig_delete_before_statement)
		ExecSetExecProcNode(&state->ps, process_first);
}

/*
 * Does the node really delete rows, or change more of them than softdelete's own
 * columns?
 */
static bool
may_take_away(ModifyTableState *state, const SdStatement *own)
{
	if (own && (own->kind == SD_RUN_IMAGES || own->kind == SD_RUN_FLAG || own->kind == SD_RUN_LINKS))
		return false;
	return !sd_statement_deletes(state) || state->operation == CMD_MERGE;
}

static void
arm(QueryDesc *query, ModifyTableState *state, int eflags, Statement **statement, List **leaving)
{
	const SdStatement *own = sd_run_current(query->sourceText);

	if (state->operation == CMD_UPDATE || state->operation == CMD_MERGE)
		arm_changes(query, state, eflags, statement);
	if (state->operation == CMD_INSERT ||
		(state->operation == CMD_MERGE && (state->mt_merge_subcommands & MERGE_INSERT) != 0))
		sd_arm_insert(query->estate, state, own ? own->kind : SD_RUN_PLAIN);
	/* after all others: theirs may have to be in front */
	if (may_take_away(state, own))
		*leaving = list_concat_unique_oid(*leaving, sd_arm_leaving(query->estate, state));
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
	List	   *leaving = NIL;
	MemoryContext old;
	ListCell   *lc;

	if (query->planstate == NULL)
		return;
	if (!IsA(query->planstate, ModifyTableState) && estate->es_auxmodifytables == NIL)
		return;
	if (!sd_has_triggers(query))
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
			arm(query, (ModifyTableState *) query->planstate, eflags, &statement, &leaving);
		foreach(lc, estate->es_auxmodifytables)
			arm(query, lfirst(lc), eflags, &statement, &leaving);
	}
	if (statement)
	{
		/* no kind of node: only ExecPostprocessPlan() meets it */
		statement->finish.state = estate;
		statement->finish.ExecProcNode = finish;
		estate->es_auxmodifytables = lappend(estate->es_auxmodifytables, statement);
	}
	sd_leaving_ask_again(estate, leaving);
	MemoryContextSwitchTo(old);
}

/*
 * Before ExecutorFinish fires AFTER triggers: the cascade, and the log.  The
 * user's AFTER STATEMENT triggers are queued first, as they would be.
 */
static TupleTableSlot *
finish(PlanState *node)
{
	Statement  *statement = (Statement *) node;
	EState	   *estate = statement->estate;
	MemoryContext old;
	List	   *deleted = NIL;
	List	   *counts = NIL;
	ResultRelInfo *first = NULL;
	SdRoot	   *root = NULL;
	ListCell   *lc;

	old = MemoryContextSwitchTo(estate->es_query_cxt);
	unlink_statement(statement);
	foreach(lc, statement->targets)
	{
		SdTarget   *target = lfirst(lc);
		int64		rows = target->bare ? estate->es_processed : target->rows;
		ListCell   *set;

		if (target->flagged)
			sd_flagged_revived(target->flagged);
		else
			sd_explain_as_delete(target->state, rows);
		if (target->root_copy)
			ExecASDeleteTriggers(estate, target->root_copy, target->transition);
		if (counts == NIL)
			root = target->root;
		if (target->bare && root && rows > 0)
			sd_root_add_places(root);
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

		sd_limits_check(counts);
		if (deleted)
			counts = sd_cascade(estate, first, deleted, counts, statement->own_rows);
		sd_deletion_log(counts, named, statement->outermost && sd_deletion_wants_root() ?
						sd_root_keys(root) : NULL);
	}
	MemoryContextSwitchTo(old);
	return NULL;
}
