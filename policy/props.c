/* SPDX-License-Identifier: GPL-2.0-or-later */
/* props: properties set. Their names are props_names.c's; props_read.c reads them from the file,
 * props_write.c is their way out. */
#include "policy/props.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/err.h"
#include "base/utf8.h"
#include "policy/props_int.h"
#include "policy/quote.h"
#include "policy/suggest.h"

int props_refuse(char *why, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(why, PROPS_WHY_BYTES, fmt, args);
    va_end(args);
    return ERR_CONFIG;
}

void props_init(struct props *p, enum schema_section section, struct arena *arena)
{
    *p = (struct props){.section = section, .first = props_first_key(section), .arena = arena};
}

struct prop *props_get(struct props *p, enum schema_key_idx key)
{
    ASSERT(props_is_key_of(key, p->section) && props_is_plain(key));
    return &p->values[(uint32_t)key - (uint32_t)p->first];
}

/* Without regard to case and underscores: "NotSupported" is "not_supported". */
static bool is_choice(struct slice value, const char *choice)
{
    size_t at = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '_') {
            continue;
        }
        at += choice[at] == '_';
        if (choice[at] == 0 || ascii_lower(value.ptr[i]) != choice[at]) {
            return false;
        }
        at++;
    }
    return value.len > 0 && choice[at] == 0;
}

static int set_choice(const struct schema_key *key, struct prop *prop, struct slice value,
                      char *why)
{
    char choices[160] = "";
    struct suggest near = {.word = value};
    size_t len = 0;

    for (uint32_t i = 0; key->choices[i]; i++) {
        int more;

        if (is_choice(value, key->choices[i])) {
            prop->text = slice_from_cstr(key->choices[i]);
            return 0;
        }
        suggest_consider(&near, key->choices[i]);
        more = snprintf(choices + len, sizeof(choices) - len, "%s%s", len ? ", " : "",
                        key->choices[i]);
        len += more > 0 && (size_t)more < sizeof(choices) - len ? (size_t)more : 0;
    }
    return props_refuse(why, "%s must be one of %s, not %.80s%s%s%s", key->name, choices,
                        quote(value).text, near.best ? "; did you mean \"" : "",
                        near.best ? near.best : "", near.best ? "\"?" : "");
}

static int set_bool(const struct schema_key *key, struct prop *prop, struct slice value, char *why)
{
    struct slice word = slice_starts(value, SLICE_LIT("$")) ? slice_from(value, 1) : value;

    if (slice_eq_nocase(word, SLICE_LIT("true"))) {
        prop->text = SLICE_LIT("true");
    } else if (slice_eq_nocase(word, SLICE_LIT("false"))) {
        prop->text = SLICE_LIT("false");
    } else {
        return props_refuse(why, "%s must be true or false, not %.120s", key->name,
                            quote(value).text);
    }
    return 0;
}

/* Text that a configuration may hold. Secrets are not shown. */
static int check_text(const struct schema_key *key, struct slice value, char *why)
{
    if (!utf8_is_valid(value)) {
        return props_refuse(why, "%s is not UTF-8", key->name);
    }
    for (size_t i = 0; i < value.len; i++) {
        if ((unsigned char)value.ptr[i] < 0x20 || value.ptr[i] == 0x7f) {
            return props_refuse(why, "%s holds a control character; printable text is allowed",
                                key->name);
        }
    }
    return 0;
}

static int set_scalar(struct props *p, const struct schema_key *key, struct prop *prop,
                      struct slice value, char *why)
{
    uint64_t number;

    if (key->kind == SCHEMA_CHOICE) {
        return set_choice(key, prop, value, why);
    }
    if (key->kind == SCHEMA_BOOL) {
        return set_bool(key, prop, value, why);
    }
    if (key->kind == SCHEMA_NUMBER) {
        char digits[24];
        int len;

        if (!slice_parse_u64(value, &number)) {
            return props_refuse(why, "%s must be a whole number, not %.120s", key->name,
                                quote(value).text);
        }
        len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
        prop->text = arena_slice(p->arena, slice_make(digits, (size_t)len));
        return 0;
    }
    prop->text = arena_slice(p->arena, value);
    return 0;
}

int props_set(struct props *p, enum schema_key_idx idx, struct slice value,
              char why[PROPS_WHY_BYTES])
{
    const struct schema_key *key = schema_key_at(idx);
    struct prop *prop = props_get(p, idx);
    struct slice element;
    bool more = true;
    int err = check_text(key, value, why);

    if (err) {
        return err;
    }
    if (value.len == 0) {
        props_clear(p, idx);
        return 0;
    }
    if (key->kind != SCHEMA_TEXTS) {
        err = set_scalar(p, key, prop, value, why);
        prop->is_written = prop->is_written || !err;
        return err;
    }
    prop->count = 0;
    while (more && !err) {
        more = slice_cut(&value, ',', &element);
        err = props_add(p, idx, slice_trim(element), why);
    }
    return err;
}

static uint32_t find_element(const struct prop *prop, struct slice value)
{
    uint32_t i = 0;

    while (i < prop->count && !slice_eq_nocase(prop->list[i], value)) {
        i++;
    }
    return i;
}

int props_add(struct props *p, enum schema_key_idx idx, struct slice value,
              char why[PROPS_WHY_BYTES])
{
    const struct schema_key *key = schema_key_at(idx);
    struct prop *prop = props_get(p, idx);

    if (key->kind != SCHEMA_TEXTS) {
        return props_refuse(why, "%s is no list: write %s=VALUE", key->name, key->name);
    }
    if (value.len == 0) {
        return props_refuse(why, "%s: an element is empty", key->name);
    }
    if (check_text(key, value, why) != 0) {
        return ERR_CONFIG;
    }
    prop->is_written = true;
    if (find_element(prop, value) < prop->count) {
        return 0;
    }
    if (prop->count == prop->cap) {
        uint32_t cap = prop->cap ? prop->cap * 2 : 4;
        struct slice *list = arena_zalloc(p->arena, cap * sizeof(*list));

        for (uint32_t i = 0; i < prop->count; i++) {
            list[i] = prop->list[i];
        }
        prop->list = list;
        prop->cap = cap;
    }
    prop->list[prop->count++] = arena_slice(p->arena, value);
    return 0;
}

int props_remove(struct props *p, enum schema_key_idx idx, struct slice value,
                 char why[PROPS_WHY_BYTES])
{
    const struct schema_key *key = schema_key_at(idx);
    struct prop *prop = props_get(p, idx);
    uint32_t at;

    if (key->kind != SCHEMA_TEXTS) {
        return props_refuse(why, "%s is no list: write %s= to take it away", key->name, key->name);
    }
    at = find_element(prop, value);
    if (at == prop->count) {
        return props_refuse(why, "%s does not hold %.200s", key->name, quote(value).text);
    }
    prop->count--;
    for (; at < prop->count; at++) {
        prop->list[at] = prop->list[at + 1];
    }
    return 0;
}

void props_clear(struct props *p, enum schema_key_idx key)
{
    *props_get(p, key) = (struct prop){0};
}

void props_set_none(struct props *p, enum schema_key_idx key)
{
    ASSERT(schema_key_at(key)->kind == SCHEMA_TEXTS);
    props_clear(p, key);
    props_get(p, key)->is_written = true;
}
