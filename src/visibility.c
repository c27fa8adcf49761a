/*
 * visibility.c - which rows of registered tables a query sees.
 *
 * Hiding is one more condition on the scan of a base relation, added where
 * the planner collects the relation's facts.  There the query's own
 * conditions are already pushed down, views and functions are inlined, and
 * outer joins keep their meaning; every index that a condition written by
 * hand could use can be used.
 *
 * PostgreSQL's own foreign-key queries pass here too, and what they see is not
 * for the session to say:
 *   - is there a row to refer to (SELECT ... FOR KEY SHARE on the referenced
 *     table): live rows, so that nobody refers to a deleted one;
 *   - which rows refer to this one (DELETE, UPDATE of the referencing table):
 *     all rows, so that a real delete or a new key never leaves a deleted row
 *     behind, dangling;
 *   - does a row refer to this one (SELECT ... FOR KEY SHARE on the referencing
 *     table): live rows, and deleted ones whose parent is not there any more.
 *     The parent of a soft delete still is;
 *   - does a new foreign key hold (a join of both): all rows, but for a live row
 *     a deleted parent is none.
 *
 * Where softdelete.viewer_role bars the user from deleted rows, a query that would
 * show them is refused when it is planned; and in others the condition comes
 * before all that the user asks of a row, as those of row security do, because a
 * function of the user could otherwise be given a deleted row to look at.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "convert.h"
#include "fkey.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "registry.h"
#include "replication/walsender.h"
#include "settings.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/syscache.h"
#include "viewer.h"
#include "visibility.h"

/*
 * Plans that depend on a setting carry an invalidation item of this made-up
 * hash value; a change of the setting "invalidates" it.  A function whose OID
 * hashes to it costs a replanning, nothing else.
 */
#define SETTINGS_HASH 0x50F7DE1E

SdUtility	sd_utility = SD_UTILITY_NONE;
int			sd_utility_depth = 0;	/* of utility commands under way */

static SdPlanning *planning_now = NULL;

/* The kinds of query that PostgreSQL's foreign keys run. */
typedef enum ForeignKeyQuery
{
	FK_NONE,
	FK_REFERENCED,				/* looks for the row referred to */
	FK_REFERENCING				/* looks for, or changes, the rows that refer */
} ForeignKeyQuery;

/*
 * On which side of "key = value" does the parameter stand?  PostgreSQL's
 * foreign keys write "key = $1" on the referenced table and "$1 = key" on the
 * referencing one.
 */
static ForeignKeyQuery
parameter_side(Node *qual)
{
	OpExpr	   *op;

	if (qual && IsA(qual, BoolExpr))
	{
		if (((BoolExpr *) qual)->boolop != AND_EXPR)
			return FK_NONE;
		qual = linitial(((BoolExpr *) qual)->args);
	}
	if (qual == NULL || !IsA(qual, OpExpr))
		return FK_NONE;
	op = (OpExpr *) qual;
	if (list_length(op->args) != 2)
		return FK_NONE;
	if (!contain_var_clause(linitial(op->args)) && contain_var_clause(lsecond(op->args)))
		return FK_REFERENCING;
	if (contain_var_clause(linitial(op->args)) && !contain_var_clause(lsecond(op->args)))
		return FK_REFERENCED;
	return FK_NONE;
}

/* Does the text begin as PostgreSQL's foreign keys write it? */
static bool
begins_with(const char *source, const char *command)
{
	size_t		length = strlen(command);

	if (strncmp(source, command, length) != 0)
		return false;
	source += length;
	if (strncmp(source, "ONLY ", 5) == 0)
		source += 5;
	return *source == '"' && strstr(source, " OPERATOR(") != NULL;
}

/*
 * Is this a query of PostgreSQL's foreign-key triggers?  They run under a
 * security context of their own, but so do the statements of triggers that
 * they, or our cascade, fire; so text and shape are looked at too, and whether the
 * owner of the table asks: nobody else learns anything by an imitation.  See
 * RI_FKey_check(), ri_restrict(), RI_FKey_cascade_del(), RI_FKey_cascade_upd()
 * and ri_set() in utils/adt/ri_triggers.c.
 */
