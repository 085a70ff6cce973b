/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_server_help: requests of any make for a transaction table, and their answers. */
#ifndef FG_TEST_TXN_SERVER_HELP_H
#define FG_TEST_TXN_SERVER_HELP_H

#include "txn_help.h"

struct req {
    const char *method;
    const char *branch; /* NULL = none (RFC 2543) */
    const char *call_id;
    const char *to_tag;
    const char *extra;
    const char *host; /* sent-by, NULL = pool.corp.example */
    unsigned cseq;
    int link;
};

static inline struct sip_server_result receive(struct req r)
{
    struct sip_server_result result;
    struct sip_msg m;
    struct buf b;

    buf_init(&b, 65536);
    buf_printf(&b,
               "%s sip:bob@corp.example SIP/2.0\r\n"
               "Via: SIP/2.0/TLS %s:5061%s%s\r\n"
               "From: <sip:ann@chat.example>;tag=1\r\nTo: <sip:bob@corp.example>%s%s\r\n"
               "Call-ID: %s\r\nCSeq: %u %s\r\nMax-Forwards: 70\r\n%sContent-Length: 0\r\n\r\n",
               r.method, r.host ? r.host : "pool.corp.example", r.branch ? ";branch=" : "",
               r.branch ? r.branch : "", r.to_tag ? ";tag=" : "", r.to_tag ? r.to_tag : "",
               r.call_id ? r.call_id : "cid", r.cseq ? r.cseq : 1, r.method,
               r.extra ? r.extra : "");
    buf_putc(&b, '\0');
    sip_help_parse(&m, buf_slice(&b).ptr);
    result = sip_server_receive(w.txns, &w.link[r.link], &m, &w.policy, w.now_ms);
    buf_deinit(&b);
    return result;
}

static inline struct sip_txn_ref receive_new(struct req r)
{
    struct sip_server_result result = receive(r);

    cr_assert_eq(result.in, SIP_SERVER_NEW, "%s %u", result.why, result.status);
    cr_assert(sip_server_is_open(w.txns, result.ref));
    return result.ref;
}

static inline int respond(struct sip_txn_ref ref, unsigned status)
{
    return sip_server_respond(w.txns, ref, &(struct sip_answer){.status = status}, w.now_ms);
}

#define MSG(b) ((struct req){.method = "MESSAGE", .branch = (b)})
#define INV(b) ((struct req){.method = "INVITE", .branch = (b)})

#endif
