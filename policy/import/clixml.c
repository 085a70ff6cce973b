/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clixml: what Export-Clixml writes, read with the parser of XMPP streams: <Objs> is the stream
 * and each exported object a first-level element, which bounds what one may hold, and refuses what
 * bombs are made of (DTD, entities). References point back and are never followed here. */
#include "base/ascii.h"
#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "import/clixml_int.h"
#include "import/tree.h"
#include "policy/quote.h"
#include "xml/parser.h"

#define CLIXML_NS  "http://schemas.microsoft.com/powershell/2004/04"
#define NAME_BYTES 256u

static const struct xml_limits limits = {
    .stanza_bytes_max = XML_STANZA_BYTES_CEILING,
    .depth_max = IMPORT_DEPTH_MAX,
    .elements_max = XML_ELEMENTS_CEILING,
    .attrs_max = 16,
    .name_bytes_max = 64,
    .ns_decls_max = 8,
    .ns_bytes_max = 256,
    .whitespace_bytes_max = 1u << 20,
};

struct reader {
    struct import_tree *tree;
    struct import_fault *fault;
    const struct xml_tree *xml; /* of the object that is being read */
    uint32_t offset;            /* of it */
    uint32_t *refs;             /* owned: number -> node */
    uint32_t refs_count;
    uint32_t *type_refs; /* owned: number -> type */
    uint32_t type_refs_count;
    uint32_t *node_of; /* owned: XML node -> value, or the value it is a part of */
    uint8_t *tag_of;   /* owned: XML node -> enum clixml_tag */
    size_t nodes_max;  /* of these two */
    char *decoded;     /* owned: text without escapes */
};

/* The character data of an element, kept; false with a fault. */
static bool keep_text(struct reader *r, struct slice text, uint32_t *at, uint32_t *len)
{
    size_t bytes = text.len;

    if (clixml_has_escapes(text)) {
        if (!clixml_unescape(text, r->decoded, &bytes)) {
            (void)import_refuse(
                r->fault, r->offset,
                "holds an escape _xHHHH_ that is no character: the file is damaged; "
                "export it again");
            return false;
        }
        text = slice_make(r->decoded, bytes);
    }
    *at = import_keep(r->tree, text);
    *len = (uint32_t)text.len;
    return true;
}

static uint32_t *table_at(struct reader *r, uint32_t **table, uint32_t *count, uint64_t number)
{
    if (number >= IMPORT_REFS_MAX) {
        (void)import_refuse(r->fault, r->offset,
                            "has a RefId above %u: PowerShell counts from 0; export it again",
                            IMPORT_REFS_MAX);
        return NULL;
    }
    if (number >= *count) {
        uint32_t count_new = *count ? *count : 256;

        while (number >= count_new) {
            count_new *= 2;
        }
        *table = pool_heap_grow(*table, count_new * sizeof(**table));
        for (uint32_t i = *count; i < count_new; i++) {
            (*table)[i] = IMPORT_NONE;
        }
        *count = count_new;
    }
    return &(*table)[number];
}

/* The number in attribute RefId; false: none, or none that is one. */
static bool ref_number(const struct reader *r, uint32_t x, uint64_t *number)
{
    return slice_parse_u64(xml_attr_value(r->xml, x, SLICE_LIT("RefId")), number);
}

/* A type's names, a line each, from its <T> elements. */
static bool add_type(struct reader *r, uint32_t x, uint32_t node)
{
    struct import_tree *t = r->tree;
    uint32_t child = XML_NO_NODE;
    struct slice *type;
    uint64_t number;
    size_t bytes = 0;
    char *text;

    if (t->type_count == IMPORT_TYPES_MAX) {
        (void)import_refuse(r->fault, r->offset,
                            "names more than %u types: not an export of "
                            "partners or policies",
                            IMPORT_TYPES_MAX);
        return false;
    }
    if (t->type_count == 0) {
        t->types = pool_heap_zalloc(IMPORT_TYPES_MAX * sizeof(*t->types));
        t->type_count = 1;
    }
    while ((child = xml_next_child(r->xml, x, child, SLICE_LIT("T"), SLICE_NONE)) != XML_NO_NODE) {
        bytes += xml_text(r->xml, child).len + 1;
    }
    text = pool_heap_zalloc(bytes + 1);
    type = &t->types[t->type_count];
    while ((child = xml_next_child(r->xml, x, child, SLICE_LIT("T"), SLICE_NONE)) != XML_NO_NODE) {
        struct slice name = xml_text(r->xml, child);

        if (name.len) {
            memcpy(text + type->len, name.ptr, name.len);
        }
        text[type->len + name.len] = '\n';
        type->len += name.len + 1;
    }
    type->ptr = text;
    t->nodes[node].type = (uint16_t)t->type_count++;
    if (ref_number(r, x, &number)) {
        uint32_t *place = table_at(r, &r->type_refs, &r->type_refs_count, number);

        if (!place) {
            return false;
        }
        *place = t->nodes[node].type;
    }
    return true;
}

