/*
 * triggers.c - virtual triggers: what a DELETE does beside changing the flag.
 *
 * When the executor has set up a converted statement, each of its result
 * relations gets a trigger descriptor of our making.  In it the user's UPDATE
 * triggers are switched off (not left out: their places in the arrays stay)
 * and virtual BEFORE UPDATE ROW triggers are added, whose "function" is a C
 * function of this file.  In this order:
 *
 *   - one for each of the user's BEFORE DELETE ROW triggers, in name order and
 *     with its WHEN condition and firing mode; it calls the user's function as
 *     a DELETE trigger, which may veto;
 *   - where a condition of the user's AFTER DELETE ROW triggers is to be decided,
 *     one for each of these triggers, with its WHEN condition, so that the
 *     condition sees the pg_trigger_depth() that it would see;
 *
 *   - the capture, which counts the row, takes down the keys by which foreign
 *     keys refer to it, and lets PostgreSQL queue the events of the user's
 *     AFTER DELETE ROW triggers and fill their transition tables.
 *
 * That any BEFORE trigger is there makes the executor lock the row first, as
 * strongly as the columns said to be updated ask for (convert.c).  Where none
 * is needed, none is added: the statement is a bare UPDATE.
 *
 * Why not virtual AFTER triggers or transition tables: AFTER events are looked
 * up again by OID in the first ResultRelInfo of that relation, which may be
 * another statement's, and transition tables are shared with the user's own.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "cascade.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "compat.h"
#include "conflict.h"
#include "deletion.h"
#include "executor/execPartition.h"
#include "executor/instrument.h"
#include "follow.h"
#include "nodes/nodeFuncs.h"
#include "pgstat.h"
#include "registry.h"
#include "run.h"
#include "triggers.h"
#include "undeleting.h"
#include "unlinked.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

typedef enum Role
{
	ROLE_DECIDE,				/* MERGE: is this row deleted or updated? */
	ROLE_BEFORE,				/* the user's BEFORE DELETE ROW trigger */
	ROLE_PARENTS,				/* a row of this transaction, whose foreign keys
								 * may not have been checked yet */
	ROLE_AFTER,					/* the user's AFTER DELETE ROW trigger, where one
								 * has a condition */
	ROLE_CAPTURE,
	ROLE_WATCH,					/* an UPDATE by the user that names the flag */
	ROLE_UNLINK,				/* an UPDATE by the user that may give up
								 * references to registered tables */
	ROLE_FOLLOW,				/* an UPDATE by a foreign key, whose deleted rows
								 * may refer to deleted ones */
	ROLE_KEEP,					/* an UPDATE by an INSERT trigger of an undelete */
	ROLE_INSERTED_KEYS,			/* an INSERT: deleted rows may have its keys */
	ROLE_UPDATED_KEYS			/* an UPDATE of keys, likewise */
} Role;

/* Columns of a leaf that one SdDeleted takes down. */
typedef struct Capture
{
	SdDeleted  *deleted;
	AttrNumber *atts;			/* of the leaf */
} Capture;

/* One virtual trigger of one result relation. */
typedef struct Virtual
{
	Role		role;
	SdTarget   *target;			/* NULL for ROLE_WATCH */
	EState	   *estate;
	ResultRelInfo *leaf;
	Instrumentation *calls;		/* for EXPLAIN ANALYZE, else NULL */
	SdTable		table;			/* of the leaf */
	Trigger    *user;			/* ROLE_BEFORE, ROLE_AFTER */
	FmgrInfo	function;		/* ROLE_BEFORE: the user's function */
	ResultRelInfo *events;		/* ROLE_CAPTURE: carries the user's AFTER
								 * DELETE ROW triggers, if there are any;
								 * ROLE_AFTER: that one */
	List	   *captures;		/* ROLE_CAPTURE: Capture */
	List	   *unlinking;		/* ROLE_UNLINK: SdUnlinking */
	List	   *fkeys;			/* ROLE_PARENTS, ROLE_FOLLOW: SdForeignKey */
	char	   *user_enabled;	/* ROLE_DECIDE, ROLE_FOLLOW: tgenabled of the
								 * originals */
	bool		lock;			/* ROLE_DECIDE, ROLE_PARENTS: lock deleted rows */
	List	   *keys;			/* ROLE_*_KEYS: of sd_conflict_keys() */
	SdNewRow	kind;			/* ROLE_INSERTED_KEYS */
	TupleTableSlot *slot;		/* of the leaf, to work with */
	bool		deleting;		/* ROLE_DECIDE: what the current row is */
	bool		keeps;			/* ROLE_DECIDE: may rows have to stay as they came
								 * back? */
	ExprState **checks;			/* ROLE_DECIDE: constraints and generated */
	ExprState **generated;		/* columns that are not in force now: those */
	int			ngenerated;		/* that do nothing, or the leaf's own */
	struct Virtual *decide;		/* of the same leaf, when mixed: acts on deleted
								 * rows only */
	struct Virtual *decider;	/* ROLE_WATCH when mixed: acts on others only */
} Virtual;

/* Is this a trigger of the user that fires when a row is deleted? */
static bool
is_user_delete_row_trigger(const Trigger *trigger)
{
	return TRIGGER_FOR_ROW(trigger->tgtype) && TRIGGER_FOR_DELETE(trigger->tgtype) &&
		!trigger->tgisinternal && !sd_is_guard(trigger->tgfoid);
}

