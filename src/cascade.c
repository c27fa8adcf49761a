/*
 * cascade.c - deleting what hangs below deleted rows.
 *
 * A work list instead of recursion: deleted rows of one table are an item, and
 * each foreign key that references the table is one set-based statement.  The
 * rows that it deletes become a new item at the end of the list.  That is the
 * order in which PostgreSQL's own triggers run, in rounds: all actions for the
 * rows deleted first, NO ACTION and RESTRICT among them, then those for the
 * rows that these deleted.
 *
 * Statements run as the owner of the referencing table, as ri_triggers.c does
 * it, and under REPEATABLE READ and above against the latest rows, failing
 * with 40001 where the transaction's snapshot does not see them.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "cascade.h"
#include "compat.h"
#include "deletion.h"
#include "explain.h"
#include "limits.h"
#include "links.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "plans.h"
#include "registry.h"
#include "run.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "unlinked.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteDefine.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

struct SdCascade
{
	MemoryContext context;		/* items, rowsets and counts live here */
	List	   *items;			/* SdDeleted, not yet worked off */
	List	   *counts;			/* SdRowCount */
	bool		own_rows;		/* had the transaction written anything before
								 * the statement that it belongs to? */
	SdExplained *explained;		/* for EXPLAIN ANALYZE, else NULL */
};

static SdCascade *running = NULL;

/* Does PostgreSQL let a transaction put off what this foreign key refuses? */
static bool
check_is_deferrable(const SdForeignKey *fkey)
{
	return fkey->deferrable && fkey->on_delete == FKCONSTR_ACTION_NOACTION;
}

/* ---------- sets of deleted rows ---------- */

static SdDeleted *
make_set(Oid parent, int room)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "softdelete deleted rows",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	SdDeleted  *set = palloc0(sizeof(SdDeleted));

	set->parent = parent;
	set->atts = palloc(room * sizeof(AttrNumber));
	set->context = context;
	MemoryContextSwitchTo(old);
	return set;
}

static void
add_fkey(SdDeleted *set, const SdForeignKey *fkey)
{
	MemoryContext old = MemoryContextSwitchTo(set->context);
	SdForeignKey *copy = palloc(sizeof(SdForeignKey));

	*copy = *fkey;
	copy->name = pstrdup(fkey->name);
	set->located |= check_is_deferrable(fkey);
	set->fkeys = lappend(set->fkeys, copy);
	for (int i = 0; i < fkey->nkeys; i++)
	{
		int			a = 0;

		while (a < set->natts && set->atts[a] != fkey->parent_att[i])
			a++;
		if (a == set->natts)
			set->atts[set->natts++] = fkey->parent_att[i];
	}
	MemoryContextSwitchTo(old);
}

static void
make_rows(SdDeleted *set)
{
	MemoryContext old = MemoryContextSwitchTo(set->context);
	int			ncolumns = set->natts + (set->located ? 2 : 0);
	TupleDesc	desc = CreateTemplateTupleDesc(ncolumns);

	for (int a = 0; a < set->natts; a++)
	{
		Oid			type;
		int32		typmod;
		Oid			collation;

		get_atttypetypmodcoll(set->parent, set->atts[a], &type, &typmod, &collation);
		TupleDescInitEntry(desc, a + 1, psprintf(SD_KEY_PREFIX "%d", set->atts[a]),
						   type, typmod, 0);
		TupleDescInitEntryCollation(desc, a + 1, collation);
	}
	if (set->located)
	{
		TupleDescInitEntry(desc, set->natts + 1, SD_ROW_TABLE, OIDOID, -1, 0);
		TupleDescInitEntry(desc, set->natts + 2, SD_ROW_PLACE, TIDOID, -1, 0);
	}
	set->values = palloc(ncolumns * sizeof(Datum));
	set->nulls = palloc0(ncolumns * sizeof(bool));
	set->rows = sd_rowset_create(desc);
	MemoryContextSwitchTo(old);
}

/*
 * Empty sets for the rows of a relation that a statement is about to delete:
 * one for each table that foreign keys see when they look at it, itself and,
 * for a partition, those above.  Each in a context of its own below the
 * current one.
 */
