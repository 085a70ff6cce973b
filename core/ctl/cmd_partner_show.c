/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_partner_show: one partner: every property with its default marked and where it is written,
 * what its row of the truth table comes to, and what the running node knows of it. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "ctl/book.h"
#include "ctl/client.h"
#include "ctl/partner.h"
#include "policy/edit.h"
#include "policy/props.h"
#include "policy/quote.h"
#include "xmpp/jid.h"

#define LISTED_BYTES 200u /* of a list in the table; JSON has all of it */

struct shower {
    struct ctl *ctl;
    struct book book;
    struct out out;
    const struct partner *partner;
    uint32_t node; /* in the file */
    struct arena *arena;
    struct props props;
    struct client_reply reply; /* of the node; none: bytes NULL */
    int node_status;
    char why[CLIENT_WHY_BYTES]; /* there is none */
};

/* --- properties --- */

/* What counts when key is not written, where that stands elsewhere in the file; "" = nowhere. */
static const char *inherited_from(enum schema_key_idx key)
{
    return key == KEY_partner_connection_limit  ? "gateway.partner_connection_limit"
           : key == KEY_partner_min_tls_version ? "tls.min_version"
                                                : "";
}

static struct slice value_in_force(const struct shower *s, enum schema_key_idx key,
                                   char out[PROPS_NAME_BYTES])
{
    static const char *const versions[] = {"1.2", "1.3"};

    if (key == KEY_partner_connection_limit) {
        (void)snprintf(out, PROPS_NAME_BYTES, "%u", s->partner->connection_limit);
        return slice_from_cstr(out);
    }
    if (key == KEY_partner_min_tls_version) {
        return slice_from_cstr(versions[s->partner->tls_min == PARTNER_TLS_1_3]);
    }
    return props_default(key, out);
}

static void put_list_cell(struct out_table *t, const struct prop *prop)
{
    struct buf text;
    uint32_t i = 0;

    buf_init(&text, POOL_BLOCK_BYTES_MAX);
    for (; i < prop->count && buf_len(&text) < LISTED_BYTES; i++) {
        buf_put_cstr(&text, i ? ", " : "");
        buf_put(&text, prop->list[i]);
    }
    if (i < prop->count) {
        buf_printf(&text, ", ... (%u in all)", (unsigned)prop->count);
    }
    out_cell(t, prop->count ? buf_slice(&text) : SLICE_LIT("(nobody)"));
    buf_deinit(&text);
}

static void put_row(struct shower *s, struct out_table *t, enum schema_key_idx key)
{
    const struct prop *prop = props_get(&s->props, key);
    char old[PROPS_NAME_BYTES];
    char text[PROPS_NAME_BYTES];
    struct slice value = prop->is_written ? prop->text : value_in_force(s, key, text);

    out_cell(t, slice_from_cstr(schema_key_at(key)->name));
    if (schema_key_at(key)->kind == SCHEMA_TEXTS && prop->is_written) {
        put_list_cell(t, prop);
    } else {
        out_cell(t, value.len ? value : SLICE_LIT("-"));
    }
    if (prop->is_written) {
        out_cell_printf(
            t, "line %u",
            book_line(&s->book, book_member(&s->book, s->node, schema_key_at(key)->name)));
    } else {
        const char *from = inherited_from(key);

        out_cell_printf(t, "default%s%s", from[0] ? " of " : "", from);
    }
    out_cell(t, slice_from_cstr(props_old_name(key, old)));
}

static void put_table(struct shower *s)
{
    static const char *const heads[] = {"PROPERTY", "VALUE", "WRITTEN", "ALSO CALLED"};
    struct out_table t;

    out_table_init(&t, heads, 4);
    for (enum schema_key_idx key = props_first_key(SECTION_partner);
         props_is_key_of(key, SECTION_partner); key = (enum schema_key_idx)(key + 1)) {
        put_row(s, &t, key);
    }
    out_table_write(&t, &s->out);
    out_table_deinit(&t);
}

static void put_value_json(struct jout *j, enum schema_key_idx key, const struct prop *prop,
                           struct slice value)
{
    enum schema_kind kind = schema_key_at(key)->kind;

    if (kind == SCHEMA_TEXTS && prop->is_written) {
        jout_list(j, "value");
        for (uint32_t i = 0; i < prop->count; i++) {
            jout_text(j, NULL, prop->list[i]);
        }
        jout_end(j);
    } else if (value.len == 0 && !prop->is_written) {
        jout_null(j, "value");
    } else if (kind == SCHEMA_NUMBER || kind == SCHEMA_BOOL) {
        jout_raw(j, "value", value);
    } else {
        jout_text(j, "value", value);
    }
}

