/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admin: clients of the admin socket, each with one question. */
#include "edge/admin.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/jout.h"
#include "base/pool.h"
#include "edge/admin_listen.h"

#define EVENTS_MAX          (ADMIN_CLIENTS_MAX + 1u)
#define ACCEPTS_PER_TURN    ADMIN_CLIENTS_MAX
#define READ_BYTES          4096u
#define ACCEPT_PAUSE_MS     1000u
#define LISTENER_TAG        ADMIN_CLIENTS_MAX /* clients are 0..ADMIN_CLIENTS_MAX-1 */

struct client {
    bool is_open;
    bool is_answered; /* only writing is left */
    uint64_t waits_for; /* admin_finish's number; 0 = none */
    int fd;
    uint64_t number; /* order of arrival */
    uint64_t deadline_ms;
    struct admin_peer peer;
    struct buf in;
    struct buf out;
};

struct admin {
    int listen_fd;
    int epoll_fd;
    admin_answer_fn *answer;
    void *ctx; /* borrowed */
    struct admin_place place;
    uint64_t next_number;
    uint32_t answered_count; /* in this turn */
    uint64_t turn_ms;        /* when it began */
    uint64_t accept_ms;      /* not before: no file descriptor or memory was left; 0 = now */
    struct client clients[ADMIN_CLIENTS_MAX];
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void close_client(struct client *c)
{
    if (c->is_open) {
        (void)close(c->fd); /* leaves the epoll set by that */
        buf_deinit_wiped(&c->in);
        buf_deinit_wiped(&c->out); /* may have been a dialback key */
        c->is_open = false;
    }
}

static void watch(struct admin *a, struct client *c, uint32_t events, bool is_new)
{
    struct epoll_event ev = {.events = events, .data.u32 = (uint32_t)(c - a->clients)};

    if (epoll_ctl(a->epoll_fd, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, &ev) < 0) {
        close_client(c);
    }
}

static void refuse(struct buf *out, const char *text)
{
    struct jout j;

    jout_init(&j, out, false);
    jout_object(&j, NULL);
    jout_bool(&j, "ok", false);
    jout_cstr(&j, "error", text);
    jout_end(&j);
}

static void write_reply(struct admin *a, struct client *c)
{
    while (buf_len(&c->out) > 0) {
        struct slice rest = buf_slice(&c->out);
        ssize_t sent = send(c->fd, rest.ptr, rest.len, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && errno == EAGAIN) {
            watch(a, c, EPOLLOUT, false);
            return;
        }
        if (sent < 0) {
            break;
        }
        buf_consume(&c->out, (size_t)sent);
    }
    close_client(c);
}

static void take_answer(struct admin *a, struct client *c)
{
    if (c->out.failed) {
        buf_clear(&c->out);
        refuse(&c->out, "the answer does not fit its buffer");
    }
    c->waits_for = 0;
    c->is_answered = true;
    c->deadline_ms = now_ms() + ADMIN_REPLY_MS; /* now: the answer may have taken its time */
    write_reply(a, c);
}

static void reply(struct admin *a, struct client *c, struct slice line)
{
    struct admin_request request;
    char why[ADMIN_WHY_BYTES];

    buf_init(&c->out, ADMIN_REPLY_BYTES_MAX);
    if (admin_request_parse(&request, line, why) != 0) {
        refuse(&c->out, why);
    } else {
        c->waits_for = a->answer(&request, &c->peer, &c->out, a->ctx);
    }
    admin_request_deinit(&request);
    a->answered_count++;
    if (c->waits_for) {
        c->deadline_ms = UINT64_MAX;
        watch(a, c, 0, false); /* that it went away is said all the same */
    } else {
        take_answer(a, c);
    }
}

void admin_finish(struct admin *a, uint64_t number, struct slice line)
{
    for (uint32_t i = 0; a && i < ADMIN_CLIENTS_MAX; i++) {
        struct client *c = &a->clients[i];

        if (c->is_open && c->waits_for == number) {
            buf_put(&c->out, line);
            take_answer(a, c);
        }
    }
}

/* Reads what is there; answers once the line has its end, or is too long for one. */
static void read_request(struct admin *a, struct client *c)
{
    while (c->is_open && !c->is_answered && !c->waits_for) {
        struct slice all;
        ptrdiff_t end;
        char *to = buf_reserve(&c->in, READ_BYTES);
        ssize_t got = to ? recv(c->fd, to, READ_BYTES, 0) : 0;

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            return;
        }
        if (got <= 0) {
            close_client(c);
            return;
        }
        buf_commit(&c->in, (size_t)got);
        all = buf_slice(&c->in);
        end = slice_find(slice_from(all, all.len - (size_t)got), '\n');
        if (end >= 0) {
            reply(a, c, slice_to(all, all.len - (size_t)got + (size_t)end));
        } else if (all.len > ADMIN_REQUEST_BYTES_MAX) {
            buf_init(&c->out, ADMIN_REPLY_BYTES_MAX);
            refuse(&c->out, "a request has at most 65536 bytes");
            c->is_answered = true;
            c->deadline_ms = now_ms() + ADMIN_REPLY_MS;
            write_reply(a, c);
        }
    }
}

