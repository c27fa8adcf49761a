/*
 * links.h - the journal of references that a deletion took away.
 */
#ifndef SD_LINKS_H
#define SD_LINKS_H

#include "fkey.h"
#include "rowset.h"

/* softdelete.link: the numbers of its columns. */
enum
{
	SD_LINK_ID = 1,
	SD_LINK_DELETION_ID,
	SD_LINK_CHILD,
	SD_LINK_CONSTRAINT_NAME,
	SD_LINK_SET_COLUMNS,
	SD_LINK_PARENT,
	SD_LINK_PARENT_KEY,
	SD_LINK_ROW_COLUMNS,
	SD_LINK_ROW_KEY,
	SD_LINK_ROW_HASH,
	SD_LINK_OLD_VALUES,
	SD_LINK_NEW_VALUES,
	SD_LINK_GONE,
	SD_LINK_COLUMNS = SD_LINK_GONE
};

extern List *sd_row_key(const SdForeignKey *fkey);
extern bool sd_row_key_is_shared(const SdForeignKey *fkey);
extern Datum sd_link_hash(Datum row_key);
extern char *sd_links_query(const SdForeignKey *fkey);
extern bool sd_links_exist(List *deletions);
extern void sd_links_put_back(const SdForeignKey *fkey, SdRowset *parents);
extern void sd_links_sweep(Oid child);
extern void sd_links_drop(Oid child);
extern void sd_links_drop_parent(Oid parent);
extern void sd_links_rename_column(Oid child, const char *from, const char *to);
extern void sd_links_write(const SdForeignKey *fkey, SdRowset *links);

#endif							/* SD_LINKS_H */
