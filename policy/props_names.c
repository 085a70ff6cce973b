/* SPDX-License-Identifier: GPL-2.0-or-later */
/* props_names: a property's name and a choice's in the file's spelling and in the old product's. */
#include <stdio.h>

#include "base/ascii.h"
#include "base/check.h"
#include "policy/props_int.h"
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

bool props_is_plain(enum schema_key_idx key)
{
    enum schema_kind kind = schema_key_at(key)->kind;

    return kind != SCHEMA_OBJECT && kind != SCHEMA_LIST && kind != SCHEMA_MAP;
}

bool props_next_plain(enum schema_section section, enum schema_key_idx *key)
{
    while (props_is_key_of(*key, section)) {
        if (props_is_plain(*key)) {
            return true;
        }
        *key = (enum schema_key_idx)(*key + 1);
    }
    return false;
}

bool props_find_exact(enum schema_section section, struct slice name, enum schema_key_idx *key)
{
    for (*key = props_first_key(section); props_next_plain(section, key);
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
    if (props_find_exact(section, name, key)) {
        return true;
    }
    for (*key = props_first_key(section); props_next_plain(section, key);
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

    for (key = props_first_key(section); props_next_plain(section, &key);
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
