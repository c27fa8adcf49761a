/*
 * triggers.h - what a DELETE does beside changing the flag.
 */
#ifndef SD_TRIGGERS_H
#define SD_TRIGGERS_H

#include "commands/trigger.h"
#include "compat.h"
#include "nodes/execnodes.h"
#include "root.h"
#include "run.h"
#include "utils/relcache.h"
#include "virtual.h"

/* One ModifyTable that deletes. */
typedef struct SdTarget
{
	ModifyTableState *state;
	ExecProcNodeMtd process;	/* the function of its node */
	ExecProcNodeMtd next;		/* of its subplan */
	Relation	rel;			/* the table named in the statement */
	bool		mixed;			/* MERGE: each row may be a deletion or not */
	bool		bare;			/* no virtual trigger counts the rows */
	int64		rows;			/* deleted so far, when one counts */
	List	   *captures;		/* SdDeleted */
	SdRoot	   *root;			/* keys of the first rows, for the log; NULL: not
								 * asked for */
	ResultRelInfo *root_copy;	/* with the triggers as they are, for the
								 * DELETE statement triggers; NULL in MERGE,
								 * where PostgreSQL fires them */
	TransitionCaptureState *transition; /* of the user's DELETE triggers; in
										 * MERGE of all */
	bool		update_old_table;	/* MERGE: is it for UPDATE triggers? */
	bool		update_new_table;
	struct SdFlagged *flagged;	/* of an UPDATE that sets the flag; else NULL */
} SdTarget;

extern SdTarget *sd_arm_delete(EState *estate, ModifyTableState *state, bool mixed,
							   bool own_rows, bool first, MemoryContext rows_context);

extern bool sd_deletes_need_lock(Relation rel);
extern void sd_lock_deleted_row(SdVirtual *v, TriggerData *data);
extern List *sd_leaf_captures(SdTarget *target, Relation leaf, MemoryContext rows_context);
extern void sd_capture_row(List *captures, Relation rel, HeapTuple row);

#endif							/* SD_TRIGGERS_H */
