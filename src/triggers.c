/*
 * triggers.c - what a DELETE does beside changing the flag.
 *
 * When the executor has set up a converted statement, each of its result
 * relations gets a trigger descriptor of our making.  In it the user's UPDATE
 * triggers are switched off (not left out: their places in the arrays stay)
 * and virtual BEFORE UPDATE ROW triggers (virtual.h) are added.  In this order:
 *
 *   - one for each of the user's BEFORE DELETE ROW triggers, in name order and
 *     with its WHEN condition and firing mode; it calls the user's function as
 *     a DELETE trigger, which may veto;
 *   - where a condition of the user's AFTER DELETE ROW triggers is to be decided,
 *     one for each of these triggers, with its WHEN condition, so that the
 *     condition sees the pg_trigger_depth() that it would see;
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

#include "access/tableam.h"
#include "access/xact.h"
#include "cascade.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "compat.h"
#include "deletion.h"
#include "registry.h"
#include "triggers.h"
#include "undeleting.h"
#include "update.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "virtual.h"

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
bool
sd_deletes_need_lock(Relation rel)
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

/* ---------- MERGE: deleted or not? ---------- */

/* About the rows of one result relation of a MERGE. */
typedef struct Decision
{
	SdTarget   *target;
	bool		deleting;		/* is the row at hand one that is deleted? */
	bool		lock;			/* are deleted rows locked as by a DELETE? */
	bool		keeps;			/* may rows have to stay as they came back? */
	char	   *user_enabled;	/* tgenabled of the originals */
	ExprState **checks;			/* constraints and generated columns that are */
	ExprState **generated;		/* not in force now: those that do nothing, or */
	int			ngenerated;		/* the leaf's own */
} Decision;

/* The lock that a DELETE takes, after the weaker one of an UPDATE. */
void
sd_lock_deleted_row(SdVirtual *v, TriggerData *data)
{
	ItemPointerData tid = data->tg_trigtuple->t_self;
	TM_FailureData failure;
	TM_Result	result;

	result = table_tuple_lock(data->tg_relation, &tid, v->estate->es_snapshot,
							  sd_working_slot(v), v->estate->es_output_cid,
							  LockTupleExclusive, LockWaitBlock, 0, &failure);
	if (result != TM_Ok)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update")));
	ExecClearTuple(v->slot);
}

/* Exchanges the leaf's constraints and generated columns for those kept. */
static void
swap_constraints(Decision *d, ResultRelInfo *leaf)
{
	ExprState **checks = sd_check_exprs(leaf);
	ExprState **generated = sd_generated_exprs(leaf);
	int			ngenerated = sd_generated_count(leaf);

	sd_check_exprs(leaf) = d->checks;
	sd_generated_exprs(leaf) = d->generated;
	sd_generated_count(leaf) = d->ngenerated;
	d->checks = checks;
	d->generated = generated;
	d->ngenerated = ngenerated;
}

/*
 * While a row is one that is deleted the row triggers for UPDATE are switched off,
 * the user's and those of foreign keys, and so are transition tables for UPDATE,
 * constraints and generated columns.  The statement may insert the next.
 */
static void
set_deleting(Decision *d, ResultRelInfo *leaf, bool deleting)
{
	TriggerDesc *triggers = leaf->ri_TrigDesc;
	TransitionCaptureState *transition = d->target->transition;

	if (transition)
	{
		transition->tcs_update_old_table = !deleting && d->target->update_old_table;
		transition->tcs_update_new_table = !deleting && d->target->update_new_table;
	}
	if (deleting == d->deleting)
		return;
	d->deleting = deleting;
	for (int i = 1; d->user_enabled[i] != '\0'; i++)
		if (TRIGGER_FOR_UPDATE(triggers->triggers[i].tgtype) &&
			TRIGGER_FOR_ROW(triggers->triggers[i].tgtype) &&
			triggers->triggers[i].tgfoid != F_UNIQUE_KEY_RECHECK)
			triggers->triggers[i].tgenabled = deleting ? TRIGGER_DISABLED : d->user_enabled[i];
	swap_constraints(d, leaf);
}

/*
 * The row is deleted if it was live, is not now, and carries the id of this
 * transaction's deletion.
 */
static bool
decide(SdVirtual *v, TriggerData *data)
{
	Decision   *d = v->arg;
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	bool		isnull;
	Datum		id;

	if (TRIGGER_FIRED_BY_INSERT(data->tg_event))
	{
		set_deleting(d, v->leaf, false);
		return true;
	}
	id = heap_getattr(data->tg_newtuple, v->table.deletion_id, desc, &isnull);
	set_deleting(d, v->leaf, sd_row_is_live(v, data->tg_trigtuple) &&
				 !sd_row_is_live(v, data->tg_newtuple) &&
				 !isnull && DatumGetInt64(id) == sd_deletion_id());
	if (d->deleting && d->lock)
		sd_lock_deleted_row(v, data);
	return d->deleting || !d->keeps || sd_keep(v, data);
}

