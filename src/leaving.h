/*
 * leaving.h - rows that leave their table, or get another key.
 */
#ifndef SD_LEAVING_H
#define SD_LEAVING_H

#include "nodes/execnodes.h"
#include "nodes/parsenodes.h"

extern List *sd_arm_leaving(EState *estate, ModifyTableState *state);
extern void sd_leaving_ask_again(EState *estate, List *children);

/* Tables out of which a utility statement takes rows, while it runs. */
extern List *sd_leaving_begin(void);
extern void sd_leaving_table(Oid relid);
extern void sd_leaving_detach(const AlterTableStmt *alter);
extern void sd_leaving_done(void);
extern void sd_leaving_end(List *outer);

#endif							/* SD_LEAVING_H */
