/*
 * recover.c - taking lost rows from a restored backup.
 *
 * The backup's tables stand in a schema of their own, local or foreign.  Rows whose
 * primary key is not here, neither live nor deleted, are inserted, parents before
 * children: in rounds over all tables, each of which takes the rows whose parents
 * are here, to the fixed point.  So self references and tables that refer to each
 * other need no order.  Rows that refer to each other in a circle are inserted
 * without the reference, and get it at the end, or are left out.
 *
 * Constraints and foreign keys hold as ever; triggers of users do not notice, because
 * what they did is in the backup too.  Rows that were erased are left out, and, where
 * a purge of the table is on record, so are those that are missing: nobody can tell
 * them from purged ones.  A dry run does all of it and takes it back.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "deletion.h"
#include "fkey.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "register.h"
#include "registry.h"
#include "rowkey.h"
#include "run.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#define ERASED_NAME "softdelete_erased"

/* A table, and the same table in the backup. */
typedef struct Recovered
{
	Oid			relid;
	Oid			backup;
	bool		registered;
	bool		backup_says;	/* has the backup the flag, too? */
	List	   *key;			/* attribute numbers of the primary key */
	List	   *columns;		/* names (char *) that both have and that can be written */
	List	   *fkeys;			/* SdForeignKey to its parents, whose columns the backup has */
	SdRowset   *erased;			/* texts: keys that have been erased; NULL: none */
	bool		in_doubt;		/* missing rows may have been purged: none is taken */
	int64		lacking;		/* rows of the backup that are not here */
	int64		missing;		/* of them, recovered */
	int64		unlinked;		/* references put back */
	int64		purged;			/* rows left out because they were erased or may have been purged */
} Recovered;

typedef struct Recovery
{
	Oid			schema;
	bool		include_purged;
	List	   *tables;			/* Recovered */
} Recovery;

/* ---------- SQL ---------- */

/* "x.key = b.key", x being a row here and b one of the backup; of the columns (names) of a key. */
static void
append_same_key(StringInfo sql, const Recovered *table, const char *x)
{
	ListCell   *lc;
	const char *sep = "";

	foreach(lc, table->key)
	{
		AttrNumber	att = lfirst_int(lc);
		const char *name = quote_identifier(get_attname(table->relid, att, false));
		Oid			type = get_atttype(table->relid, att);

		appendStringInfoString(sql, sep);
		sd_equal(sql, psprintf("%s.%s", x, name),
				 psprintf("b.%s::%s", name, sd_type_name(type)), type);
		sep = " AND ";
	}
}

/* The key of row b as text[], as erasure hashes it. */
static char *
key_texts(const Recovered *table)
{
	StringInfoData sql;
	ListCell   *lc;
	const char *sep = "";

	initStringInfo(&sql);
	appendStringInfoString(&sql, "ARRAY[");
	foreach(lc, table->key)
	{
		AttrNumber	att = lfirst_int(lc);

		appendStringInfo(&sql, "%s" SD_TO_TEXT, sep,
						 psprintf("b.%s::%s", quote_identifier(get_attname(table->relid, att, false)),
								  sd_type_name(get_atttype(table->relid, att))));
		sep = ", ";
	}
	appendStringInfoString(&sql, "]::pg_catalog.text[]");
	return sql.data;
}

/* " FROM backup b WHERE the row is not here and has not been erased" */
static void
append_lacking(StringInfo sql, const Recovered *table)
{
	appendStringInfo(sql, " FROM %s b WHERE NOT EXISTS (SELECT FROM %s x WHERE ",
					 sd_quoted_relation(table->backup), sd_quoted_relation(table->relid));
	append_same_key(sql, table, "x");
	appendStringInfoChar(sql, ')');
	if (table->erased)
		appendStringInfo(sql, " AND NOT EXISTS (SELECT FROM " ERASED_NAME " e WHERE e.texts = %s)",
						 key_texts(table));
}

/* "the row b is live", as the backup has it. */
static const char *
live_in_backup(const Recovered *table)
{
	return table->backup_says ? sd_live_sql(table->relid, "b") : "true";
}

/* "no column of row b by which it refers is null" */
static void
append_refers(StringInfo sql, const SdForeignKey *fkey)
{
	for (int i = 0; i < fkey->nkeys; i++)
		appendStringInfo(sql, "%sb.%s IS NOT NULL", i ? " AND " : "",
						 quote_identifier(get_attname(fkey->child, fkey->child_att[i], false)));
}

