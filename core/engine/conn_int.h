/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn_int: what a connection consists of and how its files (conn, conn_in, conn_out, conn_tls,
 * conn_handshake, conn_move, connect, slab) work together. Private to core/engine.
 *
 * Events and calls change a conn's wishes and mark it dirty; at the end of the turn conn_drive
 * compares wishes with what is in flight and starts what is missing. So an operation that found no
 * room in the ring is simply tried again, and pausing and resuming in one turn costs nothing.
 * conn_drive calls nobody outside; input and ends are delivered in stages of their own. */
#ifndef FG_ENGINE_CONN_INT_H
#define FG_ENGINE_CONN_INT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/wheel.h"
#include "engine/conn.h"
#include "engine/shard_int.h"
#include "engine/shard_state.h"
#include "tls/tls.h"

#define CONN_MAGIC 0x434f4e4eu
#define CONN_OUT_BYTES_DEFAULT ((size_t)256 << 10)
#define CONN_OUT_BYTES_MAX (POOL_BLOCK_BYTES_MAX / 2)
/* Plaintext sealed into one send. */
#define CONN_SEAL_BYTES ((size_t)256 << 10)
/* Input of each connection that a turn processes at least, whatever others send. Of records: one
 * whole one. */
#define CONN_SHARE_BYTES_MIN ((size_t)4 << 10)
/* Input is counted in windows of time; the last one and this count. Above CONN_LOUD_BYTES (some
 * 16,000 messages a second, a hundredth of what one stream can) it asks for no short turns any
 * more. A component carries the messages of many, so that above CONN_MUCH_BYTES the size of the
 * piece, too, decides whether it waits in line (is_much). */
#define CONN_WINDOW_MS 512u
#define CONN_LOUD_BYTES ((uint32_t)2 << 20)
#define CONN_MUCH_BYTES ((uint32_t)128 << 10)
/* Held input above which receiving is cancelled. */
#define CONN_HELD_BYTES ((size_t)64 << 10)
#define CONN_LINGER_MS 5000u

/* CONN_STATE(name, successors): from where to where. */
#define CONN_TO(name) (1u << CONN_ST_##name)
#define CONN_STATES(CONN_STATE)                                                                \
    CONN_STATE(CONNECTING, CONN_TO(OPEN) | CONN_TO(ENDING))                                    \
    CONN_STATE(OPEN, CONN_TO(HANDSHAKE) | CONN_TO(FLUSHING) | CONN_TO(MOVING) | CONN_TO(ENDING)) \
    CONN_STATE(HANDSHAKE, CONN_TO(OPEN) | CONN_TO(FLUSHING) | CONN_TO(ENDING))                 \
    CONN_STATE(FLUSHING, CONN_TO(LINGERING) | CONN_TO(ENDING)) /* last bytes, then FIN */      \
    CONN_STATE(LINGERING, CONN_TO(ENDING))                     /* waiting for the peer's FIN */ \
    CONN_STATE(MOVING, CONN_TO(OPEN) | CONN_TO(ENDING))        /* nothing may stay in flight */ \
    CONN_STATE(ENDING, CONN_TO(GONE))                          /* the same, then closed */     \
    CONN_STATE(GONE, 0)

enum conn_state {
#define CONN_STATE(name, next) CONN_ST_##name,
    CONN_STATES(CONN_STATE)
#undef CONN_STATE
    CONN_ST_COUNT
};

enum conn_op { /* bits: at most one of each in flight */
    CONN_OP_CONNECT = 1,
    CONN_OP_RECV = 2,
    CONN_OP_SEND = 4,
    CONN_OP_CANCEL = 8,
};

/* Records protected by the kernel, per direction. */
enum conn_kernel_state {
    CONN_KERNEL_NO,  /* not wanted, or refused */
    CONN_KERNEL_DUE, /* once the session gives out its keys and the wire is at a record's border */
    CONN_KERNEL_ON,
};

