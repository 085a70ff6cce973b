/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_int: what the parts of the main thread share: control.c (life), control_load.c
 * (configuration), control_figures.c (/stats, /metrics), control_admin.c and control_contacts.c
 * (answers to fedgatectl), control_store.c. Control thread only. */
#ifndef FG_EDGE_CONTROL_INT_H
#define FG_EDGE_CONTROL_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"
#include "base/log.h"
#include "edge/admin.h"
#include "edge/edge.h"
#include "edge/report.h"
#include "edge/setup.h"
#include "io/ktls.h"
#include "policy/partner_diff.h"

struct engine;
struct http;
struct issuers;
struct jout;
struct loader;
struct logger;
struct store;
struct store_rows;

/* What only a start brings into force. */
#define START_ONLY(X)                        \
    X(SHARDS, "node.shards")                 \
    X(LISTEN, "listen's addresses")          \
    X(HTTP, "listen.http")                   \
    X(ADMIN, "listen.admin")                 \
    X(DNS, "dns")                            \
    X(CONNECTIONS, "limits.connections_*")   \
    X(HANDSHAKES, "limits.handshakes_*")     \
    X(MEMORY, "limits.memory_*")             \
    X(STORE, "store")
enum start_only {
#define X(name, text) START_ONLY_##name,
    START_ONLY(X)
#undef X
        START_ONLY_COUNT
};

struct control {
    const char *config_path;
    char secret[65]; /* dialback secret for configurations without one */
    struct engine *engine;
    struct edge_shared *shared;
    struct log_ring ring;
    struct logger *logger;
    struct http *http;   /* NULL = not configured */
    struct admin *admin; /* NULL = not configured */
    struct store *store;     /* owned */
    struct store_rows *rows; /* owned; NULL once the shards have them */
    bool is_store_started;
    int64_t store_told_s;    /* when it was last said that it fails; 0 = it does not */
    char store_trouble[640]; /* the same for /healthz; "" = it does not */
    int signal_fd;
    uint64_t generation;
    time_t started;
    bool is_draining;
    /* What is in force: borrowed from the engine, which keeps it until the next one is published,
     * by this thread. */
    const struct setup *current;
    struct report_tls tls;
    struct ktls_caps kernel; /* found out once */
    struct issuers *issuers; /* shared (ref); passed on from setup to setup */
    int64_t lists_unix_s; /* when to warn of its lists */
    uint64_t start_only[START_ONLY_COUNT]; /* of the configuration the engine was started with */
    struct loader *loader; /* owned */
    uint64_t load_number;  /* of the load that is under way, or was last; from 1 */
    bool is_load_wanted;   /* another one, since somebody asked after that began */
    /* The last reload that ended; unix_s 0: none yet. */
    struct {
        time_t unix_s;
        uint32_t error_count; /* 0 = it is in force */
    } last_reload;
};

/* -- control_load.c -- */
/* Loads; says on stderr what is wrong. report: empty before; NULL = not asked for. */
NODISCARD int control_load(struct control *ctl, struct setup **out, struct config_report *report);
/* This setup comes into force with the call that follows (engine_new, engine_publish). */
void control_remember(struct control *ctl, struct setup *setup);
void control_hash_start_only(const struct snapshot *p, uint64_t out[START_ONLY_COUNT]);
/* What differs from the start: its name, or NULL. */
const char *control_needs_restart(const struct control *ctl, enum start_only what);

/* The file as it is from now on is read on the loader's thread and published; with an error in it
 * nothing changes, which stderr and the log tell. While one load is under way, whoever asks shares
 * the one after it. The load's number: control_answer_reload tells those who wait for it. */
uint64_t control_reload(struct control *ctl);
/* What the loader has done comes into force; the next load begins, if one is wanted. */
void control_load_turn(struct control *ctl);
/* Nothing comes into force any more; whoever waits is told. */
void control_load_stop(struct control *ctl);
/* Whether a load is under way or wanted. */
bool control_is_loading(const struct control *ctl);

/* -- control_figures.c -- */
struct figures {
    uint32_t count; /* shards */
    struct edge_report *reports;  /* owned */
    struct engine_stats *engine;  /* owned */
};
/* Asks every shard and waits for it: a turn of each. */
void figures_collect(struct figures *f, struct control *ctl);
void figures_deinit(struct figures *f);
void figures_write(struct control *ctl, struct buf *out, bool as_metrics);

/* -- control_admin.c -- */
admin_answer_fn control_answer;
struct loaded;
/* To all who wait for this load; NULL: the node stops before it. */
void control_answer_reload(struct control *ctl, uint64_t number, const struct loaded *l);
/* {"ok": false, "error": text}; the second: with what was asked for in quotes. */
void control_fail(struct jout *j, const char *text);
void control_fail_of(struct jout *j, const char *what, struct slice asked);

/* -- control_contacts.c -- */
void control_answer_contacts(struct control *ctl, const struct admin_request *r, struct jout *j);
void control_answer_contact(struct control *ctl, const struct admin_request *r, struct jout *j);

#endif
