/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn: one TCP connection, plain or TLS, on one shard. The owner (a leg of the edge) gets
 * decrypted bytes and writes plain bytes; encryption, sending, pausing, closing and moving
 * between shards are the conn's job. One send is in flight per socket; what is written meanwhile
 * is the next batch.
 *
 * Life: accepted or dialled -> owner set -> ops.data ... -> conn_close or peer's end ->
 * ops.closed (exactly once, always later than the call that caused it, never from inside it) ->
 * the conn is gone. All calls on the conn's shard.
 * Across turns and threads a conn is named by struct conn_ref and looked up again. */
#ifndef FG_ENGINE_CONN_H
#define FG_ENGINE_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "tls/tls.h"

struct conn;
struct shard;

struct conn_ref {
    uint32_t shard_idx;
    uint32_t slot;
    uint32_t generation; /* 0 = names nothing */
};

struct conn_ops {
    /* Received plaintext, len > 0. Returns how many bytes were used; fewer than len only after
     * conn_pause() from inside (the rest comes again after conn_resume()), conn_move() (comes on
     * the other shard) or a close. After conn_start_tls() from inside all must be used:
     * plaintext behind it ends the connection with ERR_BAD_INPUT.
     * bytes may be written to and stay valid until the return.                                   */
    size_t (*data)(struct conn *c, void *owner, char *bytes, size_t len);
    /* A TLS handshake ended well; conn_tls_peer() is there. A failed one ends in closed. */
    void (*secured)(struct conn *c, void *owner);
    /* The output is no longer crowded after conn_out_is_crowded() was true. May be NULL. */
    void (*writable)(struct conn *c, void *owner);
    /* The peer ended its sending side (TLS close_notify or TCP FIN), or changed to keys that we
     * cannot follow, so that nothing more can be read; we may still write. Returning
     * true = keep open, false = the conn closes itself. NULL = false.                            */
    bool (*peer_ended)(struct conn *c, void *owner);
    /* The end. err: 0 = closed by our conn_close, ERR_CLOSED = by the peer in order,
     * ERR_TLS_TRUNCATED = TLS cut off without close_notify, ERR_TLS_REKEY = ended in order because
     * the peer's new keys cannot be followed, -errno, ERR_TLS_*, ERR_TIMEOUT.
     * why: static or conn-owned text, never NULL. unsent_bytes: written by the owner and never
     * handed to the kernel in full, plus what the kernel had not yet got acknowledged
     * (SIOCOUTQ). */
    void (*closed)(struct conn *c, void *owner, int err, const char *why, size_t unsent_bytes);
};

void conn_set_owner(struct conn *c, const struct conn_ops *ops, void *owner);
struct conn_ref conn_ref_of(const struct conn *c);
/* NULL when stale or on another shard. */
struct conn *conn_find(struct shard *sh, struct conn_ref ref);
void *conn_owner(const struct conn *c);
struct shard *conn_shard(const struct conn *c);

/* Where plaintext to send is appended (bounded by conn_out_max); conn_flush marks it for sending at
 * the end of the turn. A failed buf (over the bound) makes the conn close with ERR_LIMIT. */
struct buf *conn_out(struct conn *c);
void conn_flush(struct conn *c);
/* More than half of the bound, or than conn_set_crowded said, is waiting: stop producing,
 * ops.writable will be called. */
bool conn_out_is_crowded(const struct conn *c);
/* Also sets what crowded means: to half of it. */
void conn_set_out_max(struct conn *c, size_t bytes_max);
/* For owners who write pieces of any size: room for the largest one above what is enough. */
void conn_set_crowded(struct conn *c, size_t bytes);
/* Bytes appended since the beginning, and of those already taken by the kernel: never less than
 * the peer may have got, for what is beyond is written again to another connection. Of TLS records
 * those that are out to their last byte; nothing can be read of others. */
uint64_t conn_bytes_written(const struct conn *c);
uint64_t conn_bytes_sent(const struct conn *c);

