/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schedule: which flow sends how many stanzas now. */
#include "load/schedule.h"

#include "base/check.h"
#include "base/pool.h"

static const double ns_per_s = 1e9;

/* A flow that rests. All rest equally long, so the first to begin is the first to end. */
struct resting {
    uint32_t flow;
    uint64_t until_ns;
};

struct schedule {
    struct books *books; /* borrowed */
    struct schedule_params params;
    uint32_t flow_count; /* of this schedule */
    uint32_t from, until; /* flows that may send */
    uint64_t quota;
    /* BULK, FAN: flows that may be able to send; each at most once */
    uint32_t *queue; /* owned; ring of flow_count */
    uint32_t queue_head;
    uint32_t queue_count;
    bool *is_queued; /* owned; by flow / flow_step; resting ones, too */
    /* FAN with rest_ns: the others rest, or wait to be ready */
    struct resting *rest; /* owned; ring of flow_count; NULL = nobody rests */
    uint32_t rest_head;
    uint32_t rest_count;
    /* ONE, OPEN: whose turn it is */
    uint32_t turn;
    uint32_t current;    /* ONE: whose stanza is on its way */
    bool is_flying;      /* ONE */
    bool is_blocked;     /* ONE, OPEN: until something is ready */
    uint32_t misses;     /* ONE, OPEN: orders put back in a row */
    bool was_put_back;
    uint64_t start_ns;   /* OPEN */
    uint64_t ordered;    /* OPEN: since the start */
};

static uint32_t idx_of(const struct schedule *s, uint32_t flow)
{
    return (flow - s->params.flow_first) / s->params.flow_step;
}

static uint32_t flow_of(const struct schedule *s, uint32_t idx)
{
    return s->params.flow_first + idx * s->params.flow_step;
}

struct schedule *schedule_new(struct books *books, const struct schedule_params *params)
{
    struct schedule *s = pool_heap_zalloc(sizeof(*s));

    ASSERT(params->flow_step > 0);
    s->books = books;
    s->params = *params;
    if (params->flow_first < books->flow_count) {
        s->flow_count =
            (books->flow_count - params->flow_first + params->flow_step - 1) / params->flow_step;
    }
    s->queue = pool_heap_zalloc((s->flow_count + 1) * sizeof(*s->queue));
    s->is_queued = pool_heap_zalloc((s->flow_count + 1) * sizeof(*s->is_queued));
    if (params->rest_ns > 0) {
        s->rest = pool_heap_zalloc((s->flow_count + 1) * sizeof(*s->rest));
    }
    return s;
}

void schedule_free(struct schedule *s)
{
    if (s) {
        pool_heap_free(s->queue);
        pool_heap_free(s->is_queued);
        pool_heap_free(s->rest);
        pool_heap_free(s);
    }
}

static void push(struct schedule *s, uint32_t flow)
{
    uint32_t idx = idx_of(s, flow);

    if (!s->is_queued[idx]) {
        s->is_queued[idx] = true;
        s->queue[(s->queue_head + s->queue_count) % s->flow_count] = flow;
        s->queue_count++;
    }
}

static uint32_t pop(struct schedule *s)
{
    uint32_t flow = s->queue[s->queue_head];

    s->queue_head = (s->queue_head + 1) % s->flow_count;
    s->queue_count--;
    s->is_queued[idx_of(s, flow)] = false;
    return flow;
}

/* It may not be in the queue. */
static void lie_down(struct schedule *s, uint32_t flow, uint64_t until_ns)
{
    s->is_queued[idx_of(s, flow)] = true;
    s->rest[(s->rest_head + s->rest_count) % s->flow_count] = (struct resting){flow, until_ns};
    s->rest_count++;
}

/* Those that have rested may send. */
static void rise(struct schedule *s, uint64_t now_ns)
{
    while (s->rest_count > 0 && s->rest[s->rest_head].until_ns <= now_ns) {
        uint32_t flow = s->rest[s->rest_head].flow;

        s->rest_head = (s->rest_head + 1) % s->flow_count;
        s->rest_count--;
        s->is_queued[idx_of(s, flow)] = false;
        push(s, flow);
    }
}

static bool is_within(const struct schedule *s, uint32_t flow)
{
    return flow >= s->from && flow < s->until && flow >= s->params.flow_first &&
           (flow - s->params.flow_first) % s->params.flow_step == 0;
}

void schedule_start(struct schedule *s, uint64_t now_ns, uint64_t quota, uint32_t from,
                    uint32_t until)
{
    s->quota = quota;
    s->from = from;
    s->until = until < s->books->flow_count ? until : s->books->flow_count;
    s->start_ns = now_ns;
    s->ordered = 0;
    s->is_blocked = false;
    s->turn = 0;
    for (uint32_t i = 0; i < s->flow_count; i++) {
        if (s->rest && is_within(s, flow_of(s, i)) && !s->is_queued[i]) {
            lie_down(s, flow_of(s, i), now_ns + s->params.rest_ns / s->flow_count * i);
        } else {
            schedule_ready(s, flow_of(s, i));
        }
    }
}

