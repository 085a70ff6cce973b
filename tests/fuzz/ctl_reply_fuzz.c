/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ctl_reply_fuzz: what a node answers is shown with --json as the same document: written twice it
 * does not change; numbers and texts are read without a slip. */
#include <stdint.h>

#include "base/check.h"
#include "base/pool.h"
#include "ctl/client.h"

#define DEPTH_MAX 16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool parse(struct client_reply *r, struct slice text)
{
    struct json_fault fault;

    *r = (struct client_reply){0};
    return json_parse(&r->doc, text, DEPTH_MAX, &fault) == 0;
}

static void write_to(struct buf *out, const struct client_reply *r)
{
    struct jout j;

    buf_init(out, POOL_BLOCK_BYTES_MAX);
    jout_init(&j, out, true);
    client_copy(&j, NULL, r, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client_reply first;
    struct client_reply second;
    struct buf once;
    struct buf twice;

    if (parse(&first, slice_make((const char *)data, size)) &&
        json_kind_of(&first.doc, 0) == JSON_OBJECT) {
        for (uint32_t n = client_first(&first, client_member(&first, 0, "l")); n != JSON_NONE;
             n = client_next(&first, client_member(&first, 0, "l"), n)) {
            (void)client_number(&first, n, "n");
        }
        (void)client_number(&first, 0, "n");
        write_to(&once, &first);
        ASSERT(parse(&second, buf_slice(&once)));
        write_to(&twice, &second);
        ASSERT(slice_eq(buf_slice(&once), buf_slice(&twice)));
        client_deinit(&second);
        buf_deinit(&once);
        buf_deinit(&twice);
    }
    client_deinit(&first);
    return 0;
}
