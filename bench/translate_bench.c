/* SPDX-License-Identifier: GPL-2.0-or-later */
/* translate_bench: what the translation of one message costs, each way, without framing, policy and
 * sockets: an ordinary chat message with a chat state; and of an error, each way. What was written
 * is compared once with what it must be. race.h: options. */
#include <stdio.h>
#include <string.h>

#include "race.h"
#include "sip/write.h"
#include "translate/error.h"
#include "translate/message.h"
#include "xml/parser.h"

#define LOOPS       20000u
#define CHECK_LOOPS 20u
#define NOW         INT64_C(1795176000)
#define OUT_BYTES   4096u
#define BODY        "shall we meet at the usual place at noon?"

static const char stanza[] =
    "<message from='juliet@chat.example/balcony' to='romeo@corp.example' type='chat' "
    "id='purple9f3d21c7' xml:lang='en'><body>" BODY "</body>"
    "<active xmlns='http://jabber.org/protocol/chatstates'/></message>";
static const char request[] =
    "MESSAGE sip:juliet@chat.example SIP/2.0\r\n"
    "Via: SIP/2.0/TLS pool.corp.example:5061;branch=z9hG4bK77ef4c2312983\r\n"
    "Max-Forwards: 70\r\nFrom: \"Romeo\" <sip:romeo@corp.example>;tag=49583aa8\r\n"
    "To: <sip:juliet@chat.example>\r\nCall-ID: a84b4c76e66710f0\r\nCSeq: 1 MESSAGE\r\n"
    "Content-Type: text/plain; charset=UTF-8\r\nContent-Length: 41\r\n\r\n" BODY;
static const char response[] =
    "SIP/2.0 404 Not Found\r\nVia: SIP/2.0/TLS edge.corp.example:5061;branch=z9hG4bK1\r\n"
    "From: <sip:juliet@chat.example>;tag=1\r\nTo: <sip:romeo@corp.example>;tag=2\r\n"
    "Call-ID: c1\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n";
static const char want_stanza[] =
    "<message from=\"romeo@corp.example/sip\" to=\"juliet@chat.example\" type=\"chat\" id=\"m1\">"
    "<body>" BODY "</body><thread>a84b4c76e66710f0</thread></message>";

struct world {
    struct xml_parser *parser;
    struct stanza st;
    struct sip_msg request;
    struct sip_msg response;
    struct buf out;
    uint64_t seen;
};

/* The stanza's view as well: addresses are prepared there. */
static void run_view(void *world, uint32_t loops)
{
    struct world *w = world;

    for (uint32_t i = 0; i < loops; i++) {
        RACE_MUST(stanza_view(&w->st, xml_parser_tree(w->parser), SLICE_LIT("jabber:server"),
                              SLICE_LIT("en")) == STANZA_OK);
    }
}

static void run_to_sip(void *world, uint32_t loops)
{
    static const struct message_to_sip_options options;
    struct world *w = world;

    for (uint32_t i = 0; i < loops; i++) {
        struct message_to_sip m;

        message_to_sip(&m, &w->st, &options);
        RACE_MUST(m.verdict == MESSAGE_SEND && m.body.len == sizeof(BODY) - 1);
        buf_clear(&w->out);
        sip_write_request(&w->out, &(struct sip_request_params){
                                       .method = SIP_METHOD_MESSAGE,
                                       .uri = m.uri,
                                       .transport = SLICE_LIT("TLS"),
                                       .sent_by = SLICE_LIT("edge1.corp.example:5061"),
                                       .branch = SLICE_LIT("z9hG4bK77ef4c2312983"),
                                       .max_forwards = SIP_MAX_FORWARDS,
                                       .from_uri = m.from_uri,
                                       .from_tag = SLICE_LIT("49583aa8"),
                                       .to_uri = m.uri,
                                       .call_id = SLICE_LIT("a84b4c76e66710f0"),
                                       .cseq = 1,
                                   });
        sip_write_end(&w->out, MESSAGE_CONTENT_TYPE, m.body);
        RACE_MUST(!w->out.failed);
        w->seen += buf_len(&w->out);
        message_to_sip_deinit(&m);
    }
}

