/*
 * deletion.c - the deletion of the running transaction, and its log.
 *
 * A deletion is what one top-level transaction deletes.  Its id is drawn from
 * a sequence with the first row; its row in softdelete.deletion is written
 * when the first statement has deleted and cascaded, with that statement's
 * counts.  Later statements append their counts to softdelete.deletion_more:
 * nothing is updated, so that savepoints need no code, a million deletions in
 * one transaction stay linear, and a prepared transaction carries it all.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "compat.h"
#include "deletion.h"
#include "limits.h"
#include "mb/pg_wchar.h"
#include "memo.h"
#include "miscadmin.h"
#include "registry.h"
#include "run.h"
#include "settings.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#define STATEMENT_LENGTH 1023	/* bytes of the statement that are logged */

/* The deletion of the running transaction. */
static int64 deletion_id = 0;	/* 0: none yet */
static TimestampTz deletion_time = 0;	/* when it was drawn; the log has it too */
static int32 statement_no = 0;	/* of the last statement logged, or the last
								 * undelete */
static List *returned = NIL;	/* Returned: tables of which rows of the deletion
								 * were brought back in this transaction; in
								 * TopTransactionContext */
static SubTransactionId logged_in = InvalidSubTransactionId;	/* where its row was
																 * written */
static Oid	logged_to = InvalidOid;	/* and to which table: the extension may be
									 * dropped and made again */
static SubTransactionId root_in = InvalidSubTransactionId;	/* where its root was logged */
static SubTransactionId bypassed_in = InvalidSubTransactionId;	/* where it was put on
																 * record that it
																 * deletes really */

static bool resumed = false;	/* is it one of an earlier transaction? */
static int64 resumed_rows = 0;	/* deleted since */

/* An undelete in the transaction that deleted. */
typedef struct Returned
{
	Oid			relid;
	int32		statement_no;	/* its place among the statements */
	int32		previous;		/* the same of the undelete before; 0: none */
	SubTransactionId sub;		/* in which it was done */
} Returned;

static void
end_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			deletion_id = 0;
			statement_no = 0;
			resumed = false;
			returned = NIL;
			logged_in = InvalidSubTransactionId;
			root_in = InvalidSubTransactionId;
			bypassed_in = InvalidSubTransactionId;
			break;
		default:
			break;
	}
}

static void
end_subtransaction(SubXactEvent event, SubTransactionId sub,
				   SubTransactionId parent, void *arg)
{
	SubTransactionId in = event == SUBXACT_EVENT_ABORT_SUB ? InvalidSubTransactionId : parent;
	ListCell   *lc;

	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	foreach(lc, returned)
	{
		Returned   *r = lfirst(lc);

		if (r->sub != sub)
			continue;
		if (event == SUBXACT_EVENT_ABORT_SUB)
			returned = foreach_delete_current(returned, lc);
		else
			r->sub = parent;
	}
	if (logged_in == sub)
		logged_in = in;
	if (root_in == sub)
		root_in = in;
	if (bypassed_in == sub)
		bypassed_in = in;
}

/* Registers the transaction callbacks; called once. */
void
sd_deletion_init(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}

/*
 * The OID of a table or sequence of the extension's own; InvalidOid if it is not
 * there.  In a database without the extension somebody else may have made one
 * of that name.
 */
Oid
sd_find_own_relation(const char *name)
{
	Oid			schema = get_namespace_oid(SD_SCHEMA, true);
	Oid			relid = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;

	return OidIsValid(relid) && OidIsValid(getExtensionOfObject(RelationRelationId, relid)) ?
		relid : InvalidOid;
}

/* OIDs of the extension's own that hold as long as nothing at all is invalidated. */
typedef struct OwnRelation
{
	char		name[NAMEDATALEN];
	Oid			relid;			/* InvalidOid: none */
	uint64		reading;		/* of sd_memo_reading() */
} OwnRelation;

#define OWN_RELATIONS 8

static OwnRelation own_relations[OWN_RELATIONS];
static int	next_own = 0;		/* to be taken for the next name */

/*
 * The OID of a table or sequence of the extension's own.  Error 55000 when it
 * is not there: a guard trigger without its extension.
 */
