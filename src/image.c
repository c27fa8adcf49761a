/*
 * image.c - the journal of deleted rows whose keys have been taken.
 *
 * A key that cannot be partial, such as a primary key, and that no foreign key
 * references, is free again for a new row: the deleted row leaves the table, and
 * its image goes to softdelete.image, with its deletion.  Undelete puts the image
 * back into the table, as a deleted row, before it makes it live as any other.
 *
 * Values are kept as text by column name, as in a dump, which carries them.  What
 * a type's input functions do with them is done as the table's owner.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "cascade.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "deletion.h"
#include "image.h"
#include "linkrows.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteDefine.h"
#include "rewrite/rewriteHandler.h"
#include "run.h"
#include "unlinked.h"
#include "taken.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"

/*
 * Is this a column that an image carries under its name?  A flag that says when
 * the row was deleted is one.
 */
static bool
is_carried(Form_pg_attribute att, const SdTable *table)
{
	bool		says_when = table->kind == SD_FLAG_TIME || table->kind == SD_FLAG_TIMETZ;

	return !att->attisdropped && !att->attgenerated &&
		(att->attnum != table->flag || says_when) && att->attnum != table->deletion_id;
}

/* ---------- out of the table ---------- */

/* The columns of a row as name[] and text[]. */
static void
make_image(Relation rel, TupleTableSlot *row, const SdTable *table, Datum *columns, Datum *texts)
{
	TupleDesc	desc = RelationGetDescr(rel);
	Datum	   *names = palloc(desc->natts * sizeof(Datum));
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));
	int			n = 0;
	int			lower = 1;
	int			nestlevel = sd_portable_begin();

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		Oid			output;
		bool		varlena;
		Datum		value;

		if (!is_carried(att, table))
			continue;
		names[n] = NameGetDatum(&att->attname);
		value = slot_getattr(row, att->attnum, &nulls[n]);
		if (!nulls[n])
		{
			getTypeOutputInfo(att->atttypid, &output, &varlena);
			values[n] = CStringGetTextDatum(OidOutputFunctionCall(output, value));
		}
		n++;
	}
	sd_portable_end(nestlevel);
	*columns = PointerGetDatum(construct_array(names, n, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR));
	*texts = PointerGetDatum(construct_md_array(values, nulls, 1, &n, &lower, TEXTOID, -1, false,
												TYPALIGN_INT));
}

static void
write_image(Relation rel, Datum columns, Datum texts, Datum deletion, bool no_deletion, Datum links)
{
	Relation	journal = table_open(sd_own_relation("image"), RowExclusiveLock);
	Datum		values[6];
	bool		nulls[6] = {0};
	HeapTuple	tuple;

	values[0] = Int64GetDatum(nextval_internal(sd_own_relation("image_id_seq"), false));
	values[1] = deletion;
	nulls[1] = no_deletion;
	values[2] = ObjectIdGetDatum(sd_partition_root(RelationGetRelid(rel)));
	values[3] = columns;
	values[4] = texts;
	values[5] = links;
	nulls[5] = links == (Datum) 0;
	tuple = heap_form_tuple(RelationGetDescr(journal), values, nulls);
	CatalogTupleInsert(journal, tuple);
	heap_freetuple(tuple);
	table_close(journal, NoLock);
}

/*
 * Moves a deleted row, as it was found under SnapshotDirty, out of its table and
 * into the journal.  No trigger notices.  False, with nothing done, if somebody
 * has changed the row since: look again.
 */
