/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose_stream: one stream from header to authentication, by the node's own machine: this file
 * only carries its bytes and obeys its events. */
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "ctl/diagnose_walk.h"
#include "xml/writer.h"

/* A step may take so long, however busy the peer looks. */
#define STEP_MS     10000u
#define DIALBACK_MS 20000u /* the partner dials us meanwhile */
#define UNASKED_MS  4000u  /* STARTTLS that was not offered */
#define AFTER_MS    4000u  /* acknowledgements, db:verify */
#define LINGER_MS   500u
#define CLOSE_MS    1000u

/* ---- the machine's questions ---- */

static bool is_local(void *ctx, struct slice domain)
{
    (void)ctx;
    (void)domain;
    return true;
}

static const struct stream_refusal *rules(void *ctx, enum stream_role role, struct slice local,
                                          struct slice remote, struct stream_rules *out)
{
    const struct diagnose_walk *x = ctx;

    (void)role;
    (void)local;
    (void)remote;
    *out = (struct stream_rules){.methods = x->p->methods, .acks = x->p->wants_acks};
    return NULL;
}

static uint64_t rules_version(void *ctx)
{
    (void)ctx;
    return 1;
}

static bool certificate_ok(void *ctx, struct slice domain)
{
    const struct diagnose_walk *x = ctx;

    (void)domain;
    /* Of our own only the features are wanted. */
    return x->is_certificate_good || diagnose_walk_is_in(x);
}

static const char *certificate_fault(void *ctx, struct slice domain)
{
    (void)ctx;
    (void)domain;
    return "see the steps of the certificate";
}

static bool dialback_key(void *ctx, const struct dialback_bond *bond, struct dialback_key *out)
{
    struct diagnose_walk *x = ctx;

    return !diagnose_walk_is_in(x) && diagnose_node_key(x->d, bond, out);
}

static const struct dialback_secret *no_secret(void *ctx, struct slice local)
{
    const struct diagnose_walk *x = ctx;

    (void)local;
    return &x->d->secret; /* not asked for: dialback_key is */
}

static const struct stream_host walk_host = {
    .is_local = is_local,
    .rules = rules,
    .rules_version = rules_version,
    .certificate_ok = certificate_ok,
    .certificate_fault = certificate_fault,
    .dialback_secret = no_secret,
    .dialback_key = dialback_key,
};

/* ---- steps ---- */

static enum diagnose_step step_of_state(const struct diagnose_walk *x, const char *state)
{
    static const struct {
        const char *state;
        enum diagnose_step step; /* outwards */
    } steps[] = {
        {"OUT_SASL", DIAGNOSE_OUT_SASL},
        {"OUT_DIALBACK", DIAGNOSE_OUT_DIALBACK},
        {"OUT_OPEN", DIAGNOSE_OUT_ACKS},
    };

    if (strcmp(state, "OUT_STARTTLS") == 0) {
        return x->p->map->starttls;
    }
    if (strcmp(state, "OUT_SECURING") == 0) {
        return x->p->map->tls;
    }
    if (strcmp(state, "OUT_OPENING") == 0 || strcmp(state, "OUT_FEATURES") == 0) {
        return stream_is_secured(x->s) ? x->p->map->features : x->p->map->header;
    }
    for (size_t i = 0; !diagnose_walk_is_in(x) && i < ARRAY_COUNT(steps); i++) {
        if (strcmp(state, steps[i].state) == 0) {
            return steps[i].step;
        }
    }
    return x->step; /* closing: what was done last */
}

static uint32_t step_ms(const struct diagnose_walk *x, enum diagnose_step step)
{
    if (step == DIAGNOSE_OUT_DIALBACK) {
        return DIALBACK_MS;
    }
    if (step == DIAGNOSE_OUT_ACKS) {
        return AFTER_MS;
    }
    if (step == x->p->map->starttls &&
        (stream_peer_offers(x->s) & STREAM_OFFER_STARTTLS) == 0) {
        return UNASKED_MS;
    }
    return STEP_MS;
}

static void enter(struct diagnose_walk *x, enum diagnose_step step)
{
    if (x->step != step || x->step_until_ms == 0) {
        x->step = step;
        x->step_until_ms = diagnose_now_ms() + step_ms(x, step);
    }
}

/* ---- TLS ---- */

static int start_tls(struct diagnose_walk *x)
{
    struct diagnose *d = x->d;
    bool is_in = diagnose_walk_is_in(x);
    uint32_t min = d->partner ? d->partner->tls_min : (uint32_t)d->policy->tls_min;
    struct tls_session_params params = {
        .role = TLS_ROLE_CLIENT,
        .sni = x->p->remote,
        .alpn = SLICE_LIT("xmpp-server"),
        .credential_idx = UINT32_MAX,
        .credential_domain = x->p->local,
        .now_unix_s = (int64_t)time(NULL),
        .version_min = min == PARTNER_TLS_1_3 ? TLS_VERSION_1_3 : TLS_VERSION_1_2,
        .chain_seen = diagnose_chain_seen,
        .chain_seen_ctx = d,
    };
    struct tls_context *ctx = is_in ? d->tls_bare : d->tls;
    int err = ctx ? diagnose_wire_start_tls(&x->w, ctx, &params) : ERR_TLS_CONFIG;

    if (err) {
        diagnose_seen(d, x->p->map->tls, "%s",
                      ctx ? err_text(err) : "no certificate is configured (tls.certificate)");
        diagnose_fail(d, x->p->map->tls, DIAGNOSE_FAULT_INTERNAL);
        diagnose_walk_over(x, DIAGNOSE_STREAM_END);
    } else {
        enter(x, x->p->map->tls);
    }
    return err;
}

