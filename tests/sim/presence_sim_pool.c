/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pool: a presence server that decides who may watch its users, as RFC 6665 notifier: a NOTIFY
 * at once for whatever changes, several under way at a time, on either of two connections.       */
#include <stdio.h>
#include <string.h>

#include "presence_sim.h"

#include "sip/event.h"

static void put_body(const struct sim *s, uint32_t user, char *out, size_t out_bytes)
{
    size_t at = (size_t)snprintf(out, out_bytes,
                                 "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='pres:%s'>",
                                 sim_s_names[user]);

    for (uint32_t t = 0; t < SIM_RESOURCES; t++) {
        const struct sim_shown *shown = &s->tuples[user][t];
        char show[80] = "";

        if (shown->show > 0) {
            (void)snprintf(show, sizeof(show), "<show xmlns='jabber:client'>%s</show>",
                           sim_show_names[shown->show]);
        }
        at += (size_t)snprintf(out + at, out_bytes - at,
                               "<tuple id='t%u'><status><basic>%s</basic>%s</status>"
                               "<note>n%u</note></tuple>",
                               t, shown->is_open ? "open" : "closed", shown->is_open ? show : "",
                               shown->note);
    }
    (void)snprintf(out + at, out_bytes - at, "</presence>");
}

/* state: "active", "pending" or "terminated;reason=...". */
static void notify(struct sim *s, struct sim_sub *sub, const char *state)
{
    const struct sim_pair *p = sub->pair;
    bool is_active = strcmp(state, "active") == 0;
    bool is_over = strncmp(state, "terminated", 10) == 0;
    char expires[40] = "";
    char body[1000] = "";
    char text[3000];
    struct sim_txn *t;

    sub->cseq++;
    if (is_active) {
        put_body(s, p->s, body, sizeof(body));
    }
    if (!is_over) {
        (void)snprintf(expires, sizeof(expires), ";expires=%u",
                       (uint32_t)((sub->expires_at - sim_now(s)) / SIM_S));
    }
    (void)snprintf(text, sizeof(text),
                   "NOTIFY sip:gw.corp.example:5061;transport=tls SIP/2.0\n"
                   "Via: SIP/2.0/TLS pres.corp.example:5061;branch=z9hG4bKp%u\n"
                   "Max-Forwards: 70\nFrom: <sip:%s>;tag=%s\nTo: <sip:%s>;tag=%s\n"
                   "Call-ID: %s\nCSeq: %u NOTIFY\nContact: <sip:pres.corp.example:5061>\n"
                   "Record-Route: <sip:pres.corp.example:5061;lr>\nEvent: presence\n"
                   "Subscription-State: %s%s\n%sContent-Length: %zu\n\n%s",
                   sub->cseq, sim_s_names[p->s], sub->local_tag, sim_x_names[p->x], sub->remote_tag,
                   sub->call_id, sub->cseq, state, expires,
                   is_active ? "Content-Type: application/pidf+xml\n" : "", strlen(body), body);
    sim_trace(s, "pool NOTIFY %s %s: %s", sub->call_id, state, is_active ? body : "");
    s->sums.notifies++;
    t = sim_send_request(s, text);
    if (t) {
        t->sub = sub;
        (void)snprintf(t->sub_call_id, SIM_ID, "%s", sub->call_id);
    }
    if (is_over) {
        sub->is_used = false;
    }
}

static void notify_state(struct sim *s, struct sim_sub *sub)
{
    switch (sub->pair->policy) {
    case POLICY_ALLOW:
        notify(s, sub, "active");
        break;
    case POLICY_UNDECIDED:
        notify(s, sub, "pending");
        break;
    case POLICY_DENY:
        notify(s, sub, "terminated;reason=rejected");
        break;
    }
}

static struct sim_sub *find(struct sim *s, struct slice call_id)
{
    for (uint32_t i = 0; i < SIM_SUBS; i++) {
        if (s->subs[i].is_used && slice_eq_cstr(call_id, s->subs[i].call_id)) {
            return &s->subs[i];
        }
    }
    return NULL;
}

