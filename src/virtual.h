/*
 * virtual.h - virtual triggers: C functions of ours among a statement's triggers.
 */
#ifndef SD_VIRTUAL_H
#define SD_VIRTUAL_H

#include "commands/trigger.h"
#include "executor/execdesc.h"
#include "nodes/execnodes.h"
#include "registry.h"

typedef struct SdVirtual SdVirtual;

/*
 * What a virtual trigger does with a row; false: nothing happens to the row.  It may
 * put another new version in the place of data->tg_newtuple.
 */
typedef bool (*SdVirtualAction) (SdVirtual *virtual, TriggerData *data);

/* One virtual trigger of one result relation. */
struct SdVirtual
{
	SdVirtualAction action;
	void	   *arg;			/* of the action */
	EState	   *estate;
	ResultRelInfo *leaf;
	SdTable		table;			/* of the leaf */
	Trigger    *user;			/* trigger of the user for which it stands, or
								 * NULL */
	const bool *unless_false;	/* it acts on rows for which this is true; NULL:
								 * on all */
	const bool *unless_true;	/* the other way round */
	bool		shown;			/* does EXPLAIN ANALYZE show its calls? */
	Instrumentation *calls;		/* for EXPLAIN ANALYZE, else NULL */
	TupleTableSlot *slot;		/* of the leaf, to work with */
};

extern SdVirtual *sd_set_virtual(ResultRelInfo *leaf, int index, int event, EState *estate,
								 const SdTable *table, Trigger *user, SdVirtualAction action,
								 void *arg);
extern SdVirtual *sd_append_virtual(EState *estate, ResultRelInfo *leaf, int event,
									const SdTable *table, SdVirtualAction action, void *arg);
extern SdVirtual *sd_prepend_virtual(EState *estate, ResultRelInfo *leaf, int event,
									 const SdTable *table, SdVirtualAction action, void *arg);
extern TupleTableSlot *sd_working_slot(SdVirtual *v);
extern bool sd_row_is_live(const SdVirtual *v, HeapTuple tuple);

extern bool sd_has_triggers(const QueryDesc *query);
extern ResultRelInfo **sd_result_relations(ModifyTableState *state, int *n);
extern ResultRelInfo *sd_copy_result_relation(ResultRelInfo *from, TriggerDesc *triggers);
extern TriggerDesc *sd_copy_triggers(const TriggerDesc *from, int more);
extern void sd_set_triggers(EState *estate, ResultRelInfo *leaf, TriggerDesc *triggers);
extern void sd_switch_off_guard(TriggerDesc *triggers);
extern void sd_switch_off_update_triggers(TriggerDesc *triggers);
extern void sd_skip_constraints(ResultRelInfo *leaf);

#endif							/* SD_VIRTUAL_H */
