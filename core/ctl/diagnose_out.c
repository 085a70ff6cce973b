/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose_out: we dial them: rules, DNS, every address, then streams to one target after the other
 * until one stands, as the node goes on. */
#include <errno.h>
#include <stdio.h>

#include "base/err.h"
#include "ctl/diagnose.h"
#include "xmpp/stream.h"

/* ---- our rules ---- */

static void tell_row(struct diagnose *d, enum diagnose_step step)
{
    const struct partner_row *row = d->row;

    diagnose_seen(d, step, "%s: tls %s, sasl %s, dialback %s (row %u)%s%s",
                  d->partner ? "the partner's row" : "the row of a new partner",
                  partner_level_name((enum partner_level)row->tls),
                  partner_level_name((enum partner_level)row->sasl), row->dialback ? "yes" : "no",
                  row->number, row->text[0] ? ": " : "", row->text);
}

/* Of a pair: reasons of single stanzas do not come. */
static enum diagnose_fault fault_of(enum policy_reason reason)
{
    static const struct {
        enum policy_reason reason;
        enum diagnose_fault fault;
    } rows[] = {
        {POLICY_LOCAL_UNKNOWN, DIAGNOSE_FAULT_NOT_OURS},
        {POLICY_LOCAL_AS_REMOTE, DIAGNOSE_FAULT_OWN_DOMAIN},
        {POLICY_DOMAIN_BLOCKED, DIAGNOSE_FAULT_BLOCKED},
        {POLICY_MAINTENANCE, DIAGNOSE_FAULT_MAINTENANCE},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (rows[i].reason == reason) {
            return rows[i].fault;
        }
    }
    return DIAGNOSE_FAULT_NOT_A_PARTNER;
}

void diagnose_policy(struct diagnose *d, enum diagnose_step step)
{
    struct policy_verdict verdict =
        policy_pair(d->policy, d->at->local, jid_ascii_slice(&d->domain));

    tell_row(d, step);
    if (!verdict.allowed) {
        diagnose_seen(d, step, "verdict for %.*s: %s", SLICE_FMT(d->at->local),
                      policy_reason_name(verdict.reason));
        diagnose_fail(d, step, fault_of(verdict.reason));
    }
    diagnose_set(d, step, DIAGNOSE_OK);
}

/* ---- TCP ---- */

static enum diagnose_fault fault_of_connect(int err)
{
    switch (err) {
    case -ECONNREFUSED:
        return DIAGNOSE_FAULT_TCP_CLOSED;
    case -ENETUNREACH:
    case -EHOSTUNREACH:
    case -EAFNOSUPPORT:
    case -EADDRNOTAVAIL:
    case -EACCES:
    case -EPERM:
        return DIAGNOSE_FAULT_TCP_NO_ROUTE;
    case -EMFILE:
    case -ENFILE:
    case -ENOBUFS:
        return DIAGNOSE_FAULT_INTERNAL;
    default:
        return DIAGNOSE_FAULT_TCP_SILENT;
    }
}

static bool connect_all(struct diagnose *d, struct diagnose_spots *spots)
{
    uint32_t good = 0;
    int err = 0;

    diagnose_connect(d, spots);
    for (uint32_t i = 0; i < spots->count; i++) {
        struct diagnose_spot *spot = &spots->at[i];

        diagnose_seen(d, DIAGNOSE_OUT_TCP, "%s (%s)%s: %s", spot->text, spot->host,
                      spot->is_direct_tls ? ", direct TLS" : "",
                      spot->is_connected ? "connected" : err_text(spot->err));
        good += spot->is_connected;
        err = err == -ECONNREFUSED || spot->is_connected ? err : spot->err; /* says most */
    }
    if (good == 0) {
        diagnose_fail(d, DIAGNOSE_OUT_TCP, diagnose_left_ms(d, 1) == 0
                                               ? DIAGNOSE_FAULT_OUT_OF_TIME
                                               : fault_of_connect(err));
        if (spots->is_fallback) {
            diagnose_fail(d, DIAGNOSE_OUT_SRV, DIAGNOSE_FAULT_SRV_MISSING);
        }
    } else if (good < spots->count) {
        diagnose_warn(d, DIAGNOSE_OUT_TCP, DIAGNOSE_FAULT_TCP_SOME);
    }
    diagnose_set(d, DIAGNOSE_OUT_TCP, DIAGNOSE_OK);
    return good > 0;
}

/* ---- streams ---- */

