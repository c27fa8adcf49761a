/*
 * root.c - the rows with which a deletion begins.
 *
 * The keys of the first few rows that the first statement deletes from its table
 * are taken down for the log, as text that softdelete_undelete() takes: the key's
 * own or, of a composite key, a JSON object.  Further rows cost nothing.
 *
 * Where virtual triggers see the rows they hand them over.  A bare statement has
 * none, and with one it would lock rows as no bare statement does; there places are
 * noted as the rows come to be deleted, and looked at when they have been.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "deletion.h"
#include "registry.h"
#include "root.h"
#include "rowkey.h"
#include "run.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define ROOT_KEYS 10			/* at most, in one deletion */

/* A row that a statement is about to delete. */
typedef struct Place
{
	Oid			relid;
	ItemPointerData tid;
} Place;

struct SdRoot
{
	Oid			relid;			/* the table, or the root of its partitions */
	bool		looked;			/* has its key been looked up? */
	List	   *key;			/* attribute numbers in relid; NIL: no primary key */
	Oid			leaf;			/* the relation for which atts are known */
	AttrNumber	atts[INDEX_MAX_KEYS];	/* of the key, in leaf */
	int			nkeys;
	Datum		keys[ROOT_KEYS];	/* text */
	int			nplaces;
	Place		places[ROOT_KEYS];
	MemoryContext context;		/* where all of this lives */
};

/* For the rows of a table that a statement names; in the current memory context. */
SdRoot *
sd_root_create(Oid relid)
{
	SdRoot	   *root = palloc0(sizeof(SdRoot));

	root->relid = sd_partition_root(relid);
	root->context = CurrentMemoryContext;
	return root;
}

/* Is there nothing more to be taken down? */
bool
sd_root_is_full(const SdRoot *root)
{
	return root->nkeys == ROOT_KEYS || root->nplaces == ROOT_KEYS ||
		(root->looked && root->key == NIL);
}

/* Does text of this type read the same in every session? */
static bool
is_portable(Oid type)
{
	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case OIDOID:
		case UUIDOID:
		case NAMEOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			return true;
		default:
			return false;
	}
}

static char *
value_text(Oid type, Datum value)
{
	Oid			output;
	bool		varlena;
	char	   *text;
	int			nestlevel;

	getTypeOutputInfo(type, &output, &varlena);
	if (is_portable(getBaseType(type)))
		return OidOutputFunctionCall(output, value);
	nestlevel = sd_portable_begin();
	text = OidOutputFunctionCall(output, value);
	sd_portable_end(nestlevel);
	return text;
}

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

/* The columns of the key in the table or partition in which a row is. */
static void
look_up(SdRoot *root, Relation rel)
{
	Oid			relid = RelationGetRelid(rel);
	ListCell   *lc;
	int			i = 0;

	if (!root->looked)
		root->key = sd_primary_key(root->relid);
	root->looked = true;
	foreach(lc, root->key)
		root->atts[i++] = relid == root->relid ? lfirst_int(lc) :
			get_attnum(relid, get_attname(root->relid, lfirst_int(lc), false));
	root->leaf = relid;
}

/* Takes down the key of a row, as it was before it was deleted. */
void
sd_root_add(SdRoot *root, Relation rel, HeapTuple row)
{
	TupleDesc	desc = RelationGetDescr(rel);
	MemoryContext old;
	StringInfoData text;
	int			nkeys;

	if (root->nkeys == ROOT_KEYS || (root->looked && root->key == NIL))
		return;
	old = MemoryContextSwitchTo(root->context);
	if (root->leaf != RelationGetRelid(rel))
		look_up(root, rel);
	initStringInfo(&text);
	nkeys = list_length(root->key);
	for (int i = 0; i < nkeys; i++)
	{
		AttrNumber	att = root->atts[i];
		Form_pg_attribute column = TupleDescAttr(desc, att - 1);
		bool		isnull;
		Datum		value = heap_getattr(row, att, desc, &isnull);
		char	   *value_as_text = isnull ? "" : value_text(column->atttypid, value);

		if (nkeys == 1)
			appendStringInfoString(&text, value_as_text);
		else
		{
			appendStringInfoString(&text, i ? ", " : "{");
			escape_json(&text, NameStr(column->attname));
			appendStringInfoString(&text, ": ");
			if (is_integer(column->atttypid))
				appendStringInfoString(&text, value_as_text);
			else
				escape_json(&text, value_as_text);
		}
	}
	if (nkeys > 1)
		appendStringInfoChar(&text, '}');
	if (nkeys > 0)
		root->keys[root->nkeys++] = CStringGetTextDatum(text.data);
	MemoryContextSwitchTo(old);
}

/* A row is about to be deleted. */
void
sd_root_note_place(SdRoot *root, Oid relid, ItemPointer tid)
{
	root->places[root->nplaces].relid = relid;
	root->places[root->nplaces++].tid = *tid;
}

/*
 * Takes down the key of the row in one place if it has been deleted by this
 * transaction; somebody else may have changed it before.
 */
static void
add_place(SdRoot *root, Place *place)
{
	Relation	rel = table_open(place->relid, AccessShareLock);
	TableScanDesc scan = table_beginscan_tid(rel, SnapshotSelf);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	SdTable		table;
	bool		isnull;

	table_tuple_get_latest_tid(scan, &place->tid);
	if (sd_registered(place->relid, &table) &&
		table_tuple_fetch_row_version(rel, &place->tid, SnapshotSelf, slot) &&
		DatumGetInt64(slot_getattr(slot, table.deletion_id, &isnull)) == sd_deletion_id() && !isnull)
	{
		bool		should_free;
		HeapTuple	row = ExecFetchSlotHeapTuple(slot, false, &should_free);

		sd_root_add(root, rel, row);
		if (should_free)
			heap_freetuple(row);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	table_close(rel, NoLock);
}

/* Takes down the keys of the rows whose places were noted. */
void
sd_root_add_places(SdRoot *root)
{
	for (int i = 0; i < root->nplaces; i++)
		add_place(root, &root->places[i]);
}

/* The keys as text[]: empty for a table without a primary key, and for no root. */
ArrayType *
sd_root_keys(const SdRoot *root)
{
	return root == NULL || root->nkeys == 0 ? construct_empty_array(TEXTOID) :
		construct_array((Datum *) root->keys, root->nkeys, TEXTOID, -1, false, TYPALIGN_INT);
}
