/*
 * adopt.c - flag columns that an application has already.
 *
 * An application that soft-deletes by itself has a column for it: a boolean, true
 * or false in a live row, or the time of the deletion, null in a live row.
 * Registration takes it over when it is named.  Rows that the application has
 * deleted before belong to no deletion; live rows may refer to them, which is said.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "adopt.h"
#include "catalog/heap.h"
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "fkey.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "run.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "viewer.h"

/* Rows from which on a table is not looked through under lock. */
#define MANY_ROWS 1000000

static SdFlagKind
kind_of(Oid type, bool live_value)
{
	if (type == TIMESTAMPOID)
		return SD_FLAG_TIME;
	if (type == TIMESTAMPTZOID)
		return SD_FLAG_TIMETZ;
	return live_value ? SD_FLAG_LIVE : SD_FLAG_DELETED;
}

/* A table that is about to be registered under these columns, as if it were. */
SdTable
sd_flag_described(Oid relid, const SdColumns *columns)
{
	SdTable		table = {0};

	table.flag = get_attnum(relid, columns->flag);
	table.kind = kind_of(get_atttype(relid, table.flag), columns->live_value);
	table.deletion_id = get_attnum(relid, columns->deletion_id);
	return table;
}

/* Are two tables registered under columns of the same names and meaning? */
bool
sd_same_columns(Oid relid, Oid other)
{
	SdTable		one;
	SdTable		two;

	return sd_registered(relid, &one) && sd_registered(other, &two) && one.kind == two.kind &&
		strcmp(sd_flag_name(relid), sd_flag_name(other)) == 0 &&
		strcmp(sd_deletion_id_name(relid), sd_deletion_id_name(other)) == 0;
}

/* ---------- can the column be a flag? ---------- */

static bool
fkeys_use(List *fkeys, AttrNumber att, bool parent)
{
	ListCell   *lc;

	foreach(lc, fkeys)
	{
		SdForeignKey *fkey = lfirst(lc);

		for (int i = 0; i < fkey->nkeys; i++)
			if ((parent ? fkey->parent_att[i] : fkey->child_att[i]) == att)
				return true;
	}
	return false;
}

/* Is it in the partition key, of the table or of one of its partitions? */
static bool
in_partition_key(Relation rel, const char *name)
{
	bool		found = false;
	ListCell   *lc;

	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return false;
	foreach(lc, find_all_inheritors(RelationGetRelid(rel), AccessShareLock, NULL))
	{
		Relation	part = table_open(lfirst_oid(lc), NoLock);
		bool		used_in_expr;

		if (part->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
			found |= has_partition_attrs(part,
										 bms_make_singleton(get_attnum(lfirst_oid(lc), name) -
															FirstLowInvalidHeapAttributeNumber),
										 &used_in_expr);
		table_close(part, NoLock);
	}
	return found;
}

/* Why a column of this name and type cannot change when rows are deleted; NULL: it can. */
static const char *
used_in_key(Relation rel, AttrNumber att)
{
	char	   *name = get_attname(RelationGetRelid(rel), att, false);

	if (in_partition_key(rel, name))
		return "the partition key";
	if (bms_is_member(att - FirstLowInvalidHeapAttributeNumber,
					  RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_PRIMARY_KEY)))
		return "the primary key";
	if (bms_is_member(att - FirstLowInvalidHeapAttributeNumber,
					  RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_IDENTITY_KEY)) &&
		rel->rd_rel->relreplident == REPLICA_IDENTITY_INDEX)
		return "the replica identity";
	if (fkeys_use(sd_fkeys_below(rel), att, true))
		return "a key that a foreign key references";
	if (fkeys_use(sd_fkeys_above(rel), att, false))
		return "a foreign key";
	return NULL;
}

