/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose_wire: a connection as the engine's, for one and with poll(): bytes, or TLS over them. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "ctl/diagnose.h"

#define READ_BYTES ((size_t)16 << 10)
/* A record and what was read behind it. */
#define IN_BYTES_MAX  ((size_t)64 << 10)
#define OUT_BYTES_MAX ((size_t)256 << 10)

void diagnose_wire_init(struct diagnose_wire *w, int fd)
{
    *w = (struct diagnose_wire){.fd = fd};
    buf_init(&w->in, IN_BYTES_MAX);
    buf_init(&w->sent, OUT_BYTES_MAX);
    buf_init(&w->out, OUT_BYTES_MAX);
}

void diagnose_wire_deinit(struct diagnose_wire *w)
{
    tls_session_free(w->tls);
    buf_deinit(&w->in);
    buf_deinit(&w->sent);
    buf_deinit(&w->out);
    (void)close(w->fd);
}

static enum diagnose_wire_event ended(struct diagnose_wire *w, int err, const char *why)
{
    if (!w->err) {
        w->err = err;
        (void)snprintf(w->why, sizeof(w->why), "%s", why);
    }
    return DIAGNOSE_WIRE_ENDED;
}

static enum diagnose_wire_event tls_ended(struct diagnose_wire *w, int err)
{
    const struct tls_error *error = tls_session_error(w->tls);

    return ended(w, error && error->err ? error->err : err,
                 error && error->text[0] ? error->text : err_text(err));
}

int diagnose_wire_start_tls(struct diagnose_wire *w, struct tls_context *ctx,
                            const struct tls_session_params *params)
{
    int err;

    if (buf_len(&w->in) > 0) {
        return ERR_STATE; /* whose bytes those are cannot be told */
    }
    buf_put(&w->sent, buf_slice(&w->out));
    buf_clear(&w->out);
    err = tls_session_new(&w->tls, ctx, params);
    w->is_shaking = err == 0;
    return err;
}

/* ---- what came ---- */

static enum diagnose_wire_event shake(struct diagnose_wire *w)
{
    size_t used = 0;
    enum tls_step step = tls_session_handshake(w->tls, buf_slice(&w->in), &used, &w->sent);

    buf_consume(&w->in, used);
    if (step == TLS_STEP_MORE) {
        return DIAGNOSE_WIRE_MORE;
    }
    w->is_shaking = false;
    if (step == TLS_STEP_BAD) {
        return tls_ended(w, ERR_TLS_HANDSHAKE);
    }
    w->is_secured = true;
    return DIAGNOSE_WIRE_SECURED;
}

static enum diagnose_wire_event open_records(struct diagnose_wire *w, struct slice *plain)
{
    struct slice all = buf_slice(&w->in);
    size_t used = 0;
    int err = tls_session_open(w->tls, w->in.data + w->in.head, all.len, &used, plain, &w->sent);

    /* plain lies in what is consumed: nothing is appended to in before it was taken. */
    buf_consume(&w->in, used);
    if (plain->len > 0) {
        w->err_behind = err; /* the data comes first */
        return DIAGNOSE_WIRE_DATA;
    }
    if (err == ERR_CLOSED) {
        return ended(w, ERR_CLOSED, "closed by the peer (TLS close_notify)");
    }
    return err ? tls_ended(w, err) : DIAGNOSE_WIRE_MORE;
}

static enum diagnose_wire_event look(struct diagnose_wire *w, struct slice *plain)
{
    if (w->is_shaking) {
        return shake(w);
    }
    if (w->err_behind) {
        return w->err_behind == ERR_CLOSED ? ended(w, ERR_CLOSED, "closed by the peer")
                                           : tls_ended(w, w->err_behind);
    }
    if (buf_len(&w->in) == 0) {
        return DIAGNOSE_WIRE_MORE;
    }
    if (w->is_secured) {
        return open_records(w, plain);
    }
    *plain = buf_slice(&w->in);
    return DIAGNOSE_WIRE_DATA;
}

