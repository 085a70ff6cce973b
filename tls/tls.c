/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls: sessions, as far as they are the same for every backend. See tls.h, tls_int.h. */
#include "tls/tls.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "tls/cert.h"
#include "tls/tls_int.h"

static const struct tls_backend *const backends[] = {&tls_backend_wolfssl, &tls_backend_mbedtls};

const struct tls_backend *tls_backend_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(backends); i++) {
        if (name && strcmp(backends[i]->name, name) == 0) {
            return backends[i];
        }
    }
    return NULL;
}

const char *tls_backend_name(const struct tls_backend *backend)
{
    return backend->name;
}

const char *tls_backend_version(const struct tls_backend *backend)
{
    return backend->version();
}

const struct crypto *tls_backend_crypto(const struct tls_backend *backend)
{
    return backend->crypto;
}

const char *tls_backend_build(const struct tls_backend *backend)
{
    return backend->build;
}

bool tls_backend_has_fast_aes(const struct tls_backend *backend)
{
    return backend->has_fast_aes();
}

bool tls_backend_has_secrets(const struct tls_backend *backend)
{
    return backend->has_secrets;
}

static int PRINTF_LIKE(3, 0)
    set_why(struct tls_error *why, int err, const char *fmt, va_list args)
{
    why->err = err;
    int len = vsnprintf(why->text, sizeof(why->text), fmt, args);
    ASSERT(len >= 0);
    return err;
}

int tls_why(struct tls_error *why, int err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)set_why(why, err, fmt, args);
    va_end(args);
    return err;
}

static void set_state(struct tls_session *s, enum tls_state next)
{
    static const uint8_t allowed[] = {
        [TLS_STATE_HANDSHAKE] = 1u << TLS_STATE_OPEN | 1u << TLS_STATE_FAILED,
        [TLS_STATE_OPEN] = 1u << TLS_STATE_PEER_CLOSED | 1u << TLS_STATE_FAILED,
        [TLS_STATE_PEER_CLOSED] = 1u << TLS_STATE_FAILED,
        [TLS_STATE_FAILED] = 1u << TLS_STATE_FAILED,
    };
    ASSERT((allowed[s->state] & 1u << next) != 0);
    s->state = next;
}

int tls_fail(struct tls_session *s, int err, const char *fmt, ...)
{
    set_state(s, TLS_STATE_FAILED);
    if (s->error.err == 0) {
        va_list args;
        va_start(args, fmt);
        (void)set_why(&s->error, err, fmt, args);
        va_end(args);
    }
    return s->error.err;
}

static bool lower_cstr(struct slice from, char *out, size_t out_bytes)
{
    if (!slice_to_cstr(from, out, out_bytes)) {
        return false;
    }
    for (char *c = out; *c; c++) {
        *c = ascii_lower(*c);
    }
    return true;
}

static bool names_hold(const struct tls_names *names, struct slice domain)
{
    for (uint32_t i = 0; i < names->count; i++) {
        enum tls_name_kind kind;
        struct slice name = tls_names_get(names, i, &kind);
        if (kind == TLS_NAME_DNS && slice_eq_nocase(name, domain)) {
            return true;
        }
    }
    return false;
}

/* The credential meant for domain, else the first that names it, else the first that covers it,
 * else fallback. */
static uint32_t cred_for(const struct tls_context *ctx, struct slice domain, uint32_t fallback)
{
    for (uint32_t i = 0; i < ctx->cred_count && domain.len != 0; i++) {
        if (slice_eq_cstr(domain, ctx->creds[i].domain)) {
            return i;
        }
    }
    for (uint32_t i = 0; i < ctx->cred_count; i++) {
        if (names_hold(&ctx->creds[i].names, domain)) {
            return i;
        }
    }
    for (uint32_t i = 0; i < ctx->cred_count; i++) {
        if (tls_names_match_xmpp(&ctx->creds[i].names, domain)) {
            return i;
        }
    }
    return fallback;
}

uint32_t tls_cred_for_sni(struct tls_session *s, struct slice server_name)
{
    if (!lower_cstr(server_name, s->peer.sni, sizeof(s->peer.sni))) {
        return s->cred_idx; /* no host name is that long: as if it had sent none */
    }
    if (!s->cred_is_fixed) {
        s->cred_idx = cred_for(s->ctx, slice_from_cstr(s->peer.sni), s->cred_idx);
    }
    return s->cred_idx;
}

