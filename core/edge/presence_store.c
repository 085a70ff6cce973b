/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_store: rows of presence to the store and back. */
#include "base/check.h"
#include "base/err.h"
#include "edge/presence_side_int.h"
#include "edge/reach.h"
#include "edge/store_rows.h"
#include "store/store.h"

/* Numbers pass between the two rooms, and to the disk, as they are. */
STATIC_ASSERT((int)STORE_IN == (int)CONTACT_IN && (int)STORE_OUT == (int)CONTACT_OUT &&
                  (int)STORE_DIRECTION_COUNT == (int)CONTACT_DIRECTIONS,
              "directions");
STATIC_ASSERT((int)STORE_STATE_NONE == (int)CONTACT_NONE &&
                  (int)STORE_STATE_ASKED == (int)CONTACT_ASKED &&
                  (int)STORE_STATE_GRANTED == (int)CONTACT_GRANTED &&
                  (int)STORE_STATE_DENIED == (int)CONTACT_DENIED &&
                  (int)STORE_STATE_BLOCKED == (int)CONTACT_BLOCKED &&
                  (int)STORE_STATE_COUNT == (int)CONTACT_STATE_COUNT,
              "states");
STATIC_ASSERT((int)STORE_BY_PARTNER == (int)CONTACT_BY_PARTNER &&
                  (int)STORE_BY_LOCAL == (int)CONTACT_BY_LOCAL &&
                  (int)STORE_BY_ADMIN == (int)CONTACT_BY_ADMIN,
              "askers");

int presence_side_store(void *ctx, const struct presence_row *row, bool is_urgent,
                        uint64_t *ticket)
{
    struct edge *e = ((struct presence_side *)ctx)->e;
    const struct store_item item = {
        .what = row->is_deleted ? STORE_DROP_CONTACT : STORE_PUT_CONTACT,
        .is_urgent = is_urgent,
        .contact = {.pair = {row->pair.local_user, row->pair.local_domain, row->pair.remote_user,
                             row->pair.remote_domain},
                    .direction = (enum store_direction)row->direction,
                    .state = (enum store_state)row->state,
                    .asked_by = (enum store_asker)row->asker,
                    .asked_unix_s = row->asked_unix_s,
                    .changed_unix_s = row->changed_unix_s,
                    .dialogs = row->dialogs,
                    .document = row->document},
    };

    return store_write(e->shared->store, e->idx, &item, ticket);
}

void presence_side_take_stored(struct presence_side *ps, const struct mail_stored *m)
{
    presence_stored(ps->core, m->first, m->last, m->err);
}

/* --- start --- */

static struct presence_row row_of(const struct store_contact *c)
{
    return (struct presence_row){
        .pair = {c->pair.local_user, c->pair.local_domain, c->pair.remote_user,
                 c->pair.remote_domain},
        .direction = (enum contact_direction)c->direction,
        .state = (enum contact_state)c->state,
        .asker = (enum contact_asker)c->asked_by,
        .asked_unix_s = c->asked_unix_s,
        .changed_unix_s = c->changed_unix_s,
        .dialogs = c->dialogs,
        .document = c->document,
    };
}

/* Who watches somebody has added him: every shard has to know, wherever that one writes to. */
static void restore_reach(struct edge *e, const struct store_contact *c)
{
    struct store_reach reach = {.pair = c->pair};
    const struct partner *p;

    if (c->direction == STORE_OUT &&
        (c->state == STORE_STATE_ASKED || c->state == STORE_STATE_GRANTED)) {
        reach.flags = STORE_REACH_ADDED;
    } else if (c->direction == STORE_IN && c->state == STORE_STATE_GRANTED &&
               c->asked_by == STORE_BY_ADMIN) {
        reach.flags = STORE_REACH_CONSENTED;
    } else {
        return;
    }
    p = snapshot_partner(edge_policy(e), c->pair.remote_domain);
    if (p && p->type == PARTNER_TYPE_PUBLIC_UNVERIFIED) {
        reach_restore(e, &reach);
    }
}

static int load_contact(struct presence_side *ps, const struct store_contact *c)
{
    struct presence_row row = row_of(c);
    int err;

    if (edge_home_of_domain(ps->e, c->pair.remote_domain) != ps->e->idx) {
        return 0;
    }
    err = presence_load(ps->core, &row);
    if (err == ERR_BAD_INPUT) {
        ps->e->stats.contacts_unread++;
        LOG_E(store_damaged, "what=contact local=%s remote=%s note=\"left out\"",
              log_quote(c->pair.local_domain).text, log_quote(c->pair.remote_domain).text);
        return 0;
    }
    return err;
}

int presence_side_load(struct presence_side *ps)
{
    const struct store_rows *rows = ps->e->shared->rows;
    int err = 0;

    for (size_t i = 0; rows && i < rows->reach_count; i++) {
        reach_restore(ps->e, &rows->reach[i]);
    }
    for (size_t i = 0; rows && i < rows->contact_count && err == 0; i++) {
        restore_reach(ps->e, &rows->contacts[i]);
        err = load_contact(ps, &rows->contacts[i]);
    }
    if (err == 0) {
        presence_loaded(ps->core);
    }
    return err;
}
