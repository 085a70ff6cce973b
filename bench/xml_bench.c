/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xml_bench: the XML parser beside expat on the same stanzas in one run, and the writer. Messages
 * of 251 bytes each: most plain ASCII, one in eight with entities, one in eight not ASCII; fed in
 * blocks of 16 KiB and one stanza per call. "Served" ones have 400 bytes on average, in the 16 ways
 * in which clients and servers write that the load generator's mix has (load/mix.h). expat resolves
 * namespaces, as ours does; it only calls back, ours builds a tree. race.h: options. */
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "load/mix.h"
#include "load/payload.h"
#include "race.h"
#include "xml/parser.h"
#include "xml/scan.h"
#include "xml/writer.h"

#define STANZA_BYTES 251u
#define SERVED_BYTES 400u
#define STANZA_COUNT 4096u
#define CHECK_COUNT  64u
#define BLOCK_BYTES  16384u
#define HEADER                                                                                     \
    "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' "                      \
    "xmlns:stream='http://etherx.jabber.org/streams' from='a' to='b' version='1.0'>"

struct corpus {
    struct buf bytes;
    uint32_t stanza_bytes;
    struct buf out; /* the writer's */
};

enum corpus_kind { CORPUS_MIXED, CORPUS_WIDE, CORPUS_SERVED };

static const char *const bodies[8] = {
    "Wherefore art thou, Romeo? ",
    "shall we meet at the usual place at noon? ",
    "the build is green again, thanks for looking into it ",
    "it&apos;s &lt;b&gt;late&lt;/b&gt; ",
    "see http://www.example.com/a/b?c=d for the notes ",
    "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xd0\xbc\xd0\xb8\xd1\x80 ",
    "ok ",
    "please call me when you are back in the office ",
};

/* The body's text, and the end of body and message. */
static void put_body(struct buf *out, size_t end, const char *body)
{
    static const char behind[] = "</body></message>";

    end -= strlen(behind);
    while (buf_len(out) + strlen(body) <= end) {
        buf_put_cstr(out, body);
    }
    while (buf_len(out) < end) {
        buf_putc(out, '.');
    }
    buf_put_cstr(out, behind);
}

/* Bodies as told above, or (is_wide) Cyrillic and Chinese ones only. */
static void put_stanza(struct buf *out, unsigned i, bool is_wide)
{
    static const char *const wide_bodies[2] = {
        "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xd0\xbc\xd0\xb8\xd1\x80 ",
        "\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xb8\x96\xe7\x95\x8c\xef\xbc\x8c",
    };
    size_t end = buf_len(out) + STANZA_BYTES;

    buf_printf(out,
               "<message from='juliet%u@fabrikam.test/balcony' to='romeo%u@corp.test/orchard' "
               "type='chat' id='purple%08x' xml:lang='en'><body>",
               i % 97, i % 31, i * 2654435761u);
    put_body(out, end, is_wide ? wide_bodies[i % 2] : bodies[i % 8]);
}

/* As clients and servers in use write them: the load generator's mix (load/mix.h). */
static void put_served(struct buf *out, unsigned i)
{
    static char from[] = "u00007@fabrikam.test";
    static const char *const names[MIX_NAMES] = {
        from, "u00007@corp.test", "balcony", "orchard", "fabrikam.test", "00007-0000000042", ""};
    const struct mix *mix = mix_find("real", false);
    size_t wanted = (size_t)mix->count * SERVED_BYTES;
    size_t bare = 0;
    size_t body;
    size_t len;
    char *to;

    payload_put_digits(from + 1, PAYLOAD_FLOW_DIGITS, i % 97);
    for (uint32_t row = 0; row < mix->count; row++) {
        bare += mix_write(&mix->rows[row], names, PAYLOAD_HEAD_BYTES, NULL);
    }
    body = mix_body_bytes(mix, i % mix->count, wanted - bare);
    len = mix_write(&mix->rows[i % mix->count], names, body, NULL);
    to = buf_reserve(out, len + 1);
    if (to) {
        (void)mix_write(&mix->rows[i % mix->count], names, body, to);
        buf_commit(out, len);
    }
}

