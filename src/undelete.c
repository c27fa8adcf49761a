/*
 * undelete.c - bringing deleted rows back.
 *
 * Downwards first: the rows named are made live, then, set by set and foreign
 * key by foreign key, the rows of the same deletion that hang below.  Rows of
 * it that are live already, brought back earlier, are passed through.
 *
 * Then the other parents of all these rows are looked at, under the lock that
 * a new reference takes.  A row below with a deleted parent of the same
 * deletion is made deleted again, which may concern rows below it in turn, to
 * the fixed point; it comes back with its last parent.  A deleted parent of
 * another deletion is an error, or is brought back too (with_parents).
 *
 * At the end the references that the deletion had taken away are put back.
 *
 * What has been touched is kept in rowsets, one a table; each statement reads
 * one table and runs as its owner.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "cascade.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "deletion.h"
#include "fkey.h"
#include "fmgr.h"
#include "links.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "plans.h"
#include "registry.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteDefine.h"
#include "rowkey.h"
#include "run.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Columns that every touched row carries before those of its keys. */
#define TOUCHED_COLUMNS "c.tableoid, c.ctid AS tid"

/* A registered table in which rows have been touched. */
typedef struct Touched
{
	Oid			relid;
	char	   *flag;			/* quoted names of its two columns */
	char	   *deletion_id;
	List	   *below;			/* SdForeignKey that reference it */
	List	   *above;			/* SdForeignKey of it to registered tables */
	List	   *atts;			/* columns that these need */
	SdRowset   *rows;			/* all rows touched; NULL until the first:
								 * tableoid, tid, upper (named by the caller, or
								 * a parent brought back for a row), flipped
								 * (made live now), deletion_id, k<att> ... */
	Oid			via;			/* foreign key over which they all came from
								 * parents made live now; else InvalidOid */
	bool		has_upper;
	int64		restored;		/* rows made live, less those taken back */
	int64		taken_back;
} Touched;

/* Rows that may have more below them. */
typedef struct Work
{
	Touched    *table;
	SdRowset   *rows;
	bool		flipped;		/* were they made live now? */
} Work;

typedef struct Undelete
{
	List	   *tables;			/* Touched */
	List	   *work;			/* Work */
	bool		with_parents;
	bool		repeated;		/* has some of it been brought back before? */
	bool		took_back;		/* has a row been made deleted again? */
	MemoryContext context;		/* of all this */
} Undelete;

/* ---------- tables ---------- */

static List *
needed_atts(const List *below, const List *above)
{
	List	   *atts = NIL;
	const ListCell *lc;

	foreach(lc, below)
	{
		const SdForeignKey *fkey = lfirst(lc);

		for (int i = 0; i < fkey->nkeys; i++)
			atts = list_append_unique_int(atts, fkey->parent_att[i]);
	}
	foreach(lc, above)
	{
		const SdForeignKey *fkey = lfirst(lc);

		for (int i = 0; i < fkey->nkeys; i++)
			atts = list_append_unique_int(atts, fkey->child_att[i]);
	}
	return atts;
}

/* A rule for UPDATE would act on what is no UPDATE to the user. */
static void
refuse_rules(Relation rel)
{
	for (int i = 0; rel->rd_rules && i < rel->rd_rules->numLocks; i++)
		if (rel->rd_rules->rules[i]->event == CMD_UPDATE &&
			rel->rd_rules->rules[i]->enabled != RULE_DISABLED)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("cannot undelete in table \"%s\": it has a rule for UPDATE",
							RelationGetRelationName(rel)),
					 errhint("Disable the rule for the time of the undelete with ALTER TABLE %s DISABLE RULE.",
							 sd_quoted_relation(RelationGetRelid(rel)))));
}

static Touched *
touched_table(Undelete *undelete, Oid relid)
{
	Touched    *table;
	Relation	rel;
	MemoryContext old;
	ListCell   *lc;

	relid = sd_partition_root(relid);
	foreach(lc, undelete->tables)
	{
		table = lfirst(lc);
		if (table->relid == relid)
			return table;
	}
	old = MemoryContextSwitchTo(undelete->context);
	rel = table_open(relid, RowExclusiveLock);
	table = palloc0(sizeof(Touched));
	table->relid = relid;
	table->flag = pstrdup(quote_identifier(sd_flag_name(relid)));
	table->deletion_id = pstrdup(quote_identifier(sd_deletion_id_name(relid)));
	table->below = sd_fkeys_below(rel);
	foreach(lc, sd_fkeys_from(rel))
	{
		SdForeignKey *fkey = lfirst(lc);

		if (sd_registered(fkey->parent, NULL))
			table->above = lappend(table->above, fkey);
	}
	table->atts = needed_atts(table->below, table->above);
	refuse_rules(rel);
	table_close(rel, NoLock);
	undelete->tables = lappend(undelete->tables, table);
	MemoryContextSwitchTo(old);
	return table;
}

/* The columns of a touched row, of a table known as c. */
static char *
touched_columns(const Touched *table, bool upper, bool flipped)
{
	StringInfoData sql;
	char		column[SD_COLUMN_SIZE];
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfo(&sql, TOUCHED_COLUMNS ", %s AS upper, %s AS flipped, c.%s AS deletion_id",
					 upper ? "true" : "false", flipped ? "true" : "false", table->deletion_id);
	foreach(lc, table->atts)
		appendStringInfo(&sql, ", %s AS " SD_KEY_PREFIX "%d",
						 sd_fkey_column(column, "c", NULL, table->relid, lfirst_int(lc)),
						 lfirst_int(lc));
	return sql.data;
}

