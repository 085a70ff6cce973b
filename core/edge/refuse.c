/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refuse: answers to refused stanzas. */
#include "edge/refuse.h"

#include <stdio.h>

#include "base/check.h"
#include "base/utf8.h"
#include "edge/bounce.h"
#include "edge/route.h"
#include "translate/error.h"
#include "translate/message.h"

#define MAINTENANCE_RETRY_S 300u
#define TEXT_BYTES 96u
#define REASON_BYTES_MAX 200u /* a phrase, also if the administrator wrote a page */

static void answer(struct edge *e, const struct stanza *st, const struct judge_pair *pair,
                   bool to_partner, struct stanza_error error)
{
    bounce_stanza(e, st,
                  &(struct bounce_reply){.to_partner = to_partner,
                                         .local = pair->local,
                                         .remote = pair->remote,
                                         .error = error});
}

static struct stanza_error maintenance(const struct policy_decision *d)
{
    return (struct stanza_error){.condition = STANZA_CONDITION_REMOTE_SERVER_TIMEOUT,
                                 .type = STANZA_ERROR_TYPE_WAIT,
                                 .text = d->text};
}

static void answer_as_unknown_user(struct edge *e, const struct stanza *st,
                                   const struct judge_pair *pair, bool is_sip)
{
    struct stanza_error error = {.condition = STANZA_CONDITION_SERVICE_UNAVAILABLE};
    struct error_text mem;

    if (st->kind != STANZA_MESSAGE) {
        route_answer_other(e, st, pair->local, pair->remote);
        return;
    }
    if (is_sip) {
        error_from_sip(&error, &mem,
                       &(struct error_sip){.status = 404, .reason = SLICE_LIT("Not Found")}, false);
    }
    answer(e, st, pair, true, error);
}

void refuse_partner(struct edge *e, const struct stanza *st, const struct judge_pair *pair,
                    const struct policy_decision *d)
{
    switch (d->answer) {
    case POLICY_ANSWER_UNKNOWN_USER:
    case POLICY_ANSWER_FORBIDDEN: /* a word for our users */
        answer_as_unknown_user(e, st, pair, d->domain->next_hop->kind == NEXT_HOP_SIP);
        break;
    case POLICY_ANSWER_NOT_FEDERATED:
        answer(e, st, pair, true,
               (struct stanza_error){.condition = STANZA_CONDITION_ITEM_NOT_FOUND});
        break;
    case POLICY_ANSWER_MAINTENANCE:
        answer(e, st, pair, true, maintenance(d));
        break;
    case POLICY_ANSWER_NONE:
        UNREACHABLE("allowed");
    }
}

void refuse_component(struct edge *e, const struct stanza *st, const struct judge_pair *pair,
                      const struct policy_decision *d)
{
    char text[TEXT_BYTES];
    int len;

    switch (d->answer) {
    case POLICY_ANSWER_NOT_FEDERATED:
        answer(e, st, pair, false,
               (struct stanza_error){.condition = STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND,
                                     .text = SLICE_LIT("not a federated domain")});
        break;
    case POLICY_ANSWER_MAINTENANCE:
        answer(e, st, pair, false, maintenance(d));
        break;
    case POLICY_ANSWER_FORBIDDEN:
    case POLICY_ANSWER_UNKNOWN_USER: /* a word for partners */
        len = snprintf(text, sizeof(text), "not allowed by the administrator: %s", d->rule.kind);
        answer(e, st, pair, false,
               (struct stanza_error){.condition = STANZA_CONDITION_FORBIDDEN,
                                     .text = slice_make(text, (size_t)len)});
        break;
    case POLICY_ANSWER_NONE:
        UNREACHABLE("allowed");
    }
}

void refuse_status(struct refuse_status *out, const struct policy_decision *d)
{
    int len;

    *out = (struct refuse_status){.status = 403};
    switch (d->answer) {
    case POLICY_ANSWER_NOT_FEDERATED:
        if (d->reason == POLICY_LOCAL_AS_REMOTE) {
            out->status = 482; /* sent to us what we would send back */
        }
        break;
    case POLICY_ANSWER_MAINTENANCE:
        out->status = 480;
        out->reason = slice_to(d->text, utf8_cut(d->text, REASON_BYTES_MAX));
        out->retry_after_s = MAINTENANCE_RETRY_S;
        break;
    case POLICY_ANSWER_FORBIDDEN:
    case POLICY_ANSWER_UNKNOWN_USER:
        len = snprintf(out->text, sizeof(out->text), "Forbidden by %s", d->rule.kind);
        out->reason = slice_make(out->text, (size_t)len);
        break;
    case POLICY_ANSWER_NONE:
        UNREACHABLE("allowed");
    }
}