static int choose_credential(struct tls_session *s, const struct tls_session_params *params)
{
    const struct tls_context *ctx = s->ctx;
    uint32_t first = ctx->cred_count ? 0 : UINT32_MAX;
    if (params->credential_idx != UINT32_MAX) {
        if (params->credential_idx >= ctx->cred_count) {
            return ERR_NOT_FOUND;
        }
        s->cred_idx = params->credential_idx;
        s->cred_is_fixed = true;
    } else {
        /* A server without SNI falls back on what covers our domain on this connection. */
        s->cred_idx = cred_for(ctx, params->credential_domain, first);
    }
    return s->role == TLS_ROLE_SERVER && s->cred_idx == UINT32_MAX ? ERR_TLS_CONFIG : 0;
}

int tls_session_new(struct tls_session **out, struct tls_context *ctx,
                    const struct tls_session_params *params)
{
    ASSERT(ctx->magic == TLS_CONTEXT_MAGIC);
    *out = NULL;
    struct tls_session *s = pool_zalloc(sizeof(*s));
    if (!s) {
        return ERR_NOMEM;
    }
    s->magic = TLS_SESSION_MAGIC;
    s->role = params->role;
    s->ctx = tls_context_ref(ctx);
    s->version_min = params->version_min;
    s->now_unix_s = params->now_unix_s != 0 ? params->now_unix_s : (int64_t)time(NULL);
    int err = choose_credential(s, params);
    if (err == 0 && (!lower_cstr(params->sni, s->sni, sizeof(s->sni)) ||
                     !slice_to_cstr(params->alpn, s->alpn, sizeof(s->alpn)))) {
        err = ERR_BAD_INPUT;
    }
    if (err == 0) {
        err = ctx->backend->session_new(s);
    }
    if (err != 0) {
        tls_session_free(s);
        return err;
    }
    *out = s;
    return 0;
}

void tls_session_free(struct tls_session *s)
{
    if (!s) {
        return;
    }
    ASSERT(s->magic == TLS_SESSION_MAGIC);
    s->ctx->backend->session_free(s);
    tls_names_deinit(&s->peer.names);
    tls_context_unref(s->ctx);
    s->magic = 0;
    pool_free(s);
}

void tls_peer_judge(struct tls_session *s, const struct slice *chain, uint32_t count)
{
    struct chain_params params = {
        .trust = s->ctx->trust,
        .signed_by = s->ctx->backend->signed_by,
        .now_unix_s = s->now_unix_s,
        .peer_is_server = s->role == TLS_ROLE_CLIENT,
        .crl_required = s->ctx->crl_required,
        .crls = s->ctx->crls,
        .cache = s->ctx->cache,
    };
    s->peer_seen = true;
    s->peer.chain = chain_judge(&params, chain, count);
    struct cert leaf;
    tls_names_deinit(&s->peer.names); /* of a chain that was shown earlier */
    if (count == 0 || cert_parse(&leaf, chain[0]) != 0) {
        return;
    }
    if (tls_names_parse(&s->peer.names, chain[0]) != 0) {
        s->peer.chain = TLS_CHAIN_BAD;
    }
    s->peer.not_after_unix_s = leaf.not_after_unix_s;
    cert_name_text(leaf.subject, s->peer.subject, sizeof(s->peer.subject));
    cert_name_text(leaf.issuer, s->peer.issuer, sizeof(s->peer.issuer));
}

/* Follows record borders over what the backend has just read. */
static void framing_feed(struct tls_framing *f, const unsigned char *bytes, size_t len)
{
    while (len > 0) {
        if (f->body_left > 0) {
            uint32_t take = len < f->body_left ? (uint32_t)len : f->body_left;
            f->body_left -= take;
            bytes += take;
            len -= take;
        } else {
            f->header[f->header_have++] = *bytes++;
            len--;
            if (f->header_have < sizeof(f->header)) {
                continue;
            }
            f->body_left = (uint32_t)(f->header[3] << 8 | f->header[4]);
            if (!f->saw_record) {
                f->is_not_tls = f->header[0] < 20 || f->header[0] > 24 || f->header[1] != 3;
                f->saw_record = true;
            }
        }
        if (f->header_have == sizeof(f->header) && f->body_left == 0) {
            f->header_have = 0;
        }
    }
}

size_t tls_wire_read(struct tls_session *s, void *dst, size_t room)
{
    size_t len = s->in.len - s->in_used;
    if (len > room) {
        len = room;
    }
    if (len > 0) {
        memcpy(dst, s->in.ptr + s->in_used, len);
        if (s->state == TLS_STATE_HANDSHAKE) {
            framing_feed(&s->framing, dst, len);
        }
        s->in_used += len;
    }
    return len;
}

bool tls_wire_write(struct tls_session *s, const void *bytes, size_t len)
{
    if (!s->out) {
        return false;
    }
    buf_append(s->out, bytes, len);
    return !s->out->failed;
}

static void call_begin(struct tls_session *s, struct slice in, struct buf *out)
{
    ASSERT(s->magic == TLS_SESSION_MAGIC);
    s->in = in;
    s->in_used = 0;
    s->out = out;
}

