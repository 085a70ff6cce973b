/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shake: a session as long as the library is part of it: the handshake, the hand-over of its keys,
 * and the records that it may have to open and seal in between. */
#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "tls/tls_int.h"

static void header_seen(struct tls_framing *f)
{
    uint8_t type = f->header[0];
    f->body_left = (uint32_t)(f->header[3] << 8 | f->header[4]);
    if (!f->saw_record) {
        f->is_not_tls = type < 20 || type > 24 || f->header[1] != 3;
        f->saw_record = true;
    }
    f->saw_protected = f->saw_protected || type == RECORD_CHANGE_CIPHER_SPEC ||
                       type == RECORD_APPLICATION_DATA;
    bool is_part = type == RECORD_HANDSHAKE || type == RECORD_APPLICATION_DATA;
    f->quiet_count = is_part && f->body_left > 0 ? 0 : f->quiet_count + 1;
}

/* Follows record borders; hello: of the peer, NULL = it is our side's. */
static void framing_feed(struct tls_framing *f, struct hello *hello, const unsigned char *bytes,
                         size_t len)
{
    while (len > 0) {
        if (f->body_left > 0) {
            uint32_t take = len < f->body_left ? (uint32_t)len : f->body_left;
            if (hello && f->header[0] == RECORD_HANDSHAKE) {
                hello_feed(hello, bytes, take);
            }
            f->body_left -= take;
            bytes += take;
            len -= take;
        } else {
            f->header[f->header_have++] = *bytes++;
            len--;
            if (f->header_have < sizeof(f->header)) {
                continue;
            }
            header_seen(f);
        }
        if (f->header_have == sizeof(f->header) && f->body_left == 0) {
            f->header_have = 0;
        }
    }
}

size_t tls_wire_read(struct tls_session *s, void *dst, size_t room)
{
    struct tls_shake *k = s->shake;
    size_t len = k->in.len - k->in_used;
    if (len > room) {
        len = room;
    }
    if (k->is_flooded && s->state == TLS_STATE_HANDSHAKE) {
        return 0;
    }
    if (len > 0) {
        memcpy(dst, k->in.ptr + k->in_used, len);
        framing_feed(&k->framing, &k->hello, dst, len);
        k->in_used += len;
        k->in_bytes += len;
        k->is_flooded = k->in_bytes > TLS_SHAKE_BYTES_MAX ||
                        k->framing.quiet_count > TLS_SHAKE_QUIET_MAX;
    }
    return len;
}

bool tls_wire_write(struct tls_session *s, const void *bytes, size_t len)
{
    if (!s->out) {
        return false;
    }
    framing_feed(&s->shake->out_framing, NULL, bytes, len);
    buf_append(s->out, bytes, len);
    return !s->out->failed;
}

void tls_shake_drop_resumed(struct tls_shake *k)
{
    if (k->resumed) {
        resume_identity_deinit(k->resumed);
        pool_free(k->resumed);
        k->resumed = NULL;
    }
}

void tls_shake_free(struct tls_session *s)
{
    struct tls_shake *k = s->shake;
    if (k) {
        s->backend->session_free(s);
        tls_shake_drop_resumed(k);
        hello_deinit(&k->hello);
        s->shake = NULL;
        pool_free_wiped(k);
    }
    tls_context_unref(s->ctx);
    s->ctx = NULL;
}

/* --- the keys change hands --- */

/* The secret that the library gave out leads to the keys that it uses, perhaps some generations
 * later: the library follows KeyUpdates while it has the keys, and tells nobody. */
static int match_secret(const struct tls_session *s, struct tls_keys *keys)
{
    struct record_side side;
    struct tls_keys first = *keys;
    const struct tls_aead_ops *aead = s->backend->aead;
    int err = record_keys_from_secret(aead, &first);
    bool matches = false;
    record_side_init(&side, aead, &first);
    for (uint32_t i = 0; i <= TLS_LIBRARY_QUIET_MAX && err == 0 && !matches; i++) {
        matches = memcmp(side.keys.key, keys->key, sizeof(keys->key)) == 0 &&
                  memcmp(side.keys.iv, keys->iv, sizeof(keys->iv)) == 0;
        if (!matches) {
            err = record_update(&side);
        }
    }
    memcpy(keys->secret, side.keys.secret, sizeof(keys->secret));
    record_side_deinit(&side);
    tls_keys_wipe(&first);
    return err == 0 && !matches ? ERR_TLS_HANDSHAKE : err;
}

