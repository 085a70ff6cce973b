/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_mails: building and reading them. */
#include "edge/presence_mails.h"

#include <string.h>

#include "base/check.h"
#include "base/pool.h"

static char *put(char *at, struct slice s)
{
    return s.len ? mempcpy(at, s.ptr, s.len) : at;
}

static struct slice take(const char **at, size_t len)
{
    struct slice s = slice_make(*at, len);

    *at += len;
    return s;
}

struct mail_presence_stanza *mail_presence_stanza_new(struct slice bytes)
{
    struct mail_presence_stanza *m = pool_alloc(sizeof(*m) + bytes.len);

    if (m) {
        *m = (struct mail_presence_stanza){.mail = {.kind = MAIL_PRESENCE_STANZA},
                                           .bytes_len = (uint32_t)bytes.len};
        (void)put(m->bytes, bytes);
    }
    return m;
}

struct mail_sip_request *mail_sip_request_new(struct slice bytes, struct presence_txn txn)
{
    struct mail_sip_request *m = pool_alloc(sizeof(*m) + txn.to_tag.len + bytes.len);

    if (m) {
        *m = (struct mail_sip_request){.mail = {.kind = MAIL_SIP_REQUEST},
                                       .handle = txn.handle,
                                       .shard_idx = txn.shard_idx,
                                       .to_tag_len = (uint32_t)txn.to_tag.len,
                                       .bytes_len = (uint32_t)bytes.len};
        (void)put(put(m->data, txn.to_tag), bytes);
    }
    return m;
}

struct presence_txn mail_sip_request_txn(const struct mail_sip_request *m)
{
    return (struct presence_txn){m->handle, m->shard_idx, slice_make(m->data, m->to_tag_len)};
}

struct slice mail_sip_request_bytes(const struct mail_sip_request *m)
{
    return slice_make(m->data + m->to_tag_len, m->bytes_len);
}

struct mail_sip_answer *mail_sip_answer_new(uint64_t handle, const struct sip_answer *a)
{
    struct mail_sip_answer *m;
    char *at;

    if (a->reason.len > UINT16_MAX || a->content_type.len > UINT16_MAX ||
        a->fields.len > UINT32_MAX || a->body.len > UINT32_MAX) {
        return NULL;
    }
    m = pool_alloc(sizeof(*m) + a->reason.len + a->content_type.len + a->fields.len + a->body.len);
    if (!m) {
        return NULL;
    }
    *m = (struct mail_sip_answer){
        .mail = {.kind = MAIL_SIP_ANSWER},
        .handle = handle,
        .status = (uint16_t)a->status,
        .reason_len = (uint16_t)a->reason.len,
        .type_len = (uint16_t)a->content_type.len,
        .fields_len = (uint32_t)a->fields.len,
        .body_len = (uint32_t)a->body.len,
    };
    at = put(m->data, a->reason);
    at = put(at, a->content_type);
    at = put(at, a->fields);
    (void)put(at, a->body);
    return m;
}

struct sip_answer mail_sip_answer_view(const struct mail_sip_answer *m)
{
    struct sip_answer a = {.status = m->status};
    const char *at = m->data;

    a.reason = take(&at, m->reason_len);
    a.content_type = take(&at, m->type_len);
    a.fields = take(&at, m->fields_len);
    a.body = take(&at, m->body_len);
    return a;
}

struct mail_presence_pair *mail_presence_pair_new(enum mail_kind kind,
                                                  const struct presence_pair *p)
{
    struct mail_presence_pair *m;
    char *at;

    ASSERT(p->local_user.len <= UINT16_MAX && p->local_domain.len <= UINT16_MAX &&
           p->remote_user.len <= UINT16_MAX && p->remote_domain.len <= UINT16_MAX);
    m = pool_alloc(sizeof(*m) + p->local_user.len + p->local_domain.len + p->remote_user.len +
                   p->remote_domain.len);
    if (!m) {
        return NULL;
    }
    *m = (struct mail_presence_pair){
        .mail = {.kind = (uint32_t)kind},
        .local_user_len = (uint16_t)p->local_user.len,
        .local_domain_len = (uint16_t)p->local_domain.len,
        .remote_user_len = (uint16_t)p->remote_user.len,
        .remote_domain_len = (uint16_t)p->remote_domain.len,
    };
    at = put(m->data, p->local_user);
    at = put(at, p->local_domain);
    at = put(at, p->remote_user);
    (void)put(at, p->remote_domain);
    return m;
}

struct presence_pair mail_presence_pair_view(const struct mail_presence_pair *m)
{
    const char *at = m->data;
    struct presence_pair p;

    p.local_user = take(&at, m->local_user_len);
    p.local_domain = take(&at, m->local_domain_len);
    p.remote_user = take(&at, m->remote_user_len);
    p.remote_domain = take(&at, m->remote_domain_len);
    return p;
}

struct mail_presence_seen *mail_presence_seen_new(struct slice domain, bool is_reachable)
{
    struct mail_presence_seen *m = pool_alloc(sizeof(*m) + domain.len);

    ASSERT(domain.len <= UINT16_MAX);
    if (m) {
        *m = (struct mail_presence_seen){.mail = {.kind = MAIL_PRESENCE_SEEN},
                                         .is_reachable = is_reachable,
                                         .domain_len = (uint16_t)domain.len};
        (void)put(m->domain, domain);
    }
    return m;
}

struct contact_order *contact_order_new(const struct presence_pair *p)
{
    size_t bytes = p->local_user.len + p->local_domain.len + p->remote_user.len +
                   p->remote_domain.len;
    struct contact_order *o = pool_heap_zalloc(sizeof(*o) + bytes);
    const char *from = o->texts;
    char *at;

    at = put(o->texts, p->local_user);
    at = put(at, p->local_domain);
    at = put(at, p->remote_user);
    (void)put(at, p->remote_domain);
    o->pair.local_user = take(&from, p->local_user.len);
    o->pair.local_domain = take(&from, p->local_domain.len);
    o->pair.remote_user = take(&from, p->remote_user.len);
    o->pair.remote_domain = take(&from, p->remote_domain.len);
    atomic_init(&o->refs, 1);
    (void)sem_init(&o->done, 0, 0);
    list_init(&o->link);
    return o;
}

void contact_order_unref(struct contact_order *o)
{
    if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) == 1) {
        (void)sem_destroy(&o->done);
        pool_heap_free(o);
    }
}
