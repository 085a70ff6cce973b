/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_kit: states out of short texts and back, for the tests of presence. */
#ifndef FG_TESTS_PRESENCE_KIT_H
#define FG_TESTS_PRESENCE_KIT_H

#include <criterion/criterion.h>

#include "translate/pidf.h"
#include "translate/presence.h"
#include "xml/parser.h"

/* Fri, 20 Nov 2026 12:00:00 GMT */
#define NOW INT64_C(1795176000)

/* A state as one line: "desk:dnd,5,i60,[en]At desk; phone:away". Idle and stamps are told in
 * seconds before NOW, stamps (s60) only if they are neither NOW nor 0. For cr_assert. */
const char *state_text(const struct presence_state *state);
void expect_state(const struct presence_state *state, const char *want, const char *what);

struct presence_item item_make(const char *resource, enum presence_show show);

/* bob@corp.example */
const struct jid *bob(void);
/* Reads with a reader of its own that lives until the next call. type NULL: PIDF. */
enum pidf_why read_as(struct presence_state *state, const char *type, struct slice bytes,
                      const struct presence_state *before);
/* PIDF about bob with this inside of <presence>, which declares dm and rpid. */
enum pidf_why read_inside(struct presence_state *state, const char *inside,
                          const struct presence_state *before);
void expect_inside(const char *inside, const char *want);

/* The element as a stanza of a client's stream; valid until the next call. */
const struct stanza *stanza_of(const char *xml);

/* pidf_write to a text that lives until the next call. */
const char *written(const struct presence_state *state, enum pidf_profile profile,
                    bool with_notes);

#endif
