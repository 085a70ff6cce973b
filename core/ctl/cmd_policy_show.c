/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_policy_show: which access policy counts for a user of ours, and why; all policies. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/pool.h"
#include "ctl/access.h"
#include "ctl/book.h"
#include "ctl/out.h"
#include "policy/decide.h"
#include "policy/quote.h"
#include "xmpp/jid.h"

#define PARTNERS_SHOWN 20u

/* --- show USER --- */

struct user_shower {
    const struct ctl *ctl;
    struct book book;
    struct out out;
    struct jid user;
    struct slice domain; /* of ours: A-label */
    struct policy_access access;
    uint32_t node;      /* of the policy in the file; JSON_NONE: nothing is written */
    struct slice group; /* through which; empty = named itself */
};

/* "access.users" + name -> the node. */
static uint32_t node_of(const struct book *b, const struct policy_rule *rule)
{
    uint32_t node = book_member(b, 0, "access");
    const char *dot = strchr(rule->kind, '.');

    node = dot ? book_member(b, node, dot + 1) : JSON_NONE;
    return rule->name.len ? edit_member(&b->doc, node, rule->name) : node;
}

/* The group of the policy's members that has the user, when the user is not there itself. */
static void find_group(struct user_shower *s)
{
    uint32_t list = s->node != JSON_NONE ? book_member(&s->book, s->node, "members") : JSON_NONE;

    if (list == JSON_NONE || json_kind_of(&s->book.doc, list) != JSON_LIST) {
        return;
    }
    for (uint32_t at = list + 1; at < s->book.doc.nodes[list].next;
         at = s->book.doc.nodes[at].next) {
        struct slice name = json_text(&s->book.doc, at);

        if (!slice_starts(name, SLICE_LIT("group:"))) {
            continue;
        }
        name = slice_trim(slice_from(name, sizeof("group:") - 1));
        for (uint32_t i = 0; i < s->book.snapshot->group_count; i++) {
            const struct user_group *group = &s->book.snapshot->groups[i];
            struct slice entry;

            if (slice_eq(group->name, name) &&
                users_find(group->members, s->user.local, s->domain, &entry) != USERS_NO &&
                slice_eq(entry, s->access.entry)) {
                s->group = group->name;
                return;
            }
        }
    }
}

static bool is_left_out(const struct user_shower *s, const struct partner *p)
{
    return p->extra && p->extra->allowed_users &&
           users_find(p->extra->allowed_users, s->user.local, s->domain, NULL) == USERS_NO;
}

static void put_why(struct user_shower *s, struct buf *out)
{
    const struct policy_access *a = &s->access;

    if (strcmp(a->rule.kind, "access") == 0) {
        buf_put_lit(out, "no \"access\" is written, so nobody may talk to partners");
    } else if (a->match == USERS_NO) {
        buf_put_lit(out, "no policy of a user or a site names this user, so the global one counts");
    } else {
        buf_put_lit(out, "it names ");
        buf_put(out, a->entry);
        buf_put_cstr(out, s->group.len ? " (through the group " : "");
        buf_put(out, s->group);
        buf_put_cstr(out, s->group.len ? ")" : "");
    }
}

static void show_json(struct user_shower *s, const char *user, const char *rule)
{
    struct jout *j = &s->out.json;
    struct buf why;

    buf_init(&why, 4096);
    put_why(s, &why);
    jout_object(j, NULL);
    jout_cstr(j, "user", user);
    jout_cstr(j, "policy", rule);
    jout_text(j, "why", buf_slice(&why));
    jout_u64(j, "line", book_line(&s->book, s->node));
    jout_bool(j, "xmpp", s->access.policy->xmpp);
    jout_bool(j, "sip_federation", s->access.policy->sip_federation);
    jout_list(j, "left_out_by");
    for (uint32_t i = 0; i < s->book.snapshot->partner_count; i++) {
        if (is_left_out(s, &s->book.snapshot->partners[i])) {
            jout_text(j, NULL, s->book.snapshot->partners[i].domain);
        }
    }
    jout_end(j);
    jout_end(j);
    buf_deinit(&why);
}

