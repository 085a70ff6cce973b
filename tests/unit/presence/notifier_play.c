/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_play: see its header. */
#include "notifier_play.h"

#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "notifier_help.h"
#include "script.h"

#define DEVICES   12u
#define STEPS_MAX 400u

struct play {
    struct fixture f;
    struct device devices[DEVICES];
    char names[DEVICES][16];
    uint32_t dialogs; /* begun so far */
    struct script script;
    struct notifier_play_sums *sums;
};

/* --- promises --------------------------------------------------------------------------------- */


/* What is active, or shows anything, was granted by ann, and durably. */
static void check_notify(struct play *p, struct said *s)
{
    bool is_active = says(s, "Subscription-State: active");
    const struct kept_row *row = fixture_row(&p->f, CONTACT_OUT, BOB, ANN);

    ASSERT(s->method == SIP_METHOD_NOTIFY);
    if (s->handle) {
        return; /* seen */
    }
    s->handle = 1;
    p->sums->notifies++;
    p->sums->documents += body_of(s).len > 0;
    if (is_active || says(s, "<basic>open")) {
        ASSERT(row && row->state == CONTACT_GRANTED);
    }
    if (says(s, "Subscription-State: pending")) {
        ASSERT(body_of(s).len == 0);
    }
}

static void check(struct play *p)
{
    struct contact *c = contact_of(&p->f);
    uint32_t count = 0;

    for (struct list *a = p->f.requests.next; a != &p->f.requests; a = a->next) {
        check_notify(p, LIST_ENTRY(a, struct said, link));
    }
    for (struct notifier_dialog *d = c ? c->out.dialogs : NULL; d; d = d->next) {
        count++;
        ASSERT(!notifier_dialog_lasts(d) || c->out.state == NOTIFIER_ASKING ||
               c->out.state == NOTIFIER_GRANTED);
    }
    ASSERT(count <= NOTIFIER_DIALOGS_MAX + NOTIFIER_ENDING_MAX + 1);
    ASSERT(!c || c->out.document_len <= PRESENCE_PACKED_BYTES_MAX);
    ASSERT(presence_stats(p->f.p)->memory_bytes < 65536);
    fixture_forget(&p->f);
}

/* Devices have Call-IDs of their own, so of each there is one NOTIFY in flight at most; but a lost
 * dialog leaves its last one behind. */
static void check_in_flight(struct play *p)
{
    struct contact *c = contact_of(&p->f);
    uint32_t lasting = 0;
    uint32_t flights = 0;

    for (const struct notifier_dialog *d = c ? c->out.dialogs : NULL; d; d = d->next) {
        lasting += d->is_in_flight;
    }
    for (const struct presence_call *call = c ? c->calls : NULL; call; call = call->next) {
        flights += call->dialog != NULL;
    }
    ASSERT(flights == lasting);
}

/* --- steps ------------------------------------------------------------------------------------ */

static void begin_anew(struct play *p, struct device *d)
{
    (void)snprintf(p->names[d - p->devices], sizeof(p->names[0]), "d%u", p->dialogs++);
    d->to_tag[0] = '\0';
    d->cseq = 1;
}

static void step_subscribe(struct play *p)
{
    static const char *const expires[] = {"3600", "60", "0",  "30", "4294967296",
                                          "600",  "-1", "99", "",   "3600"};
    static const char *const more[] = {"", "", "", "Event: presence\n", "Accept: text/plain\n",
                                       "Record-Route: <sip:p;lr>\n", "Contact: <sip:x@y>\n",
                                       "Record-Route: sip:broken\n", "Contact: *\n",
                                       "Content-Type: application/adrl+xml\n"};
    struct device *d = &p->devices[NEXT(p) % DEVICES];
    char lines[256];
    unsigned status;

    if (NEXT(p) % 8 == 0) {
        begin_anew(p, d);
    }
    if (NEXT(p) % 8 == 0) {
        d->cseq = NEXT(p);
    }
    if (NEXT(p) % 4) {
        status = subscribe(&p->f, d, PICK(p, expires));
    } else {
        (void)snprintf(lines, sizeof(lines), "Event: presence\nExpires: %s\n%s",
                       PICK(p, expires), PICK(p, more));
        status = subscribe_raw(&p->f, d, lines, NULL);
    }
    ASSERT(status >= 200 && status < 700);
    p->sums->answers[status / 100]++;
    if (status == 481) { /* over: the device begins anew */
        begin_anew(p, d);
    }
}

static void step_stanza(struct play *p)
{
    static const char *const types[] = {"", "", "", "", "unavailable", "unavailable",
                                        "subscribed", "subscribed", "subscribed", "unsubscribed",
                                        "error", "subscribe", "probe"};
    static const char *const resources[] = {"", "desk", "sofa", "phone"};
    static const char *const inner[] = {
        "",
        "<show>away</show>",
        "<status>here</status><priority>7</priority>",
        "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        "</error>",
        "<error type='wait'><remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        "</error>",
        "<show>&lt;basic&gt;</show><status xml:lang='de'>&#xfffd;</status>",
    };
    const char *type = PICK(p, types);
    const char *resource = PICK(p, resources);

    p->sums->grants += strcmp(type, "subscribed") == 0;
    from_ann(&p->f, type, resource, PICK(p, inner));
}

