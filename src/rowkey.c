/*
 * rowkey.c - the rows that a caller names by key.
 *
 * An id is a value of the key's type or of one that reads the same as text, a
 * ROW in the order of a composite key, a JSON object by column name, or an
 * array of any of these.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "fkey.h"
#include "funcapi.h"
#include "memo.h"
#include "rowkey.h"
#include "run.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/typcache.h"

/* A primary key, as long as it is known. */
typedef struct Entry
{
	SdMemoEntry memo;			/* comes first */
	int			natts;			/* 0: none */
	AttrNumber	atts[INDEX_MAX_KEYS];
} Entry;

static SdMemo *primary_keys = NULL;

static List *
read_primary_key(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	Oid			index = sd_primary_key_index(rel);
	List	   *atts = NIL;

	if (OidIsValid(index))
	{
		Relation	index_rel = index_open(index, AccessShareLock);

		for (int i = 0; i < index_rel->rd_index->indnkeyatts; i++)
			atts = lappend_int(atts, index_rel->rd_index->indkey.values[i]);
		index_close(index_rel, AccessShareLock);
	}
	table_close(rel, AccessShareLock);
	return atts;
}

/* Attribute numbers of a table's primary key, in its order; NIL without one. */
List *
sd_primary_key(Oid relid)
{
	Entry	   *entry;
	List	   *atts = NIL;

	if (primary_keys == NULL)
		primary_keys = sd_memo_create("softdelete primary keys", sizeof(Entry), NULL);
	entry = (Entry *) sd_memo_entry(primary_keys, relid);
	if (!entry->memo.valid)
	{
		uint64		reading = sd_memo_reading();
		ListCell   *lc;

		atts = read_primary_key(relid);
		entry = (Entry *) sd_memo_entry(primary_keys, relid);
		entry->natts = 0;
		foreach(lc, atts)
			entry->atts[entry->natts++] = lfirst_int(lc);
		sd_memo_read(&entry->memo, reading);
		return atts;
	}
	for (int i = 0; i < entry->natts; i++)
		atts = lappend_int(atts, entry->atts[i]);
	return atts;
}

static List *
require_primary_key(Oid relid)
{
	List	   *atts = sd_primary_key(relid);

	if (atts == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no primary key by which a row could be named",
						get_rel_name(relid)),
				 errhint("Find the deletion in softdelete.deletions and use softdelete_undelete_deletion().")));
	return atts;
}

static SdRowKeys *
make_keys(Oid relid)
{
	SdRowKeys  *keys = palloc(sizeof(SdRowKeys));
	TupleDesc	desc;
	ListCell   *lc;
	int			i = 0;

	keys->relid = relid;
	keys->atts = require_primary_key(relid);
	desc = CreateTemplateTupleDesc(list_length(keys->atts));
	foreach(lc, keys->atts)
	{
		Oid			type;
		int32		typmod;
		Oid			collation;

		get_atttypetypmodcoll(relid, lfirst_int(lc), &type, &typmod, &collation);
		TupleDescInitEntry(desc, ++i, psprintf(SD_ID_PREFIX "%d", lfirst_int(lc)),
						   getBaseType(type), -1, 0);
		TupleDescInitEntryCollation(desc, i, collation);
	}
	keys->rows = sd_rowset_create(desc);
	return keys;
}

static void
refuse_null(const SdRowKeys *keys, int i)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("key column \"%s\" of table \"%s\" must not be null",
					get_attname(keys->relid, list_nth_int(keys->atts, i), false),
					get_rel_name(keys->relid))));
}

/* Converts a value to the type of key column i, through text where they differ. */
static Datum
convert(const SdRowKeys *keys, int i, Datum value, Oid type)
{
	Oid			wanted = TupleDescAttr(keys->rows->desc, i)->atttypid;
	Oid			output;
	bool		varlena;
	Oid			input;
	Oid			parameter;

	if (getBaseType(type) == wanted)
		return value;
	getTypeOutputInfo(type, &output, &varlena);
	getTypeInputInfo(wanted, &input, &parameter);
	return OidInputFunctionCall(input, OidOutputFunctionCall(output, value), parameter, -1);
}

static void
add_row(SdRowKeys *keys, Datum *values)
{
	bool		nulls[INDEX_MAX_KEYS] = {0};

	tuplestore_putvalues(keys->rows->store, keys->rows->desc, values, nulls);
}