static void handle(struct diagnose_walk *x, enum stream_event_kind kind, const char *was);

static int begin_stream(struct diagnose_walk *x)
{
    struct stream_limits limits = stream_limits_default;
    struct stream_params params = {
        .role = STREAM_OUT,
        .is_secured = x->p->is_direct_tls,
        .avoid_tls = x->p->avoid_tls,
        .local = x->p->local,
        .remote = x->p->remote,
        .host = &walk_host,
        .ctx = x,
        .crypto = x->d->crypto,
        .limits = &limits,
        .out = &x->w.out,
    };
    int err;

    limits.establish_ms = x->d->policy->gateway.stream_establishment_timeout_s * 1000;
    limits.dialback_ms = DIALBACK_MS;
    err = stream_new(&x->s, diagnose_now_ms(), &params);
    if (err) {
        x->s = NULL;
        diagnose_seen(x->d, x->p->map->header, "%s", err_text(err));
        diagnose_fail(x->d, x->p->map->header, DIAGNOSE_FAULT_INTERNAL);
        diagnose_walk_over(x, DIAGNOSE_STREAM_END);
    }
    return err;
}

static void secured(struct diagnose_walk *x)
{
    struct diagnose_judge judge = {
        .map = x->p->map,
        .wanted = x->p->remote,
        .is_needed = diagnose_walk_is_in(x) || (x->p->methods & STREAM_METHOD_DIALBACK_TLS) == 0,
    };

    x->is_certificate_good =
        diagnose_judge_peer(x->d, &judge, tls_session_peer(x->w.tls));
    if (!x->s) { /* direct TLS: the stream begins here */
        if (begin_stream(x) != 0) {
            return;
        }
        enter(x, x->p->map->features);
        if (judge.is_needed && !x->is_certificate_good && !diagnose_walk_is_in(x)) {
            diagnose_walk_over(x, DIAGNOSE_STREAM_NEXT); /* nothing can come of it */
        }
        return;
    }
    handle(x, stream_secured(x->s, diagnose_now_ms(), SLICE_NONE, &x->ev), "OUT_SECURING");
}

/* ---- events ---- */

static void ask_verify(struct diagnose_walk *x)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char random[DIALBACK_KEY_CHARS];
    char hex[DIALBACK_KEY_CHARS];
    struct stream_verify v = {
        .local = stream_local(x->s),
        .remote = stream_remote(x->s),
        .stream_id = slice_make(hex, 16),
        .key = slice_make(hex, sizeof(hex)),
    };

    if (!x->p->verify_part) {
        return;
    }
    x->d->crypto->random(random, sizeof(random));
    for (size_t i = 0; i < sizeof(hex); i++) {
        hex[i] = digits[random[i] % 16];
    }
    x->is_verify_open = stream_send_verify(x->s, diagnose_now_ms(), &v) == 0;
}

/* What every server answers, on a stream of its own. Some take a stream and refuse what it
 * carries. */
static void ping(struct diagnose_walk *x)
{
    struct buf *out = &x->w.out;
    unsigned char random[4];

    x->d->crypto->random(random, sizeof(random));
    buf_put_lit(out, "<iq type=\"get\"");
    xml_write_attr(out, "from", stream_local(x->s));
    xml_write_attr(out, "to", stream_remote(x->s));
    buf_printf(out, " id=\"diagnose-%02x%02x%02x%02x\"><ping xmlns=\"urn:xmpp:ping\"/></iq>",
               random[0], random[1], random[2], random[3]);
    stream_sent(x->s, diagnose_now_ms(), 1);
    x->linger_until_ms = diagnose_now_ms() + LINGER_MS;
    x->d->is_ping_out = true;
}

static bool is_settled(const struct diagnose_walk *x)
{
    return x->is_ready && !x->is_verify_open && stream_acks(x->s)->state != ACKS_ASKED &&
           diagnose_now_ms() >= x->linger_until_ms;
}

static void say_goodbye(struct diagnose_walk *x)
{
    x->is_closing = true;
    x->step_until_ms = diagnose_now_ms() + CLOSE_MS;
    stream_close(x->s, diagnose_now_ms(), STREAM_CONDITION_NONE, "");
}

