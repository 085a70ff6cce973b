/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn_ktls: the kernel takes over the records of a live connection, one direction at a time, at a
 * record's border. Output: when nothing is on its way. Input afterwards, of an incoming connection
 * once it is authenticated (the kernel swallows empty records without a word or a bound): receiving
 * is stopped, a record that is here in part is fetched to its last byte and opened by the session,
 * then the kernel goes on. From then on plain bytes are sent and received; what is no application
 * data comes and goes as control records. What the kernel refuses stays where it is, or ends the
 * connection: as the owner said (enum conn_ktls). */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "engine/conn_int.h"
#include "io/ktls.h"
#include "tls/alert.h"
#include "tls/record.h"

#define ALERT_BYTES 2u
/* A record's rest is fetched in steps: a header alone must not cost us its record's memory. */
#define FETCH_BYTES_MAX ((size_t)4096)

static const enum ktls_cipher kernel_cipher[TLS_CIPHER_COUNT] = {
    [TLS_CIPHER_AES_128_GCM] = KTLS_AES_128_GCM,
    [TLS_CIPHER_AES_256_GCM] = KTLS_AES_256_GCM,
    [TLS_CIPHER_CHACHA20_POLY1305] = KTLS_CHACHA20_POLY1305,
};

static const struct ktls_caps *caps_of(const struct conn *c)
{
    return c->sh->engine->params.ktls;
}

void conn_ktls_begin(struct conn *c, enum conn_ktls mode)
{
    const struct ktls_caps *caps = caps_of(c);
    bool is_wanted =
        mode == CONN_KTLS_REQUIRE || (mode == CONN_KTLS_AUTO && caps && caps->is_there);

    c->ktls.is_required = mode == CONN_KTLS_REQUIRE;
    c->ktls.in = c->ktls.out = is_wanted ? CONN_KERNEL_DUE : CONN_KERNEL_NO;
}

void conn_ktls_deinit(struct conn *c)
{
    pool_free(c->ktls.fetch);
    pool_free(c->ktls.note);
    c->ktls.fetch = NULL;
    c->ktls.note = NULL;
}

/* --- the switch --- */

static void refused(struct conn *c, const char *why)
{
    stat_add(&c->sh->stats.tls_kernel_refused, 1);
    if (c->ktls.out != CONN_KERNEL_ON) {
        c->ktls.out = CONN_KERNEL_NO;
    }
    c->ktls.in = CONN_KERNEL_NO;
    if (c->ktls.is_required) {
        conn_close_with(c, ERR_TLS_KERNEL, why, CONN_LINGER_MS);
    }
}

static bool is_offered(const struct conn *c, const struct tls_keys *keys)
{
    return caps_of(c)->ciphers[keys->version == TLS_VERSION_1_3][kernel_cipher[keys->cipher]];
}

/* Gives the kernel a direction's keys. */
static int install(struct conn *c, enum tls_direction direction)
{
    struct io *io = c->sh->io;
    const struct tls_keys *keys = tls_session_keys(c->session, direction);
    struct ktls_keys given = {.is_tls13 = keys->version == TLS_VERSION_1_3,
                              .cipher = kernel_cipher[keys->cipher],
                              .key = keys->key,
                              .iv = keys->iv,
                              .seq = keys->seq};
    int err = 0;

    if (!c->ktls.is_attached) {
        err = io->vt->ktls_attach(io, c->fd);
        c->ktls.is_attached = err == 0;
    }
    if (err == 0) {
        err = io->vt->ktls_set(io, c->fd, direction == TLS_OUT, &given);
    }
    if (err == 0) {
        tls_session_to_kernel(c->session, direction, caps_of(c)->can_rekey);
    }
    return err;
}

/* True when the kernel has taken them. */
static bool give(struct conn *c, enum tls_direction direction)
{
    int err = install(c, direction);

    if (err == 0) {
        return true;
    }
    LOG_W(tls_kernel_refused, "peer=%s direction=%s err=%s", conn_peer_text(c),
          direction == TLS_OUT ? "out" : "in", err_name(err));
    refused(c, direction == TLS_OUT
                   ? "tls.ktls is \"require\", but the kernel refused the keys of the output"
                   : "tls.ktls is \"require\", but the kernel refused the keys of the input");
    return false;
}

static void switch_out(struct conn *c)
{
    const struct tls_keys *keys = tls_session_keys(c->session, TLS_OUT);

    if (!keys || (c->in_flight & CONN_OP_SEND) || buf_len(&c->flying) || buf_len(&c->pending)) {
        return;
    }
    if (!is_offered(c, keys)) {
        refused(c, "tls.ktls is \"require\", but this kernel lacks the cipher of this connection");
    } else if (give(c, TLS_OUT)) {
        c->ktls.out = CONN_KERNEL_ON;
        stat_add(&c->sh->stats.tls_kernel_out, 1);
    }
}

