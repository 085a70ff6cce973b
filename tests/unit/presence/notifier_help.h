/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_help: bob@corp.example (SIP) watches ann@chat.example (XMPP), on the fixture: SUBSCRIBEs
 * of bob's devices, ann's stanzas, and everything that was said as one line of text. */
#ifndef FG_TEST_NOTIFIER_HELP_H
#define FG_TEST_NOTIFIER_HELP_H

#include "fixture.h"
#include "presence/notifier_int.h"

#define BOB "bob@corp.example"
#define ANN "ann@chat.example"

/* A device of bob's: its dialog as far as it knows it. */
struct device {
    const char *call_id;
    uint32_t cseq;
    char to_tag[64]; /* "" until it has seen a NOTIFY */
};

void scene_start(struct fixture *f);
void scene_stop(struct fixture *f);

/* A SUBSCRIBE with these lines besides the usual ones (Expires, Event, Accept are in `lines` or not
 * there); in the dialog if the device knows its tag. Returns the status of the answer, which is
 * *answer (may be NULL) until told(). */
unsigned subscribe_raw(struct fixture *f, struct device *d, const char *lines,
                       struct said **answer);
/* Event: presence, Accept: pidf, Expires as given; the device learns its tag from the NOTIFY. */
unsigned subscribe(struct fixture *f, struct device *d, const char *expires);
/* Answers all NOTIFYs in flight, and those that follow at once, with 200. */
void accept_all(struct fixture *f);
/* <presence type='..' from='ann@chat.example[/resource]' to='bob..'>inner</presence> */
void from_ann(struct fixture *f, const char *type, const char *resource, const char *inner);

/* What was said since the last time, in order of kind: answers ("200"), NOTIFYs in flight
 * ("N:pending", "N:active+body", "N:terminated;reason=timeout+body"; those seen before are left
 * out), stanzas ("subscribe"), the contact (" = granted/2": state, lasting dialogs). Forgets it. */
const char *told(struct fixture *f);

struct contact *contact_of(struct fixture *f);
/* The document of a NOTIFY; empty = none. */
struct slice body_of(const struct said *request);
bool says(const struct said *request, const char *text);
/* The newest NOTIFY in flight, or NULL. */
struct said *last_notify(struct fixture *f);

/* bob's device watches (Expires as given), ann has not answered; nothing is in flight. */
void begin_asking(struct fixture *f, struct device *d, const char *expires);
/* and she granted it and sits at her desk, which bob knows; 31 s have gone. */
void begin_granted(struct fixture *f, struct device *d, const char *expires);

/* and she is there twice: away on her phone, at work at her desk. A NOTIFY may be in flight. */
void begin_two_resources(struct fixture *f, struct device *d);
/* Tuples with this basic status in a document. */
unsigned tuples(const struct said *s, const char *basic);

#endif
