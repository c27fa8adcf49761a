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
extern void sd_statement_run(QueryDesc *query);
extern void sd_statement_finish(QueryDesc *query);

#endif							/* SD_STATEMENT_H */
