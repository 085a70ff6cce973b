/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify_source: a presence server: takes SUBSCRIBEs, sends NOTIFYs. */
#include "load/notify.h"

#include <string.h>

#include "load/run.h"

#define EXPIRES_USUAL 3600u /* RFC 3856 6.4 */
#define NS_PER_S      1000000000u
#define FAILED        300u
#define BAD_REQUEST   400u
#define NOT_FOUND     404u
#define NO_DIALOG     481u
#define BAD_EVENT     489u
#define SERVER_ERROR  500u

/* Who watches whom: both users of one flow. */
static bool read_users(const struct plan *plan, const struct sip_msg *m, uint32_t *flow,
                       struct sip_addr *to)
{
    char partner[PLAN_NAME_BYTES];
    struct sip_addr from;
    uint32_t other;

    if (sip_msg_addr(m, SIP_HDR_TO, to) != 0 || sip_msg_addr(m, SIP_HDR_FROM, &from) != 0 ||
        !notify_user(&to->uri, slice_from_cstr(plan->inside), flow) || *flow >= plan->streams) {
        return false;
    }
    plan_partner(plan, plan_domain_of(plan, *flow), partner);
    return notify_user(&from.uri, slice_from_cstr(partner), &other) && other == *flow;
}

static bool is_for_presence(const struct sip_msg *m)
{
    struct slice event = sip_msg_value(m, SIP_HDR_EVENT);
    struct slice package;

    (void)slice_cut(&event, ';', &package);
    return slice_eq_cstr(slice_trim(package), "presence");
}

/* Where the document goes as the state it holds is now: number 0 says that it is none of the books'
 * (or not for the first time). There is room. */
static void send_notify(struct notify_flow *f, struct wire *w, uint64_t number)
{
    struct buf *out = wire_out(w);
    struct stage *st = w->stage;
    uint64_t now = stage_now_ns(st);
    uint64_t left = f->expires_ns > now ? (f->expires_ns - now) / NS_PER_S : 0;
    struct buf body;

    f->asked_number = number;
    f->is_owed = false;
    notify_begin(f, w, SIP_METHOD_NOTIFY);
    if (f->phase == NOTIFY_ENDING) {
        buf_put_lit(out, "Subscription-State: terminated;reason=timeout\r\n");
    } else {
        buf_printf(out, "Subscription-State: active;expires=%llu\r\n", (unsigned long long)left);
    }
    buf_init(&body, UINT16_MAX);
    pidf_write(&body, &f->party->pidf, f->flow, f->number);
    sip_write_end(out, SLICE_LIT("application/pidf+xml"), buf_slice(&body));
    buf_deinit(&body);
    wire_flush(w);
}

/* What a SUBSCRIBE must be answered with (RFC 6665 4.2.1.2): the state, once more. */
static void tell(struct notify_flow *f)
{
    struct wire *w = f->asked == 0 ? notify_line(f->party, f->flow) : NULL;

    f->is_owed = true;
    if (w) {
        if (f->number > 0) {
            books_ask_again(w->stage->books, f->flow);
        }
        send_notify(f, w, 0);
    }
}

/* Asks once (RFC 6665 4.4.3): the state in a dialog that ends with it; the one that there is, if
 * any, goes on. */
static void answer_fetch(struct notify_flow *f, struct wire *w, const struct sip_msg *m)
{
    struct notify_flow once = {.party = f->party,
                               .flow = f->flow,
                               .number = f->number,
                               .phase = NOTIFY_ENDING,
                               .dialog = {.cseq = NOTIFY_FETCH_CSEQ + f->fetches}};
    struct wire *line = notify_line(f->party, f->flow);
    const char *fault = is_for_presence(m) ? dialog_begin(&once.dialog, m) : "an event";

    if (fault) {
        notify_answer(w, m, BAD_REQUEST);
        stage_damaged(w->stage, fault, sip_lines_start_of(m));
        return;
    }
    notify_answer_subscribe(w, m, f->flow, 0);
    if (line) {
        f->fetches++;
        if (f->number > 0) {
            books_ask_again(w->stage->books, f->flow);
        }
        send_notify(&once, line, 0);
    } else {
        stage_fail(w->stage, "no line with room for the answer to a fetch of flow %u",
                   (unsigned)f->flow);
    }
    dialog_end(&once.dialog);
}

/* In a dialog (tag: ours, as they have it), or beginning one. 0, or the status it is refused with,
 * and why. */
