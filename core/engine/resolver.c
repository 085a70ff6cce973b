/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolver: c-ares moved by the shard's polls and timers. Results are never handed on from inside
 * c-ares: a lookup that is over waits in `ready` for a timer of no delay, so callers may do what
 * they like in their callbacks. */
#include "engine/resolver.h"

#include <ares.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "dns/cache.h"
#include "engine/shard_int.h"

#define SERVERS_TEXT_BYTES 1024u
#define DEFERRED_MS 0u

struct resolver {
    struct shard *sh;
    ares_channel channel; /* owned */
    struct dns_cache cache;
    struct map in_flight;         /* by type and name -> struct lookup */
    struct list ready;            /* lookups that are over */
    struct wheel_timer deferred;  /* hands `ready` on */
    struct wheel_timer timeout;   /* of c-ares */
    bool stopping;
};

struct lookup {
    struct list link;    /* in resolver->ready when over */
    struct list queries; /* who waits for it */
    struct resolver *r;
    struct dns_answer *answer; /* owned; NULL until over, and when there was no memory for it */
    enum dns_type type;
    int err; /* when there is no answer */
    size_t key_len;
    char key[1 + DNS_NAME_BYTES_MAX + 1]; /* type, name, NUL */
};

static struct slice lookup_name(const struct lookup *l)
{
    return slice_make(l->key + 1, l->key_len - 1);
}

static void lookup_free(struct lookup *l)
{
    struct list *link;

    while ((link = list_pop_front(&l->queries)) != NULL) {
        /* The shard ends: nobody may wait any more, and nobody is called. */
    }
    pool_free(l->answer);
    pool_free(l);
}

/* ---- the end of a lookup ---- */

static void hand_on(struct resolver *r, struct lookup *l)
{
    struct dns_answer none;
    const struct dns_answer *answer = l->answer;
    struct list *link;

    if (answer == NULL) {
        dns_answer_fail(&none, l->type, l->err);
        answer = &none;
    }
    while ((link = list_pop_front(&l->queries)) != NULL) {
        struct resolver_query *q = LIST_ENTRY(link, struct resolver_query, link);
        q->done(r->sh, answer, q->ctx);
    }
    lookup_free(l);
}

static void deferred_fire(struct wheel_timer *timer, void *ctx)
{
    struct resolver *r = ctx;
    struct list now;
    struct list *link;

    (void)timer;
    /* What becomes ready meanwhile has its own turn. */
    list_init(&now);
    list_splice(&now, &r->ready);
    while ((link = list_pop_front(&now)) != NULL) {
        hand_on(r, LIST_ENTRY(link, struct lookup, link));
    }
}

static void make_ready(struct resolver *r, struct lookup *l)
{
    list_push_back(&r->ready, &l->link);
    if (!wheel_timer_is_armed(&r->deferred)) {
        shard_timer_arm(r->sh, &r->deferred, DEFERRED_MS, deferred_fire, r);
    }
}

static void set_answer(struct lookup *l, const struct dns_answer *answer)
{
    l->answer = pool_alloc(dns_answer_bytes(answer));
    l->err = ERR_NOMEM;
    if (l->answer) {
        memcpy(l->answer, answer, dns_answer_bytes(answer));
    }
}

/* A new answer: kept, and handed on. */
static void finish(struct lookup *l, const struct dns_answer *answer)
{
    struct resolver *r = l->r;

    if (answer->err && answer->err != ERR_DNS_NODATA && answer->err != ERR_DNS_NXDOMAIN) {
        stat_add(&shard_stats(r->sh)->dns_failures, 1);
    }
    dns_cache_put(&r->cache, lookup_name(l), answer, shard_now_ms(r->sh));
    set_answer(l, answer);
    (void)map_remove(&r->in_flight, slice_make(l->key, l->key_len));
    make_ready(r, l);
}

int resolver_err_of_ares(int status)
{
    switch (status) {
    case ARES_ETIMEOUT:
        return ERR_DNS_TIMEOUT;
    case ARES_ENOTFOUND:
    case ARES_EBADNAME:
        return ERR_DNS_NXDOMAIN;
    case ARES_ENODATA:
        return ERR_DNS_NODATA;
    case ARES_EBADRESP:
    case ARES_EFORMERR:
        return ERR_DNS_BAD;
    case ARES_ENOMEM:
        return ERR_NOMEM;
    default: /* refused, not implemented, no server reachable */
        return ERR_DNS_SERVFAIL;
    }
}

