/* SPDX-License-Identifier: GPL-2.0-or-later */
/* other: stopping another process, seeing it sleep, and the guard who lets it go on. No wait here
 * has a bound of its own: what does not happen is a test that hangs, and is ended by the runner. */
#include "load/other.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct seen {
    _Atomic uint64_t count; /* a spinning process adds to it */
};

static struct seen *shared(void)
{
    void *at = mmap(NULL, sizeof(struct seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                    -1, 0);

    cr_assert(at != MAP_FAILED);
    return at;
}

static uint64_t count_of(struct seen *s)
{
    return atomic_load_explicit(&s->count, memory_order_relaxed);
}

static pid_t spinner(struct seen *s)
{
    pid_t pid = fork();

    if (pid == 0) {
        for (;;) {
            (void)atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
        }
    }
    return pid;
}

static pid_t sleeper(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        for (;;) {
            (void)pause();
        }
    }
    return pid;
}

static void end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static void wait_for_more(struct seen *s)
{
    uint64_t before = count_of(s);

    while (count_of(s) == before) {
        (void)usleep(100);
    }
}

static struct other open_one(pid_t pid)
{
    struct other o;
    char list[32];
    char why[128] = "";

    (void)snprintf(list, sizeof(list), "%d", (int)pid);
    cr_assert_eq(other_open(&o, list, why, sizeof(why)), 0, "%s", why);
    return o;
}

Test(other, stopped_until_it_goes)
{
    struct seen *s = shared();
    pid_t pid = spinner(s);
    struct other o = open_one(pid);
    uint64_t count;
    uint64_t cpu;

    wait_for_more(s);
    other_stop(&o);
    count = count_of(s);
    cpu = other_cpu_ns(&o);
    cr_assert_gt(cpu, 0u);
    (void)usleep(20000);
    cr_assert_eq(count_of(s), count);
    cr_assert_eq(other_cpu_ns(&o), cpu);
    other_go(&o);
    wait_for_more(s);
    cr_assert_gt(other_cpu_ns(&o), cpu);
    other_close(&o);
    end(pid);
}

Test(other, who_spins_is_not_asleep)
{
    struct seen *s = shared();
    pid_t pid = spinner(s);
    struct other o = open_one(pid);

    wait_for_more(s);
    for (int i = 0; i < 100; i++) {
        cr_assert(!other_is_asleep(&o));
    }
    other_close(&o);
    end(pid);
}

Test(other, asleep_are_all_or_none)
{
    struct seen *s = shared();
    pid_t pids[2] = {sleeper(), spinner(s)};
    struct other one = open_one(pids[0]);
    struct other both;
    char list[64];
    char why[128];

    while (!other_is_asleep(&one)) {
        (void)usleep(100);
    }
    (void)snprintf(list, sizeof(list), "%d,%d", (int)pids[0], (int)pids[1]);
    cr_assert_eq(other_open(&both, list, why, sizeof(why)), 0);
    cr_assert(!other_is_asleep(&both));
    other_stop(&both);
    other_go(&both);
    wait_for_more(s); /* the second of the list, too */
    other_close(&both);
    other_close(&one);
    end(pids[0]);
    end(pids[1]);
}

Test(other, closing_lets_it_go_on)
{
    struct seen *s = shared();
    pid_t pid = spinner(s);
    struct other o = open_one(pid);

    other_stop(&o);
    other_close(&o);
    wait_for_more(s);
    end(pid);
}

/* Whatever ends the tool: what it has stopped runs on. */
Test(other, killed_it_leaves_nobody_stopped)
{
    struct seen *s = shared();
    pid_t pid = spinner(s);
    struct other seen = {.pids = {pid}, .count = 1};
    pid_t tool = fork();

    if (tool == 0) {
        struct other o = open_one(pid);

        other_stop(&o);
        (void)kill(getpid(), SIGKILL);
    }
    (void)waitpid(tool, NULL, 0);
    wait_for_more(s);
    cr_assert_gt(other_cpu_ns(&seen), 0u);
    end(pid);
}

Test(other, gone_is_no_trap)
{
    pid_t pid = sleeper();
    struct other o = open_one(pid);

    end(pid);
    cr_assert(other_is_asleep(&o));
    other_stop(&o);
    other_go(&o);
    cr_assert_eq(other_cpu_ns(&o), 0u);
    other_close(&o);
}

Test(other, lists_that_are_refused)
{
    static const char *const lists[] = {"", "x", "1x", "0", ",", "-1", "99999999999",
                                        "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"};
    struct other o;
    char why[128];

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        why[0] = '\0';
        cr_assert_lt(other_open(&o, lists[i], why, sizeof(why)), 0, "%s", lists[i]);
        cr_assert(why[0] != '\0');
    }
    (void)snprintf(why, sizeof(why), "%d", (int)getpid());
    cr_assert_lt(other_open(&o, why, why, sizeof(why)), 0, "ourselves");
}
