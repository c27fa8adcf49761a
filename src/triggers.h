/*
 * triggers.h - virtual triggers: what a DELETE does beside changing the flag.
 */
#ifndef SD_TRIGGERS_H
#define SD_TRIGGERS_H

#include "commands/trigger.h"
#include "compat.h"
#include "nodes/execnodes.h"
#include "run.h"
#include "utils/relcache.h"

/* One ModifyTable that deletes. */
typedef struct SdTarget
{
	ModifyTableState *state;
	ExecProcNodeMtd process;	/* the function of its node */
	Relation	rel;			/* the table named in the statement */
	bool		mixed;			/* MERGE: each row may be a deletion or not */
	bool		bare;			/* no virtual trigger counts the rows */
	int64		rows;			/* deleted so far, when one counts */
	List	   *captures;		/* SdDeleted */
	ResultRelInfo *root_copy;	/* with the triggers as they are, for the
								 * DELETE statement triggers; NULL in MERGE,
								 * where PostgreSQL fires them */
	TransitionCaptureState *transition; /* of the user's DELETE triggers; in
										 * MERGE of all */
	bool		update_old_table;	/* MERGE: is it for UPDATE triggers? */
	bool		update_new_table;
} SdTarget;

/* What to look at in an UPDATE that does not delete. */
typedef struct SdUpdate
{
	bool		unlinks;		/* references that it gives up are remembered */
	bool		follows;		/* it is a foreign key's: deleted rows follow */
	bool		of_user;		/* it is a user's */
} SdUpdate;

pg_noreturn extern void sd_refuse_flag_change(Oid relid, AttrNumber att);

extern SdTarget *sd_arm_delete(EState *estate, ModifyTableState *state, bool mixed,
							   bool own_rows, MemoryContext rows_context);
extern void sd_arm_own_update(EState *estate, ModifyTableState *state, SdRunKind kind);
extern void sd_arm_user_update(EState *estate, ModifyTableState *state, const SdUpdate *kind);
extern void sd_arm_insert(EState *estate, ModifyTableState *state, bool own);

#endif							/* SD_TRIGGERS_H */
