/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load: the load generator and sink of the relay benchmark. One thread, epoll, OpenSSL: it shares
 * no code with what it measures except base. It plays every party around a server at once:
 *   in     partners' servers with certificates -> server -> component
 *   out    component -> server -> partners' servers (which it plays too, the listening side)
 *   relay  TLS client -> relay -> TLS server, no XMPP
 *   setup  partners' servers that authenticate and leave again: no stanzas
 *   watch  a partner's server and a SIP pool with a presence server: subscriptions and presence
 * Every stanza carries its stream and its sequence number; the tally demands each exactly once, in
 * order per stream, with its addresses and its body intact.                                      */
#ifndef FG_BENCH_LOAD_H
#define FG_BENCH_LOAD_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAMS_MAX   4096u
#define STANZA_BYTES  251u
#define WRITE_BYTES   16384u             /* of workload bulk */
#define OUT_BYTES     (512u << 10) /* a write, and answers to what was read meanwhile */
#define IN_BYTES      (128u << 10)
#define STREAM_DIGITS 4u
#define SEQ_DIGITS    9u
#define COUNT_MAX     1000000000u /* as many sequence numbers as these digits have */
#define CONNS_MAX     (2u * STREAMS_MAX + 64u)
#define DIALLING_MAX  16u /* connections in negotiation at a time, unless told */

enum mode { MODE_IN, MODE_OUT, MODE_RELAY, MODE_SETUP, MODE_WATCH };

/* Where a connection stands. */
enum step {
    STEP_CONNECT,   /* TCP connect under way */
    STEP_HEADER,    /* ours is sent, theirs awaited (and features, for who dials) */
    STEP_PROCEED,   /* <starttls/> is sent */
    STEP_TLS,       /* handshake */
    STEP_SUCCESS,   /* <auth/> is sent */
    STEP_HANDSHAKE, /* component: <handshake/> is sent */
    STEP_READY,
    STEP_CLOSING, /* </stream:stream> is sent */
    STEP_ENDED,   /* and theirs has come, or the connection's end: being closed */
};

enum role {
    ROLE_DIALLED,  /* s2s or relay client: stanzas go out here */
    ROLE_ACCEPTED, /* s2s or relay server: stanzas arrive here */
    ROLE_COMPONENT,
    ROLE_POOL,  /* SIP: the server dialled us as its next hop */
    ROLE_PHONE, /* SIP: we dialled the server */
};

struct scan {
    size_t at;      /* looked at up to here */
    size_t begin;   /* of the element being read */
    unsigned depth; /* 0 = before the stream header; relay begins at 1 */
};

struct conn {
    int fd;
    SSL *ssl; /* NULL = plain */
    enum role role;
    enum step step;
    unsigned stream; /* ROLE_DIALLED: number of its stream */
    bool authenticated;
    bool acks;        /* XEP-0198 was enabled by the other side */
    uint32_t stanzas; /* counted for acks */
    bool wants_out;   /* EPOLLOUT is asked for */
    bool held;        /* not read now */
    bool corked;      /* what is written waits for more */
    bool gone;        /* closed; freed at the end of the turn */
    struct scan scan;
    size_t in_len;
    size_t out_at; /* sent up to here */
    size_t out_len;
    char in[IN_BYTES];
    char out[OUT_BYTES];
};

struct stream_books {
    uint64_t sent;
    uint64_t unique;
    uint64_t due; /* next number in order */
    uint8_t *seen;
};

struct tally {
    uint64_t sent;
    uint64_t unique;
    uint64_t duplicated;
    uint64_t out_of_order;
    uint64_t damaged;
    uint64_t errors; /* stanzas of type error */
    uint64_t other;  /* elements that are no messages of ours */
    struct stream_books of[STREAMS_MAX];
};

