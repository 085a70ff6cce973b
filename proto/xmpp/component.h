/* SPDX-License-Identifier: GPL-2.0-or-later */
/* component: the accepting side of XEP-0114 (jabber:component:accept) as a machine without I/O, in
 * the manner of stream.h. A component serves one of our domains: stanzas for that domain go to it,
 * stanzas it sends must come from it.
 * Threads: one at a time; memory: pool. Events' slices: until the next call.                     */
#ifndef FG_XMPP_COMPONENT_H
#define FG_XMPP_COMPONENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/slice.h"
#include "xmpp/error.h"
#include "xmpp/stanza.h"
#include "xmpp/stream.h"

struct component; /* opaque */

struct component_host {
    /* The secret shared with the component of this domain of ours; empty = no component is
     * configured for it (host-unknown).                                                          */
    struct slice (*secret)(void *ctx, struct slice domain);
};

struct component_params {
    const struct component_host *host;
    void *ctx;
    const struct crypto *crypto;
    uint32_t establish_ms;
    uint32_t close_ms;
    uint32_t keepalive_ms; /* space when nothing was sent for so long; 0 = none */
    uint32_t stanza_bytes_max;
    struct buf *out;
};

enum component_event_kind {
    COMPONENT_MORE,
    COMPONENT_PROVED, /* the handshake is right: component_accept() or component_close(CONFLICT) */
    COMPONENT_STANZA,
    COMPONENT_STANZA_BAD, /* answer condition to it on this stream, if it may be */
    COMPONENT_PEER_CLOSED,
    COMPONENT_CLOSED,
    COMPONENT_FAILED,
};

/* As struct stream_event: big, not copyable. */
struct component_event {
    struct slice domain; /* PROVED */
    struct stanza stanza;
    enum stanza_condition condition; /* STANZA_BAD */
    struct stream_failure failure;   /* FAILED, STANZA_BAD (text) */
};

NODISCARD int component_new(struct component **c, uint64_t now_ms,
                            const struct component_params *params);
void component_free(struct component *c);
void component_set_out(struct component *c, struct buf *out);
void component_set_host(struct component *c, const struct component_host *host, void *ctx);

enum component_event_kind component_feed(struct component *c, uint64_t now_ms, struct slice bytes,
                                         size_t *consumed, struct component_event *ev);
uint64_t component_deadline(const struct component *c);
enum component_event_kind component_timeout(struct component *c, uint64_t now_ms,
                                            struct component_event *ev);
/* After COMPONENT_PROVED: writes the empty <handshake/>; stanzas may flow both ways. */
void component_accept(struct component *c, uint64_t now_ms);
/* Orderly close, with a stream error unless NONE. Feed on until CLOSED. */
void component_close(struct component *c, uint64_t now_ms, enum stream_condition condition,
                     const char *text);
/* After appending stanzas to out: restarts keep-alive. */
void component_sent(struct component *c, uint64_t now_ms);
bool component_is_open(const struct component *c);
/* Empty before the header. */
struct slice component_domain(const struct component *c);
const char *component_state_name(const struct component *c);

/* Default namespace of the stream: what stanzas for it are written in. */
#define COMPONENT_NS "jabber:component:accept"

#endif
