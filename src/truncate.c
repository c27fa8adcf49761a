/*
 * truncate.c - TRUNCATE of registered tables.
 *
 * The rules are those of ExecuteTruncate(): the privilege, the locks, the tables
 * that ONLY, inheritance and CASCADE mean, the refusal while a table not named
 * refers to one that is, the triggers.  In the place of a new empty file comes
 * an UPDATE of flag and deletion_id of all live rows, which no other trigger and
 * no foreign key notices: whatever refers to the rows is truncated with them.
 *
 * Tables that are not registered are left to PostgreSQL: the statement goes on
 * with them, perhaps with none at all.  Their rows go for good, so two things are
 * refused: rows that a registered table keeps must not refer to them, and CASCADE
 * must not come to them from a registered table, as in a DELETE.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/heap.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/tablecmds.h"
#include "commands/trigger.h"
#include "compat.h"
#include "deletion.h"
#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "image.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "physical.h"
#include "registry.h"
#include "root.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteDefine.h"
#include "run.h"
#include "settings.h"
#include "storage/lmgr.h"
#include "storage/predicate.h"
#include "truncate.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

static Oid	emptied = InvalidOid;	/* registered table with rows that the statement
									 * under way really truncates */

/* The tables of a statement, all locked. */
typedef struct Tables
{
	List	   *named;			/* those named and those that inherit from them */
	List	   *all;			/* by CASCADE too */
	List	   *plain;			/* RangeVar: named and not registered */
	List	   *in_plain;		/* those and what inherits from them */
} Tables;

struct SdTruncation
{
	EState	   *estate;			/* for triggers */
	List	   *rels;			/* Relation: the registered tables */
};

static void
require_privilege(Oid relid)
{
	AclResult	result = pg_class_aclcheck(relid, GetUserId(), ACL_TRUNCATE);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, get_relkind_objtype(get_rel_relkind(relid)), get_rel_name(relid));
}

static void
may_truncate(const RangeVar *relation, Oid relid, Oid oldrelid, void *arg)
{
	if (OidIsValid(relid))
		require_privilege(relid);
}

/*
 * Would ExecuteTruncate() get as far as to lock it?  It refuses what is missing,
 * no table, or a system catalog; that is its own affair.
 */
static bool
truncatable(const RangeVar *relation)
{
	Oid			relid = RangeVarGetRelid(relation, NoLock, true);

	if (!OidIsValid(relid) || (IsCatalogRelationOid(relid) && !allowSystemTableMods))
		return false;
	switch (get_rel_relkind(relid))
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			return true;
		case RELKIND_FOREIGN_TABLE:
			return GetFdwRoutineByRelId(relid)->ExecForeignTruncate != NULL;
		default:
			return false;
	}
}

/*
 * A table and those below it, locked.  Temporary tables of other sessions are
 * left alone.
 */
static List *
lock_below(Oid relid)
{
	List	   *tables = NIL;
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, AccessExclusiveLock, NULL))
	{
		if (isOtherTempNamespace(get_rel_namespace(lfirst_oid(lc))))
			UnlockRelationOid(lfirst_oid(lc), AccessExclusiveLock);
		else
			tables = lappend_oid(tables, lfirst_oid(lc));
	}
	return tables;
}

/*
 * The tables that TRUNCATE would empty: partitions, children and, by CASCADE,
 * those that refer to them.  They are locked as ExecuteTruncate() is about to
 * do it, in the same order, and not before the user is known to be allowed to.
 * False where it is about to refuse.
 */
