/* SPDX-License-Identifier: GPL-2.0-or-later */
/* again: blocks judged once more. */
#include "edge/again.h"

#include "edge/block_read.h"
#include "edge/bounce.h"
#include "edge/presence_side.h"
#include "edge/refuse.h"
#include "edge/route.h"
#include "edge/sip_side.h"
#include "edge/trim.h"
#include "edge/way.h"
#include "xml/writer.h"

static struct judge_pair names_of(const struct block *b)
{
    return (struct judge_pair){block_local(b), block_remote(b)};
}

static enum policy_direction direction_of(const struct block *b)
{
    return b->direction == BLOCK_TO_PARTNER ? POLICY_TO_PARTNER : POLICY_TO_LOCAL;
}

bool again_is_plain(struct edge *e, const struct judge_pair *names)
{
    return way_of(e, names->local, names->remote)->is_plain;
}

/* As where it came in. */
static void refuse(struct edge *e, const struct block *b, const struct stanza *st,
                   const struct policy_decision *d)
{
    const struct judge_pair names = names_of(b);
    struct refuse_status how;

    judge_note_refusal(e, st, direction_of(b), &names, d);
    if (b->sip.handle != 0) {
        refuse_status(&how, d);
        sip_outcome_send(e, b->sip, how.status, how.retry_after_s);
    } else if (b->is_of_presence) {
        presence_side_undeliverable(e, st, names.local, names.remote,
                                    d->reason == POLICY_MAINTENANCE
                                        ? STANZA_CONDITION_REMOTE_SERVER_TIMEOUT
                                        : STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND);
    } else if (b->direction == BLOCK_TO_PARTNER) {
        refuse_component(e, st, &names, d);
    } else {
        refuse_partner(e, st, &names, d);
    }
}

/* The same with less in it; NULL without memory. */
static struct block *less_of(struct edge *e, const struct block *b, const struct stanza *st,
                             const struct judgement *judgement)
{
    bool to_partner = b->direction == BLOCK_TO_PARTNER;
    struct xml_write_params params = {
        .ns_default = to_partner ? SLICE_LIT("jabber:server") : SLICE_LIT(COMPONENT_NS),
        .from = xml_attr_value(st->tree, 0, SLICE_LIT("from")),
        .to = xml_attr_value(st->tree, 0, SLICE_LIT("to")),
        .lang = st->lang,
    };

    route_write(e, st, &params, judgement);
    return e->scratch.failed ? NULL
                             : block_new(&(struct block_params){
                                   .direction = (enum block_direction)b->direction,
                                   .kind = b->kind,
                                   .may_bounce = b->may_bounce,
                                   .is_of_presence = b->is_of_presence,
                                   .generation = edge_setup(e)->generation,
                                   .local = block_local(b),
                                   .remote = block_remote(b),
                                   .bytes = buf_slice(&e->scratch),
                                   .sip = b->sip,
                                   .now_ms = b->created_ms,
                               });
}

static bool is_too_much(const struct stanza *st, const struct judgement *j)
{
    return j->without_text || j->without_last_note ||
           (j->decision.without_note && trim_has_note(st));
}

bool again_block(struct edge *e, struct block **at)
{
    struct block *b = *at;
    const struct judge_pair names = names_of(b);
    const struct stanza *st;
    struct judgement judgement;

    if (!again_is_plain(e, &names)) {
        st = block_read_whole(e, b);
        if (!st) {
            bounce_block(e, b, BOUNCE_POLICY, NULL); /* what cannot be judged does not leave */
            return false;
        }
        judge_again(e, st, direction_of(b), &names, &judgement);
        if (!judgement.decision.allowed) {
            refuse(e, b, st, &judgement.decision);
            xml_parser_rest(e->bounce_parser);
            block_free(b);
            return false;
        }
        if (is_too_much(st, &judgement)) {
            *at = less_of(e, b, st, &judgement);
            if (!*at) {
                bounce_block(e, b, BOUNCE_QUEUE_FULL, NULL);
                return false;
            }
            block_free(b);
        }
        xml_parser_rest(e->bounce_parser);
    }
    (*at)->generation = edge_setup(e)->generation;
    return true;
}

bool again_is_refused(struct edge *e, const struct block *b)
{
    const struct judge_pair names = names_of(b);
    const struct stanza *st;
    struct judgement judgement;

    if (again_is_plain(e, &names)) {
        return false;
    }
    st = block_read_whole(e, b);
    if (!st) {
        return true;
    }
    judge_again(e, st, direction_of(b), &names, &judgement);
    return !judgement.decision.allowed;
}
