/*
 * follow.c - deleted rows that follow the key of their parent.
 *
 * ON UPDATE CASCADE and SET DEFAULT reach deleted rows too, and PostgreSQL then
 * checks the new reference as any other: it wants a live parent (visibility.c).
 * The parent may well be deleted, and have got its key a moment ago by the same
 * way.  For deleted rows these checks are switched off, row by row, and made
 * up for when the statement's AFTER triggers have run and all rows have their
 * new keys: the parent must be there, live or deleted.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "cascade.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "fkey.h"
#include "follow.h"
#include "miscadmin.h"
#include "registry.h"
#include "run.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "virtual.h"

#define KEY_PREFIX "k"

/* What deleted rows refer to now, by one foreign key. */
typedef struct Followed
{
	SdForeignKey *fkey;
	SdRowset   *rows;			/* k<att> of the child */
} Followed;

/* The innermost statement whose AFTER triggers are firing. */
static SdFollow *current = NULL;

/*
 * Is this an UPDATE of PostgreSQL's foreign-key triggers?  Nobody but they, and
 * our cascade, leaves its events to the statement around.
 */
bool
sd_follow_update(QueryDesc *query, int eflags)
{
	return current != NULL && (eflags & EXEC_FLAG_SKIP_TRIGGERS) != 0 &&
		query->operation == CMD_UPDATE && InNoForceRLSOperation() &&
		sd_run_current(query->sourceText) == NULL;
}

/* The foreign keys to registered tables that an UPDATE of these columns changes. */
List *
sd_follow_fkeys(Relation rel, const Bitmapset *updated)
{
	List	   *fkeys = NIL;
	ListCell   *lc;

	foreach(lc, sd_fkeys_from(rel))
	{
		SdForeignKey *fkey = lfirst(lc);
		bool		touched = false;

		/* of a partition: in its own terms */
		for (int i = 0; i < fkey->nkeys; i++)
		{
			if (fkey->child != RelationGetRelid(rel))
				fkey->child_att[i] = get_attnum(RelationGetRelid(rel),
												get_attname(fkey->child, fkey->child_att[i], false));
			touched |= bms_is_member(fkey->child_att[i] - FirstLowInvalidHeapAttributeNumber, updated);
		}
		fkey->child = RelationGetRelid(rel);
		if (touched && sd_registered(fkey->parent, NULL))
			fkeys = lappend(fkeys, fkey);
	}
	return fkeys;
}

/* Switches the checks of references to registered tables on or off. */
void
sd_follow_switch(TriggerDesc *triggers, const char *enabled, bool checked)
{
	for (int i = 0; enabled[i] != '\0'; i++)
		if (RI_FKey_trigger_type(triggers->triggers[i].tgfoid) == RI_TRIGGER_FK &&
			sd_registered(triggers->triggers[i].tgconstrrelid, NULL))
			triggers->triggers[i].tgenabled = checked ? enabled[i] : TRIGGER_DISABLED;
}

static Followed *
followed_by(const SdForeignKey *fkey)
{
	Followed   *followed;
	TupleDesc	desc;
	ListCell   *lc;

	foreach(lc, current->keys)
	{
		followed = lfirst(lc);
		if (followed->fkey->id == fkey->id && followed->fkey->child == fkey->child)
			return followed;
	}
	followed = palloc(sizeof(Followed));
	followed->fkey = palloc(sizeof(SdForeignKey));
	*followed->fkey = *fkey;
	followed->fkey->name = pstrdup(fkey->name);
	desc = CreateTemplateTupleDesc(fkey->nkeys);
	for (int i = 0; i < fkey->nkeys; i++)
	{
		Oid			type;
		int32		typmod;
		Oid			collation;

		get_atttypetypmodcoll(fkey->child, fkey->child_att[i], &type, &typmod, &collation);
		TupleDescInitEntry(desc, i + 1, psprintf(KEY_PREFIX "%d", fkey->child_att[i]), type, typmod, 0);
		TupleDescInitEntryCollation(desc, i + 1, collation);
	}
	followed->rows = sd_rowset_create(desc);
	current->keys = lappend(current->keys, followed);
	return followed;
}

