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
} SdTarget;

extern SdTarget *sd_arm_delete(EState *estate, ModifyTableState *state, bool mixed,
							   bool own_rows, bool first, MemoryContext rows_context);

#endif							/* SD_TRIGGERS_H */