static void make_corpus(struct corpus *c, uint32_t count, enum corpus_kind kind)
{
    c->stanza_bytes = kind == CORPUS_SERVED ? SERVED_BYTES : STANZA_BYTES;
    /* Served ones are as long on average; a NUL behind the last. */
    buf_init(&c->bytes, (size_t)(count + MIX_ROWS_MAX) * c->stanza_bytes);
    buf_init(&c->out, (size_t)4 << 20);
    for (unsigned i = 0; i < count; i++) {
        if (kind == CORPUS_SERVED) {
            put_served(&c->bytes, i);
        } else {
            put_stanza(&c->bytes, i, kind == CORPUS_WIDE);
        }
    }
    if (c->bytes.failed || (count % MIX_ROWS_MAX == 0 &&
                            buf_len(&c->bytes) != (size_t)count * c->stanza_bytes)) {
        race_die("corpus");
    }
}

static size_t ours(struct corpus *c, size_t block_bytes, bool write)
{
    static const struct xml_write_params params = {
        .ns_default = {"jabber:component:accept", 23},
        .ns_from = {"jabber:server", 13},
        .ns_to = {"jabber:component:accept", 23},
    };
    struct slice left = buf_slice(&c->bytes);
    struct xml_parser *p;
    size_t count = 0;
    size_t used;

    if (xml_parser_new(&p, &xml_limits_authenticated) < 0 ||
        xml_parser_feed(p, HEADER, strlen(HEADER), &used) != XML_STREAM_OPEN) {
        race_die("no parser");
    }
    buf_clear(&c->out);
    while (left.len) {
        struct slice block = slice_to(left, block_bytes);
        enum xml_event event;

        left = slice_from(left, block_bytes);
        while ((event = xml_parser_feed(p, block.ptr, block.len, &used)) == XML_ELEMENT) {
            block = slice_from(block, used);
            count++;
            if (write) {
                xml_write_tree(&c->out, xml_parser_tree(p), 0, &params);
            }
        }
        if (event != XML_MORE) {
            race_die("%s", xml_parser_why_text(p));
        }
    }
    xml_parser_free(p);
    if (c->out.failed) {
        race_die("writer failed");
    }
    return count;
}

struct expat_sum {
    size_t depth;
    size_t stanzas;
    size_t bytes;
};

static void on_start(void *ctx, const XML_Char *name, const XML_Char **attrs)
{
    struct expat_sum *sum = ctx;

    (void)name;
    (void)attrs;
    sum->depth++;
}

static void on_end(void *ctx, const XML_Char *name)
{
    struct expat_sum *sum = ctx;

    (void)name;
    sum->stanzas += --sum->depth == 1;
}

static void on_text(void *ctx, const XML_Char *text, int len)
{
    struct expat_sum *sum = ctx;

    (void)text;
    sum->bytes += (size_t)len;
}

/* expat only calls back: it builds no tree, which ours does. */
static size_t expat(struct corpus *c, size_t block_bytes, XML_Parser p)
{
    struct expat_sum sum = {0};
    struct slice left = buf_slice(&c->bytes);

    if (!p) {
        race_die("no expat");
    }
    XML_SetUserData(p, &sum);
    XML_SetElementHandler(p, on_start, on_end);
    XML_SetCharacterDataHandler(p, on_text);
    if (XML_Parse(p, HEADER, (int)strlen(HEADER), 0) != XML_STATUS_OK) {
        race_die("expat: header");
    }
    while (left.len) {
        struct slice block = slice_to(left, block_bytes);

        left = slice_from(left, block_bytes);
        if (XML_Parse(p, block.ptr, (int)block.len, 0) != XML_STATUS_OK) {
            race_die("%s", XML_ErrorString(XML_GetErrorCode(p)));
        }
    }
    XML_ParserFree(p);
    return sum.stanzas;
}

struct world {
    struct corpus mixed;
    struct corpus wide; /* bodies without ASCII */
    struct corpus served;
};

static void ours_blocks(void *world, uint32_t loops)
{
    RACE_MUST(ours(&((struct world *)world)->mixed, BLOCK_BYTES, false) == loops);
}

static void ours_scalar(void *world, uint32_t loops)
{
    xml_scan_use(&xml_scan_scalar);
    RACE_MUST(ours(&((struct world *)world)->mixed, BLOCK_BYTES, false) == loops);
    xml_scan_use(NULL);
}

static void ours_writing(void *world, uint32_t loops)
{
    RACE_MUST(ours(&((struct world *)world)->mixed, BLOCK_BYTES, true) == loops);
}

static void ours_singly(void *world, uint32_t loops)
{
    RACE_MUST(ours(&((struct world *)world)->mixed, STANZA_BYTES, false) == loops);
}

static void ours_wide(void *world, uint32_t loops)
{
    RACE_MUST(ours(&((struct world *)world)->wide, BLOCK_BYTES, false) == loops);
}

