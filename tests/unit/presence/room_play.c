/* SPDX-License-Identifier: GPL-2.0-or-later */
/* room_play: see the header. A step is a byte that says what, and bytes that say how. */
#include "room_play.h"

#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "fixture.h"
#include "presence/table.h"
#include "script.h"

#define TEXT_BYTES  4096u
#define KNOWN_COUNT 4u
#define STEPS_MAX   400u

/* A dialog that was seen in a request of ours. */
struct known {
    char call_id[80];
    char from[200]; /* header field of ours, with its tag */
    char to[200];
    char peer_tag[16];
};

struct play {
    struct fixture f;
    struct script script;
    struct known subscribes[KNOWN_COUNT]; /* ours: NOTIFYs may come */
    struct known notifies[KNOWN_COUNT];   /* ours: SUBSCRIBEs in the dialog may come */
    uint32_t subscribe_count;
    uint32_t notify_count;
    uint32_t cseq;
    char text[TEXT_BYTES];
    struct room_play_sums *sums;
};

static const char *const locals[] = {"bob@corp.example", "eve@corp.example",
                                     "b.o%27b@corp.example"};
static const char *const remotes[] = {"ann@chat.example", "joe@chat.example",
                                      "zoe@xn--bcher-kva.example", "eve@corp.example"};

/* --- invariants ------------------------------------------------------------------------------- */

struct recount {
    uint32_t contacts[CONTACT_DIRECTIONS][CONTACT_STATE_COUNT];
    uint32_t dialogs[CONTACT_DIRECTIONS];
    uint32_t dirty;
    uint32_t waiting;
    uint64_t bytes;
};

static void check_contact(struct play *p, struct contact *c, struct recount *r)
{
    struct presence_pair pair = contact_pair(c);
    const struct kept_row *row = fixture_row_of(&p->f, c->direction, &pair);
    struct contact_measure m = {0};

    if (c->direction == CONTACT_IN) {
        subscriber_measure(c, &m);
    } else {
        notifier_measure(c, &m);
    }
    /* Granted is what is durable as such, and nothing else. */
    if (c->state == CONTACT_GRANTED) {
        ASSERT(row);
        ASSERT(row->state == CONTACT_GRANTED);
    }
    ASSERT(!slice_eq(pair.local_domain, pair.remote_domain));
    r->contacts[c->direction][c->state]++;
    r->dialogs[c->direction] += m.dialogs;
    r->dirty += c->dirt != CONTACT_CLEAN;
    r->waiting += c->direction == CONTACT_IN && c->lane != NULL;
    r->bytes += slab_block_bytes(sizeof(*c) + c->local_user_len + c->remote_user_len) +
                (m.bytes + CONTACT_GRAIN_BYTES - 1) / CONTACT_GRAIN_BYTES * CONTACT_GRAIN_BYTES;
}

static void check_all(struct play *p)
{
    const struct presence_stats *s = presence_stats(p->f.p);
    const struct presence_domain *d;
    struct recount r = {0};
    struct contact *c;
    uint64_t at = 0;
    size_t cursor = 0;

    while ((c = table_next(p->f.p, at)) != NULL) {
        check_contact(p, c, &r);
        at = c->hash + 1;
    }
    while ((d = map_next(&p->f.p->domains, &cursor)) != NULL) {
        r.bytes += pool_block_bytes(d);
    }
    r.bytes += pool_block_bytes(p->f.p->buckets);
    ASSERT(memcmp(r.contacts, s->contacts, sizeof(r.contacts)) == 0);
    ASSERT(memcmp(r.dialogs, s->dialogs, sizeof(r.dialogs)) == 0);
    ASSERT(r.dirty == s->dirty);
    ASSERT(r.waiting == s->waiting);
    ASSERT(r.bytes == s->memory_bytes);
    ASSERT(p->f.txn_open == 0); /* each request is answered by the end of its event */
}

/* The partner hears `subscribed` only of what is durable. */
static void see_stanza(struct fixture *f, const struct presence_pair *pair, enum stanza_type type)
{
    struct play *p = f->user;
    const struct kept_row *row = fixture_row_of(f, CONTACT_IN, pair);

    p->sums->stanzas++;
    if (type == STANZA_TYPE_SUBSCRIBED) {
        ASSERT(row);
        ASSERT(row->state == CONTACT_GRANTED);
    }
}

