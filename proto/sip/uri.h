/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uri: SIP, SIPS, tel, im and pres URIs and the name-addr / addr-spec forms of header fields
 * (RFC 3261 19.1, 20, 25.1; RFC 3859, 3860; RFC 3966 only as far as "starts with tel:").
 * Strict: escapes are checked, characters outside the grammar refused, bytes never changed.
 * All slices point into the text that was parsed. Pure functions; any thread; no memory.        */
#ifndef FG_SIP_URI_H
#define FG_SIP_URI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"

enum sip_scheme {
    SIP_SCHEME_OTHER, /* well-formed absoluteURI of a scheme unknown here */
    SIP_SCHEME_SIP,
    SIP_SCHEME_SIPS,
    SIP_SCHEME_TEL,
    SIP_SCHEME_IM,
    SIP_SCHEME_PRES,
};

enum sip_host_kind { SIP_HOST_NONE, SIP_HOST_NAME, SIP_HOST_IPV4, SIP_HOST_IPV6 };

/* host as written, an IPv6 address without its brackets. */
struct sip_host {
    struct slice text;
    enum sip_host_kind kind;
    uint16_t port; /* 0 = not written */
};

struct sip_uri {
    enum sip_scheme scheme;
    struct slice text;        /* the whole URI */
    struct slice scheme_text; /* as written, without the colon */
    struct slice opaque;      /* tel, other schemes: all after the colon */
    struct slice user;        /* raw, still escaped; no password */
    bool has_user;            /* a user part was written; it is then not empty */
    bool has_password;        /* its text is not handed out */
    struct sip_host host;     /* sip, sips, im, pres */
    struct slice params;      /* after the first ';' behind the host, raw, without that ';' */
    struct slice headers;     /* after '?', raw, without it */
};

/* 0 or ERR_SIP_URI. The whole text must be one URI. A leading or trailing space is an error. */
NODISCARD int sip_uri_parse(struct slice text, struct sip_uri *out);
/* Parameter by name (case-insensitive, RFC 3261 19.1.4; escapes in names are not resolved); a
 * parameter without '=' has an empty value. value may be NULL.                                  */
bool sip_uri_param(const struct sip_uri *uri, struct slice name, struct slice *value);
/* Appends text with %HH resolved once. False on a broken escape (nothing stays appended). */
NODISCARD bool sip_unescape(struct buf *out, struct slice text);
/* Appends user with everything outside unreserved and user-unreserved as %HH. */
void sip_escape_user(struct buf *out, struct slice user);
/* Equality by RFC 3261 19.1.4 of scheme, user, host, port and the parameters user, ttl, method,
 * maddr, transport; other parameters must agree only where both have them. False for other schemes
 * unless the texts are equal byte for byte.                                                     */
bool sip_uri_eq(const struct sip_uri *a, const struct sip_uri *b);

/* hostport: name, IPv4 or [IPv6], optional ":port" (1..65535). 0 or ERR_SIP_URI. */
NODISCARD int sip_host_parse(struct slice text, struct sip_host *out);
/* Same host: names without case and one trailing dot, addresses by value. Ports do not count. */
bool sip_host_eq(const struct sip_host *a, const struct sip_host *b);
/* Appends the host (not the port): names in lower case without trailing dot, IPv6 in brackets. */
void sip_host_put(struct buf *out, const struct sip_host *host);

/* One From, To, Contact, Route, Record-Route or P-Asserted-Identity value. Folded white space is
 * allowed between the parts. */
struct sip_addr {
    struct slice display; /* as written, with its quotes; empty = none */
    struct sip_uri uri;
    struct slice params; /* header parameters, raw, without the first ';' */
    struct slice tag;    /* of params; empty = none */
    bool in_brackets;    /* name-addr form */
    bool is_star;        /* Contact: * */
};

/* 0, ERR_SIP_URI (URI part) or ERR_SIP_SYNTAX. Without brackets a ';' starts header parameters and
 * a ',' or '?' is an error (RFC 3261 20.10).                                                    */
NODISCARD int sip_addr_parse(struct slice value, struct sip_addr *out);
/* Display name without quotes and backslashes, folding resolved. */
void sip_display_put(struct buf *out, struct slice display);

/* Walks header parameters: *params is consumed; false at the end. Call sip_params_are_valid first
 * on untrusted text: this function skips what it cannot read. Quotes stay in the value.          */
bool sip_params_next(struct slice *params, struct slice *name, struct slice *value);
bool sip_params_are_valid(struct slice params);
bool sip_param(struct slice params, struct slice name, struct slice *value);

#endif