static bool
lock_tables(TruncateStmt *truncate, Tables *tables)
{
	ListCell   *lc;

	foreach(lc, truncate->relations)
	{
		RangeVar   *relation = lfirst_node(RangeVar, lc);
		Oid			relid;
		List	   *with_heirs;

		if (!truncatable(relation))
			return false;
		relid = RangeVarGetRelidExtended(relation, AccessExclusiveLock, RVR_MISSING_OK,
										 may_truncate, NULL);
		if (!OidIsValid(relid))
			return false;
		with_heirs = relation->inh ? lock_below(relid) : list_make1_oid(relid);
		tables->named = list_concat_unique_oid(tables->named, with_heirs);
		if (!sd_registered(relid, NULL))
		{
			tables->plain = lappend(tables->plain, relation);
			tables->in_plain = list_concat_unique_oid(tables->in_plain, with_heirs);
		}
	}
	tables->all = list_copy(tables->named);
	if (truncate->behavior == DROP_CASCADE)
		for (;;)
		{
			List	   *more = heap_truncate_find_FKs(tables->all);

			if (more == NIL)
				break;
			foreach(lc, more)
				LockRelationOid(lfirst_oid(lc), AccessExclusiveLock);
			tables->all = list_concat_unique_oid(tables->all, more);
		}
	return true;
}

static Oid
first_registered(List *tables)
{
	ListCell   *lc;

	foreach(lc, tables)
		if (sd_registered(lfirst_oid(lc), NULL))
			return lfirst_oid(lc);
	return InvalidOid;
}

/* What PostgreSQL says and checks for the statement as a whole. */
static void
check_statement(TruncateStmt *truncate, const Tables *tables)
{
	List	   *rels = NIL;
	ListCell   *lc;

	foreach(lc, tables->all)
	{
		Oid			relid = lfirst_oid(lc);
		Relation	rel = table_open(relid, NoLock);

		if (!list_member_oid(tables->named, relid))
		{
			ereport(NOTICE,
					(errmsg("truncate cascades to table \"%s\"", RelationGetRelationName(rel))));
			require_privilege(relid);
		}
		if (!RELATION_IS_OTHER_TEMP(rel))
			CheckTableNotInUse(rel, "TRUNCATE");
		rels = lappend(rels, rel);
	}
	if (truncate->behavior == DROP_RESTRICT)
		heap_truncate_check_FKs(rels, false);
	foreach(lc, rels)
		table_close(lfirst(lc), NoLock);
	if (truncate->restart_seqs)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot restart the sequences of registered table \"%s\"",
						get_rel_name(first_registered(tables->all))),
				 errdetail("Its deleted rows keep their values, and new rows would meet them."),
				 errhint("Use TRUNCATE without RESTART IDENTITY.")));
}

static bool
is_empty(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	bool		empty = !sd_has_rows(rel);

	table_close(rel, NoLock);
	return empty;
}

/*
 * The tables that are really truncated: those named that are not registered, and
 * what refers to them.  A registered table among the latter keeps its rows, which
 * then would refer to nothing: it must not have any.
 */
static List *
really_truncated(const Tables *tables)
{
	List	   *real = list_copy(tables->in_plain);
	bool		grown;

	do
	{
		ListCell   *lc;

		grown = false;
		foreach(lc, heap_truncate_find_FKs(real))
		{
			Oid			child = lfirst_oid(lc);
			ListCell   *parent;

			if (list_member_oid(real, child))
				continue;
			foreach(parent, real)
			{
				Oid			relid = lfirst_oid(parent);

				if (sd_registered(child, NULL) && !is_empty(child) &&
					list_member_oid(heap_truncate_find_FKs(list_make1_oid(relid)), child))
					ereport(ERROR,
							(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							 errmsg("cannot truncate table \"%s\": registered table \"%s\" references it",
									get_rel_name(relid), get_rel_name(child)),
							 errdetail("The rows of table \"%s\" stay, as deleted ones, and would refer to rows that are gone.",
									   get_rel_name(child)),
							 errhint("Run SELECT softdelete_register(%s).",
									 quote_literal_cstr(sd_quoted_relation(sd_partition_root(relid))))));
			}
			real = lappend_oid(real, child);
			grown = true;
		}
	} while (grown);
	return real;
}

