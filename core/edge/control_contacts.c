/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_contacts: fedgatectl contact ...: asks the shards and gives them orders; an order is
 * answered when it is durable. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/err.h"
#include "base/pool.h"
#include "edge/control_int.h"
#include "edge/presence_mails.h"
#include "engine/engine.h"
#include "policy/partner.h"
#include "xmpp/jid.h"

#define LIMIT_DEFAULT 100u
#define LIMIT_MAX     1000u
#define WALKS_MAX     256u /* parts of shards' tables looked at for one page */
#define DURABLE_S     5

/* Filter and what it points into. */
struct contact_names {
    struct presence_filter filter;
    struct jid_storage mem[2];
    struct jid_ascii domains[2];
};

/* --- reading the request --- */

/* "user@domain" or "domain". */
static bool read_address(struct jout *j, struct slice text, struct jid_storage *mem,
                         struct jid_ascii *ascii, struct slice *user, struct slice *domain)
{
    struct jid jid;

    if (jid_parse(mem, text, &jid) != 0 || jid.resource.len != 0 ||
        jid_domain_to_ascii(jid.domain, ascii) != 0) {
        control_fail_of(j, "no bare address", text);
        return false;
    }
    *user = jid.local;
    *domain = jid_ascii_slice(ascii);
    return true;
}

static bool read_direction(struct jout *j, struct slice text, uint32_t *bits)
{
    for (int d = 0; d < CONTACT_DIRECTIONS; d++) {
        if (slice_eq_cstr(text, contact_direction_name((enum contact_direction)d))) {
            *bits = 1u << d;
        }
    }
    if (text.ptr && *bits == 0) {
        control_fail_of(j, "no direction, which is \"in\" or \"out\"", text);
        return false;
    }
    return true;
}

static bool read_state(struct jout *j, struct slice text, uint32_t *bits)
{
    for (int s = 0; s < CONTACT_STATE_COUNT; s++) {
        if (slice_eq_cstr(text, contact_state_name((enum contact_state)s))) {
            *bits = 1u << s;
        }
    }
    if (text.ptr && *bits == 0) {
        control_fail_of(j, "no state of a contact", text);
        return false;
    }
    return true;
}

static bool read_names(struct jout *j, const struct admin_request *r, struct contact_names *n)
{
    const struct slice *asked = r->members;
    struct presence_filter *f = &n->filter;

    *f = (struct presence_filter){0};
    return (!asked[ADMIN_LOCAL].ptr ||
            read_address(j, asked[ADMIN_LOCAL], &n->mem[0], &n->domains[0], &f->local_user,
                         &f->local_domain)) &&
           (!asked[ADMIN_REMOTE].ptr ||
            read_address(j, asked[ADMIN_REMOTE], &n->mem[1], &n->domains[1], &f->remote_user,
                         &f->remote_domain)) &&
           read_direction(j, asked[ADMIN_DIRECTION], &f->directions) &&
           read_state(j, asked[ADMIN_STATE], &f->states);
}

/* --- a page --- */

/* False: the shard's mailbox is full. */
static bool ask_shard(struct control *ctl, uint32_t shard_idx, struct contacts_ask *ask)
{
    struct mail_contacts *m = edge_mail_new(MAIL_CONTACTS, sizeof(*m));
    sem_t done;
    bool is_asked;

    if (!m) {
        return false;
    }
    (void)sem_init(&done, 0, 0);
    m->ask = ask;
    m->done = &done;
    is_asked = engine_post(ctl->engine, shard_idx, &m->mail) == 0;
    if (!is_asked) {
        pool_free(m);
    }
    while (is_asked && sem_wait(&done) != 0) {
    }
    (void)sem_destroy(&done);
    return is_asked;
}

