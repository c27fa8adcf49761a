/*
 * deletion.h - the deletion of the running transaction, and its log.
 */
#ifndef SD_DELETION_H
#define SD_DELETION_H

#include "nodes/pg_list.h"
#include "utils/array.h"

/* Rows of one table that a statement and its cascade deleted. */
typedef struct SdRowCount
{
	Oid			relid;
	int64		rows;
} SdRowCount;

/* A transaction's own deletion, while another one is resumed. */
typedef struct SdDeletionState SdDeletionState;

extern int64 sd_deletion_id(void);
extern SdDeletionState *sd_deletion_resume(int64 deletion);
extern int64 sd_deletion_leave(SdDeletionState *own);
extern void sd_deletion_id_past(int64 last);
extern List *sd_count_rows(List *counts, Oid relid, int64 rows);
extern bool sd_deletion_wants_root(void);
extern void sd_deletion_log(List *counts, int named, ArrayType *root);
extern void sd_deletion_returned(List *relids);
extern char *sd_deletion_returned_sql(void);
extern int64 sd_event_log(const char *event, int64 deletion, Oid relid, int64 rows);
extern void sd_bypass_log(Oid relid);
extern Oid	sd_find_own_relation(const char *name);
extern Oid	sd_own_relation(const char *name);
extern void sd_deletion_init(void);

#endif							/* SD_DELETION_H */
