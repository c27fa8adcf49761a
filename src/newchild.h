/*
 * newchild.h - tables that a new foreign key puts below registered ones.
 */
#ifndef SD_NEWCHILD_H
#define SD_NEWCHILD_H

#include "nodes/parsenodes.h"
#include "tcop/utility.h"

extern List *sd_new_children_prepare(Node *utility, ProcessUtilityContext context);
extern void sd_new_children_done(List *tables);

#endif							/* SD_NEWCHILD_H */
