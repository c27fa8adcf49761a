/*
 * utility.h - utility statements around registered tables.
 */
#ifndef SD_UTILITY_H
#define SD_UTILITY_H

#include "nodes/plannodes.h"
#include "nodes/primnodes.h"

extern PlannedStmt *sd_utility_prepare(PlannedStmt *statement, RangeVar **heir);
extern void sd_utility_done(RangeVar *heir);

#endif							/* SD_UTILITY_H */
