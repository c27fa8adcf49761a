/*
 * linkrows.h - the rows of which the journal has references, when they go.
 */
#ifndef SD_LINKROWS_H
#define SD_LINKROWS_H

#include "executor/tuptable.h"
#include "nodes/bitmapset.h"
#include "utils/relcache.h"

typedef struct SdLinkRows SdLinkRows;

extern bool sd_links_can_be_asked(void);
extern bool sd_links_of(Oid child);
extern List *sd_link_children(Relation rel);
extern SdLinkRows *sd_link_rows(Relation rel);
extern bool sd_link_rows_depend(const SdLinkRows *rows, const Bitmapset *columns);
extern void sd_link_rows_gone(SdLinkRows *rows, TupleTableSlot *row);
extern void sd_link_rows_forget(SdLinkRows *rows, TupleTableSlot *row);
extern Datum sd_link_rows_moved(SdLinkRows *rows, TupleTableSlot *row);
extern void sd_link_rows_changed(SdLinkRows *rows, TupleTableSlot *before, TupleTableSlot *after);

#endif							/* SD_LINKROWS_H */