static bool
has_user_delete_row_trigger(Relation rel)
{
	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
		if (is_user_delete_row_trigger(&rel->trigdesc->triggers[i]))
			return true;
	return false;
}

/*
 * Must a deleted row of this table be locked as for a DELETE, because others
 * may refer to it or triggers look at it?
 */
static bool
deletes_need_lock(Relation rel)
{
	return sd_is_referenced(rel) || has_user_delete_row_trigger(rel);
}

/*
 * Does a foreign key of this table look for rows of it that refer to a parent,
 * by PostgreSQL's own query?  That waits for a row that is being deleted only
 * if the row is locked as for a DELETE.
 */
static bool
has_deferrable_check(List *fkeys)
{
	ListCell   *lc;

	foreach(lc, fkeys)
	{
		SdForeignKey *fkey = lfirst(lc);

		if (fkey->deferrable && fkey->on_delete == FKCONSTR_ACTION_NOACTION)
			return true;
	}
	return false;
}

/* Can the executor lock rows as for a DELETE: is there a key that it may name? */
static bool
has_key_columns(Relation rel)
{
	Bitmapset  *columns = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_KEY);
	bool		any = !bms_is_empty(columns);

	bms_free(columns);
	return any;
}

/* Error 0A000: the flag and deletion_id are changed by DELETE and undelete. */
void
sd_refuse_flag_change(Oid relid, AttrNumber att)
{
	char	   *table = get_rel_name(relid);

	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot change column \"%s\" of registered table \"%s\"",
					get_attname(relid, att, false), table),
			 errhint("Use DELETE FROM %s and softdelete_undelete().", sd_quoted_relation(relid))));
}

/*
 * Constraints and generated columns of a row do not stop it from being
 * deleted or brought back: they are not evaluated.
 */
static void
skip_constraints(ResultRelInfo *leaf)
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

/* ---------- the virtual triggers at work ---------- */

static bool
row_is_live(const Virtual *v, HeapTuple tuple)
{
	bool		isnull;

	return DatumGetBool(heap_getattr(tuple, v->table.flag,
									 RelationGetDescr(v->leaf->ri_RelationDesc), &isnull));
}

static void
watch(Virtual *v, TriggerData *data)
{
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	bool		null_before;
	bool		null_after;
	Datum		before = heap_getattr(data->tg_trigtuple, v->table.deletion_id, desc, &null_before);
	Datum		after = heap_getattr(data->tg_newtuple, v->table.deletion_id, desc, &null_after);

	if (row_is_live(v, data->tg_trigtuple) != row_is_live(v, data->tg_newtuple))
		sd_refuse_flag_change(RelationGetRelid(data->tg_relation), v->table.flag);
	if (null_before != null_after ||
		(!null_before && DatumGetInt64(before) != DatumGetInt64(after)))
		sd_refuse_flag_change(RelationGetRelid(data->tg_relation), v->table.deletion_id);
}

/* A slot of the leaf, for the time of the statement. */
static TupleTableSlot *
working_slot(Virtual *v)
{
	if (v->slot == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(v->estate->es_query_cxt);

		v->slot = table_slot_create(v->leaf->ri_RelationDesc, &v->estate->es_tupleTable);
		MemoryContextSwitchTo(old);
	}
	return v->slot;
}

/* The lock that a DELETE takes, after the weaker one of an UPDATE. */
static void
lock_row(Virtual *v, TriggerData *data)
{
	ItemPointerData tid = data->tg_trigtuple->t_self;
	TM_FailureData failure;
	TM_Result	result;

	result = table_tuple_lock(data->tg_relation, &tid, v->estate->es_snapshot,
							  working_slot(v), v->estate->es_output_cid,
							  LockTupleExclusive, LockWaitBlock, 0, &failure);
	if (result != TM_Ok)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update")));
	ExecClearTuple(v->slot);
}

/* Exchanges the leaf's constraints and generated columns for those kept in v. */
static void
swap_constraints(Virtual *v)
{
	ExprState **checks = sd_check_exprs(v->leaf);
	ExprState **generated = sd_generated_exprs(v->leaf);
	int			ngenerated = sd_generated_count(v->leaf);

	sd_check_exprs(v->leaf) = v->checks;
	sd_generated_exprs(v->leaf) = v->generated;
	sd_generated_count(v->leaf) = v->ngenerated;
	v->checks = checks;
	v->generated = generated;
	v->ngenerated = ngenerated;
}

/*
 * MERGE: what the row at hand is.  While it is one that is deleted the user's
 * row triggers for UPDATE are switched off, and so are transition tables for
 * UPDATE, constraints and generated columns.  The statement may insert the next.
 */
static void
set_deleting(Virtual *v, bool deleting)
{
	TriggerDesc *triggers = v->leaf->ri_TrigDesc;
	TransitionCaptureState *transition = v->target->transition;

	if (transition)
	{
		transition->tcs_update_old_table = !deleting && v->target->update_old_table;
		transition->tcs_update_new_table = !deleting && v->target->update_new_table;
	}
	if (deleting == v->deleting)
		return;
	v->deleting = deleting;
	for (int i = 1; v->user_enabled[i] != '\0'; i++)
		if (TRIGGER_FOR_UPDATE(triggers->triggers[i].tgtype) &&
			TRIGGER_FOR_ROW(triggers->triggers[i].tgtype) &&
			!triggers->triggers[i].tgisinternal)
			triggers->triggers[i].tgenabled = deleting ? TRIGGER_DISABLED : v->user_enabled[i];
	swap_constraints(v);
}