/* Tables that CASCADE reaches over registered ones only: nothing may be in them. */
static void
refuse_unregistered(const Tables *tables, List *real)
{
	ListCell   *lc;

	foreach(lc, tables->all)
	{
		Oid			relid = lfirst_oid(lc);

		if (!sd_registered(relid, NULL) && !list_member_oid(real, relid) && !is_empty(relid))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("cannot truncate table \"%s\": TRUNCATE would cascade to table \"%s\", which is not registered",
							get_rel_name(first_registered(tables->all)), get_rel_name(relid)),
					 errhint("Run SELECT softdelete_register(%s), or name the table in TRUNCATE: then its rows are gone for good.",
							 quote_literal_cstr(sd_quoted_relation(sd_partition_root(relid))))));
	}
}

/* Rows of really truncated tables that are in the journal go too. */
static void
forget_images(const Tables *tables)
{
	ListCell   *lc;

	if (sd_images_exist())
		foreach(lc, tables->all)
			if (sd_registered(lfirst_oid(lc), NULL))
				(void) sd_images_forget(lfirst_oid(lc), NULL);
}

/* ---------- the registered tables ---------- */

/* A rule for UPDATE would act on what is no UPDATE to the user. */
static void
refuse_rules(Relation rel)
{
	for (int i = 0; rel->rd_rules && i < rel->rd_rules->numLocks; i++)
		if (rel->rd_rules->rules[i]->event == CMD_UPDATE &&
			rel->rd_rules->rules[i]->enabled != RULE_DISABLED)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("cannot truncate registered table \"%s\": it has a rule for UPDATE",
							RelationGetRelationName(rel)),
					 errhint("Disable the rule for the time of the TRUNCATE with ALTER TABLE %s DISABLE RULE.",
							 sd_quoted_relation(RelationGetRelid(rel)))));
}

/* BEFORE TRUNCATE triggers; those AFTER find their tables in the EState. */
static SdTruncation *
begin(List *rels)
{
	SdTruncation *truncation = palloc(sizeof(SdTruncation));
	ListCell   *lc;

	truncation->rels = rels;
	AfterTriggerBeginQuery();
	truncation->estate = CreateExecutorState();
	foreach(lc, rels)
	{
		MemoryContext old = MemoryContextSwitchTo(truncation->estate->es_query_cxt);
		ResultRelInfo *info = makeNode(ResultRelInfo);

		InitResultRelInfo(info, lfirst(lc), 0, NULL, 0);
		truncation->estate->es_opened_result_relations =
			lappend(truncation->estate->es_opened_result_relations, info);
		MemoryContextSwitchTo(old);
	}
	foreach(lc, truncation->estate->es_opened_result_relations)
		ExecBSTruncateTriggers(truncation->estate, lfirst(lc));
	return truncation;
}

/* Deletes all live rows of one table; returns how many. */
static int64
delete_rows(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);
	SdStatement statement = {0};

	CheckTableForSerializableConflictIn(rel);
	statement.sql = psprintf("UPDATE ONLY %s c SET %s, %s = " SD_SCHEMA ".deletion_id() WHERE %s",
							 sd_quoted_relation(relid), sd_set_deleted_sql(relid, ""),
							 quote_identifier(sd_deletion_id_name(relid)), sd_live_sql(relid, "c"));
	statement.kind = SD_RUN_FLAG;
	statement.owner_of = relid;
	statement.latest = true;
	statement.expect = SPI_OK_UPDATE;
	return sd_run(&statement);
}

static void
delete_all(const SdTruncation *truncation, const Tables *tables)
{
	List	   *counts = NIL;
	int			named = 0;
	ListCell   *lc;

	foreach(lc, truncation->rels)
	{
		Relation	rel = lfirst(lc);
		Oid			relid = RelationGetRelid(rel);

		if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
			continue;
		counts = sd_count_rows(counts, sd_partition_root(relid), delete_rows(rel));
		if (list_member_oid(tables->named, relid))
			named = list_length(counts);
	}
	sd_deletion_log(counts, named, sd_deletion_wants_root() ? sd_root_keys(NULL) : NULL);
}