static ForeignKeyQuery
foreign_key_query(Query *query, const char *source)
{
	RangeTblEntry *rte;
	ForeignKeyQuery side;

	if (!InNoForceRLSOperation() || source == NULL || list_length(query->rtable) != 1 ||
		query->cteList || query->hasSubLinks || query->returningList ||
		query->jointree == NULL || list_length(query->jointree->fromlist) != 1 ||
		!IsA(linitial(query->jointree->fromlist), RangeTblRef))
		return FK_NONE;
	rte = linitial_node(RangeTblEntry, query->rtable);
	if (rte->rtekind != RTE_RELATION || rte->inh != (rte->relkind == RELKIND_PARTITIONED_TABLE) ||
		sd_relation_owner(rte->relid) != GetUserId())
		return FK_NONE;
	side = parameter_side(query->jointree->quals);
	switch (query->commandType)
	{
		case CMD_SELECT:
			if (!begins_with(source, "SELECT 1 FROM ") ||
				rte->alias == NULL || strcmp(rte->alias->aliasname, "x") != 0 ||
				list_length(query->rowMarks) != 1 ||
				linitial_node(RowMarkClause, query->rowMarks)->strength != LCS_FORKEYSHARE ||
				list_length(query->targetList) != 1 ||
				!IsA(linitial_node(TargetEntry, query->targetList)->expr, Const))
				return FK_NONE;
			return side;
		case CMD_DELETE:
			return begins_with(source, "DELETE FROM ") && side == FK_REFERENCING ?
				FK_REFERENCING : FK_NONE;
		case CMD_UPDATE:
			return begins_with(source, "UPDATE ") && side == FK_REFERENCING ?
				FK_REFERENCING : FK_NONE;
		default:
			return FK_NONE;
	}
}

typedef struct ParentContext
{
	const SdForeignKey *fkey;
	bool		fits;			/* are the parameters of the parent's types? */
} ParentContext;

/*
 * Turns "$1 = child column" into "parent column = child column", as seen from a
 * subquery whose only relation is the parent.
 */
static Node *
compare_parent(Node *node, ParentContext *context)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Param))
	{
		Param	   *param = (Param *) node;
		Oid			type;
		int32		typmod;
		Oid			collation;

		if (param->paramid > context->fkey->nkeys)
		{
			context->fits = false;
			return node;
		}
		get_atttypetypmodcoll(context->fkey->parent, context->fkey->parent_att[param->paramid - 1],
							  &type, &typmod, &collation);
		context->fits &= type == param->paramtype;
		return (Node *) makeVar(1, context->fkey->parent_att[param->paramid - 1],
								type, typmod, collation, 0);
	}
	if (IsA(node, Var))
	{
		Var		   *var = copyObject((Var *) node);

		var->varlevelsup++;
		return (Node *) var;
	}
	return expression_tree_mutator(node, compare_parent, context);
}

/* Does the query compare the columns of this foreign key, in its order? */
static bool
compares_columns(Node *quals, const SdForeignKey *fkey)
{
	List	   *vars = pull_var_clause(quals, 0);

	if (list_length(vars) != fkey->nkeys)
		return false;
	for (int i = 0; i < fkey->nkeys; i++)
		if (list_nth_node(Var, vars, i)->varattno != fkey->child_att[i])
			return false;
	return true;
}

/*
 * SELECT FROM parent WHERE quals.  The owner of the child, as whom the query
 * runs, need not be allowed to read the parent: nothing of it is shown.
 */
