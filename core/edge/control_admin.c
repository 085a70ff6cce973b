/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_admin: what the node answers to fedgatectl. Each answer is one JSON object on one line;
 * its members are described in fedgatectl(1), with --json. */
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/jout.h"
#include "base/pool.h"
#include "edge/control_int.h"
#include "edge/control_status.h"
#include "edge/loader.h"
#include "engine/engine.h"
#include "policy/decide.h"
#include "policy/quote.h"
#include "xmpp/dialback.h"
#include "xmpp/jid.h"

void control_fail(struct jout *j, const char *text)
{
    jout_object(j, NULL);
    jout_bool(j, "ok", false);
    jout_cstr(j, "error", text);
    jout_end(j);
}

/* With what was asked for in quotes. */
void control_fail_of(struct jout *j, const char *what, struct slice asked)
{
    char text[ADMIN_WHY_BYTES];

    (void)snprintf(text, sizeof(text), "%s: %s", what, quote(asked).text);
    control_fail(j, text);
}

static const char stopping[] = "the node is stopping";

/* The number under which the answer comes; 0: this was it. */
static uint64_t answer_reload(struct control *ctl, struct jout *j)
{
    if (ctl->is_draining) {
        control_fail(j, stopping);
        return 0;
    }
    return control_reload(ctl);
}

static void put_loaded(const struct control *ctl, const struct loaded *l, struct jout *j)
{
    jout_object(j, NULL);
    jout_bool(j, "ok", l->setup != NULL);
    if (l->setup) {
        jout_u64(j, "generation", ctl->generation);
        jout_object(j, "partners");
        jout_u64(j, "count", ctl->current->policy->partner_count);
        jout_u64(j, "added", l->partners.added);
        jout_u64(j, "removed", l->partners.removed);
        jout_u64(j, "changed", l->partners.changed);
        jout_end(j);
        status_put_restart(j, ctl);
    } else {
        jout_printf(j, "error", "%u error%s: the running configuration stays",
                    l->report.error_count, l->report.error_count == 1 ? "" : "s");
    }
    config_report_write_json(&l->report, j);
    jout_end(j);
}

void control_answer_reload(struct control *ctl, uint64_t number, const struct loaded *l)
{
    struct buf line;
    struct jout j;

    buf_init(&line, ADMIN_REPLY_BYTES_MAX);
    jout_init(&j, &line, false);
    if (l) {
        put_loaded(ctl, l, &j);
    } else {
        control_fail(&j, stopping);
    }
    if (line.failed) {
        buf_clear(&line);
        jout_init(&j, &line, false);
        control_fail(&j, "the answer does not fit its buffer");
    }
    admin_finish(ctl->admin, number, buf_slice(&line));
    buf_deinit(&line);
}

/* Primary domain of the partner in force that has this domain, else the domain itself. */
static struct slice primary_of(const struct control *ctl, const struct jid_ascii *domain,
                               bool *is_configured)
{
    const struct partner *p = snapshot_partner(ctl->current->policy, jid_ascii_slice(domain));

    *is_configured = p != NULL;
    return p ? p->domain : jid_ascii_slice(domain);
}

static void answer_partner(struct control *ctl, struct slice asked, struct jout *j)
{
    struct jid_ascii domain;
    struct figures f;
    struct slice primary;
    bool is_configured;

    if (jid_domain_to_ascii(asked, &domain) != 0) {
        control_fail_of(j, "no domain", asked);
        return;
    }
    primary = primary_of(ctl, &domain, &is_configured);
    jout_object(j, NULL);
    jout_bool(j, "ok", true);
    jout_text(j, "domain", primary);
    jout_bool(j, "is_configured", is_configured);
    jout_u64(j, "generation", ctl->generation);
    jout_raw(j, "figures", SLICE_NONE);
    figures_collect(&f, ctl);
    report_write_partner_json(j->out, f.reports, f.count, primary);
    figures_deinit(&f);
    jout_end(j);
}

/* Shard 0 answers as it would answer a stanza. */
static bool ask_shard(struct control *ctl, const struct policy_question *q,
                      struct why_answer *answer)
{
    struct mail_why *m = edge_mail_new(MAIL_WHY, sizeof(*m));
    sem_t done;
    bool is_asked;

    if (!m) {
        return false;
    }
    (void)sem_init(&done, 0, 0);
    m->question = q;
    m->answer = answer;
    m->done = &done;
    is_asked = engine_post(ctl->engine, 0, &m->mail) == 0;
    if (!is_asked) {
        pool_free(m);
    }
    while (is_asked && sem_wait(&done) != 0) {
    }
    (void)sem_destroy(&done);
    return is_asked;
}

static void put_why(struct jout *j, const struct control *ctl, const struct policy_question *q,
                    const struct why_answer *a)
{
    const struct partner *p = snapshot_partner(ctl->current->policy, q->remote_domain);
    bool is_inwards = q->direction == POLICY_TO_LOCAL;

    jout_object(j, NULL);
    jout_bool(j, "ok", true);
    jout_cstr(j, "direction", is_inwards ? "to_local" : "to_partner");
    jout_cstr(j, "act", policy_act_name(q->act));
    jout_bool(j, "allowed", a->allowed);
    jout_cstr(j, "rule", a->rule);
    jout_cstr(j, "reason", policy_reason_name((enum policy_reason)a->reason));
    jout_cstr(j, "answer", policy_answer_name((enum policy_answer)a->answer));
    jout_bool(j, "without_note", a->without_note);
    jout_bool(j, "is_reachable", a->is_reachable);
    jout_text(j, "partner", p ? p->domain : SLICE_NONE);
    jout_cstr(j, "partner_type", p ? partner_type_name((enum partner_type)p->type) : NULL);
    jout_u64(j, "generation", ctl->generation);
    jout_end(j);
}

