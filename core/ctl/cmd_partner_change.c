/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_partner_change: partners added, changed, removed in the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/pool.h"
#include "ctl/assign.h"
#include "ctl/change.h"
#include "ctl/partner.h"
#include "policy/props.h"
#include "policy/quote.h"
#include "xmpp/jid.h"

#define PARTNER_BYTES_MAX POOL_BLOCK_BYTES_MAX

/* "added fabrikam.example" (of action "add"), or "would add ...". */
static void put_done(const struct change *c, struct out *o, const char *action, const char *domain)
{
    const char *past = strcmp(action, "add") == 0      ? "added "
                       : strcmp(action, "remove") == 0 ? "removed "
                                                       : "changed ";

    if (c->is_dry) {
        buf_printf(&o->text, "would %s ", strcmp(action, "set") == 0 ? "change" : action);
    } else {
        buf_put_cstr(&o->text, c->is_changed ? past : "");
    }
    out_put_clean(&o->text, slice_from_cstr(domain));
    buf_putc(&o->text, '\n');
}

/* That, its negotiation, what came of it. */
static int print(struct change *c, const char *action, const char *domain)
{
    const struct partner *p = NULL;
    struct jid_ascii name;
    char about[32] = "partners[";
    struct out o;

    /* Whoever is removed may still be found, below a partner with suffix_match. */
    if (strcmp(action, "remove") != 0 && jid_domain_to_ascii(slice_from_cstr(domain), &name) == 0) {
        p = snapshot_partner(c->snapshot, jid_ascii_slice(&name));
    }
    if (p) {
        (void)snprintf(about, sizeof(about), "partners[%u]", p->idx);
    }
    out_begin(&o);
    if (c->ctl->is_json) {
        jout_object(&o.json, NULL);
        jout_cstr(&o.json, "domain", domain);
        jout_cstr(&o.json, "action", action);
        if (p) {
            partner_put_row(&o, true, p->row);
        }
    } else {
        put_done(c, &o, action, domain);
        if (p) {
            partner_put_row(&o, false, p->row);
        }
    }
    change_print(c, about, &o);
    if (c->ctl->is_json) {
        jout_end(&o.json);
    }
    return out_end(&o, change_status(c));
}

/* EX_OK, or a status after a message. */
static int check_domain(const struct ctl *ctl, int argc, char **argv)
{
    const char *fault = argc > 1 ? partner_domain_fault(argv[1]) : NULL;

    if (argc < 2) {
        return out_usage(ctl, &cmd_partner, "%s which domain?", argv[0]);
    }
    if (fault) {
        return out_fail(ctl, strchr(argv[1], '=') ? EX_USAGE : EX_DATAERR, "%.200s %s",
                        quote(slice_from_cstr(argv[1])).text, fault);
    }
    return EX_OK;
}

/* A change of the partner in argv[1]: the configuration is read before act, and saved by it. */
static int with_change(struct ctl *ctl, int argc, char **argv,
                       int (*act)(struct change *c, int argc, char **argv))
{
    struct change c;
    int status;

    argc = change_options(&c, ctl, &cmd_partner, argc, argv);
    status = argc < 0 ? EX_USAGE : check_domain(ctl, argc, argv);
    if (status == EX_OK) {
        status = change_begin(&c);
        status = status != EX_OK ? status : act(&c, argc, argv);
        change_end(&c);
    }
    return status;
}

/* Line of a node, for messages. */
static uint32_t line_of(const struct change *c, uint32_t node)
{
    uint32_t line = 1;

    for (uint32_t i = 0; i < c->doc.nodes[node].start; i++) {
        line += c->save.bytes[i] == '\n';
    }
    return line;
}

/* The primary domain as it is written. */
static struct slice primary_of(const struct change *c, uint32_t partner)
{
    uint32_t node = edit_member(&c->doc, partner, SLICE_LIT("domain"));

    return node != JSON_NONE && json_kind_of(&c->doc, node) == JSON_TEXT ? json_text(&c->doc, node)
                                                                         : SLICE_NONE;
}

/* --- add --- */

static int add(struct change *c, int argc, char **argv)
{
    struct slice domain = slice_from_cstr(argv[1]);
    uint32_t there = edit_find_partner(&c->doc, domain);
    char why[PROPS_WHY_BYTES];
    char name[JID_PART_BYTES_MAX + 1];
    struct slice added;
    struct props p;
    struct buf text;
    int status;
    int err;

    if (there != JSON_NONE) {
        return out_fail(c->ctl, EX_DATAERR,
                        "%.200s is a domain of the partner %.200s (line %u) already; "
                        "fedgatectl partner set changes it",
                        quote(domain).text, quote(primary_of(c, there)).text, line_of(c, there));
    }
    props_init(&p, SECTION_partner, c->arena);
    if (props_set(&p, KEY_partner_domain, domain, why) != 0) {
        return out_fail(c->ctl, EX_DATAERR, "%s", why);
    }
    status = assign_all(c->ctl, &cmd_partner, &p, argv + 2, argc - 2);
    if (status != EX_OK) {
        return status;
    }
    buf_init(&text, PARTNER_BYTES_MAX);
    props_write(&p, false, &text);
    added = buf_slice(&text);
    if (text.failed) {
        buf_deinit(&text);
        return out_fail(c->ctl, EX_DATAERR, "the partner is larger than %zu bytes",
                        PARTNER_BYTES_MAX);
    }
    err = edit_root_list(&c->edit, SLICE_LIT("partners"),
                         &(struct edit_elements){.added = &added, .added_count = 1});
    buf_deinit(&text);
    if (err) {
        return out_fail(c->ctl, EX_DATAERR, "%s", c->edit.why);
    }
    slice_to_cstr_cut(props_get(&p, KEY_partner_domain)->text, name, sizeof(name));
    status = change_finish(c);
    return status != EX_OK ? status : print(c, "add", name);
}

