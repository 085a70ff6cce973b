/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault_vfs: SQLite's own files with faults between: writes, syncs and truncations of the database
 * or of its log fail when told to. A write that fails may have written half. */
#ifndef FG_TEST_STORE_FAULT_VFS_H
#define FG_TEST_STORE_FAULT_VFS_H

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
/* Makes it SQLite's way to files in this process. */
void fault_vfs_install(void);

#endif