static void answer_why(struct control *ctl, const struct admin_request *request, struct jout *j)
{
    const struct slice *asked = request->members;
    struct jid_storage mem[2];
    struct jid from;
    struct jid to;
    struct policy_question q;
    struct why_answer answer = {0};

    if (jid_parse(&mem[0], asked[ADMIN_FROM], &from) != 0) {
        control_fail_of(j, "no address", asked[ADMIN_FROM]);
    } else if (jid_parse(&mem[1], asked[ADMIN_TO], &to) != 0) {
        control_fail_of(j, "no address", asked[ADMIN_TO]);
    } else if (!policy_act_find(asked[ADMIN_ACT], &q.act)) {
        control_fail_of(j, "no act", asked[ADMIN_ACT]);
    } else if (!policy_question_make(&q, ctl->current->policy, &from, &to)) {
        control_fail(j, "neither of these domains is one of ours");
    } else if (!ask_shard(ctl, &q, &answer)) {
        control_fail(j, "the node is too busy to answer; try again");
    } else {
        put_why(j, ctl, &q, &answer);
    }
}

/* Whoever has this key may speak for our domain on that stream, so it is for those who could read
 * the secret anyway: not for the group that may connect to the socket. */
static bool may_have_keys(const struct admin_peer *peer)
{
    return peer->uid == 0 || peer->uid == geteuid();
}

static void answer_dialback_key(struct control *ctl, const struct admin_request *request,
                                const struct admin_peer *peer, struct jout *j)
{
    const struct crypto *crypto = ctl->current->crypto;
    struct jid_storage mem[2];
    struct jid local;
    struct jid remote;
    struct dialback_bond bond;
    struct dialback_secret secret;
    struct dialback_key key;

    if (!may_have_keys(peer)) {
        control_fail(j, "a dialback key is given to root and to the node's own user only");
        return;
    }
    if (jid_make(&mem[0], SLICE_NONE, request->members[ADMIN_LOCAL], SLICE_NONE, &local) != 0 ||
        jid_make(&mem[1], SLICE_NONE, request->members[ADMIN_REMOTE], SLICE_NONE, &remote) != 0) {
        control_fail(j, "local and remote are to be domains");
        return;
    }
    if (!snapshot_domain(ctl->current->policy, local.domain)) {
        control_fail_of(j, "not a domain of ours", local.domain);
        return;
    }
    bond = (struct dialback_bond){.receiving = remote.domain, .originating = local.domain,
                                  .stream_id = request->members[ADMIN_ID]};
    dialback_secret_init(&secret, crypto, slice_from_cstr(ctl->current->secret));
    if (dialback_key_make(&key, crypto, &secret, &bond)) {
        jout_object(j, NULL);
        jout_bool(j, "ok", true);
        jout_text(j, "key", slice_make(key.hex, sizeof(key.hex)));
        jout_end(j);
    } else {
        control_fail(j, "a part is longer than a stream may have it");
    }
    explicit_bzero(&secret, sizeof(secret));
    explicit_bzero(&key, sizeof(key));
}

uint64_t control_answer(const struct admin_request *request, const struct admin_peer *peer,
                        struct buf *out, void *ctx)
{
    struct control *ctl = ctx;
    uint64_t number = 0;
    struct jout j;

    LOG_D(admin_request, "command=%s uid=%u pid=%d", admin_command_name(request->command),
          (unsigned)peer->uid, (int)peer->pid);
    jout_init(&j, out, false);
    switch (request->command) {
    case ADMIN_STATUS:
        status_answer(ctl, &j);
        break;
    case ADMIN_RELOAD:
        LOG_I(admin_request, "command=reload uid=%u pid=%d", (unsigned)peer->uid, (int)peer->pid);
        number = answer_reload(ctl, &j);
        break;
    case ADMIN_PARTNER:
        answer_partner(ctl, request->members[ADMIN_DOMAIN], &j);
        break;
    case ADMIN_WHY:
        answer_why(ctl, request, &j);
        break;
    case ADMIN_DIALBACK_KEY:
        LOG_I(admin_request, "command=dialback_key uid=%u pid=%d", (unsigned)peer->uid,
              (int)peer->pid);
        answer_dialback_key(ctl, request, peer, &j);
        break;
    case ADMIN_CONTACTS:
        control_answer_contacts(ctl, request, &j);
        break;
    case ADMIN_CONTACT:
        LOG_I(admin_request, "command=contact act=%s uid=%u pid=%d",
              log_quote(request->members[ADMIN_ACT]).text, (unsigned)peer->uid, (int)peer->pid);
        control_answer_contact(ctl, request, &j);
        break;
    case ADMIN_COMMAND_COUNT:
        break;
    }
    return number;
}
