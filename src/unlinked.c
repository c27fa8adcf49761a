/*
 * unlinked.c - references that a transaction gives up before it deletes.
 *
 * An application may do itself what ON DELETE SET NULL would do: it sets the
 * foreign key to NULL, or to its default, and deletes the parent then.  (So do
 * ORMs that do not leave it to the database.)  For undelete to put such a
 * reference back, an UPDATE that gives one up is remembered for the
 * transaction; when the parent is deleted in it, it is written to the journal
 * as if the action had done it.
 *
 * A row that goes, or gets another key, in between is remembered too: then what it
 * gave up before is not journalled, because another row may have its key.  Nor is
 * what a row gave up before it gave up something else.
 *
 * What is remembered lives in tuplestores of the transaction.  What a
 * subtransaction that has aborted remembered does not count.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "links.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "registry.h"
#include "rewrite/rewriteHandler.h"
#include "run.h"
#include "unlinked.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/typcache.h"

#define ROW_PREFIX "r"
#define OLD_PREFIX "o"
#define NEW_PREFIX "n"

/*
 * Rows that gave up a reference by one foreign key, while the columns concerned
 * were of these types: the transaction may alter the table in between.
 */
typedef struct Pending
{
	Oid			fkey;
	List	   *key;			/* attribute numbers of the row's key, in the
								 * foreign key's table */
	SdRowset   *rows;			/* transaction that did it, position, r<att> the
								 * row's key, o<att> and n<att> the foreign key's
								 * columns before and after; null if the row left */
	int64		last;			/* position */
	int64		void_until;		/* position up to which nothing counts any more */
	bool		later;			/* may a later entry of a row matter: has one left, or
								 * been given a reference again? */
} Pending;

static List *pending = NIL;		/* Pending, of this transaction */
static bool outdated = false;	/* has a subtransaction aborted since? */

static void
end_transaction(XactEvent event, void *arg)
{
	ListCell   *lc;

	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			foreach(lc, pending)
				tuplestore_end(((Pending *) lfirst(lc))->rows->store);
			pending = NIL;
			outdated = false;
			break;
		case XACT_EVENT_ABORT:
			pending = NIL;
			outdated = false;
			break;
		default:
			break;
	}
}

static void
end_subtransaction(SubXactEvent event, SubTransactionId sub,
				   SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		outdated = true;
}

/* Registers the transaction callbacks; called once. */
void
sd_unlinked_init(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}

/* ---------- an UPDATE that may give up references ---------- */

static void
add_columns(TupleDesc desc, int *n, const char *prefix, Oid relid, AttrNumber att)
{
	Oid			type;
	int32		typmod;
	Oid			collation;

	get_atttypetypmodcoll(relid, att, &type, &typmod, &collation);
	TupleDescInitEntry(desc, ++(*n), psprintf("%s%d", prefix, att), type, typmod, 0);
	TupleDescInitEntryCollation(desc, *n, collation);
}

/* The columns of Pending.rows. */
static TupleDesc
row_desc(const SdForeignKey *fkey, const List *key)
{
	TupleDesc	desc = CreateTemplateTupleDesc(2 + list_length(key) + 2 * fkey->nkeys);
	int			n = 2;
	const ListCell *lc;

	TupleDescInitEntry(desc, 1, "transaction", INT8OID, -1, 0);
	TupleDescInitEntry(desc, 2, "position", INT8OID, -1, 0);
	foreach(lc, key)
		add_columns(desc, &n, ROW_PREFIX, fkey->child, lfirst_int(lc));
	for (int k = 0; k < fkey->nkeys; k++)
		add_columns(desc, &n, OLD_PREFIX, fkey->child, fkey->child_att[k]);
	for (int k = 0; k < fkey->nkeys; k++)
		add_columns(desc, &n, NEW_PREFIX, fkey->child, fkey->child_att[k]);
	return desc;
}

static AttrNumber
attribute_here(const SdForeignKey *fkey, AttrNumber att, Oid relid)
{
	return relid == fkey->child ? att : get_attnum(relid, get_attname(fkey->child, att, false));
}

static ExprState *
default_of(EState *estate, Relation rel, AttrNumber att)
{
	Node	   *value = build_column_default(rel, att);

	/* a volatile one could not be compared, and may have effects */
	if (value == NULL || contain_volatile_functions(value))
		return NULL;
	return ExecPrepareExpr((Expr *) value, estate);
}

