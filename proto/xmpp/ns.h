/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ns: the namespace names of XMPP streams. Constants only. */
#ifndef FG_XMPP_NS_H
#define FG_XMPP_NS_H

#define NS_STREAMS       "http://etherx.jabber.org/streams"
#define NS_SERVER        "jabber:server"
#define NS_CLIENT        "jabber:client"
#define NS_COMPONENT     "jabber:component:accept"
#define NS_DIALBACK      "jabber:server:dialback"
#define NS_STREAM_ERRORS "urn:ietf:params:xml:ns:xmpp-streams"
#define NS_STANZA_ERRORS "urn:ietf:params:xml:ns:xmpp-stanzas"
#define NS_TLS           "urn:ietf:params:xml:ns:xmpp-tls"
#define NS_SASL          "urn:ietf:params:xml:ns:xmpp-sasl"
#define NS_DIALBACK_FEATURE "urn:xmpp:features:dialback"
#define NS_SM2           "urn:xmpp:sm:2"
#define NS_SM3           "urn:xmpp:sm:3"
#define NS_LIMITS        "urn:xmpp:stream-limits:0"
#define NS_PING          "urn:xmpp:ping"

#endif
