/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_tell: what is known of the presentity and what the watcher is told of it. Known is the
 * merger of what each dialog said last, and of what is kept of dialogs that are gone. */
#include "presence/subscriber_int.h"

#include "xml/writer.h"

bool subscriber_is_granted(const struct contact *c)
{
    return c->state == CONTACT_GRANTED;
}

bool subscriber_has_heard(const struct contact *c)
{
    for (const struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        if (d->phase == SUBSCRIBER_LIVE && d->is_heard) {
            return true;
        }
    }
    return c->in.kept != NULL;
}

/* --- what is known ---------------------------------------------------------------------------- */

static void read_packed(struct presence_state *out, const char *packed, uint16_t len)
{
    if (presence_unpack(out, slice_make(packed, len)) != 0) {
        presence_clear(out);
    }
}

/* What a dialog says itself is newer than what was kept. */
static void add_kept(const struct contact *c, struct presence_state *out)
{
    UNINITIALIZED struct presence_state kept;
    UNINITIALIZED struct presence_state rest;

    read_packed(&kept, c->in.kept, c->in.kept_len);
    presence_clear(&rest);
    for (uint32_t i = 0; i < kept.item_count; i++) {
        if (!presence_find(out, kept.items[i].resource)) {
            rest.items[rest.item_count++] = kept.items[i];
        }
    }
    presence_merge(out, &rest);
}

void subscriber_known(const struct contact *c, struct presence_state *out)
{
    bool is_first = true;

    presence_clear(out);
    for (const struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        UNINITIALIZED struct presence_state more;

        if (d->phase != SUBSCRIBER_LIVE || !d->document) {
            continue;
        }
        if (is_first) {
            read_packed(out, d->document, d->document_len);
            is_first = false;
            continue;
        }
        read_packed(&more, d->document, d->document_len);
        presence_merge(out, &more);
    }
    if (c->in.kept) {
        add_kept(c, out);
    }
    presence_bound(out);
}

/* A copy of its own. NULL: no memory. */
static char *pack(struct contact *c, const struct presence_state *state, uint16_t *len)
{
    struct buf *packed = &presence_scratch(c->p)->packed;
    char *block;

    buf_clear(packed);
    if (presence_pack(packed, state) || buf_len(packed) == 0) {
        return NULL;
    }
    block = contact_alloc(c, buf_len(packed));
    if (block) {
        memcpy(block, buf_slice(packed).ptr, buf_len(packed));
        *len = (uint16_t)buf_len(packed);
    }
    return block;
}

bool subscriber_document_set(struct contact *c, struct subscriber_dialog *d,
                             const struct presence_state *state)
{
    UNINITIALIZED struct presence_state settled;
    uint16_t len = 0;
    char *block;

    settled = *state;
    presence_settle(&settled);
    presence_bound(&settled);
    block = pack(c, &settled, &len);
    if (!block) {
        return false;
    }
    subscriber_document_drop(c, d);
    d->document = block;
    d->document_len = len;
    contact_touch(c);
    return true;
}

static void free_packed(struct contact *c, char *block, uint16_t len)
{
    if (block) {
        contact_free_bytes(c, block, len);
    }
}

void subscriber_document_drop(struct contact *c, struct subscriber_dialog *d)
{
    free_packed(c, d->document, d->document_len);
    d->document = NULL;
    d->document_len = 0;
}

void subscriber_kept_drop(struct contact *c)
{
    free_packed(c, c->in.kept, c->in.kept_len);
    c->in.kept = NULL;
    c->in.kept_len = 0;
    c->in.keep_s = 0;
}

void subscriber_keep(struct contact *c, uint32_t keep_s)
{
    UNINITIALIZED struct presence_state known;
    uint16_t len = 0;
    char *block;

    if (!subscriber_is_granted(c)) {
        subscriber_kept_drop(c);
        return;
    }
    subscriber_known(c, &known);
    block = pack(c, &known, &len);
    subscriber_kept_drop(c);
    c->in.kept = block;
    c->in.kept_len = len;
    c->in.keep_s = block && keep_s > 0 ? subscriber_now_s(c) + keep_s : 0;
    for (struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        subscriber_document_drop(c, d);
    }
}

/* --- stanzas ---------------------------------------------------------------------------------- */

struct telling {
    struct contact *c;
    struct presence_stanza_options options;
};

/* options.from_bare and .to are in scratch.text until the next use of it. to: NULL = bare. */
static bool telling_init(struct telling *t, struct contact *c, const struct jid *to)
{
    struct buf *text = &presence_scratch(c->p)->text;
    struct presence_rule rule = {0};
    size_t from_len;

    contact_rule(c, &rule);
    c->in.with_notes = rule.with_notes;
    buf_clear(text);
    contact_put_jid(c, true, text);
    from_len = buf_len(text);
    if (to) {
        jid_write(text, to);
    } else {
        contact_put_jid(c, false, text);
    }
    t->c = c;
    t->options = (struct presence_stanza_options){
        .from_bare = slice_to(buf_slice(text), from_len),
        .to = slice_from(buf_slice(text), from_len),
        .now_unix_s = contact_now_unix_s(c),
        .with_notes = rule.with_notes,
    };
    return !text->failed;
}

