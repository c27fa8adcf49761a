/*
 * explain.c - what EXPLAIN says of a statement that soft-deletes.
 *
 * The plan node reads "Delete on ...", as the statement does, and below it one
 * line says that this is a soft delete and one line a foreign key what happens
 * to the rows that refer to the deleted ones; with ANALYZE, how long that took
 * and how many rows it changed, the foreign keys further down included.  Each
 * of them is also among the triggers, as PostgreSQL's own trigger for it would
 * be.  What auto_explain logs is the same.
 *
 * From version 18 on PostgreSQL has a hook for a node.  Before, the one callback
 * that EXPLAIN makes from a ModifyTable node is that of foreign tables: a result
 * relation gets a routine that has this callback and no other, at a moment when
 * no row will be processed any more.
 *
 * A statement that is not instrumented pays for one copy of a plan node.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "explain.h"
#include "foreign/fdwapi.h"
#include "nodes/parsenodes.h"
#include "registry.h"
#include "statement.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

struct SdExplainedKey
{
	SdForeignKey fkey;
	int64		rows;			/* of the referencing table, changed */
	Instrumentation *trigger;	/* as a trigger's: its calls are the rows of the
								 * referenced table that were deleted */
};

struct SdExplained
{
	EState	   *estate;			/* of the statement that cascades */
	List	   *keys;			/* SdExplainedKey, in the order in which they
								 * ran first */
	MemoryContextCallback unlink;
	struct SdExplained *next;
};

/* One for each instrumented statement that has cascaded and not ended yet. */
static SdExplained *all_explained = NULL;

/* ---------- taking down what happens ---------- */

static void
unlink_explained(void *arg)
{
	for (SdExplained **link = &all_explained; *link; link = &(*link)->next)
		if (*link == arg)
		{
			*link = (*link)->next;
			return;
		}
}

/*
 * Where the cascade of a statement takes down what it does; NULL when nobody
 * wants to know.  Lives as long as the EState.
 */
SdExplained *
sd_explain_cascade(EState *estate)
{
	SdExplained *explained;

	if (estate->es_instrument == 0)
		return NULL;
	explained = MemoryContextAllocZero(estate->es_query_cxt, sizeof(SdExplained));
	explained->estate = estate;
	explained->unlink.func = unlink_explained;
	explained->unlink.arg = explained;
	MemoryContextRegisterResetCallback(estate->es_query_cxt, &explained->unlink);
	explained->next = all_explained;
	all_explained = explained;
	return explained;
}

/* The action of a foreign key begins; "explained" may be NULL. */
SdExplainedKey *
sd_explain_begin(SdExplained *explained, const SdForeignKey *fkey)
{
	SdExplainedKey *key = NULL;
	ListCell   *lc;

	if (explained == NULL)
		return NULL;
	foreach(lc, explained->keys)
		if (((SdExplainedKey *) lfirst(lc))->fkey.id == fkey->id)
			key = lfirst(lc);
	if (key == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(explained->estate->es_query_cxt);

		key = palloc0(sizeof(SdExplainedKey));
		key->fkey = *fkey;
		key->fkey.name = pstrdup(fkey->name);
		key->trigger = InstrAlloc(1, explained->estate->es_instrument & INSTRUMENT_TIMER, false);
		explained->keys = lappend(explained->keys, key);
		MemoryContextSwitchTo(old);
	}
	InstrStartNode(key->trigger);
	return key;
}

/*
 * It ends: "parents" rows had been deleted from the referenced table, and it
 * changed "rows" of the referencing one.
 */
void
sd_explain_end(SdExplainedKey *key, int64 parents, int64 rows)
{
	if (key == NULL)
		return;
	InstrStopNode(key->trigger, parents);
	key->rows += rows;
}

/*
 * Puts the foreign keys among the triggers that ExplainPrintTriggers() reports,
 * by the names that they have as triggers of the referenced table.
 *
 * es_trig_target_relations is a cache of ExecGetTriggerResultRel(), which must
 * not find these entries: their root is no relation of the statement.  Their
 * relations are closed by ExecCloseResultRelations().
 */
