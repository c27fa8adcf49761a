/*
 * insert.c - INSERTs.
 *
 * A new row may take the key of a deleted one (conflict.c), and ON CONFLICT DO
 * UPDATE is an UPDATE too (update.c).
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_trigger.h"
#include "compat.h"
#include "conflict.h"
#include "executor/execPartition.h"
#include "insert.h"
#include "nodes/nodeFuncs.h"
#include "undeleting.h"
#include "unlinked.h"
#include "update.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "virtual.h"

/* An INSERT, or that of a MERGE. */
typedef struct Insertion
{
	EState	   *estate;
	ModifyTableState *state;
	OnConflictAction action;
	Bitmapset  *drawn;			/* columns of the root that come from sequences */
	SdRunKind	own;			/* PLAIN: a user's */
	List	   *armed;			/* partitions (ResultRelInfo) */
	ExecProcNodeMtd next;		/* what the wrapped subplan did */
	struct Insertion *outer;
} Insertion;

/* Is it nextval(), perhaps cast, and not something computed of it? */
static bool
draws_from_sequence(Node *node)
{
	for (;;)
	{
		FuncExpr   *call = (FuncExpr *) node;

		if (IsA(node, RelabelType))
			node = (Node *) ((RelabelType *) node)->arg;
		else if (IsA(node, CoerceToDomain))
			node = (Node *) ((CoerceToDomain *) node)->arg;
		else if (!IsA(node, FuncExpr))
			return IsA(node, NextValueExpr);
		else if (call->funcid == F_INT4_INT8 || call->funcid == F_INT2_INT8)
			node = linitial(call->args);
		else
			return call->funcid == F_NEXTVAL;
	}
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

		if (!entry->resjunk && draws_from_sequence((Node *) entry->expr))
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

	if (root == leaf)
		return bms_copy(drawn);
	while ((att = bms_next_member(drawn, att)) >= 0)
	{
		char	   *name = get_attname(RelationGetRelid(root), att + FirstLowInvalidHeapAttributeNumber, false);

		mapped = bms_add_member(mapped, get_attnum(RelationGetRelid(leaf), name) -
								FirstLowInvalidHeapAttributeNumber);
	}
	return mapped;
}

/*
 * No trigger of a user notices that a row is put back; of an image no foreign key
 * does, and no constraint minds.
 */
static void
arm_own_insert(EState *estate, ResultRelInfo *leaf, SdRunKind own)
{
	TriggerDesc *triggers = sd_copy_triggers(leaf->ri_TrigDesc, 0);
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
		if (trigger->tgfoid == F_UNIQUE_KEY_RECHECK ||
			(own == SD_RUN_RECOVER && RI_FKey_trigger_type(trigger->tgfoid) != RI_TRIGGER_NONE))
			triggers->trig_insert_after_row = true;
		else
			trigger->tgenabled = TRIGGER_DISABLED;
	}
	sd_set_triggers(estate, leaf, triggers);
	if (own == SD_RUN_IMAGES && constr && constr->num_check > 0)
		sd_check_exprs(leaf) = palloc0(constr->num_check * sizeof(ExprState *));
}

/* Of a result relation. */
typedef struct Inserted
{
	List	   *keys;			/* of sd_conflict_keys() */
	SdNewRow	kind;
} Inserted;

/* A virtual trigger: frees keys that deleted rows have. */
static bool
free_keys(SdVirtual *v, TriggerData *data)
{
	Inserted   *inserted = v->arg;

	sd_conflict_free_keys(v->leaf, inserted->keys, data->tg_trigslot, v->estate, &v->table,
						  inserted->kind, NULL, sd_working_slot(v));
	return true;
}

