/* SPDX-License-Identifier: GPL-2.0-or-later */
/* assign: words -> properties -> edits. */
#include "ctl/assign.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "base/jout.h"
#include "ctl/out.h"
#include "policy/quote.h"

#define VALUE_BYTES_MAX POOL_BLOCK_BYTES_MAX

/* "domain, additional_domains, ..." */
static void list_properties(enum schema_section section, char *out, size_t bytes)
{
    size_t at = 0;

    out[0] = 0;
    for (enum schema_key_idx key = props_first_key(section); props_is_key_of(key, section);
         key = (enum schema_key_idx)(key + 1)) {
        const struct schema_key *k = schema_key_at(key);
        int len;

        if (k->kind == SCHEMA_OBJECT || k->kind == SCHEMA_LIST || k->kind == SCHEMA_MAP) {
            continue;
        }
        len = snprintf(out + at, bytes - at, "%s%s", at ? ", " : "", k->name);
        if (len < 0 || (size_t)len >= bytes - at) {
            return;
        }
        at += (size_t)len;
    }
}

static int unknown(const struct ctl *ctl, enum schema_section section, struct slice name)
{
    char near[PROPS_NAME_BYTES];
    char all[1024];

    if (props_suggest(section, name, near)) {
        return out_fail(ctl, EX_USAGE, "no property %s; did you mean %s?", quote(name).text, near);
    }
    list_properties(section, all, sizeof(all));
    return out_fail(ctl, EX_USAGE, "no property %s; there are %s", quote(name).text, all);
}

int assign_read(const struct ctl *ctl, const struct ctl_command *cmd, enum schema_section section,
                const char *word, struct assign *out)
{
    struct slice value = slice_from_cstr(word);
    struct slice name;

    *out = (struct assign){.how = ASSIGN_SET};
    if (!slice_cut(&value, '=', &name)) {
        return out_usage(ctl, cmd, "%s is no property=value", quote(name).text);
    }
    if (name.len && (name.ptr[name.len - 1] == '+' || name.ptr[name.len - 1] == '-')) {
        out->how = name.ptr[name.len - 1] == '+' ? ASSIGN_ADD : ASSIGN_REMOVE;
        name.len--;
    }
    out->value = value;
    return props_find(section, name, &out->key) ? EX_OK : unknown(ctl, section, name);
}

static int apply(struct props *p, const struct assign *a, char why[PROPS_WHY_BYTES])
{
    if (a->how == ASSIGN_ADD) {
        return props_add(p, a->key, a->value, why);
    }
    if (a->how == ASSIGN_REMOVE) {
        return props_remove(p, a->key, a->value, why);
    }
    if (schema_key_at(a->key)->kind == SCHEMA_TEXTS && slice_eq_cstr(a->value, "[]")) {
        props_set_none(p, a->key);
        return 0;
    }
    return props_set(p, a->key, a->value, why);
}

int assign_all(const struct ctl *ctl, const struct ctl_command *cmd, struct props *p,
               char *const *words, int count)
{
    char why[PROPS_WHY_BYTES];

    for (int i = 0; i < count; i++) {
        struct assign a;
        int status = assign_read(ctl, cmd, p->section, words[i], &a);

        if (status != EX_OK) {
            return status;
        }
        if (apply(p, &a, why) != 0) {
            return out_fail(ctl, EX_DATAERR, "%s", why);
        }
    }
    return EX_OK;
}

/* --- edits --- */

static const struct prop *prop_at(const struct props *p, enum schema_key_idx key)
{
    return &p->values[(uint32_t)key - (uint32_t)p->first];
}

static bool is_same(const struct prop *a, const struct prop *b)
{
    if (a->is_written != b->is_written || !slice_eq(a->text, b->text) || a->count != b->count) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (!slice_eq(a->list[i], b->list[i])) {
            return false;
        }
    }
    return true;
}

static bool is_element(const struct prop *prop, struct slice text)
{
    for (uint32_t i = 0; i < prop->count; i++) {
        if (slice_eq(prop->list[i], text)) {
            return true;
        }
    }
    return false;
}

/* How many elements of now, from its first on, are what is left of before, in order. */
static uint32_t kept_count(const struct prop *before, const struct prop *now)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < before->count; i++) {
        if (kept < now->count && slice_eq(before->list[i], now->list[kept])) {
            kept++;
        }
    }
    return kept;
}

static struct slice text_of(struct buf *value, struct arena *arena)
{
    return arena_slice(arena, buf_slice(value));
}

/* A list that is there and stays one: element by element. */
static int edit_elements(struct edit *e, uint32_t list, const struct prop *before,
                         const struct props *after, enum schema_key_idx key)
{
    const struct prop *now = prop_at(after, key);
    uint32_t kept = kept_count(before, now);
    uint32_t *removed = arena_zalloc(after->arena, (before->count + 1) * sizeof(*removed));
    struct slice *added = arena_zalloc(after->arena, (now->count + 1) * sizeof(*added));
    struct edit_elements elements = {.removed = removed, .added = added};
    struct prop kept_part = {.list = now->list, .count = kept};
    struct buf value;

    for (uint32_t at = list + 1; at < e->doc->nodes[list].next; at = e->doc->nodes[at].next) {
        if (!is_element(&kept_part, json_text(e->doc, at))) {
            removed[elements.removed_count++] = at;
        }
    }
    buf_init(&value, VALUE_BYTES_MAX);
    for (uint32_t i = kept; i < now->count; i++) {
        buf_clear(&value);
        jout_quoted(&value, now->list[i]);
        added[elements.added_count++] = text_of(&value, after->arena);
    }
    buf_deinit(&value);
    return edit_list(e, list, &elements);
}

int assign_edit(struct edit *e, uint32_t object, const struct props *before,
                const struct props *after)
{
    struct edit_member members[SCHEMA_KEYS_MAX];
    struct buf value;
    uint32_t count = 0;
    int err = 0;

    buf_init(&value, VALUE_BYTES_MAX);
    for (enum schema_key_idx key = props_first_key(after->section);
         props_is_key_of(key, after->section) && !err; key = (enum schema_key_idx)(key + 1)) {
        const struct prop *old = prop_at(before, key);
        const struct prop *now = prop_at(after, key);
        struct slice name = slice_from_cstr(schema_key_at(key)->name);
        uint32_t node = edit_member(e->doc, object, name);

        if (is_same(old, now)) {
            continue;
        }
        if (now->is_written && node != JSON_NONE && json_kind_of(e->doc, node) == JSON_LIST &&
            kept_count(old, now) > 0) {
            err = edit_elements(e, node, old, after, key);
            continue;
        }
        members[count] = (struct edit_member){.key = name};
        if (now->is_written) {
            buf_clear(&value);
            props_value_write(after, key, &value);
            members[count].value = text_of(&value, after->arena);
        }
        count++;
    }
    buf_deinit(&value);
    return err || count == 0 ? err : edit_object(e, object, members, count);
}