/*
 * MERGE: the row is deleted if it was live, is not now, and carries the id of
 * this transaction's deletion.
 */
static void
decide(Virtual *v, TriggerData *data)
{
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	bool		isnull;
	Datum		id = heap_getattr(data->tg_newtuple, v->table.deletion_id, desc, &isnull);

	set_deleting(v, row_is_live(v, data->tg_trigtuple) &&
				 !row_is_live(v, data->tg_newtuple) &&
				 !isnull && DatumGetInt64(id) == sd_deletion_id());
	if (v->deleting && v->lock)
		lock_row(v, data);
}

/* Calls the user's BEFORE DELETE trigger; false if it vetoes. */
static bool
call_user_trigger(Virtual *v, TriggerData *data)
{
	LOCAL_FCINFO(fcinfo, 0);
	TriggerData as_delete = *data;
	Datum		result;

	if (!OidIsValid(v->function.fn_oid))
		fmgr_info_cxt(v->user->tgfoid, &v->function, v->estate->es_query_cxt);
	as_delete.tg_event = TRIGGER_EVENT_DELETE | TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE;
	as_delete.tg_newtuple = NULL;
	as_delete.tg_newslot = NULL;
	as_delete.tg_updatedcols = NULL;
	as_delete.tg_trigger = v->user;
	InitFunctionCallInfoData(*fcinfo, &v->function, 0, InvalidOid, (Node *) &as_delete, NULL);
	result = FunctionCallInvoke(fcinfo);
	if (fcinfo->isnull)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function %u returned null value", v->user->tgfoid)));
	return DatumGetPointer(result) != NULL;
}

static void
capture(Virtual *v, TriggerData *data)
{
	ListCell   *lc;

	v->target->rows++;
	foreach(lc, v->captures)
	{
		Capture    *c = lfirst(lc);

		sd_deleted_add(c->deleted, c->atts, data->tg_relation, data->tg_trigtuple);
	}
	if (v->events->ri_TrigDesc->trig_delete_after_row || v->target->transition)
		ExecARDeleteTriggers(v->estate, v->events, &data->tg_trigtuple->t_self, NULL,
							 v->target->transition, false);
}

/* Queues the event of one AFTER DELETE trigger of the user. */
static void
queue_event(Virtual *v, TriggerData *data)
{
	ExecARDeleteTriggers(v->estate, v->events, &data->tg_trigtuple->t_self, NULL, NULL, false);
}

/*
 * A row that this transaction inserted may still wait for the check of a foreign
 * key, a deferrable one or one of a statement under way, and the check will not
 * find the new version wanting.  Its parent must be there, deleted or not, or
 * the row would dangle.
 */
static void
check_parents(Virtual *v, TriggerData *data)
{
	ListCell   *lc;

	if (v->lock)
		lock_row(v, data);
	if (!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(data->tg_trigtuple->t_data)))
		return;
	foreach(lc, v->fkeys)
		sd_check_parent(lfirst(lc), data->tg_relation, data->tg_trigslot);
}

/*
 * A deleted row gets a new key from its parent: what it refers to is looked at
 * when all rows have theirs.
 */
static void
follow(Virtual *v, TriggerData *data)
{
	bool		live = row_is_live(v, data->tg_trigtuple);

	sd_follow_switch(v->leaf->ri_TrigDesc, v->user_enabled, live);
	if (!live)
		sd_follow_row(v->fkeys, data->tg_relation, data->tg_newtuple);
}

/* The function of all virtual triggers. */
static Datum
virtual_trigger(PG_FUNCTION_ARGS)
{
	Virtual    *v = fcinfo->flinfo->fn_extra;
	TriggerData *data = (TriggerData *) fcinfo->context;
	bool		idle = v->decide && !v->decide->deleting;
	bool		proceed = true;

	/*
	 * The executor is about to count this call.  EXPLAIN ANALYZE shows triggers
	 * that have calls, and shall show those of the user.
	 */
	if (v->calls && (idle || v->role != ROLE_BEFORE))
		v->calls->tuplecount--;
	if (idle)
		return PointerGetDatum(data->tg_newtuple);
	switch (v->role)
	{
		case ROLE_DECIDE:
			if (TRIGGER_FIRED_BY_INSERT(data->tg_event))
			{
				set_deleting(v, false);
				return PointerGetDatum(data->tg_trigtuple);
			}
			decide(v, data);
			proceed = v->deleting || !v->keeps ||
				!sd_undeleting_keeps(data->tg_relation, &v->table, data->tg_trigtuple);
			break;
		case ROLE_BEFORE:
			proceed = call_user_trigger(v, data);
			break;
		case ROLE_PARENTS:
			check_parents(v, data);
			break;
		case ROLE_AFTER:
			queue_event(v, data);
			break;
		case ROLE_CAPTURE:
			capture(v, data);
			break;
		case ROLE_WATCH:
			if (v->decider == NULL || !v->decider->deleting)
				watch(v, data);
			break;
		case ROLE_UNLINK:
			sd_unlinking_row(v->estate, v->unlinking, data->tg_relation,
							 data->tg_trigtuple, data->tg_newtuple);
			break;
		case ROLE_FOLLOW:
			follow(v, data);
			break;
		case ROLE_KEEP:
			proceed = !sd_undeleting_keeps(data->tg_relation, &v->table, data->tg_trigtuple);
			break;
		case ROLE_INSERTED_KEYS:
			sd_conflict_free_keys(v->leaf, v->keys, data->tg_trigslot, v->estate, &v->table,
								  v->kind, NULL, working_slot(v));
			return PointerGetDatum(data->tg_trigtuple);
		case ROLE_UPDATED_KEYS:
			sd_conflict_free_keys(v->leaf, v->keys, data->tg_newslot, v->estate, &v->table,
								  SD_NEW_ROW, &data->tg_trigtuple->t_self, working_slot(v));
			break;
	}
	return PointerGetDatum(proceed ? data->tg_newtuple : NULL);
}

