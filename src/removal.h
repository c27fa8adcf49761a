/*
 * removal.h - rows of registered tables that really go.
 */
#ifndef SD_REMOVAL_H
#define SD_REMOVAL_H

#include "fkey.h"
#include "rowset.h"

/*
 * A table that holds rows, no partitioned one, and which of them go in one
 * transaction; in the memory context of these.
 */
typedef struct SdHeap
{
	Oid			relid;
	const char *condition;		/* SQL: is the deletion d of a row old enough?
								 * NULL: any */
	bool		there;			/* is it still, and registered? */
	List	   *fkeys;			/* SdForeignKey: those that reference it; the
								 * parent is this table, whatever it was */
	SdRowset   *going;			/* row_table, row_place, and the columns that they
								 * reference, as k<number> */
	SdRowset   *newest;			/* of them those that the last round found */
} SdHeap;

extern bool sd_heap_is_within(Oid relid, Oid fkey_child);
extern SdRowset *sd_heap_old_enough(const SdHeap *heap, SdRowset *rows);
extern char *sd_heap_listed_columns(const SdHeap *heap);
extern void sd_heap_open(SdHeap *heap);
extern char *sd_heap_going_columns(const SdHeap *heap);
extern SdRowset *sd_heap_lock(SdHeap *heap, SdRowset *rows);
extern void sd_heap_add(SdRowset **to, SdRowset *rows);
extern int64 sd_heap_count(const SdRowset *rows);
extern bool sd_heaps_take_along(List *heaps, bool cascade_only);
extern SdRowset *sd_heap_referred(const SdForeignKey *fkey, SdRowset *rows, SdRowset *all);
extern SdRowset *sd_heaps_going(List *heaps);
extern bool sd_heap_is_bare(const SdHeap *heap);
extern int64 sd_heap_delete_bare(SdHeap *heap, SdRowset *rows, int64 at_most);
extern int64 sd_heap_delete(SdHeap *heap, int64 at_most);

#define SD_GOING_NAME "softdelete_going"

#endif							/* SD_REMOVAL_H */
