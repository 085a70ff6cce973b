/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_play: the player. Small sets of names, so that steps meet the same transactions. */
#include "txn_play.h"

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "sip/transaction.h"

#define TABLE_MAX  4u
#define REFS       8u
#define SETTLED_MS 1000000u

struct play {
    struct wheel wheel;
    struct sip_ids ids;
    struct sip_txns *txns;
    struct sip_link link;
    struct sip_txn_ref refs[REFS];
    struct buf out;
    struct buf text;
    uint64_t now_ms;
    uint64_t outcomes;
    uint64_t ends;
    uint64_t answers;
};

static struct play p;

static struct buf *to_buf(struct sip_link *link)
{
    return link->owner;
}

static void flushed(struct sip_link *link)
{
    ASSERT(link->is_up);
}

static void client_done(void *owner, const struct sip_client_done *done)
{
    ASSERT(owner == &p);
    ASSERT(done->status >= 200);
    p.outcomes++;
}

static void server_ended(struct sip_txn_ref ref, void *owner, enum sip_server_end why)
{
    (void)owner;
    ASSERT(!sip_server_is_open(p.txns, ref));
    if (why != SIP_SERVER_END_NO_ACK) {
        p.ends++;
    }
}

static const struct sip_txn_ops play_ops = {to_buf, flushed, client_done, server_ended};

static void link_up(void)
{
    sip_link_init(&p.link, p.txns, &p.out, SLICE_LIT("::1"), 1);
}

static void make(struct sip_msg *m, bool is_request, uint8_t op, uint8_t arg)
{
    static const char *const methods[] = {"MESSAGE", "INVITE", "ACK", "CANCEL", "OPTIONS"};
    const char *method = methods[arg % 5];
    struct sip_bad bad;

    buf_clear(&p.text);
    if (is_request) {
        buf_printf(&p.text, "%s sip:a@b SIP/2.0\r\n", method);
    } else {
        buf_printf(&p.text, "SIP/2.0 %u x\r\n", 100u + op % 200u * 3u);
    }
    buf_printf(&p.text,
               "Via: SIP/2.0/TLS a;branch=z9hG4bK%u\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>%s\r\n"
               "Call-ID: %u\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
               arg >> 5, op & 1 ? ";tag=2" : "", op >> 4, method);
    ASSERT(sip_msg_parse(m, buf_slice(&p.text), &bad) == 0);
}

static void start_client(uint8_t arg)
{
    char branch[] = "z9hG4bK0";
    struct sip_client_params params = {
        .link = &p.link,
        .method = SIP_METHOD_MESSAGE,
        .owner = &p,
        .now_ms = p.now_ms,
    };
    struct sip_txn_ref ref;

    branch[7] = (char)('0' + (arg >> 5));
    params.branch = slice_make(branch, 8);
    (void)!sip_client_start(p.txns, &params, &ref);
}

static void step(uint8_t what, uint8_t op, uint8_t arg)
{
    const struct sip_check_policy policy = {
        .methods = UINT32_MAX, .schemes = UINT32_MAX, .from_tag_optional = true};
    struct sip_server_result result;
    struct sip_msg m;

    switch (what % 7) {
    case 0:
        make(&m, true, op, arg);
        result = sip_server_receive(p.txns, &p.link, &m, &policy, p.now_ms);
        if (result.in == SIP_SERVER_NEW) {
            p.refs[arg % REFS] = result.ref;
        }
        break;
    case 1:
        make(&m, false, op, arg);
        (void)sip_client_receive(p.txns, &m);
        break;
    case 2:
        if (sip_server_is_open(p.txns, p.refs[arg % REFS]) &&
            sip_server_respond(p.txns, p.refs[arg % REFS],
                               &(struct sip_answer){.status = 200u + op}, p.now_ms) != ERR_STATE) {
            p.answers++;
        }
        break;
    case 3:
        start_client(arg);
        break;
    case 4:
        p.now_ms += (uint64_t)op * op * 8u;
        (void)wheel_run(&p.wheel, p.now_ms, 100);
        break;
    case 5:
        sip_link_down(&p.link, ERR_CLOSED);
        link_up();
        break;
    default:
        buf_clear(&p.out);
        break;
    }
}

void txn_play(const uint8_t *script, size_t size, struct txn_play_sums *sums)
{
    const struct sip_txn_stats *stats;

    memset(&p, 0, sizeof(p));
    buf_init(&p.out, 4096);
    buf_init(&p.text, 4096);
    wheel_init(&p.wheel, 0);
    sip_ids_init_seeded(&p.ids, 1);
    ASSERT(sip_txns_new(&p.txns, &(struct sip_txns_params){&play_ops, &p.wheel, &p.ids, TABLE_MAX,
                                                           TABLE_MAX, TABLE_MAX}) == 0);
    link_up();
    for (size_t i = 0; i + 2 < size; i += 3) {
        step(script[i], script[i + 1], script[i + 2]);
    }
    sip_link_down(&p.link, ERR_CLOSED);
    (void)wheel_run(&p.wheel, p.now_ms + SETTLED_MS, 1000);
    stats = sip_txns_stats(p.txns);
    ASSERT(p.outcomes == stats->client_started);
    ASSERT(p.ends + p.answers == stats->server_new);
    ASSERT(stats->client_now == 0 && stats->server_now == 0 && p.wheel.timer_count == 0);
    sums->server_new += stats->server_new;
    sums->client_started += stats->client_started;
    sums->client_final += stats->client_final;
    sums->client_timeout += stats->client_timeout;
    sums->client_link += stats->client_link;
    sums->unanswered += stats->server_unanswered;
    sip_txns_free(p.txns);
    buf_deinit(&p.out);
    buf_deinit(&p.text);
}
