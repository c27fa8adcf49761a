/*
 * descend.h - what hangs below rows that come back.
 */
#ifndef SD_DESCEND_H
#define SD_DESCEND_H

#include "touched.h"

extern void sd_descend(SdUndelete *undelete);
extern void sd_refuse_moved(Oid relid, SdRowset *rows, int64 before);

#endif							/* SD_DESCEND_H */
