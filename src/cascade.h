/*
 * cascade.h - deleting what hangs below deleted rows.
 */
#ifndef SD_CASCADE_H
#define SD_CASCADE_H

#include "executor/execdesc.h"
#include "executor/tuptable.h"
#include "fkey.h"
#include "rowset.h"

/*
 * Deleted rows of one table, as the foreign keys that reference it see them:
 * the referenced columns, named k<attribute number>, and where a foreign key
 * has to look at single rows, their places: SD_ROW_TABLE and SD_ROW_PLACE.
 */
typedef struct SdDeleted
{
	Oid			parent;			/* the referenced table */
	List	   *fkeys;			/* SdForeignKey, in the order of their actions */
	int			natts;
	AttrNumber *atts;			/* of parent, in the order of the columns */
	bool		located;		/* are the places there? */
	Datum	   *values;			/* room for one row */
	bool	   *nulls;
	SdRowset   *rows;
	MemoryContext context;		/* of all this */
} SdDeleted;

typedef struct SdCascade SdCascade;

extern List *sd_deleted_sets(Relation rel);
extern void sd_deleted_add(SdDeleted *set, const AttrNumber *atts, Relation rel, HeapTuple row);
extern void sd_deleted_free(SdDeleted *set);
extern SdCascade *sd_cascade_running(void);
extern MemoryContext sd_cascade_context(SdCascade *cascade);
extern void sd_cascade_add(SdCascade *cascade, List *deleted, List *counts);
extern bool sd_cascade_own_rows(SdCascade *cascade);
extern List *sd_cascade(EState *estate, ResultRelInfo *target, List *deleted, List *counts,
						bool own_rows);
extern void sd_check_parent(const SdForeignKey *fkey, Relation child, TupleTableSlot *row);
extern void sd_check_live_parent(const SdForeignKey *fkey, Relation child, TupleTableSlot *row);
extern bool sd_row_is_referenced(const SdForeignKey *fkey, Relation parent, TupleTableSlot *row);

#define SD_ROWS_NAME "softdelete_rows"
#define SD_KEY_PREFIX "k"
#define SD_ROW_TABLE "row_table"
#define SD_ROW_PLACE "row_place"

#endif							/* SD_CASCADE_H */
