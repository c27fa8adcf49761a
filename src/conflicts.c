/*
 * conflicts.c - everything that would stop an undelete, at once.
 *
 * Looks at the rows that would come back (coming.c) and changes nothing, so that it
 * works on a standby too.  What it says holds for the moment: it locks nothing.
 */
#include "postgres.h"

#include "access/table.h"
#include "cascade.h"
#include "catalog/pg_type.h"
#include "coming.h"
#include "fmgr.h"
#include "funcapi.h"
#include "image.h"
#include "miscadmin.h"
#include "parents.h"
#include "registry.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteDefine.h"
#include "run.h"
#include "taken.h"
#include "undelete.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "viewer.h"

typedef struct Report
{
	SdComing   *coming;
	ReturnSetInfo *result;
} Report;

static void
report(Report *report, const char *kind, Oid relid, const char *key, const char *constraint,
	   const char *blocking_key, const char *hint)
{
	Datum		values[6] = {0};
	bool		nulls[6] = {0};

	values[0] = CStringGetTextDatum(kind);
	values[1] = ObjectIdGetDatum(relid);
	nulls[2] = key == NULL;
	if (key)
		values[2] = CStringGetTextDatum(key);
	nulls[3] = constraint == NULL;
	if (constraint)
	{
		Name		name = palloc0(NAMEDATALEN);

		namestrcpy(name, constraint);
		values[3] = NameGetDatum(name);
	}
	nulls[4] = blocking_key == NULL;
	if (blocking_key)
		values[4] = CStringGetTextDatum(blocking_key);
	values[5] = CStringGetTextDatum(hint);
	tuplestore_putvalues(report->result->setResult, report->result->setDesc, values, nulls);
}

/*
 * SQL for the text of columns (attribute numbers) of a row, as softdelete_undelete()
 * takes a key; NULL without columns, and where the caller may not read them.
 */
static char *
key_sql(Oid relid, List *atts, const char *alias, const char *prefix)
{
	StringInfoData sql;
	ListCell   *lc;
	char		column[SD_COLUMN_SIZE];

	if (atts == NIL || !sd_may_read(relid))
		return "NULL::pg_catalog.text";
	if (list_length(atts) == 1)
		return psprintf(SD_TO_TEXT, sd_fkey_column(column, alias, prefix, relid, linitial_int(atts)));
	initStringInfo(&sql);
	appendStringInfoString(&sql, "pg_catalog.jsonb_build_object(");
	foreach(lc, atts)
	{
		appendStringInfo(&sql, "%s%s, ", sql.data[sql.len - 1] == '(' ? "" : ", ",
						 quote_literal_cstr(get_attname(relid, lfirst_int(lc), false)));
		appendStringInfo(&sql, SD_TO_TEXT, sd_fkey_column(column, alias, prefix, relid, lfirst_int(lc)));
	}
	appendStringInfoString(&sql, ")::pg_catalog.text");
	return sql.data;
}

/* Runs a query of the report: key text, blocking text, deletion bigint, upper boolean. */
static SdRowset *
ask(Oid relid, const char *sql, int ninputs, const char *name1, SdRowset *rows1,
	const char *name2, SdRowset *rows2)
{
	SdStatement statement = {0};
	SdRowset   *result = NULL;

	statement.sql = sql;
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = relid;
	statement.portable = true;
	statement.ninputs = ninputs;
	statement.input_names[0] = name1;
	statement.inputs[0] = rows1;
	statement.input_names[1] = name2;
	statement.inputs[1] = rows2;
	statement.result = &result;
	sd_run(&statement);
	return result;
}

/* One answer of ask(). */
typedef struct Answer
{
	char	   *key;
	char	   *blocking_key;
	int64		deletion;		/* 0: none */
	bool		upper;
} Answer;