static void ares_done(void *arg, int status, int timeouts, unsigned char *bytes, int len)
{
    struct lookup *l = arg;
    struct dns_answer answer;

    (void)timeouts;
    if (l->r->stopping) {
        (void)map_remove(&l->r->in_flight, slice_make(l->key, l->key_len));
        lookup_free(l);
        return;
    }
    if (bytes && len > 0 && status != ARES_ETIMEOUT) {
        (void)dns_answer_parse(&answer, slice_make((const char *)bytes, (size_t)len),
                               lookup_name(l), l->type);
    } else {
        dns_answer_fail(&answer, l->type, resolver_err_of_ares(status));
    }
    finish(l, &answer);
}

/* ---- moving c-ares ---- */

static void arm_timeout(struct resolver *r);

static void timeout_fire(struct wheel_timer *timer, void *ctx)
{
    struct resolver *r = ctx;

    (void)timer;
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm_timeout(r);
}

static void arm_timeout(struct resolver *r)
{
    struct timeval tv;
    const struct timeval *next = ares_timeout(r->channel, NULL, &tv);

    if (next == NULL) {
        shard_timer_disarm(r->sh, &r->timeout);
        return;
    }
    /* One more: c-ares does not count a deadline that is reached to the millisecond. */
    uint64_t ms = (uint64_t)next->tv_sec * 1000 + (uint64_t)next->tv_usec / 1000 + 1;
    shard_timer_arm(r->sh, &r->timeout, ms, timeout_fire, r);
}

static void socket_ready(struct shard *sh, int fd, uint32_t revents, void *ctx)
{
    struct resolver *r = ctx;
    bool is_broken = (revents & (POLLERR | POLLHUP)) != 0;

    (void)sh;
    ares_process_fd(r->channel, (revents & POLLIN) || is_broken ? fd : ARES_SOCKET_BAD,
                    (revents & POLLOUT) ? fd : ARES_SOCKET_BAD);
    arm_timeout(r);
}

static void socket_state(void *ctx, ares_socket_t fd, int readable, int writable)
{
    struct resolver *r = ctx;
    uint32_t mask = (readable ? POLLIN : 0u) | (writable ? POLLOUT : 0u);

    if (mask == 0) {
        shard_poll_remove(r->sh, fd);
    } else if (shard_poll_add(r->sh, fd, mask, socket_ready, r)) {
        /* Unheard, the question times out and is tried again. */
        stat_add(&shard_stats(r->sh)->dns_failures, 1);
    }
}

/* ---- life ---- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_status;

static void library_init(void)
{
    library_status = ares_library_init(ARES_LIB_INIT_ALL);
}

static void resolver_stop(struct shard *sh, void *object)
{
    struct resolver *r = object;
    struct list *link;

    (void)sh;
    r->stopping = true;
    ares_destroy(r->channel);
    while ((link = list_pop_front(&r->ready)) != NULL) {
        lookup_free(LIST_ENTRY(link, struct lookup, link));
    }
    shard_timer_disarm(r->sh, &r->deferred);
    shard_timer_disarm(r->sh, &r->timeout);
    map_deinit(&r->in_flight);
    dns_cache_deinit(&r->cache);
    pool_free(r);
}

static int set_servers(struct resolver *r, const char *const *servers)
{
    char text[SERVERS_TEXT_BYTES];
    size_t len = 0;

    if (servers == NULL || servers[0] == NULL) {
        return 0;
    }
    for (size_t i = 0; servers[i]; i++) {
        int n = snprintf(text + len, sizeof(text) - len, "%s%s", i ? "," : "", servers[i]);
        if (n < 0 || (size_t)n >= sizeof(text) - len) {
            return ERR_LIMIT;
        }
        len += (size_t)n;
    }
    return ares_set_servers_ports_csv(r->channel, text) == ARES_SUCCESS ? 0 : ERR_BAD_INPUT;
}

static int resolver_start(struct shard *sh, struct resolver **out)
{
    struct ares_options options = {.timeout = RESOLVER_TIMEOUT_MS, .tries = RESOLVER_TRIES,
                                   .sock_state_cb = socket_state};
    struct resolver *r;

    (void)pthread_once(&library_once, library_init);
    if (library_status != ARES_SUCCESS) {
        return ERR_NOMEM;
    }
    r = pool_zalloc(sizeof(*r));
    if (r == NULL) {
        return ERR_NOMEM;
    }
    r->sh = sh;
    list_init(&r->ready);
    options.sock_state_cb_data = r;
    if (ares_init_options(&r->channel, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) !=
        ARES_SUCCESS) {
        pool_free(r);
        return ERR_NOMEM;
    }
    int err = set_servers(r, shard_dns_servers(sh));
    if (err) {
        ares_destroy(r->channel);
        pool_free(r);
        return err;
    }
    dns_cache_init(&r->cache, 0);
    shard_slot_set(sh, SHARD_SLOT_RESOLVER, r, resolver_stop);
    *out = r;
    return 0;
}

/* ---- asking ---- */

