/*
 * registry.c - what is registered, and how.
 *
 * Looking it up in the guard trigger means to parse its WHEN condition; the
 * answer, yes or no, is kept per table until it changes.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "memo.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_func.h"
#include "registry.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

typedef struct Entry
{
	SdMemoEntry memo;			/* comes first */
	bool		registered;
	SdTable		table;			/* set when registered */
} Entry;

static SdMemo *tables = NULL;
static Oid	guard_function = InvalidOid;	/* last one recognised */

/* An answer that holds as long as nothing at all is invalidated. */
typedef struct Recent
{
	Oid			relid;			/* InvalidOid: none */
	bool		registered;
	uint64		reading;		/* of sd_memo_reading() */
	SdTable		table;			/* set when registered */
} Recent;

/*
 * Every statement that changes something asks several times about the same few
 * tables: in front of the memo, each by the low bits of its OID.
 */
#define RECENT 64

static Recent recent[RECENT];

/* Functions of the extension's own that conversion puts into target lists. */
typedef struct OwnFunction
{
	const char *name;
	Oid			function;		/* InvalidOid: to be looked up */
} OwnFunction;

static OwnFunction deletion_id_function = {"deletion_id", InvalidOid};
static OwnFunction deletion_time_function = {"deletion_time", InvalidOid};

static void
invalidate_function(Datum arg, int cacheid, uint32 hashvalue)
{
	guard_function = InvalidOid;
	deletion_id_function.function = InvalidOid;
	deletion_time_function.function = InvalidOid;
}

/* Registers the invalidation callback; called once. */
void
sd_registry_init(void)
{
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

static bool
is_false(const Trigger *trigger, const char *key)
{
	const char *value = guard_argument(trigger, key);

	return value != NULL && strcmp(value, "false") == 0;
}

/* Can the column be a flag?  Says of which kind. */
static bool
fits(Form_pg_attribute flag, bool live_value, SdTable *table)
{
	switch (flag->atttypid)
	{
		case BOOLOID:
			table->kind = live_value ? SD_FLAG_LIVE : SD_FLAG_DELETED;
			return flag->attnotnull;
		case TIMESTAMPOID:
			table->kind = SD_FLAG_TIME;
			return !flag->attnotnull;
		case TIMESTAMPTZOID:
			table->kind = SD_FLAG_TIMETZ;
			return !flag->attnotnull;
		default:
			return false;
	}
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
	table->full_keys = is_false(trigger, SD_GUARD_PARTIAL_UNIQUE);
	table->alone = is_false(trigger, SD_GUARD_CASCADE);
	return table->flag > 0 && table->flag <= desc->natts &&
		table->deletion_id > 0 && table->deletion_id <= desc->natts &&
		fits(TupleDescAttr(desc, table->flag - 1), !is_false(trigger, SD_GUARD_LIVE_VALUE), table) &&
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
	Recent	   *r = &recent[relid % RECENT];
	Entry	   *entry;
	uint64		reading;

	if (relid < FirstNormalObjectId)
		return false;
	reading = sd_memo_reading();
	if (r->relid == relid && r->reading == reading)
	{
		if (r->registered && table)
			*table = r->table;
		return r->registered;
	}
	if (tables == NULL)
		tables = sd_memo_create("softdelete tables", sizeof(Entry), NULL);
	entry = (Entry *) sd_memo_entry(tables, relid);
	if (!entry->memo.valid)
	{
		SdTable		read = {0};
		bool		registered;
		Relation	rel = RelationIdGetRelation(relid);

		if (!RelationIsValid(rel))
			return false;
		registered = read_registration(rel, &read);
		RelationClose(rel);
		entry = (Entry *) sd_memo_entry(tables, relid);
		entry->registered = registered;
		entry->table = read;
		sd_memo_read(&entry->memo, reading);
	}
	r->relid = relid;
	r->registered = entry->registered;
	r->reading = reading;
	r->table = entry->table;
	if (entry->registered && table)
		*table = entry->table;
	return entry->registered;
}

/* ---------- what the flag says ---------- */

Oid
sd_flag_type(const SdTable *table)
{
	switch (table->kind)
	{
		case SD_FLAG_TIME:
			return TIMESTAMPOID;
		case SD_FLAG_TIMETZ:
			return TIMESTAMPTZOID;
		default:
			return BOOLOID;
	}
}

/* Does this value of the flag say that the row is live? */
bool
sd_flag_is_live(const SdTable *table, Datum value, bool isnull)
{
	switch (table->kind)
	{
		case SD_FLAG_LIVE:
			return DatumGetBool(value);
		case SD_FLAG_DELETED:
			return !DatumGetBool(value);
		default:
			return isnull;
	}
}

bool
sd_slot_is_live(TupleTableSlot *slot, const SdTable *table)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, table->flag, &isnull);

	return sd_flag_is_live(table, value, isnull);
}

bool
sd_tuple_is_live(HeapTuple tuple, TupleDesc desc, const SdTable *table)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, table->flag, desc, &isnull);

	return sd_flag_is_live(table, value, isnull);
}

static Expr *
null_test(Expr *flag, NullTestType type)
{
	NullTest   *test = makeNode(NullTest);

	test->arg = flag;
	test->nulltesttype = type;
	test->location = -1;
	return (Expr *) test;
}

/*
 * The condition under which a row of range-table entry "varno" is live: as the
 * planner has what a user would write, so that it matches partial indexes.
 */
Expr *
sd_live_condition(const SdTable *table, Index varno)
{
	Expr	   *flag = (Expr *) makeVar(varno, table->flag, sd_flag_type(table), -1, InvalidOid, 0);

	switch (table->kind)
	{
		case SD_FLAG_LIVE:
			return flag;
		case SD_FLAG_DELETED:
			return make_notclause(flag);
		default:
			return null_test(flag, IS_NULL);
	}
}