/* The next answer; frees them after the last. */
static bool
next_answer(SdRowset *answers, TupleTableSlot **slot, Answer *answer)
{
	Datum		value;
	bool		isnull;

	if (*slot == NULL)
	{
		*slot = MakeSingleTupleTableSlot(answers->desc, &TTSOpsMinimalTuple);
		tuplestore_rescan(answers->store);
	}
	if (!tuplestore_gettupleslot(answers->store, true, true, *slot))
	{
		ExecDropSingleTupleTableSlot(*slot);
		sd_rowset_free(answers);
		return false;
	}
	value = slot_getattr(*slot, 1, &isnull);
	answer->key = isnull ? NULL : TextDatumGetCString(value);
	value = slot_getattr(*slot, 2, &isnull);
	answer->blocking_key = isnull ? NULL : TextDatumGetCString(value);
	value = slot_getattr(*slot, 3, &isnull);
	answer->deletion = isnull ? 0 : DatumGetInt64(value);
	value = slot_getattr(*slot, 4, &isnull);
	answer->upper = !isnull && DatumGetBool(value);
	return true;
}

/* ---------- unique keys ---------- */

static void
report_taken(Report *r, Oid relid, const SdUnique *unique, SdRowset *answers, bool coming_too)
{
	TupleTableSlot *slot = NULL;
	Answer		answer;

	while (next_answer(answers, &slot, &answer))
		report(r, "unique key", relid, answer.key, unique->name, answer.blocking_key,
			   coming_too ? "Two rows that would come back have the same key: undelete one of them, and then change its key." :
			   answer.upper ? "Delete the live row or change its key, or give this row another one with set." :
			   "Delete the live row or change its key, or leave this row with on_conflict := 'skip'.");
}

/* FROM item for the rows of a table that would come back: c with upper, and its place. */
static char *
coming_rows(const SdTouched *table, const char *alias)
{
	return psprintf("(SELECT t.*, s.upper AS softdelete_upper, s.tid AS softdelete_tid,"
					" s.tableoid AS softdelete_table FROM %s t, " SD_ROWS_NAME " s"
					" WHERE t.ctid = s.tid AND t.tableoid = s.tableoid AND s.flipped) %s",
					sd_quoted_relation(table->relid), alias);
}

/* Rows of the table on one of its unique keys. */
static void
look_at_rows(Report *r, SdTouched *table, const SdUnique *unique, List *key)
{
	char	   *c = key_sql(table->relid, key, "c", NULL);
	char	   *x = key_sql(table->relid, key, "x", NULL);

	report_taken(r, table->relid, unique,
				 ask(table->relid,
					 psprintf("SELECT %s, %s, NULL::bigint, c.softdelete_upper FROM %s, %s%s x WHERE %s ORDER BY 1, 2",
							  c, x, coming_rows(table, "c"), sd_only(table->relid),
							  sd_quoted_relation(table->relid), unique->taken),
					 1, SD_ROWS_NAME, table->rows, NULL, NULL), false);
	report_taken(r, table->relid, unique,
				 ask(table->relid,
					 psprintf("SELECT %s, %s, NULL::bigint, c.softdelete_upper FROM %s, %s WHERE %s"
							  " AND (c.softdelete_table, c.softdelete_tid) > (x.softdelete_table, x.softdelete_tid)"
							  " ORDER BY 1, 2",
							  c, x, coming_rows(table, "c"), coming_rows(table, "x"), unique->both),
					 1, SD_ROWS_NAME, table->rows, NULL, NULL), true);
}

