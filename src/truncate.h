/*
 * truncate.h - TRUNCATE of registered tables.
 */
#ifndef SD_TRUNCATE_H
#define SD_TRUNCATE_H

#include "nodes/plannodes.h"

typedef struct SdTruncation SdTruncation;

extern PlannedStmt *sd_truncate(PlannedStmt *statement, SdTruncation **under_way);
extern void sd_truncate_table(Oid relid);
extern void sd_truncate_check(void);
extern Oid	sd_truncate_begin(void);
extern void sd_truncate_end(Oid outer);
extern void sd_truncate_done(SdTruncation *truncation);

#endif							/* SD_TRUNCATE_H */