void schedule_stop(struct schedule *s)
{
    s->quota = 0;
}

void schedule_ready(struct schedule *s, uint32_t flow)
{
    s->is_blocked = false;
    if (s->quota > 0 && is_within(s, flow) && s->params.kind != SCHEDULE_OPEN) {
        push(s, flow);
    }
}

/* Stanzas that the flow may send in one write now. */
static uint32_t allowance(const struct schedule *s, uint32_t flow)
{
    uint64_t batch = s->params.kind == SCHEDULE_BULK ? s->params.batch : 1;
    uint64_t flying = books_in_flight(s->books, flow);

    batch = batch < s->quota ? batch : s->quota;
    batch = batch < s->params.window ? batch : s->params.window;
    if (flying + batch > s->params.window || books_room(s->books, flow) < batch) {
        return 0;
    }
    return (uint32_t)batch;
}

static bool next_closed(struct schedule *s, uint64_t now_ns, struct schedule_order *out)
{
    rise(s, now_ns);
    while (s->queue_count > 0 && s->quota > 0) {
        uint32_t flow = pop(s);
        uint32_t count = allowance(s, flow);

        if (count > 0) {
            s->quota -= count;
            if (s->rest) {
                lie_down(s, flow, now_ns + s->params.rest_ns);
            } else {
                push(s, flow); /* at the end: perhaps once more, in its turn */
            }
            *out = (struct schedule_order){flow, count, now_ns};
            return true;
        }
    }
    return false;
}

/* The next of those that may send, from s->turn on; false = there is none. */
static bool next_turn(struct schedule *s, uint32_t *flow)
{
    for (uint32_t i = 0; i < s->flow_count; i++) {
        *flow = flow_of(s, s->turn);
        s->turn = (s->turn + 1) % s->flow_count;
        if (is_within(s, *flow)) {
            return true;
        }
    }
    return false;
}

static bool next_one(struct schedule *s, uint64_t now_ns, struct schedule_order *out)
{
    if (s->is_flying && books_in_flight(s->books, s->current) > 0) {
        return false;
    }
    s->is_flying = false;
    if (s->is_blocked || s->quota == 0 || !next_turn(s, &s->current)) {
        return false;
    }
    s->is_flying = true;
    s->quota--;
    *out = (struct schedule_order){s->current, 1, now_ns};
    return true;
}

static uint64_t open_due_ns(const struct schedule *s)
{
    return s->start_ns + (uint64_t)((double)s->ordered * ns_per_s / s->params.rate);
}

static bool next_open(struct schedule *s, uint64_t now_ns, struct schedule_order *out)
{
    uint64_t due = open_due_ns(s);
    uint32_t flow;

    if (s->is_blocked || s->quota == 0 || due > now_ns) {
        return false;
    }
    for (uint32_t i = 0; i < s->flow_count; i++) {
        if (next_turn(s, &flow) && books_room(s->books, flow) > 0) {
            s->quota--;
            s->ordered++;
            *out = (struct schedule_order){flow, 1, due};
            return true;
        }
    }
    s->is_blocked = true;
    return false;
}

bool schedule_next(struct schedule *s, uint64_t now_ns, struct schedule_order *out)
{
    s->misses = s->was_put_back ? s->misses : 0;
    s->was_put_back = false;
    switch (s->params.kind) {
    case SCHEDULE_BULK:
    case SCHEDULE_FAN:
        return next_closed(s, now_ns, out);
    case SCHEDULE_ONE:
        return next_one(s, now_ns, out);
    case SCHEDULE_OPEN:
        return next_open(s, now_ns, out);
    }
    UNREACHABLE("kind of schedule");
}

void schedule_put_back(struct schedule *s, const struct schedule_order *order)
{
    s->quota += order->count;
    if (s->params.kind == SCHEDULE_BULK || s->params.kind == SCHEDULE_FAN) {
        /* It is the one at the end. */
        s->rest_count -= s->rest ? 1 : 0;
        s->queue_count -= s->rest ? 0 : 1;
        s->is_queued[idx_of(s, order->flow)] = false;
        return;
    }
    /* The next flow takes its place; when none can, all wait. */
    s->was_put_back = true;
    s->misses++;
    s->is_blocked = s->misses >= s->flow_count;
    if (s->params.kind == SCHEDULE_OPEN) {
        s->ordered--;
    } else {
        s->is_flying = false;
    }
}

uint64_t schedule_due_ns(const struct schedule *s)
{
    if (s->quota > 0 && s->rest_count > 0) {
        return s->rest[s->rest_head].until_ns;
    }
    if (s->params.kind != SCHEDULE_OPEN || s->quota == 0 || s->is_blocked) {
        return SCHEDULE_NEVER;
    }
    return open_due_ns(s);
}

uint64_t schedule_left(const struct schedule *s)
{
    return s->quota;
}