/* The watcher of ours likewise. */
static void see_request(struct fixture *f, const struct presence_pair *pair, const struct said *s)
{
    const struct kept_row *row = fixture_row_of(f, CONTACT_OUT, pair);
    struct slice state;

    if (s->method == SIP_METHOD_NOTIFY) {
        state = fixture_header(s, "Subscription-State");
        if (slice_starts(state, SLICE_LIT("active"))) {
            ASSERT(row);
            ASSERT(row->state == CONTACT_GRANTED);
        }
    }
}

/* --- what is known of dialogs ----------------------------------------------------------------- */

static void learn_from(struct known *k, const struct said *request)
{
    slice_to_cstr_cut(fixture_header(request, "Call-ID"), k->call_id, sizeof(k->call_id));
    slice_to_cstr_cut(fixture_header(request, "From"), k->from, sizeof(k->from));
    slice_to_cstr_cut(fixture_header(request, "To"), k->to, sizeof(k->to));
}

static void learn(struct play *p)
{
    for (struct list *l = p->f.requests.next; l != &p->f.requests; l = l->next) {
        struct said *r = LIST_ENTRY(l, struct said, link);

        if (r->handle) {
            continue; /* seen before */
        }
        r->handle = 1;
        if (r->method == SIP_METHOD_SUBSCRIBE) {
            learn_from(&p->subscribes[p->subscribe_count++ % KNOWN_COUNT], r);
        } else {
            learn_from(&p->notifies[p->notify_count++ % KNOWN_COUNT], r);
        }
    }
}

/* --- steps ------------------------------------------------------------------------------------ */

static void step_stanza(struct play *p)
{
    static const char *const types[] = {"",           "unavailable", "subscribe",
                                        "subscribed", "unsubscribe", "unsubscribed",
                                        "probe",      "error"};
    static const char *const inners[] = {
        "",
        "<show>away</show><status>out</status>",
        "<show>dnd</show><priority>5</priority>",
        "<error type='cancel'><item-not-found "
        "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
        "<error type='cancel'><remote-server-not-found "
        "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
    };
    static const char *const resources[] = {"", "/pc", "/phone"};
    const char *type = PICK(p, types);

    (void)snprintf(p->text, sizeof(p->text), "<presence%s%s%s from='%s%s' to='%s'>%s</presence>",
                   *type ? " type='" : "", type, *type ? "'" : "", PICK(p, remotes),
                   PICK(p, resources), PICK(p, locals), PICK(p, inners));
    (void)fixture_from_partner(&p->f, p->text);
}

static const char *const expires[] = {"Expires: 3600\n", "",
                                      "Expires: 0\n",    "Expires: 60\n",
                                      "Expires: 1\n",    "Expires: 4294967295\n",
                                      "Expires: x\n",    "Expires: 99999999999999999999\n"};

static void step_subscribe(struct play *p)
{
    static const char *const events[] = {"Event: presence\n", "Event: presence\n", "",
                                         "Event: presence;id=7\n", "Event: presence.winfo\n"};
    static const char *const accepts[] = {"", "Accept: application/pidf+xml\n",
                                          "Accept: text/plain\n", "Accept:\n"};
    static const char *const contacts[] = {"Contact: <sip:bob@10.0.0.1>\n",
                                           "Contact: <sip:bob@10.0.0.2;gr=x>\n", "",
                                           "Contact: <tel:1>\n"};
    uint8_t which = NEXT(p);
    const struct known *k = &p->notifies[(p->notify_count - 1 - which % 2u) % KNOWN_COUNT];

    if (which < 128 || k->call_id[0] == '\0') {
        (void)snprintf(p->text, sizeof(p->text),
                       "SUBSCRIBE sip:x@chat.example SIP/2.0\nVia: SIP/2.0/TLS "
                       "a;branch=z9hG4bK%u\nMax-Forwards: 70\nFrom: <sip:%s>;tag=%u\nTo: "
                       "<sip:%s>\nCall-ID: c%u\nCSeq: %u SUBSCRIBE\n%s%s%s%s\n",
                       p->cseq, PICK(p, locals), which % 3u, PICK(p, remotes), which % 5u, p->cseq,
                       PICK(p, events), PICK(p, accepts), PICK(p, expires), PICK(p, contacts));
    } else {
        /* Our From is their To. */
        (void)snprintf(p->text, sizeof(p->text),
                       "SUBSCRIBE sip:x@chat.example SIP/2.0\nVia: SIP/2.0/TLS "
                       "a;branch=z9hG4bK%u\nMax-Forwards: 70\nFrom: %s\nTo: %s\nCall-ID: %s\n"
                       "CSeq: %u SUBSCRIBE\n%s%s%s%s\n",
                       p->cseq, k->to, k->from, k->call_id, p->cseq + NEXT(p) % 3u, PICK(p, events),
                       PICK(p, accepts), PICK(p, expires), PICK(p, contacts));
    }
    p->cseq++;
    p->sums->subscribes++;
    (void)fixture_subscribe(&p->f, p->text);
}

