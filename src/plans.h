/*
 * plans.h - statements of ours whose plans are kept.
 */
#ifndef SD_PLANS_H
#define SD_PLANS_H

#include "executor/spi.h"
#include "fkey.h"

/* The statements that a foreign key needs. */
typedef enum SdPurpose
{
	SD_CASCADE_DELETE,
	SD_CASCADE_FIND,			/* is there a row that refers? */
	SD_CASCADE_REFERENCED,		/* which rows are referred to? */
	SD_CASCADE_LINKS,			/* SET NULL, SET DEFAULT: what is overwritten */
	SD_CASCADE_SET,
	SD_UNDELETE_FLIP,			/* make the rows below live */
	SD_PREVIEW_ROWS,			/* what refers */
	SD_PREVIEW_OTHER_ROWS,		/* the same without what is known */
	SD_PREVIEW_PLACES,			/* where it is */
	SD_PREVIEW_OTHER_PLACES
} SdPurpose;

typedef struct SdPlan
{
	char	   *sql;
	SPIPlanPtr	plan;
} SdPlan;

typedef char *(*SdPlanText) (const SdForeignKey *fkey, SdPurpose purpose, void *arg);

extern SdPlan *sd_plan_take(const SdForeignKey *fkey, SdPurpose purpose, int64 rows,
							SdPlanText text, void *arg);
extern void sd_plan_release(SdPlan *plan);
extern void sd_plans_init(void);

#endif							/* SD_PLANS_H */
