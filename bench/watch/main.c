/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fedgate-watch: options, the phases of a run, the result. What it plays: load.h.
 *
 *   fedgate-watch --mode in|out|relay|setup|watch --workload bulk|fan-in|idle --count N
 *                --cert FILE --key FILE [--ca FILE --ca-key FILE] [--groups LIST]
 *                [--streams N] [--first N] [--parallel N]
 *                [--target IP:PORT] [--component IP:PORT] [--listen IP:PORT] [--secret S]
 *                [--sip IP:PORT] [--sip-listen IP:PORT]
 *                [--inside DOMAIN] [--suffix DOMAIN] [--direct] [--no-sm] [--pings]
 *                [--window STANZAS] [--stall SECONDS] [--hold SECONDS] [--hold-one]
 *
 * Connects everybody, sends one stanza on each stream and waits for them, prints "ready" and waits
 * for a line on its input (so that the driver can read the server's clock); then sends N stanzas
 * and prints one line of JSON. It ends when its input ends: closing costs the server time, too.
 * Workload idle stops in between with --first of the --streams, for a look at the server's memory.
 * Mode watch: watch.c.
 * Mode setup connects, authenticates and closes N streams of --streams domains, --parallel at a
 * time.
 * Exit status: 0 all delivered once, in order and intact; 1 not so; 70 broken; 64 usage.        */
#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "load.h"

#define BULK_STREAMS     4u
#define BULK_WINDOW      2048u
#define FAN_STREAMS      256u
#define FAN_WINDOW       256u
#define IDLE_FIRST       500u
#define IDLE_STREAMS     4000u
#define SETUP_WARM_COUNT 32u /* first uses are not what is measured */
#define SETTLE_MS        200
#define SETUP_S          240.0 /* 4,000 streams, and cores that others use, too */
#define STALL_S          20.0
#define TURN_MS          100
#define USAGE_STATUS     64
#define BROKEN_STATUS    70

static struct load load;

void die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)fputs("fedgate-watch: ", stderr);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(BROKEN_STATUS);
}

