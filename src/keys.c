/*
 * keys.c - unique keys of registered tables, partial over live rows.
 *
 * A unique constraint or index, or an exclusion constraint, that also counted
 * deleted rows would keep their keys taken.  So registration puts a partial one
 * in its place, under its name.  A constraint over an index cannot be partial:
 * what was a UNIQUE constraint becomes a unique index, and a mark at the end of
 * the index's comment says so; dumps carry it, and renames do it no harm.
 *
 * Left full are the primary key, deferrable keys and those that a foreign key
 * or the replica identity uses (conflict.c is about these).
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_inherits.h"
#include "commands/comment.h"
#include "commands/defrem.h"
#include "fullkeys.h"
#include "keys.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "run.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#define MARK "softdelete: a UNIQUE constraint, partial over live rows"

/* Beyond either, an index is not built while everybody waits. */
#define MANY_ROWS 1000000
#define MANY_PAGES 131072

/* ---------- what an index is ---------- */

/* Does a foreign key reference the columns of this very index? */
bool
sd_key_is_referenced(Oid index)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(index));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2, keys);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		HeapTuple	constraint;

		if (form->classid != ConstraintRelationId)
			continue;
		constraint = SearchSysCache1(CONSTROID, ObjectIdGetDatum(form->objid));
		if (!HeapTupleIsValid(constraint))
			continue;
		found = ((Form_pg_constraint) GETSTRUCT(constraint))->contype == CONSTRAINT_FOREIGN;
		ReleaseSysCache(constraint);
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	return found;
}

static bool
is_key(const Relation index)
{
	return index->rd_index->indisunique || index->rd_index->indisexclusion;
}

/* Why a key must stay full; NULL if it need not. */
static const char *
reason_to_stay_full(Relation index)
{
	Form_pg_index form = index->rd_index;

	if (form->indisprimary)
		return "primary key";
	if (!form->indimmediate)
		return "deferrable";
	if (form->indisunique && form->indisexclusion)
		return "without overlaps";
	if (form->indisreplident)
		return "replica identity";
	if (form->indisclustered)
		return "the table is clustered on it";
	if (!form->indisvalid || !form->indislive)
		return "not valid";
	if (sd_key_is_referenced(RelationGetRelid(index)))
		return "referenced by a foreign key";
	return NULL;
}

/* The index's condition as one expression, or NULL. */
static Node *
predicate_of(Relation index)
{
	List	   *conditions = RelationGetIndexPredicate(index);

	return conditions == NIL ? NULL : (Node *) make_ands_explicit(conditions);
}

static char *
deparse(Node *expression, Oid relid)
{
	return deparse_expression(expression, deparse_context_for(get_rel_name(relid), relid),
							  false, false);
}

/* A condition with "and the row is live" added, or with it taken out; NULL for none. */
static Node *
with_live(Node *predicate, const SdTable *table)
{
	Expr	   *live = sd_live_condition(table, 1);
	List	   *conditions = list_copy(make_ands_implicit((Expr *) predicate));

	return (Node *) make_ands_explicit(lappend(conditions, live));
}

static Node *
without_live(Node *predicate, const SdTable *table)
{
	List	   *kept = NIL;
	ListCell   *lc;

	foreach(lc, make_ands_implicit((Expr *) predicate))
	{
		if (!sd_is_live_condition(table, lfirst(lc)))
			kept = lappend(kept, lfirst(lc));
	}
	return kept == NIL ? NULL : (Node *) make_ands_explicit(kept);
}

/*
 * "index ... definition" without its condition: what CREATE INDEX has after
 * the name, or what ADD CONSTRAINT has; palloc'd.
 */
static char *
definition_without_predicate(Relation index, Oid constraint)
{
	Node	   *predicate = predicate_of(index);
	char	   *sql = OidIsValid(constraint) && index->rd_index->indisexclusion ?
		pg_get_constraintdef_command(constraint) :
		pg_get_indexdef_string(RelationGetRelid(index));

	if (predicate)
	{
		char	   *text = deparse(predicate, index->rd_index->indrelid);
		char	   *end = psprintf(index->rd_index->indisexclusion ? " WHERE (%s)" : " WHERE %s", text);
		size_t		length = strlen(sql);

		if (length < strlen(end) || strcmp(sql + length - strlen(end), end) != 0)
			elog(ERROR, "unexpected definition of index \"%s\": %s",
				 RelationGetRelationName(index), sql);
		sql[length - strlen(end)] = '\0';
	}
	return sql;
}

