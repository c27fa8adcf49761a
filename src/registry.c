/*
 * registry.c - what is registered, and how.
 *
 * Looking it up in the guard trigger means to parse its WHEN condition; the
 * answer, yes or no, is kept per table until the relation's cache entry is
 * invalidated.  The invalidation callback only flips flags.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/transam.h"
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "registry.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

typedef struct Entry
{
	Oid			relid;			/* hash key */
	bool		valid;			/* is the rest up to date? */
	bool		registered;
	SdTable		table;			/* set when registered */
} Entry;

static HTAB *entries = NULL;
static uint64 invalidations = 0;	/* so far; an entry that was read while one
									 * came in is not kept */
static Oid	guard_function = InvalidOid;	/* last one recognised */

static void
invalidate_relation(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS scan;
	Entry	   *entry;

	invalidations++;
	if (entries == NULL)
		return;
	if (OidIsValid(relid))
	{
		entry = hash_search(entries, &relid, HASH_FIND, NULL);
		if (entry)
			entry->valid = false;
		return;
	}
	hash_seq_init(&scan, entries);
	while ((entry = hash_seq_search(&scan)) != NULL)
		entry->valid = false;
}

static void
invalidate_function(Datum arg, int cacheid, uint32 hashvalue)
{
	guard_function = InvalidOid;
}

/* Registers the invalidation callbacks; called once. */
void
sd_registry_init(void)
{
	CacheRegisterRelcacheCallback(invalidate_relation, (Datum) 0);
	CacheRegisterSyscacheCallback(PROCOID, invalidate_function, (Datum) 0);
}

/*
 * Is this the guard's function?  It is known by being the C function
 * softdelete_guard of this library; only a superuser can make one.
 */
bool
sd_is_guard(Oid tgfoid)
{
	HeapTuple	tuple;
	bool		found = false;

	if (OidIsValid(guard_function))
		return tgfoid == guard_function;
	if (tgfoid < FirstNormalObjectId)
		return false;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(tgfoid));
	if (!HeapTupleIsValid(tuple))
		return false;
	if (((Form_pg_proc) GETSTRUCT(tuple))->prolang == ClanguageId)
	{
		bool		isnull;
		Datum		datum = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);

		if (!isnull)
		{
			char	   *source = TextDatumGetCString(datum);

			found = strcmp(source, SD_GUARD_NAME) == 0;
			pfree(source);
		}
	}
	ReleaseSysCache(tuple);
	if (found)
		guard_function = tgfoid;
	return found;
}

/* The value of an argument of the guard, within the trigger; NULL without it. */
static const char *
guard_argument(const Trigger *trigger, const char *key)
{
	size_t		length = strlen(key);

	for (int i = 0; i < trigger->tgnargs; i++)
		if (strncmp(trigger->tgargs[i], key, length) == 0 && trigger->tgargs[i][length] == '=')
			return trigger->tgargs[i] + length + 1;
	return NULL;
}

/*
 * Reads flag and deletion_id from the guard's WHEN condition: they are the
 * first and the second column that it mentions.  False when they do not fit
 * the table: anyone with the TRIGGER privilege can make such a trigger.
 */
static bool
read_guard(Relation rel, const Trigger *trigger, SdTable *table)
{
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *vars;
	Node	   *qual;

	if (trigger->tgqual == NULL)
		return false;
	qual = stringToNode(trigger->tgqual);
	vars = pull_var_clause(qual, 0);
	if (list_length(vars) != 2)
		return false;
	table->flag = linitial_node(Var, vars)->varattno;
	table->deletion_id = lsecond_node(Var, vars)->varattno;
	table->full_keys = guard_argument(trigger, SD_GUARD_PARTIAL_UNIQUE) &&
		strcmp(guard_argument(trigger, SD_GUARD_PARTIAL_UNIQUE), "false") == 0;
	return table->flag > 0 && table->flag <= desc->natts &&
		table->deletion_id > 0 && table->deletion_id <= desc->natts &&
		TupleDescAttr(desc, table->flag - 1)->atttypid == BOOLOID &&
		TupleDescAttr(desc, table->flag - 1)->attnotnull &&
		TupleDescAttr(desc, table->deletion_id - 1)->atttypid == INT8OID;
}

static bool
read_registration(Relation rel, SdTable *table)
{
	TriggerDesc *triggers = rel->trigdesc;

	if (triggers == NULL || !triggers->trig_delete_before_row)
		return false;
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (strcmp(trigger->tgname, SD_GUARD_NAME) != 0 ||
			!sd_is_guard(trigger->tgfoid))
			continue;
		if (read_guard(rel, trigger, table))
			return true;
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("trigger \"%s\" of table \"%s\" does not fit the table, which therefore is not registered",
						SD_GUARD_NAME, RelationGetRelationName(rel)),
				 errhint("Drop the trigger and call softdelete_register().")));
	}
	return false;
}

