/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_act: what the actions of subscriber_act.c and subscriber_act_sip.c share. */
#ifndef FG_PRESENCE_SUBSCRIBER_ACT_H
#define FG_PRESENCE_SUBSCRIBER_ACT_H

#include "presence/subscriber_int.h"

/* TRYING, its SUBSCRIBE at the hop's pace. */
void subscriber_begin(struct contact *c);
/* BACKOFF for delay_s seconds, +-20 %, but no less than least_s: a Retry-After, which counts up to
 * SUBSCRIBER_RETRY_AFTER_S. */
void subscriber_backoff(struct contact *c, uint32_t delay_s, uint32_t least_s);

#endif
