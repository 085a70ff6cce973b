/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify_sink: phones: SUBSCRIBE, refresh, end; check what NOTIFYs tell. */
#include "load/notify.h"

#include <string.h>

#include "engine/shard.h"
#include "load/payload.h"
#include "load/run.h"

#define FAILED       300u
#define OK           200u
#define NO_DIALOG    481u
#define SERVER_ERROR 500u
#define SOON_MS      1000u /* a refresh that cannot go now */
#define MS_PER_S     1000u

static void on_refresh(struct wheel_timer *t, void *ctx);

static struct stage *stage_of(const struct notify_flow *f)
{
    return f->party->base.lines.stage;
}

static void send_subscribe(struct notify_flow *f, struct wire *w, uint64_t expires_s)
{
    notify_begin(f, w, SIP_METHOD_SUBSCRIBE);
    buf_put_lit(wire_out(w), "Accept: application/pidf+xml\r\n");
    sip_write_header_u32(wire_out(w), SIP_HDR_EXPIRES, (uint32_t)expires_s);
    sip_write_end_empty(wire_out(w));
    wire_flush(w);
}

static void on_refresh(struct wheel_timer *t, void *ctx)
{
    struct notify_flow *f = ctx;
    struct stage *st = stage_of(f);
    struct wire *w = f->asked == 0 ? notify_line(f->party, f->flow) : NULL;

    (void)t;
    if (f->phase != NOTIFY_ACTIVE) {
        return;
    }
    if (!w) {
        shard_timer_arm(st->sh, &f->timer, SOON_MS, on_refresh, f);
        return;
    }
    books_ask_again(st->books, f->flow);
    (void)atomic_fetch_add_explicit(&st->run->refreshes, 1, memory_order_relaxed);
    send_subscribe(f, w, st->plan->expires_s);
}

bool notify_sink_watch(void *party, uint32_t flow)
{
    struct notify_party *p = party;
    struct notify_flow *f = &p->flows[flow];
    struct wire *w = notify_line(p, flow);

    if (!w) {
        return false;
    }
    f->phase = NOTIFY_ASKED;
    send_subscribe(f, w, w->stage->plan->expires_s);
    return true;
}

bool notify_sink_unwatch(void *party, uint32_t flow)
{
    struct notify_party *p = party;
    struct notify_flow *f = &p->flows[flow];
    struct wire *w = f->asked == 0 ? notify_line(p, flow) : NULL;

    if (f->phase != NOTIFY_ACTIVE) {
        return true; /* it has ended already, which was said */
    }
    if (!w) {
        return false;
    }
    f->phase = NOTIFY_ENDING;
    send_subscribe(f, w, 0);
    return true;
}

void notify_sink_response(struct notify_flow *f, const struct sip_msg *m)
{
    struct stage *st = stage_of(f);
    const char *fault = NULL;
    uint32_t expires_s = 0;

    if (m->status >= FAILED) {
        fault = "a SUBSCRIBE was refused";
    } else if (!f->dialog.text && f->phase != NOTIFY_ENDED) {
        fault = dialog_begin(&f->dialog, m);
    }
    if (!fault && m->status < FAILED && sip_msg_u32(m, SIP_HDR_EXPIRES, &expires_s) != 0) {
        fault = "a 2xx without Expires";
    }
    if (fault && f->phase == NOTIFY_ASKED) {
        stage_fail(st, "flow %u: %s: %.*s", (unsigned)f->flow, fault,
                   SLICE_FMT(sip_lines_start_of(m)));
    } else if (fault) {
        stage_damaged(st, fault, sip_lines_start_of(m));
    } else if (expires_s > 0) {
        shard_timer_arm(st->sh, &f->timer, (uint64_t)expires_s * MS_PER_S / 4 * 3, on_refresh, f);
    }
}

/* --- NOTIFY --- */

/* The flow by its Call-ID and our tag; NULL = none that watches. */
static struct notify_flow *find(struct notify_party *p, const struct sip_msg *m)
{
    char tag[NOTIFY_TAG_BYTES];
    struct slice call_id;
    struct sip_addr to;
    uint64_t flow;

