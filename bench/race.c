/* SPDX-License-Identifier: GPL-2.0-or-later */
/* race: rounds, medians, rows. */
#include "race.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/slice.h"

#define USAGE_STATUS  64
#define BROKEN_STATUS 70

void race_die(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vfprintf(stderr, fmt, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(BROKEN_STATUS);
}

void race_options(struct race *r, int argc, char **argv, uint32_t check_loops)
{
    uint64_t rounds = RACE_ROUNDS;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            r->is_json = true;
        } else if (strcmp(argv[i], "--check") == 0) {
            r->is_check = true;
        } else if (!slice_parse_u64(slice_from_cstr(argv[i]), &rounds) || rounds == 0 ||
                   rounds > RACE_ROUNDS_MAX) {
            (void)fprintf(stderr, "usage: %s [1..%u rounds] [--json] [--check]\n", r->bench,
                          RACE_ROUNDS_MAX);
            exit(USAGE_STATUS);
        }
    }
    r->rounds = r->is_check ? 1 : (uint32_t)rounds;
    r->loops = r->is_check ? check_loops : r->loops;
}

static double now_ns(enum race_clock clock)
{
    static const clockid_t ids[] = {[RACE_THREAD] = CLOCK_THREAD_CPUTIME_ID,
                                    [RACE_PROCESS] = CLOCK_PROCESS_CPUTIME_ID,
                                    [RACE_WALL] = CLOCK_MONOTONIC};
    struct timespec t;

    (void)clock_gettime(ids[clock], &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void run_once(const struct race *r, struct racer *racer, uint32_t round, void *world)
{
    uint32_t loops = r->loops * (racer->scale ? racer->scale : 1);
    double start = now_ns(racer->clock);

    racer->run(world, loops);
    racer->ns[round] = (now_ns(racer->clock) - start) / loops;
}

void race_run(struct race *r, struct racer *racers, size_t count, void *world)
{
    for (uint32_t round = 0; round < r->rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            run_once(r, &racers[i], round, world);
        }
        for (size_t i = 0; i < count; i++) {
            if (racers[i].against < count) {
                racers[i].ratio[round] = racers[racers[i].against].ns[round] / racers[i].ns[round];
            }
        }
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts and returns the middle. */
static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(values[0]), by_value);
    return values[count / 2];
}

double race_median(const struct race *r, struct racer *racer)
{
    return median(racer->ns, r->rounds);
}

double race_ratio(const struct race *r, struct racer *racer)
{
    return median(racer->ratio, r->rounds);
}

static void print_json(const struct race *r, struct racer *racers, struct racer *racer)
{
    double ns = race_median(r, racer);

    (void)printf("{\"bench\": \"%s\", \"name\": \"%s\", \"unit\": \"%s\", \"ns\": %.1f, "
                 "\"least\": %.1f, \"most\": %.1f, \"rounds\": %u",
                 r->bench, racer->name, r->unit, ns, racer->ns[0], racer->ns[r->rounds - 1],
                 r->rounds);
    if (racer->bytes) {
        (void)printf(", \"mb_s\": %.1f", (double)racer->bytes * 1e3 / ns);
    }
    if (racer->against != RACE_ALONE) {
        (void)printf(", \"against\": \"%s\", \"ratio\": %.3f", racers[racer->against].name,
                     race_ratio(r, racer));
    }
    (void)puts("}");
}

static void print_row(const struct race *r, struct racer *racers, struct racer *racer)
{
    double ns = race_median(r, racer);

    (void)printf("%-40s %9.1f ns  (%.1f-%.1f)", racer->name, ns, racer->ns[0],
                 racer->ns[r->rounds - 1]);
    if (racer->bytes) {
        (void)printf("  %7.1f MB/s", (double)racer->bytes * 1e3 / ns);
    }
    if (racer->against != RACE_ALONE && racer != &racers[racer->against]) {
        (void)printf("  %.2f x as fast as %s", race_ratio(r, racer), racers[racer->against].name);
    }
    (void)putchar('\n');
}

void race_print(struct race *r, struct racer *racers, size_t count)
{
    if (r->is_check) {
        (void)printf("%s: %zu contestants checked\n", r->bench, count);
        return;
    }
    if (!r->is_json) {
        (void)printf("%s: per %s, median of %u rounds (least-most), %u in a round\n", r->bench,
                     r->unit, r->rounds, r->loops);
    }
    for (size_t i = 0; i < count; i++) {
        (r->is_json ? print_json : print_row)(r, racers, &racers[i]);
    }
}