bool
sd_image_move(Relation rel, TupleTableSlot *row, const SdTable *table)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "softdelete image",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Datum		columns;
	Datum		texts;
	Datum		deletion;
	bool		no_deletion;
	SdLinkRows *links;
	TM_FailureData failure;
	TM_Result	result;

	make_image(rel, row, table, &columns, &texts);
	deletion = slot_getattr(row, table->deletion_id, &no_deletion);

	/* the row may have been deleted by the very statement that inserts */
	CommandCounterIncrement();
	result = table_tuple_delete(rel, &row->tts_tid, GetCurrentCommandId(true),
								GetActiveSnapshot(), InvalidSnapshot, true, &failure, false);
	switch (result)
	{
		case TM_Ok:
			links = sd_link_rows(rel);
			if (sd_unlinked_any())
				sd_unlinked_left(rel, row, NULL);
			write_image(rel, columns, texts, deletion, no_deletion,
						links ? sd_link_rows_moved(links, row) : (Datum) 0);
			break;
		case TM_Updated:
		case TM_Deleted:
			break;
		default:
			elog(ERROR, "unexpected table_tuple_delete status: %d", result);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return result == TM_Ok;
}

/* ---------- back into the table ---------- */

static int64
count_images(const char *sql)
{
	SdStatement statement = {0};

	statement.sql = sql;
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("image");
	return sd_run_int64(&statement);
}

/* Is there anything in the journal? */
bool
sd_images_exist(void)
{
	return count_images("SELECT pg_catalog.count(*) FROM"
						" (SELECT FROM " SD_SCHEMA ".image i LIMIT 1) x") > 0;
}

/* How many images there are of rows of a table, or of a partitioned one. */
int64
sd_images_of(Oid relid)
{
	return count_images(psprintf("SELECT pg_catalog.count(*) FROM " SD_SCHEMA ".image i"
								 " WHERE i.relation = %u::pg_catalog.regclass", relid));
}

/* How many images there are of rows of a table, of the deletions of these rows. */
int64
sd_images_of_deletions(Oid relid, SdRowset *rows)
{
	SdStatement statement = {0};

	statement.sql = psprintf("SELECT pg_catalog.count(*) FROM " SD_SCHEMA ".image i"
							 " WHERE i.relation = %u::pg_catalog.regclass"
							 " AND i.deletion_id IN (SELECT r.deletion_id FROM " SD_ROWS_NAME " r)", relid);
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("image");
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = rows;
	return sd_run_int64(&statement);
}

/*
 * The images of rows of a table, of the deletions of these rows or, for NULL,
 * of all: id, deletion_id, columns, col_values.  "latest": as SdStatement has it.
 */
static SdRowset *
fetch(Oid relid, SdRowset *rows, bool latest)
{
	SdStatement statement = {0};
	SdRowset   *images = NULL;

	statement.sql = psprintf("SELECT i.id, i.deletion_id, i.columns, i.col_values FROM " SD_SCHEMA ".image i"
							 " WHERE i.relation = %u::pg_catalog.regclass%s", relid,
							 rows ? " AND i.deletion_id IN (SELECT r.deletion_id FROM " SD_ROWS_NAME " r)" : "");
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("image");
	statement.latest = latest;
	statement.ninputs = rows ? 1 : 0;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = rows;
	statement.result = &images;
	sd_run(&statement);
	return images;
}

/* The value that an image i has for a column, as SQL; palloc'd. */
static char *
image_value(Oid relid, AttrNumber att)
{
	return psprintf(SD_FROM_TEXT,
					psprintf("(i.col_values)[pg_catalog.array_position(i.columns, %s::pg_catalog.name)]",
							 quote_literal_cstr(get_attname(relid, att, false))),
					sd_type_name(get_atttype(relid, att)));
}

/* SQL for the flag of an image i that is a deleted row again; palloc'd. */
static char *
deleted_flag(Oid relid, AttrNumber flag)
{
	char	   *otherwise = sd_deleted_value_sql(relid, "i.deletion_id");
	char	   *name = get_attname(relid, flag, false);
	SdTable		table;

	(void) sd_registered(relid, &table);
	if (table.kind == SD_FLAG_LIVE || table.kind == SD_FLAG_DELETED)
		return otherwise;
	return psprintf("COALESCE(CASE WHEN %s = ANY (i.columns) THEN %s END, %s)",
					quote_literal_cstr(name), image_value(relid, flag), otherwise);
}

/*
 * Of the images those for which the condition holds.  It knows an image as c,
 * with these columns as k<attribute number>, and a further rowset.  "latest": of
 * those that are equal in the columns the one that was moved last.
 */
