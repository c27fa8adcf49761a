/*
 * leftover.h - telling what an undelete leaves behind.
 */
#ifndef SD_LEFTOVER_H
#define SD_LEFTOVER_H

#include "rowkey.h"
#include "touched.h"

extern void sd_report_taken_back(SdUndelete *undelete);
extern void sd_report_restored(const SdUndelete *undelete);
extern void sd_report_skipped(SdUndelete *undelete);
extern void sd_report_left_below(SdTouched *root, const SdRowKeys *keys);
extern void sd_report_unconnected(SdTouched *root);

#endif							/* SD_LEFTOVER_H */
