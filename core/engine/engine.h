/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine: the machine. Starts the shards (one thread, one ring, one loop each), publishes
 * snapshots to them, stops them. Knows connections, TLS sessions and bytes; knows no XMPP, no SIP:
 * the application on top is struct engine_app.
 * Threads: engine_* by the control thread; engine_app callbacks run on the shard they name. */
#ifndef FG_ENGINE_ENGINE_H
#define FG_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "base/slice.h"
#include "io/io.h"

struct engine;
struct shard;
struct conn;
struct ktls_caps;
struct log_ring;
struct mail;

#define ENGINE_SHARDS_MAX 64u

struct engine_app {
    /* First and last call on a shard's thread. start may fail: the engine then does not start. */
    int (*shard_start)(struct shard *sh, void *ctx, void **shard_app);
    void (*shard_stop)(struct shard *sh, void *shard_app);
    /* A connection was accepted on the listener with this tag. The callee sets its owner
     * (conn_set_owner) or closes it. */
    void (*accepted)(struct shard *sh, struct conn *c, uint32_t listener_tag);
    /* Mail from another shard or the control thread. Ownership of the mail passes to the callee,
     * who mail_free()s it. */
    void (*mail)(struct shard *sh, struct mail *m);
    /* A new snapshot was published; the previous one stays valid until this returns. Called once
     * per snapshot per shard, before anything else sees the new one. */
    void (*snapshot_changed)(struct shard *sh, const void *old_snapshot, const void *new_snapshot);
    /* Once per loop turn after all events, before sends are flushed. May be NULL. */
    void (*turn_end)(struct shard *sh);
};

struct engine_params {
    const struct engine_app *app; /* borrowed until engine_free */
    void *app_ctx;                /* borrowed */
    uint32_t shard_count;         /* 0 = one per usable core */
    bool pin;                     /* one core each */
    uint32_t conn_max;            /* per shard */
    uint32_t recv_buf_count;      /* per shard, power of two; 0 = the backend's default */
    uint32_t recv_buf_bytes;      /* 0 = the backend's default */
    uint32_t linger_us;           /* see struct io_params: throughput for latency; 0 = none */
    bool is_plain_io;             /* see struct io_params (tests) */
    uint64_t memory_bytes_max;    /* pool budget per shard; 0 = none */
    uint32_t conn_per_address_max; /* unauthenticated inbound, whole engine; 0 = no cap */
    /* TLS handshakes in progress, incoming and outgoing ones each; the others wait. 0 = no bound */
    uint32_t handshakes_max;             /* per shard */
    uint32_t handshakes_per_address_max; /* per shard and remote address (IPv6: /64) */
    /* "ip", "ip:port" or "[ip6]:port"; NULL-terminated; copied; NULL = the system's */
    const char *const *dns_servers;
    void *snapshot; /* the first one, owned from success on; no snapshot_changed for it */
    void (*snapshot_free)(void *snapshot);
    const struct io_backend *io; /* NULL = io_uring */
    const struct ktls_caps *ktls; /* borrowed: what ktls_probe found; NULL = no kernel TLS */
};

/* Creates rings, buffers, threads; on return all shards run. why gets a line for people: for a
 * refused io_uring the cause (sysctl, seccomp, memlock, old kernel) and the remedy.             */
NODISCARD int engine_new(struct engine **out, const struct engine_params *params, char *why,
                         size_t why_bytes);
/* Stops and joins all shards (connections are aborted: drain first), frees everything. */
void engine_free(struct engine *e);
uint32_t engine_shard_count(const struct engine *e);
/* What shard_count 0 means here. */
uint32_t engine_default_shards(void);

/* Opens a listening socket; accepted connections are spread over the shards. transparent to the
 * protocol: tag comes back in app->accepted. Unix paths are not for shards. */
NODISCARD int engine_listen(struct engine *e, const struct sockaddr *addr, socklen_t addr_len,
                            uint32_t tag, char *why, size_t why_bytes);
/* The port a listener got (asked for port 0); 0 = no listener with this tag. */
uint16_t engine_listen_port(const struct engine *e, uint32_t tag);
/* Stops accepting on all listeners; existing connections live on. The ports are free on return. */
void engine_listen_stop(struct engine *e);

/* Pointer swap; the old snapshot is freed after the grace period (all shards passed a quiescent
 * state). Wakes sleeping shards. Blocks the control thread until then. */
void engine_publish(struct engine *e, void *snapshot);
/* Mail from the control thread, or any other that is no shard's. ERR_FULL: try again later; the
 * mail stays the caller's. */
NODISCARD int engine_post(struct engine *e, uint32_t shard_idx, struct mail *m);

/* Sums and gauges for /stats, as of now, relaxed. */
struct engine_stats {
    uint64_t conn_accepted, conn_refused_full, conn_refused_address, conn_moved_in;
    uint64_t conn_open;           /* gauge */
    uint64_t bytes_in, bytes_out; /* on the wire */
    uint64_t turns, events, sends, recv_no_buffer, stale_events, cq_overflows;
    uint64_t mail_in, mail_full, doorbells;
    uint64_t spins_found, spins_missed; /* see shard_set_busy_poll */
    uint64_t tls_handshakes, tls_failures;
    uint64_t tls_full_in, tls_full_out, tls_resumed_in, tls_resumed_out; /* of tls_handshakes */
    /* Handshakes that failed: too late, by the peer's alert, by its end, for what was said. */
    uint64_t tls_failed_timeout, tls_failed_alert, tls_failed_closed, tls_failed_protocol;
    uint64_t tls_kernel_out, tls_kernel_in; /* connections given to the kernel, per direction */
    uint64_t tls_kernel_refused; /* it could not take a direction's keys */
    uint64_t tls_key_updates_in, tls_key_updates_out; /* of peers, followed; ours */
    uint64_t tls_rekeys;         /* new keys of a peer given to the kernel */
    uint64_t tls_rekey_ends;     /* connections ended because they could not be followed */
    uint64_t handshakes_in_progress, handshakes_waiting; /* gauges */
    uint64_t handshakes_waited;  /* had to wait for a place */
    uint64_t handshakes_refused; /* of these: no place came free in time */
    uint64_t handshakes_overdue; /* ended because they were slow and others waited */
    uint64_t handshake_steps;
    uint64_t dns_queries, dns_cache_hits, dns_failures;
    int64_t pool_bytes;           /* gauge: in blocks that this shard gave out */
    uint64_t log_lost;
};
void engine_stats_read(const struct engine *e, uint32_t shard_idx, struct engine_stats *out);
/* A shard's log lines, to be drained by the control thread. */
struct log_ring *engine_log(struct engine *e, uint32_t shard_idx);

#endif