Oid
sd_own_relation(const char *name)
{
	uint64		reading = sd_memo_reading();
	OwnRelation *own;
	Oid			relid;

	for (int i = 0; i < OWN_RELATIONS; i++)
		if (own_relations[i].reading == reading && OidIsValid(own_relations[i].relid) &&
			strcmp(own_relations[i].name, name) == 0)
			return own_relations[i].relid;
	relid = get_relname_relid(name, get_namespace_oid(SD_SCHEMA, false));
	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation \"%s.%s\" of extension softdelete does not exist",
						SD_SCHEMA, name),
				 errhint("Restore it from a backup, or drop and create extension softdelete.")));
	own = &own_relations[next_own];
	next_own = (next_own + 1) % OWN_RELATIONS;
	strlcpy(own->name, name, NAMEDATALEN);
	own->relid = relid;
	own->reading = reading;
	return relid;
}

/* The id of this transaction's deletion; the first call draws it. */
int64
sd_deletion_id(void)
{
	if (deletion_id == 0)
	{
		deletion_id = nextval_internal(sd_own_relation("deletion_id_seq"), false);
		deletion_time = GetCurrentTimestamp();
	}
	return deletion_id;
}

/* The id drawn last, by whomever. */
static int64
last_id(Oid sequence)
{
	SdStatement statement = {0};

	statement.sql = "SELECT s.last_value - (NOT s.is_called)::integer"
		" FROM " SD_SCHEMA ".deletion_id_seq s";
	statement.owner_of = sequence;
	return sd_run_int64(&statement);
}

/*
 * No sequence comes this far by deletions.  Whoever owns a table can write what
 * he likes into it, and must not use up the ids of everybody.
 */
#define LAST_ID_BELIEVED (PG_INT64_MAX / 2)

/*
 * Makes sure that no id up to this one is drawn again.  While the sequence is
 * moved nobody draws from it, lest it goes back.  That is at once and for good, and
 * so the lock is not kept: every DELETE would wait for this transaction.
 */
void
sd_deletion_id_past(int64 last)
{
	Oid			sequence = sd_own_relation("deletion_id_seq");
	SdStatement statement = {0};

	if (last > LAST_ID_BELIEVED || last_id(sequence) >= last)
		return;
	LockRelationOid(sequence, ShareRowExclusiveLock);
	if (last_id(sequence) < last)
	{
		statement.sql = psprintf("SELECT pg_catalog.setval(%u::pg_catalog.regclass, " INT64_FORMAT ")",
								 sequence, last);
		statement.owner_of = sequence;
		(void) sd_run_int64(&statement);
	}
	UnlockRelationOid(sequence, ShareRowExclusiveLock);
}

/*
 * Adds to the count of one table; the list is made and grown in the current
 * memory context.
 */
List *
sd_count_rows(List *counts, Oid relid, int64 rows)
{
	ListCell   *lc;
	SdRowCount *count;

	if (rows == 0)
		return counts;
	foreach(lc, counts)
	{
		count = lfirst(lc);
		if (count->relid == relid)
		{
			count->rows += rows;
			return counts;
		}
	}
	count = palloc(sizeof(SdRowCount));
	count->relid = relid;
	count->rows = rows;
	return lappend(counts, count);
}

static void
insert_row(const char *name, Datum *values, bool *nulls)
{
	Relation	rel = table_open(sd_own_relation(name), RowExclusiveLock);
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);

	CatalogTupleInsert(rel, tuple);
	heap_freetuple(tuple);
	table_close(rel, NoLock);
}

static void
text_or_null(Datum *value, bool *isnull, const char *string)
{
	*isnull = string == NULL || string[0] == '\0';
	if (!*isnull)
		*value = CStringGetTextDatum(string);
}

static Datum
role_name(Oid role)
{
	Name		name = palloc0(NAMEDATALEN);
	char	   *user = GetUserNameFromId(role, true);	/* it may have been dropped */

	namestrcpy(name, user ? user : psprintf("%u", role));
	return NameGetDatum(name);
}

/* What resuming a deletion puts aside. */
struct SdDeletionState
{
	int64		deletion_id;
	TimestampTz deletion_time;
	int32		statement_no;
	List	   *returned;
	SubTransactionId logged_in;
	Oid			logged_to;
	SubTransactionId root_in;
};

static int32
last_statement_no(int64 deletion)
{
	SdStatement statement = {0};

	statement.sql = psprintf("SELECT pg_catalog.max(l.statement_no)::bigint FROM " SD_SCHEMA ".deleted_relation l"
							 " WHERE l.deletion_id = " INT64_FORMAT, deletion);
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("deletion");
	return (int32) sd_run_int64(&statement);
}

/*
 * From now on what is deleted joins a deletion that is in the log, until
 * sd_deletion_leave(), which must be called on error too.
 */
