/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parser: the outer loop: places in the stream, units, windows and what happens at their edges.
 * What happens inside of a window: run.c. */
#include "xml/parser.h"

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "xml/chars.h"
#include "xml/parser_int.h"

#define PARSER_MAGIC       0x786d6c70u
#define ASSEMBLY_BYTES_MIN 1024u
/* Bytes behind the end of a unit are copied for nothing, hence pieces: of this size, or as large as
 * what is there already. */
#define ASSEMBLY_PIECE_BYTES 1024u

enum xml_step xml_refuse(struct xml_parser *p, enum xml_why why, const char *text)
{
    p->why = why;
    p->why_text = text;
    return XML_STEP_BAD;
}

static size_t unit_bytes_max(const struct xml_parser *p, const char *base, size_t len)
{
    if (p->place == XML_PLACE_START && len >= 2 && base[1] == '?') {
        return XML_DECLARATION_BYTES_MAX;
    }
    return p->limits.stanza_bytes_max;
}

/* The unit starts at base. A unit that is not complete within its limit is refused as soon as the
 * last byte allowed is there: whatever follows, it is too long.                                 */
static enum xml_step run_unit(struct xml_parser *p, const char *base, size_t len)
{
    size_t max = unit_bytes_max(p, base, len);
    enum xml_step step = xml_run_tokens(p, base, base + (len < max ? len : max));

    if (step == XML_STEP_MORE && len >= max) {
        return xml_refuse(p, XML_WHY_TOO_BIG, "element too long");
    }
    return step;
}

static bool assembly_grow(struct xml_parser *p, size_t want)
{
    char *grown;

    if (want <= p->assembly_cap) {
        return true;
    }
    if (want < (size_t)p->assembly_cap * 2) {
        want = (size_t)p->assembly_cap * 2;
    }
    grown = pool_alloc(want < ASSEMBLY_BYTES_MIN ? ASSEMBLY_BYTES_MIN : want);
    if (!grown) {
        return false;
    }
    if (p->assembly_len) {
        memcpy(grown, p->assembly, p->assembly_len);
        xml_tree_rebase(p, p->assembly, p->assembly_len, grown);
    }
    pool_free(p->assembly);
    p->assembly = grown;
    p->assembly_cap = (uint32_t)pool_block_bytes(grown);
    return true;
}

/* A unit is cut by the end of the feed: its bytes so far become ours. */
static enum xml_step spill(struct xml_parser *p, const char *base, size_t len)
{
    DASSERT(p->assembly_len == 0);
    if (!assembly_grow(p, len)) {
        return xml_refuse(p, XML_WHY_NOMEM, "out of memory");
    }
    memcpy(p->assembly, base, len);
    p->assembly_len = (uint32_t)len;
    xml_tree_rebase(p, base, len, p->assembly);
    return XML_STEP_MORE;
}

/* Goes on with a cut unit; *used says how many of the bytes belong to it. */
static enum xml_step resume(struct xml_parser *p, const char *bytes, size_t len, size_t *used)
{
    size_t before = p->assembly_len;
    size_t room = unit_bytes_max(p, p->assembly, before);
    enum xml_step step;

    *used = 0;
    /* The kind of unit, hence its bound, may show only with its second byte. */
    room = room > before ? room - before : 1;
    if (before < 2) {
        room = 1;
    }
    if (len > room) {
        len = room;
    }
    if (len > ASSEMBLY_PIECE_BYTES && len > before) {
        len = before < ASSEMBLY_PIECE_BYTES ? ASSEMBLY_PIECE_BYTES : before;
    }
    if (!assembly_grow(p, before + len)) {
        return xml_refuse(p, XML_WHY_NOMEM, "out of memory");
    }
    memcpy(p->assembly + before, bytes, len);
    p->assembly_len = (uint32_t)(before + len);
    step = run_unit(p, p->assembly, p->assembly_len);
    *used = step == XML_STEP_DONE ? p->token_at - before : len;
    return step;
}

static void unit_begin(struct xml_parser *p)
{
    p->in_unit = true;
    p->space_bytes = 0;
    p->limits = p->limits_next;
    xml_token_begin(p, XML_TOKEN_NONE, 0);
}

/* Drops the last event's tree and the unit it came from. */
static void unit_drop(struct xml_parser *p)
{
    xml_tree_clear(p);
    p->in_unit = false;
    p->assembly_len = 0;
}

static enum xml_event bad(struct xml_parser *p)
{
    unit_drop(p);
    p->place = XML_PLACE_BAD;
    return XML_BAD;
}

/* White space between units. Returns how many bytes; a refusal sets why. */
static size_t skip_between(struct xml_parser *p, const char *bytes, size_t len)
{
    size_t at = 0;

    while (at < len && xml_is_space(bytes[at])) {
        at++;
        if (++p->space_bytes > p->limits_next.whitespace_bytes_max) {
            (void)xml_refuse(p, XML_WHY_TOO_BIG, "too much white space between elements");
            return at;
        }
    }
    if (at && p->place == XML_PLACE_START) {
        p->place = XML_PLACE_PROLOG;
    }
    if (at == len || (bytes[at] == '<' && p->place != XML_PLACE_CLOSED)) {
        return at;
    }
    /* Byte order marks of UTF-8, UTF-16 and UTF-32, or their '<' without one. */
    if (p->place == XML_PLACE_START && (bytes[at] == 0 || (unsigned char)bytes[at] >= 0xef)) {
        (void)xml_refuse(p, XML_WHY_UNSUPPORTED_ENCODING, "byte order mark or not UTF-8");
    } else {
        (void)XML_MALFORMED(p, p->place == XML_PLACE_CLOSED ? "data after the stream's end"
                                                            : "text between elements");
    }
    return at;
}