static int check_secrets(struct tls_session *s, struct tls_keys keys[TLS_DIRECTION_COUNT])
{
    bool wanted = s->backend->has_secrets && keys[TLS_IN].version == TLS_VERSION_1_3;
    for (uint32_t i = 0; i < TLS_DIRECTION_COUNT && wanted; i++) {
        uint8_t len = keys[i].cipher == TLS_CIPHER_AES_256_GCM ? 48 : 32;
        int err = keys[i].secret_len == len ? match_secret(s, &keys[i]) : ERR_TLS_HANDSHAKE;
        if (err != 0) {
            return tls_note_error(s, err, "%s gave out traffic secrets that do not fit its keys",
                                  s->backend->name);
        }
    }
    return 0;
}

static int take(struct tls_session *s, struct tls_keys keys[TLS_DIRECTION_COUNT])
{
    const struct tls_framing *f = &s->shake->framing;
    if (f->header_have > 0 || f->body_left > 0) {
        return tls_note_error(s, ERR_TLS_HANDSHAKE,
                              "%s has read a part of a record beyond the handshake",
                              s->backend->name);
    }
    int err = s->backend->take_keys(s, keys);
    return err == 0 ? check_secrets(s, keys) : err;
}

int tls_hand_over(struct tls_session *s)
{
    struct tls_keys keys[TLS_DIRECTION_COUNT] = {{0}, {0}};
    int err = take(s, keys);
    if (err == 0 && s->shake->may_resume) {
        s->backend->keep(s);
    }
    if (err == 0) {
        control_init(&s->control, s->role == TLS_ROLE_CLIENT,
                     keys[TLS_IN].version == TLS_VERSION_1_3);
        for (uint32_t i = 0; i < TLS_DIRECTION_COUNT; i++) {
            record_side_init(&s->sides[i], s->backend->aead, &keys[i]);
            s->path[i] = TLS_PATH_USER;
        }
        tls_shake_free(s);
    }
    for (uint32_t i = 0; i < TLS_DIRECTION_COUNT; i++) {
        tls_keys_wipe(&keys[i]);
    }
    return err;
}

/* --- the handshake --- */

/* What the library accepts or leaves without an answer, we do not: the peer is told. */
static void refuse(struct tls_session *s, enum tls_alert what)
{
    const char alert[] = {TLS_ALERT_FATAL, (char)what};
    struct tls_keys keys[TLS_DIRECTION_COUNT] = {{0}, {0}};
    if (s->backend->take_keys(s, keys) == 0) {
        struct record_side side;
        record_side_init(&side, s->backend->aead, &keys[TLS_OUT]);
        int err = record_seal(&side, RECORD_ALERT, slice_make(alert, sizeof(alert)),
                              RECORD_PLAIN_MAX, s->out);
        (void)err; /* without memory the end must do */
        record_side_deinit(&side);
    }
    for (uint32_t i = 0; i < TLS_DIRECTION_COUNT; i++) {
        tls_keys_wipe(&keys[i]);
    }
}

/* A session is continued with the identity of its peer, or not at all; in TLS 1.2 with an extended
 * master secret only (RFC 7627 5.3, 5.4), in TLS 1.3 with Diffie-Hellman only. */
static int settle_resumption(struct tls_session *s)
{
    struct tls_shake *k = s->shake;
    bool is_resumed = s->backend->is_resumed(s);
    bool is_tls13 = strcmp(s->peer.version, "TLSv1.3") == 0;
    bool is_bound = is_tls13 ? hello_is_forward_secret(&k->hello) : k->has_ems;
    if (is_resumed && (!k->resumed || !is_bound || !resume_identity_fits(k->resumed, s))) {
        return tls_note_error(s, ERR_TLS_HANDSHAKE,
                              "%s continued a session that may not be continued",
                              s->backend->name);
    }
    if (!is_tls13 && !is_bound && s->ctx->resume) {
        resume_revoke(s);
    }
    k->is_resumed = is_resumed;
    return 0;
}

static int finish(struct tls_session *s)
{
    const struct tls_suite *suite = tls_suite_find(s->backend->describe(s));
    if (!suite) {
        return tls_note_error(s, ERR_TLS_HANDSHAKE, "%s agreed on a suite that was not offered",
                              s->backend->name);
    }
    s->peer.cipher = suite->name;
    int err = settle_resumption(s);
    if (err != 0) {
        return err;
    }
    err = tls_peer_finish(s);
    if (err != 0) {
        return tls_note_error(s, err, "no memory for what the peer has shown");
    }
    tls_set_state(s, TLS_STATE_OPEN);
    bool may_wait = s->shake->may_resume &&
                    strcmp(s->peer.version, "TLSv1.3") == 0;
    return may_wait ? 0 : tls_hand_over(s);
}

