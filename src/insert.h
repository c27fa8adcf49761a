/*
 * insert.h - INSERTs.
 */
#ifndef SD_INSERT_H
#define SD_INSERT_H

#include "nodes/execnodes.h"
#include "run.h"

extern void sd_arm_insert(EState *estate, ModifyTableState *state, SdRunKind own);

#endif							/* SD_INSERT_H */
