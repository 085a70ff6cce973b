/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The partner: one XMPP server with rosters and sessions (RFC 6121 3, 4, appendix A), and what its
 * users have in mind.                                                                            */
#include <stdio.h>
#include <string.h>

#include "presence_sim.h"

static void send(struct sim *s, const char *text)
{
    sim_trace(s, "partner says %s", text);
    (void)sim_post(s, EV_STANZA_TO_GW, sim_arrival(s, CH_X_TO), text);
}

static void send_type(struct sim *s, const struct sim_pair *p, const char *type)
{
    char text[300];

    (void)snprintf(text, sizeof(text), "<presence from='%s' to='%s' type='%s'/>", sim_x_names[p->x],
                   sim_s_names[p->s], type);
    send(s, text);
}

static void send_resource(struct sim *s, const struct sim_pair *p, uint32_t resource)
{
    const struct sim_shown *shown = &s->resources[p->x][resource];
    char show[60] = "";
    char text[400];

    if (!shown->is_open) {
        (void)snprintf(text, sizeof(text), "<presence from='%s/r%u' to='%s' type='unavailable'/>",
                       sim_x_names[p->x], resource, sim_s_names[p->s]);
        send(s, text);
        return;
    }
    if (shown->show > 0) {
        (void)snprintf(show, sizeof(show), "<show>%s</show>", sim_show_names[shown->show]);
    }
    (void)snprintf(text, sizeof(text),
                   "<presence from='%s/r%u' to='%s'>%s<status>n%u</status></presence>",
                   sim_x_names[p->x], resource, sim_s_names[p->s], show, shown->note);
    send(s, text);
}

static bool is_online(const struct sim *s, uint32_t x)
{
    bool is_any = false;

    for (uint32_t r = 0; r < SIM_RESOURCES; r++) {
        is_any = is_any || s->resources[x][r].is_open;
    }
    return is_any;
}

static void send_available(struct sim *s, const struct sim_pair *p)
{
    for (uint32_t r = 0; r < SIM_RESOURCES; r++) {
        if (s->resources[p->x][r].is_open) {
            send_resource(s, p, r);
        }
    }
}

/* --- what the gateway says -------------------------------------------------------------------- */

static void view_forget(struct sim_view *v, const char *resource)
{
    for (uint32_t i = 0; i < v->count; i++) {
        if (strcmp(v->items[i].resource, resource) == 0) {
            v->items[i] = v->items[--v->count];
            return;
        }
    }
}

static uint32_t note_of(const char *text, const char *tag)
{
    const char *at = strstr(text, tag);
    uint32_t note = 0;

    for (at = at ? strstr(at, ">n") : NULL, at = at ? at + 2 : ""; *at >= '0' && *at <= '9'; at++) {
        note = note * 10 + (uint32_t)(*at - '0');
    }
    return note;
}

static void learn(struct sim *s, struct sim_pair *p, const char *text, bool is_available)
{
    struct sim_view *v = &p->view;
    char from[SIM_ID];
    const char *resource;

    if (p->out != ROSTER_ON || !is_online(s, p->x)) {
        return;
    }
    sim_attribute(text, "from", from);
    resource = strchr(from, '/') ? strchr(from, '/') + 1 : "";
    if (!is_available && !*resource) {
        v->count = 0;
        return;
    }
    view_forget(v, resource);
    if (is_available && v->count < SIM_ITEMS) {
        struct sim_shown *shown = &v->items[v->count].shown;

        (void)snprintf(v->items[v->count++].resource, SIM_ID, "%.60s", resource);
        *shown = (struct sim_shown){.is_open = true, .note = note_of(text, "<status")};
        for (uint8_t i = 1; i < SIM_SHOWS; i++) {
            char show[60];

            (void)snprintf(show, sizeof(show), "<show>%s<", sim_show_names[i]);
            shown->show = strstr(text, show) ? i : shown->show;
        }
    }
}

static void on_subscribe(struct sim *s, struct sim_pair *p)
{
    if (p->in == ROSTER_ON) {
        send_type(s, p, "subscribed"); /* A.3.1 [2] */
        return;
    }
    if (s->acknowledges_bare) { /* 3.1.3, rule 3 */
        send_type(s, p, "unavailable");
    }
    if (p->in == ROSTER_NONE) {
        p->in = ROSTER_PENDING;
        sim_post(s, EV_DECIDE, sim_now(s) + sim_random(s, 900) * SIM_S, NULL)->a =
            (int)(p - s->pairs);
    }
}

static void on_probe(struct sim *s, struct sim_pair *p)
{
    if (p->in != ROSTER_ON) {
        send_type(s, p, "unsubscribed"); /* 4.3.2, rule 1 */
    } else if (is_online(s, p->x)) {
        send_available(s, p);
    } else if (s->answers_unavailable) {
        send_type(s, p, "unavailable");
    }
}

/* Whether something that p's user said about a subscription has hardly arrived, or not yet. */
static bool is_crossed(const struct sim *s, const struct sim_pair *p)
{
    char from[SIM_ID];
    char to[SIM_ID];

    for (uint32_t i = 0; i < s->event_count; i++) {
        const struct sim_event *ev = &s->events[i];

        if (ev->kind != EV_STANZA_TO_GW || !sim_is_management(ev->text)) {
            continue;
        }
        sim_attribute(ev->text, "from", from);
        sim_attribute(ev->text, "to", to);
        if (strcmp(from, sim_x_names[p->x]) == 0 && strcmp(to, sim_s_names[p->s]) == 0) {
            return true;
        }
    }
    return p->in_at != 0 && p->in_at + 10 * SIM_S > sim_now(s);
}

