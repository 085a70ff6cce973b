/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schema: one object against one section. */
#include "policy/schema.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/utf8.h"
#include "policy/quote.h"
#include "policy/suggest.h"

#define PROBLEM_BYTES 1024u

static const char *const backend_choices[] = {"wolfssl", "mbedtls", NULL};
static const char *const ktls_choices[] = {"auto", "require", "off", NULL};
static const char *const version_choices[] = {"1.2", "1.3", NULL};
static const char *const resumption_choices[] = {"off", "accept", "on", NULL};
static const char *const hop_choices[] = {"sip", "component", NULL};
static const char *const profile_choices[] = {"simple", "lync", NULL};
static const char *const type_choices[] = {"federated", "public_verified", "public_unverified",
                                           NULL};
static const char *const level_choices[] = {"required", "optional", "not_supported", NULL};
static const char *const acks_choices[] = {"auto", "sm", "ping", "off", NULL};
static const char *const log_choices[] = {"error", "warn", "info", "debug", NULL};

#define REQUIRED SCHEMA_REQUIRED
#define NULLABLE SCHEMA_NULLABLE
#define SECRET   SCHEMA_SECRET
#define ZERO_OFF SCHEMA_ZERO_OFF
#define LATER    SCHEMA_LATER

static const struct schema_key keys[] = {
#define SECTION(name)
#define KEY(section, key, kind, flags, min, max, number, text, choices)                            \
    {#key, SECTION_##section, SCHEMA_##kind, (flags), (min), (max), (number), (text), (choices)},
#include "policy/config.def"
#undef SECTION
#undef KEY
};

static const uint32_t firsts[] = {
#define SECTION(name) (uint32_t) KEY_first_##name,
#define KEY(section, key, kind, flags, min, max, number, text, choices)
#include "policy/config.def"
#undef SECTION
#undef KEY
    KEY_COUNT,
};

#undef REQUIRED
#undef NULLABLE
#undef SECRET
#undef ZERO_OFF
#undef LATER

/* The names of the product being replaced, for those who write the file by hand from its output;
 * and those of another section, too far apart for the spelling to tell. */
static const char *const old_names[][2] = {
    {"Identity", "domain"},
    {"Domain", "domain"},
    {"AdditionalDomains", "additional_domains"},
    {"PartnerType", "type"},
    {"TlsNegotiation", "tls"},
    {"SaslNegotiation", "sasl"},
    {"SupportDialbackNegotiation", "dialback"},
    {"EnableKeepAlive", "keepalive"},
    {"ConnectionLimit", "connection_limit"},
    {"ProxyFqdn", "proxy_fqdn"},
    {"SuffixMatch", "suffix_match"},
    {"StanzaRateMax", "stanza_rate_max"},
    {"StanzaBurst", "stanza_burst"},
    {"ByteRateMax", "byte_rate_max"},
    {"ByteBurst", "byte_burst"},
    {"StanzaBytesMax", "stanza_bytes_max"},
    {"AllowedUsers", "allowed_users"},
    {"EnableXmppAccess", "xmpp"},
    {"EnableFederationAccess", "sip_federation"},
    {"PartnerConnectionLimit", "partner_connection_limit"},
    {"DialbackPassphrase", "dialback_secret"},
    {"EnableLoggingAllMessageBodies", "log_message_bodies"},
    {"KeepAliveInterval", "keepalive_interval_s"},
    {"StreamEstablishmentTimeout", "stream_establishment_timeout_s"},
    {"StreamInactivityTimeout", "stream_inactivity_timeout_s"},
    {"SubscriptionRefreshInterval", "subscription_refresh_interval_s"},
    {"min_tls_version", "min_version"},
    {"min_version", "min_tls_version"},
};

const struct schema_key *schema_key_at(enum schema_key_idx key)
{
    return (uint32_t)key < ARRAY_COUNT(keys) ? &keys[key] : NULL;
}

const struct schema_value *schema_get(const struct schema_values *v, enum schema_key_idx key)
{
    ASSERT(keys[key].section == v->section);
    return &v->values[(uint32_t)key - firsts[v->section]];
}

/* --- problems --- */

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
    char text[PROBLEM_BYTES] = "";

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

    load_path(path, &v->where, keys[key].name, -1);
    va_start(args, fmt);
    problem(l, false, offset_of(l, v, schema_get(v, key)), path, fmt, args);
    va_end(args);
}

