/* SPDX-License-Identifier: GPL-2.0-or-later */
/* component: scripted components against the accepting side of XEP-0114. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/pool.h"
#include "tls/tls.h"
#include "xmpp/component.h"

#define HEADER                                                                                     \
    "<stream:stream xmlns='jabber:component:accept' "                                              \
    "xmlns:stream='http://etherx.jabber.org/streams' to='plays.ours.example'>"

struct bench {
    struct component *c;
    struct buf out;
    struct component_event ev;
    const char *secret;
    bool is_bytewise;
    uint64_t now_ms;
    enum component_event_kind log[64];
    char last[256]; /* last stanza: kind from to */
    uint32_t log_count;
    uint32_t log_read;
    struct stream_failure failure;
    enum stanza_condition condition;
    char why[300];
    char id[40];
};

static struct slice host_secret(void *ctx, struct slice domain)
{
    struct bench *b = ctx;

    return slice_eq_cstr(domain, "plays.ours.example") ? slice_from_cstr(b->secret) : SLICE_NONE;
}

static const struct component_host host = {.secret = host_secret};

static void start(struct bench *b, bool is_bytewise)
{
    struct component_params params = {.host = &host,
                                      .ctx = b,
                                      .crypto = tls_backend_crypto(tls_backend_find("wolfssl")),
                                      .establish_ms = 10000,
                                      .close_ms = 5000,
                                      .keepalive_ms = 60000,
                                      .stanza_bytes_max = 20000,
                                      .out = &b->out};

    memset(b, 0, sizeof(*b));
    b->secret = "s3cret";
    b->is_bytewise = is_bytewise;
    b->now_ms = 1000;
    buf_init(&b->out, 1 << 20);
    cr_assert_eq(component_new(&b->c, b->now_ms, &params), 0);
}

static void stop(struct bench *b)
{
    component_free(b->c);
    buf_deinit(&b->out);
}

static void note(struct bench *b, enum component_event_kind kind)
{
    if (kind == COMPONENT_MORE) {
        return;
    }
    b->log[b->log_count++] = kind;
    b->condition = b->ev.condition;
    if (kind == COMPONENT_FAILED || kind == COMPONENT_STANZA_BAD) {
        b->failure = b->ev.failure;
        (void)snprintf(b->why, sizeof(b->why), "%s", b->ev.failure.text);
    }
    if (kind == COMPONENT_STANZA || kind == COMPONENT_STANZA_BAD) {
        (void)snprintf(b->last, sizeof(b->last), "%s %.*s %.*s",
                       stanza_kind_name(b->ev.stanza.kind), SLICE_FMT(b->ev.stanza.from.domain),
                       SLICE_FMT(b->ev.stanza.to.domain));
    }
}

static void feed(struct bench *b, const char *text)
{
    size_t len = strlen(text);
    size_t step = b->is_bytewise ? 1 : len;

    for (size_t at = 0; at < len; at += step) {
        char *own = pool_alloc(step);
        size_t done = 0;

        memcpy(own, text + at, step);
        while (done < step) {
            size_t used = 0;
            enum component_event_kind kind =
                component_feed(b->c, b->now_ms, slice_make(own + done, step - done), &used, &b->ev);

            done += used;
            note(b, kind);
            if (kind == COMPONENT_FAILED) {
                break;
            }
        }
        pool_free(own);
    }
}

static const char *out(struct bench *b)
{
    static char text[8192];

    (void)snprintf(text, sizeof(text), "%.*s", SLICE_FMT(buf_slice(&b->out)));
    buf_clear(&b->out);
    return text;
}

static void expect(struct bench *b, enum component_event_kind kind)
{
    cr_assert_lt(b->log_read, b->log_count, "nothing came; state %s", component_state_name(b->c));
    cr_assert_eq(b->log[b->log_read], kind, "%d came: %s", b->log[b->log_read], b->why);
    b->log_read++;
}

static void expect_nothing(struct bench *b)
{
    cr_assert_eq(b->log_read, b->log_count, "%d came: %s", b->log[b->log_read], b->why);
}

/* Feeds the header, then a handshake with this secret. */
static void shake(struct bench *b, const char *secret, const char *tail)
{
    unsigned char digest[CRYPTO_SHA1_BYTES];
    const char *header;
    const char *id;
    char text[400];
    struct buf hex;

    feed(b, HEADER);
    header = out(b);
    id = strstr(header, " id=\"");
    cr_assert(id, "%s", header);
    (void)snprintf(b->id, sizeof(b->id), "%.32s", id + 5);
    cr_assert_eq(id[5 + 32], '"');
    (void)snprintf(text, sizeof(text), "%s%s", b->id, secret);
    tls_backend_crypto(tls_backend_find("wolfssl"))->sha1(slice_from_cstr(text), digest);
    buf_init(&hex, 100);
    hex_put(&hex, slice_make((const char *)digest, sizeof(digest)));
    (void)snprintf(text, sizeof(text), "<handshake>%.*s</handshake>%s", SLICE_FMT(buf_slice(&hex)),
                   tail);
    buf_deinit(&hex);
    feed(b, text);
}

