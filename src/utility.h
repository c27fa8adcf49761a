/*
 * utility.h - utility statements around registered tables.
 */
#ifndef SD_UTILITY_H
#define SD_UTILITY_H

#include "keyddl.h"
#include "nodes/plannodes.h"
#include "registry.h"
#include "tcop/utility.h"
#include "truncate.h"

/* What there is to do when a statement has run. */
typedef struct SdUtilityAfter
{
	RangeVar   *heir;			/* the table that will inherit from another */
	SdKeyDdl	keys;
	bool		restored;		/* perhaps by a restore, with rows: a trigger */
	Oid			renamed;		/* table with a renamed column */
	char	   *old_name;
	char	   *new_name;
	Oid			guarded;		/* registered table whose guard may be changed */
	SdTable		guarded_as;		/* as it was registered before */
	SdTruncation *truncation;	/* under way, or NULL */
} SdUtilityAfter;

extern PlannedStmt *sd_utility_prepare(PlannedStmt *statement, ProcessUtilityContext context,
									   SdUtilityAfter *after);
extern void sd_utility_done(const SdUtilityAfter *after);
extern void sd_utility_trigger(Oid trigger);
extern List *sd_utility_begin(void);
extern void sd_utility_end(List *outer);

#endif							/* SD_UTILITY_H */
