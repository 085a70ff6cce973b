/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls_ends: two sessions after their handshake, made by hand, the wires between them, and what each
 * has said. An end's records are its own or a kernel's (played by the record engine, with the keys
 * that the session gives out). For tls_records_fuzz.c.                                         */
#ifndef FG_FUZZ_TLS_ENDS_H
#define FG_FUZZ_TLS_ENDS_H

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "tls/tls_int.h"

#define ENDS_BYTES_MAX ((size_t)1 << 20)
/* Of answers and control records that nobody asked for: more is a loop. */
#define ENDS_STEP_BYTES_MAX 4096u

struct tls_end {
    struct tls_session *s;
    struct record_side kernel[TLS_DIRECTION_COUNT];
    struct buf sent;  /* to the other end, not delivered yet */
    struct buf in;    /* delivered, not opened */
    struct buf said;  /* text */
    struct buf heard; /* text */
    bool is_kernel;
    bool can_rekey;   /* the kernel */
    bool is_bad;      /* something not from the session is on its way, or was */
    bool is_over;     /* an error came up */
    bool is_closed;   /* closed by itself */
};

struct tls_ends {
    struct tls_end end[2]; /* client, server */
    bool is_quick;         /* keys wear out after a few records */
    bool can_renew;
};

static inline struct tls_session *ends_session(const struct tls_ends *all, uint8_t choice,
                                               bool is_client)
{
    static const struct tls_backend *const backends[2] = {&tls_backend_wolfssl,
                                                          &tls_backend_mbedtls};
    bool is_tls13 = (choice & 1) != 0;
    struct tls_session *s = pool_zalloc(sizeof(*s));
    ASSERT(s);
    s->magic = TLS_SESSION_MAGIC;
    s->role = is_client ? TLS_ROLE_CLIENT : TLS_ROLE_SERVER;
    s->backend = backends[choice / 2 % 2];
    s->state = TLS_STATE_OPEN;
    control_init(&s->control, is_client, is_tls13);
    for (uint8_t i = 0; i < TLS_DIRECTION_COUNT; i++) {
        struct tls_keys keys = {.cipher = (uint8_t)(choice / 4 % TLS_CIPHER_COUNT)};
        bool is_to_server = is_client == (i == TLS_OUT);
        keys.version = is_tls13 ? TLS_VERSION_1_3 : TLS_VERSION_1_2;
        keys.secret_len = keys.cipher == TLS_CIPHER_AES_256_GCM ? 48 : 32;
        for (uint8_t j = 0; j < sizeof(keys.secret); j++) {
            keys.secret[j] = (unsigned char)(j + is_to_server * 3);
            keys.key[j % sizeof(keys.key)] = (unsigned char)(j * 7 + is_to_server);
            keys.iv[j % sizeof(keys.iv)] = (unsigned char)(j * 5 + is_to_server);
        }
        keys.secret_len = all->can_renew ? keys.secret_len : 0;
        s->path[i] = TLS_PATH_USER;
        record_side_init(&s->sides[i], s->backend->aead, &keys);
    }
    return s;
}

/* As an engine does after each call. */
static inline void ends_install(struct tls_end *e, enum tls_direction direction)
{
    const struct tls_keys *keys = tls_session_keys(e->s, direction);
    ASSERT(keys);
    record_side_deinit(&e->kernel[direction]);
    record_side_init(&e->kernel[direction], e->s->backend->aead, keys);
    tls_session_to_kernel(e->s, direction, e->can_rekey);
}

static inline void ends_flush(struct tls_end *e)
{
    struct tls_note note;
    if (!e->is_kernel) {
        return;
    }
    if (tls_session_wants_rekey(e->s, TLS_IN)) {
        ends_install(e, TLS_IN);
    }
    while (tls_session_note(e->s, &note)) {
        int err = record_seal(&e->kernel[TLS_OUT], note.type, slice_make(note.bytes, note.len),
                              RECORD_PLAIN_MAX, &e->sent);
        e->is_over = e->is_over || err != 0;
        if (note.type == RECORD_HANDSHAKE && tls_session_wants_rekey(e->s, TLS_OUT)) {
            ends_install(e, TLS_OUT);
        }
    }
}

