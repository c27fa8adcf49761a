/*
 * purge.c - real deletion of rows that have been deleted long enough.
 *
 * A row goes when its deletion is old enough and no row refers to it by any
 * foreign key, enforced by whatever action, or only rows that go with it.  Rows
 * are there physically or not: live and deleted ones count, and images in the
 * journal.  So the foreign keys hold without PostgreSQL's own actions, which
 * could take live rows; none of them runs, nor any other trigger.
 *
 * Tables are worked off children first.  Tables that refer to each other in a
 * circle, or to themselves, are one component: a batch of their rows takes along
 * all deleted rows that refer to it, directly or not, and then leaves out, to the
 * fixed point, those to which others refer.
 *
 * Rows are listed without a lock, then locked as a DELETE does and looked at
 * again: whoever was brought back in between stays.  Only then, with a newer
 * snapshot, is it asked who refers to them: a new reference needs a lock on the
 * row that is referred to, and so was there before, or waits for us.  The journal
 * is asked after the table: a row moves from the table to the journal.
 */
#include "postgres.h"

#include "access/table.h"
#include "cascade.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "deletion.h"
#include "fkey.h"
#include "fmgr.h"
#include "image.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "purge.h"
#include "register.h"
#include "registry.h"
#include "removal.h"
#include "run.h"
#include "tcop/utility.h"
#include "undelete.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#define BATCH_AT_MOST 100000	/* rows that are chosen at once, whatever was asked for */

/* A row as it was listed. */
typedef struct Place
{
	int64		deletion;
	ItemPointerData tid;
	bool		no_deletion;	/* is deletion_id null? */
} Place;

/* A table that holds rows, and what was listed of it. */
typedef struct PurgedHeap
{
	SdHeap		heap;			/* first: it is taken for one */
	struct Member *member;
	Place	   *listed;			/* rows that may go, in the order of the table */
	int64		nlisted;
	int64		next;			/* the first that is still to be looked at */
} PurgedHeap;

/* A registered table: with its partitions, without its inheritance children. */
typedef struct Member
{
	Oid			relid;
	const char *condition;		/* SQL: is the deletion d old enough?  NULL: any */
	List	   *heaps;			/* PurgedHeap */
	List	   *children;		/* Member: those that refer to it */
	int			index;			/* of Tarjan's algorithm */
	int			low;
	bool		on_stack;
	int64		rows;			/* purged and not logged yet */
} Member;

/* Tables that refer to each other in a circle; mostly one alone. */
typedef struct Component
{
	List	   *members;		/* Member */
	bool		circular;		/* does it, or one, refer to itself? */
} Component;

typedef struct Purge
{
	MemoryContext context;		/* of all this; survives transactions */
	List	   *members;		/* Member */
	List	   *components;		/* Component, children first */
	List	   *stack;			/* Member */
	int			visited;
	int64		rows;			/* purged so far */
} Purge;

/* ---------- which tables, in which order ---------- */

static void
add_heap(Member *member, Oid relid)
{
	PurgedHeap *heap = palloc0(sizeof(PurgedHeap));

	heap->heap.relid = relid;
	heap->heap.condition = member->condition;
	heap->member = member;
	member->heaps = lappend(member->heaps, heap);
}

static void
add_member(Purge *purge, Oid relid, const char *condition)
{
	Member	   *member = palloc0(sizeof(Member));

	member->relid = relid;
	member->condition = condition;
	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
	{
		ListCell   *lc;

		foreach(lc, find_all_inheritors(relid, AccessShareLock, NULL))
			if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_RELATION)
				add_heap(member, lfirst_oid(lc));
	}
	else
		add_heap(member, relid);
	purge->members = lappend(purge->members, member);
}

static void
find_children(Purge *purge, Member *member)
{
	ListCell   *lh;

	foreach(lh, member->heaps)
	{
		Relation	rel = table_open(((SdHeap *) lfirst(lh))->relid, AccessShareLock);
		ListCell   *lf;

		foreach(lf, sd_fkeys_referencing(rel, false))
		{
			SdForeignKey *fkey = lfirst(lf);
			ListCell   *lm;

			foreach(lm, purge->members)
			{
				Member	   *child = lfirst(lm);

				if (child->relid == fkey->child || child->relid == sd_partition_root(fkey->child) ||
					sd_heap_is_within(child->relid, fkey->child))
					member->children = list_append_unique_ptr(member->children, child);
			}
		}
		table_close(rel, AccessShareLock);
	}
}

