/*
 * parents.c - the other parents of rows that come back.
 *
 * They are looked at under the lock that a new reference takes.  A row below
 * with a deleted parent of the same deletion is made deleted again, which may
 * concern rows below it in turn, to the fixed point; it comes back with its
 * last parent.  A deleted parent of another deletion is an error, or is brought
 * back too (with_parents), or leaves a row below deleted (on_conflict := 'skip').
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "cascade.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "miscadmin.h"
#include "parents.h"
#include "registry.h"
#include "rowkey.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "viewer.h"

/*
 * The deleted ones among the parents, over one foreign key, of the touched
 * rows; all of them are locked as for a new reference.  NULL when there are
 * none.  Columns: k<att> of the parent's key, deletion_id.
 */
static SdRowset *
dead_parents(SdUndelete *undelete, SdTouched *child, const SdForeignKey *fkey)
{
	SdTouched  *parent = sd_touched_table(undelete, fkey->parent);
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
	appendStringInfo(&sql, "WITH locked AS MATERIALIZED (SELECT %sp.%s AS deletion_id, %s AS live"
					 " FROM %s%s p WHERE EXISTS (SELECT FROM " SD_ROWS_NAME " c WHERE c.flipped AND ",
					 columns.data, parent->deletion_id, sd_live_sql(parent->relid, "p"),
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

/*
 * Are all parents, over one foreign key, of the touched rows among those that were
 * made live now?  Then they are ours, and need neither look nor lock, while none is
 * made deleted again.
 */
static bool
parents_are_ours(SdUndelete *undelete, SdTouched *child, const SdForeignKey *fkey)
{
	SdTouched  *parent = sd_touched_table(undelete, fkey->parent);
	StringInfoData sql;
	char		column[SD_COLUMN_SIZE];
	SdStatement statement = {0};

	if (undelete->took_back)
		return false;
	if (fkey->id == child->via)
		return true;
	if (parent->restored == 0 || parent->relid != fkey->parent || child->relid != fkey->child)
		return false;
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT 1 FROM " SD_ROWS_NAME " c WHERE c.flipped");
	for (int i = 0; i < fkey->nkeys; i++)
		appendStringInfo(&sql, " AND %s IS NOT NULL",
						 sd_fkey_column(column, "c", SD_KEY_PREFIX, fkey->child, fkey->child_att[i]));
	appendStringInfoString(&sql, " AND NOT EXISTS (SELECT FROM softdelete_parents p WHERE p.flipped AND ");
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "c", SD_KEY_PREFIX);
	appendStringInfoChar(&sql, ')');
	statement.sql = sql.data;
	statement.kind = SD_RUN_PLAIN;
	statement.owner_of = fkey->parent;
	statement.latest = true;
	statement.limit = 1;
	statement.ninputs = 2;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = child->rows;
	statement.input_names[1] = "softdelete_parents";
	statement.inputs[1] = parent->rows;
	return sd_run(&statement) == 0;
}

/* Locks the parents, over one foreign key, of rows that come back. */
static void
lock_parents(SdTouched *child, const SdForeignKey *fkey)
{
	StringInfoData sql;
	SdStatement statement = {0};

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT 1 FROM %s%s p WHERE EXISTS (SELECT FROM " SD_ROWS_NAME " c WHERE c.flipped AND ",
					 sd_only(fkey->parent), sd_quoted_relation(fkey->parent));
	sd_fkey_match(&sql, fkey, "p", NULL, "c", SD_KEY_PREFIX);
	appendStringInfoString(&sql, ") FOR KEY SHARE OF p");
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = fkey->parent;
	statement.latest = true;
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = child->rows;
	(void) sd_run(&statement);
}

/*
 * A key that is not validated may lack its parent altogether, and nothing held
 * the parent of a row that was in the journal: rows that come back must have
 * one, as rows that are inserted.  The lock comes first: who deletes the parent
 * or changes its key does not see these rows yet.
 */
static void
refuse_missing_parent(SdTouched *child, const SdForeignKey *fkey)
{
	StringInfoData sql;
	char		column[SD_COLUMN_SIZE];
	SdStatement statement = {0};
	Relation	rel;

	if (fkey->validated && !child->returned)
		return;
	lock_parents(child, fkey);
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT 1 FROM " SD_ROWS_NAME " c WHERE c.flipped");
	for (int i = 0; i < fkey->nkeys; i++)
		appendStringInfo(&sql, " AND %s IS NOT NULL",
						 sd_fkey_column(column, "c", SD_KEY_PREFIX, fkey->child, fkey->child_att[i]));
	appendStringInfo(&sql, " AND NOT EXISTS (SELECT FROM %s%s p WHERE ",
					 sd_only(fkey->parent), sd_quoted_relation(fkey->parent));
	sd_fkey_match(&sql, fkey, "p", NULL, "c", SD_KEY_PREFIX);
	appendStringInfoChar(&sql, ')');
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = fkey->parent;
	statement.latest = true;
	statement.limit = 1;
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = child->rows;
	if (sd_run(&statement) == 0)
		return;
	rel = table_open(fkey->child, AccessShareLock);
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("cannot undelete in table \"%s\": a parent by foreign key constraint \"%s\" does not exist",
					get_rel_name(fkey->child), fkey->name),
			 fkey->validated ? 0 : errdetail("The foreign key is NOT VALID."),
			 errhint("Insert the missing row into table \"%s\" first.", get_rel_name(fkey->parent)),
			 errtableconstraint(rel, fkey->name)));
}

