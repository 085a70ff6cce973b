/* SPDX-License-Identifier: GPL-2.0-or-later */
/* members: entries of lists and of list files. */
#include "policy/members.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/pool.h"
#include "base/utf8.h"
#include "policy/build.h"
#include "policy/list_file.h"
#include "policy/quote.h"

#define TEXT_BYTES      900u
#define FILE_NAME_BYTES 200u
/* Of one list file; the rest is counted: it may be a file of another kind with a million lines. */
#define FAULTS_OF_FILE_MAX 20u
#define SET_TEXTS_MAX      ((size_t)1 << 30)

/* --- problems --- */

static bool is_harmless(struct slice s)
{
    size_t at = 0;
    uint32_t c;

    while (utf8_next(s, &at, &c)) {
        if (!utf8_is_harmless(c)) {
            return false;
        }
    }
    return true;
}

/* FILE:LINE, so that an editor can jump there. */
static void put_file_line(char *out, size_t bytes, const struct member_place *place)
{
    if (place->file.len < FILE_NAME_BYTES && is_harmless(place->file)) {
        (void)snprintf(out, bytes, "%.*s:%u: ", SLICE_FMT(place->file), (unsigned)place->line);
    } else {
        (void)snprintf(out, bytes, "%.*s:%u: ", (int)FILE_NAME_BYTES, quote(place->file).text,
                       (unsigned)place->line);
    }
}

PRINTF_LIKE(4, 0)
static void problem(struct load *l, const struct member_place *place, bool is_warning,
                    const char *fmt, va_list args)
{
    char text[TEXT_BYTES];
    char where[FILE_NAME_BYTES + 32] = "";

    text[0] = 0;
    if (!load_is_full(l, is_warning)) {
        (void)vsnprintf(text, sizeof(text), fmt, args);
    }
    if (place->file.len == 0) {
        if (is_warning) {
            schema_element_warning(l, place->v, place->key, place->element, place->node, "%s",
                                   text);
        } else {
            schema_element_error(l, place->v, place->key, place->element, place->node, "%s", text);
        }
        return;
    }
    if (++*place->fault_count > FAULTS_OF_FILE_MAX) {
        return;
    }
    put_file_line(where, sizeof(where), place);
    if (is_warning) {
        schema_warning(l, place->v, place->key, "%s%s", where, text);
    } else {
        schema_error(l, place->v, place->key, "%s%s", where, text);
    }
}

void member_error(struct load *l, const struct member_place *place, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    problem(l, place, false, fmt, args);
    va_end(args);
}

void member_warning(struct load *l, const struct member_place *place, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    problem(l, place, true, fmt, args);
    va_end(args);
}

/* --- walking --- */

void members_of_list(struct load *l, const struct schema_values *v, enum schema_key_idx key,
                     uint32_t kinds, member_fn *fn, void *ctx)
{
    struct member_place place = {.v = v, .key = key, .node = JSON_NONE};
    struct slice text;

    while (schema_next_text(l, schema_get(v, key), &place.node, &place.element, &text)) {
        struct entry e;
        const char *fault = entry_parse(text, kinds, &e);

        if (fault) {
            member_error(l, &place, "%s %s", quote(text).text, fault);
        } else {
            fn(l, &place, &e, ctx);
        }
    }
}

/* A writer that died, or a full disk, leaves an empty file; whoever was denied through it could
 * talk then. */
static void refuse_empty(struct load *l, const struct member_place *place, struct slice bytes)
{
    struct list_reader reader;

    list_begin(&reader, bytes); /* behind a byte order mark */
    if (slice_trim(reader.rest).len == 0) {
        schema_error(l, place->v, place->key,
                     "names a file that is empty: was it written to the end? One that is meant to "
                     "be empty says so in a comment, as \"# nobody\"");
    } else {
        schema_warning(l, place->v, place->key, "names a file without any entry");
    }
}

static void walk_file(struct load *l, struct member_place *place, struct slice bytes, member_fn *fn,
                      void *ctx)
{
    struct list_reader reader;
    uint32_t entry_count = 0;
    struct slice text;
    const char *fault;
    enum list_step step;
    struct entry e;

    list_begin(&reader, bytes);
    while ((step = list_next(&reader, &e, &text, &fault)) != LIST_END) {
        place->line = reader.line;
        entry_count++;
        if (step == LIST_ENTRY) {
            fn(l, place, &e, ctx);
        } else if (text.len) {
            member_error(l, place, "%s %s", quote(text).text, fault);
        } else {
            member_error(l, place, "the line %s", fault);
        }
    }
    if (*place->fault_count > FAULTS_OF_FILE_MAX) {
        schema_error(l, place->v, place->key, "%u more lines of this file have faults",
                     (unsigned)(*place->fault_count - FAULTS_OF_FILE_MAX));
    }
    if (entry_count == 0) {
        refuse_empty(l, place, bytes);
    }
}

/* One after the other: two lists that change places are a change. */
static void add_to_source(struct snapshot *s, struct slice bytes)
{
    uint64_t both[] = {s->source_hash, config_text_hash(bytes)};

    s->source_hash = config_text_hash(slice_make((const char *)both, sizeof(both)));
}

void members_of_file(struct load *l, const struct schema_values *v, enum schema_key_idx key,
                     member_fn *fn, void *ctx)
{
    const struct schema_value *value = schema_get(v, key);
    uint32_t fault_count = 0;
    struct member_place place = {
        .v = v, .key = key, .node = JSON_NONE, .file = value->text, .fault_count = &fault_count};
    struct list_file *stamp;
    struct list_bytes content;
    const char *fault;

    if (!schema_is_written(v, key) || !value->is_good) {
        return;
    }
    stamp = arena_zalloc(l->arena, sizeof(*stamp));
    stamp->path = build_path(l, value->text);
    stamp->next = l->snapshot->list_files;
    l->snapshot->list_files = stamp;
    fault = list_file_read(stamp, &content);
    if (fault) {
        schema_error(l, v, key, "%s cannot be read: %s", quote(value->text).text, fault);
        return;
    }
    add_to_source(l->snapshot, slice_make(content.bytes, content.len));
    walk_file(l, &place, slice_make(content.bytes, content.len), fn, ctx);
    pool_heap_free(content.bytes);
}

/* --- what entries are checked for --- */

bool member_is_local(struct load *l, const struct member_place *place, const struct entry *e)
{
    if (l->has_bad_domain || map_get(&l->snapshot->domain_map, entry_domain(e))) {
        return true;
    }
    member_error(l, place,
                 "%s is of no domain of ours, so it would never count; correct it, add the domain "
                 "to \"domains\", or take the entry out",
                 quote(entry_text(e)).text);
    return false;
}

bool member_add(struct load *l, const struct member_place *place, struct users_build *b,
                struct slice entry, uint32_t number, uint32_t *before)
{
    *before = USERS_NONE;
    if (b->set.count == USERS_ENTRIES_MAX || b->set.texts_bytes > SET_TEXTS_MAX) {
        if (b->is_full) {
            return true; /* said once */
        }
        b->is_full = true;
        member_error(l, place, "is one entry too many: at most %u, and 1 GiB of them, are kept",
                     USERS_ENTRIES_MAX);
        return true;
    }
    *before = users_build_add(b, entry, number);
    return *before == USERS_NONE || *before == number;
}
