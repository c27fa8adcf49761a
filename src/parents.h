/*
 * parents.h - the other parents of rows that come back.
 */
#ifndef SD_PARENTS_H
#define SD_PARENTS_H

#include "touched.h"

extern void sd_undelete_privileges(Oid relid);
extern void sd_parents_settle(SdUndelete *undelete);

#endif							/* SD_PARENTS_H */
