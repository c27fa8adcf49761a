/*
 * explain.h - what EXPLAIN says of a statement that soft-deletes.
 */
#ifndef SD_EXPLAIN_H
#define SD_EXPLAIN_H

#include "compat.h"
#include "executor/instrument.h"
#include "fkey.h"

/* What a cascade did, foreign key by foreign key. */
typedef struct SdExplained SdExplained;

/* What one foreign key of it did. */
typedef struct SdExplainedKey SdExplainedKey;

extern void sd_explain_as_delete(ModifyTableState *state, double deleted);
extern SdExplained *sd_explain_cascade(EState *estate);
extern SdExplainedKey *sd_explain_begin(SdExplained *explained, const SdForeignKey *fkey);
extern void sd_explain_end(SdExplainedKey *key, int64 parents, int64 rows);
extern void sd_explain_triggers(SdExplained *explained);
extern void sd_explain_node(PlanState *planstate, struct ExplainState *es);

#endif							/* SD_EXPLAIN_H */
