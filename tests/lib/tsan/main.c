/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main: runs the tests of a program one after the other, each in a process of its own. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct plain_test *tests;
static _Atomic bool has_failed;

void plain_test_add(struct plain_test *test)
{
    test->next = tests;
    tests = test;
}

void plain_test_failed(bool is_fatal, const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "%s:%d: %s\n", file, line, what);
    has_failed = true;
    if (is_fatal) {
        _exit(1);
    }
}

int main(int argc, char **argv)
{
    int failed = 0;

    for (struct plain_test *t = tests; t; t = t->next) {
        int status = -1;
        pid_t child;

        if (argc > 2 && strcmp(argv[1], "--only") == 0 && strcmp(argv[2], t->name) != 0) {
            continue;
        }
        (void)fflush(NULL);
        child = fork();
        if (child == 0) {
            t->run();
            exit(has_failed ? 1 : 0); /* not _exit: TSan decides too */
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
            failed++;
        }
        (void)printf("[%s] %s\n", status == 0 ? "PASS" : "FAIL", t->name);
    }
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
