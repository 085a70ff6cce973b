/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control: the main thread: configuration, engine, signals, figures, stop. */
#include "edge/control.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/check.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/pool.h"
#include "edge/debug.h"
#include "edge/edge.h"
#include "edge/http.h"
#include "edge/logger.h"
#include "edge/report.h"
#include "edge/tls_facts.h"
#include "tls/issuers.h"

#define LOOP_MS 50
#define WHY_BYTES 512u
#define STATS_BYTES_MAX ((size_t)8 << 20)

struct control {
    const char *config_path;
    char secret[65]; /* dialback secret for configurations without one */
    struct engine *engine;
    struct edge_shared *shared;
    struct log_ring ring;
    struct logger *logger;
    struct http *http; /* NULL = not configured */
    int signal_fd;
    uint64_t generation;
    time_t started;
    bool is_draining;
    /* Copies of what is asked about after publishing. */
    char node_name[256];
    char tls_backend[32];
    char tls_version[64];
    struct report_tls tls;
    struct ktls_caps kernel; /* found out once */
    struct issuers *issuers; /* shared (ref); passed on from setup to setup */
    struct tls_context *tls_in_force; /* shared (ref); NULL = none */
    int64_t lists_unix_s; /* when to warn of its lists */
    uint32_t drain_timeout_s;
    uint64_t start_only; /* of the configuration that the engine was started with */
};

static void print_report(const struct config_report *report)
{
    struct buf text;

    buf_init(&text, POOL_BLOCK_BYTES_MAX);
    config_report_write(report, &text);
    (void)fwrite(buf_slice(&text).ptr, 1, buf_len(&text), stderr);
    buf_deinit(&text);
}

/* Loads; says on stderr what is wrong. */
static int load(struct setup **out, const struct control *ctl)
{
    const char *path = ctl->config_path;
    struct setup_params params = {path, ctl->secret, &ctl->kernel, ctl->issuers};
    struct config_report report = {0};
    int err = setup_load(out, &params, &report);

    print_report(&report);
    config_report_deinit(&report);
    return err;
}

int control_check(const char *config_path)
{
    struct control ctl = {.config_path = config_path};
    struct setup *setup;

    ktls_probe(&ctl.kernel);
    if (load(&setup, &ctl) != 0) {
        return EX_CONFIG;
    }
    setup_free(setup);
    return EX_OK;
}

static void random_bytes(void *out, size_t len)
{
    if (getrandom(out, len, 0) != (ssize_t)len) {
        (void)fputs("fedgate: getrandom failed\n", stderr);
        abort();
    }
}

static void make_secret(char out[65])
{
    unsigned char bytes[32];
    struct buf text;

    random_bytes(bytes, sizeof(bytes));
    buf_init(&text, 128);
    hex_put(&text, slice_make((const char *)bytes, sizeof(bytes)));
    slice_to_cstr_cut(buf_slice(&text), out, 65);
    buf_deinit_wiped(&text);
    explicit_bzero(bytes, sizeof(bytes));
}

static void remember(struct control *ctl, const struct setup *setup)
{
    const struct tls_backend *backend = tls_backend_find(setup->policy->tls_backend);

    (void)snprintf(ctl->node_name, sizeof(ctl->node_name), "%s", setup->policy->node_name);
    (void)snprintf(ctl->tls_backend, sizeof(ctl->tls_backend), "%s", setup->policy->tls_backend);
    (void)snprintf(ctl->tls_version, sizeof(ctl->tls_version), "%s",
                   tls_backend_version(backend));
    ctl->tls = tls_facts(setup, &ctl->kernel);
    tls_context_unref(ctl->tls_in_force);
    ctl->tls_in_force = setup->tls ? tls_context_ref(setup->tls) : NULL;
    ctl->lists_unix_s = 0;
    ctl->drain_timeout_s = setup->policy->limits.drain_timeout_s;
    log_set_level((enum log_level)setup->policy->log_level);
    ctl->generation++;
}

