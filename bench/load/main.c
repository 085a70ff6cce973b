/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fedgate-load: options, the phases of a run, the result. What it plays: load.h.
 *
 *   fedgate-load --mode in|out|relay --workload bulk|fan-in --count N --cert FILE --key FILE
 *                [--target IP:PORT] [--component IP:PORT] [--listen IP:PORT] [--secret S]
 *                [--inside DOMAIN] [--suffix DOMAIN] [--direct] [--no-sm] [--pings]
 *                [--window STANZAS] [--stall SECONDS] [--hold SECONDS] [--hold-one]
 *
 * Connects everybody, sends one stanza on each stream and waits for them, prints "ready" and waits
 * for a line on its input (so that the driver can read the server's clock); then sends N stanzas
 * and prints one line of JSON. It ends when its input ends: closing costs the server time, too.
 * Exit status: 0 all delivered once, in order and intact; 1 not so; 70 broken; 64 usage.        */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "load.h"

#define BULK_STREAMS  4u
#define BULK_WINDOW   2048u
#define FAN_STREAMS   256u
#define FAN_WINDOW    256u
#define SETTLE_MS     200
#define SETUP_S       60.0
#define STALL_S       20.0
#define TURN_MS       100
#define USAGE_STATUS  64
#define BROKEN_STATUS 70

static struct load load;

void die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)fputs("fedgate-load: ", stderr);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(BROKEN_STATUS);
}

static double now_s(void)
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
    (void)fprintf(stderr, "fedgate-load: %s (see the head of bench/load/main.c)\n", what);
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
        [MODE_IN] = "in", [MODE_OUT] = "out", [MODE_RELAY] = "relay"};
    for (unsigned i = 0; i < ARRAY_COUNT(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            return (enum mode)i;
        }
    }
    usage("--mode in, out or relay");
}

static void set_workload(struct load *l, const char *text)
{
    l->fan = strcmp(text, "fan-in") == 0;
    if (!l->fan && strcmp(text, "bulk") != 0) {
        usage("--workload bulk or fan-in");
    }
    l->streams = l->fan ? FAN_STREAMS : BULK_STREAMS;
    l->window = l->fan ? FAN_WINDOW : BULK_WINDOW;
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
    case 's':
        l->secret = value;
        break;
    case 'i':
        l->inside = value;
        break;
    case 'x':
        l->suffix = value;
        break;
    case 'c':
        l->certificate = value;
        break;
    case 'k':
        l->key = value;
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
        {NULL, 0, NULL, 0}};
    l->sm = true;
    l->stall_s = STALL_S;
    l->secret = "inside";
    l->inside = "app.corp.test";
    l->suffix = "fan.test";
    int which;
    while ((which = getopt_long(argc, argv, "", options, NULL)) != -1) {
        take_option(l, which, optarg);
    }
    if (l->streams == 0 || l->count == 0 || l->count > COUNT_MAX - STREAMS_MAX ||
        l->window < l->streams || !l->certificate || !l->key) {
        usage("--mode, --workload, --count, --cert and --key are needed");
    }
}

/* Dials the component and, a few at a time, the streams; waits until all are authenticated. */
static void set_up(struct load *l)
{
    unsigned wanted = l->mode == MODE_OUT && !l->pings ? 0 : l->streams;
    struct conn *component = NULL;
    unsigned extra = 0;
    if (l->mode != MODE_RELAY) {
        component = wire_dial(l, ROLE_COMPONENT, &l->component);
        extra = 1;
    }
    double until = now_s() + SETUP_S;
    while (l->ready < wanted + extra) {
        /* The component first: some servers know its domain only while it is there. */
        while (l->dialled < wanted && (!component || component->step == STEP_READY) &&
               l->dialled + extra - l->ready < DIALLING_MAX) {
            struct conn *c = wire_dial(l, ROLE_DIALLED, &l->target);
            c->stream = l->dialled;
            l->dials[l->dialled++] = c;
        }
        wire_turn(l, TURN_MS);
        if (now_s() > until) {
            die("%u of %u connections are ready after %.0f s", l->ready, wanted + extra, SETUP_S);
        }
    }
    for (unsigned i = 0; i < l->streams; i++) {
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

/* One stanza on each stream, a few streams at a time: servers dial, caches fill. */
static void warm_up(struct load *l)
{
    bool fan = l->fan;
    unsigned window = l->window;
    l->fan = true;
    l->window = l->streams;
    for (unsigned done = 0; done < l->streams; done += DIALLING_MAX) {
        unsigned left = l->streams - done;
        (void)run(l, left < DIALLING_MAX ? left : DIALLING_MAX, 0);
    }
    l->fan = fan;
    l->window = window;
    if (l->tally.unique != l->streams) {
        die("%llu of %u first stanzas arrived, %llu errors came back",
            (unsigned long long)l->tally.unique, l->streams, (unsigned long long)l->tally.errors);
    }
}

static void settle(struct load *l)
{
    double until = now_s() + 1e-3 * SETTLE_MS;
    while (now_s() < until) {
        wire_turn(l, SETTLE_MS / 10);
    }
}

int main(int argc, char **argv)
{
    struct load *l = &load;
    read_options(l, argc, argv);
    tally_init(&l->tally, l->streams, l->count + l->streams);
    pump_init(l);
    wire_init(l);
    set_up(l);
    warm_up(l);
    (void)puts("ready");
    (void)fflush(stdout);
    if (getchar() == EOF) {
        die("no line came on the input");
    }
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
    (void)fflush(stdout);
    while (getchar() != EOF) {
    }
    bool clean = lost + t->duplicated + t->out_of_order + t->damaged + t->errors == 0;
    return clean ? 0 : 1;
}