/* Runs a statement that returns touched rows, or others. */
static SdRowset *
run_on(const Undelete *undelete, const Touched *table, SdRunKind kind, const char *sql,
	   SPIPlanPtr *plan, int ninputs, const char *name1, SdRowset *rows1,
	   const char *name2, SdRowset *rows2)
{
	MemoryContext old = MemoryContextSwitchTo(undelete->context);
	SdStatement statement = {0};
	SdRowset   *result = NULL;

	statement.sql = sql;
	statement.plan = plan;
	statement.kind = kind;
	statement.owner_of = table->relid;
	statement.ninputs = ninputs;
	statement.input_names[0] = name1;
	statement.inputs[0] = rows1;
	statement.input_names[1] = name2;
	statement.inputs[1] = rows2;
	statement.result = &result;
	statement.expect = kind == SD_RUN_FLAG ? SPI_OK_UPDATE_RETURNING : SPI_OK_SELECT;
	sd_run(&statement);
	MemoryContextSwitchTo(old);
	return result;
}

/*
 * Notes rows as touched, and as work where something may hang below them.
 * "via" is the foreign key over which they were found below rows made live
 * now; InvalidOid for any other way.
 */
static void
touch(Undelete *undelete, Touched *table, SdRowset *rows, bool upper, bool flipped,
	  bool descend, Oid via)
{
	MemoryContext old;

	if (sd_rowset_count(rows) == 0)
	{
		sd_rowset_free(rows);
		return;
	}
	old = MemoryContextSwitchTo(undelete->context);
	table->has_upper |= upper;
	if (flipped)
		table->restored += sd_rowset_count(rows);
	if (table->rows == NULL)
	{
		table->rows = sd_rowset_create(rows->desc);
		table->via = via;
	}
	else if (table->via != via)
		table->via = InvalidOid;
	sd_rowset_append(table->rows, rows);
	if (descend && table->below != NIL)
	{
		Work	   *work = palloc(sizeof(Work));

		work->table = table;
		work->rows = rows;
		work->flipped = flipped;
		undelete->work = lappend(undelete->work, work);
	}
	else
		sd_rowset_free(rows);
	MemoryContextSwitchTo(old);
}

/* ---------- downwards ---------- */

static char *
flip_statement(const SdForeignKey *fkey, SdPurpose purpose, void *arg)
{
	const Touched *child = arg;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s%s c SET %s = true FROM " SD_ROWS_NAME " p WHERE ",
					 sd_only(fkey->child), sd_quoted_relation(fkey->child), child->flag);
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "c", NULL);
	appendStringInfo(&sql, " AND NOT c.%s AND c.%s = p.deletion_id RETURNING %s",
					 child->flag, child->deletion_id, touched_columns(child, false, true));
	return sql.data;
}

/* Makes the rows live that hang below over one foreign key. */
static void
flip_below(Undelete *undelete, const Work *work, const SdForeignKey *fkey, Touched *child)
{
	SdPlan	   *kept = sd_plan_take(fkey, SD_UNDELETE_FLIP, sd_rowset_count(work->rows),
									flip_statement, child);
	SdRowset   *rows = NULL;

	PG_TRY();
	{
		rows = run_on(undelete, child, SD_RUN_FLAG,
					  kept ? kept->sql : flip_statement(fkey, SD_UNDELETE_FLIP, child),
					  kept ? &kept->plan : NULL,
					  1, SD_ROWS_NAME, work->rows, NULL, NULL);
	}
	PG_FINALLY();
	{
		if (kept)
			sd_plan_release(kept);
	}
	PG_END_TRY();
	touch(undelete, child, rows, false, true, true, work->flipped ? fkey->id : InvalidOid);
}

/* Passes through the rows that were brought back earlier. */
static void
pass_below(Undelete *undelete, const Work *work, const SdForeignKey *fkey, Touched *child)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM %s%s c, " SD_ROWS_NAME " p WHERE ",
					 touched_columns(child, false, false),
					 sd_only(fkey->child), sd_quoted_relation(fkey->child));
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "c", NULL);
	appendStringInfo(&sql, " AND c.%s AND c.%s = p.deletion_id", child->flag, child->deletion_id);
	if (child->rows)
		appendStringInfoString(&sql, " AND NOT EXISTS (SELECT FROM softdelete_touched t"
							   " WHERE t.tid = c.ctid AND t.tableoid = c.tableoid)");
	touch(undelete, child,
		  run_on(undelete, child, SD_RUN_PHYSICAL, sql.data, NULL, child->rows ? 2 : 1,
				 SD_ROWS_NAME, work->rows, "softdelete_touched", child->rows),
		  false, false, true, InvalidOid);
}

static void
descend_over(Undelete *undelete, const Work *work, const SdForeignKey *fkey)
{
	Touched    *child;

	if (!sd_registered(fkey->child, NULL))
		return;
	child = touched_table(undelete, fkey->child);
	flip_below(undelete, work, fkey, child);
	if (undelete->repeated && child->below != NIL)
		pass_below(undelete, work, fkey, child);
}

