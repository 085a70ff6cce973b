/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialog_help: messages of a subscription, made from the few values that the tests vary. */
#ifndef FG_TEST_DIALOG_HELP_H
#define FG_TEST_DIALOG_HELP_H

#include <stdio.h>

#include "sip/dialog.h"
#include "sip_help.h"

#define OUR_CALL_ID "3848276298220188511a5b7c9d0e1f23"
#define OUR_TAG     "1928301774abcdef"

struct dialog_text {
    const char *start; /* start line without CRLF; NULL = NOTIFY */
    const char *from;  /* whole values; NULL = of a NOTIFY from bob to our subscription */
    const char *to;
    const char *call_id; /* NULL = OUR_CALL_ID */
    const char *cseq;    /* NULL = "1 NOTIFY" */
    const char *more;    /* further lines, each with CRLF; NULL = the usual Contact */
};

#define CONTACT_LINE "Contact: <sip:bob@10.1.1.7:5061;transport=tls>\r\n"

/* One message at a time; the view lasts until the next call. */
static inline const struct sip_msg *dialog_msg(struct dialog_text t)
{
    static char text[1 << 17];
    static struct sip_msg m;
    int len = snprintf(
        text, sizeof(text),
        "%s\r\nVia: SIP/2.0/TLS pres.corp.example:5061;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
        "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\n%sContent-Length: 0\r\n\r\n",
        t.start ? t.start : "NOTIFY sip:ann@edge.chat.example SIP/2.0",
        t.from ? t.from : "<sip:bob@corp.example>;tag=b1",
        t.to ? t.to : "<sip:ann@chat.example>;tag=" OUR_TAG, t.call_id ? t.call_id : OUR_CALL_ID,
        t.cseq ? t.cseq : "1 NOTIFY", t.more ? t.more : CONTACT_LINE);

    cr_assert_lt((size_t)len, sizeof(text));
    sip_help_parse(&m, text);
    return &m;
}

/* 2xx to our SUBSCRIBE. */
static inline const struct sip_msg *dialog_answer(const char *to_tag, const char *more)
{
    static char to[300];

    (void)snprintf(to, sizeof(to), "<sip:bob@corp.example>;tag=%s", to_tag);
    return dialog_msg((struct dialog_text){.start = "SIP/2.0 200 OK",
                                           .from = "<sip:ann@chat.example>;tag=" OUR_TAG,
                                           .to = to,
                                           .cseq = "1 SUBSCRIBE",
                                           .more = more});
}

/* Where the dialogs of a test are. */
static inline struct sip_dialogs *dialogs_in(void)
{
    static struct sip_dialogs *in;

    if (!in) {
        in = sip_dialogs_new();
        cr_assert(in);
    }
    return in;
}

static inline enum sip_dialog_match match_of(const struct sip_dialog *d, const struct sip_msg *m)
{
    struct sip_dialog_key key;

    cr_assert_eq(sip_dialog_key_read(m, &key), 0);
    return sip_dialog_match(d, &key);
}

static inline struct sip_dialog *new_uac(void)
{
    struct sip_dialog *d =
        sip_dialog_new_uac(dialogs_in(), SLICE_LIT(OUR_CALL_ID), SLICE_LIT(OUR_TAG), 1);

    cr_assert(d);
    return d;
}

/* An established subscriber's dialog. */
static inline struct sip_dialog *new_established(const char *more)
{
    struct sip_dialog *d = new_uac();

    cr_assert_eq(sip_dialog_establish(&d, dialog_msg((struct dialog_text){.more = more})), 0);
    cr_assert(sip_dialog_is_established(d));
    return d;
}

/* The next request; what p points to is valid as long as the dialog is not changed. */
struct next_help {
    struct sip_dialog_routes routes;
    struct sip_request_params p;
};
static inline int next_of(struct sip_dialog *d, struct next_help *n)
{
    n->p = (struct sip_request_params){.method = SIP_METHOD_SUBSCRIBE,
                                       .uri = SLICE_LIT("sip:bob@corp.example"),
                                       .from_uri = SLICE_LIT("sip:ann@chat.example"),
                                       .to_uri = SLICE_LIT("sip:bob@corp.example")};
    return sip_dialog_next(d, &n->routes, &n->p);
}

static inline int new_uas(struct dialog_text t, struct sip_dialog **d)
{
    t.start = "SUBSCRIBE sip:ann@chat.example SIP/2.0";
    t.to = t.to ? t.to : "<sip:ann@chat.example>";
    t.cseq = t.cseq ? t.cseq : "17 SUBSCRIBE";
    return sip_dialog_new_uas(dialogs_in(), dialog_msg(t),
                              &(struct sip_dialog_uas){
                                  .local_tag = SLICE_LIT(OUR_TAG),
                                  .cseq = 5,
                                  .plain_local = SLICE_LIT("sip:ann@chat.example"),
                                  .plain_remote = SLICE_LIT("sip:bob@corp.example"),
                              },
                              d);
}

#endif
