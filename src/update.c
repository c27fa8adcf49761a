/*
 * update.c - UPDATEs that do not delete.
 *
 * deletion_id is not theirs to change, nor, behind the statement's back, the flag;
 * references that they give
 * up are remembered; keys that they set may be those of deleted rows; what came
 * back in an undelete is left alone by its triggers; and where a foreign key sets
 * a new key, deleted rows follow.  UPDATEs of our own go unnoticed.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_trigger.h"
#include "compat.h"
#include "conflict.h"
#include "flagged.h"
#include "follow.h"
#include "nodes/plannodes.h"
#include "undeleting.h"
#include "unlinked.h"
#include "update.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/*
 * Error 0A000: deletion_id is changed by deletions and undelete, and the flag by
 * them and by an UPDATE that names it.
 */
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

/* ---------- virtual triggers ---------- */

/* Error 0A000 if the row's deletion_id changes. */
void
sd_refuse_new_deletion_id(SdVirtual *v, TriggerData *data)
{
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	bool		null_before;
	bool		null_after;
	Datum		before = heap_getattr(data->tg_trigtuple, v->table.deletion_id, desc, &null_before);
	Datum		after = heap_getattr(data->tg_newtuple, v->table.deletion_id, desc, &null_after);

	if (null_before != null_after ||
		(!null_before && DatumGetInt64(before) != DatumGetInt64(after)))
		sd_refuse_flag_change(RelationGetRelid(data->tg_relation), v->table.deletion_id);
}

/* Error 0A000 if the row's flag or deletion_id changes. */
bool
sd_watch(SdVirtual *v, TriggerData *data)
{
	if (sd_row_is_live(v, data->tg_trigtuple) != sd_row_is_live(v, data->tg_newtuple))
		sd_refuse_flag_change(RelationGetRelid(data->tg_relation), v->table.flag);
	sd_refuse_new_deletion_id(v, data);
	return true;
}

/* Remembers references that the row gives up; arg: a list of SdUnlinking. */
bool
sd_unlink(SdVirtual *v, TriggerData *data)
{
	sd_unlinking_row(v->estate, v->arg, data->tg_relation, data->tg_trigtuple, data->tg_newtuple);
	return true;
}

/* Leaves a row alone that has to stay as it came back. */
bool
sd_keep(SdVirtual *v, TriggerData *data)
{
	return !sd_undeleting_keeps(data->tg_relation, &v->table, data->tg_trigtuple);
}

/* The keys that an UPDATE may change. */
typedef struct UpdatedKeys
{
	Bitmapset  *columns;		/* of indexes, offset as in updatedCols */
	bool		known;
	List	   *keys;			/* of sd_conflict_keys(), when known */
} UpdatedKeys;

/*
 * What sd_free_updated_keys() needs: NULL if no indexed column changes.  A BEFORE
 * trigger may change any.
 */
void *
sd_updated_keys(EState *estate, ResultRelInfo *leaf)
{
	Bitmapset  *columns = RelationGetIndexAttrBitmap(leaf->ri_RelationDesc, SD_INDEXED_COLUMNS);
	bool		any = leaf->ri_TrigDesc && leaf->ri_TrigDesc->trig_update_before_row;
	UpdatedKeys *updated;

	if (!any && !bms_overlap(columns, ExecGetUpdatedCols(leaf, estate)) &&
		!bms_overlap(columns, ExecGetExtraUpdatedCols(leaf, estate)))
		return NULL;
	updated = palloc0(sizeof(UpdatedKeys));
	updated->columns = columns;
	return updated;
}

/* Does the row change in one of these columns, or may it? */
static bool
changes(SdVirtual *v, TriggerData *data, const Bitmapset *columns)
{
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	int			member = -1;

	while ((member = bms_next_member(columns, member)) >= 0)
	{
		AttrNumber	att = member + FirstLowInvalidHeapAttributeNumber;
		Form_pg_attribute type;
		bool		null_before;
		bool		null_after;
		Datum		before;
		Datum		after;

		if (att <= 0)
			return true;
		type = TupleDescAttr(desc, att - 1);
		if (type->attgenerated)
			return true;		/* it is not computed yet */
		before = slot_getattr(data->tg_trigslot, att, &null_before);
		after = slot_getattr(data->tg_newslot, att, &null_after);
		if (null_before != null_after ||
			(!null_before && !datumIsEqual(before, after, type->attbyval, type->attlen)))
			return true;
	}
	return false;
}