/* Nothing borrowed survives the call. */
static size_t call_end(struct tls_session *s)
{
    size_t used = s->in_used;
    s->in = SLICE_NONE;
    s->in_used = 0;
    s->out = NULL;
    return used;
}

enum tls_step tls_session_handshake(struct tls_session *s, struct slice in, size_t *consumed,
                                    struct buf *out)
{
    *consumed = 0;
    if (s->state != TLS_STATE_HANDSHAKE) {
        return s->state == TLS_STATE_OPEN ? TLS_STEP_DONE : TLS_STEP_BAD;
    }
    call_begin(s, in, out);
    enum tls_step step = TLS_STEP_BAD;
    if (s->version_min > s->ctx->backend->version_max) {
        (void)tls_fail(s, ERR_TLS_CONFIG,
                       "TLS 1.3 is demanded here, and %s does not know it: use the backend wolfssl",
                       s->ctx->backend->name);
    } else {
        step = s->ctx->backend->handshake(s);
    }
    if (out->failed && step != TLS_STEP_BAD) {
        (void)tls_fail(s, ERR_NOMEM, "no room for the handshake's output");
        step = TLS_STEP_BAD;
    }
    if (step == TLS_STEP_DONE) {
        s->ctx->backend->describe(s);
        set_state(s, TLS_STATE_OPEN);
    } else if (step == TLS_STEP_BAD) {
        (void)tls_fail(s, ERR_TLS_HANDSHAKE, "handshake failed");
    }
    *consumed = call_end(s);
    return step;
}

/* Bytes of the record at the head of in; 0 = its header is not complete. One whose header cannot be
 * right needs no more than that header to be refused. */
static size_t record_bytes(struct slice in, bool *is_possible)
{
    const unsigned char *header = (const unsigned char *)in.ptr;
    *is_possible = false;
    if (in.len < RECORD_HEADER_BYTES) {
        return 0;
    }
    size_t body = (size_t)(header[3] << 8 | header[4]);
    *is_possible = header[0] >= RECORD_CHANGE_CIPHER_SPEC && header[0] <= RECORD_APPLICATION_DATA &&
                   header[1] == 3 && body <= RECORD_BODY_MAX;
    return *is_possible ? RECORD_HEADER_BYTES + body : RECORD_HEADER_BYTES;
}

size_t tls_session_record_bytes(const struct tls_session *s, struct slice in)
{
    ASSERT(s->magic == TLS_SESSION_MAGIC);
    bool is_possible;
    return record_bytes(in, &is_possible);
}

/* The library reads the one record that is in s->in into its own memory; its plaintext (*got bytes)
 * may then overwrite the caller's. */
static int open_one(struct tls_session *s, char *dst, size_t room, size_t *got)
{
    *got = 0;
    while (true) {
        size_t used_before = s->in_used;
        int len = s->ctx->backend->read(s, dst + *got, room - *got);
        if (len < 0) {
            return len;
        }
        ASSERT((size_t)len <= room - *got);
        *got += (size_t)len;
        if (len == 0 && s->in_used == s->in.len) {
            return 0;
        }
        if (*got == room || (len == 0 && s->in_used == used_before)) {
            return tls_fail(s, ERR_TLS_RECORD, "the TLS library did not use up a record");
        }
    }
}

static int count_quiet(struct tls_session *s, size_t got)
{
    s->quiet_count = got > 0 ? 0 : s->quiet_count + 1;
    if (s->quiet_count > TLS_QUIET_RECORDS_MAX) {
        return tls_fail(s, ERR_TLS_RECORD, "more than %u records in a row without data",
                        TLS_QUIET_RECORDS_MAX);
    }
    return 0;
}

static int open_by_library(struct tls_session *s, char *bytes, size_t len, size_t *consumed,
                           size_t *plain_len)
{
    int err = 0;
    while (err == 0) {
        size_t at = *consumed;
        bool is_possible;
        size_t need = record_bytes(slice_make(bytes + at, len - at), &is_possible);
        if (need == 0 || need > len - at) {
            break;
        }
        size_t got = 0;
        s->in = slice_make(bytes + at, need);
        s->in_used = 0;
        *consumed = at + need;
        err = open_one(s, bytes + *plain_len, at + need - *plain_len, &got);
        *plain_len += got;
        if (err == 0) {
            err = is_possible ? count_quiet(s, got)
                              : tls_fail(s, ERR_TLS_RECORD, "what came is no record, or too long");
        }
    }
    return err;
}

