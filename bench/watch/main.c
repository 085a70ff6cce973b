/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fedgate-watch: options. What it plays: load.h; the commands on its input: watch.c.
 *
 *   fedgate-watch --cert FILE --key FILE --target IP:PORT --listen IP:PORT --sip IP:PORT
 *                --sip-listen IP:PORT [--sip-plain] [--gateway DOMAIN]
 *                [--inside DOMAIN] [--suffix DOMAIN]
 *
 * Exit status: 0 its input has ended; 70 broken; 64 usage.                                       */
#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "load.h"

#define USAGE_STATUS  64
#define BROKEN_STATUS 70

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

double own_cpu_s(void)
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

/* Sets what this option names: a text or an address. */
static void take_option(struct load *l, int which, const char *value)
{
    const char **names[UINT8_MAX + 1] = {['i'] = &l->inside,
                                         ['x'] = &l->suffix,
                                         ['c'] = &l->certificate,
                                         ['k'] = &l->key,
                                         ['G'] = &l->gateway};
    struct sockaddr_in *addresses[UINT8_MAX + 1] = {
        ['t'] = &l->target, ['l'] = &l->listen, ['q'] = &l->sip, ['Q'] = &l->sip_listen};
    if (which == 'T') {
        l->sip_plain = true;
    } else if (which >= 0 && which <= UINT8_MAX && names[which]) {
        *names[which] = value;
    } else if (which >= 0 && which <= UINT8_MAX && addresses[which]) {
        *addresses[which] = address(value);
    } else {
        usage("unknown option");
    }
}

static void read_options(struct load *l, int argc, char **argv)
{
    static const struct option options[] = {
        {"target", 1, NULL, 't'}, {"listen", 1, NULL, 'l'},     {"inside", 1, NULL, 'i'},
        {"suffix", 1, NULL, 'x'}, {"cert", 1, NULL, 'c'},       {"key", 1, NULL, 'k'},
        {"sip", 1, NULL, 'q'},    {"sip-listen", 1, NULL, 'Q'}, {"sip-plain", 0, NULL, 'T'},
        {"gateway", 1, NULL, 'G'}, {NULL, 0, NULL, 0}};
    l->inside = "app.corp.test";
    l->suffix = "fan.test";
    int which;
    while ((which = getopt_long(argc, argv, "", options, NULL)) != -1) {
        take_option(l, which, optarg);
    }
    if (!l->certificate || !l->key || l->target.sin_port == 0 || l->listen.sin_port == 0 ||
        l->sip.sin_port == 0 || l->sip_listen.sin_port == 0) {
        usage("--cert, --key, --target, --listen, --sip and --sip-listen are needed");
    }
}

int main(int argc, char **argv)
{
    struct load *l = &load;
    read_options(l, argc, argv);
    (void)signal(SIGPIPE, SIG_IGN);
    wire_init(l);
    return watch_play(l);
}
