/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_tls: what an administrator is shown of TLS: which library, what the kernel can do, each
 * stream's version, cipher and record path. Streams are copied by their shard, the rest is the
 * control thread's. */
#ifndef FG_EDGE_REPORT_TLS_H
#define FG_EDGE_REPORT_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "io/ktls.h"

struct conn;
struct edge_report;

/* Of the node. */
struct report_tls {
    const char *build;     /* "production", "distribution" */
    bool has_fast_aes;     /* by the processor's instructions */
    bool has_secrets;      /* new keys of a peer can be followed in user space */
    bool is_aes_first;     /* order of suites */
    const char *ktls_mode; /* tls.ktls */
    const struct ktls_caps *kernel;
    uint32_t crl_count;
    uint64_t crl_entry_count;
    int64_t crl_next_update_unix_s; /* 0 = none */
    uint32_t resumption;            /* enum tls_resumption */
};

/* Rows of /stats; what is beyond is only counted. */
#define REPORT_STREAMS_MAX 1000u
#define REPORT_VERSIONS(X) X(NONE, "none") X(TLS12, "TLSv1.2") X(TLS13, "TLSv1.3")
#define REPORT_PATHS(X)                                                                   \
    X(PLAIN, "plain") X(LIBRARY, "library") X(USER, "user") X(KERNEL, "kernel")           \
    X(KERNEL_OUT, "kernel-out") X(KERNEL_IN, "kernel-in")
enum report_version {
#define X(name, text) REPORT_VERSION_##name,
    REPORT_VERSIONS(X)
#undef X
        REPORT_VERSION_COUNT
};
enum report_path {
#define X(name, text) REPORT_PATH_##name,
    REPORT_PATHS(X)
#undef X
        REPORT_PATH_COUNT
};

struct report_stream {
    uint8_t direction; /* 0 = in, 1 = out */
    uint8_t version;   /* enum report_version */
    uint8_t path;      /* enum report_path */
    bool is_resumed;
    char cipher[48]; /* "" = none */
    char peer[56];
    char local[256];
    char remote[256];
};

struct report_streams {
    uint64_t counts[2][REPORT_VERSION_COUNT][REPORT_PATH_COUNT];
    struct report_stream *rows; /* owned heap array */
    uint32_t row_count;
    uint32_t omitted_count;
};

/* Shard: one authenticated stream. */
void report_stream_add(struct report_streams *to, const struct conn *c, uint8_t direction,
                       struct slice local, struct slice remote);

/* Control thread. */
void report_tls_write_json(struct buf *out, const struct report_tls *tls, const char *backend,
                           const char *version);
void report_streams_write_json(struct buf *out, const struct edge_report *shards,
                               uint32_t shard_count);
void report_tls_write_metrics(struct buf *out, const struct report_tls *tls,
                              const struct edge_report *shards, uint32_t shard_count);
/* Appends text as a JSON string. */
void report_put_text(struct buf *out, const char *text);

#endif