static SdUnlinking *
make_unlinking(EState *estate, Relation rel, const SdForeignKey *fkey)
{
	SdUnlinking *unlinking = palloc0(sizeof(SdUnlinking));
	Oid			relid = RelationGetRelid(rel);
	int			i = 0;
	ListCell   *lc;

	unlinking->fkey = fkey;
	unlinking->child_att = palloc(fkey->nkeys * sizeof(AttrNumber));
	unlinking->defaults = palloc0(fkey->nkeys * sizeof(ExprState *));
	for (int k = 0; k < fkey->nkeys; k++)
	{
		unlinking->child_att[k] = attribute_here(fkey, fkey->child_att[k], relid);
		unlinking->defaults[k] = default_of(estate, rel, unlinking->child_att[k]);
	}
	unlinking->key = sd_row_key(fkey);
	unlinking->key_att = palloc(list_length(unlinking->key) * sizeof(AttrNumber));
	foreach(lc, unlinking->key)
		unlinking->key_att[i++] = attribute_here(fkey, lfirst_int(lc), relid);
	unlinking->desc = row_desc(fkey, unlinking->key);
	return unlinking;
}

/*
 * The foreign keys to registered tables of which an UPDATE of these columns may
 * give up references: a list of SdUnlinking, in the current memory context;
 * NIL for most.
 */
List *
sd_unlinking(EState *estate, Relation rel, const Bitmapset *updated)
{
	List	   *unlinkings = NIL;
	bool		any = false;
	ListCell   *lc;

	foreach(lc, RelationGetFKeyList(rel))
		any |= sd_registered(((ForeignKeyCacheInfo *) lfirst(lc))->confrelid, NULL);
	if (!any)
		return NIL;
	foreach(lc, sd_fkeys_from(rel))
	{
		SdForeignKey *fkey = lfirst(lc);
		bool		touched = false;

		if (!sd_registered(fkey->parent, NULL))
			continue;
		for (int k = 0; k < fkey->nkeys; k++)
			touched |= bms_is_member(attribute_here(fkey, fkey->child_att[k], RelationGetRelid(rel)) -
									 FirstLowInvalidHeapAttributeNumber, updated);
		if (touched)
			unlinkings = lappend(unlinkings, make_unlinking(estate, rel, fkey));
	}
	return unlinkings;
}

/* ---------- its rows ---------- */

static Pending *
find_pending(Oid fkey, TupleDesc desc)
{
	ListCell   *lc;

	foreach(lc, pending)
	{
		Pending    *p = lfirst(lc);

		if (p->fkey == fkey && equalTupleDescs(p->rows->desc, desc))
			return p;
	}
	return NULL;
}

/* Where rows that give up this reference are remembered, until the transaction ends. */
static Pending *
pending_of(const SdUnlinking *unlinking)
{
	Pending    *p = find_pending(unlinking->fkey->id, unlinking->desc);

	if (p == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
		ResourceOwner owner = CurrentResourceOwner;

		CurrentResourceOwner = TopTransactionResourceOwner;
		p = palloc0(sizeof(Pending));
		p->fkey = unlinking->fkey->id;
		p->key = list_copy(unlinking->key);
		p->rows = sd_rowset_create(unlinking->desc);
		pending = lappend(pending, p);
		CurrentResourceOwner = owner;
		MemoryContextSwitchTo(old);
	}
	return p;
}

static bool
is_default(EState *estate, ExprState *expression, Datum value, Oid type)
{
	bool		isnull;
	Datum		datum;
	TypeCacheEntry *entry;

	if (expression == NULL)
		return false;
	datum = ExecEvalExprSwitchContext(expression, GetPerTupleExprContext(estate), &isnull);
	if (isnull)
		return false;
	entry = lookup_type_cache(type, 0);
	return datumIsEqual(datum, value, entry->typbyval, entry->typlen);
}

/* Did the row give up its reference: from a full key to NULL or a default? */
static bool
gives_up(EState *estate, const SdUnlinking *unlinking, TupleDesc desc,
		 Datum *before, bool *before_null, Datum *after, bool *after_null)
{
	bool		changed = false;

	for (int k = 0; k < unlinking->fkey->nkeys; k++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, unlinking->child_att[k] - 1);

		if (before_null[k])
			return false;
		if (!after_null[k] && datumIsEqual(before[k], after[k], att->attbyval, att->attlen))
			continue;
		if (!after_null[k] && !is_default(estate, unlinking->defaults[k], after[k], att->atttypid))
			return false;
		changed = true;
	}
	return changed;
}

