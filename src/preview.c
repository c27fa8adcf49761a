/*
 * preview.c - what a DELETE would do, before it does it.
 *
 * Works the cascade off as cascade.c does, in the same order, set by set; but it
 * only looks.  A row that has been found is not found again: it would have been
 * deleted, and whatever refuses later would not see it.  It locks nothing and
 * changes nothing, so that it works on a standby too.
 *
 * Rows are told apart by the ways on which they were found: named by the caller, or
 * over a foreign key.  One foreign key finds a row once, since the row has one parent;
 * so a row need only be looked for among those found on other ways.  A deep tree of
 * one table is then looked at once, level by level.
 */
#include "postgres.h"

#include "access/table.h"
#include "cascade.h"
#include "catalog/pg_type.h"
#include "fkey.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "plans.h"
#include "registry.h"
#include "rewrite/rewriteHandler.h"
#include "rowkey.h"
#include "run.h"
#include "undelete.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "viewer.h"

#define FOUND_NAME "softdelete_found"

/* The rows of a table, found on all ways but one. */
typedef struct Others
{
	Oid			way;			/* the foreign key; InvalidOid: named by the caller */
	SdRowset   *rows;			/* tableoid, tid; NULL: none */
} Others;

/* A table in which rows would be deleted. */
typedef struct Seen
{
	Oid			relid;			/* a partition stands for its root */
	List	   *fkeys;			/* SdForeignKey that reference it */
	List	   *atts;			/* columns that these need */
	List	   *ways;			/* Others: one for each way that may lead here */
	SdRowset   *all;			/* tableoid, tid of every row found; NULL: none */
} Seen;

/* Rows of one table found at once, and not worked off. */
typedef struct Found
{
	Seen	   *table;
	SdRowset   *rows;			/* tableoid, tid, k<attribute> ... */
	int			depth;
} Found;

/* What happens over one foreign key at one depth. */
typedef struct Effect
{
	int			depth;
	Oid			relid;
	const char *constraint;		/* NULL: the rows named */
	const char *action;
	int64		rows;
} Effect;

/* Rows that are looked at again when it is known what goes: tableoid, tid. */
typedef struct Pending
{
	const SdForeignKey *fkey;
	const char *action;
	int			depth;
	SdRowset   *rows;
} Pending;

typedef struct Preview
{
	List	   *tables;			/* Seen */
	List	   *work;			/* Found */
	List	   *effects;		/* by depth, a List of Effect each, in the order in
								 * which they were found */
	List	   *pending;		/* Pending */
} Preview;

/* ---------- tables ---------- */

static Seen *
find_table(const Preview *preview, Oid relid)
{
	ListCell   *lc;

	relid = sd_partition_root(relid);
	foreach(lc, preview->tables)
		if (((Seen *) lfirst(lc))->relid == relid)
			return lfirst(lc);
	return NULL;
}

static Seen *
table_of(Preview *preview, Oid relid)
{
	Seen	   *table = find_table(preview, relid);
	Relation	rel;
	ListCell   *lc;

	if (table)
		return table;
	table = palloc0(sizeof(Seen));
	table->relid = sd_partition_root(relid);
	rel = table_open(table->relid, AccessShareLock);
	table->fkeys = sd_fkeys_below(rel);
	table_close(rel, NoLock);
	foreach(lc, table->fkeys)
	{
		const SdForeignKey *fkey = lfirst(lc);

		for (int i = 0; i < fkey->nkeys; i++)
			table->atts = list_append_unique_int(table->atts, fkey->parent_att[i]);
	}
	preview->tables = lappend(preview->tables, table);
	return table;
}

static Others *
others_of(Seen *table, Oid way)
{
	Others	   *others;
	ListCell   *lc;

	foreach(lc, table->ways)
		if (((Others *) lfirst(lc))->way == way)
			return lfirst(lc);
	others = palloc0(sizeof(Others));
	others->way = way;
	/* what was found before, on other ways */
	if (table->all)
	{
		others->rows = sd_rowset_create(table->all->desc);
		sd_rowset_append(others->rows, table->all);
	}
	table->ways = lappend(table->ways, others);
	return others;
}

/* The columns of a row c that is found, as SQL; palloc'd. */
static char *
found_columns(const Seen *table)
{
	StringInfoData sql;
	char		column[SD_COLUMN_SIZE];
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "c.tableoid, c.ctid AS tid");
	foreach(lc, table->atts)
		appendStringInfo(&sql, ", %s AS " SD_KEY_PREFIX "%d",
						 sd_fkey_column(column, "c", NULL, table->relid, lfirst_int(lc)),
						 lfirst_int(lc));
	return sql.data;
}

