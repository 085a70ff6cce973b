/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose_dns: questions over c-ares with the node's servers and patience, read by proto/dns; then
 * the same order of targets and addresses as the node's dialler has. */
#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "ctl/diagnose.h"
#include "engine/resolver.h"

#define SERVERS_TEXT_BYTES 1024u
#define XMPP_SERVER_PORT   5269u

struct diagnose_dns {
    ares_channel channel; /* owned */
};

/* ---- asking ---- */

static int set_servers(ares_channel channel, const char *const *servers)
{
    char text[SERVERS_TEXT_BYTES];
    size_t len = 0;

    for (size_t i = 0; servers && servers[i]; i++) {
        int n = snprintf(text + len, sizeof(text) - len, "%s%s", i ? "," : "", servers[i]);

        if (n < 0 || (size_t)n >= sizeof(text) - len) {
            return ERR_LIMIT;
        }
        len += (size_t)n;
    }
    return len == 0 || ares_set_servers_ports_csv(channel, text) == ARES_SUCCESS ? 0
                                                                                 : ERR_BAD_INPUT;
}

int diagnose_dns_new(struct diagnose *d)
{
    struct ares_options options = {.timeout = RESOLVER_TIMEOUT_MS, .tries = RESOLVER_TRIES};
    struct diagnose_dns *dns;
    int err;

    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
        return ERR_NOMEM;
    }
    dns = pool_heap_zalloc(sizeof(*dns));
    if (ares_init_options(&dns->channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) !=
        ARES_SUCCESS) {
        pool_heap_free(dns);
        ares_library_cleanup();
        return ERR_NOMEM;
    }
    d->dns = dns;
    err = set_servers(dns->channel, d->policy->dns_servers);
    return err;
}

void diagnose_dns_free(struct diagnose_dns *dns)
{
    if (dns) {
        ares_destroy(dns->channel);
        ares_library_cleanup();
        pool_heap_free(dns);
    }
}

bool diagnose_question_set(struct diagnose_question *q, enum dns_type type, const char *prefix,
                           struct slice name)
{
    int len = snprintf(q->name, sizeof(q->name), "%s%.*s", prefix, SLICE_FMT(name));

    q->type = type;
    q->is_done = false;
    return len > 0 && (size_t)len < sizeof(q->name);
}

static void answered(void *arg, int status, int timeouts, unsigned char *bytes, int len)
{
    struct diagnose_question *q = arg;

    (void)timeouts;
    q->is_done = true;
    if (bytes && len > 0 && status != ARES_ETIMEOUT) {
        (void)dns_answer_parse(&q->answer, slice_make((const char *)bytes, (size_t)len),
                               slice_from_cstr(q->name), q->type);
    } else {
        dns_answer_fail(&q->answer, q->type, resolver_err_of_ares(status));
    }
}

/* /etc/hosts first, as everywhere else on the machine. */
static bool answer_from_hosts(struct diagnose_dns *dns, struct diagnose_question *q)
{
    int family = q->type == DNS_TYPE_A ? AF_INET : AF_INET6;
    struct dns_answer *out = &q->answer;
    struct hostent *host = NULL;

    if (q->type == DNS_TYPE_SRV ||
        ares_gethostbyname_file(dns->channel, q->name, family, &host) != ARES_SUCCESS) {
        return false;
    }
    dns_answer_fail(out, q->type, 0);
    for (; out->count < DNS_ADDR_MAX && host->h_addr_list[out->count]; out->count++) {
        struct dns_addr *addr = &out->addr[out->count];

        *addr = (struct dns_addr){.is_v6 = q->type == DNS_TYPE_AAAA};
        memcpy(addr->bytes, host->h_addr_list[out->count], addr->is_v6 ? 16 : 4);
    }
    ares_free_hostent(host);
    q->is_done = out->count > 0;
    return q->is_done;
}

