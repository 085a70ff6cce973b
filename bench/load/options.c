/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options: the command line -> plan. A table: name, argument, what it is for, where it goes. */
#include <arpa/inet.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "engine/engine.h"
#include "load/mix.h"
#include "load/party.h"
#include "load/payload.h"
#include "load/plan.h"

#define USAGE_STATUS 64
#define NAME_COLUMN 26
#define BULK_STREAMS 4u
#define BULK_WINDOW 2048u
#define BULK_BYTES (1u << 20) /* in flight, at most, where stanzas are large */
#define FAN_STREAMS 256u
#define IDLE_STREAMS 4000u
#define IDLE_FIRST 500u
#define OPEN_WINDOW 65536u
#define STANZA_BYTES 251u
#define STALL_S 20
#define PARALLEL 16u
#define EXPIRES_S 3600u
#define PRESENCE_PARALLEL 128u /* subscriptions */
#define PRESENCE_BYTES_MAX 1024u /* longer states may be cut */
#define PRESENCE_EXPIRES_MIN 8u
#define PRESENCE_GAP_S 6 /* a notifier's interval is 5 s (RFC 3856 6.10); none begins within */
#define COUNT 100000u

enum type { TYPE_FLAG, TYPE_COUNT, TYPE_NUMBER, TYPE_TEXT, TYPE_ADDRESS };

struct option_row {
    const char *name;
    enum type type;
    size_t at;
    const char *argument; /* NULL: a heading */
    const char *help;
};

