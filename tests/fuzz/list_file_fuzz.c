/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list_file_fuzz: any bytes as a list file. Reading ends, lines only grow, a normal form is its own
 * normal form, and the set made of all entries finds each of them. */
#include <stdint.h>

#include "base/check.h"
#include "policy/list_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct entry *e)
{
    struct entry again;

    ASSERT(e->kind == ENTRY_ADDRESS || e->kind == ENTRY_DOMAIN);
    ASSERT(entry_parse(entry_text(e), ENTRY_ADDRESS | ENTRY_DOMAIN, &again) == NULL);
    ASSERT(again.kind == e->kind && slice_eq(entry_text(&again), entry_text(e)));
}

static void check_found(const struct user_set *set)
{
    struct slice entry;
    uint32_t number;
    uint32_t at = 0;

    while (users_next(set, &at, &entry, &number)) {
        ptrdiff_t sign = slice_find(entry, '@');
        struct slice user = sign < 0 ? SLICE_NONE : slice_to(entry, (size_t)sign);
        struct slice found;

        ASSERT(users_find(set, user, slice_from(entry, (size_t)(sign + 1)), &found) ==
               (sign < 0 ? USERS_BY_DOMAIN : USERS_BY_ADDRESS));
        ASSERT(slice_eq(found, entry));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct users_build b = {0};
    struct list_reader r;
    enum list_step step;
    const char *fault = NULL;
    struct slice text;
    struct entry e;
    uint32_t line = 0;

    list_begin(&r, slice_make((const char *)data, size));
    while ((step = list_next(&r, &e, &text, &fault)) != LIST_END) {
        ASSERT(r.line > line);
        line = r.line;
        if (step == LIST_ENTRY) {
            check_entry(&e);
            (void)users_build_add(&b, entry_text(&e), line);
        }
    }
    check_found(users_build_finish(&b, arena, NULL, 0));
    arena_free(arena);
    return 0;
}
