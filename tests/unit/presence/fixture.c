/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fixture: the presence object's world as a script. */
#include "fixture_int.h"

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "sip/write.h"
#include "translate/address.h"

#define START_MS     1000u
#define START_UNIX_S 1767225600

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

        fixture_row_free(w->row);
        pool_heap_free(w);
    }
}

static void stop(struct fixture *f)
{
    presence_free(f->p);
    f->p = NULL;
    ASSERT(f->wheel.timer_count == 0);
    fixture_forget_list(&f->requests);
}

void fixture_forget_rows(struct fixture *f)
{
    struct kept_row *r;
    size_t cursor = 0;

    while ((r = map_next(&f->disk, &cursor)) != NULL) {
        fixture_row_free(r);
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

        fixture_keep(f, w);
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
            fixture_row_free(w->row);
        } else {
            fixture_keep(f, w);
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

#define DIALLING_MS 60000u

void fixture_run_dialling(struct fixture *f, uint64_t ms)
{
    struct presence_rule *rule = &f->rules[CONTACT_IN];

    if (rule->hop_way == PRESENCE_HOP_COMING && ms > DIALLING_MS) {
        fixture_run(f, DIALLING_MS);
        ms -= DIALLING_MS;
        rule->hop_way = PRESENCE_HOP_AWAY;
        presence_hop_seen(f->p, rule->hop, PRESENCE_HOP_LOST);
    }
    fixture_run(f, ms);
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

    buf_init(&key, FIXTURE_TEXT_BYTES_MAX);
    r = map_get(&f->disk, fixture_put_key(&key, direction, pair));
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

    buf_init(&bytes, FIXTURE_TEXT_BYTES_MAX);
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
        fixture_said_free(s);
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
    buf_init(&out, FIXTURE_TEXT_BYTES_MAX);
    sip_write_response(&out, &m, &params);
    buf_put_cstr(&out, fields);
    sip_write_end_empty(&out);
    ASSERT(!out.failed);
    ASSERT(sip_msg_parse(&response, buf_slice(&out), &bad) == 0);
    fixture_said_free(request);
    presence_response(f->p, call, SIP_OUTCOME_FINAL, status, &response);
    buf_deinit(&out);
    fixture_settle(f);
}

void fixture_fail(struct fixture *f, struct said *request, enum sip_outcome outcome)
{
    struct presence_call *call = request->call;

    ASSERT(outcome != SIP_OUTCOME_FINAL);
    fixture_said_free(request);
    presence_response(f->p, call, outcome, outcome == SIP_OUTCOME_TIMEOUT ? 408 : 503, NULL);
    fixture_settle(f);
}

void fixture_forget(struct fixture *f)
{
    fixture_forget_list(&f->stanzas);
    fixture_forget_list(&f->answers);
    fixture_forget_list(&f->orders);
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
