/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_tls: TLS in /stats and /metrics. */
#include "edge/report_tls.h"

#include <string.h>

#include "base/jout.h"
#include "base/pool.h"
#include "edge/report.h"
#include "engine/conn.h"

#define ROWS_FIRST 16u

static const char *const version_names[] = {
#define X(name, text) text,
    REPORT_VERSIONS(X)
#undef X
};
static const char *const path_names[] = {
#define X(name, text) text,
    REPORT_PATHS(X)
#undef X
};
static const char *const direction_names[] = {"in", "out"};

static uint8_t find(const char *const *names, uint8_t count, const char *name)
{
    for (uint8_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return 0;
}

static struct report_stream *row_new(struct report_streams *to)
{
    uint32_t n = to->row_count;

    if (n == REPORT_STREAMS_MAX) {
        to->omitted_count++;
        return NULL;
    }
    if (n == 0 || (n >= ROWS_FIRST && (n & (n - 1)) == 0)) {
        to->rows = pool_heap_grow(to->rows, (n ? 2 * n : ROWS_FIRST) * sizeof(*to->rows));
    }
    to->row_count++;
    return &to->rows[n];
}

void report_stream_add(struct report_streams *to, const struct conn *c, uint8_t direction,
                       struct slice local, struct slice remote)
{
    const struct tls_peer *peer = conn_tls_peer(c);
    uint8_t version =
        peer ? find(version_names, REPORT_VERSION_COUNT, peer->version) : REPORT_VERSION_NONE;
    uint8_t path = find(path_names, REPORT_PATH_COUNT, conn_record_path(c));
    struct report_stream *row = row_new(to);

    to->counts[direction][version][path]++;
    if (!row) {
        return;
    }
    *row = (struct report_stream){.direction = direction,
                                  .version = version,
                                  .path = path,
                                  .is_resumed = peer && peer->is_resumed};
    slice_to_cstr_cut(slice_from_cstr(peer ? peer->cipher : ""), row->cipher, sizeof(row->cipher));
    slice_to_cstr_cut(slice_from_cstr(conn_peer_text(c)), row->peer, sizeof(row->peer));
    slice_to_cstr_cut(local, row->local, sizeof(row->local));
    slice_to_cstr_cut(remote, row->remote, sizeof(row->remote));
}

void report_put_text(struct buf *out, const char *text)
{
    jout_quoted(out, slice_from_cstr(text));
}

static const char *truth(bool is)
{
    return is ? "true" : "false";
}

#define KERNEL_FIELDS(X) \
    X(current_in_sw) X(current_out_sw) X(total_in_sw) X(total_out_sw) X(decrypt_errors)

static void put_kernel(struct buf *out, const struct report_tls *tls)
{
    struct ktls_counters counters;

    buf_printf(out, "\"kernel\": {\"mode\": \"%s\", \"available\": %s, \"found\": ",
               tls->ktls_mode, truth(tls->kernel && tls->kernel->is_there));
    report_put_text(out, tls->kernel ? tls->kernel->text : "not asked");
    if (ktls_counters(&counters)) {
#define X(name) buf_printf(out, ", \"" #name "\": %lu", counters.name);
        KERNEL_FIELDS(X)
#undef X
    }
    buf_putc(out, '}');
}

void report_tls_write_json(struct buf *out, const struct report_tls *tls, const char *backend,
                           const char *version)
{
    buf_printf(out, "  \"tls\": {\"backend\": \"%s\", \"version\": ", backend);
    report_put_text(out, version);
    buf_printf(out,
               ", \"build\": \"%s\", \"fast_aes\": %s, \"key_updates\": %s, \"first_cipher\": "
               "\"%s\",\n    ",
               tls->build, truth(tls->has_fast_aes), truth(tls->has_secrets),
               tls->is_aes_first ? "AES-GCM" : "ChaCha20-Poly1305");
    put_kernel(out, tls);
    buf_printf(out, ",\n    \"crl\": {\"lists\": %u, \"entries\": %lu, \"next_update_unix_s\": ",
               tls->crl_count, tls->crl_entry_count);
    if (tls->crl_next_update_unix_s) {
        buf_printf(out, "%ld}},\n", tls->crl_next_update_unix_s);
    } else {
        buf_put_lit(out, "null}},\n");
    }
}

static void put_row(struct buf *out, const struct report_stream *row, uint32_t shard_idx)
{
    buf_printf(out, "{\"direction\": \"%s\", \"shard\": %u, \"local\": ",
               direction_names[row->direction], shard_idx);
    report_put_text(out, row->local);
    buf_put_lit(out, ", \"remote\": ");
    report_put_text(out, row->remote);
    buf_put_lit(out, ", \"peer\": ");
    report_put_text(out, row->peer);
    buf_printf(out, ", \"tls\": \"%s\", \"cipher\": ", version_names[row->version]);
    report_put_text(out, row->cipher);
    buf_printf(out, ", \"records\": \"%s\", \"resumed\": %s}", path_names[row->path],
               truth(row->is_resumed));
}

void report_streams_write_json(struct buf *out, const struct edge_report *shards,
                               uint32_t shard_count)
{
    uint32_t omitted = 0;
    bool is_first = true;

    buf_put_lit(out, "  \"streams\": [");
    for (uint32_t i = 0; i < shard_count; i++) {
        const struct report_streams *streams = &shards[i].streams;

        omitted += streams->omitted_count;
        for (uint32_t k = 0; k < streams->row_count; k++) {
            if (buf_room(out) < out->bytes_max / 2) { /* the other half is the partners' */
                omitted += streams->row_count - k;
                break;
            }
            buf_put_cstr(out, is_first ? "\n    " : ",\n    ");
            is_first = false;
            put_row(out, &streams->rows[k], shards[i].shard_idx);
        }
    }
    buf_printf(out, "],\n  \"streams_omitted\": %u,\n", omitted);
}

static void put_kernel_metrics(struct buf *out)
{
    struct ktls_counters counters;

    if (!ktls_counters(&counters)) {
        return;
    }
#define X(name)                                                                        \
    buf_put_lit(out, "# HELP fedgate_kernel_tls_" #name " of this network namespace\n" \
                     "# TYPE fedgate_kernel_tls_" #name " untyped\n");                 \
    buf_printf(out, "fedgate_kernel_tls_" #name " %lu\n", counters.name);
    KERNEL_FIELDS(X)
#undef X
}

void report_tls_write_metrics(struct buf *out, const struct report_tls *tls,
                              const struct edge_report *shards, uint32_t shard_count)
{
    buf_put_lit(out, "# HELP fedgate_tls_streams authenticated streams by version and record path\n"
                     "# TYPE fedgate_tls_streams gauge\n");
    for (uint32_t d = 0; d < 2; d++) {
        for (uint32_t v = 0; v < REPORT_VERSION_COUNT; v++) {
            for (uint32_t p = 0; p < REPORT_PATH_COUNT; p++) {
                uint64_t sum = 0;

                for (uint32_t i = 0; i < shard_count; i++) {
                    sum += shards[i].streams.counts[d][v][p];
                }
                if (sum) {
                    buf_printf(out,
                               "fedgate_tls_streams{direction=\"%s\",version=\"%s\",path=\"%s\"} "
                               "%lu\n",
                               direction_names[d], version_names[v], path_names[p], sum);
                }
            }
        }
    }
    if (tls->crl_next_update_unix_s) {
        buf_printf(out,
                   "# HELP fedgate_crl_next_update_seconds since 1970: when the first list ends\n"
                   "# TYPE fedgate_crl_next_update_seconds gauge\n"
                   "fedgate_crl_next_update_seconds %ld\n",
                   tls->crl_next_update_unix_s);
    }
    put_kernel_metrics(out);
}
