/* SPDX-License-Identifier: GPL-2.0-or-later */
/* props: properties set, read and compared. Their way out is props_write.c. */
#include "policy/props.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/err.h"
#include "base/utf8.h"
#include "policy/quote.h"
#include "policy/suggest.h"

/* Where the old product's name is not the key in capitals without underscores. */
static const char *const old_names[][2] = {
    {"type", "PartnerType"},
    {"tls", "TlsNegotiation"},
    {"sasl", "SaslNegotiation"},
    {"dialback", "SupportDialbackNegotiation"},
    {"keepalive", "EnableKeepAlive"},
    {"keepalive_interval_s", "KeepAliveInterval"},
    {"log_message_bodies", "EnableLoggingAllMessageBodies"},
    {"dialback_secret", "DialbackPassphrase"},
    {"xmpp", "EnableXmppAccess"},
    {"sip_federation", "EnableFederationAccess"},
};

PRINTF_LIKE(2, 3)
static int refuse(char *why, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(why, PROPS_WHY_BYTES, fmt, args);
    va_end(args);
    return ERR_CONFIG;
}

/* --- names --- */

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* "not_supported" -> "NotSupported" */
static const char *capitals(struct slice name, char out[PROPS_NAME_BYTES])
{
    bool is_first = true;
    size_t len = 0;

    for (size_t i = 0; i < name.len && len + 1 < PROPS_NAME_BYTES; i++) {
        if (name.ptr[i] == '_') {
            is_first = true;
            continue;
        }
        out[len++] = is_first ? upper(name.ptr[i]) : name.ptr[i];
        is_first = false;
    }
    out[len] = 0;
    return out;
}

const char *props_old_choice(const char *choice, char out[PROPS_NAME_BYTES])
{
    return capitals(slice_from_cstr(choice), out);
}

const char *props_old_name(enum schema_key_idx key, char out[PROPS_NAME_BYTES])
{
    struct slice name = slice_from_cstr(schema_key_at(key)->name);

    for (uint32_t i = 0; i < ARRAY_COUNT(old_names); i++) {
        if (slice_eq_cstr(name, old_names[i][0])) {
            (void)snprintf(out, PROPS_NAME_BYTES, "%s", old_names[i][1]);
            return out;
        }
    }
    if (slice_ends(name, SLICE_LIT("_s"))) {
        name.len -= 2; /* the old names have no units */
    }
    return capitals(name, out);
}

enum schema_key_idx props_first_key(enum schema_section section)
{
    uint32_t key = 0;

    while (schema_key_at((enum schema_key_idx)key)->section != section) {
        key++;
    }
    return (enum schema_key_idx)key;
}

bool props_is_key_of(enum schema_key_idx key, enum schema_section section)
{
    const struct schema_key *k = schema_key_at(key);

    return k && k->section == section;
}

static bool is_plain(enum schema_key_idx key)
{
    enum schema_kind kind = schema_key_at(key)->kind;

    return kind != SCHEMA_OBJECT && kind != SCHEMA_LIST && kind != SCHEMA_MAP;
}

/* The plain key at or behind key; false at the section's end. */
static bool next_plain(enum schema_section section, enum schema_key_idx *key)
{
    while (props_is_key_of(*key, section)) {
        if (is_plain(*key)) {
            return true;
        }
        *key = (enum schema_key_idx)(*key + 1);
    }
    return false;
}

/* As the file spells it: asked for each member of a million partners. */
static bool find_exact(enum schema_section section, struct slice name, enum schema_key_idx *key)
{
    for (*key = props_first_key(section); next_plain(section, key);
         *key = (enum schema_key_idx)(*key + 1)) {
        if (slice_eq_cstr(name, schema_key_at(*key)->name)) {
            return true;
        }
    }
    return false;
}

bool props_find(enum schema_section section, struct slice name, enum schema_key_idx *key)
{
    char old[PROPS_NAME_BYTES];

    if (section == SECTION_partner && slice_eq_nocase(name, SLICE_LIT("Identity"))) {
        *key = KEY_partner_domain;
        return true;
    }
    if (find_exact(section, name, key)) {
        return true;
    }
    for (*key = props_first_key(section); next_plain(section, key);
         *key = (enum schema_key_idx)(*key + 1)) {
        if (slice_eq_nocase(name, slice_from_cstr(schema_key_at(*key)->name)) ||
            slice_eq_nocase(name, slice_from_cstr(props_old_name(*key, old)))) {
            return true;
        }
    }
    return false;
}

