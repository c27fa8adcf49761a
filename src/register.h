/*
 * register.h - registering tables.
 */
#ifndef SD_REGISTER_H
#define SD_REGISTER_H

extern void sd_register_inherited(Oid relid);

#endif							/* SD_REGISTER_H */
