/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_partner_list: the partners of the configuration, one line each; with --problems only those
 * that somebody should look at, with what there is. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ctl/book.h"
#include "ctl/partner.h"
#include "policy/props.h"
#include "policy/quote.h"

#define PROBLEMS_BYTES_MAX ((size_t)1 << 20) /* of one partner */
/* The node is asked partner by partner: of a long list only the first ones. */
#define NODE_ASKED_MAX 500u

struct lister {
    struct ctl *ctl;
    struct book book;
    struct out out;
    struct out_table table;
    int type; /* enum partner_type; -1 = all */
    bool problems_only;
    uint32_t next_problem; /* of book.report: they are sorted as the partners are */
    struct buf problems;   /* of the partner at hand, a line each */
    uint32_t asked_count;  /* questions to the node */
    bool no_node;
    uint32_t count;
};

static int read_type(const struct ctl *ctl, const char *text, int *type)
{
    char old[PROPS_NAME_BYTES];

    for (int i = PARTNER_TYPE_FEDERATED; i <= PARTNER_TYPE_PUBLIC_UNVERIFIED; i++) {
        const char *name = partner_type_name((enum partner_type)i);

        if (slice_eq_nocase(slice_from_cstr(text), slice_from_cstr(name)) ||
            slice_eq_nocase(slice_from_cstr(text), slice_from_cstr(props_old_choice(name, old)))) {
            *type = i;
            return EX_OK;
        }
    }
    return out_usage(ctl, &cmd_partner,
                     "type %.80s: federated, public_verified or public_unverified",
                     quote(slice_from_cstr(text)).text);
}

static int read_options(struct lister *l, int argc, char **argv)
{
    static const struct option options[] = {{"type", required_argument, NULL, 't'},
                                            {"problems", no_argument, NULL, 'p'},
                                            {NULL, 0, NULL, 0}};
    int status = EX_OK;
    int option;

    l->type = -1;
    optind = 0;
    opterr = 0;
    while (status == EX_OK && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 't') {
            status = read_type(l->ctl, optarg, &l->type);
        } else if (option == 'p') {
            l->problems_only = true;
        } else {
            status = out_usage(l->ctl, &cmd_partner, "list has --type TYPE and --problems");
        }
    }
    if (status == EX_OK && optind < argc) {
        status = out_usage(l->ctl, &cmd_partner, "list takes no names; show does");
    }
    return status;
}

/* --- problems of one partner --- */

/* Index in "partners[12].domain"; UINT32_MAX for other paths. */
static uint32_t idx_of(const char *path)
{
    uint64_t idx;
    struct slice digits = slice_from_cstr(path);
    ptrdiff_t end;

    if (!slice_starts(digits, SLICE_LIT("partners["))) {
        return UINT32_MAX;
    }
    digits = slice_from(digits, sizeof("partners[") - 1);
    end = slice_find(digits, ']');
    return end >= 0 && slice_parse_u64(slice_to(digits, (size_t)end), &idx) ? (uint32_t)idx
                                                                            : UINT32_MAX;
}

/* A direction without a stream whose last try failed. */
static void collect_failure(struct lister *l, const struct client_reply *r, uint32_t figures,
                            const char *key, const char *words)
{
    uint32_t way = client_member(r, figures, key);
    uint32_t last = client_member(r, way, "last_failure");

    if (last == JSON_NONE || json_kind_of(&r->doc, last) != JSON_OBJECT ||
        client_number(r, way, "streams") > 0) {
        return;
    }
    buf_printf(&l->problems, "no %s stream, last failure ", words);
    partner_put_time(&l->problems, client_number(r, last, "unix_s"));
    buf_put_lit(&l->problems, ": ");
    buf_put(&l->problems, client_text(r, last, "text"));
    buf_putc(&l->problems, '\n');
}

static void collect_failures(struct lister *l, const struct partner *p)
{
    struct client_reply reply = {0};
    char why[CLIENT_WHY_BYTES];
    uint32_t figures;

    if (l->asked_count == NODE_ASKED_MAX || l->no_node) {
        return;
    }
    l->asked_count++;
    l->no_node = partner_ask_node(l->ctl, p->domain, &reply, why) != EX_OK;
    figures = reply.is_ok ? client_member(&reply, 0, "figures") : JSON_NONE;
    if (figures != JSON_NONE && json_kind_of(&reply.doc, figures) == JSON_OBJECT) {
        collect_failure(l, &reply, figures, "in", "incoming");
        collect_failure(l, &reply, figures, "out", "outgoing");
    }
    client_deinit(&reply);
}

/* Into l->problems, a line each: the warnings of the loader about p, its maintenance switch, and
 * with --problems what fails in the running node. Partners are asked for in order. */
static void collect(struct lister *l, const struct partner *p)
{
    const struct config_report *r = &l->book.report;

    buf_clear(&l->problems);
    while (l->next_problem < r->count && (idx_of(r->problems[l->next_problem].path) == UINT32_MAX ||
                                          idx_of(r->problems[l->next_problem].path) < p->idx)) {
        l->next_problem++;
    }
    for (uint32_t i = l->next_problem; i < r->count && idx_of(r->problems[i].path) == p->idx; i++) {
        buf_printf(&l->problems, "line %u: ", (unsigned)r->problems[i].line);
        buf_put_cstr(&l->problems, r->problems[i].text);
        buf_putc(&l->problems, '\n');
    }
    if (p->extra && p->extra->maintenance.len) {
        buf_put_lit(&l->problems, "in maintenance: ");
        buf_put(&l->problems, p->extra->maintenance);
        buf_putc(&l->problems, '\n');
    }
    if (l->problems_only) {
        collect_failures(l, p);
    }
}

