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

#define MAINTENANCE_BYTES 1024u /* what config.def allows */

struct lister {
    struct ctl *ctl;
    struct book book;
    struct out out;
    struct out_table table;
    int type; /* enum partner_type; -1 = all */
    bool problems_only;
    uint32_t next_problem; /* of book.report: they are sorted as the partners are */
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

/* The warnings of the loader about p, and its maintenance switch; with j as texts of an open list,
 * else as lines. Returns how many. Partners are asked for in order. */
static uint32_t put_problems(struct lister *l, const struct partner *p, struct jout *j,
                             struct buf *lines)
{
    const struct config_report *r = &l->book.report;
    uint32_t count = 0;
    char text[MAINTENANCE_BYTES + 32];

    while (l->next_problem < r->count && (idx_of(r->problems[l->next_problem].path) == UINT32_MAX ||
                                          idx_of(r->problems[l->next_problem].path) < p->idx)) {
        l->next_problem++;
    }
    for (uint32_t i = l->next_problem; i < r->count && idx_of(r->problems[i].path) == p->idx; i++) {
        count++;
        if (j) {
            jout_cstr(j, NULL, r->problems[i].text);
        } else if (lines) {
            buf_printf(lines, "  line %u: ", (unsigned)r->problems[i].line);
            out_put_clean(lines, slice_from_cstr(r->problems[i].text));
            buf_putc(lines, '\n');
        }
    }
    if (p->extra && p->extra->maintenance.len) {
        count++;
        (void)snprintf(text, sizeof(text), "in maintenance: %.*s",
                       SLICE_FMT(slice_to(p->extra->maintenance, MAINTENANCE_BYTES)));
        if (j) {
            jout_cstr(j, NULL, text);
        } else if (lines) {
            buf_put_lit(lines, "  ");
            out_put_clean(lines, slice_from_cstr(text));
            buf_putc(lines, '\n');
        }
    }
    return count;
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
    (void)put_problems(l, p, j, NULL);
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
    if (l->problems_only && put_problems(l, p, NULL, NULL) == 0) {
        return;
    }
    l->count++;
    if (l->ctl->is_json) {
        put_json(l, p);
    } else if (l->problems_only) {
        out_put_clean(&l->out.text, p->domain);
        buf_printf(&l->out.text, " (%s, row %u)\n", partner_type_name((enum partner_type)p->type),
                   (unsigned)p->row->number);
        (void)put_problems(l, p, NULL, &l->out.text);
        out_spill(&l->out);
    } else {
        put_cells(l, p);
    }
}

static int list(struct lister *l)
{
    static const char *const heads[] = {"DOMAIN", "TYPE",    "TLS",   "SASL",       "DIALBACK",
                                        ">ROW",   "VERDICT", ">MORE", "DESCRIPTION"};
    const struct snapshot *s = l->book.snapshot;

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