static Query *
select_parent(Oid parent, Node *quals)
{
	Relation	rel = table_open(parent, AccessShareLock);
	Query	   *query = makeNode(Query);
	RangeTblEntry *rte = makeNode(RangeTblEntry);
	RangeTblRef *reference = makeNode(RangeTblRef);
	SdPermissions *permissions;

	rte->rtekind = RTE_RELATION;
	rte->relid = parent;
	rte->relkind = rel->rd_rel->relkind;
	rte->rellockmode = AccessShareLock;
	rte->inh = rte->relkind == RELKIND_PARTITIONED_TABLE;
	rte->inFromCl = true;
	rte->eref = makeAlias(pstrdup(RelationGetRelationName(rel)), NIL);
	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
		rte->eref->colnames =
			lappend(rte->eref->colnames,
					makeString(pstrdup(NameStr(TupleDescAttr(RelationGetDescr(rel), i)->attname))));
	table_close(rel, NoLock);

	reference->rtindex = 1;
	query->commandType = CMD_SELECT;
	query->canSetTag = true;
	query->rtable = list_make1(rte);
	permissions = sd_add_permissions(query, rte);
	permissions->requiredPerms = ACL_SELECT;
	permissions->checkAsUser = BOOTSTRAP_SUPERUSERID;
	query->jointree = makeFromExpr(list_make1(reference), quals);
	return query;
}

/*
 * PostgreSQL asks whether a row refers to one that has been deleted or has a new
 * key.  Of a registered table live rows do, and deleted rows if their parent is
 * not there: then they would dangle.  If it is there, deleted or not, there was
 * a soft delete, and nobody but undelete will miss it.  Where several foreign
 * keys compare the same columns the query does not tell which one asks; the
 * parents of all must be there.
 */
static void
pass_over_deleted_children(Query *query)
{
	Oid			child = linitial_node(RangeTblEntry, query->rtable)->relid;
	Node	   *quals = query->jointree->quals;
	List	   *counts = NIL;
	SdTable		table;
	Relation	rel;
	ListCell   *lc;

	if (!sd_registered(child, &table))
		return;
	rel = table_open(child, AccessShareLock);
	foreach(lc, sd_fkeys_from(rel))
	{
		ParentContext context = {.fkey = lfirst(lc),.fits = true};
		SubLink    *exists;
		Node	   *parent_quals;

		if (context.fkey->child != child || !compares_columns(quals, context.fkey))
			continue;
		parent_quals = compare_parent(quals, &context);
		if (!context.fits)
			continue;
		exists = makeNode(SubLink);
		exists->subLinkType = EXISTS_SUBLINK;
		exists->subselect = (Node *) select_parent(context.fkey->parent, parent_quals);
		exists->location = -1;
		counts = lappend(counts, make_notclause((Expr *) exists));
	}
	table_close(rel, NoLock);
	if (counts == NIL)
		return;
	counts = lcons(sd_live_condition(&table, 1), counts);
	query->jointree->quals = make_and_qual(quals, (Node *) make_orclause(counts));
	query->hasSubLinks = true;
}

/*
 * Is this the query by which ALTER TABLE validates a foreign key?  See
 * RI_Initial_Check() and RI_PartitionRemove_Check(): a join of two tables
 * under the aliases fk and pk, whose text begins so.
 */
static bool
is_validation(Query *query, const char *source)
{
	bool		fk = false;
	bool		pk = false;
	ListCell   *lc;

	if (sd_utility != SD_UTILITY_ALTER_TABLE || query->commandType != CMD_SELECT ||
		source == NULL || strncmp(source, "SELECT fk.", 10) != 0)
		return false;
	foreach(lc, query->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind == RTE_JOIN)
			continue;
		if (rte->rtekind != RTE_RELATION || rte->alias == NULL)
			return false;
		if (strcmp(rte->alias->aliasname, "fk") == 0)
			fk = true;
		else if (strcmp(rte->alias->aliasname, "pk") == 0)
			pk = true;
		else
			return false;
	}
	return fk && pk;
}

