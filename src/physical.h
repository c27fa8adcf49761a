/*
 * physical.h - what is physically in a table.
 */
#ifndef SD_PHYSICAL_H
#define SD_PHYSICAL_H

#include "registry.h"

extern bool sd_has_rows(Relation rel);
extern bool sd_has_deleted_rows(Relation rel, const SdTable *table);

#endif							/* SD_PHYSICAL_H */
