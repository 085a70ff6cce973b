/* SPDX-License-Identifier: GPL-2.0-or-later */
/* component_int: the accepting side of XEP-0114 from inside, shared by component.c (states,
 * stanzas, time) and component_open.c (up to the handshake; how it ends). */
#ifndef FG_XMPP_COMPONENT_INT_H
#define FG_XMPP_COMPONENT_INT_H

#include "base/attr.h"
#include "base/check.h"
#include "xml/parser.h"
#include "xmpp/component.h"

#define COMPONENT_MAGIC     0x58635031u
#define COMPONENT_WHY_BYTES 256u
#define COMPONENT_ID_CHARS  32u /* 128 random bits */

enum component_wait { COMPONENT_WAIT_ESTABLISH, COMPONENT_WAIT_NONE, COMPONENT_WAIT_CLOSE };

#define ENDS (S(CLOSING) | S(DEAD))
/* name, what bounds the stay, what it waits for, allowed successors */
#define COMPONENT_STATES(X)                                                                        \
    X(OPENING, ESTABLISH, "the stream header", S(HANDSHAKE) | ENDS)                                \
    X(HANDSHAKE, ESTABLISH, "the handshake", S(PROVED) | ENDS)                                     \
    X(PROVED, ESTABLISH, "being accepted", S(OPEN) | ENDS)                                         \
    X(OPEN, NONE, "stanzas", ENDS)                                                                 \
    X(CLOSING, CLOSE, "the component to close", S(DEAD))                                           \
    X(DEAD, NONE, "nothing", 0u)

enum component_state {
#define X(name, wait, text, next) COMPONENT_STATE_##name,
    COMPONENT_STATES(X)
#undef X
};

enum {
#define S(name)                   (1u << COMPONENT_STATE_##name)
#define X(name, wait, text, next) COMPONENT_NEXT_##name = (next),
    COMPONENT_STATES(X)
#undef X
#undef S
};

struct component {
    uint32_t magic;
    enum component_state state; /* component_set_state only */
    struct component_params params;
    struct xml_parser *parser; /* owned */
    struct jid_storage domain_mem;
    struct slice domain; /* into domain_mem; empty before the header */
    char id[COMPONENT_ID_CHARS];
    bool is_header_written;
    bool is_accepted;
    uint64_t now_ms;
    uint64_t establish_by_ms;
    uint64_t state_by_ms;
    uint64_t keepalive_by_ms;
    char why[COMPONENT_WHY_BYTES];
};

#define COMPONENT_CHECK(c) ASSERT((c)->magic == COMPONENT_MAGIC)

/* component.c */
void component_set_state(struct component *c, enum component_state next);

/* component_open.c */
enum component_event_kind component_on_header(struct component *c, const struct xml_tree *t,
                                              struct component_event *ev);
enum component_event_kind component_on_handshake(struct component *c, const struct xml_tree *t,
                                                 struct component_event *ev);

/* How a stream ends. */
struct component_ending {
    enum stream_step step;
    enum stream_condition condition;
    const char *app;
    bool is_timeout;
};
#define COMPONENT_ENDING(step_, condition_)                                                        \
    (&(struct component_ending){.step = STREAM_STEP_##step_,                                       \
                                .condition = STREAM_CONDITION_##condition_})

/* The closing tag, behind an error where there is one, and a header where none was written. */
void component_put_end(struct component *c, enum stream_condition condition, const char *text,
                       const char *app);
/* Ends it with that text; fills ev->failure. */
enum component_event_kind PRINTF_LIKE(4, 5)
    component_fail(struct component *c, struct component_event *ev,
                   const struct component_ending *how, const char *fmt, ...);

#endif
