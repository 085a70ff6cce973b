/* SPDX-License-Identifier: GPL-2.0-or-later */
/* security: what the tests of attacks share: how streams begin, what peers say. Each attack has its
 * number in the project's list of security cases, and is tried against both sides of a stream. */
#ifndef FG_TEST_XMPP_SECURITY_H
#define FG_TEST_XMPP_SECURITY_H

#include "rig.h"

#define FEATURES(inner) "<stream:features>" inner "</stream:features>"
#define STARTTLS        "<starttls " NS_TLS_X "/>"
#define DIALBACK        "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
#define EXTERNAL        "<mechanisms " NS_SASL_X "><mechanism>EXTERNAL</mechanism></mechanisms>"
#define AUTH(text)      "<auth " NS_SASL_X " mechanism='EXTERNAL'>" text "</auth>"
#define MESSAGE         "<message from='a@their.example' to='b@ours.example'/>"
#define RESULT          "<db:result from='their.example' to='ours.example'>k</db:result>"

static inline void start_in(struct rig *r, bool is_bytewise, uint32_t methods, bool is_secured)
{
    rig_init(r, methods);
    r->is_bytewise = is_bytewise;
    r->certificates[0] = "their.example";
    rig_start_in(r, is_secured);
}

static inline void start_out(struct rig *r, bool is_bytewise, uint32_t methods)
{
    rig_init(r, methods);
    r->is_bytewise = is_bytewise;
    r->certificates[0] = "their.example";
    rig_start_out(r, "ours.example", "their.example");
}

/* Pair proved by dialback in plain. */
static inline void prove(struct rig *r)
{
    const struct rig_event *e;

    rig_feed(r, THEIR_HEADER RESULT);
    e = EXPECT(r, VERIFY_WANTED);
    rig_verify_result(r, "ours.example", "their.example", e->id, DIALBACK_VALID, 0);
    EXPECT(r, PAIR_AUTHENTICATED);
    (void)rig_out(r);
}

#endif
