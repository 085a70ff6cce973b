/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dial_scene: a machine, a DNS server, a dial, and what came of it; for tests of the dialler. */
#ifndef FG_TEST_ENGINE_DIAL_SCENE_H
#define FG_TEST_ENGINE_DIAL_SCENE_H

#include "engine/dial.h"
#include "machine.h"
#include "name_server.h"

struct scene {
    struct machine m;
    struct name_server ns;
    struct zone_row rows[ZONE_ROWS_MAX];
    unsigned row_count;
    uint16_t dead_port;
    /* The dial; used on the shard only. */
    struct dial *d;
    struct dial_params params;
    /* What came of it. */
    _Atomic unsigned done, failed;
    _Atomic int err;
    enum dial_step step;
    char text[2000];
    char target[256];
    char peer[64];
    bool is_direct_tls;
    bool was_secured;
    struct conn_ref conn;
};

extern struct scene s;
/* Counts into the scene. */
extern const struct dial_ops scene_ops;

/* Adds a record; call before the question is asked. */
void row(const char *name, uint16_t type, enum zone_how how, const char *data);
void srv(const char *name, uint16_t priority, uint16_t port, const char *target);

/* Default parameters: a.example, both XMPP services, the machine's port. */
void scene_setup(void);
/* Also asserts that the shard's memory is back. */
void scene_teardown(void);

/* Dials and waits for done or failed. */
void dial(void);
/* Frees the dial and its connection. */
void hang_up(void);
/* The connection is dropped and dial_next called; waits for the next result. */
void dial_on(void);

void expect_done(const char *target);
void expect_failed(enum dial_step step, int err);
int64_t clock_ms(void);

#endif
