/*
 * rowkey.h - the rows that a caller names by key.
 */
#ifndef SD_ROWKEY_H
#define SD_ROWKEY_H

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "rowset.h"

#define SD_ID_PREFIX "id"

/* Rows of one table named by their primary key. */
typedef struct SdRowKeys
{
	Oid			relid;
	List	   *atts;			/* of the primary key, in its order */
	SdRowset   *rows;			/* columns id<attribute number> */
} SdRowKeys;

extern List *sd_primary_key(Oid relid);
extern SdRowKeys *sd_rowkeys_from_value(Oid relid, Datum id, Oid type);
extern void sd_rowkeys_match(StringInfo sql, const SdRowKeys *keys, const char *row_alias,
							 const char *row_prefix, const char *key_alias);
extern char *sd_rowkeys_literal(const SdRowKeys *keys);
extern char *sd_rowkeys_first(const SdRowKeys *keys, SdRowset *rows);
extern void sd_equal(StringInfo sql, const char *left, const char *right, Oid type);

#endif							/* SD_ROWKEY_H */
