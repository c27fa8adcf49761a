/*
 * leaving.c - rows that leave their table, or get another key.
 *
 * A row that has lost a reference to a registered table is known to the journal by
 * its key (links.c), be its own table registered or not.  Where a statement really
 * deletes rows, or changes keys, a virtual trigger after all others tells the
 * journal (linkrows.c, unlinked.c), if that has anything of the table.
 *
 * If it has nothing when the statement begins, no row is looked at; but another
 * transaction may take references away while the statement waits for a row.  So
 * it is asked again at the end, and then the rows are looked for.  The same after a
 * TRUNCATE, and when a partition goes; with a table its entries go.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "compat.h"
#include "leaving.h"
#include "linkrows.h"
#include "links.h"
#include "registry.h"
#include "unlinked.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "virtual.h"

/* What one result relation has to tell. */
typedef struct Leaving
{
	SdLinkRows *links;			/* NULL: the journal has nothing of it */
	bool		unlinked;		/* has this transaction given up references? */
} Leaving;

/* Asks again when the rows are processed; found by ExecPostprocessPlan() alone. */
typedef struct Afterwards
{
	PlanState	finish;			/* comes first */
	List	   *children;		/* OIDs */
} Afterwards;

static List *tables = NIL;		/* OIDs: those that a utility statement takes rows
								 * from; in TopTransactionContext */

/* ---------- statements ---------- */

static bool
left(SdVirtual *v, TriggerData *data)
{
	Leaving    *leaving = v->arg;

	if (leaving->links)
		sd_link_rows_gone(leaving->links, data->tg_trigslot);
	if (leaving->unlinked)
		sd_unlinked_left(data->tg_relation, data->tg_trigslot, NULL);
	return true;
}

static bool
changed(SdVirtual *v, TriggerData *data)
{
	Leaving    *leaving = v->arg;

	if (leaving->links)
		sd_link_rows_changed(leaving->links, data->tg_trigslot, data->tg_newslot);
	if (leaving->unlinked)
		sd_unlinked_left(data->tg_relation, data->tg_trigslot, data->tg_newslot);
	return true;
}

/* Does a row of this table refer to a registered one? */
static bool
refers_to_registered(Relation rel)
{
	ListCell   *lc;

	foreach(lc, RelationGetFKeyList(rel))
		if (sd_registered(((ForeignKeyCacheInfo *) lfirst(lc))->confrelid, NULL))
			return true;
	return false;
}

/* May an UPDATE change a column by which the journal knows rows? */
static bool
may_change_key(EState *estate, ResultRelInfo *leaf, const Leaving *leaving)
{
	Bitmapset  *columns;

	if (leaf->ri_TrigDesc && leaf->ri_TrigDesc->trig_update_before_row)
		return true;
	if (leaving->links == NULL)
		return leaving->unlinked;
	columns = bms_union(ExecGetUpdatedCols(leaf, estate), ExecGetExtraUpdatedCols(leaf, estate));
	return leaving->unlinked || sd_link_rows_depend(leaving->links, columns);
}

/*
 * One ModifyTable that really deletes, or updates.  Returns the tables (OIDs) of
 * which it is to be asked again whether the journal has something.
 */
