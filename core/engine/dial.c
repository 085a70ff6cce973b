/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dial: which target is tried next, the handshake of direct TLS, and the two ends. */
#include "engine/dial.h"

#include <arpa/inet.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "engine/dial_int.h"

static void next_target(struct dial *d);

const char *dial_step_name(enum dial_step step)
{
    switch (step) {
    case DIAL_STEP_DNS:
        return "dns";
    case DIAL_STEP_TCP:
        return "tcp";
    case DIAL_STEP_TLS:
        return "tls";
    }
    UNREACHABLE("dial step");
}

/* ---- story and clock ---- */

static struct slice target_host(const struct dial *d)
{
    return d->target_idx < d->targets.count ? dns_name_slice(&d->targets.at[d->target_idx].name)
                                            : d->params.name;
}

void dial_note(struct dial *d, enum dial_step step, int err, const char *addr, const char *why)
{
    size_t before = buf_len(&d->story);

    if (before > 0) {
        buf_put_lit(&d->story, "; ");
    }
    buf_put(&d->story, target_host(d));
    if (d->target_idx < d->targets.count) {
        buf_putc(&d->story, ':');
        buf_put_u64(&d->story, d->targets.at[d->target_idx].port);
    }
    if (addr) {
        buf_put_lit(&d->story, " (");
        buf_put_cstr(&d->story, addr);
        buf_putc(&d->story, ')');
    }
    buf_put_lit(&d->story, ": ");
    buf_put_cstr(&d->story, why);
    if (d->story.failed || buf_len(&d->story) > DIAL_STORY_BYTES_MAX) {
        buf_truncate(&d->story, before); /* long enough already */
    }
    if (d->worst_err == 0 || step >= d->worst_step) {
        d->worst_step = step;
        d->worst_err = err ? err : ERR_CLOSED;
    }
}

static void stop_work(struct dial *d)
{
    uint64_t used_ms = shard_now_ms(d->sh) - d->working_since_ms;

    shard_timer_disarm(d->sh, &d->later);
    shard_timer_disarm(d->sh, &d->total);
    d->total_left_ms -= used_ms < d->total_left_ms ? used_ms : d->total_left_ms;
    for (unsigned i = 0; i < DNS_SERVICES_MAX; i++) {
        resolver_cancel(&d->srv_query[i]);
    }
    race_stop(d);
}

static size_t no_data(struct conn *c, void *owner, char *bytes, size_t len)
{
    (void)c;
    (void)owner;
    (void)bytes;
    return len;
}

static void no_secured(struct conn *c, void *owner)
{
    (void)owner;
    conn_abort(c, ERR_SHUTDOWN, "given up");
}

static void no_closed(struct conn *c, void *owner, int err, const char *why, size_t unsent_bytes)
{
    (void)c;
    (void)owner;
    (void)err;
    (void)why;
    (void)unsent_bytes;
}

/* Owner of a connection whose dial is gone. */
static const struct conn_ops orphan_ops = {.data = no_data, .secured = no_secured,
                                           .closed = no_closed};

static void drop_handshake(struct dial *d, int err, const char *why)
{
    struct conn *c = d->handshake;

    if (c) {
        d->handshake = NULL;
        conn_set_owner(c, &orphan_ops, NULL);
        conn_abort(c, err, why);
    }
}

/* d may be freed by the callee. */
static void fail(struct dial *d)
{
    stop_work(d);
    drop_handshake(d, ERR_SHUTDOWN, "given up");
    buf_putc(&d->story, '\0');
    const char *text = d->story.failed ? err_text(d->worst_err) : buf_slice(&d->story).ptr;
    d->ops->failed(d, d->ctx, d->worst_step, d->worst_err, text);
}

static void total_fire(struct wheel_timer *timer, void *ctx)
{
    struct dial *d = ctx;
    enum dial_step step = d->handshake           ? DIAL_STEP_TLS
                          : d->race.active_count ? DIAL_STEP_TCP
                                                 : DIAL_STEP_DNS;

    (void)timer;
    dial_note(d, step, ERR_TIMEOUT, NULL, "gave up: took too long in all");
    fail(d);
}

