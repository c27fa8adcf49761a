/*
 * image.h - the journal of deleted rows whose keys have been taken.
 */
#ifndef SD_IMAGE_H
#define SD_IMAGE_H

#include "executor/tuptable.h"
#include "fkey.h"
#include "registry.h"
#include "rowkey.h"
#include "rowset.h"

extern bool sd_image_move(Relation rel, TupleTableSlot *row, const SdTable *table);
extern bool sd_images_exist(void);
extern int64 sd_images_of(Oid relid);
extern int64 sd_images_of_deletions(Oid relid, SdRowset *rows);
extern int64 sd_images_return_named(const SdRowKeys *keys);
extern int64 sd_images_return_below(const SdForeignKey *fkey, SdRowset *rows, int64 *taken);
extern SdRowset *sd_images_below_in_deletion(const SdForeignKey *fkey, SdRowset *rows);
extern SdRowset *sd_images_named_last(const SdRowKeys *keys);
extern SdRowset *sd_images_in_deletion(Oid relid, SdRowset *deletion);
extern char *sd_images_as_rows(Oid relid);
extern void sd_images_rename_column(Oid relid, const char *from, const char *to);
extern int64 sd_images_return_all(Oid relid);
extern int64 sd_images_return_deletion(Oid relid, SdRowset *deletion);
extern int64 sd_images_forget(Oid relid, const char *condition);
extern SdRowset *sd_images_named(const SdRowKeys *keys);
extern SdRowset *sd_images_below(const SdForeignKey *fkey, SdRowset *rows);
extern int64 sd_images_delete(SdRowset *images);
extern SdRowset *sd_images_referring(const SdForeignKey *fkey, SdRowset *rows);

#endif							/* SD_IMAGE_H */
