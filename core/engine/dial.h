/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dial: from a name to a connection. Looks up SRV records of one or two services, merges the sets
 * by priority and weight (RFC 2782, XEP-0368), honours '.', falls back to A/AAAA, resolves the
 * targets, races the addresses (RFC 8305: IPv6 first, 250 ms apart), does direct TLS where the
 * service says so, and goes on to the next target after a failed connect or handshake, or when
 * the owner asks (dial_next: STARTTLS or the stream failed).
 * Answers are cached per shard by TTL (floor 1 s, ceiling 1 h), failures 30 s.
 * All on the shard's thread. Every dial ends in exactly one done or failed callback per
 * dial_start / dial_next, never from inside those calls. */
#ifndef FG_ENGINE_DIAL_H
#define FG_ENGINE_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"
#include "engine/conn.h"

struct dial;
struct shard;

struct dial_service {
    const char *srv_prefix; /* "_xmpps-server._tcp", static; NULL = slot unused */
    bool direct_tls;        /* the connection is secured before done is called */
};

/* Which step failed: what an administrator is shown. */
enum dial_step { DIAL_STEP_DNS, DIAL_STEP_TCP, DIAL_STEP_TLS };
const char *dial_step_name(enum dial_step step);

struct dial_ops {
    /* Connected (and secured for direct TLS). The callee sets the conn's owner at once. The dial
     * stays valid for dial_next/dial_free. */
    void (*done)(struct dial *d, void *ctx, struct conn *c, bool is_direct_tls);
    /* No target is left. text: the whole story in one line, "a.example:5269 (192.0.2.1): connection
     * refused; ...", valid during the call. */
    void (*failed)(struct dial *d, void *ctx, enum dial_step step, int err, const char *text);
};

struct dial_params {
    struct slice name;               /* A-label, or an IP literal; copied */
    struct dial_service services[2]; /* by SRV; none: name:port directly */
    uint16_t port;                   /* for the A/AAAA fallback and direct names */
    bool port_direct_tls;            /* that port speaks TLS at once */
    bool srv_only;                   /* no A/AAAA fallback */
    struct conn_tls_params tls;      /* for direct TLS; the context is referenced */
    uint32_t connect_timeout_ms;     /* one address; 0 = 10 s */
    uint32_t total_timeout_ms;       /* all targets; 0 = 60 s */
};

NODISCARD int dial_start(struct dial **out, struct shard *sh, const struct dial_params *params,
                         const struct dial_ops *ops, void *ctx);
/* The last connection turned out useless (the owner has closed it): the next target. */
void dial_next(struct dial *d, const char *why);
/* Handshakes that begin from now on: with this context (referenced), no version below. For a dial
 * that outlives a reload. */
void dial_set_tls(struct dial *d, struct tls_context *ctx, enum tls_version version_min);
/* Ends it; no callback comes any more. NULL is accepted. A conn handed out lives on. */
void dial_free(struct dial *d);
/* Host name of the target that done was called for, for logs and certificate checks. */
struct slice dial_target(const struct dial *d);

#endif
