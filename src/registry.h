/*
 * registry.h - what is registered, and how.
 *
 * A table is registered when it carries the guard trigger; its WHEN condition
 * names the flag column and deletion_id, by attribute number.  So renames,
 * dumps, partitions and DROP TABLE need no code of ours.
 */
#ifndef SD_REGISTRY_H
#define SD_REGISTRY_H

#include "access/attnum.h"
#include "executor/tuptable.h"
#include "nodes/primnodes.h"
#include "utils/relcache.h"

#define SD_GUARD_NAME "softdelete_guard"
#define SD_SCHEMA "softdelete"

/* What the flag says, and of which type it is. */
typedef enum SdFlagKind
{
	SD_FLAG_LIVE,				/* boolean, true in a live row */
	SD_FLAG_DELETED,			/* boolean, false in a live row */
	SD_FLAG_TIME,				/* timestamp, null in a live row; else when it
								 * was deleted */
	SD_FLAG_TIMETZ				/* the same with time zone */
} SdFlagKind;

typedef struct SdTable
{
	AttrNumber	flag;			/* the flag column */
	SdFlagKind	kind;			/* of the flag */
	AttrNumber	deletion_id;	/* the column that names the deletion */
	bool		full_keys;		/* registered with partial_unique := false */
	bool		alone;			/* registered with cascade := false */
} SdTable;

/* The guard's arguments: key=value, each of them only where it is needed. */
#define SD_GUARD_PARTIAL_UNIQUE "partial_unique"
#define SD_GUARD_RETENTION "retention"
#define SD_GUARD_LIVE_VALUE "live_value"
#define SD_GUARD_CASCADE "cascade"

/* A trigger of this name, which never fires, makes a table an excluded one. */
#define SD_EXCLUDED_NAME "softdelete_excluded"

extern bool sd_registered(Oid relid, SdTable *table);
extern Oid	sd_flag_type(const SdTable *table);
extern bool sd_flag_is_live(const SdTable *table, Datum value, bool isnull);
extern bool sd_slot_is_live(TupleTableSlot *slot, const SdTable *table);
extern bool sd_tuple_is_live(HeapTuple tuple, TupleDesc desc, const SdTable *table);
extern Expr *sd_live_condition(const SdTable *table, Index varno);
extern Expr *sd_deleted_condition(const SdTable *table, Index varno);
extern bool sd_is_live_condition(const SdTable *table, Node *condition);
extern Expr *sd_new_deletion_id(void);
extern Expr *sd_deleted_flag(Oid relid, const SdTable *table);
extern Expr *sd_live_flag(const SdTable *table);
extern char *sd_live_sql(Oid relid, const char *alias);
extern char *sd_set_live_sql(Oid relid);
extern char *sd_set_deleted_sql(Oid relid, const char *deletion);
extern char *sd_deleted_value_sql(Oid relid, const char *deletion);
extern char *sd_flag_name(Oid relid);
extern char *sd_deletion_id_name(Oid relid);
extern char *sd_retention(Oid relid);
extern bool sd_excluded(Oid relid);
extern Oid	sd_partition_root(Oid relid);
extern List *sd_tables_of(Oid relid);
extern bool sd_is_guard(Oid tgfoid);
extern void sd_registry_init(void);

#endif							/* SD_REGISTRY_H */
