/*
 * conflict.h - INSERT ... ON CONFLICT that meets a deleted row.
 */
#ifndef SD_CONFLICT_H
#define SD_CONFLICT_H

#include "nodes/execnodes.h"
#include "nodes/parsenodes.h"
#include "registry.h"

extern void sd_conflict_convert(Query *query, RangeTblEntry *rte, const SdTable *table);
extern void sd_conflict_check(ResultRelInfo *rel, TupleTableSlot *slot, EState *estate,
							  const SdTable *table);

#endif							/* SD_CONFLICT_H */