static void put_properties_json(struct shower *s)
{
    struct jout *j = &s->out.json;
    char text[PROPS_NAME_BYTES];
    char old[PROPS_NAME_BYTES];

    jout_object(j, "properties");
    for (enum schema_key_idx key = props_first_key(SECTION_partner);
         props_is_key_of(key, SECTION_partner); key = (enum schema_key_idx)(key + 1)) {
        const struct prop *prop = props_get(&s->props, key);
        const char *name = schema_key_at(key)->name;

        jout_object(j, name);
        put_value_json(j, key, prop, prop->is_written ? prop->text : value_in_force(s, key, text));
        jout_bool(j, "is_default", !prop->is_written);
        if (prop->is_written) {
            jout_u64(j, "line", book_line(&s->book, book_member(&s->book, s->node, name)));
        } else {
            jout_null(j, "line");
        }
        jout_cstr(j, "old_name", props_old_name(key, old));
        jout_end(j);
    }
    jout_end(j);
}

/* --- the running node --- */

static void put_counts(struct buf *out, const struct client_reply *r, uint32_t object)
{
    const char *glue = "";

    for (uint32_t at = object + 1; object != JSON_NONE && at < r->doc.nodes[object].next;
         at = r->doc.nodes[at + 1].next) {
        struct slice number = json_text(&r->doc, at + 1);

        if (json_kind_of(&r->doc, at + 1) == JSON_NUMBER && !slice_eq_cstr(number, "0")) {
            buf_put_cstr(out, glue);
            out_put_clean(out, json_text(&r->doc, at));
            buf_putc(out, ' ');
            buf_put(out, number);
            glue = ", ";
        }
    }
    buf_put_cstr(out, glue[0] ? "" : "none");
}

static void put_direction(struct shower *s, uint32_t figures, const char *key, const char *words)
{
    const struct client_reply *r = &s->reply;
    uint32_t d = client_member(r, figures, key);
    uint32_t last = client_member(r, d, "last_failures");
    struct buf *out = &s->out.text;

    buf_printf(out, "%-12s %lld streams, %lld stanzas, %lld bytes; authenticated: ", words,
               (long long)client_number(r, d, "streams"), (long long)client_number(r, d, "stanzas"),
               (long long)client_number(r, d, "bytes"));
    put_counts(out, r, client_member(r, d, "authenticated"));
    buf_put_lit(out, "; failed: ");
    put_counts(out, r, client_member(r, d, "failures"));
    buf_putc(out, '\n');
    for (uint32_t at = last + 1; last != JSON_NONE && at < r->doc.nodes[last].next;
         at = r->doc.nodes[at + 1].next) {
        buf_put_lit(out, "             last at step ");
        out_put_clean(out, json_text(&r->doc, at));
        buf_put_lit(out, ", ");
        partner_put_time(out, client_number(r, at + 1, "at"));
        buf_put_lit(out, ": ");
        out_put_clean(out, client_text(r, at + 1, "text"));
        buf_putc(out, '\n');
    }
}

static void put_node(struct shower *s)
{
    const struct client_reply *r = &s->reply;
    struct buf *out = &s->out.text;
    uint32_t figures;
    uint32_t queue;

    if (!r->is_ok) {
        buf_put_lit(out, "running      ");
        out_put_clean(out, slice_from_cstr(s->why));
        buf_putc(out, '\n');
        return;
    }
    figures = client_member(r, 0, "figures");
    queue = client_member(r, figures, "queue");
    if (!client_bool(r, 0, "is_configured")) {
        buf_put_lit(out, "running      the node does not have this partner yet: "
                         "fedgatectl reload\n");
    }
    if (figures == JSON_NONE || json_kind_of(&r->doc, figures) != JSON_OBJECT) {
        buf_put_lit(out, "running      nothing has happened yet\n");
        return;
    }
    put_direction(s, figures, "in", "incoming");
    put_direction(s, figures, "out", "outgoing");
    buf_printf(out, "waiting      %lld stanzas, %lld bytes; %lld not confirmed\n",
               (long long)client_number(r, queue, "count"),
               (long long)client_number(r, queue, "bytes"),
               (long long)client_number(r, queue, "unacked"));
    buf_put_lit(out, "answered     ");
    put_counts(out, r, client_member(r, figures, "bounced"));
    buf_put_lit(out, " (stanzas that could not pass)\n");
}

