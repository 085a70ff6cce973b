/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_status: the running node in a few lines. */
#include <stdio.h>
#include <sysexits.h>

#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/out.h"

#define MINUTE_S 60
#define HOUR_S   3600
#define DAY_S    86400

/* "3 d 4 h", "4 h 12 min", "12 min 5 s". */
static void put_duration(struct buf *out, int64_t s)
{
    if (s >= DAY_S) {
        buf_printf(out, "%ld d %ld h", s / DAY_S, s % DAY_S / HOUR_S);
    } else if (s >= HOUR_S) {
        buf_printf(out, "%ld h %ld min", s / HOUR_S, s % HOUR_S / MINUTE_S);
    } else {
        buf_printf(out, "%ld min %ld s", s / MINUTE_S, s % MINUTE_S);
    }
}

static void put_text(struct buf *out, const struct client_reply *r, uint32_t object,
                     const char *key)
{
    out_put_clean(out, client_text(r, object, key));
}

static void put_node(struct buf *out, const struct client_reply *r)
{
    buf_put_lit(out, "node           ");
    put_text(out, r, 0, "node");
    buf_put_lit(out, ", version ");
    put_text(out, r, 0, "version");
    buf_put_lit(out, ", ");
    put_text(out, r, 0, "state");
    buf_put_lit(out, " for ");
    put_duration(out, client_number(r, 0, "uptime_s"));
    buf_printf(out, ", process %ld, shards %ld\n", client_number(r, 0, "pid"),
               client_number(r, 0, "shards"));
}

/* Whether what runs is what is written. */
static void put_agreement(struct buf *out, const struct client_reply *r, uint32_t config)
{
    uint32_t is_written = client_member(r, config, "is_written");
    uint32_t last = client_member(r, config, "last_reload");
    struct slice list = client_text(r, config, "changed_list");

    if (is_written != JSON_NONE && json_kind_of(&r->doc, is_written) == JSON_NULL) {
        buf_put_lit(out, "               the file cannot be compared: ");
        put_text(out, r, config, "file_error");
        buf_putc(out, '\n');
    } else if (!client_bool(r, config, "is_written")) {
        buf_put_lit(out, "               the file has CHANGED since: fedgatectl check, then "
                         "fedgatectl reload\n");
    } else if (list.len == 0) {
        buf_put_lit(out, "               the file is what runs\n");
    }
    if (client_bool(r, config, "is_loading")) {
        buf_put_lit(out, "               being LOADED again now\n");
    }
    if (list.len > 0) {
        buf_put_lit(out, "               the list ");
        out_put_clean(out, list);
        buf_put_lit(out, " has CHANGED since: fedgatectl reload\n");
    }
    if (last != JSON_NONE && client_number(r, last, "errors") > 0) {
        buf_put_lit(out, "               the last reload was REFUSED: ");
        out_put_count(out, client_number(r, last, "errors"), "error");
        buf_putc(out, '\n');
    }
}

static void put_config(struct buf *out, const struct client_reply *r)
{
    uint32_t config = client_member(r, 0, "config");
    uint32_t restart = client_member(r, config, "needs_restart");

    buf_put_lit(out, "configuration  ");
    put_text(out, r, config, "file");
    buf_printf(out, ", generation %ld: ", client_number(r, config, "generation"));
    out_put_count(out, client_number(r, config, "partners"), "partner");
    buf_put_lit(out, ", ");
    out_put_count(out, client_number(r, config, "domains"), "domain");
    buf_putc(out, '\n');
    put_agreement(out, r, config);
    for (uint32_t k = client_first(r, restart); k != JSON_NONE; k = client_next(r, restart, k)) {
        buf_put_lit(out, "               only a RESTART brings into force: ");
        out_put_clean(out, json_text(&r->doc, k));
        buf_putc(out, '\n');
    }
}

