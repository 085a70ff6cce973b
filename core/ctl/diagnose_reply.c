/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose_reply: what came of a stream, as steps and faults: what a machine's failure means to the
 * one who must act. Refusals by policy are told apart from what is out of order. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "ctl/diagnose_walk.h"

void diagnose_walk_over(struct diagnose_walk *x, enum diagnose_outcome outcome)
{
    x->is_over = true;
    x->outcome = outcome;
}

/* ---- steps that were passed ---- */

static void put_offers(const struct diagnose_walk *x, struct buf *out)
{
    static const struct {
        uint32_t bit;
        const char *text;
    } offers[] = {
        {STREAM_OFFER_STARTTLS, "STARTTLS"},
        {STREAM_OFFER_STARTTLS_REQUIRED, "(required)"},
        {STREAM_OFFER_EXTERNAL, "SASL EXTERNAL"},
        {STREAM_OFFER_DIALBACK, "dialback"},
        {STREAM_OFFER_DIALBACK_ERRORS, "(with errors)"},
        {STREAM_OFFER_ACKS, "acknowledgements"},
    };
    uint32_t bits = stream_peer_offers(x->s);

    for (size_t i = 0; i < ARRAY_COUNT(offers); i++) {
        if (bits & offers[i].bit) {
            const char *comma = buf_len(out) == 0 || offers[i].text[0] == '(' ? "" : ",";

            buf_printf(out, "%s%s%s", comma, buf_len(out) ? " " : "", offers[i].text);
        }
    }
    if (buf_len(out) == 0) {
        buf_put_lit(out, "nothing that we use");
    }
    if (stream_peer_bytes_max(x->s)) {
        buf_printf(out, "; largest stanza: %u bytes", stream_peer_bytes_max(x->s));
    }
}

static void tell_offers(struct diagnose_walk *x, enum diagnose_step step)
{
    struct buf text;

    buf_init(&text, DIAGNOSE_LINE_BYTES);
    put_offers(x, &text);
    diagnose_seen(x->d, step, "offered: %.*s", SLICE_FMT(buf_slice(&text)));
    buf_deinit(&text);
    diagnose_set(x->d, step, DIAGNOSE_OK);
}

static bool uses_tls(const struct diagnose_walk *x)
{
    return (x->p->methods & ~(uint32_t)STREAM_METHOD_DIALBACK_PLAIN) != 0 && !x->p->avoid_tls;
}

static void skip_tls(struct diagnose_walk *x)
{
    const struct diagnose_map *map = x->p->map;
    const enum diagnose_step steps[] = {map->starttls, map->tls, map->chain, map->name,
                                        map->purpose};

    for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
        diagnose_set(x->d, steps[i], DIAGNOSE_SKIPPED);
    }
    tell_offers(x, map->features);
    x->has_secured_features = true;
}

static void features_came(struct diagnose_walk *x)
{
    const struct diagnose_map *map = x->p->map;

    if (stream_is_secured(x->s)) {
        if (!x->has_secured_features) {
            x->has_secured_features = true;
            tell_offers(x, map->features);
        }
    } else if (!x->has_features) {
        x->has_features = true;
        tell_offers(x, map->header);
        if (!uses_tls(x)) {
            skip_tls(x);
        }
    }
}

static bool is_one_of(const char *state, const char *const *states)
{
    for (; *states; states++) {
        if (strcmp(state, *states) == 0) {
            return true;
        }
    }
    return false;
}

