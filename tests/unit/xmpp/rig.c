/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rig: see rig.h. */
#include "rig.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/pool.h"
#include "tls/tls.h"

const struct crypto *rig_crypto(void)
{
    return tls_backend_crypto(tls_backend_find("wolfssl"));
}

static bool is_in(const char *const *names, struct slice name)
{
    for (uint32_t i = 0; i < RIG_NAMES; i++) {
        if (names[i] && slice_eq_cstr(name, names[i])) {
            return true;
        }
    }
    return false;
}

static bool host_is_local(void *ctx, struct slice domain)
{
    struct rig *r = ctx;

    return is_in(r->locals, domain);
}

static const struct stream_refusal *host_rules(void *ctx, enum stream_role role, struct slice local,
                                               struct slice remote, struct stream_rules *out)
{
    struct rig *r = ctx;

    (void)role;
    if (!slice_is_empty(local) && !is_in(r->locals, local)) {
        return &stream_refusal_unknown_local;
    }
    if (r->unknown && slice_eq_cstr(remote, r->unknown)) {
        return r->refusal;
    }
    *out = r->rules;
    return NULL;
}

static uint64_t host_rules_version(void *ctx)
{
    struct rig *r = ctx;

    return r->rules_version;
}

static bool host_certificate_ok(void *ctx, struct slice domain)
{
    struct rig *r = ctx;

    /* A certificate is known by TLS only. */
    return r->s && stream_is_secured(r->s) && is_in(r->certificates, domain);
}

static const char *host_certificate_fault(void *ctx, struct slice domain)
{
    (void)ctx;
    (void)domain;
    return "expired in the test";
}

static const struct dialback_secret *host_dialback_secret(void *ctx, struct slice local)
{
    struct rig *r = ctx;

    (void)local;
    return &r->secret;
}

static const struct stream_host host = {
    .is_local = host_is_local,
    .rules = host_rules,
    .rules_version = host_rules_version,
    .certificate_ok = host_certificate_ok,
    .certificate_fault = host_certificate_fault,
    .dialback_secret = host_dialback_secret,
};

void rig_init(struct rig *r, uint32_t methods)
{
    memset(r, 0, sizeof(*r));
    r->locals[0] = "ours.example";
    r->rules.methods = methods;
    r->refusal = &stream_refusal_unknown_partner;
    r->limits = stream_limits_default;
    r->now_ms = 1000;
    dialback_secret_init(&r->secret, rig_crypto(), SLICE_LIT("secret"));
    buf_init(&r->out, 1 << 20);
    cr_assert_eq(xml_parser_new(&r->reader, &xml_limits_authenticated), 0);
}

void rig_start(struct rig *r, struct stream_params *params)
{
    params->host = &host;
    params->ctx = r;
    params->crypto = rig_crypto();
    params->limits = &r->limits;
    params->out = &r->out;
    cr_assert_eq(stream_new(&r->s, r->now_ms, params), 0);
}

void rig_start_in(struct rig *r, bool is_secured)
{
    struct stream_params params = {.role = STREAM_IN, .is_secured = is_secured};

    rig_start(r, &params);
}

void rig_start_out(struct rig *r, const char *local, const char *remote)
{
    struct stream_params params = {
        .role = STREAM_OUT, .local = slice_from_cstr(local), .remote = slice_from_cstr(remote)};

    rig_start(r, &params);
}

void rig_free(struct rig *r)
{
    (void)rig_out(r);
    stream_free(r->s);
    xml_parser_free(r->reader);
    buf_deinit(&r->out);
}

static void copy(char *to, size_t size, struct slice text)
{
    (void)snprintf(to, size, "%.*s", SLICE_FMT(text));
}

static void log_stanza(struct rig_event *e, const struct stanza *st)
{
    struct buf text;
    uint32_t body = xml_child(st->tree, 0, SLICE_LIT("body"), SLICE_NONE);

    buf_init(&text, sizeof(e->stanza) - 1);
    buf_put_cstr(&text, stanza_kind_name(st->kind));
    buf_putc(&text, ' ');
    jid_write(&text, &st->from);
    buf_putc(&text, ' ');
    jid_write(&text, &st->to);
    buf_putc(&text, ' ');
    buf_put(&text, st->id);
    buf_putc(&text, ' ');
    if (body != XML_NO_NODE) {
        buf_put(&text, xml_text(st->tree, body));
    }
    e->may_bounce = stanza_may_bounce(st);
    copy(e->stanza, sizeof(e->stanza), buf_slice(&text));
    buf_deinit(&text);
}

