/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch_wait: a round: each pair begins once and answers once. */
#include <stdarg.h>
#include <stdio.h>

#include "watch.h"

#define TURN_MS   20
#define STALL_S   30.0
#define LATE_S    1.0 /* answers after that are counted; the last one is named */
#define OUT_ROOM  (64u << 10) /* a connection with less room gets nothing more now */

void watch_answered(unsigned pair)
{
    struct watch *w = &watch_state;
    if (pair >= w->from && pair < w->to && w->pairs[pair].answered != w->number) {
        w->pairs[pair].answered = w->number;
        w->done++;
        w->late += now_s() - w->began > LATE_S;
        w->last = pair;
    }
}

void watch_error(const char *fmt, ...)
{
    struct watch *w = &watch_state;
    va_list args;
    va_start(args, fmt);
    if (w->errors++ == 0) {
        (void)vsnprintf(w->error, sizeof w->error, fmt, args);
        for (char *at = w->error; *at; at++) {
            *at = *at < ' ' || *at == '"' || *at == '\\' ? ' ' : *at;
        }
    }
    va_end(args);
}

/* The largest number of SUBSCRIBEs in any second of the round. */
static unsigned burst(void)
{
    const struct watch *w = &watch_state;
    unsigned count = w->stamp_count < WATCH_STAMPS_MAX ? w->stamp_count : WATCH_STAMPS_MAX;
    unsigned most = 0;
    for (unsigned first = 0, last = 0; last < count; last++) {
        while (w->stamps[last] - w->stamps[first] >= 1.0) {
            first++;
        }
        most = last - first + 1 > most ? last - first + 1 : most;
    }
    return most;
}

static bool has_room(const struct conn *c)
{
    return !c || c->out_len < OUT_BYTES - OUT_ROOM;
}

void watch_round(struct load *l, enum round round, unsigned from, unsigned to, unsigned window,
                 void (*begin)(struct load *l, unsigned pair))
{
    struct watch *w = &watch_state;
    double cpu = own_cpu_s();
    double last = now_s();
    unsigned seen = 0;
    if (to > WATCH_PAIRS_MAX || from > to) {
        die("pairs %u to %u", from, to);
    }
    w->round = round;
    w->number++;
    w->from = w->next = from;
    w->to = to;
    w->done = w->late = w->errors = w->stamp_count = 0;
    w->began = last;
    w->error[0] = '\0';
    while (w->done < to - from && now_s() - last < STALL_S) {
        while (w->next < to && w->next - from - w->done < window && has_room(w->stream) &&
               has_room(w->phone) && has_room(w->pool)) {
            begin(l, w->next++);
        }
        wire_turn(l, TURN_MS);
        if (w->done != seen) {
            seen = w->done;
            last = now_s();
        }
    }
    (void)printf("{\"wanted\": %u, \"done\": %u, \"seconds\": %.4f, \"errors\": %u, "
                 "\"error\": \"%s\", \"subscribes\": %u, \"burst\": %u, \"own_cpu_s\": %.4f, "
                 "\"late\": %u, \"last\": %u, \"tls\": \"%s\"}\n",
                 to - from, w->done, last - w->began, w->errors, w->error, w->stamp_count, burst(),
                 own_cpu_s() - cpu, w->late, w->last, l->tls);
    (void)fflush(stdout);
}