void diagnose_walk_passed(struct diagnose_walk *x, const char *was)
{
    static const char *const before[] = {"OUT_OPENING", "OUT_FEATURES", NULL};
    static const char *const after[] = {"OUT_STARTTLS", "OUT_SASL",      "OUT_DIALBACK",
                                        "OUT_OPEN",     "OUT_SECURING", NULL};
    const char *is = stream_state_name(x->s);

    if (is_one_of(was, before) && is_one_of(is, after) && !x->was_sasl) {
        features_came(x);
    }
    if (strcmp(is, "OUT_SECURING") == 0) {
        diagnose_set(x->d, x->p->map->starttls, DIAGNOSE_OK);
    }
    if (strcmp(was, "OUT_STARTTLS") == 0 && strcmp(is, "OUT_DIALBACK") == 0 &&
        !x->has_secured_features) {
        skip_tls(x); /* refused, and both can do without */
    }
    if (diagnose_walk_is_in(x)) {
        if (x->has_secured_features) {
            diagnose_walk_over(x, DIAGNOSE_STREAM_GOOD);
        }
        return;
    }
    if (strcmp(is, "OUT_SASL") == 0) {
        x->was_sasl = true;
    }
    if (strcmp(was, "OUT_SASL") == 0 && strcmp(is, "OUT_OPENING") == 0) {
        diagnose_set(x->d, DIAGNOSE_OUT_SASL, DIAGNOSE_OK);
    }
    if (strcmp(was, "OUT_SASL") == 0 && strcmp(is, "OUT_DIALBACK") == 0) {
        diagnose_seen(x->d, DIAGNOSE_OUT_SASL, "EXTERNAL was refused; dialback is tried");
        diagnose_warn(x->d, DIAGNOSE_OUT_SASL, DIAGNOSE_FAULT_SASL_REFUSED);
    }
}

void diagnose_walk_ready(struct diagnose_walk *x)
{
    bool is_external = x->ev.method == STREAM_METHOD_EXTERNAL;

    diagnose_seen(x->d, is_external ? DIAGNOSE_OUT_SASL : DIAGNOSE_OUT_DIALBACK,
                  "authenticated: %s", stream_method_name(x->ev.method));
    diagnose_set(x->d, is_external ? DIAGNOSE_OUT_SASL : DIAGNOSE_OUT_DIALBACK, DIAGNOSE_OK);
    diagnose_set(x->d, is_external ? DIAGNOSE_OUT_DIALBACK : DIAGNOSE_OUT_SASL, DIAGNOSE_SKIPPED);
    if (!x->p->wants_acks) {
        diagnose_set(x->d, DIAGNOSE_OUT_ACKS, DIAGNOSE_SKIPPED);
    } else if (stream_acks(x->s)->state == ACKS_OFF) {
        const struct partner *p = x->d->partner;

        if (p && p->acks == PARTNER_ACKS_SM) {
            diagnose_warn(x->d, DIAGNOSE_OUT_ACKS, DIAGNOSE_FAULT_ACKS_MISSING);
        } else {
            diagnose_seen(x->d, DIAGNOSE_OUT_ACKS, "not offered: the node asks with pings");
            diagnose_set(x->d, DIAGNOSE_OUT_ACKS, DIAGNOSE_OK);
        }
    }
}

/* ---- what failed ---- */

struct blame {
    enum diagnose_step step;
    enum diagnose_fault out;
    enum diagnose_fault in;
};

static void blame(struct diagnose_walk *x, const struct blame *b)
{
    enum diagnose_fault fault = diagnose_walk_is_in(x) ? b->in : b->out;

    if (b->step == x->p->map->starttls && b->out != DIAGNOSE_FAULT_TLS_DEMANDED &&
        (stream_peer_offers(x->s) & STREAM_OFFER_STARTTLS) == 0) {
        /* Asked for all the same (the offer may have been taken out on the way); whatever came of
         * that, the offer is what is missing. */
        diagnose_seen(x->d, b->step, "STARTTLS is not offered; asked for all the same");
        fault = diagnose_walk_is_in(x) ? DIAGNOSE_FAULT_OUR_TLS_MISSING
                                       : DIAGNOSE_FAULT_TLS_NOT_OFFERED;
    }
    if (fault == DIAGNOSE_FAULT_NONE ||
        (diagnose_faults[fault].steps & 1ull << b->step) == 0) {
        diagnose_seen(x->d, b->step, "unexpected here");
        fault = diagnose_walk_is_in(x) ? DIAGNOSE_FAULT_CLOSED : DIAGNOSE_FAULT_PEER_ERROR;
    }
    if ((diagnose_faults[fault].steps & 1ull << b->step) == 0) {
        fault = DIAGNOSE_FAULT_CLOSED; /* tls: the only one of all steps */
    }
    diagnose_fail(x->d, b->step, fault);
}

