/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_document: what is known of the presentity. Each resource speaks for itself (RFC 6121
 * 4.4), so that what is not heard again after a probe has left: servers answer a probe with one
 * stanza for each available resource and name none that went while we could not hear it. */
#include "base/check.h"
#include "base/pool.h"
#include "presence/notifier_int.h"

uint32_t notifier_now_s(const struct contact *c)
{
    return (uint32_t)(contact_now_ms(c) / 1000);
}

uint64_t notifier_spread_ms(uint64_t contact_count)
{
    return contact_count; /* 1,000 stanzas per second */
}

/* --- packed states ---------------------------------------------------------------------------- */

static void unpack(struct presence_state *out, const char *bytes, uint16_t len)
{
    int err = presence_unpack(out, slice_make(bytes, len));

    ASSERT(!err); /* we packed it, or checked it when it was loaded */
}

void notifier_read_document(const struct notifier *n, struct presence_state *out)
{
    unpack(out, n->document, n->document_len);
}

/* False: no memory; what was there stays. */
static bool save(struct contact *c, char **bytes, uint16_t *len, const struct presence_state *state)
{
    struct buf *packed = &presence_scratch(c->p)->packed;
    struct slice now;
    char *block = *bytes;

    buf_clear(packed);
    if (presence_pack(packed, state)) {
        return false;
    }
    now = buf_slice(packed);
    ASSERT(now.len <= PRESENCE_PACKED_BYTES_MAX);
    /* In place where it fits and does not waste what a larger one of before needed. */
    if (!block || pool_block_bytes(block) < now.len || pool_block_bytes(block) > 2 * now.len + 64) {
        block = pool_alloc(now.len);
        if (!block) {
            return false;
        }
        pool_free(*bytes);
        *bytes = block;
    }
    memcpy(block, now.ptr, now.len);
    *len = (uint16_t)now.len;
    return true;
}

static void forget(char **bytes, uint16_t *len)
{
    pool_free(*bytes);
    *bytes = NULL;
    *len = 0;
}

void notifier_forget_document(struct notifier *n)
{
    forget(&n->document, &n->document_len);
    n->is_leaving = false;
    n->is_lost = false;
}

/* True: it says something else than before, if only that nobody is there. */
static bool apply(struct contact *c, char **bytes, uint16_t *len, const struct presence_item *item)
{
    UNINITIALIZED struct presence_state state;
    bool is_first = !*bytes;

    unpack(&state, *bytes, *len);
    if (presence_apply(&state, item) != PRESENCE_CHANGED && !is_first) {
        return false;
    }
    return save(c, bytes, len, &state);
}

bool notifier_hear(struct contact *c, const struct stanza *st)
{
    struct notifier *n = &c->out;
    UNINITIALIZED struct presence_item item;
    bool was_lost = n->is_lost;
    bool is_news;

    presence_read_stanza(&item, st, contact_now_unix_s(c));
    n->heard_s = notifier_now_s(c);
    if (n->is_probing) {
        (void)apply(c, &n->fresh, &n->fresh_len, &item);
    }
    if (was_lost) {
        notifier_forget_document(n);
    }
    is_news = apply(c, &n->document, &n->document_len, &item);
    if (is_news) {
        n->is_leaving |= item.show == PRESENCE_SHOW_UNAVAILABLE;
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
    if (presence_settle(&state) && save(c, &n->document, &n->document_len, &state)) {
        contact_touch(c);
    }
}

/* --- probes ----------------------------------------------------------------------------------- */

void notifier_probe_now(struct contact *c)
{
    struct notifier *n = &c->out;
    uint32_t now_s = notifier_now_s(c);

    notifier_forget_probe(n);
    if (n->probed_s == 0 || now_s - n->probed_s >= NOTIFIER_DOUBT_S) {
        n->doubts = 0;
    }
    n->doubts = n->doubts < UINT8_MAX ? n->doubts + 1 : n->doubts;
    n->is_probing = true;
    n->was_down = false;
    n->probed_s = now_s;
    n->probe_ms = contact_now_ms(c) + NOTIFIER_PROBE_ANSWER_MS;
    contact_send_type(c, STANZA_TYPE_PROBE);
}

void notifier_plan_probe(struct contact *c, uint64_t within_ms)
{
    struct notifier *n = &c->out;

    notifier_forget_probe(n);
    n->probe_ms = contact_now_ms(c) + 1 + presence_random(c->p) % (within_ms + 1);
}

void notifier_forget_probe(struct notifier *n)
{
    forget(&n->fresh, &n->fresh_len);
    n->is_probing = false;
    n->probe_ms = 0;
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

/* Silence means that nobody is available (RFC 6121 4.3.2: rule 4 is a MUST, rule 3 is not), unless
 * the domain could not hear us. */
void notifier_act_compare(struct contact *c, const struct notifier_input *in)
{
    struct notifier *n = &c->out;
    UNINITIALIZED struct presence_state fresh;
    UNINITIALIZED struct presence_state state;
    bool is_news = !n->document || n->is_lost;
    bool is_silent;

    (void)in;
    if (c->remote->is_unreachable) {
        return;
    }
    if (n->is_lost) {
        notifier_forget_document(n);
    }
    unpack(&fresh, n->fresh, n->fresh_len);
    notifier_read_document(n, &state);
    is_silent = mark_silent(&state, &fresh, contact_now_unix_s(c));
    if ((is_silent || is_news) && save(c, &n->document, &n->document_len, &state)) {
        n->is_leaving |= is_silent;
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
    if (c->out.grant_ms == 0) {
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
    c->out.last_error = "the presentity's domain is unreachable";
    notifier_tell_all(c);
}
