/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine on the simulated kernel: several shards taken in turn by one thread, hundreds of
 * seeds. Gentle worlds must carry every byte to its end; cruel ones, where connections break and
 * memory runs out, must end every connection exactly once and leak nothing. A failing seed is
 * named. Worlds of TLS: some ends let the kernel do the records, some do them themselves, and the
 * kernel does not always want to. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "engine/conn_int.h"
#include "engine/shard_state.h"
#include "io/ktls.h"
#include "sim_io.h"
#include "tls/record.h"

enum { PORT = 5269, CLIENTS = 12, BYTES = 6000, STEPS_MAX = 400000, SEEDS = 400, TLS_SEEDS = 100 };

struct end { /* one side of a connection */
    bool is_server;
    uint32_t number;
    struct conn *c; /* NULL on a journey */
    struct wheel_timer timer;
    size_t sent, got;
};

static struct {
    uint64_t seed;
    uint32_t opened, done, failed_connects, accepted, closed, clean, moves, timeouts;
} run;

enum world_kind { GENTLE, CRUEL, GENTLE_TLS, CRUEL_TLS };

/* What the simulated kernel offers. */
static struct ktls_caps caps = {.is_there = true,
                                .ciphers = {{true, true, true}, {true, true, true}}};
static struct tls_context *contexts[2]; /* wolfSSL, mbedTLS; in worlds of TLS */
static int64_t pool_before; /* what the contexts hold */
static uint64_t total_moves, total_kernel_out, total_kernel_in, total_refused, total_rekeys,
    total_rekey_ends;

#define SIM_CHECK(c) ((c) ? (void)0 : failed(#c))

static void failed(const char *what)
{
    (void)fprintf(stderr, "seed %lu: %s\n", (unsigned long)run.seed, what);
    abort();
}

static char byte_at(uint32_t number, size_t at)
{
    return (char)((at * 131 + number * 29) >> (at % 3));
}

static void check_bytes(const struct end *e, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        SIM_CHECK(bytes[i] == byte_at(e->number, e->got + i));
    }
}

static void resume_later(struct wheel_timer *t, void *ctx)
{
    (void)t;
    conn_resume(((struct end *)ctx)->c);
}

static void arrived(struct shard *sh, struct conn *c, void *owner)
{
    struct end *e = owner;

    SIM_CHECK(!e->c && conn_shard(c) == sh && conn_find(sh, conn_ref_of(c)) == c);
    e->c = c;
    run.moves++;
    if (sim_dice(3) == 0) {
        conn_resume(c);
    } else {
        shard_timer_arm(sh, &e->timer, sim_dice(30), resume_later, e);
    }
}

static void write_some(struct end *e)
{
    char piece[700];

    while (e->sent < BYTES && !conn_out_is_crowded(e->c)) {
        size_t len = 1 + sim_dice(sizeof(piece));

        len = len < BYTES - e->sent ? len : BYTES - e->sent;
        for (size_t i = 0; i < len; i++) {
            piece[i] = byte_at(e->number, e->sent + i);
        }
        buf_append(conn_out(e->c), piece, len);
        e->sent += len;
    }
    conn_flush(e->c);
}

/* The server's number comes with the first byte; then all is echoed. */
static size_t data(struct conn *c, void *owner, char *bytes, size_t len)
{
    struct end *e = owner;
    struct shard *sh = conn_shard(c);
    size_t take = len;

    SIM_CHECK(e->c == c && len > 0);
    if (e->is_server) {
        if (sim_dice(3)) { /* perhaps again: in the middle of the traffic */
            conn_set_authenticated(c);
        }
        if (sim_dice(3) == 0) {
            take = sim_dice((uint32_t)len + 1);
        }
        take = take < buf_room(conn_out(c)) ? take : buf_room(conn_out(c));
        buf_append(conn_out(c), bytes, take);
        conn_flush(c);
    } else {
        check_bytes(e, bytes, take);
    }
    e->got += take;
    if (!e->is_server && e->got == BYTES) {
        conn_close(c, 60000);
        return take;
    }
    if (take < len || sim_dice(5) == 0) {
        conn_pause(c);
        shard_timer_disarm(sh, &e->timer);
        if (sim_dice(2)) {
            e->c = NULL;
            conn_move(c, sim_dice(shard_count(sh)), arrived);
        } else {
            shard_timer_arm(sh, &e->timer, sim_dice(50), resume_later, e);
        }
    }
    return take;
}

static void writable(struct conn *c, void *owner)
{
    struct end *e = owner;

    SIM_CHECK(e->c == c);
    if (!e->is_server) {
        write_some(e);
    }
}