/* What follows the name in a CREATE INDEX: " ON ...". */
static const char *
after_name(const char *sql, Relation index)
{
	const char *name = quote_identifier(RelationGetRelationName(index));
	const char *prefixes[] = {"CREATE UNIQUE INDEX ", "CREATE INDEX "};

	for (int i = 0; i < lengthof(prefixes); i++)
		if (strncmp(sql, prefixes[i], strlen(prefixes[i])) == 0)
			return sql + strlen(prefixes[i]) + strlen(name);
	elog(ERROR, "unexpected definition of index: %s", sql);
}

static char *
quoted_index(Relation index)
{
	return sd_quoted_relation(RelationGetRelid(index));
}

/* ---------- comments ---------- */

static char *
comment_on(Relation index, Oid constraint)
{
	return OidIsValid(constraint) ? GetComment(constraint, ConstraintRelationId, 0) :
		GetComment(RelationGetRelid(index), RelationRelationId, 0);
}

static bool
has_mark(const char *comment)
{
	size_t		length = comment ? strlen(comment) : 0;

	return length >= strlen(MARK) && strcmp(comment + length - strlen(MARK), MARK) == 0;
}

/* The user's part of a comment, or NULL. */
static char *
without_mark(char *comment)
{
	size_t		length;

	if (!has_mark(comment))
		return comment;
	length = strlen(comment) - strlen(MARK);
	while (length > 0 && comment[length - 1] == '\n')
		length--;
	return length == 0 ? NULL : pnstrdup(comment, length);
}

static char *
with_mark(char *comment)
{
	return comment ? psprintf("%s\n%s", comment, MARK) : pstrdup(MARK);
}

/* ---------- changing a key ---------- */

/*
 * One key that is about to change: all that must be known of it before the old
 * one is dropped.
 */
typedef struct Key
{
	Oid			relid;
	Oid			index;
	Oid			constraint;		/* of the index, or InvalidOid */
	bool		exclusion;
	char	   *name;
	char	   *quoted;			/* schema.name */
	char	   *definition;		/* without condition */
	const char *tail;			/* of an index: what follows its name */
	Node	   *predicate;
	char	   *comment;		/* the user's */
	bool		marked;			/* was it a UNIQUE constraint? */
} Key;

static Key *
read_key(Relation index)
{
	Key		   *key = palloc0(sizeof(Key));
	char	   *comment;

	key->relid = index->rd_index->indrelid;
	key->index = RelationGetRelid(index);
	key->constraint = get_index_constraint(key->index);
	key->exclusion = index->rd_index->indisexclusion;
	key->name = pstrdup(RelationGetRelationName(index));
	key->quoted = quoted_index(index);
	key->definition = definition_without_predicate(index, key->constraint);
	if (!key->exclusion)
		key->tail = after_name(key->definition, index);
	key->predicate = copyObject(predicate_of(index));
	comment = comment_on(index, key->constraint);
	key->marked = has_mark(comment);
	key->comment = without_mark(comment);
	return key;
}

static void
drop_key(const Key *key)
{
	if (OidIsValid(key->constraint))
		sd_run_utility(psprintf("ALTER TABLE %s DROP CONSTRAINT %s",
								sd_quoted_relation(key->relid), quote_identifier(key->name)));
	else
		sd_run_utility(psprintf("DROP INDEX %s", key->quoted));
}

static void
set_comment(const Key *key, bool on_constraint, const char *comment)
{
	const char *literal = comment ? quote_literal_cstr(comment) : "NULL";

	if (on_constraint)
		sd_run_utility(psprintf("COMMENT ON CONSTRAINT %s ON %s IS %s", quote_identifier(key->name),
								sd_quoted_relation(key->relid), literal));
	else
		sd_run_utility(psprintf("COMMENT ON INDEX %s IS %s", key->quoted, literal));
}

