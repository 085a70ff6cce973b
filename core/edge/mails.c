/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mails: building and reading the mails that carry names. */
#include "edge/mails.h"

#include "base/check.h"
#include "base/pool.h"

#define VERIFY_TEXT_BYTES_MAX 1024u /* a stream id or key of more is no honest one */

struct mail_verify *mail_verify_new(const struct mail_verify_params *p)
{
    struct mail_verify *v;
    char *at;

    if (p->stream_id.len > VERIFY_TEXT_BYTES_MAX || p->key.len > VERIFY_TEXT_BYTES_MAX) {
        return NULL;
    }
    ASSERT(p->local.len <= UINT16_MAX && p->remote.len <= UINT16_MAX);
    v = pool_alloc(sizeof(*v) + p->local.len + p->remote.len + p->stream_id.len + p->key.len);
    if (!v) {
        return NULL;
    }
    *v = (struct mail_verify){
        .mail = {.kind = MAIL_VERIFY},
        .asker = p->asker,
        .local_len = (uint16_t)p->local.len,
        .remote_len = (uint16_t)p->remote.len,
        .id_len = (uint16_t)p->stream_id.len,
        .key_len = (uint16_t)p->key.len,
    };
    at = mempcpy(v->data, p->local.ptr, p->local.len);
    at = mempcpy(at, p->remote.ptr, p->remote.len);
    at = mempcpy(at, p->stream_id.ptr, p->stream_id.len);
    memcpy(at, p->key.ptr, p->key.len);
    return v;
}

struct stream_verify mail_verify_view(const struct mail_verify *v)
{
    const char *at = v->data;
    struct stream_verify view;

    view.local = slice_make(at, v->local_len);
    at += v->local_len;
    view.remote = slice_make(at, v->remote_len);
    at += v->remote_len;
    view.stream_id = slice_make(at, v->id_len);
    at += v->id_len;
    view.key = slice_make(at, v->key_len);
    return view;
}

struct mail_pair *mail_pair_new(enum mail_kind kind, struct slice local, struct slice remote)
{
    struct mail_pair *m = pool_alloc(sizeof(*m) + local.len + remote.len);
    char *at;

    if (!m) {
        return NULL;
    }
    *m = (struct mail_pair){
        .mail = {.kind = (uint32_t)kind},
        .local_len = (uint16_t)local.len,
        .remote_len = (uint16_t)remote.len,
    };
    at = mempcpy(m->data, local.ptr, local.len);
    memcpy(at, remote.ptr, remote.len);
    return m;
}
