/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uri_int: what reads a host where more text follows it; private to the room. */
#ifndef FG_SIP_URI_INT_H
#define FG_SIP_URI_INT_H

#include "sip/uri.h"

/* The hostport that text begins with; *used is what it takes, the rest is the caller's to judge.
 * A ':' behind the host must begin a port. 0 or ERR_SIP_URI.                                     */
NODISCARD int sip_hostport_take(struct slice text, struct sip_host *out, size_t *used);
/* The same without a port: a ':' ends the host. */
NODISCARD int sip_host_take(struct slice text, struct sip_host *out, size_t *used);

#endif