static void run_to_xmpp(void *world, uint32_t loops)
{
    static const struct message_from_sip_options options = {.id = SLICE_LIT("m1"),
                                                            .now_unix_s = NOW};
    static struct message_from_sip result; /* 6 KB of addresses */
    struct world *w = world;

    for (uint32_t i = 0; i < loops; i++) {
        buf_clear(&w->out);
        message_from_sip(&result, &w->out, &w->request, &options);
        RACE_MUST(result.verdict == MESSAGE_SEND && buf_len(&w->out) > sizeof(BODY));
        w->seen += buf_len(&w->out);
    }
}

static void run_error_to_xmpp(void *world, uint32_t loops)
{
    struct world *w = world;

    for (uint32_t i = 0; i < loops; i++) {
        struct error_sip sip;
        struct error_text mem;
        struct stanza_error error;

        error_sip_read(&sip, &w->response);
        error_from_sip(&error, &mem, &sip, false);
        RACE_MUST(error.condition == STANZA_CONDITION_ITEM_NOT_FOUND);
    }
}

static void run_error_to_sip(void *world, uint32_t loops)
{
    static const struct error_xmpp in = {
        .error = {.type = STANZA_ERROR_TYPE_CANCEL, .condition = STANZA_CONDITION_ITEM_NOT_FOUND}};
    struct world *w = world;

    for (uint32_t i = 0; i < loops; i++) {
        struct error_response out;

        buf_clear(&w->out);
        error_to_sip(&out, &w->out, &in);
        RACE_MUST(out.status == 404);
    }
}

static void set_up(struct world *w)
{
    static const char header[] = "<stream:stream xmlns='jabber:server' version='1.0' "
                                 "xmlns:stream='http://etherx.jabber.org/streams'>";
    struct sip_bad bad;
    size_t used;

    buf_init(&w->out, OUT_BYTES);
    RACE_MUST(xml_parser_new(&w->parser, &xml_limits_authenticated) == 0);
    RACE_MUST(xml_parser_feed(w->parser, header, sizeof(header) - 1, &used) == XML_STREAM_OPEN);
    RACE_MUST(xml_parser_feed(w->parser, stanza, sizeof(stanza) - 1, &used) == XML_ELEMENT);
    run_view(w, 1);
    RACE_MUST(sip_msg_parse(&w->request, slice_make(request, sizeof(request) - 1), &bad) == 0);
    RACE_MUST(sip_msg_parse(&w->response, slice_make(response, sizeof(response) - 1), &bad) == 0);
}

static bool has(const struct buf *b, const char *text)
{
    struct slice s = buf_slice(b);

    return memmem(s.ptr, s.len, text, strlen(text)) != NULL;
}

/* What was written, once. */
static void check(struct world *w)
{
    run_to_xmpp(w, 1);
    if (!slice_eq_cstr(buf_slice(&w->out), want_stanza)) {
        race_die("translate_bench: not the stanza it must be: %.*s", SLICE_FMT(buf_slice(&w->out)));
    }
    run_to_sip(w, 1);
    RACE_MUST(has(&w->out, "\r\nFrom: <sip:juliet@chat.example>;tag=49583aa8\r\n"));
    RACE_MUST(has(&w->out, "\r\n\r\n" BODY));
}

int main(int argc, char **argv)
{
    static struct racer all[] = {
        {.name = "stanza viewed", .run = run_view, .against = RACE_ALONE},
        {.name = "stanza to written MESSAGE", .run = run_to_sip, .against = RACE_ALONE},
        {.name = "indexed MESSAGE to stanza", .run = run_to_xmpp, .against = RACE_ALONE},
        {.name = "404 to stanza error", .run = run_error_to_xmpp, .against = RACE_ALONE},
        {.name = "stanza error to status", .run = run_error_to_sip, .against = RACE_ALONE},
    };
    static struct race race = {.bench = "translate_bench", .unit = "message", .loops = LOOPS};
    static struct world w;

    race_options(&race, argc, argv, CHECK_LOOPS);
    set_up(&w);
    check(&w);
    race_run(&race, all, ARRAY_COUNT(all), &w);
    race_print(&race, all, ARRAY_COUNT(all));
    xml_parser_free(w.parser);
    buf_deinit(&w.out);
    return 0;
}
