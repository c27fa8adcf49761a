/*
 * rowset.h - rows on their way from one of our statements to the next.
 *
 * A rowset is a tuplestore with its row type: it spills to disk beyond
 * work_mem, and our SQL reads it as a table (an ephemeral named relation).
 * It lives in the memory context that was current when it was made; temporary
 * files belong to the resource owner of that moment.
 */
#ifndef SD_ROWSET_H
#define SD_ROWSET_H

#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "tcop/dest.h"
#include "utils/tuplestore.h"

typedef struct SdRowset
{
	TupleDesc	desc;			/* row type; the rowset's own copy */
	Tuplestorestate *store;
	MemoryContext context;		/* where all of this lives */
} SdRowset;

extern SdRowset *sd_rowset_create(TupleDesc desc);
extern void sd_rowset_free(SdRowset *rows);
extern int64 sd_rowset_count(const SdRowset *rows);
extern void sd_rowset_append(SdRowset *to, SdRowset *from);
extern DestReceiver *sd_rowset_receiver(SdRowset *rows);

#endif							/* SD_ROWSET_H */