/* What is left of the statement for PostgreSQL. */
static PlannedStmt *
rest_of(PlannedStmt *statement, const Tables *tables, List *real)
{
	PlannedStmt *rest = copyObject(statement);
	TruncateStmt *truncate = (TruncateStmt *) rest->utilityStmt;
	ListCell   *lc;

	truncate->relations = copyObject(tables->plain);
	truncate->behavior = DROP_RESTRICT;
	foreach(lc, real)
	{
		Oid			relid = lfirst_oid(lc);
		RangeVar   *relation;

		if (list_member_oid(tables->in_plain, relid))
			continue;
		relation = makeRangeVar(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid), -1);
		relation->inh = get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE;
		truncate->relations = lappend(truncate->relations, relation);
	}
	return rest;
}

/*
 * Truncates the registered tables of the statement.  Returns what is left of it
 * to be run; sets *under_way if sd_truncate_done() is to be called after that.
 * Under softdelete.enabled = off it all passes, and is put on record.
 */
PlannedStmt *
sd_truncate(PlannedStmt *statement, SdTruncation **under_way)
{
	TruncateStmt *truncate = (TruncateStmt *) statement->utilityStmt;
	Tables		tables = {0};
	List	   *real;
	List	   *rels = NIL;
	ListCell   *lc;

	if (XactReadOnly || IsInParallelMode())
		return statement;		/* PostgreSQL is about to refuse it */
	if (!lock_tables(truncate, &tables))
		return statement;
	if (!OidIsValid(first_registered(tables.all)))
		return statement;
	if (!sd_enabled)
	{
		sd_bypass_log(sd_partition_root(first_registered(tables.all)));
		forget_images(&tables);
		return statement;
	}
	foreach(lc, truncate->relations)
		if (!lfirst_node(RangeVar, lc)->inh &&
			get_rel_relkind(RangeVarGetRelid(lfirst(lc), NoLock, false)) == RELKIND_PARTITIONED_TABLE)
			return statement;	/* likewise */
	check_statement(truncate, &tables);
	real = really_truncated(&tables);
	foreach(lc, tables.all)
		if (sd_registered(lfirst_oid(lc), NULL) && !list_member_oid(real, lfirst_oid(lc)))
		{
			Relation	rel = table_open(lfirst_oid(lc), NoLock);

			if (RELATION_IS_OTHER_TEMP(rel))
			{
				table_close(rel, NoLock);
				continue;
			}
			refuse_rules(rel);
			rels = lappend(rels, rel);
		}
	*under_way = begin(rels);
	/* the triggers may have made rows */
	(void) really_truncated(&tables);
	refuse_unregistered(&tables, real);
	delete_all(*under_way, &tables);
	return rest_of(statement, &tables, real);
}

/*
 * PostgreSQL is about to truncate a table.  Between our look at a name and its own the
 * name may have come to mean another table, one that is registered: then rows would
 * go that nobody has looked at.
 */
void
sd_truncate_table(Oid relid)
{
	Relation	rel;

	if (!sd_enabled || OidIsValid(emptied) || !sd_registered(relid, NULL))
		return;
	rel = try_table_open(relid, AccessShareLock);
	if (rel == NULL)
		return;
	if (sd_has_rows(rel))
		emptied = relid;
	table_close(rel, NoLock);
}

/* The statement has run.  Error 55000 if it has really truncated a registered table. */
void
sd_truncate_check(void)
{
	if (OidIsValid(emptied))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("registered table \"%s\" cannot be really truncated", get_rel_name(emptied)),
				 errhint("Name the table by its schema, and truncate it again.")));
}

/* A statement begins; what it returns is for sd_truncate_end(). */
Oid
sd_truncate_begin(void)
{
	Oid			outer = emptied;

	emptied = InvalidOid;
	return outer;
}

/* It has ended, or failed. */
void
sd_truncate_end(Oid outer)
{
	emptied = outer;
}

/* After the rest of the statement has run: AFTER TRUNCATE triggers. */
void
sd_truncate_done(SdTruncation *truncation)
{
	ListCell   *lc;

	foreach(lc, truncation->estate->es_opened_result_relations)
		ExecASTruncateTriggers(truncation->estate, lfirst(lc));
	AfterTriggerEndQuery(truncation->estate);
	FreeExecutorState(truncation->estate);
	foreach(lc, truncation->rels)
		table_close(lfirst(lc), NoLock);
}
