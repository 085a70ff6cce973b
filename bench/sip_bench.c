/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_bench: one MESSAGE of a pool, 729 bytes with three Via values, Record-Route and the usual
 * extras: parsed by this room and by libosip2 in one run, and carried through checks and a server
 * transaction. Rounds of all contestants alternate; medians are printed with the spread.
 * Usage: sip_bench [ROUNDS]                                                                      */
#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/pool.h"
#include "sip/framer.h"
#include "sip/transaction.h"
#include "sip/write.h"

#define BODY_BYTES 50u
#define LOOPS      20000u
#define ROUNDS_MAX 101u

struct world {
    struct buf message;
    struct wheel wheel;
    struct sip_ids ids;
    struct sip_txns *txns;
    struct sip_link link;
    struct buf out;
    uint64_t now_ms;
    uint64_t bytes_seen;
};

typedef void contest_fn(struct world *w);

struct contestant {
    const char *name;
    contest_fn *run; /* LOOPS times */
    double ns[ROUNDS_MAX];
};

static const struct slice accept_types[] = {SLICE_LIT("text/plain")};
static const struct sip_check_policy policy = {
    .methods = SIP_METHOD_BIT(SIP_METHOD_MESSAGE),
    .schemes = SIP_SCHEME_BIT(SIP_SCHEME_SIP),
    .accept = accept_types,
    .accept_count = 1,
};

static void make_message(struct buf *b)
{
    static const char head[] =
        "MESSAGE sip:juliet@fabrikam.test SIP/2.0\r\n"
        "Via: SIP/2.0/TLS "
        "192.0.2.10:5061;branch=z9hG4bK1E4A71C2.0BAF7C5D7C38B4CF;branched=FALSE\r\n"
        "Via: SIP/2.0/TLS "
        "fe2.corp.test:5061;branch=z9hG4bK9C1F0D36.41;alias;received=192.0.2.11\r\n"
        "Via: SIP/2.0/TLS 198.51.100.7:49221;branch=z9hG4bK77ef4c2312983;ms-received-port=49221\r\n"
        "Record-Route: <sip:pool.corp.test:5061;transport=tls;ms-role-rs-to;lr>;tag=93DB1\r\n"
        "Max-Forwards: 68\r\n"
        "From: \"Romeo Montague\" <sip:romeo@corp.test>;tag=49583aa8;epid=0db9a3d1f2\r\n"
        "To: <sip:juliet@fabrikam.test>\r\n"
        "Call-ID: a84b4c76e66710f0a1b2c3d4e5f60718\r\n"
        "CSeq: 00000001 MESSAGE\r\n"
        "User-Agent: UCCAPI/16.0 (client)\r\n"
        "Content-Type: text/plain; charset=UTF-8\r\n"
        "Content-Length: 50\r\n\r\n";

    buf_init(b, 65536);
    buf_append(b, head, sizeof(head) - 1);
    for (unsigned i = 0; i < BODY_BYTES; i++) {
        buf_putc(b, "Wherefore art thou, Romeo? "[i % 27]);
    }
}

static void run_framer(struct world *w)
{
    struct slice bytes = buf_slice(&w->message);
    struct sip_framer f;

    sip_framer_init(&f);
    for (unsigned i = 0; i < LOOPS; i++) {
        size_t used;

        ASSERT(sip_framer_feed(&f, bytes.ptr, bytes.len, &used) == SIP_FRAME_MSG);
        w->bytes_seen += f.msg.body.len + f.msg.field_count;
    }
    sip_framer_deinit(&f);
}

static void run_checks(struct world *w)
{
    struct slice bytes = buf_slice(&w->message);
    struct sip_framer f;

    sip_framer_init(&f);
    for (unsigned i = 0; i < LOOPS; i++) {
        struct sip_verdict verdict;
        size_t used;

        ASSERT(sip_framer_feed(&f, bytes.ptr, bytes.len, &used) == SIP_FRAME_MSG);
        ASSERT(sip_check_request(&f.msg, &policy, &verdict));
        w->bytes_seen += f.msg.body.len;
    }
    sip_framer_deinit(&f);
}

/* Frame, check, new server transaction, 202. The CSeq is changed so that none is a repetition. */
static void run_server(struct world *w)
{
    struct slice bytes = buf_slice(&w->message);
    char *number = strstr(w->message.data, "CSeq: ") + 6;
    char *branch = strstr(w->message.data, "z9hG4bK") + 7;
    struct sip_framer f;

    sip_framer_init(&f);
    for (unsigned i = 0; i < LOOPS; i++) {
        struct sip_server_result result;
        char digits[9];
        size_t used;

        (void)snprintf(digits, sizeof(digits), "%08u", i);
        memcpy(number, digits, 8);
        memcpy(branch, digits, 8);
        w->now_ms += 2;
        ASSERT(sip_framer_feed(&f, bytes.ptr, bytes.len, &used) == SIP_FRAME_MSG);
        result = sip_server_receive(w->txns, &w->link, &f.msg, &policy, w->now_ms);
        ASSERT(result.in == SIP_SERVER_NEW);
        ASSERT(sip_server_respond(w->txns, result.ref, &(struct sip_answer){.status = 202},
                                  w->now_ms) == 0);
        w->bytes_seen += buf_len(&w->out);
        buf_clear(&w->out);
    }
    w->now_ms += 40000; /* the merge filter forgets */
    sip_framer_deinit(&f);
}