/* Where the node goes on: fail_step_of and after_failed_attempt of the links. */
static enum diagnose_outcome outcome_of(const struct diagnose_walk *x, enum diagnose_step step)
{
    const struct diagnose_map *map = x->p->map;

    if ((step == map->tls || step == map->starttls) && uses_tls(x) &&
        (x->p->methods & STREAM_METHOD_DIALBACK_PLAIN)) {
        return DIAGNOSE_STREAM_PLAIN;
    }
    if (step == DIAGNOSE_OUT_SASL || step == DIAGNOSE_OUT_DIALBACK || step == DIAGNOSE_OUT_ACKS) {
        return DIAGNOSE_STREAM_END;
    }
    return DIAGNOSE_STREAM_NEXT;
}

/* Refusals are decisions about us; everything else is trouble of theirs. */
static bool is_refusal(enum stream_condition condition)
{
    return condition == STREAM_CONDITION_HOST_UNKNOWN || condition == STREAM_CONDITION_HOST_GONE ||
           condition == STREAM_CONDITION_POLICY_VIOLATION ||
           condition == STREAM_CONDITION_NOT_AUTHORIZED ||
           condition == STREAM_CONDITION_INVALID_FROM;
}

/* Behind TLS, a word about the certificate is one about ours. */
static bool speaks_of_certificate(const struct diagnose_walk *x)
{
    return stream_is_secured(x->s) &&
           (strcasestr(x->ev.failure.text, "certificate") != NULL ||
            strcasestr(x->ev.failure.text, "x509") != NULL);
}

static struct blame of_stream_error(const struct diagnose_walk *x)
{
    struct blame b = {x->step, DIAGNOSE_FAULT_PEER_ERROR, DIAGNOSE_FAULT_NODE_REFUSES};

    if (is_refusal(x->ev.failure.condition)) {
        b.out = DIAGNOSE_FAULT_REFUSED;
        if (x->step == x->p->map->features && speaks_of_certificate(x)) {
            b.out = DIAGNOSE_FAULT_TLS_WE_REFUSED;
        }
    }
    return b;
}

static struct blame of_starttls(const struct diagnose_walk *x)
{
    bool is_demanded = stream_peer_offers(x->s) & STREAM_OFFER_STARTTLS_REQUIRED;

    return (struct blame){
        x->p->map->starttls,
        is_demanded ? DIAGNOSE_FAULT_TLS_DEMANDED : DIAGNOSE_FAULT_TLS_NOT_OFFERED,
        DIAGNOSE_FAULT_OUR_TLS_MISSING};
}

static struct blame of_failure(const struct diagnose_walk *x)
{
    const struct diagnose_map *map = x->p->map;
    const struct stream_failure *f = &x->ev.failure;
    bool offers_external = stream_peer_offers(x->s) & STREAM_OFFER_EXTERNAL;