static void step_notify(struct play *p)
{
    static const char *const states[] = {"active;expires=3600",
                                         "active;expires=3600",
                                         "active;expires=600",
                                         "active",
                                         "active;expires=3600",
                                         "pending;expires=3600",
                                         "terminated;reason=deactivated",
                                         "terminated;reason=probation;retry-after=10",
                                         "terminated;reason=rejected",
                                         "terminated;reason=timeout",
                                         "terminated;reason=giveup",
                                         "terminated;reason=noresource",
                                         "terminated;reason=invariant",
                                         "terminated",
                                         "active;expires=0",
                                         "waiting",
                                         "active;expires=x"};
    static const char *const bodies[] = {
        "",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='pres:bob@corp.example'><tuple "
        "id='a'>"
        "<status><basic>open</basic></status><note>hello</note></tuple></presence>",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='pres:bob@corp.example'><tuple "
        "id='b'>"
        "<status><basic>closed</basic></status></tuple></presence>",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='pres:mallory@corp.example'/>",
        "<!DOCTYPE x [<!ENTITY a 'b'>]><presence/>",
    };
    uint32_t newest = p->subscribe_count - 1;
    const struct known *k = &p->subscribes[(newest - NEXT(p) / 128u) % KNOWN_COUNT];
    const char *body = PICK(p, bodies);
    uint8_t tag = NEXT(p);

    (void)snprintf(p->text, sizeof(p->text),
                   "NOTIFY sip:gw.corp.example SIP/2.0\nVia: SIP/2.0/TLS a;branch=z9hG4bK%u\n"
                   "Max-Forwards: 70\nFrom: %.190s%s%u\nTo: %s\nCall-ID: %s\nCSeq: %u NOTIFY\n"
                   "Event: presence\nContact: <sip:bob@10.0.0.%u>\nSubscription-State: %s\n"
                   "Content-Type: application/pidf+xml\nContent-Length: %zu\n\n%s",
                   p->cseq, k->to, strstr(k->to, ";tag=") ? ";x=" : ";tag=n", tag % 8u == 7u,
                   k->from, k->call_id, p->cseq - tag / 128u, tag % 4u, PICK(p, states),
                   strlen(body), body);
    p->cseq++;
    p->sums->notifies++;
    (void)fixture_notify(&p->f, p->text);
}

static void step_raw(struct play *p)
{
    size_t len = NEXT(p);
    bool is_notify = NEXT(p) & 1u;
    char text[256 + 1];

    len = len < p->script.left ? len : p->script.left;
    memcpy(text, p->script.at, len);
    text[len] = '\0';
    p->script.at += len;
    p->script.left -= len;
    (void)snprintf(p->text, sizeof(p->text),
                   "%s sip:x@chat.example SIP/2.0\nVia: SIP/2.0/TLS a;branch=z9hG4bK%u\n"
                   "From: <sip:bob@corp.example>;tag=1\nTo: <sip:ann@chat.example>\n"
                   "Call-ID: raw\nCSeq: %u %s\n%s",
                   is_notify ? "NOTIFY" : "SUBSCRIBE", p->cseq, p->cseq,
                   is_notify ? "NOTIFY" : "SUBSCRIBE", text);
    p->cseq++;
    (void)(is_notify ? fixture_notify : fixture_subscribe)(&p->f, p->text);
}

static struct said *some_request(struct play *p)
{
    size_t count = fixture_count(&p->f.requests);
    struct list *link = p->f.requests.next;

