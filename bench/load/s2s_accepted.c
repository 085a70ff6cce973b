/* SPDX-License-Identifier: GPL-2.0-or-later */
/* s2s_accepted: what a partner's server says on a stream that was opened to it: it offers TLS,
 * SASL EXTERNAL or dialback, then XEP-0198; it answers for keys (db:verify), counts stanzas. */
#include <stdio.h>
#include <string.h>

#include "load/certs.h"
#include "load/s2s.h"
#include "xml/writer.h"

static void await_header(struct wire *w)
{
    wire_set_state(w, WIRE_HEADER);
}

static void write_features(struct wire *w)
{
    const struct plan *plan = w->stage->plan;

    wire_put(w, SLICE_LIT("<stream:features>"));
    if (!w->is_secured && s2s_has_tls(plan)) {
        wire_printf(w, "<starttls xmlns='%s'><required/></starttls>", S2S_NS_TLS);
    } else if (s2s_has_dialback(plan)) {
        wire_put(w, SLICE_LIT("<dialback xmlns='urn:xmpp:features:dialback'/>"));
    } else if (!w->is_authenticated) {
        wire_printf(w, "<mechanisms xmlns='%s'><mechanism>EXTERNAL</mechanism></mechanisms>",
                    S2S_NS_SASL);
    }
    /* With dialback there is no other stream behind the proof. */
    if (!plan->has_no_acks && (w->is_authenticated || s2s_has_dialback(plan)) &&
        (w->is_secured || !s2s_has_tls(plan))) {
        wire_printf(w, "<sm xmlns='%s'/>", S2S_NS_SM);
    }
    wire_put(w, SLICE_LIT("</stream:features>"));
}

static void on_header(void *owner, const struct xml_tree *t)
{
    struct wire *w = owner;
    struct s2s *p = s2s_of(w);
    struct slice to = xml_attr_value(t, 0, SLICE_LIT("to"));

    wire_printf(w,
                "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='%s' "
                "xmlns:db='%s' version='1.0' id='load-%llu-%p'",
                S2S_NS_STREAM, S2S_NS_DIALBACK, (unsigned long long)++p->ids, (void *)w->c);
    w->stream_id = p->ids;
    xml_write_attr(wire_out(w), "from", to);
    if (xml_attr(t, 0, SLICE_LIT("from"))) {
        xml_write_attr(wire_out(w), "to", xml_attr_value(t, 0, SLICE_LIT("from")));
    }
    wire_put(w, SLICE_LIT(">"));
    write_features(w);
    wire_set_state(w, WIRE_FEATURES);
    if (w->is_authenticated) {
        wire_become_ready(w);
    }
}

static void answer(struct wire *w, const struct xml_tree *t, struct slice id, bool is_valid)
{
    dialback_write_answer(wire_out(w),
                          &(struct dialback_address){
                              .from = xml_attr_value(t, 0, SLICE_LIT("to")),
                              .to = xml_attr_value(t, 0, SLICE_LIT("from")),
                              .id = id,
                          },
                          is_valid ? DIALBACK_VALID : DIALBACK_INVALID, STANZA_CONDITION_NONE);
    wire_flush(w);
}

/* db:verify: whether a key that the server was shown is ours. */
static void on_verify(struct wire *w, const struct xml_tree *t)
{
    const struct s2s *p = s2s_of(w);
    struct slice id = xml_attr_value(t, 0, SLICE_LIT("id"));
    struct dialback_bond bond = {.receiving = xml_attr_value(t, 0, SLICE_LIT("from")),
                                 .originating = xml_attr_value(t, 0, SLICE_LIT("to")),
                                 .stream_id = id};

    answer(w, t, id,
           dialback_key_is_valid(certs_crypto(), &p->secret, &bond, slice_trim(xml_text(t, 0))));
}

static void write_id(const struct wire *w, char *out, size_t bytes)
{
    (void)snprintf(out, bytes, "load-%llu-%p", (unsigned long long)w->stream_id, (void *)w->c);
}

