/* SPDX-License-Identifier: GPL-2.0-or-later */
/* authorise: states, grants that are one only when durable, and the writing of rows. A contact has
 * one row on the way at a time; what changes meanwhile makes it dirty again. Rows hold the whole
 * contact, so only the last one counts and writing is coalescing. Two speeds: urgent (a grant, an
 * order, the end of a grant: written when the event is settled) and lazy (everything else: swept
 * every PRESENCE_DIRTY_MS, and more rarely while the store refuses). */
#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "presence/table.h"

static void sweep(struct wheel_timer *timer, void *ctx);
static void retry(struct wheel_timer *timer, void *ctx);

static bool is_stuck(const struct presence *p)
{
    return p->is_full && p->ops->now_ms(p->ctx) - p->full_ms >= PRESENCE_GIVE_UP_MS;
}

static uint32_t retry_ms(const struct presence *p)
{
    return is_stuck(p) ? PRESENCE_RETRY_SLOW_MS : PRESENCE_RETRY_MS;
}

static void arm_sweep(struct presence *p, uint32_t delay_ms)
{
    if (!wheel_timer_is_armed(&p->dirty_timer)) {
        wheel_arm(p->wheel, &p->dirty_timer, p->ops->now_ms(p->ctx) + delay_ms, sweep, p);
    }
}

static void arm_retry(struct presence *p)
{
    if (!wheel_timer_is_armed(&p->retry_timer)) {
        wheel_arm(p->wheel, &p->retry_timer, p->ops->now_ms(p->ctx) + retry_ms(p), retry, p);
    }
}

/* --- what waits to be written ----------------------------------------------------------------- */

/* While a row is on the way the contact is in no list: its end looks at dirt. */
static void file_dirt(struct contact *c)
{
    struct presence *p = c->p;

    if (c->is_on_way) {
        return;
    }
    list_remove(&c->dirty);
    if (c->dirt == CONTACT_CLEAN) {
        return;
    }
    if (c->dirt == CONTACT_URGENT) {
        list_push_back(&p->urgent, &c->dirty);
        arm_retry(p);
    } else {
        list_push_back(&p->dirty, &c->dirty);
        arm_sweep(p, p->dirty_ms);
    }
}

static void set_dirt(struct contact *c, enum contact_dirt dirt)
{
    c->p->stats.dirty += (uint32_t)(dirt != CONTACT_CLEAN) - (uint32_t)(c->dirt != CONTACT_CLEAN);
    c->dirt = (uint8_t)dirt & 3u;
    file_dirt(c);
}

void contact_touch(struct contact *c)
{
    if (c->dirt == CONTACT_CLEAN) {
        set_dirt(c, CONTACT_DIRTY);
    }
}

void contact_make_urgent(struct contact *c)
{
    if (c->dirt != CONTACT_URGENT) {
        set_dirt(c, CONTACT_URGENT);
    }
}

void contact_forget_dirt(struct contact *c)
{
    set_dirt(c, CONTACT_CLEAN);
}

/* --- states ----------------------------------------------------------------------------------- */

void contact_set_state(struct contact *c, enum contact_state state, enum contact_asker asker)
{
    bool was_granted =
        c->state == CONTACT_GRANTED || (c->is_on_way && c->row->state == CONTACT_GRANTED);
    bool was_waiting = (c->wants & CONTACT_WANTS_GRANT) != 0;

    ASSERT(state != CONTACT_GRANTED);
    if (c->state == CONTACT_BLOCKED && asker != CONTACT_BY_ADMIN) {
        return;
    }
    c->wants &= (uint8_t)~CONTACT_WANTS_GRANT;
    if (c->is_on_way) {
        c->row->wants &= (uint8_t)~CONTACT_WANTS_GRANT;
    }
    if (c->state == state && c->asker == (uint8_t)asker && !was_waiting) {
        return;
    }
    if (c->state != state) {
        contact_raw_set_state(c, state);
        c->changed_unix_s = contact_now_u32(c);
        c->p->stats.denied += state == CONTACT_DENIED;
    }
    c->asker = (uint8_t)asker;
    if (state == CONTACT_ASKED && c->asked_unix_s == 0) {
        c->asked_unix_s = c->changed_unix_s;
    } else if (state == CONTACT_NONE) {
        c->asked_unix_s = 0;
    }
    if (was_granted || asker == CONTACT_BY_ADMIN) {
        contact_make_urgent(c);
    } else {
        contact_touch(c);
    }
}

static void tell_granted(struct contact *c, int err)
{
    if (c->direction == CONTACT_IN) {
        subscriber_granted(c, err);
    } else {
        notifier_granted(c, err);
    }
}

