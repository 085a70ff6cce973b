/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold at every step, and what must have come right when all has been quiet for long. */
#include <stdio.h>
#include <string.h>

#include "presence_sim.h"

#define NOTIFY_GAP_MS 5000u /* RFC 3856 6.10 */

static enum contact_state durable(const struct sim *s, enum contact_direction direction,
                                  const char *local, const char *remote)
{
    const struct kept_row *r = fixture_row(&s->f, direction, local, remote);

    return r ? r->state : CONTACT_NONE;
}

/* --- every step ------------------------------------------------------------------------------- */

/* Nothing is told of a grant, or because of one, that a crash could undo. */
void check_stanza(struct sim *s, const char *stanza)
{
    char type[SIM_ID];
    char from[SIM_ID];
    char to[SIM_ID];

    sim_attribute(stanza, "type", type);
    sim_attribute(stanza, "from", from);
    sim_attribute(stanza, "to", to);
    *(strchr(from, '/') ? strchr(from, '/') : from + strlen(from)) = 0;
    *(strchr(to, '/') ? strchr(to, '/') : to + strlen(to)) = 0;
    if ((!*type || strcmp(type, "subscribed") == 0) &&
        durable(s, CONTACT_IN, from, to) != CONTACT_GRANTED) {
        sim_fail(s, "told without a durable grant: %s", stanza);
    }
}

static struct sim_device *device_of(struct sim *s, struct slice call_id, struct sim_pair **pair)
{
    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS * SIM_DEVICES; i++) {
        struct sim_device *d = &s->pairs[i / SIM_DEVICES].devices[i % SIM_DEVICES];

        if (slice_eq_cstr(call_id, d->call_id)) {
            *pair = &s->pairs[i / SIM_DEVICES];
            return d;
        }
    }
    return NULL;
}

static void check_notify(struct sim *s, const struct sip_msg *m, const char *text)
{
    bool is_active = strstr(text, "\nSubscription-State: active") != NULL;
    struct sim_pair *p = NULL;
    struct slice call_id = SLICE_NONE;
    struct sim_device *d;

    (void)!sip_msg_call_id(m, &call_id);
    d = device_of(s, call_id, &p);
    if (!d || !is_active) {
        return;
    }
    if (durable(s, CONTACT_OUT, sim_s_names[p->s], sim_x_names[p->x]) != CONTACT_GRANTED) {
        sim_fail(s, "active without a durable grant: %s", text);
    }
    if (m->body.len == 0) {
        return;
    }
    if (d->body_at != 0 && !d->may_hurry && sim_now(s) < d->body_at + NOTIFY_GAP_MS) {
        sim_fail(s, "NOTIFY %llu ms after the last one: %s",
                 (unsigned long long)(sim_now(s) - d->body_at), text);
    }
    d->body_at = sim_now(s);
    d->may_hurry = false;
}

void check_request(struct sim *s, const char *text)
{
    struct sip_check_policy policy = {.methods = SIP_METHOD_BIT(SIP_METHOD_SUBSCRIBE) |
                                                 SIP_METHOD_BIT(SIP_METHOD_NOTIFY),
                                      .schemes = SIP_SCHEME_BIT(SIP_SCHEME_SIP)};
    static const struct slice types[] = {SLICE_LIT("application/pidf+xml")};
    struct sip_verdict verdict;
    struct sip_bad bad;
    struct sip_msg m;

    policy.notify_accept = types;
    policy.notify_accept_count = 1;
    if (sip_msg_parse(&m, slice_from_cstr(text), &bad) ||
        !sip_check_request(&m, &policy, &verdict)) {
        sim_fail(s, "a request that would be refused: %s", text);
    } else if (m.method == SIP_METHOD_NOTIFY) {
        check_notify(s, &m, text);
    }
}

struct recount {
    uint32_t contacts[CONTACT_DIRECTIONS][CONTACT_STATE_COUNT];
    uint32_t dialogs[CONTACT_DIRECTIONS];
};

