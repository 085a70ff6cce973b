/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transaction: RFC 3261 17 over reliable transports, with RFC 4320 for non-INVITE. One table per
 * shard holds
 *   client transactions (non-INVITE, 17.1.2): one request sent, exactly one outcome - a final
 *     response, timer F (32 s), or the end of the connection;
 *   server transactions (17.2.1, 17.2.2): one request received, exactly one final response;
 *   a filter of requests seen in the last 32 s, against merged requests (8.2.2.2).
 * Timers A, D, E, G, I, J, K are zero here; F = H = 32 s. A non-INVITE request unanswered for 3.5 s
 * gets 100 (RFC 4320 4.1), an INVITE after 200 ms; one unanswered for 30 s gets 504 from the table.
 * The table does no I/O: bytes go into the buf that ops->out gives, timers onto the shard's wheel.
 * Time: milliseconds of the wheel's clock. One thread. Memory: pool.
 * Transactions are named by sip_txn_ref; a ref of one that has ended is found by no one.         */
#ifndef FG_SIP_TRANSACTION_H
#define FG_SIP_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/slice.h"
#include "base/wheel.h"
#include "sip/checks.h"
#include "sip/ids.h"
#include "sip/msg.h"

#define SIP_T1_MS            500u
#define SIP_TIMER_F_MS       32000u /* 64 * T1 */
#define SIP_TIMER_H_MS       32000u
#define SIP_TRYING_MS        3500u   /* when timer E would reach T2 (RFC 4320 4.1) */
#define SIP_TRYING_INVITE_MS 200u    /* RFC 3261 17.2.1 */
#define SIP_ANSWER_MS        30000u  /* before the client's timer F ends it */
#define SIP_ANSWER_INVITE_MS 170000u /* before timer C of a proxy in between */
#define SIP_MERGE_MS         32000u
#define SIP_OVERLOAD_RETRY_S 5u

struct sip_txns;

struct sip_txn_ref {
    uint32_t slot;
    uint32_t generation; /* 0 = names nothing */
};

/* One SIP connection, embedded in whoever owns it. Between sip_link_init and sip_link_down. */
struct sip_link {
    struct sip_txns *txns; /* borrowed */
    struct list clients;
    struct list servers;
    void *owner;            /* borrowed; for ops */
    struct slice peer_host; /* borrowed for the link's life: source address as text, no port */
    uint16_t peer_port;
    bool is_up;
};

enum sip_outcome {
    SIP_OUTCOME_FINAL,   /* response is set, status >= 200 */
    SIP_OUTCOME_TIMEOUT, /* timer F; status 408 */
    SIP_OUTCOME_LINK,    /* connection ended; status 503 (RFC 3261 8.1.3.1), err says why */
};

struct sip_client_done {
    struct sip_txn_ref ref; /* for comparison; already stale */
    enum sip_outcome outcome;
    uint16_t status;
    int err;                        /* LINK: as given to sip_link_down */
    const struct sip_msg *response; /* FINAL: borrowed for the call */
};

enum sip_server_end {
    SIP_SERVER_END_UNANSWERED, /* 504 was sent for the owner */
    SIP_SERVER_END_CANCELLED,  /* INVITE: 487 was sent for the owner */
    SIP_SERVER_END_NO_ACK,     /* INVITE: timer H after our final response */
};

struct sip_txn_ops {
    /* Where to append bytes for this link; NULL = it cannot take any (then it is as if down). */
    struct buf *(*out)(struct sip_link *link);
    /* The buf was appended to. */
    void (*flush)(struct sip_link *link);
    /* Exactly once per client transaction, never from inside sip_client_start. */
    void (*client_done)(void *owner, const struct sip_client_done *done);
    /* A server transaction ended other than by sip_server_respond. owner: as set for it; NULL with
     * NO_ACK, which comes after the response. */
    void (*server_ended)(struct sip_txn_ref ref, void *owner, enum sip_server_end why);
};

struct sip_txns_params {
    const struct sip_txn_ops *ops; /* borrowed */
    struct wheel *wheel;           /* borrowed */
    struct sip_ids *ids;           /* borrowed */
    uint32_t client_max;           /* 0 = 65536 */
    uint32_t server_max;           /* 0 = 65536 */
    uint32_t merge_max;            /* filter entries; 0 = 65536 */
};

struct sip_txn_stats {
    uint64_t client_started, client_final, client_timeout, client_link, client_stray;
    uint64_t server_new, server_answered, server_refused, server_overload, server_merged;
    uint64_t server_repeated, server_unanswered, server_link_lost, server_dropped;
    uint64_t trying_sent, cancel_matched, cancel_stray, ack_stray, ack_matched, no_ack;
    uint32_t client_now, server_now, merge_now; /* gauges */
};

NODISCARD int sip_txns_new(struct sip_txns **out, const struct sip_txns_params *params);
/* Links must be down. Ends what is left without callbacks. NULL is accepted. */
void sip_txns_free(struct sip_txns *t);
const struct sip_txn_stats *sip_txns_stats(const struct sip_txns *t);

