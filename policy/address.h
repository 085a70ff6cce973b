/* SPDX-License-Identifier: GPL-2.0-or-later */
/* address: socket addresses, address ranges and host[:port] as the configuration writes them.
 * Pure functions; any thread. A fault is a static text saying what is wrong and what is allowed;
 * NULL = fine.                                                                                   */
#ifndef FG_POLICY_ADDRESS_H
#define FG_POLICY_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/slice.h"
#include "policy/snapshot.h"
#include "xmpp/jid.h"

/* "192.0.2.1:5269" or "[2001:db8::1]:5269". */
const char *address_parse(struct slice text, struct sockaddr_storage *addr, socklen_t *addr_len);
bool address_is_loopback(const struct sockaddr_storage *addr);
/* "192.0.2.0/24", "2001:db8::/32", or one address. Bits behind the prefix must be zero. */
const char *address_range_parse(struct slice text, struct address_range *range);

struct address_host {
    struct jid_ascii host; /* A-label, lower case, or IP literal without brackets */
    uint16_t port;         /* 0 = not written */
    bool is_address;
};
/* "host", "host:port", "192.0.2.1:port", "[2001:db8::1]:port". */
const char *address_host_parse(struct slice text, struct address_host *out);

struct address_sip {
    struct address_host target;
    bool is_tls;
};
/* "sip:host[:port];transport=tls|tcp", nothing else. */
const char *address_sip_parse(struct slice text, struct address_sip *out);

#endif
