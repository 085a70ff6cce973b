/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim_tls: what a simulated kernel's socket does when its records are protected by that kernel:
 * real records, so that the other end may be such a kernel or a session in user space. */
#ifndef FG_TEST_SIM_TLS_H
#define FG_TEST_SIM_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "io/ktls.h"
#include "tls/record.h"

struct sim_tls {
    bool is_attached;
    struct record_side *in;  /* owned; NULL = no keys */
    struct record_side *out; /* owned */
    struct buf held;         /* content of the record that is being read */
    uint8_t held_type;       /* 0 = none is */
    struct buf cut;          /* what a short send has put into a record that is not closed */
    int error;               /* a record could not be opened: for good */
};

void sim_tls_init(struct sim_tls *t);
void sim_tls_deinit(struct sim_tls *t);
/* As ktls_attach, ktls_set_*. */
int sim_tls_attach(struct sim_tls *t);
int sim_tls_set(struct sim_tls *t, bool is_out, const struct ktls_keys *keys);
/* Takes plain; the record is closed, and appended to wire, if is_last. */
void sim_tls_seal(struct sim_tls *t, uint8_t type, struct slice plain, bool is_last,
                  struct buf *wire);
/* Opens the next record of wire into held if none is there and a whole one has come. 0, -EBADMSG.
 */
int sim_tls_open(struct sim_tls *t, struct buf *wire);
/* Takes from held. */
size_t sim_tls_take(struct sim_tls *t, char *bytes, size_t len);

#endif