    if (count == 0) {
        return NULL;
    }
    for (size_t i = NEXT(p) % count; i > 0; i--) {
        link = link->next;
    }
    return LIST_ENTRY(link, struct said, link);
}

static void step_outcome(struct play *p)
{
    static const uint16_t statuses[] = {200, 200, 200, 200, 200, 200, 200, 200, 200,
                                        202, 400, 401, 403, 404, 407, 408, 410, 423,
                                        480, 481, 489, 500, 501, 503, 603, 604};
    static const char *const fields[] = {"Expires: 3600\r\nContact: <sip:bob@10.0.0.9>\r\n",
                                         "Expires: 600\r\nContact: <sip:bob@10.0.0.8>\r\n",
                                         "",
                                         "Min-Expires: 7200\r\n",
                                         "Retry-After: 5\r\n",
                                         "Min-Expires: 1\r\n",
                                         "Expires: 0\r\n",
                                         "Expires: x\r\n"};
    struct said *r = some_request(p);
    uint8_t how = NEXT(p);

    if (!r) {
        return;
    }
    if (how < 32) {
        fixture_fail(&p->f, r, how < 16 ? SIP_OUTCOME_TIMEOUT : SIP_OUTCOME_LINK);
    } else {
        fixture_respond(&p->f, r, PICK(p, statuses), how & 7u ? "n0" : "n1", PICK(p, fields));
    }
}

static void step_store(struct play *p)
{
    static const enum fixture_store modes[] = {FIXTURE_STORE_PROMPT, FIXTURE_STORE_PROMPT,
                                               FIXTURE_STORE_HOLDS, FIXTURE_STORE_FULL};
    uint8_t how = NEXT(p);

    if (how < 128) {
        p->f.store = PICK(p, modes);
        p->f.store_err = how < 16 ? ERR_STATE : 0;
    } else {
        fixture_store_done(&p->f, how < 160 ? ERR_STATE : 0);
    }
    fixture_settle(&p->f);
}

static void step_time(struct play *p)
{
    static const uint32_t seconds[] = {0, 0, 0, 1, 1, 2, 5, 5, 6, 10, 33, 60, 130, 700};
    uint8_t how = NEXT(p);

    if (how < 4 && p->f.store != FIXTURE_STORE_FULL) { /* time costs time here, retries more */
        fixture_run_dialling(&p->f, how < 3 ? 4000000 : 100000000);
        return;
    }
    fixture_run_dialling(&p->f, 1000u * PICK(p, seconds) + how);
}

static void step_order(struct play *p)
{
    struct presence_pair pair = fixture_pair(PICK(p, locals), PICK(p, remotes));
    uint8_t how = NEXT(p);

    if (!slice_eq(pair.local_domain, pair.remote_domain)) {
        presence_order(p->f.p, &pair, how & 1u ? CONTACT_IN : CONTACT_OUT,
                       (enum presence_order)(how / 2u % 3u), how);
    }
    fixture_settle(&p->f);
}

static void step_review(struct play *p)
{
    uint8_t how = NEXT(p);

    p->f.rules[how & 1u].is_allowed = (how & 14u) != 0;
    p->f.rules[how & 1u].with_notes = (how & 8u) == 0;
    p->f.rules[how & 1u].is_lync = (how & 16u) != 0;
    p->f.rules[how & 1u].hop = how & 32u ? SLICE_LIT("pool") : SLICE_LIT("other");
    p->f.rules[how & 1u].subscribe_rate_max = how / 64u;
    while (presence_review(p->f.p, how != 0)) {
        how = 0;
    }
    fixture_settle(&p->f);
}

static void step_streams(struct play *p)
{
    static const enum presence_hop_way ways[] = {
        PRESENCE_HOP_UP, PRESENCE_HOP_UP, PRESENCE_HOP_UP,     PRESENCE_HOP_UP,
        PRESENCE_HOP_UP, PRESENCE_HOP_UP, PRESENCE_HOP_COMING, PRESENCE_HOP_AWAY};
    struct presence_pair pair = fixture_pair(locals[0], PICK(p, remotes));
    uint8_t how = NEXT(p);

    if (how & 1u) {
        presence_partner_seen(p->f.p, pair.remote_domain, (how & 2u) != 0);
    } else {
        p->f.rules[CONTACT_IN].hop_way = ways[how / 8u % ARRAY_COUNT(ways)];
        presence_hop_seen(p->f.p, how & 4u ? SLICE_LIT("pool") : SLICE_LIT("other"),
                          (enum presence_hop_news)(how / 64u % 3u));
    }
}