/* ---------- virtual triggers of deleted rows ---------- */

/* Calls the user's BEFORE DELETE trigger, which may veto; arg: its FmgrInfo. */
static bool
call_user_trigger(SdVirtual *v, TriggerData *data)
{
	LOCAL_FCINFO(fcinfo, 0);
	FmgrInfo   *function = v->arg;
	TriggerData as_delete = *data;
	Datum		result;

	if (!OidIsValid(function->fn_oid))
		fmgr_info_cxt(v->user->tgfoid, function, v->estate->es_query_cxt);
	as_delete.tg_event = TRIGGER_EVENT_DELETE | TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE;
	as_delete.tg_newtuple = NULL;
	as_delete.tg_newslot = NULL;
	as_delete.tg_updatedcols = NULL;
	as_delete.tg_trigger = v->user;
	InitFunctionCallInfoData(*fcinfo, function, 0, InvalidOid, (Node *) &as_delete, NULL);
	result = FunctionCallInvoke(fcinfo);
	if (fcinfo->isnull)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function %u returned null value", v->user->tgfoid)));
	return DatumGetPointer(result) != NULL;
}

/*
 * Queues events of the user's AFTER DELETE triggers, which "events" carries, and
 * adds to their transition tables.  The executor keeps what it makes for that in
 * the result relation, such as the map from a partition to its root: not in the
 * memory of one row, in which trigger functions are called.
 */
static void
queue_events(SdVirtual *v, ResultRelInfo *events, TriggerData *data,
			 TransitionCaptureState *transition)
{
	MemoryContext old = MemoryContextSwitchTo(v->estate->es_query_cxt);

	ExecARDeleteTriggers(v->estate, events, &data->tg_trigtuple->t_self, NULL, transition, false);
	MemoryContextSwitchTo(old);
}

/* Queues the event of one of them; arg: its carrier. */
static bool
queue_event(SdVirtual *v, TriggerData *data)
{
	queue_events(v, v->arg, data, NULL);
	return true;
}

/* Of a result relation whose rows may have been inserted by this transaction. */
typedef struct Parents
{
	List	   *fkeys;			/* SdForeignKey that may not have been checked yet */
	bool		lock;			/* lock deleted rows as a DELETE does */
} Parents;

/*
 * A row that this transaction inserted may still wait for the check of a foreign
 * key, a deferrable one or one of a statement under way, and the check will not
 * find the new version wanting.  Its parent must be there, deleted or not, or
 * the row would dangle.
 */
static bool
check_parents(SdVirtual *v, TriggerData *data)
{
	Parents    *parents = v->arg;
	ListCell   *lc;

	if (parents->lock)
		sd_lock_deleted_row(v, data);
	if (TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(data->tg_trigtuple->t_data)))
		foreach(lc, parents->fkeys)
			sd_check_parent(lfirst(lc), data->tg_relation, data->tg_trigslot);
	return true;
}

/* Columns of a leaf that one SdDeleted takes down. */
typedef struct Capture
{
	SdDeleted  *deleted;
	AttrNumber *atts;			/* of the leaf */
} Capture;

/* Of a result relation whose deleted rows are taken down. */
typedef struct Capturing
{
	SdTarget   *target;
	List	   *captures;		/* Capture */
	ResultRelInfo *events;		/* carries the user's AFTER DELETE ROW triggers,
								 * if there are any */
} Capturing;

/* Takes down the keys of a row that is deleted; captures: of sd_leaf_captures(). */
void
sd_capture_row(List *captures, Relation rel, HeapTuple row)
{
	ListCell   *lc;

	foreach(lc, captures)
	{
		Capture    *columns = lfirst(lc);

		sd_deleted_add(columns->deleted, columns->atts, rel, row);
	}
}

static bool
capture(SdVirtual *v, TriggerData *data)
{
	Capturing  *c = v->arg;

	c->target->rows++;
	if (c->target->root)
		sd_root_add(c->target->root, data->tg_relation, data->tg_trigtuple);
	sd_capture_row(c->captures, data->tg_relation, data->tg_trigtuple);
	if (c->events->ri_TrigDesc->trig_delete_after_row || c->target->transition)
		queue_events(v, c->events, data, c->target->transition);
	return true;
}

