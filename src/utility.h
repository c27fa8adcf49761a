/*
 * utility.h - utility statements around registered tables.
 */
#ifndef SD_UTILITY_H
#define SD_UTILITY_H

#include "nodes/plannodes.h"

extern PlannedStmt *sd_utility_prepare(PlannedStmt *statement);

#endif							/* SD_UTILITY_H */
