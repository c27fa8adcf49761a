/*
 * links.c - the journal of references that a deletion took away.
 *
 * What ON DELETE SET NULL or SET DEFAULT is about to overwrite, or what the
 * transaction itself gave up before (unlinked.c), is written to softdelete.link,
 * so that undelete can put it back: which foreign key, the parent's key, the key
 * of the row, the values before and after.  Values are kept as text in the order
 * of the constraint's columns, which a dump carries.  The foreign key is known
 * again by its name or by the names of its columns, so that either may be renamed.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "cascade.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "compat.h"
#include "deletion.h"
#include "executor/tuptable.h"
#include "fkey.h"
#include "links.h"
#include "registry.h"
#include "rewrite/rewriteHandler.h"
#include "rowkey.h"
#include "run.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/ruleutils.h"

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
sd_row_key(const SdForeignKey *fkey)
{
	Relation	rel = table_open(fkey->child, AccessShareLock);
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
		(void) sd_registered(fkey->child, &table);
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
		appendStringInfo(&sql, "%s" SD_TO_TEXT, i ? ", " : "",
						 sd_fkey_column(column, "p", SD_KEY_PREFIX, fkey->parent, fkey->parent_att[i]));
	appendStringInfoString(&sql, "], ARRAY[");
	foreach(lc, sd_row_key(fkey))
	{
		appendStringInfo(&sql, "%s" SD_TO_TEXT, sep,
						 sd_fkey_column(column, "c", NULL, fkey->child, lfirst_int(lc)));
		sep = ", ";
	}
	appendStringInfoString(&sql, "]::pg_catalog.text[], ARRAY[");
	for (int i = 0; i < fkey->nset; i++)
		appendStringInfo(&sql, "%s" SD_TO_TEXT, i ? ", " : "",
						 sd_fkey_column(column, "c", NULL, fkey->child, fkey->set_att[i]));
	appendStringInfoString(&sql, "], ARRAY[");
	for (int i = 0; i < fkey->nset; i++)
		appendStringInfo(&sql, "%ssoftdelete.to_text((%s)::%s)", i ? ", " : "",
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

/* Names of the columns that the action sets, as SQL. */
static char *
set_columns(const SdForeignKey *fkey)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "ARRAY[");
	for (int i = 0; i < fkey->nset; i++)
		appendStringInfo(&sql, "%s%s", i ? ", " : "",
						 quote_literal_cstr(get_attname(fkey->child, fkey->set_att[i], false)));
	appendStringInfoString(&sql, "]::pg_catalog.name[]");
	return sql.data;
}

/* The row key in an image i of a row of the child, as SQL. */
static char *
image_key(const SdForeignKey *fkey)
{
	StringInfoData sql;
	const char *sep = "";
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "ARRAY[");
	foreach(lc, sd_row_key(fkey))
	{
		appendStringInfo(&sql, "%s(i.col_values)[pg_catalog.array_position(i.columns, %s::pg_catalog.name)]",
						 sep, quote_literal_cstr(get_attname(fkey->child, lfirst_int(lc), false)));
		sep = ", ";
	}
	appendStringInfoString(&sql, "]::pg_catalog.text[]");
	return sql.data;
}

/*
 * The journal's entries for one foreign key and these parents.  "gone": their row
 * has been deleted since and has left its table, where another has its key.
 */
static SdRowset *
find_links(const SdForeignKey *fkey, SdRowset *parents)
{
	StringInfoData sql;
	SdStatement statement = {0};
	SdRowset   *links = NULL;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT l.id, l.row_key, l.old_values, l.new_values,"
					 " EXISTS (SELECT FROM " SD_SCHEMA ".image i"
					 " WHERE i.relation = %u::pg_catalog.regclass AND i.deletion_id >= l.deletion_id"
					 " AND l.row_key = %s) AS gone FROM " SD_SCHEMA ".link l, " SD_ROWS_NAME " p"
					 " WHERE l.deletion_id = p.deletion_id AND l.child = %u::pg_catalog.regclass"
					 " AND (l.constraint_name = %s OR l.set_columns = %s) AND l.parent_key = ARRAY[",
					 sd_partition_root(fkey->child), image_key(fkey), fkey->child,
					 quote_literal_cstr(fkey->name), set_columns(fkey));
	for (int i = 0; i < fkey->nkeys; i++)
		appendStringInfo(&sql, "%ssoftdelete.to_text(p." SD_KEY_PREFIX "%d)", i ? ", " : "",
						 fkey->parent_att[i]);
	appendStringInfoString(&sql, "]");
	statement.sql = sql.data;
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("link");
	statement.portable = true;
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = parents;
	statement.result = &links;
	sd_run(&statement);
	return links;
}

