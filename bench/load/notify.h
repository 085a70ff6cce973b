/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify: the SIP side of presence (RFC 6665, RFC 3856) behind the measured server, over TCP or
 * TLS. As source a presence server: it takes the SUBSCRIBEs of the measured server, grants each at
 * once, and tells in NOTIFYs what its users show. As sink the users' phones: they SUBSCRIBE to the
 * partners' users and check what they are notified of. notify.c: the kind, responses;
 * notify_source.c, notify_sink.c: requests. Connections: sip_lines.h. Private to the three.
 *
 * It dials --sip-lines connections; requests of a flow go out on one of them, one under way at a
 * time. Requests of the server are taken on these and on what it dials. A flow has one dialog: one
 * that the server begins anew takes the place of the one before. Subscriptions last --expires; a
 * sink refreshes its own after three quarters of what was granted. */
#ifndef FG_LOAD_NOTIFY_H
#define FG_LOAD_NOTIFY_H

#include "base/wheel.h"
#include "load/dialog.h"
#include "load/pidf.h"
#include "load/sip_lines.h"

#define NOTIFY_RUN_DIGITS 8u
#define NOTIFY_TAG_BYTES  32u

enum notify_phase {
    NOTIFY_NONE,
    NOTIFY_ASKED,  /* sink: SUBSCRIBE is out, nothing is known of the user yet */
    NOTIFY_ACTIVE, /* source: there is a dialog; sink: and what the user shows is known */
    NOTIFY_ENDING, /* its end is asked for (sink), told (source) */
    NOTIFY_ENDED,
};

struct notify_flow {
    struct notify_party *party; /* borrowed */
    struct wheel_timer timer;   /* sink: refresh */
    struct dialog dialog;
    uint32_t flow;
    uint32_t asked;        /* CSeq of our request under way; 0 = none */
    uint64_t asked_number; /* source: 1 + the number that it carries for the first time; 0 = none */
    uint64_t number;       /* 1 + that of the state shown (source), told last (sink); 0 = none */
    uint64_t expires_ns;   /* source: when the subscription ends unless it is refreshed */
    enum notify_phase phase;
    bool is_owed; /* source: a NOTIFY in answer to a SUBSCRIBE, once none is under way */
    uint32_t fetches; /* source: SUBSCRIBEs that ask once, outside of any dialog of ours */
};
/* CSeq of the one NOTIFY that a fetch is answered with: above those of dialogs. */
#define NOTIFY_FETCH_CSEQ 1000000000u

struct notify_party {
    struct sip_lines base;
    struct pidf pidf;
    struct notify_flow *flows; /* owned; by flow */
    char sent_by[SIP_LINES_SENT_BY_BYTES];
    char run[NOTIFY_RUN_DIGITS + 1]; /* tells this run's dialogs from those before */
};

static inline struct notify_party *notify_of(const struct wire *w)
{
    return CONTAINER_OF(w->lines, struct notify_party, base.lines);
}

/* The line of the flow, with room for a request; NULL = not now. */
struct wire *notify_line(const struct notify_party *p, uint32_t flow);
/* Our tag in the dialogs of a flow. */
void notify_tag(const struct notify_party *p, uint32_t flow, char out[NOTIFY_TAG_BYTES]);
/* The flow of sip:u00007@<host>. */
bool notify_user(const struct sip_uri *uri, struct slice host, uint32_t *flow);
/* Writes the start of a request of the flow with branch, addresses and our Contact; in its dialog,
 * or without one (to the partner's user). It is the one under way; the caller writes the rest. */
void notify_begin(struct notify_flow *f, struct wire *w, enum sip_method method);
/* A response; with a 2xx to SUBSCRIBE our Contact, the routes, and how long it lasts. */
void notify_answer(struct wire *w, const struct sip_msg *m, unsigned status);
void notify_answer_subscribe(struct wire *w, const struct sip_msg *m, uint32_t flow,
                             uint32_t expires_s);

void notify_source_take(struct wire *w, const struct sip_msg *m); /* SUBSCRIBE */
void notify_source_response(struct notify_flow *f, const struct sip_msg *m);
void notify_source_writable(struct wire *w);
bool notify_source_write(void *party, const struct schedule_order *order);

void notify_sink_take(struct wire *w, const struct sip_msg *m); /* NOTIFY */
void notify_sink_response(struct notify_flow *f, const struct sip_msg *m);
bool notify_sink_watch(void *party, uint32_t flow);
bool notify_sink_unwatch(void *party, uint32_t flow);

#endif
