/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ktls_probe: what this kernel's TLS can really do, found out by doing it: for each version and
 * cipher a loopback connection whose two ends get keys and talk both ways. A kernel may know the
 * socket option and lack a cipher's module, or the other way round. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "io/io.h"
#include "io/ktls.h"

#define PROBE_BYTES 300u
#define PROBE_WAIT_S 2 /* on loopback: only if something is broken */
#define TYPE_HANDSHAKE 22

static const char *const cipher_names[KTLS_CIPHER_COUNT] = {"AES-128-GCM", "AES-256-GCM",
                                                            "ChaCha20-Poly1305"};
/* KeyUpdate, update_not_requested: RFC 8446 4.6.3. */
static const char key_update[] = {24, 0, 0, 1, 0};

struct pair {
    int fd[2];
};

static void pair_close(struct pair *pair)
{
    for (uint32_t i = 0; i < 2; i++) {
        if (pair->fd[i] >= 0) {
            (void)close(pair->fd[i]);
        }
    }
}

static int pair_listen(struct sockaddr_in *at)
{
    socklen_t len = sizeof(*at);
    int fd;

    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    fd = io_listen_open((struct sockaddr *)at, len, 1);
    if (fd >= 0 && getsockname(fd, (struct sockaddr *)at, &len) != 0) {
        int err = -errno;

        (void)close(fd);
        return err;
    }
    return fd;
}

