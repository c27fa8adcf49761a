/*
 * preload.h - is the library loaded in every session?
 */
#ifndef SD_PRELOAD_H
#define SD_PRELOAD_H

extern const char *sd_preloaded(void);
extern void sd_warn_if_not_preloaded(void);

#endif							/* SD_PRELOAD_H */