#define ROW(name, type, field, argument, help)                                                     \
    {name, TYPE_##type, offsetof(struct plan, field), argument, help}
#define HEAD(text)                                                                                 \
    {NULL, TYPE_FLAG, 0, NULL, text}

static const struct option_row rows[] = {
    HEAD("Who plays"),
    ROW("mode", TEXT, mode, "MODE",
        "in: s2s -> component; out: component -> s2s; relay: tls -> tls; relay-plain: tls -> tcp; "
        "xmpp-sip: s2s -> sip; sip-xmpp: sip -> s2s; presence: presence -> notify; "
        "notify: notify -> presence"),
    ROW("source", TEXT, kind_name[SIDE_SOURCE], "KIND",
        "or one by one: s2s, component, tls, tcp, sip; presence (XMPP), notify (SIP)"),
    ROW("sink", TEXT, kind_name[SIDE_SINK], "KIND", "the same for who receives"),
    HEAD("What is sent"),
    ROW("workload", TEXT, workload, "LOAD",
        "bulk (4 streams, writes of 16 KiB), fan-in (256, one stanza a write, one in flight on "
        "each), one (one in flight in all), open (--rate), idle (4000; for a look at memory)"),
    ROW("streams", COUNT, streams, "N", "flows; as s2s source a stream each; at most 20000"),
    ROW("domains", COUNT, domains, "N", "partners they belong to; else one each; with sip one"),
    ROW("lines", COUNT, lines, "N", "s2s source: streams that carry the flows; else one each; with "
                                    "sip one for each domain"),
    ROW("count", COUNT, count, "N", "stanzas of the measured part (100000)"),
    ROW("seconds", NUMBER, seconds, "S", "ends it by time instead"),
    ROW("window", COUNT, window, "N", "stanzas in flight, all flows together"),
    ROW("size", COUNT, stanza_bytes, "BYTES", "of a stanza: 200 to 65536 (251); with --mix real on "
                                              "average"),
    ROW("mix", TEXT, mix, "NAME",
        "plain: all alike (the usual); real: as clients and servers in use write them"),
    ROW("rate", NUMBER, rate, "N", "stanzas per second; open"),
    ROW("first", COUNT, first, "N", "stops at \"ready\" with so many streams, too"),
    ROW("cycles", COUNT, cycles, "N", "instead: streams that open, authenticate and close"),
    ROW("parallel", COUNT, parallel, "N",
        "connections in negotiation at a time (16); presence: subscriptions, too (128)"),
    ROW("churn", NUMBER, churn, "N", "source's streams that close and come again, per second"),
    ROW("hold", NUMBER, hold_s, "S", "so long receivers read nothing, at the begin"),
    ROW("hold-one", FLAG, hold_one, "", "only one of them"),
    ROW("apart", TEXT, apart, "PID,...",
        "the server's processes: they are stopped while the tool works, which rests while they "
        "run; bulk, fan-in, one"),
    ROW("stall", NUMBER, stall_s, "S", "gives up when nothing moves for so long (20)"),
    HEAD("Presence"),
    ROW("gap", NUMBER, gap_s, "S",
        "a user shows something else only after so long, fan-in; within it the server may tell the "
        "last state only (6 to SIP, as notifiers wait 5 s; 0 from SIP)"),
    ROW("expires", COUNT, expires_s, "S",
        "what SUBSCRIBEs ask for, and the longest that is granted (3600)"),
    HEAD("Where (IPv4:PORT)"),
    ROW("target", ADDRESS, target, "ADDRESS", "s2s or TLS of what is measured"),
    ROW("component", ADDRESS, component, "ADDRESS", "its component port"),
    ROW("listen", ADDRESS, listen, "ADDRESS", "where partners' servers are played"),
    ROW("sip", ADDRESS, sip, "ADDRESS", "SIP of what is measured"),
    ROW("sip-listen", ADDRESS, sip_listen, "ADDRESS", "where its next hop is played"),
    HEAD("Names"),
    ROW("suffix", TEXT, suffix, "DOMAIN", "partners are p00000.DOMAIN up (fan.test)"),
    ROW("inside", TEXT, inside, "DOMAIN", "the component's domain (app.corp.test)"),
    ROW("secret", TEXT, secret, "TEXT", "of the component"),
    ROW("dialback-secret", TEXT, dialback_secret, "TEXT", "of the partners' servers"),
    HEAD("XMPP and TLS"),
    ROW("auth", TEXT, auth, "HOW", "external, dialback (in TLS), plain-dialback"),
    ROW("direct", FLAG, is_direct, "", "TLS at once, no STARTTLS"),
    ROW("no-acks", FLAG, has_no_acks, "", "sink: XEP-0198 is not offered"),
    ROW("pings", FLAG, has_pings, "", "sink: dials, too, and answers pings there; no XEP-0198"),
    ROW("sip-lines", COUNT, sip_lines, "N",
        "SIP source, notify: connections that carry the flows (1)"),
    ROW("sip-tls", FLAG, is_sip_tls, "", "SIP over TLS instead of TCP"),
    ROW("cert", TEXT, certificate, "FILE", "what partners show; PEM, with its chain"),
    ROW("key", TEXT, key, "FILE", "its key"),
    ROW("ca", TEXT, ca, "FILE", "with --ca-key: each domain that dials shows one of its own"),
    ROW("ca-key", TEXT, ca_key, "FILE", "issued by this CA at the start"),
    ROW("tls", TEXT, tls_name, "NAME", "TLS library of the handshakes (wolfssl)"),
    HEAD("The tool"),
    ROW("shards", COUNT, shards, "N", "threads (1)"),
    ROW("quiet", FLAG, is_quiet, "", "no live line"),
    ROW("wait", FLAG, waits, "", "says \"ready\" and waits for a line before what is measured, and "
                                 "at the end for the end of its input"),
};

__attribute__((noreturn)) static void wrong(const char *what)
{
    (void)fprintf(stderr, "fedgate-load: %s (fedgate-load --help)\n", what);
    exit(USAGE_STATUS);
}

__attribute__((noreturn)) static void help(void)
{
    (void)puts("fedgate-load: plays everybody around an XMPP server, sends numbered stanzas "
               "through it,\ndemands each once, in order and intact, and tells latency and rate.\n"
               "\n  fedgate-load --mode in --target 192.0.2.1:5269 --component 192.0.2.1:5347 "
               "--secret S\n               --inside app.example --suffix fan.example --cert "
               "fan.crt --key fan.key --workload bulk\n\n"
               "A live line on stderr, one line of JSON on "
               "stdout. Exit status: 0 all delivered once, in order,\nintact; 1 not so; 70 broken; "
               "64 usage.");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char left[NAME_COLUMN + 1];

        if (!rows[i].name) {
            (void)printf("\n%s:\n", rows[i].help);
            continue;
        }
        (void)snprintf(left, sizeof(left), "--%s %s", rows[i].name, rows[i].argument);
        (void)printf("  %-*s %s\n", NAME_COLUMN, left, rows[i].help);
    }
    exit(0);
}

static struct sockaddr_in address(const char *text)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    const char *colon = strrchr(text, ':');
    char ip[INET_ADDRSTRLEN];
    uint64_t port;

    if (!colon ||
        !slice_to_cstr(slice_make(text, (size_t)(colon - text)), ip, sizeof(ip)) ||
        inet_pton(AF_INET, ip, &a.sin_addr) != 1 ||
        !slice_parse_u64(slice_from_cstr(colon + 1), &port) || port == 0 || port > UINT16_MAX) {
        wrong("addresses are IPv4:PORT");
    }
    a.sin_port = htons((uint16_t)port);
    return a;
}