/* Remembers what a deleted row refers to from now on. */
void
sd_follow_row(List *fkeys, Relation rel, HeapTuple row)
{
	MemoryContext old = MemoryContextSwitchTo(current->context);
	ListCell   *lc;

	foreach(lc, fkeys)
	{
		SdForeignKey *fkey = lfirst(lc);
		Followed   *followed = followed_by(fkey);
		Datum		values[INDEX_MAX_KEYS];
		bool		nulls[INDEX_MAX_KEYS];
		bool		refers = true;

		for (int i = 0; i < fkey->nkeys; i++)
		{
			values[i] = heap_getattr(row, fkey->child_att[i], RelationGetDescr(rel), &nulls[i]);
			refers &= !nulls[i];
		}
		if (refers)
			tuplestore_putvalues(followed->rows->store, followed->rows->desc, values, nulls);
	}
	MemoryContextSwitchTo(old);
}

/*
 * The statement's AFTER triggers are about to fire.  False where none can
 * change keys; else sd_follow_end() must be called, on error too.
 */
bool
sd_follow_begin(SdFollow *follow, QueryDesc *query)
{
	if ((query->estate->es_top_eflags & EXEC_FLAG_SKIP_TRIGGERS) != 0 ||
		!sd_has_triggers(query))
		return false;
	follow->context = query->estate->es_query_cxt;
	follow->keys = NIL;
	follow->outer = current;
	current = follow;
	return true;
}

void
sd_follow_end(SdFollow *follow)
{
	current = follow->outer;
}

static void
check_parents(const Followed *followed)
{
	const SdForeignKey *fkey = followed->fkey;
	StringInfoData sql;
	SdStatement statement = {0};
	Relation	rel;

	/* locked, as for any new reference; those that are not there are missed */
	initStringInfo(&sql);
	appendStringInfo(&sql, "WITH there AS MATERIALIZED (SELECT p.* FROM %s%s p WHERE EXISTS (SELECT FROM "
					 SD_ROWS_NAME " c WHERE ", sd_only(fkey->parent), sd_quoted_relation(fkey->parent));
	sd_fkey_match(&sql, fkey, "p", NULL, "c", KEY_PREFIX);
	appendStringInfoString(&sql, ") FOR KEY SHARE OF p) SELECT 1 FROM " SD_ROWS_NAME
						   " c WHERE NOT EXISTS (SELECT FROM there p WHERE ");
	sd_fkey_match(&sql, fkey, "p", NULL, "c", KEY_PREFIX);
	appendStringInfoChar(&sql, ')');
	statement.sql = sql.data;
	statement.kind = SD_RUN_PHYSICAL;
	statement.owner_of = fkey->parent;
	statement.latest = true;
	statement.ninputs = 1;
	statement.input_names[0] = SD_ROWS_NAME;
	statement.inputs[0] = followed->rows;
	if (sd_run(&statement) == 0)
		return;
	rel = table_open(fkey->child, AccessShareLock);
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("insert or update on table \"%s\" violates foreign key constraint \"%s\"",
					RelationGetRelationName(rel), fkey->name),
			 errdetail("The new key of a deleted row is not present in table \"%s\".",
					   get_rel_name(fkey->parent)),
			 errtableconstraint(rel, fkey->name)));
}

/*
 * The statement's AFTER triggers have fired: are the parents there of the deleted
 * rows that got new keys?  Error 23503.
 */
void
sd_follow_check(SdFollow *follow)
{
	MemoryContext old = MemoryContextSwitchTo(follow->context);
	ListCell   *lc;

	foreach(lc, follow->keys)
	{
		Followed   *followed = lfirst(lc);

		if (sd_rowset_count(followed->rows) > 0)
			check_parents(followed);
		sd_rowset_free(followed->rows);
	}
	MemoryContextSwitchTo(old);
}
