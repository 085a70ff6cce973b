/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_play: see the header. */
#include "subscriber_play.h"

#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "fixture.h"
#include "presence/subscriber_int.h"
#include "script.h"

#define BOB       "bob@corp.example"
#define ANN       "ann@chat.example"
#define STEPS_MAX 400u
#define FULL_S_MAX 700u
#define OPEN(id)  "<tuple id='ID-" id "'><status><basic>open</basic></status></tuple>"
#define DOC(inner)                                                                                 \
    "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='pres:bob@corp.example'>" inner          \
    "</presence>"

struct play {
    struct fixture f;
    struct script script;
    char call_id[64];
    char local_tag[64];
    uint32_t cseq;
    struct subscriber_play_sums *sums;
};

static void ann(struct play *p, unsigned which)
{
    static const char *const types[] = {
        "type='subscribe'", "type='unsubscribe'", "type='probe'", "type='unavailable'", "",
        "type='error'"};
    char xml[200];

    snprintf(xml, sizeof(xml), "<presence %s from='" ANN "%s' to='" BOB "'/>",
             types[which % ARRAY_COUNT(types)], which & 8 ? "/x" : "");
    ASSERT(fixture_from_partner(&p->f, xml));
}

/* --- the notifier ----------------------------------------------------------------------------- */

static void learn_tag(char *out, size_t out_bytes, struct slice value)
{
    ptrdiff_t at = slice_find_last(value, '=');

    slice_to_cstr_cut(slice_from(value, (size_t)(at + 1)), out, out_bytes);
}

/* The newest SUBSCRIBE without To tag is what NOTIFYs will belong to. */
static void learn(struct play *p)
{
    for (struct list *l = p->f.requests.next; l != &p->f.requests; l = l->next) {
        struct said *r = LIST_ENTRY(l, struct said, link);

        if (slice_find(fixture_header(r, "To"), ';') < 0) {
            slice_to_cstr_cut(fixture_header(r, "Call-ID"), p->call_id, sizeof(p->call_id));
            learn_tag(p->local_tag, sizeof(p->local_tag), fixture_header(r, "From"));
        }
    }
}

static void respond(struct play *p, unsigned which, unsigned more)
{
    static const unsigned statuses[] = {200, 200, 200, 200, 200, 200, 200, 200, 200, 202,
                                        204, 302, 401, 403, 404, 405, 407, 408, 410, 416,
                                        423, 480, 481, 482, 489, 500, 501, 503, 603};
    static const char *const fields[] = {"",
                                         "Expires: 3600\r\n",
                                         "Expires: 0\r\n",
                                         "Expires: 60\r\nContact: <sip:b@192.0.2.1>\r\n",
                                         "Min-Expires: 7200\r\n",
                                         "Min-Expires: 4294967295\r\n",
                                         "Retry-After: 100\r\n",
                                         "Contact: <nonsense>\r\nRecord-Route: <sip:a;lr>\r\n"};
    struct said *r = fixture_request(&p->f);
    char tag[] = "n0";

    if (!r) {
        return;
    }
    learn(p);
    tag[1] = (char)('0' + more % 3);
    if (which % 29 == 28) {
        fixture_fail(&p->f, r, more & 1 ? SIP_OUTCOME_TIMEOUT : SIP_OUTCOME_LINK);
        return;
    }
    fixture_respond(&p->f, r, statuses[which % ARRAY_COUNT(statuses)], tag,
                    fields[(more / 4) % ARRAY_COUNT(fields)]);
}

