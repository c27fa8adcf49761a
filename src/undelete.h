/*
 * undelete.h - bringing deleted rows back.
 */
#ifndef SD_UNDELETE_H
#define SD_UNDELETE_H

extern void sd_require_registered(Oid relid);
extern void sd_undelete_table(Oid relid);

#endif							/* SD_UNDELETE_H */
