/* SPDX-License-Identifier: GPL-2.0-or-later */
/* limits: what a peer may make the parser hold and do, before and after it is authenticated. */
#include "xml/parser_int.h"

/* RFC 6120 13.12 forbids a stanza limit below 10000 bytes; nothing larger than a stream header,
 * features or SASL data passes before authentication.                                          */
const struct xml_limits xml_limits_unauthenticated = {
    .stanza_bytes_max = 10000,
    .depth_max = 8,
    .elements_max = 32,
    .attrs_max = 16,
    .name_bytes_max = 128,
    .ns_decls_max = 16,
    .ns_bytes_max = 256,
    .whitespace_bytes_max = 256,
};

/* Peers' own defaults lie between 128 and 512 KiB; elements cost 24 times their wire size in
 * nodes at worst, hence a count of their own.                                                  */
const struct xml_limits xml_limits_authenticated = {
    .stanza_bytes_max = 262144,
    .depth_max = 64,
    .elements_max = 8192,
    .attrs_max = 64,
    .name_bytes_max = 256,
    .ns_decls_max = 64,
    .ns_bytes_max = 1024,
    .whitespace_bytes_max = 1u << 20, /* keep-alives of an idle stream, for days */
};

bool xml_limits_are_sane(const struct xml_limits *l)
{
    return l->stanza_bytes_max >= 1 && l->stanza_bytes_max <= XML_STANZA_BYTES_CEILING &&
           l->depth_max >= 1 && l->elements_max >= 1 && l->elements_max <= XML_ELEMENTS_CEILING &&
           l->name_bytes_max >= 1 && l->ns_decls_max <= XML_NS_DECLS_CEILING &&
           l->attrs_max <= XML_ATTRS_CEILING;
}
