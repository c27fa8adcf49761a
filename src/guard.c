/*
 * guard.c - the net under the wire.
 *
 * The guard trigger of a registered table fires only when a real DELETE has
 * reached the table: from a session without the library, from an action of an
 * unregistered parent's foreign key, or from an executor path of somebody
 * else.  It refuses; except under softdelete.enabled = off, where every DELETE
 * is a real one, and the first of a transaction is put on record here.
 *
 * In a logical subscriber's worker it fires only when it is set ENABLE ALWAYS:
 * then the subscriber keeps the rows that its publisher deletes, as deleted ones.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "deletion.h"
#include "fmgr.h"
#include "registry.h"
#include "replication/logicalworker.h"
#include "root.h"
#include "run.h"
#include "settings.h"
#include "utils/builtins.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(softdelete_guard);

/*
 * Makes the row, which is about to be really deleted, a deleted one of the
 * deletion of this transaction; it stays as it is if it is that already.
 */
static void
keep_row(Relation rel, HeapTuple row)
{
	Oid			relid = RelationGetRelid(rel);
	Oid			types[] = {TIDOID, INT8OID};
	Datum		values[2];
	SdStatement statement = {0};
	SdTable		table;
	SdRoot	   *root;

	if (!sd_registered(relid, &table))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not registered", RelationGetRelationName(rel)),
				 errhint("Drop trigger \"%s\", and run SELECT softdelete_register(%s).",
						 SD_GUARD_NAME, quote_literal_cstr(sd_quoted_relation(relid)))));
	if (!sd_tuple_is_live(row, RelationGetDescr(rel), &table))
		return;
	values[0] = PointerGetDatum(&row->t_self);
	values[1] = Int64GetDatum(sd_deletion_id());
	statement.sql = psprintf("UPDATE ONLY %s t SET %s, %s = $2 WHERE t.ctid = $1",
							 sd_quoted_relation(relid), sd_set_deleted_sql(relid, "$2"),
							 quote_identifier(sd_deletion_id_name(relid)));
	statement.kind = SD_RUN_FLAG;
	statement.owner_of = relid;
	statement.expect = SPI_OK_UPDATE;
	statement.nargs = 2;
	statement.argtypes = types;
	statement.args = values;
	if (sd_run(&statement) != 1)
		elog(ERROR, "row of relation %u is not there", relid);
	root = sd_root_create(relid);
	sd_root_add(root, rel, row);
	sd_deletion_log(sd_count_rows(NIL, sd_partition_root(relid), 1), 1,
					sd_deletion_wants_root() ? sd_root_keys(root) : NULL);
}

/* The guard trigger's function.  Error 55000. */
Datum
softdelete_guard(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("softdelete_guard() was not called by trigger manager")));
	if (!sd_enabled)
	{
		sd_bypass_log(sd_partition_root(RelationGetRelid(data->tg_relation)));
		return PointerGetDatum(data->tg_trigtuple);
	}
	if (data->tg_trigger->tgenabled == TRIGGER_FIRES_ALWAYS && IsLogicalWorker())
	{
		keep_row(data->tg_relation, data->tg_trigtuple);
		return PointerGetDatum(NULL);
	}
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("a row of registered table \"%s\" cannot be really deleted",
					RelationGetRelationName(data->tg_relation)),
			 errdetail("The DELETE did not pass through softdelete: the session was started without the library, or a foreign key of an unregistered table cascades here."),
			 errhint("Preload softdelete in this session, or register the table that was deleted from with softdelete_register().")));
	return PointerGetDatum(NULL);
}
