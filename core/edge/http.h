/* SPDX-License-Identifier: GPL-2.0-or-later */
/* http: the small HTTP server for figures and health checks:
 *   /stats JSON, /metrics Prometheus text, /healthz, /readyz, / a page for people
 * GET and HEAD only, no authentication (it is bound to loopback unless configured otherwise).
 * Threads: control thread; it has no thread of its own, http_turn() does what is due and never
 * waits. The only user of libmicrohttpd.                                                         */
#ifndef FG_EDGE_HTTP_H
#define FG_EDGE_HTTP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "base/buf.h"

#define HTTP_BODY_BYTES_MAX  ((size_t)8 << 20) /* bound of out below */
#define HTTP_CONNECTIONS_MAX 64u
#define HTTP_TIMEOUT_S       10u
#define HTTP_WHY_BYTES       256u

struct http;

struct http_params {
    const struct sockaddr *addr; /* copied */
    socklen_t addr_len;
    /* Appends the document; a failed buf is answered 503. */
    void (*stats)(struct buf *out, void *ctx);
    void (*metrics)(struct buf *out, void *ctx);
    /* NULL = ready for traffic (200), else the reason, static (503). */
    const char *(*not_ready)(void *ctx);
    /* What /healthz says beside "ok", still with 200: NULL = nothing; valid until the next call. */
    const char *(*trouble)(void *ctx);
    void *ctx; /* borrowed until http_free */
};

/* Listens. On failure -errno, and why says address and cause. */
NODISCARD int http_new(struct http **out, const struct http_params *params,
                       char why[HTTP_WHY_BYTES]);
/* Accepts, reads, answers what is there. Call often (every 50 ms). NULL is accepted. */
void http_turn(struct http *h);
/* For a caller that sleeps in poll: readable when http_turn has work; -1 without server. */
int http_fd(const struct http *h);
uint16_t http_port(const struct http *h);
/* NULL is accepted. */
void http_free(struct http *h);

#endif
