/* SPDX-License-Identifier: GPL-2.0-or-later */
/* constraints: name constraints of an issuing CA (RFC 5280 4.2.1.10) against a certificate below
 * it. Any thread. */
#ifndef FG_TLS_CONSTRAINTS_H
#define FG_TLS_CONSTRAINTS_H

#include <stdbool.h>

#include "tls/cert.h"

#define CONSTRAINTS_CHECKS_MAX 65536u /* names times subtrees; above: not allowed */

/* Whether the names of below keep to the constraints of issuer (true when it has none). Constraints
 * on dNSName also bind the domain in SRVName, XmppAddr and sip URI: whatever would count as the
 * same domain. Names of a kind that is constrained but not understood here: false.             */
bool constraints_allow(const struct cert *issuer, const struct cert *below);

#endif
