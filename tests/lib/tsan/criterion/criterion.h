/* SPDX-License-Identifier: GPL-2.0-or-later */
/* criterion under ThreadSanitizer: Criterion maps its arena where TSan keeps its shadow and crashes
 * before the first test. The tests of label "threads" are built against this header instead, in the
 * tsan preset only: the part of Criterion's interface they use, a process of its own for each
 * test. */
#ifndef FG_TEST_TSAN_CRITERION_H
#define FG_TEST_TSAN_CRITERION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct plain_test {
    const char *name;
    void (*run)(void);
    struct plain_test *next;
};

void plain_test_add(struct plain_test *test);
/* Prints and, when fatal, leaves the test's process. */
void plain_test_failed(bool is_fatal, const char *file, int line, const char *what);

#define Test(suite, test, ...)                                                             \
    static void suite##_##test(void);                                                      \
    __attribute__((constructor)) static void suite##_##test##_add(void)                    \
    {                                                                                      \
        static struct plain_test me = {#suite "::" #test, suite##_##test, NULL};           \
                                                                                           \
        plain_test_add(&me);                                                               \
    }                                                                                      \
    static void suite##_##test(void)

#define PLAIN_CHECK(fatal, cond, text, ...)                                                \
    ((cond) ? (void)0                                                                      \
            : (void)(plain_test_failed(fatal, __FILE__, __LINE__, text)))
#define cr_assert(c, ...) PLAIN_CHECK(true, c, #c)
#define cr_assert_not(c, ...) PLAIN_CHECK(true, !(c), "not " #c)
#define cr_assert_eq(a, b, ...) PLAIN_CHECK(true, (a) == (b), #a " == " #b)
#define cr_assert_neq(a, b, ...) PLAIN_CHECK(true, (a) != (b), #a " != " #b)
#define cr_assert_lt(a, b, ...) PLAIN_CHECK(true, (a) < (b), #a " < " #b)
#define cr_assert_leq(a, b, ...) PLAIN_CHECK(true, (a) <= (b), #a " <= " #b)
#define cr_assert_gt(a, b, ...) PLAIN_CHECK(true, (a) > (b), #a " > " #b)
#define cr_assert_geq(a, b, ...) PLAIN_CHECK(true, (a) >= (b), #a " >= " #b)
#define cr_assert_null(a, ...) PLAIN_CHECK(true, (a) == NULL, #a " is NULL")
#define cr_assert_not_null(a, ...) PLAIN_CHECK(true, (a) != NULL, #a " is not NULL")
#define cr_assert_str_eq(a, b, ...) PLAIN_CHECK(true, strcmp(a, b) == 0, #a " is " #b)
#define cr_assert_arr_eq(a, b, n, ...) PLAIN_CHECK(true, memcmp(a, b, n) == 0, #a " is " #b)
#define cr_expect(c, ...) PLAIN_CHECK(false, c, #c)
#define cr_expect_not(c, ...) PLAIN_CHECK(false, !(c), "not " #c)
#define cr_expect_eq(a, b, ...) PLAIN_CHECK(false, (a) == (b), #a " == " #b)
#define cr_expect_neq(a, b, ...) PLAIN_CHECK(false, (a) != (b), #a " != " #b)
#define cr_expect_gt(a, b, ...) PLAIN_CHECK(false, (a) > (b), #a " > " #b)
#define cr_expect_null(a, ...) PLAIN_CHECK(false, (a) == NULL, #a " is NULL")
#define cr_expect_str_eq(a, b, ...) PLAIN_CHECK(false, strcmp(a, b) == 0, #a " is " #b)

#endif
