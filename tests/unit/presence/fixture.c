/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fixture: the presence object's world as a script. */
#include "fixture.h"

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "sip/write.h"
#include "translate/address.h"

#define START_MS       1000u
#define START_UNIX_S   1767225600
#define TEXT_BYTES_MAX (1u << 20)

struct row_on_way {
    struct list link;
    uint64_t ticket;
    bool is_deleted;
    struct kept_row *row; /* owned */
};

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

static void said_free(struct said *s)
{
    list_remove(&s->link);
    pool_heap_free(s->text);
    pool_heap_free(s);
}

static void forget_list(struct list *list)
{
    while (!list_is_empty(list)) {
        said_free(LIST_ENTRY(list->next, struct said, link));
    }
}

static void row_free(struct kept_row *r)
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

static struct slice put_key(struct buf *out, enum contact_direction direction,
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

    buf_init(&key, TEXT_BYTES_MAX);
    r->key = copy(put_key(&key, row->direction, &row->pair));
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

static void keep(struct fixture *f, struct row_on_way *w)
{
    struct slice key = slice_from_cstr(w->row->key);
    struct kept_row *old = map_remove(&f->disk, key);

    if (old) {
        row_free(old);
    }
    if (w->is_deleted) {
        row_free(w->row);
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
    buf_init(&out, TEXT_BYTES_MAX);
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
    buf_init(&out, TEXT_BYTES_MAX);
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

static const struct presence_ops fixture_ops = {
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

/* --- life ------------------------------------------------------------------------------------- */

void fixture_init(struct fixture *f)
{
    const struct presence_rule rule = {.is_allowed = true,
                                       .with_notes = true,
                                       .hop = SLICE_LIT("pool"),
                                       .expires_s = 3600,
                                       .subscribe_rate_max = 0};

    *f = (struct fixture){.now_ms = START_MS, .start_unix_s = START_UNIX_S};
    wheel_init(&f->wheel, f->now_ms);
    sip_ids_init_seeded(&f->ids, 1);
    f->rules[CONTACT_IN] = rule;
    f->rules[CONTACT_OUT] = rule;
    f->params = (struct presence_params){
        .ops = &fixture_ops, .ctx = f, .wheel = &f->wheel, .ids = &f->ids, .seed = 1};
    list_init(&f->on_way);
    list_init(&f->stanzas);
    list_init(&f->requests);
    list_init(&f->answers);
    list_init(&f->orders);
    ASSERT(xml_parser_new(&f->parser, &xml_limits_authenticated) == 0);
}

void fixture_start(struct fixture *f)
{
    ASSERT(presence_new(&f->p, &f->params) == 0);
}

static void drop_on_way(struct fixture *f)
{
    struct list *link;

    while ((link = list_pop_front(&f->on_way)) != NULL) {
        struct row_on_way *w = LIST_ENTRY(link, struct row_on_way, link);

        row_free(w->row);
        pool_heap_free(w);
    }
}

static void stop(struct fixture *f)
{
    presence_free(f->p);
    f->p = NULL;
    ASSERT(f->wheel.timer_count == 0);
    forget_list(&f->requests);
}

void fixture_forget_rows(struct fixture *f)
{
    struct kept_row *r;
    size_t cursor = 0;

    while ((r = map_next(&f->disk, &cursor)) != NULL) {
        row_free(r);
    }
    map_deinit(&f->disk);
}

void fixture_deinit(struct fixture *f)
{
    stop(f);
    drop_on_way(f);
    fixture_forget_rows(f);
    fixture_forget(f);
    xml_parser_free(f->parser);
}

static void load_all(struct fixture *f)
{
    const struct kept_row *r;
    size_t cursor = 0;

    while ((r = map_next(&f->disk, &cursor)) != NULL) {
        const struct presence_row row = {
            .pair = {slice_from_cstr(r->users[0]), slice_from_cstr(r->domains[0]),
                     slice_from_cstr(r->users[1]), slice_from_cstr(r->domains[1])},
            .direction = r->direction,
            .state = r->state,
            .asker = r->asker,
            .asked_unix_s = r->asked_unix_s,
            .changed_unix_s = r->changed_unix_s,
            .dialogs = slice_make(r->dialogs, r->dialogs_len),
            .document = slice_make(r->document, r->document_len),
        };

        ASSERT(presence_load(f->p, &row) == 0);
    }
}

void fixture_crash(struct fixture *f, bool is_lucky)
{
    struct list *link;

    stop(f);
    while (is_lucky && (link = list_pop_front(&f->on_way)) != NULL) {
        struct row_on_way *w = LIST_ENTRY(link, struct row_on_way, link);

        keep(f, w);
        pool_heap_free(w);
    }
    drop_on_way(f);
    f->txn_open = 0;
    f->ticket = 0;
    fixture_start(f);
    load_all(f);
    presence_loaded(f->p);
}

/* --- time and store --------------------------------------------------------------------------- */

void fixture_store_done(struct fixture *f, int err)
{
    uint64_t first = 0;
    uint64_t last = 0;
    uint64_t until = f->ticket;
    struct list *link;

    while ((link = list_first(&f->on_way)) != NULL) {
        struct row_on_way *w = LIST_ENTRY(link, struct row_on_way, link);

        if (w->ticket > until) {
            break;
        }
        list_remove(&w->link);
        first = first ? first : w->ticket;
        last = w->ticket;
        if (err) {
            row_free(w->row);
        } else {
            keep(f, w);
        }
        pool_heap_free(w);
    }
    if (last) {
        presence_stored(f->p, first, last, err);
    }
}

void fixture_settle(struct fixture *f)
{
    for (int i = 0; i < 64 && f->store == FIXTURE_STORE_PROMPT && !list_is_empty(&f->on_way); i++) {
        fixture_store_done(f, f->store_err);
    }
}

void fixture_run(struct fixture *f, uint64_t ms)
{
    uint64_t until = f->now_ms + ms;

    fixture_settle(f);
    for (;;) {
        uint64_t next = wheel_next_ms(&f->wheel);

        if (next > until) {
            break;
        }
        /* wheel_next_ms may be early: a tick forward at least. */
        f->now_ms = next > f->now_ms ? next : f->now_ms + WHEEL_TICK_MS;
        if (f->now_ms > until) {
            break;
        }
        wheel_run(&f->wheel, f->now_ms, 64);
        fixture_settle(f);
    }
    f->now_ms = until;
    wheel_run(&f->wheel, f->now_ms, UINT32_MAX);
    fixture_settle(f);
}

/* --- pairs ------------------------------------------------------------------------------------ */

static struct slice split(const char *address, struct jid_ascii *ascii, struct slice *domain)
{
    struct slice rest = slice_from_cstr(address);
    struct slice user;

    ASSERT(slice_cut(&rest, '@', &user));
    ASSERT(jid_domain_to_ascii(rest, ascii) == 0);
    *domain = jid_ascii_slice(ascii);
    return user;
}

struct presence_pair fixture_pair(const char *local, const char *remote)
{
    static _Thread_local struct jid_ascii ascii[2];
    struct presence_pair pair;

    pair.local_user = split(local, &ascii[0], &pair.local_domain);
    pair.remote_user = split(remote, &ascii[1], &pair.remote_domain);
    return pair;
}

const struct kept_row *fixture_row_of(const struct fixture *f, enum contact_direction direction,
                                      const struct presence_pair *pair)
{
    const struct kept_row *r;
    struct buf key;

    buf_init(&key, TEXT_BYTES_MAX);
    r = map_get(&f->disk, put_key(&key, direction, pair));
    buf_deinit(&key);
    return r;
}

const struct kept_row *fixture_row(const struct fixture *f, enum contact_direction direction,
                                   const char *local, const char *remote)
{
    struct presence_pair pair = fixture_pair(local, remote);

    return fixture_row_of(f, direction, &pair);
}

enum contact_state fixture_state(const struct fixture *f, enum contact_direction direction,
                                 const char *local, const char *remote)
{
    struct presence_pair pair = fixture_pair(local, remote);
    enum contact_state state;
    enum contact_asker asker;

    (void)presence_look(f->p, &pair, direction, &state, &asker);
    return state;
}

/* --- what comes in ---------------------------------------------------------------------------- */

static bool pair_of(const struct jid *local, const struct jid *remote, struct jid_ascii ascii[2],
                    struct presence_pair *out)
{
    if (local->local.len == 0 || remote->local.len == 0 ||
        jid_domain_to_ascii(local->domain, &ascii[0]) ||
        jid_domain_to_ascii(remote->domain, &ascii[1])) {
        return false;
    }
    *out = (struct presence_pair){local->local, jid_ascii_slice(&ascii[0]), remote->local,
                                  jid_ascii_slice(&ascii[1])};
    return true;
}

bool fixture_from_partner(struct fixture *f, const char *xml)
{
    static const char head[] = "<stream:stream xmlns='jabber:server' "
                               "xmlns:stream='http://etherx.jabber.org/streams'>";
    struct jid_ascii ascii[2];
    struct presence_pair pair;
    struct stanza st;
    size_t used;

    xml_parser_reset(f->parser);
    ASSERT(xml_parser_feed(f->parser, head, sizeof(head) - 1, &used) == XML_STREAM_OPEN);
    if (xml_parser_feed(f->parser, xml, strlen(xml), &used) != XML_ELEMENT ||
        stanza_view(&st, xml_parser_tree(f->parser), SLICE_LIT("jabber:server"), SLICE_NONE) ||
        st.kind != STANZA_PRESENCE || !pair_of(&st.to, &st.from, ascii, &pair)) {
        return false;
    }
    presence_from_partner(f->p, &pair, &st);
    fixture_settle(f);
    return true;
}

/* Text with "\n" or "\r\n" ends -> message with "\r\n" in the head. */
static struct slice put_message(struct buf *out, const char *text)
{
    struct slice rest = slice_from_cstr(text);
    struct slice line;

    while (slice_cut(&rest, '\n', &line)) {
        line = slice_ends(line, SLICE_LIT("\r")) ? slice_to(line, line.len - 1) : line;
        buf_put(out, line);
        buf_put_lit(out, "\r\n");
        if (line.len == 0) {
            buf_put(out, rest);
            return buf_slice(out);
        }
    }
    buf_put(out, line);
    buf_put_lit(out, "\r\n\r\n");
    return buf_slice(out);
}

static bool users_of(const struct sip_msg *m, struct jid_storage mem[2], struct jid jids[2])
{
    struct sip_addr from;
    struct sip_addr to;

    return sip_msg_addr(m, SIP_HDR_FROM, &from) == 0 && sip_msg_addr(m, SIP_HDR_TO, &to) == 0 &&
           address_to_jid(&from.uri, false, &mem[0], &jids[0]) == 0 &&
           address_to_jid(&to.uri, false, &mem[1], &jids[1]) == 0;
}

static uint64_t receive(struct fixture *f, const char *text, bool is_notify)
{
    struct jid_storage mem[2];
    struct jid_ascii ascii[2];
    struct presence_pair pair;
    struct jid jids[2];
    struct sip_bad bad;
    struct sip_msg m;
    uint64_t handle = 0;
    struct buf bytes;

    buf_init(&bytes, TEXT_BYTES_MAX);
    if (sip_msg_parse(&m, put_message(&bytes, text), &bad) == 0 && m.is_request &&
        users_of(&m, mem, jids) && pair_of(&jids[0], &jids[1], ascii, &pair)) {
        f->txn_tag = sip_ids_tag(&f->ids);
        handle = ++f->txn;
        ASSERT(!(f->txn_open & (1ull << (handle % 64))));
        f->txn_open |= 1ull << (handle % 64);
        (is_notify ? presence_notify : presence_subscribe)(
            f->p, &pair, &m,
            (struct presence_txn){.handle = handle, .to_tag = sip_id_slice(&f->txn_tag)});
        fixture_settle(f);
    }
    buf_deinit(&bytes);
    return handle;
}

uint64_t fixture_subscribe(struct fixture *f, const char *text)
{
    return receive(f, text, false);
}

uint64_t fixture_notify(struct fixture *f, const char *text)
{
    return receive(f, text, true);
}

/* --- what was said ---------------------------------------------------------------------------- */

/* The first link is kept as "last taken" until the next take: a sentinel marks it. */
static struct said *take(struct list *list)
{
    struct list *link = list_first(list);
    struct said *s = link ? LIST_ENTRY(link, struct said, link) : NULL;

    if (s && s->call == (void *)s) { /* taken before */
        said_free(s);
        return take(list);
    }
    if (s) {
        s->call = (void *)s;
    }
    return s;
}

struct said *fixture_take_stanza(struct fixture *f)
{
    return take(&f->stanzas);
}

struct said *fixture_take_answer(struct fixture *f)
{
    return take(&f->answers);
}

struct said *fixture_take_order(struct fixture *f)
{
    return take(&f->orders);
}

struct said *fixture_request(struct fixture *f)
{
    struct list *link = list_first(&f->requests);

    return link ? LIST_ENTRY(link, struct said, link) : NULL;
}

size_t fixture_count(const struct list *l)
{
    size_t count = 0;

    for (struct list *link = l->next; link != l; link = link->next) {
        const struct said *s = LIST_ENTRY(link, struct said, link);

        count += s->call != (const void *)s;
    }
    return count;
}

void fixture_respond(struct fixture *f, struct said *request, unsigned status, const char *to_tag,
                     const char *fields)
{
    const struct sip_response_params params = {.status = status, .to_tag = slice_from_cstr(to_tag)};
    struct presence_call *call = request->call;
    struct sip_msg response;
    struct sip_bad bad;
    struct sip_msg m;
    struct buf out;

    ASSERT(sip_msg_parse(&m, slice_make(request->text, request->len), &bad) == 0);
    buf_init(&out, TEXT_BYTES_MAX);
    sip_write_response(&out, &m, &params);
    buf_put_cstr(&out, fields);
    sip_write_end_empty(&out);
    ASSERT(!out.failed);
    ASSERT(sip_msg_parse(&response, buf_slice(&out), &bad) == 0);
    said_free(request);
    presence_response(f->p, call, SIP_OUTCOME_FINAL, status, &response);
    buf_deinit(&out);
    fixture_settle(f);
}

void fixture_fail(struct fixture *f, struct said *request, enum sip_outcome outcome)
{
    struct presence_call *call = request->call;

    ASSERT(outcome != SIP_OUTCOME_FINAL);
    said_free(request);
    presence_response(f->p, call, outcome, outcome == SIP_OUTCOME_TIMEOUT ? 408 : 503, NULL);
    fixture_settle(f);
}

void fixture_forget(struct fixture *f)
{
    forget_list(&f->stanzas);
    forget_list(&f->answers);
    forget_list(&f->orders);
}

struct slice fixture_header(const struct said *request, const char *name)
{
    static _Thread_local struct sip_msg m;
    const struct sip_field *other;
    struct sip_bad bad;
    enum sip_header id = sip_header_from(slice_from_cstr(name));

    ASSERT(sip_msg_parse(&m, slice_make(request->text, request->len), &bad) == 0);
    if (id != SIP_HDR_OTHER) {
        return sip_msg_value(&m, id);
    }
    other = sip_msg_find_other(&m, slice_from_cstr(name));
    return other ? sip_field_value(&m, other) : SLICE_NONE;
}