/* ---------- putting them in place ---------- */

/*
 * A copy of a result relation with other triggers.  Slots must not be shared:
 * each ResultRelInfo makes its own on demand.
 */
static ResultRelInfo *
copy_result_relation(ResultRelInfo *from, TriggerDesc *triggers)
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
static TriggerDesc *
copy_triggers(const TriggerDesc *from, int more)
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

/* Virtual triggers that append_virtual() may add. */
#define APPENDED_AT_MOST 4

/* Gives a result relation a trigger descriptor with n virtual ones at its end. */
static void
set_triggers(EState *estate, ResultRelInfo *leaf, TriggerDesc *triggers)
{
	leaf->ri_TrigDesc = triggers;
	leaf->ri_TrigFunctions = palloc0((triggers->numtriggers + 1) * sizeof(FmgrInfo));
	leaf->ri_TrigWhenExprs = palloc0((triggers->numtriggers + 1) * sizeof(ExprState *));
	if (estate->es_instrument)
		leaf->ri_TrigInstrument = InstrAlloc(triggers->numtriggers + APPENDED_AT_MOST,
											 estate->es_instrument, false);
}

/*
 * Fills in one virtual trigger.  Its function needs no catalog lookup: the
 * executor takes what it finds in ri_TrigFunctions, as long as the OIDs agree.
 */
static Virtual *
set_virtual(ResultRelInfo *leaf, int index, Role role, EState *estate,
			const SdTable *table, SdTarget *target, Trigger *user)
{
	Trigger    *trigger = &leaf->ri_TrigDesc->triggers[index];
	FmgrInfo   *function = &leaf->ri_TrigFunctions[index];
	Virtual    *v = palloc0(sizeof(Virtual));

	v->role = role;
	v->target = target;
	v->estate = estate;
	v->leaf = leaf;
	v->calls = leaf->ri_TrigInstrument ? leaf->ri_TrigInstrument + index : NULL;
	v->table = *table;
	v->user = user;

	memset(trigger, 0, sizeof(Trigger));
	trigger->tgname = user ? user->tgname : "softdelete";
	trigger->tgfoid = F_SUPPRESS_REDUNDANT_UPDATES_TRIGGER;
	trigger->tgtype = TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_ROW |
		(role == ROLE_INSERTED_KEYS ? TRIGGER_TYPE_INSERT : TRIGGER_TYPE_UPDATE);
	trigger->tgenabled = user ? user->tgenabled : TRIGGER_FIRES_ALWAYS;
	trigger->tgqual = user ? user->tgqual : NULL;
	trigger->tgisinternal = true;

	function->fn_addr = virtual_trigger;
	function->fn_oid = trigger->tgfoid;
	function->fn_stats = TRACK_FUNC_ALL;
	function->fn_mcxt = estate->es_query_cxt;
	function->fn_extra = v;

	if (role == ROLE_INSERTED_KEYS)
		leaf->ri_TrigDesc->trig_insert_before_row = true;
	else
		leaf->ri_TrigDesc->trig_update_before_row = true;
	return v;
}

/* Adds one virtual trigger to what the result relation has. */
static Virtual *
append_virtual(EState *estate, ResultRelInfo *leaf, Role role, const SdTable *table)
{
	int			n = leaf->ri_TrigDesc ? leaf->ri_TrigDesc->numtriggers : 0;
	FmgrInfo   *functions = leaf->ri_TrigFunctions;
	ExprState **when = leaf->ri_TrigWhenExprs;
	Instrumentation *instrument = leaf->ri_TrigInstrument;
	TriggerDesc *triggers = copy_triggers(leaf->ri_TrigDesc, 1);
	bool		armed = false;

	for (int i = 0; i < n; i++)
		armed |= functions[i].fn_addr == virtual_trigger;

	triggers->numtriggers = n + 1;
	set_triggers(estate, leaf, triggers);
	if (armed)
	{
		memcpy(leaf->ri_TrigFunctions, functions, n * sizeof(FmgrInfo));
		memcpy(leaf->ri_TrigWhenExprs, when, n * sizeof(ExprState *));
		leaf->ri_TrigInstrument = instrument;	/* others point into it */
	}
	return set_virtual(leaf, n, role, estate, table, NULL, NULL);
}

/* Puts one before all others, which have not been armed yet. */
static Virtual *
prepend_virtual(EState *estate, ResultRelInfo *leaf, Role role, const SdTable *table)
{
	TriggerDesc *triggers = copy_triggers(leaf->ri_TrigDesc, 1);

	make_room_in_front(triggers);
	set_triggers(estate, leaf, triggers);
	return set_virtual(leaf, 0, role, estate, table, NULL, NULL);
}

/* Is this an AFTER DELETE ROW trigger of the user? */
static bool
is_user_after_trigger(const Trigger *trigger)
{
	return is_user_delete_row_trigger(trigger) && TRIGGER_FOR_AFTER(trigger->tgtype);
}

