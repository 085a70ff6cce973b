/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_cells: every event in every state, through the room's front door: what is answered,
 * sent and told, and what the state is then. A cell that is missing fails. */
#include "subscriber_help.h"

#include <stdio.h>

#include "base/err.h"

static const struct cell {
    enum subscriber_event event;
    enum subscriber_state state;
    const char *said;
} cells[] = {
#define CELL(event, state, said) {SUBSCRIBER_ON_##event, SUBSCRIBER_##state, said},
#include "subscriber_cells_expected.def"
#undef CELL
};

/* --- raising events --------------------------------------------------------------------------- */

/* A response needs a SUBSCRIBE: that of TRYING, a refresh in PENDING and ACTIVE, an abandoned one
 * in NONE; in the others there is none, and so none of its events. */
static void get_response(struct scene *s, unsigned status, const char *fields)
{
    if (state_of(s) == SUBSCRIBER_NONE) {
        ann(s, "subscribe");
        ann(s, "unsubscribe");
        said(s);
    }
    if (state_of(s) == SUBSCRIBER_PENDING || state_of(s) == SUBSCRIBER_ACTIVE) {
        for (uint32_t t = 0; t < 3600 && !is_in_flight(s); t += 10) {
            fixture_run(&s->f, 10000);
        }
        cr_assert(is_in_flight(s));
        said(s);
    }
    if (is_in_flight(s)) {
        respond(s, status, fields);
    }
}

static void get_timer_n(struct scene *s)
{
    get_response(s, 200, "");
    said(s);
    fixture_run(&s->f, 35000);
}

static void get_expired(struct scene *s)
{
    s->f.request_err = ERR_FULL; /* no refresh leaves the house */
    fixture_run(&s->f, 3605000);
}

static void get_away(struct scene *s)
{
    watch_back(s);
    ann(s, "unavailable");
    said(s);
    fixture_run(&s->f, 125000);
}

static const char *steady(struct scene *s)
{
    return state_of(s) == SUBSCRIBER_PENDING ? "pending;expires=3600" : "active;expires=3600";
}

/* In TRYING and BACKOFF the notifier stays silent or says no. */
static void pass(struct scene *s, uint32_t seconds)
{
    bool is_served = state_of(s) == SUBSCRIBER_PENDING || state_of(s) == SUBSCRIBER_ACTIVE;
    bool is_held = state_of(s) == SUBSCRIBER_TRYING;

    if (is_served) {
        live(s, seconds, steady(s));
    }
    for (uint32_t t = 0; !is_served && t < seconds; t += 600) {
        fixture_run(&s->f, 600000);
        if (!is_held && is_in_flight(s)) {
            respond(s, 503, "");
        }
    }
}

static void get_idle(struct scene *s)
{
    struct contact *c = contact_of(s);

    if (c && c->state == CONTACT_ASKED) { /* only who was granted something can be too quiet */
        return;
    }
    pass(s, SUBSCRIBER_IDLE_S - 600);
    said(s);
    pass(s, 1200);
}

static void get_cut(struct scene *s)
{
    presence_partner_seen(s->f.p, SLICE_LIT("chat.example"), false);
    fixture_run(&s->f, 100);
    pass(s, 3590);
    said(s);
    fixture_run(&s->f, 15000);
}

static void get_back(struct scene *s)
{
    presence_partner_seen(s->f.p, SLICE_LIT("chat.example"), false);
    fixture_run(&s->f, 100);
    presence_partner_seen(s->f.p, SLICE_LIT("chat.example"), true);
    fixture_run(&s->f, 8000);
}

static void review(struct scene *s)
{
    while (presence_review(s->f.p, true)) {
    }
    fixture_settle(&s->f);
}

static void order(struct scene *s, enum presence_order what)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);

    presence_order(s->f.p, &pair, CONTACT_IN, what, 1);
    fixture_settle(&s->f);
}

static void call_grant_failed(struct scene *s)
{
    if (contact_of(s)) {
        subscriber_granted(contact_of(s), ERR_FULL);
        fixture_settle(&s->f);
    }
}

/* Its age alone counts. */
static void grow_old(struct scene *s)
{
    if (contact_of(s)) {
        contact_of(s)->changed_unix_s = 1;
        subscriber_due(contact_of(s));
        fixture_settle(&s->f);
    }
}

static void restart(struct scene *s)
{
    fixture_run(&s->f, 7000); /* rows are written */
    said(s);
    fixture_crash(&s->f, false);
    fixture_run(&s->f, 12000);
}

static void raise_from_watcher(struct scene *s, enum subscriber_event event)
{
    static const char *const types[] = {
        [SUBSCRIBER_ON_SUBSCRIBE] = "subscribe",
        [SUBSCRIBER_ON_PROBE] = "probe",
        [SUBSCRIBER_ON_UNSUBSCRIBE] = "unsubscribe",
        [SUBSCRIBER_ON_UNAVAILABLE] = "unavailable",
        [SUBSCRIBER_ON_AVAILABLE] = NULL,
    };

    if (event == SUBSCRIBER_ON_UNAVAILABLE) {
        watch_back(s);
    }
    ann(s, types[event]);
}