List *
sd_deleted_sets(Relation rel)
{
	List	   *fkeys = sd_fkeys_referencing(rel, true);
	List	   *sets = NIL;
	ListCell   *lc;

	foreach(lc, fkeys)
	{
		SdForeignKey *fkey = lfirst(lc);
		SdDeleted  *set = NULL;
		ListCell   *known;

		foreach(known, sets)
			if (((SdDeleted *) lfirst(known))->parent == fkey->parent)
				set = lfirst(known);
		if (set == NULL)
		{
			set = make_set(fkey->parent, list_length(fkeys) * INDEX_MAX_KEYS);
			sets = lappend(sets, set);
		}
		add_fkey(set, fkey);
	}
	list_free_deep(fkeys);
	foreach(lc, sets)
		make_rows(lfirst(lc));
	return sets;
}

/* Adds a row as it was before it was deleted; "atts" are numbers in its own table. */
void
sd_deleted_add(SdDeleted *set, const AttrNumber *atts, Relation rel, HeapTuple row)
{
	for (int i = 0; i < set->natts; i++)
		set->values[i] = heap_getattr(row, atts[i], RelationGetDescr(rel), &set->nulls[i]);
	if (set->located)
	{
		set->values[set->natts] = ObjectIdGetDatum(RelationGetRelid(rel));
		set->values[set->natts + 1] = PointerGetDatum(&row->t_self);
	}
	tuplestore_putvalues(set->rows->store, set->rows->desc, set->values, set->nulls);
}

void
sd_deleted_free(SdDeleted *set)
{
	tuplestore_end(set->rows->store);
	MemoryContextDelete(set->context);
}

/* ---------- the statements of a foreign key ---------- */

static char *
statement_text(const SdForeignKey *fkey, SdPurpose purpose, void *arg)
{
	StringInfoData sql;
	char		column[SD_COLUMN_SIZE];

	initStringInfo(&sql);
	switch (purpose)
	{
		case SD_CASCADE_DELETE:
			appendStringInfo(&sql, "DELETE FROM %s%s c USING " SD_ROWS_NAME " p WHERE ",
							 sd_only(fkey->child), sd_quoted_relation(fkey->child));
			break;
		case SD_CASCADE_FIND:
			appendStringInfoString(&sql, "SELECT ");
			for (int i = 0; i < fkey->nkeys; i++)
				appendStringInfo(&sql, "%s%s", i ? ", " : "",
								 sd_fkey_column(column, "p", SD_KEY_PREFIX,
												fkey->parent, fkey->parent_att[i]));
			appendStringInfo(&sql, ", c.tableoid, c.ctid FROM %s%s c, " SD_ROWS_NAME " p WHERE ",
							 sd_only(fkey->child), sd_quoted_relation(fkey->child));
			break;
		case SD_CASCADE_REFERENCED:
			appendStringInfo(&sql, "SELECT p." SD_ROW_TABLE ", p." SD_ROW_PLACE
							 " FROM " SD_ROWS_NAME " p WHERE EXISTS (SELECT FROM %s%s c WHERE ",
							 sd_only(fkey->child), sd_quoted_relation(fkey->child));
			break;
		case SD_CASCADE_SET:
			appendStringInfo(&sql, "UPDATE %s%s c SET ",
							 sd_only(fkey->child), sd_quoted_relation(fkey->child));
			for (int i = 0; i < fkey->nset; i++)
				appendStringInfo(&sql, "%s%s = %s", i ? ", " : "",
								 quote_identifier(get_attname(fkey->child, fkey->set_att[i], false)),
								 fkey->on_delete == FKCONSTR_ACTION_SETNULL ? "NULL" : "DEFAULT");
			appendStringInfoString(&sql, " FROM " SD_ROWS_NAME " p WHERE ");
			break;
		default:
			return sd_links_query(fkey);
	}
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "c", NULL);
	if (purpose == SD_CASCADE_FIND)
		appendStringInfoString(&sql, " FOR KEY SHARE OF c");
	else if (purpose == SD_CASCADE_REFERENCED)
		appendStringInfoString(&sql, ") ORDER BY p." SD_ROW_TABLE ", p." SD_ROW_PLACE);
	return sql.data;
}

