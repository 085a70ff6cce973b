/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle: expat in namespace mode with triplets. The separator is a character that no document
 * can contain. Limits are counted from expat's events, independently of our parser.            */
#include "oracle.h"

#include "base/pool.h"

#include <expat.h>
#include <stdlib.h>

#define SEPARATOR '\f'

#define DECLARATION_BYTES_MAX 256u

struct run {
    struct oracle_result *r;
    const struct xml_limits *limits;
    XML_Parser expat;
    struct slice input;
    bool is_document;
    struct buf text;
    uint32_t depth; /* root = 1 */
    uint32_t elements;
    uint32_t decls_of_next; /* declared by the element about to start */
    uint32_t decls_in_scope;
    XML_Index unit_start;
};

static void extra(struct run *run, enum oracle_extra what)
{
    run->r->extra |= what;
    /* What follows is of no interest, and DTDs could make it big. */
    XML_StopParser(run->expat, XML_FALSE);
}

static void limit(struct run *run, size_t value, size_t max)
{
    if (value > max) {
        extra(run, ORACLE_LIMIT);
    }
}

static void flush_text(struct run *run)
{
    if (buf_len(&run->text)) {
        dump_text(&run->r->events, buf_slice(&run->text));
        buf_clear(&run->text);
    }
}

/* "ns SEP name SEP prefix", "ns SEP name" or "name". */
static void split(const char *triplet, struct slice part[3])
{
    struct slice rest = slice_from_cstr(triplet);

    part[0] = SLICE_NONE;
    part[2] = SLICE_NONE;
    if (slice_cut(&rest, SEPARATOR, &part[1])) {
        part[0] = part[1];
        if (slice_cut(&rest, SEPARATOR, &part[1])) {
            part[2] = rest;
        }
    }
}

static void on_start(void *ctx, const XML_Char *name, const XML_Char **attrs)
{
    struct run *run = ctx;
    struct slice part[3];
    uint32_t attr_count = 0;

    flush_text(run);
    if (run->depth <= 1 && !run->is_document) {
        run->unit_start = XML_GetCurrentByteIndex(run->expat);
        run->elements = 0;
    }
    split(name, part);
    run->depth++;
    run->elements++;
    limit(run, run->depth == 1 || run->is_document ? run->depth : run->depth - 1,
          run->limits->depth_max);
    limit(run, run->elements, run->limits->elements_max);
    limit(run, part[1].len > part[2].len ? part[1].len : part[2].len, run->limits->name_bytes_max);
    dump_start(&run->r->events, part[2], part[0], part[1]);
    for (; attrs[0]; attrs += 2, attr_count++) {
        split(attrs[0], part);
        limit(run, part[1].len > part[2].len ? part[1].len : part[2].len,
              run->limits->name_bytes_max);
        dump_attr(&run->r->events, part[2], part[0], part[1], slice_from_cstr(attrs[1]));
    }
    limit(run, attr_count + run->decls_of_next, run->limits->attrs_max);
    run->decls_of_next = 0;
    if (run->depth == 1) {
        limit(run, (size_t)XML_GetCurrentByteCount(run->expat), run->limits->stanza_bytes_max);
    }
}

static void on_end(void *ctx, const XML_Char *name)
{
    struct run *run = ctx;
    XML_Index end = XML_GetCurrentByteIndex(run->expat) + XML_GetCurrentByteCount(run->expat);

    (void)name;
    flush_text(run);
    dump_end(&run->r->events);
    run->depth--;
    if (run->depth == 1) {
        limit(run, (size_t)(end - run->unit_start), run->limits->stanza_bytes_max);
    } else if (run->depth == 0 && XML_GetCurrentByteCount(run->expat) > 0) {
        limit(run, (size_t)XML_GetCurrentByteCount(run->expat), run->limits->stanza_bytes_max);
    }
}

static void on_text(void *ctx, const XML_Char *text, int len)
{
    struct run *run = ctx;
    size_t at = (size_t)XML_GetCurrentByteIndex(run->expat);

    if (run->depth > 1 || run->is_document) {
        buf_append(&run->text, text, (size_t)len);
        return;
    }
    if (slice_trim(slice_make(text, (size_t)len)).len || at >= run->input.len ||
        !slice_is_empty(slice_trim(slice_make(run->input.ptr + at, 1)))) {
        extra(run, ORACLE_STREAM_TEXT);
    }
}

static void on_cdata(void *ctx)
{
    struct run *run = ctx;

    if (run->depth <= 1 && !run->is_document) {
        extra(run, ORACLE_STREAM_TEXT);
    }
}

static void on_decl_start(void *ctx, const XML_Char *prefix, const XML_Char *uri)
{
    static const char of_no_uri[] = "\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x10"
                                    "\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"
                                    " \"<>\\^`{|}\x7f";
    struct run *run = ctx;

    if (run->depth == 0 && !run->is_document && uri && strpbrk(uri, of_no_uri)) {
        extra(run, ORACLE_STREAM_NS);
    }
    run->decls_of_next++;
    run->decls_in_scope++;
    limit(run, prefix ? strlen(prefix) : 0, run->limits->name_bytes_max);
    limit(run, uri ? strlen(uri) : 0, run->limits->ns_bytes_max);
    limit(run, run->decls_in_scope, run->limits->ns_decls_max);
    limit(run, run->decls_of_next, run->limits->attrs_max);
}

static void on_decl_end(void *ctx, const XML_Char *prefix)
{
    struct run *run = ctx;

    (void)prefix;
    run->decls_in_scope--;
}

static void on_comment(void *ctx, const XML_Char *text)
{
    const struct run *run = ctx;

    (void)text;
    if (!run->is_document) {
        extra(ctx, ORACLE_COMMENT);
    }
}

