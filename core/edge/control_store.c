/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_store: open, read, start, watch, stop. */
#include "edge/control_store.h"

#include <stdio.h>
#include <sysexits.h>
#include <time.h>

#include "base/err.h"
#include "base/pool.h"
#include "edge/logger.h"
#include "edge/presence_mails.h"
#include "edge/store_rows.h"
#include "engine/engine.h"
#include "store/store.h"

#define WHY_BYTES      1024u
#define SAY_EVERY_S    60
#define STOP_MS        10000u

/* On the store's thread. */
static bool on_done(uint32_t shard_idx, const struct store_done *done, void *ctx)
{
    struct control *ctl = ctx;
    struct mail_stored *m = edge_mail_new(MAIL_STORED, sizeof(*m));

    if (!m) {
        return false;
    }
    m->first = done->first;
    m->last = done->last;
    m->err = done->err;
    if (engine_post(ctl->engine, shard_idx, &m->mail) != 0) {
        pool_free(m);
        return false;
    }
    return true;
}

/* What another start would not mend is the administrator's: EX_CONFIG. */
static int exit_code_of(int err)
{
    return err == ERR_STORE_LOCKED || err == ERR_STORE_SPACE ? EX_UNAVAILABLE : EX_CONFIG;
}

static int refuse(int err, const char *why)
{
    (void)fprintf(stderr, "fedgate: %s\n", why);
    LOG_E(store_refused, "err=%s text=%s", err_name(err), log_quote(slice_from_cstr(why)).text);
    return exit_code_of(err);
}

int control_store_look(const struct snapshot *policy)
{
    char why[WHY_BYTES];
    int err = store_look(policy->store_target, why, sizeof(why));

    if (err != 0) {
        (void)fprintf(stderr, "fedgate: %s\n", why);
        return exit_code_of(err);
    }
    return EX_OK;
}

int control_store_open(struct control *ctl, const struct snapshot *policy, uint32_t shard_count)
{
    struct store_params params = {.target = policy->store_target,
                                  .shard_count = shard_count,
                                  .done = on_done,
                                  .done_ctx = ctl};
    struct store_reader reader;
    struct store_load_report report;
    char why[WHY_BYTES];
    int err = store_open(&ctl->store, &params, why, sizeof(why));

    if (err != 0) {
        return refuse(err, why);
    }
    logger_add(ctl->logger, store_log(ctl->store));
    ctl->rows = pool_heap_zalloc(sizeof(*ctl->rows));
    reader = store_rows_reader(ctl->rows);
    err = store_load(ctl->store, &reader, &report, why, sizeof(why));
    if (err != 0) {
        return refuse(err, why);
    }
    ctl->shared->store = ctl->store;
    ctl->shared->rows = ctl->rows;
    return EX_OK;
}

/* Every shard has taken what is its own. */
static void forget_rows(struct control *ctl)
{
    if (ctl->rows) {
        ctl->shared->rows = NULL;
        store_rows_deinit(ctl->rows);
        pool_heap_free(ctl->rows);
        ctl->rows = NULL;
    }
}

int control_store_start(struct control *ctl)
{
    char why[WHY_BYTES];
    int err;

    forget_rows(ctl);
    err = store_start(ctl->store, why, sizeof(why));
    if (err != 0) {
        (void)fprintf(stderr, "fedgate: %s\n", why);
        return EX_OSERR;
    }
    ctl->is_store_started = true;
    return EX_OK;
}

void control_store_watch(struct control *ctl)
{
    struct store_health health;
    int64_t now_s = (int64_t)time(NULL);

    if (!ctl->store || !store_is_failing(ctl->store)) {
        ctl->store_told_s = 0;
        ctl->store_trouble[0] = '\0';
        return;
    }
    if (ctl->store_told_s != 0 && now_s - ctl->store_told_s < SAY_EVERY_S) {
        return;
    }
    ctl->store_told_s = now_s;
    store_health_read(ctl->store, &health);
    (void)snprintf(ctl->store_trouble, sizeof(ctl->store_trouble),
                   "contacts cannot be written: %s", health.text);
    LOG_E(store_failing, "err=%s since_unix_s=%ld text=%s", err_name(health.err),
          (long)health.failing_unix_s, log_quote(slice_from_cstr(health.text)).text);
}

void control_store_stop(struct control *ctl)
{
    struct store_health health;
    int err;

    if (!ctl->is_store_started) {
        return;
    }
    err = store_stop(ctl->store, STOP_MS);
    if (err != 0) {
        LOG_E(store_failing, "err=%s note=\"not all could be written at the end\"", err_name(err));
    } else if (store_is_failing(ctl->store)) {
        store_health_read(ctl->store, &health);
        LOG_E(store_failing, "err=%s text=%s", err_name(health.err),
              log_quote(slice_from_cstr(health.text)).text);
    }
}

void control_store_free(struct control *ctl)
{
    forget_rows(ctl);
    if (ctl->store) {
        ctl->shared->store = NULL;
        store_free(ctl->store);
        ctl->store = NULL;
    }
}