static void put_days(struct buf *out, int64_t days)
{
    if (days < 0) {
        buf_put_lit(out, "EXPIRED");
    } else {
        out_put_count(out, days, "day");
        buf_put_lit(out, " left");
    }
}

static void put_tls(struct buf *out, const struct client_reply *r)
{
    uint32_t tls = client_member(r, 0, "tls");
    uint32_t list = client_member(r, tls, "certificates");
    uint32_t crl = client_member(r, tls, "crl_days_left");

    buf_put_lit(out, "TLS            ");
    put_text(out, r, tls, "version");
    buf_put_cstr(out, client_bool(r, tls, "kernel") ? ", records by the kernel\n" : "\n");
    for (uint32_t c = client_first(r, list); c != JSON_NONE; c = client_next(r, list, c)) {
        struct slice domain = client_text(r, c, "domain");

        buf_put_lit(out, "certificate    ");
        put_text(out, r, c, "file");
        buf_put_cstr(out, domain.len ? " for " : "");
        out_put_clean(out, domain);
        buf_put_lit(out, ": ");
        put_days(out, client_number(r, c, "days_left"));
        buf_putc(out, '\n');
    }
    if (crl != JSON_NONE && json_kind_of(&r->doc, crl) == JSON_NUMBER) {
        buf_put_lit(out, "revocation     lists: ");
        put_days(out, client_number(r, tls, "crl_days_left"));
        buf_putc(out, '\n');
    }
}

static void put_streams(struct buf *out, const struct client_reply *r)
{
    uint32_t streams = client_member(r, 0, "streams");
    uint32_t queue = client_member(r, 0, "queue");

    buf_printf(out, "streams        %ld in, %ld out, with ", client_number(r, streams, "in"),
               client_number(r, streams, "out"));
    out_put_count(out, client_number(r, streams, "partners_connected"), "partner");
    buf_put_lit(out, "; ");
    out_put_count(out, client_number(r, queue, "count"), "stanza");
    buf_printf(out, " (%ld bytes) waiting\n", client_number(r, queue, "bytes"));
}

static void put_inside(struct buf *out, const struct client_reply *r)
{
    uint32_t list = client_member(r, 0, "components");

    for (uint32_t c = client_first(r, list); c != JSON_NONE; c = client_next(r, list, c)) {
        buf_put_lit(out, "component      ");
        put_text(out, r, c, "domain");
        buf_put_lit(out, " from ");
        put_text(out, r, c, "peer");
        buf_putc(out, '\n');
    }
    list = client_member(r, 0, "sip");
    for (uint32_t s = client_first(r, list); s != JSON_NONE; s = client_next(r, list, s)) {
        struct slice failure = client_text(r, s, "last_failure");

        buf_put_lit(out, "next hop       ");
        put_text(out, r, s, "next_hop");
        buf_printf(out, " on shard %ld: ", client_number(r, s, "shard"));
        put_text(out, r, s, "state");
        buf_put_cstr(out, failure.len ? ", last failure: " : "");
        out_put_clean(out, failure);
        buf_putc(out, '\n');
    }
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    struct client_reply reply;
    struct out o;
    int status;

    (void)argv;
    if (argc > 1) {
        return out_usage(ctl, &cmd_status, "has no arguments");
    }
    status = client_ask_plain(ctl, "status", &reply);
    if (status != EX_OK) {
        client_deinit(&reply);
        return status;
    }
    out_begin(&o);
    if (ctl->is_json) {
        client_copy(&o.json, NULL, &reply, 0);
    } else {
        put_node(&o.text, &reply);
        put_config(&o.text, &reply);
        put_tls(&o.text, &reply);
        put_streams(&o.text, &reply);
        put_inside(&o.text, &reply);
    }
    client_deinit(&reply);
    return out_end(&o, EX_OK);
}

const struct ctl_command cmd_status = {
    .name = "status",
    .usage = "",
    .summary = "the running node: configuration, certificates, streams",
    .run = run,
};
