/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer: reads a DNS response (RFC 1035 section 4) into what connecting to a service needs: SRV, A
 * or AAAA records behind at most DNS_CNAMES_MAX aliases, and how long that is true. A bounded
 * reader of hostile bytes: compression loops, lying counts and cut records are errors.
 * Pure functions; any thread; no memory. */
#ifndef FG_DNS_ANSWER_H
#define FG_DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

#define DNS_NAME_BYTES_MAX 253u /* without the final dot */
#define DNS_CNAMES_MAX 8u
#define DNS_SRV_MAX 32u  /* of a bigger set those of best priority are kept */
#define DNS_ADDR_MAX 32u /* further ones are not looked at */

enum dns_type { DNS_TYPE_A = 1, DNS_TYPE_CNAME = 5, DNS_TYPE_SOA = 6, DNS_TYPE_AAAA = 28,
                DNS_TYPE_SRV = 33 };

struct dns_name {
    uint8_t len;
    char text[DNS_NAME_BYTES_MAX + 1]; /* lower case, no final dot, NUL-terminated; root is "" */
};
static inline struct slice dns_name_slice(const struct dns_name *n)
{
    return slice_make(n->text, n->len);
}

struct dns_srv {
    uint16_t priority;
    uint16_t weight;
    uint16_t port;
    struct dns_name target; /* empty = ".": the service is not offered */
};

struct dns_addr {
    bool is_v6;
    uint8_t bytes[16]; /* 4 or 16 of them, network order */
};

struct dns_answer {
    enum dns_type type;
    int err;           /* 0, ERR_DNS_NXDOMAIN, ERR_DNS_NODATA, or what the lookup failed with */
    uint32_t ttl_s;    /* least of all records on the way; negative answers: of the SOA, 0 = none */
    uint32_t count;
    bool is_cut;       /* there were more records */
    union {
        struct dns_srv srv[DNS_SRV_MAX];
        struct dns_addr addr[DNS_ADDR_MAX];
    };
};
/* Bytes that are in use, for copies. */
size_t dns_answer_bytes(const struct dns_answer *a);
/* A lookup that gave no response to read. */
void dns_answer_fail(struct dns_answer *out, enum dns_type type, int err);

/* Always fills *out and returns out->err: additionally ERR_DNS_SERVFAIL for any other response code
 * and ERR_DNS_BAD for malformed bytes. name: what was asked, without final dot, any case. */
int dns_answer_parse(struct dns_answer *out, struct slice response, struct slice name,
                               enum dns_type type);

#endif