/* Runs one statement of a foreign key; returns the rows changed or found. */
static int64
run_statement(const SdForeignKey *fkey, const SdDeleted *set, SdPurpose purpose,
			  SdRowset **result)
{
	SdPlan	   *kept = sd_plan_take(fkey, purpose, sd_rowset_count(set->rows),
									statement_text, NULL);
	SdStatement statement = {0};
	int64		rows = 0;

	statement.sql = kept ? kept->sql : statement_text(fkey, purpose, NULL);
	statement.plan = kept ? &kept->plan : NULL;
	statement.kind = SD_RUN_LIVE;
	statement.owner_of = fkey->child;
	statement.fire_at_end = true;
	statement.crosscheck = true;
	statement.own_path = purpose != SD_CASCADE_LINKS;
	statement.portable = purpose == SD_CASCADE_LINKS;
	statement.limit = purpose == SD_CASCADE_FIND ? 1 : 0;
	statement.expect = purpose == SD_CASCADE_DELETE ? SPI_OK_DELETE :
		purpose == SD_CASCADE_SET ? SPI_OK_UPDATE : SPI_OK_SELECT;
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = set->rows;
	statement.result = result;

	PG_TRY();
	{
		rows = sd_run(&statement);
	}
	PG_FINALLY();
	{
		if (kept)
			sd_plan_release(kept);
	}
	PG_END_TRY();
	return rows;
}

/* ---------- refusals ---------- */

/*
 * "(a, b)=(1, 2)" for the first row found, or NULL when the user may not read
 * the key, as ri_ReportViolation() decides.
 */
static char *
key_detail(const SdForeignKey *fkey, SdRowset *found)
{
	TupleTableSlot *slot;
	StringInfoData names;
	StringInfoData values;

	if (check_enable_rls(fkey->parent, InvalidOid, true) == RLS_ENABLED ||
		pg_class_aclcheck(fkey->parent, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		return NULL;
	initStringInfo(&names);
	initStringInfo(&values);
	slot = MakeSingleTupleTableSlot(found->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(found->store);
	if (tuplestore_gettupleslot(found->store, true, true, slot))
		for (int i = 0; i < fkey->nkeys; i++)
		{
			Oid			output;
			bool		varlena;
			bool		isnull;
			Datum		value = slot_getattr(slot, i + 1, &isnull);

			appendStringInfo(&names, "%s%s", i ? ", " : "",
							 get_attname(fkey->parent, fkey->parent_att[i], false));
			getTypeOutputInfo(TupleDescAttr(found->desc, i)->atttypid, &output, &varlena);
			appendStringInfo(&values, "%s%s", i ? ", " : "",
							 isnull ? "null" : OidOutputFunctionCall(output, value));
		}
	ExecDropSingleTupleTableSlot(slot);
	return psprintf("(%s)=(%s)", names.data, values.data);
}

/* The errors of PostgreSQL's own foreign keys. */
static void
refuse_referenced(const SdForeignKey *fkey, SdRowset *found)
{
	char	   *parent = get_rel_name(fkey->parent);
	char	   *child = get_rel_name(fkey->child);
	char	   *key = key_detail(fkey, found);
	Relation	rel = table_open(fkey->child, AccessShareLock);

	if (SD_RESTRICT_IS_SPECIAL && fkey->on_delete == FKCONSTR_ACTION_RESTRICT)
		ereport(ERROR,
				(errcode(ERRCODE_RESTRICT_VIOLATION),
				 errmsg("update or delete on table \"%s\" violates RESTRICT setting of foreign key constraint \"%s\" on table \"%s\"",
						parent, fkey->name, child),
				 key ? errdetail("Key %s is referenced from table \"%s\".", key, child) :
				 errdetail("Key is referenced from table \"%s\".", child),
				 errtableconstraint(rel, fkey->name)));
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("update or delete on table \"%s\" violates foreign key constraint \"%s\" on table \"%s\"",
					parent, fkey->name, child),
			 key ? errdetail("Key %s is still referenced from table \"%s\".", key, child) :
			 errdetail("Key is still referenced from table \"%s\".", child),
			 errtableconstraint(rel, fkey->name)));
}

static void
refuse_unregistered(const SdForeignKey *fkey)
{
	char	   *child = sd_quoted_relation(fkey->child);
	Relation	rel = table_open(fkey->child, AccessShareLock);

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot delete from table \"%s\": foreign key constraint \"%s\" would cascade to table \"%s\", which is not registered",
					get_rel_name(fkey->parent), fkey->name, RelationGetRelationName(rel)),
			 errhint("Run SELECT softdelete_register(%s).", quote_literal_cstr(child)),
			 errtableconstraint(rel, fkey->name)));
}

