/*
 * undelete.h - bringing deleted rows back.
 */
#ifndef SD_UNDELETE_H
#define SD_UNDELETE_H

#include "nodes/pg_list.h"
#include "rowkey.h"
#include "rowset.h"

/* What came back to one table. */
typedef struct SdRestoredRows
{
	Oid			relid;
	int64		rows;
	double		seconds;		/* that it took */
} SdRestoredRows;

extern void sd_undelete_deletion_privileges(int64 deletion);
extern List *sd_undelete_on_trial(int64 deletion);
extern void sd_require_rows(const SdRowKeys *keys);
extern bool sd_restored_before(SdRowset *rows);
extern SdRowset *sd_deletion_row(int64 deletion);
extern void sd_require_registered(Oid relid);
extern void sd_undelete_table(Oid relid);

#endif							/* SD_UNDELETE_H */