static SdRowset *
choose(Oid relid, SdRowset *images, List *atts, bool latest, const char *condition,
	   const char *name, SdRowset *rows)
{
	StringInfoData columns;
	StringInfoData names;
	SdStatement statement = {0};
	SdRowset   *chosen = NULL;
	ListCell   *lc;

	initStringInfo(&columns);
	initStringInfo(&names);
	foreach(lc, atts)
	{
		appendStringInfo(&columns, ", %s AS " SD_KEY_PREFIX "%d",
						 image_value(relid, lfirst_int(lc)), lfirst_int(lc));
		appendStringInfo(&names, "%sc." SD_KEY_PREFIX "%d", names.len ? ", " : "", lfirst_int(lc));
	}
	statement.sql = psprintf("SELECT %s c.id, c.deletion_id, c.columns, c.col_values"
							 " FROM (SELECT i.*%s FROM softdelete_images i) c WHERE %s%s",
							 latest ? psprintf("DISTINCT ON (%s)", names.data) : "",
							 columns.data, condition,
							 latest ? psprintf(" ORDER BY %s, c.id DESC", names.data) : "");
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = relid;
	statement.portable = true;
	statement.ninputs = 2;
	statement.input_names[0] = "softdelete_images";
	statement.inputs[0] = images;
	statement.input_names[1] = name;
	statement.inputs[1] = rows;
	statement.result = &chosen;
	sd_run(&statement);
	return chosen;
}

/*
 * The statement that inserts images as deleted rows.  A column that has been
 * added since has its default.
 */
static char *
insert_statement(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	StringInfoData columns;
	StringInfoData values;
	SdTable		table;
	int			nestlevel = sd_portable_begin();

	(void) sd_registered(relid, &table);
	initStringInfo(&columns);
	initStringInfo(&values);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		Node	   *value;

		if (!is_carried(att, &table) || att->attnum == table.flag)
			continue;
		value = build_column_default(rel, att->attnum);
		appendStringInfo(&columns, "%s, ", quote_identifier(NameStr(att->attname)));
		appendStringInfo(&values, "CASE WHEN %s = ANY (i.columns) THEN %s ELSE %s END, ",
						 quote_literal_cstr(NameStr(att->attname)), image_value(relid, att->attnum),
						 value ? deparse_expression(value, NIL, false, false) : "NULL");
	}
	sd_portable_end(nestlevel);
	table_close(rel, AccessShareLock);
	return psprintf("INSERT INTO %s (%s%s, %s) OVERRIDING SYSTEM VALUE"
					" SELECT %s%s, i.deletion_id FROM softdelete_images i",
					sd_quoted_relation(relid), columns.data, quote_identifier(sd_flag_name(relid)),
					quote_identifier(sd_deletion_id_name(relid)), values.data,
					deleted_flag(relid, table.flag));
}

static void
refuse_unknown_columns(Oid relid, SdRowset *images)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(images->desc, &TTSOpsMinimalTuple);

	tuplestore_rescan(images->store);
	while (tuplestore_gettupleslot(images->store, true, false, slot))
	{
		bool		isnull;
		Datum	   *names;
		int			n;

		deconstruct_array(DatumGetArrayTypeP(slot_getattr(slot, 3, &isnull)), NAMEOID, NAMEDATALEN,
						  false, TYPALIGN_CHAR, &names, NULL, &n);
		for (int i = 0; i < n; i++)
			if (get_attnum(relid, NameStr(*DatumGetName(names[i]))) == InvalidAttrNumber)
			{
				ereport(WARNING,
						(errmsg("column \"%s\" of deleted rows of table \"%s\" no longer exists: its values stay behind",
								NameStr(*DatumGetName(names[i])), get_rel_name(relid))));
				ExecDropSingleTupleTableSlot(slot);
				return;
			}
	}
	ExecDropSingleTupleTableSlot(slot);
}