/* One turn of c-ares, at most ms. */
static void turn(struct diagnose_dns *dns, uint64_t ms)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    struct pollfd polls[ARES_GETSOCK_MAXNUM];
    unsigned bits = (unsigned)ares_getsock(dns->channel, sockets, ARES_GETSOCK_MAXNUM);
    struct timeval most = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
    struct timeval tv;
    const struct timeval *next = ares_timeout(dns->channel, &most, &tv);
    nfds_t count = 0;

    for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        /* ARES_GETSOCK_WRITABLE shifts into the sign. */
        short events = (short)((bits >> i & 1u ? POLLIN : 0) |
                               (bits >> (i + ARES_GETSOCK_MAXNUM) & 1u ? POLLOUT : 0));

        if (events) {
            polls[count++] = (struct pollfd){.fd = sockets[i], .events = events};
        }
    }
    (void)poll(polls, count, next ? (int)(next->tv_sec * 1000 + next->tv_usec / 1000 + 1) : 0);
    for (nfds_t i = 0; i < count; i++) {
        short got = polls[i].revents;

        ares_process_fd(dns->channel, got & (POLLIN | POLLERR | POLLHUP) ? polls[i].fd
                                                                         : ARES_SOCKET_BAD,
                        got & POLLOUT ? polls[i].fd : ARES_SOCKET_BAD);
    }
    ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static bool all_done(const struct diagnose_question *questions, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!questions[i].is_done) {
            return false;
        }
    }
    return true;
}

void diagnose_dns_ask(struct diagnose *d, struct diagnose_question *questions, uint32_t count)
{
    uint64_t left;

    for (uint32_t i = 0; i < count; i++) {
        if (!questions[i].is_done && !answer_from_hosts(d->dns, &questions[i])) {
            ares_query(d->dns->channel, questions[i].name, 1 /* IN */, (int)questions[i].type,
                       answered, &questions[i]);
        }
    }
    while (!all_done(questions, count) && (left = diagnose_left_ms(d, UINT32_MAX)) > 0) {
        turn(d->dns, left);
    }
    ares_cancel(d->dns->channel); /* what is still open: answered() is called */
    for (uint32_t i = 0; i < count; i++) {
        if (questions[i].answer.err == ERR_DNS_SERVFAIL && diagnose_left_ms(d, 1) == 0) {
            questions[i].answer.err = ERR_DNS_TIMEOUT;
        }
    }
}

/* ---- addresses as text ---- */

static void spot_set(struct diagnose_spot *spot, const struct dns_addr *addr, uint16_t port)
{
    char text[INET6_ADDRSTRLEN];

    *spot = (struct diagnose_spot){.fd = -1};
    if (addr->is_v6) {
        spot->addr.in6.sin6_family = AF_INET6;
        spot->addr.in6.sin6_port = htons(port);
        memcpy(&spot->addr.in6.sin6_addr, addr->bytes, 16);
        spot->addr_len = sizeof(spot->addr.in6);
    } else {
        spot->addr.in.sin_family = AF_INET;
        spot->addr.in.sin_port = htons(port);
        memcpy(&spot->addr.in.sin_addr, addr->bytes, 4);
        spot->addr_len = sizeof(spot->addr.in);
    }
    if (!inet_ntop(addr->is_v6 ? AF_INET6 : AF_INET, addr->bytes, text, sizeof(text))) {
        text[0] = '\0';
    }
    (void)snprintf(spot->text, sizeof(spot->text), addr->is_v6 ? "[%s]:%u" : "%s:%u", text, port);
}

bool diagnose_spot_parse(struct diagnose_spot *out, struct slice host, uint16_t port)
{
    char text[INET6_ADDRSTRLEN];
    struct dns_addr addr = {0};

    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = slice_make(host.ptr + 1, host.len - 2);
    }
    if (!slice_to_cstr(host, text, sizeof(text))) {
        return false;
    }
    if (inet_pton(AF_INET, text, addr.bytes) != 1) {
        addr.is_v6 = true;
        if (inet_pton(AF_INET6, text, addr.bytes) != 1) {
            return false;
        }
    }
    spot_set(out, &addr, port);
    slice_to_cstr_cut(host, out->host, sizeof(out->host));
    return true;
}