/*
 * A rule that puts something else in the place of the action would leave live
 * rows under a deleted parent.
 */
static void
refuse_rules(const SdForeignKey *fkey, Relation child, CmdType command)
{
	for (int i = 0; child->rd_rules && i < child->rd_rules->numLocks; i++)
		if (child->rd_rules->rules[i]->event == command && child->rd_rules->rules[i]->isInstead &&
			child->rd_rules->rules[i]->enabled != RULE_DISABLED)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("cannot delete from table \"%s\": a rule on table \"%s\" stands in the way of foreign key constraint \"%s\"",
							get_rel_name(fkey->parent), RelationGetRelationName(child), fkey->name),
					 errhint("Drop or disable the rule; use a trigger in its place."),
					 errtableconstraint(child, fkey->name)));
}

/* ---------- the work list ---------- */

/*
 * The row found looks live, but is somebody just deleting it?  A soft delete
 * that has no cascade of its own locks the row only as an UPDATE does, which the
 * lock of the query does not wait for.  If the newest version is a deleted one,
 * waits for its transaction and returns true: look again.  Error 40001 where
 * PostgreSQL would not look again.
 */
static bool
is_being_deleted(SdRowset *found, int nkeys)
{
	TupleTableSlot *row = MakeSingleTupleTableSlot(found->desc, &TTSOpsMinimalTuple);
	TupleTableSlot *slot;
	Relation	rel;
	SdTable		table;
	ItemPointerData tid;
	TransactionId deleter = InvalidTransactionId;
	TransactionId updater = InvalidTransactionId;
	bool		isnull;

	tuplestore_rescan(found->store);
	(void) tuplestore_gettupleslot(found->store, true, true, row);
	rel = table_open(DatumGetObjectId(slot_getattr(row, nkeys + 1, &isnull)), NoLock);
	tid = *(ItemPointer) DatumGetPointer(slot_getattr(row, nkeys + 2, &isnull));
	ExecDropSingleTupleTableSlot(row);
	if (!sd_registered(RelationGetRelid(rel), &table))
	{
		table_close(rel, NoLock);
		return false;
	}

	slot = table_slot_create(rel, NULL);
	while (table_tuple_fetch_row_version(rel, &tid, SnapshotAny, slot))
	{
		bool		should_free;
		HeapTuple	tuple = ExecFetchSlotHeapTuple(slot, false, &should_free);
		ItemPointerData next = tuple->t_data->t_ctid;
		TransactionId maker = HeapTupleHeaderGetXmin(tuple->t_data);
		bool		live = sd_slot_is_live(slot, &table);

		/* another row in the place of a version that was rolled back? */
		if (TransactionIdIsValid(updater) && maker != updater)
			break;
		updater = (tuple->t_data->t_infomask & HEAP_XMAX_INVALID) != 0 ||
			HEAP_XMAX_IS_LOCKED_ONLY(tuple->t_data->t_infomask) ?
			InvalidTransactionId : HeapTupleHeaderGetUpdateXid(tuple->t_data);
		if (should_free)
			heap_freetuple(tuple);
		if (!TransactionIdIsInProgress(maker) && !TransactionIdDidCommit(maker))
			break;				/* a version that never was */
		deleter = live ? InvalidTransactionId : maker;
		if (!TransactionIdIsValid(updater) || ItemPointerEquals(&tid, &next) ||
			ItemPointerIndicatesMovedPartitions(&next))
			break;
		tid = next;
	}
	ExecDropSingleTupleTableSlot(slot);
	if (TransactionIdIsValid(deleter) && !TransactionIdIsCurrentTransactionId(deleter))
	{
		XactLockTableWait(deleter, rel, &tid, XLTW_None);
		if (IsolationUsesXactSnapshot() && TransactionIdDidCommit(deleter))
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not serialize access due to concurrent delete")));
	}
	table_close(rel, NoLock);
	return TransactionIdIsValid(deleter);
}

static void
refuse_if_referenced(const SdForeignKey *fkey, const SdDeleted *set)
{
	SdRowset   *rows = NULL;

	while (run_statement(fkey, set, SD_CASCADE_FIND, &rows) > 0)
	{
		if (!is_being_deleted(rows, fkey->nkeys))
			refuse_referenced(fkey, rows);
		sd_rowset_free(rows);
		CHECK_FOR_INTERRUPTS();
	}
	sd_rowset_free(rows);
}