void schema_warning(struct load *l, const struct schema_values *v, enum schema_key_idx key,
                    const char *fmt, ...)
{
    char path[LOAD_PATH_BYTES];
    va_list args;

    load_path(path, &v->where, keys[key].name, -1);
    va_start(args, fmt);
    problem(l, true, offset_of(l, v, schema_get(v, key)), path, fmt, args);
    va_end(args);
}

void schema_element_error(struct load *l, const struct schema_values *v, enum schema_key_idx key,
                          uint32_t element, uint32_t node, const char *fmt, ...)
{
    char path[LOAD_PATH_BYTES];
    va_list args;

    load_path(path, &v->where, keys[key].name, (int32_t)element);
    va_start(args, fmt);
    problem(l, false, l->doc.nodes[node].start, path, fmt, args);
    va_end(args);
}

void schema_element_warning(struct load *l, const struct schema_values *v, enum schema_key_idx key,
                            uint32_t element, uint32_t node, const char *fmt, ...)
{
    char path[LOAD_PATH_BYTES];
    va_list args;

    load_path(path, &v->where, keys[key].name, (int32_t)element);
    va_start(args, fmt);
    problem(l, true, l->doc.nodes[node].start, path, fmt, args);
    va_end(args);
}

/* What stands there, for "..., not X": quoted text, the number itself, or the kind. */
static struct quoted describe(const struct load *l, const struct schema_key *key, uint32_t node)
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

/* --- values --- */

static void join_choices(const struct schema_key *key, char *out, size_t out_bytes)
{
    size_t at = 0;

    out[0] = 0;
    for (uint32_t i = 0; key->choices[i]; i++) {
        const char *glue = i == 0 ? "" : key->choices[i + 1] ? ", " : " or ";
        int len = snprintf(out + at, out_bytes - at, "%s\"%s\"", glue, key->choices[i]);

        if (len < 0 || (size_t)len >= out_bytes - at) {
            return;
        }
        at += (size_t)len;
    }
}

static void read_number(struct load *l, const struct schema_values *v, enum schema_key_idx idx,
                        struct schema_value *value)
{
    const struct schema_key *key = &keys[idx];
    uint64_t number;

    if (json_kind_of(&l->doc, value->node) == JSON_NUMBER &&
        slice_parse_u64(json_text(&l->doc, value->node), &number) &&
        ((number >= key->min && number <= key->max) ||
         (number == 0 && (key->flags & SCHEMA_ZERO_OFF)))) {
        value->number = number;
        value->is_good = true;
        return;
    }
    schema_error(l, v, idx, "must be a whole number from %llu to %llu%s%s, not %s",
                 (unsigned long long)key->min, (unsigned long long)key->max,
                 (key->flags & SCHEMA_ZERO_OFF) ? ", or 0 for off" : "",
                 (key->flags & SCHEMA_NULLABLE) ? ", or null" : "",
                 describe(l, key, value->node).text);
}

static void read_choice(struct load *l, const struct schema_values *v, enum schema_key_idx idx,
                        struct schema_value *value)
{
    const struct schema_key *key = &keys[idx];
    char allowed[256];
    struct suggest near = {0};

