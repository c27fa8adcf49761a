/*
 * convert.h - the DELETE that becomes an UPDATE.
 */
#ifndef SD_CONVERT_H
#define SD_CONVERT_H

#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"
#include "visibility.h"

extern bool sd_convert(SdPlanning *planning, Query *query);
extern void sd_convert_returning(PlannedStmt *plan);
extern bool sd_merge_deletes(List *actions);
extern bool sd_is_converted_target(Query *query, Index rti);

#endif							/* SD_CONVERT_H */