/* Is there anything in a condition but tests for null and equality of columns? */
static bool
is_more_than_equal(Node *node, void *context)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_List:
		case T_FromExpr:
		case T_JoinExpr:
		case T_RangeTblRef:
		case T_BoolExpr:
		case T_NullTest:
		case T_Var:
		case T_RelabelType:
			break;
		case T_OpExpr:
			if (!op_mergejoinable(((OpExpr *) node)->opno, exprType(linitial(((OpExpr *) node)->args))))
				return true;
			break;
		default:
			return true;
	}
	return expression_tree_walker(node, is_more_than_equal, context);
}

/*
 * May the user, who may not see deleted rows, have them looked at by this query?
 * ALTER TABLE runs functions of the user too, which could imitate it.  Of the tables
 * that he owns he can learn everything; of another's there must be nothing but the
 * comparison of keys with live rows.
 */
static void
require_harmless_validation(Query *query)
{
	Index		fk = 0;
	Index		pk = 0;
	Index		rti = 0;
	JoinExpr   *join = linitial(query->jointree->fromlist);
	ListCell   *lc;

	foreach(lc, query->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		rti++;
		if (rte->rtekind != RTE_RELATION)
			continue;
		if (strcmp(rte->alias->aliasname, "fk") == 0 && fk == 0)
			fk = rti;
		else if (pk == 0)
			pk = rti;
		else
			sd_require_viewer(rte->relid);
	}
	if (!sd_is_owner(rt_fetch(fk, query->rtable)->relid, GetUserId()))
		sd_require_viewer(rt_fetch(fk, query->rtable)->relid);
	if (sd_is_owner(rt_fetch(pk, query->rtable)->relid, GetUserId()))
		return;
	foreach(lc, query->targetList)
	{
		Var		   *var = (Var *) lfirst_node(TargetEntry, lc)->expr;

		if (!IsA(var, Var) || var->varno != fk)
			sd_require_viewer(rt_fetch(pk, query->rtable)->relid);
	}
	if (!row_security || !IsA(join, JoinExpr) || join->jointype != JOIN_LEFT || query->hasSubLinks ||
		query->groupClause || query->havingQual || query->cteList || query->setOperations ||
		is_more_than_equal((Node *) query->jointree, NULL))
		sd_require_viewer(rt_fetch(pk, query->rtable)->relid);
}

/*
 * RI_Initial_Check() looks for rows without a parent by a left join: to a live
 * row a deleted parent is none.  Not under row_security = off, as when a dump is
 * restored.
 */
static void
demand_live_parents(Query *query)
{
	JoinExpr   *join = linitial(query->jointree->fromlist);
	Index		fk;
	Index		pk;
	SdTable		parent;
	SdTable		child;
	Expr	   *holds;

	if (!row_security || !IsA(join, JoinExpr) || join->jointype != JOIN_LEFT ||
		!IsA(join->larg, RangeTblRef) || !IsA(join->rarg, RangeTblRef))
		return;
	fk = ((RangeTblRef *) join->larg)->rtindex;
	pk = ((RangeTblRef *) join->rarg)->rtindex;
	if (!sd_registered(rt_fetch(pk, query->rtable)->relid, &parent))
		return;
	holds = sd_live_condition(&parent, pk);
	if (sd_registered(rt_fetch(fk, query->rtable)->relid, &child))
		holds = make_orclause(list_make2(sd_deleted_condition(&child, fk), holds));
	join->quals = make_and_qual(join->quals, (Node *) holds);
}

/* Does the session see all rows in a SELECT, whatever show_deleted says? */
bool
sd_shows_all_rows(void)
{
	return !row_security || am_walsender;
}

static SdRows
rows_by_setting(Query *query)
{
	if (sd_utility == SD_UTILITY_REFRESH)
		return SD_ROWS_LIVE;
	if (query->commandType == CMD_SELECT && sd_shows_all_rows())
		return SD_ROWS_ALL;
	switch (sd_show_deleted)
	{
		case SD_SHOW_ALL:
			return SD_ROWS_ALL;
		case SD_SHOW_DELETED:
			return SD_ROWS_DELETED;
		default:
			return SD_ROWS_LIVE;
	}
}

/*
 * The planner is about to plan this query; planning lives on the caller's
 * stack until sd_planning_end(), which must be called on error too.
 */
