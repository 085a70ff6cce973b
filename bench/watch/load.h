/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load: what fedgate-watch plays around a server: a partner's server and a SIP pool with a presence
 * server; subscriptions, presence and messages go through. One thread, epoll, OpenSSL: it shares no
 * code with what it measures but base. Stanzas in and out, streams and relays: bench/load. */
#ifndef FG_BENCH_LOAD_H
#define FG_BENCH_LOAD_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUT_BYTES (512u << 10) /* a write, and answers to what was read meanwhile */
#define IN_BYTES  (128u << 10)
#define CONNS_MAX 64u

/* Where a connection stands. */
enum step {
    STEP_CONNECT,   /* TCP connect under way */
    STEP_HEADER,    /* ours is sent, theirs awaited (and features, for who dials) */
    STEP_PROCEED,   /* <starttls/> is sent */
    STEP_TLS,       /* handshake */
    STEP_SUCCESS,   /* <auth/> is sent */
    STEP_HANDSHAKE, /* a component's <handshake/> is awaited */
    STEP_READY,
    STEP_ENDED, /* its end has come: being closed */
};

enum role {
    ROLE_DIALLED,  /* s2s: stanzas go out here */
    ROLE_ACCEPTED, /* s2s: stanzas arrive here; or the component's stream */
    ROLE_POOL,     /* SIP: the server dialled us as its next hop */
    ROLE_PHONE,    /* SIP: we dialled the server */
};

struct scan {
    size_t at;      /* looked at up to here */
    size_t begin;   /* of the element being read */
    unsigned depth; /* 0 = before the stream header */
};

struct conn {
    int fd;
    SSL *ssl; /* NULL = plain */
    enum role role;
    enum step step;
    bool authenticated;
    uint32_t stanzas; /* counted for acks */
    bool wants_out;   /* EPOLLOUT is asked for */
    bool corked;      /* what is written waits for more */
    bool gone;        /* closed; freed at the end of the turn */
    struct scan scan;
    size_t in_len;
    size_t out_at; /* sent up to here */
    size_t out_len;
    char in[IN_BYTES];
    char out[OUT_BYTES];
};

struct load {
    bool sip_plain; /* SIP over TCP */
    struct sockaddr_in target;
    struct sockaddr_in listen;
    struct sockaddr_in sip;        /* the server's SIP over TLS */
    struct sockaddr_in sip_listen; /* and where its next hop is */
    const char *inside;            /* domain of the SIP pool's users */
    const char *gateway; /* we play the XMPP server of a component of this name */
    const char *suffix;  /* the partner is p0000.<suffix> */
    const char *certificate;
    const char *key;
    SSL_CTX *client;
    SSL_CTX *server;
    int epoll;
    int listener;
    int sip_listener;
    struct conn *conns[CONNS_MAX];
    unsigned conn_count;
    char tls[64]; /* version and cipher, for the result */
};

/* Ends the program with status 70 and a message. */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);

double now_s(void);
/* Seconds of user and system time of this process. */
double own_cpu_s(void);

/* wire.c: sockets and TLS. */
void wire_init(struct load *l);
struct conn *wire_dial(struct load *l, enum role role, const struct sockaddr_in *to);
void wire_start_tls(struct load *l, struct conn *c, const char *server_name);
/* Small texts: dies when there is no room. */
__attribute__((format(printf, 3, 4))) void wire_printf(struct load *l, struct conn *c,
                                                       const char *fmt, ...);
/* Sends what conn->out holds; asks for EPOLLOUT when not all could go. */
void wire_flush(struct load *l, struct conn *c);
/* Ends it at once, without a word. */
void wire_drop(struct conn *c);
/* Says close_notify and FIN; the other side's are awaited, then the conn is gone. */
void wire_finish(struct load *l, struct conn *c);
/* Waits for events up to wait_ms and handles them. */
void wire_turn(struct load *l, int wait_ms);

/* scan.c: cuts a stream into its header and its top-level elements. The bytes are a server's own
 * output: well-formed, and no '>' inside attribute values (as all the servers write &gt; there). */
enum scan_kind { SCAN_MORE, SCAN_HEADER, SCAN_ELEMENT, SCAN_END };
enum scan_kind scan_next(struct scan *s, const char *in, size_t len, const char **from,
                         size_t *bytes);

/* talk.c: negotiation, acks. */
void talk_connected(struct load *l, struct conn *c);
void talk_secured(struct load *l, struct conn *c);
/* Bytes have arrived in conn->in. */
void talk_received(struct load *l, struct conn *c);

/* watch.c: obeys commands on the input until it ends. */
int watch_play(struct load *l);
/* A stanza has arrived from the server; a connection is over. */
void watch_stanza(struct load *l, const char *at, size_t len);
void watch_ended(const struct conn *c);

/* message.c: a message has arrived; a request of ours has its 2xx; a round of them. */
void message_arrived(const char *at, size_t len);
void message_answered(void);
void message_round(struct load *l, bool to_sip, uint64_t count, unsigned window);

/* phone.c */
void phone_received(struct load *l, struct conn *c);

#endif