/*
 * A table whose only trigger that may fire is the one by which PostgreSQL checks
 * the foreign key when a row is deleted.
 */
static ResultRelInfo *
checked_table(Oid relid, const SdForeignKey *fkey)
{
	ResultRelInfo *table = makeNode(ResultRelInfo);
	TriggerDesc *triggers;

	InitResultRelInfo(table, table_open(relid, NoLock), 1, NULL, 0);
	triggers = table->ri_TrigDesc;
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
		if (!sd_is_trigger_of(&triggers->triggers[i], fkey))
			triggers->triggers[i].tgenabled = TRIGGER_DISABLED;
	return table;
}

/*
 * Whether a deferrable foreign key is checked now or later only PostgreSQL
 * knows, and later is its affair: SET CONSTRAINTS, savepoints, PREPARE
 * TRANSACTION.  So for rows that are still referred to its own trigger is
 * queued, at a query level of its own, the end of which fires it or puts it
 * off.  The trigger finds live children, and deleted ones whose parent is not
 * there (visibility.c).  A row that nobody refers to now needs no check later:
 * a reference made after this is checked itself, and finds the row deleted.
 */
static void
check_or_defer(const SdForeignKey *fkey, const SdDeleted *set)
{
	SdRowset   *referenced = NULL;

	if (run_statement(fkey, set, SD_CASCADE_REFERENCED, &referenced) > 0)
	{
		TupleTableSlot *slot = MakeSingleTupleTableSlot(referenced->desc, &TTSOpsMinimalTuple);
		EState	   *estate = CreateExecutorState();
		ResultRelInfo *table = NULL;

		AfterTriggerBeginQuery();
		tuplestore_rescan(referenced->store);
		while (tuplestore_gettupleslot(referenced->store, true, false, slot))
		{
			bool		isnull;
			Oid			relid = DatumGetObjectId(slot_getattr(slot, 1, &isnull));
			ItemPointer place = (ItemPointer) DatumGetPointer(slot_getattr(slot, 2, &isnull));

			if (table == NULL || RelationGetRelid(table->ri_RelationDesc) != relid)
			{
				if (table)
					table_close(table->ri_RelationDesc, NoLock);
				table = checked_table(relid, fkey);
			}
			ExecARDeleteTriggers(estate, table, place, NULL, NULL, false);
		}
		AfterTriggerEndQuery(estate);
		ExecResetTupleTable(estate->es_tupleTable, false);
		ExecCloseResultRelations(estate);
		FreeExecutorState(estate);
		table_close(table->ri_RelationDesc, NoLock);
		ExecDropSingleTupleTableSlot(slot);
	}
	sd_rowset_free(referenced);
}

/* The counts, with rows of an excluded table that really went. */
static List *
count_excluded(SdCascade *cascade, Oid relid, int64 rows)
{
	MemoryContext old = MemoryContextSwitchTo(cascade->context);
	List	   *counts = sd_count_rows(cascade->counts, sd_partition_root(relid), rows);

	MemoryContextSwitchTo(old);
	return counts;
}