/* From *shard_idx on, until limit, the end, or long enough. True: it goes on there. */
static bool put_page(struct control *ctl, struct contacts_ask *ask, uint32_t *shard_idx)
{
    uint32_t count = engine_shard_count(ctl->engine);
    uint32_t walks = 0;

    while (*shard_idx < count) {
        if (ask->limit == 0 || walks++ == WALKS_MAX || !ask_shard(ctl, *shard_idx, ask)) {
            return true;
        }
        if (ask->is_end) {
            ask->cursor = 0;
            (*shard_idx)++;
        }
    }
    return false;
}

/* "SHARD:CURSOR" */
static bool read_cursor(struct slice text, uint32_t *shard_idx, uint64_t *cursor)
{
    struct slice head;
    uint64_t number;

    if (!slice_cut(&text, ':', &head) || !slice_parse_u64(head, &number) ||
        number >= ENGINE_SHARDS_MAX || !slice_parse_u64(text, cursor)) {
        return false;
    }
    *shard_idx = (uint32_t)number;
    return true;
}

void control_answer_contacts(struct control *ctl, const struct admin_request *r, struct jout *j)
{
    struct contact_names names;
    struct contacts_ask ask = {.limit = LIMIT_DEFAULT, .out = j};
    struct slice limit = r->members[ADMIN_LIMIT];
    struct slice cursor = r->members[ADMIN_CURSOR];
    uint64_t number = LIMIT_DEFAULT;
    uint32_t shard_idx = 0;

    if (!read_names(j, r, &names)) {
        return;
    }
    if (limit.ptr && (!slice_parse_u64(limit, &number) || number == 0 || number > LIMIT_MAX)) {
        control_fail_of(j, "limit is 1 to 1000, not", limit);
        return;
    }
    if (cursor.ptr && !read_cursor(cursor, &shard_idx, &ask.cursor)) {
        control_fail_of(j, "no cursor of a page before", cursor);
        return;
    }
    ask.filter = names.filter;
    ask.limit = (uint32_t)number;
    jout_object(j, NULL);
    jout_bool(j, "ok", true);
    jout_list(j, "contacts");
    if (put_page(ctl, &ask, &shard_idx)) {
        jout_end(j);
        jout_printf(j, "cursor", "%u:%lu", shard_idx, ask.cursor);
    } else {
        jout_end(j);
        jout_null(j, "cursor");
    }
    jout_end(j);
}

/* --- one contact --- */

static void put_pair(struct control *ctl, const struct contact_names *names, struct jout *j)
{
    struct contacts_ask ask = {.filter = names->filter, .limit = CONTACT_DIRECTIONS, .out = j};
    uint32_t shard_idx = partner_home_of_id(partner_id(names->filter.remote_domain),
                                            engine_shard_count(ctl->engine));

    jout_list(j, "contacts");
    for (uint32_t walks = 0; walks < WALKS_MAX && ask.limit > 0 && !ask.is_end; walks++) {
        if (!ask_shard(ctl, shard_idx, &ask)) {
            break;
        }
    }
    jout_end(j);
}

/* 0, ERR_FULL (the shard is busy), ERR_TIMEOUT, or what came of it. */
static int give_order(struct control *ctl, const struct presence_filter *f,
                      enum presence_order what, uint32_t directions)
{
    const struct presence_pair pair = {f->local_user, f->local_domain, f->remote_user,
                                       f->remote_domain};
    struct contact_order *o = contact_order_new(&pair);
    struct mail_contact_order *m = edge_mail_new(MAIL_CONTACT_ORDER, sizeof(*m));
    uint32_t home =
        partner_home_of_id(partner_id(f->remote_domain), engine_shard_count(ctl->engine));
    struct timespec until;
    int err = ERR_FULL;

    o->what = what;
    o->directions = directions;
    atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
    if (m) {
        m->order = o;
    }
    if (!m || engine_post(ctl->engine, home, &m->mail) != 0) {
        pool_free(m);
        contact_order_unref(o);
    } else {
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += DURABLE_S;
        while ((err = sem_clockwait(&o->done, CLOCK_MONOTONIC, &until)) != 0 && errno == EINTR) {
        }
        err = err ? ERR_TIMEOUT : atomic_load_explicit(&o->result, memory_order_acquire);
    }
    contact_order_unref(o);
    return err;
}