void
sd_explain_triggers(SdExplained *explained)
{
	EState	   *estate = explained->estate;
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	ListCell   *lc;

	foreach(lc, explained->keys)
	{
		SdExplainedKey *key = lfirst(lc);
		Relation	rel = table_open(key->fkey.parent, AccessShareLock);
		ResultRelInfo *carrier = makeNode(ResultRelInfo);
		TriggerDesc *triggers = palloc0(sizeof(TriggerDesc));
		Trigger    *trigger = palloc0(sizeof(Trigger));

		trigger->tgname = key->fkey.name;
		for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
			if (rel->trigdesc->triggers[i].tgconstraint == key->fkey.id &&
				TRIGGER_FOR_DELETE(rel->trigdesc->triggers[i].tgtype))
				trigger->tgname = pstrdup(rel->trigdesc->triggers[i].tgname);
		trigger->tgconstraint = key->fkey.id;
		trigger->tgenabled = TRIGGER_DISABLED;
		triggers->triggers = trigger;
		triggers->numtriggers = 1;
		carrier->ri_RelationDesc = rel;
		carrier->ri_RootResultRelInfo = carrier;
		carrier->ri_TrigDesc = triggers;
		carrier->ri_TrigInstrument = key->trigger;
		estate->es_trig_target_relations = lappend(estate->es_trig_target_relations, carrier);
	}
	MemoryContextSwitchTo(old);
}

/* ---------- showing it ---------- */

/* What happens to rows that refer to a deleted one. */
static const char *
effect(const SdForeignKey *fkey)
{
	switch (fkey->on_delete)
	{
		case FKCONSTR_ACTION_CASCADE:
			return sd_registered(fkey->child, NULL) ? "rows are soft-deleted" :
				sd_excluded(fkey->child) ? "rows are really deleted: excluded" :
				"refused while rows refer to it: not registered";
		case FKCONSTR_ACTION_SETNULL:
			return "columns are set to NULL";
		case FKCONSTR_ACTION_SETDEFAULT:
			return "columns are set to their defaults";
		default:
			return "refused while rows refer to it";
	}
}

static const char *
action_name(char on_delete)
{
	switch (on_delete)
	{
		case FKCONSTR_ACTION_CASCADE:
			return "CASCADE";
		case FKCONSTR_ACTION_SETNULL:
			return "SET NULL";
		case FKCONSTR_ACTION_SETDEFAULT:
			return "SET DEFAULT";
		case FKCONSTR_ACTION_RESTRICT:
			return "RESTRICT";
		default:
			return "NO ACTION";
	}
}

/* One foreign key; "ran" is NULL when it has not. */
static void
show_key(const SdForeignKey *fkey, const SdExplainedKey *ran, ExplainState *es)
{
	char	   *table = get_rel_name(fkey->child);
	char	   *schema = get_namespace_name(get_rel_namespace(fkey->child));
	double		time = ran ? 1000.0 * ran->trigger->total : 0;

	if (es->format == EXPLAIN_FORMAT_TEXT)
	{
		appendStringInfoSpaces(es->str, es->indent * 2);
		appendStringInfo(es->str, "Foreign Key %s on %s: %s, %s",
						 quote_identifier(fkey->name),
						 es->verbose ? quote_qualified_identifier(schema, table) : quote_identifier(table),
						 action_name(fkey->on_delete), effect(fkey));
		if (ran && es->timing)
			appendStringInfo(es->str, " (actual time=%.3f rows=" INT64_FORMAT ")", time, ran->rows);
		else if (ran)
			appendStringInfo(es->str, " (actual rows=" INT64_FORMAT ")", ran->rows);
		appendStringInfoChar(es->str, '\n');
		return;
	}
	ExplainOpenGroup("Foreign Key", NULL, true, es);
	ExplainPropertyText("Constraint Name", fkey->name, es);
	ExplainPropertyText("Relation Name", table, es);
	if (es->verbose)
		ExplainPropertyText("Schema", schema, es);
	ExplainPropertyText("Action", action_name(fkey->on_delete), es);
	ExplainPropertyText("Effect", effect(fkey), es);
	if (ran && es->timing)
		ExplainPropertyFloat("Actual Time", "ms", time, 3, es);
	if (ran)
		ExplainPropertyInteger("Actual Rows", NULL, ran->rows, es);
	ExplainCloseGroup("Foreign Key", NULL, true, es);
}

/* The foreign keys that act when this node deletes, and their tables. */
static List *
foreign_keys(ModifyTableState *state, List **tables)
{
	List	   *fkeys = NIL;

	for (int i = 0; i <= state->mt_nrels; i++)
	{
		ResultRelInfo *rel = i < state->mt_nrels ? &state->resultRelInfo[i] : state->rootResultRelInfo;
		ListCell   *lc;

		*tables = list_append_unique_oid(*tables,
										 sd_partition_root(RelationGetRelid(rel->ri_RelationDesc)));
		foreach(lc, sd_fkeys_referencing(rel->ri_RelationDesc, true))
		{
			ListCell   *known;

			foreach(known, fkeys)
				if (((SdForeignKey *) lfirst(known))->id == ((SdForeignKey *) lfirst(lc))->id)
					break;
			if (known == NULL)
				fkeys = lappend(fkeys, lfirst(lc));
		}
	}
	return fkeys;
}

