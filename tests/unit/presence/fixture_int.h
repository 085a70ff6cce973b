/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fixture_int: what fixture.c and fixture_ops.c share. */
#ifndef FG_TEST_PRESENCE_FIXTURE_INT_H
#define FG_TEST_PRESENCE_FIXTURE_INT_H

#include "fixture.h"

#define FIXTURE_TEXT_BYTES_MAX (1u << 20)

struct row_on_way {
    struct list link;
    uint64_t ticket;
    bool is_deleted;
    struct kept_row *row; /* owned */
};

extern const struct presence_ops fixture_ops;

void fixture_said_free(struct said *s);
void fixture_forget_list(struct list *list);
void fixture_row_free(struct kept_row *r);
/* Where its row lies on the disk. */
struct slice fixture_put_key(struct buf *out, enum contact_direction direction,
                             const struct presence_pair *pair);
/* The row became durable; it is taken over. */
void fixture_keep(struct fixture *f, struct row_on_way *w);

#endif