/* "the parent of row b is here"; a live row needs a live one. */
static void
append_parent_is_here(StringInfo sql, const SdForeignKey *fkey, bool live)
{
	appendStringInfo(sql, "EXISTS (SELECT FROM %s%s p WHERE ",
					 sd_only(fkey->parent), sd_quoted_relation(fkey->parent));
	sd_fkey_match(sql, fkey, "p", NULL, "b", NULL);
	if (live && sd_registered(fkey->parent, NULL))
		appendStringInfo(sql, " AND %s", sd_live_sql(fkey->parent, "p"));
	appendStringInfoChar(sql, ')');
}

/* "row b is its own parent" */
static void
append_is_own_parent(StringInfo sql, const SdForeignKey *fkey)
{
	for (int i = 0; i < fkey->nkeys; i++)
		appendStringInfo(sql, "%sb.%s = b.%s", i ? " AND " : "",
						 quote_identifier(get_attname(fkey->child, fkey->child_att[i], false)),
						 quote_identifier(get_attname(fkey->parent, fkey->parent_att[i], false)));
}

/* " AND all parents of row b are here", but for one foreign key's. */
static void
append_parents(StringInfo sql, const Recovered *table, bool live, const SdForeignKey *except)
{
	ListCell   *lc;

	foreach(lc, table->fkeys)
	{
		const SdForeignKey *fkey = lfirst(lc);

		if (fkey == except)
			continue;
		appendStringInfoString(sql, " AND (NOT (");
		append_refers(sql, fkey);
		appendStringInfoString(sql, ") OR ");
		append_parent_is_here(sql, fkey, live);
		if (fkey->parent == fkey->child)
		{
			appendStringInfoString(sql, " OR (");
			append_is_own_parent(sql, fkey);
			appendStringInfoChar(sql, ')');
		}
		appendStringInfoChar(sql, ')');
	}
}

static bool
is_of(const SdForeignKey *fkey, Oid relid, const char *column)
{
	AttrNumber	att = get_attnum(relid, column);

	for (int i = 0; fkey && i < fkey->nkeys; i++)
		if (fkey->child_att[i] == att)
			return true;
	return false;
}

/* Runs SQL as the caller, with what has been erased at hand. */
static int64
run(const Recovered *table, const char *sql, SdRunKind kind, int expect)
{
	SdStatement statement = {0};

	statement.sql = sql;
	statement.kind = kind;
	statement.expect = expect;
	statement.ninputs = table->erased ? 1 : 0;
	statement.input_names[0] = ERASED_NAME;
	statement.inputs[0] = table->erased;
	return expect == SPI_OK_SELECT ? sd_run_int64(&statement) : sd_run(&statement);
}

/* ---------- tables ---------- */

static SdRowset *
erased_keys(const Recovered *table)
{
	StringInfoData sql;
	SdStatement statement = {0};
	SdRowset   *lacking = NULL;
	SdRowset   *erased = NULL;

	statement.sql = psprintf("SELECT pg_catalog.count(*) FROM " SD_SCHEMA ".event e"
							 " WHERE e.event = 'erase' AND e.relation = %u::pg_catalog.regclass", table->relid);
	statement.owner_of = sd_own_relation("event");
	if (sd_run_int64(&statement) == 0)
		return NULL;
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s AS texts", key_texts(table));
	append_lacking(&sql, table);
	memset(&statement, 0, sizeof(statement));
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.portable = true;
	statement.result = &lacking;
	sd_run(&statement);
	memset(&statement, 0, sizeof(statement));
	statement.sql = psprintf("SELECT r.texts FROM softdelete_rows r WHERE EXISTS (SELECT FROM " SD_SCHEMA ".event e"
							 " WHERE e.event = 'erase' AND e.relation = %u::pg_catalog.regclass"
							 " AND " SD_SCHEMA ".key_hash(r.texts) = ANY (e.key_hashes))", table->relid);
	statement.owner_of = sd_own_relation("event");
	statement.ninputs = 1;
	statement.input_names[0] = "softdelete_rows";
	statement.inputs[0] = lacking;
	statement.result = &erased;
	sd_run(&statement);
	sd_rowset_free(lacking);
	return erased;
}