void contact_grant(struct contact *c, enum contact_asker asker)
{
    if (c->state == CONTACT_BLOCKED) {
        tell_granted(c, ERR_STATE);
        return;
    }
    if (c->state == CONTACT_GRANTED) {
        tell_granted(c, 0);
        return;
    }
    if (c->wants & CONTACT_WANTS_GRANT) {
        return;
    }
    c->wants |= CONTACT_WANTS_GRANT;
    c->wants_asker = (uint8_t)asker;
    contact_make_urgent(c);
}

bool contact_is_granting(const struct contact *c)
{
    return (c->wants & CONTACT_WANTS_GRANT) != 0;
}

bool contact_is_unwritten(const struct contact *c)
{
    return c->dirt == CONTACT_URGENT || c->is_on_way;
}

/* --- rows ------------------------------------------------------------------------------------- */

/* An order to allow makes the partner's user a watcher; ours it only sets free to ask, and takes
 * nothing from him that he has got meanwhile. */
static enum contact_state wanted_state(const struct contact *c, uint8_t wants)
{
    bool is_shut = c->state == CONTACT_BLOCKED || c->state == CONTACT_DENIED;

    if (wants == 0) {
        return c->state;
    }
    if ((wants & CONTACT_WANTS_GRANT) || c->direction == CONTACT_IN) {
        return CONTACT_GRANTED;
    }
    return is_shut ? CONTACT_NONE : c->state;
}

static uint8_t wanted_asker(const struct contact *c)
{
    if (c->wants == 0) {
        return c->asker;
    }
    return c->wants & CONTACT_WANTS_ALLOW ? (uint8_t)CONTACT_BY_ADMIN : c->wants_asker;
}

/* Who is granted asked some time, but for an administrator's word. */
static uint32_t asked_by(const struct contact *c, const struct contact_row *r)
{
    bool asked_now = c->asked_unix_s == 0 && r->wants && r->state == CONTACT_GRANTED &&
                     r->asker != CONTACT_BY_ADMIN;

    return asked_now ? r->at_unix_s : c->asked_unix_s;
}

static void fill_row(struct contact *c, struct contact_row *r, struct presence_row *row)
{
    r->at_unix_s = contact_now_u32(c);
    r->wants = c->wants;
    r->state = (uint8_t)wanted_state(c, c->wants);
    r->asker = wanted_asker(c);
    r->had_row = c->has_row;
    r->is_deleted = contact_is_at_rest(c);
    *row = (struct presence_row){
        .pair = contact_pair(c),
        .direction = c->direction,
        .is_deleted = r->is_deleted,
        .state = r->state,
        .asker = r->asker,
        .asked_unix_s = asked_by(c, r),
        .changed_unix_s = r->state == c->state ? c->changed_unix_s : r->at_unix_s,
    };
    if (!r->is_deleted) {
        row_pack(c, &row->dialogs, &row->document);
    }
}

static void note_full(struct presence *p)
{
    if (!p->is_full) {
        p->is_full = true;
        p->full_ms = p->ops->now_ms(p->ctx);
    }
    arm_retry(p);
}

/* Nobody needs to hear of a contact that goes without ever having had a row. */
static bool needs_no_row(struct contact *c)
{
    return !c->has_row && contact_is_at_rest(c);
}

bool contact_write(struct contact *c)
{
    struct presence *p = c->p;
    struct contact_row *r;
    struct presence_row row;

    ASSERT(!c->is_on_way);
    if (needs_no_row(c)) {
        set_dirt(c, CONTACT_CLEAN);
        return true;
    }
    r = pool_zalloc(sizeof(*r));
    if (!r) {
        note_full(p);
        return false;
    }
    fill_row(c, r, &row);
    if (p->ops->store(p->ctx, &row, c->dirt == CONTACT_URGENT, &r->ticket)) {
        pool_free(r);
        note_full(p);
        return false;
    }
    p->is_full = false;
    set_dirt(c, CONTACT_CLEAN); /* out of its list, whose link the row takes */
    r->contact = c;
    c->row = r;
    c->is_on_way = true;
    c->has_row = true;
    list_push_back(&p->rows, &r->link);
    admin_in_row(c);
    return true;
}

/* What the row said is so now; of what was withdrawn meanwhile nothing is. */
static void apply_row(struct contact *c, const struct contact_row *r)
{
    enum contact_state state = wanted_state(c, r->wants);

    if (r->wants) {
        c->asked_unix_s = asked_by(c, r);
        c->asker = r->asker;
        if (c->state != state) {
            contact_raw_set_state(c, state);
            c->changed_unix_s = r->at_unix_s;
            c->p->stats.granted += state == CONTACT_GRANTED;
        }
    }
    if (r->is_deleted) {
        c->has_row = false;
    } else if (c->direction == CONTACT_IN) {
        subscriber_stored(c);
    } else {
        notifier_stored(c);
    }
}

