/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record: items to bytes and back. */
#include "store/record.h"

#include "base/check.h"
#include "base/err.h"

#define KEEP_DIALOGS  1u
#define KEEP_DOCUMENT 2u

#define OWN_PREFIX SLICE_LIT("store.")

static int check_text(struct slice s, size_t bytes_max)
{
    if (s.len > bytes_max) {
        return ERR_LIMIT;
    }
    return slice_find(s, '\0') >= 0 ? ERR_BAD_INPUT : 0;
}

static int check_pair(const struct store_pair *p)
{
    const struct slice parts[] = {p->local_user, p->local_domain, p->remote_user, p->remote_domain};

    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        int err = check_text(parts[i], STORE_ADDRESS_BYTES_MAX);

        if (err) {
            return err;
        }
    }
    return slice_is_empty(p->local_domain) || slice_is_empty(p->remote_domain) ? ERR_BAD_INPUT : 0;
}

static int check_contact(const struct store_contact *c, bool is_put)
{
    int err = check_pair(&c->pair);

    if (err) {
        return err;
    }
    if ((unsigned)c->direction >= STORE_DIRECTION_COUNT) {
        return ERR_BAD_INPUT;
    }
    if (is_put && ((unsigned)c->state >= STORE_STATE_COUNT ||
                   (unsigned)c->asked_by >= STORE_ASKER_COUNT || c->asked_unix_s < 0 ||
                   c->changed_unix_s < 0)) {
        return ERR_BAD_INPUT;
    }
    return c->dialogs.len > STORE_DIALOGS_BYTES_MAX || c->document.len > STORE_DOCUMENT_BYTES_MAX
               ? ERR_LIMIT
               : 0;
}

static int check_reach(const struct store_reach *r)
{
    int err = check_pair(&r->pair);

    if (err) {
        return err;
    }
    if (r->flags & ~(uint32_t)(STORE_REACH_ADDED | STORE_REACH_CONSENTED)) {
        return ERR_BAD_INPUT;
    }
    return r->wrote_unix_s < 0 ? ERR_BAD_INPUT : 0;
}

static int check_fact(const struct store_fact *f)
{
    int err = check_text(f->name, STORE_FACT_BYTES_MAX);

    err = err ? err : check_text(f->value, STORE_FACT_BYTES_MAX);
    if (err) {
        return err;
    }
    return slice_is_empty(f->name) || slice_starts(f->name, OWN_PREFIX) ? ERR_BAD_INPUT : 0;
}

int record_check(const struct store_item *item)
{
    switch (item->what) {
    case STORE_PUT_CONTACT:
    case STORE_DROP_CONTACT:
        return check_contact(&item->contact, item->what == STORE_PUT_CONTACT);
    case STORE_PUT_REACH:
    case STORE_DROP_REACH:
        return check_reach(&item->reach);
    case STORE_PUT_FACT:
    case STORE_DROP_FACT:
        return check_fact(&item->fact);
    case STORE_WHAT_COUNT:
        break;
    }
    return ERR_BAD_INPUT;
}

static void texts_of_pair(const struct store_pair *p, struct slice *texts)
{
    texts[0] = p->local_user;
    texts[1] = p->local_domain;
    texts[2] = p->remote_user;
    texts[3] = p->remote_domain;
}

static void texts_of(const struct store_item *item, struct slice texts[RECORD_TEXTS])
{
    memset(texts, 0, RECORD_TEXTS * sizeof(*texts));
    switch (item->what) {
    case STORE_PUT_CONTACT:
        texts[4] = item->contact.keep_dialogs ? SLICE_NONE : item->contact.dialogs;
        texts[5] = item->contact.keep_document ? SLICE_NONE : item->contact.document;
        texts_of_pair(&item->contact.pair, texts);
        return;
    case STORE_DROP_CONTACT:
        texts_of_pair(&item->contact.pair, texts);
        return;
    case STORE_PUT_REACH:
    case STORE_DROP_REACH:
        texts_of_pair(&item->reach.pair, texts);
        return;
    case STORE_PUT_FACT:
        texts[1] = item->fact.value;
        texts[0] = item->fact.name;
        return;
    case STORE_DROP_FACT:
        texts[0] = item->fact.name;
        return;
    case STORE_WHAT_COUNT:
        break;
    }
    UNREACHABLE("checked before");
}