/* The header's names outlive its bytes. */
static enum xml_step keep_header(struct xml_parser *p)
{
    const struct xml_node *root = &p->nodes[0];
    struct slice name = root->name;

    if (root->prefix.len) {
        name = slice_make(root->prefix.ptr, root->prefix.len + 1 + root->name.len);
    }
    return xml_ns_keep_stream(p, name);
}

/* The unit is complete in the window at base. XML_MORE: it makes no event of its own. */
static enum xml_event unit_done(struct xml_parser *p, const char *base)
{
    p->in_unit = false;
    p->tree.wire_bytes = p->token_at;
    if (p->tree.node_count == 0) {
        if (p->place == XML_PLACE_START) {
            p->place = XML_PLACE_PROLOG;
            unit_drop(p);
            return XML_MORE;
        }
        p->place = XML_PLACE_CLOSED;
        return XML_STREAM_CLOSE;
    }
    if (p->place == XML_PLACE_STREAM) {
        p->tree.content = slice_make(base + p->content_at, p->content_end - p->content_at);
        p->tree.content_is_canonical = p->is_canonical;
        p->tree.content_ns_lens = p->content_ns_lens;
        p->tree.root_is_canonical = p->is_canonical && p->is_root_canonical;
        return XML_ELEMENT;
    }
    if (keep_header(p) != XML_STEP_OK) {
        return bad(p);
    }
    p->place = XML_PLACE_STREAM;
    return XML_STREAM_OPEN;
}

/* Nothing is in progress and the caller has no more: an idle stream holds little memory, and the
 * pool gives it again for the price of a list operation. */
static void rest(struct xml_parser *p)
{
    DASSERT(p->tree.node_count == 0 && p->decl_count == 0);
    xml_tree_release(p);
    if (p->assembly) {
        pool_free(p->assembly);
        p->assembly = NULL;
        p->assembly_cap = 0;
    }
}

void xml_parser_rest(struct xml_parser *p)
{
    ASSERT(p->magic == PARSER_MAGIC);
    if (!p->in_unit && p->place != XML_PLACE_BAD) {
        unit_drop(p);
        rest(p);
    }
}

enum xml_event xml_parser_feed(struct xml_parser *p, const char *bytes, size_t len,
                               size_t *consumed)
{
    size_t at = 0;

    ASSERT(p->magic == PARSER_MAGIC);
    *consumed = 0;
    if (p->place == XML_PLACE_BAD) {
        return XML_BAD;
    }
    if (!p->in_unit) {
        unit_drop(p);
    }
    if (p->close_pending) {
        p->close_pending = false;
        p->place = XML_PLACE_CLOSED;
        return XML_STREAM_CLOSE;
    }
    while (at < len) {
        enum xml_step step;
        size_t used;

        if (p->in_unit) {
            step = resume(p, bytes + at, len - at, &used);
        } else {
            at += skip_between(p, bytes + at, len - at);
            if (p->why != XML_WHY_NONE) {
                *consumed = at;
                return bad(p);
            }
            if (at == len) {
                break;
            }
            unit_begin(p);
            step = run_unit(p, bytes + at, len - at);
            used = step == XML_STEP_DONE ? p->token_at : len - at;
            if (step == XML_STEP_MORE) {
                step = spill(p, bytes + at, len - at);
            }
        }
        at += used;
        *consumed = at;
        if (step == XML_STEP_BAD) {
            return bad(p);
        }
        if (step == XML_STEP_DONE) {
            const char *base = p->assembly_len ? p->assembly : bytes + at - used;
            enum xml_event event = unit_done(p, base);

            if (event != XML_MORE) {
                return event;
            }
        }
    }
    if (!p->in_unit) {
        rest(p);
    }
    *consumed = at;
    return XML_MORE;
}

int xml_parser_new(struct xml_parser **out, const struct xml_limits *limits)
{
    struct xml_parser *p;

    *out = NULL;
    if (!xml_limits_are_sane(limits)) {
        return ERR_LIMIT;
    }
    p = pool_zalloc(sizeof(*p));
    if (!p) {
        return ERR_NOMEM;
    }
    p->magic = PARSER_MAGIC;
    p->scan = xml_scan_best();
    p->limits = *limits;
    p->limits_next = *limits;
    p->why_text = "";
    xml_tree_clear(p);
    *out = p;
    return 0;
}

static void release(struct xml_parser *p)
{
    xml_tree_release(p);
    pool_free(p->scope);
    pool_free(p->assembly);
}

void xml_parser_free(struct xml_parser *p)
{
    if (p) {
        ASSERT(p->magic == PARSER_MAGIC);
        release(p);
        p->magic = 0;
        pool_free(p);
    }
}

void xml_parser_reset(struct xml_parser *p)
{
    struct xml_limits limits = p->limits_next;
    const struct xml_scan *scan = p->scan;

    ASSERT(p->magic == PARSER_MAGIC);
    release(p);
    *p = (struct xml_parser){.magic = PARSER_MAGIC,
                             .scan = scan,
                             .limits = limits,
                             .limits_next = limits,
                             .why_text = ""};
    xml_tree_clear(p);
}

void xml_parser_set_limits(struct xml_parser *p, const struct xml_limits *limits)
{
    ASSERT(xml_limits_are_sane(limits));
    p->limits_next = *limits;
}

const struct xml_tree *xml_parser_tree(const struct xml_parser *p)
{
    return &p->tree;
}

enum xml_why xml_parser_why(const struct xml_parser *p)
{
    return p->why;
}

const char *xml_parser_why_text(const struct xml_parser *p)
{
    return p->why_text;
}

bool xml_parser_is_inside(const struct xml_parser *p)
{
    return p->in_unit;
}
