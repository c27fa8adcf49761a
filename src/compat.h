/*
 * compat.h - what differs between PostgreSQL versions.
 *
 * The code is written for the newest supported major; each shim bridges back
 * and names the version from which it is no longer needed.  This is the only
 * file that looks at PG_VERSION_NUM.
 */
#ifndef SD_COMPAT_H
#define SD_COMPAT_H

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "softdelete supports PostgreSQL 15 to 18"
#endif

#include "access/genam.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "nodes/makefuncs.h"
#include "nodes/pathnodes.h"
#include "optimizer/restrictinfo.h"
#include "parser/parse_relation.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/relcache.h"

/* 18: pg_noreturn goes before the declaration, as in C11 */
#ifndef pg_noreturn
#define pg_noreturn __attribute__((noreturn))
#endif

/* 16: permissions of a range-table entry moved to RTEPermissionInfo */
#if PG_VERSION_NUM >= 160000
typedef RTEPermissionInfo SdPermissions;

static inline SdPermissions *
sd_query_permissions(Query *query, RangeTblEntry *rte)
{
	return getRTEPermissionInfo(query->rteperminfos, rte);
}

static inline SdPermissions *
sd_estate_permissions(EState *estate, RangeTblEntry *rte)
{
	return getRTEPermissionInfo(estate->es_rteperminfos, rte);
}

static inline bool
sd_has_permissions(RangeTblEntry *rte)
{
	return rte->perminfoindex > 0;
}

static inline SdPermissions *
sd_add_permissions(Query *query, RangeTblEntry *rte)
{
	return addRTEPermissionInfo(&query->rteperminfos, rte);
}

static inline void
sd_take_permissions(Query *query, ParseState *pstate)
{
	query->rteperminfos = pstate->p_rteperminfos;
}
#else
typedef RangeTblEntry SdPermissions;

static inline SdPermissions *
sd_query_permissions(Query *query, RangeTblEntry *rte)
{
	return rte;
}

static inline SdPermissions *
sd_estate_permissions(EState *estate, RangeTblEntry *rte)
{
	return rte;
}

static inline bool
sd_has_permissions(RangeTblEntry *rte)
{
	return true;
}

static inline SdPermissions *
sd_add_permissions(Query *query, RangeTblEntry *rte)
{
	return rte;
}

static inline void
sd_take_permissions(Query *query, ParseState *pstate)
{
}
#endif

/* 16: make_restrictinfo lost nullable_relids and gained clone flags */
static inline RestrictInfo *
sd_make_restrictinfo(PlannerInfo *root, Expr *clause, Index security_level)
{
#if PG_VERSION_NUM >= 160000
	return make_restrictinfo(root, clause, true, false, false, false,
							 security_level, NULL, NULL, NULL);
#else
	return make_restrictinfo(root, clause, true, false, false,
							 security_level, NULL, NULL, NULL);
#endif
}

/*
 * 18: EXPLAIN calls a hook for each plan node, and its output functions have
 * headers of their own
 */
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#define SD_EXPLAIN_NODE_HOOK 1
#else
#include "commands/explain.h"
#define SD_EXPLAIN_NODE_HOOK 0
#endif

/* 18: RETURNING can name the old row */
#if PG_VERSION_NUM >= 180000
#define SD_RETURNING_OLD 1
#else
#define SD_RETURNING_OLD 0
#endif

#if SD_RETURNING_OLD
#define sd_returns_old(var) ((var)->varreturningtype == VAR_RETURNING_OLD)
#define sd_returns_new(var) ((var)->varreturningtype == VAR_RETURNING_NEW)
#else
#define sd_returns_old(var) (false)
#define sd_returns_new(var) (false)
#endif

/* What a column was: before 18 null, for want of better. */
static inline Expr *
sd_old_column(Var *var)
{
#if SD_RETURNING_OLD
	Var		   *old = copyObject(var);

	old->varreturningtype = VAR_RETURNING_OLD;
	return (Expr *) old;
#else
	return (Expr *) makeNullConst(var->vartype, var->vartypmod, var->varcollid);
#endif
}

/* 17: MERGE has RETURNING, with merge_action() */
#if PG_VERSION_NUM >= 170000
#define SD_IS_MERGE_ACTION(node) IsA(node, MergeSupportFunc)
#else
#define SD_IS_MERGE_ACTION(node) (false)
#endif

