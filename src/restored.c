/*
 * restored.c - the rows that an undelete has brought back, and what follows from it.
 *
 * What a DELETE trigger took away an INSERT trigger puts back: when all rows are
 * live, the AFTER INSERT triggers of their tables fire, as for an INSERT of
 * these rows.  PostgreSQL queues, orders and defers them; we hand it the rows.
 *
 * Each table has a query level of its own, and rows of each deletion where no
 * transition table holds them together, so that it is known whose triggers
 * fire (undeleting.c).  All levels are opened and filled before the first is
 * closed: every trigger sees the row as it came back, whatever other triggers do.
 * Parents come before children, as rows are inserted; so their level is opened
 * last.
 *
 * The triggers of rows that the caller named, or that are parents brought back
 * for them, fire as the caller; of others as those of rows that a foreign key's
 * action changes: as the table's owner from version 18 on, before as the caller.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "cascade.h"
#include "commands/trigger.h"
#include "compat.h"
#include "deletion.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "policies.h"
#include "registry.h"
#include "restored.h"
#include "settings.h"
#include "undeleting.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Of each level the rows are gone through; so not too many of them. */
#define MAX_LEVELS 100

/* The rows of one table that an undelete has brought back. */
typedef struct Restored
{
	SdTouched  *touched;
	SdRowset   *rows;			/* as touched->rows, then as newest_places() makes
								 * them; NULL if nobody needs them */
	bool		fires;			/* has the table AFTER INSERT triggers? */
	bool		checked;		/* do policies restrict what the caller inserts? */
} Restored;

/* Rows whose triggers fire together. */
typedef struct Level
{
	const Restored *restored;
	int64		deletion;		/* the rows that it took; 0: all */
	bool		statement;		/* statement triggers too? */
} Level;

static bool
is_after_insert_trigger(const Trigger *trigger)
{
	return TRIGGER_FOR_INSERT(trigger->tgtype) && TRIGGER_FOR_AFTER(trigger->tgtype) &&
		!trigger->tgisinternal && trigger->tgenabled != TRIGGER_DISABLED;
}

/* Has the table, or a partition of it, AFTER INSERT triggers of users? */
static bool
has_insert_triggers(Oid relid)
{
	List	   *relids = get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE ?
		find_all_inheritors(relid, AccessShareLock, NULL) : list_make1_oid(relid);
	bool		found = false;
	ListCell   *lc;

	foreach(lc, relids)
	{
		Relation	rel = table_open(lfirst_oid(lc), AccessShareLock);

		for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
			found |= is_after_insert_trigger(&rel->trigdesc->triggers[i]);
		table_close(rel, NoLock);
	}
	return found;
}

/*
 * The rows that are live in the end because of this undelete, of the tables
 * where something follows from it.  To be asked for when parents are settled and
 * before references are put back, which moves rows.
 */
List *
sd_restored(SdUndelete *undelete)
{
	List	   *all = NIL;
	ListCell   *lc;

	foreach(lc, undelete->tables)
	{
		SdTouched  *touched = lfirst(lc);
		Restored   *restored;

		if (touched->restored == 0)
			continue;
		restored = palloc0(sizeof(Restored));
		restored->touched = touched;
		restored->fires = has_insert_triggers(touched->relid);
		restored->checked = OidIsValid(touched->named) && sd_policies_apply(touched->named);
		if (restored->fires && !undelete->fire_triggers && !undelete->trial && !sd_is_owner(touched->relid, GetUserId()))
			aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(touched->relid)),
						   get_rel_name(touched->relid));
		if (restored->checked || (restored->fires && undelete->fire_triggers))
			restored->rows = sd_touched_live(undelete, touched);
		all = lappend(all, restored);
	}
	return all;
}

/*
 * Where the rows that were made live are now, after references were put back;
 * the old rowset is freed.  Columns: tableoid, tid, upper, deletion_id.
 */
