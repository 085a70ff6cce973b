/* SPDX-License-Identifier: GPL-2.0-or-later */
/* openssl_peer: s_client or s_server of the openssl command as the peer of a session, on 127.0.0.1,
 * for tests. */
#ifndef FG_TESTS_TLS_OPENSSL_PEER_H
#define FG_TESTS_TLS_OPENSSL_PEER_H

#include <netinet/in.h>
#include <sys/types.h>

#include "pair.h"

#define GOOD_CERT "-cert " TLS_CERTS "/good.crt -key " TLS_CERTS "/good.key "

/* The openssl process, its standard input and output, and our end of the connection. */
struct openssl_peer {
    pid_t pid;
    int to;   /* its stdin */
    int from; /* its stdout and stderr */
    int sock; /* to it */
    struct sockaddr_in addr; /* of s_server */
    struct pair_end end;
    struct buf said; /* what it printed */
};

/* A new session of ours in p->end.ctx. */
void openssl_end_start(struct openssl_peer *p, enum tls_role role, const char *alpn,
                       bool may_resume);
/* The same for a peer that has its context. */
void openssl_wait_for_client(struct openssl_peer *p, const char *options);
/* We listen, s_client comes. */
void openssl_start_client(struct openssl_peer *p, const char *backend, const char *alpn,
                          const char *options);
/* Another connection. */
void openssl_go_to_server(struct openssl_peer *p);
/* s_server, on a port that it picks and prints; and a connection to it. */
void openssl_spawn_server(struct openssl_peer *p, const char *options);
void openssl_start_server(struct openssl_peer *p, const char *backend, const char *alpn,
                          const char *options);
void openssl_stop_process(struct openssl_peer *p);
void openssl_stop_session(struct openssl_peer *p);
void openssl_stop(struct openssl_peer *p);
bool openssl_has(const struct buf *b, const char *text);
/* Moves bytes until done(p) or the connection or patience is over. */
bool openssl_pump(struct openssl_peer *p, bool (*done)(const struct openssl_peer *p));
/* For openssl_pump: what may be waited for. */
bool openssl_shaken(const struct openssl_peer *p);
bool openssl_got_line(const struct openssl_peer *p);
bool openssl_said_answer(const struct openssl_peer *p);
void openssl_say(struct openssl_peer *p, const char *text);

#endif