static void take(struct plan *p, const struct option_row *row, const char *value)
{
    char *field = (char *)p + row->at;
    char *end = NULL;
    uint64_t count;
    double number;
    struct sockaddr_in where;

    switch (row->type) {
    case TYPE_FLAG:
        *field = 1;
        break;
    case TYPE_COUNT:
        if (!slice_parse_u64(slice_from_cstr(value), &count)) {
            wrong("a count is a decimal number");
        }
        memcpy(field, &count, sizeof(count));
        break;
    case TYPE_NUMBER:
        number = strtod(value, &end);
        if (*end != '\0' || number < 0) {
            wrong("a number is wanted");
        }
        memcpy(field, &number, sizeof(number));
        break;
    case TYPE_TEXT:
        memcpy(field, &value, sizeof(value));
        break;
    case TYPE_ADDRESS:
        where = address(value);
        memcpy(field, &where, sizeof(where));
        break;
    }
}

static void set_kinds(struct plan *p)
{
    static const struct {
        const char *mode;
        const char *kinds[SIDES];
    } modes[] = {{"in", {"s2s", "component"}},
                 {"out", {"component", "s2s"}},
                 {"relay", {"tls", "tls"}},
                 {"relay-plain", {"tls", "tcp"}},
                 {"xmpp-sip", {"s2s", "sip"}},
                 {"sip-xmpp", {"sip", "s2s"}},
                 {"presence", {"presence", "notify"}},
                 {"notify", {"notify", "presence"}}};

    for (size_t i = 0; p->mode && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(p->mode, modes[i].mode) == 0) {
            p->kind_name[SIDE_SOURCE] = modes[i].kinds[SIDE_SOURCE];
            p->kind_name[SIDE_SINK] = modes[i].kinds[SIDE_SINK];
        }
    }
    for (enum side side = SIDE_SOURCE; side < (enum side)SIDES; side++) {
        p->kind[side] = p->kind_name[side] ? party_find(p->kind_name[side]) : NULL;
        if (!p->kind[side]) {
            wrong("--mode, or --source and --sink, say who plays");
        }
    }
    p->is_inside_out =
        p->kind[SIDE_SOURCE] == &party_component || p->kind[SIDE_SOURCE] == &party_sip ||
        p->kind[SIDE_SOURCE] == &party_notify;
    p->is_presence = p->kind[SIDE_SINK]->watch != NULL;
    if (p->gap_s < 0) {
        p->gap_s = p->is_presence && p->kind[SIDE_SOURCE] == &party_presence ? PRESENCE_GAP_S : 0;
    }
    p->parallel = p->parallel ? p->parallel : p->is_presence ? PRESENCE_PARALLEL : PARALLEL;
}

static uint64_t either(uint64_t given, uint64_t usual)
{
    return given ? given : usual;
}

/* fedgate and others have one message under way for each SIP recipient, so that many flows share a
 * stream. */
static bool has_sip(const struct plan *p)
{
    return p->is_presence || p->kind[SIDE_SOURCE] == &party_sip ||
           p->kind[SIDE_SINK] == &party_sip;
}

static bool has_mix(const struct plan *p)
{
    return mix_find(p->mix, false)->count > 1;
}

static void set_workload(struct plan *p)
{
    uint64_t bytes = either(p->stanza_bytes, STANZA_BYTES);
    uint64_t bulk = BULK_BYTES / bytes < BULK_WINDOW ? BULK_BYTES / bytes : BULK_WINDOW;
    const struct {
        const char *name;
        enum schedule_kind kind;
        uint64_t streams, window, first; /* window 0: one for each stream */
    } loads[] = {{"bulk", SCHEDULE_BULK, BULK_STREAMS, bulk, 0},
                 {"fan-in", SCHEDULE_FAN, FAN_STREAMS, 0, 0},
                 {"one", SCHEDULE_ONE, 1, 0, 0},
                 {"open", SCHEDULE_OPEN, FAN_STREAMS, OPEN_WINDOW, 0},
                 {"idle", SCHEDULE_FAN, IDLE_STREAMS, 0, IDLE_FIRST}};

    for (size_t i = 0; p->workload && i < sizeof(loads) / sizeof(loads[0]); i++) {
        if (strcmp(p->workload, loads[i].name) == 0) {
            p->schedule = loads[i].kind;
            p->stanza_bytes = bytes;
            p->streams = either(p->streams, loads[i].streams);
            p->domains = either(p->domains, has_sip(p) ? 1 : p->streams);
            p->lines = either(p->lines, has_sip(p) ? p->domains : p->streams);
            p->first = either(p->first, loads[i].first);
            p->window = either(p->window, either(loads[i].window, p->streams));
            p->window = p->window < p->streams ? p->streams : p->window;
            return;
        }
    }
    wrong("--workload bulk, fan-in, one, open or idle");
}

