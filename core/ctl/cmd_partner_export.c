/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_partner_export: partners as the old product's tools write them, which fedgatectl import (and
 * they) read: JSON with enumerations by name, a bare object for one partner, a list for others. */
#include <stdio.h>
#include <sysexits.h>

#include "base/check.h"
#include "ctl/book.h"
#include "ctl/partner.h"
#include "policy/edit.h"
#include "policy/props.h"

/* Appends the partner at node; what cannot be read is a message and EX_CONFIG. */
static int put(const struct ctl *ctl, struct book *b, uint32_t node, uint32_t indent, struct out *o)
{
    struct arena *arena = arena_new();
    char why[PROPS_WHY_BYTES];
    struct props p;
    int status = EX_OK;

    props_init(&p, SECTION_partner, arena);
    if (props_read(&p, &b->doc, node, why) == 0) {
        props_write_old(&p, indent, &o->text);
        out_spill(o);
    } else {
        status = out_fail(ctl, EX_CONFIG, "%s:%u: %s", ctl->config_path, book_line(b, node), why);
    }
    arena_free(arena);
    return status;
}

static int put_all(const struct ctl *ctl, struct book *b, struct out *o)
{
    uint32_t list = book_member(b, 0, "partners");
    uint32_t count = list == JSON_NONE ? 0 : json_child_count(&b->doc, list);
    const char *lead = count == 1 ? "" : "\n  ";
    int status = EX_OK;

    if (count == 0) {
        buf_put_lit(&o->text, "[]\n");
        return EX_OK;
    }
    buf_put_cstr(&o->text, count == 1 ? "" : "[");
    for (uint32_t at = list + 1; at < b->doc.nodes[list].next && status == EX_OK;
         at = b->doc.nodes[at].next) {
        buf_put_cstr(&o->text, lead);
        status = put(ctl, b, at, count == 1 ? 0 : 2, o);
        lead = ",\n  ";
    }
    buf_put_cstr(&o->text, count == 1 ? "\n" : "\n]\n");
    return status;
}

static int put_named(const struct ctl *ctl, struct book *b, int argc, char **argv, struct out *o)
{
    int status = EX_OK;

    for (int i = 1; i < argc; i++) { /* before anything is printed */
        if (edit_find_partner(&b->doc, slice_from_cstr(argv[i])) == JSON_NONE) {
            return partner_unknown(ctl, &b->doc, argv[i]);
        }
    }
    buf_put_cstr(&o->text, argc == 2 ? "" : "[");
    for (int i = 1; i < argc && status == EX_OK; i++) {
        buf_put_cstr(&o->text, argc == 2 ? "" : i == 1 ? "\n  " : ",\n  ");
        status =
            put(ctl, b, edit_find_partner(&b->doc, slice_from_cstr(argv[i])), argc == 2 ? 0 : 2, o);
    }
    buf_put_cstr(&o->text, argc == 2 ? "\n" : "\n]\n");
    return status;
}

int partner_export(struct ctl *ctl, int argc, char **argv)
{
    struct book b;
    struct out o;
    int status;

    if (argc > 1 && argv[1][0] == '-') {
        return out_usage(ctl, &cmd_partner, "export has no options of its own");
    }
    status = book_open(&b, ctl);
    if (status == EX_OK) {
        out_begin(&o);
        status = argc > 1 ? put_named(ctl, &b, argc, argv, &o) : put_all(ctl, &b, &o);
        if (status != EX_OK) {
            buf_clear(&o.text); /* the message stands alone */
        }
        status = out_end(&o, status);
    }
    book_close(&b);
    return status;
}