static void count_one(void *ctx, const struct presence_contact_view *view)
{
    struct recount *r = ctx;

    r->contacts[view->direction][view->state]++;
    r->dialogs[view->direction] += view->dialog_count;
}

static void recount(const struct sim *s, struct recount *r)
{
    const struct presence_filter filter = {.directions = 0};
    uint64_t cursor = 0;

    *r = (struct recount){.dialogs = {0}};
    while (presence_walk(s->f.p, &filter, &cursor, 1000, count_one, r)) {
    }
}

void check_gauges(struct sim *s)
{
    const struct presence_stats *stats = presence_stats(s->f.p);
    struct recount r;

    recount(s, &r);
    if (memcmp(r.contacts, stats->contacts, sizeof(r.contacts)) != 0) {
        sim_fail(s, "gauges of contacts differ from a recount");
    }
}

/* --- the end ---------------------------------------------------------------------------------- */

/* The same things, whatever the resources are called. */
static bool same_view(const struct sim_view *v, const struct sim_shown *shown)
{
    bool used[SIM_ITEMS] = {false};
    uint32_t open = 0;

    for (uint32_t r = 0; r < SIM_RESOURCES; r++) {
        bool is_found = !shown[r].is_open;

        open += shown[r].is_open;
        for (uint32_t i = 0; i < v->count && !is_found; i++) {
            const struct sim_shown *a = &v->items[i].shown;

            if (!used[i] && a->note == shown[r].note && a->show == shown[r].show) {
                used[i] = true;
                is_found = true;
            }
        }
        if (!is_found) {
            return false;
        }
    }
    return v->count == open;
}

static void say_views(struct sim *s, const struct sim_view *v, const struct sim_shown *shown)
{
    for (uint32_t i = 0; i < v->count; i++) {
        (void)fprintf(stderr, "   seen  %s %s n%u\n", v->items[i].resource,
                      sim_show_names[v->items[i].shown.show], v->items[i].shown.note);
    }
    for (uint32_t r = 0; r < SIM_RESOURCES; r++) {
        (void)fprintf(stderr, "   shown %s %s n%u\n", shown[r].is_open ? "open" : "closed",
                      sim_show_names[shown[r].show], shown[r].note);
    }
    (void)s;
}

static void end_in(struct sim *s, struct sim_pair *p)
{
    const char *x = sim_x_names[p->x];
    const char *u = sim_s_names[p->s];
    enum contact_state state = fixture_state(&s->f, CONTACT_IN, u, x);
    uint32_t subs = pool_sub_count(s, p);
    bool is_right = false;

    switch (p->out) {
    case ROSTER_ON:
        is_right = state == CONTACT_GRANTED && p->policy == POLICY_ALLOW && subs == 1;
        break;
    case ROSTER_PENDING:
        is_right = state == CONTACT_ASKED && p->policy == POLICY_UNDECIDED && subs == 1;
        break;
    case ROSTER_NONE:
        is_right = (state == CONTACT_NONE || state == CONTACT_DENIED) && subs == 0;
        break;
    }
    if (!is_right) {
        sim_fail(s, "%s watches %s: roster %d, gateway %s, pool's policy %d, %u subscriptions%s", x,
                 u, p->out, contact_state_name(state), p->policy, subs,
                 p->is_excused ? " (excused)" : "");
    } else if (p->out == ROSTER_ON && !same_view(&p->view, s->tuples[p->s])) {
        sim_fail(s, "%s sees of %s what is not so", x, u);
        say_views(s, &p->view, s->tuples[p->s]);
    }
}