/* What was collected: with j as texts of an open list, else as lines. */
static void put_problems(struct lister *l, struct jout *j, struct buf *lines)
{
    struct slice rest = buf_slice(&l->problems);
    struct slice line;

    while (rest.len && slice_cut(&rest, '\n', &line)) {
        if (j) {
            jout_text(j, NULL, line);
        } else {
            buf_put_lit(lines, "  ");
            out_put_clean(lines, line);
            buf_putc(lines, '\n');
        }
    }
}

/* --- output --- */

static void put_json(struct lister *l, const struct partner *p)
{
    struct jout *j = &l->out.json;

    jout_object(j, NULL);
    jout_text(j, "domain", p->domain);
    jout_list(j, "additional_domains");
    for (uint32_t i = 0; i < p->more_domain_count; i++) {
        jout_text(j, NULL, p->more_domains[i]);
    }
    jout_end(j);
    jout_text(j, "description", p->description);
    jout_cstr(j, "type", partner_type_name((enum partner_type)p->type));
    partner_put_row(&l->out, true, p->row);
    jout_u64(j, "connection_limit", p->connection_limit);
    jout_bool(j, "suffix_match", p->suffix_match);
    jout_bool(j, "maintenance", p->extra && p->extra->maintenance.len > 0);
    jout_list(j, "problems");
    put_problems(l, j, NULL);
    jout_end(j);
    jout_end(j);
    out_spill(&l->out);
}

static void put_cells(struct lister *l, const struct partner *p)
{
    out_cell(&l->table, p->domain);
    out_cell(&l->table, slice_from_cstr(partner_type_name((enum partner_type)p->type)));
    out_cell(&l->table, slice_from_cstr(partner_level_name((enum partner_level)p->row->tls)));
    out_cell(&l->table, slice_from_cstr(partner_level_name((enum partner_level)p->row->sasl)));
    out_cell(&l->table, p->row->dialback ? SLICE_LIT("true") : SLICE_LIT("false"));
    out_cell_printf(&l->table, "%u", (unsigned)p->row->number);
    out_cell(&l->table,
             slice_from_cstr(partner_verdict_name((enum partner_verdict)p->row->verdict)));
    out_cell_printf(&l->table, "%u", (unsigned)p->more_domain_count);
    out_cell(&l->table, p->description.len ? p->description : SLICE_LIT("-"));
}

static void put_partner(struct lister *l, const struct partner *p)
{
    if (l->type >= 0 && p->type != l->type) {
        return;
    }
    collect(l, p);
    if (l->problems_only && buf_len(&l->problems) == 0) {
        return;
    }
    l->count++;
    if (l->ctl->is_json) {
        put_json(l, p);
    } else if (l->problems_only) {
        out_put_clean(&l->out.text, p->domain);
        buf_printf(&l->out.text, " (%s, row %u)\n", partner_type_name((enum partner_type)p->type),
                   (unsigned)p->row->number);
        put_problems(l, NULL, &l->out.text);
        out_spill(&l->out);
    } else {
        put_cells(l, p);
    }
}

/* How far the answer goes, to stderr. */
static void tell_extent(const struct lister *l)
{
    if (l->no_node) {
        (void)fputs("fedgatectl: no node answers: only the configuration was looked at\n", stderr);
    } else if (l->asked_count == NODE_ASKED_MAX) {
        (void)fprintf(stderr, "fedgatectl: the node was asked about the first %u partners only\n",
                      NODE_ASKED_MAX);
    }
}

static int list(struct lister *l)
{
    static const char *const heads[] = {"DOMAIN", "TYPE",    "TLS",   "SASL",       "DIALBACK",
                                        ">ROW",   "VERDICT", ">MORE", "DESCRIPTION"};
    const struct snapshot *s = l->book.snapshot;

    buf_init(&l->problems, PROBLEMS_BYTES_MAX);
    out_begin(&l->out);
    out_table_init(&l->table, heads, sizeof(heads) / sizeof(heads[0]));
    if (l->ctl->is_json) {
        jout_object(&l->out.json, NULL);
        jout_list(&l->out.json, "partners");
    }
    for (uint32_t i = 0; i < s->partner_count; i++) {
        put_partner(l, &s->partners[i]);
    }
    if (l->ctl->is_json) {
        jout_end(&l->out.json);
        jout_u64(&l->out.json, "count", l->count);
        jout_end(&l->out.json);
    } else if (l->count == 0) {
        buf_put_cstr(&l->out.text,
                     l->problems_only ? "no partner has a problem\n" : "no such partner\n");
    } else if (!l->problems_only) {
        out_table_write(&l->table, &l->out);
    }
    out_table_deinit(&l->table);
    buf_deinit(&l->problems);
    if (l->problems_only) {
        tell_extent(l);
    }
    return out_end(&l->out, EX_OK);
}

int partner_list(struct ctl *ctl, int argc, char **argv)
{
    struct lister l = {.ctl = ctl};
    int status = read_options(&l, argc, argv);

    if (status == EX_OK) {
        status = book_open(&l.book, ctl);
        status = status != EX_OK ? status : list(&l);
        book_close(&l.book);
    }
    return status;
}