static void start_work(struct dial *d, wheel_fire_fn *fire)
{
    d->working_since_ms = shard_now_ms(d->sh);
    shard_timer_arm(d->sh, &d->total, d->total_left_ms, total_fire, d);
    shard_timer_arm(d->sh, &d->later, 0, fire, d);
}

/* ---- a connection ---- */

static bool is_direct_tls(const struct dial *d)
{
    const struct dns_target *t = &d->targets.at[d->target_idx];

    return d->is_direct_name ? d->params.port_direct_tls
                             : d->params.services[t->service_idx].direct_tls;
}

/* d may be freed by the callee. */
static void hand_over(struct dial *d, struct conn *c, bool was_direct_tls)
{
    stop_work(d);
    d->ops->done(d, d->ctx, c, was_direct_tls);
}

static void handshake_secured(struct conn *c, void *owner)
{
    struct dial *d = owner;

    d->handshake = NULL;
    hand_over(d, c, true);
}

static void handshake_closed(struct conn *c, void *owner, int err, const char *why,
                             size_t unsent_bytes)
{
    struct dial *d = owner;

    (void)unsent_bytes;
    d->handshake = NULL;
    dial_note(d, DIAL_STEP_TLS, err, conn_peer_text(c), why);
    dial_target_failed(d);
}

static const struct conn_ops handshake_ops = {.data = no_data, .secured = handshake_secured,
                                              .closed = handshake_closed};

void dial_connected(struct dial *d, struct conn *c)
{
    if (!is_direct_tls(d)) {
        hand_over(d, c, false);
        return;
    }
    d->handshake = c;
    conn_set_owner(c, &handshake_ops, d);
    struct conn_tls_params tls = d->params.tls;
    tls.session.role = TLS_ROLE_CLIENT;
    tls.session.now_unix_s = shard_now_unix_s(d->sh);
    int err = conn_start_tls(c, &tls);
    if (err) {
        conn_abort(c, err, err_text(err)); /* goes on in handshake_closed */
    }
}

/* ---- targets ---- */

static bool parse_ip(struct slice text, struct dns_addr *out)
{
    char cstr[INET6_ADDRSTRLEN];

    *out = (struct dns_addr){0};
    if (text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']') {
        text = slice_make(text.ptr + 1, text.len - 2);
    }
    if (!slice_to_cstr(text, cstr, sizeof(cstr))) {
        return false;
    }
    if (inet_pton(AF_INET, cstr, out->bytes) == 1) {
        return true;
    }
    out->is_v6 = true;
    return inet_pton(AF_INET6, cstr, out->bytes) == 1;
}

static void try_target(struct dial *d)
{
    struct dns_addr addr;

    if (parse_ip(target_host(d), &addr)) {
        race_begin_addr(d, &addr);
    } else {
        race_begin_name(d, target_host(d));
    }
}

void dial_target_failed(struct dial *d)
{
    race_stop(d);
    next_target(d);
}

/* Loops over targets happen through the event loop: each race ends in a later turn. */
static void next_target(struct dial *d)
{
    d->target_idx++;
    if (d->target_idx >= d->targets.count) {
        fail(d);
        return;
    }
    try_target(d);
}

static void use_direct_name(struct dial *d)
{
    struct dns_target *t = &d->targets.at[0];

    *t = (struct dns_target){.port = d->params.port};
    t->name.len = (uint8_t)d->params.name.len;
    memcpy(t->name.text, d->params.name.ptr, d->params.name.len);
    d->targets.count = 1;
    d->target_idx = 0;
    d->is_direct_name = true;
    try_target(d);
}

/* Whether the lookup of a service allows trying the name itself: it has no records, or nobody
 * answered (RFC 6120 3.2.1 steps 8 and 9); not when the zone says "." or cannot be read. */
