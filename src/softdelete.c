/*
 * softdelete.c - the library's entry: settings, then hooks.
 *
 * Every hook pointer is set here, and no hook decides anything: it calls the
 * layer below and the next hook, whatever happens.
 */
#include "postgres.h"

#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "commands/explain.h"
#include "compat.h"
#include "convert.h"
#include "deleted.h"
#include "deletion.h"
#include "drops.h"
#include "executor/executor.h"
#include "explain.h"
#include "fmgr.h"
#include "follow.h"
#include "hierarchy.h"
#include "leaving.h"
#include "memo.h"
#include "limits.h"
#include "miscadmin.h"
#include "newchild.h"
#include "optimizer/plancat.h"
#include "optimizer/planner.h"
#include "parser/analyze.h"
#include "plans.h"
#include "registry.h"
#include "run.h"
#include "settings.h"
#include "statement.h"
#include "tcop/utility.h"
#include "truncate.h"
#include "unlinked.h"
#include "utility.h"
#include "utils/plancache.h"
#include "visibility.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

static post_parse_analyze_hook_type next_post_parse_analyze = NULL;
static planner_hook_type next_planner = NULL;
static get_relation_info_hook_type next_get_relation_info = NULL;
static ExecutorStart_hook_type next_executor_start = NULL;
static ExecutorFinish_hook_type next_executor_finish = NULL;
static ProcessUtility_hook_type next_process_utility = NULL;
static object_access_hook_type next_object_access = NULL;
#if SD_EXPLAIN_NODE_HOOK
static explain_per_node_hook_type next_explain_node = NULL;
#endif

static void
post_parse_analyze(ParseState *state, Query *query, JumbleState *jumble)
{
	if (next_post_parse_analyze)
		next_post_parse_analyze(state, query, jumble);
	sd_run_parsed(query, state->p_sourcetext);
}

static PlannedStmt *
plan(Query *query, const char *source, int options, ParamListInfo params)
{
	SdPlanning	planning;
	PlannedStmt *result;
	bool		converted;

	sd_planning_begin(&planning, query, source);
	PG_TRY();
	{
		sd_deleted_expand(&planning, query);
		converted = (query->commandType != CMD_SELECT || query->hasModifyingCTE) &&
			sd_convert(&planning, query);
		if (next_planner)
			result = next_planner(query, source, options, params);
		else
			result = standard_planner(query, source, options, params);
	}
	PG_FINALLY();
	{
		sd_planning_end(&planning);
	}
	PG_END_TRY();
	if (planning.old_values)
		sd_convert_returning(result);
	if (converted)
		result->commandType = CMD_DELETE;
	sd_planning_finish(&planning, result);
	return result;
}

static void
relation_info(PlannerInfo *root, Oid relid, bool inhparent, RelOptInfo *rel)
{
	if (next_get_relation_info)
		next_get_relation_info(root, relid, inhparent, rel);
	sd_visibility_apply(root, relid, rel);
}

/* Does the statement change nothing?  What it reads was decided when it was planned. */
static inline bool
only_reads(const QueryDesc *query)
{
	return query->operation == CMD_SELECT && !query->plannedstmt->hasModifyingCTE;
}

static void
executor_start(QueryDesc *query, int eflags)
{
	if (next_executor_start)
		next_executor_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
	if (only_reads(query))
		return;
	if (query->operation != CMD_SELECT)
		sd_utility_suspend(query->estate->es_query_cxt);
	sd_statement_start(query, eflags);
}

static void
finish(QueryDesc *query)
{
	if (next_executor_finish)
		next_executor_finish(query);
	else
		standard_ExecutorFinish(query);
}

static void
executor_finish(QueryDesc *query)
{
	SdFollow	follow;

	if (only_reads(query) || !sd_follow_begin(&follow, query))
	{
		finish(query);
		return;
	}
	PG_TRY();
	{
		finish(query);
		sd_follow_check(&follow);
	}
	PG_FINALLY();
	{
		sd_follow_end(&follow);
	}
	PG_END_TRY();
}

static void
process_utility(PlannedStmt *statement, const char *source, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	SdUtility	outer = sd_utility;
	SdUtilityAfter after = {0};
	List	   *drops = sd_drops_begin();
	List	   *leaving = sd_leaving_begin();
	List	   *triggers = sd_utility_begin();
	Oid			emptied = sd_truncate_begin();
	List	   *changes;
	List	   *children;

	sd_utility_depth++;
	PG_TRY();
	{
		changes = sd_hierarchy_prepare(statement->utilityStmt);
		children = sd_new_children_prepare(statement->utilityStmt, context);
		statement = sd_utility_prepare(statement, context, &after);
		if (next_process_utility)
			next_process_utility(statement, source, read_only_tree, context, params,
								 environment, dest, completion);
		else
			standard_ProcessUtility(statement, source, read_only_tree, context, params,
									environment, dest, completion);
		sd_drops_done();
		sd_utility_done(&after);
		sd_hierarchy_done(changes);
		sd_new_children_done(children);
		sd_leaving_done();
	}
	PG_FINALLY();
	{
		sd_drops_end(drops);
		sd_leaving_end(leaving);
		sd_utility_end(triggers);
		sd_truncate_end(emptied);
		sd_utility_depth--;
		sd_utility_set(outer);
	}
	PG_END_TRY();
}

static void
object_access(ObjectAccessType access, Oid classid, Oid objectid, int subid, void *arg)
{
	if (next_object_access)
		next_object_access(access, classid, objectid, subid, arg);
	if (access == OAT_FUNCTION_EXECUTE || access == OAT_NAMESPACE_SEARCH)
		return;					/* of these there are many */
	if (access == OAT_DROP)
		sd_drop(classid, objectid, subid, ((ObjectAccessDrop *) arg)->dropflags);
	if ((access == OAT_DROP || access == OAT_TRUNCATE) && classid == RelationRelationId && subid == 0)
		sd_leaving_table(objectid);
	if (access == OAT_TRUNCATE)
		sd_truncate_table(objectid);
	if (access == OAT_POST_CREATE && classid == TriggerRelationId)
		sd_utility_trigger(objectid);
}

#if SD_EXPLAIN_NODE_HOOK
static void
explain_node(PlanState *planstate, List *ancestors, const char *relationship,
			 const char *plan_name, ExplainState *es)
{
	if (next_explain_node)
		next_explain_node(planstate, ancestors, relationship, plan_name, es);
	sd_explain_node(planstate, es);
}
#endif

void
_PG_init(void)
{
	sd_settings_define();
	sd_memo_init();
	sd_registry_init();
	sd_visibility_init();
	sd_plans_init();
	sd_deletion_init();
	sd_unlinked_init();
	sd_limits_init();

	next_post_parse_analyze = post_parse_analyze_hook;
	post_parse_analyze_hook = post_parse_analyze;
	next_planner = planner_hook;
	planner_hook = plan;
	next_get_relation_info = get_relation_info_hook;
	get_relation_info_hook = relation_info;
	next_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = executor_start;
	next_executor_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = executor_finish;
	next_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
	next_object_access = object_access_hook;
	object_access_hook = object_access;

	/* what this session has planned before, when it is not preloaded, hides nothing */
	if (!process_shared_preload_libraries_in_progress)
		ResetPlanCache();
#if SD_EXPLAIN_NODE_HOOK
	next_explain_node = explain_per_node_hook;
	explain_per_node_hook = explain_node;
#endif
}
