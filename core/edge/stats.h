/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats: counters of one shard's edge and of one partner. Plain integers written by their shard;
 * the control thread gets copies by mail (report.h), never by looking. */
#ifndef FG_EDGE_STATS_H
#define FG_EDGE_STATS_H

#include <stddef.h>
#include <stdint.h>

struct edge_stats {
#define STAT(name, unit, help) uint64_t name;
#include "edge/stats.def"
#undef STAT
};

/* Where an attempt to federate failed: what an administrator is shown first. */
enum fail_step {
    FAIL_STEP_DNS,
    FAIL_STEP_TCP,
    FAIL_STEP_TLS,
    FAIL_STEP_CERTIFICATE,
    FAIL_STEP_HEADER,
    FAIL_STEP_SASL,
    FAIL_STEP_DIALBACK,
    FAIL_STEP_POLICY,
    FAIL_STEP_STREAM, /* the peer's stream error, or a broken stream */
    FAIL_STEP_TIMEOUT,
    FAIL_STEP_COUNT
};
const char *fail_step_name(enum fail_step step);

/* Why a stanza of a partner was answered instead of delivered. */
#define BOUNCE_REASONS(X)                                                                       \
    X(QUEUE_FULL, "queue_full")                                                                 \
    X(QUEUE_AGE, "queue_age")                                                                   \
    X(NOT_FOUND, "not_found") /* no such server: DNS says so */                                 \
    X(NO_STREAM, "no_stream") /* it exists, but no authenticated stream came about */           \
    X(UNACKED, "unacked")                                                                       \
    X(NO_COMPONENT, "no_component")                                                             \
    X(POLICY, "policy")                                                                         \
    X(SIZE, "size")                                                                             \
    X(DRAIN, "drain")                                                                           \
    X(TRANSLATE, "translate")                                                                   \
    X(SIP_REJECTED, "sip_rejected")                                                             \
    X(SIP_UNREACHABLE, "sip_unreachable")                                                       \
    X(MAINTENANCE, "maintenance")
enum bounce_why {
#define X(name, text) BOUNCE_##name,
    BOUNCE_REASONS(X)
#undef X
        BOUNCE_WHY_COUNT
};
const char *bounce_why_name(enum bounce_why why);

#define FAIL_TEXT_BYTES 200u

/* The last failure of one step, for people. */
struct partner_failure {
    int64_t unix_s;
    char text[FAIL_TEXT_BYTES]; /* printable ASCII */
};

/* How a pair was authenticated. */
#define STAT_METHODS(X)                                                                         \
    X(EXTERNAL, "external")                                                                     \
    X(DIALBACK_TLS, "dialback_tls")                                                             \
    X(DIALBACK_PLAIN, "dialback_plain")                                                         \
    X(CERTIFICATE, "certificate") /* dialback answered from the certificate (XEP-0344) */
enum stat_method {
#define X(name, text) STAT_METHOD_##name,
    STAT_METHODS(X)
#undef X
        STAT_METHOD_COUNT
};
const char *stat_method_name(enum stat_method method);

/* Of one partner on one shard; direction 0 = in (from the partner), 1 = out. */
struct partner_stats {
    uint64_t stanzas[2];
    uint64_t bytes[2];
    uint64_t authenticated[2][STAT_METHOD_COUNT];
};

/* The rest of it, which most partners never need. */
struct partner_trouble {
    uint64_t failures[2][FAIL_STEP_COUNT];
    uint64_t bounced[BOUNCE_WHY_COUNT];
    /* The last failure per direction, for people. */
    char last_failure[2][FAIL_TEXT_BYTES];
    int64_t last_failure_unix_s[2];
    /* Owned; NULL = that step never failed. NULL in copies (report.h). */
    struct partner_failure *last[2][FAIL_STEP_COUNT];
};

struct stat_desc {
    const char *name;
    const char *unit;
    const char *help;
    size_t offset; /* in struct edge_stats */
};
extern const struct stat_desc stat_descs[];
extern const size_t stat_desc_count;

#endif