static void tell_item(const struct telling *t, const struct presence_item *item)
{
    struct buf *out = &presence_scratch(t->c->p)->stanza;
    bool is_there = item && item->show != PRESENCE_SHOW_UNAVAILABLE;

    buf_clear(out);
    presence_write_stanza(out, item, &t->options);
    if (!out->failed) {
        contact_send(t->c, is_there ? STANZA_TYPE_AVAILABLE : STANZA_TYPE_UNAVAILABLE,
                     buf_slice(out));
    }
}

static void tell_left(const struct telling *t, const struct presence_change *change)
{
    /* What was known of one who is not in the new document says nothing of his leaving. */
    struct presence_item gone = {.resource = change->item->resource,
                                 .show = PRESENCE_SHOW_UNAVAILABLE};

    tell_item(t, change->item->show == PRESENCE_SHOW_UNAVAILABLE ? change->item : &gone);
}

static void tell_changes(const struct telling *t, const struct presence_changes *changes,
                         bool only_left)
{
    for (uint32_t i = 0; i < changes->count; i++) {
        if (changes->list[i].has_left) {
            tell_left(t, &changes->list[i]);
        } else if (!only_left) {
            tell_item(t, changes->list[i].item);
        }
    }
}

/* Who is there; before, who has left and may be shown still. */
static void tell_whole(const struct telling *t, const struct presence_state *now)
{
    if (!t->c->in.is_told) {
        for (uint32_t i = 0; i < now->item_count; i++) {
            if (now->items[i].show == PRESENCE_SHOW_UNAVAILABLE) {
                tell_left(t, &(struct presence_change){.item = &now->items[i]});
            }
        }
    }
    if (!presence_is_available(now)) {
        tell_item(t, NULL);
        return;
    }
    for (uint32_t i = 0; i < now->item_count; i++) {
        if (now->items[i].show != PRESENCE_SHOW_UNAVAILABLE) {
            tell_item(t, &now->items[i]);
        }
    }
}

/* Who had left before, and is not in what is known now either: what said so may have been lost. */
static void tell_ghosts(const struct telling *t, const struct presence_state *before,
                        const struct presence_state *now)
{
    for (uint32_t i = 0; i < before->item_count; i++) {
        const struct presence_item *was = &before->items[i];

        if (was->show == PRESENCE_SHOW_UNAVAILABLE && !presence_find(now, was->resource)) {
            tell_left(t, &(struct presence_change){.item = was});
        }
    }
}

static void told(struct contact *c)
{
    c->in.is_told = !c->remote->is_unreachable;
    c->in.was_told = true;
    c->in.tell_s = 0;
}

/* --- changes ---------------------------------------------------------------------------------- */

void subscriber_change_begin(struct contact *c, struct subscriber_change *change)
{
    UNINITIALIZED struct presence_state known;

    subscriber_known(c, &known);
    change->block_len = 0;
    change->block = pack(c, &known, &change->block_len);
    presence_clear(&change->before);
    if (change->block) {
        read_packed(&change->before, change->block, change->block_len);
    }
}

static bool is_there(const struct presence_item *item)
{
    return item && item->show != PRESENCE_SHOW_UNAVAILABLE;
}

/* Who was there and is not any more; and who left before, while it is not certain that the watcher
 * heard of it: his partner's stream may have been dead already. */
static void find_ghosts(const struct contact *c, const struct presence_state *before,
                        const struct presence_state *now, struct presence_state *ghosts)
{
    int64_t now_unix_s = contact_now_unix_s(c);

    presence_clear(ghosts);
    for (uint32_t i = 0; i < before->item_count; i++) {
        const struct presence_item *was = &before->items[i];
        struct presence_item ghost = {.resource = was->resource,
                                      .show = PRESENCE_SHOW_UNAVAILABLE,
                                      .stamp_unix_s = was->stamp_unix_s};
        bool is_old = now_unix_s - was->stamp_unix_s > SUBSCRIBER_GHOST_S && c->in.is_told;

        if (is_there(presence_find(now, was->resource)) || (!is_there(was) && is_old)) {
            continue;
        }
        if (is_there(was)) {
            ghost.stamp_unix_s = now_unix_s;
        }
        ghosts->items[ghosts->item_count++] = ghost;
    }
}

/* Ghosts go to what is kept, beside what dialogs left there that have not spoken again. */
static void keep_ghosts(struct contact *c, const struct presence_state *before,
                        const struct presence_state *now)
{
    UNINITIALIZED struct presence_state ghosts;
    UNINITIALIZED struct presence_state kept;
    uint32_t keep_s = c->in.keep_s;
    uint16_t len = 0;
    char *block;

    find_ghosts(c, before, now, &ghosts);
    if (ghosts.item_count == 0 && !c->in.kept) {
        return;
    }
    read_packed(&kept, c->in.kept, c->in.kept_len);
    presence_settle(&kept);
    presence_merge(&kept, &ghosts);
    presence_bound(&kept);
    if (kept.item_count == 0 && subscriber_count(c, SUBSCRIBER_LIVE) > 0) {
        subscriber_kept_drop(c);
        return;
    }
    block = pack(c, &kept, &len);
    if (!block) {
        return;
    }
    subscriber_kept_drop(c);
    c->in.kept = block;
    c->in.kept_len = len;
    c->in.keep_s = keep_s;
}

