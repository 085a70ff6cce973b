/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire: one connection of a party: dialling, TLS, what reads it, its end. What is said on it is the
 * party's (wire_ops); connections of a party: lines.h.
 * One shard. Memory: pool; a wire lives from wire_dial or wire_accept until gone was called.     */
#ifndef FG_LOAD_WIRE_H
#define FG_LOAD_WIRE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/list.h"
#include "engine/conn.h"
#include "load/reader.h"
#include "load/stage.h"

struct wire;
struct lines;
struct dial;

/* Where a wire stands. READY: stanzas flow. Who speaks no XMPP needs DIALLING, TLS, READY and
 * ENDED only. */
#define WIRE_STATES(X)                                                                             \
    X(DIALLING)                                                                                    \
    X(TLS)                                                                                         \
    X(HEADER)    /* ours is sent, or theirs awaited */                                             \
    X(FEATURES)                                                                                    \
    X(PROCEED)   /* <starttls/> is sent */                                                         \
    X(PROOF)     /* <auth/>, <db:result/>, <db:verify/> or <handshake/> is sent */                 \
    X(READY)                                                                                       \
    X(CLOSING)   /* </stream:stream> is sent */                                                    \
    X(ENDED)     /* and theirs has come */
enum wire_state {
#define X(name) WIRE_##name,
    WIRE_STATES(X)
#undef X
};

struct wire_ops {
    /* Elements of an XMPP stream; without them (element NULL) the party reads bytes. */
    struct reader_ops reader;
    /* How many of the bytes were used; less: it has paused the connection. */
    size_t (*data)(struct wire *w, const char *bytes, size_t len);
    /* TCP is connected, nothing was said (not where TLS comes at once); and TLS is there. */
    void (*connected)(struct wire *w);
    void (*secured)(struct wire *w);
    void (*writable)(struct wire *w);
    /* The connection is over; the wire is freed behind this. text: why, for people; NULL = in
     * order. */
    void (*gone)(struct wire *w, const char *text);
};

struct wire {
    uint32_t magic;
    struct stage *stage;
    const struct wire_ops *ops;
    struct lines *lines; /* borrowed: the party's */
    struct conn *c;      /* the engine's; NULL before the dial is done */
    struct dial *dial;   /* owned; NULL = accepted */
    struct list all;     /* accepted: in the party's list */
    struct reader *reader; /* owned; NULL = ops->data reads */
    enum wire_state state;
    bool is_dialled;
    bool is_direct;        /* TLS at once */
    bool is_secured;
    bool is_authenticated; /* a new stream follows SASL */
    bool is_receiving;     /* stanzas may come */
    uint32_t line;         /* of dialled ones */
    uint32_t domain;       /* partner that we play on it */
    uint32_t role;         /* the party's own */
    uint64_t stream_id;    /* the party's own: of the stream that it answered last */
    void *own;             /* the party's own; it frees it when gone is called */
};

/* Where it goes, and as whose server. */
struct wire_params {
    struct lines *lines;
    const struct wire_ops *ops;
    const struct sockaddr_in *to;
    bool is_direct;
    uint32_t line;
    uint32_t domain;
    uint32_t role;
};
/* NULL = the run has failed. */
struct wire *wire_dial(const struct wire_params *params);
void wire_accept(const struct wire_params *params, struct conn *c);
void wire_set_state(struct wire *w, enum wire_state next);
const char *wire_state_name(enum wire_state state);

/* Begins TLS on what is connected in plain; everything received must have been used. */
void wire_start_tls(struct wire *w);
PRINTF_LIKE(2, 3) void wire_printf(struct wire *w, const char *fmt, ...);
void wire_put(struct wire *w, struct slice bytes);
struct buf *wire_out(struct wire *w);
void wire_flush(struct wire *w);
/* Says close_notify and waits for the other side's end; gone follows. */
void wire_end(struct wire *w);
/* It carries stanzas from now on: told to the stage. */
void wire_become_ready(struct wire *w);
/* Room for so many bytes, to be committed (buf_commit on wire_out); NULL = not READY, or no room
 * now. */
char *wire_room(struct wire *w, size_t bytes);
/* Source: takes the order's numbers and writes its stanzas. False: no room now. */
bool wire_write(struct wire *w, const struct schedule_order *order);
/* Stops or resumes reading. */
void wire_hold(struct wire *w, bool is_held);

#endif
