/* SPDX-License-Identifier: GPL-2.0-or-later */
/* props: one object of the configuration (a partner, "gateway", a policy) as properties: what is
 * written, by key of config.def, with names and values in two spellings:
 *   the file's       tls, not_supported, true
 *   the old product's  TlsNegotiation, NotSupported, True ($true), without regard to case;
 *                    every key has one: "stanza_rate_max" is StanzaRateMax
 * The way between command line, import, export and the file. Values are kept as the file spells
 * them, without JSON's quotes. Ranges are not judged here but by config_load of the file that
 * results; the spelling of numbers, truth values and choices is.
 * Threads: one. Memory: the caller's arena. */
#ifndef FG_POLICY_PROPS_H
#define FG_POLICY_PROPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "policy/arena.h"
#include "policy/json.h"
#include "policy/schema.h"

#define PROPS_WHY_BYTES  320u
#define PROPS_NAME_BYTES 64u

struct prop {
    bool is_written;    /* also with an empty text or list; a JSON null is not written */
    struct slice text;  /* TEXT, CHOICE, NUMBER ("20"), BOOL ("true"); arena */
    struct slice *list; /* TEXTS; arena */
    uint32_t count;     /* of list */
    uint32_t cap;
};

struct props {
    enum schema_section section;
    enum schema_key_idx first; /* of the section */
    struct arena *arena;       /* borrowed */
    struct prop values[SCHEMA_KEYS_MAX];
};

/* --- names --- */

/* The key of section with this name in either spelling; false: unknown. Plain values only: no
 * objects, maps, lists of objects. "Identity" is a partner's domain. */
bool props_find(enum schema_section section, struct slice name, enum schema_key_idx *key);
/* What was probably meant, in the spelling that name has; NULL = nothing is near. In out. */
const char *props_suggest(enum schema_section section, struct slice name,
                          char out[PROPS_NAME_BYTES]);
/* "TlsNegotiation". */
const char *props_old_name(enum schema_key_idx key, char out[PROPS_NAME_BYTES]);
/* "NotSupported" of "not_supported". */
const char *props_old_choice(const char *choice, char out[PROPS_NAME_BYTES]);
/* First key of a section, and whether key is still in it: to walk a section's keys. */
enum schema_key_idx props_first_key(enum schema_section section);
bool props_is_key_of(enum schema_key_idx key, enum schema_section section);

/* --- values --- */

void props_init(struct props *p, enum schema_section section, struct arena *arena);
struct prop *props_get(struct props *p, enum schema_key_idx key);
/* Scalars: one value in either spelling. TEXTS: elements between commas replace the list. Empty
 * text: not written any more. ERR_CONFIG with why. */
NODISCARD int props_set(struct props *p, enum schema_key_idx key, struct slice value,
                        char why[PROPS_WHY_BYTES]);
/* TEXTS only: one element; present already: no change. */
NODISCARD int props_add(struct props *p, enum schema_key_idx key, struct slice value,
                        char why[PROPS_WHY_BYTES]);
/* Without regard to case; absent: ERR_CONFIG. */
NODISCARD int props_remove(struct props *p, enum schema_key_idx key, struct slice value,
                           char why[PROPS_WHY_BYTES]);
void props_clear(struct props *p, enum schema_key_idx key);
/* TEXTS: written, with no element ("allowed_users": [] lets nobody in, absent lets in all). */
void props_set_none(struct props *p, enum schema_key_idx key);
/* What is written in the object at node, its texts copied. Unknown keys, wrong kinds and ranges:
 * ERR_CONFIG with why. */
NODISCARD int props_read(struct props *p, const struct json_doc *doc, uint32_t node,
                         char why[PROPS_WHY_BYTES]);
/* What counts when the key is not written: the file's spelling; empty = nothing. */
struct slice props_default(enum schema_key_idx key, char out[PROPS_NAME_BYTES]);
/* Written with a value that is not the default (what has no default: written at all). */
bool props_is_special(const struct props *p, enum schema_key_idx key);
/* The same partner (policy, ...): all values equal, written or by default. */
bool props_eq(const struct props *a, const struct props *b);

/* --- out --- */

/* The value as JSON, e.g. "required" in quotes, 20, ["a", "b"]; it must be written. */
void props_value_write(const struct props *p, enum schema_key_idx key, struct buf *out);
/* The whole object for the file: a line per property, moved in by 4 blanks (edit.h moves the rest).
 * What is written; with special_only what is special, that is without written defaults. */
void props_write(const struct props *p, bool special_only, struct buf *out);
/* The object as ConvertTo-Json -EnumsAsStrings writes it, with all properties, defaults and (for a
 * partner) Identity; indent blanks before each line but the first; no line end at the end. Secrets
 * are written as null. */
void props_write_old(const struct props *p, uint32_t indent, struct buf *out);

#endif