void subscriber_change_drop(struct contact *c, struct subscriber_change *change)
{
    free_packed(c, change->block, change->block_len);
    change->block = NULL;
}

void subscriber_change_end(struct contact *c, struct subscriber_change *change,
                           const struct presence_state *now)
{
    UNINITIALIZED struct presence_state known;
    UNINITIALIZED struct presence_changes changes;
    struct telling t;

    if (!now || !c->in.is_told) {
        subscriber_known(c, &known);
        now = &known;
    }
    if (subscriber_is_granted(c) && telling_init(&t, c, NULL)) {
        presence_diff(&changes, &change->before, now);
        if (c->in.was_told) {
            tell_changes(&t, &changes, !c->in.is_told);
        }
        if (!c->in.is_told) {
            tell_ghosts(&t, &change->before, now);
            tell_whole(&t, now);
        }
        told(c);
        keep_ghosts(c, &change->before, now);
    }
    subscriber_change_drop(c, change);
}

void subscriber_change_hide(struct contact *c, struct subscriber_change *change)
{
    UNINITIALIZED struct presence_state known;
    UNINITIALIZED struct presence_changes changes;
    struct telling t;

    /* Also in doubt whether he knows: a partner that was away may show it still. */
    if (c->in.was_told && telling_init(&t, c, NULL)) {
        subscriber_known(c, &known);
        presence_diff(&changes, &change->before, &known);
        tell_changes(&t, &changes, true);
        keep_ghosts(c, &change->before, &known);
    }
    c->in.is_told = false;
    c->in.was_told = false;
    subscriber_change_drop(c, change);
}

void subscriber_withdraw(struct contact *c)
{
    struct subscriber_change change;

    subscriber_change_begin(c, &change);
    subscriber_kept_drop(c);
    for (struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        subscriber_document_drop(c, d);
    }
    contact_touch(c);
    subscriber_change_hide(c, &change);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* RFC 6121 4.3.2: of the resource that was asked for no more than that it is there. */
static void tell_resource(const struct telling *t, const struct presence_state *known,
                          struct slice resource)
{
    const struct presence_item *item = presence_find(known, resource);
    struct presence_item bare = {.resource = resource, .show = PRESENCE_SHOW_UNAVAILABLE};

    if (item && item->show != PRESENCE_SHOW_UNAVAILABLE) {
        bare.show = PRESENCE_SHOW_AVAILABLE;
    }
    tell_item(t, &bare);
}

void subscriber_tell_all(struct contact *c, const struct stanza *probe)
{
    UNINITIALIZED struct presence_state known;
    struct telling t;

    if (!telling_init(&t, c, probe ? &probe->from : NULL)) {
        return;
    }
    subscriber_known(c, &known);
    if (probe && jid_is_full(&probe->to)) {
        tell_resource(&t, &known, probe->to.resource);
        return;
    }
    tell_whole(&t, &known);
    if (!probe || !jid_is_full(&probe->from)) { /* else his other resources were not told */
        told(c);
    }
    c->in.was_told = true;
}

void subscriber_tell_again(struct contact *c)
{
    uint32_t delay_s = SUBSCRIBER_TELL_S << c->in.tell_tries;

    c->in.is_told = false;
    if (c->in.tell_s != 0 || c->remote->is_unreachable) { /* SUBSCRIBER_ON_BACK will */
        return;
    }
    if (c->in.tell_tries < SUBSCRIBER_TELL_TRIES_MAX) {
        c->in.tell_tries++;
    }
    c->in.tell_s = subscriber_now_s(c) + delay_s + subscriber_random_s(c, delay_s);
}

void subscriber_tell_error(struct contact *c, enum stanza_condition condition)
{
    struct presence_scratch *s = presence_scratch(c->p);
    const struct stanza_error error = {.condition = condition};

    buf_clear(&s->stanza);
    buf_put_lit(&s->stanza, "<presence");
    for (int is_local = 1; is_local >= 0; is_local--) {
        buf_clear(&s->text);
        contact_put_jid(c, is_local, &s->text);
        xml_write_attr(&s->stanza, is_local ? "from" : "to", buf_slice(&s->text));
    }
    buf_put_lit(&s->stanza, " type=\"error\">");
    stanza_error_write(&s->stanza, &error);
    buf_put_lit(&s->stanza, "</presence>");
    if (!s->stanza.failed && !s->text.failed) {
        contact_send(c, STANZA_TYPE_ERROR, buf_slice(&s->stanza));
    }
}
