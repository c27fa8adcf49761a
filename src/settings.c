/*
 * settings.c - the settings named softdelete.*.
 *
 * Plans depend on softdelete.show_deleted, softdelete.enabled,
 * softdelete.viewer_role and row_security; a change of one of them makes the cached plans that met a registered table
 * invalid.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "compat.h"
#include "settings.h"
#include "utils/rls.h"
#include "visibility.h"

bool		sd_enabled = true;
int			sd_show_deleted = SD_SHOW_LIVE;
char	   *sd_reason = NULL;
char	   *sd_actor = NULL;
int			sd_max_rows_per_deletion = -1;
int			sd_log_min_rows = -1;
char	   *sd_viewer_role = NULL;

static bool undeleting = false;
static bool setting_undeleting = false; /* is it we who set it? */

static const struct config_enum_entry show_options[] = {
	{"off", SD_SHOW_LIVE, false},
	{"on", SD_SHOW_ALL, false},
	{"only", SD_SHOW_DELETED, false},
	{"deleted", SD_SHOW_DELETED, true},
	{"false", SD_SHOW_LIVE, true},
	{"true", SD_SHOW_ALL, true},
	{"no", SD_SHOW_LIVE, true},
	{"yes", SD_SHOW_ALL, true},
	{"0", SD_SHOW_LIVE, true},
	{"1", SD_SHOW_ALL, true},
	{NULL, 0, false}
};

static GucBoolAssignHook next_assign_row_security = NULL;

static void
assign_enabled(bool value, void *extra)
{
	if (value != sd_enabled)
		sd_visibility_changed();
}

static void
assign_show_deleted(int value, void *extra)
{
	if (value != sd_show_deleted)
		sd_visibility_changed();
}

static void
assign_viewer_role(const char *value, void *extra)
{
	if (strcmp(value ? value : "", sd_viewer_role ? sd_viewer_role : "") != 0)
		sd_visibility_changed();
}

static void
assign_row_security(bool value, void *extra)
{
	if (value != row_security)
		sd_visibility_changed();
	if (next_assign_row_security)
		next_assign_row_security(value, extra);
}

/* Only an undelete sets it. */
static bool
check_undeleting(bool *value, void **extra, GucSource source)
{
	if (!*value || setting_undeleting || InitializingParallelWorker)
		return true;
	GUC_check_errcode(ERRCODE_CANT_CHANGE_RUNTIME_PARAM);
	GUC_check_errmsg("parameter \"%s\" cannot be changed", "softdelete.undeleting");
	GUC_check_errhint("It is on in triggers that fire because rows come back.");
	return false;
}

/*
 * Tells triggers that they fire because rows come back, until the nesting level
 * returned is ended by AtEOXact_GUC().
 */
int
sd_settings_undeleting(void)
{
	int			nestlevel = NewGUCNestLevel();

	setting_undeleting = true;
	(void) set_config_option("softdelete.undeleting", "on", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	setting_undeleting = false;
	return nestlevel;
}

/* Defines the settings; called once, when the library is loaded. */
void
sd_settings_define(void)
{
	struct config_bool *row_security_setting;

	DefineCustomBoolVariable("softdelete.enabled",
							 "Makes DELETE on registered tables a soft delete.",
							 "off makes DELETE and TRUNCATE on registered tables real and lets them be dropped; hiding stays.",
							 &sd_enabled, true,
							 PGC_SUSET, 0,
							 NULL, assign_enabled, NULL);
	DefineCustomEnumVariable("softdelete.show_deleted",
							 "Sets which rows of registered tables queries see.",
							 "off shows live rows, on shows deleted rows too, only shows nothing but deleted rows.",
							 &sd_show_deleted, SD_SHOW_LIVE, show_options,
							 PGC_USERSET, 0,
							 NULL, assign_show_deleted, NULL);
	DefineCustomStringVariable("softdelete.viewer_role",
							   "Sets the role whose members may see deleted rows.",
							   "Empty: whoever may SELECT from the table.",
							   &sd_viewer_role, "", PGC_SUSET, 0,
							   NULL, assign_viewer_role, NULL);
	DefineCustomStringVariable("softdelete.reason",
							   "Sets the reason that is logged with a deletion.",
							   NULL, &sd_reason, "", PGC_USERSET, 0,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("softdelete.actor",
							   "Sets the person on whose behalf the application deletes, as it claims.",
							   NULL, &sd_actor, "", PGC_USERSET, 0,
							   NULL, NULL, NULL);
	DefineCustomIntVariable("softdelete.max_rows_per_deletion",
							"Sets the number of rows above which a deletion is refused.",
							"Counted in a transaction, with cascades. -1: any number is allowed.",
							&sd_max_rows_per_deletion, -1, -1, INT_MAX,
							PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("softdelete.log_min_rows",
							"Sets the number of rows from which on a deletion is told to the server log.",
							"Counted in a transaction, with cascades. -1: none is.",
							&sd_log_min_rows, -1, -1, INT_MAX,
							PGC_SUSET, 0,
							NULL, NULL, NULL);
	DefineCustomBoolVariable("softdelete.undeleting",
							 "Shows whether triggers fire because rows come back.",
							 NULL, &undeleting, false, PGC_USERSET,
							 GUC_NO_RESET_ALL | GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE,
							 check_undeleting, NULL, NULL);
	MarkGUCPrefixReserved("softdelete");

	/*
	 * PostgreSQL has no hook for a change of one of its own settings, but the
	 * setting's record has a place for one, and it is empty.
	 */
	row_security_setting = (struct config_bool *) sd_find_setting("row_security");
	Assert(row_security_setting && row_security_setting->gen.vartype == PGC_BOOL);
	next_assign_row_security = row_security_setting->assign_hook;
	row_security_setting->assign_hook = assign_row_security;
}
