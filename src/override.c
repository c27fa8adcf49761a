/*
 * override.c - columns that a caller sets in a row that comes back.
 *
 * They are set while the row is still deleted, by an UPDATE that runs as the
 * caller: PostgreSQL decides about UPDATE privileges and policies, converts
 * nothing silently, and checks the row's constraints and foreign keys.  No
 * trigger of a user notices it.  What the row is then is what comes back.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "cascade.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "override.h"
#include "registry.h"
#include "run.h"
#include "update.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* The names of the columns, quoted and each with this before it. */
static char *
column_list(List *names, const char *prefix)
{
	StringInfoData list;
	ListCell   *lc;

	initStringInfo(&list);
	foreach(lc, names)
		appendStringInfo(&list, "%s%s%s", list.len ? ", " : "", prefix,
						 quote_identifier(lfirst(lc)));
	return list.data;
}

static void
require_settable(Oid relid, const char *name)
{
	SdTable		table;
	AttrNumber	att = get_attnum(relid, name);

	if (att <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						name, get_rel_name(relid)),
				 errhint("set takes a JSON object of columns and their values.")));
	(void) sd_registered(relid, &table);
	if (att == table.flag || att == table.deletion_id)
		sd_refuse_flag_change(relid, att);
}

/* The columns that a JSON object names, which must be there to be set. */
static List *
named_columns(Oid relid, Jsonb *set)
{
	List	   *names = NIL;
	JsonbIterator *iterator;
	JsonbValue	value;
	JsonbIteratorToken token;

	if (!JB_ROOT_IS_OBJECT(set))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("set must be a JSON object"),
				 errhint("Give an object of columns and their values, such as '{\"%s\": ...}'.",
						 get_attname(relid, 1, true) ? get_attname(relid, 1, true) : "column")));
	iterator = JsonbIteratorInit(&set->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
		if (token == WJB_KEY)
		{
			char	   *name = pnstrdup(value.val.string.val, value.val.string.len);

			require_settable(relid, name);
			names = lappend(names, name);
		}
	return names;
}

/*
 * A row that moved to another partition would be deleted and inserted, and
 * triggers would fire for that.
 */
static void
refuse_move(Oid relid, List *names)
{
	ListCell   *lt;

	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		return;
	foreach(lt, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		Relation	rel = table_open(lfirst_oid(lt), NoLock);
		ListCell   *lc;

		foreach(lc, names)
		{
			AttrNumber	att = get_attnum(RelationGetRelid(rel), lfirst(lc));
			bool		in_expression;

			if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE &&
				has_partition_attrs(rel,
									bms_make_singleton(att - FirstLowInvalidHeapAttributeNumber),
									&in_expression))
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("cannot set column \"%s\", by which table \"%s\" is partitioned",
								(char *) lfirst(lc), RelationGetRelationName(rel)),
						 errhint("Undelete the row, then UPDATE it.")));
		}
		table_close(rel, NoLock);
	}
}

/*
 * Rows that refer to this one would have to follow, and nobody can refer to a new
 * key of a deleted row.
 */
static void
refuse_referenced(Oid relid, List *names)
{
	ListCell   *lt;

	foreach(lt, sd_tables_of(relid))
	{
		Relation	rel = table_open(lfirst_oid(lt), AccessShareLock);
		ListCell   *lf;

		foreach(lf, sd_fkeys_below(rel))
		{
			SdForeignKey *fkey = lfirst(lf);
			ListCell   *lc;

			foreach(lc, names)
				for (int i = 0; i < fkey->nkeys; i++)
					if (strcmp(lfirst(lc), get_attname(fkey->parent, fkey->parent_att[i], false)) == 0)
						ereport(ERROR,
								(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
								 errmsg("cannot set column \"%s\", to which foreign key constraint \"%s\" of table \"%s\" refers",
										(char *) lfirst(lc), fkey->name, get_rel_name(fkey->child)),
								 errhint("Undelete the row, then UPDATE it.")));
		}
		table_close(rel, NoLock);
	}
}

/* Is the one row named live? */
static bool
is_live(const SdRowKeys *keys)
{
	StringInfoData sql;
	SdStatement statement = {0};

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT 1 FROM %s c, softdelete_keys k WHERE %s AND ",
					 sd_quoted_relation(keys->relid), sd_live_sql(keys->relid, "c"));
	sd_rowkeys_match(&sql, keys, "c", NULL, "k");
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = keys->relid;
	statement.ninputs = 1;
	statement.input_names[0] = "softdelete_keys";
	statement.inputs[0] = keys->rows;
	return sd_run(&statement) > 0;
}

/*
 * Sets columns of the one deleted row that the keys name; they name it by its
 * new key afterwards.  Errors: 0A000, 22023, 42501, 42703, 428C9, and those of
 * the columns' types and constraints.
 */
void
sd_override(SdRowKeys *keys, Jsonb *set)
{
	List	   *names = named_columns(keys->relid, set);
	StringInfoData sql;
	SdStatement statement = {0};
	Oid			type = JSONBOID;
	Datum		value = JsonbPGetDatum(set);
	SdRowset   *rows = NULL;
	char		column[SD_COLUMN_SIZE];
	const char *sep = "";
	ListCell   *lc;

	if (sd_rowset_count(keys->rows) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("set needs the key of exactly one row"),
				 errhint("Undelete the rows one by one.")));
	if (names == NIL)
		return;
	refuse_move(keys->relid, names);
	refuse_referenced(keys->relid, names);
	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s c SET (%s) = (SELECT %s FROM pg_catalog.jsonb_populate_record(c.*, $1) n)"
					 " FROM softdelete_keys k WHERE NOT %s AND ",
					 sd_quoted_relation(keys->relid), column_list(names, ""),
					 column_list(names, "n."), sd_live_sql(keys->relid, "c"));
	sd_rowkeys_match(&sql, keys, "c", NULL, "k");
	appendStringInfoString(&sql, " RETURNING ");
	foreach(lc, keys->atts)
	{
		appendStringInfo(&sql, "%s%s AS " SD_ID_PREFIX "%d", sep,
						 sd_fkey_column(column, "c", NULL, keys->relid, lfirst_int(lc)),
						 lfirst_int(lc));
		sep = ", ";
	}
	statement.sql = sql.data;
	statement.kind = SD_RUN_LINKS;
	statement.physical = keys->relid;
	statement.own_path = true;
	statement.expect = SPI_OK_UPDATE_RETURNING;
	statement.nargs = 1;
	statement.argtypes = &type;
	statement.args = &value;
	statement.ninputs = 1;
	statement.input_names[0] = "softdelete_keys";
	statement.inputs[0] = keys->rows;
	statement.result = &rows;
	if (sd_run(&statement) == 0)
	{
		if (is_live(keys))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("cannot set columns of a row of table \"%s\" that is not deleted",
							get_rel_name(keys->relid)),
					 errhint("Use UPDATE.")));
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("target row violates row-level security policy (USING expression) for table \"%s\"",
						get_rel_name(keys->relid)),
				 errhint("set needs the rights of an UPDATE of the row.")));
	}
	sd_rowset_free(keys->rows);
	keys->rows = rows;
}