/* A rule for INSERT would act on what is no INSERT to the user. */
static void
refuse_rules(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);

	for (int i = 0; rel->rd_rules && i < rel->rd_rules->numLocks; i++)
		if (rel->rd_rules->rules[i]->event == CMD_INSERT &&
			rel->rd_rules->rules[i]->enabled != RULE_DISABLED)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("cannot undelete in table \"%s\": it has a rule for INSERT",
							RelationGetRelationName(rel)),
					 errdetail("Other rows have taken the keys of deleted ones, which have to be inserted again."),
					 errhint("Disable the rule for the time of the undelete with ALTER TABLE %s DISABLE RULE.",
							 sd_quoted_relation(relid))));
	table_close(rel, NoLock);
}

/* Takes images off the journal; returns how many were there. */
static int64
forget(SdRowset *images, bool latest)
{
	SdStatement statement = {0};

	statement.sql = "DELETE FROM " SD_SCHEMA ".image i USING softdelete_images x WHERE i.id = x.id";
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("image");
	statement.latest = latest;
	statement.ninputs = 1;
	statement.input_names[0] = "softdelete_images";
	statement.inputs[0] = images;
	return sd_run(&statement);
}

/*
 * What becomes of the journalled references of rows whose images are about to be
 * taken off the journal.
 */
static void
settle_links(SdRowset *images, const char *statement_text)
{
	SdStatement statement = {0};

	statement.sql = statement_text;
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("link");
	statement.latest = true;
	statement.ninputs = 1;
	statement.input_names[0] = "softdelete_images";
	statement.inputs[0] = images;
	sd_run(&statement);
}

#define IMAGE_LINKS "(SELECT pg_catalog.unnest(i.links) FROM " SD_SCHEMA ".image i, softdelete_images x" \
	" WHERE i.id = x.id AND i.links IS NOT NULL)"
#define TAKE_LINKS_BACK "UPDATE " SD_SCHEMA ".link l SET gone = false WHERE l.id IN " IMAGE_LINKS
#define FORGET_LINKS "DELETE FROM " SD_SCHEMA ".link l WHERE l.id IN " IMAGE_LINKS

/* Inserts images into their table and takes them off the journal; frees them. */
static int64
put_back(Oid relid, SdRowset *images)
{
	int64		n = sd_rowset_count(images);

	if (n > 0)
	{
		SdStatement insert = {0};

		refuse_rules(relid);
		refuse_unknown_columns(relid, images);
		insert.sql = insert_statement(relid);
		insert.kind = SD_RUN_IMAGES;
		insert.owner_of = relid;
		insert.portable = true;
		insert.expect = SPI_OK_INSERT;
		insert.ninputs = 1;
		insert.input_names[0] = "softdelete_images";
		insert.inputs[0] = images;
		sd_run(&insert);

		settle_links(images, TAKE_LINKS_BACK);
		if (forget(images, false) != n)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not serialize access due to concurrent undelete")));
	}
	sd_rowset_free(images);
	return n;
}

/*
 * SQL for the rows that softdelete_images would be in their table: its columns by
 * name, and softdelete_image, the image's id.  The flag is as of a live row.
 */
char *
sd_images_as_rows(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	StringInfoData sql;
	SdTable		table;
	int			nestlevel = sd_portable_begin();

	(void) sd_registered(relid, &table);
	initStringInfo(&sql);
	appendStringInfoString(&sql, "(SELECT i.id AS softdelete_image");
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		const char *name = quote_identifier(NameStr(att->attname));
		Node	   *value;

		if (att->attisdropped)
			continue;
		value = is_carried(att, &table) ? build_column_default(rel, att->attnum) : NULL;
		if (att->attnum == table.deletion_id)
			appendStringInfo(&sql, ", i.deletion_id AS %s", name);
		else if (att->attnum == table.flag)
			appendStringInfo(&sql, ", %s AS %s",
							 deparse_expression((Node *) sd_live_flag(&table), NIL, false, false), name);
		else if (is_carried(att, &table))
			appendStringInfo(&sql, ", CASE WHEN %s = ANY (i.columns) THEN %s ELSE %s END AS %s",
							 quote_literal_cstr(NameStr(att->attname)), image_value(relid, att->attnum),
							 value ? deparse_expression(value, NIL, false, false) : "NULL", name);
		else
			appendStringInfo(&sql, ", NULL::%s AS %s", sd_type_name(att->atttypid), name);
	}
	sd_portable_end(nestlevel);
	table_close(rel, AccessShareLock);
	appendStringInfoString(&sql, " FROM softdelete_images i)");
	return sql.data;
}

