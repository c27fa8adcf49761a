/*
 * override.h - columns that a caller sets in a row that comes back.
 */
#ifndef SD_OVERRIDE_H
#define SD_OVERRIDE_H

#include "rowkey.h"
#include "utils/jsonb.h"

extern void sd_override(SdRowKeys *keys, Jsonb *set);

#endif							/* SD_OVERRIDE_H */
