/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch: the partner's side, and the commands, one a line; each prints a line of JSON
 * when it is done (watch_wait.c), `idle` and those without a round an empty object:
 *   connect          dial the server, XMPP and SIP
 *   drop             end the partner's streams at once
 *   subscribe A B    the partner's users A to B - 1 subscribe; done when all heard `subscribed`
 *   watch A B        users of the pool do; done when all were notified, active, with a document
 *   probe A B        the partner's users come online: each sends a probe; done when all heard
 *   notify A B       users of the pool show something else; done when the partner heard all
 *   presence A B     the partner's users do; done when the pool was notified of all
 *   to-sip N W       N messages of the partner's, at most W on the way (message.c)
 *   to-xmpp N W      N messages of the phone's
 *   idle S           serves for S seconds                                                        */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pool.h"
#include "watch.h"

#define TURN_MS      20
#define LINE_BYTES   256
#define WINDOW       128u
#define PROBE_WINDOW 100000u
#define CONNECT_S    60.0

struct watch watch_state;

unsigned watch_number(const char *at, size_t len, char letter)
{
    for (size_t i = 0; i + WATCH_NAME_DIGITS + 1 < len; i++) {
        if (at[i] == letter && at[i + WATCH_NAME_DIGITS + 1] == '@') {
            unsigned number = (unsigned)strtoul(at + i + 1, NULL, 10);
            return number < WATCH_PAIRS_MAX ? number : WATCH_PAIRS_MAX;
        }
    }
    return WATCH_PAIRS_MAX;
}

static void say(struct load *l, unsigned pair, const char *type, const char *inside)
{
    if (watch_state.stream && watch_state.stream->step == STEP_READY) {
        wire_printf(l, watch_state.stream,
                    "<presence%s%s%s from='w%06u@p0000.%s%s' to='u%06u@%s'>%s</presence>",
                    type ? " type='" : "", type ? type : "", type ? "'" : "", pair, l->suffix,
                    type ? "" : "/home", pair, l->inside, inside);
    }
}

static void show(struct load *l, unsigned pair)
{
    static const char *const shows[] = {"away", "dnd", "xa", "chat"};
    char text[128];
    (void)snprintf(text, sizeof text,
                   "<show>%s</show><status>round %u.</status><priority>5</priority>",
                   shows[watch_state.number % 4], watch_state.number);
    say(l, pair, NULL, text);
}

static void subscribe(struct load *l, unsigned pair)
{
    say(l, pair, "subscribe", "");
}

static void probe(struct load *l, unsigned pair)
{
    say(l, pair, "probe", "");
}

/* Is it the type of the stanza whose tag this is? Either kind of quotes. */
static bool is_type(const char *tag, size_t len, const char *type)
{
    const char *at = memmem(tag, len, " type=", 6);
    size_t n = strlen(type);
    return at && (size_t)(tag + len - at) > 7 + n && memcmp(at + 7, type, n) == 0 &&
           at[7 + n] == at[6];
}

static bool holds(const char *at, size_t len, const char *text)
{
    return memmem(at, len, text, strlen(text)) != NULL;
}

/* Presence without type. */
static void heard(unsigned pair, const char *at, size_t len)
{
    struct watch *w = &watch_state;
    char mark[32];
    (void)snprintf(mark, sizeof mark, ">round %u.<", w->number);
    if (w->round == ROUND_PROBED || (w->round == ROUND_NOTIFIED && holds(at, len, mark))) {
        watch_answered(pair);
    }
}

void watch_stanza(struct load *l, const char *at, size_t len)
{
    size_t tag = (size_t)((const char *)memchr(at, '>', len) - at);
    unsigned pair = watch_number(at, tag, 'u');
    if (pair >= WATCH_PAIRS_MAX) {
        die("presence of whom? %.*s", (int)len, at);
    }
    if (!memmem(at, tag, " type=", 6)) {
        heard(pair, at, len);
    } else if (is_type(at, tag, "subscribed")) {
        if (watch_state.round == ROUND_SUBSCRIBED) {
            watch_answered(pair);
        }
    } else if (is_type(at, tag, "subscribe")) {
        say(l, pair, "subscribed", "");
        show(l, pair);
    } else if (is_type(at, tag, "probe")) {
        show(l, pair);
    } else if (!is_type(at, tag, "unavailable")) {
        watch_error("%.*s", (int)len, at);
    }
}