static void
descend(Undelete *undelete)
{
	MemoryContext item_context = AllocSetContextCreate(undelete->context,
													   "softdelete undelete item",
													   ALLOCSET_DEFAULT_SIZES);

	while (undelete->work != NIL)
	{
		Work	   *work = linitial(undelete->work);
		MemoryContext old = MemoryContextSwitchTo(item_context);
		ListCell   *lc;

		undelete->work = list_delete_first(undelete->work);
		foreach(lc, work->table->below)
		{
			CHECK_FOR_INTERRUPTS();
			descend_over(undelete, work, lfirst(lc));
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(item_context);
		sd_rowset_free(work->rows);
		pfree(work);
	}
	MemoryContextDelete(item_context);
}

/* ---------- other parents ---------- */

/*
 * The deleted ones among the parents, over one foreign key, of the touched
 * rows; all of them are locked as for a new reference.  NULL when there are
 * none.  Columns: k<att> of the parent's key, deletion_id.
 */
static SdRowset *
dead_parents(Undelete *undelete, Touched *child, const SdForeignKey *fkey)
{
	Touched    *parent = touched_table(undelete, fkey->parent);
	StringInfoData sql;
	StringInfoData columns;
	char		column[SD_COLUMN_SIZE];
	SdStatement statement = {0};
	SdRowset   *dead = NULL;

	initStringInfo(&columns);
	for (int i = 0; i < fkey->nkeys; i++)
		appendStringInfo(&columns, "%s AS " SD_KEY_PREFIX "%d, ",
						 sd_fkey_column(column, "p", NULL, fkey->parent, fkey->parent_att[i]),
						 fkey->parent_att[i]);
	initStringInfo(&sql);
	appendStringInfo(&sql, "WITH locked AS MATERIALIZED (SELECT %sp.%s AS deletion_id, p.%s AS live"
					 " FROM %s%s p WHERE EXISTS (SELECT FROM " SD_ROWS_NAME " c WHERE c.flipped AND ",
					 columns.data, parent->deletion_id, parent->flag,
					 sd_only(fkey->parent), sd_quoted_relation(fkey->parent));
	sd_fkey_match(&sql, fkey, "p", NULL, "c", SD_KEY_PREFIX);
	appendStringInfoString(&sql, ") FOR KEY SHARE OF p) SELECT ");
	for (int i = 0; i < fkey->nkeys; i++)
		appendStringInfo(&sql, SD_KEY_PREFIX "%d, ", fkey->parent_att[i]);
	appendStringInfoString(&sql, "deletion_id FROM locked WHERE NOT live");

	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = fkey->parent;
	statement.latest = true;
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = child->rows;
	statement.result = &dead;
	sd_run(&statement);
	if (sd_rowset_count(dead) > 0)
		return dead;
	sd_rowset_free(dead);
	return NULL;
}

/* Makes rows deleted again whose deleted parent went in the same deletion. */
static int64
take_back(Undelete *undelete, Touched *child, const SdForeignKey *fkey, SdRowset *dead)
{
	StringInfoData sql;
	SdRowset   *result;
	int64		n;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s c SET %s = false FROM " SD_ROWS_NAME " s, softdelete_dead p"
					 " WHERE c.ctid = s.tid AND c.tableoid = s.tableoid AND c.%s"
					 " AND s.flipped AND NOT s.upper AND p.deletion_id = s.deletion_id AND ",
					 sd_quoted_relation(child->relid), child->flag, child->flag);
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "s", SD_KEY_PREFIX);
	appendStringInfoString(&sql, " RETURNING 1");
	result = run_on(undelete, child, SD_RUN_FLAG, sql.data, NULL, 2, SD_ROWS_NAME, child->rows,
					"softdelete_dead", dead);
	n = sd_rowset_count(result);
	sd_rowset_free(result);
	child->restored -= n;
	child->taken_back += n;
	return n;
}

/*
 * Of the deleted parents those that a row needs which is to stay live: named
 * by the caller, or taken by another deletion than its parent.
 */
static SdRowset *
needed_parents(Undelete *undelete, Touched *child, const SdForeignKey *fkey, SdRowset *dead)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT DISTINCT ");
	for (int i = 0; i < fkey->nkeys; i++)
		appendStringInfo(&sql, "p." SD_KEY_PREFIX "%d, ", fkey->parent_att[i]);
	appendStringInfo(&sql, "p.deletion_id FROM %s c, " SD_ROWS_NAME " s, softdelete_dead p"
					 " WHERE c.ctid = s.tid AND c.tableoid = s.tableoid AND c.%s AND s.flipped"
					 " AND (s.upper OR p.deletion_id IS DISTINCT FROM s.deletion_id) AND ",
					 sd_quoted_relation(child->relid), child->flag);
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "s", SD_KEY_PREFIX);
	return run_on(undelete, child, SD_RUN_PHYSICAL, sql.data, NULL, 2, SD_ROWS_NAME, child->rows,
				  "softdelete_dead", dead);
}

static void
refuse_dead_parent(const Touched *child, const SdForeignKey *fkey, SdRowset *needed)
{
	SdRowKeys	key = {.relid = fkey->parent};
	TupleTableSlot *slot = MakeSingleTupleTableSlot(needed->desc, &TTSOpsMinimalTuple);
	Relation	rel = table_open(fkey->child, AccessShareLock);
	bool		isnull;
	Datum		deletion;

	for (int i = 0; i < fkey->nkeys; i++)
		key.atts = lappend_int(key.atts, fkey->parent_att[i]);
	tuplestore_rescan(needed->store);
	(void) tuplestore_gettupleslot(needed->store, true, true, slot);
	deletion = slot_getattr(slot, fkey->nkeys + 1, &isnull);
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("cannot undelete in table \"%s\": a parent by foreign key constraint \"%s\" is deleted",
					get_rel_name(fkey->child), fkey->name),
			 isnull ?
			 errdetail("Key %s of table \"%s\" is deleted.",
					   sd_rowkeys_first(&key, needed), get_rel_name(fkey->parent)) :
			 errdetail("Key %s of table \"%s\" was deleted by deletion " INT64_FORMAT ".",
					   sd_rowkeys_first(&key, needed), get_rel_name(fkey->parent),
					   DatumGetInt64(deletion)),
			 errhint("Undelete the parent first, or use with_parents := true."),
			 errtableconstraint(rel, fkey->name)));
}

