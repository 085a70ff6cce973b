/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_table: every event of the notifier in every state: what is said and where it ends. The
 * table below is complete or the test fails. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>

#include "base/err.h"
#include "notifier_help.h"
#include "presence/table.h"

struct cell {
    int event;
    int state;
};

struct scene {
    struct fixture f;
    struct device phone;
    struct contact *c;
};

/* --- the states ------------------------------------------------------------------------------- */

/* A contact in state none is one of whom somebody fetched the state. */
static void reach_none(struct scene *s)
{
    cr_assert_eq(subscribe(&s->f, &s->phone, "0"), 200);
}

static void reach_asking(struct scene *s)
{
    begin_asking(&s->f, &s->phone, "3600");
}

static void reach_granted(struct scene *s)
{
    begin_granted(&s->f, &s->phone, "3600");
}

static void reach_refused(struct scene *s)
{
    begin_asking(&s->f, &s->phone, "3600");
    fixture_run(&s->f, 1000ull * NOTIFIER_DOUBT_S);
    from_ann(&s->f, "unsubscribed", "", "");
}

static void (*const reach[NOTIFIER_STATE_COUNT])(struct scene *s) = {
    [NOTIFIER_NONE] = reach_none,
    [NOTIFIER_ASKING] = reach_asking,
    [NOTIFIER_GRANTED] = reach_granted,
    [NOTIFIER_REFUSED] = reach_refused,
};

/* --- the events ------------------------------------------------------------------------------- */

static void new_device(struct scene *s, const char *expires)
{
    struct device tablet = {.call_id = "tablet", .cseq = 7};

    (void)subscribe(&s->f, &tablet, expires);
}

static void order(struct scene *s, enum presence_order what)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);

    presence_order(s->f.p, &pair, CONTACT_OUT, what, 1);
    fixture_settle(&s->f);
}

static void seen(struct scene *s, bool is_reachable)
{
    presence_partner_seen(s->f.p, SLICE_LIT("chat.example"), is_reachable);
    fixture_run(&s->f, 250);
}

/* Of those that time or the store brings: as the room would call. */
static void direct(struct scene *s, enum notifier_event event)
{
    struct notifier_input in = {.dialog = s->c->out.dialogs};

    notifier_step(s->c, event, &in);
    notifier_run(s->c);
    contact_settle(s->c);
    fixture_settle(&s->f);
}

static void break_notify(struct scene *s, unsigned status)
{
    struct said *notify;

    if (!fixture_request(&s->f)) {
        cr_assert_eq(subscribe(&s->f, &s->phone, "600"), 200);
    }
    (void)told(&s->f);
    notify = fixture_request(&s->f);
    cr_assert(notify);
    fixture_respond(&s->f, notify, status, "x", "");
}

static void error_stanza(struct scene *s, const char *condition)
{
    char inner[256];

    (void)snprintf(inner, sizeof(inner),
                   "<error type='cancel'><%s xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
                   condition);
    from_ann(&s->f, "error", "", inner);
}

static void fire_watcher(struct scene *s, enum notifier_event event)
{
    switch ((int)event) {
    case NOTIFIER_EV_SUBSCRIBE:
        new_device(s, "3600");
        break;
    case NOTIFIER_EV_FETCH:
        new_device(s, "0");
        break;
    case NOTIFIER_EV_REFRESH:
        (void)subscribe(&s->f, &s->phone, "1800");
        break;
    default:
        (void)subscribe(&s->f, &s->phone, "0");
        break;
    }
}

/* The store's word about a grant, where one is on its way to it. */
static void fire_store(struct scene *s, enum notifier_event event)
{
    if (s->c->out.state == NOTIFIER_GRANTED) {
        direct(s, event);
        return;
    }
    s->f.store = FIXTURE_STORE_HOLDS;
    from_ann(&s->f, s->c->out.state == NOTIFIER_NONE ? "" : "subscribed", "", "");
    cr_assert(contact_is_granting(s->c));
    fixture_store_done(&s->f, event == NOTIFIER_EV_STORED ? 0 : ERR_STATE);
}

/* Time passes only where nobody watches any more; what left is told of. */
static void fire_time(struct scene *s, enum notifier_event event)
{
    if (event == NOTIFIER_EV_LAPSED) {
        if (s->c->out.state == NOTIFIER_ASKING) {
            (void)subscribe(&s->f, &s->phone, "0");
        }
        accept_all(&s->f);
        (void)told(&s->f);
    } else if (event == NOTIFIER_EV_PROBE_OVER && s->c->out.state == NOTIFIER_GRANTED) {
        notifier_probe_now(s->c);
        (void)told(&s->f);
    }
    direct(s, event);
    if (event == NOTIFIER_EV_LAPSED) {
        fixture_run(&s->f, PRESENCE_DIRTY_MS); /* its row goes first */
    }
}