SdDeletionState *
sd_deletion_resume(int64 deletion)
{
	SdDeletionState *own = palloc(sizeof(SdDeletionState));
	int32		last = last_statement_no(deletion);

	own->deletion_id = deletion_id;
	own->deletion_time = deletion_time;
	own->statement_no = statement_no;
	own->returned = returned;
	own->logged_in = logged_in;
	own->logged_to = logged_to;
	own->root_in = root_in;
	deletion_id = deletion;
	deletion_time = GetCurrentTimestamp();
	statement_no = last;
	returned = NIL;
	logged_in = root_in = GetCurrentSubTransactionId();
	logged_to = sd_own_relation("deletion");
	resumed = true;
	resumed_rows = 0;
	return own;
}

/* Goes on with the transaction's own; returns how many rows joined the other one. */
int64
sd_deletion_leave(SdDeletionState *own)
{
	/* of the transaction's own deletion, resumed, statements have been added */
	if (own->deletion_id != deletion_id)
		statement_no = own->statement_no;
	deletion_id = own->deletion_id;
	deletion_time = own->deletion_time;
	returned = own->returned;
	logged_in = own->logged_in;
	logged_to = own->logged_to;
	root_in = own->root_in;
	resumed = false;
	pfree(own);
	return resumed_rows;
}

/* Is it not known yet with which rows the deletion began? */
bool
sd_deletion_wants_root(void)
{
	return root_in == InvalidSubTransactionId;
}

/*
 * Logs what one statement of a user, with its cascade, has deleted: a list of
 * SdRowCount, those of the tables that the statement named first.  Nothing for
 * an empty one.  "root": keys, as text[], of rows of the first of the tables; NULL
 * for a statement within another that deletes, and when a root has been logged.
 */
void
sd_deletion_log(List *counts, int named, ArrayType *root)
{
	int			n = list_length(counts);
	Datum	   *relations = palloc(n * sizeof(Datum));
	Datum	   *rows = palloc(n * sizeof(Datum));
	Datum		values[14] = {0};
	bool		nulls[14] = {0};
	int			i = 0;
	ListCell   *lc;

	if (n == 0)
		return;
	sd_limits_add(counts, sd_deletion_id());
	foreach(lc, counts)
	{
		SdRowCount *count = lfirst(lc);

		relations[i] = ObjectIdGetDatum(count->relid);
		rows[i++] = Int64GetDatum(count->rows);
		resumed_rows += count->rows;
	}
	values[0] = Int64GetDatum(sd_deletion_id());
	values[1] = PointerGetDatum(construct_array(relations, n, REGCLASSOID, sizeof(Oid),
												true, TYPALIGN_INT));
	values[2] = PointerGetDatum(construct_array(rows, n, INT8OID, sizeof(int64),
												FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	values[3] = Int32GetDatum(named);
	statement_no++;
	if (root)
		root_in = GetCurrentSubTransactionId();
	if (logged_in != InvalidSubTransactionId && logged_to == sd_own_relation("deletion"))
	{
		values[4] = Int32GetDatum(statement_no);
		values[5] = PointerGetDatum(root);
		nulls[5] = root == NULL;
		values[6] = BoolGetDatum(resumed);
		insert_row("deletion_more", values, nulls);
		return;
	}

	values[4] = TimestampTzGetDatum(deletion_time);
	values[5] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	values[6] = role_name(GetUserId());
	values[7] = role_name(GetSessionUserId());
	text_or_null(&values[8], &nulls[8], sd_actor);
	text_or_null(&values[9], &nulls[9], application_name);
	{
		LOCAL_FCINFO(fcinfo, 0);

		InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
		values[10] = inet_client_addr(fcinfo);
		nulls[10] = fcinfo->isnull;
	}
	text_or_null(&values[11], &nulls[11], sd_reason);
	nulls[12] = debug_query_string == NULL;
	if (!nulls[12])
	{
		int			length = pg_mbcliplen(debug_query_string, strlen(debug_query_string),
										  STATEMENT_LENGTH);

		values[12] = PointerGetDatum(cstring_to_text_with_len(debug_query_string, length));
	}
	values[13] = PointerGetDatum(root);
	nulls[13] = root == NULL;
	insert_row("deletion", values, nulls);
	logged_in = GetCurrentSubTransactionId();
	logged_to = sd_own_relation("deletion");
}

/* The last undelete that brought back rows of a table. */
static Returned *
last_returned(Oid relid)
{
	Returned   *last = NULL;
	ListCell   *lc;

	foreach(lc, returned)
	{
		Returned   *r = lfirst(lc);

		if (r->relid == relid && (last == NULL || r->statement_no > last->statement_no))
			last = r;
	}
	return last;
}

/*
 * Rows of these tables (OIDs) have been brought back; later statements of this
 * transaction may delete them again.
 */
void
sd_deletion_returned(List *relids)
{
	SubTransactionId sub = GetCurrentSubTransactionId();
	MemoryContext old;
	ListCell   *lc;

	if (deletion_id == 0)
		return;
	statement_no++;
	old = MemoryContextSwitchTo(TopTransactionContext);
	foreach(lc, relids)
	{
		Returned   *last = last_returned(lfirst_oid(lc));
		Returned   *r = last;

		if (last == NULL || last->sub != sub)
		{
			r = palloc(sizeof(Returned));
			r->relid = lfirst_oid(lc);
			r->sub = sub;
			returned = lappend(returned, r);
		}
		r->previous = last ? last->statement_no : 0;
		r->statement_no = statement_no;
	}
	MemoryContextSwitchTo(old);
}

/*
 * SQL for what has been brought back of this transaction's own deletion, by the
 * last undelete of each table: rows (relation oid, deletion_id bigint,
 * statement_no integer, previous integer); palloc'd.
 */
char *
sd_deletion_returned_sql(void)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT 0::pg_catalog.oid AS relation, 0::bigint AS deletion_id,"
						   " 0 AS statement_no, 0 AS previous WHERE false");
	foreach(lc, returned)
	{
		Returned   *r = lfirst(lc);

		if (r == last_returned(r->relid))
			appendStringInfo(&sql, " UNION ALL SELECT %u, " INT64_FORMAT ", %d, %d",
							 r->relid, deletion_id, r->statement_no, r->previous);
	}
	return sql.data;
}

