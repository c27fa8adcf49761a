/*
 * links.h - the journal of references that a deletion took away.
 */
#ifndef SD_LINKS_H
#define SD_LINKS_H

#include "fkey.h"
#include "rowset.h"

extern List *sd_row_key(const SdForeignKey *fkey);
extern char *sd_links_query(const SdForeignKey *fkey);
extern bool sd_links_exist(List *deletions);
extern void sd_links_put_back(const SdForeignKey *fkey, SdRowset *parents);
extern void sd_links_rename_column(Oid child, const char *from, const char *to);
extern void sd_links_write(const SdForeignKey *fkey, SdRowset *links);

#endif							/* SD_LINKS_H */
