/*
 * touched.h - the rows that an undelete has touched.
 */
#ifndef SD_TOUCHED_H
#define SD_TOUCHED_H

#include "executor/spi.h"
#include "fkey.h"
#include "rowset.h"
#include "run.h"

/* A registered table in which rows have been touched. */
typedef struct SdTouched
{
	Oid			relid;
	char	   *live;			/* SQL: is the row c live? */
	char	   *set_live;		/* what an UPDATE sets to make a row live */
	char	   *deletion_id;	/* quoted name of that column */
	List	   *below;			/* SdForeignKey that reference it */
	List	   *above;			/* SdForeignKey of it to registered tables, and
								 * those whose parent may be missing */
	List	   *atts;			/* columns that these need */
	SdRowset   *rows;			/* all rows touched; NULL until the first:
								 * tableoid, tid, upper (named by the caller, or
								 * a parent brought back for a row), flipped
								 * (made live now), deletion_id, k<att> ... */
	Oid			via;			/* foreign key over which they all came from
								 * parents made live now; else InvalidOid */
	bool		has_upper;
	bool		returned;		/* have rows come from the journal? */
	Oid			named;			/* the relation for which the caller's rights to
								 * these rows were asked; InvalidOid: none */
	double		seconds;		/* that it took to make rows live */
	int64		restored;		/* rows made live, less those taken back */
	SdRowset   *taken_back;		/* versions made deleted again: tableoid, tid;
								 * NULL: none */
	SdRowset   *orphans;		/* likewise, because a parent of another deletion
								 * is deleted */
	SdRowset   *taken;			/* rows below left deleted, because a key of theirs
								 * is taken: tableoid, tid; NULL: none */
	int64		taken_images;	/* likewise, left in the journal */
	SdRowset   *images;			/* of rows that would come back, if these are only
								 * looked at; NULL: none */
} SdTouched;

/* Rows that may have more below them. */
typedef struct SdWork
{
	SdTouched  *table;
	SdRowset   *rows;
	bool		flipped;		/* were they made live now? */
} SdWork;

typedef struct SdUndelete
{
	List	   *tables;			/* SdTouched */
	List	   *work;			/* SdWork */
	bool		with_parents;
	bool		skip;			/* leave rows below that cannot come back */
	bool		whole;			/* a deletion, not rows named one by one */
	bool		fire_triggers;
	bool		pretend;		/* rows are only looked at (coming.c) */
	bool		trial;			/* the caller takes it back: nobody asks about
								 * triggers that do not fire */
	CommandId	first_command;	/* changes by earlier ones are not ours */
	bool		repeated;		/* has some of it been brought back before? */
	bool		images;			/* may rows have been in the journal? */
	bool		took_back;		/* has a row been made deleted again? */
	int			stalled;		/* rounds in which no parent could be brought back */
	MemoryContext context;		/* of all this */
} SdUndelete;

extern SdTouched *sd_touched_table(SdUndelete *undelete, Oid relid);
extern char *sd_touched_columns(const SdTouched *table, bool upper, bool flipped);
extern SdRowset *sd_touched_run(const SdUndelete *undelete, const SdTouched *table, SdRunKind kind,
								const char *sql, SPIPlanPtr *plan, int ninputs,
								const char *name1, SdRowset *rows1,
								const char *name2, SdRowset *rows2);
extern void sd_touch(SdUndelete *undelete, SdTouched *table, SdRowset *rows, bool upper,
					 bool flipped, bool descend, Oid via);
extern SdRowset *sd_touched_live(const SdUndelete *undelete, const SdTouched *table);

#endif							/* SD_TOUCHED_H */
