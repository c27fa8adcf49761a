/*
 * flagged.h - UPDATEs that set the flag.
 */
#ifndef SD_FLAGGED_H
#define SD_FLAGGED_H

#include "triggers.h"
#include "virtual.h"

typedef struct SdFlagged SdFlagged;

extern SdFlagged *sd_flagged_create(EState *estate, ModifyTableState *state, bool first);
extern SdTarget *sd_flagged_target(SdFlagged *flagged);
extern void sd_arm_flagged(SdFlagged *flagged, EState *estate, ResultRelInfo *leaf,
						   const SdTable *table);
extern void sd_flagged_revived(SdFlagged *flagged);

#endif							/* SD_FLAGGED_H */
