/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_document: what is known of the presentity. Each resource speaks for itself (RFC 6121
 * 4.4), so that what is not heard again after a probe has left: servers answer a probe with one
 * stanza for each available resource and name none that went while we could not hear it. */
#include "base/check.h"
#include "presence/notifier_int.h"

uint32_t notifier_now_s(const struct contact *c)
{
    return (uint32_t)(contact_now_ms(c) / 1000);
}

uint32_t notifier_ahead(const struct contact *c, uint64_t delay_ms)
{
    return (uint32_t)((contact_now_ms(c) + delay_ms + NOTIFIER_TICK_MS - 1) / NOTIFIER_TICK_MS);
}

uint64_t notifier_spread_ms(uint64_t contact_count)
{
    return contact_count; /* 1,000 stanzas per second */
}

/* --- packed states ---------------------------------------------------------------------------- */

/* What was heard since the probe: only while one is out, so its length is kept with it. */
struct notifier_fresh {
    uint16_t len;
    char bytes[];
};

static void unpack(struct presence_state *out, const char *bytes, uint16_t len)
{
    int err = presence_unpack(out, slice_make(bytes, len));

    ASSERT(!err); /* we packed it, or checked it when it was loaded */
}

static void read_fresh(const struct notifier *n, struct presence_state *out)
{
    unpack(out, n->fresh ? n->fresh->bytes : NULL, n->fresh ? n->fresh->len : 0);
}

void notifier_read_document(const struct notifier *n, struct presence_state *out)
{
    unpack(out, n->document, n->document_len);
}

size_t notifier_fresh_bytes(const struct notifier *n)
{
    return n->fresh ? sizeof(*n->fresh) + n->fresh->len : 0;
}

/* Empty: it cannot be packed for want of memory. */
static struct slice pack(struct contact *c, const struct presence_state *state)
{
    struct buf *packed = &presence_scratch(c->p)->packed;

    buf_clear(packed);
    if (presence_pack(packed, state)) {
        return SLICE_NONE;
    }
    ASSERT(buf_len(packed) <= PRESENCE_PACKED_BYTES_MAX);
    return buf_slice(packed);
}

/* False: no memory; what was there stays. */
static bool save_document(struct contact *c, const struct presence_state *state)
{
    struct notifier *n = &c->out;
    struct slice now = pack(c, state);
    char *block = n->document;

    if (now.len == 0) {
        return false;
    }
    if (!block || now.len != n->document_len) {
        block = contact_alloc(c, now.len);
        if (!block) {
            return false;
        }
        contact_free_bytes(c, n->document, n->document_len);
    }
    memcpy(block, now.ptr, now.len);
    n->document = block;
    n->document_len = (uint16_t)now.len;
    return true;
}

void notifier_forget_document(struct contact *c)
{
    struct notifier *n = &c->out;

    contact_free_bytes(c, n->document, n->document_len);
    n->document = NULL;
    n->document_len = 0;
    n->is_leaving = false;
    n->is_lost = false;
}

static void forget_fresh(struct contact *c)
{
    contact_free_bytes(c, c->out.fresh, notifier_fresh_bytes(&c->out));
    c->out.fresh = NULL;
}

/* Without memory it stays as it is, and who is heard now is taken for gone when the probe is over,
 * until he is heard again. */
static void add_to_fresh(struct contact *c, const struct presence_item *item)
{
    struct notifier *n = &c->out;
    UNINITIALIZED struct presence_state state;
    struct notifier_fresh *fresh;
    struct slice now;

    read_fresh(n, &state);
    (void)presence_apply(&state, item);
    now = pack(c, &state);
    fresh = now.len > 0 ? contact_alloc(c, sizeof(*fresh) + now.len) : NULL;
    if (fresh) {
        memcpy(fresh->bytes, now.ptr, now.len);
        fresh->len = (uint16_t)now.len;
        forget_fresh(c);
        n->fresh = fresh;
    }
}

/* True: it says something else than before, if only that nobody is there. */
static bool add_to_document(struct contact *c, const struct presence_item *item)
{
    UNINITIALIZED struct presence_state state;
    bool is_first = !c->out.document;

    notifier_read_document(&c->out, &state);
    if (presence_apply(&state, item) != PRESENCE_CHANGED && !is_first) {
        return false;
    }
    return save_document(c, &state);
}

bool notifier_hear(struct contact *c, const struct stanza *st)
{
    struct notifier *n = &c->out;
    UNINITIALIZED struct presence_item item;
    bool was_lost = n->is_lost;
    bool is_news;

    presence_read_stanza(&item, st, contact_now_unix_s(c));
    n->is_deaf = false;
    if (n->is_probing) {
        uint32_t rest_at = notifier_ahead(c, NOTIFIER_PROBE_REST_MS);

        n->probe_at = !n->fresh && rest_at < n->probe_at ? rest_at : n->probe_at;
        add_to_fresh(c, &item);
    }
    if (was_lost) {
        notifier_forget_document(c);
    }
    is_news = add_to_document(c, &item);
    if (is_news) {
        n->is_leaving = n->is_leaving || item.show == PRESENCE_SHOW_UNAVAILABLE;
        contact_touch(c);
    }
    return is_news || was_lost;
}

void notifier_settle_document(struct contact *c)
{
    struct notifier *n = &c->out;
    UNINITIALIZED struct presence_state state;

    if (!n->is_leaving) {
        return;
    }
    n->is_leaving = false;
    notifier_read_document(n, &state);
    if (presence_settle(&state) && save_document(c, &state)) {
        contact_touch(c);
    }
}