/* ---------- effects ---------- */

static void
add_effect(Preview *preview, int depth, Oid relid, const char *constraint, const char *action,
		   int64 rows)
{
	Effect	   *effect;
	ListCell   *level;
	ListCell   *lc;

	if (rows == 0)
		return;
	relid = sd_partition_root(relid);
	while (list_length(preview->effects) <= depth)
		preview->effects = lappend(preview->effects, NIL);
	level = list_nth_cell(preview->effects, depth);
	foreach(lc, (List *) lfirst(level))
	{
		effect = lfirst(lc);
		if (effect->relid == relid && effect->action == action &&
			(constraint == NULL || strcmp(effect->constraint, constraint) == 0))
		{
			effect->rows += rows;
			return;
		}
	}
	effect = palloc(sizeof(Effect));
	effect->depth = depth;
	effect->relid = relid;
	effect->constraint = constraint;
	effect->action = action;
	effect->rows = rows;
	lfirst(level) = lappend(lfirst(level), effect);
}

/* The places (tableoid, tid) of rows, appended to those that are there. */
static void
add_places(SdRowset **places, SdRowset *rows)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);

	if (*places == NULL)
	{
		TupleDesc	desc = CreateTemplateTupleDesc(2);

		TupleDescInitEntry(desc, 1, "tableoid", OIDOID, -1, 0);
		TupleDescInitEntry(desc, 2, "tid", TIDOID, -1, 0);
		*places = sd_rowset_create(desc);
	}
	tuplestore_rescan(rows->store);
	while (tuplestore_gettupleslot(rows->store, true, false, slot))
	{
		Datum		values[2];
		bool		nulls[2];

		values[0] = slot_getattr(slot, 1, &nulls[0]);
		values[1] = slot_getattr(slot, 2, &nulls[1]);
		tuplestore_putvalues((*places)->store, (*places)->desc, values, nulls);
	}
	ExecDropSingleTupleTableSlot(slot);
}

/* Rows of a table that would be deleted: they will be worked off; takes them over. */
static void
add_found(Preview *preview, Seen *table, SdRowset *rows, Oid way, int depth)
{
	Found	   *found;
	ListCell   *lc;

	if (sd_rowset_count(rows) == 0)
	{
		sd_rowset_free(rows);
		return;
	}
	foreach(lc, table->ways)
		if (((Others *) lfirst(lc))->way != way)
			add_places(&((Others *) lfirst(lc))->rows, rows);
	add_places(&table->all, rows);
	found = palloc(sizeof(Found));
	found->table = table;
	found->rows = rows;
	found->depth = depth;
	preview->work = lappend(preview->work, found);
}

/* ---------- one foreign key ---------- */

/* How a statement looks for the rows that refer. */
typedef struct Look
{
	const Seen *child;			/* what has been found of the child; NULL: nothing is */
	bool		known;			/* leave out rows that have been found */
	bool		places;			/* only their places */
} Look;

static char *
look_text(const SdForeignKey *fkey, SdPurpose purpose, void *arg)
{
	const Look *look = arg;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM %s%s c, " SD_ROWS_NAME " p WHERE ",
					 look->places ? "c.tableoid, c.ctid AS tid" : found_columns(look->child),
					 sd_only(fkey->child), sd_quoted_relation(fkey->child));
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "c", NULL);
	if (look->known)
		appendStringInfoString(&sql, " AND NOT EXISTS (SELECT FROM " FOUND_NAME " f"
							   " WHERE f.tid = c.ctid AND f.tableoid = c.tableoid)");
	return sql.data;
}

/* The live rows that refer to these over a foreign key, but those already found. */
static SdRowset *
look_for(const SdForeignKey *fkey, SdRowset *parents, const Seen *child, SdRowset *known, bool places)
{
	Look		look = {.child = child,.known = known != NULL,.places = places};
	SdPlan	   *kept = sd_plan_take(fkey, places ? (known ? SD_PREVIEW_OTHER_PLACES : SD_PREVIEW_PLACES) :
									(known ? SD_PREVIEW_OTHER_ROWS : SD_PREVIEW_ROWS),
									sd_rowset_count(parents), look_text, &look);
	SdStatement statement = {0};
	SdRowset   *rows = NULL;

	statement.sql = kept ? kept->sql : look_text(fkey, SD_PREVIEW_ROWS, &look);
	statement.plan = kept ? &kept->plan : NULL;
	statement.kind = SD_RUN_LIVE;
	statement.owner_of = fkey->child;
	statement.expect = SPI_OK_SELECT;
	statement.ninputs = known ? 2 : 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = parents;
	statement.input_names[1] = FOUND_NAME;
	statement.inputs[1] = known;
	statement.result = &rows;
	PG_TRY();
	{
		sd_run(&statement);
	}
	PG_FINALLY();
	{
		if (kept)
			sd_plan_release(kept);
	}
	PG_END_TRY();
	return rows;
}

