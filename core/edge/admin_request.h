/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admin_request: one question to the node, as it comes over the admin socket: one line of JSON,
 *   {"command": "status"}
 *   {"command": "reload"}
 *   {"command": "partner", "domain": D}
 *   {"command": "why", "from": ADDRESS, "to": ADDRESS, "act": ACT}
 *   {"command": "dialback_key", "local": D, "remote": D, "id": STREAM-ID}
 *   {"command": "contacts" [, "local": ADDRESS-OR-D] [, "remote": ADDRESS-OR-D]
 *        [, "direction": "in"|"out"] [, "state": STATE] [, "limit": N] [, "cursor": CURSOR]}
 *   {"command": "contact", "act": "show"|"allow"|"block"|"forget", "local": ADDRESS,
 *        "remote": ADDRESS [, "direction": "in"|"out"]}
 * Strict: members that a command does not have, doubled ones and other types are refused with a
 * text that says so. Pure; any thread. */
#ifndef FG_EDGE_ADMIN_REQUEST_H
#define FG_EDGE_ADMIN_REQUEST_H

#include "base/attr.h"
#include "base/slice.h"
#include "policy/json.h"

enum admin_command {
    ADMIN_STATUS,
    ADMIN_RELOAD,
    ADMIN_PARTNER,
    ADMIN_WHY,
    ADMIN_DIALBACK_KEY,
    ADMIN_CONTACTS,
    ADMIN_CONTACT,
    ADMIN_COMMAND_COUNT
};
/* "status", ... */
const char *admin_command_name(enum admin_command command);

enum admin_member {
    ADMIN_DOMAIN,
    ADMIN_FROM,
    ADMIN_TO,
    ADMIN_ACT,
    ADMIN_LOCAL,
    ADMIN_REMOTE,
    ADMIN_ID,
    ADMIN_DIRECTION,
    ADMIN_STATE,
    ADMIN_LIMIT,
    ADMIN_CURSOR,
    ADMIN_MEMBER_COUNT
};

struct admin_request {
    enum admin_command command;
    /* UTF-8, never empty where the command needs the member; ptr NULL: one that it does not need
     * was left out. Valid until deinit. */
    struct slice members[ADMIN_MEMBER_COUNT];
    struct json_doc doc; /* owned */
};

#define ADMIN_WHY_BYTES 768u /* room for a quoted text (quote.h) */
/* line: without its end; borrowed until deinit. ERR_BAD_INPUT: why says what is wrong. The request
 * is to be deinitialised in either case. */
NODISCARD int admin_request_parse(struct admin_request *out, struct slice line,
                                  char why[ADMIN_WHY_BYTES]);
void admin_request_deinit(struct admin_request *r);

#endif