/*
 * Makes rows deleted again whose deleted parent went in the same deletion or, for
 * "orphans", in another one.
 */
static int64
take_back(SdUndelete *undelete, SdTouched *child, const SdForeignKey *fkey, SdRowset *dead, bool orphans)
{
	SdRowset  **taken_back = orphans ? &child->orphans : &child->taken_back;
	StringInfoData sql;
	SdRowset   *result;
	int64		n;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s c SET %s FROM " SD_ROWS_NAME " s, softdelete_dead p"
					 " WHERE c.ctid = s.tid AND c.tableoid = s.tableoid AND %s"
					 " AND s.flipped AND NOT s.upper AND %s AND ",
					 sd_quoted_relation(child->relid), sd_set_deleted_sql(child->relid, "s.deletion_id"), child->live,
					 orphans ? "p.deletion_id IS DISTINCT FROM s.deletion_id" : "p.deletion_id = s.deletion_id");
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "s", SD_KEY_PREFIX);
	appendStringInfoString(&sql, " RETURNING c.tableoid, c.ctid AS tid");
	result = sd_touched_run(undelete, child, SD_RUN_FLAG, sql.data, NULL, 2, SD_ROWS_NAME, child->rows,
					"softdelete_dead", dead);
	n = sd_rowset_count(result);
	child->restored -= n;
	if (*taken_back == NULL)
		*taken_back = result;
	else
	{
		sd_rowset_append(*taken_back, result);
		sd_rowset_free(result);
	}
	return n;
}

/*
 * Of the deleted parents those that a row needs which is to stay live: named
 * by the caller, or taken by another deletion than its parent.
 */
static SdRowset *
needed_parents(SdUndelete *undelete, SdTouched *child, const SdForeignKey *fkey, SdRowset *dead)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT DISTINCT ");
	for (int i = 0; i < fkey->nkeys; i++)
		appendStringInfo(&sql, "p." SD_KEY_PREFIX "%d, ", fkey->parent_att[i]);
	appendStringInfo(&sql, "p.deletion_id FROM %s c, " SD_ROWS_NAME " s, softdelete_dead p"
					 " WHERE c.ctid = s.tid AND c.tableoid = s.tableoid AND %s AND s.flipped"
					 " AND (s.upper OR p.deletion_id IS DISTINCT FROM s.deletion_id) AND ",
					 sd_quoted_relation(child->relid), child->live);
	sd_fkey_match(&sql, fkey, "p", SD_KEY_PREFIX, "s", SD_KEY_PREFIX);
	return sd_touched_run(undelete, child, SD_RUN_PHYSICAL, sql.data, NULL, 2, SD_ROWS_NAME, child->rows,
				  "softdelete_dead", dead);
}

/* May the user read the keys of this table, as ri_ReportViolation() decides? */
static bool
may_read_keys(Oid relid)
{
	return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED;
}

static void
refuse_dead_parent(const SdTouched *child, const SdForeignKey *fkey, SdRowset *needed)
{
	SdRowKeys	key = {.relid = fkey->parent};
	TupleTableSlot *slot = MakeSingleTupleTableSlot(needed->desc, &TTSOpsMinimalTuple);
	Relation	rel = table_open(fkey->child, AccessShareLock);
	bool		isnull;
	Datum		deletion;
	const char *name;

	for (int i = 0; i < fkey->nkeys; i++)
		key.atts = lappend_int(key.atts, fkey->parent_att[i]);
	tuplestore_rescan(needed->store);
	(void) tuplestore_gettupleslot(needed->store, true, true, slot);
	deletion = slot_getattr(slot, fkey->nkeys + 1, &isnull);
	name = may_read_keys(fkey->parent) ?
		psprintf("Key %s", sd_rowkeys_first(&key, needed)) : "A key";
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("cannot undelete in table \"%s\": a parent by foreign key constraint \"%s\" is deleted",
					get_rel_name(fkey->child), fkey->name),
			 isnull ?
			 errdetail("%s of table \"%s\" is deleted.", name, get_rel_name(fkey->parent)) :
			 errdetail("%s of table \"%s\" was deleted by deletion " INT64_FORMAT ".",
					   name, get_rel_name(fkey->parent),
					   DatumGetInt64(deletion)),
			 errhint("Undelete the parent first, or use with_parents := true."),
			 errtableconstraint(rel, fkey->name)));
}

