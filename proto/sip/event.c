/* SPDX-License-Identifier: GPL-2.0-or-later */
/* event: Event, Subscription-State, Expires and Accept as values (RFC 6665 8.2, 8.4; RFC 3261 20.1,
 * 20.19).                                                                                        */
#include "sip/event.h"

#include "base/ascii.h"
#include "base/check.h"
#include "base/err.h"
#include "sip/chars.h"

static const struct slice state_names[] = {
    [SIP_SUB_UNKNOWN] = SLICE_LIT("unknown"),
#define SUB_STATE(id, name) [SIP_SUB_##id] = SLICE_LIT(name),
#include "sip/event.def"
#undef SUB_STATE
};

static const struct slice reason_names[] = {
    [SIP_REASON_NONE] = SLICE_LIT("none"),
    [SIP_REASON_UNKNOWN] = SLICE_LIT("unknown"),
#define SUB_REASON(id, name) [SIP_REASON_##id] = SLICE_LIT(name),
#include "sip/event.def"
#undef SUB_REASON
};

struct slice sip_sub_state_name(enum sip_sub_state state)
{
    return state_names[state];
}

struct slice sip_sub_reason_name(enum sip_sub_reason reason)
{
    return reason_names[reason];
}

/* event-type: tokens with dots between them (8.4). */
static bool event_type_is_valid(struct slice text)
{
    struct slice piece;
    bool more;

    do {
        more = slice_cut(&text, '.', &piece);
        if (!sip_all_are(piece, SIP_CHAR_TOKEN)) {
            return false;
        }
    } while (more);
    return true;
}

/* Splits "token *(SEMI param)"; *params stays empty without any. */
static bool split_head(struct slice value, struct slice *head, struct slice *params)
{
    size_t len = sip_span(value, 0, SIP_CHAR_TOKEN);
    size_t at = sip_skip_lws(value, len);

    *head = slice_to(value, len);
    *params = SLICE_NONE;
    if (len == 0 || (at < value.len && value.ptr[at] != ';')) {
        return false;
    }
    *params = slice_from(value, at + 1);
    return at >= value.len || params->len > 0;
}

int sip_event_parse(struct slice value, struct sip_event *out)
{
    struct sip_param_walk walk = {.count = 0};
    enum sip_walk step = SIP_WALK_END;
    struct slice name;
    struct slice text;

    *out = (struct sip_event){.package = SLICE_NONE};
    value = slice_trim(value);
    if (!split_head(value, &out->package, &walk.params) || !event_type_is_valid(out->package)) {
        return ERR_SIP_SYNTAX;
    }
    while (walk.params.len > 0 && (step = sip_param_walk(&walk, &name, &text)) == SIP_WALK_NEXT) {
        if (slice_eq_nocase(name, SLICE_LIT("id"))) {
            if (out->id.len > 0 || !sip_all_are(text, SIP_CHAR_TOKEN)) {
                return ERR_SIP_SYNTAX;
            }
            out->id = text;
        }
    }
    return step == SIP_WALK_END ? 0 : ERR_SIP_SYNTAX;
}

int sip_msg_event(const struct sip_msg *m, struct sip_event *out)
{
    *out = (struct sip_event){.package = SLICE_NONE};
    return sip_msg_has(m, SIP_HDR_EVENT) ? sip_event_parse(sip_msg_value(m, SIP_HDR_EVENT), out)
                                         : ERR_NOT_FOUND;
}

bool sip_event_eq(const struct sip_event *a, const struct sip_event *b)
{
    return slice_eq(a->package, b->package) && slice_eq(a->id, b->id);
}

void sip_write_event(struct buf *out, const struct sip_event *event)
{
    sip_write_header_begin(out, SIP_HDR_EVENT);
    sip_put_clean(out, event->package);
    if (event->id.len > 0) {
        buf_put_lit(out, ";id=");
        sip_put_clean(out, event->id);
    }
    sip_write_header_end(out);
}

/* delta-seconds = 1*DIGIT, which has no bound of its own: what is beyond 2^32-1 counts as that. */
static bool parse_delta(struct slice text, uint32_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (!ascii_is_digit(text.ptr[i])) {
            return false;
        }
        value = value * 10 + (uint64_t)(text.ptr[i] - '0');
        value = value > UINT32_MAX ? UINT32_MAX : value;
    }
    *out = (uint32_t)value;
    return text.len > 0;
}

