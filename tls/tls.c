/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls: sessions, as far as they are the same for every backend. See tls.h, tls_int.h. */
#include "tls/tls.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
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

void tls_set_state(struct tls_session *s, enum tls_state next)
{
    static const uint8_t allowed[] = {
        [TLS_STATE_HANDSHAKE] = 1u << TLS_STATE_OPEN | 1u << TLS_STATE_FAILED,
        [TLS_STATE_OPEN] = 1u << TLS_STATE_PEER_CLOSED | 1u << TLS_STATE_FAILED,
        [TLS_STATE_PEER_CLOSED] = 1u << TLS_STATE_FAILED,
        [TLS_STATE_FAILED] = 1u << TLS_STATE_FAILED,
    };
    ASSERT((allowed[s->state] & 1u << next) != 0);
    s->state = (uint8_t)next;
}

static void PRINTF_LIKE(3, 0)
    set_error(struct tls_session *s, int err, const char *fmt, va_list args)
{
    if (s->err != 0) {
        return; /* the first one tells most */
    }
    s->err = err;
    s->error = pool_alloc(sizeof(*s->error));
    if (s->error) {
        (void)set_why(s->error, err, fmt, args);
    }
}

int tls_note_error(struct tls_session *s, int err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    set_error(s, err, fmt, args);
    va_end(args);
    return s->err;
}

int tls_fail(struct tls_session *s, int err, const char *fmt, ...)
{
    tls_set_state(s, TLS_STATE_FAILED);
    va_list args;
    va_start(args, fmt);
    set_error(s, err, fmt, args);
    va_end(args);
    return s->err;
}

static int shake_new(struct tls_session *s, const struct tls_session_params *params)
{
    struct tls_shake *k = pool_zalloc(sizeof(*k));
    if (!k) {
        return ERR_NOMEM;
    }
    s->shake = k;
    hello_init(&k->hello, s->role == TLS_ROLE_CLIENT);
    k->hello.is_over = !s->ctx->resume; /* nobody will ask */
    k->may_resume =
        params->may_resume && s->role == TLS_ROLE_CLIENT && s->ctx->resume != NULL;
    k->version_min = (uint16_t)params->version_min;
    k->chain_seen = params->chain_seen;
    k->chain_seen_ctx = params->chain_seen_ctx;
    k->now_unix_s = params->now_unix_s != 0 ? params->now_unix_s : (int64_t)time(NULL);
    if (s->ctx->resume) {
        resume_sweep(s->ctx->resume, k->now_unix_s);
    }
    int err = tls_choose_credential(s, params);
    if (err != 0) {
        return err;
    }
    struct slice sni = s->role == TLS_ROLE_CLIENT ? params->sni : SLICE_NONE;
    if (!tls_lower_cstr(sni, k->sni, sizeof(k->sni)) ||
        !slice_to_cstr(params->alpn, k->alpn, sizeof(k->alpn))) {
        return ERR_BAD_INPUT;
    }
    return s->backend->session_new(s);
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
    s->role = (uint8_t)params->role;
    s->ctx = tls_context_ref(ctx);
    s->backend = ctx->backend;
    s->grounds_hash = ctx->grounds_hash;
    s->peer.subject = s->peer.issuer = s->peer.sni = s->peer.alpn = "";
    int err = shake_new(s, params);
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
    tls_shake_free(s);
    for (uint32_t i = 0; i < TLS_DIRECTION_COUNT; i++) {
        record_side_deinit(&s->sides[i]);
    }
    tls_names_deinit(&s->peer.names);
    tls_proof_keep(s, NULL);
    pool_free(s->texts);
    pool_free(s->error);
    s->magic = 0;
    pool_free_wiped(s);
}

enum tls_step tls_session_handshake(struct tls_session *s, struct slice in, size_t *consumed,
                                    struct buf *out)
{
    ASSERT(s->magic == TLS_SESSION_MAGIC);
    *consumed = 0;
    if (s->state != TLS_STATE_HANDSHAKE) {
        return s->state == TLS_STATE_OPEN ? TLS_STEP_DONE : TLS_STEP_BAD;
    }
    s->out = out;
    enum tls_step step = tls_shake(s, in, consumed);
    s->out = NULL;
    return step;
}