static bool use_type(struct reader *r, uint32_t x, uint32_t node)
{
    uint64_t number;

    if (!ref_number(r, x, &number) || number >= r->type_refs_count ||
        r->type_refs[number] == IMPORT_NONE) {
        (void)import_refuse(r->fault, r->offset,
                            "refers to a type that does not come before it: part of the file is "
                            "missing; export it again");
        return false;
    }
    r->tree->nodes[node].type = (uint16_t)r->type_refs[number];
    return true;
}

/* A new value for XML node x under value parent; IMPORT_NONE with a fault. */
static uint32_t add_value(struct reader *r, uint32_t x, uint32_t parent, enum import_value value)
{
    const struct xml_node *n = &r->xml->nodes[x];
    struct slice name = xml_attr_value(r->xml, x, SLICE_LIT("N"));
    uint32_t node = import_add(r->tree, parent, value, r->offset);
    uint32_t at;
    uint32_t len;

    if (node == IMPORT_NONE) {
        (void)import_refuse(r->fault, r->offset,
                            "has more than %u values; export the lists one by one",
                            IMPORT_NODES_MAX);
        return IMPORT_NONE;
    }
    if (name.len > NAME_BYTES) {
        (void)import_refuse(r->fault, r->offset, "has a member with a name longer than %u bytes",
                            NAME_BYTES);
        return IMPORT_NONE;
    }
    if (!keep_text(r, name, &at, &len)) {
        return IMPORT_NONE;
    }
    r->tree->nodes[node].name_at = at;
    r->tree->nodes[node].name_len = len;
    r->tree->nodes[node].is_extended =
        n->parent != XML_NO_NODE && r->tag_of[n->parent] == CLIXML_MS;
    return node;
}

static bool set_text(struct reader *r, uint32_t x, uint32_t node)
{
    uint32_t at;
    uint32_t len;

    if (!keep_text(r, xml_text(r->xml, x), &at, &len)) {
        return false;
    }
    r->tree->nodes[node].text_at = at;
    r->tree->nodes[node].text_len = len;
    return true;
}

static enum import_value value_of(enum clixml_tag tag)
{
    return tag == CLIXML_BOOL ? IMPORT_BOOL : tag == CLIXML_NUMBER ? IMPORT_NUMBER : IMPORT_TEXT;
}

/* A plain value that is the object's own (of an enumeration, or a text with members of its own)
 * becomes the object's. */
static bool take_own_value(struct reader *r, uint32_t x, uint32_t node, enum clixml_tag tag)
{
    struct import_node *n = &r->tree->nodes[node];

    if (tag == CLIXML_NUMBER && n->has_text) {
        n->has_number = true; /* the name counts; the number means nothing outside */
        return true;
    }
    n->value = (uint8_t)(tag == CLIXML_NIL ? IMPORT_NIL : value_of(tag));
    return tag == CLIXML_NIL || set_text(r, x, node);
}

static uint32_t add_object(struct reader *r, uint32_t x, uint32_t parent)
{
    uint32_t node = add_value(r, x, parent, IMPORT_OBJECT);
    uint64_t number;
    uint32_t *place;

    if (node == IMPORT_NONE || !ref_number(r, x, &number)) {
        return node;
    }
    place = table_at(r, &r->refs, &r->refs_count, number);
    if (!place) {
        return IMPORT_NONE;
    }
    *place = node;
    return node;
}

static uint32_t add_reference(struct reader *r, uint32_t x, uint32_t parent)
{
    uint32_t node = add_value(r, x, parent, IMPORT_REF);
    uint64_t number;

    if (node == IMPORT_NONE) {
        return IMPORT_NONE;
    }
    if (!ref_number(r, x, &number) || number >= r->refs_count || r->refs[number] == IMPORT_NONE) {
        (void)import_refuse(r->fault, r->offset,
                            "refers to an object that does not come before it: part of the file "
                            "is missing; export it again");
        return IMPORT_NONE;
    }
    r->tree->nodes[node].last = r->refs[number];
    return node;
}

