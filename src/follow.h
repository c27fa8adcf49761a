/*
 * follow.h - deleted rows that follow the key of their parent.
 */
#ifndef SD_FOLLOW_H
#define SD_FOLLOW_H

#include "access/htup.h"
#include "executor/execdesc.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"
#include "utils/reltrigger.h"
#include "utils/relcache.h"

/* A statement while PostgreSQL fires its AFTER triggers. */
typedef struct SdFollow
{
	MemoryContext context;		/* of keys; lives as long as the statement */
	List	   *keys;			/* what its foreign keys gave to deleted rows */
	struct SdFollow *outer;
} SdFollow;

extern bool sd_follow_update(QueryDesc *query, int eflags);
extern List *sd_follow_fkeys(Relation rel, const Bitmapset *updated);
extern void sd_follow_switch(TriggerDesc *triggers, const char *enabled, bool checked);
extern void sd_follow_row(List *fkeys, Relation rel, HeapTuple row);

extern bool sd_follow_begin(SdFollow *follow, QueryDesc *query);
extern void sd_follow_check(SdFollow *follow);
extern void sd_follow_end(SdFollow *follow);

#endif							/* SD_FOLLOW_H */