/* " WHERE ..." as CREATE INDEX and ADD CONSTRAINT want it; empty for none. */
static char *
where_clause(const Key *key, Node *predicate)
{
	if (predicate == NULL)
		return "";
	return psprintf(" WHERE (%s)", deparse(predicate, key->relid));
}

static bool changing = false;

/* Is DDL of our own under way, which is not to be changed? */
bool
sd_keys_changing(void)
{
	return changing;
}

static void
build_key(const Key *key, Node *predicate)
{
	bool		was_constraint = OidIsValid(key->constraint) && !key->exclusion;
	bool		to_constraint = predicate == NULL && key->marked;
	char	   *comment = key->comment;

	drop_key(key);
	if (key->exclusion)
		sd_run_utility(psprintf("%s%s", key->definition, where_clause(key, predicate)));
	else
	{
		sd_run_utility(psprintf("CREATE UNIQUE INDEX %s%s%s", quote_identifier(key->name),
								key->tail, where_clause(key, predicate)));
		if (to_constraint)
			sd_run_utility(psprintf("ALTER TABLE %s ADD CONSTRAINT %s UNIQUE USING INDEX %s",
									sd_quoted_relation(key->relid), quote_identifier(key->name),
									quote_identifier(key->name)));
	}
	if (was_constraint || (key->marked && !to_constraint))
		comment = with_mark(comment);
	if (comment)
		set_comment(key, key->exclusion || to_constraint, comment);
}

/* Puts a key with another condition in the place of this one. */
static void
replace_key(const Key *key, Node *predicate)
{
	changing = true;
	PG_TRY();
	{
		build_key(key, predicate);
	}
	PG_FINALLY();
	{
		changing = false;
	}
	PG_END_TRY();
}

/*
 * An index that has been built beforehand, CONCURRENTLY, to take the place of
 * this key; its quoted name, or NULL.
 */
static char *
prepared_index(Relation rel, const Key *key, const SdTable *table)
{
	char	   *wanted;
	char	   *found = NULL;
	ListCell   *lc;

	if (key->exclusion)
		return NULL;
	wanted = deparse(with_live(key->predicate, table), key->relid);
	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (found == NULL && RelationGetRelid(index) != key->index &&
			index->rd_index->indisunique && index->rd_index->indisvalid &&
			sd_key_is_partial(index, table))
		{
			char	   *definition = definition_without_predicate(index, InvalidOid);

			if (strcmp(after_name(definition, index), key->tail) == 0 &&
				strcmp(deparse(predicate_of(index), key->relid), wanted) == 0)
				found = quoted_index(index);
		}
		index_close(index, AccessShareLock);
	}
	return found;
}

static void
take_prepared(const Key *key, const char *prepared)
{
	char	   *comment = key->comment;

	drop_key(key);
	sd_run_utility(psprintf("ALTER INDEX %s RENAME TO %s", prepared, quote_identifier(key->name)));
	if (OidIsValid(key->constraint))
		comment = with_mark(comment);
	if (comment)
		set_comment(key, false, comment);
}

/* ---------- the keys of a table ---------- */

static void
add_note(StringInfo note, const char *name, const char *reason)
{
	appendStringInfo(note, "%skey %s stays full (%s)", note->len ? "; " : "",
					 quote_identifier(name), reason);
}

static bool
is_large(Relation rel)
{
	BlockNumber pages = 0;

	if (rel->rd_rel->reltuples > MANY_ROWS)
		return true;
	if (rel->rd_rel->relkind == RELKIND_RELATION)
		pages = RelationGetNumberOfBlocks(rel);
	else
	{
		double		rows = 0;
		ListCell   *lc;

		foreach(lc, find_all_inheritors(RelationGetRelid(rel), NoLock, NULL))
		{
			Relation	part = table_open(lfirst_oid(lc), NoLock);

			if (part->rd_rel->relkind == RELKIND_RELATION)
			{
				pages += RelationGetNumberOfBlocks(part);
				rows += part->rd_rel->reltuples;
			}
			table_close(part, NoLock);
		}
		if (rows > MANY_ROWS)
			return true;
	}
	return pages > MANY_PAGES;
}