static SdRowset *
newest_places(SdRowset *rows)
{
	TupleDesc	desc = CreateTemplateTupleDesc(4);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	Relation	rel = NULL;
	TableScanDesc scan = NULL;
	SdRowset   *newest;

	TupleDescInitEntry(desc, 1, "tableoid", OIDOID, -1, 0);
	TupleDescInitEntry(desc, 2, "tid", TIDOID, -1, 0);
	TupleDescInitEntry(desc, 3, "upper", BOOLOID, -1, 0);
	TupleDescInitEntry(desc, 4, "deletion_id", INT8OID, -1, 0);
	newest = sd_rowset_create(desc);
	tuplestore_rescan(rows->store);
	while (tuplestore_gettupleslot(rows->store, true, false, slot))
	{
		Datum		values[4];
		bool		nulls[4] = {0};
		bool		isnull;
		Oid			relid = DatumGetObjectId(slot_getattr(slot, 1, &isnull));
		ItemPointerData tid = *(ItemPointer) DatumGetPointer(slot_getattr(slot, 2, &isnull));

		if (!DatumGetBool(slot_getattr(slot, 4, &isnull)))
			continue;
		if (rel == NULL || RelationGetRelid(rel) != relid)
		{
			if (rel)
			{
				table_endscan(scan);
				table_close(rel, NoLock);
			}
			rel = table_open(relid, AccessShareLock);
			scan = table_beginscan_tid(rel, SnapshotSelf);
		}
		table_tuple_get_latest_tid(scan, &tid);
		values[0] = ObjectIdGetDatum(relid);
		values[1] = PointerGetDatum(&tid);
		values[2] = slot_getattr(slot, 3, &isnull);
		values[3] = slot_getattr(slot, 5, &nulls[3]);
		tuplestore_putvalues(newest->store, newest->desc, values, nulls);
	}
	if (rel)
	{
		table_endscan(scan);
		table_close(rel, NoLock);
	}
	ExecDropSingleTupleTableSlot(slot);
	sd_rowset_free(rows);
	return newest;
}

/* ---------- queueing ---------- */

/* A result relation in which only AFTER INSERT triggers of users are left. */
static ResultRelInfo *
make_result_relation(Relation rel, ResultRelInfo *root)
{
	ResultRelInfo *result = makeNode(ResultRelInfo);

	InitResultRelInfo(result, rel, 0, root, 0);
	for (int i = 0; result->ri_TrigDesc && i < result->ri_TrigDesc->numtriggers; i++)
		if (!is_after_insert_trigger(&result->ri_TrigDesc->triggers[i]))
			result->ri_TrigDesc->triggers[i].tgenabled = TRIGGER_DISABLED;
	return result;
}

/* The table itself, or the partition in which a row is. */
static ResultRelInfo *
find_leaf(List **leaves, ResultRelInfo *root, Oid relid)
{
	ListCell   *lc;
	ResultRelInfo *leaf;

	if (RelationGetRelid(root->ri_RelationDesc) == relid)
		return root;
	foreach(lc, *leaves)
	{
		leaf = lfirst(lc);
		if (RelationGetRelid(leaf->ri_RelationDesc) == relid)
			return leaf;
	}
	leaf = make_result_relation(table_open(relid, RowExclusiveLock), root);
	*leaves = lappend(*leaves, leaf);
	return leaf;
}

