/*
 * check.c - what softdelete_check() cannot ask the catalogs.
 *
 * The function itself is SQL, in the extension's script.
 */
#include "postgres.h"

#include "access/table.h"
#include "adopt.h"
#include "catalog/pg_constraint.h"
#include "fkey.h"
#include "fmgr.h"
#include "preload.h"
#include "registry.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "viewer.h"

PG_FUNCTION_INFO_V1(softdelete_preloaded);

/* softdelete.preloaded(): how sessions get the library: 'shared', 'session' or 'none'. */
Datum
softdelete_preloaded(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(sd_preloaded()));
}

PG_FUNCTION_INFO_V1(softdelete_live_sql);

/*
 * softdelete.live_sql(rel, alias): SQL for "the row is live", the table being known by
 * an alias or, for null, by none; null if the table is not registered.
 */
Datum
softdelete_live_sql(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || get_rel_name(PG_GETARG_OID(0)) == NULL ||
		!sd_registered(PG_GETARG_OID(0), NULL))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(sd_live_sql(PG_GETARG_OID(0), PG_ARGISNULL(1) ? NULL :
												 text_to_cstring(PG_GETARG_TEXT_PP(1)))));
}

/* The foreign key of this OID, of its child and in the child's terms; NULL: none. */
static const SdForeignKey *
find_fkey(Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	const SdForeignKey *found = NULL;
	Relation	child;
	Oid			relid;
	ListCell   *lc;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	relid = ((Form_pg_constraint) GETSTRUCT(tuple))->conrelid;
	ReleaseSysCache(tuple);
	if (!OidIsValid(relid))
		return NULL;
	child = table_open(relid, AccessShareLock);
	foreach(lc, sd_fkeys_from(child))
		if (((SdForeignKey *) lfirst(lc))->id == constraint)
			found = lfirst(lc);
	table_close(child, NoLock);
	return found;
}

PG_FUNCTION_INFO_V1(softdelete_has_orphans);

/*
 * softdelete.has_orphans(constraint): does a live row refer to a deleted one by this
 * foreign key?  null if the caller may not read both tables, or the parent is not
 * registered.
 */
Datum
softdelete_has_orphans(PG_FUNCTION_ARGS)
{
	const SdForeignKey *fkey = find_fkey(PG_GETARG_OID(0));

	if (fkey == NULL || !sd_registered(fkey->parent, NULL) ||
		!sd_may_read(fkey->child) || !sd_may_read(fkey->parent))
		PG_RETURN_NULL();
	PG_RETURN_BOOL(sd_has_orphans(fkey));
}