uint32_t pool_sub_count(const struct sim *s, const struct sim_pair *p)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < SIM_SUBS; i++) {
        count += s->subs[i].is_used && s->subs[i].pair == p && s->subs[i].expires_at > sim_now(s);
    }
    return count;
}

static struct sim_pair *pair_of(struct sim *s, const struct sip_msg *m)
{
    struct sip_addr from;
    struct sip_addr to;

    if (sip_msg_addr(m, SIP_HDR_FROM, &from) || sip_msg_addr(m, SIP_HDR_TO, &to)) {
        return NULL;
    }
    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS; i++) {
        struct sim_pair *p = &s->pairs[i];

        if (slice_eq_cstr(slice_from(from.uri.text, 4), sim_x_names[p->x]) &&
            slice_eq_cstr(slice_from(to.uri.text, 4), sim_s_names[p->s])) {
            return p;
        }
    }
    return NULL;
}

static void answer_ok(struct sim *s, const struct sim_event *ev, const struct sim_sub *sub,
                      uint32_t expires_s)
{
    char fields[200];

    (void)snprintf(fields, sizeof(fields),
                   "Contact: <sip:pres.corp.example:5061>\r\n"
                   "Record-Route: <sip:pres.corp.example:5061;lr>\r\nExpires: %u\r\n",
                   expires_s);
    sim_answer_gw(s, ev, sim_random(s, 4) ? 200 : 202, sub->local_tag, fields);
}

static void refuse_at_random(struct sim *s, const struct sim_event *ev)
{
    static const struct {
        unsigned status;
        const char *fields;
    } kinds[] = {
        {503, "Retry-After: 20\r\n"},
        {500, ""},
        {480, ""},
        {423, "Min-Expires: 5000\r\n"},
        {408, ""},
        {404, ""},
        {503, ""},
    };
    uint32_t i = sim_random(s, ARRAY_COUNT(kinds));

    s->sums.refusals++;
    sim_answer_gw(s, ev, kinds[i].status, "z", kinds[i].fields);
}

static void begin(struct sim *s, const struct sim_event *ev, const struct sip_msg *m,
                  const struct sip_dialog_key *key)
{
    struct sim_pair *p = pair_of(s, m);
    struct sim_sub *sub = NULL;
    struct sip_cseq cseq = {0};
    uint32_t expires_s = 3600;

    for (uint32_t i = 0; i < SIM_SUBS && !sub; i++) {
        sub = s->subs[i].is_used ? NULL : &s->subs[i];
    }
    if (!p || !sub || sip_msg_cseq(m, &cseq)) {
        sim_fail(s, "a SUBSCRIBE that nobody understands, or too many: %s", ev->text);
        return;
    }
    if (p->policy == POLICY_DENY && !s->denies_by_notify) {
        sim_answer_gw(s, ev, 403, "z", "");
        return;
    }
    (void)sip_msg_expires(m, 3600, &expires_s);
    *sub = (struct sim_sub){.is_used = true,
                            .pair = p,
                            .cseq = sim_random(s, 100),
                            .remote_cseq = cseq.number,
                            .expires_at = sim_now(s) + expires_s * SIM_S};
    (void)snprintf(sub->call_id, SIM_ID, "%.*s", SLICE_FMT(key->call_id));
    (void)snprintf(sub->remote_tag, SIM_ID, "%.*s", SLICE_FMT(key->remote_tag));
    sim_new_id(s, sub->local_tag, "p");
    answer_ok(s, ev, sub, expires_s);
    notify_state(s, sub);
}

static void go_on(struct sim *s, const struct sim_event *ev, const struct sip_msg *m,
                  struct sim_sub *sub)
{
    struct sip_cseq cseq = {0};
    uint32_t expires_s = 3600;