/* ---------- putting them in place ---------- */

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
after_delete_events(ResultRelInfo *leaf, const TriggerDesc *original, const Trigger *only)
{
	int			noriginal = original ? original->numtriggers : 0;
	TriggerDesc *after = sd_copy_triggers(NULL, only ? 1 : noriginal);

	if (only)
	{
		after->triggers[after->numtriggers] = *only;
		after->triggers[after->numtriggers++].tgqual = NULL;
	}
	for (int i = 0; !only && i < noriginal; i++)
		if (is_user_after_trigger(&original->triggers[i]))
			after->triggers[after->numtriggers++] = original->triggers[i];
	after->trig_delete_after_row = after->numtriggers > 0;
	return sd_copy_result_relation(leaf, after);
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
List *
sd_leaf_captures(SdTarget *target, Relation leaf, MemoryContext rows_context)
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

/* Where the virtual triggers of one result relation go. */
typedef struct Leaf
{
	EState	   *estate;
	SdTarget   *target;
	ResultRelInfo *rel;
	SdTable		table;
	TriggerDesc *original;		/* the triggers as they are */
	Decision   *decision;		/* of a MERGE, else NULL */
	int			n;				/* triggers so far */
} Leaf;

/* Adds a virtual trigger for deleted rows. */
static SdVirtual *
add(Leaf *leaf, Trigger *user, SdVirtualAction action, void *arg)
{
	SdVirtual  *v = sd_set_virtual(leaf->rel, leaf->n++, TRIGGER_TYPE_UPDATE, leaf->estate,
								   &leaf->table, user, action, arg);

	v->unless_false = leaf->decision ? &leaf->decision->deleting : NULL;
	return v;
}

/* Adds one for the rows that a MERGE updates. */
static void
add_for_others(Leaf *leaf, SdVirtualAction action, void *arg)
{
	SdVirtual  *v = sd_set_virtual(leaf->rel, leaf->n++, TRIGGER_TYPE_UPDATE, leaf->estate,
								   &leaf->table, NULL, action, arg);

	v->unless_true = &leaf->decision->deleting;
}

static int
count_triggers(const Leaf *leaf)
{
	return leaf->original ? leaf->original->numtriggers : 0;
}

/*
 * Gives the leaf a descriptor with the triggers as they have to be, and room for
 * virtual ones: in front for the one that decides, and at the end.
 */
static void
make_room(Leaf *leaf, bool mixed)
{
	int			noriginal = count_triggers(leaf);
	int			first = mixed ? 1 : 0;
	TriggerDesc *triggers = sd_copy_triggers(leaf->original, noriginal + 5);

	if (mixed)
	{
		memmove(triggers->triggers + 1, triggers->triggers, noriginal * sizeof(Trigger));
		memset(&triggers->triggers[0], 0, sizeof(Trigger));
	}
	leaf->n = triggers->numtriggers = first + noriginal;
	sd_switch_off_guard(triggers);
	if (!mixed)
		sd_switch_off_update_triggers(triggers);

	/* the number of virtual triggers is known only when they are made */
	triggers->numtriggers = first + noriginal * 2 + 4;
	sd_set_triggers(leaf->estate, leaf->rel, triggers);
}

static void
add_decision(Leaf *leaf, bool lock)
{
	Decision   *d = palloc0(sizeof(Decision));

	d->target = leaf->target;
	d->lock = lock;
	d->keeps = sd_undeleting_concerns(RelationGetRelid(leaf->rel->ri_RelationDesc));
	(void) sd_set_virtual(leaf->rel, 0, TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_INSERT, leaf->estate,
						  &leaf->table, NULL, decide, d);
	d->user_enabled = palloc0(leaf->n + 1);
	for (int i = 0; i < leaf->n; i++)
		d->user_enabled[i] = leaf->rel->ri_TrigDesc->triggers[i].tgenabled;
	leaf->decision = d;
}

/* One for each of the user's BEFORE, or AFTER, DELETE ROW triggers. */
static void
add_user_triggers(Leaf *leaf, bool before)
{
	for (int i = 0; i < count_triggers(leaf); i++)
	{
		Trigger    *user = &leaf->original->triggers[i];

		if (!is_user_delete_row_trigger(user))
			continue;
		if (before && TRIGGER_FOR_BEFORE(user->tgtype))
			add(leaf, user, call_user_trigger, palloc0(sizeof(FmgrInfo)))->shown = true;
		else if (!before && TRIGGER_FOR_AFTER(user->tgtype))
			add(leaf, user, queue_event, after_delete_events(leaf->rel, leaf->original, user));
	}
}

static void
add_capture(Leaf *leaf, List *captures, ResultRelInfo *events)
{
	Capturing  *c = palloc(sizeof(Capturing));

	c->target = leaf->target;
	c->captures = captures;
	c->events = events;
	add(leaf, NULL, capture, c);
	leaf->target->bare = false;
}

static void
arm_leaf(EState *estate, SdTarget *target, ResultRelInfo *rel, bool own_rows,
		 MemoryContext rows_context)
{
	Leaf		leaf = {.estate = estate,.target = target,.rel = rel,.original = rel->ri_TrigDesc};
	List	   *captures;
	List	   *unchecked = sd_checked_fkeys_from(rel->ri_RelationDesc, own_rows);
	ResultRelInfo *events = after_delete_events(rel, rel->ri_TrigDesc, NULL);
	bool		conditions = has_after_condition(events);
	void	   *keys = target->mixed ? sd_updated_keys(estate, rel) : NULL;

	if (!sd_registered(RelationGetRelid(rel->ri_RelationDesc), &leaf.table))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("partition \"%s\" is not registered although its parent is",
						RelationGetRelationName(rel->ri_RelationDesc)),
				 errhint("Call softdelete_register() for the partitioned table.")));
	captures = sd_leaf_captures(target, rel->ri_RelationDesc, rows_context);

	make_room(&leaf, target->mixed);
	if (target->mixed)
		add_decision(&leaf, sd_deletes_need_lock(rel->ri_RelationDesc) || has_deferrable_check(unchecked));
	add_user_triggers(&leaf, true);
	if (unchecked)
	{
		Parents    *parents = palloc(sizeof(Parents));

		parents->fkeys = unchecked;
		parents->lock = has_deferrable_check(unchecked) && !has_key_columns(rel->ri_RelationDesc);
		add(&leaf, NULL, check_parents, parents);
	}
	if (conditions)
		add_user_triggers(&leaf, false);
	if (captures || events->ri_TrigDesc->trig_delete_after_row || !target->bare)
	{
		if (conditions)
			events->ri_TrigDesc->trig_delete_after_row = false;
		add_capture(&leaf, captures, events);
	}
	if (leaf.decision)
	{
		add_for_others(&leaf, sd_watch, NULL);
		if (keys)
			add_for_others(&leaf, sd_free_updated_keys, keys);
	}
	rel->ri_TrigDesc->numtriggers = leaf.n;
	if (leaf.decision)
	{
		/* they are in force until a row is to be deleted */
		leaf.decision->checks = sd_check_exprs(rel);
		leaf.decision->generated = sd_generated_exprs(rel);
		leaf.decision->ngenerated = sd_generated_count(rel);
	}
	sd_skip_constraints(rel);
	if (leaf.decision)
		swap_constraints(leaf.decision, rel);
}

