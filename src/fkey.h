/*
 * fkey.h - foreign keys, both ways.
 */
#ifndef SD_FKEY_H
#define SD_FKEY_H

#include "access/attnum.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "pg_config_manual.h"
#include "utils/relcache.h"
#include "utils/reltrigger.h"

/*
 * A foreign key as it was declared: of a key between partitioned tables the
 * top constraint, not its copies on the partitions.
 */
typedef struct SdForeignKey
{
	Oid			id;				/* pg_constraint OID */
	char	   *name;
	Oid			child;			/* referencing table */
	Oid			parent;			/* referenced table */
	Oid			part;			/* sd_fkeys_below(): the partition of parent
								 * that is really referenced, else InvalidOid */
	Oid			child_part;		/* sd_fkeys_above(): likewise of child */
	char		on_delete;		/* FKCONSTR_ACTION_* */
	bool		enforced;
	bool		validated;
	bool		deferrable;		/* may SET CONSTRAINTS defer its check? */
	bool		deferred;		/* is it deferred unless SET CONSTRAINTS says so? */
	int			nkeys;
	AttrNumber	child_att[INDEX_MAX_KEYS];
	AttrNumber	parent_att[INDEX_MAX_KEYS];
	Oid			equal[INDEX_MAX_KEYS];	/* parent column = child column */
	int			nset;			/* columns that SET NULL and SET DEFAULT set */
	AttrNumber	set_att[INDEX_MAX_KEYS];
} SdForeignKey;

extern List *sd_fkeys_referencing(Relation parent, bool firing);
extern bool sd_is_referenced(Relation rel);
extern List *sd_fkeys_below(Relation parent);
extern List *sd_fkeys_from(Relation child);
extern bool sd_is_trigger_of(const Trigger *trigger, const SdForeignKey *fkey);
extern List *sd_fkeys_above(Relation child);
extern List *sd_checked_fkeys_from(Relation child, bool all);
extern void sd_fkey_match(StringInfo sql, const SdForeignKey *fkey,
						  const char *parent_alias, const char *parent_prefix,
						  const char *child_alias, const char *child_prefix);
extern char *sd_fkey_column(char *buffer, const char *alias, const char *prefix,
							Oid relid, AttrNumber att);

/* room for alias.column, quoted */
#define SD_COLUMN_SIZE (2 * (NAMEDATALEN * 2 + 3) + 2)

#endif							/* SD_FKEY_H */
