/* SPDX-License-Identifier: GPL-2.0-or-later */
/* note: what is worth saying, with its place; lists that grow. */
#include <stdarg.h>
#include <stdio.h>

#include "base/pool.h"
#include "import/plan_int.h"

#define TEXT_BYTES   2048u
#define MAPPINGS_MAX 160u

void *import_grow(void *list, uint32_t *count, uint32_t *cap, size_t bytes)
{
    if (*count == *cap) {
        *cap = *cap ? *cap * 2 : 16;
        list = pool_heap_grow(list, *cap * bytes);
    }
    memset((char *)list + *count * bytes, 0, bytes);
    (*count)++;
    return list;
}

/* Records come in the order of the text, so that counting goes on where it stopped. */
struct import_place import_place_of(struct import_plan *p, uint32_t offset)
{
    if (offset == IMPORT_NOWHERE) {
        return (struct import_place){.file = p->file_count - 1};
    }
    if (offset < p->counted) {
        p->counted = 0;
        p->line = 1;
        p->column = 1;
    }
    for (; p->counted < offset && p->counted < p->text.len; p->counted++) {
        char c = p->text.ptr[p->counted];

        if (c == '\n') {
            p->line++;
            p->column = 1;
        } else if (((unsigned char)c & 0xc0u) != 0x80u) {
            p->column++;
        }
    }
    return (struct import_place){.file = p->file_count - 1, .line = p->line, .column = p->column};
}

static void add(struct import_plan *p, enum import_level level, const struct import_place *place,
                const char *object, const char *text)
{
    struct import_note *note;

    if (p->totals[level]++ >= IMPORT_NOTES_MAX) {
        return;
    }
    p->notes = import_grow(p->notes, &p->note_count, &p->note_cap, sizeof(*note));
    note = &p->notes[p->note_count - 1];
    *note = (struct import_note){.level = level,
                                 .file = place->file,
                                 .line = place->line,
                                 .column = place->column,
                                 .object = object ? object : "",
                                 .text = arena_strdup(p->arena, slice_from_cstr(text))};
}

void import_note_at(struct import_plan *p, enum import_level level,
                    const struct import_place *place, const char *object, const char *fmt, ...)
{
    char text[TEXT_BYTES];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    add(p, level, place, object, text);
}

void import_note(struct import_record *r, enum import_level level, const char *fmt, ...)
{
    char text[TEXT_BYTES];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    r->is_refused = r->is_refused || level == IMPORT_REFUSES;
    add(r->plan, level, &r->place, r->object, text);
}

const char *import_printf(struct import_plan *p, const char *fmt, ...)
{
    char text[TEXT_BYTES];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return arena_strdup(p->arena, slice_from_cstr(text));
}

void import_mapped(struct import_plan *p, struct slice from, const char *to)
{
    struct import_mapping *m;

    for (uint32_t i = 0; i < p->mapping_count; i++) {
        m = &p->mappings[i];
        if (slice_eq_nocase(from, slice_from_cstr(m->from)) && strcmp(m->to, to) == 0) {
            m->count++;
            return;
        }
    }
    if (p->mapping_count == MAPPINGS_MAX) {
        return; /* an export has a tenth of them */
    }
    p->mappings =
        import_grow(p->mappings, &p->mapping_count, &p->mapping_cap, sizeof(*p->mappings));
    m = &p->mappings[p->mapping_count - 1];
    m->from = arena_strdup(p->arena, from);
    m->to = arena_strdup(p->arena, slice_from_cstr(to));
    m->count = 1;
}
