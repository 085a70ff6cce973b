/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch: what watch.c (commands, XMPP), watch_wait.c (rounds), phone.c (SIP) share. Pair number i
 * is u<i>@<inside>, a user of the SIP pool, and w<i>@p0000.<suffix>, a user of the partner; each
 * watches the other. */
#ifndef FG_BENCH_WATCH_H
#define FG_BENCH_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "load.h"

#define WATCH_PAIRS_MAX    200000u
#define WATCH_ID_BYTES     48u
#define WATCH_STAMPS_MAX   (1u << 20)
#define WATCH_POOL_NAME    "pool.corp.test"
#define WATCH_NAME_DIGITS  6

struct pair {
    char call_id[WATCH_ID_BYTES]; /* of the server's dialog with the pool; "" = none */
    char tag[WATCH_ID_BYTES];     /* the server's in it */
    uint32_t cseq;                /* of the pool's NOTIFYs in it */
    uint32_t answered;            /* the round that this pair has answered */
};

/* What a round waits for. */
enum round {
    ROUND_NONE,
    ROUND_SUBSCRIBED, /* the partner hears `subscribed` */
    ROUND_ACTIVE,     /* the pool is notified: active, with a document */
    ROUND_PROBED,     /* the partner hears presence */
    ROUND_NOTIFIED,   /* the partner hears the presence of this round */
    ROUND_SHOWN,      /* the pool is notified of the presence of this round */
};

struct watch {
    struct conn *stream;      /* ours to the server, XMPP; NULL = none */
    struct conn *phone;       /* ours to the server, SIP */
    struct conn *pool;        /* the server's to its next hop, the last one */
    enum round round;
    uint32_t number;          /* of the round */
    unsigned from;            /* pairs of the round */
    unsigned to;
    unsigned next;            /* the next to begin */
    unsigned done;
    unsigned late;            /* of them after a second */
    unsigned last;            /* the pair that answered last */
    double began;             /* now_s of the round */
    unsigned errors;          /* refusals of any kind */
    char error[128];          /* the first of them */
    unsigned stamp_count;     /* SUBSCRIBEs in the round */
    char target[128];         /* the server's Contact */
    double *stamps;
    struct pair *pairs;
};
extern struct watch watch_state;

/* This pair has what the round waits for. */
void watch_answered(unsigned pair);
__attribute__((format(printf, 1, 2))) void watch_error(const char *fmt, ...);
/* Waits until all pairs of the round have answered; begins them with begin(l, pair), at most window
 * in flight. Prints its line. */
void watch_round(struct load *l, enum round round, unsigned from, unsigned to, unsigned window,
                 void (*begin)(struct load *l, unsigned pair));
/* phone.c */
void phone_subscribe(struct load *l, unsigned pair);
void phone_notify(struct load *l, unsigned pair);
/* The number behind this letter, as in "u000017@"; WATCH_PAIRS_MAX: none. */
unsigned watch_number(const char *at, size_t len, char letter);

#endif