/* ---- SRV ---- */

/* The node's dialler does not fall back on the name itself where a zone cannot be read. */
static bool allows_fall_back(const struct dns_targets *targets, const struct dns_answer *answer,
                             uint32_t set)
{
    return !targets->is_refused[set] &&
           (answer->err == ERR_DNS_NODATA || answer->err == ERR_DNS_NXDOMAIN ||
            answer->err == ERR_DNS_TIMEOUT || answer->err == 0);
}

static uint64_t random_of(void *ctx)
{
    const struct diagnose *d = ctx;
    uint64_t value;

    d->crypto->random(&value, sizeof(value));
    return value;
}

static void tell_srv(struct diagnose *d, enum diagnose_step step,
                     const struct diagnose_question *q)
{
    if (q->answer.err) {
        diagnose_seen(d, step, "%s: %s", q->name, err_text(q->answer.err));
    }
    for (uint32_t i = 0; !q->answer.err && i < q->answer.count; i++) {
        const struct dns_srv *srv = &q->answer.srv[i];

        diagnose_seen(d, step, "%s: %s port %u, priority %u, weight %u", q->name,
                      srv->target.len ? srv->target.text : ".", srv->port, srv->priority,
                      srv->weight);
    }
    if (!q->answer.err && q->answer.is_cut) {
        diagnose_seen(d, step, "%s: more records than the node looks at (%u)", q->name,
                      DNS_SRV_MAX);
    }
}

static void use_name_itself(struct dns_targets *targets, struct slice name, uint16_t port)
{
    *targets = (struct dns_targets){.count = 1};
    targets->at[0].port = port;
    targets->at[0].service_idx = 1;
    targets->at[0].name.len = (uint8_t)name.len;
    memcpy(targets->at[0].name.text, name.ptr, name.len);
}

/* No target: which fault that is. */
static enum diagnose_fault no_target(const struct diagnose_find *find,
                                     const struct dns_targets *targets,
                                     const struct dns_answer *starttls, bool is_late)
{
    bool is_ours = find->srv_step == DIAGNOSE_IN_SRV;

    if (is_late) {
        return DIAGNOSE_FAULT_OUT_OF_TIME;
    }
    if (targets->is_refused[0] || targets->is_refused[1]) {
        return is_ours ? DIAGNOSE_FAULT_OUR_SRV_REFUSED : DIAGNOSE_FAULT_SRV_REFUSED;
    }
    if (starttls->err == ERR_DNS_NXDOMAIN || starttls->err == ERR_DNS_NODATA ||
        starttls->err == 0) {
        return is_ours ? DIAGNOSE_FAULT_OUR_SRV_MISSING : DIAGNOSE_FAULT_SRV_MISSING;
    }
    return DIAGNOSE_FAULT_DNS_FAILED;
}