/* Images of rows of the table on one of its unique keys; deleted rows make way. */
static void
look_at_images(Report *r, SdTouched *table, const SdUnique *unique, List *key)
{
	char	   *c = key_sql(table->relid, key, "c", NULL);
	char	   *x = key_sql(table->relid, key, "x", NULL);
	char	   *rows = sd_images_as_rows(table->relid);

	report_taken(r, table->relid, unique,
				 ask(table->relid,
					 psprintf("SELECT %s, %s, NULL::bigint, false FROM %s c, %s%s x WHERE %s AND %s ORDER BY 1, 2",
							  c, x, rows, sd_only(table->relid), sd_quoted_relation(table->relid),
							  sd_live_sql(table->relid, "x"), unique->taken),
					 1, "softdelete_images", table->images, NULL, NULL), false);
	report_taken(r, table->relid, unique,
				 ask(table->relid,
					 psprintf("SELECT %s, %s, NULL::bigint, false FROM %s c, %s x WHERE %s"
							  " AND c.softdelete_image > x.softdelete_image ORDER BY 1, 2",
							  c, x, rows, rows, unique->both),
					 1, "softdelete_images", table->images, NULL, NULL), true);
	if (table->rows)
		report_taken(r, table->relid, unique,
					 ask(table->relid,
						 psprintf("SELECT %s, %s, NULL::bigint, false FROM %s c, %s WHERE %s ORDER BY 1, 2",
								  c, x, rows, coming_rows(table, "x"), unique->both),
						 2, "softdelete_images", table->images, SD_ROWS_NAME, table->rows), true);
}

static void
look_at_keys(Report *r, SdTouched *table)
{
	List	   *key = sd_primary_key(table->relid);
	ListCell   *lc;

	foreach(lc, sd_uniques(table->relid))
	{
		SdUnique   *unique = lfirst(lc);

		if (unique->of_live)
			look_at_rows(r, table, unique, key);
		if (table->images)
			look_at_images(r, table, unique, key);
	}
}

/* ---------- parents ---------- */

static List *
referenced_columns(const SdForeignKey *fkey)
{
	List	   *atts = NIL;

	for (int i = 0; i < fkey->nkeys; i++)
		atts = lappend_int(atts, fkey->parent_att[i]);
	return atts;
}

/* Parents that another deletion took. */
static void
look_at_dead_parents(Report *r, SdTouched *child, const SdForeignKey *fkey)
{
	SdRowset   *dead = sd_coming_dead_parents(r->coming, child, fkey);
	char	   *parent = sd_quoted_relation(fkey->parent);
	StringInfoData sql;
	TupleTableSlot *slot = NULL;
	SdRowset   *answers;
	Answer		answer;

	if (dead == NULL)
		return;
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT DISTINCT %s, %s, p.deletion_id, s.upper FROM " SD_ROWS_NAME " s, softdelete_dead p"
					 " WHERE s.flipped AND (s.upper OR p.deletion_id IS DISTINCT FROM s.deletion_id) AND ",
					 key_sql(child->relid, sd_primary_key(child->relid), "s", SD_KEY_PREFIX),
					 key_sql(fkey->parent, referenced_columns(fkey), "p", SD_KEY_PREFIX));
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "s", SD_KEY_PREFIX);
	appendStringInfoString(&sql, " ORDER BY 1, 2");
	answers = ask(child->relid, sql.data, 2, SD_ROWS_NAME, child->rows, "softdelete_dead", dead);
	while (next_answer(answers, &slot, &answer))
		report(r, "deleted parent", child->relid, answer.key, fkey->name, answer.blocking_key,
			   answer.deletion == 0 ?
			   psprintf("Undelete the row of %s first, or use with_parents := true.", parent) :
			   psprintf("The row of %s went in deletion " INT64_FORMAT
						": run SELECT softdelete_undelete_deletion(" INT64_FORMAT
						") first, or use with_parents := true.",
						parent, answer.deletion, answer.deletion));
	sd_rowset_free(dead);
}