static void check_privileges(Oid relid);

/* Brings back parents, on behalf of rows that need them. */
static void
restore_parents(Undelete *undelete, const SdForeignKey *fkey, SdRowset *needed)
{
	Touched    *parent = touched_table(undelete, fkey->parent);
	StringInfoData sql;
	const char *sep = "";
	char		left[SD_COLUMN_SIZE];
	char		right[SD_COLUMN_SIZE];
	SdRowset   *rows;

	check_privileges(fkey->parent);
	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s%s c SET %s = true FROM softdelete_needed n WHERE NOT c.%s AND ",
					 sd_only(fkey->parent), sd_quoted_relation(fkey->parent),
					 parent->flag, parent->flag);
	for (int i = 0; i < fkey->nkeys; i++)
	{
		appendStringInfoString(&sql, sep);
		sd_equal(&sql, sd_fkey_column(left, "c", NULL, fkey->parent, fkey->parent_att[i]),
				 sd_fkey_column(right, "n", SD_KEY_PREFIX, fkey->parent, fkey->parent_att[i]),
				 get_atttype(fkey->parent, fkey->parent_att[i]));
		sep = " AND ";
	}
	appendStringInfo(&sql, " RETURNING %s", touched_columns(parent, true, true));
	rows = run_on(undelete, parent, SD_RUN_FLAG, sql.data, NULL, 1, "softdelete_needed", needed,
				  NULL, NULL);

	/* deleted after our snapshot was taken, which still shows it live */
	if (IsolationUsesXactSnapshot() && sd_rowset_count(rows) < sd_rowset_count(needed))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent delete")));
	touch(undelete, parent, rows, true, true, false, InvalidOid);
}

/* Takes back to the fixed point. */
static void
take_back_all(Undelete *undelete)
{
	bool		again = true;

	while (again)
	{
		ListCell   *lt;

		again = false;
		foreach(lt, undelete->tables)
		{
			Touched    *child = lfirst(lt);
			ListCell   *lc;

			if (child->rows == NULL)
				continue;
			foreach(lc, child->above)
			{
				SdForeignKey *fkey = lfirst(lc);
				SdRowset   *dead;

				/* parents made live by us are live while none is taken back */
				if (!undelete->took_back && fkey->id == child->via)
					continue;
				dead = dead_parents(undelete, child, fkey);
				if (dead == NULL)
					continue;
				if (take_back(undelete, child, fkey, dead) > 0)
					again = undelete->took_back = true;
				sd_rowset_free(dead);
			}
		}
	}
}

/* Deleted parents of other deletions; true if some were brought back. */
static bool
settle_parents(Undelete *undelete)
{
	bool		restored = false;
	ListCell   *lt;

	foreach(lt, undelete->tables)
	{
		Touched    *child = lfirst(lt);
		ListCell   *lc;

		if (child->rows == NULL)
			continue;
		foreach(lc, child->above)
		{
			SdForeignKey *fkey = lfirst(lc);
			SdRowset   *dead;
			SdRowset   *needed;

			if (fkey->id == child->via)
				continue;
			dead = dead_parents(undelete, child, fkey);
			if (dead == NULL)
				continue;
			needed = needed_parents(undelete, child, fkey, dead);
			if (sd_rowset_count(needed) > 0)
			{
				if (!undelete->with_parents)
					refuse_dead_parent(child, fkey, needed);
				restore_parents(undelete, fkey, needed);
				restored = true;
			}
			sd_rowset_free(needed);
			sd_rowset_free(dead);
		}
	}
	return restored;
}

/* ---------- references that were taken away ---------- */

/* The touched rows that are live in the end. */
static SdRowset *
live_rows(const Undelete *undelete, const Touched *table)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT s.* FROM %s c, " SD_ROWS_NAME " s"
					 " WHERE c.ctid = s.tid AND c.tableoid = s.tableoid AND c.%s",
					 sd_quoted_relation(table->relid), table->flag);
	return run_on(undelete, table, SD_RUN_PHYSICAL, sql.data, NULL, 1, SD_ROWS_NAME, table->rows, NULL, NULL);
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