static void on_pi(void *ctx, const XML_Char *target, const XML_Char *data)
{
    const struct run *run = ctx;

    (void)target;
    (void)data;
    if (!run->is_document) {
        extra(ctx, ORACLE_PI);
    }
}

static void on_doctype(void *ctx, const XML_Char *name, const XML_Char *sysid,
                       const XML_Char *pubid, int has_internal)
{
    (void)name;
    (void)sysid;
    (void)pubid;
    (void)has_internal;
    extra(ctx, ORACLE_DTD);
}

static void on_xml_decl(void *ctx, const XML_Char *version, const XML_Char *encoding,
                        int standalone)
{
    struct run *run = ctx;

    if (!version || strcmp(version, "1.0") != 0 ||
        (encoding && !slice_eq_nocase(slice_from_cstr(encoding), SLICE_LIT("utf-8")))) {
        extra(run, ORACLE_ENCODING);
    }
    if (standalone == 0 && !run->is_document) {
        extra(run, ORACLE_STANDALONE);
    }
    limit(run, (size_t)XML_GetCurrentByteCount(run->expat), DECLARATION_BYTES_MAX);
}

static int on_unknown_encoding(void *ctx, const XML_Char *name, XML_Encoding *info)
{
    (void)name;
    (void)info;
    extra(ctx, ORACLE_ENCODING);
    return XML_STATUS_ERROR;
}

static bool is_other_encoding(struct slice input, bool is_document)
{
    const unsigned char *b = (const unsigned char *)input.ptr;

    if (is_document && slice_starts(input, SLICE_LIT("\xef\xbb\xbf"))) {
        return false;
    }
    return input.len >= 2 && (b[0] >= 0xef || b[0] == 0 || b[1] == 0);
}

static void set_handlers(XML_Parser expat, struct run *run)
{
    XML_SetUserData(expat, run);
    XML_SetReturnNSTriplet(expat, 1);
    XML_SetElementHandler(expat, on_start, on_end);
    XML_SetCharacterDataHandler(expat, on_text);
    XML_SetStartCdataSectionHandler(expat, on_cdata);
    XML_SetNamespaceDeclHandler(expat, on_decl_start, on_decl_end);
    XML_SetCommentHandler(expat, on_comment);
    XML_SetProcessingInstructionHandler(expat, on_pi);
    XML_SetStartDoctypeDeclHandler(expat, on_doctype);
    XML_SetXmlDeclHandler(expat, on_xml_decl);
    XML_SetUnknownEncodingHandler(expat, on_unknown_encoding, run);
}

static void run_as(struct oracle_result *r, struct slice input, const struct xml_limits *limits,
                   bool is_document)
{
    struct run run = {.r = r, .limits = limits, .input = input, .is_document = is_document};
    enum XML_Status status;

    *r = (struct oracle_result){.error = ""};
    buf_init(&r->events, POOL_BLOCK_BYTES_MAX);
    buf_init(&run.text, POOL_BLOCK_BYTES_MAX);
    run.expat = XML_ParserCreateNS(NULL, SEPARATOR);
    if (!run.expat) {
        abort();
    }
    set_handlers(run.expat, &run);
    if (is_other_encoding(input, is_document)) {
        r->extra |= ORACLE_ENCODING;
    }
    if (is_document && input.len > limits->stanza_bytes_max) {
        r->extra |= ORACLE_LIMIT;
    }
    status = XML_Parse(run.expat, input.ptr ? input.ptr : "", (int)input.len, 1);
    r->is_accepted = status == XML_STATUS_OK;
    if (!r->is_accepted) {
        r->error = XML_ErrorString(XML_GetErrorCode(run.expat));
    }
    XML_ParserFree(run.expat);
    buf_deinit(&run.text);
    if (r->events.failed) {
        abort();
    }
}

void oracle_run(struct oracle_result *r, struct slice input, const struct xml_limits *limits)
{
    run_as(r, input, limits, false);
}

void oracle_run_document(struct oracle_result *r, struct slice input,
                         const struct xml_limits *limits)
{
    run_as(r, input, limits, true);
}

void oracle_result_deinit(struct oracle_result *r)
{
    buf_deinit(&r->events);
}

const char *oracle_disagreement(const struct dump_result *ours, const struct oracle_result *expat)
{
    if (!slice_starts(buf_slice(&expat->events), buf_slice(&ours->events))) {
        return "events differ";
    }
    if (ours->why == XML_WHY_NONE && ours->is_closed) {
        if (expat->extra) {
            return "taken, though it holds what must be refused";
        }
        return expat->is_accepted ? NULL : "taken, expat refuses";
    }
    if (expat->is_accepted && !expat->extra) {
        return ours->why == XML_WHY_NONE ? "expat sees the end, we do not"
                                         : "refused, expat accepts";
    }
    return NULL;
}

bool oracle_both_take(struct slice doc, const struct buf *lines)
{
    struct dump_result ours;
    struct oracle_result expat;
    bool is_good;

    dump_ours(&ours, doc, &xml_limits_authenticated, DUMP_WHOLE, 0);
    oracle_run(&expat, doc, &xml_limits_authenticated);
    is_good = ours.is_closed && ours.why == XML_WHY_NONE && expat.is_accepted && !expat.extra;
    if (is_good && lines) {
        is_good = slice_eq(buf_slice(&ours.events), buf_slice(lines)) &&
                  slice_eq(buf_slice(&expat.events), buf_slice(lines));
    }
    is_good = is_good || (expat.extra & ORACLE_LIMIT) != 0;
    dump_result_deinit(&ours);
    oracle_result_deinit(&expat);
    return is_good;
}
