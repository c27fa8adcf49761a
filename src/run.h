/*
 * run.h - running SQL of our own.
 *
 * The only caller of SPI.  A statement runs as the owner of the table that it
 * reads or writes, as PostgreSQL's foreign-key triggers do, or as the calling
 * user; while it runs the hooks can ask whether a statement is ours.
 */
#ifndef SD_RUN_H
#define SD_RUN_H

#include "executor/spi.h"
#include "nodes/parsenodes.h"
#include "rowset.h"

/* What a statement of ours sees and does. */
typedef enum SdRunKind
{
	SD_RUN_PLAIN,				/* as if a user had sent it */
	SD_RUN_LIVE,				/* live rows, whatever the session shows;
								 * DELETE is converted */
	SD_RUN_PHYSICAL,			/* all rows; nothing is converted */
	SD_RUN_FLAG,				/* as PHYSICAL; an UPDATE of the flag that no
								 * trigger notices */
	SD_RUN_LINKS,				/* as PHYSICAL; an UPDATE of references that
								 * only foreign keys notice */
	SD_RUN_IMAGES,				/* as PHYSICAL; an INSERT of deleted rows that no
								 * trigger notices */
	SD_RUN_RECOVER,				/* as PHYSICAL; an INSERT that only foreign keys
								 * notice */
	SD_RUN_RECOVER_DELETED		/* the same, and not they */
} SdRunKind;

#define SD_RUN_MAX_INPUTS 3

typedef struct SdStatement
{
	const char *sql;
	SdRunKind	kind;
	Oid			owner_of;		/* run as this table's owner; InvalidOid: as
								 * the current user */
	Oid			physical;		/* PHYSICAL and LINKS: all rows of this table only,
								 * live ones of others; InvalidOid: of all */
	void		(*parsed) (Query *query, void *arg);	/* may change what the
														 * text was parsed to */
	void	   *parsed_arg;
	bool		fire_at_end;	/* leave AFTER events to the statement around
								 * us, as foreign-key triggers do */
	bool		crosscheck;		/* REPEATABLE READ and above: look at the
								 * latest rows, and fail with 40001 when
								 * changing one that the transaction's
								 * snapshot does not see */
	bool		latest;			/* the same without the failure */
	bool		own_path;		/* keep the session's search_path, for the
								 * triggers and policies of users; else it is
								 * pg_catalog */
	bool		portable;		/* values as text that any session reads the
								 * same */
	int64		limit;			/* rows to ask for; 0: all.  Unlike LIMIT it does
								 * not tempt the planner to scan the table */
	int			expect;			/* what SPI shall return; else a rule has
								 * rewritten the statement */
	int			ninputs;
	const char *input_names[SD_RUN_MAX_INPUTS];
	SdRowset   *inputs[SD_RUN_MAX_INPUTS];
	int			nargs;			/* parameters $1 .. $n */
	Oid		   *argtypes;
	Datum	   *args;
	const char *argnulls;		/* as SPI takes them; NULL: none is null */
	SPIPlanPtr *plan;			/* kept plan: made when it points to NULL */
	SdRowset  **result;			/* where to put the rows returned; made in the
								 * caller's memory context */
} SdStatement;

extern int64 sd_run(const SdStatement *statement);
extern int64 sd_run_int64(const SdStatement *statement);
extern void sd_run_utility(const char *sql);
extern bool sd_subtransaction(bool (*action) (void *arg), void *arg);
extern void sd_committing_begin(void);
extern void sd_commit(void);
extern void sd_committing_end(void);
extern int	sd_portable_begin(void);
extern void sd_portable_end(int nestlevel);
extern const SdStatement *sd_run_current(const char *source);
extern void sd_run_parsed(Query *query, const char *source);
extern void sd_become_owner(Oid relid);
extern Oid	sd_relation_owner(Oid relid);

extern char *sd_quoted_relation(Oid relid);
extern const char *sd_only(Oid relid);
extern char *sd_type_name(Oid type);

/*
 * Text of a value and back in our SQL, by the type's own output and input
 * functions: a cast may be a user's function, and would run as a table's owner.
 */
#define SD_TO_TEXT "softdelete.to_text(%s)"
#define SD_FROM_TEXT "softdelete.from_text(%s, NULL::%s)"

#endif							/* SD_RUN_H */