/*
 * A copy of a result relation that has the user's AFTER DELETE ROW triggers, or
 * only one of them, and no others, for queueing their events.  Their conditions
 * have been decided where there is only one.
 */
static ResultRelInfo *
after_delete_events(ResultRelInfo *leaf, const Trigger *only)
{
	const TriggerDesc *original = leaf->ri_TrigDesc;
	int			noriginal = original ? original->numtriggers : 0;
	TriggerDesc *after = copy_triggers(NULL, only ? 1 : noriginal);

	if (only)
	{
		after->triggers[after->numtriggers] = *only;
		after->triggers[after->numtriggers++].tgqual = NULL;
	}
	for (int i = 0; !only && i < noriginal; i++)
		if (is_user_after_trigger(&original->triggers[i]))
			after->triggers[after->numtriggers++] = original->triggers[i];
	after->trig_delete_after_row = after->numtriggers > 0;
	return copy_result_relation(leaf, after);
}

/*
 * Is there a condition to be decided for AFTER triggers?  Row triggers that read
 * a transition table get it only together with the row: then all are left
 * together, and conditions are decided where they are queued.
 */
static bool
has_after_condition(const ResultRelInfo *events)
{
	bool		any = false;

	for (int i = 0; i < events->ri_TrigDesc->numtriggers; i++)
	{
		if (events->ri_TrigDesc->triggers[i].tgoldtable)
			return false;
		any |= events->ri_TrigDesc->triggers[i].tgqual != NULL;
	}
	return any;
}

/*
 * In an UPDATE or MERGE a DELETE that reaches a partition is one half of a
 * row's move to another: it passes the guard.
 */
static void
switch_off_guard(TriggerDesc *triggers)
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
static void
switch_off_update_triggers(TriggerDesc *triggers)
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
 * The attribute numbers in a leaf of the columns that an SdDeleted takes down
 * from the table that foreign keys reference.
 */
static AttrNumber *
leaf_attributes(const SdDeleted *deleted, Oid leaf)
{
	AttrNumber *atts = palloc(deleted->natts * sizeof(AttrNumber));

	for (int i = 0; i < deleted->natts; i++)
		atts[i] = leaf == deleted->parent ? deleted->atts[i] :
			get_attnum(leaf, get_attname(deleted->parent, deleted->atts[i], false));
	return atts;
}

/*
 * What to take down from a leaf: the sets of the target that it shares with
 * other leaves, added to when it is the first to need one.
 */
static List *
leaf_captures(SdTarget *target, Relation leaf, MemoryContext rows_context)
{
	MemoryContext old = MemoryContextSwitchTo(rows_context);
	List	   *sets = sd_deleted_sets(leaf);
	List	   *captures = NIL;
	ListCell   *lc;

	MemoryContextSwitchTo(old);
	foreach(lc, sets)
	{
		SdDeleted  *set = lfirst(lc);
		Capture    *c = palloc(sizeof(Capture));
		ListCell   *known;

		foreach(known, target->captures)
			if (((SdDeleted *) lfirst(known))->parent == set->parent)
				break;
		if (known)
		{
			sd_deleted_free(set);
			set = lfirst(known);
		}
		else
			target->captures = lappend(target->captures, set);
		c->deleted = set;
		c->atts = leaf_attributes(set, RelationGetRelid(leaf));
		captures = lappend(captures, c);
	}
	return captures;
}