/* Without end it would keep us busy; the library's part of it is over. */
static void refuse_flood(struct tls_session *s)
{
    static const char alert[] = {RECORD_ALERT, 3, 3, 0, TLS_ALERT_BYTES, TLS_ALERT_FATAL,
                                 TLS_ALERT_UNEXPECTED_MESSAGE};
    (void)tls_note_error(s, ERR_TLS_HANDSHAKE,
                         "the peer sends more than a handshake takes, or what is no part of it");
    if (!s->shake->out_framing.saw_protected) { /* else it would not be read in the clear */
        buf_append(s->out, alert, sizeof(alert));
    }
}

enum tls_step tls_shake(struct tls_session *s, struct slice in, size_t *consumed)
{
    struct tls_shake *k = s->shake;
    enum tls_step step = TLS_STEP_BAD;
    k->in = in;
    k->in_used = 0;
    if (k->version_min > s->backend->version_max) {
        (void)tls_note_error(s, ERR_TLS_CONFIG,
                             "TLS 1.3 is demanded here, and %s does not know it: use the backend "
                             "wolfssl",
                             s->backend->name);
    } else {
        step = s->backend->handshake(s);
    }
    if (k->is_flooded && step == TLS_STEP_MORE) {
        refuse_flood(s);
        step = TLS_STEP_BAD;
    }
    *consumed = k->in_used;
    k->in = SLICE_NONE;
    if (s->out->failed && step != TLS_STEP_BAD) {
        (void)tls_note_error(s, ERR_NOMEM, "no room for the handshake's output");
        step = TLS_STEP_BAD;
    }
    if (step == TLS_STEP_DONE && finish(s) != 0) {
        refuse(s, TLS_ALERT_HANDSHAKE_FAILURE);
        step = TLS_STEP_BAD;
    }
    if (step == TLS_STEP_BAD) {
        (void)tls_fail(s, ERR_TLS_HANDSHAKE, "handshake failed");
        tls_shake_free(s);
    }
    return step;
}

/* --- records --- */

size_t tls_library_record_bytes(struct slice in, bool *is_possible)
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

/* The library reads the record into its own memory before it writes plaintext. */
static int read_record(struct tls_session *s, char *plain, size_t room, size_t *got)
{
    struct tls_shake *k = s->shake;
    while (true) {
        size_t used_before = k->in_used;
        int len = s->backend->read(s, plain + *got, room - *got);
        if (len < 0) {
            return len;
        }
        ASSERT((size_t)len <= room - *got);
        *got += (size_t)len;
        if (len == 0 && k->in_used == k->in.len) {
            return 0;
        }
        if (*got == room || (len == 0 && k->in_used == used_before)) {
            return tls_note_error(s, ERR_TLS_RECORD, "%s did not use up a record",
                                  s->backend->name);
        }
    }
}

int tls_library_open(struct tls_session *s, struct slice record, char *plain, size_t room,
                     size_t *plain_len)
{
    struct tls_shake *k = s->shake;
    bool is_possible;
    (void)tls_library_record_bytes(record, &is_possible);
    *plain_len = 0;
    if (!is_possible) {
        int bad = tls_note_error(s, ERR_TLS_RECORD, "what came is no record, or too long");
        refuse(s, TLS_ALERT_UNEXPECTED_MESSAGE);
        return bad;
    }
    size_t said = buf_len(s->out);
    k->in = record;
    k->in_used = 0;
    int err = read_record(s, plain, room, plain_len);
    k->in = SLICE_NONE;
    if (err == ERR_CLOSED) {
        return err;
    }
    if (err != 0) {
        err = tls_note_error(s, err, "record not readable");
        if (err != ERR_TLS_ALERT && buf_len(s->out) == said) {
            refuse(s, TLS_ALERT_UNEXPECTED_MESSAGE);
        }
        return err;
    }
    k->quiet_count++;
    if (*plain_len > 0 || k->quiet_count >= TLS_LIBRARY_QUIET_MAX) {
        return tls_hand_over(s);
    }
    return 0;
}
