/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change: file -> text -> loaded -> saved -> taken by the node. */
#include "ctl/change.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "ctl/diff.h"
#include "ctl/reload.h"
#include "policy/partner.h"
#include "policy/quote.h"

int change_options(struct change *c, struct ctl *ctl, const struct ctl_command *cmd, int argc,
                   char **argv)
{
    int kept = 1;
    int i;

    *c = (struct change){.ctl = ctl, .save = {.fd = -1}};
    for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--dry-run") == 0) {
            c->is_dry = true;
        } else if (strcmp(argv[i], "--reload") == 0) {
            c->wants_reload = true;
        } else if (argv[i][0] == '-' && argv[i][1]) {
            (void)!out_usage(ctl, cmd, "no option %.40s", quote(slice_from_cstr(argv[i])).text);
            return -1;
        } else {
            argv[kept++] = argv[i];
        }
    }
    for (i++; i < argc; i++) {
        argv[kept++] = argv[i];
    }
    argv[kept] = NULL;
    return kept;
}

/* --- problems --- */

/* A view of some problems of r. problems: to be freed. */
static struct config_report view_of(const struct config_report *r)
{
    struct config_report view = {.file = r->file};

    view.problems = pool_heap_zalloc((r->count + 1) * sizeof(*view.problems));
    return view;
}

static struct config_report select_errors(const struct config_report *r)
{
    struct config_report view = view_of(r);

    view.error_count = r->error_count;
    for (uint32_t i = 0; i < r->count; i++) {
        if (!r->problems[i].is_warning) {
            view.problems[view.count++] = r->problems[i];
        }
    }
    return view;
}

static bool is_about(const char *path, const char *about)
{
    size_t len = strlen(about);

    return strncmp(path, about, len) == 0 && (len == 0 || !path[len] || strchr(".[", path[len]));
}

/* Without regard to the numbers in brackets: a removed partner shifts those behind it. */
static bool is_same_text(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
        if (a[-1] == '[') {
            a += strspn(a, "0123456789");
            b += strspn(b, "0123456789");
        }
    }
    return *a == *b;
}

static bool is_known(const struct config_report *before, const struct config_problem *p)
{
    for (uint32_t i = 0; i < before->count; i++) {
        const struct config_problem *old = &before->problems[i];

        if (old->is_warning && is_same_text(old->path, p->path) &&
            is_same_text(old->text, p->text)) {
            return true;
        }
    }
    return false;
}

/* Nobody may talk: that concerns whoever adds a partner, new or not. */
static bool is_for_partners(const char *path, const char *about)
{
    return is_about(about, "partners") && strcmp(path, "access") == 0;
}

/* Warnings of the truth table, which an import has told with the place in its own file. */
static bool is_told(const struct change *c, const struct config_problem *p)
{
    const struct partner_row *row;
    bool is_row = false;

    for (uint32_t i = 0; c->tells_rows && !is_row && (row = partner_row_at(i)) != NULL; i++) {
        is_row = row->reason[0] && strncmp(p->text, row->reason, strlen(row->reason)) == 0;
    }
    return is_row && is_about(p->path, "partners");
}

/* What the change brings, wherever it shows, and what there is about the changed object. */
static struct config_report select_warnings(const struct change *c, const char *about)
{
    struct config_report view = view_of(&c->report);

    for (uint32_t i = 0; i < c->report.count; i++) {
        const struct config_problem *p = &c->report.problems[i];

        if (p->is_warning && !is_told(c, p) &&
            (is_about(p->path, about) || !is_known(&c->before, p) ||
             is_for_partners(p->path, about))) {
            view.problems[view.count++] = *p;
        }
    }
    view.warning_count = view.count;
    return view;
}