List *
sd_arm_leaving(EState *estate, ModifyTableState *state)
{
	const SdTable none = {0};
	bool		merge = state->operation == CMD_MERGE;
	bool		deletes = state->operation == CMD_DELETE ||
		(merge && (state->mt_merge_subcommands & MERGE_DELETE) != 0);
	bool		on_conflict = state->operation == CMD_INSERT &&
		((ModifyTable *) state->ps.plan)->onConflictAction == ONCONFLICT_UPDATE;
	bool		updates = state->operation == CMD_UPDATE || on_conflict ||
		(merge && (state->mt_merge_subcommands & MERGE_UPDATE) != 0);
	List	   *children = NIL;

	for (int i = 0; i < state->mt_nrels; i++)
	{
		ResultRelInfo *leaf = &state->resultRelInfo[i];
		Relation	rel = leaf->ri_RelationDesc;
		Leaving    *leaving;

		if ((rel->rd_rel->relkind != RELKIND_RELATION && rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE) ||
			!refers_to_registered(rel))
			continue;
		leaving = palloc0(sizeof(Leaving));
		leaving->links = sd_link_rows(rel);
		if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		{
			/* which partition is known when there is a row for it */
			if (on_conflict && leaving->links && may_change_key(estate, leaf, leaving))
				children = list_concat_unique_oid(children, sd_link_children(rel));
			continue;
		}
		leaving->unlinked = sd_unlinked_any();

		/* in a MERGE a DELETE may be one half of a row's move */
		if (deletes && (leaving->links == NULL || (merge && rel->rd_rel->relispartition)))
			children = list_concat_unique_oid(children, sd_link_children(rel));
		if (leaving->links == NULL && !leaving->unlinked)
			continue;
		if (updates && may_change_key(estate, leaf, leaving))
			(void) sd_append_virtual(estate, leaf, TRIGGER_TYPE_UPDATE, &none, changed, leaving);
		if (deletes && !(merge && rel->rd_rel->relispartition))
			(void) sd_append_virtual(estate, leaf, TRIGGER_TYPE_DELETE, &none, left, leaving);
	}
	return children;
}

static void
sweep(List *children)
{
	ListCell   *lc;

	foreach(lc, children)
		if (sd_links_of(lfirst_oid(lc)))
			sd_links_sweep(lfirst_oid(lc));
}

static TupleTableSlot *
finish(PlanState *node)
{
	MemoryContext old = MemoryContextSwitchTo(node->state->es_query_cxt);

	sweep(((Afterwards *) node)->children);
	MemoryContextSwitchTo(old);
	return NULL;
}

/* Asks about these tables again when the rows of the statement are processed. */
void
sd_leaving_ask_again(EState *estate, List *children)
{
	Afterwards *afterwards;

	if (children == NIL)
		return;
	afterwards = palloc0(sizeof(Afterwards));
	afterwards->finish.state = estate;
	afterwards->finish.ExecProcNode = finish;
	afterwards->children = children;
	estate->es_auxmodifytables = lappend(estate->es_auxmodifytables, afterwards);
}

/* ---------- utility statements ---------- */

/* A utility statement begins; what it returns is for sd_leaving_end(). */
List *
sd_leaving_begin(void)
{
	List	   *outer = tables;

	tables = NIL;
	return outer;
}

static void
note(Oid relid)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);

	tables = list_append_unique_oid(tables, relid);
	MemoryContextSwitchTo(old);
}

/* It is about to truncate or drop this table, or takes a partition from it. */
void
sd_leaving_table(Oid relid)
{
	Oid			root;

	if (relid < FirstNormalObjectId || !sd_links_can_be_asked() ||
		(get_rel_relkind(relid) != RELKIND_RELATION &&
		 get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE))
		return;
	if (sd_unlinked_any())
	{
		Relation	rel = relation_open(relid, NoLock);

		sd_unlinked_all_left(rel);
		relation_close(rel, NoLock);
	}
	root = sd_partition_root(relid);
	if (sd_links_of(relid))
		note(relid);
	if (root != relid && sd_links_of(root))
		note(root);
}

/* An ALTER TABLE that is about to run may detach partitions. */
void
sd_leaving_detach(const AlterTableStmt *alter)
{
	ListCell   *lc;

	foreach(lc, alter->cmds)
	{
		AlterTableCmd *command = lfirst_node(AlterTableCmd, lc);

		if (command->subtype == AT_DetachPartition || command->subtype == AT_DetachPartitionFinalize)
		{
			Oid			relid = RangeVarGetRelid(alter->relation, NoLock, true);

			if (OidIsValid(relid))
				sd_leaving_table(relid);
		}
	}
}

/* It has run. */
void
sd_leaving_done(void)
{
	List	   *left_tables = tables;
	ListCell   *lc;

	if (left_tables == NIL)
		return;
	tables = NIL;
	CommandCounterIncrement();
	if (!sd_links_can_be_asked())
		return;
	foreach(lc, left_tables)
	{
		if (get_rel_name(lfirst_oid(lc)) == NULL)
			sd_links_drop(lfirst_oid(lc));
		else
			sd_links_sweep(lfirst_oid(lc));
	}
}

void
sd_leaving_end(List *outer)
{
	tables = outer;
}