/* Of the images those that would find all their keys free; frees the others. */
static SdRowset *
with_free_keys(Oid relid, SdRowset *images)
{
	StringInfoData sql;
	SdStatement statement = {0};
	SdRowset   *chosen = NULL;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT i.id, i.deletion_id, i.columns, i.col_values"
					 " FROM softdelete_images i, %s c WHERE c.softdelete_image = i.id",
					 sd_images_as_rows(relid));
	foreach(lc, sd_uniques(relid))
	{
		SdUnique   *unique = lfirst(lc);

		/* others it meets when it becomes live; a deleted row makes way */
		if (!unique->of_live)
			appendStringInfo(&sql, " AND NOT EXISTS (SELECT FROM %s%s x WHERE %s AND %s)",
							 sd_only(relid), sd_quoted_relation(relid), sd_live_sql(relid, "x"),
							 unique->taken);
	}
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = relid;
	statement.portable = true;
	statement.ninputs = 1;
	statement.input_names[0] = "softdelete_images";
	statement.inputs[0] = images;
	statement.result = &chosen;
	sd_run(&statement);
	sd_rowset_free(images);
	return chosen;
}

/* Is there a row for each of the keys in the table, live or deleted? */
static bool
all_in_table(const SdRowKeys *keys)
{
	StringInfoData sql;
	SdStatement statement = {0};

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT pg_catalog.count(*) FROM softdelete_keys k WHERE NOT EXISTS (SELECT FROM %s t WHERE ",
					 sd_quoted_relation(keys->relid));
	sd_rowkeys_match(&sql, keys, "t", NULL, "k");
	appendStringInfoChar(&sql, ')');
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = keys->relid;
	statement.ninputs = 1;
	statement.input_names[0] = "softdelete_keys";
	statement.inputs[0] = keys->rows;
	return sd_run_int64(&statement) == 0;
}

/*
 * The images of those of the rows named that are not in the table: of each key the
 * one that was moved last.  NULL if all are in the table.
 */
SdRowset *
sd_images_named_last(const SdRowKeys *keys)
{
	SdRowset   *all;
	SdRowset   *named;
	StringInfoData condition;

	/* all images have to be read, because values as text may not be compared */
	if (all_in_table(keys))
		return NULL;
	all = fetch(keys->relid, NULL, false);
	initStringInfo(&condition);
	appendStringInfo(&condition, "EXISTS (SELECT FROM softdelete_keys k WHERE ");
	sd_rowkeys_match(&condition, keys, "c", SD_KEY_PREFIX, "k");
	appendStringInfo(&condition, " AND NOT EXISTS (SELECT FROM %s t WHERE ",
					 sd_quoted_relation(keys->relid));
	sd_rowkeys_match(&condition, keys, "t", NULL, "k");
	appendStringInfoString(&condition, "))");
	named = choose(keys->relid, all, keys->atts, true, condition.data, "softdelete_keys", keys->rows);
	sd_rowset_free(all);
	return named;
}

/* Puts them back, as deleted rows.  Returns how many. */
int64
sd_images_return_named(const SdRowKeys *keys)
{
	SdRowset   *named = sd_images_named_last(keys);

	return named ? put_back(keys->relid, named) : 0;
}

/* The images of rows of a table that a deletion (a row with its id) took. */
SdRowset *
sd_images_in_deletion(Oid relid, SdRowset *deletion)
{
	return fetch(relid, deletion, false);
}

/*
 * The images of rows that hang below these rows over a foreign key and went in the
 * same deletion.
 */
