/*
 * guard.c - the net under the wire.
 *
 * The guard trigger of a registered table fires only when a real DELETE has
 * reached the table: from a session without the library, from an action of an
 * unregistered parent's foreign key, or from an executor path of somebody
 * else.  It refuses; except under softdelete.enabled = off, where every DELETE
 * is a real one, and the first of a transaction is put on record here.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "deletion.h"
#include "fmgr.h"
#include "registry.h"
#include "settings.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(softdelete_guard);

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
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("a row of registered table \"%s\" cannot be really deleted",
					RelationGetRelationName(data->tg_relation)),
			 errdetail("The DELETE did not pass through softdelete: the session was started without the library, or a foreign key of an unregistered table cascades here."),
			 errhint("Preload softdelete in this session, or register the table that was deleted from with softdelete_register().")));
	return PointerGetDatum(NULL);
}
