/*
 * viewer.c - who may see deleted rows.
 *
 * Anyone with SELECT on the table, unless softdelete.viewer_role names a role:
 * then its members (who have its privileges) and superusers.  The role in force
 * counts.  A role of that name that does not exist has no members.
 *
 * Plans depend on the role while the setting has a value (visibility.c).
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "settings.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "viewer.h"

/* Does it matter who asks? */
bool
sd_viewers_limited(void)
{
	return sd_viewer_role != NULL && sd_viewer_role[0] != '\0';
}

/* May the current user see deleted rows of tables that he may read? */
bool
sd_may_view_deleted(void)
{
	Oid			role;

	if (!sd_viewers_limited() || superuser())
		return true;
	role = get_role_oid(sd_viewer_role, true);
	return OidIsValid(role) && has_privs_of_role(GetUserId(), role);
}

/* Error 42501 unless the current user may see deleted rows; of this table. */
void
sd_require_viewer(Oid relid)
{
	if (sd_may_view_deleted())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to see deleted rows of table \"%s\"", get_rel_name(relid)),
			 errdetail("Only members of role \"%s\" may, says softdelete.viewer_role.", sd_viewer_role),
			 !row_security && sd_show_deleted == SD_SHOW_LIVE ?
			 errhint("SET row_security = on shows live rows.") :
			 sd_show_deleted != SD_SHOW_LIVE ?
			 errhint("SET softdelete.show_deleted = off shows live rows.") :
			 errhint("Ask for membership with GRANT.")));
}

PG_FUNCTION_INFO_V1(softdelete_may_view_deleted);

/* softdelete.may_view_deleted(): may the current user see deleted rows? */
Datum
softdelete_may_view_deleted(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(sd_may_view_deleted());
}

/* May the current user read all rows of a table, so that it may know of keys and counts? */
bool
sd_may_read(Oid relid)
{
	return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED;
}
