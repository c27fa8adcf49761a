/*
 * textvalue.c - values as text, and back, for the journal.
 *
 * By the types' own output and input functions.  A cast to or from text may be
 * a function of the type's owner, and the journal's statements run as the owners
 * of tables.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(softdelete_to_text);

/* softdelete.to_text(any): what the type's output function makes of a value. */
Datum
softdelete_to_text(PG_FUNCTION_ARGS)
{
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(get_fn_expr_argtype(fcinfo->flinfo, 0), &output, &varlena);
	PG_RETURN_DATUM(CStringGetTextDatum(OidOutputFunctionCall(output, PG_GETARG_DATUM(0))));
}

PG_FUNCTION_INFO_V1(softdelete_from_text);

/* softdelete.from_text(text, anyelement): a value of the second argument's type. */
Datum
softdelete_from_text(PG_FUNCTION_ARGS)
{
	Oid			input;
	Oid			parameter;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	getTypeInputInfo(get_fn_expr_argtype(fcinfo->flinfo, 1), &input, &parameter);
	PG_RETURN_DATUM(OidInputFunctionCall(input, TextDatumGetCString(PG_GETARG_DATUM(0)),
										 parameter, -1));
}