bool conn_ktls_is_border_due(const struct conn *c)
{
    return c->ktls.in == CONN_KERNEL_DUE && c->ktls.out == CONN_KERNEL_ON &&
           c->state == CONN_ST_OPEN && !c->is_stranger && !c->is_input_ended && !c->is_tls_ended &&
           tls_session_keys(c->session, TLS_IN);
}

/* The rest of the record that has come in part, and nothing behind it. */
static void fetch(struct conn *c)
{
    struct io *io = c->sh->io;
    size_t have = buf_len(&c->in_raw);
    size_t need = tls_session_record_bytes(c->session, buf_slice(&c->in_raw));
    size_t len;

    if (need == 0 && have < RECORD_HEADER_BYTES) {
        need = RECORD_HEADER_BYTES;
    }
    if (need <= have) {
        return; /* to be opened first: the owner pauses */
    }
    len = need - have < FETCH_BYTES_MAX ? need - have : FETCH_BYTES_MAX;
    c->ktls.fetch = pool_alloc(len);
    if (!c->ktls.fetch) {
        conn_abort(c, ERR_NOMEM, "no memory for a record");
        return;
    }
    if (io->vt->recv_once(io, c->fd, c->ktls.fetch, len,
                          (struct io_tag){IO_OP_RECV, c->slot, c->generation})) {
        pool_free(c->ktls.fetch);
        c->ktls.fetch = NULL;
        conn_mark_dirty(c);
        return;
    }
    c->in_flight |= CONN_OP_RECV;
}

static void switch_in(struct conn *c)
{
    if (!conn_ktls_is_border_due(c) || (c->in_flight & CONN_OP_RECV)) {
        return;
    }
    if (buf_len(&c->in_raw)) {
        fetch(c);
    } else if (give(c, TLS_IN)) {
        c->ktls.in = CONN_KERNEL_ON;
        stat_add(&c->sh->stats.tls_kernel_in, 1);
    }
}

void conn_ktls_drive(struct conn *c)
{
    if (!c->is_secured) {
        return;
    }
    if (c->ktls.out == CONN_KERNEL_DUE && !(caps_of(c) && caps_of(c)->is_there)) {
        refused(c, "tls.ktls is \"require\", but this kernel has no TLS");
    }
    if (c->state == CONN_ST_OPEN && c->ktls.out == CONN_KERNEL_DUE) {
        switch_out(c);
    }
    if (c->state == CONN_ST_OPEN && c->ktls.in == CONN_KERNEL_DUE) {
        switch_in(c);
    }
}

/* --- output: control records between sends --- */

/* Makes the next control record if there is one to be sent. */
static bool take_note(struct conn *c)
{
    struct tls_note note;

    if (c->ktls.note) {
        return true; /* was cancelled */
    }
    if (c->ktls.alert) {
        note = (struct tls_note){
            RECORD_ALERT, ALERT_BYTES, {TLS_ALERT_FATAL, (char)c->ktls.alert}};
        c->ktls.alert = 0;
    } else if (!tls_session_note(c->session, &note)) {
        return false;
    }
    c->ktls.note = pool_alloc(sizeof(*c->ktls.note));
    if (!c->ktls.note) {
        conn_abort(c, ERR_NOMEM, "no memory for a control record");
        return false;
    }
    c->ktls.note->type = note.type;
    c->ktls.note->len = note.len;
    memcpy(c->ktls.note->bytes, note.bytes, note.len);
    return true;
}

bool conn_ktls_send_note(struct conn *c)
{
    struct io *io = c->sh->io;

    _Static_assert(sizeof(((struct tls_note *)0)->bytes) <= IO_RECORD_BYTES_MAX, "fits");
    ASSERT(c->ktls.out == CONN_KERNEL_ON && buf_len(&c->flying) == 0);
    if (c->ktls.is_update_sent && tls_session_wants_rekey(c->session, TLS_OUT) &&
        install(c, TLS_OUT)) {
        conn_abort(c, ERR_TLS_REKEY, "the kernel refused new keys of the output");
        return false;
    }
    c->ktls.is_update_sent = false;
    if (!take_note(c)) {
        return false;
    }
    if (io->vt->send_record(io, c->fd, c->ktls.note,
                            (struct io_tag){IO_OP_SEND, c->slot, c->generation})) {
        conn_mark_dirty(c);
        return true;
    }
    c->ktls.is_note_flying = true;
    c->in_flight |= CONN_OP_SEND;
    stat_add(&c->sh->stats.sends, 1);
    return true;
}

bool conn_ktls_note_sent(struct conn *c, const struct io_event *ev)
{
    if (!c->ktls.is_note_flying) {
        return false;
    }
    c->ktls.is_note_flying = false;
    if (ev->result == c->ktls.note->len) {
        c->ktls.is_update_sent = c->ktls.note->type == RECORD_HANDSHAKE;
        pool_free(c->ktls.note);
        c->ktls.note = NULL;
    } else if (ev->result != -ECANCELED && ev->result != -EINTR && ev->result != -EAGAIN &&
               c->state != CONN_ST_MOVING) {
        conn_end(c, ev->result < 0 ? ev->result : -EPIPE,
                 err_text(ev->result < 0 ? ev->result : -EPIPE));
    }
    return true;
}

