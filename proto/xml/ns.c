/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ns: namespace declarations in scope (Namespaces in XML 1.0, third edition). */
#include "base/check.h"
#include "base/pool.h"
#include "xml/chars.h"
#include "xml/parser_int.h"

/* The innermost one, or NULL. */
static const struct xml_ns_decl *find(const struct xml_parser *p, struct slice prefix)
{
    for (uint32_t i = p->decl_count; i > 0; i--) {
        if (slice_eq(p->decls[i - 1].prefix, prefix)) {
            return &p->decls[i - 1];
        }
    }
    for (uint32_t i = p->scope ? p->scope->decl_count : 0; i > 0; i--) {
        if (slice_eq(p->scope->decls[i - 1].prefix, prefix)) {
            return &p->scope->decls[i - 1];
        }
    }
    return NULL;
}

static struct slice default_of(const struct xml_parser *p)
{
    const struct xml_ns_decl *decl = find(p, SLICE_NONE);

    return decl ? decl->ns : SLICE_NONE;
}

/* Section 3, "Reserved Prefixes and Namespace Names", and section 5 (no undeclaring). */
static const char *declaration_fault(struct slice prefix, struct slice ns)
{
    bool is_xml = slice_eq(prefix, SLICE_LIT("xml"));
    bool names_xml = slice_eq(ns, SLICE_LIT(XML_NS_XML));

    if (is_xml != names_xml) {
        return "prefix xml and its namespace belong to each other";
    }
    if (slice_eq(prefix, SLICE_LIT("xmlns"))) {
        return "prefix xmlns declared";
    }
    if (slice_eq(ns, SLICE_LIT(XML_NS_XMLNS))) {
        return "namespace of xmlns declared";
    }
    if (!slice_is_empty(prefix) && slice_is_empty(ns)) {
        return "prefix undeclared";
    }
    return NULL;
}

enum xml_step xml_ns_declare(struct xml_parser *p, struct slice prefix, struct slice ns,
                             uint32_t own_from)
{
    const char *fault = declaration_fault(prefix, ns);
    void *decls = p->decls;

    if (fault) {
        return XML_MALFORMED(p, fault);
    }
    for (uint32_t i = own_from; i < p->decl_count; i++) {
        if (slice_eq(p->decls[i].prefix, prefix)) {
            return XML_MALFORMED(p, "namespace declared twice on one element");
        }
    }
    if (ns.len > p->limits.ns_bytes_max) {
        return xml_refuse(p, XML_WHY_TOO_BIG, "namespace name too long");
    }
    if (p->decl_count + (p->scope ? p->scope->decl_count : 0) >= p->limits.ns_decls_max) {
        return xml_refuse(p, XML_WHY_TOO_BIG, "too many namespace declarations");
    }
    if (!xml_array_grow(&decls, &p->decl_cap, p->decl_count, sizeof(*p->decls), NULL)) {
        return xml_refuse(p, XML_WHY_NOMEM, "out of memory");
    }
    p->decls = decls;
    p->decls[p->decl_count++] = (struct xml_ns_decl){prefix, ns, p->depth + 1};
    if (slice_is_empty(prefix)) {
        p->default_ns = ns;
    }
    return XML_STEP_OK;
}

enum xml_step xml_ns_resolve(struct xml_parser *p, struct slice prefix, struct slice *ns)
{
    const struct xml_ns_decl *decl = find(p, prefix);

    if (decl) {
        *ns = decl->ns;
        return XML_STEP_OK;
    }
    if (slice_eq(prefix, SLICE_LIT("xml"))) {
        *ns = SLICE_LIT(XML_NS_XML);
        return XML_STEP_OK;
    }
    return XML_MALFORMED(p, "prefix without a namespace");
}

void xml_ns_leave(struct xml_parser *p, uint32_t decl_count)
{
    if (p->decl_count != decl_count) {
        p->decl_count = decl_count;
        p->default_ns = default_of(p);
    }
}

static struct slice keep(char **at, struct slice s)
{
    struct slice kept = slice_make(*at, s.len);

    if (s.len == 0) {
        return SLICE_NONE;
    }
    memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return kept;
}

enum xml_step xml_ns_keep_stream(struct xml_parser *p, struct slice root)
{
    size_t table = sizeof(*p->scope) + p->decl_count * sizeof(*p->decls);
    size_t names = root.len;
    struct xml_scope *scope;
    char *at;

    DASSERT(!p->scope);
    if (p->tree.has_bad_ns) {
        return XML_MALFORMED(p, "namespace name of the stream is no URI");
    }
    for (uint32_t i = 0; i < p->decl_count; i++) {
        names += p->decls[i].prefix.len + p->decls[i].ns.len;
    }
    scope = pool_alloc(table + names);
    if (!scope) {
        return xml_refuse(p, XML_WHY_NOMEM, "out of memory");
    }
    at = (char *)scope + table;
    scope->root = keep(&at, root);
    scope->decl_count = p->decl_count;
    for (uint32_t i = 0; i < p->decl_count; i++) {
        scope->decls[i].prefix = keep(&at, p->decls[i].prefix);
        scope->decls[i].ns = keep(&at, p->decls[i].ns);
        scope->decls[i].depth = 0;
    }
    p->scope = scope;
    p->decl_count = 0;
    p->default_ns = default_of(p);
    return XML_STEP_OK;
}

struct slice xml_parser_default_ns(const struct xml_parser *p)
{
    return p->default_ns;
}

bool xml_parser_declares(const struct xml_parser *p, struct slice ns)
{
    for (uint32_t i = 0; p->scope && i < p->scope->decl_count; i++) {
        const struct xml_ns_decl *decl = &p->scope->decls[i];

        if (!slice_is_empty(decl->prefix) && slice_eq(decl->ns, ns)) {
            return true;
        }
    }
    return false;
}