/* How many rows refer that are not going themselves? */
static int64
count_referring(const Preview *preview, const SdForeignKey *fkey, const Found *found)
{
	const Seen *child = find_table(preview, fkey->child);
	SdRowset   *rows = look_for(fkey, found->rows, child, child ? child->all : NULL, true);
	int64		n = sd_rowset_count(rows);

	sd_rowset_free(rows);
	return n;
}

static void
add_pending(Preview *preview, const SdForeignKey *fkey, const char *action, const Found *found)
{
	const Seen *child = find_table(preview, fkey->child);
	Pending    *pending = palloc(sizeof(Pending));

	pending->fkey = fkey;
	pending->action = action;
	pending->depth = found->depth + 1;
	pending->rows = look_for(fkey, found->rows, child, child ? child->all : NULL, true);
	preview->pending = lappend(preview->pending, pending);
}

/* Would SET NULL meet a column that is NOT NULL? */
static bool
sets_null_refused(const SdForeignKey *fkey)
{
	Relation	child = table_open(fkey->child, AccessShareLock);
	bool		refused = false;

	for (int i = 0; i < fkey->nset; i++)
		refused |= TupleDescAttr(RelationGetDescr(child), fkey->set_att[i] - 1)->attnotnull;
	table_close(child, NoLock);
	return refused && fkey->on_delete == FKCONSTR_ACTION_SETNULL;
}

static void
cascade_over(Preview *preview, const SdForeignKey *fkey, const Found *found)
{
	Seen	   *child;
	Others	   *others;
	SdRowset   *rows;

	if (!sd_registered(fkey->child, NULL))
	{
		add_effect(preview, found->depth + 1, fkey->child, fkey->name,
				   sd_excluded(fkey->child) ? "really deleted" : "refused: not registered",
				   count_referring(preview, fkey, found));
		return;
	}
	child = table_of(preview, fkey->child);
	others = others_of(child, fkey->id);
	rows = look_for(fkey, found->rows, child, others->rows, false);
	add_effect(preview, found->depth + 1, fkey->child, fkey->name, "cascade", sd_rowset_count(rows));
	add_found(preview, child, rows, fkey->id, found->depth + 1);
}

static void
follow(Preview *preview, const SdForeignKey *fkey, const Found *found)
{
	switch (fkey->on_delete)
	{
		case FKCONSTR_ACTION_CASCADE:
			cascade_over(preview, fkey, found);
			break;
		case FKCONSTR_ACTION_SETNULL:
			if (sets_null_refused(fkey))
				add_effect(preview, found->depth + 1, fkey->child, fkey->name, "refused: not null",
						   count_referring(preview, fkey, found));
			else
				add_pending(preview, fkey, "set null", found);
			break;
		case FKCONSTR_ACTION_SETDEFAULT:
			add_pending(preview, fkey, "set default", found);
			break;
		case FKCONSTR_ACTION_RESTRICT:
			add_effect(preview, found->depth + 1, fkey->child, fkey->name, "refused: restrict",
					   count_referring(preview, fkey, found));
			break;
		default:
			if (fkey->deferred)
				add_pending(preview, fkey, "refused at commit: no action", found);
			else
				add_effect(preview, found->depth + 1, fkey->child, fkey->name, "refused: no action",
						   count_referring(preview, fkey, found));
			break;
	}
}

/* ---------- all of it ---------- */

/* The live rows that the caller names and sees, in one table. */
static void
find_named(Preview *preview, Oid relid, const SdRowKeys *keys)
{
	Seen	   *table = table_of(preview, relid);
	StringInfoData sql;
	SdStatement statement = {0};
	SdRowset   *rows = NULL;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM %s%s c, softdelete_keys k WHERE ", found_columns(table),
					 sd_only(relid), sd_quoted_relation(relid));
	sd_rowkeys_match(&sql, keys, "c", NULL, "k");
	statement.sql = sql.data;
	statement.kind = SD_RUN_LIVE;
	statement.own_path = true;
	statement.ninputs = 1;
	statement.input_names[0] = "softdelete_keys";
	statement.inputs[0] = keys->rows;
	statement.result = &rows;
	(void) sd_run(&statement);
	(void) others_of(table, InvalidOid);
	add_effect(preview, 0, relid, NULL, "delete", sd_rowset_count(rows));
	add_found(preview, table, rows, InvalidOid, 0);
}

