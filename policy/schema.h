/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schema: config.def as tables, and the reading of one JSON object against them: types, ranges,
 * choices, missing, unknown and duplicate keys, each reported through load.h.
 * Threads: control thread.                                                                       */
#ifndef FG_POLICY_SCHEMA_H
#define FG_POLICY_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"
#include "policy/load.h"

enum schema_kind {
    SCHEMA_TEXT,
    SCHEMA_NUMBER,
    SCHEMA_BOOL,
    SCHEMA_CHOICE,
    SCHEMA_TEXTS,
    SCHEMA_OBJECT,
    SCHEMA_LIST,
    SCHEMA_MAP,
};

#define SCHEMA_REQUIRED 1u
#define SCHEMA_NULLABLE 2u
#define SCHEMA_SECRET   4u
#define SCHEMA_ZERO_OFF 8u
#define SCHEMA_LATER    16u

enum schema_section {
#define SECTION(name) SECTION_##name,
#define KEY(section, key, kind, flags, min, max, number, text, choices)
#include "policy/config.def"
#undef SECTION
#undef KEY
    SECTION_COUNT
};

/* All keys of all sections in one row; a section's keys are contiguous. */
enum schema_key_idx {
/* clang-format off */
#define SECTION(name) KEY_first_##name, KEY_before_##name = KEY_first_##name - 1,
#define KEY(section, key, kind, flags, min, max, number, text, choices) KEY_##section##_##key,
/* clang-format on */
#include "policy/config.def"
#undef SECTION
#undef KEY
    KEY_COUNT
};

#define SCHEMA_KEYS_MAX 24u /* of one section */

struct schema_key {
    const char *name;
    enum schema_section section;
    enum schema_kind kind;
    uint32_t flags;
    uint64_t min;
    uint64_t max;
    uint64_t number; /* fallbacks */
    const char *text;
    const char *const *choices; /* NULL-terminated */
};

struct schema_value {
    uint32_t node;     /* the value in the document; JSON_NONE = not written (or null) */
    uint32_t key_node; /* JSON_NONE = not written */
    bool is_good;      /* written and valid, or absent and not required */
    uint64_t number;   /* NUMBER; BOOL; CHOICE: index */
    struct slice text; /* TEXT; borrowed from the document or static */
};

struct schema_values {
    struct load_where where;
    uint32_t node; /* the object; JSON_NONE = section absent, all fallbacks */
    enum schema_section section;
    struct schema_value values[SCHEMA_KEYS_MAX];
};

const struct schema_key *schema_key_at(enum schema_key_idx key);

/* Reads the object at node (JSON_NONE: absent) against section; false when node is no object. */
bool schema_read(struct load *l, uint32_t node, enum schema_section section,
                 const struct load_where *where, struct schema_values *out);
const struct schema_value *schema_get(const struct schema_values *v, enum schema_key_idx key);

static inline uint32_t schema_u32(const struct schema_values *v, enum schema_key_idx key)
{
    return (uint32_t)schema_get(v, key)->number;
}
static inline bool schema_is_written(const struct schema_values *v, enum schema_key_idx key)
{
    return schema_get(v, key)->node != JSON_NONE;
}

/* Problems at the place of a key (its value, or the object when it is not written). */
PRINTF_LIKE(4, 5)
void schema_error(struct load *l, const struct schema_values *v, enum schema_key_idx key,
                  const char *fmt, ...);
PRINTF_LIKE(4, 5)
void schema_warning(struct load *l, const struct schema_values *v, enum schema_key_idx key,
                    const char *fmt, ...);
/* At one element of a TEXTS or LIST value. */
PRINTF_LIKE(6, 7)
void schema_element_error(struct load *l, const struct schema_values *v, enum schema_key_idx key,
                          uint32_t element, uint32_t node, const char *fmt, ...);
PRINTF_LIKE(6, 7)
void schema_element_warning(struct load *l, const struct schema_values *v, enum schema_key_idx key,
                            uint32_t element, uint32_t node, const char *fmt, ...);

/* Walks the texts of a TEXTS value: start with *node = JSON_NONE; false at the end. Elements that
 * are no texts were reported by schema_read and are skipped; *element counts all.                */
bool schema_next_text(const struct load *l, const struct schema_value *value, uint32_t *node,
                      uint32_t *element, struct slice *text);

#endif
