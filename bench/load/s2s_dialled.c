/* SPDX-License-Identifier: GPL-2.0-or-later */
/* s2s_dialled: what a partner's server says on a stream that it opened. */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/pool.h"
#include "load/certs.h"
#include "load/s2s.h"

static void send_header(struct wire *w)
{
    const struct plan *plan = w->stage->plan;
    char domain[PLAN_NAME_BYTES];

    plan_partner(plan, w->domain, domain);
    wire_printf(w,
                "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='%s' "
                "xmlns:db='%s' from='%s' to='%s' version='1.0'>",
                S2S_NS_STREAM, S2S_NS_DIALBACK, domain, plan->inside);
    wire_set_state(w, WIRE_HEADER);
}

static void prove_external(struct wire *w)
{
    char domain[PLAN_NAME_BYTES];

    plan_partner(w->stage->plan, w->domain, domain);
    wire_printf(w, "<auth xmlns='%s' mechanism='EXTERNAL'>", S2S_NS_SASL);
    base64_put(wire_out(w), slice_from_cstr(domain));
    wire_put(w, SLICE_LIT("</auth>"));
    wire_set_state(w, WIRE_PROOF);
}

/* <db:result/> with a key of ours for the id of this stream. */
static void prove_by_key(struct wire *w)
{
    const struct s2s *p = s2s_of(w);
    const struct plan *plan = w->stage->plan;
    char domain[PLAN_NAME_BYTES];
    struct dialback_key key;
    struct dialback_bond bond = {.receiving = slice_from_cstr(plan->inside),
                                 .stream_id = slice_from_cstr(w->own)};

    plan_partner(plan, w->domain, domain);
    bond.originating = slice_from_cstr(domain);
    if (!dialback_key_make(&key, certs_crypto(), &p->secret, &bond)) {
        stage_fail(w->stage, "no dialback key can be made of the server's stream id");
        return;
    }
    dialback_write_request(
        wire_out(w),
        &(struct dialback_address){.from = bond.originating, .to = bond.receiving},
        slice_make(key.hex, sizeof(key.hex)));
    wire_flush(w);
    wire_set_state(w, WIRE_PROOF);
}

/* <db:verify/>: is this key of yours? */
static void ask(struct wire *w)
{
    const struct s2s_question *q = w->own;
    char domain[PLAN_NAME_BYTES];

    plan_partner(w->stage->plan, w->domain, domain);
    dialback_write_request(wire_out(w),
                           &(struct dialback_address){
                               .from = slice_from_cstr(domain),
                               .to = slice_from_cstr(w->stage->plan->inside),
                               .id = slice_from_cstr(q->id),
                           },
                           slice_from_cstr(q->key));
    wire_flush(w);
    wire_set_state(w, WIRE_PROOF);
}

/* The stream's id is needed for the key, and its header is gone by then. */
static void keep_id(struct wire *w, struct slice id)
{
    if (w->role == S2S_VERIFY) {
        return;
    }
    pool_free(w->own);
    w->own = pool_alloc(id.len + 1);
    if (!w->own || !slice_to_cstr(id, w->own, id.len + 1)) {
        stage_fail(w->stage, "the server's stream id cannot be kept");
    }
}

static void on_header(void *owner, const struct xml_tree *t)
{
    struct wire *w = owner;

    if (s2s_has_dialback(w->stage->plan)) {
        keep_id(w, xml_attr_value(t, 0, SLICE_LIT("id")));
    }
    wire_set_state(w, WIRE_FEATURES);
}

static void on_features(struct wire *w, const struct xml_tree *t)
{
    const struct plan *plan = w->stage->plan;
    uint32_t tls = xml_child(t, 0, SLICE_LIT("starttls"), SLICE_LIT(S2S_NS_TLS));
    uint32_t sasl = xml_child(t, 0, SLICE_LIT("mechanisms"), SLICE_LIT(S2S_NS_SASL));

    if (!w->is_secured && s2s_has_tls(plan) && tls != XML_NO_NODE) {
        wire_printf(w, "<starttls xmlns='%s'/>", S2S_NS_TLS);
        wire_set_state(w, WIRE_PROCEED);
    } else if (w->role == S2S_VERIFY) {
        ask(w);
    } else if (s2s_has_dialback(plan)) {
        prove_by_key(w);
    } else if (w->is_authenticated) {
        wire_become_ready(w);
    } else if (w->is_secured && sasl != XML_NO_NODE) {
        prove_external(w);
    } else {
        s2s_unexpected(w, t);
    }
}

static void on_verdict(struct wire *w, const struct xml_tree *t)
{
    struct slice type = xml_attr_value(t, 0, SLICE_LIT("type"));
    bool is_valid = slice_eq_cstr(type, "valid");

    if (w->role == S2S_VERIFY) {
        s2s_verified(s2s_of(w), w->own, is_valid);
        wire_put(w, SLICE_LIT("</stream:stream>"));
        wire_set_state(w, WIRE_CLOSING);
    } else if (is_valid) {
        wire_become_ready(w);
    } else {
        s2s_unexpected(w, t);
    }
}

static void on_element(void *owner, const struct xml_tree *t)
{
    struct wire *w = owner;
    struct slice name = t->nodes[0].name;

    if (w->state == WIRE_FEATURES && slice_eq_cstr(name, "features")) {
        on_features(w, t);
    } else if (w->state == WIRE_PROCEED && slice_eq_cstr(name, "proceed")) {
        reader_restart(w->reader);
        wire_start_tls(w);
    } else if (w->state == WIRE_PROOF && slice_eq_cstr(name, "success")) {
        w->is_authenticated = true;
        reader_restart(w->reader);
        send_header(w);
    } else if (w->state == WIRE_PROOF && slice_eq_cstr(t->nodes[0].ns, S2S_NS_DIALBACK)) {
        on_verdict(w, t);
    } else if (w->state == WIRE_READY && !slice_eq_cstr(t->nodes[0].ns, S2S_NS_STREAM)) {
        s2s_stanza(w, t);
    } else if (w->state != WIRE_CLOSING) {
        s2s_unexpected(w, t);
    }
}

static void on_writable(struct wire *w)
{
    if (w->lines->side == SIDE_SOURCE && w->role == S2S_LINE) {
        stage_writable(w->stage, w->line);
    }
}

static void on_gone(struct wire *w, const char *text)
{
    pool_free(w->own);
    w->own = NULL;
    lines_gone(w, text);
}

const struct wire_ops s2s_dialled_ops = {
    .reader = {.header = on_header, .element = on_element, .ended = s2s_stream_ended},
    .connected = send_header,
    .secured = send_header,
    .writable = on_writable,
    .gone = on_gone,
};
