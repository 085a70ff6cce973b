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
#include "edge/control_int.h"
#include "edge/control_store.h"
#include "edge/debug.h"
#include "edge/http.h"
#include "edge/loader.h"
#include "edge/logger.h"
#include "edge/tls_facts.h"
#include "presence/paces.h"
#include "tls/issuers.h"

#define LOOP_MS 50
#define LINGER_US 50u /* in/fan-in for a fifth less; core/io/README.md */
#define WHY_BYTES 512u

int control_check(const char *config_path)
{
    struct control ctl = {.config_path = config_path};
    struct setup *setup;
    int status;

    ktls_probe(&ctl.kernel);
    if (control_load(&ctl, &setup, NULL) != 0) {
        return EX_CONFIG;
    }
    status = control_store_look(setup->policy);
    setup_free(setup);
    return status;
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

static uint32_t shards_of(const struct snapshot *policy)
{
    return policy->shard_count ? policy->shard_count : engine_default_shards();
}

static int start_engine(struct control *ctl, struct setup *setup)
{
    const struct snapshot *policy = setup->policy;
    struct engine_params params = {
        .app = &edge_app,
        .app_ctx = ctl->shared,
        .shard_count = shards_of(policy),
        .pin = true,
        .linger_us = LINGER_US,
        .is_plain_io = debug_is_plain_io(),
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
    struct pollfd fds[] = {{.fd = ctl->signal_fd, .events = POLLIN},
                           {.fd = http_fd(ctl->http), .events = POLLIN},
                           {.fd = admin_fd(ctl->admin), .events = POLLIN},
                           {.fd = loader_fd(ctl->loader), .events = POLLIN}};
    struct signalfd_siginfo info = {0};

    if (poll(fds, ARRAY_COUNT(fds), LOOP_MS) > 0 && (fds[0].revents & POLLIN) &&
        read(ctl->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        info.ssi_signo = 0;
    }
    http_turn(ctl->http);
    admin_turn(ctl->admin);
    control_load_turn(ctl);
    control_store_watch(ctl);
    (void)logger_turn(ctl->logger);
    return (int)info.ssi_signo;
}

static void put_stats(struct buf *out, void *ctx)
{
    figures_write(ctx, out, false);
}

static void put_metrics(struct buf *out, void *ctx)
{
    figures_write(ctx, out, true);
}

static const char *not_ready(void *ctx)
{
    const struct control *ctl = ctx;

    return ctl->is_draining ? "stopping" : NULL;
}

static const char *trouble(void *ctx)
{
    const struct control *ctl = ctx;

    return ctl->store_trouble[0] ? ctl->store_trouble : NULL;
}

static int start_http(struct control *ctl, const struct listen_address *at)
{
    struct http_params params = {
        .stats = put_stats,
        .metrics = put_metrics,
        .not_ready = not_ready,
        .trouble = trouble,
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

static int start_admin(struct control *ctl, const char *path)
{
    char why[ADMIN_WHY_BYTES];

    if (!path) {
        return EX_OK;
    }
    if (admin_new(&ctl->admin, path, control_answer, ctl, why) != 0) {
        (void)fprintf(stderr, "fedgate: %s\n", why);
        return EX_UNAVAILABLE;
    }
    LOG_I(listening, "kind=admin path=%s", log_quote(slice_from_cstr(path)).text);
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
    uint32_t bound_s = ctl->current->policy->limits.drain_timeout_s;
    time_t give_up_s = monotonic_s() + (time_t)bound_s + 2;

    LOG_I(stopping, "bound_s=%u", bound_s);
    ctl->is_draining = true;
    control_load_stop(ctl);
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
        ctl->lists_unix_s = tls_facts_warn_of_lists(ctl->current->tls, now_unix_s);
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
            (void)control_reload(ctl);
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

static void say_started(const struct control *ctl)
{
    const struct snapshot *policy = ctl->current->policy;
    const char *tls = tls_backend_version(tls_backend_find(policy->tls_backend));

    LOG_I(started, "version=%s node=%s shards=%u tls=%s", FEDGATE_VERSION, policy->node_name,
          engine_shard_count(ctl->engine), log_quote(slice_from_cstr(tls)).text);
    tls_facts_log(&ctl->tls, policy->tls_backend, tls);
}

static int start_loader(struct control *ctl)
{
    int err = loader_new(&ctl->loader);

    if (err != 0) {
        (void)fprintf(stderr, "fedgate: cannot start the thread that loads: %s\n", err_text(err));
        return EX_OSERR;
    }
    return EX_OK;
}

/* Starts, runs until told to stop. setup belongs to the engine from start_engine on. */
static int run(struct control *ctl, struct setup *setup)
{
    int status;

    control_remember(ctl, setup);
    control_hash_start_only(setup->policy, ctl->start_only);
    tls_facts_warn(setup);
    status = control_store_open(ctl, setup->policy, shards_of(setup->policy));
    if (status == EX_OK) {
        status = start_loader(ctl);
    }
    if (status == EX_OK) {
        status = start_engine(ctl, setup);
    }
    if (status != EX_OK) {
        loader_free(ctl->loader);
        setup_free(setup);
        return status;
    }
    say_started(ctl);
    status = control_store_start(ctl);
    if (status == EX_OK) {
        status = listen_all(ctl, setup->policy);
    }
    if (status == EX_OK) {
        status = start_http(ctl, setup->policy->http);
    }
    if (status == EX_OK) {
        status = start_admin(ctl, setup->policy->admin_path);
    }
    if (status == EX_OK) {
        run_loop(ctl);
        LOG_I(stopped, "uptime_s=%ld", (long)(time(NULL) - ctl->started));
    }
    admin_free(ctl->admin);
    http_free(ctl->http);
    loader_free(ctl->loader); /* it reads what is in force, which the engine frees */
    control_store_stop(ctl);
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
    if (control_load(&ctl, &setup, NULL) != 0) {
        issuers_unref(ctl.issuers);
        return EX_CONFIG;
    }
    ctl.shared = pool_heap_zalloc(sizeof(*ctl.shared));
    ctl.shared->paces = presence_paces_new();
    status = open_logs(&ctl, setup->policy);
    if (status == EX_OK) {
        block_signals(&ctl);
        status = run(&ctl, setup);
        close_logs(&ctl);
        control_store_free(&ctl); /* its log ring was read to the end */
        (void)close(ctl.signal_fd);
    } else {
        setup_free(setup);
    }
    explicit_bzero(ctl.secret, sizeof(ctl.secret));
    issuers_unref(ctl.issuers);
    presence_paces_free(ctl.shared->paces);
    pool_heap_free(ctl.shared);
    return status;
}
