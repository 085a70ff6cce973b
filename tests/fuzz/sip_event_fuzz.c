/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a SUBSCRIBE, a NOTIFY and as the values of their fields: a refusal has a status that
 * can be sent, what is read can be written and is then read as the same.                         */
#include "sip_event_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct slice packages[] = {SLICE_LIT("presence")};
static const struct slice types[] = {SLICE_LIT("application/pidf+xml")};
static const struct sip_event_policy policy = {
    .packages = packages,
    .package_count = 1,
    .types = types,
    .type_count = 1,
    .expires_min_s = 60,
    .expires_max_s = 7200,
};

static void play_requests(const struct sip_msg *m)
{
    struct sip_subscribe_view subscribe;
    struct sip_notify_view notify;
    struct sip_verdict v;
    struct buf b;

    buf_init(&b, 1000);
    if (sip_subscribe_read(m, &policy, &subscribe, &v)) {
        ASSERT(v.status == 0 && subscribe.expires_s <= 7200 && subscribe.type_idx == 0);
        ASSERT(slice_eq(subscribe.event.package, packages[0]));
        ASSERT(subscribe.expires_s == 0 || subscribe.expires_s >= 60);
    } else {
        ASSERT(v.status == 400 || v.status == 406 || v.status == 423 || v.status == 489);
        sip_event_verdict_put(&b, &policy, &v);
        ASSERT(!b.failed && (v.status == 400) == (buf_len(&b) == 0));
    }
    if (sip_notify_read(m, &policy, &notify, &v)) {
        ASSERT(v.status == 0 && notify.body.len == m->body.len);
    } else {
        ASSERT(v.status == 400 || v.status == 489);
    }
    ASSERT(sip_answer_expires(m, 3600) <= 3600);
    ASSERT(sip_answer_retry_after(m, 3600) <= 3600);
    (void)sip_answer_min_expires(m, 3600, 86400);
    buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct sip_msg m;
    struct sip_bad bad;

    play_event(text);
    play_state(text);
    if (sip_msg_parse(&m, text, &bad) == 0) {
        play_requests(&m);
    }
    return 0;
}