static inline void ends_init(struct tls_ends *all, uint8_t choice, uint8_t more)
{
    *all = (struct tls_ends){.is_quick = (more & 4) != 0, .can_renew = (more & 8) != 0};
    record_limits.gcm_soft = all->is_quick ? 5 : (uint64_t)1 << 24;
    record_limits.gcm_hard = all->is_quick ? 40 : (uint64_t)23 * 1000 * 1000;
    for (uint8_t i = 0; i < 2; i++) {
        struct tls_end *e = &all->end[i];
        e->s = ends_session(all, choice, i == 0);
        e->is_kernel = (more >> i & 1) != 0;
        e->can_rekey = (more & 16) != 0;
        buf_init(&e->sent, ENDS_BYTES_MAX);
        buf_init(&e->in, ENDS_BYTES_MAX);
        buf_init(&e->said, ENDS_BYTES_MAX);
        buf_init(&e->heard, ENDS_BYTES_MAX);
        if (e->is_kernel) {
            ends_install(e, TLS_IN);
            ends_install(e, TLS_OUT);
        }
    }
}

static inline void ends_deinit(struct tls_ends *all)
{
    for (uint8_t i = 0; i < 2; i++) {
        struct tls_end *e = &all->end[i];
        tls_session_free(e->s);
        record_side_deinit(&e->kernel[TLS_IN]);
        record_side_deinit(&e->kernel[TLS_OUT]);
        buf_deinit(&e->sent);
        buf_deinit(&e->in);
        buf_deinit(&e->said);
        buf_deinit(&e->heard);
    }
    ASSERT(record_expanded_count() == 0);
    ASSERT(pool_used_bytes() == 0);
}

static inline void ends_say(struct tls_end *e, size_t len)
{
    static char text[4096];
    int err;
    if (e->is_over || e->is_closed || len == 0 || buf_room(&e->said) < len ||
        buf_room(&e->sent) < 4 * len + 100) {
        return;
    }
    ASSERT(len <= sizeof(text));
    for (size_t i = 0; i < len; i++) {
        text[i] = (char)(buf_len(&e->said) + i * 3);
    }
    if (e->is_kernel) {
        err = record_seal(&e->kernel[TLS_OUT], RECORD_APPLICATION_DATA, slice_make(text, len),
                          RECORD_PLAIN_MAX, &e->sent);
        if (err == 0) {
            tls_session_count(e->s, TLS_OUT, 1);
        }
    } else {
        err = tls_session_seal(e->s, slice_make(text, len), &e->sent);
    }
    e->is_over = err != 0; /* a part of it may have been sealed before */
    buf_append(&e->said, text, len);
    ends_flush(e);
}

/* A record that the session did not make, under its key. */
static inline void ends_forge(struct tls_end *e, uint8_t type, struct slice content)
{
    struct record_side *out = e->is_kernel ? &e->kernel[TLS_OUT] : &e->s->sides[TLS_OUT];
    if (content.len == 0 || buf_room(&e->sent) < ENDS_STEP_BYTES_MAX) {
        return;
    }
    e->is_bad = true;
    e->is_over = record_seal(out, type, content, RECORD_PLAIN_MAX, &e->sent) != 0 || e->is_over;
}

static inline void ends_tamper(struct tls_end *e, uint16_t x)
{
    if (buf_len(&e->sent) > 0) {
        e->sent.data[e->sent.head + x % buf_len(&e->sent)] ^= (char)(1 + x / 256);
        e->is_bad = true;
    }
}

/* One record by the kernel. */
static inline int ends_kernel_open(struct tls_end *e, size_t need)
{
    uint8_t type;
    uint8_t alert;
    struct slice content;
    int err = record_open(&e->kernel[TLS_IN], e->in.data + e->in.head, need, &type, &content,
                          &alert);
    if (err == 0 && type == RECORD_APPLICATION_DATA) {
        buf_put(&e->heard, content);
        tls_session_count(e->s, TLS_IN, 1);
    } else if (err == 0) {
        err = tls_session_control(e->s, type, content);
    }
    buf_consume(&e->in, need);
    ends_flush(e);
    return err;
}

