/*
 * preload.c - is the library loaded in every session?
 *
 * A session without it sees deleted rows, and its DELETE is refused by the
 * guard.  So whoever creates the extension or registers a table is told.
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "preload.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/varlena.h"

/* Does a list of libraries, as preload settings write it, name this one? */
static bool
names_library(const char *setting)
{
	const char *value = GetConfigOption(setting, true, false);
	char	   *copy;
	List	   *names;
	ListCell   *lc;

	if (value == NULL)
		return false;
	copy = pstrdup(value);
	if (!SplitDirectoriesString(copy, ',', &names))
		return false;
	foreach(lc, names)
	{
		const char *name = lfirst(lc);
		const char *slash = strrchr(name, '/');

		if (slash)
			name = slash + 1;
		if (strcmp(name, "softdelete") == 0 || strcmp(name, "softdelete.so") == 0)
			return true;
	}
	return false;
}

/* How sessions get the library: "shared", "session" or "none". */
const char *
sd_preloaded(void)
{
	if (names_library("shared_preload_libraries"))
		return "shared";
	return names_library("session_preload_libraries") ? "session" : "none";
}

/* WARNING with the command to run, when no preload setting names the library. */
void
sd_warn_if_not_preloaded(void)
{
	const char *database;

	if (strcmp(sd_preloaded(), "none") != 0)
		return;
	database = quote_identifier(get_database_name(MyDatabaseId));
	ereport(WARNING,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("softdelete is not preloaded: other sessions see deleted rows, and cannot delete"),
			 errhint("Add softdelete to shared_preload_libraries and restart the server; or, without a restart, run ALTER DATABASE %s SET session_preload_libraries = 'softdelete' and reconnect.",
					 database)));
}

PG_FUNCTION_INFO_V1(softdelete_warn_if_not_preloaded);

/* The same for the extension's script. */
Datum
softdelete_warn_if_not_preloaded(PG_FUNCTION_ARGS)
{
	sd_warn_if_not_preloaded();
	PG_RETURN_VOID();
}