static enum sip_sub_state state_from(struct slice word)
{
    for (unsigned i = SIP_SUB_UNKNOWN + 1; i < ARRAY_COUNT(state_names); i++) {
        if (slice_eq_nocase(word, state_names[i])) {
            return (enum sip_sub_state)i;
        }
    }
    return SIP_SUB_UNKNOWN;
}

static enum sip_sub_reason reason_from(struct slice word)
{
    for (unsigned i = SIP_REASON_UNKNOWN + 1; i < ARRAY_COUNT(reason_names); i++) {
        if (slice_eq_nocase(word, reason_names[i])) {
            return (enum sip_sub_reason)i;
        }
    }
    return SIP_REASON_UNKNOWN;
}

static bool read_state_param(struct slice name, struct slice text,
                             struct sip_subscription_state *out)
{
    if (slice_eq_nocase(name, SLICE_LIT("reason"))) {
        if (out->reason != SIP_REASON_NONE || !sip_all_are(text, SIP_CHAR_TOKEN)) {
            return false;
        }
        out->reason = reason_from(text);
        out->reason_text = text;
    } else if (slice_eq_nocase(name, SLICE_LIT("expires"))) {
        if (out->has_expires || !parse_delta(text, &out->expires_s)) {
            return false;
        }
        out->has_expires = true;
    } else if (slice_eq_nocase(name, SLICE_LIT("retry-after"))) {
        if (out->has_retry_after || !parse_delta(text, &out->retry_after_s)) {
            return false;
        }
        out->has_retry_after = true;
    }
    return true;
}

/* 4.1.3: retry-after has a meaning with these only. */
static bool reason_has_retry_after(enum sip_sub_reason reason)
{
    return reason == SIP_REASON_NONE || reason == SIP_REASON_UNKNOWN ||
           reason == SIP_REASON_PROBATION || reason == SIP_REASON_GIVEUP;
}

/* What 4.1.3 says to ignore is not handed out, so that nobody acts on it. */
static void drop_meaningless(struct sip_subscription_state *s)
{
    if (s->state == SIP_SUB_TERMINATED) {
        s->has_expires = false;
    }
    if (s->state == SIP_SUB_ACTIVE || s->state == SIP_SUB_PENDING) {
        s->reason = SIP_REASON_NONE;
        s->has_retry_after = false;
    }
    s->has_retry_after = s->has_retry_after && reason_has_retry_after(s->reason);
    s->expires_s = s->has_expires ? s->expires_s : 0;
    s->retry_after_s = s->has_retry_after ? s->retry_after_s : 0;
}

int sip_subscription_state_parse(struct slice value, struct sip_subscription_state *out)
{
    struct sip_param_walk walk = {.count = 0};
    enum sip_walk step = SIP_WALK_END;
    struct slice name;
    struct slice text;

    *out = (struct sip_subscription_state){.state = SIP_SUB_UNKNOWN};
    value = slice_trim(value);
    if (!split_head(value, &out->state_text, &walk.params)) {
        return ERR_SIP_SYNTAX;
    }
    out->state = state_from(out->state_text);
    while (walk.params.len > 0 && (step = sip_param_walk(&walk, &name, &text)) == SIP_WALK_NEXT) {
        if (!read_state_param(name, text, out)) {
            return ERR_SIP_SYNTAX;
        }
    }
    drop_meaningless(out);
    return step == SIP_WALK_END ? 0 : ERR_SIP_SYNTAX;
}

int sip_msg_subscription_state(const struct sip_msg *m, struct sip_subscription_state *out)
{
    *out = (struct sip_subscription_state){.state = SIP_SUB_UNKNOWN};
    return sip_msg_has(m, SIP_HDR_SUBSCRIPTION_STATE)
               ? sip_subscription_state_parse(sip_msg_value(m, SIP_HDR_SUBSCRIPTION_STATE), out)
               : ERR_NOT_FOUND;
}

void sip_write_subscription_state(struct buf *out, const struct sip_subscription_state *s)
{
    ASSERT(s->state != SIP_SUB_UNKNOWN);
    sip_write_header_begin(out, SIP_HDR_SUBSCRIPTION_STATE);
    buf_put(out, sip_sub_state_name(s->state));
    if (s->state != SIP_SUB_TERMINATED) {
        buf_put_lit(out, ";expires=");
        buf_put_u64(out, s->expires_s);
    } else {
        if (s->reason > SIP_REASON_UNKNOWN) {
            buf_put_lit(out, ";reason=");
            buf_put(out, sip_sub_reason_name(s->reason));
        }
        if (s->has_retry_after) {
            buf_put_lit(out, ";retry-after=");
            buf_put_u64(out, s->retry_after_s);
        }
    }
    sip_write_header_end(out);
}

