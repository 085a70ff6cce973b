/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json: yajl's events written into the node table. */
#include "policy/json.h"

#include <stdarg.h>
#include <stdio.h>

#include <yajl/yajl_parse.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "base/utf8.h"

#define NODES_FIRST   256u
#define DECODED_FIRST 4096u

struct level {
    uint32_t node;     /* the open list or object */
    uint32_t key;      /* its last KEY node, JSON_NONE before the first */
    uint32_t children; /* finished or begun so far */
};

struct builder {
    struct json_doc *doc;
    yajl_handle parser;
    struct json_fault *fault;
    bool has_fault;  /* ours, not yajl's */
    size_t base;     /* bytes of the source that yajl was not given: a byte order mark */
    size_t root_end; /* behind the outermost value */
    bool at_end;     /* yajl has been given everything: only now a bare number is complete */
    uint32_t depth;
    uint32_t depth_max;
    struct level levels[JSON_DEPTH_MAX];
};

static void *heap_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return pool_heap_zalloc(size);
}

static void *heap_grow(void *ctx, void *block, size_t size)
{
    (void)ctx;
    return pool_heap_grow(block, size);
}

static void heap_free(void *ctx, void *block)
{
    (void)ctx;
    pool_heap_free(block);
}

struct slice json_text(const struct json_doc *doc, uint32_t node)
{
    const struct json_node *n = &doc->nodes[node];

    return slice_make((n->is_decoded ? doc->decoded : doc->source.ptr) + n->text_at, n->text_len);
}

const char *json_kind_text(enum json_kind kind)
{
    static const char *const texts[] = {"null",   "false",  "true",      "a number",
                                        "a text", "a list", "an object", "a key"};

    return texts[kind];
}

uint32_t json_child_count(const struct json_doc *doc, uint32_t node)
{
    bool is_object = json_kind_of(doc, node) == JSON_OBJECT;
    uint32_t count = 0;

    for (uint32_t at = node + 1; at < doc->nodes[node].next; at = doc->nodes[at].next) {
        if (is_object) {
            at++;
        }
        count++;
    }
    return count;
}

/* Where we are: "partners[3].domain". */
static void write_path(const struct builder *b, char *out, size_t out_bytes)
{
    size_t at = 0;

    out[0] = 0;
    for (uint32_t i = 0; i < b->depth; i++) {
        const struct level *level = &b->levels[i];
        int len = 0;

        if (json_kind_of(b->doc, level->node) == JSON_LIST) {
            uint32_t idx = level->children ? level->children - 1 : 0;

            len = snprintf(out + at, out_bytes - at, "[%u]", (unsigned)idx);
        } else if (level->key != JSON_NONE) {
            struct slice key = slice_to(json_text(b->doc, level->key), 48);

            key.len = utf8_cut(key, key.len);
            len = snprintf(out + at, out_bytes - at, "%s%.*s", at ? "." : "", SLICE_FMT(key));
        }
        if (len < 0 || (size_t)len >= out_bytes - at) {
            out[at] = 0;
            return;
        }
        at += (size_t)len;
    }
}

PRINTF_LIKE(3, 4)
static int fault_at(struct builder *b, size_t offset, const char *fmt, ...)
{
    va_list args;

    b->has_fault = true;
    b->fault->offset = (uint32_t)offset;
    va_start(args, fmt);
    (void)vsnprintf(b->fault->text, sizeof(b->fault->text), fmt, args);
    va_end(args);
    write_path(b, b->fault->path, sizeof(b->fault->path));
    return 0; /* tells yajl to stop */
}

/* Offset behind the token that the current event belongs to. */
static size_t token_end(const struct builder *b)
{
    size_t end = b->base + yajl_get_bytes_consumed(b->parser);

    return !b->at_end && end <= b->doc->source.len ? end : b->doc->source.len;
}

/* Opening quote of the string whose closing quote stands before end. Inner quotes have an odd
 * number of backslashes before them. */
static size_t string_start(struct slice source, size_t end)
{
    size_t at = end ? end - 1 : 0;

    while (at > 0) {
        size_t slashes = 0;

        at--;
        if (source.ptr[at] != '"') {
            continue;
        }
        while (slashes < at && source.ptr[at - 1 - slashes] == '\\') {
            slashes++;
        }
        if (slashes % 2 == 0) {
            return at;
        }
        at -= slashes;
    }
    return 0;
}

static bool add_node(struct builder *b, struct json_node node)
{
    struct json_doc *doc = b->doc;

    if (doc->count == JSON_NODES_MAX) {
        fault_at(b, node.start, "more than %u values in one file", JSON_NODES_MAX);
        return false;
    }
    if (doc->count == doc->cap) {
        doc->cap = doc->cap ? doc->cap * 2 : NODES_FIRST;
        doc->nodes = pool_heap_grow(doc->nodes, doc->cap * sizeof(*doc->nodes));
    }
    node.next = (doc->count + 1) & 0xfffffffu;
    doc->nodes[doc->count++] = node;
    return true;
}