SdRowset *
sd_images_below_in_deletion(const SdForeignKey *fkey, SdRowset *rows)
{
	Oid			root = sd_partition_root(fkey->child);
	SdForeignKey whole = *fkey;
	SdRowset   *all;
	SdRowset   *below;
	StringInfoData condition;
	List	   *atts = NIL;

	all = fetch(root, rows, false);
	if (sd_rowset_count(all) == 0)
		return all;
	whole.child = root;
	whole.part = whole.child_part = InvalidOid;
	for (int i = 0; i < fkey->nkeys; i++)
	{
		if (root != fkey->child)
			whole.child_att[i] = get_attnum(root, get_attname(fkey->child, fkey->child_att[i], false));
		atts = lappend_int(atts, whole.child_att[i]);
	}
	initStringInfo(&condition);
	appendStringInfoString(&condition, "EXISTS (SELECT FROM " SD_ROWS_NAME " p WHERE p.deletion_id = c.deletion_id AND ");
	sd_fkey_match(&condition, &whole, "p", SD_KEY_PREFIX, "c", SD_KEY_PREFIX);
	appendStringInfoChar(&condition, ')');
	below = choose(root, all, atts, false, condition.data, SD_ROWS_NAME, rows);
	sd_rowset_free(all);
	return below;
}

/*
 * Puts them back, as deleted rows.  Returns how many.  If "taken" is not NULL, those
 * whose keys are taken are left, and counted there.
 */
int64
sd_images_return_below(const SdForeignKey *fkey, SdRowset *rows, int64 *taken)
{
	Oid			root = sd_partition_root(fkey->child);
	SdRowset   *below = sd_images_below_in_deletion(fkey, rows);

	if (taken && sd_rowset_count(below) > 0)
	{
		*taken += sd_rowset_count(below);
		below = with_free_keys(root, below);
		*taken -= sd_rowset_count(below);
	}
	return put_back(root, below);
}

/* Puts back, as deleted rows, all that a deletion (a row with its id) took. */
int64
sd_images_return_deletion(Oid relid, SdRowset *deletion)
{
	return put_back(relid, fetch(relid, deletion, false));
}

/*
 * Puts back, as deleted rows, all rows of a table.  Of a key that several of them
 * have only one can come back: error 23505.
 */
int64
sd_images_return_all(Oid relid)
{
	return put_back(relid, fetch(relid, NULL, false));
}

/* ---------- for good ---------- */

/*
 * Forgets images of rows of a table: those whose deletion d in the log fulfils the
 * condition or, for NULL, all.  Returns how many.
 */
int64
sd_images_forget(Oid relid, const char *condition)
{
	SdStatement statement = {0};

	statement.sql = psprintf("WITH gone AS (DELETE FROM " SD_SCHEMA ".image i%s"
							 " WHERE i.relation = %u::pg_catalog.regclass%s RETURNING i.links),"
							 " forgotten AS (DELETE FROM " SD_SCHEMA ".link l WHERE l.id IN"
							 " (SELECT pg_catalog.unnest(g.links) FROM gone g))"
							 " SELECT pg_catalog.count(*) FROM gone",
							 condition ? " USING " SD_SCHEMA ".deletion d" : "", relid,
							 condition ? psprintf(" AND d.id = i.deletion_id AND %s", condition) : "");
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("image");
	statement.latest = true;
	return sd_run_int64(&statement);
}

/* The images of rows with these keys: id, deletion_id and more. */
SdRowset *
sd_images_named(const SdRowKeys *keys)
{
	SdRowset   *all = fetch(keys->relid, NULL, true);
	SdRowset   *named;
	StringInfoData condition;

	initStringInfo(&condition);
	appendStringInfoString(&condition, "EXISTS (SELECT FROM softdelete_keys k WHERE ");
	sd_rowkeys_match(&condition, keys, "c", SD_KEY_PREFIX, "k");
	appendStringInfoChar(&condition, ')');
	named = choose(keys->relid, all, keys->atts, false, condition.data, "softdelete_keys", keys->rows);
	sd_rowset_free(all);
	return named;
}

