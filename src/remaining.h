/*
 * remaining.h - what of a deletion is still deleted.
 */
#ifndef SD_REMAINING_H
#define SD_REMAINING_H

#include "nodes/pg_list.h"

/* One table of a deletion. */
typedef struct SdTaken
{
	Oid			relid;			/* it may have been dropped since */
	int64		rows;			/* that were taken from it, as the log has it */
	bool		named;			/* did a statement name it? */
} SdTaken;

extern List *sd_taken(int64 deletion);
extern List *sd_taken_together(int64 deletion);
extern List *sd_require_taken(int64 deletion);
extern int64 sd_brought_back(int64 deletion);
extern bool sd_log_tells(int64 deletion);
extern int64 sd_count_deleted(Oid relid, int64 deletion);

#endif							/* SD_REMAINING_H */