/* Counts a value in the list or object it stands in. */
static void count_child(struct builder *b)
{
    if (b->depth) {
        b->levels[b->depth - 1].children++;
    } else {
        b->root_end = token_end(b); /* a list's or object's is set again where it ends */
    }
}

/* Only yajl's own buffers lie outside the source: they hold strings that had escapes. */
static void set_text(struct builder *b, struct json_node *node, const char *text, size_t len)
{
    struct json_doc *doc = b->doc;
    uintptr_t source = (uintptr_t)doc->source.ptr;
    uintptr_t at = (uintptr_t)text;

    node->text_len = (uint32_t)len;
    if (len == 0) {
        return;
    }
    if (at >= source && at < source + doc->source.len) {
        node->text_at = (uint32_t)(at - source);
        return;
    }
    if (doc->decoded_len + len > doc->decoded_cap) {
        /* Decoded text is never longer than its source: twice that bounds the doubling. */
        doc->decoded_cap = (doc->decoded_len + len) * 2 + DECODED_FIRST;
        doc->decoded = pool_heap_grow(doc->decoded, doc->decoded_cap);
    }
    memcpy(doc->decoded + doc->decoded_len, text, len);
    node->is_decoded = 1;
    node->text_at = (uint32_t)doc->decoded_len;
    doc->decoded_len += len;
}

static int on_word(struct builder *b, enum json_kind kind, size_t word_len)
{
    struct json_node node = {.kind = kind & 7u, .start = (uint32_t)(token_end(b) - word_len)};

    count_child(b);
    return add_node(b, node);
}

static int on_null(void *ctx)
{
    return on_word(ctx, JSON_NULL, sizeof("null") - 1);
}

static int on_bool(void *ctx, int value)
{
    return value ? on_word(ctx, JSON_TRUE, sizeof("true") - 1)
                 : on_word(ctx, JSON_FALSE, sizeof("false") - 1);
}

static int on_number(void *ctx, const char *text, size_t len)
{
    struct builder *b = ctx;
    struct json_node node = {.kind = JSON_NUMBER, .start = (uint32_t)(token_end(b) - len)};

    set_text(b, &node, text, len);
    count_child(b);
    return add_node(b, node);
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
    struct builder *b = ctx;
    struct json_node node = {.kind = JSON_TEXT,
                             .start = (uint32_t)string_start(b->doc->source, token_end(b))};

    set_text(b, &node, (const char *)text, len);
    count_child(b);
    return add_node(b, node);
}

static int on_key(void *ctx, const unsigned char *text, size_t len)
{
    struct builder *b = ctx;
    struct json_node node = {.kind = JSON_KEY,
                             .start = (uint32_t)string_start(b->doc->source, token_end(b))};

    set_text(b, &node, (const char *)text, len);
    b->levels[b->depth - 1].key = b->doc->count;
    return add_node(b, node);
}

static int open_level(struct builder *b, enum json_kind kind)
{
    struct json_node node = {.kind = kind & 7u, .start = (uint32_t)(token_end(b) - 1)};

    count_child(b);
    if (b->depth == b->depth_max) {
        return fault_at(b, node.start, "nested too deeply; at most %u levels are read",
                        b->depth_max);
    }
    b->levels[b->depth++] = (struct level){.node = b->doc->count, .key = JSON_NONE};
    return add_node(b, node);
}

static int close_level(void *ctx)
{
    struct builder *b = ctx;
    uint32_t node = b->levels[--b->depth].node;

    b->doc->nodes[node].next = b->doc->count & 0xfffffffu;
    b->root_end = token_end(b); /* the last one is the root's */
    return 1;
}

static int on_start_map(void *ctx)
{
    return open_level(ctx, JSON_OBJECT);
}

static int on_start_list(void *ctx)
{
    return open_level(ctx, JSON_LIST);
}

