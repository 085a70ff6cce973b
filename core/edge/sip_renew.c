/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_renew: SIP connections whose TLS keys are used up and cannot be renewed. One of ours is
 * replaced while it still carries: a second one to the same next hop is dialled, takes the new
 * requests, and the old one leaves. An incoming one leaves at once: nothing of ours is begun on it,
 * and who dialled it dials again. Leaving: what is under way is answered, then it is closed. */
#include <stdio.h>

#include "base/err.h"
#include "edge/sip_int.h"

#define RENEW_RETRY_MS 5000u
/* SIP has no farewell: a request that crosses our closing is lost for its sender until timer F.
 * So a pause of the other side is waited for, at first. */
#define LEAVE_QUIET_MS 500u
#define LEAVE_PATIENCE_MS SIP_TIMER_F_MS

/* --- leaving --- */

void sip_conn_leave(struct sip_conn *sc)
{
    if (sc->leaving_since_ms == 0) {
        sc->leaving_since_ms = shard_now_ms(sc->side->e->sh);
    }
}

static bool is_leaving_for(const struct sip_conn *sc, uint64_t ms)
{
    return sc->leaving_since_ms != 0 &&
           shard_now_ms(sc->side->e->sh) - sc->leaving_since_ms >= ms;
}

bool sip_conn_is_overdue(const struct sip_conn *sc)
{
    return is_leaving_for(sc, (uint64_t)2 * LEAVE_PATIENCE_MS);
}

bool sip_conn_has_left(const struct sip_conn *sc)
{
    if (sc->leaving_since_ms == 0 || !list_is_empty(&sc->link.clients) ||
        !list_is_empty(&sc->link.servers)) {
        return false;
    }
    return is_leaving_for(sc, LEAVE_PATIENCE_MS) ||
           (sc->inside_since_ms == 0 &&
            shard_now_ms(sc->side->e->sh) - sc->request_ms >= LEAVE_QUIET_MS);
}

/* --- a successor for one of ours --- */

static void on_failed(struct dial *d, void *ctx, enum dial_step step, int err, const char *text)
{
    struct sip_peer *p = ctx;

    (void)d;
    LOG_W(sip_peer_down, "next_hop=%s step=%s err=%s text=%s why=no-successor", p->name,
          dial_step_name(step), err_name(err), log_quote(slice_from_cstr(text)).text);
    /* The worn one carries on: its next hop may take another one before the key's hard end. */
    sip_renew_stop(p);
    p->renew_ms = shard_now_ms(p->side->e->sh) + RENEW_RETRY_MS;
}

static void on_done(struct dial *d, void *ctx, struct conn *c, bool is_direct_tls)
{
    struct sip_peer *p = ctx;
    struct sip_conn *sc = sip_conn_new(p->side, c, is_direct_tls);

    if (!sc) {
        on_failed(d, p, DIAL_STEP_TCP, ERR_NOMEM, "out of memory");
    } else if (!sip_peer_accepts(p, sc)) {
        dial_next(d, "certificate is not the next hop's");
    } else {
        p->renewal = NULL;
        sip_peer_succeed(p, sc, d);
    }
}

static const struct dial_ops renewal_ops = {.done = on_done, .failed = on_failed};

static void renew(struct sip_peer *p)
{
    struct edge *e = p->side->e;
    int err;

    if (p->state != SIP_PEER_UP || p->renewal || e->is_draining || p->side->is_stopping ||
        shard_now_ms(e->sh) < p->renew_ms) {
        return;
    }
    err = sip_peer_dial(p, &renewal_ops, &p->renewal);
    if (err != 0) {
        p->renewal = NULL;
        p->renew_ms = shard_now_ms(e->sh) + RENEW_RETRY_MS;
    }
}

void sip_renew(struct sip_conn *sc)
{
    struct edge *e = sc->side->e;

    if (sc->is_ended || !conn_is_worn(sc->c)) {
        return;
    }
    if (!sc->is_worn) {
        sc->is_worn = true;
        e->stats.tls_worn++;
        LOG_I(sip_worn, "dir=%s peer=%s next_hop=%s", sc->peer ? "out" : "in",
              conn_peer_text(sc->c), sc->hop);
    }
    if (sc->peer) {
        renew(sc->peer);
    } else {
        sip_conn_leave(sc);
    }
}

void sip_renew_stop(struct sip_peer *p)
{
    dial_free(p->renewal);
    p->renewal = NULL;
    p->renew_ms = 0;
}