/* Two ends of a loopback connection whose calls do not block for ever. */
static int pair_open(struct pair *pair)
{
    struct timeval limit = {.tv_sec = PROBE_WAIT_S};
    struct sockaddr_in at;
    int err = 0;
    int listener = pair_listen(&at);

    *pair = (struct pair){{-1, -1}};
    if (listener < 0) {
        return listener;
    }
    pair->fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (pair->fd[0] < 0 || connect(pair->fd[0], (struct sockaddr *)&at, sizeof(at)) != 0) {
        err = -errno;
    } else {
        pair->fd[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        err = pair->fd[1] < 0 ? -errno : 0;
    }
    for (uint32_t i = 0; i < 2 && err == 0; i++) {
        if (setsockopt(pair->fd[i], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
            setsockopt(pair->fd[i], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0) {
            err = -errno;
        }
    }
    (void)close(listener);
    if (err != 0) {
        pair_close(pair);
    }
    return err;
}

/* Keys of no secrecy: they protect bytes of no meaning. */
static int keys_install(const struct pair *pair, bool is_tls13, enum ktls_cipher cipher,
                        uint32_t generation)
{
    unsigned char key[2][32];
    unsigned char iv[2][12];
    int err = 0;

    for (uint32_t i = 0; i < 2; i++) {
        memset(key[i], (int)(17 * (generation + 1) + i), sizeof(key[i]));
        memset(iv[i], (int)(31 * (generation + 1) + i), sizeof(iv[i]));
    }
    for (uint32_t i = 0; i < 2 && err == 0; i++) {
        struct ktls_keys out = {is_tls13, cipher, key[i], iv[i], 1};
        struct ktls_keys in = {is_tls13, cipher, key[1 - i], iv[1 - i], 1};

        err = ktls_set_out(pair->fd[i], &out);
        err = err == 0 ? ktls_set_in(pair->fd[i], &in) : err;
    }
    return err;
}

/* The same bytes come out at the other end, in both directions. */
static bool talks(const struct pair *pair)
{
    char sent[PROBE_BYTES];
    char got[PROBE_BYTES];

    for (uint32_t i = 0; i < 2; i++) {
        memset(sent, (int)('a' + i), sizeof(sent));
        if (send(pair->fd[i], sent, sizeof(sent), MSG_NOSIGNAL) != (ssize_t)sizeof(sent) ||
            recv(pair->fd[1 - i], got, sizeof(got), 0) != (ssize_t)sizeof(got) ||
            memcmp(sent, got, sizeof(got)) != 0) {
            return false;
        }
    }
    return true;
}

static bool is_readable(int fd)
{
    struct pollfd poll_for = {.fd = fd, .events = POLLIN};

    return poll(&poll_for, 1, PROBE_WAIT_S * 1000) == 1;
}

/* Announces new keys in both directions, as the kernel wants to see it before it takes them. */
static bool says_update(const struct pair *pair)
{
    struct io_record record = {.type = TYPE_HANDSHAKE, .len = sizeof(key_update)};
    char got[sizeof(key_update)];
    uint8_t type = 0;

    memcpy(record.bytes, key_update, sizeof(key_update));
    ktls_record_fill(&record);
    for (uint32_t i = 0; i < 2; i++) {
        if (sendmsg(pair->fd[i], &record.head, MSG_NOSIGNAL) != (ssize_t)sizeof(key_update) ||
            !is_readable(pair->fd[1 - i]) ||
            ktls_recv(pair->fd[1 - i], &type, got, sizeof(got)) != (int)sizeof(got) ||
            type != TYPE_HANDSHAKE || memcmp(got, key_update, sizeof(got)) != 0) {
            return false;
        }
    }
    return true;
}

static bool has_counted(const struct ktls_counters *before)
{
    struct ktls_counters after;

    /* Without the file (no /proc here) the data alone has to be believed. */
    return !ktls_counters(&after) || (after.total_in_sw >= before->total_in_sw + 2 &&
                                      after.total_out_sw >= before->total_out_sw + 2);
}

static int attach_both(const struct pair *pair)
{
    int err = ktls_attach(pair->fd[0]);

    return err ? err : ktls_attach(pair->fd[1]);
}

static bool can_do(bool is_tls13, enum ktls_cipher cipher, bool *can_rekey)
{
    struct ktls_counters before;
    struct pair pair;
    bool can;

    if (pair_open(&pair) != 0) {
        return false;
    }
    (void)ktls_counters(&before);
    can = attach_both(&pair) == 0 && keys_install(&pair, is_tls13, cipher, 0) == 0 &&
          talks(&pair) && has_counted(&before);
    if (can && is_tls13 && says_update(&pair) && keys_install(&pair, is_tls13, cipher, 1) == 0 &&
        talks(&pair)) {
        *can_rekey = true;
    }
    pair_close(&pair);
    return can;
}

/* Appends to caps->text; cut when it is full. */
static void say(struct ktls_caps *caps, const char *text)
{
    size_t at = strlen(caps->text);

    (void)snprintf(caps->text + at, sizeof(caps->text) - at, "%s", text);
}

static void say_ciphers(struct ktls_caps *caps, const bool *ciphers)
{
    bool is_first = true;

    for (uint32_t i = 0; i < KTLS_CIPHER_COUNT; i++) {
        if (ciphers[i]) {
            say(caps, is_first ? " " : ", ");
            say(caps, cipher_names[i]);
            is_first = false;
        }
    }
    say(caps, is_first ? " nothing" : "");
}

static void describe(struct ktls_caps *caps, int err)
{
    if (err == -ENOENT) {
        say(caps, "this kernel has no TLS, or its module is not loaded (modprobe tls)");
    } else if (err != 0) {
        say(caps, "kernel TLS could not be tried on a loopback connection");
    } else if (memcmp(caps->ciphers[0], caps->ciphers[1], sizeof(caps->ciphers[0])) == 0) {
        say(caps, "TLS 1.2 and 1.3:");
        say_ciphers(caps, caps->ciphers[0]);
    } else {
        say(caps, "TLS 1.2:");
        say_ciphers(caps, caps->ciphers[0]);
        say(caps, "; TLS 1.3:");
        say_ciphers(caps, caps->ciphers[1]);
    }
    if (err == 0) {
        say(caps, caps->can_rekey ? "; takes new keys" : "; no new keys (that needs Linux 6.14)");
    }
}

void ktls_probe(struct ktls_caps *caps)
{
    struct pair pair;
    int err;

    memset(caps, 0, sizeof(*caps));
    err = pair_open(&pair);
    if (err == 0) {
        err = attach_both(&pair);
        pair_close(&pair);
    }
    caps->is_there = err == 0;
    for (uint32_t v = 0; v < 2 && caps->is_there; v++) {
        for (uint32_t i = 0; i < KTLS_CIPHER_COUNT; i++) {
            caps->ciphers[v][i] = can_do(v == 1, (enum ktls_cipher)i, &caps->can_rekey);
        }
    }
    describe(caps, err);
}
