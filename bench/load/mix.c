/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mix: which stanzas a run sends. Texts are our own; their style is that of what is named beside
 * each. */
#include "load/mix.h"

#include <string.h>

#include "load/payload.h"

#define FROM MIX_FROM
#define TO MIX_TO
#define NUMBER MIX_NUMBER
#define BODY MIX_BODY
#define STATES "http://jabber.org/protocol/chatstates"
#define XHTML "http://www.w3.org/1999/xhtml"
#define BODY_NAME 7

static const char *const ascii[] = {"ok, see you ", "shall we meet at noon? ", "on my way. ",
                                    "done, thanks! ", NULL};
static const char *const marked[] = {"it&apos;s &lt;b&gt;late&lt;/b&gt; ",
                                     "R&amp;D said &quot;no&quot; ",
                                     "a &lt; b &amp;&amp; c > d ", "don't \"quote\" me ", NULL};
static const char *const german[] = {"Gr\u00fc\u00dfe aus K\u00f6ln ", "bis sp\u00e4ter! ",
                                     "sch\u00f6n, ja ", NULL};
static const char *const russian[] = {"\u043f\u0440\u0438\u0432\u0435\u0442, ",
                                      "\u043a\u0430\u043a \u0434\u0435\u043b\u0430? ",
                                      "\u0434\u043e \u0437\u0430\u0432\u0442\u0440\u0430 ", NULL};
static const char *const chinese[] = {"\u4f60\u597d\uff0c", "\u4e16\u754c\u3002",
                                      "\u660e\u5929\u89c1 ", NULL};
static const char *const emoji[] = {"\U0001f44d ", "ha \U0001f602\U0001f602 ", "ok \u2764\ufe0f ",
                                    NULL};
static const char *const lined[] = {"one&#10;", "two\n", "- three&#xA;", "caf&#xE9; ", NULL};
static const char *const linked[] = {"https://example.org/a/b?c=d&amp;e=f#g ", "see above ", NULL};

static const struct mix plain = {
    .name = "plain",
    .count = 1,
    .rows = {{"<message from='" FROM "/" MIX_FROM_RESOURCE "' to='" TO "/" MIX_TO_RESOURCE
              "' type='chat' id='s" NUMBER "'><body>" BODY "</body><active xmlns='" STATES
              "'/></message>",
              NULL, 1}},
};
static const struct mix plain_small = {
    .name = "plain",
    .count = 1,
    .rows = {{"<message from='" FROM "/" MIX_FROM_RESOURCE "' to='" TO "/" MIX_TO_RESOURCE
              "' type='chat' id='s" NUMBER "'><body>" BODY "</body></message>",
              NULL, 1}},
};
static const struct mix real = {
    .name = "real",
    .count = MIX_ROWS_MAX,
    .rows =
        {
            /* Conversations, by ejabberd: the long one. */
            {"<message xml:lang='en' to='" TO "' from='" FROM
             "/Conversations.aB3d' type='chat' id='s" NUMBER
             "'><markable xmlns='urn:xmpp:chat-markers:0'/><origin-id xmlns='urn:xmpp:sid:0' "
             "id='s" NUMBER "'/><request xmlns='urn:xmpp:receipts'/><body>" BODY
             "</body></message>",
             ascii, 2},
            /* Its marker, and a receipt: what follows each message. */
            {"<message to='" TO "/" MIX_TO_RESOURCE "' from='" FROM "/phone' id='s" NUMBER
             "' type='chat'><displayed xmlns='urn:xmpp:chat-markers:0' id='s" NUMBER
             "'/></message>",
             NULL, 0},
            {"<message from='" FROM "/phone' id='s" NUMBER "' to='" TO
             "'><received id='s" NUMBER "' xmlns='urn:xmpp:receipts'/></message>",
             NULL, 0},
            /* Typing, by Prosody. */
            {"<message id='s" NUMBER "' type='chat' to='" TO "' from='" FROM
             "/gajim.7K2Q'><composing xmlns='" STATES "'/><thread>t" NUMBER "</thread></message>",
             NULL, 0},
            /* Gajim, by Prosody: attributes in whatever order its table has. */
            {"<message id='s" NUMBER "' to='" TO "' type='chat' from='" FROM
             "/gajim.7K2Q'><body>" BODY "</body><origin-id id='s" NUMBER
             "' xmlns='urn:xmpp:sid:0'/></message>",
             marked, 2},
            /* Dino. */
            {"<message type='chat' to='" TO "' from='" FROM "/dino.3f9c' id='s" NUMBER
             "'><body>" BODY "</body><markable xmlns='urn:xmpp:chat-markers:0'/></message>",
             emoji, 2},
            /* Openfire writes double quotes. */
            {"<message to=\"" TO "\" id=\"s" NUMBER "\" type=\"chat\" from=\"" FROM
             "/Spark\"><body>" BODY "</body><thread>xK2v9</thread></message>",
             ascii, 2},
            /* Pidgin: the text again, in XHTML. */
            {"<message type='chat' id='s" NUMBER "' to='" TO "' from='" FROM "/pidgin'><body>" BODY
             "</body><html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='" XHTML
             "'><em>now</em> &amp; here</body></html></message>",
             marked, 1},
            /* Was offline meanwhile. */
            {"<message from='" FROM "/home' to='" TO "' type='chat' id='s" NUMBER "'><body>" BODY
             "</body><delay stamp='2026-11-22T04:51:08Z' from='" MIX_FROM_DOMAIN
             "' xmlns='urn:xmpp:delay'/></message>",
             ascii, 1},
            /* Users and resources that are not in ASCII. */
            {"<message to='" TO "' from='j\u00fcrgen-" FROM "/B\u00fcro' type='chat' id='s" NUMBER
             "' xml:lang='de'><body>" BODY "</body></message>",
             german, 3},
            {"<message xml:lang='ru' from='\u0430\u043d\u043d\u0430-" FROM
             "/\u0434\u043e\u043c' to='" TO "' id='s" NUMBER "' type='chat'><body>" BODY
             "</body></message>",
             russian, 3},
            {"<message from='" FROM "/\u6771\u4eac' to='" TO "/" MIX_TO_RESOURCE
             "' type='chat' id='s" NUMBER "'><body>" BODY "</body></message>",
             chinese, 3},
            /* Nothing but a text. */
            {"<message from='" FROM "/" MIX_FROM_RESOURCE "' to='" TO "' type='chat' id='s" NUMBER
             "'><body>" BODY "</body></message>",
             ascii, 1},
            /* Line ends, as reference and raw; a space before the end of a tag. */
            {"<message from='" FROM "/mcabber' to='" TO "' type='chat' id='s" NUMBER "'><body>" BODY
             "</body><active xmlns='" STATES "' /></message>",
             lined, 2},
            /* A correction. */
            {"<message type='chat' from='" FROM "/psi' to='" TO "' id='s" NUMBER "'><body>" BODY
             "</body><replace xmlns='urn:xmpp:message-correct:0' id='r" NUMBER "'/></message>",
             ascii, 1},
            /* A file that was uploaded. */
            {"<message id='s" NUMBER "' from='" FROM "/" MIX_FROM_RESOURCE "' to='" TO
             "' type='chat'><body>" BODY
             "</body><x xmlns='jabber:x:oob'><url>https://example.org/f?a&amp;b</url></x>"
             "</message>",
             linked, 1},
        },
};

