/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_status: node, configuration, certificates, streams. */
#include "edge/control_status.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

#define DAY_S ((int64_t)86400)

void status_put_restart(struct jout *j, const struct control *ctl)
{
    jout_list(j, "needs_restart");
    for (int i = 0; i < START_ONLY_COUNT; i++) {
        const char *key = control_needs_restart(ctl, (enum start_only)i);

        if (key) {
            jout_cstr(j, NULL, key);
        }
    }
    jout_end(j);
}

/* Also for those who are in another folder. */
static void put_path(struct jout *j, const char *key, const char *path)
{
    char whole[2 * PATH_MAX];

    if (path[0] == '/' || !getcwd(whole, PATH_MAX)) {
        jout_cstr(j, key, path);
    } else {
        size_t len = strlen(whole);

        (void)snprintf(whole + len, sizeof(whole) - len, "/%s", path);
        jout_cstr(j, key, whole);
    }
}

/* Whether the file on disk is what is in force: another byte in it, and it is not; and which of the
 * list files it names was written since. Certificates are not looked at. */
static void put_config(struct jout *j, const struct control *ctl)
{
    const struct snapshot *policy = ctl->current->policy;
    uint64_t written;
    int err = config_file_hash(ctl->config_path, &written);

    jout_object(j, "config");
    put_path(j, "file", ctl->config_path);
    jout_u64(j, "generation", ctl->generation);
    jout_bool(j, "is_loading", control_is_loading(ctl));
    jout_printf(j, "source_hash", "%016lx", policy->source_hash);
    if (err != 0) {
        jout_null(j, "is_written");
        jout_cstr(j, "file_error", err_text(err));
    } else {
        jout_bool(j, "is_written", written == policy->text_hash);
    }
    jout_cstr(j, "changed_list", config_changed_list(policy));
    jout_u64(j, "partners", policy->partner_count);
    jout_u64(j, "domains", policy->domain_count);
    status_put_restart(j, ctl);
    if (ctl->last_reload.unix_s) {
        jout_object(j, "last_reload");
        jout_i64(j, "unix_s", ctl->last_reload.unix_s);
        jout_u64(j, "errors", ctl->last_reload.error_count);
        jout_end(j);
    } else {
        jout_null(j, "last_reload");
    }
    jout_end(j);
}

/* Whole days, downwards: -1 = expired since less than a day. */
static int64_t days_left(int64_t until_unix_s, int64_t now_unix_s)
{
    int64_t left_s = until_unix_s - now_unix_s;

    return left_s >= 0 ? left_s / DAY_S : -((-left_s + DAY_S - 1) / DAY_S);
}

static void put_tls(struct jout *j, const struct control *ctl)
{
    const struct setup *setup = ctl->current;
    int64_t now_unix_s = time(NULL);

    jout_object(j, "tls");
    jout_cstr(j, "backend", setup->policy->tls_backend);
    jout_cstr(j, "version", tls_backend_version(tls_backend_find(setup->policy->tls_backend)));
    jout_bool(j, "kernel", ctl->kernel.is_there);
    jout_list(j, "certificates");
    for (uint32_t i = 0; setup->tls && i < setup->policy->credential_count; i++) {
        const struct credential *c = &setup->policy->credentials[i];
        int64_t until_unix_s = tls_context_not_after_unix_s(setup->tls, i);

        jout_object(j, NULL);
        jout_cstr(j, "file", c->certificate_path);
        jout_text(j, "domain", c->domain);
        jout_i64(j, "not_after_unix_s", until_unix_s);
        jout_i64(j, "days_left", days_left(until_unix_s, now_unix_s));
        jout_end(j);
    }
    jout_end(j);
    if (ctl->tls.crl_next_update_unix_s) {
        jout_i64(j, "crl_days_left", days_left(ctl->tls.crl_next_update_unix_s, now_unix_s));
    } else {
        jout_null(j, "crl_days_left");
    }
    jout_end(j);
}

/* Streams, and what waits for one, of all shards. A partner with several shards' figures counts
 * once for each: its streams live on one of them but for a moment. */
static void put_streams(struct jout *j, const struct figures *f)
{
    uint64_t in = 0;
    uint64_t out = 0;
    uint64_t connected = 0;
    uint64_t queue_count = 0;
    uint64_t queue_bytes = 0;

    for (uint32_t i = 0; i < f->count; i++) {
        for (uint32_t k = 0; k < f->reports[i].partner_count; k++) {
            const struct report_partner *p = &f->reports[i].partners[k];

            in += p->streams_in;
            out += p->streams_out;
            connected += p->streams_in + p->streams_out > 0;
            queue_count += p->queue_count;
            queue_bytes += p->queue_bytes;
        }
    }
    jout_object(j, "streams");
    jout_u64(j, "in", in);
    jout_u64(j, "out", out);
    jout_u64(j, "partners_connected", connected);
    jout_end(j);
    jout_object(j, "queue");
    jout_u64(j, "count", queue_count);
    jout_u64(j, "bytes", queue_bytes);
    jout_end(j);
}

/* Where our own people are reached. */
static void put_inside(struct jout *j, const struct figures *f)
{
    jout_list(j, "components");
    for (uint32_t i = 0; i < f->count; i++) {
        for (uint32_t k = 0; k < f->reports[i].component_count; k++) {
            jout_object(j, NULL);
            jout_cstr(j, "domain", f->reports[i].components[k].domain);
            jout_cstr(j, "peer", f->reports[i].components[k].peer);
            jout_end(j);
        }
    }
    jout_end(j);
    jout_list(j, "sip");
    for (uint32_t i = 0; i < f->count; i++) {
        for (uint32_t k = 0; k < f->reports[i].sip_count; k++) {
            const struct report_sip *s = &f->reports[i].sip[k];

            jout_object(j, NULL);
            jout_cstr(j, "next_hop", s->name);
            jout_u64(j, "shard", f->reports[i].shard_idx);
            jout_cstr(j, "state", s->state);
            jout_cstr(j, "peer", s->peer);
            jout_cstr(j, "last_failure", s->last_failure);
            jout_end(j);
        }
    }
    jout_end(j);
}

void status_answer(struct control *ctl, struct jout *j)
{
    struct figures f;

    figures_collect(&f, ctl);
    jout_object(j, NULL);
    jout_bool(j, "ok", true);
    jout_cstr(j, "node", ctl->current->policy->node_name);
    jout_cstr(j, "version", FEDGATE_VERSION);
    jout_cstr(j, "state", ctl->is_draining ? "draining" : "running");
    jout_u64(j, "uptime_s", (uint64_t)(time(NULL) - ctl->started));
    jout_i64(j, "pid", getpid());
    jout_u64(j, "shards", f.count);
    put_config(j, ctl);
    put_tls(j, ctl);
    put_streams(j, &f);
    put_inside(j, &f);
    jout_end(j);
    figures_deinit(&f);
}