static void end_out_device(struct sim *s, struct sim_pair *p, uint32_t k)
{
    const struct sim_device *d = &p->devices[k];
    const char *x = sim_x_names[p->x];
    const char *u = sim_s_names[p->s];
    enum contact_state state = fixture_state(&s->f, CONTACT_OUT, u, x);
    bool is_right = false;

    if (!d->wants) {
        if (d->phase != DEVICE_NONE) {
            sim_fail(s, "device %u of %s still watches %s", k, u, x);
        }
        return;
    }
    switch (p->in) {
    case ROSTER_ON:
        is_right = state == CONTACT_GRANTED && d->phase == DEVICE_LIVE && d->is_active;
        break;
    case ROSTER_PENDING:
        is_right = state == CONTACT_ASKED && d->phase == DEVICE_LIVE && !d->is_active;
        break;
    case ROSTER_NONE:
        break;
    }
    if (!is_right) {
        sim_fail(s, "device %u of %s watches %s: roster %d, gateway %s, dialog %d active %d%s", k,
                 u, x, p->in, contact_state_name(state), d->phase, d->is_active,
                 p->is_excused ? " (excused)" : "");
    } else if (p->in == ROSTER_ON && !same_view(&d->view, s->resources[p->x])) {
        sim_fail(s, "device %u of %s sees of %s what is not so", k, u, x);
        say_views(s, &d->view, s->resources[p->x]);
    }
}

void check_now(struct sim *s, const char *when)
{
    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS && !s->has_failed; i++) {
        struct sim_pair *p = &s->pairs[i];
        const char *x = sim_x_names[p->x];
        const char *u = sim_s_names[p->s];

        if (p->out == ROSTER_ON) {
            s->sums.checked++;
            if (pool_sub_count(s, p) != 1 || !same_view(&p->view, s->tuples[p->s])) {
                sim_fail(s, "after %s: %s sees of %s what is not so; %u subscriptions", when, x, u,
                         pool_sub_count(s, p));
                say_views(s, &p->view, s->tuples[p->s]);
            }
        }
        for (uint32_t k = 0; k < SIM_DEVICES && p->in == ROSTER_ON; k++) {
            const struct sim_device *d = &p->devices[k];

            s->sums.checked += d->wants;
            if (d->wants && (d->phase != DEVICE_LIVE || !d->is_active ||
                             !same_view(&d->view, s->resources[p->x]))) {
                sim_fail(s, "after %s: device %u of %s sees of %s what is not so; dialog %d", when,
                         k, u, x, d->phase);
                say_views(s, &d->view, s->resources[p->x]);
            }
        }
    }
}

void check_end(struct sim *s)
{
    struct recount r;
    uint32_t live = 0;
    uint32_t subs = 0;

    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS; i++) {
        struct sim_pair *p = &s->pairs[i];

        end_in(s, p);
        subs += pool_sub_count(s, p);
        for (uint32_t k = 0; k < SIM_DEVICES; k++) {
            end_out_device(s, p, k);
            live += p->devices[k].phase == DEVICE_LIVE;
        }
    }
    recount(s, &r);
    if (r.dialogs[CONTACT_OUT] != live || r.dialogs[CONTACT_IN] != subs) {
        sim_fail(s, "the gateway has %u dialogs as notifier, there are %u; as subscriber %u of %u",
                 r.dialogs[CONTACT_OUT], live, r.dialogs[CONTACT_IN], subs);
    }
    if (memcmp(r.dialogs, presence_stats(s->f.p)->dialogs, sizeof(r.dialogs)) != 0) {
        sim_fail(s, "gauges of dialogs differ from a recount");
    }
    if (!list_is_empty(&s->f.requests) || presence_stats(s->f.p)->waiting != 0) {
        sim_fail(s, "requests without an end");
    }
}

/* When everybody has left and all is forgotten, nothing remains. */
void check_empty(struct sim *s)
{
    const struct presence_stats *stats = presence_stats(s->f.p);
    struct recount r;

    recount(s, &r);
    for (uint32_t d = 0; d < CONTACT_DIRECTIONS; d++) {
        for (uint32_t i = 0; i < CONTACT_STATE_COUNT; i++) {
            if (stats->contacts[d][i] != 0) {
                sim_fail(s, "%u contacts %s are left, %s", stats->contacts[d][i],
                         contact_direction_name((enum contact_direction)d),
                         contact_state_name((enum contact_state)i));
            }
        }
    }
    if (s->f.disk.count != 0 || stats->memory_bytes != s->empty_bytes) {
        sim_fail(s, "%zu rows and %llu bytes are left", s->f.disk.count,
                 (unsigned long long)stats->memory_bytes);
    }
}