/* The commands that build an index without a lock that everybody waits for. */
static void
refuse_large(Relation rel, List *keys, const SdTable *table, const char *arguments)
{
	StringInfoData commands;
	char	   *relation = sd_quoted_relation(RelationGetRelid(rel));
	ListCell   *lc;

	initStringInfo(&commands);
	appendStringInfo(&commands, "SELECT softdelete_register(%s, partial_unique := false%s);",
					 quote_literal_cstr(relation), arguments);
	foreach(lc, keys)
	{
		Key		   *key = lfirst(lc);
		char	   *predicate = deparse(with_live(key->predicate, table), key->relid);

		appendStringInfo(&commands, "\nCREATE UNIQUE INDEX CONCURRENTLY %s%s WHERE %s;",
						 quote_identifier(makeObjectName(key->name, NULL, "live")),
						 key->tail, predicate);
	}
	appendStringInfo(&commands, "\nSELECT softdelete_register(%s);", quote_literal_cstr(relation));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" is too large to rebuild its unique keys while it is locked",
					RelationGetRelationName(rel)),
			 errdetail("Its unique keys have to be made partial over live rows."),
			 errhint("Run these commands, which keep it open:\n%s", commands.data)));
}

/* The full keys of a table that can be partial (Key); the others are noted. */
static List *
full_keys(Relation rel, const SdTable *table, StringInfo note)
{
	List	   *keys = NIL;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (is_key(index) && !index->rd_rel->relispartition && !sd_key_is_partial(index, table))
		{
			const char *reason = reason_to_stay_full(index);

			if (reason == NULL)
				keys = lappend(keys, read_key(index));
			else if (note)
				add_note(note, RelationGetRelationName(index), reason);
		}
		index_close(index, NoLock);
	}
	return keys;
}

/*
 * Puts partial keys over live rows in the place of the full ones, and says in
 * "note" which had to stay.  The caller holds AccessExclusiveLock and is about to
 * register the table.  Error 55000 for a table too large to do it in; there
 * exclusion constraints, which cannot be built CONCURRENTLY, stay; "arguments" are
 * those that softdelete_register() was given for the flag, for the hint.
 */
void
sd_keys_make_partial(Oid relid, const SdTable *table, const char *arguments, StringInfo note)
{
	Relation	rel = table_open(relid, NoLock);
	List	   *keys = full_keys(rel, table, note);
	bool		large = keys != NIL && is_large(rel);
	List	   *refused = NIL;
	List	   *prepared = NIL;
	ListCell   *lc;
	ListCell   *lp;

	foreach(lc, keys)
	{
		Key		   *key = lfirst(lc);
		char	   *index = prepared_index(rel, key, table);

		if (index == NULL && large && key->exclusion)
		{
			add_note(note, key->name, "the table is too large to rebuild it");
			keys = foreach_delete_current(keys, lc);
			continue;
		}
		if (index == NULL && large)
			refused = lappend(refused, key);
		prepared = lappend(prepared, index);
	}
	if (refused)
		refuse_large(rel, refused, table, arguments);
	table_close(rel, NoLock);
	forboth(lc, keys, lp, prepared)
	{
		Key		   *key = lfirst(lc);

		if (lfirst(lp))
			take_prepared(key, lfirst(lp));
		else
			replace_key(key, with_live(key->predicate, table));
		if (OidIsValid(key->constraint) && !key->exclusion)
			appendStringInfo(note, "%sconstraint %s became an index",
							 note->len ? "; " : "", quote_identifier(key->name));
	}
}

/*
 * In a table that is registered: the same where an index has been prepared for
 * it, and nothing else.  True if so no unique key is left full that need not.
 */
bool
sd_keys_take_prepared(Oid relid, const SdTable *table, StringInfo note)
{
	Relation	rel = table_open(relid, AccessShareLock);
	bool		taken = false;
	bool		left = false;
	ListCell   *lc;

	foreach(lc, full_keys(rel, table, note))
	{
		Key		   *key = lfirst(lc);
		char	   *index = prepared_index(rel, key, table);

		if (index)
		{
			LockRelationOid(relid, AccessExclusiveLock);
			table_close(rel, NoLock);
			take_prepared(key, index);
			rel = table_open(relid, NoLock);
			taken = true;
		}
		else
		{
			add_note(note, key->name, "no partial index has been prepared for it");
			left |= !key->exclusion;
		}
	}
	table_close(rel, NoLock);
	return taken && !left;
}

