/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client: one question to the running node over its admin socket (core/edge/admin_request.h has the
 * requests, core/edge/control_*.c the answers). Waits: CLIENT_CONNECT_S for somebody to answer the
 * door, CLIENT_REPLY_S for the reply (a reload of a million partners takes seconds). One thread. */
#ifndef FG_CTL_CLIENT_H
#define FG_CTL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/jout.h"
#include "base/slice.h"
#include "ctl/ctl.h"
#include "policy/json.h"

#define CLIENT_CONNECT_S 5u
#define CLIENT_REPLY_S   60u
#define CLIENT_WHY_BYTES 1024u

/* The node's answer, an object. Zeroed, bytes NULL = none; client_deinit in any case. */
struct client_reply {
    char *bytes; /* owned */
    size_t len;
    struct json_doc doc;
    bool is_ok;
};
void client_deinit(struct client_reply *r);

/* Asks. request: one JSON object on one line, with its end (jout writes such). EX_OK when there is
 * an answer, also one that says no (is_ok false). Else an exit status, and why says what to do:
 * EX_UNAVAILABLE no node, EX_NOPERM not for this user, EX_CONFIG no path known, EX_PROTOCOL. */
NODISCARD int client_try(const struct ctl *ctl, struct slice request, struct client_reply *reply,
                         char why[CLIENT_WHY_BYTES]);
/* The same; says why (out_fail), also what the node said when it said no: then EX_DATAERR. */
NODISCARD int client_ask(const struct ctl *ctl, struct slice request, struct client_reply *reply);
/* {"command": command} */
NODISCARD int client_ask_plain(const struct ctl *ctl, const char *command,
                               struct client_reply *reply);

/* -- reading it: node 0 is the answer itself; what is absent is JSON_NONE, empty, 0, false -- */
uint32_t client_member(const struct client_reply *r, uint32_t object, const char *key);
struct slice client_text(const struct client_reply *r, uint32_t object, const char *key);
int64_t client_number(const struct client_reply *r, uint32_t object, const char *key);
bool client_bool(const struct client_reply *r, uint32_t object, const char *key);
/* Elements of a list: *at = client_first(list), then client_next; JSON_NONE at the end. */
uint32_t client_first(const struct client_reply *r, uint32_t list);
uint32_t client_next(const struct client_reply *r, uint32_t list, uint32_t element);

/* The value at node as the next one in j: for --json. */
void client_copy(struct jout *j, const char *key, const struct client_reply *r, uint32_t node);

#endif