/* Parents that are not there at all: of images, and by foreign keys that are not validated. */
static void
look_at_missing_parents(Report *r, SdTouched *child, const SdForeignKey *fkey)
{
	SdTouched  *parent = sd_registered(fkey->parent, NULL) ?
		sd_touched_table(&r->coming->rows, fkey->parent) : NULL;
	StringInfoData sql;
	TupleTableSlot *slot = NULL;
	SdRowset   *answers;
	Answer		answer;
	char		column[SD_COLUMN_SIZE];

	if (fkey->validated && child->images == NULL)
		return;
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s, %s, NULL::bigint, s.upper FROM " SD_ROWS_NAME " s WHERE s.flipped%s",
					 key_sql(child->relid, sd_primary_key(child->relid), "s", SD_KEY_PREFIX),
					 sd_may_read(child->relid) && fkey->nkeys == 1 ?
					 psprintf(SD_TO_TEXT, sd_fkey_column(column, "s", SD_KEY_PREFIX, fkey->child,
														 fkey->child_att[0])) : "NULL::pg_catalog.text",
					 fkey->validated ? " AND s.tid IS NULL" : "");
	for (int i = 0; i < fkey->nkeys; i++)
		appendStringInfo(&sql, " AND %s IS NOT NULL",
						 sd_fkey_column(column, "s", SD_KEY_PREFIX, fkey->child, fkey->child_att[i]));
	appendStringInfo(&sql, " AND NOT EXISTS (SELECT FROM %s%s p WHERE ",
					 sd_only(fkey->parent), sd_quoted_relation(fkey->parent));
	sd_fkey_match(&sql, fkey, "p", NULL, "s", SD_KEY_PREFIX);
	appendStringInfoChar(&sql, ')');
	if (parent && parent->rows)
	{
		appendStringInfoString(&sql, " AND NOT EXISTS (SELECT FROM softdelete_parents p WHERE p.flipped AND ");
		sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "s", SD_KEY_PREFIX);
		appendStringInfoChar(&sql, ')');
	}
	appendStringInfoString(&sql, " ORDER BY 1, 2");
	answers = ask(fkey->parent, sql.data, parent && parent->rows ? 2 : 1, SD_ROWS_NAME, child->rows,
				  "softdelete_parents", parent ? parent->rows : NULL);
	while (next_answer(answers, &slot, &answer))
		report(r, "missing parent", child->relid, answer.key, fkey->name, answer.blocking_key,
			   psprintf("Insert the missing row into %s first.", sd_quoted_relation(fkey->parent)));
}

/* ---------- the rest ---------- */

static void
look_at_rules(Report *r, const SdTouched *table)
{
	Relation	rel = table_open(table->relid, AccessShareLock);

	for (int i = 0; rel->rd_rules && i < rel->rd_rules->numLocks; i++)
	{
		CmdType		event = rel->rd_rules->rules[i]->event;

		if (rel->rd_rules->rules[i]->enabled != RULE_DISABLED &&
			(event == CMD_UPDATE || (event == CMD_INSERT && table->images)))
			report(r, "rule", table->relid, NULL, NULL, NULL,
				   psprintf("The table has a rule for %s: disable it for the time of the undelete with ALTER TABLE %s DISABLE RULE.",
							event == CMD_UPDATE ? "UPDATE" : "INSERT", sd_quoted_relation(table->relid)));
	}
	table_close(rel, NoLock);
}

/* Columns that must not be null now and of which an image has no value. */
static void
look_at_nulls(Report *r, const SdTouched *table)
{
	Relation	rel = table_open(table->relid, AccessShareLock);
	SdTable		registered;

	(void) sd_registered(table->relid, &registered);
	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), i);
		TupleTableSlot *slot = NULL;
		SdRowset   *answers;
		Answer		answer;

		if (att->attisdropped || !att->attnotnull || att->attgenerated || att->attnum == registered.flag)
			continue;
		answers = ask(table->relid,
					  psprintf("SELECT %s, NULL::pg_catalog.text, NULL::bigint, false FROM %s c WHERE c.%s IS NULL ORDER BY 1",
							   key_sql(table->relid, sd_primary_key(table->relid), "c", NULL),
							   sd_images_as_rows(table->relid), quote_identifier(NameStr(att->attname))),
					  1, "softdelete_images", table->images, NULL, NULL);
		while (next_answer(answers, &slot, &answer))
			report(r, "null value", table->relid, answer.key, NULL, NULL,
				   psprintf("The deleted row has no value for column %s: give the column a default.",
							quote_identifier(NameStr(att->attname))));
	}
	table_close(rel, NoLock);
}

