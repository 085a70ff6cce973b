/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_dial: the way to the partner's server: where to, and what comes after an attempt failed. */
#include "base/err.h"
#include "edge/fail.h"
#include "edge/link_int.h"

#define XMPP_SERVER_PORT 5269u
#define HANDSHAKE_MS_MAX 20000u /* the next address may do better */

struct conn_tls_params link_tls_params(struct link *l)
{
    uint32_t establish_ms = edge_policy(l->host.e)->gateway.stream_establishment_timeout_s * 1000;

    return (struct conn_tls_params){
        .ctx = edge_setup(l->host.e)->tls,
        .session = {.role = TLS_ROLE_CLIENT,
                    .sni = link_remote(l),
                    .alpn = SLICE_LIT("xmpp-server"),
                    .credential_idx = UINT32_MAX,
                    .credential_domain = link_local(l),
                    .version_min = host_tls_min(l->host.e, link_remote(l)),
                    .may_resume =
                        edge_policy(l->host.e)->resumption == TLS_RESUMPTION_ON},
        .handshake_timeout_ms =
            establish_ms < HANDSHAKE_MS_MAX ? establish_ms : HANDSHAKE_MS_MAX,
        .ktls = edge_ktls(l->host.e),
    };
}

/* Whether another address of the partner may do better than the one that failed. */
static bool may_next_target_help(enum fail_step step)
{
    return step != FAIL_STEP_SASL && step != FAIL_STEP_DIALBACK && step != FAIL_STEP_POLICY;
}

void link_dial_again(struct link *l)
{
    bool had_avoided = l->avoid_tls;
    struct stream_rules rules;
    const struct partner *p = snapshot_partner(edge_policy(l->host.e), link_remote(l));

    if (p) {
        host_rules_of(l->host.e, p, STREAM_OUT, &rules);
        if (l->fail_step == FAIL_STEP_TLS && !had_avoided &&
            (rules.methods & STREAM_METHOD_DIALBACK_PLAIN) &&
            rules.methods != STREAM_METHOD_DIALBACK_PLAIN) {
            l->avoid_tls = true;
            dial_free(l->dial);
            l->dial = NULL;
            link_connect(l);
            return;
        }
    }
    if (l->dial && may_next_target_help(l->fail_step)) {
        link_set_state(l, LINK_ST_DIALLING);
        dial_next(l->dial, link_fail_text(l));
        return;
    }
    link_down(l, l->fail_step, true, link_fail_text(l));
}

static void on_dial_failed(struct dial *d, void *ctx, enum dial_step step, int err,
                           const char *text)
{
    struct link *l = ctx;
    bool is_for_good = err == ERR_DNS_NXDOMAIN || err == ERR_DNS_NODATA ||
                       err == ERR_DNS_REFUSED_SRV;

    (void)d;
    if (l->is_failed && l->fail_step != FAIL_STEP_TCP) {
        /* A stream came further than the dialler: its failure says more. */
        link_down(l, l->fail_step, l->is_fail_final, link_fail_text(l));
        return;
    }
    link_down(l, fail_step_of_dial(step), is_for_good, text);
}

static void on_dialled(struct dial *d, void *ctx, struct conn *c, bool is_direct_tls)
{
    (void)d;
    link_open_stream(ctx, c, is_direct_tls);
}

static const struct dial_ops link_dial_ops = {.done = on_dialled, .failed = on_dial_failed};

void link_connect(struct link *l)
{
    struct edge *e = l->host.e;
    struct policy_verdict verdict = policy_pair(edge_policy(e), link_local(l), link_remote(l));
    struct dial_params params;
    struct stream_rules rules;
    const char *limit;
    int err;

    link_forget_failure(l);
    if (!verdict.allowed) {
        link_refuse(l, &verdict);
        return;
    }
    limit = link_take_place(l, verdict.partner);
    if (limit) {
        link_wait_for_place(l, limit);
        return;
    }
    l->rules_mark = link_rules_mark(verdict.partner);
    host_rules_of(e, verdict.partner, STREAM_OUT, &rules);
    params = (struct dial_params){
        .name = link_remote(l),
        .port = XMPP_SERVER_PORT,
        .tls = link_tls_params(l),
    };
    if (!slice_is_empty(verdict.partner->proxy_host)) {
        params.name = verdict.partner->proxy_host;
        params.port = verdict.partner->proxy_port;
    } else {
        bool direct = (rules.methods & ~(uint32_t)STREAM_METHOD_DIALBACK_PLAIN) != 0 &&
                      params.tls.ctx && !l->avoid_tls;

        params.services[0] = (struct dial_service){direct ? "_xmpps-server._tcp" : NULL, true};
        params.services[1] = (struct dial_service){"_xmpp-server._tcp", false};
    }
    link_set_state(l, LINK_ST_DIALLING);
    l->dialled_ms = shard_now_ms(e->sh);
    LOG_D(dial_started, "local=%s remote=%s", log_quote(link_local(l)).text,
          log_quote(link_remote(l)).text);
    err = dial_start(&l->dial, e->sh, &params, &link_dial_ops, l);
    if (err != 0) {
        l->dial = NULL;
        link_down(l, FAIL_STEP_TCP, false, err_text(err));
    }
}