void
sd_planning_begin(SdPlanning *planning, Query *query, const char *source)
{
	memset(planning, 0, sizeof(*planning));
	planning->own = sd_run_current(source);
	if (planning->own && planning->own->kind != SD_RUN_PLAIN)
		planning->rows = planning->own->kind == SD_RUN_LIVE ? SD_ROWS_LIVE : SD_ROWS_ALL;
	else if (planning->own == NULL && is_validation(query, source))
	{
		if (!sd_may_view_deleted())
			require_harmless_validation(query);
		planning->rows = SD_ROWS_ALL;
		demand_live_parents(query);
	}
	else
	{
		ForeignKeyQuery kind = planning->own ? FK_NONE : foreign_key_query(query, source);

		planning->foreign_key = kind != FK_NONE;
		planning->by_setting = true;
		if (kind == FK_REFERENCING)
		{
			planning->rows = SD_ROWS_ALL;
			if (query->commandType == CMD_SELECT)
				pass_over_deleted_children(query);
		}
		else if (kind == FK_REFERENCED)
			planning->rows = !row_security || sd_utility == SD_UTILITY_ALTER_TABLE ?
				SD_ROWS_ALL : SD_ROWS_LIVE;
		else
			planning->rows = rows_by_setting(query);
	}
	planning->outer = planning_now;
	planning_now = planning;
}

void
sd_planning_end(SdPlanning *planning)
{
	planning_now = planning->outer;
}

/* Is it the user's query, and no foreign key's nor one of ours? */
static bool
asks_for_user(const SdPlanning *planning)
{
	return planning == NULL ||
		(planning->own == NULL && planning->by_setting && !planning->foreign_key);
}

/* Makes the plan follow the settings, and the role, that it depends on. */
void
sd_planning_finish(SdPlanning *planning, PlannedStmt *plan)
{
	PlanInvalItem *item;

	plan->dependsOnRole |= planning->by_role;
	if (!planning->met || !planning->by_setting)
		return;
	if (asks_for_user(planning) && sd_viewers_limited())
		plan->dependsOnRole = true;
	item = makeNode(PlanInvalItem);
	item->cacheId = PROCOID;
	item->hashValue = SETTINGS_HASH;
	plan->invalItems = lappend(plan->invalItems, item);
}

/* A setting changed on which plans depend. */
void
sd_visibility_changed(void)
{
	CallSyscacheCallbacks(PROCOID, SETTINGS_HASH);
}

/* Somebody has joined a role, or left one, or is a superuser now. */
static void
roles_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	if (sd_viewers_limited())
		sd_visibility_changed();
}

/* Registers the invalidation callbacks; called once. */
void
sd_visibility_init(void)
{
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, roles_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, roles_changed, (Datum) 0);
}

/* A utility command begins or ends. */
void
sd_utility_set(SdUtility utility)
{
	if (utility == sd_utility)
		return;
	sd_utility = utility;
	sd_visibility_changed();
}

typedef struct Suspended
{
	MemoryContextCallback resume;
	SdUtility	utility;
	int			depth;			/* of the command */
} Suspended;

static void
resume_utility(void *arg)
{
	Suspended  *suspended = arg;

	/* unless the command itself has ended, by an error */
	if (sd_utility_depth == suspended->depth)
		sd_utility_set(suspended->utility);
}

/*
 * A statement that writes is no part of the utility command around it (it may be
 * an event trigger's): until this context goes, it sees what others see.
 */
void
sd_utility_suspend(MemoryContext context)
{
	Suspended  *suspended;

	if (sd_utility != SD_UTILITY_ALTER_TABLE)
		return;
	suspended = MemoryContextAllocZero(context, sizeof(Suspended));
	suspended->utility = sd_utility;
	sd_utility_set(SD_UTILITY_NONE);
	suspended->depth = sd_utility_depth;
	suspended->resume.func = resume_utility;
	suspended->resume.arg = suspended;
	MemoryContextRegisterResetCallback(context, &suspended->resume);
}