static void open_it(struct bench *b, bool is_bytewise)
{
    start(b, is_bytewise);
    shake(b, "s3cret", "");
    expect(b, COMPONENT_PROVED);
    component_accept(b->c, b->now_ms);
    cr_assert_str_eq(out(b), "<handshake/>");
    cr_assert(component_is_open(b->c));
}

#define BOTH(name)                                                                                 \
    static void name(bool is_bytewise);                                                            \
    Test(component, name)                                                                          \
    {                                                                                              \
        name(false);                                                                               \
        name(true);                                                                                \
    }                                                                                              \
    static void name(bool is_bytewise)

/* XEP-0114 section 3: id 3BF96D32, secret unknown; the formula is checked by shake() with the
 * library's SHA-1. */
BOTH(handshake_and_stanzas)
{
    struct bench b;

    open_it(&b, is_bytewise);
    feed(&b, "<message from='hamlet@plays.ours.example' to='x@their.example'><body>"
             "To be</body></message> <presence from='Plays.ours.example' to='x@their.example'/>");
    expect(&b, COMPONENT_STANZA);
    expect(&b, COMPONENT_STANZA);
    cr_assert_str_eq(b.last, "presence plays.ours.example their.example");
    feed(&b, "</stream:stream>");
    expect(&b, COMPONENT_PEER_CLOSED);
    cr_assert_str_eq(out(&b), "</stream:stream>");
    expect_nothing(&b);
    stop(&b);
}

BOTH(header_is_answered_with_from_and_id)
{
    struct bench b;
    const char *text;

    start(&b, is_bytewise);
    feed(&b, HEADER);
    text = out(&b);
    cr_assert(strstr(text, "<stream:stream xmlns=\"jabber:component:accept\" "
                           "xmlns:stream=\"http://etherx.jabber.org/streams\" "
                           "from=\"plays.ours.example\" id=\""));
    cr_assert(slice_eq_cstr(component_domain(b.c), "plays.ours.example"));
    stop(&b);
}

BOTH(wrong_headers)
{
    const struct {
        const char *header;
        const char *condition;
    } cases[] = {
        {"<stream:stream xmlns='jabber:component:accept' "
         "xmlns:stream='http://etherx.jabber.org/streams' to='other.ours.example'>",
         "<host-unknown "},
        {"<stream:stream xmlns='jabber:component:accept' "
         "xmlns:stream='http://etherx.jabber.org/streams'>",
         "<improper-addressing "},
        {"<stream:stream xmlns='jabber:component:accept' "
         "xmlns:stream='http://etherx.jabber.org/streams' to='a@plays.ours.example'>",
         "<improper-addressing "},
        {"<stream:stream xmlns='jabber:component:connect' "
         "xmlns:stream='http://etherx.jabber.org/streams' to='plays.ours.example'>",
         "<invalid-namespace "},
        {"<stream xmlns='jabber:component:accept' to='plays.ours.example'>", "<invalid-namespace "},
        {"<?xml version='1.1'?>", "<unsupported-encoding "},
        {"x", "<not-well-formed "},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench b;
        const char *text;

        start(&b, is_bytewise);
        feed(&b, cases[i].header);
        expect(&b, COMPONENT_FAILED);
        text = out(&b);
        cr_assert(strstr(text, "<stream:stream "), "%s", text);
        cr_assert(strstr(text, cases[i].condition), "%zu: %s", i, text);
        cr_assert(strstr(text, "</stream:stream>"));
        cr_assert_eq(component_deadline(b.c), STREAM_NEVER);
        stop(&b);
    }
}

BOTH(wrong_secret)
{
    struct bench b;

    start(&b, is_bytewise);
    shake(&b, "wrong", "");
    expect(&b, COMPONENT_FAILED);
    cr_assert_eq(b.failure.condition, STREAM_CONDITION_NOT_AUTHORIZED);
    cr_assert(strstr(out(&b), "<not-authorized "));
    stop(&b);

    start(&b, is_bytewise);
    b.secret = "";
    feed(&b, HEADER);
    expect(&b, COMPONENT_FAILED);
    stop(&b);

    start(&b, is_bytewise);
    feed(&b, HEADER "<handshake/>");
    expect(&b, COMPONENT_FAILED);
    cr_assert_eq(b.failure.condition, STREAM_CONDITION_NOT_AUTHORIZED);
    stop(&b);
}

BOTH(stanzas_before_the_handshake)
{
    struct bench b;

    start(&b, is_bytewise);
    feed(&b, HEADER "<message from='a@plays.ours.example' to='x@their.example'/>");
    expect(&b, COMPONENT_FAILED);
    cr_assert_eq(b.failure.condition, STREAM_CONDITION_NOT_AUTHORIZED);
    expect_nothing(&b);
    stop(&b);
}