static void
refuse_shape(const SdRowKeys *keys)
{
	StringInfoData names;
	ListCell   *lc;

	initStringInfo(&names);
	foreach(lc, keys->atts)
		appendStringInfo(&names, "%s%s", names.len ? ", " : "",
						 get_attname(keys->relid, lfirst_int(lc), false));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("id does not fit the primary key (%s) of table \"%s\"",
					names.data, get_rel_name(keys->relid)),
			 errhint("Give a value for each key column: ROW(...) in the order of the key, or a JSON object such as '{\"%s\": ...}'.",
					 get_attname(keys->relid, linitial_int(keys->atts), false))));
}

static void
add_record(SdRowKeys *keys, Datum id)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(id);
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
											  HeapTupleHeaderGetTypMod(header));
	HeapTupleData tuple;
	Datum		values[INDEX_MAX_KEYS];

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	if (desc->natts != list_length(keys->atts))
		refuse_shape(keys);
	for (int i = 0; i < desc->natts; i++)
	{
		bool		isnull;
		Datum		value = heap_getattr(&tuple, i + 1, desc, &isnull);

		if (isnull)
			refuse_null(keys, i);
		values[i] = convert(keys, i, value, TupleDescAttr(desc, i)->atttypid);
	}
	add_row(keys, values);
	ReleaseTupleDesc(desc);
}

static void
add_json(SdRowKeys *keys, Jsonb *json)
{
	Datum		values[INDEX_MAX_KEYS];
	int			i = 0;
	ListCell   *lc;

	if (!JB_ROOT_IS_OBJECT(json) || JB_ROOT_COUNT(json) != list_length(keys->atts))
		refuse_shape(keys);
	foreach(lc, keys->atts)
	{
		char	   *name = get_attname(keys->relid, lfirst_int(lc), false);
		LOCAL_FCINFO(fcinfo, 2);
		Datum		value;

		InitFunctionCallInfoData(*fcinfo, NULL, 2, InvalidOid, NULL, NULL);
		fcinfo->args[0].value = JsonbPGetDatum(json);
		fcinfo->args[0].isnull = false;
		fcinfo->args[1].value = CStringGetTextDatum(name);
		fcinfo->args[1].isnull = false;
		if (!DatumGetBool(DirectFunctionCall2(jsonb_exists, JsonbPGetDatum(json),
											  CStringGetTextDatum(name))))
			refuse_shape(keys);
		value = jsonb_object_field_text(fcinfo);
		if (fcinfo->isnull)
			refuse_null(keys, i);
		values[i] = convert(keys, i, value, TEXTOID);
		i++;
	}
	add_row(keys, values);
}

static void add_value(SdRowKeys *keys, Datum id, Oid type);

static void
add_array(SdRowKeys *keys, Datum id, Oid element)
{
	ArrayType  *array = DatumGetArrayTypeP(id);
	int16		length;
	bool		byval;
	char		align;
	Datum	   *values;
	bool	   *nulls;
	int			n;

	get_typlenbyvalalign(element, &length, &byval, &align);
	deconstruct_array(array, element, length, byval, align, &values, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			refuse_null(keys, 0);
		add_value(keys, values[i], element);
	}
}

static void
add_value(SdRowKeys *keys, Datum id, Oid type)
{
	bool		single = list_length(keys->atts) == 1;
	Oid			wanted = TupleDescAttr(keys->rows->desc, 0)->atttypid;
	Oid			base = getBaseType(type);
	Datum		value;

	if (single && base == wanted)
		value = id;
	else if (base == RECORDOID || type_is_rowtype(base))
	{
		add_record(keys, id);
		return;
	}
	else if (OidIsValid(get_element_type(base)))
	{
		add_array(keys, id, get_element_type(base));
		return;
	}
	else if (base == JSONBOID)
	{
		add_json(keys, DatumGetJsonbP(id));
		return;
	}
	else if (base == JSONOID)
	{
		add_json(keys, DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
														  CStringGetDatum(TextDatumGetCString(id)))));
		return;
	}
	else if (!single)
	{
		char	   *literal;

		if (base != TEXTOID && base != VARCHAROID)
			refuse_shape(keys);
		literal = TextDatumGetCString(id);
		if (literal[strspn(literal, " \t\r\n")] != '{')
			refuse_shape(keys);
		add_json(keys, DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(literal))));
		return;
	}
	else
		value = convert(keys, 0, id, type);
	add_row(keys, &value);
}

/*
 * The rows that an id names, in the current memory context.  Errors: 55000
 * without a primary key, 22023 when the id does not fit it, 22004 for nulls,
 * and those of the key types' input functions.
 */
