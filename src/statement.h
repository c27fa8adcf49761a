/*
 * statement.h - statements under way.
 */
#ifndef SD_STATEMENT_H
#define SD_STATEMENT_H

#include "executor/execdesc.h"
#include "nodes/execnodes.h"

extern bool sd_statement_deletes(ModifyTableState *state);
extern bool sd_statement_deleting(void);
extern void sd_statement_start(QueryDesc *query, int eflags);

#endif							/* SD_STATEMENT_H */
