/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls_server: a machine that accepts TLS, directly or after an upgrade, and sends back what it
 * gets. With FEDGATE_TEST_KTLS in the environment (tests/ktls) the kernel has to do the records. */
#ifndef FG_TEST_ENGINE_TLS_SERVER_H
#define FG_TEST_ENGINE_TLS_SERVER_H

#include "machine.h"
#include "tls/tls.h"

#define UPGRADE "starttls"
#define PROCEED "proceed"

extern struct machine m;
extern struct tls_context *server_ctx, *client_ctx;

/* What the accepting side does. */
struct server {
    bool is_direct, is_picky, moves;
    uint32_t handshake_timeout_ms;
    uint64_t state;
    struct wheel_timer timer;
    _Atomic uint64_t secured, moved, peer_ends, closed;
    _Atomic int err;
    char why[200];
    char subject[128];
};
extern struct server server;

struct tls_context *server_context(const char *backend);
bool is_kernel_wanted(void);
void server_start(const struct engine_params *params);

#endif