static void
arm_keys(Insertion *insertion, ResultRelInfo *leaf, const SdTable *table)
{
	Relation	root = insertion->state->rootResultRelInfo->ri_RelationDesc;
	Inserted   *inserted = palloc(sizeof(Inserted));
	Bitmapset  *drawn = NULL;

	/* a BEFORE trigger may put something else in the place of what was drawn */
	if (leaf->ri_TrigDesc == NULL || !leaf->ri_TrigDesc->trig_insert_before_row)
		drawn = drawn_in_leaf(insertion->drawn, root, leaf->ri_RelationDesc);
	inserted->keys = sd_conflict_keys(leaf->ri_RelationDesc, table, drawn);
	inserted->kind = insertion->own == SD_RUN_IMAGES ? SD_NEW_IMAGE :
		insertion->action != ONCONFLICT_NONE ? SD_NEW_ON_CONFLICT : SD_NEW_ROW;
	if (inserted->keys)
		(void) sd_append_virtual(insertion->estate, leaf, TRIGGER_TYPE_INSERT, table,
								 free_keys, inserted);
}

/*
 * The UPDATE of ON CONFLICT DO UPDATE: a trigger must not hide a row, one that
 * came back may have to stay as it is, and references may be given up.
 */
static void
arm_conflict_update(Insertion *insertion, ResultRelInfo *leaf, const SdTable *table)
{
	EState	   *estate = insertion->estate;
	List	   *unlinking;

	if (table)
	{
		void	   *keys = sd_updated_keys(estate, leaf);

		(void) sd_append_virtual(estate, leaf, TRIGGER_TYPE_UPDATE, table, sd_watch, NULL);
		if (keys)
			(void) sd_append_virtual(estate, leaf, TRIGGER_TYPE_UPDATE, table,
									 sd_free_updated_keys, keys);
	}
	if (leaf != insertion->state->rootResultRelInfo)
		return;
	unlinking = sd_unlinking(estate, leaf->ri_RelationDesc, ExecGetUpdatedCols(leaf, estate));
	if (unlinking)
	{
		SdTable		none = {0};

		(void) sd_append_virtual(estate, leaf, TRIGGER_TYPE_UPDATE, table ? table : &none,
								 sd_unlink, unlinking);
	}
}

static bool
is_recovery(SdRunKind own)
{
	return own == SD_RUN_RECOVER || own == SD_RUN_RECOVER_DELETED;
}

static void
arm_leaf(Insertion *insertion, ResultRelInfo *leaf)
{
	Oid			relid = RelationGetRelid(leaf->ri_RelationDesc);
	bool		updates = insertion->action == ONCONFLICT_UPDATE;
	SdTable		table;
	bool		registered = sd_registered(relid, &table);

	if (insertion->own != SD_RUN_PLAIN)
		arm_own_insert(insertion->estate, leaf, insertion->own);
	if (is_recovery(insertion->own))
		return;
	if (registered)
	{
		if (updates && sd_undeleting_concerns(relid))
			(void) sd_prepend_virtual(insertion->estate, leaf, TRIGGER_TYPE_UPDATE, &table,
									  sd_keep, NULL);
		arm_keys(insertion, leaf, &table);
	}
	if (updates)
		arm_conflict_update(insertion, leaf, registered ? &table : NULL);
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
		arm_leaf(insertion, leaf);
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
 * An INSERT, by the user or, "own", of images or lost rows that are put back; or the
 * INSERT of a MERGE, except into partitions.
 */
void
sd_arm_insert(EState *estate, ModifyTableState *state, SdRunKind own)
{
	ResultRelInfo *root = state->rootResultRelInfo;
	Insertion  *insertion;

	if (own != SD_RUN_IMAGES && !is_recovery(own))
		own = SD_RUN_PLAIN;
	if (((ModifyTable *) state->ps.plan)->onConflictAction != ONCONFLICT_UPDATE && !is_recovery(own) &&
		!sd_registered(RelationGetRelid(root->ri_RelationDesc), NULL))
		return;
	insertion = palloc0(sizeof(Insertion));
	insertion->estate = estate;
	insertion->state = state;
	insertion->action = ((ModifyTable *) state->ps.plan)->onConflictAction;
	insertion->drawn = drawn_columns(state);
	insertion->own = own;
	if (root->ri_RelationDesc->rd_rel->relkind == RELKIND_RELATION)
		arm_leaf(insertion, root);
	else
	{
		if (own != SD_RUN_PLAIN)
			arm_own_insert(estate, root, own);
		if (state->mt_partition_tuple_routing && state->operation == CMD_INSERT)
			wrap_subplan(insertion);
	}
}
