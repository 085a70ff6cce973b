/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_out: what the tests of the initiating side share: how it begins, what the server says. */
#ifndef FG_TEST_XMPP_STREAM_OUT_H
#define FG_TEST_XMPP_STREAM_OUT_H

#include "rig.h"

#define FEATURES(inner) "<stream:features>" inner "</stream:features>"
#define STARTTLS        "<starttls " NS_TLS_X "/>"
#define STARTTLS_MUST   "<starttls " NS_TLS_X "><required/></starttls>"
#define EXTERNAL        "<mechanisms " NS_SASL_X "><mechanism>EXTERNAL</mechanism></mechanisms>"
#define DIALBACK        "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
#define PROCEED         "<proceed " NS_TLS_X "/>"
#define SUCCESS         "<success " NS_SASL_X "/>"
#define OLD_ANSWER      HEADER_START "id='sid1'>"
#define OUR_AUTH                                                                                   \
    "<auth xmlns=\"urn:ietf:params:xml:ns:xmpp-sasl\" mechanism=\"EXTERNAL\">"                     \
    "b3Vycy5leGFtcGxl</auth>" /* ours.example */
#define OUR_RESULT "<db:result from=\"ours.example\" to=\"their.example\">"
#define VALID      "<db:result from='their.example' to='ours.example' type='valid'/>"

static inline void start(struct rig *r, bool is_bytewise, uint32_t methods)
{
    rig_init(r, methods);
    r->is_bytewise = is_bytewise;
    r->certificates[0] = "their.example";
    rig_start_out(r, "ours.example", "their.example");
}

static inline void start_with(struct rig *r, bool is_bytewise, uint32_t methods,
                              struct stream_params params)
{
    rig_init(r, methods);
    r->is_bytewise = is_bytewise;
    r->certificates[0] = "their.example";
    params.role = STREAM_OUT;
    params.local = SLICE_LIT("ours.example");
    params.remote = SLICE_LIT("their.example");
    rig_start(r, &params);
}

/* Up to the second header over TLS. */
static inline void secure(struct rig *r)
{
    rig_feed(r, THEIR_ANSWER FEATURES(STARTTLS));
    EXPECT_OUT(r, "<starttls xmlns=\"urn:ietf:params:xml:ns:xmpp-tls\"/>");
    rig_feed(r, PROCEED);
    EXPECT(r, START_TLS);
    rig_secured(r, "");
}

static inline void ready_by_external(struct rig *r, const char *features)
{
    secure(r);
    rig_feed(r, THEIR_ANSWER FEATURES(EXTERNAL));
    EXPECT_OUT(r, "<?xml", OUR_AUTH);
    rig_feed(r, SUCCESS);
    EXPECT_OUT(r, "<?xml");
    rig_feed(r, THEIR_ANSWER);
    rig_feed(r, features);
    EXPECT(r, READY);
}

static inline void ready_by_dialback(struct rig *r, const char *features)
{
    rig_feed(r, THEIR_ANSWER);
    rig_feed(r, features);
    EXPECT_OUT(r, OUR_RESULT);
    rig_feed(r, VALID);
    EXPECT(r, READY);
}

static inline struct stream_verify request(const char *id)
{
    return (struct stream_verify){.local = SLICE_LIT("ours.example"),
                                  .remote = SLICE_LIT("their.example"),
                                  .stream_id = slice_from_cstr(id),
                                  .key = SLICE_LIT("the<key")};
}

#endif