/* Is a purge of the table on record? */
static bool
was_purged(Oid relid)
{
	SdStatement statement = {0};

	statement.sql = psprintf("SELECT pg_catalog.count(*) FROM " SD_SCHEMA ".event e"
							 " WHERE e.event = 'purge' AND e.row_count > 0"
							 " AND e.relation = %u::pg_catalog.regclass", relid);
	statement.owner_of = sd_own_relation("event");
	return sd_run_int64(&statement) > 0;
}

static bool
has_columns(Oid backup, const SdForeignKey *fkey)
{
	for (int i = 0; i < fkey->nkeys; i++)
		if (get_attnum(backup, get_attname(fkey->child, fkey->child_att[i], false)) == InvalidAttrNumber)
			return false;
	return true;
}

/* Looks at a table; NULL, with a WARNING, if its rows cannot be told apart. */
static Recovered *
open_table(const Recovery *recovery, Oid relid, Oid backup)
{
	Recovered  *table = palloc0(sizeof(Recovered));
	Relation	rel = table_open(relid, ShareRowExclusiveLock);
	StringInfoData sql;
	SdTable		registration;
	ListCell   *lc;

	sd_require_owner(relid);
	table->relid = relid;
	table->backup = backup;
	table->registered = sd_registered(relid, &registration);
	table->key = sd_primary_key(relid);
	if (table->key == NIL)
	{
		ereport(WARNING,
				(errmsg("table \"%s\" has no primary key and is left out", get_rel_name(relid)),
				 errhint("Compare it with the backup by hand.")));
		table_close(rel, NoLock);
		return NULL;
	}
	foreach(lc, table->key)
		if (get_attnum(backup, get_attname(relid, lfirst_int(lc), false)) == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of the primary key of table \"%s\" is not in the backup",
							get_attname(relid, lfirst_int(lc), false), get_rel_name(relid)),
					 errhint("Rename the column in %s.", sd_quoted_relation(backup))));
	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), i);

		if (!att->attisdropped && !att->attgenerated &&
			get_attnum(backup, NameStr(att->attname)) != InvalidAttrNumber)
			table->columns = lappend(table->columns, pstrdup(NameStr(att->attname)));
	}
	table->backup_says = table->registered &&
		get_attnum(backup, sd_flag_name(relid)) != InvalidAttrNumber;
	foreach(lc, sd_fkeys_above(rel))
		if (has_columns(backup, lfirst(lc)))
			table->fkeys = lappend(table->fkeys, lfirst(lc));
	table_close(rel, NoLock);

	if (!recovery->include_purged)
	{
		table->erased = erased_keys(table);
		table->in_doubt = was_purged(relid);
	}
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT pg_catalog.count(*)");
	append_lacking(&sql, table);
	table->lacking = run(table, sql.data, SD_RUN_PHYSICAL, SPI_OK_SELECT);
	table->purged = table->erased ? sd_rowset_count(table->erased) : 0;
	if (table->in_doubt)
	{
		if (table->lacking > 0)
			ereport(WARNING,
					(errmsg("rows that are missing in table \"%s\" are left out: they may have been purged",
							get_rel_name(relid)),
					 errhint("If they have not, use include_purged := true.")));
		table->purged += table->lacking;
		table->lacking = 0;
	}
	return table;
}

/* The table here that a table of the backup is; InvalidOid: none. */
static Oid
counterpart(Oid backup)
{
	SdStatement statement = {0};
	SdRowset   *found = NULL;
	TupleTableSlot *slot;
	Oid			relid = InvalidOid;
	bool		isnull;
	bool		several;

	statement.sql = psprintf("SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
							 " WHERE c.relname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
							 " AND n.oid <> %u AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '" SD_SCHEMA "')",
							 quote_literal_cstr(get_rel_name(backup)), get_rel_namespace(backup));
	statement.kind = SD_RUN_PLAIN;
	statement.result = &found;
	sd_run(&statement);
	several = sd_rowset_count(found) > 1;
	slot = MakeSingleTupleTableSlot(found->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(found->store);
	if (tuplestore_gettupleslot(found->store, true, false, slot))
		relid = DatumGetObjectId(slot_getattr(slot, 1, &isnull));
	ExecDropSingleTupleTableSlot(slot);
	sd_rowset_free(found);
	if (several)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_ALIAS),
				 errmsg("there are several tables named \"%s\"", get_rel_name(backup)),
				 errhint("Recover one after the other: name it with rel.")));
	return relid;
}