static void notify(struct play *p, unsigned which, unsigned more)
{
    static const char *const states[] = {"active;expires=3600",
                                         "active;expires=60",
                                         "active",
                                         "active;expires=0",
                                         "active;expires=4294967295",
                                         "pending;expires=3600",
                                         "terminated;reason=deactivated",
                                         "terminated;reason=probation;retry-after=10",
                                         "terminated;reason=rejected",
                                         "terminated;reason=timeout",
                                         "terminated;reason=giveup",
                                         "terminated;reason=noresource",
                                         "terminated;reason=invariant",
                                         "terminated",
                                         "strange"};
    static const char *const bodies[] = {"",
                                         DOC(OPEN("a")),
                                         DOC(OPEN("b")),
                                         DOC(OPEN("a") OPEN("b") OPEN("c")),
                                         DOC("<note>n</note>"),
                                         "<!DOCTYPE x><x/>",
                                         "<presence"};
    const char *body = bodies[(more / 4) % ARRAY_COUNT(bodies)];
    char text[2048];
    size_t answers = fixture_count(&p->f.answers);

    learn(p);
    p->cseq += which & 0x80 ? 0 : 1;
    snprintf(text, sizeof(text),
             "NOTIFY sip:gw SIP/2.0\r\nVia: SIP/2.0/TLS p;branch=z9hG4bK%u\r\nMax-Forwards: 70\r\n"
             "From: <sip:" BOB ">;tag=n%u\r\nTo: <sip:" ANN ">;tag=%s\r\nCall-ID: %s\r\n"
             "CSeq: %u NOTIFY\r\nContact: <sip:bob@192.0.2.%u>\r\nEvent: presence\r\n"
             "Subscription-State: %s\r\n%sContent-Length: %zu\r\n\r\n%s",
             p->cseq, more % 3, p->local_tag[0] ? p->local_tag : "x",
             p->call_id[0] ? p->call_id : "y", p->cseq, more % 5, states[which % 0x80 % 15],
             body[0] ? "Content-Type: application/pidf+xml\r\n" : "", strlen(body), body);
    ASSERT(fixture_notify(&p->f, text) != 0);
    ASSERT(fixture_count(&p->f.answers) == answers + 1);
    p->sums->notifies++;
}

/* --- the rest of the world -------------------------------------------------------------------- */

static void pass_time(struct play *p, unsigned which)
{
    static const uint32_t spans_s[] = {1, 6, 12, 35, 61, 130, 700, 3000, 3700, 22000, 87000, 94000};

    uint32_t span_s = spans_s[which % ARRAY_COUNT(spans_s)];

    /* Each second it is tried again: hours of that cost time here and show nothing new. */
    if (p->f.store == FIXTURE_STORE_FULL && span_s > FULL_S_MAX) {
        span_s = FULL_S_MAX;
    }
    fixture_run_dialling(&p->f, span_s * UINT64_C(1000));
}

static void set_store(struct play *p, unsigned which)
{
    static const enum fixture_store stores[] = {FIXTURE_STORE_PROMPT, FIXTURE_STORE_HOLDS,
                                                FIXTURE_STORE_FULL};

    p->f.store = which & 6 ? FIXTURE_STORE_PROMPT : stores[which % ARRAY_COUNT(stores)];
    p->f.store_err = (which & 9) == 9 ? ERR_FULL : 0;
    if (which & 16) {
        fixture_store_done(&p->f, which & 32 ? ERR_FULL : 0);
    }
}

static void set_rule(struct play *p, unsigned which)
{
    struct presence_rule *rule = &p->f.rules[CONTACT_IN];

    rule->is_allowed = (which & 0x23) != 0x23;
    rule->with_notes = which & 4;
    rule->is_lync = which & 8;
    rule->subscribe_rate_max = which & 16 ? 1 : 0;
    rule->hop_way = (enum presence_hop_way)(which / 64 % 3);
    while (presence_review(p->f.p, true)) {
    }
    fixture_settle(&p->f);
}

static void order(struct play *p, enum presence_order what)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);

    presence_order(p->f.p, &pair, CONTACT_IN, what, 1);
    fixture_settle(&p->f);
}

static void crash(struct play *p, unsigned which)
{
    fixture_crash(&p->f, which & 1);
    p->sums->crashes++;
}

static void seen(struct play *p, unsigned which)
{
    if (which & 2) {
        presence_partner_seen(p->f.p, SLICE_LIT("chat.example"), which & 1);
    } else {
        presence_hop_seen(p->f.p, SLICE_LIT("pool"), which % 3);
    }
    fixture_run(&p->f, 100);
}

static void step(struct play *p)
{
    unsigned what = NEXT(p);
    unsigned which = NEXT(p);

    switch (what % 12) {
    case 0:
    case 1:
    case 2:
        ann(p, which);
        break;
    case 3:
    case 4:
        respond(p, which, NEXT(p));
        break;
    case 5:
    case 6:
    case 7:
        notify(p, which, NEXT(p));
        break;
    case 8:
        pass_time(p, which);
        break;
    case 9:
        set_store(p, which);
        break;
    case 10:
        set_rule(p, which);
        break;
    default:
        if (which < 40) {
            crash(p, which);
        } else if (which < 100) {
            seen(p, which);
        } else if (which < 120) {
            order(p, (enum presence_order)(which % 3));
        } else {
            p->f.request_err = (which & 7) == 7 ? ERR_FULL : 0;
        }
        break;
    }
}

