/*
 * keyddl.h - DDL that concerns the unique keys of registered tables.
 */
#ifndef SD_KEYDDL_H
#define SD_KEYDDL_H

#include "nodes/parsenodes.h"
#include "registry.h"

/* What sd_keyddl_done() has to look at after the statement. */
typedef struct SdKeyDdl
{
	Oid			relid;			/* table to which keys may be added, or InvalidOid */
	SdTable		table;
	List	   *known;			/* its indexes before */
} SdKeyDdl;

extern Node *sd_keyddl_prepare(Node *utility, SdKeyDdl *ddl);
extern void sd_keyddl_done(const SdKeyDdl *ddl);

#endif							/* SD_KEYDDL_H */