/* False: the step has failed. */
static bool find_targets(struct diagnose *d, const struct diagnose_find *find,
                         struct diagnose_question *q, struct dns_targets *targets,
                         bool *is_fallback)
{
    static const char *const prefixes[2] = {"_xmpps-server._tcp.", "_xmpp-server._tcp."};
    const struct dns_answer *sets[2] = {NULL, NULL};
    uint32_t first = find->wants_direct ? 0 : 1;
    enum diagnose_fault fault;

    for (uint32_t i = first; i < 2; i++) {
        if (!diagnose_question_set(&q[i], DNS_TYPE_SRV, prefixes[i], find->domain)) {
            q[i].is_done = true;
            dns_answer_fail(&q[i].answer, DNS_TYPE_SRV, ERR_DNS_NXDOMAIN);
        }
    }
    diagnose_dns_ask(d, q + first, 2 - first);
    for (uint32_t i = first; i < 2; i++) {
        tell_srv(d, find->srv_step, &q[i]);
        sets[i] = &q[i].answer;
    }
    if (!find->wants_direct) {
        diagnose_seen(d, find->srv_step, "_xmpps-server._tcp is not asked for: no TLS is used");
    }
    dns_targets_merge(targets, sets, 2, random_of, d);
    if (targets->count > 0) {
        if (find->srv_step == DIAGNOSE_IN_SRV &&
            (q[1].answer.err != 0 || q[1].answer.count == 0 || targets->is_refused[1])) {
            diagnose_warn(d, find->srv_step, DIAGNOSE_FAULT_OUR_SRV_DIRECT_ONLY);
        }
        diagnose_set(d, find->srv_step, DIAGNOSE_OK);
        return true;
    }
    fault = no_target(find, targets, &q[1].answer, diagnose_left_ms(d, 1) == 0);
    if (fault == DIAGNOSE_FAULT_OUT_OF_TIME || !allows_fall_back(targets, &q[1].answer, 1)) {
        diagnose_fail(d, find->srv_step, fault);
        return false;
    }
    /* Not the end yet: whether it is a failure of the partner's depends on what the name is. Ours
     * has to have them. */
    if (find->srv_step == DIAGNOSE_IN_SRV || fault == DIAGNOSE_FAULT_DNS_FAILED) {
        diagnose_fail(d, find->srv_step, fault);
    } else {
        diagnose_warn(d, find->srv_step, DIAGNOSE_FAULT_SRV_FALLBACK);
    }
    use_name_itself(targets, find->domain, XMPP_SERVER_PORT);
    *is_fallback = true;
    return true;
}

/* ---- addresses ---- */

static void add_spots(struct diagnose *d, const struct diagnose_find *find,
                      const struct dns_target *target, const struct diagnose_question *q,
                      struct diagnose_spots *out)
{
    struct dns_addr addrs[DNS_RACE_ADDRS_MAX];
    uint32_t count = dns_addrs_interleave(addrs, &q[0].answer, &q[1].answer);
    uint32_t target_idx = out->target_count++;
    struct diagnose_spot literal;

    if (diagnose_spot_parse(&literal, dns_name_slice(&target->name), target->port)) {
        addrs[0] = (struct dns_addr){.is_v6 = literal.addr.any.sa_family == AF_INET6};
        memcpy(addrs[0].bytes,
               addrs[0].is_v6 ? (void *)&literal.addr.in6.sin6_addr
                              : (void *)&literal.addr.in.sin_addr,
               addrs[0].is_v6 ? 16 : 4);
        count = 1; /* an SRV target should be a name; the dialler takes it all the same */
    }
    if (count == 0) {
        int err = q[0].answer.err == ERR_DNS_NODATA ? q[1].answer.err : q[0].answer.err;

        diagnose_seen(d, find->address_step, "%s: %s", target->name.text, err_text(err));
        return;
    }
    for (uint32_t i = 0; i < count && out->count < DIAGNOSE_SPOTS_MAX; i++) {
        struct diagnose_spot *to = &out->at[out->count++];

        spot_set(to, &addrs[i], target->port);
        memcpy(to->host, target->name.text, sizeof(to->host));
        to->target_idx = target_idx;
        to->is_direct_tls = target->service_idx == 0;
        diagnose_seen(d, find->address_step, "%s: %s", to->host, to->text);
    }
}