    if (sip_msg_call_id(m, &call_id) != 0 ||
        call_id.len != NOTIFY_RUN_DIGITS + 1 + PAYLOAD_FLOW_DIGITS ||
        memcmp(call_id.ptr, p->run, NOTIFY_RUN_DIGITS) != 0 ||
        !payload_take_digits(call_id.ptr + NOTIFY_RUN_DIGITS + 1, PAYLOAD_FLOW_DIGITS, &flow) ||
        flow >= p->base.lines.stage->plan->streams || sip_msg_addr(m, SIP_HDR_TO, &to) != 0) {
        return NULL;
    }
    notify_tag(p, (uint32_t)flow, tag);
    return slice_eq_cstr(to.tag, tag) && p->flows[flow].phase != NOTIFY_NONE &&
                   p->flows[flow].phase != NOTIFY_ENDED
               ? &p->flows[flow]
               : NULL;
}

/* The state as of now; what is known of the user makes the subscription one that works. */
static void take_state(struct notify_flow *f, const struct sip_msg *m, enum pidf_finding finding,
                       uint64_t number)
{
    struct stage *st = stage_of(f);

    if (finding == PIDF_CLOSED && f->phase == NOTIFY_ASKED) {
        return; /* nothing was heard of him yet */
    }
    if (finding != PIDF_NUMBER && f->number > 0) {
        stage_damaged(st, finding == PIDF_CLOSED ? "no tuple is open" : "no note",
                      sip_lines_start_of(m));
        return;
    }
    if (f->phase == NOTIFY_ASKED) {
        f->phase = NOTIFY_ACTIVE;
        stage_watched(st);
    }
    if (finding == PIDF_NUMBER) {
        f->number = number > f->number ? number : f->number;
        stage_arrived(st, f->flow, number - 1);
    }
}

static void take_document(struct notify_flow *f, const struct sip_msg *m)
{
    struct sip_media_type type;
    uint64_t number;
    const char *what;
    enum pidf_finding finding;

    if (m->body.len == 0) {
        if (f->number > 0) {
            stage_damaged(stage_of(f), "no document", sip_lines_start_of(m));
        }
        return;
    }
    if (sip_msg_content_type(m, &type) != 0 ||
        !sip_media_type_is(&type, SLICE_LIT("application"), SLICE_LIT("pidf+xml"))) {
        stage_damaged(stage_of(f), "Content-Type", sip_lines_start_of(m));
        return;
    }
    finding = pidf_check(&f->party->pidf, m->body, f->flow, &number, &what);
    if (finding == PIDF_DAMAGED) {
        stage_damaged(stage_of(f), what, m->body);
    } else {
        take_state(f, m, finding, number);
    }
}

static void take_end(struct notify_flow *f, struct slice value)
{
    struct stage *st = stage_of(f);

    if (f->phase == NOTIFY_ASKED) {
        stage_fail(st, "flow %u: the subscription is refused: %.*s", (unsigned)f->flow,
                   SLICE_FMT(value));
    } else if (f->phase == NOTIFY_ACTIVE) {
        stage_damaged(st, "the server has ended a subscription", value);
    }
    if (f->phase == NOTIFY_ENDING) {
        stage_unwatched(st);
    }
    f->phase = NOTIFY_ENDED;
    shard_timer_disarm(st->sh, &f->timer);
    dialog_end(&f->dialog);
}

static void take_told(struct notify_flow *f, const struct sip_msg *m)
{
    struct slice value = sip_msg_value(m, SIP_HDR_SUBSCRIPTION_STATE);
    struct slice rest = value;
    struct slice state;

    (void)slice_cut(&rest, ';', &state);
    state = slice_trim(state);
    if (slice_eq_nocase(state, SLICE_LIT("terminated"))) {
        take_end(f, value);
    } else if (slice_eq_nocase(state, SLICE_LIT("active"))) {
        if (f->phase != NOTIFY_ENDING) {
            take_document(f, m);
        }
    } else if (!slice_eq_nocase(state, SLICE_LIT("pending"))) {
        stage_damaged(stage_of(f), "Subscription-State", value);
    }
}

void notify_sink_take(struct wire *w, const struct sip_msg *m)
{
    struct notify_flow *f = find(notify_of(w), m);
    const char *fault = NULL;

    if (!f || (f->dialog.text && !dialog_has(&f->dialog, m))) {
        notify_answer(w, m, NO_DIALOG);
        stage_damaged(w->stage, "a NOTIFY of no dialog", sip_lines_start_of(m));
        return;
    }
    /* It may come before the 2xx (RFC 6665 4.1.2.4). */
    fault = f->dialog.text ? dialog_follow(&f->dialog, m) : dialog_begin(&f->dialog, m);
    notify_answer(w, m, fault ? SERVER_ERROR : OK);
    if (fault) {
        stage_damaged(w->stage, fault, sip_lines_start_of(m));
    } else {
        take_told(f, m);
    }
}
