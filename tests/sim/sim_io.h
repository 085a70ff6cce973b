/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim_io: an io backend in memory, with virtual time and a kernel that does everything it may do,
 * in the worst way: operations complete in any order and as late as it likes, sends are short,
 * receives end early with data, cancels come too late, buffers are short, queues are full,
 * descriptors run out, connections break. One thread, one world, one seed: every run can be
 * repeated. Each fault has a knob (n: one time in n; 0 = never) and a counter. */
#ifndef FG_TEST_SIM_IO_H
#define FG_TEST_SIM_IO_H

#include <stdbool.h>
#include <stdint.h>

#include "io/io.h"

#define SIM_FAULTS(FAULT)                                                              \
    FAULT(BUSY)       /* an operation finds no room in the queue */                    \
    FAULT(SHORT_RECV) /* fewer bytes than there are */                                 \
    FAULT(SHORT_SEND) /* fewer bytes than there is room for */                         \
    FAULT(LAST_SHOT)  /* a multishot receive ends with data */                         \
    FAULT(NO_BUFFER)  /* -ENOBUFS although there are some */                           \
    FAULT(LATE_CANCEL) /* -EALREADY, the target goes on */                             \
    FAULT(NO_ACCEPT)  /* -EMFILE */                                                    \
    FAULT(ABORTED)    /* -ECONNABORTED on accept */                                    \
    FAULT(NO_SOCKET)  /* socket() fails */                                             \
    FAULT(REFUSED)    /* connect fails */                                              \
    FAULT(NO_ULP)     /* no kernel TLS for this socket */                              \
    FAULT(NO_KEYS_OUT) /* the kernel does not take them */                             \
    FAULT(NO_KEYS_IN)                                                                  \
    FAULT(SPLIT_RECORD) /* the end of a record comes later */                          \
    FAULT(NO_NEW_KEYS) /* nor others later */                                          \
    FAULT(RESET)      /* the connection breaks at any time */                          \
    FAULT(TIME_JUMP)  /* the clock leaps */

enum sim_fault {
#define FAULT(name) SIM_##name,
    SIM_FAULTS(FAULT)
#undef FAULT
    SIM_FAULT_COUNT
};

struct sim_world {
    uint64_t dice;
    uint64_t now_ms;
    uint32_t knobs[SIM_FAULT_COUNT];
    uint64_t happened[SIM_FAULT_COUNT];
    bool can_rekey;   /* its kernel TLS takes new keys */
    bool shares_bufs; /* a buffer serves several receives; as it is when an io is made */
};
extern struct sim_world sim_world;

extern const struct io_backend sim_backend;

/* A world without sockets, all knobs at zero. */
void sim_reset(uint64_t seed);
/* Lets the kernel do something. */
void sim_step(void);
/* A listening socket at this port. */
int sim_listen(uint16_t port);
/* Sockets that are open: descriptors not closed. */
uint32_t sim_sockets_open(void);
uint32_t sim_dice(uint32_t below);

#endif
