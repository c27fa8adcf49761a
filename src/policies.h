/*
 * policies.h - row-security policies that a caller must satisfy.
 */
#ifndef SD_POLICIES_H
#define SD_POLICIES_H

#include "rowset.h"

extern bool sd_policies_apply(Oid relid);
extern void sd_policies_check(Oid relid, SdRowset *rows, bool all);

#endif							/* SD_POLICIES_H */
