/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_policy_block: whom nobody talks to: the root's "blocked". */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/jout.h"
#include "base/pool.h"
#include "base/utf8.h"
#include "ctl/access.h"
#include "ctl/book.h"
#include "ctl/out.h"
#include "policy/edit.h"
#include "policy/quote.h"

#define NO_PATH "-"

static const struct slice key = {"blocked", sizeof("blocked") - 1};

/* The element that is address; JSON_NONE. */
static uint32_t find(const struct json_doc *doc, const char *address)
{
    uint32_t list = edit_member(doc, 0, key);

    if (list == JSON_NONE || json_kind_of(doc, list) != JSON_LIST) {
        return JSON_NONE;
    }
    for (uint32_t at = list + 1; at < doc->nodes[list].next; at = doc->nodes[at].next) {
        if (json_kind_of(doc, at) == JSON_TEXT &&
            slice_eq_nocase(json_text(doc, at), slice_from_cstr(address))) {
            return at;
        }
    }
    return JSON_NONE;
}

static bool is_named_before(int i, char **argv)
{
    for (int k = 1; k < i; k++) {
        if (slice_eq_nocase(slice_from_cstr(argv[k]), slice_from_cstr(argv[i]))) {
            return true;
        }
    }
    return false;
}

static int add(struct change *c, int argc, char **argv)
{
    struct slice *added = arena_zalloc(c->arena, (size_t)argc * sizeof(*added));
    struct edit_elements elements = {.added = added};
    struct buf text;

    buf_init(&text, POOL_BLOCK_BYTES_MAX);
    for (int i = 1; i < argc; i++) {
        if (find(&c->doc, argv[i]) == JSON_NONE && !is_named_before(i, argv)) {
            buf_clear(&text);
            jout_quoted(&text, slice_from_cstr(argv[i]));
            added[elements.added_count++] = arena_slice(c->arena, buf_slice(&text));
        }
    }
    buf_deinit(&text);
    return edit_root_list(&c->edit, key, &elements) == 0
               ? EX_OK
               : out_fail(c->ctl, EX_DATAERR, "blocked: %s", c->edit.why);
}

/* Ascending, as edit_list wants them; argv may name them in any order. */
static int take_away(struct change *c, int argc, char **argv)
{
    uint32_t *removed = arena_zalloc(c->arena, (size_t)argc * sizeof(*removed));
    struct edit_elements elements = {.removed = removed};
    uint32_t list = edit_member(&c->doc, 0, key);

    for (int i = 1; i < argc; i++) {
        if (find(&c->doc, argv[i]) == JSON_NONE) {
            return out_fail(c->ctl, EX_NOINPUT,
                            "%.300s is not blocked; fedgatectl policy blocked shows who is",
                            quote(slice_from_cstr(argv[i])).text);
        }
    }
    for (uint32_t at = list + 1; at < c->doc.nodes[list].next; at = c->doc.nodes[at].next) {
        for (int i = 1; i < argc; i++) {
            if (find(&c->doc, argv[i]) == at && !is_named_before(i, argv)) {
                removed[elements.removed_count++] = at;
            }
        }
    }
    return edit_root_list(&c->edit, key, &elements) == 0
               ? EX_OK
               : out_fail(c->ctl, EX_DATAERR, "blocked: %s", c->edit.why);
}

static int print(struct change *c, int argc, char **argv)
{
    struct out o;

    out_begin(&o);
    if (c->ctl->is_json) {
        jout_object(&o.json, NULL);
        jout_cstr(&o.json, "action", argv[0]);
        jout_list(&o.json, "addresses");
        for (int i = 1; i < argc; i++) {
            jout_cstr(&o.json, NULL, argv[i]);
        }
        jout_end(&o.json);
    }
    for (int i = 1; i < argc && !c->ctl->is_json; i++) {
        buf_printf(&o.text, "%s%s ", c->is_dry ? "would " : "", argv[0]);
        out_put_clean(&o.text, slice_from_cstr(argv[i]));
        buf_putc(&o.text, '\n');
    }
    change_print(c, NO_PATH, &o); /* what the change brings, not what there was before */
    if (c->ctl->is_json) {
        jout_end(&o.json);
    }
    return out_end(&o, change_status(c));
}

