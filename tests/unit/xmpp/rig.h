/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rig: one stream machine with a host made of test settings; events are logged with copies of what
 * they said, so that a script can look at them in order. Bytes can go in whole or one by one.    */
#ifndef FG_TEST_XMPP_RIG_H
#define FG_TEST_XMPP_RIG_H

#include "xml/parser.h"
#include "xmpp/stream.h"

#define RIG_LOG   256u
#define RIG_NAMES 6u

struct rig_event {
    enum stream_event_kind kind;
    char local[80];
    char remote[80];
    char id[80];
    char key[80];
    enum stream_method method;
    enum dialback_verdict verdict;
    enum stanza_condition condition;
    struct stream_failure failure; /* text below */
    char text[400];
    char stanza[2048]; /* kind from to id, then the body's text */
    bool may_bounce;
    uint32_t acked_count;
};

struct rig {
    /* settings of the host; change them at any time */
    const char *locals[RIG_NAMES];       /* domains of ours */
    const char *certificates[RIG_NAMES]; /* domains the peer's certificate proves */
    const char *unknown;                 /* a remote domain that is refused */
    const struct stream_refusal *refusal; /* how it is */
    struct stream_rules rules;           /* for everyone else */
    uint64_t rules_version;
    struct dialback_secret secret;
    struct stream_limits limits;
    bool is_bytewise;
    uint64_t now_ms;

    struct stream *s;
    struct buf out;
    struct xml_parser *reader; /* reads all we write: XML, one stream after the other */
    struct stream_event ev;
    struct rig_event log[RIG_LOG];
    uint32_t log_count;
    uint32_t log_read;
    char seen[65536]; /* what rig_out() returned last */
};

const struct crypto *rig_crypto(void);
/* Zeroes the rig and sets: local "ours.example", rules with methods, dialback secret "secret". */
void rig_init(struct rig *r, uint32_t methods);
void rig_start_in(struct rig *r, bool is_secured);
void rig_start_out(struct rig *r, const char *local, const char *remote);
void rig_start(struct rig *r, struct stream_params *params);
void rig_free(struct rig *r);

void rig_feed(struct rig *r, const char *text);
void rig_feed_slice(struct rig *r, struct slice bytes);
void rig_secured(struct rig *r, const char *sni);
/* Lets time pass up to now + ms, firing timers on the way. */
void rig_wait(struct rig *r, uint64_t ms);
void rig_log(struct rig *r, enum stream_event_kind kind);
void rig_verify_result(struct rig *r, const char *local, const char *remote, const char *id,
                       enum dialback_verdict verdict, enum stanza_condition condition);

/* What was written since the last call; NUL-terminated. */
const char *rig_out(struct rig *r);
/* The next event must be of this kind; returns it. STREAM_MORE = there must be none. */
const struct rig_event *rig_expect(struct rig *r, enum stream_event_kind kind, const char *file,
                                   int line);
#define EXPECT(r, kind) rig_expect((r), STREAM_##kind, __FILE__, __LINE__)
/* FAILED with this step and condition. */
const struct rig_event *rig_expect_failed(struct rig *r, enum stream_step step,
                                          enum stream_condition condition, const char *file,
                                          int line);
#define EXPECT_FAILED(r, step, condition)                                                          \
    rig_expect_failed((r), STREAM_STEP_##step, STREAM_CONDITION_##condition, __FILE__, __LINE__)
/* rig_out() contains these texts in this order (NULL-terminated list). */
void rig_expect_out(struct rig *r, const char *file, int line, ...);
#define EXPECT_OUT(r, ...) rig_expect_out((r), __FILE__, __LINE__, __VA_ARGS__, NULL)
/* rig_out() is exactly this. */
void rig_expect_text(struct rig *r, const char *text, const char *file, int line);
#define EXPECT_TEXT(r, text) rig_expect_text((r), (text), __FILE__, __LINE__)

/* Connects out and in: carries bytes both ways, upgrades, until nothing moves. */
void rig_converse(struct rig *out, struct rig *in);

/* Both deliveries of every script: Test(suite, name) runs body(false), then body(true). */
#define SCRIPT(suite, name)                                                                        \
    static void suite##_##name(bool is_bytewise);                                                  \
    Test(suite, name)                                                                              \
    {                                                                                              \
        suite##_##name(false);                                                                     \
        suite##_##name(true);                                                                      \
    }                                                                                              \
    static void suite##_##name(bool is_bytewise)

#define HEADER_START                                                                               \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:server' "                                   \
    "xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' "
/* What the peer their.example sends to ours.example. */
#define THEIR_HEADER HEADER_START "from='their.example' to='ours.example' version='1.0'>"
#define THEIR_ANSWER HEADER_START "from='their.example' to='ours.example' id='sid1' version='1.0'>"
#define NS_TLS_X     "xmlns='urn:ietf:params:xml:ns:xmpp-tls'"
#define NS_SASL_X    "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"

#define ALL_METHODS                                                                                \
    (STREAM_METHOD_EXTERNAL | STREAM_METHOD_CERTIFICATE | STREAM_METHOD_DIALBACK_TLS |             \
     STREAM_METHOD_DIALBACK_PLAIN)

#endif