int partner_add(struct ctl *ctl, int argc, char **argv)
{
    return with_change(ctl, argc, argv, add);
}

/* --- set --- */

static int set(struct change *c, int argc, char **argv)
{
    uint32_t node = edit_find_partner(&c->doc, slice_from_cstr(argv[1]));
    char why[PROPS_WHY_BYTES];
    char domain[JID_PART_BYTES_MAX + 1];
    struct props before;
    struct props after;
    int status;

    if (argc < 3) {
        return out_usage(c->ctl, &cmd_partner, "set what? PROPERTY=VALUE");
    }
    if (node == JSON_NONE) {
        return partner_unknown(c->ctl, &c->doc, argv[1]);
    }
    props_init(&before, SECTION_partner, c->arena);
    props_init(&after, SECTION_partner, c->arena);
    if (props_read(&before, &c->doc, node, why) != 0 ||
        props_read(&after, &c->doc, node, why) != 0) {
        return out_fail(c->ctl, EX_CONFIG, "%s:%u: %s; mend the file by hand", c->ctl->config_path,
                        line_of(c, node), why);
    }
    status = assign_all(c->ctl, &cmd_partner, &after, argv + 2, argc - 2);
    if (status != EX_OK) {
        return status;
    }
    if (assign_edit(&c->edit, node, &before, &after) != 0) {
        return out_fail(c->ctl, EX_DATAERR, "%s:%u: %s", c->ctl->config_path, line_of(c, node),
                        c->edit.why);
    }
    slice_to_cstr_cut(props_get(&after, KEY_partner_domain)->text, domain, sizeof(domain));
    status = change_finish(c);
    return status != EX_OK ? status : print(c, "set", domain);
}

int partner_set(struct ctl *ctl, int argc, char **argv)
{
    return with_change(ctl, argc, argv, set);
}

/* --- remove --- */

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* The partner by its primary domain only: an additional one would take the others along. */
static int find_primary(const struct change *c, const char *domain, uint32_t *node)
{
    struct slice name = slice_from_cstr(domain);
    struct slice primary;
    struct jid_ascii asked;
    struct jid_ascii written;

    *node = edit_find_partner(&c->doc, name);
    if (*node == JSON_NONE) {
        return partner_unknown(c->ctl, &c->doc, domain);
    }
    primary = primary_of(c, *node);
    if (slice_eq_nocase(primary, name) ||
        (jid_domain_to_ascii(primary, &written) == 0 && jid_domain_to_ascii(name, &asked) == 0 &&
         slice_eq(jid_ascii_slice(&written), jid_ascii_slice(&asked)))) {
        return EX_OK;
    }
    return out_fail(c->ctl, EX_DATAERR,
                    "%.200s is an additional domain of %.200s (line %u): remove that, or "
                    "fedgatectl partner set %.200s additional_domains-=%.200s",
                    quote(name).text, quote(primary).text, line_of(c, *node), quote(primary).text,
                    quote(name).text);
}

static int print_removed(struct change *c, int argc, char **argv)
{
    struct out o;

    if (argc == 2) {
        return print(c, "remove", argv[1]);
    }
    out_begin(&o);
    if (c->ctl->is_json) {
        jout_object(&o.json, NULL);
        jout_cstr(&o.json, "action", "remove");
        jout_list(&o.json, "domains");
    }
    for (int i = 1; i < argc; i++) {
        if (c->ctl->is_json) {
            jout_cstr(&o.json, NULL, argv[i]);
        } else {
            put_done(c, &o, "remove", argv[i]);
        }
    }
    if (c->ctl->is_json) {
        jout_end(&o.json);
    }
    change_print(c, "partners", &o);
    if (c->ctl->is_json) {
        jout_end(&o.json);
    }
    return out_end(&o, change_status(c));
}

static bool is_among(const uint32_t *nodes, uint32_t count, uint32_t node)
{
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i] == node) {
            return true;
        }
    }
    return false;
}

static int take_away(struct change *c, int argc, char **argv)
{
    uint32_t *nodes = arena_zalloc(c->arena, (size_t)argc * sizeof(*nodes));
    struct edit_elements elements = {.removed = nodes};
    int status = EX_OK;
    int kept = 1;

    for (int i = 1; i < argc && status == EX_OK; i++) {
        uint32_t node;

        status = find_primary(c, argv[i], &node);
        if (status == EX_OK && !is_among(nodes, elements.removed_count, node)) {
            nodes[elements.removed_count++] = node;
            argv[kept++] = argv[i]; /* named twice is removed, and told, once */
        }
    }
    if (status != EX_OK) {
        return status;
    }
    qsort(nodes, elements.removed_count, sizeof(*nodes), by_number);
    if (edit_root_list(&c->edit, SLICE_LIT("partners"), &elements) != 0) {
        return out_fail(c->ctl, EX_DATAERR, "%s", c->edit.why);
    }
    status = change_finish(c);
    return status != EX_OK ? status : print_removed(c, kept, argv);
}

int partner_remove(struct ctl *ctl, int argc, char **argv)
{
    return with_change(ctl, argc, argv, take_away);
}
