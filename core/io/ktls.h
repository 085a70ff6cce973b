/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ktls: record protection by the kernel (tls.rst): finding out what it can do, and giving it the
 * keys of a socket. Synchronous setsockopt; the socket must be connected and, per direction,
 * without an operation in flight and at a record's border. The kernel counts nothing for us: see
 * record limits in tls/. Linux 4.13 or later with the module tls. */
#ifndef FG_IO_KTLS_H
#define FG_IO_KTLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum ktls_cipher { KTLS_AES_128_GCM, KTLS_AES_256_GCM, KTLS_CHACHA20_POLY1305, KTLS_CIPHER_COUNT };

struct ktls_caps {
    bool is_there;                        /* the socket option exists */
    /* [0 = TLS 1.2, 1 = TLS 1.3]; found out with real loopback pairs that carried data */
    bool ciphers[2][KTLS_CIPHER_COUNT];
    bool can_rekey;                       /* Linux 6.14, TLS 1.3 */
    char text[160];                       /* for people: what there is, or why nothing is */
};

/* Any thread, takes a few milliseconds. */
void ktls_probe(struct ktls_caps *caps);

struct io_record;

struct ktls_keys {
    bool is_tls13;
    enum ktls_cipher cipher;
    const unsigned char *key;
    const unsigned char *iv; /* 12 bytes; TLS 1.2 GCM: the first 4 are the salt */
    uint64_t seq;
};

/* Turns the socket into a TLS socket without keys: it goes on as plain TCP. 0, -errno (-ENOENT: no
 * module; -ENOTCONN). */
NODISCARD int ktls_attach(int fd);
/* 0 or -errno; -EBUSY: it has keys and this kernel cannot change them. Copies of keys are wiped. */
NODISCARD int ktls_set_in(int fd, const struct ktls_keys *keys);
NODISCARD int ktls_set_out(int fd, const struct ktls_keys *keys);

/* One record, opened by the kernel, that may be of another type than application data (23): what
 * plain receiving ends at with -EIO. Its length, or what there is room for (the rest comes with the
 * next call, under the same type); 0 with *type 0: the end; -EAGAIN: no whole record is there. */
NODISCARD int ktls_recv(int fd, uint8_t *type, char *bytes, size_t len);
/* Makes record->head what sendmsg wants, from type, bytes and len. */
void ktls_record_fill(struct io_record *record);

/* A record that could not be opened leaves its error on the socket, which refuses what is sent
 * next, our alert first of all: takes it away. */
void ktls_clear_error(int fd);

/* Counters of /proc/net/tls_stat of this network namespace, for /stats and tests; false when there
 * is no such file. */
struct ktls_counters {
    uint64_t current_in_sw;
    uint64_t current_out_sw;
    uint64_t total_in_sw;
    uint64_t total_out_sw;
    uint64_t decrypt_errors;
};
bool ktls_counters(struct ktls_counters *out);

#endif