/* Does what a foreign key says; returns the rows that it changed. */
static int64
act(SdCascade *cascade, const SdForeignKey *fkey, const SdDeleted *set)
{
	Relation	child = table_open(fkey->child, RowExclusiveLock);
	SdRowset   *rows = NULL;
	int64		changed = 0;

	switch (fkey->on_delete)
	{
		case FKCONSTR_ACTION_CASCADE:
			if (sd_registered(fkey->child, NULL))
			{
				/* the statement counts its rows and adds its sets itself */
				refuse_rules(fkey, child, CMD_DELETE);
				changed = run_statement(fkey, set, SD_CASCADE_DELETE, NULL);
			}
			else if (sd_excluded(fkey->child))
			{
				/* not converted: its rows really go, as PostgreSQL does it */
				refuse_rules(fkey, child, CMD_DELETE);
				changed = run_statement(fkey, set, SD_CASCADE_DELETE, NULL);
				cascade->counts = count_excluded(cascade, fkey->child, changed);
			}
			else if (run_statement(fkey, set, SD_CASCADE_FIND, &rows) > 0)
				refuse_unregistered(fkey);
			break;
		case FKCONSTR_ACTION_SETNULL:
		case FKCONSTR_ACTION_SETDEFAULT:
			if (run_statement(fkey, set, SD_CASCADE_LINKS, &rows) > 0)
			{
				refuse_rules(fkey, child, CMD_UPDATE);
				sd_links_write(fkey, rows);
				changed = run_statement(fkey, set, SD_CASCADE_SET, NULL);
			}

			/*
			 * A row whose default is the deleted key has not changed, and
			 * nothing has looked at it: RI_FKey_setdefault_del() checks again
			 * too.
			 */
			if (fkey->on_delete == FKCONSTR_ACTION_SETDEFAULT)
				refuse_if_referenced(fkey, set);
			break;
		case FKCONSTR_ACTION_NOACTION:
		case FKCONSTR_ACTION_RESTRICT:
			if (check_is_deferrable(fkey))
				check_or_defer(fkey, set);
			else
				refuse_if_referenced(fkey, set);
			break;
		default:
			elog(ERROR, "unrecognized foreign key action: %c", fkey->on_delete);
	}
	if (rows)
		sd_rowset_free(rows);
	table_close(child, NoLock);
	return changed;
}

/*
 * Does the order of rows decide whether an action refuses?  It can when one
 * table refers to this one by a foreign key that refuses and by another that
 * removes: then PostgreSQL's result depends on which row comes first.  It
 * cannot when no row refers by the first at all.
 */
static bool
row_order_matters(const SdDeleted *set)
{
	ListCell   *lc;
	ListCell   *other;

	foreach(lc, set->fkeys)
	{
		SdForeignKey *refuses = lfirst(lc);

		if (refuses->on_delete != FKCONSTR_ACTION_NOACTION &&
			refuses->on_delete != FKCONSTR_ACTION_RESTRICT)
			continue;
		foreach(other, set->fkeys)
		{
			SdForeignKey *removes = lfirst(other);

			if (removes->child == refuses->child &&
				removes->on_delete == FKCONSTR_ACTION_CASCADE)
			{
				SdRowset   *rows = NULL;
				bool		any = run_statement(refuses, set, check_is_deferrable(refuses) ?
												SD_CASCADE_REFERENCED : SD_CASCADE_FIND,
												&rows) > 0;

				sd_rowset_free(rows);
				if (any)
					return true;
				break;
			}
		}
	}
	return false;
}

static void
act_on_set(SdCascade *cascade, const SdDeleted *set)
{
	ListCell   *lc;

	foreach(lc, set->fkeys)
	{
		SdExplainedKey *explained = sd_explain_begin(cascade->explained, lfirst(lc));

		CHECK_FOR_INTERRUPTS();
		sd_explain_end(explained, sd_rowset_count(set->rows), act(cascade, lfirst(lc), set));
	}
}

static void
act_row_by_row(SdCascade *cascade, const SdDeleted *set)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(set->rows->desc, &TTSOpsMinimalTuple);

	tuplestore_rescan(set->rows->store);
	while (tuplestore_gettupleslot(set->rows->store, true, false, slot))
	{
		SdDeleted	one = *set;

		one.rows = sd_rowset_create(set->rows->desc);
		tuplestore_puttupleslot(one.rows->store, slot);
		act_on_set(cascade, &one);
		sd_rowset_free(one.rows);
	}
	ExecDropSingleTupleTableSlot(slot);
}

static void
work_off(SdCascade *cascade)
{
	MemoryContext item_context = AllocSetContextCreate(cascade->context,
													   "softdelete cascade item",
													   ALLOCSET_DEFAULT_SIZES);

	while (cascade->items != NIL)
	{
		SdDeleted  *set = linitial(cascade->items);
		MemoryContext old = MemoryContextSwitchTo(item_context);

		cascade->items = list_delete_first(cascade->items);
		sd_unlinked_journal(set);
		if (sd_rowset_count(set->rows) > 1 && row_order_matters(set))
			act_row_by_row(cascade, set);
		else
			act_on_set(cascade, set);
		MemoryContextSwitchTo(old);
		MemoryContextReset(item_context);
		sd_deleted_free(set);
	}
	MemoryContextDelete(item_context);
}

