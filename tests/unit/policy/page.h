/* SPDX-License-Identifier: GPL-2.0-or-later */
/* page: a text of doc/, and the sections of fedgate.conf(5) that a test writes. One thread. */
#ifndef FG_TESTS_POLICY_PAGE_H
#define FG_TESTS_POLICY_PAGE_H

#include "base/buf.h"

#define PAGE_BYTES_MAX 262144u

/* All of a file of doc/ ("man/fedgate.conf.5"), with a NUL behind it; asserts that it is there.
 * Overwritten by the next call.                                                                 */
char *page_read(const char *name);
/* What stands between the lines `.\" begin NAME` and `.\" end NAME` of the page is what put writes.
 * With the environment variable of the name `rewrite` the page is written anew instead.         */
void page_check_section(const char *name, void (*put)(struct buf *out), const char *rewrite);

#endif