static void
add_condition(PlannerInfo *root, RelOptInfo *rel, Expr *condition)
{
	RestrictInfo *info = sd_make_restrictinfo(root, condition, root->qual_security_level);

	rel->baserestrictinfo = lappend(rel->baserestrictinfo, info);
	rel->baserestrict_min_security = Min(rel->baserestrict_min_security,
										 info->security_level);
}

/*
 * A member of UNION ALL gets its conditions from its parent and from the
 * security conditions of its range-table entry; what is in baserestrictinfo
 * now will be overwritten by apply_child_basequals().
 */
static void
add_member_condition(PlannerInfo *root, RelOptInfo *rel, Expr *condition)
{
	RangeTblEntry *rte = root->simple_rte_array[rel->relid];

	if (rte->securityQuals == NIL)
		rte->securityQuals = list_make1(list_make1(condition));
	else
	{
		ListCell   *last = list_tail(rte->securityQuals);

		lfirst(last) = lappend(lfirst(last), condition);
	}
	root->qual_security_level = Max(root->qual_security_level,
									list_length(rte->securityQuals));
}

/* Is this a table in softdelete_deleted()?  Nothing that is parsed has such a name. */
static bool
is_marked(const RangeTblEntry *rte)
{
	return rte->ctename && strcmp(rte->ctename, SD_DELETED_MARK) == 0;
}

/*
 * The same for any relation, as a condition of row security: no function of the
 * user that is not leakproof is evaluated before it.  Here the query's own
 * conditions have not been given their security levels yet.
 */
static void
add_barrier_condition(PlannerInfo *root, RelOptInfo *rel, Expr *condition)
{
	RangeTblEntry *rte = root->simple_rte_array[rel->relid];

	if (rte->securityQuals == NIL)
		rte->securityQuals = list_make1(list_make1(condition));
	else
	{
		ListCell   *first = list_head(rte->securityQuals);

		lfirst(first) = lcons(condition, lfirst(first));
	}
	root->qual_security_level = Max(root->qual_security_level,
									list_length(rte->securityQuals));
}

/*
 * Adds the condition to a relation of the query, when it is registered.
 * Children of inheritance and partitions get it from their parent.
 */
void
sd_visibility_apply(PlannerInfo *root, Oid relid, RelOptInfo *rel)
{
	SdTable		table;
	SdRows		rows;
	bool		member = rel->reloptkind == RELOPT_OTHER_MEMBER_REL;

	if (rel->reloptkind != RELOPT_BASEREL && !member)
		return;
	if (member && OidIsValid(root->append_rel_array[rel->relid]->parent_reloid))
		return;
	if (!sd_registered(relid, &table))
		return;
	if (planning_now)
		planning_now->met = true;
	rows = planning_now ? planning_now->rows : rows_by_setting(root->parse);
	if (sd_is_converted_target(root->parse, rel->relid))
		rows = SD_ROWS_LIVE;
	if (planning_now && planning_now->own && OidIsValid(planning_now->own->physical) &&
		planning_now->own->physical != relid)
		rows = SD_ROWS_LIVE;
	if (is_marked(root->simple_rte_array[rel->relid]))
		rows = SD_ROWS_DELETED;
	if (asks_for_user(planning_now) && rows != SD_ROWS_LIVE)
		sd_require_viewer(relid);
	if (rows == SD_ROWS_ALL)
		return;
	if (asks_for_user(planning_now) && !sd_may_view_deleted())
		add_barrier_condition(root, rel, sd_live_condition(&table, rel->relid));
	else if (rows == SD_ROWS_LIVE)
	{
		Expr	   *live = sd_live_condition(&table, rel->relid);

		if (member)
			add_member_condition(root, rel, live);
		else
			add_condition(root, rel, live);
	}
	else
	{
		Expr	   *deleted = sd_deleted_condition(&table, rel->relid);

		if (member)
			add_member_condition(root, rel, deleted);
		else
			add_condition(root, rel, deleted);
	}
}
