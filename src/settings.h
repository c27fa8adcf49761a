/*
 * settings.h - the settings named softdelete.*.
 */
#ifndef SD_SETTINGS_H
#define SD_SETTINGS_H

typedef enum SdShow
{
	SD_SHOW_LIVE,				/* off: live rows */
	SD_SHOW_ALL,				/* on: live and deleted rows */
	SD_SHOW_DELETED				/* only: deleted rows */
} SdShow;

extern bool sd_enabled;
extern int	sd_show_deleted;
extern char *sd_reason;
extern char *sd_actor;
extern int	sd_max_rows_per_deletion;
extern int	sd_log_min_rows;
extern char *sd_viewer_role;

extern void sd_settings_define(void);
extern int	sd_settings_undeleting(void);

#endif							/* SD_SETTINGS_H */