/* One that answers something of before may meet a request of after: RFC 6121 cannot tell, so the
 * person will have to say it again.                                                              */
static void on_unsubscribed(const struct sim *s, struct sim_pair *p)
{
    p->is_excused = p->is_excused || (p->out == ROSTER_PENDING && is_crossed(s, p));
    p->out = ROSTER_NONE;
    p->wants = false;
    p->view.count = 0;
}

static struct sim_pair *pair_of(struct sim *s, const char *text)
{
    char from[SIM_ID];
    char to[SIM_ID];

    sim_attribute(text, "from", from);
    sim_attribute(text, "to", to);
    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS; i++) {
        struct sim_pair *p = &s->pairs[i];

        if (strncmp(from, sim_s_names[p->s], strlen(sim_s_names[p->s])) == 0 &&
            strncmp(to, sim_x_names[p->x], strlen(sim_x_names[p->x])) == 0) {
            return p;
        }
    }
    sim_fail(s, "a stanza between strangers: %s", text);
    return NULL;
}

void partner_receive(struct sim *s, const char *text)
{
    struct sim_pair *p = pair_of(s, text);
    char type[SIM_ID];

    if (!p) {
        return;
    }
    sim_attribute(text, "type", type);
    sim_trace(s, "partner hears %s", text);
    if (strcmp(type, "subscribe") == 0) {
        on_subscribe(s, p);
    } else if (strcmp(type, "probe") == 0) {
        on_probe(s, p);
    } else if (strcmp(type, "subscribed") == 0 && p->out == ROSTER_PENDING) {
        p->out = ROSTER_ON;
        s->sums.granted++;
    } else if (strcmp(type, "unsubscribed") == 0 && p->out != ROSTER_NONE) {
        on_unsubscribed(s, p);
        s->sums.denied++;
    } else if (strcmp(type, "unsubscribe") == 0 && p->in != ROSTER_NONE) {
        p->in = ROSTER_NONE;
        send_type(s, p, "unsubscribed");
    } else if (!*type || strcmp(type, "unavailable") == 0) {
        learn(s, p, text, !*type);
    }
}

/* --- what people do --------------------------------------------------------------------------- */

void partner_subscribe(struct sim *s, struct sim_pair *p)
{
    p->wants = true;
    if (p->out == ROSTER_NONE) {
        p->out = ROSTER_PENDING;
    }
    send_type(s, p, "subscribe");
}

void partner_unsubscribe(struct sim *s, struct sim_pair *p)
{
    p->wants = false;
    p->out = ROSTER_NONE;
    p->view.count = 0;
    send_type(s, p, "unsubscribe");
}

void partner_approve(struct sim *s, struct sim_pair *p)
{
    p->in = ROSTER_ON;
    send_type(s, p, "subscribed");
    send_available(s, p);
}

void partner_decide(struct sim *s, struct sim_pair *p)
{
    if (p->in != ROSTER_PENDING) {
        return;
    }
    switch (sim_random(s, 6)) {
    case 0:
        p->in = ROSTER_NONE;
        send_type(s, p, "unsubscribed");
        break;
    case 1: /* never makes up his mind */
        break;
    default:
        partner_approve(s, p);
        break;
    }
}

void partner_revoke(struct sim *s, struct sim_pair *p)
{
    if (p->in == ROSTER_NONE) {
        return;
    }
    p->in = ROSTER_NONE;
    send_type(s, p, "unsubscribed");
}

/* A resource comes, changes or goes; to everybody who may know (4.2 to 4.5). */
void partner_show(struct sim *s, uint32_t x, uint32_t resource, bool is_open)
{
    struct sim_shown *shown = &s->resources[x][resource];
    bool was_open = shown->is_open;

    if (!was_open && !is_open) {
        return;
    }
    *shown = (struct sim_shown){.is_open = is_open,
                                .show = (uint8_t)sim_random(s, SIM_SHOWS),
                                .note = is_open ? ++s->notes : 0};
    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS; i++) {
        struct sim_pair *p = &s->pairs[i];

        if (p->x != x) {
            continue;
        }
        if (!was_open && p->out == ROSTER_ON) {
            send_type(s, p, "probe");
        } else if (!was_open && p->out == ROSTER_PENDING) {
            send_type(s, p, "subscribe"); /* 3.1.2: may be sent again */
        }
        if (p->in == ROSTER_ON) {
            send_resource(s, p, resource);
        }
        if (!is_online(s, x)) {
            p->view.count = 0;
        }
    }
}

/* Sessions end without a word; people come back. */
void partner_restart(struct sim *s)
{
    for (uint32_t x = 0; x < SIM_USERS; x++) {
        for (uint32_t r = 0; r < SIM_RESOURCES; r++) {
            if (s->resources[x][r].is_open) {
                struct sim_event *ev =
                    sim_post(s, EV_LOGIN, sim_now(s) + (60 + sim_random(s, 300)) * SIM_S, NULL);

                ev->a = (int)x;
                ev->id = r;
            }
            s->resources[x][r].is_open = false;
        }
    }
    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS; i++) {
        s->pairs[i].view.count = 0;
    }
}