struct load {
    enum mode mode;
    bool fan;    /* one stanza per write, a stream from each of many domains */
    bool direct; /* TLS at once */
    bool sm;     /* offer XEP-0198 to who dials us */
    bool sip_plain; /* mode watch: SIP over TCP */
    bool pings;  /* mode out: dial the server, too, and answer its pings there */
    unsigned streams;
    unsigned first;  /* workload idle: streams before the first look; 0 = no such look */
    unsigned window; /* stanzas in flight, all streams together */
    uint64_t count;  /* of the measured part */
    double stall_s;
    double hold_s; /* so long receivers read nothing at the begin of the measured part */
    bool hold_one; /* only one of them, by chance the first to be accepted */
    uint64_t during_hold;
    struct sockaddr_in target;
    struct sockaddr_in component;
    struct sockaddr_in listen;
    struct sockaddr_in sip;        /* mode watch: the server's SIP over TLS */
    struct sockaddr_in sip_listen; /* and where its next hop is */
    const char *secret;
    const char *inside; /* domain of the component */
    const char *gateway; /* mode watch: we play the XMPP server of a component of this name */
    const char *suffix; /* partners are pNNN.<suffix> */
    const char *certificate;
    const char *key;
    const char *ca; /* with ca_key: every stream shows a certificate of its own, issued by it */
    const char *ca_key;
    const char *groups; /* for the key exchange; NULL = OpenSSL's */
    unsigned parallel;  /* connections in negotiation at a time */
    SSL_CTX *client;
    SSL_CTX *server;
    int epoll;
    int listener;
    int sip_listener;
    struct conn *conns[CONNS_MAX];
    unsigned conn_count;
    struct conn *sources[STREAMS_MAX]; /* where stream i is written */
    struct conn *dials[STREAMS_MAX];   /* what was dialled for stream i */
    unsigned dialled;
    unsigned ready;      /* of those dialled, component included */
    unsigned accepted;   /* streams accepted and authenticated */
    unsigned next;       /* stream whose turn it is to send */
    unsigned closed;     /* mode setup: streams that were authenticated and closed in order */
    uint64_t target_sum; /* send until tally.sent is this */
    char tls[64];        /* version and cipher, for the result */
    struct tally tally;
};

/* Ends the program with status 70 and a message. */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);

/* main.c: waits for a line on the input, so that the driver can look at the server's clock. */
void wait_for_go(void);
double now_s(void);

/* certs.c: a certificate and a P-256 key for each of l->streams domains, made at the start. */
void certs_init(const struct load *l);
void certs_show(SSL *ssl, unsigned stream);

/* cycle.c: mode setup. Begins count streams and waits for their end. */
void cycle(struct load *l, unsigned count);
/* A stream of that mode is authenticated, or over. */
void cycle_ready(struct load *l, struct conn *c);
void cycle_ended(struct load *l, struct conn *c);

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
void wire_drop(struct load *l, struct conn *c);
/* Says close_notify and FIN; the other side's are awaited, then the conn is gone. */
void wire_finish(struct load *l, struct conn *c);
/* Stops or resumes reading where stanzas arrive: hung receivers. */
void wire_hold(struct load *l, bool held);
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

/* watch.c: mode watch. Obeys commands on the input until it ends. */
int watch_play(struct load *l);
/* A stanza has arrived from the server; a connection is over. */
void watch_stanza(struct load *l, const char *at, size_t len);
void watch_ended(struct load *l, const struct conn *c);

/* message.c: a message has arrived; a request of ours has its 2xx; a round of them. */
void message_arrived(const char *at, size_t len);
void message_answered(void);
void message_round(struct load *l, bool to_sip, uint64_t count, unsigned window);

/* phone.c: SIP of mode watch. */
void phone_received(struct load *l, struct conn *c);

/* tally.c */
void tally_init(struct tally *t, unsigned streams, uint64_t per_stream_max);
void tally_message(struct load *l, const char *stanza, size_t len);

/* pump.c: sends what the window allows. */
void pump_init(const struct load *l);
void pump(struct load *l);
/* The stanza that number seq of stream must be; STANZA_BYTES bytes. */
const char *pump_stanza(unsigned stream, uint64_t seq);

#endif
