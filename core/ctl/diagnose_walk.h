/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose_walk: what diagnose_stream.c (the stream's life) and diagnose_reply.c (what its outcomes
 * mean) share. Private to them. */
#ifndef FG_CTL_DIAGNOSE_WALK_H
#define FG_CTL_DIAGNOSE_WALK_H

#include "ctl/diagnose.h"
#include "xmpp/stream.h"

struct diagnose_walk {
    struct diagnose *d;
    const struct diagnose_stream_params *p;
    struct diagnose_wire w;
    struct stream *s;       /* owned; NULL until the header is written */
    struct stream_event ev;
    enum diagnose_step step;   /* what is waited for */
    uint64_t step_until_ms;
    bool has_features;         /* those of before TLS */
    bool has_secured_features;
    bool is_certificate_good;
    bool was_sasl;             /* SASL was tried */
    bool is_ready;
    uint64_t linger_until_ms; /* ready: for an error that comes a little later */
    bool is_closing;
    bool is_verify_open;       /* our db:verify is unanswered */
    bool is_over;
    enum diagnose_outcome outcome;
};

static inline bool diagnose_walk_is_in(const struct diagnose_walk *x)
{
    return x->p->map == &diagnose_map_in;
}

/* diagnose_reply.c: each records, and ends the walk where it must. */
/* After a call on the stream: steps that were passed. was: the state before. */
void diagnose_walk_passed(struct diagnose_walk *x, const char *was);
void diagnose_walk_ready(struct diagnose_walk *x);
void diagnose_walk_refused(struct diagnose_walk *x);  /* STREAM_PAIR_REFUSED */
void diagnose_walk_failed(struct diagnose_walk *x);   /* STREAM_FAILED */
void diagnose_walk_closed(struct diagnose_walk *x);   /* in order, by the peer or both */
void diagnose_walk_lost(struct diagnose_walk *x);     /* the wire ended */
void diagnose_walk_late(struct diagnose_walk *x, bool is_total);
/* STREAM_VERIFY_ANSWER, or too late for one. */
void diagnose_walk_verified(struct diagnose_walk *x, bool is_answered);
void diagnose_walk_settled(struct diagnose_walk *x); /* nothing is awaited any more */
void diagnose_walk_over(struct diagnose_walk *x, enum diagnose_outcome outcome);

#endif