/* The journal's entries for one foreign key and these parents. */
static SdRowset *
find_links(const SdForeignKey *fkey, SdRowset *parents)
{
	StringInfoData sql;
	SdStatement statement = {0};
	SdRowset   *links = NULL;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT l.id, l.row_key, l.old_values, l.new_values"
					 " FROM " SD_SCHEMA ".link l, " SD_ROWS_NAME " p"
					 " WHERE l.deletion_id = p.deletion_id AND l.child = %u::pg_catalog.regclass"
					 " AND (l.constraint_name = %s OR l.set_columns = %s) AND l.parent_key = ARRAY[",
					 fkey->child, quote_literal_cstr(fkey->name), set_columns(fkey));
	for (int i = 0; i < fkey->nkeys; i++)
		appendStringInfo(&sql, "%sp." SD_KEY_PREFIX "%d::pg_catalog.text", i ? ", " : "",
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

/* "c.a IS NULL AND ...": the columns still have what the action set. */
static void
append_unchanged(StringInfo sql, const SdForeignKey *fkey)
{
	char		column[SD_COLUMN_SIZE];

	for (int s = 0; s < fkey->nset; s++)
	{
		sd_fkey_column(column, "c", NULL, fkey->child, fkey->set_att[s]);
		if (fkey->on_delete == FKCONSTR_ACTION_SETNULL)
			appendStringInfo(sql, " AND %s IS NULL", column);
		else
			appendStringInfo(sql, " AND %s::pg_catalog.text IS NOT DISTINCT FROM (l.new_values)[%d]",
							 column, s + 1);
	}
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
				 psprintf("(l.row_key)[%d]::%s", ++i, sd_type_name(getBaseType(type))), type);
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
	char		column[SD_COLUMN_SIZE];
	const ListCell *lc;

	initStringInfo(&row_key);
	appendStringInfoString(&row_key, "ARRAY[");
	foreach(lc, key)
		appendStringInfo(&row_key, "%s%s::pg_catalog.text", row_key.len > 6 ? ", " : "",
						 sd_fkey_column(column, "c", NULL, fkey->child, lfirst_int(lc)));
	appendStringInfoString(&row_key, "]::pg_catalog.text[]");
	appendStringInfo(sql, ", (SELECT c.ctid AS tid, c.tableoid, %s AS row_key,"
					 " pg_catalog.row_number() OVER (PARTITION BY %s) AS n FROM %s%s c WHERE true",
					 row_key.data, row_key.data, sd_only(fkey->child), sd_quoted_relation(fkey->child));
	for (int s = 0; s < fkey->nset; s++)
		if (fkey->on_delete == FKCONSTR_ACTION_SETNULL)
			appendStringInfo(sql, " AND %s IS NULL",
							 sd_fkey_column(column, "c", NULL, fkey->child, fkey->set_att[s]));
	appendStringInfoString(sql, ") r WHERE c.ctid = r.tid AND c.tableoid = r.tableoid"
						   " AND r.row_key = l.row_key AND r.n = l.n");
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
		appendStringInfo(&sql, "%s%s = (l.old_values)[%d]::%s", s ? ", " : "",
						 quote_identifier(get_attname(fkey->child, fkey->set_att[s], false)), s + 1,
						 sd_type_name(get_atttype(fkey->child, fkey->set_att[s])));
	appendStringInfoString(&sql, " FROM (SELECT x.*, pg_catalog.row_number() OVER"
						   " (PARTITION BY x.row_key ORDER BY x.id) AS n FROM softdelete_links x) l");
	if (has_key)
	{
		appendStringInfoString(&sql, " WHERE true");
		append_same_key(&sql, fkey, key);
	}
	else
		append_nth_row(&sql, fkey, key);
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

static void
put_back_links(const SdForeignKey *fkey, SdRowset *parents)
{
	SdRowset   *links = find_links(fkey, parents);
	List	   *key = sd_row_key(fkey->child, fkey);
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

static void
put_back_all_links(Undelete *undelete)
{
	ListCell   *lt;

	foreach(lt, undelete->tables)
	{
		Touched    *table = lfirst(lt);
		SdRowset   *live = NULL;
		ListCell   *lc;

		if (table->rows == NULL)
			continue;
		foreach(lc, table->below)
		{
			SdForeignKey *fkey = lfirst(lc);

			if (fkey->on_delete != FKCONSTR_ACTION_SETNULL &&
				fkey->on_delete != FKCONSTR_ACTION_SETDEFAULT)
				continue;
			if (live == NULL)
				live = live_rows(undelete, table);
			put_back_links(fkey, live);
		}
		if (live)
			sd_rowset_free(live);
	}
}

/* ---------- what stays behind ---------- */

static void
report_taken_back(Undelete *undelete)
{
	ListCell   *lc;

	foreach(lc, undelete->tables)
	{
		Touched    *table = lfirst(lc);

		if (table->taken_back > 0)
			ereport(NOTICE,
					(errmsg_plural(INT64_FORMAT " row of table \"%s\" stays deleted, because another parent that went in the same deletion is still deleted",
								   INT64_FORMAT " rows of table \"%s\" stay deleted, because another parent that went in the same deletion is still deleted",
								   table->taken_back, table->taken_back,
								   get_rel_name(table->relid)),
					 errhint("They come back when that parent is undeleted with cascade := true.")));
	}
}

/* After an undelete without cascade: what is still deleted right below. */
static void
report_left_below(Undelete *undelete, Touched *root)
{
	ListCell   *lc;

	if (root->rows == NULL)
		return;
	foreach(lc, root->below)
	{
		SdForeignKey *fkey = lfirst(lc);
		SdStatement statement = {0};
		StringInfoData sql;
		int64		n;

		if (!sd_registered(fkey->child, NULL))
			continue;
		initStringInfo(&sql);
		appendStringInfo(&sql, "SELECT pg_catalog.count(*) FROM %s%s c, " SD_ROWS_NAME " p WHERE NOT %s AND c.%s = p.deletion_id AND ",
						 sd_only(fkey->child), sd_quoted_relation(fkey->child),
						 sd_live_sql(fkey->child, "c"),
						 quote_identifier(sd_deletion_id_name(fkey->child)));
		sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "c", NULL);
		statement.sql = sql.data;
		statement.kind = SD_RUN_PHYSICAL;
		statement.owner_of = fkey->child;
		statement.ninputs = 1;
		statement.input_names[0] = SD_ROWS_NAME;
		statement.inputs[0] = root->rows;
		n = sd_run_int64(&statement);
		if (n > 0)
			ereport(NOTICE,
					(errmsg_plural(INT64_FORMAT " row of table \"%s\" that went in the same deletion stays deleted",
								   INT64_FORMAT " rows of table \"%s\" that went in the same deletion stay deleted",
								   n, n, get_rel_name(fkey->child)),
					 errhint("Call softdelete_undelete() again with cascade := true to bring back what is below.")));
	}
}

/* The tables that are connected with a table over foreign keys, either way. */
static List *
connected_tables(Oid relid)
{
	List	   *known = list_make1_oid(relid);

	for (int i = 0; i < list_length(known); i++)
	{
		Relation	rel = table_open(list_nth_oid(known, i), AccessShareLock);
		ListCell   *lc;

		foreach(lc, sd_fkeys_below(rel))
			known = list_append_unique_oid(known, ((SdForeignKey *) lfirst(lc))->child);
		foreach(lc, sd_fkeys_from(rel))
			known = list_append_unique_oid(known,
										   sd_partition_root(((SdForeignKey *) lfirst(lc))->parent));
		table_close(rel, AccessShareLock);
	}
	return known;
}

/* Rows of the same deletion where no foreign key leads, either way. */
static void
report_unconnected(Touched *root)
{
	SdStatement statement = {0};
	SdRowset   *logged = NULL;
	List	   *connected;
	TupleTableSlot *slot;

	if (root->rows == NULL)
		return;
	connected = connected_tables(root->relid);
	statement.sql = "SELECT DISTINCT l.relation::pg_catalog.oid, l.deletion_id FROM " SD_SCHEMA ".deleted_relation l"
		" WHERE l.deletion_id IN (SELECT r.deletion_id FROM " SD_ROWS_NAME " r) ORDER BY 1, 2";
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("deletion");
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = root->rows;
	statement.result = &logged;
	sd_run(&statement);

	slot = MakeSingleTupleTableSlot(logged->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(logged->store);
	while (tuplestore_gettupleslot(logged->store, true, true, slot))
	{
		bool		isnull;
		Oid			relid = DatumGetObjectId(slot_getattr(slot, 1, &isnull));
		int64		deletion = DatumGetInt64(slot_getattr(slot, 2, &isnull));
		SdStatement count = {0};
		StringInfoData sql;
		int64		n;

		if (list_member_oid(connected, relid) || get_rel_name(relid) == NULL ||
			!sd_registered(relid, NULL))
			continue;
		initStringInfo(&sql);
		appendStringInfo(&sql, "SELECT pg_catalog.count(*) FROM %s c WHERE NOT %s AND c.%s = " INT64_FORMAT
						 " AND EXISTS (SELECT FROM " SD_ROWS_NAME ")",
						 sd_quoted_relation(relid), sd_live_sql(relid, "c"),
						 quote_identifier(sd_deletion_id_name(relid)), deletion);
		count.sql = sql.data;
		count.kind = SD_RUN_PHYSICAL;
		count.owner_of = relid;
		count.ninputs = 1;
		count.input_names[0] = SD_ROWS_NAME;
		count.inputs[0] = root->rows;
		n = sd_run_int64(&count);
		if (n > 0)
			ereport(WARNING,
					(errmsg_plural(INT64_FORMAT " row of table \"%s\" went in the same deletion and stays deleted: no foreign key leads there from table \"%s\"",
								   INT64_FORMAT " rows of table \"%s\" went in the same deletion and stay deleted: no foreign key leads there from table \"%s\"",
								   n, n, get_rel_name(relid), get_rel_name(root->relid)),
					 errhint("To bring back the whole deletion, run SELECT softdelete_undelete_deletion(" INT64_FORMAT ").",
							 deletion)));
	}
	ExecDropSingleTupleTableSlot(slot);
	sd_rowset_free(logged);
}

/* ---------- entry points ---------- */

/* An undelete needs what seeing a row and inserting it would need. */
static void
check_privileges(Oid relid)
{
	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK ||
		pg_class_aclcheck(relid, GetUserId(), ACL_INSERT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(get_rel_relkind(relid)),
					   get_rel_name(relid));
}

static void
require_registered(Oid relid)
{
	char	   *name = get_rel_name(relid);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (!sd_registered(relid, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not registered", name),
				 errhint("Rows of tables that are not registered are really deleted; softdelete.tables shows what is registered.")));
}

static int64
total(const Undelete *undelete)
{
	int64		rows = 0;
	ListCell   *lc;

	foreach(lc, undelete->tables)
		rows += ((Touched *) lfirst(lc))->restored;
	return rows;
}

/*
 * Frees the rowsets: their temporary files belong to the resource owner of the
 * statement around us, not to a memory context.
 */
static void
finish(Undelete *undelete)
{
	ListCell   *lc;

	foreach(lc, undelete->tables)
	{
		Touched    *table = lfirst(lc);

		if (table->rows)
			sd_rowset_free(table->rows);
	}
}

static void
settle(Undelete *undelete)
{
	do
		take_back_all(undelete);
	while (settle_parents(undelete));
}

/*
 * All the rows that the keys name, as the caller sees them: an unknown key, or
 * one of a row that the caller's policies hide, is error P0002.
 */
static void
require_rows(const SdRowKeys *keys)
{
	StringInfoData sql;
	SdStatement statement = {0};
	SdRowset   *missing = NULL;
	ListCell   *lc;
	const char *sep = "";
	char		column[SD_COLUMN_SIZE];

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	foreach(lc, keys->atts)
	{
		appendStringInfo(&sql, "%s%s", sep,
						 sd_fkey_column(column, "k", SD_ID_PREFIX, keys->relid, lfirst_int(lc)));
		sep = ", ";
	}
	appendStringInfo(&sql, " FROM softdelete_keys k WHERE NOT EXISTS (SELECT FROM %s c WHERE ",
					 sd_quoted_relation(keys->relid));
	sd_rowkeys_match(&sql, keys, "c", "k");
	appendStringInfoString(&sql, ")");
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.ninputs = 1;
	statement.input_names[0] = "softdelete_keys";
	statement.inputs[0] = keys->rows;
	statement.result = &missing;
	if (sd_run(&statement) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("table \"%s\" has no row, live or deleted, with key %s",
						get_rel_name(keys->relid), sd_rowkeys_first(keys, missing)),
				 errhint("SET softdelete.show_deleted = deleted shows the deleted rows.")));
	sd_rowset_free(missing);
}

/* Has anything of the deletions of these rows been brought back before? */
static bool
restored_before(SdRowset *rows)
{
	SdStatement statement = {0};

	if (rows == NULL)
		return false;
	statement.sql = "SELECT pg_catalog.count(*) FROM " SD_SCHEMA ".event e"
		" WHERE e.deletion_id IN (SELECT r.deletion_id FROM " SD_ROWS_NAME " r)";
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("event");
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = rows;
	return sd_run_int64(&statement) > 0;
}

static bool
contains_deletion(List *deletions, int64 deletion)
{
	ListCell   *lc;

	foreach(lc, deletions)
		if (*(int64 *) lfirst(lc) == deletion)
			return true;
	return false;
}

/*
 * The deletions from which the rows came that the caller named, and the
 * parents brought back for them: a list of int64 pointers.
 */
static List *
deletions_of_upper_rows(const Undelete *undelete)
{
	List	   *deletions = NIL;
	ListCell   *lc;

	foreach(lc, undelete->tables)
	{
		Touched    *table = lfirst(lc);
		TupleTableSlot *slot;

		if (!table->has_upper)
			continue;
		slot = MakeSingleTupleTableSlot(table->rows->desc, &TTSOpsMinimalTuple);
		tuplestore_rescan(table->rows->store);
		while (tuplestore_gettupleslot(table->rows->store, true, false, slot))
		{
			bool		isnull;
			bool		upper = DatumGetBool(slot_getattr(slot, 3, &isnull));
			int64		deletion = DatumGetInt64(slot_getattr(slot, 5, &isnull));
			int64	   *copy;

			if (!upper || isnull || contains_deletion(deletions, deletion))
				continue;
			copy = palloc(sizeof(int64));
			*copy = deletion;
			deletions = lappend(deletions, copy);
		}
		ExecDropSingleTupleTableSlot(slot);
	}
	return deletions;
}

/* Logs the undelete, once for each deletion from which rows came back. */
static void
log_undelete(const Undelete *undelete, Oid relid)
{
	ListCell   *lc;

	if (total(undelete) > 0)
		foreach(lc, deletions_of_upper_rows(undelete))
			sd_event_log("undelete", *(int64 *) lfirst(lc), relid, total(undelete));
}

/* Makes the named rows live, and notes those that are so already. */
static void
restore_named(Undelete *undelete, Touched *root, const SdRowKeys *keys, bool cascade)
{
	StringInfoData sql;
	SdRowset   *rows;
	int64		live;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM %s c, softdelete_keys k WHERE c.%s AND ",
					 touched_columns(root, true, false), sd_quoted_relation(keys->relid), root->flag);
	sd_rowkeys_match(&sql, keys, "c", "k");
	rows = run_on(undelete, root, SD_RUN_PHYSICAL, sql.data, NULL, 1, "softdelete_keys", keys->rows, NULL, NULL);
	live = sd_rowset_count(rows);
	touch(undelete, root, rows, true, false, cascade, InvalidOid);

	resetStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s c SET %s = true FROM softdelete_keys k WHERE NOT c.%s AND ",
					 sd_quoted_relation(keys->relid), root->flag, root->flag);
	sd_rowkeys_match(&sql, keys, "c", "k");
	appendStringInfo(&sql, " RETURNING %s", touched_columns(root, true, true));
	rows = run_on(undelete, root, SD_RUN_FLAG, sql.data, NULL, 1, "softdelete_keys", keys->rows, NULL, NULL);
	touch(undelete, root, rows, true, true, cascade, InvalidOid);

	if (live > 0)
		ereport(NOTICE,
				(errmsg_plural(INT64_FORMAT " row of table \"%s\" is not deleted",
							   INT64_FORMAT " rows of table \"%s\" are not deleted",
							   live, live, get_rel_name(keys->relid))));
}

