/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admin_request: strict reading of one question. */
#include "edge/admin_request.h"

#include <stdio.h>

#include "base/err.h"
#include "policy/quote.h"

#define DEPTH_MAX 4u /* what is wrong gets a better text than "too deep" */

#define BIT(member) (1u << (member))

static const struct {
    const char *name;
    uint32_t members;  /* BIT()s, all needed */
    uint32_t optional; /* BIT()s */
} commands[ADMIN_COMMAND_COUNT] = {
    [ADMIN_STATUS] = {"status", 0, 0},
    [ADMIN_RELOAD] = {"reload", 0, 0},
    [ADMIN_PARTNER] = {"partner", BIT(ADMIN_DOMAIN), 0},
    [ADMIN_WHY] = {"why", BIT(ADMIN_FROM) | BIT(ADMIN_TO) | BIT(ADMIN_ACT), 0},
    [ADMIN_DIALBACK_KEY] = {"dialback_key",
                            BIT(ADMIN_LOCAL) | BIT(ADMIN_REMOTE) | BIT(ADMIN_ID), 0},
    [ADMIN_CONTACTS] = {"contacts", 0,
                        BIT(ADMIN_LOCAL) | BIT(ADMIN_REMOTE) | BIT(ADMIN_DIRECTION) |
                            BIT(ADMIN_STATE) | BIT(ADMIN_LIMIT) | BIT(ADMIN_CURSOR)},
    [ADMIN_CONTACT] = {"contact", BIT(ADMIN_ACT) | BIT(ADMIN_LOCAL) | BIT(ADMIN_REMOTE),
                       BIT(ADMIN_DIRECTION)},
};

static const char *const member_names[ADMIN_MEMBER_COUNT] = {
    [ADMIN_DOMAIN] = "domain", [ADMIN_FROM] = "from",     [ADMIN_TO] = "to", [ADMIN_ACT] = "act",
    [ADMIN_LOCAL] = "local",   [ADMIN_REMOTE] = "remote", [ADMIN_ID] = "id",
    [ADMIN_DIRECTION] = "direction", [ADMIN_STATE] = "state", [ADMIN_LIMIT] = "limit",
    [ADMIN_CURSOR] = "cursor",
};

const char *admin_command_name(enum admin_command command)
{
    return commands[command].name;
}

/* ADMIN_MEMBER_COUNT: "command"; negative: none of ours. */
static int member_of(struct slice name)
{
    if (slice_eq_cstr(name, "command")) {
        return ADMIN_MEMBER_COUNT;
    }
    for (int i = 0; i < ADMIN_MEMBER_COUNT; i++) {
        if (slice_eq_cstr(name, member_names[i])) {
            return i;
        }
    }
    return -1;
}

/* Takes the member at node (a KEY) into out or *command. */
static int take(struct admin_request *out, struct slice *command, uint32_t node,
                char why[ADMIN_WHY_BYTES])
{
    struct slice name = json_text(&out->doc, node);
    int member = member_of(name);
    struct slice *to;

    if (member < 0) {
        (void)snprintf(why, ADMIN_WHY_BYTES, "no command has a member %s", quote(name).text);
        return ERR_BAD_INPUT;
    }
    to = member == ADMIN_MEMBER_COUNT ? command : &out->members[member];
    if (to->ptr) {
        (void)snprintf(why, ADMIN_WHY_BYTES, "%s is there twice", quote(name).text);
        return ERR_BAD_INPUT;
    }
    if (json_kind_of(&out->doc, node + 1) != JSON_TEXT) {
        (void)snprintf(why, ADMIN_WHY_BYTES, "%s must be a text, not %s", quote(name).text,
                       json_kind_text(json_kind_of(&out->doc, node + 1)));
        return ERR_BAD_INPUT;
    }
    *to = json_text(&out->doc, node + 1);
    if (to->len == 0) {
        (void)snprintf(why, ADMIN_WHY_BYTES, "%s is empty", quote(name).text);
        return ERR_BAD_INPUT;
    }
    return 0;
}

/* The command must be known and have the members that came, and all it needs must be there. */
static int judge(struct admin_request *out, struct slice command, char why[ADMIN_WHY_BYTES])
{
    int c = 0;

    while (c < ADMIN_COMMAND_COUNT && !slice_eq_cstr(command, commands[c].name)) {
        c++;
    }
    if (c == ADMIN_COMMAND_COUNT) {
        (void)snprintf(why, ADMIN_WHY_BYTES, "there is no command %s", quote(command).text);
        return ERR_BAD_INPUT;
    }
    out->command = (enum admin_command)c;
    for (int i = 0; i < ADMIN_MEMBER_COUNT; i++) {
        bool is_wanted = (commands[c].members & BIT(i)) != 0;

        bool is_there = out->members[i].ptr != NULL;

        if (is_wanted != is_there && !(is_there && (commands[c].optional & BIT(i)))) {
            (void)snprintf(why, ADMIN_WHY_BYTES, "command \"%s\" %s a member \"%s\"",
                           commands[c].name, is_wanted ? "needs" : "does not have",
                           member_names[i]);
            return ERR_BAD_INPUT;
        }
    }
    return 0;
}

int admin_request_parse(struct admin_request *out, struct slice line, char why[ADMIN_WHY_BYTES])
{
    struct slice command = SLICE_NONE;
    struct json_fault fault;

    *out = (struct admin_request){0};
    if (json_parse(&out->doc, line, DEPTH_MAX, &fault) != 0) {
        (void)snprintf(why, ADMIN_WHY_BYTES, "no JSON, at byte %u: %s", (unsigned)fault.offset + 1,
                       fault.text);
        return ERR_BAD_INPUT;
    }
    if (json_kind_of(&out->doc, 0) != JSON_OBJECT) {
        (void)snprintf(why, ADMIN_WHY_BYTES, "a request is an object, not %s",
                       json_kind_text(json_kind_of(&out->doc, 0)));
        return ERR_BAD_INPUT;
    }
    for (uint32_t node = 1; node < out->doc.nodes[0].next; node = out->doc.nodes[node + 1].next) {
        int err = take(out, &command, node, why);

        if (err != 0) {
            return err;
        }
    }
    if (!command.ptr) {
        (void)snprintf(why, ADMIN_WHY_BYTES, "a request needs a member \"command\"");
        return ERR_BAD_INPUT;
    }
    return judge(out, command, why);
}

void admin_request_deinit(struct admin_request *r)
{
    json_deinit(&r->doc);
}
