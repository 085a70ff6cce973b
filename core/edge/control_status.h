/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_status: the node in a few figures, for `fedgatectl status`. Control thread. */
#ifndef FG_EDGE_CONTROL_STATUS_H
#define FG_EDGE_CONTROL_STATUS_H

#include "base/jout.h"
#include "edge/control_int.h"

void status_answer(struct control *ctl, struct jout *j);
/* "needs_restart": keys whose change only a restart brings into force, as a member of the open
 * object. */
void status_put_restart(struct jout *j, const struct control *ctl);

#endif