/* --- records --- */

size_t tls_session_record_bytes(const struct tls_session *s, struct slice in)
{
    ASSERT(s->magic == TLS_SESSION_MAGIC);
    bool is_possible;
    return tls_library_record_bytes(in, &is_possible);
}

size_t tls_session_record_plain(const struct tls_session *s, struct slice in)
{
    size_t len = tls_session_record_bytes(s, in);

    if (len == 0 || in.ptr[0] != RECORD_APPLICATION_DATA) {
        return 0;
    }
    if (s->path[TLS_OUT] == TLS_PATH_LIBRARY) {
        /* Of TLS 1.3: in 1.2 the keys are taken before there are data. */
        return len > RECORD_TLS13_BYTES_MORE ? len - RECORD_TLS13_BYTES_MORE : 0;
    }
    return record_plain_bytes(&s->sides[TLS_OUT], len);
}

/* What stands at the head of rest is as much as it takes to open it or to refuse it. *err then. */
static bool is_whole(struct tls_session *s, struct slice rest, size_t *need, int *err)
{
    *err = 0;
    if (s->path[TLS_IN] == TLS_PATH_LIBRARY) {
        bool is_possible;
        *need = tls_library_record_bytes(rest, &is_possible);
    } else {
        *err = record_need(&s->sides[TLS_IN], rest, need, &s->alert);
        if (*err != 0) {
            *err = tls_note_error(s, *err, "a record's header is not acceptable (%s)",
                                  tls_alert_name(s->alert));
            return true;
        }
    }
    return *need > 0 && *need <= rest.len;
}

/* What a call has opened: one stretch within the bytes that it was given. */
struct opened {
    char *ptr;
    size_t len;
};

/* The whole record at `at`. The first data stay where they stand, later ones move up to them. */
static int open_one(struct tls_session *s, char *at, size_t need, struct opened *plain)
{
    char *to = plain->len > 0 ? plain->ptr + plain->len : at;
    struct slice text = SLICE_NONE;
    int err;
    if (s->path[TLS_IN] == TLS_PATH_LIBRARY) {
        size_t got = 0;
        err = tls_library_open(s, slice_make(at, need), to, (size_t)(at + need - to), &got);
        text = slice_make(to, got);
    } else {
        err = tls_user_open(s, at, need, &text);
    }
    if (err != 0 || text.len == 0) {
        return err;
    }
    if (plain->len == 0) {
        plain->ptr = at + (text.ptr - at);
    } else if (text.ptr != to) {
        memmove(to, text.ptr, text.len);
    }
    plain->len += text.len;
    return 0;
}

/* As many records as are whole. What stands before a bad one is delivered first. */
static int open_records(struct tls_session *s, char *bytes, size_t len, size_t *consumed,
                        struct opened *plain)
{
    while (true) {
        char *at = bytes + *consumed;
        size_t need = 0;
        int err;
        if (!is_whole(s, slice_make(at, len - *consumed), &need, &err)) {
            return 0;
        }
        if (err == 0) {
            err = open_one(s, at, need, plain);
        }
        if (err == ERR_CLOSED) {
            return err;
        }
        if (err != 0) {
            s->is_failing = true;
            return plain->len > 0 ? 0 : tls_raise(s);
        }
        *consumed += need;
    }
}