Expr *
sd_deleted_condition(const SdTable *table, Index varno)
{
	Expr	   *flag = (Expr *) makeVar(varno, table->flag, sd_flag_type(table), -1, InvalidOid, 0);

	switch (table->kind)
	{
		case SD_FLAG_LIVE:
			return make_notclause(flag);
		case SD_FLAG_DELETED:
			return flag;
		default:
			return null_test(flag, IS_NOT_NULL);
	}
}

/* Is this, of an index of the table, the condition that the row is live? */
bool
sd_is_live_condition(const SdTable *table, Node *condition)
{
	List	   *vars;

	switch (table->kind)
	{
		case SD_FLAG_LIVE:
			if (!IsA(condition, Var))
				return false;
			break;
		case SD_FLAG_DELETED:
			if (!is_notclause(condition) || !IsA(get_notclausearg((Expr *) condition), Var))
				return false;
			break;
		default:
			if (!IsA(condition, NullTest) || ((NullTest *) condition)->nulltesttype != IS_NULL ||
				!IsA(((NullTest *) condition)->arg, Var))
				return false;
			break;
	}
	vars = pull_var_clause(condition, 0);
	return linitial_node(Var, vars)->varattno == table->flag;
}

/* A call of a function of the extension's own without arguments. */
static Expr *
call_own(OwnFunction *own, Oid type)
{
	if (!OidIsValid(own->function))
		own->function = LookupFuncName(list_make2(makeString(SD_SCHEMA), makeString(pstrdup(own->name))),
									   0, NULL, false);
	return (Expr *) makeFuncExpr(own->function, type, NIL, InvalidOid, InvalidOid,
								 COERCE_EXPLICIT_CALL);
}

/* softdelete.deletion_id(), for deletion_id of a row that is deleted. */
Expr *
sd_new_deletion_id(void)
{
	return call_own(&deletion_id_function, INT8OID);
}

/*
 * The value of the flag in a row of this table that is being deleted, and in a live
 * one.  A time is that of the deletion, the same in all its rows and in the log.
 */
Expr *
sd_deleted_flag(Oid relid, const SdTable *table)
{
	Node	   *now;
	Oid			type;
	int32		typmod;
	Oid			collation;

	switch (table->kind)
	{
		case SD_FLAG_LIVE:
			return (Expr *) makeBoolConst(false, false);
		case SD_FLAG_DELETED:
			return (Expr *) makeBoolConst(true, false);
		default:
			now = (Node *) call_own(&deletion_time_function, TIMESTAMPTZOID);
			get_atttypetypmodcoll(relid, table->flag, &type, &typmod, &collation);
			return (Expr *) coerce_to_target_type(NULL, now, TIMESTAMPTZOID, type, typmod,
												  COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	}
}

Expr *
sd_live_flag(const SdTable *table)
{
	switch (table->kind)
	{
		case SD_FLAG_LIVE:
			return (Expr *) makeBoolConst(true, false);
		case SD_FLAG_DELETED:
			return (Expr *) makeBoolConst(false, false);
		default:
			return (Expr *) makeNullConst(sd_flag_type(table), -1, InvalidOid);
	}
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

static SdFlagKind
flag_kind(Oid relid)
{
	SdTable		table;

	if (!sd_registered(relid, &table))
		elog(ERROR, "relation %u is not registered", relid);
	return table.kind;
}

/*
 * SQL for "this row is live", the table being known by an alias, or by none (NULL);
 * palloc'd.  It binds as tightly as a column.
 */
char *
sd_live_sql(Oid relid, const char *alias)
{
	char	   *flag = psprintf("%s%s%s", alias ? alias : "", alias ? "." : "",
								quote_identifier(sd_flag_name(relid)));

	switch (flag_kind(relid))
	{
		case SD_FLAG_LIVE:
			return flag;
		case SD_FLAG_DELETED:
			return psprintf("(NOT %s)", flag);
		default:
			return psprintf("(%s IS NULL)", flag);
	}
}

/*
 * The value of the flag in a row that a deletion takes, or has taken before, as SQL;
 * "deletion" is SQL for its id; palloc'd.
 */
char *
sd_deleted_value_sql(Oid relid, const char *deletion)
{
	switch (flag_kind(relid))
	{
		case SD_FLAG_LIVE:
			return "false";
		case SD_FLAG_DELETED:
			return "true";
		default:
			return psprintf(SD_SCHEMA ".deletion_time(%s)", deletion);
	}
}

/*
 * Assignments for the SET list of an UPDATE, which make a row a deleted one of a
 * deletion, or live; palloc'd.
 */
char *
sd_set_deleted_sql(Oid relid, const char *deletion)
{
	return psprintf("%s = %s", quote_identifier(sd_flag_name(relid)),
					sd_deleted_value_sql(relid, deletion));
}

char *
sd_set_live_sql(Oid relid)
{
	const char *value;

	switch (flag_kind(relid))
	{
		case SD_FLAG_LIVE:
			value = "true";
			break;
		case SD_FLAG_DELETED:
			value = "false";
			break;
		default:
			value = "NULL";
			break;
	}
	return psprintf("%s = %s", quote_identifier(sd_flag_name(relid)), value);
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
	/* on a standby they can only be looked at */
	foreach(lc, find_all_inheritors(relid, RecoveryInProgress() ? AccessShareLock : RowExclusiveLock, NULL))
		if (sd_registered(lfirst_oid(lc), NULL))
			tables = lappend_oid(tables, lfirst_oid(lc));
	return tables;
}
