/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record_bench: what it costs to write and to read one record, in CPU time. Each contestant has
 * both ends of a TLS 1.3 AES-128-GCM connection in one thread. Between them is the same window for
 * all: bytes are copied in by the writer's end and out by the reader's, as a kernel would.
 * main.c: rounds and figures; ours.c: tls/record with both libraries; openssl.c, wolfssl.c: the
 * libraries as an application uses them.                                                        */
#ifndef FG_BENCH_RECORD_H
#define FG_BENCH_RECORD_H

#include <stddef.h>

#include "base/slice.h"

#define BENCH_TEXT_MAX 16384u

struct window {
    char bytes[BENCH_TEXT_MAX + 512];
    size_t head;
    size_t tail;
};

/* The kernel's part. put: false when full. take: up to room bytes, 0 = none. */
bool window_put(struct window *w, const void *bytes, size_t len);
size_t window_take(struct window *w, void *to, size_t room);

/* A pair of ends, owned by the contestant's file; NULL = not possible (said on stderr). */
struct bench_pair;

struct contestant {
    const char *name;
    struct bench_pair *(*make)(void);
    /* One record of text from end to end; the first and last byte that arrived and their number are
     * for main.c to check: len 0 = failed. Valid until the next call. */
    struct slice (*pass)(struct bench_pair *pair, struct slice text);
    void (*drop)(struct bench_pair *pair);
};

extern const struct contestant bench_ours_wolfcrypt;
extern const struct contestant bench_ours_mbedcrypto;
extern const struct contestant bench_openssl_window;
extern const struct contestant bench_openssl_memory;
extern const struct contestant bench_openssl_cipher;
extern const struct contestant bench_wolfssl;

/* For wolfssl.c: a self-signed P-256 certificate and its key as PEM, made by OpenSSL once. */
struct bench_credential {
    char certificate[4096];
    char key[4096];
};
const struct bench_credential *bench_credential(void);

/* "OpenSSL 3.0.19"; "wolfSSL 5.5.4, production"; "mbedTLS 2.28.3" */
const char *bench_openssl_version(void);

/* Prints and exits 70. */
__attribute__((noreturn)) void bench_die(const char *what);

#endif
