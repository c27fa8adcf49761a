/*
 * memo.h - what is remembered of relations until they change.
 */
#ifndef SD_MEMO_H
#define SD_MEMO_H

typedef struct SdMemo SdMemo;

/* What an entry begins with. */
typedef struct SdMemoEntry
{
	Oid			relid;
	bool		valid;			/* is the rest up to date? */
} SdMemoEntry;

/* Frees what an entry holds, which may never have been valid: then it is all zero. */
typedef void (*SdMemoFree) (SdMemoEntry *entry);

extern SdMemo *sd_memo_create(const char *name, Size entry_size, SdMemoFree free_entry);
extern SdMemoEntry *sd_memo_entry(SdMemo *memo, Oid relid);
extern uint64 sd_memo_reading(void);
extern void sd_memo_read(SdMemoEntry *entry, uint64 reading);
extern void sd_memo_init(void);

#endif							/* SD_MEMO_H */
