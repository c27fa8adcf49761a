/*
 * purge.h - real deletion of deleted rows.
 */
#ifndef SD_PURGE_H
#define SD_PURGE_H

#include "nodes/pg_list.h"

extern void sd_purge_all(List *tables);

#endif							/* SD_PURGE_H */
