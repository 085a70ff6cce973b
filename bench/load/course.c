/* SPDX-License-Identifier: GPL-2.0-or-later */
/* course: looking and waiting. */
#include "load/course.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#define NAP_NS 1000000L

static const double us = 1e-6;

uint64_t course_now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)((double)t.tv_sec / COURSE_NS) + (uint64_t)t.tv_nsec;
}

double course_own_cpu_s(void)
{
    struct rusage r;

    (void)getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           us * (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

struct report_figures course_figures(const struct run *run)
{
    return (struct report_figures){
        .books = books_count(run->books),
        .damaged = course_read(&run->damaged),
        .other = course_read(&run->other),
        .unanswered = course_read(&run->asked) - course_read(&run->answered),
        .accepted = course_read(&run->accepted),
        .opened = course_read(&run->opened[SIDE_SOURCE]) + course_read(&run->opened[SIDE_SINK]),
        .closed = course_read(&run->closed[SIDE_SOURCE]) + course_read(&run->closed[SIDE_SINK]),
        .watched = course_read(&run->watched),
        .unwatched = course_read(&run->unwatched),
        .refreshes = course_read(&run->refreshes),
    };
}

bool course_look(struct course *c)
{
    const struct timespec t = {0, NAP_NS};
    struct report_figures f;
    uint64_t moved;
    uint64_t now;

    if (!apart_round(&c->apart, c->run)) {
        (void)nanosleep(&t, NULL);
    }
    now = course_now_ns();
    f = course_figures(c->run);
    moved = f.books.arrived + f.books.refused + f.books.overtaken + f.opened + f.closed +
            f.accepted + f.watched + f.unwatched + course_read(&c->run->answered);
    if (moved != c->stirred || c->stirred_ns == 0) {
        c->stirred = moved;
        c->stirred_ns = now;
    }
    if (!c->plan->is_quiet) {
        report_progress(&c->progress, c->phase, now, &f);
    }
    return !atomic_load_explicit(&c->run->has_failed, memory_order_acquire) &&
           (double)(now - c->stirred_ns) * COURSE_NS < c->plan->stall_s;
}

void course_begin(struct course *c, const char *phase)
{
    c->phase = phase;
    c->stirred_ns = 0;
}

bool course_broken(struct course *c, const char *fmt, ...)
{
    va_list args;

    report_progress_end(&c->progress);
    (void)fputs("fedgate-load: ", stderr);
    if (atomic_load_explicit(&c->run->has_failed, memory_order_acquire)) {
        (void)fputs(c->run->why, stderr);
    } else {
        va_start(args, fmt);
        (void)vfprintf(stderr, fmt, args);
        va_end(args);
    }
    (void)fputc('\n', stderr);
    return false;
}

bool course_wait_for_go(struct course *c)
{
    if (!c->plan->waits) {
        return true;
    }
    report_progress_end(&c->progress);
    (void)puts("ready");
    (void)fflush(stdout);
    return getchar() != EOF || course_broken(c, "no line came on the input");
}

bool course_rest(struct course *c, double seconds)
{
    uint64_t begin = course_now_ns();

    while ((double)(course_now_ns() - begin) * COURSE_NS < seconds) {
        if (!course_look(c)) {
            if (atomic_load_explicit(&c->run->has_failed, memory_order_acquire)) {
                return course_broken(c, "failed");
            }
            c->stirred_ns = 0; /* that nothing moves is as it should be */
        }
    }
    return true;
}