/* What only a start brings into force, as one number. */
static uint64_t hash_start_only(const struct snapshot *p)
{
    struct buf text;
    uint64_t hash;

    buf_init(&text, POOL_BLOCK_BYTES_MAX);
    buf_printf(&text, "%u %u %lu %u %u %u %s", p->shard_count,
               p->limits.connections_per_shard_max, p->limits.memory_per_shard_bytes_max,
               p->limits.connections_per_address_max, p->limits.handshakes_per_shard_max,
               p->limits.handshakes_per_address_max, p->http ? p->http->text : "");
    for (uint32_t i = 0; i < p->listen_count; i++) {
        buf_printf(&text, " %d %s", p->listens[i].kind, p->listens[i].text);
    }
    for (const char *const *server = p->dns_servers; server && *server; server++) {
        buf_printf(&text, " %s", *server);
    }
    hash = hash_bytes(buf_slice(&text));
    buf_deinit(&text);
    return hash;
}

static void reload(struct control *ctl)
{
    struct setup *setup;

    if (load(&setup, ctl) != 0) {
        LOG_E(config_refused, "file=%s note=\"the running configuration stays\"",
              log_quote(slice_from_cstr(ctl->config_path)).text);
        return;
    }
    remember(ctl, setup);
    if (logger_reopen(ctl->logger, setup->policy->log_path) != 0) {
        LOG_E(config_refused, "key=log.file note=\"cannot be opened: the old log stays\"");
    }
    LOG_I(config_loaded, "file=%s partners=%u domains=%u generation=%lu",
          log_quote(slice_from_cstr(ctl->config_path)).text, setup->policy->partner_count,
          setup->policy->domain_count, ctl->generation);
    tls_facts_warn(setup);
    if (hash_start_only(setup->policy) != ctl->start_only) {
        LOG_W(config_loaded, "note=\"changes of listen, dns, node.shards, limits.connections_*, "
                             "limits.handshakes_* and limits.memory_* need a restart\"");
    }
    engine_publish(ctl->engine, setup);
}

/* Asks every shard for its figures and waits for them. */
static void collect(struct control *ctl, struct edge_report *reports, struct engine_stats *engine)
{
    uint32_t count = engine_shard_count(ctl->engine);
    sem_t done;
    uint32_t asked = 0;

    (void)sem_init(&done, 0, 0);
    for (uint32_t i = 0; i < count; i++) {
        struct mail_report *m = edge_mail_new(MAIL_REPORT, sizeof(*m));

        engine_stats_read(ctl->engine, i, &engine[i]);
        engine[i].log_lost = atomic_load_explicit(&ctl->shared->rings[i].lost_count,
                                                  memory_order_relaxed);
        if (!m) {
            continue;
        }
        m->report = &reports[i];
        m->done = &done;
        if (engine_post(ctl->engine, i, &m->mail) == 0) {
            asked++;
        } else {
            pool_free(m);
        }
    }
    while (asked-- > 0) {
        while (sem_wait(&done) != 0) {
        }
    }
    (void)sem_destroy(&done);
}

