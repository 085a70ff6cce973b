/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fixture_ops: what the presence object says is kept; the store. */
#include "fixture_int.h"

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "sip/write.h"
#include "translate/address.h"

/* --- keeping ---------------------------------------------------------------------------------- */

static char *copy(struct slice s)
{
    return pool_heap_strdup(s.len ? s.ptr : "", s.len);
}

static struct said *say(struct list *list, struct slice text)
{
    struct said *s = pool_heap_zalloc(sizeof(*s));

    s->text = copy(text);
    s->len = text.len;
    list_push_back(list, &s->link);
    return s;
}

void fixture_said_free(struct said *s)
{
    list_remove(&s->link);
    pool_heap_free(s->text);
    pool_heap_free(s);
}

void fixture_forget_list(struct list *list)
{
    while (!list_is_empty(list)) {
        fixture_said_free(LIST_ENTRY(list->next, struct said, link));
    }
}

void fixture_row_free(struct kept_row *r)
{
    pool_heap_free(r->key);
    for (int i = 0; i < 2; i++) {
        pool_heap_free(r->users[i]);
        pool_heap_free(r->domains[i]);
    }
    pool_heap_free(r->dialogs);
    pool_heap_free(r->document);
    pool_heap_free(r);
}

struct slice fixture_put_key(struct buf *out, enum contact_direction direction,
                            const struct presence_pair *pair)
{
    buf_putc(out, direction == CONTACT_IN ? 'i' : 'o');
    buf_put(out, pair->local_user);
    buf_putc(out, '@');
    buf_put(out, pair->local_domain);
    buf_putc(out, ' ');
    buf_put(out, pair->remote_user);
    buf_putc(out, '@');
    buf_put(out, pair->remote_domain);
    return buf_slice(out);
}

static struct kept_row *row_copy(const struct presence_row *row)
{
    struct kept_row *r = pool_heap_zalloc(sizeof(*r));
    struct buf key;

    buf_init(&key, FIXTURE_TEXT_BYTES_MAX);
    r->key = copy(fixture_put_key(&key, row->direction, &row->pair));
    buf_deinit(&key);
    r->users[0] = copy(row->pair.local_user);
    r->users[1] = copy(row->pair.remote_user);
    r->domains[0] = copy(row->pair.local_domain);
    r->domains[1] = copy(row->pair.remote_domain);
    r->dialogs = copy(row->dialogs);
    r->document = copy(row->document);
    r->dialogs_len = row->dialogs.len;
    r->document_len = row->document.len;
    r->direction = row->direction;
    r->state = row->state;
    r->asker = row->asker;
    r->asked_unix_s = row->asked_unix_s;
    r->changed_unix_s = row->changed_unix_s;
    return r;
}

void fixture_keep(struct fixture *f, struct row_on_way *w)
{
    struct slice key = slice_from_cstr(w->row->key);
    struct kept_row *old = map_remove(&f->disk, key);

    if (old) {
        fixture_row_free(old);
    }
    if (w->is_deleted) {
        fixture_row_free(w->row);
    } else {
        f->granted_rows += w->row->state == CONTACT_GRANTED;
        map_add(&f->disk, key, w->row);
    }
    w->row = NULL;
}

/* --- ops -------------------------------------------------------------------------------------- */

static uint64_t op_now_ms(void *ctx)
{
    return ((struct fixture *)ctx)->now_ms;
}

static int64_t op_now_unix_s(void *ctx)
{
    const struct fixture *f = ctx;

    return f->start_unix_s + (int64_t)(f->now_ms / 1000);
}

static void op_rule(void *ctx, const struct presence_pair *pair, enum contact_direction direction,
                    struct presence_rule *out)
{
    struct fixture *f = ctx;

    *out = f->rules[direction];
    if (f->rule_fn) {
        f->rule_fn(f, pair, direction, out);
    }
}

