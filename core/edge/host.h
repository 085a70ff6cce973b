/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host: answers the stream machines' questions from the current snapshot: what is ours, what is
 * agreed with whom, what the peer's certificate is worth on this connection. */
#ifndef FG_EDGE_HOST_H
#define FG_EDGE_HOST_H

#include "edge/edge.h"
#include "policy/decide.h"

struct host_ctx {
    struct edge *e; /* borrowed; changes when the connection moves to another shard */
    struct conn *c; /* borrowed; NULL before there is one */
    uint32_t home_place; /* in: 1 + home shard of the partner proved first; 0 = none yet */
};

extern const struct stream_host host_ops;

/* The rules of a partner's row as the stream machine takes them. */
void host_rules_of(const struct edge *e, const struct partner *p, enum stream_role role,
                   struct stream_rules *out);
/* Why a pair is refused, for the other side. Valid until the next such question. */
const struct stream_refusal *host_refusal_of(struct edge *e, const struct policy_verdict *verdict);

/* The name of the rule by which a stream of the two is refused, for logs: what refuses the pair of
 * domains (`partners.maintenance["x"]`), else the partner's entry, which says how it has to prove
 * itself and what it may send: `partners["x"]`. local may be empty: not said yet; remote, too: "".
 */
struct host_rule {
    char text[POLICY_RULE_BYTES];
};
struct host_rule host_rule_of(const struct edge *e, struct slice local, struct slice remote);

/* The lowest TLS version of the partner whose domain this is; empty or nobody's: the lowest that
 * some partner may use. */
enum tls_version host_tls_min(const struct edge *e, struct slice remote);
/* After a reload: why a live stream may not go on, NULL = it may, perhaps without some of its
 * pairs. Also makes the certificate's verdict that of the configuration in force. s may be NULL. */
const struct stream_refusal *host_review(const struct host_ctx *h, struct stream *s);
/* Who is refused by a reload is out within a second, also if it does not answer our close: ... */
#define HOST_REFUSED_CLOSE_MS 600u
#define HOST_REFUSED_LINGER_MS 200u /* ... and then does not end its connection */

/* Of connections that are no partner's. */
enum tls_version host_tls_min_inside(const struct edge *e);
/* Whether what was agreed on such a connection is that much now; true without TLS. */
bool host_tls_is_enough_inside(const struct edge *e, const struct conn *c);

#endif