/* Hands PostgreSQL the rows of one level; to be fired by AfterTriggerEndQuery(). */
static void
queue_events(EState *estate, const Level *level)
{
	const Restored *restored = level->restored;
	Relation	rel = table_open(restored->touched->relid, RowExclusiveLock);
	ResultRelInfo *root = make_result_relation(rel, NULL);
	TransitionCaptureState *transition;
	TupleTableSlot *row = MakeSingleTupleTableSlot(restored->rows->desc, &TTSOpsMinimalTuple);
	List	   *leaves = NIL;
	ListCell   *lc;
	Oid			user;
	int			context;

	GetUserIdAndSecContext(&user, &context);
	if (!OidIsValid(restored->touched->named))
		sd_become_owner(RelationGetRelid(rel));
	AfterTriggerBeginQuery();
	transition = MakeTransitionCaptureState(root->ri_TrigDesc, RelationGetRelid(rel), CMD_INSERT);
	tuplestore_rescan(restored->rows->store);
	while (tuplestore_gettupleslot(restored->rows->store, true, false, row))
	{
		bool		isnull;
		Oid			relid = DatumGetObjectId(slot_getattr(row, 1, &isnull));
		ItemPointerData tid = *(ItemPointer) DatumGetPointer(slot_getattr(row, 2, &isnull));
		ResultRelInfo *leaf;

		CHECK_FOR_INTERRUPTS();
		if (level->deletion != 0 &&
			DatumGetInt64(slot_getattr(row, 4, &isnull)) != level->deletion)
			continue;
		leaf = find_leaf(&leaves, root, relid);
		if (leaf->ri_TrigNewSlot == NULL)
			leaf->ri_TrigNewSlot = table_slot_create(leaf->ri_RelationDesc, &estate->es_tupleTable);
		if (!table_tuple_fetch_row_version(leaf->ri_RelationDesc, &tid, estate->es_snapshot,
										   leaf->ri_TrigNewSlot))
			elog(ERROR, "could not find a row of table \"%s\" that came back",
				 RelationGetRelationName(leaf->ri_RelationDesc));
		ResetPerTupleExprContext(estate);
		ExecARInsertTriggers(estate, leaf, leaf->ri_TrigNewSlot, NIL, transition);
		ExecClearTuple(leaf->ri_TrigNewSlot);
	}
	if (level->statement)
		ExecASInsertTriggers(estate, root, transition);
	SetUserIdAndSecContext(user, context);
	ExecDropSingleTupleTableSlot(row);
	foreach(lc, leaves)
		table_close(((ResultRelInfo *) lfirst(lc))->ri_RelationDesc, NoLock);
	table_close(rel, NoLock);
}

/* ---------- the order of tables ---------- */

static Restored *
find_restored(List *all, Oid relid)
{
	ListCell   *lc;

	foreach(lc, all)
		if (((Restored *) lfirst(lc))->touched->relid == relid)
			return lfirst(lc);
	return NULL;
}

/* Adds a table after its parents, to whatever depth; cycles are cut somewhere. */
static List *
add_after_parents(List *ordered, List *all, Restored *restored, List **visited)
{
	ListCell   *lc;

	check_stack_depth();
	if (list_member_ptr(*visited, restored))
		return ordered;
	*visited = lappend(*visited, restored);
	foreach(lc, restored->touched->above)
	{
		Restored   *parent = find_restored(all, sd_partition_root(((SdForeignKey *) lfirst(lc))->parent));

		if (parent)
			ordered = add_after_parents(ordered, all, parent, visited);
	}
	return restored->fires ? lcons(restored, ordered) : ordered;
}

/* The tables whose triggers fire, children before parents. */
static List *
firing_order(List *all)
{
	List	   *ordered = NIL;
	List	   *visited = NIL;
	ListCell   *lc;

	foreach(lc, all)
		ordered = add_after_parents(ordered, all, lfirst(lc), &visited);
	return ordered;
}

static int
compare_deletions(const ListCell *a, const ListCell *b)
{
	int64		left = *(int64 *) lfirst(a);
	int64		right = *(int64 *) lfirst(b);

	return left < right ? -1 : left > right ? 1 : 0;
}

/*
 * The deletions that took the rows, oldest first: a list of int64 pointers.  NIL
 * when a row does not know its deletion, or when they are too many.
 */
