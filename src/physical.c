/*
 * physical.c - what is physically in a table.
 *
 * Asked about a table that is about to be emptied or dropped: of its catalog
 * entries some may be gone already, so the heap is read and no query is planned.
 * The caller holds a lock that keeps writers out.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "physical.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Is there a row in the table itself; with "table", a deleted one? */
static bool
find_row(Relation rel, const SdTable *table)
{
	Snapshot	snapshot;
	TableScanDesc scan;
	TupleTableSlot *slot;
	bool		found = false;

	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		return false;
	if (!RELKIND_HAS_TABLE_AM(rel->rd_rel->relkind))
		return true;			/* who knows? */
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	slot = table_slot_create(rel, NULL);
	scan = table_beginscan(rel, snapshot, 0, NULL);
	while (!found && table_scan_getnextslot(scan, ForwardScanDirection, slot))
		found = table == NULL || !sd_slot_is_live(slot, table);
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	return found;
}

/*
 * Is there any row, live or deleted, in the table itself?  Its partitions are
 * tables of their own; of a foreign table it is supposed.
 */
bool
sd_has_rows(Relation rel)
{
	return find_row(rel, NULL);
}

/* Is there a deleted row in the table itself? */
bool
sd_has_deleted_rows(Relation rel, const SdTable *table)
{
	return find_row(rel, table);
}
