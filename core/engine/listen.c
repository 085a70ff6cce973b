/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listen: listening sockets, from the control thread; shard 0 accepts on them. */
#include <netinet/in.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "engine/shard_state.h"

static void nap(void)
{
    struct timespec ts = {.tv_nsec = 200000};

    (void)nanosleep(&ts, NULL);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);

    if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0) {
        return 0;
    }
    /* sin_port and sin6_port are in the same place. */
    return ntohs(((const struct sockaddr_in *)(const void *)&addr)->sin_port);
}

/* The control thread may wait; shard 0 empties its mailbox every turn. */
static void post_waiting(struct engine *e, struct mail *m)
{
    while (engine_post(e, 0, m)) {
        nap();
    }
}

int engine_listen(struct engine *e, const struct sockaddr *addr, socklen_t addr_len, uint32_t tag,
                  char *why, size_t why_bytes)
{
    struct listen_mail *m;
    int fd;

    if (e->listener_count == ENGINE_LISTENERS_MAX) {
        (void)snprintf(why, why_bytes, "more than %u listeners", ENGINE_LISTENERS_MAX);
        return ERR_LIMIT;
    }
    if (addr->sa_family != AF_INET && addr->sa_family != AF_INET6) {
        (void)snprintf(why, why_bytes, "only IPv4 and IPv6 addresses can be listened on");
        return ERR_UNSUPPORTED;
    }
    m = pool_zalloc(sizeof(*m));
    if (!m) {
        (void)snprintf(why, why_bytes, "%s", err_text(ERR_NOMEM));
        return ERR_NOMEM;
    }
    fd = io_listen_open(addr, addr_len, ENGINE_LISTEN_BACKLOG);
    if (fd < 0) {
        (void)snprintf(why, why_bytes, "%s", err_text(fd));
        pool_free(m);
        return fd;
    }
    e->listeners[e->listener_count].port = port_of(fd);
    e->listeners[e->listener_count].tag = tag;
    e->listener_count++;
    m->mail.kind = MAIL_KIND_LISTEN;
    m->fd = fd;
    m->tag = tag;
    post_waiting(e, &m->mail);
    return 0;
}

uint16_t engine_listen_port(const struct engine *e, uint32_t tag)
{
    for (uint32_t i = 0; i < e->listener_count; i++) {
        if (e->listeners[i].tag == tag) {
            return e->listeners[i].port;
        }
    }
    return 0;
}

void engine_listen_stop(struct engine *e)
{
    uint32_t stops = atomic_load_explicit(&e->listen_stops, memory_order_acquire);

    /* One at a time, and it is waited for: no memory needed. */
    e->listen_stop.kind = MAIL_KIND_LISTEN_STOP;
    post_waiting(e, &e->listen_stop);
    while (atomic_load_explicit(&e->listen_stops, memory_order_acquire) == stops) {
        nap();
    }
    e->listener_count = 0;
}