static void write_figures(struct control *ctl, struct buf *out, bool as_metrics)
{
    uint32_t count = engine_shard_count(ctl->engine);
    struct edge_report *reports = pool_heap_zalloc(count * sizeof(*reports));
    struct engine_stats *engine = pool_heap_zalloc(count * sizeof(*engine));
    struct report_node node = {
        .node_name = ctl->node_name,
        .version = FEDGATE_VERSION,
        .tls_backend = ctl->tls_backend,
        .tls_version = ctl->tls_version,
        .state = ctl->is_draining ? "draining" : "running",
        .uptime_s = (uint64_t)(time(NULL) - ctl->started),
        .config_generation = ctl->generation,
        .tls = ctl->tls,
    };

    collect(ctl, reports, engine);
    if (as_metrics) {
        report_write_metrics(out, &node, reports, engine, count);
    } else {
        report_write_json(out, &node, reports, engine, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        edge_report_deinit(&reports[i]);
    }
    pool_heap_free(reports);
    pool_heap_free(engine);
}

static int listen_all(struct control *ctl, const struct snapshot *policy)
{
    char why[WHY_BYTES];

    for (uint32_t i = 0; i < policy->listen_count; i++) {
        const struct listen_address *l = &policy->listens[i];

        if (engine_listen(ctl->engine, (const struct sockaddr *)&l->addr, l->addr_len,
                          (uint32_t)l->kind, why, sizeof(why)) != 0) {
            (void)fprintf(stderr, "fedgate: cannot listen on %s (%s): %s\n", l->text,
                          listen_kind_name(l->kind), why);
            return EX_UNAVAILABLE;
        }
        LOG_I(listening, "kind=%s address=%s", listen_kind_name(l->kind), l->text);
    }
    return EX_OK;
}

static int start_engine(struct control *ctl, struct setup *setup)
{
    const struct snapshot *policy = setup->policy;
    struct engine_params params = {
        .app = &edge_app,
        .app_ctx = ctl->shared,
        .shard_count = policy->shard_count,
        .pin = true,
        .conn_max = policy->limits.connections_per_shard_max,
        .memory_bytes_max = policy->limits.memory_per_shard_bytes_max,
        .conn_per_address_max = policy->limits.connections_per_address_max,
        .handshakes_max = policy->limits.handshakes_per_shard_max,
        .handshakes_per_address_max = policy->limits.handshakes_per_address_max,
        .ktls = &ctl->kernel,
        .dns_servers = policy->dns_servers,
        .snapshot = setup,
        .snapshot_free = setup_free_void,
    };
    char why[WHY_BYTES];

    if (engine_new(&ctl->engine, &params, why, sizeof(why)) != 0) {
        (void)fprintf(stderr, "fedgate: cannot start: %s\n", why);
        return EX_OSERR;
    }
    return EX_OK;
}

/* Waits for a signal or a request at most LOOP_MS; returns the signal or 0. */
static int turn(struct control *ctl)
{
    struct pollfd fds[2] = {{.fd = ctl->signal_fd, .events = POLLIN},
                            {.fd = ctl->http ? http_fd(ctl->http) : -1, .events = POLLIN}};
    struct signalfd_siginfo info = {0};

    if (poll(fds, 2, LOOP_MS) > 0 && (fds[0].revents & POLLIN) &&
        read(ctl->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        info.ssi_signo = 0;
    }
    http_turn(ctl->http);
    (void)logger_turn(ctl->logger);
    return (int)info.ssi_signo;
}

static void put_stats(struct buf *out, void *ctx)
{
    write_figures(ctx, out, false);
}

static void put_metrics(struct buf *out, void *ctx)
{
    write_figures(ctx, out, true);
}

static const char *not_ready(void *ctx)
{
    const struct control *ctl = ctx;

    return ctl->is_draining ? "stopping" : NULL;
}

static int start_http(struct control *ctl, const struct listen_address *at)
{
    struct http_params params = {
        .stats = put_stats,
        .metrics = put_metrics,
        .not_ready = not_ready,
        .ctx = ctl,
    };
    char why[HTTP_WHY_BYTES];

    if (!at) {
        return EX_OK;
    }
    params.addr = (const struct sockaddr *)&at->addr;
    params.addr_len = at->addr_len;
    if (http_new(&ctl->http, &params, why) != 0) {
        (void)fprintf(stderr, "fedgate: %s\n", why);
        return EX_UNAVAILABLE;
    }
    LOG_I(listening, "kind=http address=%s", at->text);
    return EX_OK;
}

static time_t monotonic_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void drain(struct control *ctl)
{
    uint32_t count = engine_shard_count(ctl->engine);
    time_t give_up_s = monotonic_s() + (time_t)ctl->drain_timeout_s + 2;

    LOG_I(stopping, "bound_s=%u", ctl->drain_timeout_s);
    ctl->is_draining = true;
    engine_listen_stop(ctl->engine);
    for (uint32_t i = 0; i < count; i++) {
        struct mail *m = edge_mail_new(MAIL_DRAIN, sizeof(*m));

        if (m && engine_post(ctl->engine, i, m) != 0) {
            pool_free(m);
        }
    }
    while (monotonic_s() < give_up_s && atomic_load_explicit(&ctl->shared->drained_count,
                                                memory_order_acquire) < count) {
        (void)turn(ctl);
    }
}

/* After each load; again while it runs, because whoever fetches lists may have stopped. */
static void warn_of_lists(struct control *ctl)
{
    int64_t now_unix_s = time(NULL);

    if (now_unix_s >= ctl->lists_unix_s) {
        ctl->lists_unix_s = tls_facts_warn_of_lists(ctl->tls_in_force, now_unix_s);
    }
}

static void run_loop(struct control *ctl)
{
    for (;;) {
        int signo = turn(ctl);

        warn_of_lists(ctl);
        if (signo == SIGTERM || signo == SIGINT) {
            break;
        }
        if (signo == SIGHUP) {
            reload(ctl);
        }
    }
    drain(ctl);
}

/* Before the shards exist: they inherit the mask, so that only this thread gets signals. */
static void block_signals(struct control *ctl)
{
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    ctl->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int open_logs(struct control *ctl, const struct snapshot *policy)
{
    int err = logger_new(&ctl->logger, policy->log_path);

    if (err != 0) {
        (void)fprintf(stderr, "fedgate: cannot open the log %s: %s\n", policy->log_path,
                      err_text(err));
        return EX_CANTCREAT;
    }
    log_ring_init(&ctl->ring, "control");
    log_ring_use(&ctl->ring);
    logger_add(ctl->logger, &ctl->ring);
    for (uint32_t i = 0; i < ENGINE_SHARDS_MAX; i++) {
        (void)snprintf(ctl->shared->names[i], sizeof(ctl->shared->names[i]), "shard%u", i);
        log_ring_init(&ctl->shared->rings[i], ctl->shared->names[i]);
        logger_add(ctl->logger, &ctl->shared->rings[i]);
    }
    return EX_OK;
}

static void close_logs(struct control *ctl)
{
    logger_free(ctl->logger);
    log_ring_use(NULL);
    log_ring_deinit(&ctl->ring);
    for (uint32_t i = 0; i < ENGINE_SHARDS_MAX; i++) {
        log_ring_deinit(&ctl->shared->rings[i]);
    }
}

/* Starts, runs until told to stop. setup belongs to the engine from start_engine on. */
static int run(struct control *ctl, struct setup *setup)
{
    int status;

    remember(ctl, setup);
    ctl->start_only = hash_start_only(setup->policy);
    tls_facts_warn(setup);
    status = start_engine(ctl, setup);
    if (status != EX_OK) {
        setup_free(setup);
        return status;
    }
    LOG_I(started, "version=%s node=%s shards=%u tls=%s", FEDGATE_VERSION, ctl->node_name,
          engine_shard_count(ctl->engine), log_quote(slice_from_cstr(ctl->tls_version)).text);
    tls_facts_log(&ctl->tls, ctl->tls_backend, ctl->tls_version);
    status = listen_all(ctl, setup->policy);
    if (status == EX_OK) {
        status = start_http(ctl, setup->policy->http);
    }
    if (status == EX_OK) {
        run_loop(ctl);
        LOG_I(stopped, "uptime_s=%ld", (long)(time(NULL) - ctl->started));
    }
    http_free(ctl->http);
    engine_free(ctl->engine);
    return status;
}

int control_run(const char *config_path)
{
    struct control ctl = {.config_path = config_path, .started = time(NULL)};
    struct hash_key key;
    struct setup *setup;
    int status;

    debug_from_environment();
    make_secret(ctl.secret);
    ktls_probe(&ctl.kernel);
    random_bytes(&key, sizeof(key));
    hash_seed(key);
    ctl.issuers = issuers_new();
    if (load(&setup, &ctl) != 0) {
        issuers_unref(ctl.issuers);
        return EX_CONFIG;
    }
    ctl.shared = pool_heap_zalloc(sizeof(*ctl.shared));
    status = open_logs(&ctl, setup->policy);
    if (status == EX_OK) {
        block_signals(&ctl);
        status = run(&ctl, setup);
        close_logs(&ctl);
        (void)close(ctl.signal_fd);
    } else {
        setup_free(setup);
    }
    explicit_bzero(ctl.secret, sizeof(ctl.secret));
    tls_context_unref(ctl.tls_in_force);
    issuers_unref(ctl.issuers);
    pool_heap_free(ctl.shared);
    return status;
}
