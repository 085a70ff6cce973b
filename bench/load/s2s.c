/* SPDX-License-Identifier: GPL-2.0-or-later */
/* s2s: the partners' servers that the tool plays: connections. */
#include "load/s2s.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/pool.h"
#include "load/certs.h"
#include "xml/writer.h"

bool s2s_has_dialback(const struct plan *plan)
{
    return strcmp(plan->auth, "external") != 0;
}

bool s2s_has_tls(const struct plan *plan)
{
    return strcmp(plan->auth, "plain-dialback") != 0;
}

static int check(const struct plan *plan, enum side side, char *why, size_t why_bytes)
{
    bool dials = side == SIDE_SOURCE || plan->has_pings || s2s_has_dialback(plan);
    bool accepts = side == SIDE_SINK || s2s_has_dialback(plan);
    const char *missing = dials && plan->target.sin_port == 0     ? "--target"
                          : accepts && plan->listen.sin_port == 0 ? "--listen"
                          : s2s_has_tls(plan) && !plan->certificate ? "--cert and --key"
                                                                    : NULL;

    if (missing) {
        (void)snprintf(why, why_bytes, "s2s as %s needs %s",
                       side == SIDE_SOURCE ? "source" : "sink", missing);
        return ERR_CONFIG;
    }
    return 0;
}

static uint32_t line_count(const struct plan *plan, enum side side)
{
    if (side == SIDE_SOURCE) {
        return (uint32_t)plan->lines;
    }
    return plan->has_pings ? (uint32_t)plan->domains : 0;
}

static const struct sockaddr_in *listen_at(const struct plan *plan, enum side side)
{
    return side == SIDE_SINK || s2s_has_dialback(plan) ? &plan->listen : NULL;
}

void *s2s_new(struct stage *st, enum side side, uint32_t count, size_t bytes)
{
    struct s2s *p = lines_new(st, side, count, bytes);

    dialback_secret_init(&p->secret, certs_crypto(), slice_from_cstr(st->plan->dialback_secret));
    return p;
}

static void *start(struct stage *st, enum side side)
{
    return s2s_new(st, side, line_count(st->plan, side), sizeof(struct s2s));
}

static struct wire_params how(const struct lines *l, const struct wire_ops *ops,
                              enum s2s_role role, uint32_t domain)
{
    return (struct wire_params){.ops = ops,
                                .to = &l->stage->plan->target,
                                .is_direct = l->stage->plan->is_direct,
                                .domain = domain,
                                .role = role};
}

void s2s_open(void *party, uint32_t line)
{
    struct lines *l = party;

    lines_dial(l, line,
               how(l, &s2s_dialled_ops, S2S_LINE, plan_domain_of(l->stage->plan, line)));
}

void s2s_accept(void *party, struct conn *c)
{
    struct lines *l = party;

    lines_accept(l, c, how(l, &s2s_accepted_ops, S2S_ACCEPTED, 0));
}

void s2s_verify(struct s2s *p, const struct s2s_question *q)
{
    struct s2s_question *kept = pool_alloc(sizeof(*kept));
    struct wire_params params = how(&p->lines, &s2s_dialled_ops, S2S_VERIFY, q->domain);
    struct wire *w;

    params.lines = &p->lines;
    w = wire_dial(&params);
    if (!w || !kept) {
        pool_free(kept);
        stage_fail(p->lines.stage, "a dialback key cannot be verified: no memory");
        return;
    }
    *kept = *q;
    w->own = kept;
}

void s2s_answer_iq(struct s2s *p, const struct xml_tree *t)
{
    struct slice to = xml_attr_value(t, 0, SLICE_LIT("to"));
    uint32_t domain;
    struct wire *w;

    if (!slice_eq_cstr(xml_attr_value(t, 0, SLICE_LIT("type")), "get") ||
        !plan_partner_number(p->lines.stage->plan, to.ptr, to.len, &domain)) {
        return;
    }
    w = domain < p->lines.count ? p->lines.dialled[domain] : NULL;
    if (!w || w->state != WIRE_READY) {
        return; /* it will be asked again */
    }
    wire_put(w, SLICE_LIT("<iq type='result'"));
    xml_write_attr(wire_out(w), "id", xml_attr_value(t, 0, SLICE_LIT("id")));
    xml_write_attr(wire_out(w), "from", to);
    xml_write_attr(wire_out(w), "to", xml_attr_value(t, 0, SLICE_LIT("from")));
    wire_put(w, SLICE_LIT("/>"));
}

void s2s_stanza(struct wire *w, const struct xml_tree *t)
{
    struct s2s *p = s2s_of(w);

    if (p->presence && slice_eq_cstr(t->nodes[0].name, "presence")) {
        p->presence(w, t);
    } else {
        stage_other(w->stage);
    }
}

void s2s_stream_ended(void *wire)
{
    struct wire *w = wire;

    if (w->state != WIRE_CLOSING) {
        wire_put(w, SLICE_LIT("</stream:stream>"));
    }
    wire_set_state(w, WIRE_ENDED);
    wire_end(w);
}

void s2s_unexpected(struct wire *w, const struct xml_tree *t)
{
    uint32_t child = xml_next_child(t, 0, XML_NO_NODE, SLICE_NONE, SLICE_NONE);
    uint32_t text = xml_child(t, 0, SLICE_LIT("text"), SLICE_NONE);

    stage_fail(w->stage,
               "unexpected in state %s of domain %u: <%.*s xmlns='%.*s'>, in it <%.*s> %s",
               wire_state_name(w->state), (unsigned)w->domain, SLICE_FMT(t->nodes[0].name),
               SLICE_FMT(t->nodes[0].ns),
               SLICE_FMT(child == XML_NO_NODE ? SLICE_NONE : t->nodes[child].name),
               text == XML_NO_NODE ? "" : log_quote(xml_text(t, text)).text);
}

const struct party_kind party_s2s = {
    .name = "s2s",
    .check = check,
    .start = start,
    .stop = lines_free,
    .line_count = line_count,
    .listen = listen_at,
    .open = s2s_open,
    .close = lines_close_stream,
    .accepted = s2s_accept,
    .write = lines_write,
    .hold = lines_hold,
};
