/*
 * hierarchy.h - tables that are put below registered ones, or taken from there.
 */
#ifndef SD_HIERARCHY_H
#define SD_HIERARCHY_H

#include "nodes/nodes.h"
#include "nodes/pg_list.h"

extern List *sd_hierarchy_prepare(Node *utility);
extern void sd_hierarchy_done(List *changes);

#endif							/* SD_HIERARCHY_H */