bool sip_msg_expires(const struct sip_msg *m, uint32_t default_s, uint32_t *expires_s)
{
    *expires_s = default_s;
    return !sip_msg_has(m, SIP_HDR_EXPIRES) ||
           parse_delta(sip_msg_value(m, SIP_HDR_EXPIRES), expires_s);
}

uint32_t sip_answer_expires(const struct sip_msg *m, uint32_t asked_s)
{
    uint32_t expires_s;

    if (!sip_msg_expires(m, asked_s, &expires_s)) {
        return asked_s;
    }
    return expires_s < asked_s ? expires_s : asked_s;
}

uint32_t sip_answer_min_expires(const struct sip_msg *m, uint32_t asked_s, uint32_t limit_s)
{
    uint32_t min_s;

    if (!parse_delta(sip_msg_value(m, SIP_HDR_MIN_EXPIRES), &min_s)) {
        return 0;
    }
    return min_s > asked_s && min_s <= limit_s ? min_s : 0;
}

uint32_t sip_answer_retry_after(const struct sip_msg *m, uint32_t limit_s)
{
    uint32_t retry_s;
    int err = sip_msg_u32(m, SIP_HDR_RETRY_AFTER, &retry_s);

    if (err) {
        return err == ERR_LIMIT ? limit_s : 0;
    }
    return retry_s < limit_s ? retry_s : limit_s;
}

bool sip_status_ends_subscription(unsigned status)
{
    switch (status) {
    case 404:
    case 405:
    case 410:
    case 416:
    case 489:
    case 501:
    case 604:
        return true;
    default:
        return status >= 480 && status <= 485;
    }
}

/* How closely a media range names a type; 0 = not at all (RFC 3261 20.1, as RFC 2616 14.1). */
static unsigned range_fit(const struct sip_media_type *range, struct slice type,
                          struct slice subtype)
{
    if (slice_eq_nocase(range->subtype, subtype) && slice_eq_nocase(range->type, type)) {
        return 3;
    }
    if (!slice_eq(range->subtype, SLICE_LIT("*"))) {
        return 0;
    }
    if (slice_eq_nocase(range->type, type)) {
        return 2;
    }
    return slice_eq(range->type, SLICE_LIT("*")) ? 1 : 0;
}

/* qvalue = "0" ["." 0*3DIGIT] / "1" ["." 0*3"0"]; *is_zero: it says no. */
static bool parse_q(struct slice text, bool *is_zero)
{
    bool is_one = text.len > 0 && text.ptr[0] == '1';

    *is_zero = !is_one;
    if (text.len == 0 || (!is_one && text.ptr[0] != '0') || text.len > sizeof("0.000") - 1 ||
        (text.len > 1 && text.ptr[1] != '.')) {
        return false;
    }
    for (size_t i = 2; i < text.len; i++) {
        if (!ascii_is_digit(text.ptr[i]) || (is_one && text.ptr[i] != '0')) {
            return false;
        }
        *is_zero = *is_zero && text.ptr[i] == '0';
    }
    return true;
}

enum sip_accept sip_msg_accepts(const struct sip_msg *m, struct slice type, struct slice subtype)
{
    enum sip_accept verdict = SIP_ACCEPT_NO;
    struct sip_media_type range;
    struct sip_list list;
    struct slice value;
    struct slice q;
    unsigned best = 0;
    unsigned count = 0;

    if (!sip_msg_has(m, SIP_HDR_ACCEPT)) {
        return SIP_ACCEPT_ABSENT;
    }
    sip_list_init(&list, m, SIP_HDR_ACCEPT);
    while (sip_list_next(&list, &value)) {
        bool is_zero = false;
        unsigned fit;

        if (++count > SIP_LIST_VALUES_MAX) {
            return SIP_ACCEPT_BAD;
        }
        if (value.len == 0) {
            continue;
        }
        if (sip_media_type_parse(value, &range) ||
            (sip_param(range.params, SLICE_LIT("q"), &q) && !parse_q(q, &is_zero))) {
            return SIP_ACCEPT_BAD;
        }
        fit = range_fit(&range, type, subtype);
        if (fit > best || (fit == best && fit > 0 && !is_zero)) {
            best = fit;
            verdict = is_zero ? SIP_ACCEPT_NO : SIP_ACCEPT_YES;
        }
    }
    return verdict;
}