static void
arm_leaf(EState *estate, SdTarget *target, ResultRelInfo *leaf, bool own_rows,
		 MemoryContext rows_context)
{
	TriggerDesc *original = leaf->ri_TrigDesc;
	int			noriginal = original ? original->numtriggers : 0;
	int			first = target->mixed ? 1 : 0;
	int			n;
	TriggerDesc *triggers;
	SdTable		table;
	List	   *captures;
	List	   *unchecked = sd_checked_fkeys_from(leaf->ri_RelationDesc, own_rows);
	ResultRelInfo *events = after_delete_events(leaf, NULL);
	bool		conditions;
	Virtual    *deciding = NULL;
	Virtual    *v;

	if (!sd_registered(RelationGetRelid(leaf->ri_RelationDesc), &table))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("partition \"%s\" is not registered although its parent is",
						RelationGetRelationName(leaf->ri_RelationDesc)),
				 errhint("Call softdelete_register() for the partitioned table.")));
	captures = leaf_captures(target, leaf->ri_RelationDesc, rows_context);

	triggers = copy_triggers(original, noriginal + 4);
	if (target->mixed && noriginal > 0)
		memmove(triggers->triggers + 1, triggers->triggers, noriginal * sizeof(Trigger));
	triggers->numtriggers = first + noriginal;
	switch_off_guard(triggers);
	if (!target->mixed)
		switch_off_update_triggers(triggers);
	else
		memset(&triggers->triggers[0], 0, sizeof(Trigger));

	/* the number of virtual triggers is known only when they are made */
	n = triggers->numtriggers;
	triggers->numtriggers = first + noriginal * 2 + 3;
	set_triggers(estate, leaf, triggers);
	if (target->mixed)
	{
		deciding = set_virtual(leaf, 0, ROLE_DECIDE, estate, &table, target, NULL);
		deciding->keeps = sd_undeleting_concerns(RelationGetRelid(leaf->ri_RelationDesc));
		triggers->triggers[0].tgtype |= TRIGGER_TYPE_INSERT;
		triggers->trig_insert_before_row = true;
		deciding->user_enabled = palloc0(n + 1);
		for (int i = 0; i < n; i++)
			deciding->user_enabled[i] = triggers->triggers[i].tgenabled;
		deciding->lock = deletes_need_lock(leaf->ri_RelationDesc) || has_deferrable_check(unchecked);
	}
	for (int i = 0; i < noriginal; i++)
		if (is_user_delete_row_trigger(&original->triggers[i]) &&
			TRIGGER_FOR_BEFORE(original->triggers[i].tgtype))
		{
			v = set_virtual(leaf, n++, ROLE_BEFORE, estate, &table, target, &original->triggers[i]);
			v->decide = deciding;
		}
	if (unchecked)
	{
		v = set_virtual(leaf, n++, ROLE_PARENTS, estate, &table, target, NULL);
		v->decide = deciding;
		v->fkeys = unchecked;
		v->lock = has_deferrable_check(unchecked) && !has_key_columns(leaf->ri_RelationDesc);
	}
	conditions = has_after_condition(events);
	for (int i = 0; conditions && i < noriginal; i++)
		if (is_user_after_trigger(&original->triggers[i]))
		{
			v = set_virtual(leaf, n++, ROLE_AFTER, estate, &table, target, &original->triggers[i]);
			v->decide = deciding;
			v->events = after_delete_events(leaf, &original->triggers[i]);
		}
	if (captures || events->ri_TrigDesc->trig_delete_after_row || !target->bare)
	{
		if (conditions)
			events->ri_TrigDesc->trig_delete_after_row = false;
		v = set_virtual(leaf, n++, ROLE_CAPTURE, estate, &table, target, NULL);
		v->decide = deciding;
		v->captures = captures;
		v->events = events;
		target->bare = false;
	}
	if (deciding)
		set_virtual(leaf, n++, ROLE_WATCH, estate, &table, target, NULL)->decider = deciding;
	triggers->numtriggers = n;
	if (deciding)
	{
		/* they are in force until a row is to be deleted */
		deciding->checks = sd_check_exprs(leaf);
		deciding->generated = sd_generated_exprs(leaf);
		deciding->ngenerated = sd_generated_count(leaf);
	}
	skip_constraints(leaf);
	if (deciding)
		swap_constraints(deciding);
}

static ResultRelInfo **
result_relations(ModifyTableState *state, int *n)
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
 * Makes one ModifyTable delete; "mixed" if it does other things too, "own_rows"
 * if this transaction may have inserted some of what it deletes.  What it
 * takes down lives in rows_context, all else in the current memory context,
 * which is that of the EState.
 */
SdTarget *
sd_arm_delete(EState *estate, ModifyTableState *state, bool mixed, bool own_rows,
			  MemoryContext rows_context)
{
	SdTarget   *target = palloc0(sizeof(SdTarget));
	ResultRelInfo *root = state->rootResultRelInfo;
	ResultRelInfo **all;
	int			n;

	target->state = state;
	target->rel = root->ri_RelationDesc;
	target->mixed = mixed;
	if (mixed)
	{
		state->mt_merge_subcommands |= MERGE_DELETE;
		target->transition = state->mt_transition_capture;
		if (target->transition)
		{
			target->update_old_table = target->transition->tcs_update_old_table;
			target->update_new_table = target->transition->tcs_update_new_table;
		}
	}
	else if (root->ri_TrigDesc)
	{
		target->root_copy = copy_result_relation(root, copy_triggers(root->ri_TrigDesc, 0));
		if (root->ri_TrigDesc->trig_delete_old_table)
			target->transition = MakeTransitionCaptureState(root->ri_TrigDesc,
															RelationGetRelid(target->rel),
															CMD_DELETE);
	}
	if (!mixed)
		state->mt_transition_capture = NULL;

	all = result_relations(state, &n);
	target->bare = state->canSetTag && !mixed && !target->transition;
	for (int i = 0; target->bare && i < n; i++)
		if (deletes_need_lock(all[i]->ri_RelationDesc))
			target->bare = false;
	for (int i = 0; i < n; i++)
		arm_leaf(estate, target, all[i], own_rows, rows_context);

	/* its triggers have the same places, after the one that decides */
	if (target->root_copy && root->ri_TrigInstrument)
		target->root_copy->ri_TrigInstrument = root->ri_TrigInstrument + (mixed ? 1 : 0);
	return target;
}

/*
 * An UPDATE of ours that no trigger of a user shall notice; nor, when it only
 * changes the flag, those of foreign keys: their keys stay as they are, but a
 * row that this transaction has changed before would be looked at again.
 */
void
sd_arm_own_update(EState *estate, ModifyTableState *state, SdRunKind kind)
{
	int			n;
	ResultRelInfo **all = result_relations(state, &n);

	state->mt_transition_capture = NULL;
	for (int i = 0; i < n; i++)
	{
		TriggerDesc *triggers = copy_triggers(all[i]->ri_TrigDesc, 0);
		bool		after = triggers->trig_update_after_row;

		switch_off_guard(triggers);
		switch_off_update_triggers(triggers);
		if (kind == SD_RUN_LINKS)
		{
			triggers->trig_update_after_row = after;
			for (int t = 0; t < triggers->numtriggers; t++)
				if (RI_FKey_trigger_type(triggers->triggers[t].tgfoid) != RI_TRIGGER_NONE)
					triggers->triggers[t].tgenabled = all[i]->ri_TrigDesc->triggers[t].tgenabled;
		}
		set_triggers(estate, all[i], triggers);
		if (kind == SD_RUN_FLAG)
			skip_constraints(all[i]);
	}
}