static void ours_served(void *world, uint32_t loops)
{
    RACE_MUST(ours(&((struct world *)world)->served, BLOCK_BYTES, false) == loops);
}

static void ours_serving(void *world, uint32_t loops)
{
    RACE_MUST(ours(&((struct world *)world)->served, BLOCK_BYTES, true) == loops);
}

static XML_Parser with_namespaces(void)
{
    return XML_ParserCreateNS("UTF-8", '\x01');
}

static void expat_blocks(void *world, uint32_t loops)
{
    RACE_MUST(expat(&((struct world *)world)->mixed, BLOCK_BYTES, with_namespaces()) == loops);
}

static void expat_plain(void *world, uint32_t loops)
{
    RACE_MUST(expat(&((struct world *)world)->mixed, BLOCK_BYTES, XML_ParserCreate("UTF-8")) ==
              loops);
}

static void expat_singly(void *world, uint32_t loops)
{
    RACE_MUST(expat(&((struct world *)world)->mixed, STANZA_BYTES, with_namespaces()) == loops);
}

static void expat_wide(void *world, uint32_t loops)
{
    RACE_MUST(expat(&((struct world *)world)->wide, BLOCK_BYTES, with_namespaces()) == loops);
}

static void expat_served(void *world, uint32_t loops)
{
    RACE_MUST(expat(&((struct world *)world)->served, BLOCK_BYTES, with_namespaces()) == loops);
}

static void corpus_free(struct corpus *c)
{
    buf_deinit(&c->bytes);
    buf_deinit(&c->out);
}

int main(int argc, char **argv)
{
    enum { OURS, EXPAT, PLAIN, SCALAR, WRITING, OURS_1, EXPAT_1, OURS_WIDE, EXPAT_WIDE, SERVED,
           SERVING, EXPAT_SERVED };
    static struct racer field[] = {
        [OURS] = {.name = "parse, 16 KiB blocks", .run = ours_blocks, .against = EXPAT},
        [EXPAT] = {.name = "expat, namespaces", .run = expat_blocks, .against = RACE_ALONE},
        [PLAIN] = {.name = "expat, no namespaces", .run = expat_plain, .against = RACE_ALONE},
        [SCALAR] = {.name = "parse, scalar scanner", .run = ours_scalar, .against = EXPAT},
        [WRITING] = {.name = "parse and write", .run = ours_writing, .against = EXPAT},
        [OURS_1] = {.name = "parse, a stanza per call", .run = ours_singly, .against = EXPAT_1},
        [EXPAT_1] = {.name = "expat, a stanza per call",
                     .run = expat_singly, .against = RACE_ALONE},
        [OURS_WIDE] = {.name = "parse, not ASCII", .run = ours_wide, .against = EXPAT_WIDE},
        [EXPAT_WIDE] = {.name = "expat, not ASCII", .run = expat_wide, .against = RACE_ALONE},
        [SERVED] = {.name = "parse, served", .run = ours_served, .against = EXPAT_SERVED},
        [SERVING] = {.name = "parse and write, served",
                     .run = ours_serving, .against = EXPAT_SERVED},
        [EXPAT_SERVED] = {.name = "expat, served", .run = expat_served, .against = RACE_ALONE},
    };
    static struct race race = {.bench = "xml_bench",
                               .unit = "stanza of 251 bytes, served ones of 400",
                               .loops = STANZA_COUNT};
    static struct world w;

    race_options(&race, argc, argv, CHECK_COUNT);
    for (size_t i = 0; i < ARRAY_COUNT(field); i++) {
        field[i].bytes = i < SERVED ? STANZA_BYTES : SERVED_BYTES;
    }
    make_corpus(&w.mixed, race.loops, CORPUS_MIXED);
    make_corpus(&w.wide, race.loops, CORPUS_WIDE);
    make_corpus(&w.served, race.loops, CORPUS_SERVED);
    race_run(&race, field, ARRAY_COUNT(field), &w);
    race_print(&race, field, ARRAY_COUNT(field));
    if (!race.is_json && !race.is_check) {
        printf("XML parse: fedgate %.0f MB/s, %s %.0f MB/s, %.2f x\n",
               STANZA_BYTES * 1e3 / race_median(&race, &field[OURS]), XML_ExpatVersion(),
               STANZA_BYTES * 1e3 / race_median(&race, &field[EXPAT]),
               race_ratio(&race, &field[OURS]));
    }
    corpus_free(&w.mixed);
    corpus_free(&w.wide);
    corpus_free(&w.served);
    return 0;
}
