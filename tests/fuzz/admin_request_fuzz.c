/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admin_request_fuzz: a request line is taken with exactly the members its command has, or refused
 * with a text; the same request written again is the same request. */
#include <stdint.h>

#include "base/check.h"
#include "base/jout.h"
#include "base/utf8.h"
#include "edge/admin_request.h"

#define LINE_BYTES_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[ADMIN_MEMBER_COUNT] = {"domain", "from",   "to", "act",
                                                      "local",  "remote", "id"};

static void check_again(const struct admin_request *request)
{
    struct admin_request again;
    char why[ADMIN_WHY_BYTES];
    struct buf line;
    struct jout j;

    buf_init(&line, LINE_BYTES_MAX);
    jout_init(&j, &line, false);
    jout_object(&j, NULL);
    for (int i = 0; i < ADMIN_MEMBER_COUNT; i++) {
        if (request->members[i].ptr) {
            ASSERT(request->members[i].len > 0 && utf8_is_valid(request->members[i]));
            jout_text(&j, names[i], request->members[i]);
        }
    }
    jout_cstr(&j, "command", admin_command_name(request->command));
    jout_end(&j);
    ASSERT(admin_request_parse(&again, buf_slice(&line), why) == 0);
    ASSERT(again.command == request->command);
    for (int i = 0; i < ADMIN_MEMBER_COUNT; i++) {
        ASSERT(slice_eq(again.members[i], request->members[i]));
    }
    admin_request_deinit(&again);
    buf_deinit(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct admin_request request;
    char why[ADMIN_WHY_BYTES] = "";

    if (admin_request_parse(&request, slice_make((const char *)data, size), why) == 0) {
        check_again(&request);
    } else {
        ASSERT(why[0] && utf8_is_valid(slice_from_cstr(why)));
    }
    admin_request_deinit(&request);
    return 0;
}
