/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host: hostport of RFC 3261 25.1: names, IPv4 and IPv6 addresses, ports. */
#include "sip/uri.h"

#include <arpa/inet.h>

#include "base/ascii.h"
#include "base/err.h"
#include "sip/chars.h"

#define NAME_BYTES_MAX  255u
#define LABEL_BYTES_MAX 63u

static bool parse_port(struct slice text, uint16_t *port)
{
    uint64_t value;

    if (text.len > 5 || !slice_parse_u64(text, &value) || value == 0 || value > UINT16_MAX) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

static bool parse_ipv4(struct slice text, struct in_addr *addr)
{
    char copy[INET_ADDRSTRLEN];

    return slice_to_cstr(text, copy, sizeof(copy)) && inet_pton(AF_INET, copy, addr) == 1;
}

static bool parse_ipv6(struct slice text, struct in6_addr *addr)
{
    char copy[INET6_ADDRSTRLEN];

    return slice_to_cstr(text, copy, sizeof(copy)) && inet_pton(AF_INET6, copy, addr) == 1;
}

static bool label_is_valid(struct slice label)
{
    return label.len > 0 && label.len <= LABEL_BYTES_MAX && label.ptr[0] != '-' &&
           label.ptr[label.len - 1] != '-';
}

/* hostname: labels, the last one starts with a letter, one dot may end it. */
static bool name_is_valid(struct slice name)
{
    struct slice label = SLICE_NONE;
    bool more;

    if (name.len > 0 && name.ptr[name.len - 1] == '.') {
        name.len--;
    }
    if (name.len == 0 || name.len > NAME_BYTES_MAX) {
        return false;
    }
    do {
        more = slice_cut(&name, '.', &label);
        if (!label_is_valid(label)) {
            return false;
        }
    } while (more);
    return ascii_is_alpha(label.ptr[0]);
}

static int parse_reference(struct slice text, struct sip_host *out)
{
    ptrdiff_t end = slice_find(text, ']');
    struct in6_addr addr;
    struct slice rest;

    if (end < 0) {
        return ERR_SIP_URI;
    }
    out->kind = SIP_HOST_IPV6;
    out->text = sip_sub(text, 1, (size_t)end);
    if (!parse_ipv6(out->text, &addr)) {
        return ERR_SIP_URI;
    }
    rest = slice_from(text, (size_t)end + 1);
    if (rest.len == 0) {
        return 0;
    }
    return rest.ptr[0] == ':' && parse_port(slice_from(rest, 1), &out->port) ? 0 : ERR_SIP_URI;
}

int sip_host_parse(struct slice text, struct sip_host *out)
{
    size_t len = sip_span(text, 0, SIP_CHAR_HOST);
    struct in_addr addr;

    *out = (struct sip_host){.kind = SIP_HOST_NONE};
    if (text.len > 0 && text.ptr[0] == '[') {
        return parse_reference(text, out);
    }
    out->text = slice_to(text, len);
    if (len < text.len &&
        (text.ptr[len] != ':' || !parse_port(slice_from(text, len + 1), &out->port))) {
        return ERR_SIP_URI;
    }
    if (name_is_valid(out->text)) {
        out->kind = SIP_HOST_NAME;
        return 0;
    }
    if (parse_ipv4(out->text, &addr)) {
        out->kind = SIP_HOST_IPV4;
        return 0;
    }
    return ERR_SIP_URI;
}

static struct slice without_dot(struct slice name)
{
    return name.len > 0 && name.ptr[name.len - 1] == '.' ? slice_to(name, name.len - 1) : name;
}

bool sip_host_eq(const struct sip_host *a, const struct sip_host *b)
{
    struct in6_addr a6;
    struct in6_addr b6;

    if (a->kind != b->kind || a->kind == SIP_HOST_NONE) {
        return false;
    }
    if (a->kind == SIP_HOST_IPV6) {
        return parse_ipv6(a->text, &a6) && parse_ipv6(b->text, &b6) &&
               memcmp(&a6, &b6, sizeof(a6)) == 0;
    }
    /* An IPv4 address has one spelling: inet_pton takes no leading zeros. */
    return slice_eq_nocase(without_dot(a->text), without_dot(b->text));
}

void sip_host_put(struct buf *out, const struct sip_host *host)
{
    struct slice text = host->kind == SIP_HOST_NAME ? without_dot(host->text) : host->text;

    if (host->kind == SIP_HOST_IPV6) {
        buf_putc(out, '[');
    }
    for (size_t i = 0; i < text.len; i++) {
        buf_putc(out, ascii_lower(text.ptr[i]));
    }
    if (host->kind == SIP_HOST_IPV6) {
        buf_putc(out, ']');
    }
}
