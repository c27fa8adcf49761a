/*
 * coming.h - the rows that an undelete would bring back.
 */
#ifndef SD_COMING_H
#define SD_COMING_H

#include "rowkey.h"
#include "touched.h"

/* An image whose values cannot be read any more. */
typedef struct SdUnreadable
{
	Oid			relid;
	int64		image;
	char	   *message;
} SdUnreadable;

/* What would come back: touched rows with "flipped", images without a place (tid). */
typedef struct SdComing
{
	SdUndelete	rows;
	List	   *unreadable;		/* SdUnreadable */
} SdComing;

extern SdComing *sd_coming_named(const SdRowKeys *keys, bool cascade);
extern SdComing *sd_coming_deletion(int64 deletion);
extern SdRowset *sd_coming_dead_parents(SdComing *coming, SdTouched *child, const SdForeignKey *fkey);
extern void sd_coming_free(SdComing *coming);

#endif							/* SD_COMING_H */