/* db:result: the server proves itself; its key is verified at the server. */
static void on_result(struct wire *w, const struct xml_tree *t)
{
    struct slice to = xml_attr_value(t, 0, SLICE_LIT("to"));
    struct s2s_question q = {.asked = conn_ref_of(w->c)};

    if (!plan_partner_number(w->stage->plan, to.ptr, to.len, &q.domain) ||
        !slice_eq_cstr(xml_attr_value(t, 0, SLICE_LIT("from")), w->stage->plan->inside) ||
        !slice_to_cstr(slice_trim(xml_text(t, 0)), q.key, sizeof(q.key))) {
        s2s_unexpected(w, t);
        return;
    }
    write_id(w, q.id, sizeof(q.id));
    s2s_verify(s2s_of(w), &q);
}

void s2s_verified(struct s2s *p, const struct s2s_question *q, bool is_valid)
{
    struct conn *c = conn_find(p->lines.stage->sh, q->asked);
    struct wire *w = c ? conn_owner(c) : NULL;
    char domain[PLAN_NAME_BYTES];

    if (!w) {
        return; /* it did not wait */
    }
    plan_partner(p->lines.stage->plan, q->domain, domain);
    dialback_write_answer(wire_out(w),
                          &(struct dialback_address){
                              .from = slice_from_cstr(domain),
                              .to = slice_from_cstr(p->lines.stage->plan->inside),
                          },
                          is_valid ? DIALBACK_VALID : DIALBACK_INVALID, STANZA_CONDITION_NONE);
    wire_flush(w);
    if (is_valid) {
        wire_become_ready(w);
    } else {
        stage_fail(p->lines.stage, "the server says that its dialback key is not its own");
    }
}

static void on_sm(struct wire *w, const struct xml_tree *t)
{
    struct slice name = t->nodes[0].name;

    if (slice_eq_cstr(name, "r")) {
        wire_printf(w, "<a xmlns='%s' h='%u'/>", S2S_NS_SM, (unsigned)w->reader->count);
    } else if (slice_eq_cstr(name, "enable")) {
        w->reader->count = 0;
        wire_printf(w, "<enabled xmlns='%s'/>", S2S_NS_SM);
    } else {
        s2s_unexpected(w, t);
    }
}

static void on_negotiation(struct wire *w, const struct xml_tree *t)
{
    struct slice name = t->nodes[0].name;

    if (!w->is_secured && slice_eq_cstr(name, "starttls")) {
        wire_printf(w, "<proceed xmlns='%s'/>", S2S_NS_TLS);
        reader_restart(w->reader);
        wire_start_tls(w);
    } else if (w->is_secured && slice_eq_cstr(name, "auth")) {
        /* Who it is was shown in TLS; whom we let in is not what is measured. */
        w->is_authenticated = true;
        reader_restart(w->reader);
        wire_printf(w, "<success xmlns='%s'/>", S2S_NS_SASL);
        wire_set_state(w, WIRE_HEADER);
    } else {
        s2s_unexpected(w, t);
    }
}

static void on_element(void *owner, const struct xml_tree *t)
{
    struct wire *w = owner;
    struct slice ns = t->nodes[0].ns;
    struct slice name = t->nodes[0].name;

    if (slice_eq_cstr(ns, S2S_NS_DIALBACK) && slice_eq_cstr(name, "verify")) {
        on_verify(w, t);
    } else if (slice_eq_cstr(ns, S2S_NS_DIALBACK) && slice_eq_cstr(name, "result")) {
        on_result(w, t);
    } else if (slice_eq_cstr(ns, S2S_NS_SM)) {
        on_sm(w, t);
    } else if (w->state == WIRE_READY && slice_eq_cstr(name, "iq")) {
        stage_other(w->stage);
        s2s_answer_iq(s2s_of(w), t);
    } else if (w->state == WIRE_READY && !slice_eq_cstr(ns, S2S_NS_STREAM)) {
        s2s_stanza(w, t);
    } else {
        on_negotiation(w, t);
    }
}

const struct wire_ops s2s_accepted_ops = {
    .reader = {.header = on_header, .element = on_element, .ended = s2s_stream_ended},
    .connected = await_header,
    .secured = await_header,
    .gone = lines_gone,
};