static void row_done(struct presence *p, struct contact_row *r, int err)
{
    struct contact *c = r->contact;
    uint8_t wants = r->wants;

    ASSERT(c->is_on_way);
    ASSERT(c->row == r);
    list_remove(&r->link);
    c->is_on_way = false;
    c->dirty = (struct list){0};
    file_dirt(c);
    c->wants &= (uint8_t)~wants;
    if (err) {
        p->stats.store_refused++;
        c->has_row = r->had_row;
        contact_touch(c); /* the rest of the row, a revocation perhaps, is still to be written */
    } else {
        apply_row(c, r);
    }
    pool_free(r);
    if (wants & CONTACT_WANTS_GRANT) {
        tell_granted(c, err);
    }
    admin_row_done(c, (wants & CONTACT_WANTS_ALLOW) != 0, err);
    contact_settle(c);
}

void presence_stored(struct presence *p, uint64_t first, uint64_t last, int err)
{
    struct list *link;

    presence_check(p);
    while ((link = list_first(&p->rows)) != NULL) {
        struct contact_row *r = LIST_ENTRY(link, struct contact_row, link);

        if (r->ticket > last) {
            break;
        }
        /* Acknowledgements come in order; one that was left out did not become durable. */
        row_done(p, r, r->ticket < first ? ERR_STATE : err);
    }
    p->dirty_ms = !err                                      ? PRESENCE_DIRTY_MS
                  : p->dirty_ms < PRESENCE_DIRTY_MS_MAX / 2 ? 2 * p->dirty_ms
                                                            : PRESENCE_DIRTY_MS_MAX;
}

/* --- time ------------------------------------------------------------------------------------- */

/* Writes from the list while the store takes and the slice lasts. True: it is empty. */
static bool write_some(struct list *list)
{
    struct list *link;

    for (uint32_t i = 0; i < PRESENCE_SLICE; i++) {
        struct contact *c;

        link = list_first(list);
        if (!link) {
            return true;
        }
        c = LIST_ENTRY(link, struct contact, dirty);
        if (!contact_write(c)) {
            return false;
        }
        contact_settle(c);
    }
    return list_is_empty(list);
}

static void sweep(struct wheel_timer *timer, void *ctx)
{
    struct presence *p = ctx;

    (void)timer;
    if (!write_some(&p->dirty)) {
        arm_sweep(p, p->is_full ? retry_ms(p) : PRESENCE_SLICE_MS);
    }
}

void authorise_hurry(struct presence *p)
{
    if (!list_is_empty(&p->dirty)) {
        wheel_arm(p->wheel, &p->dirty_timer, p->ops->now_ms(p->ctx), sweep, p);
    }
}

/* The store takes nothing for so long that those who wait for a grant are told so. */
static void give_up(struct presence *p)
{
    uint32_t count = p->stats.dirty;
    struct list *link;

    while (count-- > 0 && (link = list_first(&p->urgent)) != NULL) {
        struct contact *c = LIST_ENTRY(link, struct contact, dirty);
        uint8_t wants = c->wants;

        c->wants = 0;
        set_dirt(c, CONTACT_DIRTY);
        if (wants & CONTACT_WANTS_GRANT) {
            p->stats.store_refused++;
            tell_granted(c, ERR_FULL);
        }
        admin_give_up(c, ERR_FULL);
        contact_settle(c);
    }
}

static void retry(struct wheel_timer *timer, void *ctx)
{
    struct presence *p = ctx;

    (void)timer;
    if (write_some(&p->urgent)) {
        return;
    }
    if (is_stuck(p)) {
        give_up(p);
    }
    if (!list_is_empty(&p->urgent)) {
        arm_retry(p);
    }
}

bool presence_flush(struct presence *p)
{
    presence_check(p);
    do {
        p->is_full = false;
        write_some(&p->urgent);
        write_some(&p->dirty);
    } while (!p->is_full && !(list_is_empty(&p->urgent) && list_is_empty(&p->dirty)));
    return list_is_empty(&p->urgent) && list_is_empty(&p->dirty) && list_is_empty(&p->rows);
}

void authorise_init(struct presence *p)
{
    list_init(&p->dirty);
    list_init(&p->urgent);
    list_init(&p->rows);
    p->dirty_ms = PRESENCE_DIRTY_MS;
}

void authorise_deinit(struct presence *p)
{
    struct list *link;

    while ((link = list_pop_front(&p->rows)) != NULL) {
        struct contact_row *r = LIST_ENTRY(link, struct contact_row, link);

        r->contact->is_on_way = false;
        r->contact->dirty = (struct list){0};
        pool_free(r);
    }
    wheel_disarm(p->wheel, &p->dirty_timer);
    wheel_disarm(p->wheel, &p->retry_timer);
}
