/*
 * fkey.c - foreign keys, both ways.
 *
 * Which foreign keys reference a table, and in which order their actions run,
 * is told by its foreign-key triggers, which the relation cache holds sorted
 * by name as they fire.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "commands/trigger.h"
#include "compat.h"
#include "fkey.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

static bool
is_delete_action(Oid tgfoid)
{
	switch (tgfoid)
	{
		case F_RI_FKEY_CASCADE_DEL:
		case F_RI_FKEY_RESTRICT_DEL:
		case F_RI_FKEY_SETNULL_DEL:
		case F_RI_FKEY_SETDEFAULT_DEL:
		case F_RI_FKEY_NOACTION_DEL:
			return true;
		default:
			return false;
	}
}

/* Would PostgreSQL fire this trigger now? */
static bool
fires(const Trigger *trigger)
{
	if (SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA)
		return trigger->tgenabled == TRIGGER_FIRES_ALWAYS ||
			trigger->tgenabled == TRIGGER_FIRES_ON_REPLICA;
	return trigger->tgenabled == TRIGGER_FIRES_ALWAYS ||
		trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN;
}

static SdForeignKey *
read_fkey(Oid constraint)
{
	SdForeignKey *fkey = palloc0(sizeof(SdForeignKey));
	Form_pg_constraint form;
	HeapTuple	tuple;

	for (;;)
	{
		tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for constraint %u", constraint);
		form = (Form_pg_constraint) GETSTRUCT(tuple);
		if (!OidIsValid(form->conparentid))
			break;
		constraint = form->conparentid;
		ReleaseSysCache(tuple);
	}
	fkey->id = constraint;
	fkey->name = pstrdup(NameStr(form->conname));
	fkey->child = form->conrelid;
	fkey->parent = form->confrelid;
	fkey->on_delete = form->confdeltype;
	fkey->enforced = sd_constraint_is_enforced(form);
	fkey->validated = form->convalidated;
	fkey->deferrable = form->condeferrable;
	fkey->deferred = form->condeferred;
	DeconstructFkConstraintRow(tuple, &fkey->nkeys, fkey->child_att,
							   fkey->parent_att, fkey->equal, NULL, NULL,
							   &fkey->nset, fkey->set_att);
	if (fkey->nset == 0)
	{
		fkey->nset = fkey->nkeys;
		memcpy(fkey->set_att, fkey->child_att, sizeof(fkey->child_att));
	}
	ReleaseSysCache(tuple);
	return fkey;
}

static bool
contains(List *fkeys, Oid constraint)
{
	ListCell   *lc;

	foreach(lc, fkeys)
		if (((SdForeignKey *) lfirst(lc))->id == constraint)
			return true;
	return false;
}

/*
 * The foreign keys that reference this table, in the order in which
 * PostgreSQL's triggers for their ON DELETE actions fire; "firing": only those
 * whose triggers are enabled now.  For a partition that includes those that
 * reference a table above it.
 */
List *
sd_fkeys_referencing(Relation parent, bool firing)
{
	TriggerDesc *triggers = parent->trigdesc;
	List	   *fkeys = NIL;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];
		SdForeignKey *fkey;

		if (!is_delete_action(trigger->tgfoid) || (firing && !fires(trigger)))
			continue;
		fkey = read_fkey(trigger->tgconstraint);
		if (!contains(fkeys, fkey->id))
			fkeys = lappend(fkeys, fkey);
	}
	return fkeys;
}

/* Does this trigger check, for NO ACTION, what the foreign key demands of its parents? */
bool
sd_is_trigger_of(const Trigger *trigger, const SdForeignKey *fkey)
{
	return trigger->tgfoid == F_RI_FKEY_NOACTION_DEL &&
		read_fkey(trigger->tgconstraint)->id == fkey->id;
}

/*
 * The foreign keys that reference this table or one of its partitions, all in
 * terms of this table: attribute numbers are its own.
 */
