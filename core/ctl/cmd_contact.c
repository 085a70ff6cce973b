/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_contact: who may see whose presence across the border: lists the node's contacts, shows one,
 * and lets an administrator allow, block or forget it. All of it is the running node's. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/pool.h"
#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/out.h"
#include "policy/quote.h"

#define REQUEST_BYTES_MAX ((size_t)16 << 10)
#define CURSOR_BYTES      128u

/* What the command line says, as members of the request. */
struct asked {
    const char *command; /* "contacts", "contact" */
    const char *action;  /* of "contact" */
    const char *local;   /* NULL = not said; the others likewise */
    const char *remote;
    const char *direction;
    const char *state;
    char cursor[CURSOR_BYTES]; /* "" = from the beginning */
};

static int usage(const struct ctl *ctl, const char *text)
{
    return out_usage(ctl, &cmd_contact, "%s", text);
}

/* Takes the options, and as many addresses as the form has. */
static int read_arguments(const struct ctl *ctl, struct asked *asked, int argc, char **argv)
{
    static const struct option options[] = {
        {"local", required_argument, NULL, 'l'},     {"remote", required_argument, NULL, 'r'},
        {"direction", required_argument, NULL, 'd'}, {"state", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    bool is_list = asked->action == NULL;
    int option;

    optind = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        const char **to = option == 'l'   ? &asked->local
                          : option == 'r' ? &asked->remote
                          : option == 'd' ? &asked->direction
                          : option == 's' ? &asked->state
                                          : NULL;

        if (!to || (!is_list && to != &asked->direction)) {
            return usage(ctl, "no such option here, or one without its value");
        }
        *to = optarg;
    }
    if (asked->direction && strcmp(asked->direction, "in") != 0 &&
        strcmp(asked->direction, "out") != 0) {
        return usage(ctl, "--direction is in (theirs watches ours) or out (ours watches theirs)");
    }
    if (argc - optind != (is_list ? 0 : 2)) {
        return usage(ctl, is_list ? "list has options only"
                                  : "needs an address of ours and one of the partner's");
    }
    if (!is_list) {
        asked->local = argv[optind];
        asked->remote = argv[optind + 1];
    }
    return EX_OK;
}

static void put_member(struct jout *j, const char *key, const char *value)
{
    if (value && value[0]) {
        jout_cstr(j, key, value);
    }
}

static int ask(const struct ctl *ctl, const struct asked *asked, struct client_reply *reply)
{
    struct buf request;
    struct jout j;
    int status;

    buf_init(&request, REQUEST_BYTES_MAX);
    jout_init(&j, &request, false);
    jout_object(&j, NULL);
    jout_cstr(&j, "command", asked->command);
    put_member(&j, "act", asked->action);
    put_member(&j, "local", asked->local);
    put_member(&j, "remote", asked->remote);
    put_member(&j, "direction", asked->direction);
    put_member(&j, "state", asked->state);
    put_member(&j, "cursor", asked->cursor);
    jout_end(&j);
    status = client_ask(ctl, buf_slice(&request), reply);
    buf_deinit(&request);
    return status;
}

/* --- for people ------------------------------------------------------------------------------- */

static const char *const heads[] = {"LOCAL",        "",        "REMOTE",   "STATE", "BY",
                                    "SUBSCRIPTION", ">DIALOGS", "PRESENCE", "NOTE"};

/* An arrow from the watcher to whom he watches. */
static struct slice arrow(const struct client_reply *r, uint32_t contact)
{
    return slice_eq_cstr(client_text(r, contact, "direction"), "in") ? SLICE_LIT("<-")
                                                                     : SLICE_LIT("->");
}

static void put_row(struct out_table *t, const struct client_reply *r, uint32_t contact)
{
    struct slice note = client_text(r, contact, "note");
    struct slice show = client_text(r, contact, "show");

    out_cell(t, client_text(r, contact, "local"));
    out_cell(t, arrow(r, contact));
    out_cell(t, client_text(r, contact, "remote"));
    out_cell(t, client_text(r, contact, "state"));
    out_cell(t, client_text(r, contact, "asked_by"));
    out_cell(t, client_text(r, contact, "machine"));
    out_cell_printf(t, "%ld", (long)client_number(r, contact, "dialogs"));
    out_cell(t, show.len ? show : SLICE_LIT("-"));
    out_cell(t, note.len ? note : SLICE_LIT("-"));
}

static void put_line(struct buf *out, const struct client_reply *r, uint32_t contact,
                     const char *label, const char *key)
{
    struct slice value = client_text(r, contact, key);

    if (value.len != 0) {
        buf_printf(out, "  %-13s ", label);
        out_put_clean(out, value);
        buf_putc(out, '\n');
    }
}

static void put_time(struct buf *out, const struct client_reply *r, uint32_t contact,
                     const char *label, const char *key)
{
    int64_t unix_s = client_number(r, contact, key);
    char text[sizeof("2026-11-21T12:00:00Z")];
    struct tm tm;

    if (unix_s > 0 && gmtime_r(&(time_t){unix_s}, &tm) &&
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0) {
        buf_printf(out, "  %-13s %s\n", label, text);
    }
}

static void put_sentence(struct buf *out, const struct client_reply *r, uint32_t contact)
{
    bool is_in = slice_eq_cstr(client_text(r, contact, "direction"), "in");

    out_put_clean(out, client_text(r, contact, is_in ? "remote" : "local"));
    buf_put_lit(out, " watches ");
    out_put_clean(out, client_text(r, contact, is_in ? "local" : "remote"));
    buf_put_cstr(out, is_in ? " (in)\n" : " (out)\n");
    put_line(out, r, contact, "state", "state");
    put_line(out, r, contact, "by", "asked_by");
    put_time(out, r, contact, "asked", "asked_unix_s");
    put_time(out, r, contact, "changed", "changed_unix_s");
    put_line(out, r, contact, "subscription", "machine");
    buf_printf(out, "  %-13s %ld\n", "dialogs", (long)client_number(r, contact, "dialogs"));
    put_time(out, r, contact, "until", "expires_unix_s");
    put_line(out, r, contact, "presence", "show");
    put_line(out, r, contact, "note", "note");
    put_line(out, r, contact, "last error", "last_error");
}

/* What is forgotten may still be there with nothing in it until its row is gone. */
static bool is_something(const struct client_reply *r, uint32_t contact)
{
    return !slice_eq_cstr(client_text(r, contact, "state"), "none") ||
           !slice_eq_cstr(client_text(r, contact, "machine"), "none") ||
           client_number(r, contact, "dialogs") > 0;
}

static void put_both(struct buf *out, const struct asked *asked)
{
    out_put_clean(out, slice_from_cstr(asked->local));
    buf_put_lit(out, " and ");
    out_put_clean(out, slice_from_cstr(asked->remote));
    buf_put_lit(out, ": ");
}

static void put_contacts(struct buf *out, const struct client_reply *r, const struct asked *asked)
{
    uint32_t list = client_member(r, 0, "contacts");
    bool is_forgotten = strcmp(asked->action, "forget") == 0;
    uint32_t known = 0;

    if (is_forgotten) { /* what remains of the other direction follows */
        put_both(out, asked);
        buf_printf(out, "forgotten%s%s%s\n", asked->direction ? " (" : "",
                   asked->direction ? asked->direction : "", asked->direction ? ")" : "");
    }
    for (uint32_t c = client_first(r, list); c != JSON_NONE; c = client_next(r, list, c)) {
        if (is_something(r, c)) {
            put_sentence(out, r, c);
            known++;
        }
    }
    if (known == 0 && !is_forgotten) {
        put_both(out, asked);
        buf_put_lit(out, "no contact is known\n");
    }
}

/* --- forms ------------------------------------------------------------------------------------ */

/* False at the end. */
static bool take_cursor(struct asked *asked, const struct client_reply *reply)
{
    struct slice cursor = client_text(reply, 0, "cursor");

    return cursor.len != 0 && slice_to_cstr(cursor, asked->cursor, sizeof(asked->cursor));
}

static void take_page(const struct ctl *ctl, struct out *o, struct out_table *t,
                      const struct client_reply *reply)
{
    uint32_t list = client_member(reply, 0, "contacts");

    for (uint32_t c = client_first(reply, list); c != JSON_NONE;
         c = client_next(reply, list, c)) {
        if (ctl->is_json) {
            client_copy(&o->json, NULL, reply, c);
            out_spill(o);
        } else {
            put_row(t, reply, c);
        }
    }
}

static int run_list(struct ctl *ctl, int argc, char **argv)
{
    struct asked asked = {.command = "contacts"};
    struct client_reply reply;
    struct out_table t;
    struct out o;
    bool has_more = true;
    int status = read_arguments(ctl, &asked, argc, argv);

    if (status != EX_OK) {
        return status;
    }
    status = ask(ctl, &asked, &reply);
    if (status != EX_OK) {
        client_deinit(&reply);
        return status;
    }
    out_begin(&o);
    out_table_init(&t, heads, sizeof(heads) / sizeof(heads[0]));
    if (ctl->is_json) {
        jout_object(&o.json, NULL);
        jout_bool(&o.json, "ok", true);
        jout_list(&o.json, "contacts");
    }
    while (status == EX_OK && has_more) {
        take_page(ctl, &o, &t, &reply);
        has_more = take_cursor(&asked, &reply);
        client_deinit(&reply);
        if (has_more) {
            status = ask(ctl, &asked, &reply);
        }
    }
    if (ctl->is_json) {
        jout_end(&o.json);
        jout_end(&o.json);
    } else {
        out_table_write(&t, &o);
    }
    out_table_deinit(&t);
    return out_end(&o, status);
}

static int run_one(struct ctl *ctl, const char *action, int argc, char **argv)
{
    struct asked asked = {.command = "contact", .action = action};
    struct client_reply reply;
    struct out o;
    int status = read_arguments(ctl, &asked, argc, argv);

    if (status != EX_OK) {
        return status;
    }
    if (!asked.direction && (strcmp(action, "allow") == 0 || strcmp(action, "block") == 0)) {
        asked.direction = "in"; /* what is meant by these words: who may see ours */
    }
    status = ask(ctl, &asked, &reply);
    if (status == EX_OK) {
        out_begin(&o);
        if (ctl->is_json) {
            client_copy(&o.json, NULL, &reply, 0);
        } else {
            put_contacts(&o.text, &reply, &asked);
        }
        status = out_end(&o, EX_OK);
    }
    client_deinit(&reply);
    return status;
}

static int run_show(struct ctl *ctl, int argc, char **argv)
{
    return run_one(ctl, "show", argc, argv);
}

static int run_allow(struct ctl *ctl, int argc, char **argv)
{
    return run_one(ctl, "allow", argc, argv);
}

static int run_block(struct ctl *ctl, int argc, char **argv)
{
    return run_one(ctl, "block", argc, argv);
}

static int run_forget(struct ctl *ctl, int argc, char **argv)
{
    return run_one(ctl, "forget", argc, argv);
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    static const struct ctl_form forms[] = {
        {"list", run_list},   {"show", run_show},     {"allow", run_allow},
        {"block", run_block}, {"forget", run_forget}, {NULL, NULL},
    };

    return ctl_run_form(ctl, &cmd_contact, forms, argc, argv);
}

const struct ctl_command cmd_contact = {
    .name = "contact",
    .usage = "list [--local ADDRESS] [--remote ADDRESS] [--direction in|out] [--state STATE]\n"
             "show [--direction in|out] LOCAL REMOTE\n"
             "allow [--direction in|out] LOCAL REMOTE\n"
             "block [--direction in|out] LOCAL REMOTE\n"
             "forget [--direction in|out] LOCAL REMOTE",
    .summary = "who may see whose presence: lists, shows, allows, blocks, forgets",
    .run = run,
};
