/*
 * restored.h - the rows that an undelete has brought back, and what follows from it.
 */
#ifndef SD_RESTORED_H
#define SD_RESTORED_H

#include "touched.h"

extern List *sd_restored(SdUndelete *undelete);
extern void sd_restored_check(SdUndelete *undelete, List *all);
extern void sd_restored_finish(SdUndelete *undelete, List *all);

#endif							/* SD_RESTORED_H */