/* Of a part (Props, TN, ...) of the object that is value node. */
static bool take_part(struct reader *r, uint32_t x, uint32_t node, enum clixml_tag tag)
{
    struct import_node *n = &r->tree->nodes[node];

    switch (tag) {
    case CLIXML_TN:
        return add_type(r, x, node);
    case CLIXML_TNREF:
        return use_type(r, x, node);
    case CLIXML_TOSTRING:
        n->has_text = true;
        return set_text(r, x, node);
    case CLIXML_LIST:
    case CLIXML_DICTIONARY:
        n->value = IMPORT_LIST;
        return true;
    case CLIXML_PROPS:
    case CLIXML_MS:
        return true;
    case CLIXML_UNKNOWN:
    case CLIXML_OBJ:
    case CLIXML_T:
    case CLIXML_ENTRY:
    case CLIXML_REF:
    case CLIXML_NIL:
    case CLIXML_BOOL:
    case CLIXML_NUMBER:
    case CLIXML_TEXT:
    default:
        return take_own_value(r, x, node, tag);
    }
}

static bool is_part_of_object(enum clixml_tag tag)
{
    return tag == CLIXML_TN || tag == CLIXML_TNREF || tag == CLIXML_TOSTRING ||
           tag == CLIXML_PROPS || tag == CLIXML_MS || tag == CLIXML_LIST ||
           tag == CLIXML_DICTIONARY;
}

/* A value of its own: at the top, among members, in a list. */
static bool take_value(struct reader *r, uint32_t x, uint32_t parent, enum clixml_tag tag)
{
    uint32_t node;

    if (tag == CLIXML_OBJ) {
        node = add_object(r, x, parent);
    } else if (tag == CLIXML_ENTRY) {
        node = add_value(r, x, parent, IMPORT_OBJECT);
    } else if (tag == CLIXML_REF) {
        node = add_reference(r, x, parent);
    } else {
        node = add_value(r, x, parent, tag == CLIXML_NIL ? IMPORT_NIL : value_of(tag));
        if (node != IMPORT_NONE && tag != CLIXML_NIL && !set_text(r, x, node)) {
            node = IMPORT_NONE;
        }
    }
    r->node_of[x] = node;
    return node != IMPORT_NONE;
}

static bool take_element(struct reader *r, uint32_t x)
{
    uint32_t up = r->xml->nodes[x].parent;
    enum clixml_tag above = up == XML_NO_NODE ? CLIXML_UNKNOWN : (enum clixml_tag)r->tag_of[up];
    enum clixml_tag tag = clixml_tag_of(r->xml->nodes[x].name);
    uint32_t parent = up == XML_NO_NODE ? IMPORT_NONE : r->node_of[up];

    r->tag_of[x] = (uint8_t)tag;
    r->node_of[x] = parent;
    if (tag == CLIXML_T && above == CLIXML_TN) {
        return true; /* add_type has read it */
    }
    if (tag != CLIXML_UNKNOWN && tag != CLIXML_T) {
        if (above == CLIXML_OBJ && tag != CLIXML_OBJ && tag != CLIXML_REF && tag != CLIXML_ENTRY) {
            return take_part(r, x, parent, tag);
        }
        if (!is_part_of_object(tag) && (tag == CLIXML_ENTRY) == (above == CLIXML_DICTIONARY) &&
            (up == XML_NO_NODE || above == CLIXML_PROPS || above == CLIXML_MS ||
             above == CLIXML_LIST || above == CLIXML_DICTIONARY || above == CLIXML_ENTRY)) {
            return take_value(r, x, parent, tag);
        }
    }
    (void)import_refuse(r->fault, r->offset,
                        "has an element %s that Export-Clixml does not write there: damaged, or no "
                        "such file; export it again",
                        quote(r->xml->nodes[x].name).text);
    return false;
}

/* One exported object. */
static bool take_tree(struct reader *r, const struct xml_tree *xml)
{
    ASSERT(xml->node_count <= r->nodes_max);
    r->xml = xml;
    for (uint32_t x = 0; x < xml->node_count; x++) {
        if (xml->nodes[x].kind == XML_NODE_ELEMENT && !take_element(r, x)) {
            return false;
        }
    }
    return true;
}

static bool is_objs(const struct xml_tree *t)
{
    return slice_eq_cstr(t->nodes[0].name, "Objs") && slice_eq_cstr(t->nodes[0].ns, CLIXML_NS);
}