static void step_response(struct play *p)
{
    static const unsigned statuses[] = {200, 200, 200, 481, 503, 500, 404, 403, 302, 202};
    struct said *s = fixture_request(&p->f);
    uint8_t what = NEXT(p);

    if (!s) {
        return;
    }
    if (what % 8 == 0) {
        fixture_fail(&p->f, s, SIP_OUTCOME_TIMEOUT);
    } else if (what % 8 == 1) {
        fixture_fail(&p->f, s, SIP_OUTCOME_LINK);
    } else {
        fixture_respond(&p->f, s, PICK(p, statuses), "x",
                        what % 8 == 2 ? "Contact: <sip:moved@z>\r\n" : "");
    }
}

static void step_time(struct play *p)
{
    static const uint32_t ms[] = {10, 500, 5000, 31000, 61000, 301000, 3600000, 90000000};

    uint32_t step_ms = PICK(p, ms);
    bool is_well = p->f.store == FIXTURE_STORE_PROMPT && p->f.store_err == 0;

    /* A store that refuses is asked again and again, which makes long times slow. */
    fixture_run(&p->f, is_well || step_ms < 61000 ? step_ms : 61000);
}

static void step_store(struct play *p)
{
    static const int errs[] = {0, 0, ERR_STATE, ERR_NOMEM};

    p->f.store = (enum fixture_store)(NEXT(p) % 3);
    p->f.store_err = PICK(p, errs);
    if (NEXT(p) % 2) {
        fixture_store_done(&p->f, PICK(p, errs));
    }
}

static void step_world(struct play *p)
{
    static const enum presence_order orders[] = {PRESENCE_ALLOW, PRESENCE_ALLOW, PRESENCE_ALLOW,
                                                 PRESENCE_BLOCK, PRESENCE_FORGET};
    static const enum stanza_type types[] = {STANZA_TYPE_SUBSCRIBE, STANZA_TYPE_PROBE};
    struct presence_pair pair = fixture_pair(BOB, ANN);
    uint8_t what = NEXT(p);

    if (what < 80) {
        presence_partner_seen(p->f.p, SLICE_LIT("chat.example"), what % 2);
    } else if (what < 120) {
        presence_order(p->f.p, &pair, CONTACT_OUT, PICK(p, orders), what);
    } else if (what < 160) {
        p->f.rules[CONTACT_OUT].is_allowed = what % 16 != 0;
        (void)presence_review(p->f.p, true);
    } else if (what < 200) {
        presence_undelivered(p->f.p, &pair, PICK(p, types), STANZA_CONDITION_REMOTE_SERVER_TIMEOUT);
    } else if (what < 220) {
        p->f.request_err = what % 2 ? ERR_FULL : 0;
    } else {
        p->sums->crashes++;
        fixture_crash(&p->f, what % 2);
    }
    fixture_settle(&p->f);
}

/* --- the play --------------------------------------------------------------------------------- */

/* In the end the world is well again, bob's devices are gone, and nothing is left of them. */
static void finish(struct play *p)
{
    struct contact *c;

    p->f.store = FIXTURE_STORE_PROMPT;
    p->f.store_err = 0;
    p->f.request_err = 0;
    for (int i = 0; i < 40; i++) {
        accept_all(&p->f);
        fixture_run(&p->f, 3600 * 1000);
        check(p);
    }
    accept_all(&p->f);
    c = contact_of(&p->f);
    ASSERT(!c || !c->out.dialogs);
    ASSERT(presence_stats(p->f.p)->dialogs[CONTACT_OUT] == 0);
    ASSERT(presence_stats(p->f.p)->dirty == 0);
}

void notifier_play(const uint8_t *data, size_t size, struct notifier_play_sums *sums)
{
    static void (*const steps[])(struct play *p) = {
        step_subscribe, step_subscribe, step_stanza, step_stanza,  step_response, step_response,
        step_response,  step_time,      step_time,   step_subscribe, step_store,    step_world};
    static struct play p;

    p = (struct play){.script = {data, size}, .sums = sums};
    scene_start(&p.f);
    p.f.rules[CONTACT_IN].is_allowed = false; /* the other direction is not played */
    for (uint32_t i = 0; i < DEVICES; i++) {
        p.devices[i].call_id = p.names[i];
        begin_anew(&p, &p.devices[i]);
    }
    for (uint32_t i = 0; i < STEPS_MAX && p.script.left > 0; i++) {
        steps[NEXT(&p) % ARRAY_COUNT(steps)](&p);
        sums->steps++;
        check(&p);
        check_in_flight(&p);
    }
    finish(&p);
    scene_stop(&p.f);
}