/*
 * Makes one ModifyTable delete; "mixed" if it does other things too, "own_rows"
 * if this transaction may have inserted some of what it deletes, "first" if the log
 * wants to know with which rows the deletion begins.  What it takes down lives in rows_context, all else in the current memory context,
 * which is that of the EState.
 */
SdTarget *
sd_arm_delete(EState *estate, ModifyTableState *state, bool mixed, bool own_rows,
			  bool first, MemoryContext rows_context)
{
	SdTarget   *target = palloc0(sizeof(SdTarget));
	ResultRelInfo *root = state->rootResultRelInfo;
	ResultRelInfo **all;
	int			n;

	target->state = state;
	target->rel = root->ri_RelationDesc;
	target->mixed = mixed;
	if (first)
		target->root = sd_root_create(RelationGetRelid(target->rel));
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
		target->root_copy = sd_copy_result_relation(root, sd_copy_triggers(root->ri_TrigDesc, 0));
		if (root->ri_TrigDesc->trig_delete_old_table)
			target->transition = MakeTransitionCaptureState(root->ri_TrigDesc,
															RelationGetRelid(target->rel),
															CMD_DELETE);
	}
	if (!mixed)
		state->mt_transition_capture = NULL;

	all = sd_result_relations(state, &n);
	target->bare = state->canSetTag && !mixed && !target->transition;
	for (int i = 0; target->bare && i < n; i++)
		if (sd_deletes_need_lock(all[i]->ri_RelationDesc))
			target->bare = false;
	for (int i = 0; i < n; i++)
		arm_leaf(estate, target, all[i], own_rows, rows_context);

	/* its triggers have the same places */
	if (target->root_copy && root->ri_TrigInstrument)
		target->root_copy->ri_TrigInstrument = root->ri_TrigInstrument;
	return target;
}