static void step_undelivered(struct play *p)
{
    static const enum stanza_type types[] = {STANZA_TYPE_SUBSCRIBE, STANZA_TYPE_PROBE,
                                             STANZA_TYPE_SUBSCRIBED, STANZA_TYPE_AVAILABLE,
                                             STANZA_TYPE_UNAVAILABLE};
    static const enum stanza_condition conditions[] = {
        STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND, STANZA_CONDITION_REMOTE_SERVER_TIMEOUT,
        STANZA_CONDITION_ITEM_NOT_FOUND, STANZA_CONDITION_RESOURCE_CONSTRAINT};
    struct presence_pair pair = fixture_pair(PICK(p, locals), PICK(p, remotes));
    enum stanza_type type = PICK(p, types);

    presence_undelivered(p->f.p, &pair, type, PICK(p, conditions));
    fixture_settle(&p->f);
}

static void step_crash(struct play *p)
{
    uint8_t how = NEXT(p);

    if (how >= 64) {
        return;
    }
    p->sums->granted += presence_stats(p->f.p)->granted;
    p->sums->denied += presence_stats(p->f.p)->denied;
    p->sums->crashes++;
    fixture_crash(&p->f, how & 1u);
}

static void look(void *ctx, const struct presence_contact_view *view)
{
    uint64_t *sum = ctx;

    *sum += strlen(view->machine) + strlen(view->show) + view->note.len + view->last_error.len;
}

static void step_look(struct play *p)
{
    const struct presence_filter all = {0};
    uint64_t cursor = 0;
    uint64_t sum = 0;

    while (presence_walk(p->f.p, &all, &cursor, 2, look, &sum)) {
    }
    if (NEXT(p) & 1u) {
        (void)presence_flush(p->f.p);
    }
    fixture_settle(&p->f);
}

static void step(struct play *p)
{
    static void (*const steps[])(struct play *) = {
        step_stanza,  step_stanza,  step_stanza,      step_subscribe, step_subscribe,
        step_notify,  step_notify,  step_raw,         step_outcome,   step_outcome,
        step_outcome, step_store,   step_time,        step_time,      step_order,
        step_review,  step_streams, step_undelivered, step_crash,     step_look};

    steps[NEXT(p) % ARRAY_COUNT(steps)](p);
    learn(p);
    check_all(p);
    p->sums->answers += fixture_count(&p->f.answers);
    fixture_forget(&p->f);
}

/* However it went: with a store that works, all that is to be durable becomes so. */
static void finish(struct play *p)
{
    struct said *r;

    p->f.store = FIXTURE_STORE_PROMPT;
    p->f.store_err = 0;
    fixture_store_done(&p->f, 0);
    while ((r = fixture_request(&p->f)) != NULL) {
        fixture_fail(&p->f, r, SIP_OUTCOME_LINK);
        if (p->f.ticket > 100000) {
            break; /* never: a loop without time */
        }
    }
    for (int i = 0; i < 100 && !presence_flush(p->f.p); i++) {
        fixture_settle(&p->f);
    }
    ASSERT(presence_flush(p->f.p));
    check_all(p);
}

void room_play(const uint8_t *script, size_t size, struct room_play_sums *sums)
{
    static struct play p;
    int64_t before = pool_used_bytes();

    p = (struct play){.script = {script, size}, .sums = sums, .cseq = 1};
    fixture_init(&p.f);
    p.f.user = &p;
    p.f.stanza_fn = see_stanza;
    p.f.request_fn = see_request;
    p.f.params.contacts_max = 10;
    fixture_start(&p.f);
    for (uint32_t i = 0; i < STEPS_MAX && p.script.left > 0; i++) {
        step(&p);
    }
    finish(&p);
    sums->granted += presence_stats(p.f.p)->granted;
    sums->denied += presence_stats(p.f.p)->denied;
    sums->rows += p.f.rows_taken;
    fixture_deinit(&p.f);
    ASSERT(pool_used_bytes() == before);
}
