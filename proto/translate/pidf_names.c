/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pidf_names: from tuples to resources. A resource has to stay the same from one document to the
 * next, or its watchers see people leave and come with every change. Tuple ids need not stay: some
 * servers make them anew each time (vector P-6).                                                */
#include "translate/pidf_int.h"

#define ORDINAL_BYTES_MAX 4u

static bool is_taken(const struct pidf_reader *r, struct slice name)
{
    for (uint32_t i = 0; i < r->tuple_count; i++) {
        if (r->tuples[i].is_named && slice_eq(r->tuples[i].item.resource, name)) {
            return true;
        }
    }
    return false;
}

/* Whether nothing of what was known before is in the document by its name. */
static bool ids_are_new(const struct pidf_reader *r)
{
    const struct presence_state *before = r->in->before;

    if (!before || before->item_count == 0) {
        return false;
    }
    for (uint32_t i = 0; i < r->tuple_count; i++) {
        if (r->tuples[i].item.resource.len > 0 &&
            presence_find(before, r->tuples[i].item.resource)) {
            return false;
        }
    }
    return true;
}

/* Those that say the same as before first, then those that are there, then the others. */
enum reuse { REUSE_SAME, REUSE_OPEN, REUSE_ANY };

static bool may_reuse(const struct pidf_tuple *tuple, const struct presence_item *was,
                      enum reuse pass)
{
    UNINITIALIZED struct presence_item renamed;

    if (pass == REUSE_SAME) {
        renamed = tuple->item;
        renamed.resource = was->resource;
        return presence_item_eq(&renamed, was);
    }
    return pass == REUSE_ANY || tuple->item.show != PRESENCE_SHOW_UNAVAILABLE;
}

static void reuse_names(struct pidf_reader *r, enum reuse pass)
{
    const struct presence_state *before = r->in->before;

    for (uint32_t i = 0; i < r->tuple_count; i++) {
        struct pidf_tuple *tuple = &r->tuples[i];

        for (uint32_t k = 0; k < before->item_count && !tuple->is_named; k++) {
            const struct presence_item *was = &before->items[k];

            if (may_reuse(tuple, was, pass) && !is_taken(r, was->resource)) {
                tuple->item.resource = was->resource;
                tuple->is_named = true;
            }
        }
    }
}

/* "sip", "sip2", "sip3" ... */
static struct slice ordinal(struct pidf_reader *r, unsigned n)
{
    char digits[ORDINAL_BYTES_MAX];
    size_t at = sizeof(digits);

    if (n == 1) {
        return SLICE_LIT("sip");
    }
    for (; n > 0; n /= 10) {
        digits[--at] = (char)('0' + n % 10);
    }
    return pidf_compose(
        r, (struct slice[]){SLICE_LIT("sip"), slice_make(digits + at, sizeof(digits) - at)}, 2);
}

STATIC_ASSERT(PIDF_TUPLES_MAX < 1000, "ordinals fit");

static void name_by_number(struct pidf_reader *r, struct pidf_tuple *tuple)
{
    /* One more than there are tuples is free for certain. */
    for (unsigned n = 1; n <= PIDF_TUPLES_MAX + 1 && !tuple->is_named; n++) {
        struct slice name = ordinal(r, n);

        if (name.len > 0 && !is_taken(r, name)) {
            tuple->item.resource = name;
            tuple->is_named = true;
        }
    }
}

void pidf_name_tuples(struct pidf_reader *r)
{
    bool are_new = ids_are_new(r);

    for (uint32_t i = 0; i < r->tuple_count; i++) {
        struct pidf_tuple *tuple = &r->tuples[i];

        tuple->is_named = tuple->item.resource.len > 0 && !(are_new && tuple->is_named_by_id);
    }
    if (are_new) {
        reuse_names(r, REUSE_SAME);
        reuse_names(r, REUSE_OPEN);
        reuse_names(r, REUSE_ANY);
    }
    for (uint32_t i = 0; i < r->tuple_count; i++) {
        if (!r->tuples[i].is_named) {
            name_by_number(r, &r->tuples[i]);
        }
    }
}