void sip_link_init(struct sip_link *link, struct sip_txns *t, void *owner, struct slice peer_host,
                   uint16_t peer_port);
/* The connection has ended: every client transaction on it ends with SIP_OUTCOME_LINK and err; the
 * server transactions lose their way back (see sip_server_respond). Harmless when repeated.      */
void sip_link_down(struct sip_link *link, int err);

/* --- client ----------------------------------------------------------------------------------- */

/* Registers a request that the caller writes to the link in the same turn with this branch. owner
 * comes back in client_done. 0, ERR_FULL, ERR_NOMEM, ERR_CLOSED (link down), ERR_UNSUPPORTED
 * (INVITE, ACK, CANCEL). timeout_ms 0 = timer F.                                                */
struct sip_client_params {
    struct sip_link *link;
    enum sip_method method;
    struct slice branch;
    void *owner;
    uint32_t timeout_ms;
    uint64_t now_ms;
};
NODISCARD int sip_client_start(struct sip_txns *t, const struct sip_client_params *params,
                               struct sip_txn_ref *out);
/* Ends it without client_done, e.g. because its owner is going. Stale refs are ignored. */
void sip_client_forget(struct sip_txns *t, struct sip_txn_ref ref);

enum sip_client_in {
    SIP_CLIENT_DONE,        /* client_done was called */
    SIP_CLIENT_PROVISIONAL, /* 1xx: nothing to do */
    SIP_CLIENT_STRAY,       /* no such transaction (any more), or malformed: drop it */
};
/* A response that sip_check_response accepts; with keys as sip_check_response_keys decoded them. */
enum sip_client_in sip_client_receive(struct sip_txns *t, const struct sip_msg *response);
enum sip_client_in sip_client_receive_keys(struct sip_txns *t, const struct sip_msg *response,
                                           const struct sip_keys *keys);

/* --- server ----------------------------------------------------------------------------------- */

enum sip_server_in {
    SIP_SERVER_NEW,      /* ref is set: act, then sip_server_respond once */
    SIP_SERVER_REFUSED,  /* answered here with status (checks, 482 merged, 503 overload) */
    SIP_SERVER_ABSORBED, /* ACK, CANCEL, repeated request: done */
    SIP_SERVER_DROPPED,  /* malformed beyond an answer */
};
struct sip_server_result {
    enum sip_server_in in;
    struct sip_txn_ref ref;
    const struct sip_keys *keys; /* NEW: what was decoded; valid as the message, and until the next
                                    request is received. Else NULL */
    uint16_t status; /* REFUSED: what was answered; DROPPED: what would have been; else 0 */
    const char *why; /* static text, never NULL */
};
/* Runs sip_check_request with policy, then matches. The message may go after the return. */
struct sip_server_result sip_server_receive(struct sip_txns *t, struct sip_link *link,
                                            const struct sip_msg *request,
                                            const struct sip_check_policy *policy, uint64_t now_ms);
/* For a request that framer.h gave up (SIP_FRAME_BAD with bad.status): answers without state. */
void sip_server_answer_bad(struct sip_txns *t, struct sip_link *link, const struct sip_msg *m,
                           const struct sip_bad *bad);

bool sip_server_is_open(const struct sip_txns *t, struct sip_txn_ref ref);
void sip_server_set_owner(struct sip_txns *t, struct sip_txn_ref ref, void *owner);
/* The To tag that the response will carry. Valid while the transaction is open; empty if stale. */
struct slice sip_server_to_tag(const struct sip_txns *t, struct sip_txn_ref ref);

struct sip_answer {
    unsigned status;     /* 200..699; 408 for non-INVITE is refused (RFC 4320 4.2) */
    struct slice reason; /* empty = the standard phrase */
    struct slice fields; /* header lines made with write.h, each with its CRLF; may be empty */
    struct slice content_type;
    struct slice body;
};
/* Writes the final response and ends the transaction (an INVITE one waits for its ACK). 0;
 * ERR_STALE = already answered or ended; ERR_CLOSED = the connection is gone: not sent, ended;
 * ERR_LIMIT = the link's buffer is full: not sent, ended; ERR_STATE = status not allowed: still
 * open.                                                                                         */
NODISCARD int sip_server_respond(struct sip_txns *t, struct sip_txn_ref ref,
                                 const struct sip_answer *answer, uint64_t now_ms);
/* Sends 100 now if none was sent (RFC 4320 4.1 allows it at any time on TCP and TLS). */
void sip_server_trying(struct sip_txns *t, struct sip_txn_ref ref);
/* Whether its connection is still up; and gives it another one to the same peer (18.2.2). */
bool sip_server_has_link(const struct sip_txns *t, struct sip_txn_ref ref);
/* NULL: gone, or the transaction has ended. */
struct sip_link *sip_server_link(const struct sip_txns *t, struct sip_txn_ref ref);
NODISCARD int sip_server_set_link(struct sip_txns *t, struct sip_txn_ref ref,
                                  struct sip_link *link);

#endif
