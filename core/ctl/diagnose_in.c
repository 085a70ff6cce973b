/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose_in: they dial us, as far as it can be seen from here: what DNS says of our domains,
 * whether that leads to a listener of the node, and what a stream to it meets. The partner is not
 * played: the stream says nothing of who it is and ends once the features came. */
#include <errno.h>
#include <ifaddrs.h>
#include <string.h>

#include "base/err.h"
#include "ctl/diagnose.h"
#include "xmpp/stream.h"

/* ---- listeners ---- */

static const void *address_of(const struct sockaddr *addr, size_t *len)
{
    if (addr->sa_family == AF_INET6) {
        *len = 16;
        return &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;
    }
    *len = addr->sa_family == AF_INET ? 4 : 0;
    return &((const struct sockaddr_in *)(const void *)addr)->sin_addr;
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    size_t len_a;
    size_t len_b;
    const void *bytes_a = address_of(a, &len_a);
    const void *bytes_b = address_of(b, &len_b);

    return len_a == len_b && len_a != 0 && memcmp(bytes_a, bytes_b, len_a) == 0;
}

static bool is_wildcard(const struct sockaddr *addr)
{
    static const unsigned char zero[16];
    size_t len;
    const void *bytes = address_of(addr, &len);

    return len != 0 && memcmp(bytes, zero, len) == 0;
}

static uint16_t port_of(const struct sockaddr *addr)
{
    return ntohs(((const struct sockaddr_in *)(const void *)addr)->sin_port); /* the same place */
}

static bool is_of_this_machine(const struct sockaddr *addr)
{
    struct ifaddrs *list = NULL;
    bool is_here = false;

    if (addr->sa_family == AF_INET &&
        (ntohl(((const struct sockaddr_in *)(const void *)addr)->sin_addr.s_addr) >> 24) == 127) {
        return true; /* all of 127/8 is, whatever the interface says */
    }
    if (getifaddrs(&list) != 0) {
        return false;
    }
    for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
        is_here = is_here || (i->ifa_addr && same_address(i->ifa_addr, addr));
    }
    freeifaddrs(list);
    return is_here;
}

/* "[::]" takes IPv6 only (core/io). */
static bool takes(const struct sockaddr *listener, const struct sockaddr *addr)
{
    if (port_of(listener) != port_of(addr)) {
        return false;
    }
    if (is_wildcard(listener)) {
        return listener->sa_family == addr->sa_family;
    }
    return same_address(listener, addr);
}

static const struct listen_address *listener_of(const struct snapshot *s,
                                                const struct sockaddr *addr)
{
    for (uint32_t i = 0; i < s->listen_count; i++) {
        if (takes((const struct sockaddr *)&s->listens[i].addr, addr)) {
            return &s->listens[i];
        }
    }
    return NULL;
}

struct found {
    uint32_t ours;      /* spots with the right listener behind them */
    uint32_t elsewhere; /* not addresses of this machine */
    uint32_t bare;      /* of this machine, no listener */
    uint32_t wrong;     /* a listener of another kind */
};

static void find_listener(struct diagnose *d, const struct diagnose_spot *spot,
                          struct found *found)
{
    const struct sockaddr *addr = &spot->addr.any;
    const struct listen_address *l = listener_of(d->policy, addr);
    enum listen_kind wanted = spot->is_direct_tls ? LISTEN_XMPPS_SERVER : LISTEN_XMPP_SERVER;

    if (!is_of_this_machine(addr)) {
        diagnose_seen(d, DIAGNOSE_IN_LISTEN, "%s: not an address of this machine", spot->text);
        found->elsewhere++;
    } else if (!l) {
        diagnose_seen(d, DIAGNOSE_IN_LISTEN, "%s: the configuration listens on no such address",
                      spot->text);
        found->bare++;
    } else if (l->kind != wanted) {
        diagnose_seen(d, DIAGNOSE_IN_LISTEN, "%s: listen.%s, the record is for listen.%s",
                      spot->text, listen_kind_name(l->kind), listen_kind_name(wanted));
        found->wrong++;
    } else {
        diagnose_seen(d, DIAGNOSE_IN_LISTEN, "%s: listen.%s (%s)", spot->text,
                      listen_kind_name(l->kind), l->text);
        found->ours++;
    }
}

static void find_listeners(struct diagnose *d, const struct diagnose_spots *spots,
                           struct found *found)
{
    *found = (struct found){0};
    for (uint32_t i = 0; i < spots->count; i++) {
        find_listener(d, &spots->at[i], found);
    }
    if (found->wrong > 0) {
        diagnose_fail(d, DIAGNOSE_IN_LISTEN, DIAGNOSE_FAULT_OUR_LISTENER_KIND);
    } else if (found->ours == 0 && found->elsewhere == 0) {
        diagnose_fail(d, DIAGNOSE_IN_LISTEN, DIAGNOSE_FAULT_OUR_LISTENER_MISSING);
    } else if (found->bare > 0) {
        diagnose_warn(d, DIAGNOSE_IN_LISTEN, DIAGNOSE_FAULT_OUR_LISTENER_MISSING);
    } else if (found->ours == 0) {
        diagnose_warn(d, DIAGNOSE_IN_LISTEN, DIAGNOSE_FAULT_OUR_ADDRESS_ELSEWHERE);
    }
    diagnose_set(d, DIAGNOSE_IN_LISTEN, DIAGNOSE_OK);
}

/* ---- connecting ---- */

