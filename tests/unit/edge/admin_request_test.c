/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admin_request: what is a request, and what is said about what is none. */
#include <stdio.h>

#include <criterion/criterion.h>

#include "base/err.h"
#include "edge/admin_request.h"

static struct admin_request request;
static char why[ADMIN_WHY_BYTES];

static void good(const char *line, enum admin_command command)
{
    cr_assert_eq(admin_request_parse(&request, slice_from_cstr(line), why), 0, "%s: %s", line,
                 why);
    cr_assert_eq(request.command, command);
}

static void bad(const char *line, const char *text)
{
    cr_expect_eq(admin_request_parse(&request, slice_from_cstr(line), why), ERR_BAD_INPUT, "%s",
                 line);
    cr_expect_str_eq(why, text);
    admin_request_deinit(&request);
}

Test(admin_request, commands)
{
    good("{\"command\": \"status\"}", ADMIN_STATUS);
    admin_request_deinit(&request);
    good("  {\"command\":\"reload\"}\r", ADMIN_RELOAD);
    admin_request_deinit(&request);
    good("{\"domain\": \"a.example\", \"command\": \"partner\"}", ADMIN_PARTNER);
    cr_expect(slice_eq_cstr(request.members[ADMIN_DOMAIN], "a.example"));
    admin_request_deinit(&request);
    good("{\"command\":\"why\",\"from\":\"a\\u0040b\",\"to\":\"c\",\"act\":\"message\"}",
         ADMIN_WHY);
    cr_expect(slice_eq_cstr(request.members[ADMIN_FROM], "a@b"));
    cr_expect(slice_eq_cstr(request.members[ADMIN_TO], "c"));
    cr_expect(slice_eq_cstr(request.members[ADMIN_ACT], "message"));
    admin_request_deinit(&request);
    good("{\"command\":\"dialback_key\",\"local\":\"a\",\"remote\":\"b\",\"id\":\"c\"}",
         ADMIN_DIALBACK_KEY);
    cr_expect(slice_eq_cstr(request.members[ADMIN_ID], "c"));
    admin_request_deinit(&request);
    good("{\"command\":\"contacts\"}", ADMIN_CONTACTS);
    cr_expect_null(request.members[ADMIN_LOCAL].ptr);
    admin_request_deinit(&request);
    good("{\"command\":\"contacts\",\"local\":\"a\",\"remote\":\"b\",\"direction\":\"in\","
         "\"state\":\"asked\",\"limit\":\"5\",\"cursor\":\"0:7\"}",
         ADMIN_CONTACTS);
    cr_expect(slice_eq_cstr(request.members[ADMIN_CURSOR], "0:7"));
    admin_request_deinit(&request);
    good("{\"command\":\"contact\",\"act\":\"show\",\"local\":\"a\",\"remote\":\"b\"}",
         ADMIN_CONTACT);
    admin_request_deinit(&request);
    for (int i = 0; i < ADMIN_COMMAND_COUNT; i++) {
        cr_expect_gt(strlen(admin_command_name((enum admin_command)i)), 0);
    }
}

Test(admin_request, what_is_none)
{
    bad("[]", "a request is an object, not a list");
    bad("{}", "a request needs a member \"command\"");
    bad("{\"command\": \"sing\"}", "there is no command \"sing\"");
    bad("{\"command\": \"sing\\u001b[2J\"}", "there is no command \"sing\\u{1b}[2J\"");
    bad("{\"command\": 1}", "\"command\" must be a text, not a number");
    bad("{\"command\": {\"a\": [{}]}}", "\"command\" must be a text, not an object");
    bad("{\"command\": \"\"}", "\"command\" is empty");
    bad("{\"command\": \"partner\"}", "command \"partner\" needs a member \"domain\"");
    bad("{\"command\": \"partner\", \"domain\": \"\"}", "\"domain\" is empty");
    bad("{\"command\": \"status\", \"domain\": \"x\"}",
        "command \"status\" does not have a member \"domain\"");
    bad("{\"command\": \"contact\", \"act\": \"show\", \"local\": \"a\"}",
        "command \"contact\" needs a member \"remote\"");
    bad("{\"command\": \"contacts\", \"id\": \"x\"}",
        "command \"contacts\" does not have a member \"id\"");
    bad("{\"command\": \"contacts\", \"limit\": 5}", "\"limit\" must be a text, not a number");
    bad("{\"command\": \"status\", \"hurry\": true}", "no command has a member \"hurry\"");
    bad("{\"command\": \"why\", \"from\": \"a\", \"from\": \"b\"}", "\"from\" is there twice");
    bad("{\"command\": \"status\", \"command\": \"reload\"}", "\"command\" is there twice");
}

Test(admin_request, no_json)
{
    static const char *const lines[] = {
        "", " ", "status", "{", "{\"command\": \"status\"", "{\"command\": \"status\"} {}",
        "{'command': 'status'}", "{\"command\": \"\xff\"}", "[[[[[[[[[[[[[[[[[[",
        "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}",
    };

    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        cr_expect_eq(admin_request_parse(&request, slice_from_cstr(lines[i]), why), ERR_BAD_INPUT,
                     "%s", lines[i]);
        cr_expect(strncmp(why, "no JSON, at byte ", 17) == 0, "%s: %s", lines[i], why);
        admin_request_deinit(&request);
    }
}
