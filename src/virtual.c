/*
 * virtual.c - virtual triggers: C functions of ours among a statement's triggers.
 *
 * They are BEFORE ROW triggers in a trigger descriptor that only one result
 * relation of one statement has.  Their FmgrInfo is filled in here: the executor
 * takes what it finds in ri_TrigFunctions, as long as the OIDs agree, and so
 * needs no catalog lookup.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "compat.h"
#include "executor/instrument.h"
#include "pgstat.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "virtual.h"

/* Virtual triggers that sd_append_virtual() may add to one result relation. */
#define APPENDED_AT_MOST 8

/* ---------- at work ---------- */

/* The function of all virtual triggers. */
static Datum
virtual_trigger(PG_FUNCTION_ARGS)
{
	SdVirtual  *v = fcinfo->flinfo->fn_extra;
	TriggerData *data = (TriggerData *) fcinfo->context;
	bool		idle = (v->unless_false && !*v->unless_false) || (v->unless_true && *v->unless_true);

	/*
	 * The executor is about to count this call.  EXPLAIN ANALYZE shows triggers
	 * that have calls, and shall show those of the user.
	 */
	if (v->calls && (idle || !v->shown))
		v->calls->tuplecount--;
	if (!idle && !v->action(v, data))
		return PointerGetDatum(NULL);
	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple :
						   data->tg_trigtuple);
}

/* A slot of the leaf, for the time of the statement. */
TupleTableSlot *
sd_working_slot(SdVirtual *v)
{
	if (v->slot == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(v->estate->es_query_cxt);

		v->slot = table_slot_create(v->leaf->ri_RelationDesc, &v->estate->es_tupleTable);
		MemoryContextSwitchTo(old);
	}
	return v->slot;
}

/* Is this version of a row of the leaf a live one? */
bool
sd_row_is_live(const SdVirtual *v, HeapTuple tuple)
{
	return sd_tuple_is_live(tuple, RelationGetDescr(v->leaf->ri_RelationDesc), &v->table);
}

/* ---------- descriptors ---------- */

/*
 * A copy of a result relation with other triggers.  Slots must not be shared:
 * each ResultRelInfo makes its own on demand.
 */
ResultRelInfo *
sd_copy_result_relation(ResultRelInfo *from, TriggerDesc *triggers)
{
	ResultRelInfo *copy = makeNode(ResultRelInfo);

	memcpy(copy, from, sizeof(ResultRelInfo));
	copy->ri_TrigDesc = triggers;
	copy->ri_TrigOldSlot = NULL;
	copy->ri_TrigNewSlot = NULL;
	copy->ri_ReturningSlot = NULL;
	copy->ri_TrigFunctions = palloc0((triggers->numtriggers + 1) * sizeof(FmgrInfo));
	copy->ri_TrigWhenExprs = palloc0((triggers->numtriggers + 1) * sizeof(ExprState *));
	copy->ri_TrigInstrument = NULL;
	return copy;
}

/* A copy of a trigger descriptor with room for more at its end. */
TriggerDesc *
sd_copy_triggers(const TriggerDesc *from, int more)
{
	TriggerDesc *copy = palloc0(sizeof(TriggerDesc));

	if (from)
		*copy = *from;
	copy->triggers = palloc0((copy->numtriggers + more + 1) * sizeof(Trigger));
	if (copy->numtriggers > 0)
		memcpy(copy->triggers, from->triggers, copy->numtriggers * sizeof(Trigger));
	return copy;
}

/* Moves all triggers of a descriptor that has room by one. */
static void
make_room_in_front(TriggerDesc *triggers)
{
	memmove(triggers->triggers + 1, triggers->triggers, triggers->numtriggers * sizeof(Trigger));
	memset(&triggers->triggers[0], 0, sizeof(Trigger));
	triggers->numtriggers++;
}