/* An undelete needs what seeing a deleted row and inserting it would need. */
void
sd_undelete_privileges(Oid relid)
{
	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK ||
		pg_class_aclcheck(relid, GetUserId(), ACL_INSERT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(get_rel_relkind(relid)),
					   get_rel_name(relid));
	sd_require_viewer(relid);
}

/* Brings back parents, on behalf of rows that need them. */
static void
restore_parents(SdUndelete *undelete, const SdForeignKey *fkey, SdRowset *needed)
{
	SdTouched  *parent = sd_touched_table(undelete, fkey->parent);
	StringInfoData sql;
	const char *sep = "";
	char		left[SD_COLUMN_SIZE];
	char		right[SD_COLUMN_SIZE];
	SdRowset   *rows;

	sd_undelete_privileges(fkey->parent);
	if (!OidIsValid(parent->named))
		parent->named = parent->relid;
	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s%s c SET %s FROM softdelete_needed n WHERE NOT %s AND ",
					 sd_only(fkey->parent), sd_quoted_relation(fkey->parent),
					 parent->set_live, parent->live);
	for (int i = 0; i < fkey->nkeys; i++)
	{
		appendStringInfoString(&sql, sep);
		sd_equal(&sql, sd_fkey_column(left, "c", NULL, fkey->parent, fkey->parent_att[i]),
				 sd_fkey_column(right, "n", SD_KEY_PREFIX, fkey->parent, fkey->parent_att[i]),
				 get_atttype(fkey->parent, fkey->parent_att[i]));
		sep = " AND ";
	}
	appendStringInfo(&sql, " RETURNING %s", sd_touched_columns(parent, true, true));
	rows = sd_touched_run(undelete, parent, SD_RUN_FLAG, sql.data, NULL, 1, "softdelete_needed", needed,
				  NULL, NULL);

	/* deleted after our snapshot was taken, which still shows it live */
	if (IsolationUsesXactSnapshot() && sd_rowset_count(rows) < sd_rowset_count(needed))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent delete")));

	/* somebody else may have brought them back, but not for ever */
	if (sd_rowset_count(rows) == 0 && ++undelete->stalled > 10)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not bring back the parents of rows in table \"%s\" due to concurrent changes",
						get_rel_name(fkey->child)),
				 errhint("Run it again.")));
	sd_touch(undelete, parent, rows, true, true, false, InvalidOid);
}

/* Takes back to the fixed point; true if the last round met deleted parents. */
static bool
take_back_all(SdUndelete *undelete)
{
	bool		again = true;
	bool		left = false;

	while (again)
	{
		ListCell   *lt;

		again = left = false;
		foreach(lt, undelete->tables)
		{
			SdTouched  *child = lfirst(lt);
			ListCell   *lc;

			if (child->rows == NULL)
				continue;
			foreach(lc, child->above)
			{
				SdForeignKey *fkey = lfirst(lc);
				SdRowset   *dead;

				if (!sd_registered(fkey->parent, NULL) || parents_are_ours(undelete, child, fkey))
					continue;
				dead = dead_parents(undelete, child, fkey);
				if (dead == NULL)
					continue;
				left = true;
				if (take_back(undelete, child, fkey, dead, false) > 0)
					again = undelete->took_back = true;
				if (undelete->skip && !undelete->with_parents &&
					take_back(undelete, child, fkey, dead, true) > 0)
					again = undelete->took_back = true;
				sd_rowset_free(dead);
			}
		}
	}
	return left;
}

/*
 * Deleted parents of other deletions, where there may be any ("left"); true if some
 * were brought back.  Parents that were live a moment ago still are, being locked; one
 * that was not there may have been made since.
 */
static bool
settle_parents(SdUndelete *undelete, bool left)
{
	bool		restored = false;
	ListCell   *lt;

	foreach(lt, undelete->tables)
	{
		SdTouched  *child = lfirst(lt);
		ListCell   *lc;

		if (child->rows == NULL)
			continue;
		foreach(lc, child->above)
		{
			SdForeignKey *fkey = lfirst(lc);
			SdRowset   *dead;
			SdRowset   *needed;

			refuse_missing_parent(child, fkey);
			if (!left && fkey->validated && !child->returned)
				continue;
			if (fkey->id == child->via || !sd_registered(fkey->parent, NULL))
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

/*
 * Looks at the other parents of all touched rows, under lock, until every row that
 * is live has live parents.  Errors: 23503, 40001, 42501.
 */
void
sd_parents_settle(SdUndelete *undelete)
{
	bool		left;

	do
		left = take_back_all(undelete);
	while (settle_parents(undelete, left));
}
