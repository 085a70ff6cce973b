/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pairs: the domain pairs of a stream, asked and proved, and its unanswered db:verify requests.
 * Lists: both are bounded by small limits, and the last pair used is tried first. */
#include "base/check.h"
#include "base/pool.h"
#include "xmpp/stream_int.h"

static struct pair *pair_of(struct list *link)
{
    return LIST_ENTRY(link, struct pair, link);
}

static struct verify *verify_of(struct list *link)
{
    return LIST_ENTRY(link, struct verify, link);
}

/* Copies text to *at and moves *at behind it. */
static struct slice store(char **at, struct slice text)
{
    struct slice kept = slice_make(*at, text.len);

    if (text.len > 0) {
        memcpy(*at, text.ptr, text.len);
    }
    *at += text.len;
    return kept;
}

static void retire(struct stream *s, void *block)
{
    pool_free(s->retired);
    s->retired = block;
}

static bool pair_is(const struct pair *p, struct slice local, struct slice remote)
{
    return slice_eq(p->remote, remote) && slice_eq(p->local, local);
}

struct pair *pair_find(const struct stream *s, struct slice local, struct slice remote)
{
    if (s->pair_last && pair_is(s->pair_last, local, remote)) {
        return s->pair_last;
    }
    for (struct list *l = s->pairs.next; l != &s->pairs; l = l->next) {
        if (pair_is(pair_of(l), local, remote)) {
            return pair_of(l);
        }
    }
    return NULL;
}

struct pair *pair_find_remote(const struct stream *s, struct slice remote)
{
    for (struct list *l = s->pairs.next; l != &s->pairs; l = l->next) {
        struct pair *p = pair_of(l);

        if (p->is_proved && slice_eq(p->remote, remote)) {
            return p;
        }
    }
    return NULL;
}

bool pair_is_any_left(const struct stream *s)
{
    for (struct list *l = s->pairs.next; l != &s->pairs; l = l->next) {
        if (pair_of(l)->is_proved && !pair_of(l)->is_refused) {
            return true;
        }
    }
    return false;
}

struct pair *pair_add(struct stream *s, struct slice local, struct slice remote)
{
    struct pair *p = pool_zalloc(sizeof(*p) + local.len + remote.len);
    char *at;

    if (!p) {
        return NULL;
    }
    at = p->text;
    p->local = store(&at, local);
    p->remote = store(&at, remote);
    p->rules_version = RULES_UNCHECKED;
    p->deadline_ms = s->now_ms + s->limits.dialback_ms;
    list_push_back(&s->pairs, &p->link);
    s->pair_count++;
    s->asked_count++;
    return p;
}

void pair_prove(struct stream *s, struct pair *p, enum stream_method method)
{
    ASSERT(!p->is_proved);
    p->is_proved = true;
    p->method = method;
    p->deadline_ms = STREAM_NEVER;
    s->asked_count--;
    s->proved_count++;
}

void pair_remove(struct stream *s, struct pair *p)
{
    list_remove(&p->link);
    if (s->pair_last == p) {
        s->pair_last = NULL;
    }
    if (p->is_proved) {
        s->proved_count--;
    } else {
        s->asked_count--;
    }
    s->pair_count--;
    retire(s, p);
}

void pair_remove_asked(struct stream *s)
{
    struct list *next;

    for (struct list *l = s->pairs.next; l != &s->pairs; l = next) {
        next = l->next;
        if (!pair_of(l)->is_proved) {
            pair_remove(s, pair_of(l));
        }
    }
}

struct verify *verify_find(const struct stream *s, const struct stream_verify *v)
{
    for (struct list *l = s->verifies.next; l != &s->verifies; l = l->next) {
        struct verify *known = verify_of(l);

        if (slice_eq(known->id, v->stream_id) && slice_eq(known->remote, v->remote) &&
            slice_eq(known->local, v->local)) {
            return known;
        }
    }
    return NULL;
}

struct verify *verify_add(struct stream *s, const struct stream_verify *v)
{
    struct verify *added =
        pool_zalloc(sizeof(*added) + v->local.len + v->remote.len + v->stream_id.len + v->key.len);
    char *at;

    if (!added) {
        return NULL;
    }
    at = added->text;
    added->local = store(&at, v->local);
    added->remote = store(&at, v->remote);
    added->id = store(&at, v->stream_id);
    added->key = store(&at, v->key);
    added->deadline_ms = s->now_ms + s->limits.dialback_ms;
    list_push_back(&s->verifies, &added->link);
    s->verify_count++;
    return added;
}

void verify_remove(struct stream *s, struct verify *v)
{
    list_remove(&v->link);
    s->verify_count--;
    retire(s, v);
}