static List *
deletions_of(SdRowset *rows)
{
	List	   *deletions = NIL;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	int64	   *last = NULL;
	bool		isnull = false;

	tuplestore_rescan(rows->store);
	while (!isnull && list_length(deletions) <= MAX_LEVELS &&
		   tuplestore_gettupleslot(rows->store, true, false, slot))
	{
		int64		deletion = DatumGetInt64(slot_getattr(slot, 4, &isnull));
		ListCell   *lc;

		if (isnull || (last && *last == deletion))
			continue;
		foreach(lc, deletions)
			if (*(int64 *) lfirst(lc) == deletion)
				break;
		if (lc)
			last = lfirst(lc);
		else
		{
			last = palloc(sizeof(int64));
			*last = deletion;
			deletions = lappend(deletions, last);
		}
	}
	ExecDropSingleTupleTableSlot(slot);
	if (isnull || list_length(deletions) > MAX_LEVELS)
		return NIL;
	list_sort(deletions, compare_deletions);
	return deletions;
}

static bool
has_transition_table(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	bool		result = rel->trigdesc && rel->trigdesc->trig_insert_new_table;

	table_close(rel, NoLock);
	return result;
}

/*
 * Adds the levels of one table, those that fire last first: rows of an older
 * deletion may be children of rows of a later one.
 */
static List *
add_levels(List *levels, const Restored *restored)
{
	List	   *deletions = has_transition_table(restored->touched->relid) ? NIL :
		deletions_of(restored->rows);
	Level	   *level;
	ListCell   *lc;

	foreach(lc, deletions)
	{
		level = palloc0(sizeof(Level));
		level->restored = restored;
		level->deletion = *(int64 *) lfirst(lc);
		level->statement = lc == list_head(deletions);
		levels = lappend(levels, level);
	}
	if (deletions == NIL)
	{
		level = palloc0(sizeof(Level));
		level->restored = restored;
		level->statement = true;
		levels = lappend(levels, level);
	}
	return levels;
}

/* ---------- when they had gone ---------- */

/*
 * What the deletions took from which rows of a table came back: table, deletion,
 * first and last statement, and as which "statement" they had been brought back.
 * The first since then, if there is one: a transaction may delete again what it
 * has brought back.  Rows of a table that inherits are logged with the
 * table named: those may have gone by any statement.
 */
static SdRowset *
log_entries(const SdTouched *touched)
{
	StringInfoData sql;
	SdStatement statement = {0};
	SdRowset   *entries = NULL;

	initStringInfo(&sql);
	appendStringInfo(&sql, "WITH r AS MATERIALIZED (SELECT DISTINCT s.deletion_id FROM " SD_ROWS_NAME " s"
					 " WHERE s.flipped AND s.deletion_id IS NOT NULL),"
					 " b AS MATERIALIZED (%s),"
					 " l AS MATERIALIZED (SELECT d.relation::pg_catalog.oid AS relation, d.deletion_id,"
					 " pg_catalog.min(d.statement_no) FILTER (WHERE d.statement_no > COALESCE(b.previous, 0)) AS first,"
					 " pg_catalog.min(d.statement_no) FILTER (WHERE d.statement_no > b.statement_no) AS again,"
					 " pg_catalog.max(d.statement_no) AS last, pg_catalog.max(b.statement_no) AS back"
					 " FROM r JOIN " SD_SCHEMA ".deleted_relation d ON d.deletion_id = r.deletion_id"
					 " LEFT JOIN b ON b.relation = d.relation::pg_catalog.oid AND b.deletion_id = d.deletion_id"
					 " GROUP BY 1, 2)"
					 " SELECT l.relation, l.deletion_id, COALESCE(l.again, l.first, 1), l.last,"
					 " CASE WHEN l.again IS NULL AND l.back > 0 THEN l.back ELSE %d END FROM l"
					 " UNION ALL SELECT %u, r.deletion_id, 1, %d, %d FROM r"
					 " WHERE NOT EXISTS (SELECT FROM l WHERE l.deletion_id = r.deletion_id AND l.relation = %u)",
					 sd_deletion_returned_sql(), PG_INT32_MAX, touched->relid, PG_INT32_MAX,
					 PG_INT32_MAX, touched->relid);
	statement.sql = sql.data;
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("deletion");
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = touched->rows;
	statement.result = &entries;
	sd_run(&statement);
	return entries;
}