static inline int ends_open(struct tls_end *e)
{
    int err = 0;
    if (!e->is_kernel) {
        size_t consumed;
        struct slice plain;
        err = tls_session_open(e->s, e->in.data + e->in.head, buf_len(&e->in), &consumed, &plain,
                               &e->sent);
        ASSERT(consumed <= buf_len(&e->in));
        ASSERT(err == 0 || err == ERR_CLOSED || plain.len == 0);
        buf_put(&e->heard, plain);
        buf_consume(&e->in, consumed);
        return err;
    }
    while (err == 0) {
        size_t need;
        uint8_t alert;
        err = record_need(&e->kernel[TLS_IN], buf_slice(&e->in), &need, &alert);
        if (err != 0 || need == 0 || need > buf_len(&e->in)) {
            break;
        }
        err = ends_kernel_open(e, need);
    }
    return err;
}

/* Keys that wear out can be changed by this end. */
static inline bool ends_can_renew(const struct tls_end *e)
{
    const struct tls_keys *keys = &e->s->sides[TLS_OUT].keys;
    return keys->version == TLS_VERSION_1_3 && keys->secret_len > 0 &&
           (!e->is_kernel || e->can_rekey);
}

/* len bytes of the wire arrive at the other end. */
static inline void ends_deliver(struct tls_ends *all, uint8_t from, size_t len)
{
    struct tls_end *a = &all->end[from];
    struct tls_end *b = &all->end[!from];
    struct slice bytes = slice_to(buf_slice(&a->sent), len);
    if (b->is_over || buf_room(&b->sent) < 2 * ENDS_STEP_BYTES_MAX) {
        return;
    }
    buf_put(&b->in, bytes);
    buf_consume(&a->sent, bytes.len);
    size_t before = buf_len(&b->sent);
    int err = buf_len(&b->in) > 0 ? ends_open(b) : 0;
    ASSERT(buf_len(&b->sent) - before <= ENDS_STEP_BYTES_MAX);
    ASSERT(!b->heard.failed && !b->in.failed && !b->sent.failed);
    ASSERT(slice_starts(buf_slice(&a->said), buf_slice(&b->heard)));
    if (err == ERR_CLOSED) {
        ASSERT(a->is_closed || a->is_bad || a->is_over);
        buf_clear(&b->in);
    }
    /* Among themselves sessions end in order, unless keys wear out that cannot be renewed. */
    bool can_end = a->is_bad || b->is_bad ||
                   (all->is_quick && !(ends_can_renew(a) && ends_can_renew(b)));
    ASSERT(err == 0 || err == ERR_CLOSED || can_end);
    b->is_over = b->is_over || err != 0;
}

static inline void ends_close(struct tls_end *e)
{
    if (!e->is_over) {
        e->is_closed = true;
        tls_session_close(e->s, &e->sent);
        ends_flush(e);
    }
}

static inline void ends_rest(struct tls_end *e)
{
    tls_session_rest(e->s);
    record_rest(&e->kernel[TLS_IN]);
    record_rest(&e->kernel[TLS_OUT]);
}

/* All that was said arrives when nothing went wrong. */
static inline void ends_check(struct tls_ends *all)
{
    for (int turn = 0; turn < 4; turn++) {
        ends_deliver(all, (uint8_t)(turn & 1), SIZE_MAX);
    }
    for (uint8_t i = 0; i < 2; i++) {
        struct tls_end *a = &all->end[i];
        struct tls_end *b = &all->end[!i];
        if (!a->is_bad && !b->is_bad && !a->is_over && !b->is_over) {
            ASSERT(slice_eq(buf_slice(&a->said), buf_slice(&b->heard)));
            ASSERT(all->is_quick || !tls_session_is_worn(a->s));
        }
    }
}

#endif