    switch (f->step) {
    case STREAM_STEP_HEADER:
    case STREAM_STEP_XML:
        return (struct blame){x->step, DIAGNOSE_FAULT_NOT_XMPP, DIAGNOSE_FAULT_NOT_XMPP};
    case STREAM_STEP_STARTTLS:
        return of_starttls(x);
    case STREAM_STEP_TLS:
        return (struct blame){map->tls, DIAGNOSE_FAULT_TLS_FAILED, DIAGNOSE_FAULT_OUR_TLS_FAILED};
    case STREAM_STEP_SASL:
        return (struct blame){DIAGNOSE_OUT_SASL,
                              offers_external ? DIAGNOSE_FAULT_SASL_REFUSED
                                              : DIAGNOSE_FAULT_SASL_NOT_OFFERED,
                              DIAGNOSE_FAULT_NONE};
    case STREAM_STEP_DIALBACK:
        return (struct blame){DIAGNOSE_OUT_DIALBACK,
                              f->is_timeout ? DIAGNOSE_FAULT_DIALBACK_SILENT
                                            : DIAGNOSE_FAULT_DIALBACK_NOT_OFFERED,
                              DIAGNOSE_FAULT_NONE};
    case STREAM_STEP_STREAM_ERROR:
        return of_stream_error(x);
    case STREAM_STEP_POLICY:
        return (struct blame){x->step, DIAGNOSE_FAULT_NO_METHOD, DIAGNOSE_FAULT_NODE_REFUSES};
    case STREAM_STEP_CERTIFICATE:
    case STREAM_STEP_FEATURES:
    case STREAM_STEP_STANZA:
    case STREAM_STEP_ACKS:
    case STREAM_STEP_OPEN:
    case STREAM_STEP_RESOURCES:
    case STREAM_STEP_COUNT:
        break;
    }
    return (struct blame){x->step, DIAGNOSE_FAULT_PEER_ERROR, DIAGNOSE_FAULT_CLOSED};
}

/* Features were read before this could fail. */
static bool came_behind_features(const struct diagnose_walk *x)
{
    enum stream_step step = x->ev.failure.step;

    return step == STREAM_STEP_SASL || step == STREAM_STEP_DIALBACK ||
           step == STREAM_STEP_STARTTLS || step == STREAM_STEP_CERTIFICATE ||
           step == STREAM_STEP_RESOURCES;
}

/* A node all of whose partners must show a certificate tells a nameless stream so. */
static bool wants_certificate(const struct diagnose_walk *x)
{
    return diagnose_walk_is_in(x) && stream_is_secured(x->s) &&
           x->ev.failure.step == STREAM_STEP_STREAM_ERROR &&
           x->ev.failure.condition == STREAM_CONDITION_IMPROPER_ADDRESSING;
}

/* Behind authentication: what a server says to the first stanza counts; if it does not acknowledge
 * as it should, that is its acknowledgements' fault alone. */
static void failed_later(struct diagnose_walk *x)
{
    const struct stream_failure *f = &x->ev.failure;

    if (f->step == STREAM_STEP_STREAM_ERROR && !x->is_closing) {
        x->d->is_ping_out = false; /* nobody will answer it */
        diagnose_seen(x->d, DIAGNOSE_OUT_STANZA, "%s", f->text);
        diagnose_fail(x->d, DIAGNOSE_OUT_STANZA, is_refusal(f->condition)
                                                     ? DIAGNOSE_FAULT_REFUSED
                                                     : DIAGNOSE_FAULT_PEER_ERROR);
        diagnose_walk_over(x, DIAGNOSE_STREAM_END);
        return;
    }
    diagnose_seen(x->d, DIAGNOSE_OUT_ACKS, "%s", f->text);
    diagnose_warn(x->d, DIAGNOSE_OUT_ACKS, DIAGNOSE_FAULT_ACKS_REFUSED);
    diagnose_walk_over(x, DIAGNOSE_STREAM_GOOD);
}

static void too_late(struct diagnose_walk *x);

