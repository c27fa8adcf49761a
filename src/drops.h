/*
 * drops.h - DDL that would take deleted rows away, or bring them to light.
 */
#ifndef SD_DROPS_H
#define SD_DROPS_H

#include "nodes/pg_list.h"
#include "registry.h"

extern void sd_drop(Oid classid, Oid objectid, int subid, int flags);
extern List *sd_drops_begin(void);
extern void sd_drops_done(void);
extern void sd_drops_end(List *outer);
extern Oid	sd_guard_change(Node *utility, SdTable *table);
extern void sd_guard_changed(Oid relid, const SdTable *before);

#endif							/* SD_DROPS_H */
