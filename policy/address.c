/* SPDX-License-Identifier: GPL-2.0-or-later */
/* address: parsing by hand up to the point where inet_pton decides. */
#include "policy/address.h"

#include <arpa/inet.h>

#define PORT_MAX 65535u

static const char port_fault[] = "has a port that is not 1 to 65535";

/* Cuts "host:port" or "[host]:port"; without port: *has_port false. False = brackets malformed. */
static bool split_port(struct slice text, struct slice *host, struct slice *port, bool *has_port)
{
    ptrdiff_t colon;

    *has_port = false;
    *port = SLICE_NONE;
    if (slice_starts(text, SLICE_LIT("["))) {
        ptrdiff_t end = slice_find(text, ']');

        if (end < 0) {
            return false;
        }
        *host = slice_make(text.ptr + 1, (size_t)end - 1);
        text = slice_from(text, (size_t)end + 1);
        if (text.len == 0) {
            return true;
        }
        *has_port = true;
        *port = slice_from(text, 1);
        return text.ptr[0] == ':';
    }
    colon = slice_find_last(text, ':');
    if (colon < 0) {
        *host = text;
        return true;
    }
    *has_port = true;
    *host = slice_to(text, (size_t)colon);
    *port = slice_from(text, (size_t)colon + 1);
    return slice_find(*host, ':') < 0; /* an IPv6 address needs its brackets */
}

static bool parse_port(struct slice text, uint16_t *port)
{
    uint64_t value;

    if (!slice_parse_u64(text, &value) || value == 0 || value > PORT_MAX) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

static bool parse_ip(struct slice text, int family, void *out)
{
    char literal[INET6_ADDRSTRLEN];

    return slice_to_cstr(text, literal, sizeof(literal)) && inet_pton(family, literal, out) == 1;
}

const char *address_parse(struct slice text, struct sockaddr_storage *addr, socklen_t *addr_len)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct slice host;
    struct slice port_text;
    uint16_t port = 0;
    bool has_port;

    memset(addr, 0, sizeof(*addr));
    if (!split_port(text, &host, &port_text, &has_port) || !has_port) {
        return "must be \"ADDRESS:PORT\", an IPv6 address in brackets: \"0.0.0.0:5269\", "
               "\"[::]:5269\"";
    }
    if (!parse_port(port_text, &port)) {
        return port_fault;
    }
    if (parse_ip(host, AF_INET, &in4.sin_addr) && text.ptr[0] != '[') {
        in4.sin_port = htons(port);
        memcpy(addr, &in4, sizeof(in4));
        *addr_len = sizeof(in4);
        return NULL;
    }
    if (parse_ip(host, AF_INET6, &in6.sin6_addr) && text.ptr[0] == '[') {
        in6.sin6_port = htons(port);
        memcpy(addr, &in6, sizeof(in6));
        *addr_len = sizeof(in6);
        return NULL;
    }
    return "has no IP address before the port; names are not looked up here: \"0.0.0.0:5269\" or "
           "\"[::]:5269\" for all addresses";
}

bool address_is_loopback(const struct sockaddr_storage *addr)
{
    static const struct address_range ranges[] = {
        {.addr = {.s6_addr = {[10] = 0xff, [11] = 0xff, [12] = 127}}, .prefix_bits = 104},
        {.addr = IN6ADDR_LOOPBACK_INIT, .prefix_bits = 128},
    };
    const struct next_hop here = {.trusted_ranges = ranges,
                                  .trusted_range_count = ARRAY_COUNT(ranges)};

    return next_hop_trusts_address(&here, (const struct sockaddr *)addr);
}

/* Whether any bit behind the prefix is set. */
static bool has_host_bits(const struct address_range *range)
{
    for (uint32_t bit = range->prefix_bits; bit < 128; bit++) {
        if (range->addr.s6_addr[bit / 8] & (0x80u >> (bit % 8))) {
            return true;
        }
    }
    return false;
}

const char *address_range_parse(struct slice text, struct address_range *range)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct slice host;
    uint64_t bits = 128;
    bool has_prefix = slice_cut(&text, '/', &host);

    memset(range, 0, sizeof(*range));
    if (parse_ip(host, AF_INET, range->addr.s6_addr + sizeof(mapped))) {
        memcpy(range->addr.s6_addr, mapped, sizeof(mapped));
        if (has_prefix && (!slice_parse_u64(text, &bits) || bits > 32)) {
            return "has a prefix length that is not 0 to 32";
        }
        range->prefix_bits = (uint8_t)(has_prefix ? bits + 96 : 128);
    } else if (parse_ip(host, AF_INET6, range->addr.s6_addr)) {
        if (has_prefix && (!slice_parse_u64(text, &bits) || bits > 128)) {
            return "has a prefix length that is not 0 to 128";
        }
        range->prefix_bits = (uint8_t)bits;
    } else {
        return "must be an IP address or a range: \"192.0.2.1\", \"192.0.2.0/24\", "
               "\"2001:db8::/32\"";
    }
    return has_host_bits(range) ? "has bits set behind its prefix length" : NULL;
}

const char *address_host_parse(struct slice text, struct address_host *out)
{
    unsigned char ip[sizeof(struct in6_addr)];
    struct slice host;
    struct slice port_text;
    const char *fault;
    bool has_port;

    *out = (struct address_host){0};
    if (!split_port(text, &host, &port_text, &has_port) || host.len == 0) {
        return "must be \"host\" or \"host:port\", an IPv6 address in brackets";
    }
    if (has_port && !parse_port(port_text, &out->port)) {
        return port_fault;
    }
    if (text.ptr[0] == '[') {
        out->is_address = parse_ip(host, AF_INET6, ip);
        if (!out->is_address) {
            return "has no IPv6 address in its brackets";
        }
    } else {
        out->is_address = parse_ip(host, AF_INET, ip);
    }
    if (out->is_address) {
        out->host.len = host.len;
        memcpy(out->host.text, host.ptr, host.len);
        return NULL;
    }
    fault = jid_domain_fault(host);
    if (fault) {
        return fault;
    }
    return jid_domain_to_ascii(host, &out->host) == 0 ? NULL : "is not a host name";
}

const char *address_sip_parse(struct slice text, struct address_sip *out)
{
    static const char form[] =
        "must be \"sip:HOST[:PORT];transport=tls\" or the same with transport=tcp";
    struct slice target;
    bool has_params;

    *out = (struct address_sip){0};
    if (slice_eq_nocase(slice_to(text, 5), SLICE_LIT("sips:"))) {
        return "sips: is not translated; write \"sip:HOST;transport=tls\"";
    }
    if (!slice_eq_nocase(slice_to(text, 4), SLICE_LIT("sip:"))) {
        return form;
    }
    text = slice_from(text, 4);
    has_params = slice_cut(&text, ';', &target);
    if (slice_find(target, '@') >= 0) {
        return "has a user part; the next hop is a server: write \"sip:HOST;transport=tls\"";
    }
    if (!has_params) {
        return "names no transport; add \";transport=tls\" or \";transport=tcp\"";
    }
    if (slice_eq_nocase(text, SLICE_LIT("transport=tls"))) {
        out->is_tls = true;
    } else if (slice_eq_nocase(text, SLICE_LIT("transport=udp"))) {
        return "asks for UDP, which is not used here; use transport=tls or transport=tcp";
    } else if (!slice_eq_nocase(text, SLICE_LIT("transport=tcp"))) {
        return form;
    }
    return address_host_parse(target, &out->target);
}