uint32_t record_bytes(const struct store_item *item)
{
    struct slice texts[RECORD_TEXTS];
    size_t bytes = sizeof(struct record);

    texts_of(item, texts);
    for (uint32_t i = 0; i < RECORD_TEXTS; i++) {
        bytes += texts[i].len;
    }
    return (uint32_t)((bytes + RECORD_ALIGN - 1) & ~(size_t)(RECORD_ALIGN - 1));
}

void record_write(struct record *out, const struct store_item *item)
{
    struct slice texts[RECORD_TEXTS];
    char *at = out->texts;

    *out = (struct record){
        .bytes = record_bytes(item),
        .what = (uint8_t)item->what,
        .is_urgent = item->is_urgent,
    };
    texts_of(item, texts);
    for (uint32_t i = 0; i < RECORD_TEXTS; i++) {
        out->text_bytes[i] = (uint32_t)texts[i].len;
        if (texts[i].len) {
            memcpy(at, texts[i].ptr, texts[i].len);
            at += texts[i].len;
        }
    }
    if (item->what == STORE_PUT_CONTACT || item->what == STORE_DROP_CONTACT) {
        const struct store_contact *c = &item->contact;

        out->direction = (uint8_t)c->direction;
        out->state = (uint8_t)c->state;
        out->asked_by = (uint8_t)c->asked_by;
        out->keep = (uint8_t)((c->keep_dialogs ? KEEP_DIALOGS : 0) |
                              (c->keep_document ? KEEP_DOCUMENT : 0));
        out->times[0] = c->asked_unix_s;
        out->times[1] = c->changed_unix_s;
    } else if (item->what == STORE_PUT_REACH || item->what == STORE_DROP_REACH) {
        out->flags = item->reach.flags;
        out->times[0] = item->reach.wrote_unix_s;
    }
}

void record_read(const struct record *r, struct store_item *out)
{
    struct slice texts[RECORD_TEXTS];
    struct store_pair pair;
    const char *at = r->texts;

    for (uint32_t i = 0; i < RECORD_TEXTS; i++) {
        texts[i] = slice_make(at, r->text_bytes[i]);
        at += r->text_bytes[i];
    }
    pair = (struct store_pair){texts[0], texts[1], texts[2], texts[3]};
    *out = (struct store_item){.what = (enum store_what)r->what, .is_urgent = r->is_urgent != 0};
    switch (out->what) {
    case STORE_PUT_CONTACT:
    case STORE_DROP_CONTACT:
        out->contact = (struct store_contact){
            .pair = pair,
            .direction = (enum store_direction)r->direction,
            .state = (enum store_state)r->state,
            .asked_by = (enum store_asker)r->asked_by,
            .asked_unix_s = r->times[0],
            .changed_unix_s = r->times[1],
            .keep_dialogs = (r->keep & KEEP_DIALOGS) != 0,
            .keep_document = (r->keep & KEEP_DOCUMENT) != 0,
            .dialogs = texts[4],
            .document = texts[5],
        };
        return;
    case STORE_PUT_REACH:
    case STORE_DROP_REACH:
        out->reach = (struct store_reach){pair, r->flags, r->times[0]};
        return;
    case STORE_PUT_FACT:
    case STORE_DROP_FACT:
        out->fact = (struct store_fact){texts[0], texts[1]};
        return;
    case STORE_WHAT_COUNT:
        break;
    }
    UNREACHABLE("checked before it was queued");
}
