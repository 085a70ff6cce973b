/* SPDX-License-Identifier: GPL-2.0-or-later */
/* props_read: properties read from an object of the file, and compared with others. */
#include <stdio.h>

#include "base/check.h"
#include "policy/props_int.h"
#include "policy/quote.h"

static int read_list(struct props *p, enum schema_key_idx idx, const struct json_doc *doc,
                     uint32_t node, char *why)
{
    int err = 0;

    if (json_kind_of(doc, node) != JSON_LIST) {
        return props_refuse(why, "%s must be a list of texts, [\"...\"], not %s",
                            schema_key_at(idx)->name, json_kind_text(json_kind_of(doc, node)));
    }
    props_get(p, idx)->is_written = true;
    for (uint32_t at = node + 1; at < doc->nodes[node].next && !err; at = doc->nodes[at].next) {
        if (json_kind_of(doc, at) != JSON_TEXT) {
            return props_refuse(why, "%s: every element must be a text in quotes, not %s",
                                schema_key_at(idx)->name, json_kind_text(json_kind_of(doc, at)));
        }
        err = props_add(p, idx, json_text(doc, at), why);
    }
    return err;
}

static int read_value(struct props *p, enum schema_key_idx idx, const struct json_doc *doc,
                      uint32_t node, char *why)
{
    const struct schema_key *key = schema_key_at(idx);
    enum json_kind kind = json_kind_of(doc, node);
    bool is_right;

    if (kind == JSON_NULL) {
        return 0;
    }
    if (key->kind == SCHEMA_TEXTS) {
        return read_list(p, idx, doc, node, why);
    }
    is_right = key->kind == SCHEMA_BOOL     ? kind == JSON_TRUE || kind == JSON_FALSE
               : key->kind == SCHEMA_NUMBER ? kind == JSON_NUMBER
                                            : kind == JSON_TEXT;
    if (!is_right) {
        return props_refuse(why, "%s cannot be %s", key->name, json_kind_text(kind));
    }
    props_get(p, idx)->is_written = true; /* an empty text is written, too */
    if (kind == JSON_TRUE || kind == JSON_FALSE) {
        return props_set(p, idx, kind == JSON_TRUE ? SLICE_LIT("true") : SLICE_LIT("false"), why);
    }
    return json_text(doc, node).len ? props_set(p, idx, json_text(doc, node), why) : 0;
}

int props_read(struct props *p, const struct json_doc *doc, uint32_t node,
               char why[PROPS_WHY_BYTES])
{
    int err = 0;

    if (json_kind_of(doc, node) != JSON_OBJECT) {
        return props_refuse(why, "an object, {...}, is expected, not %s",
                            json_kind_text(json_kind_of(doc, node)));
    }
    for (uint32_t at = node + 1; at < doc->nodes[node].next && !err; at = doc->nodes[at + 1].next) {
        struct slice name = json_text(doc, at);
        enum schema_key_idx key;

        if (!props_find_exact(p->section, name, &key)) {
            return props_refuse(why, "%s is no key of this object", quote(name).text);
        }
        if (props_get(p, key)->is_written) {
            return props_refuse(why, "%s stands there twice", schema_key_at(key)->name);
        }
        err = read_value(p, key, doc, at + 1, why);
    }
    return err;
}

/* --- comparing --- */

struct slice props_default(enum schema_key_idx idx, char out[PROPS_NAME_BYTES])
{
    const struct schema_key *key = schema_key_at(idx);

    if (key->kind == SCHEMA_BOOL) {
        return key->number ? SLICE_LIT("true") : SLICE_LIT("false");
    }
    if ((key->flags & (SCHEMA_NULLABLE | SCHEMA_REQUIRED)) || key->kind == SCHEMA_TEXTS) {
        return SLICE_NONE;
    }
    if (key->kind == SCHEMA_NUMBER) {
        (void)snprintf(out, PROPS_NAME_BYTES, "%llu", (unsigned long long)key->number);
        return slice_from_cstr(out);
    }
    return key->text ? slice_from_cstr(key->text) : SLICE_NONE;
}

bool props_is_special(const struct props *p, enum schema_key_idx key)
{
    const struct prop *prop = &p->values[(uint32_t)key - (uint32_t)p->first];
    char text[PROPS_NAME_BYTES];

    if (schema_key_at(key)->kind == SCHEMA_TEXTS) {
        /* The one list whose emptiness says something. */
        return prop->is_written && (prop->count > 0 || key == KEY_partner_allowed_users);
    }
    return prop->is_written && !slice_eq(prop->text, props_default(key, text));
}

bool props_eq(const struct props *a, const struct props *b)
{
    uint32_t first = (uint32_t)a->first;
    enum schema_key_idx key = (enum schema_key_idx)first;

    ASSERT(a->section == b->section);
    for (; props_next_plain(a->section, &key); key = (enum schema_key_idx)(key + 1)) {
        const struct prop *x = &a->values[(uint32_t)key - first];
        const struct prop *y = &b->values[(uint32_t)key - first];
        bool is_special = props_is_special(a, key);

        if (is_special != props_is_special(b, key)) {
            return false;
        }
        if (!is_special) {
            continue;
        }
        if (!slice_eq(x->text, y->text) || x->count != y->count) {
            return false;
        }
        for (uint32_t i = 0; i < x->count; i++) {
            if (!slice_eq(x->list[i], y->list[i])) {
                return false;
            }
        }
    }
    return true;
}