/* Does the default say that a new row is deleted? */
static bool
deleted_by_default(Relation rel, AttrNumber att, SdFlagKind kind)
{
	Node	   *value = build_column_default(rel, att);

	if (value == NULL)
		return false;
	value = eval_const_expressions(NULL, value);
	if (kind == SD_FLAG_TIME || kind == SD_FLAG_TIMETZ)
		return !IsA(value, Const) || !((Const *) value)->constisnull;
	return IsA(value, Const) && !((Const *) value)->constisnull &&
		DatumGetBool(((Const *) value)->constvalue) != (kind == SD_FLAG_LIVE);
}

/*
 * Why the column cannot be the flag: a message, with detail and hint; NULL if it
 * can.
 */
static const char *
reason_against(Relation rel, AttrNumber att, bool live_value, const char **hint)
{
	Form_pg_attribute column = TupleDescAttr(RelationGetDescr(rel), att - 1);
	const char *relation = sd_quoted_relation(RelationGetRelid(rel));
	const char *name = quote_identifier(NameStr(column->attname));
	bool		boolean = column->atttypid == BOOLOID;
	const char *key = used_in_key(rel, att);

	*hint = NULL;
	if (!boolean && column->atttypid != TIMESTAMPOID && column->atttypid != TIMESTAMPTZOID)
	{
		*hint = "A flag is boolean NOT NULL, or a timestamp that is null in a live row.";
		return psprintf("it is of type %s", format_type_be(column->atttypid));
	}
	if (column->attgenerated)
	{
		*hint = "Name a column that can be written.";
		return "it is generated";
	}
	if (boolean != column->attnotnull)
	{
		*hint = psprintf("Run ALTER TABLE %s ALTER COLUMN %s %s NOT NULL.", relation, name,
						 boolean ? "SET" : "DROP");
		return boolean ? "it may be null" : "it is NOT NULL, and null is to say that a row is live";
	}
	if (!boolean && !live_value)
	{
		*hint = "Leave live_value out: null says that a row is live.";
		return "live_value is for a boolean";
	}
	if (key)
	{
		*hint = "Leave flag out: a column is added.";
		return psprintf("it is part of %s", key);
	}
	if (deleted_by_default(rel, att, kind_of(column->atttypid, live_value)))
	{
		*hint = boolean ?
			psprintf("Use live_value := %s, or run ALTER TABLE %s ALTER COLUMN %s SET DEFAULT %s.",
					 live_value ? "false" : "true", relation, name, live_value ? "true" : "false") :
			psprintf("Run ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT.", relation, name);
		return "new rows would be deleted ones, by its default";
	}
	return NULL;
}

/*
 * Takes the column that the caller wants as the flag, if the table has it: then
 * true, and columns->flag and live_value are set.  In tables below the one named a
 * column that does not fit is left alone.  Errors: 42804, 0A000, 55000.
 */
bool
sd_flag_adopted(Oid relid, const SdWantedFlag *wanted, SdColumns *columns)
{
	AttrNumber	att = wanted->name ? get_attnum(relid, wanted->name) : InvalidAttrNumber;
	Relation	rel;
	const char *reason;
	const char *hint;
	Oid			type;

	if (att == InvalidAttrNumber)
		return false;
	type = get_atttype(relid, att);
	rel = table_open(relid, AccessShareLock);
	reason = att < 0 ? "it is a system column" : reason_against(rel, att, wanted->live_value, &hint);
	if (att < 0)
		hint = "Name another column.";
	if (reason && !wanted->below)
		ereport(ERROR,
				(errcode(type != BOOLOID && type != TIMESTAMPOID && type != TIMESTAMPTZOID ?
						 ERRCODE_DATATYPE_MISMATCH : ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("column \"%s\" of table \"%s\" cannot be the flag: %s",
						wanted->name, RelationGetRelationName(rel), reason),
				 errhint("%s", hint)));
	table_close(rel, NoLock);
	if (reason || (wanted->below && type != wanted->type))
		return false;
	columns->flag = pstrdup(wanted->name);
	columns->live_value = type != BOOLOID || wanted->live_value;
	columns->adopted = columns->existed = true;
	return true;
}

/* Error 55000 if a registered table has another flag than the one wanted. */
void
sd_flag_require(Oid relid, const SdWantedFlag *wanted)
{
	SdTable		table;

	if (wanted->name == NULL || !sd_registered(relid, &table))
		return;
	if (strcmp(wanted->name, sd_flag_name(relid)) != 0 ||
		(sd_flag_type(&table) == BOOLOID && wanted->live_value != (table.kind == SD_FLAG_LIVE)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is registered with column \"%s\", which is %s in a live row",
						get_rel_name(relid), sd_flag_name(relid),
						table.kind == SD_FLAG_LIVE ? "true" : table.kind == SD_FLAG_DELETED ? "false" : "null"),
				 errhint("Run SELECT softdelete_unregister(%s) first.",
						 quote_literal_cstr(sd_quoted_relation(relid)))));
}

