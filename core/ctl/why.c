/* SPDX-License-Identifier: GPL-2.0-or-later */
/* why: verdict, rule, what the sender is told. */
#include "ctl/why.h"

#include <string.h>

#include "ctl/out.h"

#define INDENT "    "

static bool is(const char *text, const char *name)
{
    return strcmp(text, name) == 0;
}

/* The same answer as for somebody who does not exist, by what was sent (RFC 6121 8.5, 4.3). */
static const char *as_unknown(const char *act)
{
    if (is(act, "message") || is(act, "query")) {
        return "the sender gets the error that a user who does not exist would yield";
    }
    if (is(act, "subscribe")) {
        return "the sender is answered \"unsubscribed\", as for a user who does not exist";
    }
    if (is(act, "presence")) {
        return "the sender is answered \"unavailable\", as for a user who does not exist";
    }
    return "the sender gets no answer, as for a user who does not exist";
}

static const char *told(const struct why *w)
{
    bool is_ours = is(w->direction, "to_partner");

    if (is(w->answer, "unknown-user")) {
        return as_unknown(w->act);
    }
    if (is(w->answer, "maintenance")) {
        return "the sender is told to try again later, with the partner's maintenance text";
    }
    if (is(w->answer, "not-federated")) {
        return is_ours ? "the sender is told that this domain is not federated with"
                       : "the sender's server is told that this is not served here";
    }
    return "the sender is told that the administrator does not allow it";
}

static void put_line(struct buf *out, const char *text)
{
    buf_put_lit(out, INDENT);
    buf_put_cstr(out, text);
    buf_putc(out, '\n');
}

static void put_more(struct buf *out, const struct why *w)
{
    bool is_inwards = is(w->direction, "to_local");

    if (!w->allowed) {
        put_line(out, told(w));
    }
    if (is(w->reason, policy_reason_name(POLICY_NOT_REACHABLE))) {
        buf_put_lit(out, INDENT "passes once ");
        out_put_clean(out, slice_from_cstr(is_inwards ? w->to : w->from));
        buf_put_lit(out, " has added the sender or, not long ago, written to them\n");
    }
    if (w->allowed && is_inwards && w->is_reachable && is(w->partner_type, "public_unverified")) {
        put_line(out, "because the receiver has added the sender or written to them");
    }
    if (w->without_note) {
        put_line(out, "without its status note: the partner is not of type federated");
    }
}

void why_put_text(struct buf *out, const struct why *w)
{
    out_put_clean(out, slice_from_cstr(w->from));
    buf_put_lit(out, " to ");
    out_put_clean(out, slice_from_cstr(w->to));
    buf_put_lit(out, ", ");
    out_put_clean(out, slice_from_cstr(w->act));
    buf_put_cstr(out, w->allowed ? ": allowed by " : ": refused by ");
    out_put_clean(out, slice_from_cstr(w->rule));
    if (!w->allowed) {
        buf_put_lit(out, " (");
        out_put_clean(out, slice_from_cstr(w->reason));
        buf_putc(out, ')');
    }
    buf_putc(out, '\n');
    put_more(out, w);
}

static void put_or_null(struct jout *j, const char *key, const char *text)
{
    jout_cstr(j, key, text[0] ? text : NULL);
}

void why_put_json(struct jout *j, const char *key, const struct why *w)
{
    jout_object(j, key);
    jout_cstr(j, "from", w->from);
    jout_cstr(j, "to", w->to);
    jout_cstr(j, "direction", w->direction);
    jout_cstr(j, "act", w->act);
    jout_bool(j, "allowed", w->allowed);
    jout_cstr(j, "rule", w->rule);
    jout_cstr(j, "reason", w->reason);
    jout_cstr(j, "answer", w->answer);
    jout_bool(j, "without_note", w->without_note);
    jout_bool(j, "is_reachable", w->is_reachable);
    put_or_null(j, "partner", w->partner);
    put_or_null(j, "partner_type", w->partner_type);
    jout_end(j);
}