/* yajl's one-line text into ours, with what is allowed where it can be told. */
static void syntax_fault(struct builder *b)
{
    struct slice source = b->doc->source;
    size_t end = token_end(b);
    size_t at = end ? end - 1 : 0;
    unsigned char *raw = yajl_get_error(b->parser, 0, NULL, 0);
    struct slice text = slice_trim(slice_from_cstr((const char *)raw));
    ptrdiff_t colon = slice_find(text, ':');
    char before = 0;

    if (colon >= 0) {
        text = slice_trim(slice_from(text, (size_t)colon + 1)); /* "parse error: " */
    }
    if (slice_eq_cstr(text, "premature EOF")) {
        fault_at(b, source.len,
                 b->depth ? "the file ends in the middle; %u { or [ are still open"
                          : "there is nothing in the file; a JSON object { ... } is expected",
                 b->depth);
        yajl_free_error(b->parser, raw);
        return;
    }
    if (at < source.len && source.ptr[at] == '"') {
        at = string_start(source, end);
    }
    for (size_t i = at; i > 0 && before == 0; i--) {
        before = source.ptr[i - 1] == ' ' || source.ptr[i - 1] == '\n' ? 0 : source.ptr[i - 1];
    }
    if (before == ',' && at < source.len && (source.ptr[at] == '}' || source.ptr[at] == ']')) {
        fault_at(b, at, "not JSON: a comma is not allowed before %c", source.ptr[at]);
    } else {
        fault_at(b, at, "not JSON: %.*s", SLICE_FMT(text));
    }
    yajl_free_error(b->parser, raw);
}

/* yajl accepts a comment behind the last } that the end of the file cuts off: half a file. */
static void check_tail(struct builder *b)
{
    struct slice s = b->doc->source;
    size_t at = b->root_end;

    while (at + 1 < s.len) {
        if (s.ptr[at] == '/' && s.ptr[at + 1] == '/') {
            const char *line_end = memchr(s.ptr + at, '\n', s.len - at);

            at = line_end ? (size_t)(line_end - s.ptr) : s.len;
        } else if (s.ptr[at] == '/' && s.ptr[at + 1] == '*') {
            const char *end = memmem(s.ptr + at + 2, s.len - at - 2, "*/", 2);

            if (!end) {
                (void)fault_at(b, at, "the file ends inside this comment");
                return;
            }
            at = (size_t)(end - s.ptr) + 2;
        } else {
            at++;
        }
    }
}

static bool check_bytes(struct builder *b)
{
    struct slice s = b->doc->source;
    size_t at = 0;
    uint32_t code_point;

    if (s.len > JSON_BYTES_MAX) {
        fault_at(b, 0, "the file has %zu bytes; at most %zu are read", s.len, JSON_BYTES_MAX);
        return false;
    }
    if (s.len >= 2 && (memcmp(s.ptr, "\xff\xfe", 2) == 0 || memcmp(s.ptr, "\xfe\xff", 2) == 0)) {
        fault_at(b, 0, "the file is UTF-16; save it as UTF-8");
        return false;
    }
    if (utf8_is_valid(s)) {
        return true;
    }
    while (utf8_next(s, &at, &code_point)) {
    }
    fault_at(b, at, "byte 0x%02x is not UTF-8; save the file as UTF-8",
             (unsigned)(unsigned char)s.ptr[at]);
    return false;
}

int json_parse(struct json_doc *doc, struct slice source, uint32_t depth_max,
               struct json_fault *fault)
{
    static const yajl_callbacks callbacks = {
        .yajl_null = on_null,
        .yajl_boolean = on_bool,
        .yajl_number = on_number,
        .yajl_string = on_string,
        .yajl_start_map = on_start_map,
        .yajl_map_key = on_key,
        .yajl_end_map = close_level,
        .yajl_start_array = on_start_list,
        .yajl_end_array = close_level,
    };
    yajl_alloc_funcs heap = {.malloc = heap_alloc, .realloc = heap_grow, .free = heap_free};
    struct builder b = {.doc = doc, .fault = fault, .depth_max = depth_max};
    yajl_status status;

    ASSERT(depth_max >= 1 && depth_max <= JSON_DEPTH_MAX);
    doc->source = source;
    if (!check_bytes(&b)) {
        return ERR_CONFIG;
    }
    b.parser = yajl_alloc(&callbacks, &heap, &b);
    (void)yajl_config(b.parser, yajl_allow_comments, 1);
    if (slice_starts(source, SLICE_LIT("\xef\xbb\xbf"))) {
        b.base = 3;
    }
    status = yajl_parse(b.parser, (const unsigned char *)source.ptr + b.base, source.len - b.base);
    if (status == yajl_status_ok) {
        b.at_end = true;
        status = yajl_complete_parse(b.parser);
    }
    if (status != yajl_status_ok && !b.has_fault) {
        syntax_fault(&b);
    } else if (status == yajl_status_ok) {
        check_tail(&b);
    }
    yajl_free(b.parser);
    return b.has_fault ? ERR_CONFIG : 0;
}

void json_deinit(struct json_doc *doc)
{
    if (doc->decoded) {
        explicit_bzero(doc->decoded, doc->decoded_cap);
    }
    pool_heap_free(doc->decoded);
    pool_heap_free(doc->nodes);
    *doc = (struct json_doc){0};
}