static void
remember(EState *estate, const SdUnlinking *unlinking, Relation rel,
		 HeapTuple before, HeapTuple after)
{
	TupleDesc	desc = RelationGetDescr(rel);
	int			nkeys = unlinking->fkey->nkeys;
	int			nrow = list_length(unlinking->key);
	int			n = 2 + nrow + 2 * nkeys;
	Datum	   *values = palloc(n * sizeof(Datum));
	bool	   *nulls = palloc(n * sizeof(bool));
	Datum	   *old_values = values + 2 + nrow;
	bool	   *old_nulls = nulls + 2 + nrow;
	Pending    *p;

	for (int k = 0; k < nkeys; k++)
	{
		old_values[k] = heap_getattr(before, unlinking->child_att[k], desc, &old_nulls[k]);
		old_values[nkeys + k] = heap_getattr(after, unlinking->child_att[k], desc,
											 &old_nulls[nkeys + k]);
	}
	if (!gives_up(estate, unlinking, desc, old_values, old_nulls,
				  old_values + nkeys, old_nulls + nkeys))
	{
		p = find_pending(unlinking->fkey->id, unlinking->desc);
		if (p)
			p->later = true;
		return;
	}
	p = pending_of(unlinking);
	values[0] = Int64GetDatum(GetCurrentTransactionId());
	values[1] = Int64GetDatum(++p->last);
	nulls[0] = nulls[1] = false;
	for (int r = 0; r < nrow; r++)
		values[2 + r] = heap_getattr(after, unlinking->key_att[r], desc, &nulls[2 + r]);
	tuplestore_putvalues(p->rows->store, p->rows->desc, values, nulls);
}

/* Remembers the references that a row gives up. */
void
sd_unlinking_row(EState *estate, List *unlinking, Relation rel,
				 HeapTuple before, HeapTuple after)
{
	ListCell   *lc;

	foreach(lc, unlinking)
		remember(estate, lfirst(lc), rel, before, after);
}

/* Has this transaction given up any reference? */
bool
sd_unlinked_any(void)
{
	return pending != NIL;
}

/* Is the row's key by which it is remembered another one after it has changed? */
static bool
same_key(TupleTableSlot *row, TupleTableSlot *after, const AttrNumber *atts, int n)
{
	for (int i = 0; i < n; i++)
	{
		Form_pg_attribute att = TupleDescAttr(row->tts_tupleDescriptor, atts[i] - 1);
		bool		null_before;
		bool		null_after;
		Datum		before = slot_getattr(row, atts[i], &null_before);
		Datum		value = slot_getattr(after, atts[i], &null_after);

		if (att->attgenerated || null_before != null_after ||
			(!null_before && !datumIsEqual(before, value, att->attbyval, att->attlen)))
			return false;
	}
	return true;
}

/* A row leaves its table or, with "after", changes. */
void
sd_unlinked_left(Relation rel, TupleTableSlot *row, TupleTableSlot *after)
{
	ListCell   *lc;
	ListCell   *lp;

	foreach(lc, sd_fkeys_from(rel))
	{
		SdForeignKey *fkey = lfirst(lc);

		foreach(lp, pending)
		{
			Pending    *p = lfirst(lp);
			int			nrow = list_length(p->key);
			AttrNumber *atts = palloc(nrow * sizeof(AttrNumber));
			int			n = p->rows->desc->natts;
			Datum	   *values = palloc0(n * sizeof(Datum));
			bool	   *nulls = palloc(n * sizeof(bool));
			int			i = 0;
			ListCell   *lk;

			if (p->fkey != fkey->id)
				continue;
			foreach(lk, p->key)
				atts[i++] = attribute_here(fkey, lfirst_int(lk), RelationGetRelid(rel));
			if (after && same_key(row, after, atts, nrow))
				continue;
			memset(nulls, true, n * sizeof(bool));
			values[0] = Int64GetDatum(GetCurrentTransactionId());
			values[1] = Int64GetDatum(++p->last);
			nulls[0] = nulls[1] = false;
			for (i = 0; i < nrow; i++)
				values[2 + i] = slot_getattr(row, atts[i], &nulls[2 + i]);
			tuplestore_putvalues(p->rows->store, p->rows->desc, values, nulls);
			p->later = true;
		}
	}
}

/* An undelete has given rows their references again. */
void
sd_unlinked_again(void)
{
	ListCell   *lc;

	foreach(lc, pending)
		((Pending *) lfirst(lc))->later = true;
}

/* All rows, or who knows which, leave this table. */
void
sd_unlinked_all_left(Relation rel)
{
	ListCell   *lc;
	ListCell   *lp;

	if (pending == NIL || RelationGetFKeyList(rel) == NIL)
		return;
	foreach(lc, sd_fkeys_from(rel))
		foreach(lp, pending)
			if (((Pending *) lfirst(lp))->fkey == ((SdForeignKey *) lfirst(lc))->id)
				((Pending *) lfirst(lp))->void_until = ((Pending *) lfirst(lp))->last;
}

/* ---------- the parent goes ---------- */

