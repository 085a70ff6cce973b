/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pair: a client and a server session with a wire of two buffers between them, for tests. */
#ifndef FG_TESTS_TLS_PAIR_H
#define FG_TESTS_TLS_PAIR_H

#include "tls/tls.h"

#define PAIR_BYTES_MAX (4u << 20)

struct pair_end {
    struct tls_context *ctx;
    struct tls_session *session;
    struct buf in;    /* what arrived and was not consumed */
    struct buf out;   /* what waits to be sent */
    struct buf plain; /* what was received */
    enum tls_step step;
    int err; /* of the last open */
};

struct pair {
    struct pair_end client;
    struct pair_end server;
    uint64_t dice;
    size_t step_bytes; /* deliver at most so many at a time; 0 = all; SIZE_MAX = random splits */
};

/* How a test wants its pair; zero fields are defaults. */
struct pair_params {
    const char *client_backend; /* "wolfssl" */
    const char *server_backend;
    const char *client_cert;    /* name in certs.spec; "" = none; NULL = "good" */
    const char *server_certs;   /* names or domain=name, comma separated; NULL = "good" */
    const char *trust;          /* file name of the bundle; "" = trust nobody; NULL = "trust" */
    const char *sni;
    const char *client_alpn;
    const char *server_alpn;
    size_t step_bytes;
    int64_t now_unix_s;
    enum tls_version version_min;
    bool has_tickets;
    bool may_resume;
    bool is_aes_first;
};

/* "DIR/NAME.EXT" in a static buffer (a few live at a time). */
const char *pair_file(const char *name, const char *ext);
/* A context with the named certificates; asserts that it loads. */
struct tls_context *pair_context(const char *backend, const char *certs, const char *trust);
void pair_init(struct pair *p, const struct pair_params *params);
/* Both ends anew, with the contexts that they have. */
void pair_again(struct pair *p, const struct pair_params *params);
void pair_deinit(struct pair *p);
/* Moves bytes until both are done, or nothing moves any more. True when both are DONE. */
bool pair_handshake(struct pair *p);
/* Sends text from one end and asserts that exactly it arrives at the other. */
void pair_say(struct pair *p, struct pair_end *from, struct slice text);
/* Carries what waits in from->out to to->in, in the pair's step size, opening records there. */
int pair_carry(struct pair *p, struct pair_end *from, struct pair_end *to);
/* Opens what is in e->in once, appending to e->plain. */
int pair_open(struct pair_end *e, size_t *used);
uint64_t pair_dice(struct pair *p);

#endif