/* 17: the conditions of MERGE actions are three kinds, RETURNING was added */
static inline List *
sd_merge_action_lists(ModifyTable *plan)
{
	return plan->mergeActionLists;
}

/* 18: ri_ConstraintExprs was renamed */
#if PG_VERSION_NUM >= 180000
#define sd_check_exprs(rri) ((rri)->ri_CheckConstraintExprs)
#else
#define sd_check_exprs(rri) ((rri)->ri_ConstraintExprs)
#endif

/* 16: the indexed columns are kept in two sets, those of BRIN indexes apart */
#if PG_VERSION_NUM >= 160000
#define SD_INDEXED_COLUMNS INDEX_ATTR_BITMAP_HOT_BLOCKING
#else
#define SD_INDEXED_COLUMNS INDEX_ATTR_BITMAP_ALL
#endif

/* 16: stored generated columns of INSERT and UPDATE are kept apart */
#if PG_VERSION_NUM >= 160000
#define sd_generated_exprs(rri) ((rri)->ri_GeneratedExprsU)
#define sd_generated_count(rri) ((rri)->ri_NumGeneratedNeededU)
#else
#define sd_generated_exprs(rri) ((rri)->ri_GeneratedExprs)
#define sd_generated_count(rri) ((rri)->ri_NumGeneratedNeeded)
#endif

/* 16: object_ownercheck and object_aclcheck replaced one function a kind */
static inline bool
sd_is_owner(Oid relid, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(RelationRelationId, relid, role);
#else
	return pg_class_ownercheck(relid, role);
#endif
}

/* 18: foreign keys can be over periods */
#if PG_VERSION_NUM >= 180000
#define sd_constraint_is_period(form) ((form)->conperiod)
#else
#define sd_constraint_is_period(form) (false)
#endif

/* 18: keys can be over periods */
#if PG_VERSION_NUM >= 180000
#define sd_constraint_without_overlaps(constraint) ((constraint)->without_overlaps)
#else
#define sd_constraint_without_overlaps(constraint) (false)
#endif

/* 18: foreign keys can be not enforced */
#if PG_VERSION_NUM >= 180000
#define sd_constraint_is_enforced(form) ((form)->conenforced)
#else
#define sd_constraint_is_enforced(form) (true)
#endif

/* 18: RelationGetPrimaryKeyIndex asks whether a deferrable key will do */
static inline Oid
sd_primary_key_index(Relation rel)
{
#if PG_VERSION_NUM >= 180000
	return RelationGetPrimaryKeyIndex(rel, true);
#else
	return RelationGetPrimaryKeyIndex(rel);
#endif
}

/* 18: ExecCheckIndexConstraints can leave one tuple out of account */
static inline bool
sd_check_index_constraints(ResultRelInfo *rel, TupleTableSlot *slot, EState *estate,
						   ItemPointer conflict, List *arbiters)
{
#if PG_VERSION_NUM >= 180000
	ItemPointerData none;

	ItemPointerSetInvalid(&none);
	return ExecCheckIndexConstraints(rel, slot, estate, conflict, &none, arbiters);
#else
	return ExecCheckIndexConstraints(rel, slot, estate, conflict, arbiters);
#endif
}

/* 18: index_beginscan counts for EXPLAIN */
static inline IndexScanDesc
sd_index_beginscan(Relation heap, Relation index, Snapshot snapshot, int nkeys)
{
#if PG_VERSION_NUM >= 180000
	return index_beginscan(heap, index, snapshot, NULL, nkeys, 0);
#else
	return index_beginscan(heap, index, snapshot, nkeys, 0);
#endif
}

/* 18: RESTRICT has an SQLSTATE and a wording of its own */
#if PG_VERSION_NUM >= 180000
#define SD_RESTRICT_IS_SPECIAL true
#else
#define SD_RESTRICT_IS_SPECIAL false
#endif

/* 16: find_option looks a setting up by name */
static inline struct config_generic *
sd_find_setting(const char *name)
{
#if PG_VERSION_NUM >= 160000
	return find_option(name, false, true, ERROR);
#else
	struct config_generic **all = get_guc_variables();
	int			n = GetNumConfigOptions();

	for (int i = 0; i < n; i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
#endif
}

#endif							/* SD_COMPAT_H */