struct conn_kernel {
    uint8_t out; /* enum conn_kernel_state */
    uint8_t in;  /* follows out */
    bool is_required;
    bool is_attached; /* a TLS socket, with or without keys */
    bool is_note_flying;
    bool is_update_sent; /* a KeyUpdate: the next record out is under new keys */
    uint8_t alert;          /* to be sent next; 0 = none */
    char *fetch;            /* owned; being filled by the receive in flight with a record's rest */
    struct io_record *note; /* owned; the control record that goes out next, or flies */
};

struct conn {
    uint32_t magic;
    enum conn_state state;
    uint32_t in_flight; /* enum conn_op bits */
    uint32_t slot;
    uint32_t generation;
    int fd;           /* owned */
    struct shard *sh; /* borrowed: outlives the conn */
    const struct conn_ops *ops; /* borrowed from the owner's code; NULL = no owner yet */
    void *owner;                /* borrowed until closed */

    bool is_connect_started;
    bool is_paused;
    bool is_input_ended; /* the wire ended (FIN) */
    bool is_end_told;    /* ops.peer_ended was called */
    bool is_tls_ended;   /* close_notify was received */
    bool is_tls_closed;  /* close_notify was sent */
    bool is_tls_begun;  /* conn_start_tls: no plaintext goes out any more */
    bool is_secured;
    bool is_stranger;    /* incoming, not authenticated yet */
    bool is_in_data;     /* inside ops.data */
    bool is_reset;       /* close with RST */
    bool is_fin_sent;
    bool is_writable_due; /* the output emptied while no ops could be called */
    bool is_over;        /* the end is decided: err and why hold */
    bool is_deaf;        /* nothing more can be read: only the peer's end is waited for */
    bool is_patient;     /* conn_set_patient */

    struct list dirty_link;
    struct list input_link;
    struct list ended_link;

    struct buf out;      /* the owner's, plaintext */
    struct buf pending;  /* bytes for the wire, next in turn */
    struct buf flying;   /* bytes the kernel reads while CONN_OP_SEND is set */
    uint64_t taken_bytes; /* plaintext moved out of `out` so far */
    uint64_t sent_bytes;  /* plaintext the kernel has taken */
    uint32_t pending_plain; /* plaintext bytes that pending stands for */
    uint32_t flying_plain;
    /* Of the record of flying that is partly out: bytes to come, and plaintext in it. */
    uint16_t record_left;
    uint16_t record_plain;
    uint32_t crowded_bytes; /* of all three together: conn_out_is_crowded */
    struct buf in_raw;   /* off the wire, not processed: plaintext, or records */
    struct buf in_plain; /* opened, not used by the owner */
    uint32_t share_turn; /* cut */
    uint32_t share_left; /* of input in that turn */
    uint32_t window_ms;  /* when the window began, in which input is counted; cut */
    uint32_t window_bytes;
    uint32_t window_bytes_last;
    bool is_flying_records; /* flying is TLS records made here, nothing else */
    bool is_in_line; /* what comes is held: others, in sh->input before it, had nothing yet */

    struct admission_entry admission; /* while it shakes hands, or waits to */
    struct handshake_start *start;    /* owned; before its first step, instead of a session */
    struct tls_session *session;      /* owned */
    int err;
    int end_err; /* why the input ended, if not by the peer's will: outcome of the close */
    const char *why;     /* static, or the session's */
    const char *end_why; /* static */

    struct wheel_timer state_timer; /* connect, handshake, linger */
    struct wheel_timer read_timer;
    uint64_t received_ms;
    uint32_t read_timeout_ms;
    uint32_t move_to;

    struct conn_kernel ktls;

    struct ticket *ticket; /* owned while counted against the address */
    shard_connect_fn *connect_done;
    void *connect_ctx; /* borrowed until connect_done */
    conn_arrived_fn *arrived;
    struct mail mail; /* for the journey */

    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } peer;
    socklen_t peer_len;
};

/* slab.c: slots and generations */
int conn_slots_init(struct shard *sh, uint32_t slot_count);
void conn_slots_deinit(struct shard *sh);
/* ERR_FULL without a free slot. */
NODISCARD int conn_slots_add(struct shard *sh, struct conn *c);
/* The slot's generation moves on: all references go stale. */
void conn_slots_remove(struct shard *sh, struct conn *c);
struct conn *conn_slots_find(const struct shard *sh, uint32_t slot, uint32_t generation);