/* Frees keys that deleted rows have; arg: of sd_updated_keys(). */
bool
sd_free_updated_keys(SdVirtual *v, TriggerData *data)
{
	UpdatedKeys *updated = v->arg;

	if (!updated->known && changes(v, data, updated->columns))
	{
		MemoryContext old = MemoryContextSwitchTo(v->estate->es_query_cxt);

		updated->keys = sd_conflict_keys(data->tg_relation, &v->table, NULL);
		updated->known = true;
		MemoryContextSwitchTo(old);
	}
	if (updated->known)
		sd_conflict_free_keys(v->leaf, updated->keys, data->tg_newslot, v->estate, &v->table,
							  SD_NEW_ROW, data->tg_trigslot, sd_working_slot(v));
	return true;
}

/* Of a foreign key's UPDATE. */
typedef struct Following
{
	List	   *fkeys;			/* SdForeignKey */
	char	   *enabled;		/* tgenabled of the triggers */
	TransitionCaptureState *transition; /* of the statement, and which tables are */
	bool		old_table;		/* for rows that are seen */
	bool		new_table;
} Following;

static bool
is_user_update_row_trigger(const Trigger *trigger)
{
	return TRIGGER_FOR_ROW(trigger->tgtype) && TRIGGER_FOR_UPDATE(trigger->tgtype) &&
		!trigger->tgisinternal;
}

/* Has a result relation triggers that notice when a row is updated? */
static bool
has_user_update_trigger(const TriggerDesc *triggers)
{
	if (triggers == NULL)
		return false;
	for (int i = 0; i < triggers->numtriggers; i++)
		if (is_user_update_row_trigger(&triggers->triggers[i]))
			return true;
	return triggers->trig_update_old_table || triggers->trig_update_new_table;
}

/*
 * A deleted row gets a new key from its parent: nobody notices, and what it
 * refers to is looked at when all rows have theirs.
 */
static bool
follow(SdVirtual *v, TriggerData *data)
{
	Following  *following = v->arg;
	TriggerDesc *triggers = v->leaf->ri_TrigDesc;
	bool		live = sd_row_is_live(v, data->tg_trigtuple);

	if (following->transition)
	{
		following->transition->tcs_update_old_table = live && following->old_table;
		following->transition->tcs_update_new_table = live && following->new_table;
	}
	for (int i = 1; following->enabled[i] != '\0'; i++)
		if (is_user_update_row_trigger(&triggers->triggers[i]))
			triggers->triggers[i].tgenabled = live ? following->enabled[i] : TRIGGER_DISABLED;
	sd_follow_switch(triggers, following->enabled, live);
	if (!live)
		sd_follow_row(following->fkeys, data->tg_relation, data->tg_newtuple);
	return true;
}

/* ---------- putting them in place ---------- */

/*
 * An UPDATE of ours that no trigger of a user shall notice; nor, when it only
 * changes the flag, those of foreign keys: their keys stay as they are, but a
 * row that this transaction has changed before would be looked at again.
 */
void
sd_arm_own_update(EState *estate, ModifyTableState *state, SdRunKind kind)
{
	int			n;
	ResultRelInfo **all = sd_result_relations(state, &n);

	state->mt_transition_capture = NULL;
	for (int i = 0; i < n; i++)
	{
		TriggerDesc *triggers = sd_copy_triggers(all[i]->ri_TrigDesc, 0);
		bool		after = triggers->trig_update_after_row;

		sd_switch_off_guard(triggers);
		sd_switch_off_update_triggers(triggers);
		if (kind == SD_RUN_LINKS)
		{
			triggers->trig_update_after_row = after;
			for (int t = 0; t < triggers->numtriggers; t++)
				if (RI_FKey_trigger_type(triggers->triggers[t].tgfoid) != RI_TRIGGER_NONE)
					triggers->triggers[t].tgenabled = all[i]->ri_TrigDesc->triggers[t].tgenabled;
		}
		sd_set_triggers(estate, all[i], triggers);
		if (kind == SD_RUN_FLAG)
			sd_skip_constraints(all[i]);
	}
}