/*
 * Is the table registered?  If so and "table" is not NULL, says how.  The
 * caller holds a lock on the table, or only wants to know at this moment.
 */
bool
sd_registered(Oid relid, SdTable *table)
{
	Entry	   *entry;
	bool		found;

	if (relid < FirstNormalObjectId)
		return false;
	if (entries == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(Entry)};

		entries = hash_create("softdelete tables", 256, &control,
							  HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(entries, &relid, HASH_ENTER, &found);
	if (!found)
		entry->valid = false;
	if (!entry->valid)
	{
		uint64		before = invalidations;
		SdTable		read = {0};
		bool		registered;
		Relation	rel = RelationIdGetRelation(relid);

		if (!RelationIsValid(rel))
			return false;
		registered = read_registration(rel, &read);
		RelationClose(rel);
		entry = hash_search(entries, &relid, HASH_ENTER, &found);
		entry->registered = registered;
		entry->table = read;
		entry->valid = before == invalidations;
	}
	if (entry->registered && table)
		*table = entry->table;
	return entry->registered;
}

/* The condition under which a row of range-table entry "varno" is live. */
Expr *
sd_live_condition(const SdTable *table, Index varno)
{
	return (Expr *) makeVar(varno, table->flag, BOOLOID, -1, InvalidOid, 0);
}

Expr *
sd_deleted_condition(const SdTable *table, Index varno)
{
	return make_notclause(sd_live_condition(table, varno));
}

/* The value of the flag in a deleted row, and in a live one. */
Expr *
sd_deleted_flag(void)
{
	return (Expr *) makeBoolConst(false, false);
}

Expr *
sd_live_flag(void)
{
	return (Expr *) makeBoolConst(true, false);
}

char *
sd_flag_name(Oid relid)
{
	SdTable		table;

	if (!sd_registered(relid, &table))
		elog(ERROR, "relation %u is not registered", relid);
	return get_attname(relid, table.flag, false);
}

char *
sd_deletion_id_name(Oid relid)
{
	SdTable		table;

	if (!sd_registered(relid, &table))
		elog(ERROR, "relation %u is not registered", relid);
	return get_attname(relid, table.deletion_id, false);
}

/* SQL for "this row is live", the table being known by an alias; palloc'd. */
char *
sd_live_sql(Oid relid, const char *alias)
{
	return psprintf("%s.%s", alias, quote_identifier(sd_flag_name(relid)));
}

/*
 * How long deleted rows of a registered table are kept: an interval as text,
 * palloc'd; NULL: for ever.
 */
char *
sd_retention(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	TriggerDesc *triggers = rel->trigdesc;
	char	   *retention = NULL;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];
		const char *value;

		if (strcmp(trigger->tgname, SD_GUARD_NAME) == 0 && sd_is_guard(trigger->tgfoid) &&
			(value = guard_argument(trigger, SD_GUARD_RETENTION)) != NULL)
			retention = pstrdup(value);
	}
	table_close(rel, AccessShareLock);
	return retention;
}

/*
 * May rows of this table, which is not registered, really go with a deleted
 * parent?  The trigger that says so is dumped and renamed with the table.
 */
bool
sd_excluded(Oid relid)
{
	Relation	rel = table_open(sd_partition_root(relid), AccessShareLock);
	TriggerDesc *triggers = rel->trigdesc;
	bool		excluded = false;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
		excluded |= strcmp(triggers->triggers[i].tgname, SD_EXCLUDED_NAME) == 0 &&
			sd_is_guard(triggers->triggers[i].tgfoid);
	table_close(rel, AccessShareLock);
	return excluded && !sd_registered(relid, NULL);
}

/* The partitioned table at the top of a partition; else the table itself. */
Oid
sd_partition_root(Oid relid)
{
	List	   *ancestors;

	if (!get_rel_relispartition(relid))
		return relid;
	ancestors = get_partition_ancestors(relid);
	return ancestors == NIL ? relid : llast_oid(ancestors);
}

/*
 * The tables in which rows of this one may be, each to be looked at with ONLY:
 * itself, and the registered tables that inherit from it.  A partitioned table
 * stands for its partitions.
 */
List *
sd_tables_of(Oid relid)
{
	List	   *tables = NIL;
	ListCell   *lc;

	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE || get_rel_relispartition(relid))
		return list_make1_oid(relid);
	foreach(lc, find_all_inheritors(relid, RowExclusiveLock, NULL))
		if (sd_registered(lfirst_oid(lc), NULL))
			tables = lappend_oid(tables, lfirst_oid(lc));
	return tables;
}