const char *props_suggest(enum schema_section section, struct slice name,
                          char out[PROPS_NAME_BYTES])
{
    char names[2 * SCHEMA_KEYS_MAX][PROPS_NAME_BYTES];
    struct suggest near = {.word = name};
    enum schema_key_idx key;
    uint32_t count = 0;

    for (key = props_first_key(section); next_plain(section, &key);
         key = (enum schema_key_idx)(key + 1)) {
        (void)snprintf(names[count], PROPS_NAME_BYTES, "%s", schema_key_at(key)->name);
        (void)props_old_name(key, names[count + 1]);
        suggest_consider(&near, names[count]);
        suggest_consider(&near, names[count + 1]);
        count += 2;
    }
    if (!near.best) {
        return NULL;
    }
    (void)snprintf(out, PROPS_NAME_BYTES, "%s", near.best);
    return out;
}

/* --- setting --- */

void props_init(struct props *p, enum schema_section section, struct arena *arena)
{
    *p = (struct props){.section = section, .first = props_first_key(section), .arena = arena};
}

struct prop *props_get(struct props *p, enum schema_key_idx key)
{
    ASSERT(props_is_key_of(key, p->section) && is_plain(key));
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
    return refuse(why, "%s must be one of %s, not %.80s%s%s%s", key->name, choices,
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
        return refuse(why, "%s must be true or false, not %.120s", key->name, quote(value).text);
    }
    return 0;
}

/* Text that a configuration may hold. Secrets are not shown. */
static int check_text(const struct schema_key *key, struct slice value, char *why)
{
    if (!utf8_is_valid(value)) {
        return refuse(why, "%s is not UTF-8", key->name);
    }
    for (size_t i = 0; i < value.len; i++) {
        if ((unsigned char)value.ptr[i] < 0x20 || value.ptr[i] == 0x7f) {
            return refuse(why, "%s holds a control character; printable text is allowed",
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
            return refuse(why, "%s must be a whole number, not %.120s", key->name,
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
        return refuse(why, "%s is no list: write %s=VALUE", key->name, key->name);
    }
    if (value.len == 0) {
        return refuse(why, "%s: an element is empty", key->name);
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
        return refuse(why, "%s is no list: write %s= to take it away", key->name, key->name);
    }
    at = find_element(prop, value);
    if (at == prop->count) {
        return refuse(why, "%s does not hold %.200s", key->name, quote(value).text);
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

/* --- reading --- */

static int read_list(struct props *p, enum schema_key_idx idx, const struct json_doc *doc,
                     uint32_t node, char *why)
{
    int err = 0;

    if (json_kind_of(doc, node) != JSON_LIST) {
        return refuse(why, "%s must be a list of texts, [\"...\"], not %s",
                      schema_key_at(idx)->name, json_kind_text(json_kind_of(doc, node)));
    }
    props_get(p, idx)->is_written = true;
    for (uint32_t at = node + 1; at < doc->nodes[node].next && !err; at = doc->nodes[at].next) {
        if (json_kind_of(doc, at) != JSON_TEXT) {
            return refuse(why, "%s: every element must be a text in quotes, not %s",
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
        return refuse(why, "%s cannot be %s", key->name, json_kind_text(kind));
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
        return refuse(why, "an object, {...}, is expected, not %s",
                      json_kind_text(json_kind_of(doc, node)));
    }
    for (uint32_t at = node + 1; at < doc->nodes[node].next && !err; at = doc->nodes[at + 1].next) {
        struct slice name = json_text(doc, at);
        enum schema_key_idx key;

        if (!find_exact(p->section, name, &key)) {
            return refuse(why, "%s is no key of this object", quote(name).text);
        }
        if (props_get(p, key)->is_written) {
            return refuse(why, "%s stands there twice", schema_key_at(key)->name);
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
    for (; next_plain(a->section, &key); key = (enum schema_key_idx)(key + 1)) {
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
