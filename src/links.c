/*
 * links.c - the journal of references that a deletion took away.
 *
 * What ON DELETE SET NULL or SET DEFAULT is about to overwrite, or what the
 * transaction itself gave up before (unlinked.c), is written to softdelete.link,
 * so that undelete can put it back: which foreign key, the parent's key, the key
 * of the row, the values before and after.  Values are kept as text in the order
 * of the constraint's columns, which a dump carries.  The foreign key is known
 * again by its name or by the names of its columns, so that either may be renamed.
 *
 * A reference goes back to the row that lost it and to no other that has its key
 * now: what happens to the row is told to the journal (linkrows.c).
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "cascade.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_inherits.h"
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
#include "utils/fmgroids.h"
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

/*
 * May several rows have the key that sd_row_key() gives: because there is no
 * primary key, or part of it is set by the action?
 */
bool
sd_row_key_is_shared(const SdForeignKey *fkey)
{
	Relation	rel = table_open(fkey->child, AccessShareLock);
	Oid			index = sd_primary_key_index(rel);
	bool		shared = !OidIsValid(index);

	if (OidIsValid(index))
	{
		Relation	index_rel = index_open(index, AccessShareLock);

		for (int i = 0; i < index_rel->rd_index->indnkeyatts; i++)
			shared |= is_set_column(fkey, index_rel->rd_index->indkey.values[i]);
		index_close(index_rel, AccessShareLock);
	}
	table_close(rel, AccessShareLock);
	return shared;
}