/* "c.a is what it was set to AND ...". */
static void
append_unchanged(StringInfo sql, const SdForeignKey *fkey)
{
	char		column[SD_COLUMN_SIZE];

	for (int s = 0; s < fkey->nset; s++)
		appendStringInfo(sql, " AND " SD_TO_TEXT " IS NOT DISTINCT FROM (l.new_values)[%d]",
						 sd_fkey_column(column, "c", NULL, fkey->child, fkey->set_att[s]), s + 1);
}

/* "c.key = (l.row_key)[1]::type AND ...": by the primary key. */
static void
append_same_key(StringInfo sql, const SdForeignKey *fkey, const List *key)
{
	char		column[SD_COLUMN_SIZE];
	int			i = 0;
	const ListCell *lc;

	foreach(lc, key)
	{
		Oid			type = get_atttype(fkey->child, lfirst_int(lc));

		appendStringInfoString(sql, " AND ");
		sd_equal(sql, sd_fkey_column(column, "c", NULL, fkey->child, lfirst_int(lc)),
				 psprintf(SD_FROM_TEXT, psprintf("(l.row_key)[%d]", ++i),
						  sd_type_name(getBaseType(type))),
				 type);
	}
}

/*
 * Without a primary key: of rows that are equal the n-th gets the n-th
 * reference, so that each is used once.
 */
static void
append_nth_row(StringInfo sql, const SdForeignKey *fkey, const List *key)
{
	StringInfoData row_key;
	StringInfoData values;
	char		column[SD_COLUMN_SIZE];
	const ListCell *lc;

	initStringInfo(&row_key);
	appendStringInfoString(&row_key, "ARRAY[");
	foreach(lc, key)
		appendStringInfo(&row_key, "%s" SD_TO_TEXT, row_key.len > 6 ? ", " : "",
						 sd_fkey_column(column, "c", NULL, fkey->child, lfirst_int(lc)));
	appendStringInfoString(&row_key, "]::pg_catalog.text[]");
	initStringInfo(&values);
	for (int s = 0; s < fkey->nset; s++)
		appendStringInfo(&values, "%s" SD_TO_TEXT, s ? ", " : "",
						 sd_fkey_column(column, "c", NULL, fkey->child, fkey->set_att[s]));
	appendStringInfo(sql, ", (SELECT c.ctid AS tid, c.tableoid, %s AS row_key, ARRAY[%s] AS new_values,"
					 " pg_catalog.row_number() OVER (PARTITION BY %s, %s) AS n FROM %s%s c) r"
					 " WHERE c.ctid = r.tid AND c.tableoid = r.tableoid AND r.row_key = l.row_key"
					 " AND r.new_values = l.new_values AND r.n = l.n",
					 row_key.data, values.data, row_key.data, values.data,
					 sd_only(fkey->child), sd_quoted_relation(fkey->child));
}

