/*
 * fullkeys.h - the keys of a registered table that count deleted rows too.
 */
#ifndef SD_FULLKEYS_H
#define SD_FULLKEYS_H

#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"
#include "registry.h"
#include "utils/relcache.h"

typedef struct SdFullKey
{
	Oid			index;
	Bitmapset  *columns;		/* of which it is made, offset as in updatedCols */
	Bitmapset  *used;			/* those and the columns of its condition */
} SdFullKey;

extern bool sd_key_is_partial(Relation index, const SdTable *table);
extern List *sd_full_keys(Relation rel, const SdTable *table);

#endif							/* SD_FULLKEYS_H */
