/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_names: steps, methods and events as words, for logs, figures and tests. */
#include "base/check.h"
#include "xmpp/stream_int.h"

static const char *const step_names[] = {
#define X(name, text) [STREAM_STEP_##name] = text,
    STREAM_STEPS(X)
#undef X
};

const char *stream_step_name(enum stream_step step)
{
    ASSERT(step < STREAM_STEP_COUNT);
    return step_names[step];
}

const char *stream_method_name(enum stream_method m)
{
    switch (m) {
    case STREAM_METHOD_NONE:
        return "none";
    case STREAM_METHOD_EXTERNAL:
        return "external";
    case STREAM_METHOD_CERTIFICATE:
        return "certificate";
    case STREAM_METHOD_DIALBACK_TLS:
        return "dialback-tls";
    case STREAM_METHOD_DIALBACK_PLAIN:
        return "dialback-plain";
    }
    UNREACHABLE("stream method");
}

const char *stream_event_name(enum stream_event_kind kind)
{
    static const char *const names[] = {
        [STREAM_MORE] = "more",
        [STREAM_START_TLS] = "start-tls",
        [STREAM_PAIR_AUTHENTICATED] = "pair-authenticated",
        [STREAM_VERIFY_WANTED] = "verify-wanted",
        [STREAM_VERIFY_ANSWER] = "verify-answer",
        [STREAM_READY] = "ready",
        [STREAM_PAIR_REFUSED] = "pair-refused",
        [STREAM_STANZA] = "stanza",
        [STREAM_STANZA_BAD] = "stanza-bad",
        [STREAM_ACKED] = "acked",
        [STREAM_ACKS_REFUSED] = "acks-refused",
        [STREAM_NOTE] = "note",
        [STREAM_IDLE] = "idle",
        [STREAM_PEER_CLOSED] = "peer-closed",
        [STREAM_CLOSED] = "closed",
        [STREAM_FAILED] = "failed",
    };

    ASSERT(kind < ARRAY_COUNT(names));
    return names[kind];
}