/* By what an index finds a row's key, which is text[]: int4. */
Datum
sd_link_hash(Datum row_key)
{
	return OidFunctionCall1Coll(F_HASH_ARRAY, C_COLLATION_OID, row_key);
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

/* Names of the columns of the row's key, as text[]. */
static Datum
key_columns(const SdForeignKey *fkey)
{
	List	   *key = sd_row_key(fkey);
	Datum	   *names = palloc(list_length(key) * sizeof(Datum));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, key)
		names[n++] = CStringGetTextDatum(get_attname(fkey->child, lfirst_int(lc), false));
	return PointerGetDatum(n == 0 ? construct_empty_array(TEXTOID) :
						   construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
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
	Datum		row_columns;

	if (sd_rowset_count(links) == 0)
		return;
	rel = table_open(sd_own_relation("link"), RowExclusiveLock);
	sequence = sd_own_relation("link_id_seq");
	slot = MakeSingleTupleTableSlot(links->desc, &TTSOpsMinimalTuple);
	name = palloc0(NAMEDATALEN);
	namestrcpy(name, fkey->name);
	columns = column_names(fkey);
	row_columns = key_columns(fkey);
	tuplestore_rescan(links->store);
	while (tuplestore_gettupleslot(links->store, true, false, slot))
	{
		Datum		values[SD_LINK_COLUMNS];
		bool		nulls[SD_LINK_COLUMNS] = {0};
		HeapTuple	tuple;

		slot_getallattrs(slot);
		values[SD_LINK_ID - 1] = Int64GetDatum(nextval_internal(sequence, false));
		values[SD_LINK_DELETION_ID - 1] = Int64GetDatum(sd_deletion_id());
		values[SD_LINK_CHILD - 1] = ObjectIdGetDatum(fkey->child);
		values[SD_LINK_CONSTRAINT_NAME - 1] = NameGetDatum(name);
		values[SD_LINK_SET_COLUMNS - 1] = columns;
		values[SD_LINK_PARENT - 1] = ObjectIdGetDatum(fkey->parent);
		values[SD_LINK_PARENT_KEY - 1] = slot->tts_values[0];
		values[SD_LINK_ROW_COLUMNS - 1] = row_columns;
		values[SD_LINK_ROW_KEY - 1] = slot->tts_values[1];
		values[SD_LINK_ROW_HASH - 1] = sd_link_hash(slot->tts_values[1]);
		values[SD_LINK_OLD_VALUES - 1] = slot->tts_values[2];
		values[SD_LINK_NEW_VALUES - 1] = slot->tts_values[3];
		values[SD_LINK_GONE - 1] = BoolGetDatum(false);
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

/* Which entries l are of a foreign key, as SQL. */
static char *
entries_of(const SdForeignKey *fkey)
{
	return psprintf("l.child = %u::pg_catalog.regclass AND (l.constraint_name = %s OR l.set_columns = %s)",
					fkey->child, quote_literal_cstr(fkey->name), set_columns(fkey));
}

/* Do entries l know rows by the key that the table has now?  As SQL. */
static char *
by_present_key(const SdForeignKey *fkey)
{
	StringInfoData sql;
	const char *sep = "";
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "l.row_columns = ARRAY[");
	foreach(lc, sd_row_key(fkey))
	{
		appendStringInfo(&sql, "%s%s", sep,
						 quote_literal_cstr(get_attname(fkey->child, lfirst_int(lc), false)));
		sep = ", ";
	}
	appendStringInfoString(&sql, "]::pg_catalog.text[]");
	return sql.data;
}

/*
 * The journal's entries for one foreign key and these parents.  "gone": their row
 * is not in its table any more, or has been known by another key than the present.
 */
static SdRowset *
find_links(const SdForeignKey *fkey, SdRowset *parents)
{
	StringInfoData sql;
	SdStatement statement = {0};
	SdRowset   *links = NULL;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT l.id, l.row_key, l.old_values, l.new_values, l.gone OR NOT %s AS gone"
					 " FROM " SD_SCHEMA ".link l, " SD_ROWS_NAME " p"
					 " WHERE l.deletion_id = p.deletion_id AND %s AND l.parent_key = ARRAY[",
					 by_present_key(fkey), entries_of(fkey));
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

/*
 * "c.key = (l.row_key)[1]::type AND ...": by the primary key; as text too, by which
 * the journal follows rows.
 */
static void
append_same_key(StringInfo sql, const SdForeignKey *fkey, const List *key)
{
	char		column[SD_COLUMN_SIZE];
	int			i = 0;
	const ListCell *lc;

	foreach(lc, key)
	{
		Oid			type = get_atttype(fkey->child, lfirst_int(lc));
		char	   *key_text = psprintf("(l.row_key)[%d]", ++i);

		appendStringInfoString(sql, " AND ");
		sd_equal(sql, sd_fkey_column(column, "c", NULL, fkey->child, lfirst_int(lc)),
				 psprintf(SD_FROM_TEXT, key_text, sd_type_name(getBaseType(type))),
				 type);
		appendStringInfo(sql, " AND " SD_TO_TEXT " = %s", column, key_text);
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
							   " WHERE NOT x.gone ORDER BY x.row_key, x.id DESC) l WHERE true");
		append_same_key(&sql, fkey, key);
	}
	else
	{
		appendStringInfoString(&sql, " FROM (SELECT x.*, pg_catalog.row_number() OVER"
							   " (PARTITION BY x.row_key, x.new_values ORDER BY x.id) AS n"
							   " FROM softdelete_links x WHERE NOT x.gone) l");
		append_nth_row(&sql, fkey, key);
	}
	append_unchanged(&sql, fkey);
	appendStringInfoString(&sql, " RETURNING l.id");
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

/* The entries of one foreign key of which the row is not there are marked as gone. */
static void
sweep_fkey(const SdForeignKey *fkey)
{
	SdStatement statement = {0};
	SdRowset   *links = NULL;
	SdRowset   *gone = NULL;
	StringInfoData sql;
	List	   *key = sd_row_key(fkey);

	statement.sql = psprintf("SELECT l.id, l.row_key, l.new_values FROM " SD_SCHEMA ".link l"
							 " WHERE NOT l.gone AND %s AND %s", entries_of(fkey),
							 by_present_key(fkey));
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("link");
	statement.latest = true;
	statement.result = &links;
	if (sd_run(&statement) > 0)
	{
		initStringInfo(&sql);
		appendStringInfo(&sql, "SELECT l.id FROM softdelete_links l WHERE NOT EXISTS (SELECT FROM %s%s c WHERE true",
						 sd_only(fkey->child), sd_quoted_relation(fkey->child));
		if (!sd_row_key_is_shared(fkey))
			append_same_key(&sql, fkey, key);
		else
		{
			char		column[SD_COLUMN_SIZE];
			int			i = 0;
			ListCell   *lc;

			foreach(lc, key)
				appendStringInfo(&sql, " AND " SD_TO_TEXT " IS NOT DISTINCT FROM (l.row_key)[%d]",
								 sd_fkey_column(column, "c", NULL, fkey->child, lfirst_int(lc)), ++i);
			append_unchanged(&sql, fkey);
		}
		appendStringInfoChar(&sql, ')');
		statement.sql = sql.data;
		statement.kind = SD_RUN_PHYSICAL;
		statement.owner_of = fkey->child;
		statement.portable = true;
		statement.ninputs = 1;
		statement.input_names[0] = "softdelete_links";
		statement.inputs[0] = links;
		statement.result = &gone;
		if (sd_run(&statement) > 0)
		{
			SdStatement mark = {0};

			mark.sql = "UPDATE " SD_SCHEMA ".link l SET gone = true FROM " SD_ROWS_NAME " r WHERE l.id = r.id";
			mark.kind = SD_RUN_PLAIN;
			mark.owner_of = sd_own_relation("link");
			mark.latest = true;
			mark.ninputs = 1;
			mark.input_names[0] = SD_ROWS_NAME;
			mark.inputs[0] = gone;
			sd_run(&mark);
		}
		sd_rowset_free(gone);
	}
	sd_rowset_free(links);
}

/*
 * Rows have left this table, which foreign keys name, and nobody has said which:
 * looks for those of which the journal has references.
 */
void
sd_links_sweep(Oid child)
{
	Relation	rel = table_open(child, AccessShareLock);
	ListCell   *lc;

	foreach(lc, sd_fkeys_from(rel))
		if (((SdForeignKey *) lfirst(lc))->child == child)
			sweep_fkey(lfirst(lc));
	table_close(rel, NoLock);
}

/* A referencing table has been dropped; another one may get its OID. */
void
sd_links_drop(Oid child)
{
	SdStatement statement = {0};

	statement.sql = psprintf("DELETE FROM " SD_SCHEMA ".link l WHERE l.child = %u::pg_catalog.oid", child);
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("link");
	statement.latest = true;
	sd_run(&statement);
}

/*
 * A table, with its partitions, is not registered any more.  Nobody tells the journal
 * from now on what becomes of rows that refer to it.
 */
void
sd_links_drop_parent(Oid parent)
{
	SdStatement statement = {0};
	StringInfoData sql;
	const char *sep = "";
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "DELETE FROM " SD_SCHEMA ".link l WHERE l.parent IN (");
	foreach(lc, get_rel_relkind(parent) == RELKIND_PARTITIONED_TABLE ?
			find_all_inheritors(parent, NoLock, NULL) : list_make1_oid(parent))
	{
		appendStringInfo(&sql, "%s%u::pg_catalog.regclass", sep, lfirst_oid(lc));
		sep = ", ";
	}
	appendStringInfoChar(&sql, ')');
	statement.sql = sql.data;
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("link");
	statement.latest = true;
	sd_run(&statement);
}

/* A column of a referencing table has been renamed: so it is in the journal. */
void
sd_links_rename_column(Oid child, const char *from, const char *to)
{
	SdStatement statement = {0};

	statement.sql = psprintf("UPDATE " SD_SCHEMA ".link l SET set_columns ="
							 " pg_catalog.array_replace(l.set_columns, %s::pg_catalog.name, %s::pg_catalog.name),"
							 " row_columns = pg_catalog.array_replace(l.row_columns, %s, %s)"
							 " WHERE l.child = %u::pg_catalog.regclass"
							 " AND (%s = ANY (l.set_columns) OR %s = ANY (l.row_columns))",
							 quote_literal_cstr(from), quote_literal_cstr(to),
							 quote_literal_cstr(from), quote_literal_cstr(to), child,
							 quote_literal_cstr(from), quote_literal_cstr(from));
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("link");
	sd_run(&statement);
}
