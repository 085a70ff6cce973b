/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host: hostport of RFC 3261 25.1: names, IPv4 and IPv6 addresses, ports. */
#include "sip/uri_int.h"

#include <arpa/inet.h>

#include "base/ascii.h"
#include "base/err.h"
#include "sip/chars.h"

#define NAME_BYTES_MAX  255u
#define LABEL_BYTES_MAX 63u
#define PORT_DIGITS_MAX 5u

/* A port at the beginning of text, *used digits long: five at most, as zeros before it are of no
 * use here.                                                                                      */
static bool take_port(struct slice text, uint16_t *port, size_t *used)
{
    uint32_t value = 0;
    size_t i = 0;

    while (i < text.len && i <= PORT_DIGITS_MAX && ascii_is_digit(text.ptr[i])) {
        value = value * 10 + (uint32_t)(text.ptr[i++] - '0');
    }
    if (i == 0 || i > PORT_DIGITS_MAX || value == 0 || value > UINT16_MAX) {
        return false;
    }
    *port = (uint16_t)value;
    *used = i;
    return true;
}

/* Dotted quad as inet_pton has it: four numbers up to 255 without zeros before them. */
static bool is_ipv4(struct slice text)
{
    unsigned parts = 1;
    unsigned value = 0;
    unsigned digits = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '.') {
            if (digits == 0 || ++parts > 4) {
                return false;
            }
            value = 0;
            digits = 0;
            continue;
        }
        if (!ascii_is_digit(c) || (digits > 0 && value == 0)) {
            return false;
        }
        value = value * 10 + (unsigned)(c - '0');
        digits++;
        if (value > UINT8_MAX) {
            return false;
        }
    }
    return parts == 4 && digits > 0;
}

static bool parse_ipv6(struct slice text, struct in6_addr *addr)
{
    char copy[INET6_ADDRSTRLEN];

    return slice_to_cstr(text, copy, sizeof(copy)) && inet_pton(AF_INET6, copy, addr) == 1;
}

/* Reads the host's characters, *used of them. True: a hostname, that is labels of at most 63
 * characters that begin and end with no hyphen, of which the last one starts with a letter; one dot
 * may end it. Addresses are looked at once it is none.                                           */
static bool take_name(struct slice text, size_t *used)
{
    bool are_valid = true;
    bool is_alpha = false; /* the last label starts with a letter */
    size_t at = 0;

    for (;;) {
        size_t len = sip_span(text, at, SIP_CHAR_LABEL);

        if (len > 0) {
            are_valid = are_valid && len <= LABEL_BYTES_MAX && text.ptr[at] != '-' &&
                        text.ptr[at + len - 1] != '-';
            is_alpha = ascii_is_alpha(text.ptr[at]);
            at += len;
        }
        if (at >= text.len || text.ptr[at] != '.') {
            size_t name_len = len == 0 && at > 0 ? at - 1 : at; /* without the dot at its end */

            *used = at;
            return are_valid && is_alpha && name_len <= NAME_BYTES_MAX;
        }
        are_valid = are_valid && len > 0;
        at++;
    }
}

static int take_reference(struct slice text, struct sip_host *out, size_t *used)
{
    ptrdiff_t end = slice_find(text, ']');
    struct in6_addr addr;

    if (end < 0) {
        return ERR_SIP_URI;
    }
    out->kind = SIP_HOST_IPV6;
    out->text = sip_sub(text, 1, (size_t)end);
    *used = (size_t)end + 1;
    return parse_ipv6(out->text, &addr) ? 0 : ERR_SIP_URI;
}

int sip_host_take(struct slice text, struct sip_host *out, size_t *used)
{
    *out = (struct sip_host){.kind = SIP_HOST_NONE};
    *used = 0;
    if (text.len > 0 && text.ptr[0] == '[') {
        return take_reference(text, out, used);
    }
    out->kind = take_name(text, used) ? SIP_HOST_NAME : SIP_HOST_NONE;
    out->text = slice_to(text, *used);
    if (out->kind == SIP_HOST_NONE && is_ipv4(out->text)) {
        out->kind = SIP_HOST_IPV4;
    }
    return out->kind != SIP_HOST_NONE ? 0 : ERR_SIP_URI;
}

int sip_hostport_take(struct slice text, struct sip_host *out, size_t *used)
{
    size_t digits;
    int err = sip_host_take(text, out, used);

    if (err || *used >= text.len || text.ptr[*used] != ':') {
        return err;
    }
    if (!take_port(slice_from(text, *used + 1), &out->port, &digits)) {
        return ERR_SIP_URI;
    }
    *used += 1 + digits;
    return 0;
}

int sip_host_parse(struct slice text, struct sip_host *out)
{
    size_t used;
    int err = sip_hostport_take(text, out, &used);

    return err ? err : used == text.len ? 0 : ERR_SIP_URI;
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