/* Tarjan's algorithm: components come out children first. */
static void
visit(Purge *purge, Member *member)
{
	ListCell   *lc;

	check_stack_depth();
	member->index = member->low = ++purge->visited;
	member->on_stack = true;
	purge->stack = lappend(purge->stack, member);
	foreach(lc, member->children)
	{
		Member	   *child = lfirst(lc);

		if (child->index == 0)
		{
			visit(purge, child);
			member->low = Min(member->low, child->low);
		}
		else if (child->on_stack)
			member->low = Min(member->low, child->index);
	}
	if (member->low == member->index)
	{
		Component  *component = palloc0(sizeof(Component));
		Member	   *last;

		do
		{
			last = llast(purge->stack);
			purge->stack = list_delete_last(purge->stack);
			last->on_stack = false;
			component->members = lappend(component->members, last);
		} while (last != member);
		component->circular = list_length(component->members) > 1 ||
			list_member_ptr(member->children, member);
		purge->components = lappend(purge->components, component);
	}
}

static void
put_in_order(Purge *purge)
{
	ListCell   *lc;

	foreach(lc, purge->members)
		find_children(purge, lfirst(lc));
	foreach(lc, purge->members)
		if (((Member *) lfirst(lc))->index == 0)
			visit(purge, lfirst(lc));
}

/* The registered tables that the current user owns (OIDs). */
static List *
own_tables(void)
{
	SdStatement statement = {0};
	SdRowset   *rows = NULL;
	TupleTableSlot *slot;
	List	   *tables = NIL;

	statement.sql = "SELECT g.tgrelid FROM pg_catalog.pg_trigger g"
		" JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid"
		" WHERE g.tgname = '" SD_GUARD_NAME "' AND NOT c.relispartition ORDER BY 1";
	statement.kind = SD_RUN_PLAIN;
	statement.result = &rows;
	sd_run(&statement);
	slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(rows->store);
	while (tuplestore_gettupleslot(rows->store, true, false, slot))
	{
		bool		isnull;
		Oid			relid = DatumGetObjectId(slot_getattr(slot, 1, &isnull));

		if (sd_registered(relid, NULL) && sd_is_owner(relid, GetUserId()))
			tables = lappend_oid(tables, relid);
	}
	ExecDropSingleTupleTableSlot(slot);
	sd_rowset_free(rows);
	return tables;
}

/* Is deletion d older than this interval? */
static const char *
older_than(const char *interval)
{
	return psprintf("d.deleted_at < pg_catalog.now() - %s::pg_catalog.interval",
					quote_literal_cstr(interval));
}

/* ---------- which rows may go ---------- */

static int
by_place(const void *a, const void *b)
{
	return ItemPointerCompare((ItemPointer) &((const Place *) a)->tid,
							  (ItemPointer) &((const Place *) b)->tid);
}

/* Lists, without a lock, the rows of a heap that are old enough. */
static void
list_heap(Purge *purge, PurgedHeap *heap)
{
	Oid			relid = heap->heap.relid;
	SdStatement statement = {0};
	SdRowset   *rows = NULL;
	TupleTableSlot *slot;

	if (get_rel_name(relid) == NULL || !sd_registered(relid, NULL))
		return;
	statement.sql = psprintf("SELECT %s FROM ONLY %s c WHERE NOT %s", sd_heap_listed_columns(&heap->heap),
							 sd_quoted_relation(relid), sd_live_sql(relid, "c"));
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = relid;
	statement.latest = true;
	statement.result = &rows;
	sd_run(&statement);
	rows = sd_heap_old_enough(&heap->heap, rows);

	if (sd_rowset_count(rows) > 0)
		heap->listed = MemoryContextAllocHuge(purge->context, sd_rowset_count(rows) * sizeof(Place));
	slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(rows->store);
	while (tuplestore_gettupleslot(rows->store, true, false, slot))
	{
		Place	   *place = &heap->listed[heap->nlisted++];
		bool		isnull;

		place->tid = *(ItemPointer) DatumGetPointer(slot_getattr(slot, 1, &isnull));
		place->deletion = DatumGetInt64(slot_getattr(slot, 2, &place->no_deletion));
	}
	if (heap->nlisted > 1)
		qsort(heap->listed, heap->nlisted, sizeof(Place), by_place);
	ExecDropSingleTupleTableSlot(slot);
	sd_rowset_free(rows);
}

/* ---------- one batch ---------- */