static void
look_at_all(Report *r)
{
	ListCell   *lt;

	foreach(lt, r->coming->rows.tables)
	{
		SdTouched  *table = lfirst(lt);

		CHECK_FOR_INTERRUPTS();
		if (table->rows == NULL)
			continue;
		look_at_rules(r, table);
		look_at_keys(r, table);
		if (table->images)
			look_at_nulls(r, table);
	}

	/* the list may grow by parents, of which no rows come */
	for (int i = 0; i < list_length(r->coming->rows.tables); i++)
	{
		SdTouched  *table = list_nth(r->coming->rows.tables, i);
		ListCell   *lc;

		if (table->rows == NULL)
			continue;
		foreach(lc, table->above)
		{
			SdForeignKey *fkey = lfirst(lc);

			if (sd_registered(fkey->parent, NULL))
				look_at_dead_parents(r, table, fkey);
			look_at_missing_parents(r, table, fkey);
		}
	}
	foreach(lt, r->coming->unreadable)
	{
		SdUnreadable *bad = lfirst(lt);

		report(r, "unreadable image", bad->relid, NULL, NULL, NULL,
			   psprintf("Its values cannot be read: %s. Correct col_values of image " INT64_FORMAT " in " SD_SCHEMA ".image.",
						bad->message, bad->image));
	}
}

PG_FUNCTION_INFO_V1(softdelete_conflicts);

/*
 * softdelete_conflicts(rel regclass, id, cascade boolean): id is of any type.  Errors:
 * 22004, 22023, 42501, 55000, P0002.
 */
Datum
softdelete_conflicts(PG_FUNCTION_ARGS)
{
	Report		r = {.result = (ReturnSetInfo *) fcinfo->resultinfo};
	Oid			relid;
	SdRowKeys  *keys;
	MemoryContext context;
	MemoryContext old;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", PG_ARGISNULL(0) ? "rel" : "id"),
				 errhint("Name a registered table and the key of a row.")));
	relid = PG_GETARG_OID(0);
	InitMaterializedSRF(fcinfo, 0);
	context = AllocSetContextCreate(CurrentMemoryContext, "softdelete conflicts", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	sd_require_registered(relid);
	sd_undelete_privileges(relid);
	keys = sd_rowkeys_from_value(relid, PG_GETARG_DATUM(1), get_fn_expr_argtype(fcinfo->flinfo, 1));
	r.coming = sd_coming_named(keys, !PG_ARGISNULL(2) && PG_GETARG_BOOL(2));
	look_at_all(&r);
	sd_coming_free(r.coming);
	sd_rowset_free(keys->rows);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(softdelete_conflicts_deletion);

/* softdelete_conflicts(deletion_id bigint).  Errors: 22004, 42501, P0002. */
Datum
softdelete_conflicts_deletion(PG_FUNCTION_ARGS)
{
	Report		r = {.result = (ReturnSetInfo *) fcinfo->resultinfo};
	MemoryContext context;
	MemoryContext old;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("deletion_id must not be null"),
				 errhint("softdelete.deletions shows the deletions.")));
	InitMaterializedSRF(fcinfo, 0);
	context = AllocSetContextCreate(CurrentMemoryContext, "softdelete conflicts", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	sd_undelete_deletion_privileges(PG_GETARG_INT64(0));
	r.coming = sd_coming_deletion(PG_GETARG_INT64(0));
	look_at_all(&r);
	sd_coming_free(r.coming);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}
