/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_help: ann@chat.example (XMPP) watches bob@corp.example (SIP), on the fixture: her
 * stanzas, the notifier's responses and NOTIFYs, and everything that was said as one line. */
#ifndef FG_TEST_SUBSCRIBER_HELP_H
#define FG_TEST_SUBSCRIBER_HELP_H

#include <criterion/criterion.h>

#include "fixture.h"
#include "presence/subscriber_int.h"

#define BOB "bob@corp.example"
#define ANN "ann@chat.example"

/* What was said since the last time is exactly this. */
#define EXPECT_SAID(s, text) cr_expect_str_eq(said(s), (text), "line %d: %s", __LINE__, (s)->said)

#define PIDF_HEAD                                                                                  \
    "<?xml version='1.0' encoding='UTF-8'?>"                                                       \
    "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='pres:bob@corp.example'>"
#define TUPLE(id, basic) "<tuple id='ID-" id "'><status><basic>" basic "</basic></status></tuple>"
#define PIDF_TAIL        "</presence>"
#define PIDF_OPEN        PIDF_HEAD TUPLE("a1", "open") PIDF_TAIL
#define PIDF_CLOSED      PIDF_HEAD TUPLE("a1", "closed") PIDF_TAIL

struct scene {
    struct fixture f;
    /* of the last SUBSCRIBE without To tag */
    char call_id[64];
    char local_tag[64];
    uint32_t cseq;   /* of the notifier's last NOTIFY */
    unsigned status; /* what the last NOTIFY was answered */
    char said[4096];
};

void scene_start(struct scene *s);
void scene_stop(struct scene *s);

/* <presence type='..' from='ann@chat.example' to='bob@corp.example'/>; type NULL = available. */
void ann(struct scene *s, const char *type);

/* bob may see ann as well, so that her presence is known. */
void watch_back(struct scene *s);

/* The oldest SUBSCRIBE in flight; the test fails if there is none. */
struct said *subscribe_in_flight(struct scene *s);
bool is_in_flight(struct scene *s);
/* Answers it. 2xx have Expires and Contact of their own; fields: more header lines. */
void respond(struct scene *s, unsigned status, const char *fields);
void respond_tagged(struct scene *s, unsigned status, const char *tag, const char *fields);
/* NOTIFY of the notifier with this tag in the dialog of the last new SUBSCRIBE. state: value of
 * Subscription-State; body "" = none. Returns the status it is answered. */
unsigned notify_as(struct scene *s, const char *tag, const char *state, const char *body);
unsigned notify(struct scene *s, const char *state, const char *body); /* tag "n1" */
/* Lines: header fields and body written by the test, for what is wrong about them. */
unsigned notify_raw(struct scene *s, const char *to_tag, const char *from_tag, uint32_t cseq,
                    const char *lines, const char *body);

/* Lets time pass while a good notifier answers every SUBSCRIBE with 200 and a NOTIFY of this
 * state, PIDF_OPEN if it is active. */
void live(struct scene *s, uint32_t seconds, const char *state);

/* Seconds until a SUBSCRIBE is out, at most so many. */
uint32_t until_subscribe(struct scene *s, uint32_t max_s);

/* What was said since the last time: answers to NOTIFY ("481"), SUBSCRIBEs sent ("new", "refresh",
 * "end"), stanzas ("subscribed", "available/a1", "unavailable"), state of the machine and of the
 * contact: "481 end subscribed = active/granted". */
const char *said(struct scene *s);
struct contact *contact_of(struct scene *s);
enum subscriber_state state_of(struct scene *s); /* NONE where there is no contact */
/* The next stanza must have all of these pieces (NULL ends). */
void expect_stanza(struct scene *s, ...);
void expect_silence(struct scene *s);

/* Into a state by the shortest way; said() begins after it. */
void enter(struct scene *s, enum subscriber_state state);

#endif