/* All errors of a text, and what that means for the command. */
static int refuse(const struct change *c, const struct config_report *report, int status,
                  const char *error)
{
    struct config_report errors = select_errors(report);
    struct out o;

    out_begin(&o);
    config_report_print(&errors);
    (void)fprintf(stderr, "fedgatectl: %s\n", error);
    if (c->ctl->is_json) {
        jout_object(&o.json, NULL);
        jout_cstr(&o.json, "error", error);
        config_report_write_json(&errors, &o.json);
        jout_end(&o.json);
    }
    pool_heap_free(errors.problems);
    return out_end(&o, status);
}

/* --- reading --- */

int change_begin(struct change *c)
{
    struct config_report report = {0};
    struct snapshot *s = NULL;
    struct json_fault fault;
    int err = save_begin(&c->save, c->ctl->config_path, c->is_dry);
    int status;

    if (err) {
        return out_fail(c->ctl, save_exit_status(err), "%s", c->save.why);
    }
    c->arena = arena_new();
    if (json_parse(&c->doc, save_text(&c->save), CONFIG_DEPTH_MAX, &fault) == 0) {
        edit_init(&c->edit, &c->doc);
        return EX_OK;
    }
    /* The loader words it with line and column. */
    err = config_load(&s, c->ctl->config_path, save_text(&c->save), &report);
    ASSERT(err != 0);
    status = refuse(c, &report, EX_CONFIG,
                    "the configuration cannot be read, so it cannot be changed; nothing was done");
    config_report_deinit(&report);
    return status;
}

/* --- finishing --- */

/* The text as it was: what was wrong with it, too. */
static bool is_loading_now(struct change *c)
{
    struct snapshot *s = NULL;
    bool is_good = config_load(&s, c->ctl->config_path, save_text(&c->save), &c->before) == 0;

    snapshot_free(s);
    return is_good;
}

static int load_new(struct change *c)
{
    struct slice text = slice_make(c->text.bytes, c->text.len);
    bool is_good = config_load(&c->snapshot, c->ctl->config_path, text, &c->report) == 0;
    bool was_good = is_loading_now(c);

    if (is_good) {
        return EX_OK;
    }
    if (was_good) {
        return refuse(c, &c->report, EX_DATAERR,
                      "not saved: the configuration that results would not load (lines and columns "
                      "are those of the text that results); the file is as it was");
    }
    return refuse(c, &c->report, EX_CONFIG,
                  "not saved: the configuration does not load, neither as it is nor with this "
                  "change (lines and columns are those of the text that results); the file is as "
                  "it was");
}

/* The node's own, when it says so by a whole path. */
static bool is_other_file(const struct change *c)
{
    char file[PATH_MAX];
    char real[PATH_MAX];

    return slice_to_cstr(client_text(&c->reply, 0, "file"), file, sizeof(file)) && file[0] == '/' &&
           realpath(file, real) && strcmp(real, c->save.real) != 0;
}

static void ask_reload(struct change *c)
{
    c->reload_status =
        client_try(c->ctl, SLICE_LIT("{\"command\": \"reload\"}\n"), &c->reply, c->reload_why);
    if (c->reload_status == EX_OK && is_other_file(c)) {
        c->reload_status = EX_CONFIG;
        (void)snprintf(c->reload_why, sizeof(c->reload_why),
                       "it reads another file, %.*s, and has read that again",
                       SLICE_FMT(slice_to(client_text(&c->reply, 0, "file"), 900)));
        return;
    }
    if (c->reload_status == EX_OK && !c->reply.is_ok) {
        bool is_bad = client_member(&c->reply, 0, "problems") != JSON_NONE;

        c->reload_status = is_bad ? EX_CONFIG : EX_UNAVAILABLE;
        (void)snprintf(c->reload_why, sizeof(c->reload_why), "the node says: %.*s",
                       SLICE_FMT(slice_to(client_text(&c->reply, 0, "error"), 900)));
    }
}