static void put_node_json(struct shower *s)
{
    struct jout *j = &s->out.json;

    if (!s->reply.is_ok) {
        jout_null(j, "running");
        jout_cstr(j, "running_error", s->why);
        return;
    }
    jout_object(j, "running");
    jout_bool(j, "is_configured", client_bool(&s->reply, 0, "is_configured"));
    jout_i64(j, "generation", client_number(&s->reply, 0, "generation"));
    client_copy(j, "figures", &s->reply, client_member(&s->reply, 0, "figures"));
    jout_end(j);
    jout_null(j, "running_error");
}

/* --- all of it --- */

/* Warnings of the loader that are about this partner. */
static void put_warnings(struct shower *s)
{
    const struct config_report *r = &s->book.report;
    char about[32];
    size_t len = (size_t)snprintf(about, sizeof(about), "partners[%u]", s->partner->idx);

    if (s->ctl->is_json) {
        jout_list(&s->out.json, "warnings");
    }
    for (uint32_t i = 0; i < r->count; i++) {
        const struct config_problem *p = &r->problems[i];

        if (strncmp(p->path, about, len) != 0) {
            continue;
        }
        if (s->ctl->is_json) {
            jout_cstr(&s->out.json, NULL, p->text);
        } else {
            buf_printf(&s->out.text, "warning      line %u: ", (unsigned)p->line);
            out_put_clean(&s->out.text, slice_from_cstr(p->text));
            buf_putc(&s->out.text, '\n');
        }
    }
    if (s->ctl->is_json) {
        jout_end(&s->out.json);
    }
}

static void put_all(struct shower *s, struct slice asked)
{
    const char *path = s->ctl->config_path;
    uint32_t line = book_line(&s->book, s->node);
    bool by_suffix = snapshot_suffix_partner(s->book.snapshot, asked) == s->partner &&
                     edit_find_partner(&s->book.doc, asked) != s->node;

    if (s->ctl->is_json) {
        jout_object(&s->out.json, NULL);
        jout_text(&s->out.json, "domain", s->partner->domain);
        jout_cstr(&s->out.json, "file", path);
        jout_u64(&s->out.json, "line", line);
        jout_bool(&s->out.json, "by_suffix_match", by_suffix);
        put_properties_json(s);
        partner_put_row(&s->out, true, s->partner->row);
        put_warnings(s);
        put_node_json(s);
        jout_end(&s->out.json);
        return;
    }
    buf_put_lit(&s->out.text, "partner      ");
    out_put_clean(&s->out.text, s->partner->domain);
    buf_printf(&s->out.text, "%s, %s:%u\n\n",
               by_suffix ? ", whose domains take in those below them (suffix_match)" : "", path,
               line);
    put_table(s);
    buf_putc(&s->out.text, '\n');
    partner_put_row(&s->out, false, s->partner->row);
    put_warnings(s);
    put_node(s);
}

static int show(struct shower *s, const char *domain)
{
    char why[PROPS_WHY_BYTES];
    struct jid_ascii ascii;

    if (jid_domain_to_ascii(slice_from_cstr(domain), &ascii) == 0) {
        s->partner = snapshot_partner(s->book.snapshot, jid_ascii_slice(&ascii));
    }
    s->node = s->partner ? edit_find_partner(&s->book.doc, s->partner->domain) : JSON_NONE;
    if (s->node == JSON_NONE) {
        return partner_unknown(s->ctl, &s->book.doc, domain);
    }
    props_init(&s->props, SECTION_partner, s->arena);
    if (props_read(&s->props, &s->book.doc, s->node, why) != 0) {
        return out_fail(s->ctl, EX_CONFIG, "%s:%u: %s", s->ctl->config_path,
                        book_line(&s->book, s->node), why);
    }
    s->node_status = partner_ask_node(s->ctl, s->partner->domain, &s->reply, s->why);
    out_begin(&s->out);
    put_all(s, jid_ascii_slice(&ascii));
    return out_end(&s->out, EX_OK);
}

int partner_show(struct ctl *ctl, int argc, char **argv)
{
    struct shower s = {.ctl = ctl};
    int status;

    if (argc != 2 || argv[1][0] == '-') {
        return out_usage(ctl, &cmd_partner, "show one DOMAIN");
    }
    status = book_open(&s.book, ctl);
    if (status == EX_OK) {
        s.arena = arena_new();
        status = show(&s, argv[1]);
        arena_free(s.arena);
    }
    client_deinit(&s.reply);
    book_close(&s.book);
    return status;
}
