/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_lines: connections of a SIP side, TCP or TLS: bytes in, messages out to `take`; pings are
 * answered. A SIP kind's object begins with struct sip_lines; functions with `void *party` stand in
 * its party_kind as they are. How lines are made, numbered, closed, held: lines.h. One shard. A
 * wire's own: its struct sip_framer (pool). */
#ifndef FG_LOAD_SIP_LINES_H
#define FG_LOAD_SIP_LINES_H

#include "load/lines.h"
#include "sip/framer.h"

#define SIP_LINES_SENT_BY_BYTES 64u

struct sip_lines {
    struct lines lines;
    /* A whole message has come; valid until it returns. */
    void (*take)(struct wire *w, const struct sip_msg *m);
    /* A dialled line can be written again. */
    void (*writable)(struct wire *w);
};

void sip_lines_open(void *party, uint32_t line);
void sip_lines_accepted(void *party, struct conn *c);

/* Where the side is reached: "192.0.2.1:5060", for Via and Contact. */
void sip_lines_sent_by(const struct plan *plan, char out[SIP_LINES_SENT_BY_BYTES]);
/* A number that no run before has had, for branches and tags. */
uint32_t sip_lines_run(struct stage *st);
/* The start line: what is shown of a message. */
struct slice sip_lines_start_of(const struct sip_msg *m);

#endif
