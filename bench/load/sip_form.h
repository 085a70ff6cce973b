/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_form: the MESSAGE (RFC 3428) of a flow and a number, as a SIP source writes it, and what a
 * sink demands of one that arrives: Request-URI, From, type and text. One template for all: texts
 * that differ stand at fixed places in fixed widths (holes).
 *   MESSAGE sip:u00007@p00003.fan.test   From: <sip:u00007@app.corp.test>;tag=...
 *   Via ...;branch=z9hG4bK<run>x00007-0000000042   text: payload.h
 * The text is as long as that of a stanza of the plan's size, so that both ways carry the same.
 * Any thread after sip_form_init; no state.                                                      */
#ifndef FG_LOAD_SIP_FORM_H
#define FG_LOAD_SIP_FORM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"
#include "load/plan.h"
#include "sip/msg.h"

#define SIP_FORM_HOLES_MAX 32u
#define SIP_FORM_RUN_DIGITS 8u

struct sip_form {
    char *bytes; /* owned */
    uint32_t len;
    uint32_t body_bytes;
    uint32_t hole_count;
    struct {
        uint32_t at;
        char kind; /* sip_form.c */
    } holes[SIP_FORM_HOLES_MAX];
    char run[SIP_FORM_RUN_DIGITS + 1]; /* tells this run's transactions from those before */
    const struct plan *plan;           /* borrowed */
};

/* sent_by: for Via; run: any number that is new each time. 0, or a text for people. */
const char *sip_form_init(struct sip_form *f, const struct plan *plan, const char *sent_by,
                          uint32_t run);
void sip_form_deinit(struct sip_form *f);
/* Writes f->len bytes. */
void sip_form_write(const struct sip_form *f, char *to, uint32_t flow, uint64_t seq);

/* The transaction a response answers (RFC 3261 17.1.3: branch and method). False: none of this
 * run's. */
NODISCARD bool sip_form_answered(const struct sip_form *f, const struct sip_msg *response,
                                 uint32_t *flow, uint64_t *seq);
/* What is wrong with a MESSAGE that came from the partners' side: static text; NULL = nothing. */
const char *sip_form_fault(const struct sip_form *f, const struct sip_msg *m, uint32_t *flow,
                           uint64_t *seq);

#endif
