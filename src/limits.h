/*
 * limits.h - how large a deletion may get, and when the server log hears of it.
 */
#ifndef SD_LIMITS_H
#define SD_LIMITS_H

#include "nodes/pg_list.h"

extern void sd_limits_check(List *counts);
extern void sd_limits_add(List *counts, int64 deletion);
extern void sd_limits_init(void);

#endif							/* SD_LIMITS_H */