static unsigned enter(struct notify_flow *f, const struct sip_msg *m, struct slice tag,
                      const char **fault)
{
    char own[NOTIFY_TAG_BYTES];

    if (!is_for_presence(m)) {
        *fault = "an event that is not served";
        return BAD_EVENT;
    }
    if (slice_is_empty(tag)) {
        *fault = dialog_begin(&f->dialog, m);
        return *fault ? BAD_REQUEST : 0;
    }
    notify_tag(f->party, f->flow, own);
    if (!slice_eq_cstr(tag, own) || !dialog_has(&f->dialog, m)) {
        *fault = "a SUBSCRIBE of no dialog";
        return NO_DIALOG;
    }
    *fault = dialog_follow(&f->dialog, m);
    return *fault ? SERVER_ERROR : 0;
}

/* What is granted. */
static uint32_t expires_of(const struct plan *plan, const struct sip_msg *m)
{
    uint32_t expires_s = EXPIRES_USUAL;

    if (sip_msg_has(m, SIP_HDR_EXPIRES) && sip_msg_u32(m, SIP_HDR_EXPIRES, &expires_s) != 0) {
        expires_s = EXPIRES_USUAL;
    }
    return expires_s < plan->expires_s ? expires_s : (uint32_t)plan->expires_s;
}

void notify_source_take(struct wire *w, const struct sip_msg *m)
{
    struct notify_party *p = notify_of(w);
    struct stage *st = w->stage;
    uint32_t expires_s = expires_of(st->plan, m);
    const char *fault = "a SUBSCRIBE between users that are not of one flow";
    uint32_t flow = 0;
    struct notify_flow *f;
    struct sip_addr to;
    unsigned status = NOT_FOUND;

    if (read_users(st->plan, m, &flow, &to)) {
        f = &p->flows[flow];
        if (slice_is_empty(to.tag) && expires_s == 0) {
            answer_fetch(f, w, m);
            return;
        }
        status = enter(f, m, to.tag, &fault);
    }
    if (status != 0) {
        notify_answer(w, m, status);
        stage_damaged(st, fault, sip_lines_start_of(m));
        return;
    }
    if (!slice_is_empty(to.tag) && expires_s > 0) {
        (void)atomic_fetch_add_explicit(&st->run->refreshes, 1, memory_order_relaxed);
    }
    f->phase = expires_s > 0 ? NOTIFY_ACTIVE : NOTIFY_ENDING;
    f->expires_ns = stage_now_ns(st) + (uint64_t)expires_s * NS_PER_S;
    notify_answer_subscribe(w, m, flow, expires_s);
    tell(f);
}

void notify_source_response(struct notify_flow *f, const struct sip_msg *m)
{
    struct stage *st = f->party->base.lines.stage;

    if (m->status >= FAILED && f->asked_number > 0) {
        stage_refused(st, f->flow, f->asked_number - 1, sip_lines_start_of(m));
    } else if (m->status >= FAILED) {
        stage_damaged(st, "a NOTIFY was refused", sip_lines_start_of(m));
    }
    if (m->status == NO_DIALOG || (f->phase == NOTIFY_ENDING && !f->is_owed)) {
        dialog_end(&f->dialog);
        f->phase = NOTIFY_ENDED;
    } else if (f->is_owed) {
        tell(f);
    }
    if (st->schedule) {
        schedule_ready(st->schedule, f->flow);
    }
}

void notify_source_writable(struct wire *w)
{
    struct notify_party *p = notify_of(w);

    for (uint32_t i = w->line; i < w->stage->plan->streams; i += p->base.lines.count) {
        if (p->flows[i].is_owed && p->flows[i].asked == 0) {
            tell(&p->flows[i]);
        }
    }
    stage_writable(w->stage, w->line);
}

/* False: nobody watches the user any more who should have refreshed. */
static bool is_watched(struct notify_flow *f, struct stage *st)
{
    if (f->phase == NOTIFY_ACTIVE && stage_now_ns(st) > f->expires_ns + NS_PER_S) {
        stage_damaged(st, "a subscription was not refreshed in time", SLICE_NONE);
        dialog_end(&f->dialog);
        f->phase = NOTIFY_ENDED;
    }
    return f->phase == NOTIFY_ACTIVE;
}

bool notify_source_write(void *party, const struct schedule_order *order)
{
    struct notify_party *p = party;
    struct notify_flow *f = &p->flows[order->flow];
    struct wire *w = f->asked == 0 && !f->is_owed ? notify_line(p, order->flow) : NULL;

    if (!w || !is_watched(f, w->stage)) {
        return false;
    }
    f->number = books_send(w->stage->books, order->flow, order->intended_ns) + 1;
    send_notify(f, w, f->number);
    return true;
}
