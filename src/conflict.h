/*
 * conflict.h - new rows that meet a deleted one on a unique key.
 */
#ifndef SD_CONFLICT_H
#define SD_CONFLICT_H

#include "nodes/execnodes.h"
#include "nodes/parsenodes.h"
#include "registry.h"

/* Where a row comes from that may need a key. */
typedef enum SdNewRow
{
	SD_NEW_ROW,					/* an INSERT or UPDATE by the user */
	SD_NEW_ON_CONFLICT,			/* an INSERT with ON CONFLICT */
	SD_NEW_IMAGE				/* an image that is put back */
} SdNewRow;

extern void sd_conflict_convert(Query *query, RangeTblEntry *rte, const SdTable *table);
extern List *sd_conflict_keys(Relation rel, const SdTable *table, const Bitmapset *drawn);
extern void sd_conflict_free_keys(ResultRelInfo *rel, List *keys, TupleTableSlot *slot,
								  EState *estate, const SdTable *table, SdNewRow kind,
								  TupleTableSlot *old, TupleTableSlot *holder);

#endif							/* SD_CONFLICT_H */