/* ---------- what the owner should know ---------- */

/* Functions, columns and other types that are made of the table's row type. */
void
sd_note_uses(StringInfo note, Relation rel)
{
	SdStatement statement = {0};
	SdRowset   *uses = NULL;
	TupleTableSlot *slot;
	const char *sep = "";
	Oid			type = rel->rd_rel->reltype;

	if (!OidIsValid(type))
		return;
	statement.sql = psprintf("SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) COLLATE \"C\""
							 " FROM pg_catalog.pg_depend d WHERE d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass"
							 " AND d.refobjid IN (%u, %u) AND d.deptype = 'n' ORDER BY 1",
							 type, get_array_type(type));
	statement.kind = SD_RUN_PLAIN;
	statement.result = &uses;
	if (sd_run(&statement) > 0)
	{
		appendStringInfo(note, "%sthe row type, which has other columns now, is used by ",
						 note->len ? "; " : "");
		slot = MakeSingleTupleTableSlot(uses->desc, &TTSOpsMinimalTuple);
		tuplestore_rescan(uses->store);
		while (tuplestore_gettupleslot(uses->store, true, false, slot))
		{
			bool		isnull;

			appendStringInfo(note, "%s%s", sep, TextDatumGetCString(slot_getattr(slot, 1, &isnull)));
			sep = ", ";
		}
		ExecDropSingleTupleTableSlot(slot);
	}
	sd_rowset_free(uses);
}

/* Does a live row refer to a deleted one?  Asked as the caller, who may read both tables. */
bool
sd_has_orphans(const SdForeignKey *fkey)
{
	StringInfoData sql;
	SdStatement statement = {0};

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT 1 FROM %s%s c, %s%s p WHERE ",
					 sd_only(fkey->child), sd_quoted_relation(fkey->child),
					 sd_only(fkey->parent), sd_quoted_relation(fkey->parent));
	sd_fkey_match(&sql, fkey, "p", NULL, "c", NULL);
	appendStringInfo(&sql, " AND NOT %s", sd_live_sql(fkey->parent, "p"));
	if (sd_registered(fkey->child, NULL))
		appendStringInfo(&sql, " AND %s", sd_live_sql(fkey->child, "c"));
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.limit = 1;
	return sd_run(&statement) > 0;
}

/*
 * Live rows that refer to rows which the application has deleted by itself, in tables
 * that the caller may read.  A very large table is not looked at while everybody waits.
 */
void
sd_note_orphans(StringInfo note, Relation rel)
{
	ListCell   *lc;

	if (rel->rd_rel->reltuples > MANY_ROWS)
	{
		appendStringInfo(note, "%ssoftdelete_check() tells whether live rows refer to rows that were deleted before",
						 note->len ? "; " : "");
		return;
	}
	foreach(lc, sd_fkeys_below(rel))
	{
		const SdForeignKey *fkey = lfirst(lc);

		if (sd_may_read(fkey->child) && sd_may_read(fkey->parent) && sd_has_orphans(fkey))
			appendStringInfo(note, "%slive rows of %s refer to deleted rows by constraint %s",
							 note->len ? "; " : "", sd_quoted_relation(fkey->child),
							 quote_identifier(fkey->name));
	}
}