/* The cascade that is running, for its own statements. */
SdCascade *
sd_cascade_running(void)
{
	return running;
}

/* Where a statement of the cascade keeps what it hands to sd_cascade_add(). */
MemoryContext
sd_cascade_context(SdCascade *cascade)
{
	return cascade->context;
}

/* May rows that it deletes have been inserted by this transaction? */
bool
sd_cascade_own_rows(SdCascade *cascade)
{
	return cascade->own_rows;
}

/* A statement of the cascade reports what it deleted. */
void
sd_cascade_add(SdCascade *cascade, List *deleted, List *counts)
{
	MemoryContext old = MemoryContextSwitchTo(cascade->context);
	ListCell   *lc;

	cascade->items = list_concat(cascade->items, deleted);
	foreach(lc, counts)
	{
		SdRowCount *count = lfirst(lc);

		cascade->counts = sd_count_rows(cascade->counts, count->relid, count->rows);
	}
	MemoryContextSwitchTo(old);
	sd_limits_check(cascade->counts);
}

static Datum
cascade_trigger(PG_FUNCTION_ARGS)
{
	work_off(fcinfo->flinfo->fn_extra);
	return PointerGetDatum(NULL);
}

/*
 * Works the cascade off as the function of a trigger: then triggers that it
 * fires see the pg_trigger_depth() that they would see below PostgreSQL's
 * foreign-key triggers.  The one trigger that an executor fires once and at
 * once is BEFORE TRUNCATE; nothing is truncated.
 */
static void
work_off_in_trigger(EState *estate, ResultRelInfo *target, SdCascade *cascade)
{
	TriggerDesc triggers = {0};
	Trigger		trigger = {0};
	FmgrInfo	function = {0};
	ExprState  *when = NULL;
	ResultRelInfo *carrier = makeNode(ResultRelInfo);

	trigger.tgname = "softdelete";
	trigger.tgfoid = F_SUPPRESS_REDUNDANT_UPDATES_TRIGGER;
	trigger.tgtype = TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_TRUNCATE;
	trigger.tgenabled = TRIGGER_FIRES_ALWAYS;
	function.fn_addr = cascade_trigger;
	function.fn_oid = trigger.tgfoid;
	function.fn_stats = TRACK_FUNC_ALL;
	function.fn_mcxt = CurrentMemoryContext;
	function.fn_extra = cascade;
	triggers.triggers = &trigger;
	triggers.numtriggers = 1;
	triggers.trig_truncate_before_statement = true;
	carrier->ri_RelationDesc = target->ri_RelationDesc;
	carrier->ri_TrigDesc = &triggers;
	carrier->ri_TrigFunctions = &function;
	carrier->ri_TrigWhenExprs = &when;
	ExecBSTruncateTriggers(estate, carrier);
}

/*
 * Deletes what hangs below the rows that a statement of a user deleted, or
 * refuses.  Returns the counts with the cascade's added, in the current memory
 * context.
 *
 * Errors: 23503 (23001 on RESTRICT from version 18), 55000 for an unregistered
 * table, 40001, and whatever triggers raise.
 */
List *
sd_cascade(EState *estate, ResultRelInfo *target, List *deleted, List *counts, bool own_rows)
{
	SdCascade	cascade = {0};
	SdCascade  *outer = running;

	cascade.context = CurrentMemoryContext;
	cascade.items = list_copy(deleted);
	cascade.counts = counts;
	cascade.own_rows = own_rows;
	cascade.explained = sd_explain_cascade(estate);
	running = &cascade;
	PG_TRY();
	{
		work_off_in_trigger(estate, target, &cascade);
	}
	PG_FINALLY();
	{
		running = outer;
	}
	PG_END_TRY();
	if (cascade.explained)
		sd_explain_triggers(cascade.explained);
	return cascade.counts;
}

/*
 * Appends "alias.key = $1 AND ..." for one side of a foreign key, the values
 * being those of a row of the other; false, with values incomplete, if one is
 * null.
 */