static void show_people(struct user_shower *s, const char *user, const char *rule)
{
    struct buf *out = &s->out.text;
    struct buf why;
    uint32_t left_out = 0;

    buf_init(&why, 4096);
    put_why(s, &why);
    buf_put_lit(out, "user     ");
    out_put_clean(out, slice_from_cstr(user));
    buf_printf(out, "\npolicy   %s", rule);
    if (s->node != JSON_NONE) {
        buf_printf(out, ", line %u", book_line(&s->book, s->node));
    }
    buf_put_lit(out, ": ");
    out_put_clean(out, buf_slice(&why));
    buf_printf(out, "\nallows   XMPP partners: %s, SIP federation: %s\n",
               s->access.policy->xmpp ? "yes" : "no",
               s->access.policy->sip_federation ? "yes" : "no");
    for (uint32_t i = 0; s->access.policy->xmpp && i < s->book.snapshot->partner_count; i++) {
        const struct partner *p = &s->book.snapshot->partners[i];

        if (is_left_out(s, p) && left_out++ < PARTNERS_SHOWN) {
            buf_put_cstr(out, left_out == 1 ? "but not  " : ", ");
            out_put_clean(out, p->domain);
        }
    }
    if (left_out) {
        buf_printf(out, "%s (allowed_users)\n", left_out > PARTNERS_SHOWN ? ", ..." : "");
    }
    buf_deinit(&why);
}

static int show(struct user_shower *s, const char *user)
{
    const struct local_domain *ours = snapshot_domain(s->book.snapshot, s->user.domain);
    char rule[POLICY_RULE_BYTES];

    if (!ours) {
        return out_fail(s->ctl, EX_NOINPUT, "%.200s is of no domain of ours",
                        quote(slice_from_cstr(user)).text);
    }
    s->domain = ours->name;
    s->access = policy_access_of(s->book.snapshot, s->user.local, s->domain);
    s->node = node_of(&s->book, &s->access.rule);
    find_group(s);
    policy_rule_text(s->access.rule, rule);
    out_begin(&s->out);
    if (s->ctl->is_json) {
        show_json(s, user, rule);
    } else {
        show_people(s, user, rule);
    }
    return out_end(&s->out, EX_OK);
}

int policy_show(struct ctl *ctl, int argc, char **argv)
{
    struct user_shower s = {.ctl = ctl, .node = JSON_NONE};
    struct jid_storage mem;
    int status;

    if (argc == 1) {
        return policy_list(ctl, argc, argv);
    }
    if (argc != 2 || argv[1][0] == '-') {
        return out_usage(ctl, &cmd_policy, "show one USER");
    }
    if (jid_parse(&mem, slice_from_cstr(argv[1]), &s.user) != 0 || s.user.resource.len) {
        return out_fail(ctl, EX_DATAERR, "%.200s is no address: user@domain, or a domain of ours",
                        quote(slice_from_cstr(argv[1])).text);
    }
    status = book_open(&s.book, ctl);
    status = status != EX_OK ? status : show(&s, argv[1]);
    book_close(&s.book);
    return status;
}

/* --- list --- */

struct policy_lister {
    const struct ctl *ctl;
    struct book book;
    struct out out;
    struct out_table table;
};

/* What is written in an object: TEXT or true/false; empty = nothing. */
static struct slice written(const struct book *b, uint32_t object, const char *key)
{
    uint32_t node = book_member(b, object, key);

    if (node == JSON_NONE) {
        return SLICE_NONE;
    }
    switch (json_kind_of(&b->doc, node)) {
    case JSON_TEXT:
        return json_text(&b->doc, node);
    case JSON_TRUE:
        return SLICE_LIT("true");
    case JSON_FALSE:
    case JSON_NULL:
    case JSON_NUMBER:
    case JSON_LIST:
    case JSON_OBJECT:
    case JSON_KEY:
        break;
    }
    return SLICE_NONE;
}

static struct slice or_dash(struct slice text)
{
    return text.len ? text : SLICE_LIT("-");
}