static int take_fd(struct diagnose_spot *spot)
{
    int fd = spot->fd;

    spot->fd = -1;
    return fd;
}

/* What the row does not have is no step of this walk. */
static void skip_by_row(struct diagnose *d)
{
    uint32_t auth = d->row->auth;

    if (!(auth & PARTNER_AUTH_EXTERNAL)) {
        diagnose_set(d, DIAGNOSE_OUT_SASL, DIAGNOSE_SKIPPED);
    }
    if (!(auth & (PARTNER_AUTH_DIALBACK_TLS | PARTNER_AUTH_DIALBACK_TCP))) {
        diagnose_set(d, DIAGNOSE_OUT_DIALBACK, DIAGNOSE_SKIPPED);
    }
}

static enum diagnose_outcome walk_spot(struct diagnose *d, struct diagnose_spot *spot,
                                       bool avoid_tls)
{
    struct diagnose_stream_params params = {
        .local = d->at->local,
        .remote = jid_ascii_slice(&d->domain),
        .map = &diagnose_map_out,
        .is_direct_tls = spot->is_direct_tls,
        .avoid_tls = avoid_tls,
        .methods = d->row->auth,
        .wants_acks = !d->partner || d->partner->acks == PARTNER_ACKS_AUTO ||
                      d->partner->acks == PARTNER_ACKS_SM,
        .verify_part = d->row->dialback && d->part_count > 1 ? &d->parts[1] : NULL,
    };

    diagnose_seen(d, spot->is_direct_tls ? DIAGNOSE_OUT_TLS : DIAGNOSE_OUT_HEADER,
                  "to %s (%s)%s", spot->text, spot->host,
                  avoid_tls ? ", without TLS, which the row leaves open" : "");
    return diagnose_stream_walk(d, take_fd(spot), &params);
}

/* The next spot from *at on that a stream may go to: of each target the first that answers. */
static struct diagnose_spot *next_spot(struct diagnose *d, struct diagnose_spots *spots,
                                       uint32_t *at, bool avoid_tls)
{
    while (*at < spots->count) {
        struct diagnose_spot *spot = &spots->at[*at];
        uint32_t target_idx = spot->target_idx;

        if (!spot->is_connected || (avoid_tls && spot->is_direct_tls) ||
            diagnose_connect_one(d, spot) != 0) {
            (*at)++;
            continue;
        }
        while (*at < spots->count && spots->at[*at].target_idx == target_idx) {
            (*at)++;
        }
        return spot;
    }
    return NULL;
}

static void walk_targets(struct diagnose *d, struct diagnose_spots *spots)
{
    enum diagnose_outcome outcome = DIAGNOSE_STREAM_NEXT;
    bool avoid_tls = false;
    uint32_t at = 0;

    for (uint32_t walks = 0; walks < DIAGNOSE_WALKS_MAX && diagnose_left_ms(d, 1) > 0 &&
                             outcome == DIAGNOSE_STREAM_NEXT;
         walks++) {
        struct diagnose_spot *spot = next_spot(d, spots, &at, avoid_tls);

        if (!spot) {
            return;
        }
        outcome = walk_spot(d, spot, avoid_tls);
        if (outcome == DIAGNOSE_STREAM_PLAIN) { /* from the first target on again */
            outcome = DIAGNOSE_STREAM_NEXT;
            avoid_tls = true;
            at = 0;
        }
    }
    if (outcome == DIAGNOSE_STREAM_GOOD) {
        diagnose_forgive_walk(d);
    }
}

void diagnose_out(struct diagnose *d)
{
    bool uses_tls = (d->row->auth & ~(uint32_t)PARTNER_AUTH_DIALBACK_TCP) != 0;
    struct diagnose_find find = {
        .domain = jid_ascii_slice(&d->domain),
        .wants_direct = uses_tls && d->tls,
        .srv_step = DIAGNOSE_OUT_SRV,
        .address_step = DIAGNOSE_OUT_ADDRESS,
    };
    struct diagnose_spots spots;

    if (d->partner) {
        find.proxy_host = d->partner->proxy_host;
        find.proxy_port = d->partner->proxy_port;
    }
    diagnose_policy(d, DIAGNOSE_OUT_POLICY);
    skip_by_row(d);
    if (!diagnose_find(d, &find, &spots)) {
        return;
    }
    if (connect_all(d, &spots)) {
        walk_targets(d, &spots);
    }
    diagnose_disconnect(&spots);
}