static char *
put_back_statement(const SdForeignKey *fkey, const List *key)
{
	StringInfoData sql;
	Relation	rel = table_open(fkey->child, AccessShareLock);
	bool		has_key = OidIsValid(sd_primary_key_index(rel));

	table_close(rel, AccessShareLock);
	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s%s c SET ", sd_only(fkey->child), sd_quoted_relation(fkey->child));
	for (int s = 0; s < fkey->nset; s++)
		appendStringInfo(&sql, "%s%s = " SD_FROM_TEXT, s ? ", " : "",
						 quote_identifier(get_attname(fkey->child, fkey->set_att[s], false)),
						 psprintf("(l.old_values)[%d]", s + 1),
						 sd_type_name(get_atttype(fkey->child, fkey->set_att[s])));
	if (has_key)
	{
		/* of several references of a row that went the last one counts */
		appendStringInfoString(&sql, " FROM (SELECT DISTINCT ON (x.row_key) x.* FROM softdelete_links x"
							   " ORDER BY x.row_key, x.id DESC) l WHERE true");
		append_same_key(&sql, fkey, key);
	}
	else
	{
		appendStringInfoString(&sql, " FROM (SELECT x.*, pg_catalog.row_number() OVER"
							   " (PARTITION BY x.row_key, x.new_values ORDER BY x.id) AS n"
							   " FROM softdelete_links x) l");
		append_nth_row(&sql, fkey, key);
	}
	append_unchanged(&sql, fkey);
	appendStringInfoString(&sql, " AND NOT l.gone RETURNING l.id");
	return sql.data;
}

static void
forget_links(SdRowset *restored)
{
	SdStatement statement = {0};

	statement.sql = "DELETE FROM " SD_SCHEMA ".link l USING " SD_ROWS_NAME " r WHERE l.id = r.id";
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("link");
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = restored;
	sd_run(&statement);
}

/*
 * Puts back what the journal has for one foreign key and these parents, unless it
 * has been set to something else since; says so in a NOTICE.
 */
void
sd_links_put_back(const SdForeignKey *fkey, SdRowset *parents)
{
	SdRowset   *links = find_links(fkey, parents);
	List	   *key = sd_row_key(fkey);
	SdStatement statement = {0};
	SdRowset   *restored = NULL;
	int64		n = sd_rowset_count(links);

	if (n > 0)
	{
		statement.sql = put_back_statement(fkey, key);
		statement.kind = SD_RUN_LINKS;
		statement.expect = SPI_OK_UPDATE_RETURNING;
		statement.owner_of = fkey->child;
		statement.portable = true;
		statement.ninputs = 1;
		statement.input_names[0] = "softdelete_links";
		statement.inputs[0] = links;
		statement.result = &restored;
		sd_run(&statement);
		forget_links(restored);
		if (sd_rowset_count(restored) < n)
			ereport(NOTICE,
					(errmsg_plural(INT64_FORMAT " reference of table \"%s\" by foreign key constraint \"%s\" was not put back, because it has been set since or its row is gone",
								   INT64_FORMAT " references of table \"%s\" by foreign key constraint \"%s\" were not put back, because they have been set since or their rows are gone",
								   n - sd_rowset_count(restored),
								   n - sd_rowset_count(restored),
								   get_rel_name(fkey->child), fkey->name)));
		sd_rowset_free(restored);
	}
	sd_rowset_free(links);
}

/* Does the journal have anything of these deletions (a list of int64 pointers)? */
bool
sd_links_exist(List *deletions)
{
	StringInfoData sql;
	SdStatement statement = {0};
	const char *sep = "";
	ListCell   *lc;

	if (deletions == NIL)
		return false;
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT pg_catalog.count(*) FROM " SD_SCHEMA ".link l WHERE l.deletion_id IN (");
	foreach(lc, deletions)
	{
		appendStringInfo(&sql, "%s" INT64_FORMAT, sep, *(int64 *) lfirst(lc));
		sep = ", ";
	}
	appendStringInfoChar(&sql, ')');
	statement.sql = sql.data;
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("link");
	return sd_run_int64(&statement) > 0;
}

/* A column of a referencing table has been renamed: so it is in the journal. */
void
sd_links_rename_column(Oid child, const char *from, const char *to)
{
	SdStatement statement = {0};

	statement.sql = psprintf("UPDATE " SD_SCHEMA ".link l SET set_columns ="
							 " pg_catalog.array_replace(l.set_columns, %s::pg_catalog.name, %s::pg_catalog.name)"
							 " WHERE l.child = %u::pg_catalog.regclass AND %s = ANY (l.set_columns)",
							 quote_literal_cstr(from), quote_literal_cstr(to), child,
							 quote_literal_cstr(from));
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("link");
	sd_run(&statement);
}
