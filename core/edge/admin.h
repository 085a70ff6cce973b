/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admin: the Unix stream socket that fedgatectl asks on (listen.admin): a client sends one request
 * line (admin_request.h), gets one reply line, {"ok": true, ...} or {"ok": false, "error": TEXT},
 * and the connection is closed. Whoever may connect may administer: the file's mode is 0660.
 * Bounds: ADMIN_CLIENTS_MAX clients; a new one beyond that takes the place of the one that has been
 * connected longest, of those who wait for an answer last, so that connections that ask nothing
 * cannot keep out one that does; requests of ADMIN_REQUEST_BYTES_MAX; ADMIN_REQUEST_MS to ask,
 * ADMIN_REPLY_MS to take the reply; ADMIN_REQUESTS_PER_TURN answers a turn, and none after
 * ADMIN_TURN_MS of it, so that signals, logs and health checks wait for one slow answer at most.
 * What takes longer (a reload) is answered later (admin_finish); whoever waits for that has no
 * deadline but its own.
 * Threads: control thread; it has none of its own, admin_turn() does what is due and never waits
 * for a client. */
#ifndef FG_EDGE_ADMIN_H
#define FG_EDGE_ADMIN_H

#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/buf.h"
#include "edge/admin_request.h"

#define ADMIN_CLIENTS_MAX       32u
#define ADMIN_REQUEST_BYTES_MAX ((size_t)64 << 10)
#define ADMIN_REPLY_BYTES_MAX   ((size_t)8 << 20) /* bound of out below */
#define ADMIN_REQUEST_MS        5000u
#define ADMIN_REPLY_MS          10000u
#define ADMIN_REQUESTS_PER_TURN 4u
#define ADMIN_TURN_MS           50u
#define ADMIN_PATH_BYTES_MAX    107u /* of sun_path */

struct admin;

/* Who asks, as the kernel says it. */
struct admin_peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;
};

/* Appends the reply, one line with its end; 0. A failed buf is answered with an error instead.
 * Or appends nothing: the number under which admin_finish answers later, others who wait for the
 * same perhaps, too. */
typedef uint64_t admin_answer_fn(const struct admin_request *request,
                                 const struct admin_peer *peer, struct buf *out, void *ctx);

/* Listens on path. What a node that did not end well left there is replaced; a socket that somebody
 * answers on, or a file that is no socket, is not. ctx: borrowed until admin_free. -errno or
 * ERR_*, and why says what to do. */
NODISCARD int admin_new(struct admin **out, const char *path, admin_answer_fn *answer, void *ctx,
                        char why[ADMIN_WHY_BYTES]);
/* Accepts, reads, answers what is there. NULL is accepted. */
void admin_turn(struct admin *a);
/* Answers everybody who waits under this number: line, with its end. */
void admin_finish(struct admin *a, uint64_t number, struct slice line);
/* For a caller that sleeps in poll: readable when admin_turn has work; -1 for NULL. */
int admin_fd(const struct admin *a);
/* Closes all connections and removes the socket, if it is still the one that was made. NULL is
 * accepted. */
void admin_free(struct admin *a);

#endif