/* Presence on one side is presence on both: what does not watch, shows nothing. */
static const char *presence_fault(const struct plan *p)
{
    const struct party_kind *source = p->kind[SIDE_SOURCE];

    return p->is_presence != (source == &party_presence || source == &party_notify)
               ? "presence and notify go with each other only"
           : !p->is_presence                   ? NULL
           : p->schedule == SCHEDULE_BULK      ? "presence: workload fan-in, one or open"
           : p->shards > 1                     ? "presence: one shard"
           : p->stanza_bytes > PRESENCE_BYTES_MAX ? "presence: --size at most 1024"
           : p->expires_s < PRESENCE_EXPIRES_MIN || p->expires_s > UINT32_MAX
               ? "--expires: 8 at least"
           : p->cycles > 0 || p->churn > 0 || p->apart
               ? "presence: no cycles, no churn, not --apart"
           : p->gap_s > 0 && p->schedule == SCHEDULE_ONE ? "one: --gap 0"
                                                         : NULL;
}

static void check(struct plan *p)
{
    const char *fault =
        presence_fault(p)                               ? presence_fault(p)
        : p->streams > PLAN_FLOWS_MAX                    ? "--streams: at most 20000"
        : p->domains > p->streams                      ? "--domains: not more than --streams"
        : p->lines % p->domains != 0 || p->lines > p->streams || p->lines % p->shards != 0
            ? "--lines: a multiple of --domains and --shards, not more than --streams"
        : p->first > 0 && p->lines != p->streams       ? "--first: a stream for each flow"
        : p->sip_lines == 0 || p->sip_lines > p->streams ? "--sip-lines: 1 to --streams"
        : p->first > p->streams                        ? "--first: not more than --streams"
        : p->stanza_bytes < PLAN_STANZA_BYTES_MIN ||
                p->stanza_bytes > PLAN_STANZA_BYTES_MAX ? "--size: 200 to 65536"
        : !mix_find(p->mix, false)                      ? "--mix plain or real"
        : has_mix(p) && (has_sip(p) || p->stanza_bytes > PLAN_MIX_BYTES_MAX)
            ? "--mix real: between XMPP sides, --size at most 16384"
        : p->count > PAYLOAD_SEQ_MAX - PLAN_FLOWS_MAX   ? "--count: ten digits at most"
        : p->schedule == SCHEDULE_OPEN && p->rate <= 0  ? "open needs --rate"
        : p->apart && (p->schedule == SCHEDULE_OPEN || p->cycles > 0 || p->churn > 0 ||
                       p->hold_s > 0 || p->seconds > 0)
            ? "--apart: bulk, fan-in or one, by count; no cycles, churn, hold"
        : p->stall_s <= p->gap_s                        ? "--stall: above 0, and above --gap"
        : p->shards == 0 || p->shards > ENGINE_SHARDS_MAX ? "--shards: 1 to 64"
        : p->cycles > 0 && p->shards > 1                ? "--cycles: one shard"
        : (p->streams % p->shards) != 0                 ? "--streams: a multiple of --shards"
        : !p->ca != !p->ca_key || !p->certificate != !p->key
            ? "--cert and --key, --ca and --ca-key go together"
        : strcmp(p->auth, "external") != 0 && strcmp(p->auth, "dialback") != 0 &&
                strcmp(p->auth, "plain-dialback") != 0
            ? "--auth external, dialback or plain-dialback"
            : NULL;

    if (fault) {
        wrong(fault);
    }
    p->has_no_acks = p->has_no_acks || p->has_pings;
    if (p->cycles > 0 && p->parallel > p->streams) {
        p->parallel = p->streams; /* a line is once there at a time */
    }
    for (enum side side = SIDE_SOURCE; side < (enum side)SIDES; side++) {
        char why[256] = "";

        if (p->kind[side]->check(p, side, why, sizeof(why)) != 0) {
            wrong(why);
        }
    }
}

void plan_read(struct plan *p, int argc, char **argv)
{
    struct option options[sizeof(rows) / sizeof(rows[0]) + 2];
    int count = 0;
    int which;

    memset(options, 0, sizeof(options));
    *p = (struct plan){.suffix = "fan.test",
                       .inside = "app.corp.test",
                       .secret = "inside",
                       .dialback_secret = "partners",
                       .mix = "plain",
                       .auth = "external",
                       .tls_name = "wolfssl",
                       .count = COUNT,
                       .gap_s = -1,
                       .expires_s = EXPIRES_S,
                       .sip_lines = 1,
                       .stall_s = STALL_S,
                       .shards = 1};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].name) {
            bool has_value = rows[i].type != TYPE_FLAG;

            options[count++] = (struct option){rows[i].name, has_value, NULL, (int)i};
        }
    }
    options[count] = (struct option){"help", 0, NULL, 'h' << 8};
    while ((which = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (which == 'h' << 8) {
            help();
        }
        if (which == '?') {
            wrong("unknown option");
        }
        take(p, &rows[which], optarg);
    }
    if (optind < argc) {
        wrong("options only");
    }
    set_kinds(p);
    set_workload(p);
    if (p->seconds > 0) {
        p->count = PAYLOAD_SEQ_MAX - PLAN_FLOWS_MAX;
    }
    check(p);
}
