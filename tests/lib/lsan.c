/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lsan: Criterion's runner loses a few blocks of its own when tests run side by side; that must not
 * fail a test run, and must not teach people to ignore leaks. Linked into unit tests under ASan. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libcriterion\n";
}