static bool find_order(struct slice act, enum presence_order *out)
{
    static const char *const names[] = {
        [PRESENCE_ALLOW] = "allow", [PRESENCE_BLOCK] = "block", [PRESENCE_FORGET] = "forget"};

    for (int i = 0; i <= PRESENCE_FORGET; i++) {
        if (slice_eq_cstr(act, names[i])) {
            *out = (enum presence_order)i;
            return true;
        }
    }
    return false;
}

/* What cannot be a contact may be forgotten all the same: it was one under other rules. */
static bool is_possible(struct control *ctl, const struct contact_names *names,
                        enum presence_order what, struct jout *j)
{
    const struct snapshot *policy = ctl->current->policy;
    const struct presence_filter *f = &names->filter;
    const struct local_domain *domain = snapshot_domain(policy, f->local_domain);

    if (what == PRESENCE_FORGET) {
        return true;
    }
    if (!domain) {
        control_fail_of(j, "not a domain of ours", f->local_domain);
    } else if (domain->next_hop->kind != NEXT_HOP_SIP) {
        control_fail_of(j, "contacts of this domain are kept by its own server", f->local_domain);
    } else if (!snapshot_partner(policy, f->remote_domain)) {
        control_fail_of(j, "no partner has the domain", f->remote_domain);
    } else {
        return true;
    }
    return false;
}

static void put_failure(struct jout *j, int err)
{
    switch (err) {
    case ERR_NOT_FOUND:
        control_fail(j, "there is no such contact");
        break;
    case ERR_FULL:
        control_fail(j, "the node is too busy; try again");
        break;
    case ERR_STATE:
        control_fail(j, "another order for this contact came in between");
        break;
    case ERR_TIMEOUT:
        control_fail(j, "not on the disk within 5 seconds; it may still come: look at it again");
        break;
    default:
        control_fail(j, err_text(err));
        break;
    }
}

static void order(struct control *ctl, const struct admin_request *r,
                  const struct contact_names *names, struct jout *j)
{
    uint32_t directions = names->filter.directions;
    enum presence_order what;
    int err;

    if (!find_order(r->members[ADMIN_ACT], &what)) {
        control_fail_of(j, "an act is \"show\", \"allow\", \"block\" or \"forget\", not",
                        r->members[ADMIN_ACT]);
        return;
    }
    if (!is_possible(ctl, names, what, j)) {
        return;
    }
    directions = directions ? directions : (1u << CONTACT_DIRECTIONS) - 1;
    err = give_order(ctl, &names->filter, what, directions);
    if (err != 0) {
        put_failure(j, err);
        return;
    }
    jout_object(j, NULL);
    jout_bool(j, "ok", true);
    jout_text(j, "act", r->members[ADMIN_ACT]);
    jout_list(j, "done");
    for (int d = 0; d < CONTACT_DIRECTIONS; d++) {
        if (directions & (1u << d)) {
            jout_cstr(j, NULL, contact_direction_name((enum contact_direction)d));
        }
    }
    jout_end(j);
    put_pair(ctl, names, j);
    jout_end(j);
}

void control_answer_contact(struct control *ctl, const struct admin_request *r, struct jout *j)
{
    struct contact_names names;

    if (!read_names(j, r, &names)) {
        return;
    }
    if (names.filter.local_user.len == 0 || names.filter.remote_user.len == 0) {
        control_fail(j, "a contact is between two users: both addresses are to be user@domain");
        return;
    }
    if (!slice_eq_cstr(r->members[ADMIN_ACT], "show")) {
        order(ctl, r, &names, j);
        return;
    }
    jout_object(j, NULL);
    jout_bool(j, "ok", true);
    put_pair(ctl, &names, j);
    jout_end(j);
}