static void closed(struct conn *c, void *owner, int err, const char *why, size_t unsent)
{
    struct end *e = owner;

    SIM_CHECK(why && !conn_find(conn_shard(c), conn_ref_of(c)));
    shard_timer_disarm(conn_shard(c), &e->timer);
    run.closed++;
    run.timeouts += err == ERR_TIMEOUT;
    if (e->got == BYTES && unsent == 0 && err == (e->is_server ? ERR_CLOSED : 0)) {
        run.clean++;
    }
    run.done += !e->is_server;
    pool_free(e);
}

static const struct conn_ops ops = {.data = data, .writable = writable, .closed = closed};

static void tls_begin(struct conn *c, bool is_server)
{
    struct conn_tls_params params = {
        .ctx = contexts[sim_dice(4) == 0],
        .session = {.role = is_server ? TLS_ROLE_SERVER : TLS_ROLE_CLIENT,
                    .sni = SLICE_LIT("fabrikam.test"),
                    .credential_idx = UINT32_MAX},
        .ktls = sim_dice(3) ? CONN_KTLS_AUTO : CONN_KTLS_OFF};

    if (conn_start_tls(c, &params)) {
        conn_abort(c, ERR_NOMEM, "no memory for TLS");
    }
}

static void own(struct conn *c, bool is_server, uint32_t number)
{
    struct end *e = pool_zalloc(sizeof(*e));

    run.opened++;
    if (!e) {
        static const struct conn_ops none = {0};

        conn_set_owner(c, &none, NULL);
        conn_abort(c, ERR_NOMEM, "no memory for its owner");
        run.closed++;
        run.done += !is_server;
        return;
    }
    *e = (struct end){.is_server = is_server, .number = number, .c = c};
    conn_set_owner(c, &ops, e);
    conn_set_out_max(c, 4000);
    conn_set_read_timeout(c, 20000000);
    if (contexts[0]) {
        tls_begin(c, is_server);
    }
    if (!is_server) {
        write_some(e);
    }
}

static void connected(struct shard *sh, void *ctx, struct conn *c, int err)
{
    (void)sh;
    if (err) {
        run.failed_connects++;
        run.done++;
        return;
    }
    own(c, false, (uint32_t)(uintptr_t)ctx);
}

static int app_start(struct shard *sh, void *ctx, void **app)
{
    (void)sh;
    (void)ctx;
    (void)app;
    return 0;
}

static void app_stop(struct shard *sh, void *app)
{
    (void)sh;
    (void)app;
}

static void app_accepted(struct shard *sh, struct conn *c, uint32_t tag)
{
    (void)sh;
    (void)tag;
    run.accepted++;
    own(c, true, 0);
    if (sim_dice(2)) {
        conn_set_authenticated(c);
    }
}

static void app_mail(struct shard *sh, struct mail *m)
{
    (void)sh;
    mail_free(m);
}

static const struct engine_app app = {
    .shard_start = app_start, .shard_stop = app_stop, .accepted = app_accepted, .mail = app_mail};

static void turn(struct engine *e)
{
    struct shard *sh = &e->shards[sim_dice(e->shard_count)];

    shard_turn(sh, false);
    for (uint32_t i = 0; i < sh->slot_count; i++) { /* in-flight bits and lists agree */
        const struct conn *c = sh->slots[i].conn;

        if (c) {
            SIM_CHECK(c->sh == sh && c->slot == i && c->generation == sh->slots[i].generation);
        }
    }
    SIM_CHECK(sh->io->bufs_lent == 0 || sh->io->bufs_lent <= sh->io->buf_count);
}

static void dial_one(struct engine *e, uint32_t number)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(PORT),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct shard_connect_params p = {.addr = (struct sockaddr *)&to,
                                     .addr_len = sizeof(to),
                                     .done = connected,
                                     .ctx = (void *)(uintptr_t)number};

    if (shard_connect(&e->shards[sim_dice(e->shard_count)], &p, NULL)) {
        run.failed_connects++;
        run.done++;
    }
}