/* Gives a result relation a trigger descriptor with n virtual ones at its end. */
void
sd_set_triggers(EState *estate, ResultRelInfo *leaf, TriggerDesc *triggers)
{
	leaf->ri_TrigDesc = triggers;
	leaf->ri_TrigFunctions = palloc0((triggers->numtriggers + 1) * sizeof(FmgrInfo));
	leaf->ri_TrigWhenExprs = palloc0((triggers->numtriggers + 1) * sizeof(ExprState *));
	if (estate->es_instrument)
		leaf->ri_TrigInstrument = InstrAlloc(triggers->numtriggers + APPENDED_AT_MOST,
											 estate->es_instrument, false);
}

/* ---------- putting virtual triggers in place ---------- */

/*
 * Fills in one virtual trigger, for INSERT, UPDATE or DELETE (event: TRIGGER_TYPE_*);
 * with the name, condition and firing mode of the user's trigger for which it
 * stands, if any.  All is made in the current memory context, which lives as
 * long as the statement.
 */
SdVirtual *
sd_set_virtual(ResultRelInfo *leaf, int index, int event, EState *estate, const SdTable *table,
			   Trigger *user, SdVirtualAction action, void *arg)
{
	Trigger    *trigger = &leaf->ri_TrigDesc->triggers[index];
	FmgrInfo   *function = &leaf->ri_TrigFunctions[index];
	SdVirtual  *v = palloc0(sizeof(SdVirtual));

	v->action = action;
	v->arg = arg;
	v->estate = estate;
	v->leaf = leaf;
	v->calls = leaf->ri_TrigInstrument ? leaf->ri_TrigInstrument + index : NULL;
	v->table = *table;
	v->user = user;

	memset(trigger, 0, sizeof(Trigger));
	trigger->tgname = user ? user->tgname : "softdelete";
	trigger->tgfoid = F_SUPPRESS_REDUNDANT_UPDATES_TRIGGER;
	trigger->tgtype = TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_ROW | event;
	trigger->tgenabled = user ? user->tgenabled : TRIGGER_FIRES_ALWAYS;
	trigger->tgqual = user ? user->tgqual : NULL;
	trigger->tgisinternal = true;

	function->fn_addr = virtual_trigger;
	function->fn_oid = trigger->tgfoid;
	function->fn_stats = TRACK_FUNC_ALL;
	function->fn_mcxt = estate->es_query_cxt;
	function->fn_extra = v;

	if (event & TRIGGER_TYPE_INSERT)
		leaf->ri_TrigDesc->trig_insert_before_row = true;
	if (event & TRIGGER_TYPE_UPDATE)
		leaf->ri_TrigDesc->trig_update_before_row = true;
	if (event & TRIGGER_TYPE_DELETE)
		leaf->ri_TrigDesc->trig_delete_before_row = true;
	return v;
}

/* Adds one virtual trigger to what the result relation has. */
SdVirtual *
sd_append_virtual(EState *estate, ResultRelInfo *leaf, int event, const SdTable *table,
				  SdVirtualAction action, void *arg)
{
	int			n = leaf->ri_TrigDesc ? leaf->ri_TrigDesc->numtriggers : 0;
	FmgrInfo   *functions = leaf->ri_TrigFunctions;
	ExprState **when = leaf->ri_TrigWhenExprs;
	Instrumentation *instrument = leaf->ri_TrigInstrument;
	TriggerDesc *triggers = sd_copy_triggers(leaf->ri_TrigDesc, 1);
	bool		armed = false;

	for (int i = 0; i < n; i++)
		armed |= functions[i].fn_addr == virtual_trigger;
	triggers->numtriggers = n + 1;
	sd_set_triggers(estate, leaf, triggers);
	if (armed)
	{
		memcpy(leaf->ri_TrigFunctions, functions, n * sizeof(FmgrInfo));
		memcpy(leaf->ri_TrigWhenExprs, when, n * sizeof(ExprState *));
		leaf->ri_TrigInstrument = instrument;	/* others point into it */
	}
	return sd_set_virtual(leaf, n, event, estate, table, NULL, action, arg);
}

