/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shard_state: what a shard and the engine consist of. Private to core/engine.
 * Fields of struct shard are the shard thread's own unless they say otherwise.                   */
#ifndef FG_ENGINE_SHARD_STATE_H
#define FG_ENGINE_SHARD_STATE_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/wheel.h"
#include "engine/admission.h"
#include "engine/engine.h"
#include "engine/mailbox.h"
#include "engine/shard_int.h"
#include "io/io.h"

#define SHARD_MAGIC 0x53484152u
#define ENGINE_LISTENERS_MAX 64u
#define ENGINE_LISTEN_BACKLOG 4096u

#define SHARD_EVENTS_PER_TURN 256u
#define SHARD_MAILS_PER_TURN 256u /* per sender */
#define SHARD_MAILS_PER_BATCH 64u /* published at once; the rest of a turn's at its end */
#define SHARD_TIMERS_PER_TURN 1024u
#define SHARD_INPUTS_PER_TURN 256u
/* Input of all connections together that a turn processes, more or less (share_of in conn_in.c): a
 * fraction of a millisecond. */
#define SHARD_INPUT_BYTES ((size_t)128 << 10)
/* The same while somebody who is not loud sends something that is waited for: it waits for the end
 * of one turn and goes out with the end of the next, so both are short. Not always, because it
 * costs those who are loud some 10 %. */
#define SHARD_INPUT_BYTES_SHORT ((size_t)32 << 10)
#define SHARD_SHORT_MS 100u /* so long after the last of it */
#define SHARD_SLEEP_MS_MAX 60000u
#define SHARD_PEER_TEXT_BYTES 56u
/* Mail that waits on the producer's side for room in the ring; replies may go beyond. */
#define SHARD_MAIL_RESERVE 1024u
#define SHARD_MAIL_ROOM (MAILBOX_ENTRIES + SHARD_MAIL_RESERVE)

/* Kinds of the engine's own mail; the application's are below MAIL_KIND_ENGINE. */
enum mail_engine_kind {
    MAIL_KIND_ACCEPTED = 0xffffff00u, /* struct ticket: a new connection */
    MAIL_KIND_TICKET,                 /* struct ticket coming home */
    MAIL_KIND_CONN,                   /* a moving struct conn */
    MAIL_KIND_LISTEN,                 /* struct listen_mail */
    MAIL_KIND_LISTEN_STOP,
};
#define MAIL_KIND_ENGINE 0xffffff00u

struct conn_slot {
    struct conn *conn;   /* owned; NULL = free */
    uint32_t generation; /* of the conn, or of the next one */
    uint32_t next_free;
};

/* Polls of foreign descriptors. */
struct shard_poll {
    int fd; /* -1 = free; not ours to close */
    uint32_t mask;
    uint32_t generation;
    bool is_armed;
    shard_poll_fn *ready;
    void *ctx; /* borrowed until removed */
};

/* Producer's side of the way to one other shard. */
struct mail_way {
    struct list fifo; /* struct mail.link; what found the ring full, in order */
    uint32_t fifo_count;
    struct list waits; /* struct shard_mail_wait.link */
    bool is_touched;   /* something was put since the last bell: one is due */
};

struct acceptor;

struct shard {
    uint32_t magic;
    uint32_t idx;
    struct engine *engine; /* borrowed: outlives the shard */
    struct io *io;         /* owned */
    void *app;             /* the application's */
    uint64_t turn;
    size_t input_bytes;        /* processed in this turn */
    size_t input_bytes_max;    /* more or less: share_of */
    uint64_t short_until_ms;   /* SHARD_INPUT_BYTES_SHORT holds */
    bool has_line;             /* the last turn could not serve all whose input is held */
    uint32_t input_count;      /* connections that had input in this turn */
    uint32_t input_count_last; /* and in the one before */
    uint64_t now_ms;
    int64_t now_unix_s;
    uint64_t random_state;
    const void *snapshot; /* borrowed until this shard acknowledges the next one */
    uint64_t snapshot_generation;
    struct wheel wheel;

    struct conn_slot *slots; /* owned, slot_count */
    uint32_t slot_count;
    uint32_t slot_free; /* head of the free list, UINT32_MAX = none */
    struct list dirty;  /* struct conn.dirty_link: to be driven at the end of the turn */
    struct list input;  /* struct conn.input_link: holds input that may be delivered */
    struct list ended;  /* struct conn.ended_link: nothing in flight, closed is due */
    struct admission admission;
    struct wheel_timer overdue_timer; /* while handshakes wait */

    struct shard_poll polls[SHARD_POLLS_MAX];
    uint32_t poll_count; /* polls[0..poll_count) were ever used */

    struct mail_way ways[ENGINE_SHARDS_MAX];
    struct list local_mail; /* struct mail.link; to ourselves */
    uint32_t local_count;
    struct acceptor *acceptor; /* owned; shard 0 only */

    struct {
        void *object;
        void (*stop)(struct shard *sh, void *object);
    } objects[SHARD_SLOT_COUNT];

    char peer_text[SHARD_PEER_TEXT_BYTES]; /* the last conn_peer_text() */
    struct log_ring log;        /* drained by the control thread */
    struct engine_stats stats;  /* stat_add by the shard, read by the control thread */
    pthread_t thread;
    bool is_thread_started; /* control thread */
    int start_err;          /* shard writes before is_ready */
    int alarm_fd;           /* owned; written by threads that have no ring */
    uint32_t stop_phase;    /* last seen of engine->stop_phase */