void diagnose_walk_failed(struct diagnose_walk *x)
{
    const struct stream_failure *f = &x->ev.failure;
    struct blame b;

    if (x->is_ready) {
        failed_later(x);
        return;
    }
    if (f->is_timeout && f->step != STREAM_STEP_DIALBACK) {
        too_late(x);
        return;
    }
    if (came_behind_features(x) && !x->is_ready && !x->was_sasl &&
        (f->step != STREAM_STEP_CERTIFICATE || x->step != x->p->map->tls)) {
        features_came(x);
    }
    if (wants_certificate(x)) {
        diagnose_seen(x->d, x->p->map->features,
                      "nothing is offered before the partner's certificate was seen");
        diagnose_set(x->d, x->p->map->features, DIAGNOSE_OK);
        x->has_secured_features = true;
    }
    if (diagnose_walk_is_in(x) && x->has_secured_features) {
        diagnose_walk_over(x, DIAGNOSE_STREAM_GOOD);
        return;
    }
    if (f->step == STREAM_STEP_CERTIFICATE) { /* its own steps have said it */
        diagnose_walk_over(x, DIAGNOSE_STREAM_NEXT);
        return;
    }
    if (f->step == STREAM_STEP_RESOURCES && !diagnose_walk_is_in(x)) {
        diagnose_block(x->d, DIAGNOSE_OUT_DIALBACK, DIAGNOSE_FAULT_NO_KEY);
        diagnose_walk_over(x, DIAGNOSE_STREAM_END);
        return;
    }
    b = of_failure(x);
    diagnose_seen(x->d, b.step, "%s", f->text);
    blame(x, &b);
    diagnose_walk_over(x, outcome_of(x, b.step));
}

/* XEP-0220 2.4: which errors speak about us, and which about the way to us. */
static enum diagnose_fault fault_of_dialback(const struct stream_event *ev)
{
    if (ev->failure.is_timeout) {
        return DIAGNOSE_FAULT_DIALBACK_SILENT;
    }
    if (ev->verdict == DIALBACK_INVALID) {
        return DIAGNOSE_FAULT_DIALBACK_INVALID;
    }
    if (ev->condition == STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND ||
        ev->condition == STANZA_CONDITION_REMOTE_SERVER_TIMEOUT ||
        ev->condition == STANZA_CONDITION_REMOTE_CONNECTION_FAILED) {
        return DIAGNOSE_FAULT_DIALBACK_UNVERIFIED;
    }
    return DIAGNOSE_FAULT_DIALBACK_REFUSED;
}

void diagnose_walk_refused(struct diagnose_walk *x)
{
    diagnose_seen(x->d, DIAGNOSE_OUT_DIALBACK, "%s", x->ev.failure.text);
    diagnose_fail(x->d, DIAGNOSE_OUT_DIALBACK, fault_of_dialback(&x->ev));
    diagnose_walk_over(x, DIAGNOSE_STREAM_END);
}

/* It was authenticated. */
static void gone_later(struct diagnose_walk *x, const char *why)
{
    if (!x->is_closing) {
        diagnose_seen(x->d, DIAGNOSE_OUT_STANZA, "%s", why);
        diagnose_warn(x->d, DIAGNOSE_OUT_STANZA, DIAGNOSE_FAULT_CLOSED);
    }
    diagnose_walk_over(x, DIAGNOSE_STREAM_GOOD);
}

void diagnose_walk_closed(struct diagnose_walk *x)
{
    static const char why[] = "the peer closed the stream without an error";

    if (x->is_ready) {
        gone_later(x, why);
        return;
    }
    x->w.err = ERR_CLOSED;
    (void)snprintf(x->w.why, sizeof(x->w.why), "%s", why);
    diagnose_walk_lost(x);
}

void diagnose_walk_lost(struct diagnose_walk *x)
{
    struct blame b = {x->step, DIAGNOSE_FAULT_CLOSED, DIAGNOSE_FAULT_CLOSED};
    bool is_tls = x->w.tls && x->w.err != ERR_CLOSED && x->w.err <= ERR_TLS_HANDSHAKE &&
                  x->w.err >= ERR_TLS_KERNEL;

    if (x->is_ready) {
        gone_later(x, x->w.why);
        return;
    }
    if (is_tls || x->step == x->p->map->tls) {
        enum diagnose_step step = x->step == x->p->map->tls ? x->step : x->p->map->features;

        diagnose_tls_failed(x->d, x->p->map, &x->w, step);
        diagnose_walk_over(x, outcome_of(x, step));
        return;
    }
    diagnose_seen(x->d, x->step, "%s", x->w.why);
    blame(x, &b);
    diagnose_walk_over(x, outcome_of(x, x->step));
}