/* /etc/hosts first, as everywhere else on the machine. */
static bool answer_from_hosts(struct resolver *r, struct slice name, enum dns_type type,
                              struct dns_answer *out)
{
    int family = type == DNS_TYPE_A ? AF_INET : AF_INET6;
    char text[DNS_NAME_BYTES_MAX + 1];
    struct hostent *host = NULL;

    if (type == DNS_TYPE_SRV || !slice_to_cstr(name, text, sizeof(text)) ||
        ares_gethostbyname_file(r->channel, text, family, &host) != ARES_SUCCESS) {
        return false;
    }
    dns_answer_fail(out, type, 0);
    out->ttl_s = DNS_TTL_FLOOR_S;
    for (; out->count < DNS_ADDR_MAX && host->h_addr_list[out->count]; out->count++) {
        struct dns_addr *addr = &out->addr[out->count];
        *addr = (struct dns_addr){.is_v6 = type == DNS_TYPE_AAAA};
        memcpy(addr->bytes, host->h_addr_list[out->count], addr->is_v6 ? 16 : 4);
    }
    ares_free_hostent(host);
    return out->count > 0;
}

static struct lookup *lookup_new(struct resolver *r, struct slice key)
{
    struct lookup *l = pool_zalloc(sizeof(*l));

    if (l) {
        list_init(&l->queries);
        l->r = r;
        l->type = (enum dns_type)(unsigned char)key.ptr[0];
        l->key_len = key.len;
        memcpy(l->key, key.ptr, key.len);
    }
    return l;
}

static int lookup_start(struct resolver *r, struct slice key, struct lookup **out)
{
    struct slice name = slice_from(key, 1);
    enum dns_type type = (enum dns_type)(unsigned char)key.ptr[0];
    const struct dns_answer *known =
        dns_cache_get(&r->cache, name, type, shard_now_ms(r->sh));
    struct dns_answer from_hosts;

    if (known == NULL && answer_from_hosts(r, name, type, &from_hosts)) {
        known = &from_hosts;
    }
    if (known == NULL && r->in_flight.count >= RESOLVER_LOOKUPS_MAX) {
        return ERR_LIMIT;
    }
    struct lookup *l = lookup_new(r, key);
    if (l == NULL) {
        return ERR_NOMEM;
    }
    *out = l;
    if (known) {
        if (known != &from_hosts) {
            stat_add(&shard_stats(r->sh)->dns_cache_hits, 1);
        }
        set_answer(l, known);
        make_ready(r, l);
        return 0;
    }
    stat_add(&shard_stats(r->sh)->dns_queries, 1);
    (void)map_add(&r->in_flight, slice_make(l->key, l->key_len), l);
    /* May call ares_done before it returns. */
    ares_query(r->channel, l->key + 1, 1 /* IN */, (int)type, ares_done, l);
    arm_timeout(r);
    return 0;
}

int resolver_ask(struct shard *sh, struct resolver_query *q, struct slice name, enum dns_type type,
                 resolver_done_fn *done, void *ctx)
{
    struct resolver *r = shard_slot_get(sh, SHARD_SLOT_RESOLVER);
    char key[1 + DNS_NAME_BYTES_MAX];
    int err;

    ASSERT(!resolver_is_asking(q));
    if (name.len == 0 || name.len > DNS_NAME_BYTES_MAX || slice_find(name, '\0') >= 0) {
        return ERR_BAD_INPUT;
    }
    if (r == NULL) {
        err = resolver_start(sh, &r);
        if (err) {
            return err;
        }
    }
    key[0] = (char)type;
    memcpy(key + 1, name.ptr, name.len);
    struct lookup *l = map_get(&r->in_flight, slice_make(key, 1 + name.len));
    if (l == NULL) {
        err = lookup_start(r, slice_make(key, 1 + name.len), &l);
        if (err) {
            return err;
        }
    }
    *q = (struct resolver_query){.done = done, .ctx = ctx};
    list_push_back(&l->queries, &q->link);
    return 0;
}

void resolver_cancel(struct resolver_query *q)
{
    if (resolver_is_asking(q)) {
        list_remove(&q->link);
    }
}