/* Puts one before all others, of which none is virtual yet. */
SdVirtual *
sd_prepend_virtual(EState *estate, ResultRelInfo *leaf, int event, const SdTable *table,
				   SdVirtualAction action, void *arg)
{
	TriggerDesc *triggers = sd_copy_triggers(leaf->ri_TrigDesc, 1);

	make_room_in_front(triggers);
	sd_set_triggers(estate, leaf, triggers);
	return sd_set_virtual(leaf, 0, event, estate, table, NULL, action, arg);
}

/* ---------- what else changes in a result relation ---------- */

/*
 * The relations of a ModifyTable in which rows change or triggers fire: leaves,
 * and the root; how many in *n.
 */
ResultRelInfo **
sd_result_relations(ModifyTableState *state, int *n)
{
	ResultRelInfo **all = palloc((state->mt_nrels + 1) * sizeof(ResultRelInfo *));
	bool		root_is_leaf = false;

	*n = 0;
	for (int i = 0; i < state->mt_nrels; i++)
	{
		all[(*n)++] = &state->resultRelInfo[i];
		if (&state->resultRelInfo[i] == state->rootResultRelInfo)
			root_is_leaf = true;
	}
	if (!root_is_leaf)
		all[(*n)++] = state->rootResultRelInfo;
	return all;
}

/*
 * Has a table that the statement changes any trigger?  A registered one has its
 * guard, and one with foreign keys, either way, those of PostgreSQL.  So where
 * there is none the statement is none of our business, which is most of what there
 * is to be done for tables that are not registered.
 */
bool
sd_has_triggers(const QueryDesc *query)
{
	const ModifyTableState *state = (const ModifyTableState *) query->planstate;
	Relation	rel;

	if (state == NULL || query->estate->es_auxmodifytables != NIL || !IsA(state, ModifyTableState) ||
		state->mt_nrels != 1)
		return true;
	rel = state->resultRelInfo->ri_RelationDesc;
	return rel->trigdesc != NULL || rel->rd_rel->relkind != RELKIND_RELATION ||
		state->rootResultRelInfo != state->resultRelInfo;
}

/*
 * In an UPDATE or MERGE a DELETE that reaches a partition is one half of a
 * row's move to another: it passes the guard.
 */
void
sd_switch_off_guard(TriggerDesc *triggers)
{
	for (int i = 0; i < triggers->numtriggers; i++)
		if (TRIGGER_FOR_DELETE(triggers->triggers[i].tgtype) &&
			sd_is_guard(triggers->triggers[i].tgfoid))
			triggers->triggers[i].tgenabled = TRIGGER_DISABLED;
}

/*
 * Switches off, in a copied descriptor, the UPDATE triggers that must not
 * notice.  The deferred check of a unique key has to run: the new row version
 * is in its index.
 */
void
sd_switch_off_update_triggers(TriggerDesc *triggers)
{
	triggers->trig_update_before_row = false;
	triggers->trig_update_after_row = false;
	triggers->trig_update_before_statement = false;
	triggers->trig_update_after_statement = false;
	triggers->trig_update_old_table = false;
	triggers->trig_update_new_table = false;
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (!TRIGGER_FOR_UPDATE(trigger->tgtype))
			continue;
		if (trigger->tgfoid == F_UNIQUE_KEY_RECHECK)
			triggers->trig_update_after_row = true;
		else
			trigger->tgenabled = TRIGGER_DISABLED;
	}
}

/*
 * Constraints and generated columns of a row do not stop it from being
 * deleted or brought back: they are not evaluated.
 */
void
sd_skip_constraints(ResultRelInfo *leaf)
{
	TupleConstr *constr = RelationGetDescr(leaf->ri_RelationDesc)->constr;

	if (constr == NULL)
		return;
	if (constr->num_check > 0)
		sd_check_exprs(leaf) = palloc0(constr->num_check * sizeof(ExprState *));
	if (constr->has_generated_stored)
	{
		if (sd_generated_exprs(leaf) == NULL)
			sd_generated_exprs(leaf) =
				palloc0(RelationGetNumberOfAttributes(leaf->ri_RelationDesc) * sizeof(ExprState *));
		sd_generated_count(leaf) = 0;
	}
}
