/*
 * update.h - UPDATEs that do not delete.
 */
#ifndef SD_UPDATE_H
#define SD_UPDATE_H

#include "compat.h"
#include "nodes/execnodes.h"
#include "run.h"
#include "virtual.h"

/* What to look at in an UPDATE that does not delete. */
typedef struct SdUpdate
{
	bool		unlinks;		/* references that it gives up are remembered */
	bool		follows;		/* it is a foreign key's: deleted rows follow */
	bool		of_user;		/* it is a user's */
	struct SdFlagged *flagged;	/* it names the flag; else NULL */
} SdUpdate;

pg_noreturn extern void sd_refuse_flag_change(Oid relid, AttrNumber att);

extern void sd_refuse_new_deletion_id(SdVirtual *v, TriggerData *data);
extern bool sd_watch(SdVirtual *v, TriggerData *data);
extern bool sd_unlink(SdVirtual *v, TriggerData *data);
extern bool sd_keep(SdVirtual *v, TriggerData *data);
extern bool sd_free_updated_keys(SdVirtual *v, TriggerData *data);
extern void *sd_updated_keys(EState *estate, ResultRelInfo *leaf);
extern void sd_arm_own_update(EState *estate, ModifyTableState *state, SdRunKind kind);
extern void sd_arm_user_update(EState *estate, ModifyTableState *state, const SdUpdate *kind);

#endif							/* SD_UPDATE_H */
