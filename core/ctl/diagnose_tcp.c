/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose_tcp: connects to every address at once, so that one which drops packets costs no more
 * time than its own. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/err.h"
#include "ctl/diagnose.h"

static void close_spot(struct diagnose_spot *spot)
{
    if (spot->fd >= 0) {
        (void)close(spot->fd);
        spot->fd = -1;
    }
}

static void begin(struct diagnose_spot *spot)
{
    spot->is_connected = false;
    spot->err = 0;
    spot->fd = socket(spot->addr.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (spot->fd < 0) {
        spot->err = -errno;
        return;
    }
    if (connect(spot->fd, &spot->addr.any, spot->addr_len) == 0) {
        spot->is_connected = true;
    } else if (errno != EINPROGRESS) {
        spot->err = -errno;
        close_spot(spot);
    }
}

static void finish(struct diagnose_spot *spot)
{
    int err = 0;
    socklen_t len = sizeof(err);

    if (getsockopt(spot->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0) {
        err = errno;
    }
    spot->is_connected = err == 0;
    if (err) {
        spot->err = -err;
        close_spot(spot);
    }
}

static bool is_open(const struct diagnose_spot *spot)
{
    return spot->fd >= 0 && !spot->is_connected;
}

static void connect_all(struct diagnose *d, struct diagnose_spot *spots, uint32_t count)
{
    uint64_t until_ms = diagnose_now_ms() + diagnose_left_ms(d, DIAGNOSE_CONNECT_MS);
    struct pollfd polls[DIAGNOSE_SPOTS_MAX];
    uint32_t spot_of[DIAGNOSE_SPOTS_MAX];

    for (uint32_t i = 0; i < count; i++) {
        begin(&spots[i]);
    }
    for (;;) {
        uint64_t now = diagnose_now_ms();
        nfds_t open = 0;

        for (uint32_t i = 0; i < count; i++) {
            if (is_open(&spots[i])) {
                spot_of[open] = i;
                polls[open++] = (struct pollfd){.fd = spots[i].fd, .events = POLLOUT};
            }
        }
        if (open == 0 || now >= until_ms) {
            break;
        }
        (void)poll(polls, open, (int)(until_ms - now));
        for (nfds_t i = 0; i < open; i++) {
            if (polls[i].revents) {
                finish(&spots[spot_of[i]]);
            }
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (is_open(&spots[i])) {
            spots[i].err = ERR_TIMEOUT;
            close_spot(&spots[i]);
        }
    }
}

void diagnose_connect(struct diagnose *d, struct diagnose_spots *spots)
{
    connect_all(d, spots->at, spots->count);
}

void diagnose_disconnect(struct diagnose_spots *spots)
{
    for (uint32_t i = 0; i < spots->count; i++) {
        close_spot(&spots->at[i]);
    }
}

int diagnose_connect_one(struct diagnose *d, struct diagnose_spot *spot)
{
    if (spot->fd < 0) {
        connect_all(d, spot, 1);
    }
    return spot->is_connected ? 0 : spot->err;
}
