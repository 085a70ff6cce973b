/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xml_bench: the XML parser beside expat on the same stanzas in one run, and the writer. Messages
 * of 251 bytes each: most plain ASCII, one in eight with entities, one in eight not ASCII; fed in
 * blocks of 16 KiB and one stanza per call. Rounds of all contestants alternate; medians are
 * printed with the spread, and the median ratio of times within a round.
 * Usage: xml_bench [ROUNDS]                                                                      */
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "xml/parser.h"
#include "xml/scan.h"
#include "xml/writer.h"

#define STANZA_BYTES 251u
#define STANZA_COUNT 4096u
#define BLOCK_BYTES  16384u
#define ROUNDS_MAX   101u
#define HEADER                                                                                     \
    "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' "                      \
    "xmlns:stream='http://etherx.jabber.org/streams' from='a' to='b' version='1.0'>"

struct corpus {
    struct buf bytes;
    struct buf out; /* the writer's */
};

/* Every contestant reads the corpus once and returns how many stanzas it saw. */
typedef size_t contest_fn(struct corpus *c, size_t block_bytes);

struct contestant {
    const char *name;
    contest_fn *run;
    size_t block_bytes;
    const struct xml_scan *scan; /* NULL = best */
    bool is_wide;                /* the corpus without ASCII bodies */
    size_t against;              /* index of the contestant it is compared with */
    double ns[ROUNDS_MAX];       /* per stanza */
    double ratio[ROUNDS_MAX];    /* of its rival's time to its own, in the same round */
};

static void die(const char *what)
{
    (void)fprintf(stderr, "xml_bench: %s\n", what);
    exit(70);
}

/* Bodies as told above, or (is_wide) Cyrillic and Chinese ones only. */
static void put_stanza(struct buf *out, unsigned i, bool is_wide)
{
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
    static const char *const wide_bodies[2] = {
        "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xd0\xbc\xd0\xb8\xd1\x80 ",
        "\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xb8\x96\xe7\x95\x8c\xef\xbc\x8c",
    };
    size_t start = buf_len(out);
    const char *body = is_wide ? wide_bodies[i % 2] : bodies[i % 8];
    size_t end = start + STANZA_BYTES - strlen("</body></message>");

    buf_printf(out,
               "<message from='juliet%u@fabrikam.test/balcony' to='romeo%u@corp.test/orchard' "
               "type='chat' id='purple%08x' xml:lang='en'><body>",
               i % 97, i % 31, i * 2654435761u);
    while (buf_len(out) + strlen(body) <= end) {
        buf_put_cstr(out, body);
    }
    while (buf_len(out) < end) {
        buf_putc(out, '.');
    }
    buf_put_lit(out, "</body></message>");
}

static void make_corpus(struct corpus *c, bool is_wide)
{
    buf_init(&c->bytes, STANZA_COUNT * STANZA_BYTES);
    buf_init(&c->out, (size_t)4 << 20);
    for (unsigned i = 0; i < STANZA_COUNT; i++) {
        put_stanza(&c->bytes, i, is_wide);
    }
    if (c->bytes.failed || buf_len(&c->bytes) != STANZA_COUNT * STANZA_BYTES) {
        die("corpus");
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
        die("no parser");
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
            die(xml_parser_why_text(p));
        }
    }
    xml_parser_free(p);
    if (c->out.failed) {
        die("writer failed");
    }
    return count;
}

static size_t ours_parse(struct corpus *c, size_t block_bytes)
{
    return ours(c, block_bytes, false);
}

static size_t ours_parse_and_write(struct corpus *c, size_t block_bytes)
{
    return ours(c, block_bytes, true);
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
        die("no expat");
    }
    XML_SetUserData(p, &sum);
    XML_SetElementHandler(p, on_start, on_end);
    XML_SetCharacterDataHandler(p, on_text);
    if (XML_Parse(p, HEADER, (int)strlen(HEADER), 0) != XML_STATUS_OK) {
        die("expat: header");
    }
    while (left.len) {
        struct slice block = slice_to(left, block_bytes);

        left = slice_from(left, block_bytes);
        if (XML_Parse(p, block.ptr, (int)block.len, 0) != XML_STATUS_OK) {
            die(XML_ErrorString(XML_GetErrorCode(p)));
        }
    }
    XML_ParserFree(p);
    return sum.stanzas;
}