SdRowKeys *
sd_rowkeys_from_value(Oid relid, Datum id, Oid type)
{
	SdRowKeys  *keys = make_keys(relid);

	add_value(keys, id, type);
	return keys;
}

/* Appends "left = right" with the equality that the type's keys use. */
void
sd_equal(StringInfo sql, const char *left, const char *right, Oid type)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_EQ_OPR);
	Oid			base = getBaseType(type);

	if (!OidIsValid(entry->eq_opr))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("could not identify an equality operator for type %s",
						format_type_be(type))));
	generate_operator_clause(sql, left, base, entry->eq_opr, right, base);
}

/*
 * Appends "row.key = keys.id AND ...".  The row's columns go by their names or,
 * with a prefix, by their numbers.
 */
void
sd_rowkeys_match(StringInfo sql, const SdRowKeys *keys, const char *row_alias,
				 const char *row_prefix, const char *key_alias)
{
	ListCell   *lc;
	const char *sep = "";

	foreach(lc, keys->atts)
	{
		AttrNumber	att = lfirst_int(lc);
		char		left[SD_COLUMN_SIZE];
		char		right[SD_COLUMN_SIZE];

		appendStringInfoString(sql, sep);
		sd_equal(sql, sd_fkey_column(left, row_alias, row_prefix, keys->relid, att),
				 sd_fkey_column(right, key_alias, SD_ID_PREFIX, keys->relid, att),
				 get_atttype(keys->relid, att));
		sep = " AND ";
	}
}

/*
 * "(a, b)=(1, 2)" for the first row of a rowset that begins with the columns of
 * the key; palloc'd, NULL when there is none.
 */
char *
sd_rowkeys_first(const SdRowKeys *keys, SdRowset *rows)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	StringInfoData names;
	StringInfoData values;
	ListCell   *lc;
	int			i = 0;

	tuplestore_rescan(rows->store);
	if (!tuplestore_gettupleslot(rows->store, true, true, slot))
		return NULL;
	initStringInfo(&names);
	initStringInfo(&values);
	foreach(lc, keys->atts)
	{
		Oid			output;
		bool		varlena;
		bool		isnull;
		Datum		value = slot_getattr(slot, i + 1, &isnull);

		getTypeOutputInfo(TupleDescAttr(rows->desc, i)->atttypid, &output, &varlena);
		appendStringInfo(&names, "%s%s", i ? ", " : "",
						 get_attname(keys->relid, lfirst_int(lc), false));
		appendStringInfo(&values, "%s%s", i ? ", " : "",
						 isnull ? "null" : OidOutputFunctionCall(output, value));
		i++;
	}
	ExecDropSingleTupleTableSlot(slot);
	return psprintf("(%s)=(%s)", names.data, values.data);
}

/*
 * The key as softdelete_undelete() takes it as text, a quoted literal; palloc'd.
 * NULL if not exactly one row is named.
 */
char *
sd_rowkeys_literal(const SdRowKeys *keys)
{
	TupleTableSlot *slot;
	StringInfoData text;
	ListCell   *lc;
	int			i = 0;
	int			nestlevel;

	if (sd_rowset_count(keys->rows) != 1)
		return NULL;
	slot = MakeSingleTupleTableSlot(keys->rows->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(keys->rows->store);
	(void) tuplestore_gettupleslot(keys->rows->store, true, true, slot);
	initStringInfo(&text);
	nestlevel = sd_portable_begin();
	foreach(lc, keys->atts)
	{
		Oid			output;
		bool		varlena;
		bool		isnull;
		Datum		value = slot_getattr(slot, i + 1, &isnull);
		char	   *value_text;

		getTypeOutputInfo(TupleDescAttr(keys->rows->desc, i)->atttypid, &output, &varlena);
		value_text = OidOutputFunctionCall(output, value);
		if (list_length(keys->atts) == 1)
			appendStringInfoString(&text, value_text);
		else
		{
			appendStringInfoString(&text, i ? ", " : "{");
			escape_json(&text, get_attname(keys->relid, lfirst_int(lc), false));
			appendStringInfoString(&text, ": ");
			escape_json(&text, value_text);
		}
		i++;
	}
	if (list_length(keys->atts) > 1)
		appendStringInfoChar(&text, '}');
	sd_portable_end(nestlevel);
	ExecDropSingleTupleTableSlot(slot);
	return quote_literal_cstr(text.data);
}
