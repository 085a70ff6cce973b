/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lines: the connections of a party. */
#include "load/lines.h"

#include "base/err.h"
#include "base/pool.h"

void *lines_new(struct stage *st, enum side side, uint32_t count, size_t bytes)
{
    struct lines *l = pool_heap_zalloc(bytes);
    const char *fault = reader_forms_init(&l->forms, st->plan);

    l->stage = st;
    l->side = side;
    l->count = count;
    l->dialled = pool_heap_zalloc((count + 1) * sizeof(struct wire *));
    list_init(&l->accepted);
    if (fault) {
        stage_fail(st, "%s", fault);
    }
    return l;
}

void lines_free(void *party)
{
    struct lines *l = party;

    reader_forms_deinit(&l->forms);
    pool_heap_free(l->dialled);
    pool_heap_free(l);
}

/* --- one connection --- */

void lines_dial(struct lines *l, uint32_t line, struct wire_params how)
{
    how.lines = l;
    how.line = line;
    l->dialled[line] = wire_dial(&how);
}

void lines_accept(struct lines *l, struct conn *c, struct wire_params how)
{
    how.lines = l;
    wire_accept(&how, c);
}

void lines_gone(struct wire *w, const char *text)
{
    struct lines *l = w->lines;

    if (w->is_dialled && l->dialled[w->line] == w) {
        l->dialled[w->line] = NULL;
        if (!text) {
            stage_closed(l->stage, l->side, w->line);
        }
    }
    if (text) {
        stage_fail(l->stage, "%s", text);
    }
}

struct wire *lines_of_flow(const struct lines *l, uint32_t flow)
{
    return l->dialled[flow % l->count];
}

/* --- for party_kind --- */

uint32_t lines_none(const struct plan *plan, enum side side)
{
    (void)plan;
    (void)side;
    return 0;
}

const struct sockaddr_in *lines_nowhere(const struct plan *plan, enum side side)
{
    (void)plan;
    (void)side;
    return NULL;
}

void lines_refuse(void *party, struct conn *c)
{
    (void)party;
    conn_abort(c, ERR_STATE, "nobody is expected here");
}

/* NULL: it is not open, or being closed already. */
static struct wire *open_line(void *party, uint32_t line)
{
    const struct lines *l = party;
    struct wire *w = l->dialled[line];

    return w && w->state == WIRE_READY ? w : NULL;
}

void lines_close_stream(void *party, uint32_t line)
{
    struct wire *w = open_line(party, line);

    if (w) {
        wire_put(w, SLICE_LIT("</stream:stream>"));
        wire_set_state(w, WIRE_CLOSING);
    }
}

void lines_close(void *party, uint32_t line)
{
    struct wire *w = open_line(party, line);

    if (w) {
        wire_set_state(w, WIRE_ENDED);
        wire_end(w);
    }
}

bool lines_write(void *party, const struct schedule_order *order)
{
    struct wire *w = lines_of_flow(party, order->flow);

    return w && wire_write(w, order);
}

void lines_hold(void *party, bool is_held, bool first_only)
{
    const struct lines *l = party;
    bool is_done = false;

    for (uint32_t i = 0; i < l->count && !is_done; i++) {
        if (l->dialled[i] && l->dialled[i]->is_receiving) {
            wire_hold(l->dialled[i], is_held);
            is_done = first_only;
        }
    }
    for (struct list *at = l->accepted.next; at != &l->accepted && !is_done; at = at->next) {
        struct wire *w = LIST_ENTRY(at, struct wire, all);

        if (w->is_receiving) {
            wire_hold(w, is_held);
            is_done = first_only;
        }
    }
}