static uint32_t connect_all(struct diagnose *d, struct diagnose_spots *spots)
{
    uint32_t good = 0;

    diagnose_connect(d, spots);
    for (uint32_t i = 0; i < spots->count; i++) {
        struct diagnose_spot *spot = &spots->at[i];

        diagnose_seen(d, DIAGNOSE_IN_TCP, "%s%s%s: %s", spot->text,
                      spot->host[0] ? " of " : "", spot->host,
                      spot->is_connected ? "connected" : err_text(spot->err));
        good += spot->is_connected;
    }
    return good;
}

static void set_loopback(struct diagnose_spot *spot)
{
    if (spot->addr.any.sa_family == AF_INET6) {
        spot->addr.in6.sin6_addr = in6addr_loopback;
    } else {
        spot->addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
}

/* The configured listeners themselves. */
static void use_listeners(struct diagnose *d, struct diagnose_spots *spots)
{
    *spots = (struct diagnose_spots){0};
    for (uint32_t i = 0; i < d->policy->listen_count && spots->count < DIAGNOSE_SPOTS_MAX; i++) {
        const struct listen_address *l = &d->policy->listens[i];
        struct diagnose_spot *spot = &spots->at[spots->count];

        if (l->kind != LISTEN_XMPP_SERVER && l->kind != LISTEN_XMPPS_SERVER) {
            continue;
        }
        *spot = (struct diagnose_spot){.fd = -1,
                                       .addr_len = l->addr_len,
                                       .is_direct_tls = l->kind == LISTEN_XMPPS_SERVER,
                                       .target_idx = spots->count};
        spot->addr.storage = l->addr;
        if (is_wildcard(&spot->addr.any)) {
            set_loopback(spot);
        }
        slice_to_cstr_cut(slice_from_cstr(l->text), spot->text, sizeof(spot->text));
        spots->count++;
    }
}

/* False: nobody to talk to. */
static bool reach(struct diagnose *d, struct diagnose_spots *spots, const struct found *found)
{
    uint32_t good = connect_all(d, spots);
    uint32_t count = spots->count;

    if (good == 0 && found->elsewhere > 0) {
        use_listeners(d, spots);
        if (connect_all(d, spots) > 0) {
            diagnose_warn(d, DIAGNOSE_IN_TCP, DIAGNOSE_FAULT_OUR_PORT_UNSEEN);
            return true;
        }
    }
    if (good == 0) {
        diagnose_fail(d, DIAGNOSE_IN_TCP, diagnose_left_ms(d, 1) == 0
                                              ? DIAGNOSE_FAULT_OUT_OF_TIME
                                              : DIAGNOSE_FAULT_OUR_PORT_CLOSED);
        return false;
    }
    if (good < count) {
        diagnose_warn(d, DIAGNOSE_IN_TCP, DIAGNOSE_FAULT_OUR_PORT_SOME);
    }
    diagnose_set(d, DIAGNOSE_IN_TCP, DIAGNOSE_OK);
    return true;
}

/* ---- streams ---- */

static void walk_kind(struct diagnose *d, struct diagnose_spots *spots, bool is_direct)
{
    bool uses_tls = (d->row->auth & ~(uint32_t)PARTNER_AUTH_DIALBACK_TCP) != 0;
    struct diagnose_stream_params params = {
        .remote = d->at->local,
        .map = &diagnose_map_in,
        .is_direct_tls = is_direct,
        .methods = uses_tls ? (uint32_t)STREAM_METHOD_EXTERNAL
                            : (uint32_t)STREAM_METHOD_DIALBACK_PLAIN,
    };

    for (uint32_t i = 0; i < spots->count; i++) {
        struct diagnose_spot *spot = &spots->at[i];
        int fd = spot->fd;

        if (!spot->is_connected || spot->is_direct_tls != is_direct) {
            continue;
        }
        diagnose_seen(d, is_direct ? DIAGNOSE_IN_TLS : DIAGNOSE_IN_HEADER, "to %s", spot->text);
        spot->fd = -1;
        (void)diagnose_stream_walk(d, fd, &params); /* what it meets stands in its steps */
        return;
    }
}

/* ---- one domain of ours ---- */

static void walk_domain(struct diagnose *d)
{
    struct diagnose_find find = {
        .domain = d->at->local,
        .wants_direct = true,
        .srv_step = DIAGNOSE_IN_SRV,
        .address_step = DIAGNOSE_IN_ADDRESS,
    };
    struct diagnose_spots spots;
    struct found found;

    diagnose_policy(d, DIAGNOSE_IN_POLICY);
    if (!diagnose_find(d, &find, &spots)) {
        return;
    }
    find_listeners(d, &spots, &found);
    if (reach(d, &spots, &found)) {
        walk_kind(d, &spots, false);
        walk_kind(d, &spots, true);
    }
    diagnose_disconnect(&spots);
}

void diagnose_in(struct diagnose *d, const struct diagnose_figures *before)
{
    for (uint32_t i = 1; i < d->part_count; i++) {
        d->at = &d->parts[i];
        walk_domain(d);
        if (i == 1) {
            diagnose_node_answer(d, before);
            diagnose_node(d);
        } else {
            diagnose_set(d, DIAGNOSE_IN_ANSWER, DIAGNOSE_SKIPPED);
            diagnose_set(d, DIAGNOSE_IN_NODE, DIAGNOSE_SKIPPED);
        }
        if (!d->row->dialback || i > 1) {
            diagnose_set(d, DIAGNOSE_IN_DIALBACK, DIAGNOSE_SKIPPED);
        }
    }
}