static void
show_keys(ModifyTableState *state, ExplainState *es)
{
	SdExplained *explained = es->analyze ? all_explained : NULL;
	List	   *tables = NIL;
	List	   *fkeys = foreign_keys(state, &tables);
	List	   *shown = NIL;
	ListCell   *lc;

	if (fkeys == NIL)
		return;
	while (explained && explained->estate != state->ps.state)
		explained = explained->next;
	if (explained)
		foreach(lc, explained->keys)
			InstrEndLoop(((SdExplainedKey *) lfirst(lc))->trigger);

	ExplainOpenGroup("Foreign Keys", "Foreign Keys", false, es);
	foreach(lc, fkeys)
	{
		SdForeignKey *fkey = lfirst(lc);
		SdExplainedKey *ran = NULL;
		ListCell   *lk;

		if (explained)
			foreach(lk, explained->keys)
				if (((SdExplainedKey *) lfirst(lk))->fkey.id == fkey->id)
					ran = lfirst(lk);
		show_key(fkey, ran, es);
		shown = lappend_oid(shown, fkey->id);
		if (fkey->on_delete == FKCONSTR_ACTION_CASCADE)
			tables = list_append_unique_oid(tables, sd_partition_root(fkey->child));
	}

	/* further down; a table comes before what refers to it */
	if (explained)
		foreach(lc, explained->keys)
		{
			SdExplainedKey *ran = lfirst(lc);

			if (list_member_oid(shown, ran->fkey.id) ||
				!list_member_oid(tables, sd_partition_root(ran->fkey.parent)))
				continue;
			show_key(&ran->fkey, ran, es);
			if (ran->fkey.on_delete == FKCONSTR_ACTION_CASCADE)
				tables = list_append_unique_oid(tables, sd_partition_root(ran->fkey.child));
		}
	ExplainCloseGroup("Foreign Keys", "Foreign Keys", false, es);
}

/* EXPLAIN shows a plan node: if it soft-deletes, says so. */
void
sd_explain_node(PlanState *planstate, ExplainState *es)
{
	ModifyTableState *state = (ModifyTableState *) planstate;
	Oid			relid;

	if (!IsA(planstate, ModifyTableState) || !sd_statement_deletes(state))
		return;
	relid = RelationGetRelid(state->rootResultRelInfo->ri_RelationDesc);
	ExplainPropertyText("Soft Delete",
						psprintf("%s and %s are set, the row stays",
								 quote_identifier(sd_flag_name(relid)),
								 quote_identifier(sd_deletion_id_name(relid))), es);
	show_keys(state, es);
}

#if !SD_EXPLAIN_NODE_HOOK
/*
 * In place of the hook.  Where the node lists its partitions, EXPLAIN takes the
 * last of them for a foreign table, and we are within its entry: in text format
 * both are put right.
 */
static void
explain_last_target(ModifyTableState *state, ResultRelInfo *rel, List *private, int index,
					ExplainState *es)
{
	static const char foreign[] = "Foreign ";
	const int	skip = sizeof(foreign) - 1;
	bool		labelled = state->mt_nrels > 1 ||
		rel->ri_RangeTableIndex != ((ModifyTable *) state->ps.plan)->nominalRelation;
	char	   *line;

	if (!labelled || es->format != EXPLAIN_FORMAT_TEXT)
	{
		sd_explain_node(&state->ps, es);
		return;
	}
	line = es->str->data + es->str->len - 1;
	while (line > es->str->data && line[-1] != '\n')
		line--;
	while (*line == ' ')
		line++;
	if (strncmp(line, foreign, skip) == 0)
	{
		memmove(line, line + skip, strlen(line + skip) + 1);
		es->str->len -= skip;
	}
	es->indent--;
	sd_explain_node(&state->ps, es);
	es->indent++;
}
#endif

/*
 * Makes EXPLAIN show a converted node as what it is.  Called when the node will
 * process no row, or no more; "deleted" of them were deleted.  The plan itself
 * is the plan cache's and stays as it is.
 */
void
sd_explain_as_delete(ModifyTableState *state, double deleted)
{
	if (state->operation == CMD_MERGE)
	{
		state->mt_merge_updated -= deleted;
		state->mt_merge_deleted += deleted;
	}
	else
	{
		ModifyTable *plan = palloc(sizeof(ModifyTable));

		memcpy(plan, state->ps.plan, sizeof(ModifyTable));
		plan->operation = CMD_DELETE;
		state->ps.plan = (Plan *) plan;
	}
#if !SD_EXPLAIN_NODE_HOOK
	{
		static FdwRoutine routine = {
			.type = T_FdwRoutine,
			.ExplainForeignModify = explain_last_target
		};

		state->resultRelInfo[state->mt_nrels - 1].ri_FdwRoutine = &routine;
	}
#endif
}
