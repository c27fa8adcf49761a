/*
 * links.c - the journal of references that a deletion took away.
 *
 * What ON DELETE SET NULL or SET DEFAULT is about to overwrite is written to
 * softdelete.link, so that undelete can put it back: which foreign key, the
 * parent's key, the key of the row, the values before and after.  Values are
 * kept as text in the order of the constraint's columns, which a dump carries.
 * The foreign key is known again by its name or by the names of its columns, so
 * that either may be renamed.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "cascade.h"
#include "catalog/indexing.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "compat.h"
#include "deletion.h"
#include "executor/tuptable.h"
#include "fkey.h"
#include "links.h"
#include "registry.h"
#include "rewrite/rewriteHandler.h"
#include "run.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

static bool
is_set_column(const SdForeignKey *fkey, AttrNumber att)
{
	for (int i = 0; i < fkey->nset; i++)
		if (fkey->set_att[i] == att)
			return true;
	return false;
}

/*
 * The columns (attribute numbers) by which a row of the child is found again:
 * its primary key or, without one, all of them; but not those that the foreign
 * key's action sets, nor the two of softdelete's own.
 */
List *
sd_row_key(Oid relid, const SdForeignKey *fkey)
{
	Relation	rel = table_open(relid, AccessShareLock);
	Oid			index = sd_primary_key_index(rel);
	List	   *key = NIL;
	SdTable		table = {0};

	if (OidIsValid(index))
	{
		Relation	index_rel = index_open(index, AccessShareLock);

		for (int i = 0; i < index_rel->rd_index->indnkeyatts; i++)
		{
			AttrNumber	att = index_rel->rd_index->indkey.values[i];

			if (!is_set_column(fkey, att))
				key = lappend_int(key, att);
		}
		index_close(index_rel, AccessShareLock);
	}
	else
	{
		(void) sd_registered(relid, &table);
		for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
		{
			Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), i);

			if (!att->attisdropped && !att->attgenerated &&
				!is_set_column(fkey, att->attnum) &&
				att->attnum != table.flag && att->attnum != table.deletion_id)
				key = lappend_int(key, att->attnum);
		}
	}
	table_close(rel, AccessShareLock);
	return key;
}

/* What the action sets the column to, as SQL. */
static char *
new_value(const SdForeignKey *fkey, AttrNumber att)
{
	Relation	rel;
	Node	   *value;
	char	   *sql;

	if (fkey->on_delete == FKCONSTR_ACTION_SETNULL)
		return "NULL";
	rel = table_open(fkey->child, AccessShareLock);
	value = build_column_default(rel, att);
	sql = value ? deparse_expression(value, NIL, false, false) : "NULL";
	table_close(rel, AccessShareLock);
	return sql;
}

/*
 * The query that finds and locks the rows whose references the action is about
 * to overwrite, below softdelete_rows: parent key, row key, old values, new
 * values, each as text[]; palloc'd.
 */
char *
sd_links_query(const SdForeignKey *fkey)
{
	StringInfoData sql;
	char		column[SD_COLUMN_SIZE];
	const char *sep = "";
	ListCell   *lc;
	int			nestlevel;

	/* names in a default are written for the search_path of the query */
	nestlevel = sd_portable_begin();
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ARRAY[");
	for (int i = 0; i < fkey->nkeys; i++)
		appendStringInfo(&sql, "%s%s::pg_catalog.text", i ? ", " : "",
						 sd_fkey_column(column, "p", SD_KEY_PREFIX, fkey->parent, fkey->parent_att[i]));
	appendStringInfoString(&sql, "], ARRAY[");
	foreach(lc, sd_row_key(fkey->child, fkey))
	{
		appendStringInfo(&sql, "%s%s::pg_catalog.text", sep,
						 sd_fkey_column(column, "c", NULL, fkey->child, lfirst_int(lc)));
		sep = ", ";
	}
	appendStringInfoString(&sql, "]::pg_catalog.text[], ARRAY[");
	for (int i = 0; i < fkey->nset; i++)
		appendStringInfo(&sql, "%s%s::pg_catalog.text", i ? ", " : "",
						 sd_fkey_column(column, "c", NULL, fkey->child, fkey->set_att[i]));
	appendStringInfoString(&sql, "], ARRAY[");
	for (int i = 0; i < fkey->nset; i++)
		appendStringInfo(&sql, "%s(%s)::%s::pg_catalog.text", i ? ", " : "",
						 new_value(fkey, fkey->set_att[i]),
						 sd_type_name(get_atttype(fkey->child, fkey->set_att[i])));
	appendStringInfo(&sql, "]::pg_catalog.text[] FROM %s%s c, " SD_ROWS_NAME " p WHERE ",
					 sd_only(fkey->child), sd_quoted_relation(fkey->child));
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "c", NULL);
	appendStringInfoString(&sql, " FOR NO KEY UPDATE OF c");
	sd_portable_end(nestlevel);
	return sql.data;
}

/* Names of the columns that the action sets, as name[]. */
static Datum
column_names(const SdForeignKey *fkey)
{
	Datum	   *names = palloc(fkey->nset * sizeof(Datum));

	for (int i = 0; i < fkey->nset; i++)
	{
		Name		name = palloc0(NAMEDATALEN);

		namestrcpy(name, get_attname(fkey->child, fkey->set_att[i], false));
		names[i] = NameGetDatum(name);
	}
	return PointerGetDatum(construct_array(names, fkey->nset, NAMEOID, NAMEDATALEN,
										   false, TYPALIGN_CHAR));
}

/* Writes what sd_links_query() returned to the journal. */
void
sd_links_write(const SdForeignKey *fkey, SdRowset *links)
{
	Relation	rel;
	Oid			sequence;
	TupleTableSlot *slot;
	Name		name;
	Datum		columns;

	if (sd_rowset_count(links) == 0)
		return;
	rel = table_open(sd_own_relation("link"), RowExclusiveLock);
	sequence = sd_own_relation("link_id_seq");
	slot = MakeSingleTupleTableSlot(links->desc, &TTSOpsMinimalTuple);
	name = palloc0(NAMEDATALEN);
	namestrcpy(name, fkey->name);
	columns = column_names(fkey);
	tuplestore_rescan(links->store);
	while (tuplestore_gettupleslot(links->store, true, false, slot))
	{
		Datum		values[10];
		bool		nulls[10] = {0};
		HeapTuple	tuple;

		values[0] = Int64GetDatum(nextval_internal(sequence, false));
		values[1] = Int64GetDatum(sd_deletion_id());
		values[2] = ObjectIdGetDatum(fkey->child);
		values[3] = NameGetDatum(name);
		values[4] = columns;
		values[5] = ObjectIdGetDatum(fkey->parent);
		for (int i = 0; i < 4; i++)
			values[6 + i] = slot_getattr(slot, i + 1, &nulls[6 + i]);
		tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
		CatalogTupleInsert(rel, tuple);
		heap_freetuple(tuple);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
}