static void
follow_all(Preview *preview, const Found *found)
{
	ListCell   *lc;

	foreach(lc, found->table->fkeys)
	{
		CHECK_FOR_INTERRUPTS();
		follow(preview, lfirst(lc), found);
	}
}

static bool
refuses(const SdForeignKey *fkey)
{
	return fkey->on_delete == FKCONSTR_ACTION_RESTRICT || fkey->on_delete == FKCONSTR_ACTION_NOACTION;
}

/* See row_order_matters() of cascade.c. */
static bool
order_matters(const Preview *preview, const Found *found)
{
	ListCell   *lc;
	ListCell   *lo;

	foreach(lc, found->table->fkeys)
		foreach(lo, found->table->fkeys)
		{
			const SdForeignKey *refusing = lfirst(lc);
			const SdForeignKey *removing = lfirst(lo);

			if (refuses(refusing) && removing->on_delete == FKCONSTR_ACTION_CASCADE &&
				refusing->child == removing->child && count_referring(preview, refusing, found) > 0)
				return true;
		}
	return false;
}

/* The same for one row after the other. */
static void
follow_one_by_one(Preview *preview, const Found *found)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(found->rows->desc, &TTSOpsMinimalTuple);

	tuplestore_rescan(found->rows->store);
	while (tuplestore_gettupleslot(found->rows->store, true, false, slot))
	{
		Found		one = *found;

		one.rows = sd_rowset_create(found->rows->desc);
		tuplestore_puttupleslot(one.rows->store, slot);
		follow_all(preview, &one);
		sd_rowset_free(one.rows);
	}
	ExecDropSingleTupleTableSlot(slot);
}

static void
work_off(Preview *preview)
{
	while (preview->work != NIL)
	{
		Found	   *found = linitial(preview->work);

		preview->work = list_delete_first(preview->work);
		if (sd_rowset_count(found->rows) > 1 && order_matters(preview, found))
			follow_one_by_one(preview, found);
		else
			follow_all(preview, found);
		sd_rowset_free(found->rows);
		pfree(found);
	}
}

/*
 * Will the rows find the parent to which SET DEFAULT makes them refer?  Where the
 * default is not a constant, or is part of a key, nobody knows.
 */
static bool
default_is_there(const Preview *preview, const SdForeignKey *fkey)
{
	const Seen *parent = find_table(preview, fkey->parent);
	Relation	child = table_open(fkey->child, AccessShareLock);
	bool		known = fkey->nset == fkey->nkeys;
	StringInfoData sql;
	SdStatement statement = {0};
	Datum		values[INDEX_MAX_KEYS];
	Oid			types[INDEX_MAX_KEYS];

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT 1 FROM %s%s c WHERE NOT EXISTS (SELECT FROM " FOUND_NAME " f"
					 " WHERE f.tid = c.ctid AND f.tableoid = c.tableoid)",
					 sd_only(fkey->parent), sd_quoted_relation(fkey->parent));
	for (int i = 0; known && i < fkey->nkeys; i++)
	{
		Const	   *value = (Const *) build_column_default(child, fkey->child_att[i]);
		char		column[SD_COLUMN_SIZE];
		char		parameter[16];

		known = value && IsA(value, Const) && !value->constisnull;
		if (!known)
			break;
		values[i] = value->constvalue;
		types[i] = value->consttype;
		snprintf(parameter, sizeof(parameter), "$%d", i + 1);
		appendStringInfoString(&sql, " AND ");
		generate_operator_clause(&sql, sd_fkey_column(column, "c", NULL, fkey->parent, fkey->parent_att[i]),
								 get_atttype(fkey->parent, fkey->parent_att[i]), fkey->equal[i],
								 parameter, types[i]);
	}
	table_close(child, NoLock);
	if (!known)
		return true;
	statement.sql = sql.data;
	statement.kind = SD_RUN_LIVE;
	statement.owner_of = fkey->parent;
	statement.limit = 1;
	statement.nargs = fkey->nkeys;
	statement.args = values;
	statement.argtypes = types;
	statement.ninputs = 1;
	statement.input_names[0] = FOUND_NAME;
	statement.inputs[0] = parent->all;
	return sd_run(&statement) > 0;
}

