/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sock: plain system calls on sockets. */
#include "io/sock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A peer that vanished without a word is noticed in about two minutes: by keep-alive probes when
 * nothing is sent, by unacknowledged bytes (or a window that stays shut) when something is. */
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_INTERVAL_S 15
#define KEEPALIVE_COUNT 4
#define UNACKED_MS_MAX 120000

static int option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : -errno;
}

static int set_options(int fd)
{
    static const struct {
        int level;
        int name;
        int value;
    } rows[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKED_MS_MAX},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int err = option(fd, rows[i].level, rows[i].name, rows[i].value);

        if (err != 0) {
            return err;
        }
    }
    return 0;
}

int sock_open(struct io *io, int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int err;

    (void)io;
    if (fd < 0) {
        return -errno;
    }
    err = set_options(fd);
    if (err < 0) {
        (void)close(fd);
        return err;
    }
    return fd;
}

int sock_accepted(struct io *io, int fd, struct sockaddr_storage *peer, socklen_t *len)
{
    (void)io;
    *len = sizeof(*peer);
    if (getpeername(fd, (struct sockaddr *)peer, len) != 0) {
        return -errno; /* ENOTCONN: gone already */
    }
    if (peer->ss_family != AF_INET && peer->ss_family != AF_INET6) {
        return 0;
    }
    return set_options(fd);
}

void sock_shutdown_send(struct io *io, int fd)
{
    (void)io;
    (void)shutdown(fd, SHUT_WR); /* ENOTCONN: the peer has reset it; the read side will tell */
}

void sock_shutdown_listen(struct io *io, int fd)
{
    (void)io;
    (void)shutdown(fd, SHUT_RDWR);
}

void sock_close(struct io *io, int fd, bool is_reset)
{
    (void)io;
    if (is_reset) {
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};

        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    (void)close(fd);
}

size_t sock_unacked(struct io *io, int fd)
{
    int bytes = 0;

    (void)io;
    if (ioctl(fd, SIOCOUTQ, &bytes) != 0 || bytes < 0) {
        return 0;
    }
    return (size_t)bytes;
}

int io_listen_open(const struct sockaddr *addr, socklen_t len, uint32_t backlog)
{
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int err;

    if (fd < 0) {
        return -errno;
    }
    err = option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (err == 0 && addr->sa_family == AF_INET6) {
        err = option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    if (err == 0 && (bind(fd, addr, len) != 0 || listen(fd, (int)backlog) != 0)) {
        err = -errno;
    }
    if (err < 0) {
        (void)close(fd);
        return err;
    }
    return fd;
}

void io_fd_close(int fd)
{
    (void)close(fd);
}

int io_alarm_open(void)
{
    /* Non-blocking for io_alarm_clear; poll works on it all the same. */
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

void io_alarm_set(int fd)
{
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof(one));

    (void)n; /* EAGAIN: the counter is full, so the alarm is set */
}

void io_alarm_clear(int fd)
{
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof(count));

    (void)n; /* EAGAIN: was not set */
}
