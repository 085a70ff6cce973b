/* SPDX-License-Identifier: GPL-2.0-or-later */
/* race: what the micro-benchmarks share: contestants whose rounds alternate, so that a change of
 * the machine's pace meets all of them; medians, spread, the median of ratios within a round; a
 * table for people or one JSON object a line for bench/micro.
 *   --json    objects
 *   --check   one short round: is what is measured right? Times mean nothing then
 *   N         rounds; the default is RACE_ROUNDS
 * One thread (a contestant may have more). */
#ifndef FG_BENCH_RACE_H
#define FG_BENCH_RACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RACE_ROUNDS     15u
#define RACE_ROUNDS_MAX 101u
#define RACE_ALONE      SIZE_MAX /* compared with nobody */

/* Whose time counts. CPU time unless waiting belongs to it: a neighbour on the machine must not
 * decide a comparison. */
enum race_clock { RACE_THREAD, RACE_PROCESS, RACE_WALL };

struct racer {
    const char *name;
    /* Does the work `loops` times, and ends the program (race_die) when a result is wrong. */
    void (*run)(void *world, uint32_t loops);
    size_t bytes;    /* of a unit of work, for MB/s; 0 = no such figure */
    uint32_t scale;  /* so many times the loops of the race; 0 = 1 */
    enum race_clock clock;
    size_t against;  /* index of the one it is compared with, or RACE_ALONE */
    double ns[RACE_ROUNDS_MAX];    /* per unit of work */
    double ratio[RACE_ROUNDS_MAX]; /* of the other's time to its own, in the same round */
};

struct race {
    const char *bench; /* the program's name */
    const char *unit;  /* "251-byte stanza" */
    uint32_t loops;    /* units of work per round */
    uint32_t rounds;
    bool is_check;
    bool is_json;
};

/* Reads the command line; a wrong one ends the program with status 64. r has bench, unit and loops,
 * check_loops: instead of these with --check. */
void race_options(struct race *r, int argc, char **argv, uint32_t check_loops);
void race_run(struct race *r, struct racer *racers, size_t count, void *world);
/* After race_run: the medians, and all rows. */
double race_median(const struct race *r, struct racer *racer);
double race_ratio(const struct race *r, struct racer *racer);
void race_print(struct race *r, struct racer *racers, size_t count);
/* Prints and exits 70. */
__attribute__((noreturn, format(printf, 1, 2))) void race_die(const char *fmt, ...);
#define RACE_MUST(c)                                   \
    do {                                               \
        if (!(c)) {                                    \
            race_die("%s:%d: %s", __FILE__, __LINE__, #c); \
        }                                              \
    } while (0)

#endif