BOTH(the_edge_may_find_a_conflict)
{
    struct bench b;

    start(&b, is_bytewise);
    shake(&b, "s3cret", "");
    expect(&b, COMPONENT_PROVED);
    component_close(b.c, b.now_ms, STREAM_CONDITION_CONFLICT, "connected already");
    cr_assert(strstr(out(&b), "<conflict "));
    /* It was never accepted. */
    feed(&b, "<message from='a@plays.ours.example' to='x@their.example'/></stream:stream>");
    expect(&b, COMPONENT_CLOSED);
    expect_nothing(&b);
    stop(&b);
}

BOTH(from_must_be_its_own_domain)
{
    const struct {
        const char *stanza;
        enum stream_condition condition;
    } cases[] = {
        {"<message from='a@ours.example' to='x@their.example'/>", STREAM_CONDITION_INVALID_FROM},
        {"<message from='a@x.plays.ours.example' to='x@their.example'/>",
         STREAM_CONDITION_INVALID_FROM},
        {"<message to='x@their.example'/>", STREAM_CONDITION_IMPROPER_ADDRESSING},
        {"<message from='plays.ours.example'/>", STREAM_CONDITION_IMPROPER_ADDRESSING},
        {"<route from='plays.ours.example' to='a'/>", STREAM_CONDITION_UNSUPPORTED_STANZA_TYPE},
        {"<message xmlns='jabber:client' from='plays.ours.example' to='a'/>",
         STREAM_CONDITION_UNSUPPORTED_STANZA_TYPE},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench b;

        open_it(&b, is_bytewise);
        feed(&b, cases[i].stanza);
        expect(&b, COMPONENT_FAILED);
        cr_assert_eq(b.failure.condition, cases[i].condition, "%zu: %s", i, b.why);
        stop(&b);
    }
}

BOTH(unusable_stanzas_are_for_the_edge_to_answer)
{
    struct bench b;

    open_it(&b, is_bytewise);
    feed(&b, "<message from='a@plays.ours.example' to='@'/>");
    expect(&b, COMPONENT_STANZA_BAD);
    cr_assert_eq(b.condition, STANZA_CONDITION_JID_MALFORMED);
    feed(&b, "<iq from='a@plays.ours.example' to='b@their.example' type='get' id='1'/>");
    expect(&b, COMPONENT_STANZA_BAD);
    cr_assert_eq(b.condition, STANZA_CONDITION_BAD_REQUEST);
    cr_assert(component_is_open(b.c));
    stop(&b);
}

BOTH(time)
{
    struct bench b;

    start(&b, is_bytewise);
    cr_assert_eq(component_deadline(b.c), 11000);
    feed(&b, HEADER);
    cr_assert_eq(component_deadline(b.c), 11000);
    note(&b, component_timeout(b.c, 10999, &b.ev));
    expect_nothing(&b);
    note(&b, component_timeout(b.c, 11000, &b.ev));
    expect(&b, COMPONENT_FAILED);
    cr_assert(b.failure.is_timeout);
    cr_assert_eq(b.failure.condition, STREAM_CONDITION_CONNECTION_TIMEOUT);
    stop(&b);

    open_it(&b, is_bytewise);
    cr_assert_eq(component_deadline(b.c), 61000);
    component_sent(b.c, 31000);
    cr_assert_eq(component_deadline(b.c), 91000);
    note(&b, component_timeout(b.c, 91000, &b.ev));
    cr_assert_str_eq(out(&b), " ");
    cr_assert_eq(component_deadline(b.c), 151000);
    component_close(b.c, 91000, STREAM_CONDITION_SYSTEM_SHUTDOWN, "");
    component_close(b.c, 91000, STREAM_CONDITION_SYSTEM_SHUTDOWN, "");
    cr_assert_eq(component_deadline(b.c), 96000);
    b.now_ms = 92000;
    feed(&b, "<message from='a@plays.ours.example' to='x@their.example'/>");
    expect(&b, COMPONENT_STANZA);
    note(&b, component_timeout(b.c, 96000, &b.ev));
    expect(&b, COMPONENT_CLOSED);
    expect_nothing(&b);
    stop(&b);
}

BOTH(errors_and_early_ends_of_the_component)
{
    struct bench b;

    open_it(&b, is_bytewise);
    feed(&b, "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
             "</stream:error>");
    expect(&b, COMPONENT_FAILED);
    cr_assert_eq(b.failure.step, STREAM_STEP_STREAM_ERROR);
    cr_assert_eq(b.failure.condition, STREAM_CONDITION_POLICY_VIOLATION);
    cr_assert_str_eq(out(&b), "</stream:stream>");
    stop(&b);

    start(&b, is_bytewise);
    feed(&b, HEADER "</stream:stream>");
    expect(&b, COMPONENT_FAILED);
    stop(&b);
}