/* All tables of the backup that are here too. */
static void
open_all(Recovery *recovery)
{
	SdStatement statement = {0};
	SdRowset   *found = NULL;
	TupleTableSlot *slot;

	statement.sql = psprintf("SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relnamespace = %u"
							 " AND c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition ORDER BY c.relname",
							 recovery->schema);
	statement.kind = SD_RUN_PLAIN;
	statement.result = &found;
	sd_run(&statement);
	slot = MakeSingleTupleTableSlot(found->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(found->store);
	while (tuplestore_gettupleslot(found->store, true, false, slot))
	{
		bool		isnull;
		Oid			backup = DatumGetObjectId(slot_getattr(slot, 1, &isnull));
		Oid			relid = counterpart(backup);
		Recovered  *table = OidIsValid(relid) ? open_table(recovery, relid, backup) : NULL;

		if (table)
			recovery->tables = lappend(recovery->tables, table);
	}
	ExecDropSingleTupleTableSlot(slot);
	sd_rowset_free(found);
}

/* ---------- rows ---------- */

/*
 * INSERT of the rows whose parents are here: live ones, or deleted ones; without the
 * reference of one foreign key, if that is not NULL.  Returns how many.
 */
static int64
insert_rows(Recovered *table, bool live, const SdForeignKey *without)
{
	StringInfoData sql;
	StringInfoData names;
	StringInfoData values;
	ListCell   *lc;
	int64		rows;

	if (table->lacking == table->missing || (!live && !table->backup_says))
		return 0;
	initStringInfo(&sql);
	initStringInfo(&names);
	initStringInfo(&values);
	foreach(lc, table->columns)
	{
		const char *sep = lc == list_head(table->columns) ? "" : ", ";
		const char *name = quote_identifier(lfirst(lc));

		appendStringInfo(&names, "%s%s", sep, name);
		if (is_of(without, table->relid, lfirst(lc)))
			appendStringInfo(&values, "%sNULL", sep);
		else
			appendStringInfo(&values, "%sb.%s", sep, name);
	}
	appendStringInfo(&sql, "INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s",
					 sd_quoted_relation(table->relid), names.data, values.data);
	append_lacking(&sql, table);
	appendStringInfo(&sql, " AND %s%s", live ? "" : "NOT ", live_in_backup(table));
	append_parents(&sql, table, live, without);
	appendStringInfoString(&sql, " ON CONFLICT DO NOTHING");
	rows = run(table, sql.data, live ? SD_RUN_RECOVER : SD_RUN_RECOVER_DELETED, SPI_OK_INSERT);
	table->missing += rows;
	return rows;
}

/* Rounds over all tables, until none finds a row whose parents are here. */
static void
insert_all(Recovery *recovery)
{
	bool		again = true;

	while (again)
	{
		ListCell   *lc;

		again = false;
		foreach(lc, recovery->tables)
		{
			CHECK_FOR_INTERRUPTS();
			again |= insert_rows(lfirst(lc), true, NULL) > 0;
			again |= insert_rows(lfirst(lc), false, NULL) > 0;
		}
	}
}

/*
 * Puts references back that are null here and not there, over one foreign key; whose
 * parent is not here is left.  Returns how many.
 */
static int64
put_back(Recovered *table, const SdForeignKey *fkey)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s t SET ", sd_quoted_relation(table->relid));
	for (int i = 0; i < fkey->nkeys; i++)
	{
		const char *name = quote_identifier(get_attname(fkey->child, fkey->child_att[i], false));

		appendStringInfo(&sql, "%s%s = b.%s", i ? ", " : "", name, name);
	}
	appendStringInfo(&sql, " FROM %s b WHERE ", sd_quoted_relation(table->backup));
	append_same_key(&sql, table, "t");
	appendStringInfoString(&sql, " AND ");
	append_refers(&sql, fkey);
	for (int i = 0; i < fkey->nkeys; i++)
		appendStringInfo(&sql, " AND t.%s IS NULL",
						 quote_identifier(get_attname(fkey->child, fkey->child_att[i], false)));
	if (table->registered)
		appendStringInfo(&sql, " AND %s", sd_live_sql(table->relid, "t"));
	appendStringInfoString(&sql, " AND ");
	append_parent_is_here(&sql, fkey, true);
	return run(table, sql.data, SD_RUN_LINKS, SPI_OK_UPDATE);
}

