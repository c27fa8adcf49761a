/*
 * undeleting.c - undeletes whose INSERT triggers are firing.
 *
 * A row comes back exactly as it went, and INSERT triggers fire.  Both hold of
 * a counter that triggers of children keep in their parent, by this rule: an
 * UPDATE by an INSERT trigger leaves a row alone that the DELETE trigger had
 * found gone, and therefore not changed.
 *
 * That is so when the row went in the same deletion as the row for which the
 * trigger fires, by an earlier statement or the same; or in an earlier deletion,
 * and comes back only now.  When children go by an earlier statement than their
 * parent their DELETE trigger did find it, and the UPDATE is let through.  The log
 * knows tables and statements, not rows: an UPDATE is let through when all
 * rows of the trigger's table went before the first of the other table.
 *
 * Undeletes can be nested, by a trigger that undeletes; they are kept as a stack.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "undeleting.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"

struct SdUndeleting
{
	CommandId	first;			/* the undelete's own commands: from this one */
	CommandId	end;			/* to before this one */
	List	   *returns;		/* SdReturn */
	Oid			firing;			/* the table whose triggers fire */
	int64		deletion;		/* for the rows that it took; 0: for rows of
								 * several */
	int			depth;			/* pg_trigger_depth() around them */
	struct SdUndeleting *outer;
};

static SdUndeleting *innermost = NULL;

static int
trigger_depth(void)
{
	LOCAL_FCINFO(fcinfo, 0);

	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	return DatumGetInt32(pg_trigger_depth(fcinfo));
}

/*
 * From now on triggers fire for rows that came back by the commands from
 * "first" to now.  Lives in the current memory context; sd_undeleting_end() must be
 * called, on error too.
 */
SdUndeleting *
sd_undeleting_begin(CommandId first, List *returns)
{
	SdUndeleting *undeleting = palloc0(sizeof(SdUndeleting));

	CommandCounterIncrement();
	undeleting->first = first;
	undeleting->end = GetCurrentCommandId(true);
	undeleting->returns = returns;
	undeleting->depth = trigger_depth();
	undeleting->outer = innermost;
	innermost = undeleting;
	return undeleting;
}

/* Now those of this table, for rows of one deletion; 0: of all. */
void
sd_undeleting_fire(SdUndeleting *undeleting, Oid relid, int64 deletion)
{
	undeleting->firing = relid;
	undeleting->deletion = deletion;
}

void
sd_undeleting_end(SdUndeleting *undeleting)
{
	innermost = undeleting->outer;
}

static SdReturn *
find_return(const SdUndeleting *u, Oid relid, int64 deletion)
{
	ListCell   *lc;

	foreach(lc, u->returns)
	{
		SdReturn   *r = lfirst(lc);

		if (r->relid == relid && (deletion == 0 || r->deletion == deletion))
			return r;
	}
	return NULL;
}

/*
 * Is a trigger that fires because of an undelete about to update this table, and
 * may rows of it have to stay?  What the trigger deletes or inserts fires triggers
 * of its own, for whose UPDATEs the answer is no.
 */
bool
sd_undeleting_concerns(Oid relid)
{
	if (innermost == NULL || trigger_depth() != innermost->depth + 1)
		return false;
	relid = sd_partition_root(relid);
	for (SdUndeleting *u = innermost; u; u = u->outer)
		if (find_return(u, relid, 0))
			return true;
	return false;
}

/* Was this version of a row made by an undelete whose triggers fire now? */
static bool
comes_back_now(HeapTuple row)
{
	CommandId	command;

	if (!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row->t_data)))
		return false;
	command = HeapTupleHeaderGetCmin(row->t_data);
	for (SdUndeleting *u = innermost; u; u = u->outer)
		if (command >= u->first && command < u->end)
			return true;
	return false;
}

/*
 * Is this row of a registered table, which a user is about to update, to stay as
 * it is?
 */
bool
sd_undeleting_keeps(Relation rel, const SdTable *table, HeapTuple row)
{
	TupleDesc	desc = RelationGetDescr(rel);
	Oid			relid;
	bool		isnull;
	int64		deletion;
	ListCell   *lc;

	if (innermost == NULL ||
		!sd_tuple_is_live(row, desc, table))
		return false;
	deletion = DatumGetInt64(heap_getattr(row, table->deletion_id, desc, &isnull));
	if (isnull)
		return false;
	relid = sd_partition_root(RelationGetRelid(rel));
	foreach(lc, innermost->returns)
	{
		const SdReturn *r = lfirst(lc);

		if (!r->restored || r->relid != innermost->firing ||
			(innermost->deletion != 0 && r->deletion != innermost->deletion))
			continue;
		if (r->deletion == deletion)
		{
			const SdReturn *kept = find_return(innermost, relid, deletion);

			if (kept == NULL || (r->last >= kept->first && r->first < kept->back))
				return true;
		}
		else if (r->deletion > deletion && comes_back_now(row))
			return true;
	}
	return false;
}