double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double own_cpu_s(void)
{
    struct rusage r;
    (void)getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           1e-6 * (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

__attribute__((noreturn)) static void usage(const char *what)
{
    (void)fprintf(stderr, "fedgate-watch: %s (see the head of bench/watch/main.c)\n", what);
    exit(USAGE_STATUS);
}

static struct sockaddr_in address(const char *text)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    char ip[INET_ADDRSTRLEN] = "";
    const char *colon = strchr(text, ':');
    if (colon && (size_t)(colon - text) < sizeof ip) {
        memcpy(ip, text, (size_t)(colon - text));
        a.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    }
    if (inet_pton(AF_INET, ip, &a.sin_addr) != 1 || a.sin_port == 0) {
        usage("addresses are IPv4:PORT");
    }
    return a;
}

static enum mode mode_of(const char *text)
{
    static const char *const names[] = {
        [MODE_IN] = "in", [MODE_OUT] = "out", [MODE_RELAY] = "relay", [MODE_SETUP] = "setup",
        [MODE_WATCH] = "watch"};
    for (unsigned i = 0; i < ARRAY_COUNT(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            return (enum mode)i;
        }
    }
    usage("--mode in, out, relay, setup or watch");
}

static void set_workload(struct load *l, const char *text)
{
    bool idle = strcmp(text, "idle") == 0;
    l->fan = idle || strcmp(text, "fan-in") == 0;
    if (!l->fan && strcmp(text, "bulk") != 0) {
        usage("--workload bulk, fan-in or idle");
    }
    l->first = idle ? IDLE_FIRST : 0;
    l->streams = idle ? IDLE_STREAMS : l->fan ? FAN_STREAMS : BULK_STREAMS;
    l->window = idle ? IDLE_STREAMS : l->fan ? FAN_WINDOW : BULK_WINDOW;
}

/* False: it is no option that names a thing. */
static bool take_name(struct load *l, int which, const char *value)
{
    const char **names[UINT8_MAX + 1] = {
        ['s'] = &l->secret, ['i'] = &l->inside, ['x'] = &l->suffix, ['c'] = &l->certificate,
        ['k'] = &l->key,    ['A'] = &l->ca,     ['K'] = &l->ca_key, ['g'] = &l->groups,
        ['G'] = &l->gateway};
    if (which < 0 || which > UINT8_MAX || !names[which]) {
        return false;
    }
    *names[which] = value;
    return true;
}

static void take_option(struct load *l, int which, const char *value)
{
    switch (which) {
    case 'm':
        l->mode = mode_of(value);
        break;
    case 'w':
        set_workload(l, value);
        break;
    case 'n':
        l->count = strtoull(value, NULL, 10);
        break;
    case 't':
        l->target = address(value);
        break;
    case 'p':
        l->component = address(value);
        break;
    case 'l':
        l->listen = address(value);
        break;
    case 'q':
        l->sip = address(value);
        break;
    case 'Q':
        l->sip_listen = address(value);
        break;
    case 'N':
        l->streams = (unsigned)strtoul(value, NULL, 10);
        break;
    case 'f':
        l->first = (unsigned)strtoul(value, NULL, 10);
        break;
    case 'y':
        l->parallel = (unsigned)strtoul(value, NULL, 10);
        break;
    case 'd':
        l->direct = true;
        break;
    case 'a':
        l->sm = false;
        break;
    case 'P':
        l->pings = true;
        l->sm = false;
        break;
    case 'W':
        l->window = (unsigned)strtoul(value, NULL, 10);
        break;
    case 'O':
        l->hold_one = true;
        break;
    case 'H':
        l->hold_s = strtod(value, NULL);
        break;
    case 'T':
        l->sip_plain = true;
        break;
    case 'S':
        l->stall_s = strtod(value, NULL);
        break;
    default:
        usage("unknown option");
    }
}

static void read_options(struct load *l, int argc, char **argv)
{
    static const struct option options[] = {
        {"mode", 1, NULL, 'm'},     {"workload", 1, NULL, 'w'},  {"count", 1, NULL, 'n'},
        {"target", 1, NULL, 't'},   {"component", 1, NULL, 'p'}, {"listen", 1, NULL, 'l'},
        {"secret", 1, NULL, 's'},   {"inside", 1, NULL, 'i'},    {"suffix", 1, NULL, 'x'},
        {"cert", 1, NULL, 'c'},     {"key", 1, NULL, 'k'},       {"direct", 0, NULL, 'd'},
        {"no-sm", 0, NULL, 'a'},    {"pings", 0, NULL, 'P'},     {"hold", 1, NULL, 'H'},
        {"hold-one", 0, NULL, 'O'}, {"window", 1, NULL, 'W'},    {"stall", 1, NULL, 'S'},
        {"ca", 1, NULL, 'A'},       {"ca-key", 1, NULL, 'K'},    {"groups", 1, NULL, 'g'},
        {"streams", 1, NULL, 'N'},  {"first", 1, NULL, 'f'},     {"parallel", 1, NULL, 'y'},
        {"sip", 1, NULL, 'q'},      {"sip-listen", 1, NULL, 'Q'},
        {"sip-plain", 0, NULL, 'T'},  {"gateway", 1, NULL, 'G'},
        {NULL, 0, NULL, 0}};
    l->sm = true;
    l->stall_s = STALL_S;
    l->parallel = DIALLING_MAX;
    l->secret = "inside";
    l->inside = "app.corp.test";
    l->suffix = "fan.test";
    int which;
    while ((which = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (!take_name(l, which, optarg)) {
            take_option(l, which, optarg);
        }
    }
    if (l->streams == 0 || l->count == 0 || l->count > COUNT_MAX - STREAMS_MAX ||
        l->window < l->streams || !l->certificate || !l->key) {
        usage("--mode, --workload, --count, --cert and --key are needed");
    }
    if (l->streams > STREAMS_MAX || l->first > l->streams || !l->ca != !l->ca_key ||
        l->parallel == 0) {
        usage("--streams, --first, --parallel out of range, or one of --ca and --ca-key alone");
    }
}

/* Dials the component and waits until it is there: some servers know its domain only then. */
static struct conn *set_up_component(struct load *l)
{
    struct conn *component = wire_dial(l, ROLE_COMPONENT, &l->component);
    double until = now_s() + SETUP_S;
    while (component->step != STEP_READY) {
        wire_turn(l, TURN_MS);
        if (now_s() > until) {
            die("the component is not authenticated after %.0f s", SETUP_S);
        }
    }
    l->ready = 0;
    return component;
}

/* Dials, a few at a time, until so many streams are authenticated. */
static void set_up(struct load *l, struct conn *component, unsigned streams)
{
    unsigned wanted = l->mode == MODE_OUT && !l->pings ? 0 : streams;
    double until = now_s() + SETUP_S;
    while (l->ready < wanted) {
        while (l->dialled < wanted && l->dialled - l->ready < l->parallel) {
            struct conn *c = wire_dial(l, ROLE_DIALLED, &l->target);
            c->stream = l->dialled;
            l->dials[l->dialled++] = c;
        }
        wire_turn(l, TURN_MS);
        if (now_s() > until) {
            die("%u of %u connections are ready after %.0f s", l->ready, wanted, SETUP_S);
        }
    }
    for (unsigned i = 0; i < streams; i++) {
        l->sources[i] = l->mode == MODE_OUT ? component : l->dials[i];
    }
}

/* Sends count stanzas more and waits for them; seconds from the first write to the last arrival, or
 * to the last one that came before everything stood still. */
static double run(struct load *l, uint64_t count, double hold_s)
{
    double begin = now_s();
    double last = begin;
    bool held = hold_s > 0;
    wire_hold(l, held);
    uint64_t seen = l->tally.unique;
    l->target_sum += count;
    while (l->tally.unique + l->tally.errors < l->target_sum) {
        pump(l);
        wire_turn(l, TURN_MS);
        if (held && now_s() - begin > hold_s) {
            held = false;
            l->during_hold = l->tally.unique - (l->target_sum - count);
            wire_hold(l, held);
        }
        if (l->tally.unique != seen) {
            seen = l->tally.unique;
            last = now_s();
        } else if (now_s() - last > l->stall_s) {
            break;
        }
    }
    return last - begin;
}

/* One stanza on each stream from number `from` on, a few streams at a time: servers dial, caches
 * fill. */
static void warm_up(struct load *l, unsigned from, unsigned streams)
{
    bool fan = l->fan;
    unsigned window = l->window;
    l->fan = true;
    l->window = l->streams;
    l->next = from;
    for (unsigned done = from; done < streams; done += DIALLING_MAX) {
        unsigned left = streams - done;
        (void)run(l, left < DIALLING_MAX ? left : DIALLING_MAX, 0);
    }
    l->fan = fan;
    l->window = window;
    if (l->tally.unique != streams) {
        die("%llu of %u first stanzas arrived, %llu errors came back",
            (unsigned long long)l->tally.unique, streams, (unsigned long long)l->tally.errors);
    }
}

static void settle(struct load *l)
{
    double until = now_s() + 1e-3 * SETTLE_MS;
    while (now_s() < until) {
        wire_turn(l, SETTLE_MS / 10);
    }
}

void wait_for_go(void)
{
    (void)puts("ready");
    (void)fflush(stdout);
    if (getchar() == EOF) {
        die("no line came on the input");
    }
}

static int measure_setup(struct load *l)
{
    unsigned before = l->closed;
    double cpu = own_cpu_s();
    double begin = now_s();
    cycle(l, (unsigned)l->count);
    double seconds = now_s() - begin;
    cpu = own_cpu_s() - cpu;
    unsigned closed = l->closed - before;
    (void)printf("{\"streams\": %u, \"cut\": %u, \"seconds\": %.6f, \"own_cpu_s\": %.6f, "
                 "\"tls\": \"%s\"}\n",
                 closed, (unsigned)l->count - closed, seconds, cpu, l->tls);
    return closed == l->count ? 0 : 1;
}

static int measure_stanzas(struct load *l)
{
    uint64_t before = l->tally.unique;
    double cpu = own_cpu_s();
    double seconds = run(l, l->count, l->hold_s);
    cpu = own_cpu_s() - cpu;
    settle(l);
    const struct tally *t = &l->tally;
    uint64_t lost = l->target_sum - t->unique - t->errors; /* not even an error came */
    (void)printf("{\"delivered\": %llu, \"lost\": %llu, \"duplicated\": %llu, "
                 "\"out_of_order\": %llu, \"damaged\": %llu, \"errors\": %llu, \"other\": %llu, "
                 "\"seconds\": %.6f, \"own_cpu_s\": %.6f, \"during_hold\": %llu, \"streams_in\": "
                 "%u, \"tls\": \"%s\"}\n",
                 (unsigned long long)(t->unique - before), (unsigned long long)lost,
                 (unsigned long long)t->duplicated, (unsigned long long)t->out_of_order,
                 (unsigned long long)t->damaged, (unsigned long long)t->errors,
                 (unsigned long long)t->other, seconds, cpu, (unsigned long long)l->during_hold,
                 l->accepted, l->tls);
    bool clean = lost + t->duplicated + t->out_of_order + t->damaged + t->errors == 0;
    return clean ? 0 : 1;
}

static int play(struct load *l)
{
    struct conn *component = l->mode == MODE_RELAY ? NULL : set_up_component(l);
    if (l->mode == MODE_SETUP) {
        cycle(l, SETUP_WARM_COUNT);
        wait_for_go();
        return measure_setup(l);
    }
    if (l->first) {
        set_up(l, component, l->first);
        warm_up(l, 0, l->first);
        wait_for_go();
    }
    set_up(l, component, l->streams);
    warm_up(l, l->first, l->streams);
    wait_for_go();
    return measure_stanzas(l);
}

int main(int argc, char **argv)
{
    struct load *l = &load;
    read_options(l, argc, argv);
    (void)signal(SIGPIPE, SIG_IGN);
    tally_init(&l->tally, l->streams, l->count + l->streams);
    pump_init(l);
    wire_init(l);
    if (l->ca) {
        certs_init(l);
    }
    if (l->mode == MODE_WATCH) {
        return watch_play(l);
    }
    int status = play(l);
    (void)fflush(stdout);
    while (getchar() != EOF) {
    }
    return status;
}
