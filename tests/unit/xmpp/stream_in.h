/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_in: what the tests of the receiving side share: how it begins, what the peer says. */
#ifndef FG_TEST_XMPP_STREAM_IN_H
#define FG_TEST_XMPP_STREAM_IN_H

#include "rig.h"

#define REQUIRED       "<starttls xmlns=\"urn:ietf:params:xml:ns:xmpp-tls\"><required/></starttls>"
#define EXTERNAL_OFFER "<mechanism>EXTERNAL</mechanism>"
#define AUTH(text)     "<auth " NS_SASL_X " mechanism='EXTERNAL'>" text "</auth>"
#define OUR_AUTHZID    "dGhlaXIuZXhhbXBsZQ==" /* their.example */
#define RESULT         "<db:result from='their.example' to='ours.example'>key</db:result>"

static inline void start(struct rig *r, bool is_bytewise, uint32_t methods, bool is_secured)
{
    rig_init(r, methods);
    r->is_bytewise = is_bytewise;
    r->certificates[0] = "their.example";
    rig_start_in(r, is_secured);
}

/* A stream that EXTERNAL authenticated, its last header and features read. */
static inline void authenticate(struct rig *r)
{
    rig_feed(r, THEIR_HEADER AUTH(OUR_AUTHZID));
    EXPECT(r, PAIR_AUTHENTICATED);
    rig_feed(r, THEIR_HEADER);
    (void)rig_out(r);
}

#endif
