/*
 * undeleting.h - undeletes whose INSERT triggers are firing.
 */
#ifndef SD_UNDELETING_H
#define SD_UNDELETING_H

#include "access/htup.h"
#include "nodes/pg_list.h"
#include "registry.h"
#include "utils/relcache.h"

/* What the log knows about one table in a deletion from which rows came back. */
typedef struct SdReturn
{
	Oid			relid;			/* the table, or the root of its partitions */
	int64		deletion;
	int32		first;			/* the first and the last statement of the deletion
								 * that took rows of the table */
	int32		last;
	int32		back;			/* when they had been brought back before, in the
								 * same transaction; else PG_INT32_MAX */
	bool		restored;		/* have rows of it come back now? */
} SdReturn;

typedef struct SdUndeleting SdUndeleting;

extern SdUndeleting *sd_undeleting_begin(CommandId first, List *returns);
extern void sd_undeleting_fire(SdUndeleting *undeleting, Oid relid, int64 deletion);
extern void sd_undeleting_end(SdUndeleting *undeleting);

extern bool sd_undeleting_concerns(Oid relid);
extern bool sd_undeleting_keeps(Relation rel, const SdTable *table, HeapTuple row);

#endif							/* SD_UNDELETING_H */