/* The row's key in what is remembered, as text[]. */
static void
append_key(StringInfo sql, const char *alias, const List *key)
{
	const char *sep = "";
	const ListCell *lc;

	appendStringInfoString(sql, "ARRAY[");
	foreach(lc, key)
	{
		appendStringInfo(sql, "%ssoftdelete.to_text(%s." ROW_PREFIX "%d)", sep, alias, lfirst_int(lc));
		sep = ", ";
	}
	appendStringInfoString(sql, "]::pg_catalog.text[]");
}

static char *
matching_links(const SdForeignKey *fkey, const List *key, const Pending *p)
{
	StringInfoData sql;
	char		column[SD_COLUMN_SIZE];

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ARRAY[");
	for (int k = 0; k < fkey->nkeys; k++)
		appendStringInfo(&sql, "%s" SD_TO_TEXT, k ? ", " : "",
						 sd_fkey_column(column, "p", SD_KEY_PREFIX, fkey->parent, fkey->parent_att[k]));
	appendStringInfoString(&sql, "], ");
	append_key(&sql, "l", key);
	for (int after = 0; after <= 1; after++)
	{
		appendStringInfoString(&sql, ", ARRAY[");
		for (int s = 0; s < fkey->nset; s++)
			appendStringInfo(&sql, "%ssoftdelete.to_text(l.%s%d)", s ? ", " : "",
							 after ? NEW_PREFIX : OLD_PREFIX, fkey->set_att[s]);
		appendStringInfoString(&sql, "]::pg_catalog.text[]");
	}
	appendStringInfoString(&sql, " FROM " SD_ROWS_NAME " p, softdelete_unlinked l WHERE ");
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "l", OLD_PREFIX);
	appendStringInfo(&sql, " AND l.position > " INT64_FORMAT, p->void_until);
	if (p->later)
	{
		appendStringInfoString(&sql, " AND NOT EXISTS (SELECT FROM softdelete_unlinked x"
							   " WHERE x.position > l.position AND ");
		append_key(&sql, "x", key);
		appendStringInfoString(&sql, " = ");
		append_key(&sql, "l", key);

		/* where rows may have the same key, another one of them may have given it up */
		if (sd_row_key_is_shared(fkey))
			appendStringInfo(&sql, " AND x." OLD_PREFIX "%d IS NULL", fkey->child_att[0]);
		appendStringInfoChar(&sql, ')');
	}
	return sql.data;
}

/*
 * Forgets the rows of subtransactions that have been rolled back, those that had
 * been released into them among them.
 */
static void
forget_aborted(Pending *p)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	ResourceOwner owner = CurrentResourceOwner;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(p->rows->desc, &TTSOpsMinimalTuple);
	SdRowset   *kept;

	CurrentResourceOwner = TopTransactionResourceOwner;
	kept = sd_rowset_create(p->rows->desc);
	tuplestore_rescan(p->rows->store);
	while (tuplestore_gettupleslot(p->rows->store, true, false, slot))
	{
		bool		isnull;

		if (TransactionIdIsCurrentTransactionId((TransactionId)
												DatumGetInt64(slot_getattr(slot, 1, &isnull))))
			tuplestore_puttupleslot(kept->store, slot);
	}
	CurrentResourceOwner = owner;
	ExecDropSingleTupleTableSlot(slot);
	sd_rowset_free(p->rows);
	p->rows = kept;
	MemoryContextSwitchTo(old);
}

/*
 * Writes to the journal what this transaction gave up of references to rows that
 * it now deletes.
 */
void
sd_unlinked_journal(const SdDeleted *set)
{
	ListCell   *lc;

	if (pending == NIL)
		return;
	if (outdated)
		foreach(lc, pending)
			forget_aborted(lfirst(lc));
	outdated = false;
	foreach(lc, set->fkeys)
	{
		const SdForeignKey *fkey = lfirst(lc);
		List	   *key = sd_row_key(fkey);
		Pending    *p = find_pending(fkey->id, row_desc(fkey, key));
		SdStatement statement = {0};
		SdRowset   *links = NULL;

		if (p == NULL)
			continue;
		statement.sql = matching_links(fkey, key, p);
		statement.kind = SD_RUN_LIVE;
		statement.owner_of = fkey->child;
		statement.portable = true;
		statement.expect = SPI_OK_SELECT;
		statement.ninputs = 2;
		statement.input_names[0] = SD_ROWS_NAME;
		statement.inputs[0] = set->rows;
		statement.input_names[1] = "softdelete_unlinked";
		statement.inputs[1] = p->rows;
		statement.result = &links;
		sd_run(&statement);
		sd_links_write(fkey, links);
		sd_rowset_free(links);
	}
}
