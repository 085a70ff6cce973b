/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_event_checks: values of Event and Subscription-State that were read can be written, and are
 * then read as the same.                                                                         */
#ifndef FG_FUZZ_SIP_EVENT_CHECKS_H
#define FG_FUZZ_SIP_EVENT_CHECKS_H

#include "base/check.h"
#include "sip/event.h"

/* The value of a header field that was written. */
static inline struct slice value_of(const struct buf *b)
{
    struct slice rest = buf_slice(b);
    struct slice name;

    (void)slice_cut(&rest, ':', &name);
    return slice_trim(rest);
}

static inline void play_event(struct slice text)
{
    struct sip_event event;
    struct sip_event again;
    struct buf b;

    if (sip_event_parse(text, &event)) {
        return;
    }
    buf_init(&b, 2 * text.len + 100);
    sip_write_event(&b, &event);
    ASSERT(!b.failed && sip_event_parse(value_of(&b), &again) == 0);
    ASSERT(sip_event_eq(&event, &again));
    buf_deinit(&b);
}

static inline void play_state(struct slice text)
{
    struct sip_subscription_state s;
    struct sip_subscription_state again;
    struct buf b;

    if (sip_subscription_state_parse(text, &s) || s.state == SIP_SUB_UNKNOWN) {
        return;
    }
    ASSERT(s.state != SIP_SUB_TERMINATED || !s.has_expires);
    ASSERT(s.state == SIP_SUB_TERMINATED || (!s.has_retry_after && s.reason == SIP_REASON_NONE));
    buf_init(&b, 200);
    sip_write_subscription_state(&b, &s);
    ASSERT(!b.failed && sip_subscription_state_parse(value_of(&b), &again) == 0);
    ASSERT(s.state == again.state && s.expires_s == again.expires_s);
    ASSERT(s.reason == again.reason || s.reason == SIP_REASON_UNKNOWN);
    ASSERT(s.retry_after_s == again.retry_after_s);
    buf_deinit(&b);
}

#endif
