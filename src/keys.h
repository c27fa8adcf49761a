/*
 * keys.h - unique keys of registered tables, partial over live rows.
 */
#ifndef SD_KEYS_H
#define SD_KEYS_H

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "registry.h"
#include "utils/relcache.h"

extern bool sd_keys_changing(void);
extern bool sd_key_is_referenced(Oid index);
extern void sd_keys_make_partial(Oid relid, const SdTable *table, const char *arguments,
								 StringInfo note);
extern bool sd_keys_take_prepared(Oid relid, const SdTable *table, StringInfo note);
extern void sd_keys_make_new_partial(Oid relid, const SdTable *table, List *known);
extern void sd_keys_make_full(Oid relid, const SdTable *table);
extern void sd_keys_make_referable(Oid relid, const SdTable *table, List *columns);
extern Oid	sd_keys_former_constraint(Oid relid, const char *name);
extern char *sd_keys_comment(Oid index, char *comment);
extern void sd_keys_mark(Oid index);

#endif							/* SD_KEYS_H */
