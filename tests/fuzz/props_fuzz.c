/* SPDX-License-Identifier: GPL-2.0-or-later */
/* props_fuzz: a byte chooses the section, the rest is a text. What is read as properties and
 * written again, all of it or only what is no default, is read as the same properties. */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "policy/props.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BYTES_MAX ((size_t)4 << 20)

static void check_again(const struct props *p, struct slice text)
{
    struct json_doc doc = {0};
    struct json_fault fault;
    char why[PROPS_WHY_BYTES];
    struct props again;

    props_init(&again, p->section, p->arena);
    ASSERT(json_parse(&doc, text, 16, &fault) == 0);
    ASSERT(props_read(&again, &doc, 0, why) == 0);
    ASSERT(props_eq(p, &again));
    json_deinit(&doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum schema_section sections[] = {SECTION_partner, SECTION_gateway, SECTION_policy,
                                                   SECTION_group};
    struct arena *arena = arena_new();
    struct json_doc doc = {0};
    struct json_fault fault;
    char why[PROPS_WHY_BYTES];
    struct props p;
    struct buf out;

    buf_init(&out, BYTES_MAX);
    if (size > 1 &&
        json_parse(&doc, slice_make((const char *)data + 1, size - 1), 16, &fault) == 0) {
        props_init(&p, sections[data[0] % ARRAY_COUNT(sections)], arena);
        if (props_read(&p, &doc, 0, why) == 0) {
            for (int special = 0; special < 2; special++) {
                buf_clear(&out);
                props_write(&p, special != 0, &out);
                check_again(&p, buf_slice(&out));
            }
            props_write_old(&p, 0, &out);
        }
    }
    buf_deinit(&out);
    json_deinit(&doc);
    arena_free(arena);
    return 0;
}
