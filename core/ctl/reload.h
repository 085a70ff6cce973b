/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reload: the reload of `fedgatectl reload`, also for commands that change the file and have
 * --reload. One thread. */
#ifndef FG_CTL_RELOAD_H
#define FG_CTL_RELOAD_H

#include "base/attr.h"
#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/out.h"

/* EX_OK: the node took it. EX_CONFIG: it did not, reply has the problems. Else there is no node, or
 * it is stopping; reply->bytes NULL: a mistake was printed. client_deinit in any case. */
NODISCARD int reload_ask(const struct ctl *ctl, struct client_reply *reply);
/* For people: problems to stderr, what came of it to o. With --json use client_copy instead. */
void reload_print(struct out *o, const struct client_reply *reply);

#endif