static bool
may_be_null(const SdForeignKey *fkey)
{
	Relation	child = table_open(fkey->child, NoLock);
	bool		nullable = true;

	for (int i = 0; i < fkey->nkeys; i++)
		nullable &= !TupleDescAttr(RelationGetDescr(child), fkey->child_att[i] - 1)->attnotnull;
	table_close(child, NoLock);
	return nullable;
}

static int64
still_lacking(const Recovery *recovery)
{
	int64		rows = 0;
	ListCell   *lc;

	foreach(lc, recovery->tables)
		rows += ((Recovered *) lfirst(lc))->lacking - ((Recovered *) lfirst(lc))->missing;
	return rows;
}

/* Of an attempt to break a circle. */
typedef struct Attempt
{
	Recovery   *recovery;
	Recovered  *table;
	const SdForeignKey *fkey;
	int64		inserted;
	List	   *left;			/* Datum, text[]: keys of the rows that found no parent */
} Attempt;

/* The keys of the rows that are here without the reference that they have in the backup. */
static List *
keys_without(const Recovered *table, const SdForeignKey *fkey)
{
	StringInfoData sql;
	SdStatement statement = {0};
	SdRowset   *found = NULL;
	TupleTableSlot *slot;
	List	   *keys = NIL;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM %s b WHERE ", key_texts(table), sd_quoted_relation(table->backup));
	append_refers(&sql, fkey);
	appendStringInfo(&sql, " AND EXISTS (SELECT FROM %s x WHERE ", sd_quoted_relation(table->relid));
	append_same_key(&sql, table, "x");
	for (int i = 0; i < fkey->nkeys; i++)
		appendStringInfo(&sql, " AND x.%s IS NULL",
						 quote_identifier(get_attname(fkey->child, fkey->child_att[i], false)));
	appendStringInfoChar(&sql, ')');
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.portable = true;
	statement.result = &found;
	sd_run(&statement);
	slot = MakeSingleTupleTableSlot(found->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(found->store);
	while (tuplestore_gettupleslot(found->store, true, false, slot))
	{
		bool		isnull;

		keys = lappend(keys, DatumGetPointer(datumCopy(slot_getattr(slot, 1, &isnull), false, -1)));
	}
	ExecDropSingleTupleTableSlot(slot);
	sd_rowset_free(found);
	return keys;
}

/*
 * Inserts rows of one table without the reference of one foreign key, what depends on
 * them, and then the references.  True if each finds its parent.
 */
static bool
attempt(void *arg)
{
	Attempt    *a = arg;
	int64		linked;

	a->inserted = insert_rows(a->table, true, a->fkey);
	if (a->inserted == 0)
		return false;
	linked = put_back(a->table, a->fkey);
	insert_all(a->recovery);
	linked += put_back(a->table, a->fkey);
	if (linked >= a->inserted)
		return true;
	a->left = keys_without(a->table, a->fkey);
	return false;
}

/* Rows of these keys (text[]) are not looked for any more. */
static void
leave_out(Recovered *table, List *keys)
{
	ListCell   *lc;

	if (table->erased == NULL)
	{
		TupleDesc	desc = CreateTemplateTupleDesc(1);

		TupleDescInitEntry(desc, 1, "texts", TEXTARRAYOID, -1, 0);
		table->erased = sd_rowset_create(desc);
	}
	foreach(lc, keys)
	{
		Datum		value = PointerGetDatum(lfirst(lc));
		bool		isnull = false;

		tuplestore_putvalues(table->erased->store, table->erased->desc, &value, &isnull);
	}
}

/*
 * Rows that refer to each other in a circle: those of one table come without the
 * reference first.  Rows that then find no parent are left out, and it is tried again.
 */
static void
break_circle(Recovery *recovery, Recovered *table, const SdForeignKey *fkey)
{
	for (;;)
	{
		Attempt		a = {.recovery = recovery,.table = table,.fkey = fkey};
		List	   *before = NIL;
		ListCell   *lc;
		ListCell   *lb;

		foreach(lc, recovery->tables)
		{
			Recovered  *copy = palloc(sizeof(Recovered));

			*copy = *(Recovered *) lfirst(lc);
			before = lappend(before, copy);
		}
		if (sd_subtransaction(attempt, &a))
			return;
		forboth(lc, recovery->tables, lb, before)
			*(Recovered *) lfirst(lc) = *(Recovered *) lfirst(lb);
		if (a.left == NIL)
			return;
		leave_out(table, a.left);
	}
}

static void
break_circles(Recovery *recovery)
{
	ListCell   *lc;

	foreach(lc, recovery->tables)
	{
		Recovered  *table = lfirst(lc);
		ListCell   *lf;

		foreach(lf, table->fkeys)
			if (still_lacking(recovery) > 0 && table->lacking > table->missing && may_be_null(lfirst(lf)))
				break_circle(recovery, table, lfirst(lf));
	}
}

static void
put_back_all(Recovery *recovery)
{
	ListCell   *lc;

	foreach(lc, recovery->tables)
	{
		Recovered  *table = lfirst(lc);
		ListCell   *lf;

		foreach(lf, table->fkeys)
			if (may_be_null(lfirst(lf)))
				table->unlinked += put_back(table, lfirst(lf));
	}
}

/* ---------- all of it ---------- */

static void
recover(Recovery *recovery, Oid relid)
{
	ListCell   *lc;

	if (OidIsValid(relid))
	{
		Oid			backup = get_relname_relid(get_rel_name(relid), recovery->schema);
		char		relkind = get_rel_relkind(backup);
		Recovered  *table;

		if (!OidIsValid(backup))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_TABLE),
					 errmsg("the backup has no table \"%s\" in schema \"%s\"",
							get_rel_name(relid), get_namespace_name(recovery->schema)),
					 errhint("Restore it there, or use IMPORT FOREIGN SCHEMA.")));
		/* a view would run code of its owner's choice as the caller */
		if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE &&
			relkind != RELKIND_FOREIGN_TABLE)
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" in schema \"%s\" is not a table",
							get_rel_name(backup), get_namespace_name(recovery->schema)),
					 errhint("Restore the table there, or use IMPORT FOREIGN SCHEMA.")));
		table = open_table(recovery, relid, backup);
		if (table)
			recovery->tables = list_make1(table);
	}
	else
		open_all(recovery);
	insert_all(recovery);
	break_circles(recovery);
	put_back_all(recovery);
	foreach(lc, recovery->tables)
	{
		Recovered  *table = lfirst(lc);

		if (table->missing + table->unlinked > 0)
			sd_event_log("recover", 0, table->relid, table->missing + table->unlinked);
		if (table->erased)
			sd_rowset_free(table->erased);
		table->erased = NULL;
	}
}