/* Stops and resumes ops.data. Nested calls do not count: one resume is enough. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);

/* Whether the kernel is to protect the records. AUTO: where it can; REQUIRE: or the connection ends
 * with ERR_TLS_KERNEL. The library does the handshake, and under REQUIRE too the first records of a
 * client that keeps tickets (tls.h). */
enum conn_ktls { CONN_KTLS_OFF, CONN_KTLS_AUTO, CONN_KTLS_REQUIRE };

/* Everything written before goes out in plain, then the handshake begins. Bytes received but not
 * yet used count as handshake bytes only if conn_start_tls is called from inside ops.data with
 * all bytes used: a caller that sees plaintext behind <starttls/> must close instead.
 * handshake_timeout_ms bounds it. ctx is referenced. */
struct conn_tls_params {
    struct tls_context *ctx;
    struct tls_session_params session;
    uint32_t handshake_timeout_ms;
    enum conn_ktls ktls;
};
NODISCARD int conn_start_tls(struct conn *c, const struct conn_tls_params *params);
bool conn_is_secured(const struct conn *c);
/* NULL before ops.secured and on plain connections. Valid while the conn lives. */
const struct tls_peer *conn_tls_peer(const struct conn *c);
/* After a reload that changed trust or revocation lists: false = the peer's certificate, good until
 * now, is no longer (conn_tls_peer says so from now on). True on plain connections. */
bool conn_tls_rejudge(struct conn *c, const struct tls_context *now_in_force);

/* A TLS key is used up and cannot be renewed: to be replaced by another connection. */
bool conn_is_worn(const struct conn *c);
/* Nothing more can be read: the peer has changed to keys that we cannot follow. Writing goes on. */
bool conn_is_deaf(const struct conn *c);
/* Who protects the records now: "plain", "library", "user", "kernel", and while, or because, only
 * one direction could be given away "kernel-out" or "kernel-in". */
const char *conn_record_path(const struct conn *c);

/* Orderly: sends what was written, close_notify, shuts down the sending side, waits for the peer's
 * end (linger_ms at most), then ops.closed. ops.data is called no more. */
void conn_close(struct conn *c, uint32_t linger_ms);
/* At once: drops what is unsent. */
void conn_abort(struct conn *c, int err, const char *why);

/* Closes by itself with ERR_TIMEOUT when nothing was received for this long; 0 = off. */
void conn_set_read_timeout(struct conn *c, uint32_t timeout_ms);
/* Ends the counting of this inbound connection against the cap per address; from now on the kernel
 * may read its records (conn_tls_params.ktls). */
void conn_set_authenticated(struct conn *c);
/* What comes in here is answers that nobody waits for. Else (as it is at first) input that comes
 * here makes the shard's turns short as long as it is little in sum, so that it does not wait long
 * beside those who send much (SHARD_INPUT_BYTES_SHORT in shard_state.h), which costs them some
 * percent. Stays over conn_move(). */
void conn_set_patient(struct conn *c, bool is_patient);
/* "192.0.2.1:5269" / "[2001:db8::1]:5269"; for logs; valid until the shard is asked for another. */
const char *conn_peer_text(const struct conn *c);
const struct sockaddr *conn_peer_addr(const struct conn *c, socklen_t *len);

/* Moves the connection with TLS state, unread input, unsent output and owner pointer to another
 * shard: cancels receiving, waits for the send in flight, hands over by mailbox, re-arms there and
 * calls arrived on the new shard before any ops. Until then no ops are called; on this shard the
 * pointer is dead on return and the ref goes stale. The owner's own timers must be disarmed by the
 * caller before and armed again in arrived. Should the move fail half-way (other shard full),
 * ops.closed is called on whichever shard holds it. Not while a handshake runs. */
typedef void conn_arrived_fn(struct shard *sh, struct conn *c, void *owner);
void conn_move(struct conn *c, uint32_t to_shard_idx, conn_arrived_fn *arrived);

#endif