static void handle_one(struct diagnose_walk *x, enum stream_event_kind kind)
{
    switch (kind) {
    case STREAM_START_TLS:
        (void)start_tls(x);
        return;
    case STREAM_READY:
        x->is_ready = true;
        diagnose_walk_ready(x);
        ask_verify(x);
        ping(x);
        return;
    case STREAM_VERIFY_ANSWER:
        diagnose_walk_verified(x, true);
        return;
    case STREAM_PAIR_REFUSED:
        diagnose_walk_refused(x);
        return;
    case STREAM_ACKS_REFUSED:
        diagnose_warn(x->d, DIAGNOSE_OUT_ACKS, DIAGNOSE_FAULT_ACKS_REFUSED);
        return;
    case STREAM_NOTE:
        diagnose_seen(x->d, x->step, "%s", x->ev.failure.text);
        return;
    case STREAM_IDLE:
    case STREAM_PEER_CLOSED:
    case STREAM_CLOSED:
        diagnose_walk_closed(x);
        return;
    case STREAM_FAILED:
        diagnose_walk_failed(x);
        return;
    case STREAM_MORE:
    case STREAM_ACKED:
    case STREAM_PAIR_AUTHENTICATED:
    case STREAM_VERIFY_WANTED:
    case STREAM_STANZA:
    case STREAM_STANZA_BAD:
        return;
    }
}

static void handle(struct diagnose_walk *x, enum stream_event_kind kind, const char *was)
{
    for (;;) {
        diagnose_walk_passed(x, was);
        if (x->is_over) {
            return;
        }
        if (kind == STREAM_MORE) {
            break;
        }
        handle_one(x, kind);
        if (x->is_over || kind == STREAM_START_TLS) {
            return;
        }
        was = stream_state_name(x->s);
        kind = stream_timeout(x->s, diagnose_now_ms(), &x->ev);
    }
    enter(x, x->is_closing ? x->step : step_of_state(x, stream_state_name(x->s)));
    if (is_settled(x) && !x->is_closing) {
        diagnose_walk_settled(x);
        say_goodbye(x);
    }
}

static void feed(struct diagnose_walk *x, struct slice plain)
{
    size_t total = 0;

    while (!x->is_over && plain.len > 0) {
        const char *was = stream_state_name(x->s);
        size_t used = 0;
        enum stream_event_kind kind =
            stream_feed(x->s, diagnose_now_ms(), plain, &used, &x->ev);

        total += used;
        plain = slice_from(plain, used);
        if (kind == STREAM_START_TLS) {
            diagnose_wire_took(&x->w, total);
            total = 0;
        }
        handle(x, kind, was);
        if (kind == STREAM_MORE && used == 0) {
            break;
        }
    }
    if (total > 0) {
        diagnose_wire_took(&x->w, total);
    }
}

/* The first of: the step's end, the walk's, the machine's deadline. */
static uint64_t until(const struct diagnose_walk *x)
{
    uint64_t until = x->step_until_ms < x->d->deadline_ms ? x->step_until_ms : x->d->deadline_ms;
    uint64_t machine = x->s && !x->w.is_shaking ? stream_deadline(x->s) : STREAM_NEVER;

    if (x->is_ready && !x->is_closing && x->linger_until_ms > diagnose_now_ms() &&
        x->linger_until_ms < until) {
        until = x->linger_until_ms;
    }
    return machine < until ? machine : until;
}

static void late(struct diagnose_walk *x)
{
    uint64_t now = diagnose_now_ms();

    if (now >= x->d->deadline_ms || now >= x->step_until_ms) {
        diagnose_walk_late(x, now >= x->d->deadline_ms);
    } else if (x->s) {
        const char *was = stream_state_name(x->s);

        handle(x, stream_timeout(x->s, now, &x->ev), was);
    }
}

static void walk(struct diagnose_walk *x)
{
    while (!x->is_over) {
        struct slice plain;

        switch (diagnose_wire_wait(&x->w, until(x), &plain)) {
        case DIAGNOSE_WIRE_MORE:
            break;
        case DIAGNOSE_WIRE_DATA:
            feed(x, plain);
            break;
        case DIAGNOSE_WIRE_SECURED:
            secured(x);
            break;
        case DIAGNOSE_WIRE_ENDED:
            diagnose_walk_lost(x);
            break;
        case DIAGNOSE_WIRE_LATE:
            late(x);
            break;
        }
    }
}

enum diagnose_outcome diagnose_stream_walk(struct diagnose *d, int fd,
                                           const struct diagnose_stream_params *params)
{
    struct diagnose_walk *x = pool_heap_zalloc(sizeof(*x)); /* it holds a stanza's addresses */
    enum diagnose_outcome outcome;

    x->d = d;
    x->p = params;
    diagnose_wire_init(&x->w, fd);
    if (params->is_direct_tls) {
        diagnose_set(d, params->map->header, DIAGNOSE_SKIPPED);
        diagnose_set(d, params->map->starttls, DIAGNOSE_SKIPPED);
        (void)start_tls(x);
    } else if (begin_stream(x) == 0) {
        enter(x, params->map->header);
    }
    walk(x);
    outcome = x->outcome;
    if (diagnose_walk_is_in(x)) {
        buf_clear(&x->w.out); /* the machine would go on */
        if (x->s) {
            buf_put_lit(&x->w.out, "</stream:stream>");
        }
    }
    diagnose_wire_close(&x->w);
    stream_free(x->s);
    diagnose_wire_deinit(&x->w);
    pool_heap_free(x);
    return outcome;
}