void rig_log(struct rig *r, enum stream_event_kind kind)
{
    const struct stream_event *ev = &r->ev;
    struct rig_event *e;

    if (kind == STREAM_MORE) {
        return;
    }
    cr_assert_lt(r->log_count, RIG_LOG);
    e = &r->log[r->log_count++];
    memset(e, 0, sizeof(*e));
    e->kind = kind;
    if (kind == STREAM_PAIR_AUTHENTICATED || kind == STREAM_READY || kind == STREAM_PAIR_REFUSED ||
        kind == STREAM_VERIFY_WANTED || kind == STREAM_VERIFY_ANSWER) {
        copy(e->local, sizeof(e->local), ev->local);
        copy(e->remote, sizeof(e->remote), ev->remote);
        e->method = ev->method;
    }
    if (kind == STREAM_VERIFY_WANTED || kind == STREAM_VERIFY_ANSWER) {
        copy(e->id, sizeof(e->id), ev->stream_id);
    }
    if (kind == STREAM_VERIFY_WANTED) {
        copy(e->key, sizeof(e->key), ev->key);
    }
    if (kind == STREAM_STANZA || kind == STREAM_STANZA_BAD) {
        log_stanza(e, &ev->stanza);
    }
    if (kind == STREAM_FAILED || kind == STREAM_NOTE || kind == STREAM_PAIR_REFUSED ||
        kind == STREAM_STANZA_BAD) {
        e->failure = ev->failure;
        copy(e->text, sizeof(e->text), slice_from_cstr(ev->failure.text));
        cr_assert(e->text[0], "a failure without a text");
    }
    e->verdict = ev->verdict;
    e->condition = ev->condition;
    e->acked_count = ev->acked_count;
}

void rig_feed_slice(struct rig *r, struct slice bytes)
{
    size_t step = r->is_bytewise ? 1 : bytes.len;

    for (size_t at = 0; at < bytes.len; at += step) {
        /* A piece of its own, so that a reader past its end is seen by the sanitizer. */
        struct slice piece = slice_to(slice_from(bytes, at), step);
        char *own = pool_alloc(piece.len);
        size_t done = 0;

        memcpy(own, piece.ptr, piece.len);
        while (done < piece.len) {
            size_t used = 0;
            enum stream_event_kind kind = stream_feed(
                r->s, r->now_ms, slice_make(own + done, piece.len - done), &used, &r->ev);

            done += used;
            rig_log(r, kind);
            if (kind == STREAM_MORE) {
                cr_assert_eq(done, piece.len, "MORE before the end of the bytes");
            }
            if (kind == STREAM_FAILED) {
                break;
            }
        }
        pool_free(own);
    }
}

void rig_feed(struct rig *r, const char *text)
{
    rig_feed_slice(r, slice_from_cstr(text));
}

void rig_secured(struct rig *r, const char *sni)
{
    rig_log(r, stream_secured(r->s, r->now_ms, slice_from_cstr(sni), &r->ev));
}

void rig_wait(struct rig *r, uint64_t ms)
{
    uint64_t end = r->now_ms + ms;

    for (uint64_t by = stream_deadline(r->s); by <= end; by = stream_deadline(r->s)) {
        enum stream_event_kind kind;

        r->now_ms = by > r->now_ms ? by : r->now_ms;
        do {
            kind = stream_timeout(r->s, r->now_ms, &r->ev);
            rig_log(r, kind);
        } while (kind != STREAM_MORE);
        cr_assert_gt(stream_deadline(r->s), r->now_ms, "a deadline that does not move on");
    }
    r->now_ms = end;
}

void rig_verify_result(struct rig *r, const char *local, const char *remote, const char *id,
                       enum dialback_verdict verdict, enum stanza_condition condition)
{
    struct stream_verify v = {.local = slice_from_cstr(local),
                              .remote = slice_from_cstr(remote),
                              .stream_id = slice_from_cstr(id)};

    rig_log(r, stream_verify_result(r->s, r->now_ms, &v, verdict, condition, &r->ev));
}