void diagnose_wire_took(struct diagnose_wire *w, size_t bytes)
{
    if (!w->is_secured) {
        buf_consume(&w->in, bytes);
    }
}

/* ---- sockets ---- */

static enum diagnose_wire_event receive(struct diagnose_wire *w)
{
    char *to = buf_reserve(&w->in, READ_BYTES);
    ssize_t got = to ? recv(w->fd, to, READ_BYTES, 0) : 0;

    if (!to) {
        return ended(w, ERR_LIMIT, "more than a record without an end");
    }
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR ? DIAGNOSE_WIRE_MORE
                                                 : ended(w, -errno, err_text(-errno));
    }
    if (got == 0) {
        return ended(w, ERR_CLOSED,
                     w->is_secured ? "closed by the peer, without close_notify"
                                   : "closed by the peer");
    }
    buf_commit(&w->in, (size_t)got);
    return DIAGNOSE_WIRE_MORE;
}

static enum diagnose_wire_event send_all(struct diagnose_wire *w)
{
    if (buf_len(&w->out) > 0 && !w->is_shaking) {
        if (!w->is_secured) {
            buf_put(&w->sent, buf_slice(&w->out));
        } else if (tls_session_seal(w->tls, buf_slice(&w->out), &w->sent) != 0) {
            return tls_ended(w, ERR_TLS_RECORD);
        }
        buf_clear(&w->out);
    }
    if (w->sent.failed || w->out.failed) {
        return ended(w, ERR_LIMIT, "the peer makes us say more than is bearable");
    }
    while (buf_len(&w->sent) > 0) {
        struct slice rest = buf_slice(&w->sent);
        ssize_t put = send(w->fd, rest.ptr, rest.len, MSG_NOSIGNAL);

        if (put < 0) {
            /* A peer that is gone may have said why: that is read first. */
            return DIAGNOSE_WIRE_MORE;
        }
        buf_consume(&w->sent, (size_t)put);
    }
    return DIAGNOSE_WIRE_MORE;
}

void diagnose_wire_close(struct diagnose_wire *w)
{
    if (w->is_shaking || send_all(w) != DIAGNOSE_WIRE_MORE) {
        return;
    }
    if (w->is_secured) {
        tls_session_close(w->tls, &w->sent);
        (void)send_all(w);
    }
    (void)shutdown(w->fd, SHUT_WR);
}

enum diagnose_wire_event diagnose_wire_wait(struct diagnose_wire *w, uint64_t until_ms,
                                            struct slice *plain)
{
    bool may_look = buf_len(&w->in) > 0 || w->is_shaking || w->err_behind != 0;

    *plain = SLICE_NONE;
    for (;;) {
        uint64_t now = diagnose_now_ms();
        enum diagnose_wire_event event = may_look ? look(w, plain) : DIAGNOSE_WIRE_MORE;
        struct pollfd p = {.fd = w->fd, .events = POLLIN};

        if (event == DIAGNOSE_WIRE_MORE || event == DIAGNOSE_WIRE_ENDED ||
            event == DIAGNOSE_WIRE_SECURED) {
            enum diagnose_wire_event gone = send_all(w);

            event = event == DIAGNOSE_WIRE_MORE ? gone : event;
        }
        if (event != DIAGNOSE_WIRE_MORE) {
            return event;
        }
        if (now >= until_ms) {
            return DIAGNOSE_WIRE_LATE;
        }
        p.events = (short)(p.events | (buf_len(&w->sent) > 0 ? POLLOUT : 0));
        (void)poll(&p, 1, (int)(until_ms - now < 60000 ? until_ms - now : 60000));
        may_look = false;
        if (p.revents & (POLLIN | POLLHUP | POLLERR)) {
            event = receive(w);
            if (event != DIAGNOSE_WIRE_MORE) {
                return event;
            }
            may_look = true;
        }
    }
}