/* Deleted rows of a foreign key's UPDATE. */
static void
arm_follow(EState *estate, ResultRelInfo *leaf, const SdTable *table, List *fkeys)
{
	int			n = leaf->ri_TrigDesc->numtriggers;
	Virtual    *v = append_virtual(estate, leaf, ROLE_FOLLOW, table);

	v->fkeys = fkeys;
	v->user_enabled = palloc0(n + 1);
	for (int i = 0; i < n; i++)
		v->user_enabled[i] = leaf->ri_TrigDesc->triggers[i].tgenabled;
}

/*
 * One result relation of an UPDATE by the user.  Where it is registered it is
 * watched if the statement names the flag or deletion_id, or if a BEFORE trigger
 * might change them, it passes the guard where rows may move between partitions,
 * and deleted rows may have the keys that it sets.  Where rows may have to stay as
 * they came back that is seen to before any other trigger.  Where it is a foreign
 * key's, deleted rows follow.  Registered or not, references to registered tables
 * that it may give up are looked for.
 */
static void
arm_updated_leaf(EState *estate, ResultRelInfo *leaf, bool partitioned, bool moves,
				 const SdUpdate *kind)
{
	Relation	rel = leaf->ri_RelationDesc;
	Bitmapset  *updated = ExecGetUpdatedCols(leaf, estate);
	bool		changed = leaf->ri_TrigDesc && leaf->ri_TrigDesc->trig_update_before_row;
	SdTable		table = {0};
	List	   *found;

	if (sd_registered(RelationGetRelid(rel), &table))
	{
		if (kind->of_user && sd_undeleting_concerns(RelationGetRelid(rel)))
			(void) prepend_virtual(estate, leaf, ROLE_KEEP, &table);
		if (moves || (partitioned && changed))
			switch_off_guard(leaf->ri_TrigDesc);
		if (changed ||
			bms_is_member(table.flag - FirstLowInvalidHeapAttributeNumber, updated) ||
			bms_is_member(table.deletion_id - FirstLowInvalidHeapAttributeNumber, updated))
			(void) append_virtual(estate, leaf, ROLE_WATCH, &table);
		if (bms_overlap(updated, RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_KEY)) &&
			(found = sd_conflict_keys(rel, &table, NULL, updated)) != NIL)
			append_virtual(estate, leaf, ROLE_UPDATED_KEYS, &table)->keys = found;
		if (kind->follows && (found = sd_follow_fkeys(rel, updated)) != NIL)
			arm_follow(estate, leaf, &table, found);
	}
	if (kind->unlinks && rel->rd_rel->relkind == RELKIND_RELATION &&
		(found = sd_unlinking(estate, rel, updated)) != NIL)
		append_virtual(estate, leaf, ROLE_UNLINK, &table)->unlinking = found;
}

/* An UPDATE that does not delete: the user's, or that of a foreign key. */
void
sd_arm_user_update(EState *estate, ModifyTableState *state, const SdUpdate *kind)
{
	Relation	root = state->rootResultRelInfo->ri_RelationDesc;
	bool		partitioned = root->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	bool		moves = ((ModifyTable *) state->ps.plan)->partColsUpdated;
	int			n;
	ResultRelInfo **all = result_relations(state, &n);

	for (int i = 0; i < n; i++)
		arm_updated_leaf(estate, all[i], partitioned, moves, kind);
}

/* ---------- INSERT ---------- */

/* An INSERT, or that of a MERGE. */
typedef struct Insertion
{
	EState	   *estate;
	ModifyTableState *state;
	OnConflictAction action;
	Bitmapset  *drawn;			/* columns of the root that come from sequences */
	bool		own;			/* of SD_RUN_IMAGES */
	List	   *armed;			/* partitions (ResultRelInfo) */
	ExecProcNodeMtd next;		/* what the wrapped subplan did */
	struct Insertion *outer;
} Insertion;

static bool
draws_from_sequence(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, NextValueExpr) || (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcid == F_NEXTVAL))
		return true;
	return expression_tree_walker(node, draws_from_sequence, context);
}

/* The columns that an INSERT draws from sequences, offset as in updatedCols. */
static Bitmapset *
drawn_columns(ModifyTableState *state)
{
	Bitmapset  *drawn = NULL;
	ListCell   *lc;

	if (state->operation != CMD_INSERT)
		return NULL;
	foreach(lc, outerPlan(state->ps.plan)->targetlist)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);

		if (!entry->resjunk && draws_from_sequence((Node *) entry->expr, NULL))
			drawn = bms_add_member(drawn, entry->resno - FirstLowInvalidHeapAttributeNumber);
	}
	return drawn;
}

/* The same columns of a partition. */
static Bitmapset *
drawn_in_leaf(const Bitmapset *drawn, Relation root, Relation leaf)
{
	Bitmapset  *mapped = NULL;
	int			att = -1;

	while ((att = bms_next_member(drawn, att)) >= 0)
	{
		char	   *name = get_attname(RelationGetRelid(root), att + FirstLowInvalidHeapAttributeNumber, false);

		mapped = bms_add_member(mapped, get_attnum(RelationGetRelid(leaf), name) -
								FirstLowInvalidHeapAttributeNumber);
	}
	return mapped;
}