static void begin(struct engine **out)
{
    struct engine_params p = {.app = &app,
                              .shard_count = 1 + sim_dice(3),
                              .conn_max = 3 * CLIENTS,
                              .recv_buf_count = 1u << sim_dice(5),
                              /* The kernel's records are counted by receives: tiny ones would
                               * make a flood of key updates, which is refused. */
                              .recv_buf_bytes =
                                  (record_limits.gcm_soft < BYTES ? 100 : 1) + sim_dice(600),
                              .conn_per_address_max = sim_dice(2) ? 2 * CLIENTS : 0,
                              .ktls = &caps,
                              .io = &sim_backend};
    struct listen_mail *m;
    char why[100];

    SIM_CHECK(engine_build(out, &p, why, sizeof(why)) == 0);
    for (uint32_t i = 0; i < (*out)->shard_count; i++) {
        SIM_CHECK(shard_begin(&(*out)->shards[i]) == 0);
    }
    m = pool_zalloc(sizeof(*m));
    m->mail.kind = MAIL_KIND_LISTEN;
    m->fd = sim_listen(PORT);
    SIM_CHECK(shard_post(&(*out)->shards[0], 0, &m->mail) == 0);
}

static void end(struct engine *e)
{
    bool is_drained = false;

    for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++) {
        sim_world.knobs[i] = 0;
    }
    pool_fail_nth(0);
    atomic_store_explicit(&e->stop_phase, 1, memory_order_release);
    for (uint32_t i = 0; i < STEPS_MAX && !is_drained; i++) {
        sim_step();
        turn(e);
        is_drained = true;
        for (uint32_t s = 0; s < e->shard_count; s++) {
            is_drained = is_drained && atomic_load_explicit(&e->shards[s].is_drained,
                                                            memory_order_acquire);
            for (uint32_t from = 0; from <= e->shard_count; from++) {
                is_drained = is_drained && mailbox_is_empty(engine_box(e, s, from));
            }
        }
    }
    SIM_CHECK(is_drained);
    for (uint32_t s = 0; s < e->shard_count; s++) {
        SIM_CHECK(e->shards[s].stats.stale_events == 0);
        SIM_CHECK(e->shards[s].stats.conn_open == 0);
        total_kernel_out += e->shards[s].stats.tls_kernel_out;
        total_kernel_in += e->shards[s].stats.tls_kernel_in;
        total_refused += e->shards[s].stats.tls_kernel_refused;
        total_rekeys += e->shards[s].stats.tls_rekeys;
        total_rekey_ends += e->shards[s].stats.tls_rekey_ends;
        shard_finish(&e->shards[s]);
        shard_mail_leave(&e->shards[s]);
    }
    SIM_CHECK(run.closed == run.opened);
    SIM_CHECK(sim_sockets_open() == 0);
    engine_free(e);
    SIM_CHECK(pool_used_bytes() == pool_before);
}

static void world_run(uint64_t seed, enum world_kind kind)
{
    static const uint32_t gentle[] = {SIM_BUSY,      SIM_SHORT_RECV, SIM_SHORT_SEND,
                                      SIM_LAST_SHOT, SIM_NO_BUFFER,  SIM_LATE_CANCEL,
                                      SIM_NO_ACCEPT, SIM_TIME_JUMP,  SIM_NO_ULP,
                                      SIM_NO_KEYS_OUT, SIM_NO_KEYS_IN, SIM_SPLIT_RECORD};
    static const uint32_t cruel[] = {SIM_ABORTED, SIM_NO_SOCKET, SIM_REFUSED, SIM_RESET};
    bool is_cruel = kind == CRUEL || kind == CRUEL_TLS;
    bool is_worn;
    struct engine *e;
    uint32_t dialled = 0;

    memset(&run, 0, sizeof(run));
    run.seed = seed;
    sim_reset(seed);
    caps.can_rekey = sim_world.can_rekey = sim_dice(2);
    sim_world.shares_bufs = sim_dice(2);
    /* Keys are used up soon; gentle kernels must then be able to take new ones. */
    is_worn = is_cruel ? sim_dice(4) != 0 : caps.can_rekey && sim_dice(2);
    record_limits.gcm_soft = is_worn ? 12 + sim_dice(20) : (uint64_t)1 << 24;
    record_limits.gcm_hard =
        record_limits.gcm_soft + (is_cruel && sim_dice(2) ? sim_dice(9) : 1u << 22);
    begin(&e);
    for (size_t i = 0; i < ARRAY_COUNT(gentle); i++) { /* a swarm: another mixture every time */
        sim_world.knobs[gentle[i]] = sim_dice(2) ? 2 + sim_dice(20) : 0;
    }
    for (size_t i = 0; is_cruel && i < ARRAY_COUNT(cruel); i++) {
        sim_world.knobs[cruel[i]] = sim_dice(2) ? 5 + sim_dice(500) : 0;
    }
    sim_world.knobs[SIM_NO_NEW_KEYS] = is_cruel ? 2 : 0;
    for (uint32_t i = 0; i < STEPS_MAX && run.done < CLIENTS; i++) {
        if (dialled < CLIENTS && sim_dice(50) == 0) {
            dial_one(e, dialled++);
        }
        if (is_cruel && sim_dice(2000) == 0) {
            pool_fail_nth(1 + sim_dice(10));
        }
        for (uint32_t n = sim_dice(12); n > 0; n--) {
            sim_step();
        }
        turn(e);
    }
    if (!is_cruel) {
        SIM_CHECK(run.done == CLIENTS); /* nothing hangs */
        SIM_CHECK(run.failed_connects == 0);
        for (uint32_t i = 0; i < STEPS_MAX && run.closed < 2 * CLIENTS; i++) {
            sim_step();
            turn(e);
        }
        SIM_CHECK(run.clean == 2 * CLIENTS); /* all bytes arrived, in order, both ends know it */
    }
    end(e);
}