int change_finish(struct change *c)
{
    bool is_new = false;
    int status;
    int err;

    if (edit_finish(&c->edit, &c->text) != 0) {
        return out_fail(c->ctl, EX_DATAERR, "%s", c->edit.why);
    }
    c->is_changed = !slice_eq(save_text(&c->save), slice_make(c->text.bytes, c->text.len));
    status = load_new(c);
    if (status != EX_OK || c->is_dry) {
        return status;
    }
    if (c->is_changed) {
        err = save_commit(&c->save, slice_make(c->text.bytes, c->text.len), &is_new);
        if (err) {
            return out_fail(c->ctl, save_exit_status(err), "%s", c->save.why);
        }
        c->is_saved = true;
    }
    if (c->wants_reload) {
        ask_reload(c);
    }
    return EX_OK;
}

/* --- saying --- */

static void print_reload(const struct change *c, struct out *o)
{
    if (c->wants_reload && !c->is_dry) {
        if (c->reply.bytes) {
            reload_print(o, &c->reply);
        }
        if (c->reload_status != EX_OK) {
            (void)fprintf(stderr, "fedgatectl: %sthe node did not take it: %s\n",
                          c->is_saved ? "saved, but " : "", c->reload_why);
        }
    } else if (c->is_saved) {
        buf_put_lit(&o->text, "saved; a running node still has the old configuration until "
                              "fedgatectl reload\n");
    }
}

static void print_people(const struct change *c, struct out *o)
{
    if (!c->is_changed) {
        buf_put_lit(&o->text, "nothing was changed: it is so already\n");
    } else if (c->is_dry) {
        diff_write(&c->edit, slice_make(c->text.bytes, c->text.len), c->ctl->config_path, &o->text,
                   o);
        buf_put_lit(&o->text, "nothing was saved (--dry-run)\n");
    }
    print_reload(c, o);
}

static void print_diff_json(const struct change *c, struct jout *j)
{
    struct buf diff;

    buf_init(&diff, POOL_BLOCK_BYTES_MAX / 4); /* a character may become six */
    if (c->is_dry) {
        diff_write(&c->edit, slice_make(c->text.bytes, c->text.len), c->ctl->config_path, &diff,
                   NULL);
    }
    if (c->is_dry && !diff.failed) {
        jout_text(j, "diff", buf_slice(&diff));
    } else {
        jout_null(j, "diff");
    }
    buf_deinit(&diff);
}

void change_print(const struct change *c, const char *about, struct out *o)
{
    struct config_report warnings = select_warnings(c, about);

    config_report_print(&warnings);
    if (!c->ctl->is_json) {
        print_people(c, o);
    } else {
        jout_cstr(&o->json, "file", c->ctl->config_path);
        jout_bool(&o->json, "changed", c->is_changed);
        jout_bool(&o->json, "dry_run", c->is_dry);
        jout_bool(&o->json, "saved", c->is_saved);
        print_diff_json(c, &o->json);
        jout_list(&o->json, "warnings");
        for (uint32_t i = 0; i < warnings.count; i++) {
            jout_object(&o->json, NULL);
            jout_u64(&o->json, "line", warnings.problems[i].line);
            jout_u64(&o->json, "column", warnings.problems[i].column);
            jout_cstr(&o->json, "path", warnings.problems[i].path);
            jout_cstr(&o->json, "text", warnings.problems[i].text);
            jout_end(&o->json);
        }
        jout_end(&o->json);
        if (c->reply.bytes) {
            client_copy(&o->json, "reload", &c->reply, 0);
        } else if (c->reload_status != EX_OK) {
            jout_object(&o->json, "reload");
            jout_bool(&o->json, "ok", false);
            jout_cstr(&o->json, "error", c->reload_why);
            jout_end(&o->json);
        } else {
            jout_null(&o->json, "reload");
        }
    }
    pool_heap_free(warnings.problems);
}

int change_status(const struct change *c)
{
    return c->reload_status;
}

void change_end(struct change *c)
{
    edit_deinit(&c->edit);
    edit_text_deinit(&c->text);
    json_deinit(&c->doc);
    snapshot_free(c->snapshot);
    config_report_deinit(&c->report);
    config_report_deinit(&c->before);
    client_deinit(&c->reply);
    save_end(&c->save);
    arena_free(c->arena);
    *c = (struct change){.save = {.fd = -1}};
}
