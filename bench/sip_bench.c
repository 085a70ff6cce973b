/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_bench: one MESSAGE of a pool, 729 bytes with three Via values, Record-Route and the usual
 * extras: parsed by this room, by libosip2 and by libre in one run, and carried through checks and
 * transactions. All three decode the same: start line with Request-URI, every Via value,
 * Record-Route, Max-Forwards, From, To, Call-ID, CSeq, Content-Type, Content-Length (libosip2 and
 * libre by themselves, or by their functions for what they leave raw: sip_osip.c, sip_libre.c).
 * race.h: options. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/pool.h"
#include "race.h"
#include "sip/framer.h"
#include "sip/transaction.h"
#include "sip/write.h"
#include "sip_bench.h"

#define BODY_BYTES  50u
#define LOOPS       20000u
#define CHECK_LOOPS 40u

struct world {
    struct buf message;
    struct wheel wheel;
    struct sip_ids ids;
    struct sip_txns *txns;
    struct sip_link link;
    struct buf out;
    uint64_t now_ms;
    uint64_t bytes_seen;
    struct sip_bench_peer *libre;
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

/* Border of the message and where its header fields are: what a proxy needs first. */
static void run_framer(void *world, uint32_t loops)
{
    struct world *w = world;
    struct slice bytes = buf_slice(&w->message);
    struct sip_framer f;

    sip_framer_init(&f);
    for (unsigned i = 0; i < loops; i++) {
        size_t used;

        RACE_MUST(sip_framer_feed(&f, bytes.ptr, bytes.len, &used) == SIP_FRAME_MSG);
        w->bytes_seen += f.msg.body.len + f.msg.field_count;
    }
    sip_framer_deinit(&f);
}

static bool decode_list(const struct sip_msg *m)
{
    struct sip_list vias;
    struct slice value;
    struct sip_via via;
    unsigned count = 0;

    sip_list_init(&vias, m, SIP_HDR_VIA);
    while (sip_list_next(&vias, &value)) {
        if (sip_via_parse(value, &via) != 0 || !via.has_cookie) {
            return false;
        }
        count++;
    }
    return count == SIP_BENCH_VIAS;
}

static bool decode(const struct sip_msg *m)
{
    struct sip_uri uri;
    struct sip_addr addr;
    struct sip_cseq cseq;
    struct sip_media_type type;
    struct slice call_id;
    uint32_t forwards;

    return decode_list(m) && sip_msg_uri(m, &uri) == 0 &&
           sip_msg_addr(m, SIP_HDR_RECORD_ROUTE, &addr) == 0 &&
           sip_msg_addr(m, SIP_HDR_FROM, &addr) == 0 &&
           slice_eq_cstr(addr.uri.user, "romeo") && sip_msg_addr(m, SIP_HDR_TO, &addr) == 0 &&
           sip_msg_cseq(m, &cseq) == 0 && cseq.method == SIP_METHOD_MESSAGE &&
           sip_msg_call_id(m, &call_id) == 0 && sip_msg_content_type(m, &type) == 0 &&
           sip_msg_u32(m, SIP_HDR_MAX_FORWARDS, &forwards) == 0 &&
           forwards == SIP_BENCH_FORWARDS && m->body.len == BODY_BYTES;
}

static void run_parse(void *world, uint32_t loops)
{
    struct world *w = world;
    struct slice bytes = buf_slice(&w->message);
    struct sip_framer f;

    sip_framer_init(&f);
    for (unsigned i = 0; i < loops; i++) {
        size_t used;

        RACE_MUST(sip_framer_feed(&f, bytes.ptr, bytes.len, &used) == SIP_FRAME_MSG);
        RACE_MUST(decode(&f.msg));
    }
    sip_framer_deinit(&f);
}

static void run_checks(void *world, uint32_t loops)
{
    struct world *w = world;
    struct slice bytes = buf_slice(&w->message);
    struct sip_framer f;

    sip_framer_init(&f);
    for (unsigned i = 0; i < loops; i++) {
        struct sip_verdict verdict;
        size_t used;

        RACE_MUST(sip_framer_feed(&f, bytes.ptr, bytes.len, &used) == SIP_FRAME_MSG);
        RACE_MUST(sip_check_request(&f.msg, &policy, &verdict));
        w->bytes_seen += f.msg.body.len;
    }
    sip_framer_deinit(&f);
}

/* Frame, check, new server transaction, 202. The CSeq is changed so that none is a repetition. */
static void run_server(void *world, uint32_t loops)
{
    struct world *w = world;
    struct slice bytes = buf_slice(&w->message);
    char *number = strstr(w->message.data, "CSeq: ") + 6;
    char *branch = strstr(w->message.data, "z9hG4bK") + 7;
    struct sip_framer f;

    sip_framer_init(&f);
    for (unsigned i = 0; i < loops; i++) {
        struct sip_server_result result;
        char digits[16];
        size_t used;

        (void)snprintf(digits, sizeof(digits), "%08u", i);
        memcpy(number, digits, 8);
        memcpy(branch, digits, 8);
        w->now_ms += 2;
        RACE_MUST(sip_framer_feed(&f, bytes.ptr, bytes.len, &used) == SIP_FRAME_MSG);
        result = sip_server_receive(w->txns, &w->link, &f.msg, &policy, w->now_ms);
        RACE_MUST(result.in == SIP_SERVER_NEW);
        RACE_MUST(sip_server_respond(w->txns, result.ref, &(struct sip_answer){.status = 202},
                                  w->now_ms) == 0);
        w->bytes_seen += buf_len(&w->out);
        buf_clear(&w->out);
    }
    w->now_ms += 40000; /* the merge filter forgets */
    sip_framer_deinit(&f);
}

static void run_client(void *world, uint32_t loops)
{
    struct world *w = world;

    for (unsigned i = 0; i < loops; i++) {
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

        RACE_MUST(sip_client_start(w->txns, &client, &ref) == 0);
        sip_write_request(&w->out, &request);
        sip_write_end(&w->out, SLICE_LIT("text/plain;charset=UTF-8"), SLICE_LIT("hello there"));
        sip_client_forget(w->txns, ref);
        w->bytes_seen += buf_len(&w->out);
        buf_clear(&w->out);
    }
}

static void run_osip(void *world, uint32_t loops)
{
    const struct world *w = world;
    struct slice bytes = buf_slice(&w->message);

    for (unsigned i = 0; i < loops; i++) {
        RACE_MUST(sip_bench_osip(bytes.ptr, bytes.len));
    }
}

static void run_libre(void *world, uint32_t loops)
{
    const struct world *w = world;

    for (unsigned i = 0; i < loops; i++) {
        RACE_MUST(sip_bench_libre(w->libre));
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

static void open_world(struct world *w)
{
    static const struct sip_txn_ops ops = {link_out, link_flush, client_done, server_ended};

    wheel_init(&w->wheel, 0);
    sip_ids_init_seeded(&w->ids, 1);
    buf_init(&w->out, 1 << 20);
    make_message(&w->message);
    RACE_MUST(sip_txns_new(&w->txns, &(struct sip_txns_params){
                                         .ops = &ops, .wheel = &w->wheel, .ids = &w->ids}) == 0);
    sip_link_init(&w->link, w->txns, &w->out, SLICE_LIT("192.0.2.10"), 49221);
    sip_bench_osip_init();
    w->libre = sip_bench_libre_new(w->message.data, buf_len(&w->message));
}

int main(int argc, char **argv)
{
    enum { PARSE, FRAMER, CHECKS, SERVER, CLIENT, OSIP, LIBRE };
    static struct racer all[] = {
        [PARSE] = {.name = "parse, all values", .run = run_parse, .against = OSIP},
        [FRAMER] = {.name = "framing and index only", .run = run_framer, .against = RACE_ALONE},
        [CHECKS] = {.name = "parse + checks", .run = run_checks, .against = RACE_ALONE},
        [SERVER] = {.name = "parse + checks + server txn + 202",
                    .run = run_server, .against = RACE_ALONE},
        [CLIENT] = {.name = "client txn + written MESSAGE",
                    .run = run_client, .against = RACE_ALONE},
        [OSIP] = {.name = "libosip2 parse", .run = run_osip, .against = RACE_ALONE},
        [LIBRE] = {.name = "libre parse", .run = run_libre, .against = OSIP},
    };
    static struct race race = {.bench = "sip_bench", .unit = "MESSAGE of 729 bytes",
                               .loops = LOOPS};
    static struct world w;

    race_options(&race, argc, argv, CHECK_LOOPS);
    open_world(&w);
    race_run(&race, all, ARRAY_COUNT(all), &w);
    race_print(&race, all, ARRAY_COUNT(all));
    if (!race.is_json && !race.is_check) {
        double ours = race_median(&race, &all[PARSE]);
        double osip = race_median(&race, &all[OSIP]);
        double libre = race_median(&race, &all[LIBRE]);

        printf("SIP MESSAGE parse: fedgate %.0f ns, libosip2 %.0f ns (%.1f x), libre %.0f ns "
               "(%.1f x)\n", ours, osip, osip / ours, libre, libre / ours);
    }
    sip_bench_libre_free(w.libre);
    sip_link_down(&w.link, 0);
    sip_txns_free(w.txns);
    return 0;
}