static uint64_t totals[SIM_FAULT_COUNT];

static void sweep(enum world_kind kind)
{
    const char *from = getenv("FEDGATE_SIM_SEED"); /* to look at a failed one */
    const char *many = getenv("FEDGATE_SIM_COUNT"); /* for a long run */
    uint64_t first = from ? strtoull(from, NULL, 10) : 1;
    uint64_t seeds = kind < GENTLE_TLS ? SEEDS : TLS_SEEDS;
    uint64_t count = many ? strtoull(many, NULL, 10) : from ? 1 : seeds;

    for (uint64_t seed = first; seed < first + count; seed++) {
        world_run(seed, kind);
        for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++) {
            totals[i] += sim_world.happened[i];
        }
        total_moves += run.moves;
    }
    cr_assert_eq(check_failed_count(), 0);
}

Test(engine_sim, gentle_worlds_carry_everything)
{
    sweep(GENTLE);
    for (uint32_t i = 0; i <= SIM_NO_ACCEPT; i++) {
        cr_assert_gt(totals[i], 0, "fault %u never happened: test too weak", i);
    }
    cr_assert_gt(total_moves, 1000);
}

Test(engine_sim, cruel_worlds_end_everything)
{
    sweep(CRUEL);
    for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++) {
        if (i < SIM_NO_ULP || i > SIM_NO_NEW_KEYS) {
            cr_assert_gt(totals[i], 0, "fault %u never happened: test too weak", i);
        }
    }
}

static void sweep_tls(enum world_kind kind)
{
    static const char *const backends[2] = {"wolfssl", "mbedtls"};
    struct tls_credential credential = {.certificate_path = TLS_CERTS "/good.crt",
                                        .key_path = TLS_CERTS "/good.key"};
    struct tls_context_params params = {
        .credentials = &credential, .credential_count = 1, .trust_path = TLS_CERTS "/trust.crt"};
    struct tls_error why;

    for (uint32_t i = 0; i < 2; i++) {
        SIM_CHECK(tls_context_new(&contexts[i], tls_backend_find(backends[i]), &params, &why) == 0);
    }
    pool_before = pool_used_bytes();
    sweep(kind);
    tls_context_unref(contexts[0]);
    tls_context_unref(contexts[1]);
    SIM_CHECK(pool_used_bytes() == 0);
    for (uint32_t i = SIM_NO_ULP; i <= SIM_SPLIT_RECORD; i++) {
        cr_assert_gt(totals[i], 0, "fault %u never happened: test too weak", i);
    }
    cr_assert_gt(total_kernel_out, 200, "hardly ever in the kernel: test too weak");
    cr_assert_gt(total_kernel_in, 100);
    cr_assert_lt(total_kernel_in, total_kernel_out, "mixed ones too");
    cr_assert_gt(total_refused, 10);
    cr_assert_gt(total_moves, 100);
    if (tls_backend_has_secrets(tls_backend_find("wolfssl"))) {
        cr_assert_gt(total_rekeys, kind == CRUEL_TLS ? 2 : 20);
        cr_assert_eq(total_rekey_ends > 0, kind == CRUEL_TLS);
        cr_assert_eq(totals[SIM_NO_NEW_KEYS] > 0, kind == CRUEL_TLS);
    } else {
        cr_assert_eq(total_rekeys, 0);
    }
}

Test(engine_sim, gentle_worlds_of_tls_carry_everything)
{
    sweep_tls(GENTLE_TLS);
}

Test(engine_sim, cruel_worlds_of_tls_end_everything)
{
    sweep_tls(CRUEL_TLS);
}
