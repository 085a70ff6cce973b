/* SPDX-License-Identifier: GPL-2.0-or-later */
/* puppet: both machines replaced by one that does what the test says, for tests of what lies below
 * them. Linked before the room, so its objects of these names are not taken. Its whole state is one
 * number per contact (0 = at rest), which it packs and claims as dialogs. */
#ifndef FG_TEST_PRESENCE_PUPPET_H
#define FG_TEST_PRESENCE_PUPPET_H

#include "fixture.h"
#include "presence/contact.h"

#define PUPPET_EVENTS(X)                                                                           \
    X(STANZA)                                                                                      \
    X(UNDELIVERED)                                                                                 \
    X(SEEN)                                                                                        \
    X(MESSAGE) /* SUBSCRIBE or NOTIFY; answered 200 before act */                                  \
    X(RESPONSE)                                                                                    \
    X(GRANTED)                                                                                     \
    X(DUE)                                                                                         \
    X(PACED)                                                                                       \
    X(REVIEW)                                                                                      \
    X(ORDER)                                                                                       \
    X(STORED)                                                                                      \
    X(LOADED)                                                                                      \
    X(HOP_SEEN)
enum puppet_event {
#define X(name) PUPPET_##name,
    PUPPET_EVENTS(X)
#undef X
        PUPPET_EVENT_COUNT
};

struct puppet {
    uint32_t count[PUPPET_EVENT_COUNT];
    int64_t arg[PUPPET_EVENT_COUNT]; /* of the last one: type, is_reachable, status, err, order */
    /* What to do; NULL = nothing. */
    void (*act)(struct contact *c, enum puppet_event event, int64_t arg);
    uint32_t live; /* contacts between init and deinit */
};
extern struct puppet puppet;

uint8_t puppet_number(const struct contact *c);
void puppet_set(struct contact *c, uint8_t number);

#endif