    /* Consumer stores 1 before it sleeps, whoever brings news exchanges it for 0 and rings when it
     * was 1. All exchanges acq_rel: either the sleeper sees the news or the bringer sees the 1. */
    alignas(64) _Atomic uint32_t is_sleeping;
    /* Shard writes (seq_cst) once it has let go of older snapshots; publisher reads (seq_cst). */
    alignas(64) _Atomic uint64_t seen_generation;
    _Atomic uint32_t is_ready;   /* shard, release: app started or failed; engine, acquire */
    _Atomic uint32_t is_drained; /* shard, release: stopping, nothing left; engine, acquire */
};

struct engine {
    struct engine_params params; /* defaults filled in */
    struct shard *shards;        /* owned, shard_count, aligned inside shards_block */
    void *shards_block;          /* owned */
    uint32_t shard_count;
    /* boxes[to * (shard_count + 1) + from]; from == shard_count: threads that are no shard. */
    struct mailbox *boxes; /* owned, aligned inside boxes_block */
    void *boxes_block;     /* owned */
    char **dns_servers;     /* owned copy of params.dns_servers */
    pthread_mutex_t post_lock; /* one producer at a time on the last column */

    /* Publisher writes, shards read, all seq_cst: a shard that sees the generation sees the
     * pointer. */
    _Atomic(const void *) snapshot;
    _Atomic uint64_t generation;
    /* engine, release: 0 run, 1 end connections, 2 leave; shards, acquire */
    _Atomic uint32_t stop_phase;
    _Atomic uint32_t listen_stops; /* shard 0, release: stop requests done; control, acquire */

    void *snapshot_owned; /* control thread: the current one, to be freed */
    struct {              /* control thread */
        uint16_t port;
        uint32_t tag;
    } listeners[ENGINE_LISTENERS_MAX];
    uint32_t listener_count;
    struct mail listen_stop;
};

static inline struct mailbox *engine_box(struct engine *e, uint32_t to, uint32_t from)
{
    return &e->boxes[(size_t)to * (e->shard_count + 1) + from];
}

/* engine.c: engine_new without the threads. On error *out is there to be freed, too. */
NODISCARD int engine_build(struct engine **out, const struct engine_params *params, char *why,
                           size_t why_bytes);

/* shard.c */
int shard_init(struct shard *sh, struct engine *e, uint32_t idx, char *why, size_t why_bytes);
void shard_deinit(struct shard *sh);
void *shard_thread(void *arg);
/* The parts of shard_thread, which a simulator calls itself: the beginning, one turn of the loop
 * (may_sleep false: does not wait), the end. */
int shard_begin(struct shard *sh);
void shard_turn(struct shard *sh, bool may_sleep);
void shard_finish(struct shard *sh);

/* conn_handshake.c: lets waiting handshakes in, runs the steps of this turn */
void handshakes_run(struct shard *sh);

/* post.c: mail and wakes */
void shard_post_init(struct shard *sh);
/* Delivers what came in; true when some is left for the next turn. */
bool shard_mail_receive(struct shard *sh);
/* Moves waiting mail into rings, calls those who wait for room. */
void shard_mail_push_on(struct shard *sh);
/* Publishes what was posted, wakes those who sleep. */
void shard_mail_ring_bells(struct shard *sh);
/* Whether there is anything that came after shard_mail_receive looked. */
bool shard_has_news(struct shard *sh);
bool shard_mail_is_idle(const struct shard *sh);
/* Wakes to from the thread of sh, or from no shard's thread (NULL). */
void shard_notify(struct shard *to, struct shard *from);
/* Engine's own mail. */
void shard_mail_engine(struct shard *sh, struct mail *m);
/* Drops what this shard has not sent; its thread ends. */
void shard_mail_leave(struct shard *sh);
/* What is left in the rings when all threads are gone. */
void mail_discard(struct mail *m);

/* poll.c */
void shard_poll_event(struct shard *sh, const struct io_event *ev);

/* accept.c */
struct listen_mail {
    struct mail mail;
    int fd;
    uint32_t tag;
};
void acceptor_new(struct shard *sh);
void acceptor_free(struct shard *sh);
void acceptor_listen(struct shard *sh, struct listen_mail *m);
void acceptor_stop(struct shard *sh);
void acceptor_event(struct shard *sh, const struct io_event *ev);

/* An accepted descriptor on its way to its shard; afterwards, as long as the connection counts
 * against its address, the counter's receipt, which comes home to shard 0. */
struct addr_count;
struct ticket {
    struct mail mail;
    int fd; /* owned until the conn exists */
    uint32_t listener_tag;
    struct addr_count *count; /* shard 0's; NULL = not counted */
    struct sockaddr_storage peer;
    socklen_t peer_len;
};
/* What connections are counted by: an IPv4 address, or the /64 of an IPv6 one. */
void acceptor_address_key(const struct sockaddr *peer, char key[ADMISSION_ADDRESS_BYTES]);
void acceptor_ticket_back(struct shard *sh, struct ticket *t);
void ticket_return(struct shard *sh, struct ticket *t);

#endif
