/*
 * taken.h - unique keys that rows coming back would find taken.
 */
#ifndef SD_TAKEN_H
#define SD_TAKEN_H

#include "nodes/pg_list.h"
#include "postgres_ext.h"

/* A unique index or exclusion constraint, and how two rows collide on it. */
typedef struct SdUnique
{
	char	   *name;
	bool		of_live;		/* may a row run into it by becoming live? */
	char	   *taken;			/* SQL: c, once it is live, has the key of x */
	char	   *both;			/* SQL: and if x comes back as well */
} SdUnique;

extern List *sd_uniques(Oid relid);
extern char *sd_taken_sql(Oid relid);

#endif							/* SD_TAKEN_H */