static bool
append_key_of_row(StringInfo sql, const SdForeignKey *fkey, bool row_is_child,
				  Relation rel, TupleTableSlot *row, const char *alias, Datum *values, Oid *types)
{
	Oid			from = row_is_child ? fkey->child : fkey->parent;
	Oid			to = row_is_child ? fkey->parent : fkey->child;

	for (int i = 0; i < fkey->nkeys; i++)
	{
		AttrNumber	from_att = row_is_child ? fkey->child_att[i] : fkey->parent_att[i];
		AttrNumber	to_att = row_is_child ? fkey->parent_att[i] : fkey->child_att[i];
		AttrNumber	att = RelationGetRelid(rel) == from ? from_att :
			get_attnum(RelationGetRelid(rel), get_attname(from, from_att, false));
		char		column[SD_COLUMN_SIZE];
		char		parameter[16];
		bool		isnull;

		values[i] = slot_getattr(row, att, &isnull);
		if (isnull)
			return false;
		types[i] = get_atttype(RelationGetRelid(rel), att);
		snprintf(parameter, sizeof(parameter), "$%d", i + 1);
		sd_fkey_column(column, alias, NULL, to, to_att);
		if (i > 0)
			appendStringInfoString(sql, " AND ");
		if (row_is_child)
			generate_operator_clause(sql, column, get_atttype(to, to_att),
									 fkey->equal[i], parameter, types[i]);
		else
			generate_operator_clause(sql, parameter, types[i],
									 fkey->equal[i], column, get_atttype(to, to_att));
	}
	return true;
}

/* Does any row, live or deleted, refer to this one by a foreign key? */
bool
sd_row_is_referenced(const SdForeignKey *fkey, Relation parent, TupleTableSlot *row)
{
	StringInfoData sql;
	SdStatement statement = {0};
	Datum		values[INDEX_MAX_KEYS];
	Oid			types[INDEX_MAX_KEYS];

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT 1 FROM %s%s c WHERE ",
					 sd_only(fkey->child), sd_quoted_relation(fkey->child));
	if (!append_key_of_row(&sql, fkey, false, parent, row, "c", values, types))
		return false;
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = fkey->child;
	statement.latest = true;
	statement.limit = 1;
	statement.nargs = fkey->nkeys;
	statement.args = values;
	statement.argtypes = types;
	return sd_run(&statement) > 0;
}

/*
 * Looks for the parent to which a row refers, live or deleted or a live one only, and
 * locks it so that it stays.  True also if the row refers to none.
 */
static bool
parent_is_there(const SdForeignKey *fkey, Relation child, TupleTableSlot *row, bool live)
{
	StringInfoData sql;
	SdStatement statement = {0};
	Datum		values[INDEX_MAX_KEYS];
	Oid			types[INDEX_MAX_KEYS];

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT 1 FROM %s%s p WHERE %s AND ",
					 sd_only(fkey->parent), sd_quoted_relation(fkey->parent),
					 live ? sd_live_sql(fkey->parent, "p") : "true");
	if (!append_key_of_row(&sql, fkey, true, child, row, "p", values, types))
		return true;
	appendStringInfoString(&sql, " FOR KEY SHARE OF p");
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = fkey->parent;
	statement.latest = true;
	statement.nargs = fkey->nkeys;
	statement.args = values;
	statement.argtypes = types;
	return sd_run(&statement) > 0;
}

/*
 * Is the parent there, live or deleted, to which this row refers?  Asked for a
 * row that is deleted in the transaction that inserted it.  Error 23503.
 */
void
sd_check_parent(const SdForeignKey *fkey, Relation child, TupleTableSlot *row)
{
	if (parent_is_there(fkey, child, row, false))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("delete on table \"%s\" violates foreign key constraint \"%s\"",
					RelationGetRelationName(child), fkey->name),
			 errdetail("The row was inserted in this transaction and its parent in table \"%s\" is not there.",
					   get_rel_name(fkey->parent)),
			 errhint("Insert the parent before you delete the row."),
			 errtableconstraint(child, fkey->name)));
}

/* Is the parent live to which this row refers, which becomes live?  Error 23503. */
void
sd_check_live_parent(const SdForeignKey *fkey, Relation child, TupleTableSlot *row)
{
	if (parent_is_there(fkey, child, row, true))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("update on table \"%s\" violates foreign key constraint \"%s\"",
					RelationGetRelationName(child), fkey->name),
			 errdetail("The row would be live, and its parent in table \"%s\" is deleted.",
					   get_rel_name(fkey->parent)),
			 errhint("Undelete the parent first, or use softdelete_undelete() with with_parents := true."),
			 errtableconstraint(child, fkey->name)));
}