/* No trigger notices that an image is put back, and no constraint minds. */
static void
arm_own_insert(EState *estate, ResultRelInfo *leaf)
{
	TriggerDesc *triggers = copy_triggers(leaf->ri_TrigDesc, 0);
	TupleConstr *constr = RelationGetDescr(leaf->ri_RelationDesc)->constr;

	triggers->trig_insert_before_row = false;
	triggers->trig_insert_after_row = false;
	triggers->trig_insert_before_statement = false;
	triggers->trig_insert_after_statement = false;
	triggers->trig_insert_new_table = false;
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (!TRIGGER_FOR_INSERT(trigger->tgtype))
			continue;
		if (trigger->tgfoid == F_UNIQUE_KEY_RECHECK)
			triggers->trig_insert_after_row = true;
		else
			trigger->tgenabled = TRIGGER_DISABLED;
	}
	set_triggers(estate, leaf, triggers);
	if (constr && constr->num_check > 0)
		sd_check_exprs(leaf) = palloc0(constr->num_check * sizeof(ExprState *));
}

static void
arm_inserted_leaf(Insertion *insertion, ResultRelInfo *leaf)
{
	Relation	rel = leaf->ri_RelationDesc;
	Relation	root = insertion->state->rootResultRelInfo->ri_RelationDesc;
	SdTable		table;
	List	   *keys;

	if (insertion->own)
		arm_own_insert(insertion->estate, leaf);
	if (!sd_registered(RelationGetRelid(rel), &table))
		return;
	if (insertion->action == ONCONFLICT_UPDATE && sd_undeleting_concerns(RelationGetRelid(rel)))
		(void) prepend_virtual(insertion->estate, leaf, ROLE_KEEP, &table);
	keys = sd_conflict_keys(rel, &table, drawn_in_leaf(insertion->drawn, root, rel), NULL);
	if (keys)
	{
		Virtual    *v = append_virtual(insertion->estate, leaf, ROLE_INSERTED_KEYS, &table);

		v->keys = keys;
		v->kind = insertion->own ? SD_NEW_IMAGE :
			insertion->action != ONCONFLICT_NONE ? SD_NEW_ON_CONFLICT : SD_NEW_ROW;
	}

	/* a trigger must not hide a row that DO UPDATE changes */
	if (insertion->action == ONCONFLICT_UPDATE)
		(void) append_virtual(insertion->estate, leaf, ROLE_WATCH, &table);
}

/* The INSERTs into partitioned tables that are under way. */
static Insertion *insertions = NULL;

static void
end_insertion(void *arg)
{
	for (Insertion **link = &insertions; *link; link = &(*link)->outer)
		if (*link == arg)
		{
			*link = (*link)->outer;
			return;
		}
}

/*
 * The subplan of an INSERT into a partitioned table.  PostgreSQL finds out about
 * the partition of a row, and makes its ResultRelInfo, only when it has the row;
 * to arm it before the row is inserted, it is made to do so a moment earlier.
 */
static TupleTableSlot *
routed_row(PlanState *subplan)
{
	Insertion  *insertion = insertions;
	ModifyTableState *state;
	TupleTableSlot *slot;
	ResultRelInfo *leaf;
	MemoryContext old;

	while (outerPlanState(insertion->state) != subplan)
		insertion = insertion->outer;
	state = insertion->state;
	slot = insertion->next(subplan);
	if (TupIsNull(slot))
		return slot;
	leaf = ExecFindPartition(state, state->rootResultRelInfo, state->mt_partition_tuple_routing,
							 slot, insertion->estate);
	if (!list_member_ptr(insertion->armed, leaf))
	{
		old = MemoryContextSwitchTo(insertion->estate->es_query_cxt);
		insertion->armed = lappend(insertion->armed, leaf);
		arm_inserted_leaf(insertion, leaf);
		MemoryContextSwitchTo(old);
	}
	return slot;
}

static void
wrap_subplan(Insertion *insertion)
{
	PlanState  *subplan = outerPlanState(insertion->state);
	MemoryContextCallback *end = palloc0(sizeof(MemoryContextCallback));

	end->func = end_insertion;
	end->arg = insertion;
	MemoryContextRegisterResetCallback(insertion->estate->es_query_cxt, end);
	insertion->outer = insertions;
	insertions = insertion;
	insertion->next = subplan->ExecProcNodeReal;
	ExecSetExecProcNode(subplan, routed_row);
}

/*
 * An INSERT, by the user or, "own", of images that are put back; or the INSERT of
 * a MERGE, except into partitions.
 */
void
sd_arm_insert(EState *estate, ModifyTableState *state, bool own)
{
	ResultRelInfo *root = state->rootResultRelInfo;
	Insertion  *insertion;

	if (!sd_registered(RelationGetRelid(root->ri_RelationDesc), NULL))
		return;
	insertion = palloc0(sizeof(Insertion));
	insertion->estate = estate;
	insertion->state = state;
	insertion->action = ((ModifyTable *) state->ps.plan)->onConflictAction;
	insertion->drawn = drawn_columns(state);
	insertion->own = own;
	if (root->ri_RelationDesc->rd_rel->relkind == RELKIND_RELATION)
		arm_inserted_leaf(insertion, root);
	else
	{
		if (own)
			arm_own_insert(estate, root);
		if (state->mt_partition_tuple_routing && state->operation == CMD_INSERT)
			wrap_subplan(insertion);
	}
}
