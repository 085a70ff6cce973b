/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dial_race: happy eyeballs (RFC 8305) over the addresses of one target. AAAA and A are asked at
 * once; who answers first waits a moment for the other; attempts start 250 ms apart or when one
 * fails; the first that connects wins and the rest is given up. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "engine/dial_int.h"

enum { RACE_V6, RACE_V4 };

static void start_attempts(struct dial *d);

static bool is_resolving(const struct dial_race *r)
{
    return resolver_is_asking(&r->query[RACE_V6]) || resolver_is_asking(&r->query[RACE_V4]);
}

void race_stop(struct dial *d)
{
    struct dial_race *r = &d->race;

    for (unsigned i = 0; i < 2; i++) {
        resolver_cancel(&r->query[i]);
        pool_free(r->answer[i]);
        r->answer[i] = NULL;
    }
    shard_timer_disarm(d->sh, &r->timer);
    for (uint32_t i = 0; i < r->addr_next; i++) {
        if (r->attempt[i].is_active) {
            r->attempt[i].is_active = false;
            shard_connect_cancel(d->sh, r->attempt[i].ref);
        }
    }
    r->addr_count = 0;
    r->addr_next = 0;
    r->active_count = 0;
    r->has_begun = false;
    r->dns_err = 0;
}

static socklen_t make_sockaddr(struct sockaddr_storage *out, const struct dns_addr *addr,
                               uint16_t port)
{
    *out = (struct sockaddr_storage){0};
    if (addr->is_v6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        memcpy(&in6->sin6_addr, addr->bytes, 16);
        return sizeof(*in6);
    }
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    memcpy(&in->sin_addr, addr->bytes, 4);
    return sizeof(*in);
}

static void note_attempt(struct dial *d, const struct dns_addr *addr, int err)
{
    char text[INET6_ADDRSTRLEN];

    if (inet_ntop(addr->is_v6 ? AF_INET6 : AF_INET, addr->bytes, text, sizeof(text)) == NULL) {
        text[0] = '\0';
    }
    dial_note(d, DIAL_STEP_TCP, err, text, err_text(err));
}

/* Nothing runs and nothing can be started any more: the target is lost. */
static void end_if_lost(struct dial *d)
{
    struct dial_race *r = &d->race;

    if (r->active_count > 0 || r->addr_next < r->addr_count || is_resolving(r)) {
        return;
    }
    if (r->addr_count == 0) {
        dial_note(d, DIAL_STEP_DNS, r->dns_err, NULL, err_text(r->dns_err));
    }
    dial_target_failed(d);
}

static void attempt_done(struct shard *sh, void *ctx, struct conn *c, int err)
{
    struct dial_attempt *a = ctx;
    struct dial *d = a->d;

    (void)sh;
    a->is_active = false;
    d->race.active_count--;
    if (err == 0) {
        race_stop(d);
        dial_connected(d, c);
        return;
    }
    note_attempt(d, &a->addr, err);
    start_attempts(d);
}

static void timer_fire(struct wheel_timer *timer, void *ctx)
{
    (void)timer;
    start_attempts(ctx);
}

/* Starts the next address; one that fails at once is followed by the one after it. */
static void start_attempts(struct dial *d)
{
    struct dial_race *r = &d->race;

    r->has_begun = true;
    shard_timer_disarm(d->sh, &r->timer);
    while (r->addr_next < r->addr_count) {
        struct dial_attempt *a = &r->attempt[r->addr_next];
        struct sockaddr_storage addr;
        *a = (struct dial_attempt){.d = d, .addr = r->addr[r->addr_next]};
        r->addr_next++;
        struct shard_connect_params params = {
            .addr = (struct sockaddr *)&addr,
            .addr_len = make_sockaddr(&addr, &a->addr, d->targets.at[d->target_idx].port),
            .timeout_ms = d->params.connect_timeout_ms,
            .done = attempt_done,
            .ctx = a,
        };
        int err = shard_connect(d->sh, &params, &a->ref);
        if (err == 0) {
            a->is_active = true;
            r->active_count++;
            shard_timer_arm(d->sh, &r->timer, DIAL_ATTEMPT_DELAY_MS, timer_fire, d);
            return;
        }
        note_attempt(d, &a->addr, err);
    }
    end_if_lost(d);
}

/* Puts the addresses that came behind those that were tried already. */
static void merge_addrs(struct dial_race *r)
{
    struct dns_addr all[DNS_RACE_ADDRS_MAX];
    uint32_t count = dns_addrs_interleave(all, r->answer[RACE_V6], r->answer[RACE_V4]);
    uint32_t kept = r->addr_next;

    for (uint32_t i = 0; i < count && kept < DNS_RACE_ADDRS_MAX; i++) {
        bool was_tried = false;
        for (uint32_t k = 0; k < r->addr_next; k++) {
            was_tried |= r->addr[k].is_v6 == all[i].is_v6 &&
                         memcmp(r->addr[k].bytes, all[i].bytes, sizeof(all[i].bytes)) == 0;
        }
        if (!was_tried) {
            r->addr[kept++] = all[i];
        }
    }
    r->addr_count = kept;
}

static void take_answer(struct dial *d, unsigned which, const struct dns_answer *answer)
{
    struct dial_race *r = &d->race;

    if (answer->err) {
        r->dns_err = answer->err;
    } else {
        r->answer[which] = pool_alloc(dns_answer_bytes(answer));
        if (r->answer[which]) {
            memcpy(r->answer[which], answer, dns_answer_bytes(answer));
        } else {
            r->dns_err = ERR_NOMEM;
        }
    }
    merge_addrs(r);
    if (!is_resolving(r)) {
        if (!r->has_begun || r->active_count == 0) {
            start_attempts(d);
        } else if (!wheel_timer_is_armed(&r->timer)) {
            shard_timer_arm(d->sh, &r->timer, DIAL_ATTEMPT_DELAY_MS, timer_fire, d);
        }
    } else if (r->addr_count > 0 && !r->has_begun) {
        shard_timer_arm(d->sh, &r->timer, DIAL_RESOLUTION_DELAY_MS, timer_fire, d);
    }
}

static void v6_done(struct shard *sh, const struct dns_answer *answer, void *ctx)
{
    (void)sh;
    take_answer(ctx, RACE_V6, answer);
}

static void v4_done(struct shard *sh, const struct dns_answer *answer, void *ctx)
{
    (void)sh;
    take_answer(ctx, RACE_V4, answer);
}

void race_begin_addr(struct dial *d, const struct dns_addr *addr)
{
    d->race.addr[0] = *addr;
    d->race.addr_count = 1;
    shard_timer_arm(d->sh, &d->race.timer, 0, timer_fire, d);
}

void race_begin_name(struct dial *d, struct slice host)
{
    struct dial_race *r = &d->race;
    int err6 = resolver_ask(d->sh, &r->query[RACE_V6], host, DNS_TYPE_AAAA, v6_done, d);
    int err4 = resolver_ask(d->sh, &r->query[RACE_V4], host, DNS_TYPE_A, v4_done, d);

    r->dns_err = err6 ? err6 : err4;
    if (err6 && err4) {
        shard_timer_arm(d->sh, &r->timer, 0, timer_fire, d);
    }
}