/* Records of so many bytes, at least. Exact enough for what we send (a send is cut into full ones
 * and a rest). The kernel joins what it opens: a peer who sends small records is counted too low,
 * and the limit of his key is his to keep. */
static uint64_t records_of(size_t len)
{
    return (len + RECORD_PLAIN_MAX - 1) / RECORD_PLAIN_MAX;
}

bool conn_ktls_count(struct conn *c, enum tls_direction direction, size_t len)
{
    int err = 0;

    if ((direction == TLS_OUT ? c->ktls.out : c->ktls.in) == CONN_KERNEL_ON) {
        err = tls_session_count(c->session, direction, records_of(len));
    }
    if (c->state == CONN_ST_OPEN && err == ERR_TLS_WORN) {
        conn_close_with(c, err, "a TLS key was used for as much as is allowed", CONN_LINGER_MS);
    } else if (c->state == CONN_ST_OPEN && err) {
        conn_tls_fail(c, err);
    }
    return err == 0;
}

/* --- input: control records, and what the kernel could not open --- */

static void rekey_in(struct conn *c)
{
    if (install(c, TLS_IN)) {
        conn_tls_deaf(c, ERR_TLS_REKEY, "the kernel refused new keys of the input");
    } else {
        stat_add(&c->sh->stats.tls_rekeys, 1);
    }
}

static void control(struct conn *c, uint8_t type, struct slice content)
{
    int err = tls_session_control(c->session, type, content);

    conn_mark_dirty(c); /* perhaps there is an answer */
    if (err == ERR_CLOSED) {
        c->is_tls_ended = true;
        conn_want_input(c);
    } else if (err == ERR_TLS_REKEY) {
        conn_tls_deaf(c, err, err_text(err));
    } else if (err) {
        conn_tls_fail(c, err);
    } else if (tls_session_wants_rekey(c->session, TLS_IN)) {
        rekey_in(c);
    }
}

/* It cannot be gone on behind it: the peer is told why, if it still can be. */
static void broken(struct conn *c, int result)
{
    c->is_deaf = true;
    if (c->state != CONN_ST_OPEN) {
        return; /* nobody listens any more */
    }
    c->ktls.alert = result == -EBADMSG    ? TLS_ALERT_BAD_RECORD_MAC
                    : result == -EMSGSIZE ? TLS_ALERT_RECORD_OVERFLOW
                                          : TLS_ALERT_PROTOCOL_VERSION;
    c->is_tls_closed = true;
    conn_close_with(c, ERR_TLS_RECORD,
                    result == -EBADMSG ? "a record's protection is wrong (the kernel found)"
                                       : "what came is no record (the kernel found)",
                    CONN_LINGER_MS);
}

static void control_read(struct conn *c)
{
    struct io *io = c->sh->io;
    char *bytes = pool_alloc(RECORD_PLAIN_MAX);
    uint8_t type = 0;
    int len;

    if (!bytes) {
        conn_abort(c, ERR_NOMEM, "no memory for a control record");
        return;
    }
    len = io->vt->ktls_recv(io, c->fd, &type, bytes, RECORD_PLAIN_MAX);
    if (len == -EBADMSG || len == -EMSGSIZE || len == -EINVAL) {
        broken(c, len);
    } else if (len < 0) {
        conn_end(c, len, err_text(len));
    } else if (type == RECORD_APPLICATION_DATA || type == 0) {
        /* It stood at the head as something else a moment ago. */
        conn_abort(c, ERR_TLS_RECORD, "the kernel's control record is none");
    } else if (c->state == CONN_ST_OPEN && !c->is_tls_ended) {
        control(c, type, slice_make(bytes, (size_t)len));
    }
    pool_free_wiped(bytes);
}

bool conn_ktls_received(struct conn *c, int result)
{
    if (c->ktls.in != CONN_KERNEL_ON || result >= 0) {
        return false;
    }
    if (c->state == CONN_ST_MOVING && (result == -EIO || result == -EBADMSG ||
                                       result == -EMSGSIZE || result == -EINVAL)) {
        return true; /* comes again where it arrives */
    }
    if (result == -EIO) {
        control_read(c);
        return true;
    }
    if (result == -EBADMSG || result == -EMSGSIZE || result == -EINVAL) {
        broken(c, result);
        return true;
    }
    return false;
}

const char *conn_record_path(const struct conn *c)
{
    bool is_in;
    bool is_out;

    conn_check(c);
    if (!c->is_secured) {
        return "plain";
    }
    is_in = tls_session_path(c->session, TLS_IN) == TLS_PATH_KERNEL;
    is_out = tls_session_path(c->session, TLS_OUT) == TLS_PATH_KERNEL;
    if (is_in && is_out) {
        return "kernel";
    }
    if (is_out || is_in) {
        return is_out ? "kernel-out" : "kernel-in";
    }
    return tls_path_name(tls_session_path(c->session, TLS_OUT));
}
