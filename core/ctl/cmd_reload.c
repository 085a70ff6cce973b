/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_reload: the running node reads its configuration again, and says what came of it. */
#include <stdio.h>
#include <sysexits.h>

#include "base/pool.h"
#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/out.h"
#include "ctl/reload.h"

/* As `check` says them: "FILE:LINE:COLUMN: path: text". */
static void print_problems(const struct client_reply *r)
{
    uint32_t list = client_member(r, 0, "problems");
    struct buf line;

    buf_init(&line, POOL_BLOCK_BYTES_MAX);
    for (uint32_t p = client_first(r, list); p != JSON_NONE; p = client_next(r, list, p)) {
        struct slice path = client_text(r, p, "path");

        out_put_clean(&line, client_text(r, 0, "file"));
        if (client_number(r, p, "line")) {
            buf_printf(&line, ":%ld:%ld", client_number(r, p, "line"),
                       client_number(r, p, "column"));
        }
        buf_put_lit(&line, ": ");
        out_put_clean(&line, path);
        buf_put_cstr(&line, path.len ? ": " : "");
        buf_put_cstr(&line, client_bool(r, p, "is_warning") ? "warning: " : "");
        out_put_clean(&line, client_text(r, p, "text"));
        buf_putc(&line, '\n');
        (void)fwrite(buf_slice(&line).ptr, 1, buf_len(&line), stderr);
        buf_clear(&line);
    }
    buf_deinit(&line);
}

static void put_outcome(struct buf *out, const struct client_reply *r)
{
    uint32_t partners = client_member(r, 0, "partners");
    uint32_t restart = client_member(r, 0, "needs_restart");
    uint32_t key = client_first(r, restart);

    buf_printf(out, "generation %ld is in force: ", client_number(r, 0, "generation"));
    out_put_count(out, client_number(r, partners, "count"), "partner");
    buf_printf(out, ", %ld added, %ld removed, %ld changed\n", client_number(r, partners, "added"),
               client_number(r, partners, "removed"), client_number(r, partners, "changed"));
    if (key == JSON_NONE) {
        return;
    }
    buf_put_lit(out, "only a restart brings these into force:");
    for (const char *comma = " "; key != JSON_NONE; key = client_next(r, restart, key)) {
        buf_put_cstr(out, comma);
        out_put_clean(out, json_text(&r->doc, key));
        comma = ", ";
    }
    buf_putc(out, '\n');
}

int reload_ask(const struct ctl *ctl, struct client_reply *reply)
{
    char why[CLIENT_WHY_BYTES];
    int status = client_try(ctl, SLICE_LIT("{\"command\": \"reload\"}\n"), reply, why);

    if (status != EX_OK) {
        return out_fail(ctl, status, "%s", why);
    }
    if (reply->is_ok) {
        return EX_OK;
    }
    return client_member(reply, 0, "problems") == JSON_NONE ? EX_UNAVAILABLE : EX_CONFIG;
}

void reload_print(struct out *o, const struct client_reply *reply)
{
    struct slice error = client_text(reply, 0, "error");

    print_problems(reply);
    if (reply->is_ok) {
        put_outcome(&o->text, reply);
    } else {
        (void)fprintf(stderr, "fedgatectl: the node says: %.*s\n", SLICE_FMT(error));
    }
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    struct client_reply reply;
    struct out o;
    int status;

    (void)argv;
    if (argc > 1) {
        return out_usage(ctl, &cmd_reload, "has no arguments");
    }
    status = reload_ask(ctl, &reply);
    if (!reply.bytes) {
        return status;
    }
    out_begin(&o);
    if (ctl->is_json) {
        client_copy(&o.json, NULL, &reply, 0);
    } else {
        reload_print(&o, &reply);
    }
    client_deinit(&reply);
    return out_end(&o, status);
}

const struct ctl_command cmd_reload = {
    .name = "reload",
    .usage = "",
    .summary = "lets the running node take its configuration as it is now",
    .run = run,
};