static void too_late(struct diagnose_walk *x)
{
    struct blame b = {x->step, DIAGNOSE_FAULT_SILENT, DIAGNOSE_FAULT_SILENT};

    if (x->step == DIAGNOSE_OUT_DIALBACK) {
        b.out = DIAGNOSE_FAULT_DIALBACK_SILENT;
    }
    blame(x, &b);
    diagnose_walk_over(x, outcome_of(x, x->step));
}

void diagnose_walk_late(struct diagnose_walk *x, bool is_total)
{
    struct blame b = {x->step, DIAGNOSE_FAULT_OUT_OF_TIME, DIAGNOSE_FAULT_OUT_OF_TIME};

    if (x->is_ready) {
        if (x->is_verify_open) {
            diagnose_walk_verified(x, false);
        }
        if (stream_acks(x->s)->state == ACKS_ASKED) {
            diagnose_seen(x->d, DIAGNOSE_OUT_ACKS, "no answer to our wish");
            diagnose_warn(x->d, DIAGNOSE_OUT_ACKS, DIAGNOSE_FAULT_ACKS_REFUSED);
        }
        diagnose_set(x->d, DIAGNOSE_OUT_STANZA, DIAGNOSE_OK);
        diagnose_walk_over(x, DIAGNOSE_STREAM_GOOD);
    } else if (is_total) {
        blame(x, &b);
        diagnose_walk_over(x, DIAGNOSE_STREAM_END);
    } else {
        too_late(x);
    }
}

/* Recorded with the other direction: it is theirs. */
void diagnose_walk_verified(struct diagnose_walk *x, bool is_answered)
{
    struct diagnose *d = x->d;
    struct diagnose_part *back = d->at;

    if (!x->is_verify_open) {
        return;
    }
    x->is_verify_open = false;
    d->at = x->p->verify_part;
    if (!is_answered || x->ev.verdict == DIALBACK_ERROR) {
        diagnose_seen(d, DIAGNOSE_IN_DIALBACK, "asked about a key that we made up: %s",
                      is_answered ? stanza_condition_name(x->ev.condition) : "no answer");
        diagnose_warn(d, DIAGNOSE_IN_DIALBACK, DIAGNOSE_FAULT_VERIFY_FAILED);
    } else {
        diagnose_seen(d, DIAGNOSE_IN_DIALBACK, "asked about a key that we made up: %s",
                      dialback_verdict_name(x->ev.verdict));
        if (x->ev.verdict == DIALBACK_VALID) {
            diagnose_fail(d, DIAGNOSE_IN_DIALBACK, DIAGNOSE_FAULT_VERIFY_LIES);
        }
        diagnose_set(d, DIAGNOSE_IN_DIALBACK, DIAGNOSE_OK);
    }
    d->at = back;
}

void diagnose_walk_settled(struct diagnose_walk *x)
{
    const struct acks *acks = stream_acks(x->s);

    diagnose_seen(x->d, DIAGNOSE_OUT_STANZA, "a ping to the partner's domain: %s",
                  acks->acked > 0 ? "acknowledged" : "taken");
    diagnose_set(x->d, DIAGNOSE_OUT_STANZA, DIAGNOSE_OK);
    if (x->p->wants_acks && acks->state == ACKS_ON) {
        diagnose_seen(x->d, DIAGNOSE_OUT_ACKS, "%s", acks_ns(acks));
        diagnose_set(x->d, DIAGNOSE_OUT_ACKS, DIAGNOSE_OK);
    }
}