static size_t expat_plain(struct corpus *c, size_t block_bytes)
{
    return expat(c, block_bytes, XML_ParserCreate("UTF-8"));
}

static size_t expat_ns(struct corpus *c, size_t block_bytes)
{
    return expat(c, block_bytes, XML_ParserCreateNS("UTF-8", '\x01'));
}

/* CPU time: a neighbour on the machine must not decide the comparison. */
static double now_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void run_once(struct contestant *who, struct corpus *c, size_t round)
{
    double start;

    xml_scan_use(who->scan);
    start = now_ns();
    if (who->run(c, who->block_bytes) != STANZA_COUNT) {
        die("stanzas are missing");
    }
    who->ns[round] = (now_ns() - start) / STANZA_COUNT;
    xml_scan_use(NULL);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts and returns the middle. */
static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(values[0]), by_value);
    return values[count / 2];
}

static void print(struct contestant *who, size_t rounds)
{
    double ns = median(who->ns, rounds);

    (void)printf("%-26s %6zu %9.0f %9.1f %9.1f..%-9.1f %6.1fx\n", who->name, who->block_bytes,
                 STANZA_BYTES * 1e3 / ns, ns, who->ns[0], who->ns[rounds - 1],
                 median(who->ratio, rounds));
}

int main(int argc, char **argv)
{
    static struct contestant field[] = {
        {.name = "expat, namespaces", .run = expat_ns, .block_bytes = BLOCK_BYTES},
        {.name = "expat, no namespaces", .run = expat_plain, .block_bytes = BLOCK_BYTES},
        {.name = "fedgate", .run = ours_parse, .block_bytes = BLOCK_BYTES},
        {.name = "fedgate, scalar",
         .run = ours_parse,
         .block_bytes = BLOCK_BYTES,
         .scan = &xml_scan_scalar},
        {.name = "fedgate, parse and write",
         .run = ours_parse_and_write,
         .block_bytes = BLOCK_BYTES},
        {.name = "expat, namespaces", .run = expat_ns, .block_bytes = STANZA_BYTES, .against = 5},
        {.name = "fedgate", .run = ours_parse, .block_bytes = STANZA_BYTES, .against = 5},
        {.name = "expat, ns, not ASCII",
         .run = expat_ns,
         .block_bytes = BLOCK_BYTES,
         .is_wide = true,
         .against = 7},
        {.name = "fedgate, not ASCII",
         .run = ours_parse,
         .block_bytes = BLOCK_BYTES,
         .is_wide = true,
         .against = 7},
    };
    struct corpus c[2] = {0}; /* mixed, wide */
    uint64_t rounds = 15;

    if (argc > 1 && (!slice_parse_u64(slice_from_cstr(argv[1]), &rounds) || rounds == 0 ||
                     rounds > ROUNDS_MAX)) {
        (void)fprintf(stderr, "usage: xml_bench [ROUNDS up to %u]\n", ROUNDS_MAX);
        return 64;
    }
    for (size_t which = 0; which < ARRAY_COUNT(c); which++) {
        make_corpus(&c[which], which == 1);
    }
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < ARRAY_COUNT(field); i++) {
            run_once(&field[i], &c[field[i].is_wide], round);
            field[i].ratio[round] = field[field[i].against].ns[round] / field[i].ns[round];
        }
    }
    (void)printf("%u stanzas of %u bytes, %zu rounds, %s\n", STANZA_COUNT, STANZA_BYTES,
                 (size_t)rounds, XML_ExpatVersion());
    (void)printf("%-26s %6s %9s %9s %20s %7s\n", "parser", "feed", "MB/s", "ns/stanza",
                 "fastest..slowest", "ratio");
    for (size_t i = 0; i < ARRAY_COUNT(field); i++) {
        print(&field[i], (size_t)rounds);
    }
    for (size_t which = 0; which < ARRAY_COUNT(c); which++) {
        buf_deinit(&c[which].bytes);
        buf_deinit(&c[which].out);
    }
    return 0;
}
