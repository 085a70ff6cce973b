/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault_vfs: SQLite's own files with faults between: writes, syncs and truncations of the database
 * or of its log fail when told to. A write that fails may have written half.
 * And power cuts: of what was written since the last sync of a file, any part may be lost. */
#ifndef FG_TEST_STORE_FAULT_VFS_H
#define FG_TEST_STORE_FAULT_VFS_H

#include <stdbool.h>
#include <stdint.h>

enum fault_file { FAULT_DB, FAULT_LOG, FAULT_FILES };
enum fault_call { FAULT_WRITE, FAULT_SYNC, FAULT_TRUNCATE, FAULT_CALLS };

/* [file][call]: the n-th call from now fails (and all after it, until faults_off); 0 = none does.
 * One thread. */
struct faults {
    uint32_t at[FAULT_FILES][FAULT_CALLS];
    uint32_t happened;
};
extern struct faults faults;

void faults_off(void);
/* From now on it is known of this database and its log (not open yet) what a power cut leaves. */
void power_watch(const char *path);
/* The power goes: writes what is left of both; random decides over all that was not synced. */
void power_cut(const char *path, uint32_t random);
/* The same before the n-th write, sync or truncation from now; NULL = not. */
void power_cut_at(uint32_t n, const char *path, uint32_t random);
bool power_was_cut(void);

/* Makes it SQLite's way to files in this process. */
void fault_vfs_install(void);

#endif
