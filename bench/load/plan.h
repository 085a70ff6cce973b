/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan: what a run is to do: the options, checked and completed. Constant once the engine runs; any
 * thread reads it. options.c has the table of options: a new one is a field here, a row there. */
#ifndef FG_LOAD_PLAN_H
#define FG_LOAD_PLAN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "load/schedule.h"

struct party_kind;

enum side { SIDE_SOURCE, SIDE_SINK };
#define SIDES 2u

#define PLAN_FLOWS_MAX 20000u
#define PLAN_STANZA_BYTES_MIN 200u
#define PLAN_STANZA_BYTES_MAX 65536u
#define PLAN_MIX_BYTES_MAX 16384u /* a mix's longest is some times as long */
#define PLAN_WRITE_BYTES 16384u /* a write of workload bulk */

struct plan {
    /* Who plays: by --mode, or --source and --sink. */
    const char *mode;
    const char *kind_name[SIDES];
    const struct party_kind *kind[SIDES];
    bool is_inside_out; /* from the component's or SIP's side to the partners */

    /* What is sent. */
    const char *workload;
    enum schedule_kind schedule;
    uint64_t streams;      /* flows: one s2s stream each */
    uint64_t domains;      /* partners they belong to, flow % domains; 0 = as many as streams */
    uint64_t lines;        /* s2s source: streams that carry the flows, flow % lines */
    uint64_t count;        /* stanzas of the measured part, all flows together */
    uint64_t window;       /* stanzas in flight, all flows together; OPEN: bound of memory */
    uint64_t stanza_bytes; /* of the stanza as the source writes it; of a mix on average */
    const char *mix;       /* mix.h */
    double rate;           /* per second; OPEN */
    double seconds;        /* end of the measured part by time; 0 = by count */
    uint64_t first;        /* a look after so many streams; 0 = none */
    uint64_t cycles;       /* instead of stanzas: streams that open and close */
    uint64_t parallel;     /* connections in negotiation at a time */
    double churn;          /* streams of the source that close and come again, per second */
    double hold_s;         /* so long receivers read nothing at the begin */
    bool hold_one;         /* only one of them */
    const char *apart;     /* processes of the server, which takes turns with the tool (apart.h) */
    double stall_s;        /* nothing moves for so long: give up */

    /* Presence (what is sent are states, not messages: books.h). */
    bool is_presence;
    double gap_s; /* of a flow: a state younger than this may be overtaken by the next; a closed
                     loop shows the next after this time only; negative = as usual */
    uint64_t expires_s; /* what subscriptions ask for, and the longest that is granted */

    /* Where. */
    struct sockaddr_in target;     /* s2s or TLS of what is measured */
    struct sockaddr_in component;  /* its component port */
    struct sockaddr_in listen;     /* where the tool plays the partners' servers */
    struct sockaddr_in sip;        /* SIP (TCP or TLS) of what is measured */
    struct sockaddr_in sip_listen; /* where the tool plays its next hop */

    /* Names: partners are p00000.<suffix> up; inside is the component's domain. */
    const char *suffix;
    const char *inside;
    const char *secret;          /* of the component */
    const char *dialback_secret; /* of the partners' servers */

    /* XMPP. */
    const char *auth; /* "external", "dialback", "plain-dialback" */
    bool is_direct;   /* TLS at once */
    bool has_no_acks; /* sink: XEP-0198 is not offered */
    bool has_pings;   /* sink: dials, too, and answers pings there */

    /* SIP. */
    uint64_t sip_lines; /* source: connections that carry the flows */
    bool is_sip_tls;

    /* TLS. */
    const char *certificate;
    const char *key;
    const char *trust;    /* NULL = whom the server shows is not looked at */
    const char *ca;       /* with ca_key: each domain gets a certificate of its own */
    const char *ca_key;
    const char *tls_name; /* backend */

    uint64_t shards;
    bool is_quiet;    /* no progress line */
    bool waits;       /* "ready", then a line on the input is awaited, before the measured part */
};

/* The options; prints and exits (0 after --help, 64 when they are wrong). */
void plan_read(struct plan *p, int argc, char **argv);

/* Domain number of a flow. */
static inline uint32_t plan_domain_of(const struct plan *p, uint32_t flow)
{
    return flow % (uint32_t)p->domains;
}
#define PLAN_NAME_BYTES 256u
/* p00007.fan.test, NUL-terminated. */
void plan_partner(const struct plan *p, uint32_t domain, char out[PLAN_NAME_BYTES]);
/* False: no partner of ours is called so. */
bool plan_partner_number(const struct plan *p, const char *name, size_t len, uint32_t *domain);

#endif
