/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check: assertions in classes by cost and by consequence (STYLE 4.7).
 *
 *   ASSERT(c)        cheap invariant or contract at a module border; aborts in every build
 *   DASSERT(c)       expensive or hot-loop check; aborts where FEDGATE_DASSERT is set, else nothing
 *   CHECK(c)         "should not happen" but survivable: evaluates to c, counts failures
 *   UNREACHABLE(why) impossible switch arm
 *
 * Never on remote input: that is an error, not an assertion. Never with side effects.
 * Main objects start with a 32-bit magic that init sets and deinit clears.                       */
#ifndef FG_BASE_CHECK_H
#define FG_BASE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

__attribute__((noreturn)) COLD void check_abort(const char *what, const char *file, int line);
COLD void check_count(const char *what, const char *file, int line);

/* How many CHECKs have failed in this process; a test or /stats reads it. Any thread. */
uint64_t check_failed_count(void);

#define ASSERT(c) ((void)(LIKELY(c) || (check_abort(#c, __FILE__, __LINE__), 0)))
#define UNREACHABLE(why) check_abort("unreachable: " why, __FILE__, __LINE__)

#ifdef FEDGATE_DASSERT
#define DASSERT(c) ASSERT(c)
#define CHECK(c) (LIKELY(c) || (check_abort(#c, __FILE__, __LINE__), false))
#else
#define DASSERT(c) ((void)0)
#define CHECK(c) (LIKELY(c) || (check_count(#c, __FILE__, __LINE__), false))
#endif

#endif
