/*
 * adopt.h - flag columns that an application has already.
 */
#ifndef SD_ADOPT_H
#define SD_ADOPT_H

#include "fkey.h"
#include "lib/stringinfo.h"
#include "registry.h"
#include "utils/relcache.h"

/* The flag that the caller of softdelete_register() named. */
typedef struct SdWantedFlag
{
	const char *name;			/* NULL: none */
	bool		live_value;		/* of a boolean one */
	bool		below;			/* for tables below the one named: taken if it is
								 * there and of this type */
	Oid			type;
} SdWantedFlag;

/* The columns under which a table is being registered. */
typedef struct SdColumns
{
	char	   *flag;
	bool		live_value;		/* of a boolean flag */
	bool		adopted;		/* was the flag the application's? */
	bool		existed;		/* was it there, so that rows may be deleted ones? */
	char	   *deletion_id;
} SdColumns;

extern bool sd_flag_adopted(Oid relid, const SdWantedFlag *wanted, SdColumns *columns);
extern void sd_flag_require(Oid relid, const SdWantedFlag *wanted);
extern SdTable sd_flag_described(Oid relid, const SdColumns *columns);
extern bool sd_same_columns(Oid relid, Oid other);
extern bool sd_has_orphans(const SdForeignKey *fkey);
extern void sd_note_uses(StringInfo note, Relation rel);
extern void sd_note_orphans(StringInfo note, Relation rel);

#endif							/* SD_ADOPT_H */