    if (json_kind_of(&l->doc, value->node) == JSON_TEXT) {
        near.word = json_text(&l->doc, value->node);
        for (uint32_t i = 0; key->choices[i]; i++) {
            if (slice_eq_cstr(near.word, key->choices[i])) {
                value->number = i;
                value->is_good = true;
                return;
            }
            suggest_consider(&near, key->choices[i]);
        }
    }
    join_choices(key, allowed, sizeof(allowed));
    schema_error(l, v, idx, "must be %s%s, not %s%s%s%s", allowed,
                 (key->flags & SCHEMA_NULLABLE) ? ", or null" : "",
                 describe(l, key, value->node).text, near.best ? "; did you mean \"" : "",
                 near.best ? near.best : "", near.best ? "\"?" : "");
}

static bool has_control(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static void read_text(struct load *l, const struct schema_values *v, enum schema_key_idx idx,
                      struct schema_value *value)
{
    const struct schema_key *key = &keys[idx];
    struct slice text;

    if (json_kind_of(&l->doc, value->node) != JSON_TEXT) {
        schema_error(l, v, idx, "must be a text in quotes%s, not %s",
                     (key->flags & SCHEMA_NULLABLE) ? ", or null" : "",
                     describe(l, key, value->node).text);
        return;
    }
    text = json_text(&l->doc, value->node);
    if (text.len < key->min || text.len > key->max) {
        schema_error(l, v, idx, "has %zu bytes; %llu to %llu are allowed", text.len,
                     (unsigned long long)key->min, (unsigned long long)key->max);
        return;
    }
    if (has_control(text)) {
        schema_error(l, v, idx, "holds a control character; printable text is allowed");
        return;
    }
    value->text = text;
    value->is_good = true;
}

static void read_bool(struct load *l, const struct schema_values *v, enum schema_key_idx idx,
                      struct schema_value *value)
{
    enum json_kind kind = json_kind_of(&l->doc, value->node);

    if (kind == JSON_TRUE || kind == JSON_FALSE) {
        value->number = kind == JSON_TRUE;
        value->is_good = true;
        return;
    }
    schema_error(l, v, idx, "must be true or false, not %s",
                 describe(l, &keys[idx], value->node).text);
}

static void read_texts(struct load *l, const struct schema_values *v, enum schema_key_idx idx,
                       struct schema_value *value)
{
    uint32_t element = 0;
    uint32_t end;

    if (json_kind_of(&l->doc, value->node) != JSON_LIST) {
        schema_error(l, v, idx, "must be a list of texts, [\"...\"], not %s",
                     describe(l, &keys[idx], value->node).text);
        return;
    }
    value->is_good = true;
    end = l->doc.nodes[value->node].next;
    for (uint32_t at = value->node + 1; at < end; at = l->doc.nodes[at].next) {
        if (json_kind_of(&l->doc, at) != JSON_TEXT) {
            schema_element_error(l, v, idx, element, at, "must be a text in quotes, not %s",
                                 describe(l, &keys[idx], at).text);
        } else if (json_text(&l->doc, at).len == 0 || has_control(json_text(&l->doc, at))) {
            schema_element_error(l, v, idx, element, at, "is empty or holds a control character");
        }
        element++;
    }
}

static void read_nested(struct load *l, const struct schema_values *v, enum schema_key_idx idx,
                        struct schema_value *value)
{
    enum json_kind wanted = keys[idx].kind == SCHEMA_LIST ? JSON_LIST : JSON_OBJECT;

    if (json_kind_of(&l->doc, value->node) == wanted) {
        value->is_good = true;
        return;
    }
    schema_error(l, v, idx, "must be %s, not %s",
                 wanted == JSON_LIST ? "a list, [ ... ]" : "an object, { ... }",
                 describe(l, &keys[idx], value->node).text);
    value->node = JSON_NONE;
}

/* A setting that is silently without effect would be a lie. */
static void warn_later(struct load *l, const struct schema_values *v, enum schema_key_idx idx,
                       const struct schema_value *value)
{
    const struct schema_key *key = &keys[idx];

    if (value->is_good && (key->flags & SCHEMA_LATER) &&
        (value->number != key->number || !slice_eq(value->text, slice_from_cstr(key->text)))) {
        schema_warning(l, v, idx, "is accepted, but has no effect in this release");
    }
}

static void read_value(struct load *l, const struct schema_values *v, enum schema_key_idx idx,
                       struct schema_value *value)
{
    if (json_kind_of(&l->doc, value->node) == JSON_NULL && (keys[idx].flags & SCHEMA_NULLABLE)) {
        value->node = JSON_NONE;
        return;
    }
    value->is_good = false;
    switch (keys[idx].kind) {
    case SCHEMA_TEXT:
        read_text(l, v, idx, value);
        break;
    case SCHEMA_NUMBER:
        read_number(l, v, idx, value);
        break;
    case SCHEMA_BOOL:
        read_bool(l, v, idx, value);
        break;
    case SCHEMA_CHOICE:
        read_choice(l, v, idx, value);
        break;
    case SCHEMA_TEXTS:
        read_texts(l, v, idx, value);
        break;
    case SCHEMA_OBJECT:
    case SCHEMA_LIST:
    case SCHEMA_MAP:
        read_nested(l, v, idx, value);
        break;
    }
    warn_later(l, v, idx, value);
}

/* --- objects --- */

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
    char text[PROBLEM_BYTES];
    struct quoted name;
    size_t at;

    if (load_is_full(l, false)) {
        load_problem_at(l, false, 0, "", "");
        return;
    }
    for (uint32_t i = firsts[v->section]; i < firsts[v->section + 1]; i++) {
        suggest_consider(&near, keys[i].name);
        for (uint32_t j = 0; j < ARRAY_COUNT(old_names); j++) {
            if (slice_eq_nocase(near.word, slice_from_cstr(old_names[j][0])) &&
                strcmp(old_names[j][1], keys[i].name) == 0) {
                near.best = keys[i].name;
                near.best_distance = 0;
            }
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
        for (uint32_t i = firsts[v->section]; i < firsts[v->section + 1]; i++) {
            int len = snprintf(text + at, sizeof(text) - at, "%s %s",
                               i == firsts[v->section] ? "" : ",", keys[i].name);

            at += len > 0 && (size_t)len < sizeof(text) - at ? (size_t)len : 0;
        }
    }
    load_problem_at(l, false, l->doc.nodes[key_node].start, path, text);
}

static void read_member(struct load *l, struct schema_values *v, uint32_t key_node)
{
    struct slice name = json_text(&l->doc, key_node);

    for (uint32_t i = firsts[v->section]; i < firsts[v->section + 1]; i++) {
        struct schema_value *value = &v->values[i - firsts[v->section]];

        if (!slice_eq_cstr(name, keys[i].name)) {
            continue;
        }
        if (value->key_node != JSON_NONE) {
            char path[LOAD_PATH_BYTES];

            load_path(path, &v->where, keys[i].name, -1);
            load_problem_at(l, false, l->doc.nodes[key_node].start, path,
                            "is written twice; one of the two must go");
            return;
        }
        value->key_node = key_node;
        value->node = key_node + 1;
        read_value(l, v, (enum schema_key_idx)i, value);
        return;
    }
    unknown_key(l, v, key_node);
}

bool schema_read(struct load *l, uint32_t node, enum schema_section section,
                 const struct load_where *where, struct schema_values *out)
{
    uint32_t first = firsts[section];
    uint32_t count = firsts[section + 1] - first;

    STATIC_ASSERT(ARRAY_COUNT(firsts) == SECTION_COUNT + 1, "one more for the end");
    ASSERT(count <= SCHEMA_KEYS_MAX);
    out->where = *where;
    out->node = node;
    out->section = section;
    for (uint32_t i = 0; i < count; i++) {
        set_fallback(&keys[first + i], &out->values[i]);
    }
    if (node != JSON_NONE && json_kind_of(&l->doc, node) != JSON_OBJECT) {
        char path[LOAD_PATH_BYTES];
        char text[PROBLEM_BYTES];

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
        const struct schema_key *key = &keys[first + i];

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
                        has_control(json_text(&l->doc, at)))) {
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