/* Of the rows that were put off those that are not going themselves. */
static void
settle_pending(Preview *preview)
{
	ListCell   *lc;

	foreach(lc, preview->pending)
	{
		Pending    *pending = lfirst(lc);
		const Seen *child = find_table(preview, pending->fkey->child);
		int64		n = sd_rowset_count(pending->rows);

		if (n > 0 && child && child->all)
		{
			SdStatement statement = {0};

			statement.sql = "SELECT pg_catalog.count(*) FROM " SD_ROWS_NAME " r WHERE NOT EXISTS"
				" (SELECT FROM " FOUND_NAME " f WHERE f.tid = r.tid AND f.tableoid = r.tableoid)";
			statement.kind = SD_RUN_PHYSICAL;
			statement.ninputs = 2;
			statement.input_names[0] = SD_ROWS_NAME;
			statement.inputs[0] = pending->rows;
			statement.input_names[1] = FOUND_NAME;
			statement.inputs[1] = child->all;
			n = sd_run_int64(&statement);
		}
		if (n > 0 && pending->fkey->on_delete == FKCONSTR_ACTION_SETDEFAULT &&
			!default_is_there(preview, pending->fkey))
			pending->action = "refused: no row for the default";
		add_effect(preview, pending->depth, pending->fkey->child, pending->fkey->name,
				   pending->action, n);
		sd_rowset_free(pending->rows);
	}
}

/* All effects, by depth. */
static List *
all_effects(const Preview *preview)
{
	List	   *effects = NIL;
	ListCell   *lc;

	foreach(lc, preview->effects)
		effects = list_concat(effects, lfirst(lc));
	return effects;
}

/* Temporary files belong to the resource owner of the statement around us. */
static void
finish(Preview *preview)
{
	ListCell   *lc;

	foreach(lc, preview->tables)
	{
		Seen	   *table = lfirst(lc);
		ListCell   *lo;

		if (table->all)
			sd_rowset_free(table->all);
		foreach(lo, table->ways)
			if (((Others *) lfirst(lo))->rows)
				sd_rowset_free(((Others *) lfirst(lo))->rows);
	}
}

static List *
preview_rows(Oid relid, Datum id, Oid type)
{
	Preview		preview = {0};
	SdRowKeys  *keys;
	AclResult	acl;
	ListCell   *lc;

	sd_require_registered(relid);
	acl = pg_class_aclcheck(relid, GetUserId(), ACL_SELECT);
	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, get_relkind_objtype(get_rel_relkind(relid)), get_rel_name(relid));
	keys = sd_rowkeys_from_value(relid, id, type);
	foreach(lc, sd_tables_of(relid))
		find_named(&preview, lfirst_oid(lc), keys);
	if (preview.work == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("table \"%s\" has no live row with key %s",
						get_rel_name(relid), sd_rowkeys_first(keys, keys->rows)),
				 errhint("SET softdelete.show_deleted = on shows all rows.")));
	work_off(&preview);
	settle_pending(&preview);
	finish(&preview);
	sd_rowset_free(keys->rows);
	return all_effects(&preview);
}

PG_FUNCTION_INFO_V1(softdelete_preview);

/*
 * softdelete_preview(rel regclass, id): id is of any type.  Of tables that the caller
 * may not read the counts are null.  Errors: 22004, 22023, 42501, 55000, P0002.
 */
Datum
softdelete_preview(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", PG_ARGISNULL(0) ? "rel" : "id"),
				 errhint("Name a registered table and the key of a row.")));
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, preview_rows(PG_GETARG_OID(0), PG_GETARG_DATUM(1),
							 get_fn_expr_argtype(fcinfo->flinfo, 1)))
	{
		const Effect *effect = lfirst(lc);
		Datum		values[5];
		bool		nulls[5] = {0};
		Name		name = palloc0(NAMEDATALEN);

		values[0] = Int32GetDatum(effect->depth);
		values[1] = ObjectIdGetDatum(effect->relid);
		nulls[2] = effect->constraint == NULL;
		if (effect->constraint)
			namestrcpy(name, effect->constraint);
		values[2] = NameGetDatum(name);
		values[3] = CStringGetTextDatum(effect->action);
		values[4] = Int64GetDatum(effect->rows);
		nulls[4] = effect->depth > 0 && !sd_may_read(effect->relid);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