/* conn.c: life */
/* A conn with a slot around fd (>= 0), which it owns on success only. NULL and *err otherwise. */
struct conn *conn_new(struct shard *sh, int fd, enum conn_state state, int *err);
void conn_set_peer(struct conn *c, const struct sockaddr *addr, socklen_t len);
void conn_set_state(struct conn *c, enum conn_state next);
void conn_mark_dirty(struct conn *c);
/* At once: cancels what is in flight, then closed. The first one decides err and why. */
void conn_end(struct conn *c, int err, const char *why);
/* Orderly, with an outcome other than 0. */
void conn_close_with(struct conn *c, int err, const char *why, uint32_t linger_ms);
/* Starts what is missing, by state. */
void conn_drive(struct conn *c);
/* Calls closed for those in sh->ended and frees them. */
void conns_reap(struct shard *sh);
void conn_event(struct shard *sh, const struct io_event *ev);
void conns_abort_all(struct shard *sh, int err, const char *why);
/* in_flight matches, list membership: DASSERTs. */
void conn_check(const struct conn *c);

/* conn_in.c */
void conn_received(struct conn *c, const struct io_event *ev);
/* Delivers held input; called by the shard's input stage. */
void conn_input(struct conn *c);
void conn_want_input(struct conn *c);
void conn_recv_keep(struct conn *c);
bool conn_can_deliver(const struct conn *c);
/* Hands plaintext to the owner; returns what was used. */
size_t conn_deliver(struct conn *c, char *bytes, size_t len);

/* conn_out.c */
/* Starts the next send if there is one; false when everything has been taken by the kernel. */
bool conn_send_next(struct conn *c);
void conn_sent(struct conn *c, const struct io_event *ev);
size_t conn_unsent(const struct conn *c);
/* Calls ops.writable if it is due and the state allows it. */
void conn_tell_writable(struct conn *c);

/* conn_handshake.c */
/* It waits for a place: nothing is read. */
bool handshake_is_waiting(const struct conn *c);
/* Bytes, or the end of them, have come for its handshake. */
void handshake_input(struct conn *c);
/* Done, failed or given up: gives its place back. Harmless at any time. */
void handshake_over(struct conn *c);

/* conn_tls.c */
/* One stretch of received records; returns how many bytes were used up. */
size_t conn_tls_received(struct conn *c, char *bytes, size_t len);
/* The session has put an alert into pending, perhaps: it goes out, nothing else does. */
void conn_tls_fail(struct conn *c, int err);
/* Encrypts waiting plaintext into pending. */
void conn_tls_seal(struct conn *c);

/* Nothing more can be read from the peer; for the owner that is its end, in order. Static why. */
void conn_tls_deaf(struct conn *c, int err, const char *why);

/* conn_ktls.c */
void conn_ktls_begin(struct conn *c, enum conn_ktls mode);
void conn_ktls_deinit(struct conn *c);
/* Gives a direction to the kernel when its time has come. */
void conn_ktls_drive(struct conn *c);
/* The input is to be given away: receiving stops. */
bool conn_ktls_is_border_due(const struct conn *c);
/* Whether the result of a receive was one of the kernel's TLS and is dealt with. */
bool conn_ktls_received(struct conn *c, int result);
/* With nothing flying: starts the next control record; false = there is none. */
bool conn_ktls_send_note(struct conn *c);
/* False: what was sent was no control record. */
bool conn_ktls_note_sent(struct conn *c, const struct io_event *ev);
/* So many bytes went through the kernel's protection, if it is on. False: they may not be used. */
bool conn_ktls_count(struct conn *c, enum tls_direction direction, size_t len);

/* conn_move.c */
void conn_depart(struct conn *c);
void conn_arrive(struct shard *sh, struct mail *m);
/* A conn in the mail of threads that are gone. */
void conn_discard(struct mail *m);

/* connect.c */
void connect_start(struct conn *c);
void connect_event(struct conn *c, const struct io_event *ev);
/* The end of a conn that never was connected. */
void connect_failed(struct conn *c);

#endif