static void run_client(struct world *w)
{
    for (unsigned i = 0; i < LOOPS; i++) {
        struct sip_id branch = sip_ids_branch(&w->ids);
        struct sip_id call_id = sip_ids_call_id(&w->ids);
        struct sip_id tag = sip_ids_tag(&w->ids);
        const struct sip_request_params request = {
            .method = SIP_METHOD_MESSAGE,
            .uri = SLICE_LIT("sip:romeo@corp.test"),
            .transport = SLICE_LIT("TLS"),
            .sent_by = SLICE_LIT("edge1.corp.test:5061"),
            .branch = sip_id_slice(&branch),
            .max_forwards = 70,
            .from_uri = SLICE_LIT("sip:juliet@fabrikam.test"),
            .from_tag = sip_id_slice(&tag),
            .to_uri = SLICE_LIT("sip:romeo@corp.test"),
            .call_id = sip_id_slice(&call_id),
            .cseq = 1,
        };
        const struct sip_client_params client = {
            .link = &w->link,
            .method = SIP_METHOD_MESSAGE,
            .branch = sip_id_slice(&branch),
            .now_ms = w->now_ms,
        };
        struct sip_txn_ref ref;

        ASSERT(sip_client_start(w->txns, &client, &ref) == 0);
        sip_write_request(&w->out, &request);
        sip_write_end(&w->out, SLICE_LIT("text/plain;charset=UTF-8"), SLICE_LIT("hello there"));
        sip_client_forget(w->txns, ref);
        w->bytes_seen += buf_len(&w->out);
        buf_clear(&w->out);
    }
}

static void run_osip(struct world *w)
{
    struct slice bytes = buf_slice(&w->message);

    for (unsigned i = 0; i < LOOPS; i++) {
        osip_message_t *m = NULL;

        ASSERT(osip_message_init(&m) == 0);
        ASSERT(osip_message_parse(m, bytes.ptr, bytes.len) == 0);
        w->bytes_seen += (size_t)osip_list_size(&m->vias);
        osip_message_free(m);
    }
}

static struct buf *link_out(struct sip_link *link)
{
    return link->owner;
}

static void link_flush(struct sip_link *link)
{
    (void)link;
}

static void client_done(void *owner, const struct sip_client_done *done)
{
    (void)owner;
    (void)done;
}

static void server_ended(struct sip_txn_ref ref, void *owner, enum sip_server_end why)
{
    (void)ref;
    (void)owner;
    (void)why;
}

/* Time on the CPU: other work on the machine must not count. */
static double now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;

    return (*x > *y) - (*x < *y);
}

static void open_world(struct world *w)
{
    static const struct sip_txn_ops ops = {link_out, link_flush, client_done, server_ended};

    wheel_init(&w->wheel, 0);
    sip_ids_init_seeded(&w->ids, 1);
    buf_init(&w->out, 1 << 20);
    make_message(&w->message);
    ASSERT(sip_txns_new(&w->txns, &(struct sip_txns_params){
                                      .ops = &ops, .wheel = &w->wheel, .ids = &w->ids}) == 0);
    sip_link_init(&w->link, w->txns, &w->out, SLICE_LIT("192.0.2.10"), 49221);
    ASSERT(parser_init() == 0);
}

int main(int argc, char **argv)
{
    static struct contestant all[] = {
        {.name = "sip_framer_feed (parse)", .run = run_framer},
        {.name = "parse + checks", .run = run_checks},
        {.name = "parse + checks + server txn + 202", .run = run_server},
        {.name = "client txn + written MESSAGE", .run = run_client},
        {.name = "libosip2 parse", .run = run_osip},
    };
    static struct world w;
    uint64_t wanted = 15;
    unsigned rounds;

    if (argc > 1 && (!slice_parse_u64(slice_from_cstr(argv[1]), &wanted) || wanted < 1 ||
                     wanted > ROUNDS_MAX)) {
        (void)fprintf(stderr, "usage: sip_bench [1..%u]\n", ROUNDS_MAX);
        return 64;
    }
    rounds = (unsigned)wanted;
    open_world(&w);
    for (unsigned r = 0; r < rounds; r++) {
        for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
            double start = now_ns();

            all[i].run(&w);
            all[i].ns[r] = (now_ns() - start) / LOOPS;
        }
    }
    printf("MESSAGE of %zu bytes, %u rounds of %u; ns per message\n", buf_len(&w.message), rounds,
           LOOPS);
    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        qsort(all[i].ns, rounds, sizeof(all[i].ns[0]), compare);
        printf("%-36s median %7.0f  min %7.0f  max %7.0f\n", all[i].name, all[i].ns[rounds / 2],
               all[i].ns[0], all[i].ns[rounds - 1]);
    }
    sip_link_down(&w.link, 0);
    sip_txns_free(w.txns);
    return w.bytes_seen == 0;
}
