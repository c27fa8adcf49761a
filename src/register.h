/*
 * register.h - registering tables.
 */
#ifndef SD_REGISTER_H
#define SD_REGISTER_H

#include "nodes/pg_list.h"

extern List *sd_inheritance_parents(Oid relid);
extern void sd_register_ids(Oid relid);
extern void sd_drop_guard(Oid relid);
extern void sd_register_inherited(Oid relid);
extern void sd_register_below(Oid child, Oid parent);
extern void sd_require_owner(Oid relid);
extern List *sd_tables_with_keys(Oid relid);
extern void sd_refuse_mixed_parents(Oid relid);
extern void sd_refuse_new_period_keys(Oid relid);
extern void sd_mark_columns(Oid relid, const char *flag, const char *deletion_id);

#endif							/* SD_REGISTER_H */