static void raise_from_notifier(struct scene *s, enum subscriber_event event)
{
    switch ((int)event) {
    case SUBSCRIBER_ON_OK:
        get_response(s, 200, "");
        break;
    case SUBSCRIBER_ON_REFUSED:
        get_response(s, 603, "");
        break;
    case SUBSCRIBER_ON_NOT_FOUND:
        get_response(s, 404, "");
        break;
    case SUBSCRIBER_ON_TOO_BRIEF:
        get_response(s, 423, "Min-Expires: 7200\r\n");
        break;
    case SUBSCRIBER_ON_CHALLENGED:
        get_response(s, 407, "");
        break;
    case SUBSCRIBER_ON_GONE:
        get_response(s, 481, "");
        break;
    case SUBSCRIBER_ON_ENDED:
        get_response(s, 480, "");
        break;
    case SUBSCRIBER_ON_FAILED:
        get_response(s, 500, "");
        break;
    case SUBSCRIBER_ON_PENDING:
        notify(s, "pending;expires=3600", "");
        break;
    case SUBSCRIBER_ON_ACTIVE:
        notify(s, "active;expires=3600",
               PIDF_HEAD TUPLE("a1", "open") TUPLE("b2", "open") PIDF_TAIL);
        break;
    case SUBSCRIBER_ON_TERMINATED:
        notify(s, "terminated;reason=rejected", "");
        break;
    default:
        cr_assert_fail("no event of the notifier");
    }
}

static void raise_other(struct scene *s, enum subscriber_event event)
{
    switch ((int)event) {
    case SUBSCRIBER_ON_TIMER_N:
        get_timer_n(s);
        break;
    case SUBSCRIBER_ON_EXPIRED:
        if (state_of(s) == SUBSCRIBER_PENDING || state_of(s) == SUBSCRIBER_ACTIVE) {
            get_expired(s);
        }
        break;
    case SUBSCRIBER_ON_RETRY:
        if (state_of(s) == SUBSCRIBER_BACKOFF) {
            fixture_run(&s->f, 75000);
        }
        break;
    case SUBSCRIBER_ON_KEPT: /* what is kept: subscriber_time_test.c */
        fixture_run(&s->f, 31000);
        break;
    case SUBSCRIBER_ON_AWAY:
        get_away(s);
        break;
    case SUBSCRIBER_ON_IDLE:
        get_idle(s);
        break;
    case SUBSCRIBER_ON_CUT:
        get_cut(s);
        break;
    case SUBSCRIBER_ON_LAPSED:
        grow_old(s);
        break;
    case SUBSCRIBER_ON_BACK:
    case SUBSCRIBER_ON_TELL:
        get_back(s);
        break;
    case SUBSCRIBER_ON_HOP_BACK:
        presence_hop_seen(s->f.p, SLICE_LIT("pool"), PRESENCE_HOP_LOST);
        presence_hop_seen(s->f.p, SLICE_LIT("pool"), PRESENCE_HOP_BACK);
        fixture_run(&s->f, 8000);
        break;
    case SUBSCRIBER_ON_GRANTED:
        order(s, PRESENCE_ALLOW);
        break;
    case SUBSCRIBER_ON_GRANT_FAILED:
        call_grant_failed(s);
        break;
    case SUBSCRIBER_ON_FORBIDDEN:
        s->f.rules[CONTACT_IN].is_allowed = false;
        review(s);
        break;
    case SUBSCRIBER_ON_PERMITTED:
        review(s);
        break;
    case SUBSCRIBER_ON_BLOCKED:
        order(s, PRESENCE_BLOCK);
        break;
    case SUBSCRIBER_ON_FORGOTTEN:
        order(s, PRESENCE_FORGET);
        break;
    case SUBSCRIBER_ON_LOADED:
        restart(s);
        break;
    default:
        cr_assert_fail("an event that the test cannot raise");
    }
}

static void raise_event(struct scene *s, enum subscriber_event event)
{
    if (event <= SUBSCRIBER_ON_AVAILABLE) {
        raise_from_watcher(s, event);
    } else if (event <= SUBSCRIBER_ON_TERMINATED) {
        raise_from_notifier(s, event);
    } else {
        raise_other(s, event);
    }
}

/* --- tests ------------------------------------------------------------------------------------ */

static const struct cell *find(enum subscriber_event event, enum subscriber_state state,
                               uint32_t *count)
{
    const struct cell *found = NULL;

    *count = 0;
    for (size_t i = 0; i < ARRAY_COUNT(cells); i++) {
        if (cells[i].event == event && cells[i].state == state) {
            found = &cells[i];
            ++*count;
        }
    }
    return found;
}

Test(subscriber_cells, each_does_what_it_should)
{
    for (int event = 0; event < SUBSCRIBER_EVENT_COUNT; event++) {
        for (int state = 0; state < SUBSCRIBER_STATE_COUNT; state++) {
            struct scene *s = calloc(1, sizeof(*s));
            uint32_t count;
            const struct cell *cell =
                find((enum subscriber_event)event, (enum subscriber_state)state, &count);
            const char *name = subscriber_event_name((enum subscriber_event)event);
            const char *in = subscriber_state_name((enum subscriber_state)state);

            scene_start(s);
            enter(s, (enum subscriber_state)state);
            raise_event(s, (enum subscriber_event)event);
            cr_expect_eq(count, 1, "%s in %s stands %u times in the table", name, in, count);
            if (getenv("SUBSCRIBER_CELLS")) {
                fprintf(stderr, "CELL(%s, %s, \"%s\")\n", name, in, said(s)); /* to look at */
            } else if (cell) {
                cr_expect_str_eq(said(s), cell->said, "%s in %s: %s", name, in, s->said);
            }
            scene_stop(s);
            free(s);
        }
    }
}
