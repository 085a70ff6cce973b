/* SPDX-License-Identifier: GPL-2.0-or-later */
/* party: what a kind of source and sink implements: "s2s", "component", "tls", "tcp", "sip", and of
 * presence "presence" (XMPP) and "notify" (SIP). A run has a source and a sink, each of some kind;
 * one object per shard and side.
 *
 * Lines are the connections that the tool dials for a side, 0 to line_count - 1, a number each; a
 * flow is sent on source line flow % line_count; line i lives on shard i % shard_count (so
 * line_count is 1 or a multiple of the shards). What the measured server dials comes in at the
 * side's listener, on any shard; a sink knows flows by what arrives (payload.h).
 *
 * Order of a run: check (both sides) -> start on each shard -> open the sink's lines, then the
 * source's, a few at a time -> presence: the sink watches each flow -> warm-up, one stanza per flow
 * -> "ready"/go -> write ... -> presence: it watches no more -> stop. Everything but check on the
 * shard's thread. Trouble goes to stage.h. */
#ifndef FG_LOAD_PARTY_H
#define FG_LOAD_PARTY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "load/schedule.h"
#include "load/stage.h"

struct party_kind {
    const char *name;
    /* Control thread, before anything runs: whether the plan has what this side needs, and what is
     * made once for all shards (certificates). 0, or a line for people. */
    int (*check)(const struct plan *plan, enum side side, char *why, size_t why_bytes);
    /* Behind the last shard; may be NULL. */
    void (*release)(enum side side);

    void *(*start)(struct stage *st, enum side side);
    /* Its connections are gone already. */
    void (*stop)(void *party);

    uint32_t (*line_count)(const struct plan *plan, enum side side);
    /* Where this side is dialled; NULL = it is not. */
    const struct sockaddr_in *(*listen)(const struct plan *plan, enum side side);
    /* Dials; stage_opened() once stanzas may be sent, stage_fail() else. A line that was closed may
     * be opened again. */
    void (*open)(void *party, uint32_t line);
    /* Ends it in order: stage_closed() once the other side has agreed. */
    void (*close)(void *party, uint32_t line);
    void (*accepted)(void *party, struct conn *c);

    /* Source: takes order->count numbers (books_send) and writes their stanzas as one write.
     * False: not now; nothing was taken, stage_writable() follows. */
    bool (*write)(void *party, const struct schedule_order *order);
    /* Sink of presence, NULL = what comes are messages: subscribes to what the flow's user shows,
     * stage_watched() once that is granted and known; and ends it, stage_unwatched() likewise.
     * False: not now, ask again at the end of the next turn. */
    bool (*watch)(void *party, uint32_t flow);
    bool (*unwatch)(void *party, uint32_t flow);
    /* Sink: connections on which stanzas arrive are read no more, or again; first_only: one of
     * them. */
    void (*hold)(void *party, bool is_held, bool first_only);
};

extern const struct party_kind party_s2s;
extern const struct party_kind party_component;
extern const struct party_kind party_sip;
extern const struct party_kind party_presence;
extern const struct party_kind party_notify;
extern const struct party_kind party_tls; /* stanzas in TLS, no stream around them: blind relays */
extern const struct party_kind party_tcp; /* the same in plain TCP */

/* NULL = there is none of this name. */
const struct party_kind *party_find(const char *name);

#endif