static int change_list(struct ctl *ctl, int argc, char **argv)
{
    bool is_block = strcmp(argv[0], "block") == 0;
    struct change c;
    int status;

    argc = change_options(&c, ctl, &cmd_policy, argc, argv);
    if (argc < 0) {
        return EX_USAGE;
    }
    if (argc < 2) {
        return out_usage(ctl, &cmd_policy, "%s whom? an address, a domain or *.domain", argv[0]);
    }
    for (int i = 1; i < argc; i++) {
        if (!utf8_is_valid(slice_from_cstr(argv[i]))) {
            return out_fail(ctl, EX_DATAERR, "an address is not UTF-8");
        }
    }
    status = change_begin(&c);
    if (status == EX_OK) {
        status = is_block ? add(&c, argc, argv) : take_away(&c, argc, argv);
    }
    status = status != EX_OK ? status : change_finish(&c);
    status = status != EX_OK ? status : print(&c, argc, argv);
    change_end(&c);
    return status;
}

int policy_block(struct ctl *ctl, int argc, char **argv)
{
    return change_list(ctl, argc, argv);
}

int policy_unblock(struct ctl *ctl, int argc, char **argv)
{
    return change_list(ctl, argc, argv);
}

/* --- blocked --- */

/* Elements of a list with its owner: the root, or a partner's domain. */
static void put_list(struct out *o, const struct ctl *ctl, const struct book *b, uint32_t list,
                     struct slice partner)
{
    if (list == JSON_NONE || json_kind_of(&b->doc, list) != JSON_LIST) {
        return;
    }
    for (uint32_t at = list + 1; at < b->doc.nodes[list].next; at = b->doc.nodes[at].next) {
        if (ctl->is_json) {
            jout_object(&o->json, NULL);
            jout_text(&o->json, "address", json_text(&b->doc, at));
            if (partner.len) {
                jout_text(&o->json, "partner", partner);
            } else {
                jout_null(&o->json, "partner");
            }
            jout_end(&o->json);
        } else {
            out_put_clean(&o->text, json_text(&b->doc, at));
            buf_put_cstr(&o->text, partner.len ? "  (of the partner " : "");
            out_put_clean(&o->text, partner);
            buf_put_cstr(&o->text, partner.len ? ")\n" : "\n");
        }
        out_spill(o);
    }
}

int policy_blocked(struct ctl *ctl, int argc, char **argv)
{
    struct book b;
    struct out o;
    uint32_t partners;
    int status;

    (void)argv;
    if (argc > 1) {
        return out_usage(ctl, &cmd_policy, "blocked has no arguments");
    }
    status = book_open(&b, ctl);
    if (status == EX_OK) {
        out_begin(&o);
        if (ctl->is_json) {
            jout_object(&o.json, NULL);
            jout_list(&o.json, "blocked");
        }
        put_list(&o, ctl, &b, edit_member(&b.doc, 0, key), SLICE_NONE);
        partners = book_member(&b, 0, "partners");
        for (uint32_t at = partners + 1; partners != JSON_NONE && at < b.doc.nodes[partners].next;
             at = b.doc.nodes[at].next) {
            put_list(&o, ctl, &b, edit_member(&b.doc, at, key),
                     json_text(&b.doc, book_member(&b, at, "domain")));
        }
        if (ctl->is_json) {
            jout_end(&o.json);
            jout_end(&o.json);
        } else if (buf_len(&o.text) == 0) {
            buf_put_lit(&o.text, "nobody is blocked\n");
        }
        status = out_end(&o, status);
    }
    book_close(&b);
    return status;
}
