/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim_int: what the simulated kernel consists of: sockets and operations in flight. Shared by its
 * two files: what is asked of it (sim_io.c), and what it does when it likes (sim_step.c). */
#ifndef FG_TEST_SIM_INT_H
#define FG_TEST_SIM_INT_H

#include "base/buf.h"
#include "base/check.h"
#include "sim_io.h"
#include "sim_tls.h"

#define SOCKS_MAX 512
#define OPS_MAX 2048
#define EVENTS_MAX 8192
#define BACKLOG_MAX 64
#define FD_BASE 100000 /* not to be mistaken for a real one */
#define WINDOW_BYTES 20000u
#define RX_BYTES_MAX 200000u /* a record goes over the window as a whole */

struct sock {
    bool is_used;
    bool is_fin;   /* the peer sends no more */
    bool is_reset; /* broken */
    bool is_shut;  /* we send no more */
    int peer;      /* -1 = gone */
    uint16_t port; /* listeners */
    int backlog[BACKLOG_MAX];
    uint32_t backlog_count;
    struct buf rx;
    struct sim_tls tls;
};

struct op {
    bool is_used;
    struct io_tag tag;
    struct io *io;
    int sock;
    const char *bytes; /* send: the engine's, until the event */
    size_t len;
    char *into; /* recv_once: the engine's, until the event */
    bool is_end_only; /* recv_end */
    const struct io_record *record; /* send_record: the engine's, until the event */
    uint16_t port;
    struct io_tag target;
};

struct sim_io {
    struct io io;
    struct io_event *events; /* ring */
    uint32_t head, tail;
    char *memory;
    /* Per buffer: where its next stretch begins, how many stretches are lent. A shared one serves
     * several receives. */
    uint32_t *used;
    uint32_t *lent;
    bool is_shared;
};

extern struct sock sim_socks[SOCKS_MAX];
extern struct op sim_ops[OPS_MAX];
extern uint32_t sim_ops_count; /* sim_ops[0..sim_ops_count) are used */

bool sim_fault(enum sim_fault which);
struct sim_io *sim_of(struct io *io);
/* -1: there are no more. */
int sim_sock_new(void);
void sim_sock_free(struct sock *s);
void sim_break_pair(struct sock *s);
struct io_event *sim_event_new(struct io *io, struct io_tag tag, int result, bool is_last);
/* Ends the operation with this result. */
void sim_finish(uint32_t i, int result);
void sim_end_op(uint32_t i);

#endif
