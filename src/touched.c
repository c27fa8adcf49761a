/*
 * touched.c - the rows that an undelete has touched.
 *
 * They are kept in rowsets, one a table, with their place (ctid) and the columns
 * that foreign keys in both directions need; statements on one table read them
 * and run as its owner.
 */
#include "postgres.h"

#include "access/table.h"
#include "cascade.h"
#include "nodes/parsenodes.h"
#include "registry.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteDefine.h"
#include "rowkey.h"
#include "touched.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Columns that every touched row carries before those of its keys. */
#define TOUCHED_COLUMNS "c.tableoid, c.ctid AS tid"

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

SdTouched *
sd_touched_table(SdUndelete *undelete, Oid relid)
{
	SdTouched  *table;
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
	rel = table_open(relid, undelete->pretend ? AccessShareLock : RowExclusiveLock);
	table = palloc0(sizeof(SdTouched));
	table->relid = relid;
	table->live = sd_live_sql(relid, "c");
	table->set_live = sd_set_live_sql(relid);
	table->deletion_id = pstrdup(quote_identifier(sd_deletion_id_name(relid)));
	table->below = sd_fkeys_below(rel);
	foreach(lc, sd_fkeys_above(rel))
	{
		SdForeignKey *fkey = lfirst(lc);

		if (sd_registered(fkey->parent, NULL) || !fkey->validated || undelete->images)
			table->above = lappend(table->above, fkey);
	}
	table->atts = needed_atts(table->below, table->above);
	if (undelete->pretend)
		table->atts = list_concat_unique_int(table->atts, sd_primary_key(relid));
	else
		refuse_rules(rel);
	table_close(rel, NoLock);
	undelete->tables = lappend(undelete->tables, table);
	MemoryContextSwitchTo(old);
	return table;
}

/* The columns of a touched row, of a table known as c. */
char *
sd_touched_columns(const SdTouched *table, bool upper, bool flipped)
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
SdRowset *
sd_touched_run(const SdUndelete *undelete, const SdTouched *table, SdRunKind kind, const char *sql,
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
 * Notes rows as touched, and as work where something may hang below them; they are
 * the undelete's from now on, and made in its context.
 * "via" is the foreign key over which they were found below rows made live
 * now; InvalidOid for any other way.
 */
void
sd_touch(SdUndelete *undelete, SdTouched *table, SdRowset *rows, bool upper, bool flipped,
	  bool descend, Oid via)
{
	MemoryContext old;

	if (sd_rowset_count(rows) == 0)
	{
		sd_rowset_free(rows);
		return;
	}
	old = MemoryContextSwitchTo(undelete->context);
	descend = descend && table->below != NIL;
	table->has_upper |= upper;
	if (flipped)
		table->restored += sd_rowset_count(rows);
	if (table->rows == NULL)
		table->via = via;
	else if (table->via != via)
		table->via = InvalidOid;
	if (table->rows == NULL && !descend)
		table->rows = rows;
	else
	{
		if (table->rows == NULL)
			table->rows = sd_rowset_create(rows->desc);
		sd_rowset_append(table->rows, rows);
		if (!descend)
			sd_rowset_free(rows);
	}
	if (descend)
	{
		SdWork	   *work = palloc(sizeof(SdWork));

		work->table = table;
		work->rows = rows;
		work->flipped = flipped;
		undelete->work = lappend(undelete->work, work);
	}
	MemoryContextSwitchTo(old);
}

/* The touched rows that are live in the end. */
SdRowset *
sd_touched_live(const SdUndelete *undelete, const SdTouched *table)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT s.* FROM %s c, " SD_ROWS_NAME " s"
					 " WHERE c.ctid = s.tid AND c.tableoid = s.tableoid AND %s",
					 sd_quoted_relation(table->relid), table->live);
	return sd_touched_run(undelete, table, SD_RUN_PHYSICAL, sql.data, NULL, 1, SD_ROWS_NAME, table->rows, NULL, NULL);
}