/* The images of rows that refer to these rows, of whatever deletions. */
SdRowset *
sd_images_below(const SdForeignKey *fkey, SdRowset *rows)
{
	Oid			root = sd_partition_root(fkey->child);
	SdForeignKey whole = *fkey;
	SdRowset   *all = fetch(root, NULL, true);
	SdRowset   *below;
	StringInfoData condition;
	List	   *atts = NIL;

	whole.child = root;
	whole.part = whole.child_part = InvalidOid;
	for (int i = 0; i < fkey->nkeys; i++)
	{
		whole.child_att[i] = get_attnum(root, get_attname(fkey->child, fkey->child_att[i], false));
		atts = lappend_int(atts, whole.child_att[i]);
	}
	initStringInfo(&condition);
	appendStringInfoString(&condition, "EXISTS (SELECT FROM " SD_ROWS_NAME " p WHERE ");
	sd_fkey_match(&condition, &whole, "p", SD_KEY_PREFIX, "c", SD_KEY_PREFIX);
	appendStringInfoChar(&condition, ')');
	below = choose(root, all, atts, false, condition.data, SD_ROWS_NAME, rows);
	sd_rowset_free(all);
	return below;
}

/* Forgets these images; frees them. */
int64
sd_images_delete(SdRowset *images)
{
	int64		rows;

	settle_links(images, FORGET_LINKS);
	rows = forget(images, true);
	sd_rowset_free(images);
	return rows;
}

/*
 * Of the rows, which begin with their places, those to which an image refers by a
 * foreign key: their places.  NULL if there is none.
 */
SdRowset *
sd_images_referring(const SdForeignKey *fkey, SdRowset *rows)
{
	Oid			root = sd_partition_root(fkey->child);
	SdForeignKey whole = *fkey;
	StringInfoData sql;
	SdStatement statement = {0};
	SdRowset   *images = fetch(root, NULL, true);
	SdRowset   *referred = NULL;

	if (sd_rowset_count(images) == 0)
	{
		sd_rowset_free(images);
		return NULL;
	}
	whole.child = root;
	whole.child_part = InvalidOid;
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT p." SD_ROW_PLACE " FROM " SD_ROWS_NAME
						   " p WHERE EXISTS (SELECT FROM (SELECT i.id");
	for (int i = 0; i < fkey->nkeys; i++)
	{
		whole.child_att[i] = get_attnum(root, get_attname(fkey->child, fkey->child_att[i], false));
		appendStringInfo(&sql, ", %s AS " SD_KEY_PREFIX "%d",
						 image_value(root, whole.child_att[i]), whole.child_att[i]);
	}
	appendStringInfoString(&sql, " FROM softdelete_images i) c WHERE ");
	sd_fkey_match(&sql, &whole, "p", SD_KEY_PREFIX, "c", SD_KEY_PREFIX);
	appendStringInfoChar(&sql, ')');
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = root;
	statement.portable = true;
	statement.ninputs = 2;
	statement.input_names[0] = "softdelete_images";
	statement.inputs[0] = images;
	statement.input_names[1] = SD_ROWS_NAME;
	statement.inputs[1] = rows;
	statement.result = &referred;
	sd_run(&statement);
	sd_rowset_free(images);
	if (sd_rowset_count(referred) > 0)
		return referred;
	sd_rowset_free(referred);
	return NULL;
}

/* A column of a table has been renamed: so it is in the images of its rows. */
void
sd_images_rename_column(Oid relid, const char *from, const char *to)
{
	SdStatement statement = {0};

	statement.sql = psprintf("UPDATE " SD_SCHEMA ".image i SET columns ="
							 " pg_catalog.array_replace(i.columns, %s::pg_catalog.name, %s::pg_catalog.name)"
							 " WHERE i.relation = %u::pg_catalog.regclass",
							 quote_literal_cstr(from), quote_literal_cstr(to), relid);
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = sd_own_relation("image");
	sd_run(&statement);
}
