/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leg_in_limits: what an incoming stream may: its place among its partner's connections, how fast
 * and how large it sends. A stream that is too fast is not read for a while; nothing is dropped. */
#include "base/check.h"
#include "edge/bounce.h"
#include "edge/leg_in_int.h"

void leg_in_pause(struct leg_in *leg, uint32_t why)
{
    if (leg->pauses == 0) {
        conn_pause(leg->c);
    }
    leg->pauses |= why;
}

void leg_in_unpause(struct leg_in *leg, uint32_t why)
{
    bool was_paused = leg->pauses != 0;

    leg->pauses &= ~why;
    if (was_paused && leg->pauses == 0) {
        leg_in_not_listening(leg);
        conn_resume(leg->c);
    }
}

static bool is_closing(const struct leg_in *leg)
{
    return !leg->s || (stream_pair_count(leg->s) != 0 && !stream_is_open(leg->s));
}

void leg_in_hear_close(struct leg_in *leg)
{
    if ((leg->pauses & LEG_IN_PAUSE_RATE) && is_closing(leg)) {
        shard_timer_disarm(leg->host.e->sh, &leg->rate_timer);
        leg_in_unpause(leg, LEG_IN_PAUSE_RATE);
    }
}

/* Not read: what the peer said meanwhile, it did say. */
void leg_in_not_listening(struct leg_in *leg)
{
    if (leg->s) {
        stream_not_listening(leg->s, shard_now_ms(leg->host.e->sh));
    }
}

void leg_in_refuse_place(struct leg_in *leg)
{
    if (leg->is_ended || !leg->is_without_place) {
        return;
    }
    /* After SASL the peer's new header comes first: it cannot read our answer before. */
    if (stream_is_open(leg->s)) {
        uint64_t now = shard_now_ms(leg->host.e->sh);

        leg->is_without_place = false;
        leg->is_refused = true;
        stream_close(leg->s, now, STREAM_CONDITION_RESOURCE_CONSTRAINT,
                     "connection limit reached");
        stream_close_within(leg->s, now, HOST_REFUSED_CLOSE_MS);
    }
}

static void on_evict(struct place *p, const char *limit)
{
    struct leg_in *leg = CONTAINER_OF(p, struct leg_in, place);
    struct edge *e = leg->host.e;

    ASSERT(leg->magic == LEG_IN_MAGIC);
    e->stats.connection_limit_closed++;
    LOG_W(stream_refused, "dir=in peer=%s remote=%s why=connection-limit of=%s note=lowered",
          conn_peer_text(leg->c), log_quote(stream_remote(leg->s)).text, limit);
    leg->is_without_place = true;
    leg_in_refuse_place(leg);
    leg_in_settle(leg);
}

void leg_in_admit(struct leg_in *leg, const struct partner *p, struct partner_run *run)
{
    struct edge *e = leg->host.e;
    const char *which;

    leg->place.direction = PARTNER_IN;
    leg->place.evict = on_evict;
    which = place_take(e, &leg->place, run, p);
    if (which) {
        e->stats.connection_limit_refused++;
        leg->is_without_place = true;
        leg_in_refuse_place(leg);
        partner_run_failed(e, run, PARTNER_IN, FAIL_STEP_POLICY,
                           which[0] == 'p' ? "refused: the partner's connection limit is reached"
                                           : "refused: gateway.connection_limit is reached");
        LOG_W(stream_refused, "dir=in peer=%s remote=%s why=connection-limit of=%s",
              conn_peer_text(leg->c), log_quote(slice_make(run->domain, run->domain_len)).text,
              which);
    }
}

static void on_rate_over(struct wheel_timer *t, void *ctx)
{
    struct leg_in *leg = ctx;

    (void)t;
    ASSERT(leg->magic == LEG_IN_MAGIC);
    leg_in_unpause(leg, LEG_IN_PAUSE_RATE);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* All streams of the partner draw on the same buckets. */
static void charge(struct leg_in *leg, const struct partner_extra *x, struct partner_run *run,
                   size_t bytes)
{
    struct edge *e = leg->host.e;
    uint64_t now = shard_now_ms(e->sh);
    struct rate_rule stanzas = {x->stanza_rate_max, x->stanza_burst};
    struct rate_rule volume = {x->byte_rate_max, x->byte_burst};
    uint64_t wait_ms = later(rate_take(&run->stanza_rate, &stanzas, 1, now),
                             rate_take(&run->byte_rate, &volume, bytes, now));

    if (wait_ms != 0 && !leg->is_ended && !is_closing(leg)) {
        e->stats.rate_waits++;
        leg_in_pause(leg, LEG_IN_PAUSE_RATE);
        shard_timer_arm(e->sh, &leg->rate_timer, wait_ms, on_rate_over, leg);
    }
}

/* Looked up once per snapshot where there are none, which is nearly always. */
static const struct partner_extra *extra_of(struct leg_in *leg, struct slice remote)
{
    struct edge *e = leg->host.e;
    bool is_alone = stream_pair_count(leg->s) == 1;
    const struct partner *p;

    if (is_alone && leg->plain_version == e->setup_version + 1) {
        return NULL;
    }
    p = snapshot_partner(edge_policy(e), remote);
    if (!p || !p->extra) {
        leg->plain_version = is_alone ? e->setup_version + 1 : 0; /* 0 = not known */
        return NULL;
    }
    return p->extra;
}

bool leg_in_is_within(struct leg_in *leg, const struct stanza *st)
{
    struct edge *e = leg->host.e;
    const struct partner_extra *x = extra_of(leg, st->from.domain);
    struct partner_run *run = x ? partner_run_of(e, st->from.domain) : NULL;
    size_t bytes = st->tree->wire_bytes;
    struct jid_ascii local;
    struct jid_ascii remote;

    if (!run) {
        return true;
    }
    charge(leg, x, run, bytes);
    if (x->stanza_bytes_max == 0 || bytes <= x->stanza_bytes_max) {
        return true;
    }
    e->stats.bounced_size++;
    partner_run_bounced(e, st->from.domain, BOUNCE_SIZE);
    if (jid_domain_to_ascii(st->to.domain, &local) == 0 &&
        jid_domain_to_ascii(st->from.domain, &remote) == 0) {
        bounce_stanza(e, st,
                      &(struct bounce_reply){
                          .to_partner = true,
                          .local = jid_ascii_slice(&local),
                          .remote = jid_ascii_slice(&remote),
                          .error = {.condition = STANZA_CONDITION_POLICY_VIOLATION,
                                    .type = STANZA_ERROR_TYPE_MODIFY,
                                    .text = SLICE_LIT("larger than is agreed with this domain")},
                      });
    }
    return false;
}

void leg_in_set_run(struct leg_in *leg, struct partner_run *run)
{
    if (leg->run) {
        ASSERT(leg->run->leg_count > 0);
        leg->run->leg_count--;
    }
    if (run) {
        run->leg_count++;
    }
    leg->run = run;
}

void leg_in_limits_end(struct leg_in *leg, struct edge *e)
{
    leg_in_set_run(leg, NULL);
    place_give(e, &leg->place);
    shard_timer_disarm(e->sh, &leg->rate_timer);
}