static void fire(struct scene *s, enum notifier_event event)
{
    switch ((int)event) {
    case NOTIFIER_EV_SUBSCRIBE:
    case NOTIFIER_EV_FETCH:
    case NOTIFIER_EV_REFRESH:
    case NOTIFIER_EV_UNSUBSCRIBE:
        fire_watcher(s, event);
        break;
    case NOTIFIER_EV_X_SUBSCRIBED:
        from_ann(&s->f, "subscribed", "", "");
        break;
    case NOTIFIER_EV_X_PRESENCE:
        from_ann(&s->f, "", "sofa", "<show>away</show>");
        break;
    case NOTIFIER_EV_X_UNAVAILABLE_BARE:
        from_ann(&s->f, "unavailable", "", "");
        break;
    case NOTIFIER_EV_X_UNSUBSCRIBED:
        from_ann(&s->f, "unsubscribed", "", "");
        break;
    case NOTIFIER_EV_X_ERROR:
        if (s->c->out.state == NOTIFIER_GRANTED) { /* about our probe */
            notifier_probe_now(s->c);
            (void)told(&s->f);
        }
        error_stanza(s, "remote-server-not-found");
        break;
    case NOTIFIER_EV_PARTNER_LOST:
        seen(s, false);
        break;
    case NOTIFIER_EV_PARTNER_BACK:
        seen(s, false);
        seen(s, true);
        break;
    case NOTIFIER_EV_NOTIFY_GONE:
        break_notify(s, 481);
        break;
    case NOTIFIER_EV_NOTIFY_FAILED:
        break_notify(s, 503);
        break;
    case NOTIFIER_EV_ALLOWED:
        order(s, PRESENCE_ALLOW);
        break;
    case NOTIFIER_EV_BLOCKED:
        order(s, PRESENCE_BLOCK);
        break;
    case NOTIFIER_EV_FORGOTTEN:
        order(s, PRESENCE_FORGET);
        break;
    case NOTIFIER_EV_RULED_OUT:
        s->f.rules[CONTACT_OUT].is_allowed = false;
        (void)presence_review(s->f.p, true);
        break;
    case NOTIFIER_EV_STORED:
    case NOTIFIER_EV_STORE_FAILED:
        fire_store(s, event);
        break;
    default:
        fire_time(s, event);
        break;
    }
}

/* --- what is to be said ----------------------------------------------------------------------- */

#define IMPOSSIBLE "(impossible)"
#define GIVEN_UP   "N:terminated;reason=giveup unavailable = "
#define TIMED_OUT  "N:terminated;reason=timeout+closed unavailable = "
#define REJECTED   "N:terminated;reason=rejected = "
#define PROBATION  "N:terminated;reason=probation;retry-after=600 = "
#define WITHDRAWN  "N:terminated;reason=rejected unsubscribe = none/0"

