/*
 * visibility.h - which rows of registered tables a query sees.
 */
#ifndef SD_VISIBILITY_H
#define SD_VISIBILITY_H

#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"
#include "run.h"

typedef enum SdRows
{
	SD_ROWS_LIVE,
	SD_ROWS_ALL,
	SD_ROWS_DELETED
} SdRows;

/* As ctename of a range-table entry: of this relation deleted rows are seen. */
#define SD_DELETED_MARK "softdelete deleted"

/* One call of the planner. */
typedef struct SdPlanning
{
	const SdStatement *own;		/* a statement of ours, or NULL */
	bool		foreign_key;	/* a query of PostgreSQL's own foreign keys */
	bool		by_setting;		/* do the rows depend on a setting? */
	SdRows		rows;			/* what the query sees */
	bool		by_role;		/* does the plan depend on the role? */
	bool		met;			/* has a registered table been met? */
	bool		old_values;		/* does RETURNING take old values from the plan? */
	struct SdPlanning *outer;
} SdPlanning;

/* What a utility command under way asks of the queries in it. */
typedef enum SdUtility
{
	SD_UTILITY_NONE,
	SD_UTILITY_ALTER_TABLE,		/* validates foreign keys */
	SD_UTILITY_REFRESH			/* materialized views hide, whatever the
								 * settings */
} SdUtility;

extern SdUtility sd_utility;
extern int	sd_utility_depth;

extern void sd_utility_set(SdUtility utility);
extern void sd_utility_suspend(MemoryContext context);

extern void sd_planning_begin(SdPlanning *planning, Query *query, const char *source);
extern void sd_planning_end(SdPlanning *planning);
extern void sd_planning_finish(SdPlanning *planning, PlannedStmt *plan);
extern void sd_visibility_apply(PlannerInfo *root, Oid relid, RelOptInfo *rel);
extern void sd_visibility_changed(void);
extern void sd_visibility_init(void);
extern bool sd_shows_all_rows(void);

#endif							/* SD_VISIBILITY_H */