/* Why the parser stopped, for whoever made the file with PowerShell. */
static int refuse_xml(struct reader *r, const struct xml_parser *p, uint32_t offset)
{
    switch (xml_parser_why(p)) {
    case XML_WHY_RESTRICTED:
        return import_refuse(r->fault, offset,
                             "has a comment, a DTD, an entity or an instruction, which "
                             "Export-Clixml never writes; take it out, or export again");
    case XML_WHY_TOO_BIG:
        return import_refuse(r->fault, offset,
                             "has one object that is too large or too deep (%s); pipe the objects "
                             "into Export-Clixml one by one (\"Get-... | Export-Clixml FILE\"), "
                             "with its default -Depth",
                             xml_parser_why_text(p));
    case XML_WHY_NOMEM:
        return import_refuse(r->fault, offset, "needs more memory than there is");
    case XML_WHY_UNSUPPORTED_ENCODING:
    case XML_WHY_NOT_WELL_FORMED:
    case XML_WHY_NONE:
    default:
        return import_refuse(r->fault, offset,
                             "is no well-formed XML here (%s): damaged or cut off; export it again",
                             xml_parser_why_text(p));
    }
}

/* What stands before the root: "#< CLIXML", an XML declaration (its encoding has been dealt with
 * already). */
static size_t skip_head(struct slice text)
{
    size_t at = 0;
    struct slice rest = text;

    while (at < text.len && ascii_is_space(text.ptr[at])) {
        at++;
    }
    rest = slice_from(text, at);
    if (slice_starts(rest, SLICE_LIT("#< CLIXML"))) {
        at += 9;
        while (at < text.len && ascii_is_space(text.ptr[at])) {
            at++;
        }
        rest = slice_from(text, at);
    }
    if (slice_starts(rest, SLICE_LIT("<?xml "))) {
        const char *end = memmem(rest.ptr, rest.len < 256 ? rest.len : 256, "?>", 2);

        at += end ? (size_t)(end + 2 - rest.ptr) : 0;
        while (end && at < text.len && ascii_is_space(text.ptr[at])) {
            at++;
        }
    }
    return at;
}

static int take_event(struct reader *r, struct xml_parser *p, enum xml_event event)
{
    if (event == XML_STREAM_OPEN && !is_objs(xml_parser_tree(p))) {
        return import_refuse(r->fault, r->offset,
                             "is XML, but not what Export-Clixml writes (its root is "
                             "<Objs xmlns=\"" CLIXML_NS "\">)");
    }
    if (event == XML_ELEMENT && !take_tree(r, xml_parser_tree(p))) {
        return ERR_BAD_INPUT;
    }
    return 0;
}

static int read_objects(struct reader *r, struct xml_parser *p, struct slice text)
{
    size_t at = skip_head(text);
    enum xml_event event = XML_MORE;

    while (at < text.len && event != XML_STREAM_CLOSE) {
        size_t used;
        int err;

        while (at < text.len && ascii_is_space(text.ptr[at])) {
            at++;
        }
        r->offset = (uint32_t)at;
        event = xml_parser_feed(p, text.ptr + at, text.len - at, &used);
        if (event == XML_BAD) {
            return refuse_xml(r, p, (uint32_t)at);
        }
        at += used;
        err = take_event(r, p, event);
        if (err) {
            return err;
        }
    }
    if (event != XML_STREAM_CLOSE) {
        return import_refuse(r->fault, (uint32_t)(r->offset < text.len ? r->offset : text.len - 1),
                             "ends before </Objs>: the file was cut off; export it again");
    }
    if (slice_trim(slice_from(text, at)).len) {
        return import_refuse(r->fault, (uint32_t)at,
                             "goes on behind </Objs>: two files in one; import them one by one");
    }
    return 0;
}

int import_read_clixml(struct import_tree *t, struct slice text, struct import_fault *fault)
{
    struct reader r = {.tree = t, .fault = fault};
    /* An object's nodes: a text before each tag; and none without a byte. */
    size_t nodes = (size_t)XML_ELEMENTS_CEILING * 3;
    size_t bytes = text.len < XML_STANZA_BYTES_CEILING ? text.len + 1 : XML_STANZA_BYTES_CEILING;
    struct xml_parser *p = NULL;
    int err = xml_parser_new(&p, &limits);

    if (err) {
        return import_refuse(fault, IMPORT_NOWHERE, "needs more memory than there is");
    }
    nodes = nodes < bytes ? nodes : bytes;
    r.node_of = pool_heap_zalloc(nodes * sizeof(*r.node_of));
    r.tag_of = pool_heap_zalloc(nodes);
    r.nodes_max = nodes;
    r.decoded = pool_heap_zalloc(bytes);
    err = read_objects(&r, p, text);
    explicit_bzero(r.decoded, bytes);
    pool_heap_free(r.decoded);
    pool_heap_free(r.tag_of);
    pool_heap_free(r.node_of);
    pool_heap_free(r.type_refs);
    pool_heap_free(r.refs);
    xml_parser_free(p);
    return err;
}