/* In the states none, asking, granted, refused. */
#define ROW(event, ...) [NOTIFIER_EV_##event] = {__VA_ARGS__}
static const char *const expected[NOTIFIER_EV_COUNT][NOTIFIER_STATE_COUNT] = {
    ROW(SUBSCRIBE, "200 N:pending subscribe probe = asking/1", "200 N:pending = asking/2",
        "200 N:active+open = granted/2", "403 = refused/0"),
    ROW(FETCH, "200 N:terminated;reason=timeout = none/0",
        "200 N:terminated;reason=timeout = asking/1",
        "200 N:terminated;reason=timeout+open = granted/1", "403 = refused/0"),
    ROW(REFRESH, "481 = none/0", "200 N:pending = asking/1", "200 N:active+open = granted/1",
        "481 = refused/0"),
    ROW(UNSUBSCRIBE, "481 = none/0", "200 " TIMED_OUT "asking/0", "200 " TIMED_OUT "granted/0",
        "481 = refused/0"),
    ROW(X_SUBSCRIBED, "= none/0", "N:active = granted/1", "= granted/1", "= granted/0"),
    ROW(X_PRESENCE, "= granted/0", "N:active+open = granted/1", "N:active+open = granted/1",
        "= refused/0"),
    ROW(X_UNAVAILABLE_BARE, "= none/0", "= asking/1", "N:active+closed = granted/1",
        "= refused/0"),
    ROW(X_UNSUBSCRIBED, "= none/0", "subscribe = asking/1", REJECTED "refused/0", "= refused/0"),
    ROW(X_ERROR, "= none/0", PROBATION "asking/0", PROBATION "granted/0", "= refused/0"),
    ROW(STORED, "= granted/0", "N:active = granted/1", "= granted/1", "= granted/0"),
    ROW(STORE_FAILED, "= none/0", "= asking/1", "= granted/1", "= refused/0"),
    ROW(EXPIRED, IMPOSSIBLE, GIVEN_UP "asking/0", TIMED_OUT "granted/0", IMPOSSIBLE),
    ROW(PROBE_DUE, "= none/0", "subscribe probe = asking/1", "probe = granted/1", "= refused/0"),
    ROW(PROBE_OVER, "= none/0", "= asking/1", "N:active+closed = granted/1", "= refused/0"),
    ROW(PROBE_LOST, "= none/0", "= asking/1", "= granted/1", "= refused/0"),
    ROW(LAPSED, IMPOSSIBLE, "= gone/0", IMPOSSIBLE, "= gone/0"),
    ROW(PARTNER_LOST, "= none/0", "= asking/1", "= granted/1", "= refused/0"),
    ROW(PARTNER_BACK, "= none/0", "subscribe probe = asking/1", "probe = granted/1",
        "= refused/0"),
    ROW(UNREACHABLE, IMPOSSIBLE, IMPOSSIBLE, "N:active+closed = granted/1", IMPOSSIBLE),
    ROW(NOTIFY_GONE, "= none/0", "unavailable = asking/0", "unavailable = granted/0",
        "= refused/0"),
    ROW(NOTIFY_FAILED, "= none/0", "= asking/1", "= granted/1", "= refused/0"),
    ROW(ALLOWED, "= none/0", "= asking/1", "= granted/1", "= none/0"),
    ROW(BLOCKED, "= refused/0", REJECTED "refused/0", REJECTED "refused/0", "= refused/0"),
    ROW(FORGOTTEN, "= none/0", WITHDRAWN, WITHDRAWN, "unsubscribe = none/0"),
    ROW(RULED_OUT, "= none/0", PROBATION "asking/0", PROBATION "granted/0", "= refused/0"),
};

/* --- the test --------------------------------------------------------------------------------- */

ParameterizedTestParameters(notifier_table, cell)
{
    static struct cell cells[NOTIFIER_EV_COUNT * NOTIFIER_STATE_COUNT];

    for (int i = 0; i < (int)ARRAY_COUNT(cells); i++) {
        cells[i] = (struct cell){i / NOTIFIER_STATE_COUNT, i % NOTIFIER_STATE_COUNT};
    }
    return cr_make_param_array(struct cell, cells, ARRAY_COUNT(cells), NULL);
}

ParameterizedTest(struct cell *cell, notifier_table, cell)
{
    const char *wanted = expected[cell->event][cell->state];
    const char *name = notifier_event_name((enum notifier_event)cell->event);
    static struct scene s;
    const char *got;

    cr_assert(wanted, "no cell for %s in state %d", name, cell->state);
    if (strcmp(wanted, IMPOSSIBLE) == 0) {
        cr_expect_eq(notifier_act_of((enum notifier_event)cell->event,
                                     (enum notifier_state)cell->state),
                     NOTIFIER_DO_IMPOSSIBLE);
        return;
    }
    s = (struct scene){.phone = {.call_id = "phone", .cseq = 1}};
    scene_start(&s.f);
    reach[cell->state](&s);
    s.c = contact_of(&s.f);
    cr_assert(s.c);
    cr_assert_eq(s.c->out.state, cell->state);
    (void)told(&s.f);
    fire(&s, (enum notifier_event)cell->event);
    got = told(&s.f);
    cr_expect_str_eq(got, wanted, "%s in state %d: \"%s\" instead of \"%s\"", name, cell->state,
                     got, wanted);
    scene_stop(&s.f);
}

Test(notifier_table, impossible_cells_are_those_of_the_table)
{
    for (int e = 0; e < NOTIFIER_EV_COUNT; e++) {
        for (int st = 0; st < NOTIFIER_STATE_COUNT; st++) {
            bool is_impossible = notifier_act_of((enum notifier_event)e,
                                                 (enum notifier_state)st) == NOTIFIER_DO_IMPOSSIBLE;

            cr_expect_eq(is_impossible, strcmp(expected[e][st], IMPOSSIBLE) == 0, "%s, state %d",
                         notifier_event_name((enum notifier_event)e), st);
        }
    }
}