/* Deleted rows of a foreign key's UPDATE; what looks at them is in front. */
static void
arm_follow(EState *estate, ResultRelInfo *leaf, const SdTable *table, List *fkeys,
		   TransitionCaptureState *transition)
{
	Following  *following = palloc(sizeof(Following));
	int			n;

	(void) sd_prepend_virtual(estate, leaf, TRIGGER_TYPE_UPDATE, table, follow, following);
	n = leaf->ri_TrigDesc->numtriggers;
	following->fkeys = fkeys;
	following->transition = transition;
	following->old_table = transition && transition->tcs_update_old_table;
	following->new_table = transition && transition->tcs_update_new_table;
	following->enabled = palloc0(n + 1);
	for (int i = 0; i < n; i++)
		following->enabled[i] = leaf->ri_TrigDesc->triggers[i].tgenabled;
}

/*
 * One result relation of an UPDATE by the user.  Where it is registered it is
 * watched if the statement names the flag (flagged.c) or deletion_id, or if a BEFORE
 * trigger might change them, it passes the guard where rows may move between partitions,
 * and deleted rows may have the keys that it sets.  Where rows may have to stay as
 * they came back that is seen to before any other trigger.  Where it is a foreign
 * key's, deleted rows follow.  Registered or not, references to registered tables
 * that it may give up are looked for.
 */
static void
arm_updated_leaf(EState *estate, ResultRelInfo *leaf, bool partitioned, bool moves,
				 TransitionCaptureState *transition, const SdUpdate *kind)
{
	Relation	rel = leaf->ri_RelationDesc;
	Bitmapset  *updated = ExecGetUpdatedCols(leaf, estate);
	bool		changed = leaf->ri_TrigDesc && leaf->ri_TrigDesc->trig_update_before_row;
	SdTable		table = {0};
	List	   *found = NIL;

	if (sd_registered(RelationGetRelid(rel), &table))
	{
		void	   *keys = sd_updated_keys(estate, leaf);

		if (kind->follows && ((found = sd_follow_fkeys(rel, updated)) != NIL ||
							  has_user_update_trigger(leaf->ri_TrigDesc) || transition))
			arm_follow(estate, leaf, &table, found, transition);
		if (kind->of_user && sd_undeleting_concerns(RelationGetRelid(rel)))
			(void) sd_prepend_virtual(estate, leaf, TRIGGER_TYPE_UPDATE, &table, sd_keep, NULL);
		if (moves || (partitioned && changed))
			sd_switch_off_guard(leaf->ri_TrigDesc);
		if (kind->flagged)
			sd_arm_flagged(kind->flagged, estate, leaf, &table);
		else if (changed ||
			bms_is_member(table.flag - FirstLowInvalidHeapAttributeNumber, updated) ||
			bms_is_member(table.deletion_id - FirstLowInvalidHeapAttributeNumber, updated))
			(void) sd_append_virtual(estate, leaf, TRIGGER_TYPE_UPDATE, &table, sd_watch, NULL);
		if (keys)
			(void) sd_append_virtual(estate, leaf, TRIGGER_TYPE_UPDATE, &table,
									 sd_free_updated_keys, keys);
	}
	if (kind->unlinks && rel->rd_rel->relkind == RELKIND_RELATION &&
		(found = sd_unlinking(estate, rel, updated)) != NIL)
		(void) sd_append_virtual(estate, leaf, TRIGGER_TYPE_UPDATE, &table, sd_unlink, found);
}

/* An UPDATE that does not delete: the user's, or that of a foreign key. */
void
sd_arm_user_update(EState *estate, ModifyTableState *state, const SdUpdate *kind)
{
	Relation	root = state->rootResultRelInfo->ri_RelationDesc;
	bool		partitioned = root->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	bool		moves = ((ModifyTable *) state->ps.plan)->partColsUpdated;
	int			n;
	ResultRelInfo **all = sd_result_relations(state, &n);

	for (int i = 0; i < n; i++)
		arm_updated_leaf(estate, all[i], partitioned, moves, state->mt_transition_capture, kind);
}