int tls_session_open(struct tls_session *s, char *bytes, size_t len, size_t *consumed,
                     struct slice *plain, struct buf *out)
{
    *consumed = 0;
    *plain = SLICE_NONE;
    if (s->state == TLS_STATE_PEER_CLOSED) {
        *consumed = len; /* RFC 8446 6.1: data after close_notify is ignored */
        return ERR_CLOSED;
    }
    if (s->state != TLS_STATE_OPEN) {
        return s->state == TLS_STATE_FAILED ? s->error.err : ERR_STATE;
    }
    call_begin(s, SLICE_NONE, out);
    size_t plain_len = 0;
    int err = open_by_library(s, bytes, len, consumed, &plain_len);
    if (err == ERR_CLOSED) {
        set_state(s, TLS_STATE_PEER_CLOSED);
        *consumed = len;
    } else if (err != 0) {
        err = tls_fail(s, err, "record not readable");
    } else if (out->failed) {
        err = tls_fail(s, ERR_NOMEM, "no room for answers to the peer");
    }
    if (err == 0 || err == ERR_CLOSED) {
        *plain = slice_make(bytes, plain_len);
    }
    (void)call_end(s);
    return err;
}

static int seal_by_library(struct tls_session *s, struct slice plain)
{
    int err = 0;
    while (plain.len > 0 && err == 0) {
        size_t fresh = TLS_FRESH_BYTES - s->fresh_bytes;
        size_t take = fresh > 0 && plain.len > fresh ? fresh : plain.len;
        err = s->ctx->backend->write(s, slice_to(plain, take),
                                     fresh > 0 ? TLS_FRESH_RECORD_BYTES : RECORD_PLAIN_MAX);
        s->fresh_bytes += fresh > 0 ? (uint32_t)take : 0;
        plain = slice_from(plain, take);
    }
    return err;
}

int tls_session_seal(struct tls_session *s, struct slice plain, struct buf *out)
{
    if (s->state != TLS_STATE_OPEN && s->state != TLS_STATE_PEER_CLOSED) {
        return s->state == TLS_STATE_FAILED ? s->error.err : ERR_STATE;
    }
    if (slice_is_empty(plain)) {
        return 0;
    }
    call_begin(s, SLICE_NONE, out);
    int err = seal_by_library(s, plain);
    if (err == 0 && out->failed) {
        err = ERR_NOMEM;
    }
    if (err != 0) {
        err = tls_fail(s, err, "data not writable");
    }
    (void)call_end(s);
    return err;
}

void tls_session_close(struct tls_session *s, struct buf *out)
{
    if (s->state == TLS_STATE_OPEN || s->state == TLS_STATE_PEER_CLOSED) {
        call_begin(s, SLICE_NONE, out);
        s->ctx->backend->close(s);
        (void)call_end(s);
    }
}

const struct tls_error *tls_session_error(const struct tls_session *s)
{
    return &s->error;
}

const struct tls_peer *tls_session_peer(const struct tls_session *s)
{
    return &s->peer;
}

/* --- who protects the records: the library, in both directions --- */

enum tls_path tls_session_path(const struct tls_session *s, enum tls_direction direction)
{
    ASSERT(s->magic == TLS_SESSION_MAGIC && direction < TLS_DIRECTION_COUNT);
    return TLS_PATH_LIBRARY;
}

void tls_session_rest(struct tls_session *s)
{
    ASSERT(s->magic == TLS_SESSION_MAGIC);
    s->fresh_bytes = 0; /* the library keeps what it has, and nothing of it belongs to a thread */
}

/* The library changes its keys by itself when they are used up. */
bool tls_session_is_worn(const struct tls_session *s)
{
    ASSERT(s->magic == TLS_SESSION_MAGIC);
    return false;
}

const struct tls_keys *tls_session_keys(const struct tls_session *s, enum tls_direction direction)
{
    ASSERT(tls_session_path(s, direction) == TLS_PATH_LIBRARY);
    return NULL;
}

void tls_session_to_kernel(struct tls_session *s, enum tls_direction direction, bool can_rekey)
{
    (void)can_rekey;
    ASSERT(tls_session_keys(s, direction));
}

int tls_session_control(struct tls_session *s, uint8_t type, struct slice content)
{
    (void)type;
    (void)content;
    ASSERT(tls_session_path(s, TLS_IN) == TLS_PATH_KERNEL);
    return ERR_STATE;
}

bool tls_session_wants_rekey(const struct tls_session *s, enum tls_direction direction)
{
    return tls_session_path(s, direction) != TLS_PATH_LIBRARY;
}

void tls_session_count(struct tls_session *s, enum tls_direction direction, uint64_t records)
{
    (void)records;
    ASSERT(tls_session_path(s, direction) == TLS_PATH_KERNEL);
}

bool tls_session_note(struct tls_session *s, struct tls_note *note)
{
    (void)s;
    (void)note;
    return false;
}