/* The next rows of a heap's list, at most n. */
static SdRowset *
next_rows(PurgedHeap *heap, int64 n)
{
	TupleDesc	desc = CreateTemplateTupleDesc(2);
	SdRowset   *rows;

	TupleDescInitEntry(desc, 1, SD_ROW_PLACE, TIDOID, -1, 0);
	TupleDescInitEntry(desc, 2, "deletion_id", INT8OID, -1, 0);
	rows = sd_rowset_create(desc);
	for (int64 i = 0; i < n && heap->next < heap->nlisted; i++)
	{
		Place	   *place = &heap->listed[heap->next++];
		Datum		values[2];
		bool		nulls[2] = {0};

		values[0] = PointerGetDatum(&place->tid);
		values[1] = Int64GetDatum(place->deletion);
		nulls[1] = place->no_deletion;
		tuplestore_putvalues(rows->store, rows->desc, values, nulls);
	}
	return rows;
}

/* Leaves rows, by their places, out of those that go. */
static void
leave_out(SdHeap *heap, SdRowset *places)
{
	SdStatement statement = {0};
	SdRowset   *rest = NULL;

	statement.sql = "SELECT p.* FROM " SD_ROWS_NAME " p WHERE NOT EXISTS"
		" (SELECT FROM softdelete_staying s WHERE s." SD_ROW_PLACE " = p." SD_ROW_PLACE ")";
	statement.kind = SD_RUN_PHYSICAL;
	statement.ninputs = 2;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = heap->going;
	statement.input_names[1] = "softdelete_staying";
	statement.inputs[1] = places;
	statement.result = &rest;
	sd_run(&statement);
	sd_rowset_free(heap->going);
	heap->going = rest;
}

/* Leaves out rows to which a row refers that stays.  False: there was none. */
static bool
leave_out_referred(List *heaps, bool circular)
{
	SdRowset   *all = circular ? sd_heaps_going(heaps) : NULL;
	bool		left_out = false;
	ListCell   *lc;

	foreach(lc, heaps)
	{
		SdHeap	   *heap = lfirst(lc);
		ListCell   *lf;

		foreach(lf, heap->fkeys)
		{
			SdRowset   *places;

			CHECK_FOR_INTERRUPTS();
			if (sd_heap_count(heap->going) == 0)
				break;
			places = sd_heap_referred(lfirst(lf), heap->going, all);
			if (sd_rowset_count(places) > 0)
			{
				leave_out(heap, places);
				left_out = true;
			}
			sd_rowset_free(places);
			places = sd_images_referring(lfirst(lf), heap->going);
			if (places)
			{
				leave_out(heap, places);
				left_out = true;
				sd_rowset_free(places);
			}
		}
	}
	if (all)
		sd_rowset_free(all);
	return left_out;
}

/*
 * Purges the next n rows of a heap, and what goes with them; no more than at_most,
 * except where rows go together.  Returns how many.
 */
static int64
purge_batch(Component *component, PurgedHeap *first, int64 n, int64 at_most)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "softdelete purge batch",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	List	   *heaps = NIL;
	int64		purged = 0;
	ListCell   *lc;

	foreach(lc, component->members)
		heaps = list_concat_copy(heaps, ((Member *) lfirst(lc))->heaps);
	foreach(lc, heaps)
		sd_heap_open(lfirst(lc));
	if (!first->heap.there)
		first->next = first->nlisted;
	else if (!component->circular && sd_heap_is_bare(&first->heap))
	{
		purged = sd_heap_delete_bare(&first->heap, next_rows(first, n), at_most);
		first->member->rows += purged;
	}
	else
	{
		first->heap.going = sd_heap_lock(&first->heap, next_rows(first, n));
		if (component->circular)
		{
			sd_heap_add(&first->heap.newest, first->heap.going);
			while (sd_heaps_take_along(heaps, false))
				CHECK_FOR_INTERRUPTS();
		}
		while (leave_out_referred(heaps, component->circular) && component->circular)
			CHECK_FOR_INTERRUPTS();
	}
	foreach(lc, heaps)
	{
		SdHeap	   *heap = lfirst(lc);

		if (sd_heap_count(heap->going) > 0)
		{
			int64		rows = sd_heap_delete(heap, component->circular ? PG_INT64_MAX : at_most);

			((PurgedHeap *) heap)->member->rows += rows;
			purged += rows;
		}
		if (heap->going)
			sd_rowset_free(heap->going);
		if (heap->newest)
			sd_rowset_free(heap->newest);
		heap->going = heap->newest = NULL;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return purged;
}

/* ---------- the journals ---------- */

static void
forget_images(Purge *purge, Member *member)
{
	int64		rows = sd_images_forget(member->relid, member->condition);

	member->rows += rows;
	purge->rows += rows;
}