/* Adds what the log knows of the deletions from which rows of a table came back. */
static List *
add_returns(List *returns, const SdTouched *touched)
{
	SdRowset   *entries = log_entries(touched);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(entries->desc, &TTSOpsMinimalTuple);

	tuplestore_rescan(entries->store);
	while (tuplestore_gettupleslot(entries->store, true, false, slot))
	{
		SdReturn   *r = palloc(sizeof(SdReturn));
		bool		isnull;

		r->relid = DatumGetObjectId(slot_getattr(slot, 1, &isnull));
		r->deletion = DatumGetInt64(slot_getattr(slot, 2, &isnull));
		r->first = DatumGetInt32(slot_getattr(slot, 3, &isnull));
		r->last = DatumGetInt32(slot_getattr(slot, 4, &isnull));
		r->back = DatumGetInt32(slot_getattr(slot, 5, &isnull));
		r->restored = r->relid == touched->relid;
		returns = lappend(returns, r);
	}
	ExecDropSingleTupleTableSlot(slot);
	sd_rowset_free(entries);
	return returns;
}

/* From now on these tables have got rows back. */
static void
note_returned(List *all)
{
	List	   *relids = NIL;
	ListCell   *lc;

	foreach(lc, all)
		relids = lappend_oid(relids, ((Restored *) lfirst(lc))->touched->relid);
	sd_deletion_returned(relids);
}

/* ---------- all together ---------- */

/* Fires the AFTER INSERT triggers of these tables, in reverse order. */
static void
fire(SdUndelete *undelete, List *all, List *order)
{
	List	   *returns = NIL;
	List	   *levels = NIL;
	SdUndeleting *undeleting;
	ListCell   *lc;
	EState	   *estate;
	MemoryContext old;
	int			nestlevel;

	foreach(lc, all)
		returns = add_returns(returns, ((Restored *) lfirst(lc))->touched);
	foreach(lc, order)
		levels = add_levels(levels, lfirst(lc));
	note_returned(all);
	undeleting = sd_undeleting_begin(undelete->first_command, returns);
	PG_TRY();
	{
		PushCopiedSnapshot(GetTransactionSnapshot());
		UpdateActiveSnapshotCommandId();
		estate = CreateExecutorState();
		estate->es_snapshot = GetActiveSnapshot();
		old = MemoryContextSwitchTo(estate->es_query_cxt);
		foreach(lc, levels)
			queue_events(estate, lfirst(lc));
		nestlevel = sd_settings_undeleting();
		for (int i = list_length(levels) - 1; i >= 0; i--)
		{
			const Level *level = list_nth(levels, i);

			sd_undeleting_fire(undeleting, level->restored->touched->relid, level->deletion);
			AfterTriggerEndQuery(estate);
		}
		AtEOXact_GUC(true, nestlevel);
		MemoryContextSwitchTo(old);
		ExecCloseResultRelations(estate);
		ExecResetTupleTable(estate->es_tupleTable, false);
		FreeExecutorState(estate);
		PopActiveSnapshot();
	}
	PG_FINALLY();
	{
		sd_undeleting_end(undeleting);
	}
	PG_END_TRY();
}

/*
 * When references are put back: the caller's policies must hold, of rows that
 * the caller named and of their parents.  Error 42501.
 */
void
sd_restored_check(SdUndelete *undelete, List *all)
{
	ListCell   *lc;

	foreach(lc, all)
	{
		Restored   *restored = lfirst(lc);

		if (restored->rows)
			restored->rows = newest_places(restored->rows);
		if (restored->checked)
			sd_policies_check(restored->touched->named, restored->rows, undelete->whole);
	}
}

/* At the end: AFTER INSERT triggers fire.  Errors: whatever they raise. */
void
sd_restored_finish(SdUndelete *undelete, List *all)
{
	List	   *order = undelete->fire_triggers ? firing_order(all) : NIL;
	ListCell   *lc;

	if (order != NIL)
		fire(undelete, all, order);
	else
		note_returned(all);
	foreach(lc, all)
		if (((Restored *) lfirst(lc))->rows)
			sd_rowset_free(((Restored *) lfirst(lc))->rows);
}
