/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schema: one object against one section: its members, what is unknown, written twice or missing.
 * A value is read by schema_value.c, the tables are schema_table.c's. */
#include "policy/schema.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"
#include "policy/quote.h"
#include "policy/schema_int.h"
#include "policy/suggest.h"

static void set_fallback(const struct schema_key *key, struct schema_value *value)
{
    *value = (struct schema_value){
        .node = JSON_NONE, .key_node = JSON_NONE, .number = key->number, .is_good = true};
    if (key->kind == SCHEMA_CHOICE) {
        while (strcmp(key->choices[value->number], key->text) != 0) {
            value->number++;
        }
    } else if (key->text) {
        value->text = slice_from_cstr(key->text);
    }
}

static void unknown_key(struct load *l, const struct schema_values *v, uint32_t key_node)
{
    struct suggest near = {.word = json_text(&l->doc, key_node)};
    char path[LOAD_PATH_BYTES];
    char text[SCHEMA_PROBLEM_BYTES];
    struct quoted name;
    size_t at;

    if (load_is_full(l, false)) {
        load_problem_at(l, false, 0, "", "");
        return;
    }
    for (uint32_t i = schema_firsts[v->section]; i < schema_firsts[v->section + 1]; i++) {
        suggest_consider(&near, schema_keys[i].name);
        if (schema_is_called((enum schema_key_idx)i, near.word)) {
            near.best = schema_keys[i].name;
            near.best_distance = 0;
        }
    }
    name = quote(slice_to(near.word, utf8_cut(near.word, 48)));
    if (load_is_plain_name(near.word)) {
        (void)snprintf(name.text, sizeof(name.text), "%.*s", SLICE_FMT(near.word));
    }
    load_path(path, &v->where, name.text, -1);
    if (near.best) {
        (void)snprintf(text, sizeof(text), "is unknown here; did you mean \"%s\"?", near.best);
    } else {
        at = (size_t)snprintf(text, sizeof(text), "is unknown here; allowed are");
        for (uint32_t i = schema_firsts[v->section]; i < schema_firsts[v->section + 1]; i++) {
            int len = snprintf(text + at, sizeof(text) - at, "%s %s",
                               i == schema_firsts[v->section] ? "" : ",", schema_keys[i].name);

            at += len > 0 && (size_t)len < sizeof(text) - at ? (size_t)len : 0;
        }
    }
    load_problem_at(l, false, l->doc.nodes[key_node].start, path, text);
}

static void read_member(struct load *l, struct schema_values *v, uint32_t key_node)
{
    struct slice name = json_text(&l->doc, key_node);

    for (uint32_t i = schema_firsts[v->section]; i < schema_firsts[v->section + 1]; i++) {
        struct schema_value *value = &v->values[i - schema_firsts[v->section]];

        if (!slice_eq_cstr(name, schema_keys[i].name)) {
            continue;
        }
        if (value->key_node != JSON_NONE) {
            char path[LOAD_PATH_BYTES];

            load_path(path, &v->where, schema_keys[i].name, -1);
            load_problem_at(l, false, l->doc.nodes[key_node].start, path,
                            "is written twice; one of the two must go");
            return;
        }
        value->key_node = key_node;
        value->node = key_node + 1;
        schema_read_value(l, v, (enum schema_key_idx)i, value);
        return;
    }
    unknown_key(l, v, key_node);
}

bool schema_read(struct load *l, uint32_t node, enum schema_section section,
                 const struct load_where *where, struct schema_values *out)
{
    uint32_t first = schema_firsts[section];
    uint32_t count = schema_firsts[section + 1] - first;

    ASSERT(count <= SCHEMA_KEYS_MAX);
    out->where = *where;
    out->node = node;
    out->section = section;
    for (uint32_t i = 0; i < count; i++) {
        set_fallback(&schema_keys[first + i], &out->values[i]);
    }
    if (node != JSON_NONE && json_kind_of(&l->doc, node) != JSON_OBJECT) {
        char path[LOAD_PATH_BYTES];
        char text[SCHEMA_PROBLEM_BYTES];

        load_path(path, where, NULL, -1);
        (void)snprintf(text, sizeof(text), "must be an object, { ... }, not %s",
                       json_kind_text(json_kind_of(&l->doc, node)));
        load_problem_at(l, false, l->doc.nodes[node].start, path, text);
        return false;
    }
    for (uint32_t at = node + 1; node != JSON_NONE && at < l->doc.nodes[node].next;
         at = l->doc.nodes[at + 1].next) {
        read_member(l, out, at);
    }
    /* An absent section was asked for one level up. */
    for (uint32_t i = 0; node != JSON_NONE && i < count; i++) {
        const struct schema_key *key = &schema_keys[first + i];

        if ((key->flags & SCHEMA_REQUIRED) && out->values[i].key_node == JSON_NONE) {
            out->values[i].is_good = false;
            schema_error(l, out, (enum schema_key_idx)(first + i), "is missing");
        }
    }
    return true;
}

bool schema_next_text(const struct load *l, const struct schema_value *value, uint32_t *node,
                      uint32_t *element, struct slice *text)
{
    uint32_t end;
    uint32_t at;

    if (value->node == JSON_NONE || !value->is_good) {
        return false;
    }
    end = l->doc.nodes[value->node].next;
    if (*node == JSON_NONE) {
        at = value->node + 1;
        *element = 0;
    } else {
        at = l->doc.nodes[*node].next;
        (*element)++;
    }
    while (at < end && (json_kind_of(&l->doc, at) != JSON_TEXT || json_text(&l->doc, at).len == 0 ||
                        schema_has_control(json_text(&l->doc, at)))) {
        at = l->doc.nodes[at].next;
        (*element)++;
    }
    *node = at;
    if (at >= end) {
        return false;
    }
    *text = json_text(&l->doc, at);
    return true;
}