static int64
undelete_rows(Oid relid, Datum id, Oid type, bool cascade, bool with_parents)
{
	Undelete	undelete = {0};
	SdRowKeys  *keys;
	Touched    *root;
	int64		rows;

	PreventCommandIfReadOnly("softdelete_undelete()");
	require_registered(relid);
	check_privileges(relid);
	undelete.context = CurrentMemoryContext;
	undelete.with_parents = with_parents;
	keys = sd_rowkeys_from_value(relid, id, type);
	root = touched_table(&undelete, relid);
	require_rows(keys);
	restore_named(&undelete, root, keys, cascade);
	undelete.repeated = cascade && restored_before(root->rows);
	descend(&undelete);
	settle(&undelete);
	if (cascade)
		put_back_all_links(&undelete);
	rows = total(&undelete);
	log_undelete(&undelete, relid);
	report_taken_back(&undelete);
	if (!cascade)
		report_left_below(&undelete, root);
	report_unconnected(root);
	sd_rowset_free(keys->rows);
	finish(&undelete);
	return rows;
}

static bool
flag_argument(FunctionCallInfo fcinfo, int n)
{
	return !PG_ARGISNULL(n) && PG_GETARG_BOOL(n);
}

PG_FUNCTION_INFO_V1(softdelete_undelete);