static enum diagnose_fault no_address(const struct diagnose_find *find,
                                      const struct diagnose_question *q, uint32_t count,
                                      bool is_fallback)
{
    bool is_ours = find->address_step == DIAGNOSE_IN_ADDRESS;

    if (is_fallback && !is_ours && q[1].answer.err == ERR_DNS_NXDOMAIN) {
        return DIAGNOSE_FAULT_DOMAIN_MISSING;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (q[i].answer.err == ERR_DNS_NODATA || q[i].answer.err == ERR_DNS_NXDOMAIN) {
            return is_ours ? DIAGNOSE_FAULT_OUR_ADDRESS_MISSING
                           : DIAGNOSE_FAULT_ADDRESS_MISSING;
        }
    }
    return DIAGNOSE_FAULT_DNS_FAILED;
}

static bool find_addresses(struct diagnose *d, const struct diagnose_find *find,
                           const struct dns_targets *targets, struct diagnose_spots *out)
{
    struct diagnose_question *q = pool_heap_zalloc(2 * targets->count * sizeof(*q));
    uint32_t without = 0;
    bool is_ours = find->address_step == DIAGNOSE_IN_ADDRESS;

    for (uint32_t i = 0; i < targets->count; i++) {
        struct slice name = dns_name_slice(&targets->at[i].name);

        /* A name in a target is never longer than a question's. */
        (void)CHECK(diagnose_question_set(&q[2 * i], DNS_TYPE_AAAA, "", name));
        (void)CHECK(diagnose_question_set(&q[2 * i + 1], DNS_TYPE_A, "", name));
    }
    diagnose_dns_ask(d, q, 2 * targets->count);
    for (uint32_t i = 0; i < targets->count; i++) {
        uint32_t before = out->count;

        add_spots(d, find, &targets->at[i], &q[2 * i], out);
        without += out->count == before && before < DIAGNOSE_SPOTS_MAX;
    }
    if (out->count == 0) {
        diagnose_fail(d, find->address_step,
                      diagnose_left_ms(d, 1) == 0
                          ? DIAGNOSE_FAULT_OUT_OF_TIME
                          : no_address(find, q, 2 * targets->count, out->is_fallback));
    } else if (without > 0) {
        diagnose_warn(d, find->address_step, is_ours ? DIAGNOSE_FAULT_OUR_ADDRESS_SOME
                                                     : DIAGNOSE_FAULT_ADDRESS_SOME);
    } else {
        diagnose_set(d, find->address_step, DIAGNOSE_OK);
    }
    pool_heap_free(q);
    return out->count > 0;
}

static bool find_proxy(struct diagnose *d, const struct diagnose_find *find,
                       struct dns_targets *targets, struct diagnose_spots *out)
{
    diagnose_seen(d, find->srv_step, "proxy_fqdn of the partner's row: %.*s port %u",
                  SLICE_FMT(find->proxy_host), find->proxy_port);
    diagnose_set(d, find->srv_step, DIAGNOSE_SKIPPED);
    if (diagnose_spot_parse(&out->at[0], find->proxy_host, find->proxy_port)) {
        out->count = out->target_count = 1;
        diagnose_set(d, find->address_step, DIAGNOSE_SKIPPED);
        return true;
    }
    use_name_itself(targets, find->proxy_host, find->proxy_port);
    return false;
}

bool diagnose_find(struct diagnose *d, const struct diagnose_find *find,
                   struct diagnose_spots *out)
{
    struct diagnose_question *q;
    struct dns_targets targets = {0};
    bool is_good;

    *out = (struct diagnose_spots){0};
    if (find->proxy_host.len > 0) {
        return find_proxy(d, find, &targets, out) || find_addresses(d, find, &targets, out);
    }
    q = pool_heap_zalloc(2 * sizeof(*q));
    is_good = find_targets(d, find, q, &targets, &out->is_fallback);
    pool_heap_free(q);
    if (!is_good) {
        return false;
    }
    is_good = find_addresses(d, find, &targets, out);
    if (!is_good && out->is_fallback && find->srv_step == DIAGNOSE_OUT_SRV) {
        diagnose_fail(d, find->srv_step, DIAGNOSE_FAULT_SRV_MISSING);
    }
    return is_good;
}