static bool allows_fall_back(const struct dial *d, unsigned i)
{
    int err = d->srv_answer[i] ? d->srv_answer[i]->err : ERR_NOMEM;

    return !d->targets.is_refused[i] && (err == ERR_DNS_NODATA || err == ERR_DNS_NXDOMAIN ||
                                         err == ERR_DNS_TIMEOUT || err == 0);
}

/* SRV gave no target: A/AAAA of the name itself, if the service of that port allows it. */
static void fall_back(struct dial *d)
{
    bool may_fall_back = !d->params.srv_only;
    int err = 0;

    for (unsigned i = 0; i < DNS_SERVICES_MAX; i++) {
        if (d->params.services[i].srv_prefix == NULL) {
            continue;
        }
        if (d->params.services[i].direct_tls == d->params.port_direct_tls) {
            may_fall_back &= allows_fall_back(d, i);
        }
        if (d->targets.is_refused[i]) {
            err = ERR_DNS_REFUSED_SRV;
        } else if (err == 0 || !allows_fall_back(d, i)) {
            err = d->srv_answer[i] ? d->srv_answer[i]->err : ERR_NOMEM;
        }
    }
    if (may_fall_back) {
        use_direct_name(d);
        return;
    }
    err = err ? err : ERR_DNS_NODATA;
    dial_note(d, DIAL_STEP_DNS, err, NULL, err_text(err));
    fail(d);
}

static uint64_t random_of_shard(void *ctx)
{
    return shard_random(ctx);
}

static void srv_complete(struct dial *d)
{
    const struct dns_answer *sets[DNS_SERVICES_MAX];

    for (unsigned i = 0; i < DNS_SERVICES_MAX; i++) {
        if (resolver_is_asking(&d->srv_query[i])) {
            return;
        }
        sets[i] = d->srv_answer[i];
    }
    dns_targets_merge(&d->targets, sets, DNS_SERVICES_MAX, random_of_shard, d->sh);
    if (d->targets.count == 0) {
        fall_back(d);
        return;
    }
    d->target_idx = 0;
    try_target(d);
}

static void take_srv(struct dial *d, unsigned which, const struct dns_answer *answer)
{
    d->srv_answer[which] = pool_alloc(dns_answer_bytes(answer));
    if (d->srv_answer[which]) {
        memcpy(d->srv_answer[which], answer, dns_answer_bytes(answer));
    }
    srv_complete(d);
}

static void srv0_done(struct shard *sh, const struct dns_answer *answer, void *ctx)
{
    (void)sh;
    take_srv(ctx, 0, answer);
}

static void srv1_done(struct shard *sh, const struct dns_answer *answer, void *ctx)
{
    (void)sh;
    take_srv(ctx, 1, answer);
}

static int ask_srv(struct dial *d, unsigned which)
{
    char name[DNS_NAME_BYTES_MAX];
    struct slice prefix = slice_from_cstr(d->params.services[which].srv_prefix);
    size_t len = prefix.len + 1 + d->params.name.len;

    if (len > sizeof(name)) {
        return ERR_DNS_NXDOMAIN; /* such a name cannot exist */
    }
    memcpy(name, prefix.ptr, prefix.len);
    name[prefix.len] = '.';
    memcpy(name + prefix.len + 1, d->params.name.ptr, d->params.name.len);
    return resolver_ask(d->sh, &d->srv_query[which], slice_make(name, len), DNS_TYPE_SRV,
                        which ? srv1_done : srv0_done, d);
}

static void start_fire(struct wheel_timer *timer, void *ctx)
{
    struct dial *d = ctx;
    struct dns_addr addr;
    bool has_service = false;

    (void)timer;
    for (unsigned i = 0; i < DNS_SERVICES_MAX; i++) {
        has_service |= d->params.services[i].srv_prefix != NULL;
    }
    if (!has_service || parse_ip(d->params.name, &addr)) {
        use_direct_name(d);
        return;
    }
    for (unsigned i = 0; i < DNS_SERVICES_MAX; i++) {
        int err = d->params.services[i].srv_prefix ? ask_srv(d, i) : 0;
        if (err) {
            struct dns_answer none;
            dns_answer_fail(&none, DNS_TYPE_SRV, err);
            d->srv_answer[i] = pool_alloc(dns_answer_bytes(&none));
            if (d->srv_answer[i]) {
                memcpy(d->srv_answer[i], &none, dns_answer_bytes(&none));
            }
        }
    }
    srv_complete(d);
}

