/*
 * triggers.h - what a statement that deletes does beside changing the flag.
 */
#ifndef SD_TRIGGERS_H
#define SD_TRIGGERS_H

#include "compat.h"
#include "executor/execdesc.h"
#include "utils/relcache.h"

extern bool sd_deletes_need_lock(Relation rel);
pg_noreturn extern void sd_refuse_flag_change(Oid relid, AttrNumber att);

extern void sd_statement_start(QueryDesc *query, int eflags);
extern void sd_statement_run(QueryDesc *query);
extern void sd_statement_finish(QueryDesc *query);

#endif							/* SD_TRIGGERS_H */