static void op_stanza(void *ctx, const struct presence_pair *pair, enum stanza_type type,
                      struct slice bytes)
{
    struct fixture *f = ctx;

    say(&f->stanzas, bytes)->type = type;
    if (f->stanza_fn) {
        f->stanza_fn(f, pair, type);
    }
}

static void op_need_hop(void *ctx, const struct presence_pair *pair)
{
    struct fixture *f = ctx;

    (void)pair;
    f->hops_needed++;
}

static int op_request(void *ctx, const struct presence_request *r)
{
    struct sip_request_params params = *r->params;
    struct fixture *f = ctx;
    struct sip_id branch;
    struct said *s;
    struct buf out;

    if (r->params->method == SIP_METHOD_SUBSCRIBE &&
        f->rules[CONTACT_IN].hop_way == PRESENCE_HOP_AWAY) {
        return ERR_CLOSED;
    }
    if (f->request_err) {
        return f->request_err;
    }
    branch = sip_ids_branch(&f->ids);
    params.transport = SLICE_LIT("TLS");
    params.sent_by = SLICE_LIT("gw.corp.example:5061");
    params.branch = sip_id_slice(&branch);
    buf_init(&out, FIXTURE_TEXT_BYTES_MAX);
    sip_write_request(&out, &params);
    buf_put(&out, r->fields);
    sip_write_end(&out, r->content_type, r->body);
    ASSERT(!out.failed);
    s = say(&f->requests, buf_slice(&out));
    s->method = params.method;
    s->call = r->call;
    buf_deinit(&out);
    if (f->request_fn) {
        f->request_fn(f, r->pair, s);
    }
    return 0;
}

static void op_answer(void *ctx, struct presence_txn txn, const struct sip_answer *answer)
{
    struct fixture *f = ctx;
    struct said *s;
    struct buf out;

    ASSERT(txn.handle > 0 && txn.handle <= f->txn);
    ASSERT(f->txn_open & (1ull << (txn.handle % 64))); /* once */
    ASSERT(answer->status >= 200 && answer->status < 700);
    f->txn_open &= ~(1ull << (txn.handle % 64));
    buf_init(&out, FIXTURE_TEXT_BYTES_MAX);
    sip_write_status_line(&out, answer->status, answer->reason);
    buf_put(&out, answer->fields);
    sip_write_end(&out, answer->content_type, answer->body);
    ASSERT(!out.failed);
    s = say(&f->answers, buf_slice(&out));
    s->handle = txn.handle;
    s->status = answer->status;
    buf_deinit(&out);
}

static void op_own_contact(void *ctx, const struct presence_pair *pair, struct buf *out)
{
    (void)ctx;
    (void)pair;
    buf_put_lit(out, "<sip:gw.corp.example:5061;transport=tls>");
}

static int op_store(void *ctx, const struct presence_row *row, bool is_urgent, uint64_t *ticket)
{
    struct fixture *f = ctx;
    struct row_on_way *w;

    if (f->store == FIXTURE_STORE_FULL) {
        return ERR_FULL;
    }
    w = pool_heap_zalloc(sizeof(*w));
    w->row = row_copy(row);
    w->is_deleted = row->is_deleted;
    w->ticket = ++f->ticket;
    list_push_back(&f->on_way, &w->link);
    f->rows_taken++;
    f->rows_urgent += is_urgent;
    *ticket = w->ticket;
    return 0;
}

static void op_admin_done(void *ctx, uint64_t cookie, int err)
{
    struct fixture *f = ctx;
    struct said *s = say(&f->orders, SLICE_NONE);

    s->handle = cookie;
    s->err = err;
}

const struct presence_ops fixture_ops = {
    .now_ms = op_now_ms,
    .now_unix_s = op_now_unix_s,
    .rule = op_rule,
    .stanza = op_stanza,
    .request = op_request,
    .need_hop = op_need_hop,
    .answer = op_answer,
    .own_contact = op_own_contact,
    .store = op_store,
    .admin_done = op_admin_done,
};