/*
 * Logs what happened to a deletion or a registered table afterwards.  0 and
 * InvalidOid stand for none.  Returns the event's id.
 */
int64
sd_event_log(const char *event, int64 deletion, Oid relid, int64 rows)
{
	Datum		values[10] = {0};
	bool		nulls[10] = {0};

	values[0] = Int64GetDatum(nextval_internal(sd_own_relation("event_id_seq"), false));
	values[1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[2] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	values[3] = role_name(GetUserId());
	values[4] = role_name(GetSessionUserId());
	values[5] = CStringGetTextDatum(event);
	values[6] = Int64GetDatum(deletion);
	nulls[6] = deletion == 0;
	values[7] = ObjectIdGetDatum(relid);
	nulls[7] = !OidIsValid(relid);
	values[8] = Int64GetDatum(rows);
	nulls[9] = true;
	insert_row("event", values, nulls);
	return DatumGetInt64(values[0]);
}

/*
 * Puts on record, once a transaction, that softdelete.enabled = off lets a real
 * delete pass: of rows of this table first.
 */
void
sd_bypass_log(Oid relid)
{
	if (bypassed_in != InvalidSubTransactionId)
		return;
	sd_event_log("bypass", 0, relid, 0);
	bypassed_in = GetCurrentSubTransactionId();
}

PG_FUNCTION_INFO_V1(softdelete_deletion_id);

/* softdelete.deletion_id(): for the target list of a converted DELETE. */
Datum
softdelete_deletion_id(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(sd_deletion_id());
}

PG_FUNCTION_INFO_V1(softdelete_deletion_time);

/*
 * softdelete.deletion_time(): when this transaction's deletion began;
 * softdelete.deletion_time(deletion_id): when that one did, and where that is not
 * known, now.  For flags that say when a row was deleted.
 */
Datum
softdelete_deletion_time(PG_FUNCTION_ARGS)
{
	Relation	rel;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	TimestampTz time = GetCurrentTransactionStartTimestamp();
	bool		isnull;

	if (PG_NARGS() == 0 || (!PG_ARGISNULL(0) && PG_GETARG_INT64(0) == deletion_id))
	{
		(void) sd_deletion_id();
		PG_RETURN_TIMESTAMPTZ(deletion_time);
	}
	if (PG_ARGISNULL(0))
		PG_RETURN_TIMESTAMPTZ(time);
	rel = table_open(sd_own_relation("deletion"), AccessShareLock);
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, PG_GETARG_DATUM(0));
	scan = systable_beginscan(rel, sd_primary_key_index(rel), true, GetActiveSnapshot(), 1, &key);
	if (HeapTupleIsValid(tuple = systable_getnext(scan)))
		time = DatumGetTimestampTz(heap_getattr(tuple, 5, RelationGetDescr(rel), &isnull));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	PG_RETURN_TIMESTAMPTZ(time);
}