/*
 * Of a registered table: makes partial those keys that are not in the list of
 * indexes, because they are new; says so in a NOTICE.
 */
void
sd_keys_make_new_partial(Oid relid, const SdTable *table, List *known)
{
	Relation	rel = table_open(relid, NoLock);
	List	   *keys = full_keys(rel, table, NULL);
	ListCell   *lc;

	table_close(rel, NoLock);
	foreach(lc, keys)
	{
		Key		   *key = lfirst(lc);

		if (list_member_oid(known, key->index))
			continue;
		replace_key(key, with_live(key->predicate, table));
		ereport(NOTICE,
				(errmsg("unique key \"%s\" of registered table \"%s\" is partial over live rows",
						key->name, get_rel_name(relid))));
	}
}

/*
 * Makes the partial keys of a table full again, as they were; the caller holds
 * AccessExclusiveLock and has just unregistered it.
 */
void
sd_keys_make_full(Oid relid, const SdTable *table)
{
	Relation	rel = table_open(relid, NoLock);
	List	   *keys = NIL;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (is_key(index) && !index->rd_rel->relispartition && sd_key_is_partial(index, table))
			keys = lappend(keys, read_key(index));
		index_close(index, NoLock);
	}
	table_close(rel, NoLock);
	foreach(lc, keys)
	{
		Key		   *key = lfirst(lc);

		replace_key(key, without_live(key->predicate, table));
	}
}

/* Is the index over just these columns (names), in any order, of live rows? */
static bool
is_key_over(Relation index, const SdTable *table, List *columns)
{
	Form_pg_index form = index->rd_index;

	if (!form->indisunique || form->indisexclusion || form->indnkeyatts != list_length(columns) ||
		list_length(RelationGetIndexPredicate(index)) != 1 || !sd_key_is_partial(index, table))
		return false;
	for (int i = 0; i < form->indnkeyatts; i++)
	{
		bool		found = false;
		ListCell   *lc;

		foreach(lc, columns)
			found |= get_attnum(form->indrelid, strVal(lfirst(lc))) == form->indkey.values[i];
		if (!found)
			return false;
	}
	return true;
}

/*
 * Makes the key over these columns (names) full again, so that a foreign key can
 * reference it; says so in a NOTICE.  Nothing happens where there is none.
 */
void
sd_keys_make_referable(Oid relid, const SdTable *table, List *columns)
{
	Relation	rel = table_open(relid, AccessShareLock);
	Key		   *key = NULL;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (!index->rd_rel->relispartition && is_key_over(index, table, columns))
			key = read_key(index);
		index_close(index, NoLock);
	}
	table_close(rel, NoLock);
	if (key == NULL)
		return;
	replace_key(key, NULL);
	ereport(NOTICE,
			(errmsg("unique key \"%s\" of registered table \"%s\" counts deleted rows again, for a foreign key to reference it",
					key->name, get_rel_name(relid))));
}

/*
 * The index that was a UNIQUE constraint of this name before it became partial, or
 * InvalidOid.
 */
Oid
sd_keys_former_constraint(Oid relid, const char *name)
{
	Oid			index = get_relname_relid(name, get_rel_namespace(relid));
	char		kind = OidIsValid(index) ? get_rel_relkind(index) : '\0';

	if ((kind != RELKIND_INDEX && kind != RELKIND_PARTITIONED_INDEX) ||
		IndexGetRelation(index, true) != relid ||
		OidIsValid(get_relation_constraint_oid(relid, name, true)) ||
		!has_mark(GetComment(index, RelationRelationId, 0)))
		return InvalidOid;
	return index;
}

/*
 * The comment that an index is to have, with the mark that it has; the same if it
 * has none.  The result may be palloc'd.
 */
char *
sd_keys_comment(Oid index, char *comment)
{
	return has_mark(GetComment(index, RelationRelationId, 0)) && !has_mark(comment) ?
		with_mark(comment) : comment;
}

/* Marks a partial unique index as what a UNIQUE constraint has become. */
void
sd_keys_mark(Oid index)
{
	Relation	rel = index_open(index, AccessShareLock);
	Key		   *key = read_key(rel);

	index_close(rel, NoLock);
	set_comment(key, false, with_mark(key->comment));
}