/* What we write is well-formed, prefixes declared, nothing behind the end. */
static void read_back(struct rig *r, struct slice bytes)
{
    static const char start[] = "<?xml";

    cr_assert(!r->out.failed);
    while (bytes.len > 0) {
        const char *next = bytes.len > 1 ? memmem(bytes.ptr + 1, bytes.len - 1, start, 5) : NULL;
        size_t len = next ? (size_t)(next - bytes.ptr) : bytes.len;
        struct slice part = slice_to(bytes, len);

        if (slice_starts(part, slice_from_cstr(start))) {
            xml_parser_reset(r->reader);
        }
        while (part.len > 0) {
            size_t used = 0;
            enum xml_event x = xml_parser_feed(r->reader, part.ptr, part.len, &used);

            cr_assert_neq(x, XML_BAD, "we wrote bad XML (%s): %.*s", xml_parser_why_text(r->reader),
                          SLICE_FMT(part));
            part = slice_from(part, used);
        }
        bytes = slice_from(bytes, len);
    }
}

const char *rig_out(struct rig *r)
{
    read_back(r, buf_slice(&r->out));
    copy(r->seen, sizeof(r->seen), buf_slice(&r->out));
    buf_clear(&r->out);
    return r->seen;
}

const struct rig_event *rig_expect(struct rig *r, enum stream_event_kind kind, const char *file,
                                   int line)
{
    const struct rig_event *e = &r->log[r->log_read];

    if (kind == STREAM_MORE) {
        cr_assert_eq(r->log_read, r->log_count, "%s:%d: unexpected %s (%s)", file, line,
                     stream_event_name(e->kind), e->text);
        return NULL;
    }
    cr_assert_lt(r->log_read, r->log_count, "%s:%d: %s expected, nothing came; state %s, out %s",
                 file, line, stream_event_name(kind), stream_state_name(r->s), rig_out(r));
    cr_assert_eq(e->kind, kind, "%s:%d: %s expected, %s came (%s)", file, line,
                 stream_event_name(kind), stream_event_name(e->kind), e->text);
    r->log_read++;
    return e;
}

const struct rig_event *rig_expect_failed(struct rig *r, enum stream_step step,
                                          enum stream_condition condition, const char *file,
                                          int line)
{
    const struct rig_event *e = rig_expect(r, STREAM_FAILED, file, line);

    cr_assert_str_eq(stream_step_name(e->failure.step), stream_step_name(step), "%s:%d: %s", file,
                     line, e->text);
    cr_assert_str_eq(stream_condition_name(e->failure.condition), stream_condition_name(condition),
                     "%s:%d: %s", file, line, e->text);
    cr_assert_eq(stream_deadline(r->s), STREAM_NEVER, "%s:%d: a dead stream has no deadline", file,
                 line);
    return e;
}

void rig_expect_out(struct rig *r, const char *file, int line, ...)
{
    const char *at = rig_out(r);
    const char *text;
    va_list args;

    va_start(args, line);
    while ((text = va_arg(args, const char *))) {
        const char *found = strstr(at, text);

        cr_assert(found, "%s:%d: '%s' not in '%s'", file, line, text, r->seen);
        at = found + strlen(text);
    }
    va_end(args);
}

void rig_expect_text(struct rig *r, const char *text, const char *file, int line)
{
    const char *out = rig_out(r);

    cr_assert_str_eq(out, text, "%s:%d: '%s'", file, line, out);
}

static bool carry(struct rig *from, struct rig *to)
{
    struct buf bytes;
    bool moved = buf_len(&from->out) > 0;

    read_back(from, buf_slice(&from->out));
    buf_init(&bytes, from->out.bytes_max);
    buf_take(&bytes, &from->out);
    if (moved) {
        rig_feed_slice(to, buf_slice(&bytes));
    }
    buf_deinit(&bytes);
    return moved;
}

static bool is_upgrading(const struct rig *r)
{
    return r->log_count > 0 && r->log[r->log_count - 1].kind == STREAM_START_TLS &&
           !stream_is_secured(r->s);
}

void rig_converse(struct rig *out, struct rig *in)
{
    for (uint32_t turn = 0; turn < 1000; turn++) {
        bool moved = carry(out, in);

        moved = carry(in, out) || moved;
        if (!moved && is_upgrading(out) && is_upgrading(in)) {
            rig_secured(out, "");
            rig_secured(in, "");
            moved = true;
        }
        if (!moved) {
            return;
        }
    }
    cr_assert_fail("the two sides never came to rest");
}