int tls_session_open(struct tls_session *s, char *bytes, size_t len, size_t *consumed,
                     struct slice *plain, struct buf *out)
{
    ASSERT(s->magic == TLS_SESSION_MAGIC);
    *consumed = 0;
    *plain = SLICE_NONE;
    if (s->state == TLS_STATE_PEER_CLOSED) {
        *consumed = len; /* RFC 8446 6.1: data after close_notify is ignored */
        return ERR_CLOSED;
    }
    if (s->state != TLS_STATE_OPEN) {
        return s->state == TLS_STATE_FAILED ? s->err : ERR_STATE;
    }
    ASSERT(s->path[TLS_IN] != TLS_PATH_KERNEL);
    s->out = out;
    struct opened opened = {bytes, 0};
    int err = s->is_failing ? tls_raise(s) : open_records(s, bytes, len, consumed, &opened);
    if (err == ERR_CLOSED) {
        tls_set_state(s, TLS_STATE_PEER_CLOSED);
        *consumed = len;
    } else if (err == 0 && out->failed) {
        err = tls_fail(s, ERR_NOMEM, "no room for answers to the peer");
    } else if (err != 0) {
        *consumed = len;
    }
    if (err == 0 || err == ERR_CLOSED) {
        *plain = slice_make(opened.ptr, opened.len);
    }
    s->out = NULL;
    return err;
}

/* Small records first: what the peer has of one is of no use to it before its end. */
static int seal_pieces(struct tls_session *s, struct slice plain)
{
    int err = 0;
    while (plain.len > 0 && err == 0) {
        size_t fresh = TLS_FRESH_BYTES - s->fresh_bytes;
        struct slice piece = fresh > 0 ? slice_to(plain, fresh) : plain;
        size_t record_bytes = fresh > 0 ? TLS_FRESH_RECORD_BYTES : RECORD_PLAIN_MAX;
        err = s->path[TLS_OUT] == TLS_PATH_LIBRARY
                  ? s->backend->write(s, piece, record_bytes)
                  : tls_user_seal(s, piece, record_bytes);
        s->fresh_bytes += fresh > 0 ? (uint32_t)piece.len : 0;
        plain = slice_from(plain, piece.len);
    }
    return err;
}

int tls_session_seal(struct tls_session *s, struct slice plain, struct buf *out)
{
    ASSERT(s->magic == TLS_SESSION_MAGIC);
    if (s->state == TLS_STATE_FAILED) {
        return s->err;
    }
    if (s->state == TLS_STATE_HANDSHAKE || s->is_said_bye) {
        return ERR_STATE;
    }
    ASSERT(s->path[TLS_OUT] != TLS_PATH_KERNEL);
    s->out = out;
    int err = s->path[TLS_OUT] == TLS_PATH_USER ? tls_say(s, 0) : 0;
    if (err == 0) {
        err = seal_pieces(s, plain);
    }
    if (err == 0 && out->failed) {
        err = ERR_NOMEM;
    }
    if (err != 0) {
        err = tls_fail(s, err, "data not writable: %s", err_text(err));
    }
    s->out = NULL;
    return err;
}

void tls_session_close(struct tls_session *s, struct buf *out)
{
    ASSERT(s->magic == TLS_SESSION_MAGIC);
    if (s->state == TLS_STATE_HANDSHAKE || s->state == TLS_STATE_FAILED || s->is_said_bye) {
        return;
    }
    s->out = out;
    if (s->path[TLS_OUT] == TLS_PATH_LIBRARY) {
        s->backend->close(s);
        s->is_said_bye = true;
    } else {
        int err = tls_say(s, TLS_SAY_CLOSE);
        if (err != 0) {
            (void)tls_fail(s, err, "close_notify not writable");
        }
    }
    s->out = NULL;
}

void tls_session_rest(struct tls_session *s)
{
    ASSERT(s->magic == TLS_SESSION_MAGIC);
    s->fresh_bytes = 0;
    for (uint32_t i = 0; i < TLS_DIRECTION_COUNT; i++) {
        record_rest(&s->sides[i]);
    }
}

const struct tls_error *tls_session_error(const struct tls_session *s)
{
    static const struct tls_error none;
    static const struct tls_error no_memory = {ERR_NOMEM, "no memory to say what went wrong"};
    return s->error ? s->error : s->err == 0 ? &none : &no_memory;
}

const struct tls_peer *tls_session_peer(const struct tls_session *s)
{
    return &s->peer;
}

enum tls_path tls_session_path(const struct tls_session *s, enum tls_direction direction)
{
    ASSERT(s->magic == TLS_SESSION_MAGIC && direction < TLS_DIRECTION_COUNT);
    return (enum tls_path)s->path[direction];
}