/*
 * softdelete_undelete(rel regclass, id, cascade boolean, with_parents boolean):
 * id is of any type.  Errors: 22004, 22023, 23503, 42501, 55000, P0002.
 */
Datum
softdelete_undelete(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	MemoryContext old;
	int64		rows;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", PG_ARGISNULL(0) ? "rel" : "id"),
				 errhint("Name a registered table and the key of a row.")));
	context = AllocSetContextCreate(CurrentMemoryContext, "softdelete undelete",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	rows = undelete_rows(PG_GETARG_OID(0), PG_GETARG_DATUM(1),
						 get_fn_expr_argtype(fcinfo->flinfo, 1),
						 flag_argument(fcinfo, 2), flag_argument(fcinfo, 3));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	PG_RETURN_INT64(rows);
}

/* One row with the deletion's id, for statements that find its rows. */
static SdRowset *
deletion_row(int64 deletion)
{
	TupleDesc	desc = CreateTemplateTupleDesc(1);
	SdRowset   *row;
	Datum		value = Int64GetDatum(deletion);
	bool		isnull = false;

	TupleDescInitEntry(desc, 1, "deletion_id", INT8OID, -1, 0);
	row = sd_rowset_create(desc);
	tuplestore_putvalues(row->store, row->desc, &value, &isnull);
	return row;
}