void watch_ended(const struct conn *c)
{
    struct watch *w = &watch_state;
    struct conn **all[] = {&w->stream, &w->phone, &w->pool};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        *all[i] = *all[i] == c ? NULL : *all[i];
    }
}

static void dial(struct load *l, struct conn **to, enum role role, const struct sockaddr_in *where)
{
    double until = now_s() + CONNECT_S;
    if (*to) {
        return;
    }
    *to = wire_dial(l, role, where);
    while (*to && (*to)->step != STEP_READY) {
        wire_turn(l, TURN_MS);
        if (now_s() > until) {
            die("not connected after %.0f s", CONNECT_S);
        }
    }
    if (!*to) {
        die("the server has ended the connection");
    }
}

static void await_component(struct load *l)
{
    double until = now_s() + CONNECT_S;
    while (!watch_state.stream) {
        wire_turn(l, TURN_MS);
        if (now_s() > until) {
            die("no component came in %.0f s", CONNECT_S);
        }
    }
}

static void drop(const struct load *l)
{
    for (unsigned i = 0; i < l->conn_count; i++) {
        if (l->conns[i]->role == ROLE_DIALLED || l->conns[i]->role == ROLE_ACCEPTED) {
            wire_drop(l->conns[i]);
        }
    }
}

static void idle(struct load *l, double seconds)
{
    double until = now_s() + seconds;
    while (now_s() < until) {
        wire_turn(l, TURN_MS);
    }
}

/* False: no such command. */
static bool obey_simple(struct load *l, const char *name, unsigned from)
{
    if (strcmp(name, "connect") == 0) {
        if (l->gateway) {
            await_component(l);
        } else {
            dial(l, &watch_state.stream, ROLE_DIALLED, &l->target);
        }
        dial(l, &watch_state.phone, ROLE_PHONE, &l->sip);
    } else if (strcmp(name, "drop") == 0) {
        drop(l);
    } else if (strcmp(name, "idle") == 0) {
        idle(l, from);
    } else {
        return false;
    }
    (void)puts("{}");
    (void)fflush(stdout);
    return true;
}

static void obey(struct load *l, char *line)
{
    static const struct {
        const char *name;
        enum round round;
        unsigned window;
        void (*begin)(struct load *l, unsigned pair);
    } rounds[] = {
        {"subscribe", ROUND_SUBSCRIBED, WINDOW, subscribe},
        {"watch", ROUND_ACTIVE, WINDOW, phone_subscribe},
        {"probe", ROUND_PROBED, PROBE_WINDOW, probe},
        {"notify", ROUND_NOTIFIED, WINDOW, phone_notify},
        {"presence", ROUND_SHOWN, WINDOW, show},
    };
    size_t len = strcspn(line, " \n");
    const char *name = line;
    char *rest = line + len + (line[len] == ' ');
    line[len] = '\0';
    unsigned from = (unsigned)strtoul(rest, &rest, 10);
    unsigned to = (unsigned)strtoul(rest, NULL, 10);
    if (strcmp(name, "to-sip") == 0 || strcmp(name, "to-xmpp") == 0) {
        message_round(l, strcmp(name, "to-sip") == 0, from, to);
        return;
    }
    for (unsigned i = 0; i < sizeof rounds / sizeof *rounds; i++) {
        if (strcmp(name, rounds[i].name) == 0) {
            watch_round(l, rounds[i].round, from, to, rounds[i].window, rounds[i].begin);
            return;
        }
    }
    if (!obey_simple(l, name, from)) {
        die("no such command: %s", name);
    }
}

int watch_play(struct load *l)
{
    char line[LINE_BYTES];
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    watch_state.pairs = pool_heap_zalloc(WATCH_PAIRS_MAX * sizeof *watch_state.pairs);
    watch_state.stamps = pool_heap_zalloc(WATCH_STAMPS_MAX * sizeof *watch_state.stamps);
    (void)setvbuf(stdin, NULL, _IONBF, 0); /* or poll would not see what the buffer holds */
    for (;;) {
        wire_turn(l, TURN_MS);
        if (poll(&input, 1, 0) > 0) {
            if (!fgets(line, sizeof line, stdin)) {
                return 0;
            }
            obey(l, line);
        }
    }
}