/* The deletions of which rows are left in a member: deletion_id. */
static SdRowset *
deletions_left(const Member *member)
{
	TupleDesc	desc = CreateTemplateTupleDesc(1);
	SdRowset   *left;
	ListCell   *lc;

	TupleDescInitEntry(desc, 1, "deletion_id", INT8OID, -1, 0);
	left = sd_rowset_create(desc);
	foreach(lc, member->heaps)
	{
		Oid			relid = ((SdHeap *) lfirst(lc))->relid;
		SdStatement statement = {0};
		SdRowset   *rows = NULL;

		if (get_rel_name(relid) == NULL || !sd_registered(relid, NULL))
			continue;
		statement.sql = psprintf("SELECT DISTINCT c.%s AS deletion_id FROM ONLY %s c WHERE NOT %s",
								 quote_identifier(sd_deletion_id_name(relid)),
								 sd_quoted_relation(relid), sd_live_sql(relid, "c"));
		statement.kind = SD_RUN_PHYSICAL;
		statement.owner_of = relid;
		statement.latest = true;
		statement.result = &rows;
		sd_run(&statement);
		sd_rowset_append(left, rows);
		sd_rowset_free(rows);
	}
	return left;
}

/*
 * Forgets the references that old deletions overwrote and that can no longer come
 * back, because no row that they were to is left.
 */
static void
forget_links(const Member *member)
{
	StringInfoData where;
	SdStatement statement = {0};
	SdRowset   *left;
	const char *sep = "";
	ListCell   *lc;

	initStringInfo(&where);
	appendStringInfoString(&where, "l.parent IN (");
	foreach(lc, get_rel_relkind(member->relid) == RELKIND_PARTITIONED_TABLE ?
			find_all_inheritors(member->relid, AccessShareLock, NULL) : list_make1_oid(member->relid))
	{
		appendStringInfo(&where, "%s%u::pg_catalog.regclass", sep, lfirst_oid(lc));
		sep = ", ";
	}
	appendStringInfoChar(&where, ')');
	if (member->condition)
		appendStringInfo(&where, " AND EXISTS (SELECT FROM " SD_SCHEMA ".deletion d"
						 " WHERE d.id = l.deletion_id AND %s)", member->condition);

	statement.sql = psprintf("SELECT pg_catalog.count(*) FROM (SELECT FROM " SD_SCHEMA ".link l WHERE %s LIMIT 1) x",
							 where.data);
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("link");
	if (sd_run_int64(&statement) == 0)
		return;
	left = deletions_left(member);
	statement.sql = psprintf("DELETE FROM " SD_SCHEMA ".link l WHERE %s AND NOT EXISTS"
							 " (SELECT FROM " SD_ROWS_NAME " r WHERE r.deletion_id = l.deletion_id)"
							 " AND NOT EXISTS (SELECT FROM " SD_SCHEMA ".image i"
							 " WHERE i.relation = %u::pg_catalog.regclass AND i.deletion_id = l.deletion_id)",
							 where.data, member->relid);
	statement.latest = true;
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = left;
	sd_run(&statement);
	sd_rowset_free(left);
}

/* ---------- all of it ---------- */

static void
log_purged(Purge *purge)
{
	ListCell   *lc;

	foreach(lc, purge->members)
	{
		Member	   *member = lfirst(lc);

		if (member->rows > 0)
			sd_event_log("purge", 0, member->relid, member->rows);
		member->rows = 0;
	}
}

/* What is done between two batches, if anything. */
typedef void (*BetweenBatches) (Purge *purge);

static void
purge_component(Purge *purge, Component *component, int64 batch, int64 max_rows,
				BetweenBatches between)
{
	ListCell   *lm;
	ListCell   *lh;

	foreach(lm, component->members)
	{
		Member	   *member = lfirst(lm);

		if (get_rel_name(member->relid) == NULL)
			continue;
		forget_images(purge, member);
		foreach(lh, member->heaps)
			list_heap(purge, lfirst(lh));
	}
	foreach(lm, component->members)
		foreach(lh, ((Member *) lfirst(lm))->heaps)
		{
			PurgedHeap *heap = lfirst(lh);
			int64		n = Min(batch, max_rows - purge->rows);

			while (heap->next < heap->nlisted && purge->rows < max_rows)
			{
				int64		purged = purge_batch(component, heap, n, max_rows - purge->rows);

				/* rows that have to stay are passed over ever faster */
				n = Min(batch, purged > 0 ? max_rows - purge->rows - purged : 2 * n);
				purge->rows += purged;
				if (between)
					between(purge);
			}
			if (heap->listed)
				pfree(heap->listed);
			heap->listed = NULL;
			heap->next = heap->nlisted = 0;
		}
	foreach(lm, component->members)
		if (get_rel_name(((Member *) lfirst(lm))->relid) != NULL)
			forget_links(lfirst(lm));
}