    (void)!sip_msg_cseq(m, &cseq);
    if (cseq.number <= sub->remote_cseq) {
        s->sums.stale++;
        sim_answer_gw(s, ev, 500, sub->local_tag, "");
        return;
    }
    sub->remote_cseq = cseq.number;
    (void)sip_msg_expires(m, 3600, &expires_s);
    sub->expires_at = sim_now(s) + expires_s * SIM_S;
    answer_ok(s, ev, sub, expires_s);
    if (expires_s == 0) {
        notify(s, sub, "terminated;reason=timeout");
    } else {
        notify_state(s, sub);
    }
}

/* A request of the gateway's. */
void pool_receive(struct sim *s, const struct sim_event *ev)
{
    struct sip_dialog_key key;
    struct sip_bad bad;
    struct sip_msg m;
    struct sim_sub *sub;

    if (sip_msg_parse(&m, slice_from_cstr(ev->text), &bad) || sip_dialog_key_read(&m, &key)) {
        sim_fail(s, "the gateway sends nonsense: %s", ev->text);
        return;
    }
    if (m.method == SIP_METHOD_NOTIFY) {
        if (!watcher_receive(s, ev, &m)) {
            sim_answer_gw(s, ev, 481, "", "");
        }
        return;
    }
    s->sums.subscribes++;
    if (sim_chance(s, 12)) {
        refuse_at_random(s, ev);
        return;
    }
    sub = find(s, key.call_id);
    if (sub && sub->expires_at <= sim_now(s)) {
        sub->is_used = false;
        sub = NULL;
    }
    if (key.local_tag.len == 0) {
        if (sub) { /* it never heard our answer */
            sub->is_used = false;
        }
        begin(s, ev, &m, &key);
    } else if (!sub || !slice_eq_cstr(key.local_tag, sub->local_tag)) {
        sim_answer_gw(s, ev, 481, "", "");
    } else {
        go_on(s, ev, &m, sub);
    }
}

void pool_answered(struct sim *s, const struct sim_txn *t, unsigned status)
{
    bool is_same = t->sub->is_used && strcmp(t->sub->call_id, t->sub_call_id) == 0;

    if (is_same && (status == 408 || sip_status_ends_subscription(status))) {
        sim_trace(s, "pool drops %s after %u", t->sub_call_id, status);
        t->sub->is_used = false;
    }
}

static void tell(struct sim *s, uint32_t user)
{
    for (uint32_t i = 0; i < SIM_SUBS; i++) {
        struct sim_sub *sub = &s->subs[i];

        if (!sub->is_used || sub->pair->s != user) {
            continue;
        }
        if (sub->expires_at <= sim_now(s)) {
            sub->is_used = false;
        } else if (sub->pair->policy == POLICY_ALLOW) {
            notify(s, sub, "active");
        }
    }
}

void pool_publish(struct sim *s, uint32_t user, uint32_t tuple)
{
    s->tuples[user][tuple] = (struct sim_shown){.is_open = sim_random(s, 4) > 0,
                                                .show = (uint8_t)sim_random(s, SIM_SHOWS),
                                                .note = ++s->notes};
    tell(s, user);
}

void pool_decide(struct sim *s, struct sim_pair *p, enum sim_policy policy)
{
    p->policy = policy;
    for (uint32_t i = 0; i < SIM_SUBS; i++) {
        struct sim_sub *sub = &s->subs[i];

        if (sub->is_used && sub->pair == p && sub->expires_at > sim_now(s)) {
            notify_state(s, sub);
        }
    }
}

/* With a database it knows its subscriptions again, or says good-bye first; without it forgets. */
void pool_restart(struct sim *s)
{
    static const char *const reasons[] = {
        "terminated;reason=deactivated", "terminated;reason=probation;retry-after=30",
        "terminated;reason=timeout",     "terminated;reason=giveup;retry-after=60",
        "terminated;reason=anything",    "terminated",
    };
    const char *reason = reasons[sim_random(s, ARRAY_COUNT(reasons))];
    bool is_polite = sim_random(s, 2) == 0;

    if (s->keeps_subs) {
        return;
    }
    for (uint32_t i = 0; i < SIM_SUBS; i++) {
        if (s->subs[i].is_used && is_polite) {
            notify(s, &s->subs[i], reason);
        }
        s->subs[i].is_used = false;
    }
}