const struct mix *mix_find(const char *name, bool is_small)
{
    return strcmp(name, real.name) == 0    ? &real
           : strcmp(name, plain.name) != 0 ? NULL
           : is_small                      ? &plain_small
                                           : &plain;
}

bool mix_has_body(const struct mix_row *row)
{
    return strchr(row->form, BODY_NAME) != NULL;
}

/* Pieces while they fit; full stops behind. */
static void write_words(const char *const *words, char *to, size_t len)
{
    size_t piece = 0;
    size_t at = PAYLOAD_HEAD_BYTES;

    payload_write(to, PAYLOAD_HEAD_BYTES, 0, 0);
    while (at + strlen(words[piece]) < len) {
        memcpy(to + at, words[piece], strlen(words[piece]));
        at += strlen(words[piece]);
        piece = words[piece + 1] ? piece + 1 : 0;
    }
    memset(to + at, '.', len - at);
}

size_t mix_write(const struct mix_row *row, const char *const names[MIX_NAMES], size_t body_bytes,
                 char *out)
{
    size_t at = 0;

    for (const char *p = row->form; *p; p++) {
        size_t len = 1;

        if (*p == BODY_NAME) {
            len = body_bytes;
            if (out && row->words) {
                write_words(row->words, out + at, len);
            } else if (out) {
                payload_write(out + at, len, 0, 0);
            }
        } else if (*p > 0 && *p < BODY_NAME) {
            len = strlen(names[*p - 1]);
            if (out) {
                memcpy(out + at, names[*p - 1], len);
            }
        } else if (out) {
            out[at] = *p;
        }
        at += len;
    }
    if (out) {
        out[at] = '\0';
    }
    return at;
}

size_t mix_body_bytes(const struct mix *mix, uint32_t row, size_t spare)
{
    uint32_t shares = 0;
    uint32_t last = 0;
    size_t given = 0;

    for (uint32_t i = 0; i < mix->count; i++) {
        shares += mix->rows[i].share;
        last = mix_has_body(&mix->rows[i]) ? i : last;
    }
    for (uint32_t i = 0; i < mix->count; i++) {
        given += spare * mix->rows[i].share / shares;
    }
    return PAYLOAD_HEAD_BYTES + spare * mix->rows[row].share / shares +
           (row == last ? spare - given : 0);
}