/* --- invariants ------------------------------------------------------------------------------- */

static bool is_durable(struct play *p)
{
    const struct kept_row *row = fixture_row(&p->f, CONTACT_IN, BOB, ANN);

    return row && row->state == CONTACT_GRANTED;
}

static void check_words(struct play *p, bool was_durable)
{
    struct said *one;

    while ((one = fixture_take_stanza(&p->f)) != NULL) {
        if (one->type == STANZA_TYPE_AVAILABLE || one->type == STANZA_TYPE_SUBSCRIBED) {
            ASSERT(was_durable || is_durable(p));
            p->sums->told++;
        }
        p->sums->granted += one->type == STANZA_TYPE_SUBSCRIBED;
        p->sums->denied += one->type == STANZA_TYPE_UNSUBSCRIBED;
    }
    fixture_forget(&p->f);
}

static struct contact *contact_of(struct play *p)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);

    return contact_find(p->f.p, CONTACT_IN, &pair);
}

static void check_machine(struct play *p)
{
    const struct contact *c = contact_of(p);
    uint32_t live;
    uint32_t nascent;

    if (!c) {
        return;
    }
    live = subscriber_count(c, SUBSCRIBER_LIVE);
    nascent = subscriber_count(c, SUBSCRIBER_NASCENT);
    ASSERT(live <= SUBSCRIBER_LIVE_MAX && nascent <= 1 && live + nascent <= SUBSCRIBER_LIVE_MAX);
    if (c->in.state == SUBSCRIBER_PENDING || c->in.state == SUBSCRIBER_ACTIVE) {
        ASSERT(live > 0 && nascent == 0);
    } else {
        ASSERT(live == 0);
        ASSERT(nascent == 0 || c->in.state == SUBSCRIBER_TRYING);
    }
    ASSERT((c->in.state == SUBSCRIBER_DENIED) ==
           (c->state == CONTACT_DENIED || c->state == CONTACT_BLOCKED));
}

/* Faults end, she leaves, everything is answered. */
static void finish(struct play *p)
{
    const struct contact *c;

    p->f.request_err = 0;
    p->f.store = FIXTURE_STORE_PROMPT;
    p->f.store_err = 0;
    fixture_store_done(&p->f, 0);
    p->f.rules[CONTACT_IN].is_allowed = true;
    p->f.rules[CONTACT_IN].hop_way = PRESENCE_HOP_UP;
    presence_partner_seen(p->f.p, SLICE_LIT("chat.example"), true);
    presence_hop_seen(p->f.p, SLICE_LIT("pool"), PRESENCE_HOP_BACK);
    fixture_run(&p->f, 70000);
    ann(p, 1);
    for (unsigned i = 0; i < 100; i++) {
        struct said *r = fixture_request(&p->f);

        if (r) {
            fixture_respond(&p->f, r, 481, "n9", "");
        }
        fixture_run(&p->f, 7000);
    }
    check_words(p, true);
    c = contact_of(p);
    ASSERT(!c || c->state == CONTACT_DENIED || c->state == CONTACT_BLOCKED);
    ASSERT(!c || !c->in.dialogs);
    ASSERT(c || !fixture_row(&p->f, CONTACT_IN, BOB, ANN));
    ASSERT(!fixture_request(&p->f));
    ASSERT(presence_stats(p->f.p)->waiting == 0);
    p->sums->gone += !c;
}

void subscriber_play(const uint8_t *script, size_t size, struct subscriber_play_sums *sums)
{
    struct play play = {.script = {script, size}, .sums = sums};

    fixture_init(&play.f);
    play.f.rules[CONTACT_IN] = (struct presence_rule){
        .is_allowed = true, .with_notes = true, .hop = SLICE_LIT("pool"), .expires_s = 3600};
    fixture_start(&play.f);
    for (unsigned i = 0; i < STEPS_MAX && play.script.left > 0; i++) {
        bool was_durable = is_durable(&play);

        step(&play);
        check_words(&play, was_durable);
        check_machine(&play);
        sums->steps++;
    }
    finish(&play);
    sums->sent += presence_stats(play.f.p)->subscribe_sent;
    fixture_deinit(&play.f);
}