List *
sd_fkeys_below(Relation parent)
{
	List	   *fkeys = sd_fkeys_referencing(parent, false);
	ListCell   *lc;

	if (parent->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return fkeys;
	foreach(lc, find_all_inheritors(RelationGetRelid(parent), AccessShareLock, NULL))
	{
		Relation	part = table_open(lfirst_oid(lc), AccessShareLock);
		ListCell   *lf;

		foreach(lf, sd_fkeys_referencing(part, false))
		{
			SdForeignKey *fkey = lfirst(lf);

			if (contains(fkeys, fkey->id))
				continue;
			for (int i = 0; i < fkey->nkeys; i++)
				fkey->parent_att[i] = get_attnum(RelationGetRelid(parent),
												 get_attname(fkey->parent, fkey->parent_att[i], false));
			fkey->part = fkey->parent;
			fkey->parent = RelationGetRelid(parent);
			fkeys = lappend(fkeys, fkey);
		}
		table_close(part, AccessShareLock);
	}
	return fkeys;
}

/* Does any foreign key act when a row of this table is deleted? */
bool
sd_is_referenced(Relation rel)
{
	TriggerDesc *triggers = rel->trigdesc;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
		if (is_delete_action(triggers->triggers[i].tgfoid) &&
			fires(&triggers->triggers[i]))
			return true;
	return false;
}

/*
 * The foreign keys of this table or one of its partitions to others, all in
 * terms of this table.
 */
List *
sd_fkeys_above(Relation child)
{
	List	   *fkeys = sd_fkeys_from(child);
	ListCell   *lc;

	if (child->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return fkeys;
	foreach(lc, find_all_inheritors(RelationGetRelid(child), AccessShareLock, NULL))
	{
		Relation	part = table_open(lfirst_oid(lc), AccessShareLock);
		ListCell   *lf;

		foreach(lf, sd_fkeys_from(part))
		{
			SdForeignKey *fkey = lfirst(lf);

			if (contains(fkeys, fkey->id))
				continue;
			for (int i = 0; i < fkey->nkeys; i++)
				fkey->child_att[i] = get_attnum(RelationGetRelid(child),
												get_attname(fkey->child, fkey->child_att[i], false));
			fkey->child_part = fkey->child;
			fkey->child = RelationGetRelid(child);
			fkeys = lappend(fkeys, fkey);
		}
		table_close(part, AccessShareLock);
	}
	return fkeys;
}

/* The foreign keys of this very table to others, as far as they are enforced. */
List *
sd_fkeys_from(Relation child)
{
	List	   *fkeys = NIL;
	ListCell   *lc;
	List	   *ids = NIL;

	foreach(lc, RelationGetFKeyList(child))
		ids = lappend_oid(ids, ((ForeignKeyCacheInfo *) lfirst(lc))->conoid);
	foreach(lc, ids)
	{
		SdForeignKey *fkey = read_fkey(lfirst_oid(lc));

		if (fkey->enforced && !contains(fkeys, fkey->id))
			fkeys = lappend(fkeys, fkey);
	}
	return fkeys;
}

/*
 * Those of them whose check on insert PostgreSQL has a trigger for: all, or only
 * those whose check may be deferred.
 */
List *
sd_checked_fkeys_from(Relation child, bool all)
{
	TriggerDesc *triggers = child->trigdesc;
	List	   *fkeys = NIL;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (trigger->tgfoid == F_RI_FKEY_CHECK_INS && (all || trigger->tgdeferrable))
			fkeys = lappend(fkeys, read_fkey(trigger->tgconstraint));
	}
	return fkeys;
}

/*
 * Writes alias.column into buffer (SD_COLUMN_SIZE bytes): the column's own
 * name or, when prefix is not NULL, the name that it has in a rowset.
 */
char *
sd_fkey_column(char *buffer, const char *alias, const char *prefix,
			   Oid relid, AttrNumber att)
{
	if (prefix)
		snprintf(buffer, SD_COLUMN_SIZE, "%s.%s%d", alias, prefix, att);
	else
		snprintf(buffer, SD_COLUMN_SIZE, "%s.%s", alias,
				 quote_identifier(get_attname(relid, att, false)));
	return buffer;
}

/* " AND alias.tableoid IN (...)" for a partition; nothing for InvalidOid. */
static void
append_part(StringInfo sql, Oid part, const char *alias)
{
	const char *sep = "";
	ListCell   *lc;

	if (!OidIsValid(part))
		return;
	appendStringInfo(sql, " AND %s.tableoid IN (", alias);
	foreach(lc, find_all_inheritors(part, AccessShareLock, NULL))
	{
		appendStringInfo(sql, "%s%u", sep, lfirst_oid(lc));
		sep = ", ";
	}
	appendStringInfoChar(sql, ')');
}

/*
 * Appends "parent.key = child.key AND ...", with the operators of the foreign
 * key and the collations under which its triggers compare.  Either side may
 * be a rowset, whose columns are named by a prefix and the attribute number.
 * A foreign key of or to one partition matches rows of that partition.
 */
void
sd_fkey_match(StringInfo sql, const SdForeignKey *fkey,
			  const char *parent_alias, const char *parent_prefix,
			  const char *child_alias, const char *child_prefix)
{
	char		left[SD_COLUMN_SIZE];
	char		right[SD_COLUMN_SIZE];

	for (int i = 0; i < fkey->nkeys; i++)
	{
		Oid			parent_type;
		Oid			child_type;
		Oid			parent_collation;
		Oid			child_collation;
		int32		typmod;

		get_atttypetypmodcoll(fkey->parent, fkey->parent_att[i],
							  &parent_type, &typmod, &parent_collation);
		get_atttypetypmodcoll(fkey->child, fkey->child_att[i],
							  &child_type, &typmod, &child_collation);
		sd_fkey_column(left, parent_alias, parent_prefix, fkey->parent, fkey->parent_att[i]);
		sd_fkey_column(right, child_alias, child_prefix, fkey->child, fkey->child_att[i]);
		if (i > 0)
			appendStringInfoString(sql, " AND ");
		generate_operator_clause(sql, left, parent_type, fkey->equal[i],
								 right, child_type);
		if (parent_collation != child_collation &&
			OidIsValid(parent_collation) && OidIsValid(child_collation))
		{
			Oid			collation = get_collation_isdeterministic(parent_collation) ?
				child_collation : parent_collation;
			HeapTuple	tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
			Form_pg_collation form;

			if (!HeapTupleIsValid(tuple))
				elog(ERROR, "cache lookup failed for collation %u", collation);
			form = (Form_pg_collation) GETSTRUCT(tuple);
			appendStringInfo(sql, " COLLATE %s",
							 quote_qualified_identifier(get_namespace_name(form->collnamespace),
														NameStr(form->collname)));
			ReleaseSysCache(tuple);
		}
	}
	append_part(sql, fkey->part, parent_alias);
	append_part(sql, fkey->child_part, child_alias);
}