/* Who should rather go: whoever came first, but before those who wait for an answer of ours. */
static bool goes_before(const struct client *x, const struct client *y)
{
    bool x_waits = x->waits_for != 0;
    bool y_waits = y->waits_for != 0;

    return x_waits != y_waits ? y_waits : x->number < y->number;
}

/* A place for one more: a free one, or that of somebody who has to go. */
static struct client *make_room(struct admin *a)
{
    struct client *oldest = &a->clients[0];

    for (uint32_t i = 0; i < ADMIN_CLIENTS_MAX; i++) {
        struct client *c = &a->clients[i];

        if (!c->is_open) {
            return c;
        }
        if (goes_before(c, oldest)) {
            oldest = c;
        }
    }
    close_client(oldest);
    return oldest;
}

static void take_client(struct admin *a, int fd)
{
    struct ucred cred;
    socklen_t cred_len = sizeof(cred);
    struct client *c;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) < 0) {
        (void)close(fd);
        return;
    }
    c = make_room(a);
    *c = (struct client){
        .is_open = true,
        .fd = fd,
        .number = a->next_number++,
        .deadline_ms = now_ms() + ADMIN_REQUEST_MS,
        .peer = {.uid = cred.uid, .gid = cred.gid, .pid = cred.pid},
    };
    buf_init(&c->in, ADMIN_REQUEST_BYTES_MAX + READ_BYTES);
    watch(a, c, EPOLLIN, true);
    if (c->is_open) {
        read_request(a, c); /* most have asked already: they need not wait for another turn */
    }
}

/* Whether this turn may answer one more. */
static bool has_time(const struct admin *a)
{
    return a->answered_count < ADMIN_REQUESTS_PER_TURN && now_ms() < a->turn_ms + ADMIN_TURN_MS;
}

static int watch_listener(const struct admin *a, int how, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.u32 = LISTENER_TAG};

    return epoll_ctl(a->epoll_fd, how, a->listen_fd, &ev) < 0 ? -errno : 0;
}

static void accept_clients(struct admin *a)
{
    for (uint32_t i = 0; i < ACCEPTS_PER_TURN && has_time(a); i++) {
        int fd = accept4(a->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) {
            continue;
        }
        if (fd < 0 && errno != EAGAIN) {
            /* Else the waiting client would wake us without an end. */
            (void)watch_listener(a, EPOLL_CTL_MOD, 0);
            a->accept_ms = now_ms() + ACCEPT_PAUSE_MS;
        }
        if (fd < 0) {
            return;
        }
        take_client(a, fd);
    }
}

static void serve_client(struct admin *a, struct client *c, uint32_t events)
{
    if (!c->is_open) {
        return; /* made room in this turn; a new one there is served in the next */
    }
    if (c->waits_for) {
        close_client(c); /* only its end is watched for */
    } else if (c->is_answered) {
        write_reply(a, c);
    } else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        read_request(a, c);
    }
}

void admin_turn(struct admin *a)
{
    struct epoll_event events[EVENTS_MAX];
    bool has_listener = false;
    uint64_t now;
    int count;

    if (!a) {
        return;
    }
    a->answered_count = 0;
    a->turn_ms = now_ms();
    count = epoll_wait(a->epoll_fd, events, EVENTS_MAX, 0);
    for (int i = 0; i < count; i++) {
        uint32_t tag = events[i].data.u32;

        if (tag == LISTENER_TAG) {
            has_listener = true;
        } else if (has_time(a)) {
            serve_client(a, &a->clients[tag], events[i].events);
        }
    }
    if (has_listener) {
        accept_clients(a); /* last: until here a place belongs to whom its event was for */
    }
    now = now_ms();
    if (a->accept_ms && a->accept_ms <= now) {
        a->accept_ms = 0;
        (void)watch_listener(a, EPOLL_CTL_MOD, EPOLLIN);
    }
    for (uint32_t i = 0; i < ADMIN_CLIENTS_MAX; i++) {
        if (a->clients[i].is_open && a->clients[i].deadline_ms <= now) {
            close_client(&a->clients[i]);
        }
    }
}

int admin_new(struct admin **out, const char *path, admin_answer_fn *answer, void *ctx,
              char why[ADMIN_WHY_BYTES])
{
    struct admin *a = pool_heap_zalloc(sizeof(*a));
    int err;

    *out = NULL;
    a->answer = answer;
    a->ctx = ctx;
    a->listen_fd = admin_listen(&a->place, path, why);
    if (a->listen_fd < 0) {
        err = a->listen_fd;
        pool_heap_free(a);
        return err;
    }
    a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    err = a->epoll_fd < 0 ? -errno : watch_listener(a, EPOLL_CTL_ADD, EPOLLIN);
    if (err != 0) {
        (void)snprintf(why, ADMIN_WHY_BYTES, "listen.admin: %s", err_text(err));
        admin_free(a);
        return err;
    }
    *out = a;
    return 0;
}

int admin_fd(const struct admin *a)
{
    return a ? a->epoll_fd : -1;
}

void admin_free(struct admin *a)
{
    if (!a) {
        return;
    }
    for (uint32_t i = 0; i < ADMIN_CLIENTS_MAX; i++) {
        close_client(&a->clients[i]);
    }
    admin_unlink(&a->place); /* before it stops answering: nobody finds a dead one */
    if (a->epoll_fd >= 0) {
        (void)close(a->epoll_fd);
    }
    (void)close(a->listen_fd);
    pool_heap_free(a);
}