static void put_cells(struct policy_lister *l, const char *kind, struct slice name, uint32_t node)
{
    const struct book *b = &l->book;
    uint32_t members = book_member(b, node, "members");
    bool is_list = members != JSON_NONE && json_kind_of(&b->doc, members) == JSON_LIST;
    bool is_group = strcmp(kind, "group:") == 0;
    struct buf word;

    buf_init(&word, 4096);
    buf_put_cstr(&word, kind);
    buf_put(&word, name);
    out_cell(&l->table, buf_slice(&word));
    out_cell(&l->table, is_group                       ? SLICE_LIT("-")
                        : written(b, node, "xmpp").len ? SLICE_LIT("yes")
                                                       : SLICE_LIT("no"));
    out_cell(&l->table, is_group                                 ? SLICE_LIT("-")
                        : written(b, node, "sip_federation").len ? SLICE_LIT("yes")
                                                                 : SLICE_LIT("no"));
    if (strcmp(kind, "global") == 0) {
        out_cell(&l->table, SLICE_LIT("all"));
    } else {
        out_cell_printf(&l->table, "%u", is_list ? json_child_count(&b->doc, members) : 0);
    }
    out_cell(&l->table, or_dash(written(b, node, "list_file")));
    out_cell(&l->table, or_dash(written(b, node, "description")));
    buf_deinit(&word);
}

static void put_policy_json(struct policy_lister *l, const char *kind, struct slice name,
                            uint32_t node)
{
    struct book *b = &l->book;
    struct jout *j = &l->out.json;
    uint32_t members = book_member(b, node, "members");
    struct buf word;

    buf_init(&word, 4096);
    buf_put_cstr(&word, kind);
    buf_put(&word, name);
    jout_object(j, NULL);
    jout_text(j, "policy", buf_slice(&word));
    if (strcmp(kind, "group:") != 0) {
        jout_bool(j, "xmpp", written(b, node, "xmpp").len > 0);
        jout_bool(j, "sip_federation", written(b, node, "sip_federation").len > 0);
    }
    jout_list(j, "members");
    for (uint32_t at = members + 1; members != JSON_NONE && at < b->doc.nodes[members].next;
         at = b->doc.nodes[at].next) {
        jout_text(j, NULL, json_text(&b->doc, at));
    }
    jout_end(j);
    jout_text(j, "list_file", written(b, node, "list_file"));
    jout_text(j, "description", written(b, node, "description"));
    jout_u64(j, "line", book_line(b, node));
    jout_end(j);
    out_spill(&l->out);
    buf_deinit(&word);
}

static void put_policy(struct policy_lister *l, const char *kind, struct slice name, uint32_t node)
{
    if (l->ctl->is_json) {
        put_policy_json(l, kind, name, node);
    } else {
        put_cells(l, kind, name, node);
    }
}

static void put_map(struct policy_lister *l, const char *kind, uint32_t map)
{
    const struct json_doc *doc = &l->book.doc;

    if (map == JSON_NONE || json_kind_of(doc, map) != JSON_OBJECT) {
        return;
    }
    for (uint32_t at = map + 1; at < doc->nodes[map].next; at = doc->nodes[at + 1].next) {
        put_policy(l, kind, json_text(doc, at), at + 1);
    }
}

static int list(struct policy_lister *l)
{
    static const char *const heads[] = {"POLICY",   "XMPP",      "SIP",
                                        ">MEMBERS", "LIST FILE", "DESCRIPTION"};
    uint32_t access = book_member(&l->book, 0, "access");

    out_begin(&l->out);
    out_table_init(&l->table, heads, sizeof(heads) / sizeof(heads[0]));
    if (l->ctl->is_json) {
        jout_object(&l->out.json, NULL);
        jout_bool(&l->out.json, "is_written", access != JSON_NONE);
        jout_list(&l->out.json, "policies");
    }
    /* Without it the global policy is still there: it lets nobody talk. */
    put_policy(l, "global", SLICE_NONE, book_member(&l->book, access, "global"));
    put_map(l, "site:", book_member(&l->book, access, "sites"));
    put_map(l, "user:", book_member(&l->book, access, "users"));
    put_map(l, "group:", book_member(&l->book, 0, "groups"));
    if (l->ctl->is_json) {
        jout_end(&l->out.json);
        jout_end(&l->out.json);
    } else {
        out_table_write(&l->table, &l->out);
    }
    out_table_deinit(&l->table);
    return out_end(&l->out, EX_OK);
}

int policy_list(struct ctl *ctl, int argc, char **argv)
{
    struct policy_lister l = {.ctl = ctl};
    int status;

    (void)argv;
    if (argc > 1) {
        return out_usage(ctl, &cmd_policy, "list has no arguments");
    }
    status = book_open(&l.book, ctl);
    status = status != EX_OK ? status : list(&l);
    book_close(&l.book);
    return status;
}
