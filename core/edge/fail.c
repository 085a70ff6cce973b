/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fail: mapping of steps. */
#include "edge/fail.h"

#include "base/check.h"
#include "base/err.h"

enum fail_step fail_step_of(const struct stream_failure *failure)
{
    if (failure->is_timeout && failure->step != STREAM_STEP_OPEN) {
        return FAIL_STEP_TIMEOUT;
    }
    switch (failure->step) {
    case STREAM_STEP_HEADER:
    case STREAM_STEP_FEATURES:
    case STREAM_STEP_XML:
        return FAIL_STEP_HEADER;
    case STREAM_STEP_STARTTLS:
    case STREAM_STEP_TLS:
        return FAIL_STEP_TLS;
    case STREAM_STEP_CERTIFICATE:
        return FAIL_STEP_CERTIFICATE;
    case STREAM_STEP_SASL:
        return FAIL_STEP_SASL;
    case STREAM_STEP_DIALBACK:
        return FAIL_STEP_DIALBACK;
    case STREAM_STEP_POLICY:
        return FAIL_STEP_POLICY;
    case STREAM_STEP_STREAM_ERROR:
        /* The peer's own rules refuse us: for its administrator, no other address does better. */
        return failure->condition == STREAM_CONDITION_POLICY_VIOLATION ||
                       failure->condition == STREAM_CONDITION_NOT_AUTHORIZED
                   ? FAIL_STEP_POLICY
                   : FAIL_STEP_STREAM;
    case STREAM_STEP_STANZA:
    case STREAM_STEP_ACKS:
    case STREAM_STEP_OPEN:
    case STREAM_STEP_RESOURCES:
    case STREAM_STEP_COUNT:
        break;
    }
    return FAIL_STEP_STREAM;
}

enum fail_step fail_step_of_dial(enum dial_step step)
{
    switch (step) {
    case DIAL_STEP_DNS:
        return FAIL_STEP_DNS;
    case DIAL_STEP_TCP:
        return FAIL_STEP_TCP;
    case DIAL_STEP_TLS:
        return FAIL_STEP_TLS;
    }
    UNREACHABLE("three steps");
}

static void note_truncated(struct edge *e, const struct conn *c, const char *direction,
                           bool is_in_order)
{
    if (is_in_order) {
        LOG_D(stream_closed, "dir=%s peer=%s note=\"no close_notify behind it\"", direction,
              conn_peer_text(c));
        return;
    }
    e->stats.streams_truncated++;
    LOG_W(stream_truncated, "dir=%s peer=%s note=\"cut off: neither close_notify nor "
                            "</stream:stream> came\"",
          direction, conn_peer_text(c));
}

void fail_note_end(struct edge *e, const struct conn *c, const char *direction, int err,
                   bool is_in_order)
{
    switch (err) {
    case ERR_TLS_TRUNCATED:
        note_truncated(e, c, direction, is_in_order);
        break;
    case ERR_TLS_REKEY:
        e->stats.tls_rekey_closes++;
        LOG_I(stream_rekey, "dir=%s peer=%s note=\"its new keys cannot be followed: closed in "
                            "order\"",
              direction, conn_peer_text(c));
        break;
    case ERR_TLS_RECORD:
        e->stats.tls_record_errors++;
        break;
    case ERR_TLS_ALERT:
        e->stats.tls_alerts++;
        break;
    default:
        break;
    }
}

enum stat_method stat_method_of(enum stream_method method)
{
    switch (method) {
    case STREAM_METHOD_DIALBACK_TLS:
        return STAT_METHOD_DIALBACK_TLS;
    case STREAM_METHOD_DIALBACK_PLAIN:
        return STAT_METHOD_DIALBACK_PLAIN;
    case STREAM_METHOD_CERTIFICATE:
        return STAT_METHOD_CERTIFICATE;
    case STREAM_METHOD_NONE:
    case STREAM_METHOD_EXTERNAL:
        break;
    }
    return STAT_METHOD_EXTERNAL;
}

bool method_rests_on_certificate(enum stream_method method)
{
    return method == STREAM_METHOD_EXTERNAL || method == STREAM_METHOD_CERTIFICATE;
}