static void next_fire(struct wheel_timer *timer, void *ctx)
{
    (void)timer;
    next_target(ctx);
}

/* ---- life ---- */

/* Keeps a text of the caller's; false when there is no room. */
static bool keep(struct dial *d, struct slice *text)
{
    if (text->len > sizeof(d->strings) - d->strings_len) {
        return false;
    }
    char *to = d->strings + d->strings_len;
    if (text->len > 0) {
        memcpy(to, text->ptr, text->len);
    }
    d->strings_len += text->len;
    *text = slice_make(to, text->len);
    return true;
}

int dial_start(struct dial **out, struct shard *sh, const struct dial_params *params,
               const struct dial_ops *ops, void *ctx)
{
    struct slice name = params->name;

    *out = NULL;
    if (name.len > 0 && name.ptr[name.len - 1] == '.') {
        name.len--;
    }
    if (name.len == 0 || name.len > DNS_NAME_BYTES_MAX || slice_find(name, '\0') >= 0) {
        return ERR_BAD_INPUT;
    }
    struct dial *d = pool_zalloc(sizeof(*d));
    if (d == NULL) {
        return ERR_NOMEM;
    }
    *d = (struct dial){.magic = DIAL_MAGIC, .sh = sh, .ops = ops, .ctx = ctx, .params = *params};
    d->params.name = name;
    if (!keep(d, &d->params.name) || !keep(d, &d->params.tls.session.sni) ||
        !keep(d, &d->params.tls.session.alpn) ||
        !keep(d, &d->params.tls.session.credential_domain)) {
        pool_free(d);
        return ERR_LIMIT;
    }
    if (d->params.tls.ctx) {
        d->params.tls.ctx = tls_context_ref(d->params.tls.ctx);
    }
    if (d->params.connect_timeout_ms == 0) {
        d->params.connect_timeout_ms = DIAL_CONNECT_TIMEOUT_MS;
    }
    if (d->params.tls.handshake_timeout_ms == 0) {
        d->params.tls.handshake_timeout_ms = DIAL_HANDSHAKE_TIMEOUT_MS;
    }
    d->total_left_ms = params->total_timeout_ms ? params->total_timeout_ms : DIAL_TOTAL_TIMEOUT_MS;
    buf_init(&d->story, DIAL_STORY_BYTES_MAX + 200); /* one more note, to be cut again */
    start_work(d, start_fire);
    *out = d;
    return 0;
}

void dial_next(struct dial *d, const char *why)
{
    ASSERT(d->magic == DIAL_MAGIC && !wheel_timer_is_armed(&d->total));
    dial_note(d, DIAL_STEP_TLS, ERR_CLOSED, NULL, why);
    start_work(d, next_fire);
}

void dial_set_tls(struct dial *d, struct tls_context *ctx, enum tls_version version_min)
{
    struct tls_context *before = d->params.tls.ctx;

    ASSERT(d->magic == DIAL_MAGIC);
    d->params.tls.ctx = tls_context_ref(ctx);
    d->params.tls.session.version_min = version_min;
    if (before) {
        tls_context_unref(before);
    }
}

void dial_free(struct dial *d)
{
    if (d == NULL) {
        return;
    }
    ASSERT(d->magic == DIAL_MAGIC);
    stop_work(d);
    drop_handshake(d, ERR_SHUTDOWN, "given up");
    for (unsigned i = 0; i < DNS_SERVICES_MAX; i++) {
        pool_free(d->srv_answer[i]);
    }
    if (d->params.tls.ctx) {
        tls_context_unref(d->params.tls.ctx);
    }
    buf_deinit(&d->story);
    d->magic = 0;
    pool_free(d);
}

struct slice dial_target(const struct dial *d)
{
    return target_host(d);
}