/* The tables of a deletion, and whether a statement named them. */
static SdRowset *
deletion_tables(SdRowset *row, int64 deletion)
{
	SdStatement statement = {0};
	SdRowset   *tables = NULL;

	statement.sql = "SELECT l.relation::pg_catalog.oid, pg_catalog.bool_or(l.named)"
		" FROM " SD_SCHEMA ".deleted_relation l, " SD_ROWS_NAME " r"
		" WHERE l.deletion_id = r.deletion_id GROUP BY 1 ORDER BY 1";
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("deletion");
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = row;
	statement.result = &tables;
	if (sd_run(&statement) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("deletion " INT64_FORMAT " does not exist", deletion),
				 errhint("softdelete.deletions shows the deletions.")));
	return tables;
}

static void
restore_deleted(Undelete *undelete, Oid relid, SdRowset *row)
{
	Touched    *table = touched_table(undelete, relid);
	StringInfoData sql;
	SdRowset   *rows;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s c SET %s = true FROM " SD_ROWS_NAME " r WHERE NOT c.%s"
					 " AND c.%s = r.deletion_id RETURNING %s",
					 sd_quoted_relation(table->relid), table->flag, table->flag,
					 table->deletion_id, touched_columns(table, false, true));
	rows = run_on(undelete, table, SD_RUN_FLAG, sql.data, NULL, 1, SD_ROWS_NAME, row, NULL, NULL);
	touch(undelete, table, rows, false, true, false, InvalidOid);

	/* rows brought back before may miss references that were taken away */
	if (!undelete->repeated || table->below == NIL)
		return;
	resetStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM %s c, " SD_ROWS_NAME " r WHERE c.%s AND c.%s = r.deletion_id",
					 touched_columns(table, false, false), sd_quoted_relation(table->relid),
					 table->flag, table->deletion_id);
	if (table->rows)
		appendStringInfoString(&sql, " AND NOT EXISTS (SELECT FROM softdelete_touched t"
							   " WHERE t.tid = c.ctid AND t.tableoid = c.tableoid)");
	rows = run_on(undelete, table, SD_RUN_PHYSICAL, sql.data, NULL, table->rows ? 2 : 1, SD_ROWS_NAME, row,
				  "softdelete_touched", table->rows);
	touch(undelete, table, rows, false, false, false, InvalidOid);
}

static int64
undelete_deletion(int64 deletion)
{
	Undelete	undelete = {0};
	SdRowset   *row = deletion_row(deletion);
	SdRowset   *tables;
	TupleTableSlot *slot;
	int64		rows;

	PreventCommandIfReadOnly("softdelete_undelete_deletion()");
	undelete.context = CurrentMemoryContext;
	undelete.repeated = restored_before(row);
	tables = deletion_tables(row, deletion);
	slot = MakeSingleTupleTableSlot(tables->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(tables->store);
	while (tuplestore_gettupleslot(tables->store, true, true, slot))
	{
		bool		isnull;
		Oid			relid = DatumGetObjectId(slot_getattr(slot, 1, &isnull));
		bool		named = DatumGetBool(slot_getattr(slot, 2, &isnull));

		if (get_rel_name(relid) == NULL || !sd_registered(relid, NULL))
		{
			ereport(WARNING,
					(errmsg("a table of deletion " INT64_FORMAT " is no longer there or no longer registered: OID %u",
							deletion, relid)));
			continue;
		}
		if (named)
			check_privileges(relid);
		restore_deleted(&undelete, relid, row);
	}
	ExecDropSingleTupleTableSlot(slot);
	settle(&undelete);
	put_back_all_links(&undelete);
	rows = total(&undelete);
	if (rows > 0)
		sd_event_log("undelete", deletion, InvalidOid, rows);
	report_taken_back(&undelete);
	if (rows == 0)
		ereport(NOTICE,
				(errmsg("no row of deletion " INT64_FORMAT " is still deleted", deletion)));
	sd_rowset_free(tables);
	sd_rowset_free(row);
	finish(&undelete);
	return rows;
}

PG_FUNCTION_INFO_V1(softdelete_undelete_deletion);

/*
 * softdelete_undelete_deletion(deletion_id bigint).  Errors: 22004, 23503,
 * 42501, P0002.
 */
Datum
softdelete_undelete_deletion(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	MemoryContext old;
	int64		rows;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("deletion_id must not be null"),
				 errhint("softdelete.deletions shows the deletions.")));
	context = AllocSetContextCreate(CurrentMemoryContext, "softdelete undelete",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	rows = undelete_deletion(PG_GETARG_INT64(0));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	PG_RETURN_INT64(rows);
}
