/*
 * root.h - the rows with which a deletion begins.
 */
#ifndef SD_ROOT_H
#define SD_ROOT_H

#include "access/htup.h"
#include "utils/array.h"
#include "utils/relcache.h"

typedef struct SdRoot SdRoot;

extern SdRoot *sd_root_create(Oid relid);
extern bool sd_root_is_full(const SdRoot *root);
extern void sd_root_add(SdRoot *root, Relation rel, HeapTuple row);
extern void sd_root_note_place(SdRoot *root, Oid relid, ItemPointer tid);
extern void sd_root_add_places(SdRoot *root);
extern ArrayType *sd_root_keys(const SdRoot *root);

#endif							/* SD_ROOT_H */
