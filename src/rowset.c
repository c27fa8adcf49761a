/*
 * rowset.c - rows on their way from one of our statements to the next.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "executor/tstoreReceiver.h"
#include "miscadmin.h"
#include "rowset.h"
#include "utils/memutils.h"

/*
 * An empty rowset of the given row type, in the current memory context.  The
 * descriptor is copied.
 */
SdRowset *
sd_rowset_create(TupleDesc desc)
{
	SdRowset   *rows = palloc(sizeof(SdRowset));

	rows->desc = CreateTupleDescCopy(desc);
	rows->store = tuplestore_begin_heap(false, false, work_mem);
	rows->context = CurrentMemoryContext;
	return rows;
}

void
sd_rowset_free(SdRowset *rows)
{
	tuplestore_end(rows->store);
	FreeTupleDesc(rows->desc);
	pfree(rows);
}

int64
sd_rowset_count(const SdRowset *rows)
{
	return tuplestore_tuple_count(rows->store);
}

/* Copies all rows of one rowset into another of the same row type. */
void
sd_rowset_append(SdRowset *to, SdRowset *from)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(from->desc, &TTSOpsMinimalTuple);

	tuplestore_rescan(from->store);
	while (tuplestore_gettupleslot(from->store, true, false, slot))
		tuplestore_puttupleslot(to->store, slot);
	ExecDropSingleTupleTableSlot(slot);
}

/* A receiver that puts the result of a query into the rowset. */
DestReceiver *
sd_rowset_receiver(SdRowset *rows)
{
	DestReceiver *dest = CreateTuplestoreDestReceiver();

	SetTuplestoreDestReceiverParams(dest, rows->store, rows->context,
									false, NULL, NULL);
	return dest;
}
