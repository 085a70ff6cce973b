/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schema_problem: what is wrong with a key, an element or a value, and where that stands. */
#include <stdarg.h>
#include <stdio.h>

#include "policy/quote.h"
#include "policy/schema_int.h"

static uint32_t offset_of(const struct load *l, const struct schema_values *v,
                          const struct schema_value *value)
{
    if (value && value->node != JSON_NONE) {
        return l->doc.nodes[value->node].start;
    }
    if (value && value->key_node != JSON_NONE) {
        return l->doc.nodes[value->key_node].start;
    }
    return v->node != JSON_NONE ? l->doc.nodes[v->node].start : l->doc.nodes[0].start;
}

PRINTF_LIKE(5, 0)
static void problem(struct load *l, bool is_warning, uint32_t offset, const char *path,
                    const char *fmt, va_list args)
{
    char text[SCHEMA_PROBLEM_BYTES] = "";

    if (!load_is_full(l, is_warning)) {
        (void)vsnprintf(text, sizeof(text), fmt, args);
    }
    load_problem_at(l, is_warning, offset, path, text);
}

void schema_error(struct load *l, const struct schema_values *v, enum schema_key_idx key,
                  const char *fmt, ...)
{
    char path[LOAD_PATH_BYTES];
    va_list args;

    load_path(path, &v->where, schema_keys[key].name, -1);
    va_start(args, fmt);
    problem(l, false, offset_of(l, v, schema_get(v, key)), path, fmt, args);
    va_end(args);
}

void schema_warning(struct load *l, const struct schema_values *v, enum schema_key_idx key,
                    const char *fmt, ...)
{
    char path[LOAD_PATH_BYTES];
    va_list args;

    load_path(path, &v->where, schema_keys[key].name, -1);
    va_start(args, fmt);
    problem(l, true, offset_of(l, v, schema_get(v, key)), path, fmt, args);
    va_end(args);
}

void schema_element_error(struct load *l, const struct schema_values *v, enum schema_key_idx key,
                          uint32_t element, uint32_t node, const char *fmt, ...)
{
    char path[LOAD_PATH_BYTES];
    va_list args;

    load_path(path, &v->where, schema_keys[key].name, (int32_t)element);
    va_start(args, fmt);
    problem(l, false, l->doc.nodes[node].start, path, fmt, args);
    va_end(args);
}

void schema_element_warning(struct load *l, const struct schema_values *v, enum schema_key_idx key,
                            uint32_t element, uint32_t node, const char *fmt, ...)
{
    char path[LOAD_PATH_BYTES];
    va_list args;

    load_path(path, &v->where, schema_keys[key].name, (int32_t)element);
    va_start(args, fmt);
    problem(l, true, l->doc.nodes[node].start, path, fmt, args);
    va_end(args);
}

struct quoted schema_describe(const struct load *l, const struct schema_key *key, uint32_t node)
{
    enum json_kind kind = json_kind_of(&l->doc, node);
    struct quoted out;

    if ((key->flags & SCHEMA_SECRET) && kind != JSON_NULL) {
        (void)snprintf(out.text, sizeof(out.text), "what is written");
    } else if (kind == JSON_TEXT) {
        struct quoted text = quote(json_text(&l->doc, node));

        (void)snprintf(out.text, sizeof(out.text), "the text %.500s", text.text);
    } else if (kind == JSON_NUMBER) {
        (void)snprintf(out.text, sizeof(out.text), "%.*s",
                       SLICE_FMT(slice_to(json_text(&l->doc, node), 32)));
    } else {
        (void)snprintf(out.text, sizeof(out.text), "%s", json_kind_text(kind));
    }
    return out;
}