/* --- probes ----------------------------------------------------------------------------------- */

void notifier_probe_now(struct contact *c)
{
    struct notifier *n = &c->out;
    uint32_t now_s = notifier_now_s(c);

    notifier_forget_probe(c);
    if (n->probed_s == 0 || now_s - n->probed_s >= NOTIFIER_DOUBT_S) {
        n->doubts = 0;
    }
    n->doubts = n->doubts < UINT8_MAX ? n->doubts + 1 : n->doubts;
    n->is_probing = true;
    n->was_down = false;
    n->probed_s = now_s;
    n->probe_at = notifier_ahead(c, NOTIFIER_PROBE_ANSWER_MS);
    contact_send_type(c, STANZA_TYPE_PROBE);
}

void notifier_plan_probe(struct contact *c, uint64_t within_ms)
{
    struct notifier *n = &c->out;

    notifier_forget_probe(c);
    n->probe_at = notifier_ahead(c, 1 + presence_random(c->p) % (within_ms + 1));
}

void notifier_forget_probe(struct contact *c)
{
    forget_fresh(c);
    c->out.is_probing = false;
    c->out.probe_at = 0;
}

/* The resources of the document that fresh does not know become ones that leave. */
static bool mark_silent(struct presence_state *state, const struct presence_state *fresh,
                        int64_t now_unix_s)
{
    bool is_changed = false;

    for (uint32_t i = 0; i < state->item_count; i++) {
        struct presence_item *item = &state->items[i];

        if (item->show != PRESENCE_SHOW_UNAVAILABLE && !presence_find(fresh, item->resource)) {
            *item = (struct presence_item){
                .resource = item->resource,
                .show = PRESENCE_SHOW_UNAVAILABLE,
                .stamp_unix_s = now_unix_s,
            };
            is_changed = true;
        }
    }
    return is_changed;
}

/* Silence means that nobody is available (RFC 6121 4.3.2: rule 4 is a MUST, rule 3 is not, and
 * there are servers that keep to the MUSTs), unless the domain could not hear us. */
void notifier_act_compare(struct contact *c, const struct notifier_input *in)
{
    struct notifier *n = &c->out;
    UNINITIALIZED struct presence_state fresh;
    UNINITIALIZED struct presence_state state;
    bool is_news = !n->document || n->is_lost || n->is_untold;
    bool is_silent;

    (void)in;
    if (c->remote->is_unreachable) {
        return;
    }
    if (n->is_lost) {
        notifier_forget_document(c);
    }
    read_fresh(n, &fresh);
    notifier_read_document(n, &state);
    n->is_untold = false;
    n->is_deaf = false;
    is_silent = mark_silent(&state, &fresh, contact_now_unix_s(c));
    if ((is_silent || is_news) && save_document(c, &state)) {
        n->is_leaving = n->is_leaving || is_silent;
        contact_touch(c);
        notifier_tell_all(c);
    }
}

/* --- stanzas ---------------------------------------------------------------------------------- */

void notifier_act_keep(struct contact *c, const struct notifier_input *in)
{
    if (notifier_hear(c, in->stanza)) {
        notifier_tell_all(c);
    }
}

/* What came is kept; nobody is shown it before the grant is durable. */
void notifier_act_show(struct contact *c, const struct notifier_input *in)
{
    (void)notifier_hear(c, in->stanza);
    if (c->out.grant_at == 0) {
        notifier_act_grant(c, in);
    }
}

void notifier_act_discover(struct contact *c, const struct notifier_input *in)
{
    if (c->out.is_probing) {
        notifier_act_show(c, in);
    }
}

/* --- the stream to the domain ----------------------------------------------------------------- */

void notifier_act_suspect(struct contact *c, const struct notifier_input *in)
{
    (void)in;
    if (notifier_lasting(&c->out) > 0) {
        notifier_plan_probe(c, NOTIFIER_LOST_MS);
    }
}

/* Nobody was asked, so nobody's silence says anything. A domain that never had a stream is not
 * reported as lost: it is when probes come to nothing for that time. */
void notifier_act_miss(struct contact *c, const struct notifier_input *in)
{
    struct notifier *n = &c->out;

    notifier_forget_probe(c);
    n->fault = NOTIFIER_FAULT_UNREACHABLE;
    n->was_down = true;
    if (notifier_lasting(n) == 0) {
        return;
    }
    if (n->is_deaf && !n->is_lost) {
        notifier_act_lose(c, in);
    }
    n->is_deaf = true;
    n->probe_at = notifier_ahead(
        c, NOTIFIER_LOST_MS + presence_random(c->p) % NOTIFIER_LOST_SPREAD_MS);
}

void notifier_act_resume(struct contact *c, const struct notifier_input *in)
{
    const uint32_t *count = c->remote->stats.contacts[CONTACT_OUT];

    (void)in;
    if (notifier_lasting(&c->out) > 0) {
        notifier_plan_probe(c,
                            notifier_spread_ms(count[CONTACT_GRANTED] + count[CONTACT_ASKED]));
    }
}

void notifier_act_lose(struct contact *c, const struct notifier_input *in)
{
    (void)in;
    c->out.is_lost = true;
    c->out.fault = NOTIFIER_FAULT_UNREACHABLE;
    notifier_tell_all(c);
}
