/*
 * deleted.h - the deleted rows of a table as a set.
 */
#ifndef SD_DELETED_H
#define SD_DELETED_H

#include "nodes/parsenodes.h"
#include "visibility.h"

extern void sd_deleted_expand(SdPlanning *planning, Query *query);

#endif							/* SD_DELETED_H */
