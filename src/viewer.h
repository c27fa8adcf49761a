/*
 * viewer.h - who may see deleted rows.
 */
#ifndef SD_VIEWER_H
#define SD_VIEWER_H

extern bool sd_viewers_limited(void);
extern bool sd_may_view_deleted(void);
extern void sd_require_viewer(Oid relid);
extern bool sd_may_read(Oid relid);

#endif							/* SD_VIEWER_H */