static void
run_purge(Purge *purge, int64 batch, int64 max_rows, BetweenBatches between)
{
	ListCell   *lc;

	put_in_order(purge);
	foreach(lc, purge->components)
	{
		if (purge->rows >= max_rows)
			break;
		purge_component(purge, lfirst(lc), batch, max_rows, between);
	}
	log_purged(purge);
}

static void
begin(Purge *purge)
{
	memset(purge, 0, sizeof(*purge));
	purge->context = CurrentMemoryContext;
}

/* The tables of a call, with the age from which on their rows go. */
static void
add_tables(Purge *purge, FunctionCallInfo fcinfo)
{
	Oid			rel = PG_ARGISNULL(1) ? InvalidOid : PG_GETARG_OID(1);
	const char *condition = NULL;
	List	   *tables;
	ListCell   *lc;

	if (!PG_ARGISNULL(0))
	{
		Interval	zero = {0};
		int			nestlevel = sd_portable_begin();
		char	   *interval = DatumGetCString(DirectFunctionCall1(interval_out, PG_GETARG_DATUM(0)));

		sd_portable_end(nestlevel);
		if (DatumGetBool(DirectFunctionCall2(interval_lt, PG_GETARG_DATUM(0), IntervalPGetDatum(&zero))))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("older_than must not be negative"),
					 errhint("'0' purges what any earlier transaction has deleted.")));
		condition = older_than(interval);
	}
	if (OidIsValid(rel))
	{
		sd_require_registered(rel);
		sd_require_owner(rel);
		tables = sd_tables_of(rel);
	}
	else
		tables = own_tables();
	foreach(lc, tables)
	{
		char	   *retention = condition ? NULL : sd_retention(lfirst_oid(lc));

		if (condition || retention)
			add_member(purge, lfirst_oid(lc), condition ? condition : older_than(retention));
	}
}

/*
 * Really deletes all deleted rows of these registered tables, of whatever age, as
 * far as nothing else refers to them.  The caller has decided about rights.
 */
void
sd_purge_all(List *tables)
{
	Purge		purge;
	ListCell   *lc;

	begin(&purge);
	foreach(lc, tables)
		add_member(&purge, lfirst_oid(lc), NULL);
	run_purge(&purge, BATCH_AT_MOST, PG_INT64_MAX, NULL);
}

PG_FUNCTION_INFO_V1(softdelete_purge);

/*
 * softdelete_purge(older_than interval, rel regclass, max_rows bigint).  Errors:
 * 22023, 42501, 55000, 40001.
 */
Datum
softdelete_purge(PG_FUNCTION_ARGS)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "softdelete purge",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Purge		purge;

	PreventCommandIfReadOnly("softdelete_purge()");
	if (!PG_ARGISNULL(2) && PG_GETARG_INT64(2) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_rows must not be negative")));
	begin(&purge);
	add_tables(&purge, fcinfo);
	run_purge(&purge, BATCH_AT_MOST, PG_ARGISNULL(2) ? PG_INT64_MAX : PG_GETARG_INT64(2), NULL);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	PG_RETURN_INT64(purge.rows);
}

static void
commit_batch(Purge *purge)
{
	log_purged(purge);
	sd_commit();
}

PG_FUNCTION_INFO_V1(softdelete_purge_batches);

/*
 * softdelete_purge_batches(older_than interval, rel regclass, batch_size int), a
 * procedure.  Errors: the same, and 2D000 in a transaction block.
 */
Datum
softdelete_purge_batches(PG_FUNCTION_ARGS)
{
	CallContext *call = (CallContext *) fcinfo->context;
	Purge		purge;

	PreventCommandIfReadOnly("softdelete_purge_batches()");
	if (PG_ARGISNULL(2) || PG_GETARG_INT32(2) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch_size must be at least 1")));
	if (call == NULL || !IsA(call, CallContext) || call->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("softdelete_purge_batches() commits, and cannot run in a transaction block or a function"),
				 errhint("Call it outside, or use softdelete_purge().")));

	sd_committing_begin();
	begin(&purge);
	add_tables(&purge, fcinfo);
	run_purge(&purge, PG_GETARG_INT32(2), PG_INT64_MAX, commit_batch);
	sd_committing_end();
	PG_RETURN_VOID();
}
