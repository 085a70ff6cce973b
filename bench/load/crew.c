/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crew: the shards of a run. */
#include "load/crew.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "engine/conn.h"
#include "engine/engine.h"
#include "engine/shard.h"
#include "load/apart.h"
#include "load/party.h"

#define NAP_NS 100000L
#define SPARE_CONNS 64u
#define SPARE_FILES 256u

struct command_mail {
    struct mail mail;
    struct crew_command command;
};

/* --- on the shards --- */

static int on_start(struct shard *sh, void *ctx, void **app)
{
    struct run *run = ctx;
    struct stage *st = stage_new(run, sh);

    *app = st;
    return 0;
}

static void on_stop(struct shard *sh, void *app)
{
    (void)sh;
    stage_free(app);
}

static void on_accepted(struct shard *sh, struct conn *c, uint32_t tag)
{
    struct stage *st = shard_app(sh);

    st->plan->kind[tag]->accepted(st->party[tag], c);
}

static void on_mail(struct shard *sh, struct mail *m)
{
    struct stage *st = shard_app(sh);

    if (m->kind == STAGE_MAIL_CREDIT) {
        stage_take_credit(st, m);
        return;
    }
    ASSERT(m->kind == STAGE_MAIL_COMMAND);
    {
        struct command_mail *mail = CONTAINER_OF(m, struct command_mail, mail);

        mail->command.act(st, &mail->command);
    }
    mail_free(m);
    (void)atomic_fetch_add_explicit(&st->run->commands_done, 1, memory_order_release);
}

static void on_turn_end(struct shard *sh)
{
    stage_pump(shard_app(sh));
}

static const struct engine_app app = {
    .shard_start = on_start,
    .shard_stop = on_stop,
    .accepted = on_accepted,
    .mail = on_mail,
    .turn_end = on_turn_end,
};

void crew_open(struct stage *st, const struct crew_command *command)
{
    stage_open_lines(st, command->side, &command->opening);
}

void crew_watch(struct stage *st, const struct crew_command *command)
{
    stage_watch_flows(st, &command->watching);
}

void crew_forget(struct stage *st, const struct crew_command *command)
{
    (void)command;
    st->latency = (struct histogram){0};
    st->lag = (struct histogram){0};
}

void crew_begin(struct stage *st, const struct crew_command *command)
{
    stage_start(st, &command->schedule, command->quota, command->from, command->until);
}

void crew_halt(struct stage *st, const struct crew_command *command)
{
    (void)command;
    if (st->schedule) {
        schedule_stop(st->schedule);
    }
}

void crew_leave(struct stage *st, const struct crew_command *command)
{
    stage_leave(st, command->line, command->away_ms);
}

void crew_gather(struct stage *st, const struct crew_command *command)
{
    histogram_merge(command->latency, &st->latency);
    histogram_merge(command->lag, &st->lag);
}

void crew_hold(struct stage *st, const struct crew_command *command)
{
    stage_hold(st, command->is_held);
}

void crew_rest(struct stage *st, const struct crew_command *command)
{
    (void)st;
    apart_rest(command->apart);
}

/* --- by the control thread --- */

/* Both ends may be here, and as many again for dialback and what is in its place meanwhile. */
static uint32_t conns_of(const struct plan *plan)
{
    return 4 * (uint32_t)plan->streams + SPARE_CONNS;
}

static void raise_file_limit(const struct plan *plan)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        rlim_t wanted = conns_of(plan) + SPARE_FILES;

        if (limit.rlim_cur < wanted) {
            limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
            (void)setrlimit(RLIMIT_NOFILE, &limit); /* what is missing shows when it is */
        }
    }
}

static int listen_all(struct run *run, char *why, size_t why_bytes)
{
    const struct plan *plan = run->plan;

    for (enum side side = SIDE_SOURCE; side < (enum side)SIDES; side++) {
        const struct sockaddr_in *at = plan->kind[side]->listen(plan, side);
        int err = at ? engine_listen(run->engine, (const struct sockaddr *)at, sizeof(*at), side,
                                     why, why_bytes)
                     : 0;

        if (err != 0) {
            return err;
        }
    }
    return 0;
}

int crew_start(struct run *run, char *why, size_t why_bytes)
{
    static const char *const no_dns[] = {"127.0.0.1", NULL}; /* addresses are given as such */
    struct engine_params params = {
        .app = &app,
        .app_ctx = run,
        .shard_count = (uint32_t)run->plan->shards,
        .conn_max = conns_of(run->plan),
        .dns_servers = no_dns,
    };
    int err;

    raise_file_limit(run->plan);
    err = engine_new(&run->engine, &params, why, why_bytes);
    return err != 0 ? err : listen_all(run, why, why_bytes);
}

void crew_stop(struct run *run)
{
    atomic_store_explicit(&run->is_over, true, memory_order_relaxed);
    if (run->engine) {
        engine_free(run->engine);
        run->engine = NULL;
    }
}

static void nap(void)
{
    const struct timespec t = {0, NAP_NS};

    (void)nanosleep(&t, NULL);
}

void crew_command_one(struct run *run, uint32_t shard, const struct crew_command *command)
{
    struct command_mail *mail = pool_zalloc(sizeof(*mail));

    ASSERT(mail);
    mail->mail.kind = STAGE_MAIL_COMMAND;
    mail->command = *command;
    run->commands_posted++;
    while (engine_post(run->engine, shard, &mail->mail) != 0) {
        nap();
    }
}

void crew_wait(struct run *run)
{
    while (atomic_load_explicit(&run->commands_done, memory_order_acquire) <
           run->commands_posted) {
        nap();
    }
}

void crew_command(struct run *run, const struct crew_command *command,
                  void (*fill)(struct run *run, uint32_t shard, struct crew_command *command))
{
    for (uint32_t i = 0; i < run->plan->shards; i++) {
        struct crew_command own = *command;

        if (fill) {
            fill(run, i, &own);
        }
        crew_command_one(run, i, &own);
    }
    crew_wait(run);
}
