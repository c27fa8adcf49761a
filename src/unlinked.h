/*
 * unlinked.h - references that a transaction gives up before it deletes.
 */
#ifndef SD_UNLINKED_H
#define SD_UNLINKED_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "cascade.h"
#include "executor/tuptable.h"
#include "fkey.h"
#include "nodes/bitmapset.h"
#include "nodes/execnodes.h"

/* What is looked for in the rows that an UPDATE changes. */
typedef struct SdUnlinking
{
	const SdForeignKey *fkey;
	AttrNumber *child_att;		/* of the foreign key, in the relation at hand */
	List	   *key;			/* attribute numbers of the row's key, in the
								 * foreign key's table */
	AttrNumber *key_att;		/* the same in the relation at hand */
	TupleDesc	desc;			/* of what is remembered of a row */
	ExprState **defaults;		/* of the columns; NULL: none */
} SdUnlinking;

extern List *sd_unlinking(EState *estate, Relation rel, const Bitmapset *updated);
extern void sd_unlinking_row(EState *estate, List *unlinking, Relation rel,
							 HeapTuple before, HeapTuple after);
extern bool sd_unlinked_any(void);
extern void sd_unlinked_left(Relation rel, TupleTableSlot *row, TupleTableSlot *after);
extern void sd_unlinked_again(void);
extern void sd_unlinked_all_left(Relation rel);
extern void sd_unlinked_journal(const SdDeleted *set);
extern void sd_unlinked_init(void);

#endif							/* SD_UNLINKED_H */
