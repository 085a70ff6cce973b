/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_load: from the file to what is in force. */
#include <time.h>

#include "base/hash.h"
#include "edge/control_int.h"
#include "edge/loader.h"
#include "edge/logger.h"
#include "edge/tls_facts.h"
#include "engine/engine.h"

#define TEXT_BYTES_MAX ((size_t)64 << 10)

static struct setup_params params_of(const struct control *ctl)
{
    return (struct setup_params){ctl->config_path, ctl->secret, &ctl->kernel, ctl->issuers};
}

int control_load(struct control *ctl, struct setup **out, struct config_report *report)
{
    struct setup_params params = params_of(ctl);
    struct config_report own = {0};
    int err = setup_load(out, &params, report ? report : &own);

    config_report_print(report ? report : &own);
    config_report_deinit(&own);
    return err;
}

void control_remember(struct control *ctl, struct setup *setup)
{
    ctl->current = setup;
    ctl->tls = tls_facts(setup, &ctl->kernel);
    ctl->lists_unix_s = 0;
    log_set_level((enum log_level)setup->policy->log_level);
    setup->generation = (uint32_t)++ctl->generation;
}

/* A number for what is in text, which is emptied. */
static uint64_t take_hash(struct buf *text)
{
    uint64_t hash = hash_bytes(buf_slice(text));

    buf_clear(text);
    return hash;
}

void control_hash_start_only(const struct snapshot *p, uint64_t out[START_ONLY_COUNT])
{
    struct buf text;

    buf_init(&text, TEXT_BYTES_MAX);
    buf_printf(&text, "%u", p->shard_count);
    out[START_ONLY_SHARDS] = take_hash(&text);
    for (uint32_t i = 0; i < p->listen_count; i++) {
        buf_printf(&text, " %d %s", p->listens[i].kind, p->listens[i].text);
    }
    out[START_ONLY_LISTEN] = take_hash(&text);
    buf_put_cstr(&text, p->http ? p->http->text : "");
    out[START_ONLY_HTTP] = take_hash(&text);
    buf_put_cstr(&text, p->admin_path ? p->admin_path : "");
    out[START_ONLY_ADMIN] = take_hash(&text);
    for (const char *const *server = p->dns_servers; server && *server; server++) {
        buf_printf(&text, " %s", *server);
    }
    out[START_ONLY_DNS] = take_hash(&text);
    buf_printf(&text, "%u %u", p->limits.connections_per_shard_max,
               p->limits.connections_per_address_max);
    out[START_ONLY_CONNECTIONS] = take_hash(&text);
    buf_printf(&text, "%u %u", p->limits.handshakes_per_shard_max,
               p->limits.handshakes_per_address_max);
    out[START_ONLY_HANDSHAKES] = take_hash(&text);
    buf_printf(&text, "%lu", p->limits.memory_per_shard_bytes_max);
    out[START_ONLY_MEMORY] = take_hash(&text);
    buf_put_cstr(&text, p->store_target);
    out[START_ONLY_STORE] = take_hash(&text);
    buf_deinit(&text);
}

const char *control_needs_restart(const struct control *ctl, enum start_only what)
{
    static const char *const names[] = {
#define X(name, text) text,
        START_ONLY(X)
#undef X
    };
    uint64_t now[START_ONLY_COUNT];

    control_hash_start_only(ctl->current->policy, now);
    return now[what] != ctl->start_only[what] ? names[what] : NULL;
}

static void say_loaded(struct control *ctl, const struct partner_diff *diff)
{
    const struct snapshot *policy = ctl->current->policy;
    struct buf keys;

    LOG_I(config_loaded,
          "file=%s partners=%u added=%u removed=%u changed=%u domains=%u generation=%lu",
          log_quote(slice_from_cstr(ctl->config_path)).text, policy->partner_count, diff->added,
          diff->removed, diff->changed, policy->domain_count, ctl->generation);
    buf_init(&keys, TEXT_BYTES_MAX);
    for (int i = 0; i < START_ONLY_COUNT; i++) {
        const char *key = control_needs_restart(ctl, (enum start_only)i);

        if (key) {
            buf_put_cstr(&keys, buf_len(&keys) ? ", " : "");
            buf_put_cstr(&keys, key);
        }
    }
    if (buf_len(&keys) > 0) {
        LOG_W(config_loaded, "note=\"changes need a restart: %.*s\"",
              SLICE_FMT(buf_slice(&keys)));
    }
    buf_deinit(&keys);
}

static void begin(struct control *ctl)
{
    struct setup_params params = params_of(ctl);

    ctl->is_load_wanted = false;
    ctl->load_number++;
    loader_start(ctl->loader, &params, ctl->current);
}

uint64_t control_reload(struct control *ctl)
{
    if (!loader_is_busy(ctl->loader)) {
        begin(ctl);
        return ctl->load_number;
    }
    /* The file may have been read already, so this request needs a load of its own. */
    ctl->is_load_wanted = true;
    return ctl->load_number + 1;
}

bool control_is_loading(const struct control *ctl)
{
    return loader_is_busy(ctl->loader);
}

static void refused(const struct control *ctl, const struct config_report *report)
{
    LOG_E(config_refused, "file=%s errors=%u note=\"the running configuration stays\"",
          log_quote(slice_from_cstr(ctl->config_path)).text, report->error_count);
}

static void come_into_force(struct control *ctl, struct setup *setup,
                            const struct partner_diff *partners)
{
    control_remember(ctl, setup);
    if (logger_reopen(ctl->logger, setup->policy->log_path) != 0) {
        LOG_E(config_refused, "key=log.file note=\"cannot be opened: the old log stays\"");
    }
    say_loaded(ctl, partners);
    tls_facts_warn(setup);
    engine_publish(ctl->engine, setup);
}

void control_load_turn(struct control *ctl)
{
    struct loaded done;

    if (!loader_take(ctl->loader, &done)) {
        return;
    }
    if (ctl->is_draining) {
        setup_free(done.setup);
        config_report_deinit(&done.report);
        return;
    }
    config_report_print(&done.report);
    ctl->last_reload.unix_s = time(NULL);
    ctl->last_reload.error_count = done.report.error_count;
    if (done.setup) {
        come_into_force(ctl, done.setup, &done.partners);
    } else {
        refused(ctl, &done.report);
    }
    control_answer_reload(ctl, ctl->load_number, &done);
    config_report_deinit(&done.report);
    if (ctl->is_load_wanted) {
        begin(ctl);
    }
}

void control_load_stop(struct control *ctl)
{
    if (loader_is_busy(ctl->loader)) {
        control_answer_reload(ctl, ctl->load_number, NULL);
        control_answer_reload(ctl, ctl->load_number + 1, NULL);
    }
}