/* Of a dry run. */
typedef struct DryRun
{
	Recovery   *recovery;
	Oid			relid;
} DryRun;

/* The same, and takes it back: nothing stays but the counts. */
static bool
try_recover(void *arg)
{
	recover(((DryRun *) arg)->recovery, ((DryRun *) arg)->relid);
	return false;
}

PG_FUNCTION_INFO_V1(softdelete_recover);

/*
 * softdelete_recover(backup_schema name, rel regclass, dry_run boolean,
 * include_purged boolean).  Errors: 22004, 25006, 3F000, 42501, 42703, 42712, 42P01,
 * and those of the statements that it runs.
 */
Datum
softdelete_recover(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Recovery	recovery = {0};
	Oid			relid = PG_ARGISNULL(1) ? InvalidOid : PG_GETARG_OID(1);
	bool		dry_run = PG_ARGISNULL(2) || PG_GETARG_BOOL(2);
	ListCell   *lc;

	PreventCommandIfReadOnly("softdelete_recover()");
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("backup_schema must not be null"),
				 errhint("Name the schema in which the tables of the backup stand.")));
	recovery.schema = get_namespace_oid(NameStr(*PG_GETARG_NAME(0)), false);
	recovery.include_purged = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	if (OidIsValid(relid) && get_rel_name(relid) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	InitMaterializedSRF(fcinfo, 0);
	if (dry_run)
	{
		DryRun		run = {.recovery = &recovery,.relid = relid};

		(void) sd_subtransaction(try_recover, &run);
	}
	else
		recover(&recovery, relid);
	foreach(lc, recovery.tables)
	{
		const Recovered *table = lfirst(lc);
		Datum		values[5];
		bool		nulls[5] = {0};

		values[0] = ObjectIdGetDatum(table->relid);
		values[1] = Int64GetDatum(table->missing);
		values[2] = Int64GetDatum(table->unlinked);
		values[3] = Int64GetDatum(table->purged);
		values[4] = Int64GetDatum(table->lacking - table->missing);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
