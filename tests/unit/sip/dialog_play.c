/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialog_play: the player. */
#include "dialog_play.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "sip/checks.h"
#include "sip/dialog.h"

#define SLOTS     6u
#define TAG_CHARS 64u
#define RAW       0xF8u /* from here on a choice means bytes of the script */
#define MUST(c)                                                                                    \
    do {                                                                                           \
        if (!(c)) {                                                                                \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c);                          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* What the player knows of a dialog without asking it. */
struct slot {
    struct sip_dialog *d;
    uint32_t sent;   /* last CSeq sent */
    uint32_t packed; /* CSeq that the store holds, 0 = not stored */
    bool is_established;
    bool has_remote;
    uint32_t remote_cseq;
    char remote_tag[TAG_CHARS];
};

struct play {
    struct slice script;
    size_t at;
    struct slot slots[SLOTS];
    struct dialog_play_sums *sums;
    struct sip_dialogs *in;
    char text[1 << 16]; /* the message under way */
    struct sip_msg msg;
};

static const char *const call_ids[] = {"c1", "c2@h"};
static const char *const local_tags[] = {"l1", "l2", "u1", "u2"}; /* of UAC, of UAS dialogs */

static uint8_t take(struct play *p)
{
    return p->at < p->script.len ? (uint8_t)p->script.ptr[p->at++] : 0;
}

/* Up to len bytes of the script as they are. */
static struct slice take_text(struct play *p, size_t len)
{
    struct slice text = slice_to(slice_from(p->script, p->at), len);

    p->at += text.len;
    return text;
}

static void put_contact(struct play *p, struct buf *out)
{
    static const char *const contacts[] = {
        "", "Contact: <sip:bob@10.1.1.1>\r\n", "Contact: <sip:bob@10.1.1.2;gr=1;method=X?a=b>\r\n",
        "m: sip:[2001:db8::1]:5061;expires=3\r\n", "Contact: *\r\n"};
    uint8_t which = take(p);

    if (which < RAW) {
        buf_put_cstr(out, contacts[which % ARRAY_COUNT(contacts)]);
        return;
    }
    buf_put_lit(out, "Contact: <sip:");
    buf_put(out, take_text(p, take(p)));
    buf_put_lit(out, ">\r\n");
}

static void put_routes(struct play *p, struct buf *out)
{
    static const char *const routes[] = {"<sip:p1;lr>", "<sip:p2>",
                                         "\"q,\" <sip:p3;method=X;a?b=c>",
                                         "<sip:p4;lr;x=y>;z=\"\r\n ,\""};

    uint8_t some = take(p);

    for (unsigned count = some % 8 ? some % 4 : some / 16; count > 0; count--) {
        uint8_t which = take(p);

        buf_put_lit(out, "Record-Route: ");
        if (which < RAW) {
            buf_put_cstr(out, routes[which % ARRAY_COUNT(routes)]);
        } else {
            buf_put(out, take_text(p, take(p)));
        }
        buf_put_lit(out, "\r\n");
    }
}

enum kind { KIND_SUBSCRIBE, KIND_NOTIFY, KIND_ANSWER };

/* Makes p->msg; false: no message, or one that the checks refuse. */
static bool make(struct play *p, enum kind kind)
{
    static const char *const starts[] = {"SUBSCRIBE sip:ann@chat.example SIP/2.0\r\n",
                                         "NOTIFY sip:ann@chat.example SIP/2.0\r\n",
                                         "SIP/2.0 200 OK\r\n"};
    static const char *const names[] = {"SUBSCRIBE", "NOTIFY", "SUBSCRIBE"};
    struct sip_check_policy policy = {.methods = SIP_METHOD_BIT(SIP_METHOD_SUBSCRIBE) |
                                                 SIP_METHOD_BIT(SIP_METHOD_NOTIFY),
                                      .schemes = SIP_SCHEME_BIT(SIP_SCHEME_SIP),
                                      .from_tag_optional = true};
    uint8_t tags = take(p);
    uint32_t cseq = take(p);
    struct sip_verdict verdict;
    struct sip_bad bad;
    struct buf out;
    bool is_good;

    buf_init(&out, sizeof(p->text));
    cseq = cseq < 0xF8 ? cseq % 32 : 0x7FFFFFF0u + (cseq & 0x0Fu);
    buf_put_cstr(&out, starts[kind]);
    buf_put_lit(&out, "Via: SIP/2.0/TLS h;branch=z9hG4bK1\r\n");
    buf_printf(&out, "%s: <sip:bob@corp.example>", kind == KIND_ANSWER ? "To" : "From");
    if (tags % 16 > 0) {
        buf_printf(&out, ";tag=r%u", tags % 16 % 5);
    }
    buf_printf(&out, "\r\n%s: <sip:ann@chat.example>", kind == KIND_ANSWER ? "From" : "To");
    if (kind != KIND_SUBSCRIBE) {
        buf_printf(&out, ";tag=%s", local_tags[tags / 16 % 4]);
    }
    buf_printf(&out, "\r\nCall-ID: %s\r\nCSeq: %u %s\r\n", call_ids[tags / 64 % 2], cseq,
               names[kind]);
    put_contact(p, &out);
    put_routes(p, &out);
    buf_put_lit(&out, "Content-Length: 0\r\n\r\n");
    is_good = !out.failed;
    if (is_good) {
        memcpy(p->text, buf_slice(&out).ptr, buf_len(&out));
        is_good = sip_msg_parse(&p->msg, slice_make(p->text, buf_len(&out)), &bad) == 0 &&
                  (kind == KIND_ANSWER ? sip_check_response(&p->msg, &policy, &verdict)
                                       : sip_check_request(&p->msg, &policy, &verdict));
    }
    buf_deinit(&out);
    return is_good;
}

static struct slot *free_slot(struct play *p)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        if (!p->slots[i].d) {
            return &p->slots[i];
        }
    }
    return NULL;
}

static void drop(struct slot *s)
{
    sip_dialog_free(s->d);
    *s = (struct slot){.d = NULL};
}

/* An error of a dialog made from a message: always one that can be answered. */
static void refused(struct play *p, int err)
{
    uint16_t status = sip_dialog_status(err);

    MUST(err == ERR_LIMIT || err == ERR_SIP_SYNTAX || err == ERR_SIP_URI);
    MUST(status >= 400 && status < 500);
    p->sums->refused++;
}

static void learn(struct slot *s, const struct sip_dialog_key *key, uint32_t cseq)
{
    s->is_established = true;
    s->has_remote = true;
    s->remote_cseq = cseq;
    MUST(slice_to_cstr(key->remote_tag, s->remote_tag, sizeof(s->remote_tag)));
    MUST(sip_dialog_is_established(s->d));
    MUST(slice_eq_cstr(sip_dialog_remote_tag(s->d), s->remote_tag));
    MUST(sip_dialog_target(s->d).len > 0);
    MUST(sip_dialog_bytes(s->d) <= SIP_DIALOG_PACKED_BYTES_MAX);
}

static void on_subscribe(struct play *p)
{
    struct sip_dialog_uas uas = {.cseq = 1, .plain_local = SLICE_LIT("sip:ann@chat.example")};
    struct slot *s = free_slot(p);
    struct sip_dialog_key key;
    struct sip_cseq cseq;
    int err;

    uas.local_tag = slice_from_cstr(local_tags[2 + take(p) % 2]);
    if (!s || !make(p, KIND_SUBSCRIBE)) {
        return;
    }
    MUST(sip_dialog_key_read(&p->msg, &key) == 0 && sip_msg_cseq(&p->msg, &cseq) == 0);
    for (unsigned i = 0; i < SLOTS; i++) {
        if (p->slots[i].d && slice_eq(sip_dialog_call_id(p->slots[i].d), key.call_id) &&
            slice_eq(sip_dialog_local_tag(p->slots[i].d), uas.local_tag)) {
            return; /* our tags are unique */
        }
    }
    err = sip_dialog_new_uas(p->in, &p->msg, &uas, &s->d);
    if (err) {
        MUST(!s->d);
        refused(p, err);
        return;
    }
    p->sums->uas++;
    learn(s, &key, cseq.number);
}

static void on_uac(struct play *p)
{
    struct slot *s = free_slot(p);
    uint8_t which = take(p);
    struct slice call_id = slice_from_cstr(call_ids[which % 2]);
    struct slice tag = slice_from_cstr(local_tags[which / 2 % 2]);
    uint32_t cseq = which / 4 % 8 ? which : 0x7FFFFFFD;

    for (unsigned i = 0; i < SLOTS; i++) {
        if (p->slots[i].d && slice_eq(sip_dialog_call_id(p->slots[i].d), call_id) &&
            slice_eq(sip_dialog_local_tag(p->slots[i].d), tag)) {
            return;
        }
    }
    if (s) {
        s->d = sip_dialog_new_uac(p->in, call_id, tag, cseq);
        MUST(s->d && !sip_dialog_is_established(s->d));
        s->sent = cseq - 1;
        p->sums->uac++;
    }
}

static void retarget(struct play *p, struct slot *s)
{
    bool changed;
    int err = sip_dialog_retarget(&s->d, &p->msg, &changed);

    if (err) {
        refused(p, err);
        MUST(!changed);
    } else {
        p->sums->retargeted += changed;
    }
}

static void on_ours(struct play *p, struct slot *s, const struct sip_dialog_key *key)
{
    struct sip_cseq cseq;

    MUST(s->is_established && slice_eq_cstr(key->remote_tag, s->remote_tag));
    p->sums->ours++;
    if (!p->msg.is_request) {
        MUST(sip_dialog_establish(&s->d, &p->msg) == 0);
        retarget(p, s);
        return;
    }
    MUST(sip_msg_cseq(&p->msg, &cseq) == 0);
    switch (sip_dialog_take_cseq(s->d, cseq.number)) {
    case SIP_ORDER_NEW:
        MUST(!s->has_remote || cseq.number > s->remote_cseq);
        s->remote_cseq = cseq.number;
        retarget(p, s);
        break;
    case SIP_ORDER_REPEATED:
        MUST(cseq.number == s->remote_cseq);
        p->sums->repeated++;
        break;
    case SIP_ORDER_LOWER:
        MUST(cseq.number < s->remote_cseq);
        p->sums->lower++;
        break;
    }
}

static void on_nascent(struct play *p, struct slot *s, const struct sip_dialog_key *key)
{
    struct sip_cseq cseq;
    int err = sip_dialog_establish(&s->d, &p->msg);

    MUST(!s->is_established);
    MUST(sip_msg_cseq(&p->msg, &cseq) == 0);
    if (!p->msg.is_request) {
        MUST(err == 0 && !sip_dialog_is_established(s->d));
        p->sums->tentative += sip_dialog_target(s->d).len > 0;
    } else if (err) {
        refused(p, err);
        MUST(!sip_dialog_is_established(s->d));
    } else {
        learn(s, key, cseq.number);
        p->sums->established++;
    }
}

static void on_fork(struct play *p, const struct slot *of, const struct sip_dialog_key *key)
{
    struct slot *s = free_slot(p);
    struct sip_cseq cseq;
    int err;

    if (!s || !p->msg.is_request) {
        return;
    }
    MUST(sip_msg_cseq(&p->msg, &cseq) == 0);
    err = sip_dialog_fork(of->d, &p->msg, &s->d);
    if (err) {
        refused(p, err);
        MUST(!s->d);
        return;
    }
    s->sent = sip_dialog_cseq(s->d);
    learn(s, key, cseq.number);
    p->sums->forks++;
}

/* A NOTIFY or 2xx goes to the dialog that it belongs to, as a subscriber would hand it on. */
static void on_message(struct play *p, enum kind kind)
{
    struct slot *ours = NULL;
    struct slot *nascent = NULL;
    struct slot *fork = NULL;
    struct sip_dialog_key key;

    if (!make(p, kind)) {
        return;
    }
    MUST(sip_dialog_key_read(&p->msg, &key) == 0);
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *s = &p->slots[i];

        switch (s->d ? sip_dialog_match(s->d, &key) : SIP_DIALOG_OTHER) {
        case SIP_DIALOG_OURS:
            MUST(!ours);
            ours = s;
            break;
        case SIP_DIALOG_NASCENT:
            MUST(!nascent);
            nascent = s;
            break;
        case SIP_DIALOG_FORK:
            MUST(!slice_eq_cstr(key.remote_tag, s->remote_tag) && sip_dialog_is_uac(s->d));
            fork = s;
            break;
        case SIP_DIALOG_OTHER:
            break;
        }
    }
    if (ours) {
        on_ours(p, ours, &key);
    } else if (nascent) {
        on_nascent(p, nascent, &key);
    } else if (fork) {
        on_fork(p, fork, &key);
    }
}

/* What was written is read back as the peer would. */
static void check_sent(const struct sip_request_params *r, const struct slot *s)
{
    struct sip_check_policy policy = {.methods = SIP_METHOD_BIT(SIP_METHOD_NOTIFY),
                                      .schemes = SIP_SCHEME_BIT(SIP_SCHEME_SIP) |
                                                 SIP_SCHEME_BIT(SIP_SCHEME_SIPS)};
    struct sip_verdict verdict;
    struct sip_addr to;
    struct sip_bad bad;
    struct sip_msg m;
    struct buf out;

    buf_init(&out, SIP_HEAD_BYTES_MAX);
    sip_write_request(&out, r);
    sip_write_end_empty(&out);
    MUST(!out.failed);
    MUST(sip_msg_parse(&m, buf_slice(&out), &bad) == 0);
    MUST(sip_check_request(&m, &policy, &verdict));
    MUST(sip_msg_addr(&m, SIP_HDR_TO, &to) == 0);
    MUST(!s->is_established || slice_eq_cstr(to.tag, s->remote_tag));
    buf_deinit(&out);
}

static void on_next(struct play *p)
{
    struct slot *s = &p->slots[take(p) % SLOTS];
    struct sip_dialog_routes routes;
    struct sip_request_params r = {
        .method = SIP_METHOD_NOTIFY,
        .uri = SLICE_LIT("sip:bob@corp.example"),
        .transport = SLICE_LIT("TLS"),
        .sent_by = SLICE_LIT("edge.chat.example"),
        .branch = SLICE_LIT("z9hG4bK2"),
        .max_forwards = 70,
        .from_uri = SLICE_LIT("sip:ann@chat.example"),
        .to_uri = SLICE_LIT("sip:bob@corp.example"),
    };

    if (!s->d) {
        return;
    }
    if (sip_dialog_next(s->d, &routes, &r) != 0) {
        MUST(sip_dialog_cseq(s->d) == 0x7FFFFFFFu);
        return;
    }
    MUST(r.cseq > s->sent && r.cseq <= 0x7FFFFFFFu);
    MUST(r.route_count <= SIP_DIALOG_ROUTES_MAX);
    s->sent = r.cseq;
    p->sums->sent++;
    p->sums->strict += r.route == routes.values + 1;
    check_sent(&r, s);
}

/* Packed, unpacked, packed: the same but for the CSeq (bytes 2 to 5). */
static void check_identity(struct slice bytes, struct sip_dialog *d)
{
    struct buf again;

    buf_init(&again, SIP_DIALOG_PACKED_BYTES_MAX);
    MUST(sip_dialog_pack(d, &again) >= sip_dialog_cseq(d));
    MUST(!again.failed && buf_len(&again) == bytes.len);
    MUST(memcmp(buf_slice(&again).ptr, bytes.ptr, 2) == 0);
    MUST(memcmp(buf_slice(&again).ptr + 6, bytes.ptr + 6, bytes.len - 6) == 0);
    buf_deinit(&again);
}

/* The dialog is written, some more requests go out, the node dies and starts again. */
static void on_crash(struct play *p)
{
    uint8_t which = take(p);
    struct slot *s = &p->slots[which % SLOTS];
    struct sip_dialog *d;
    struct buf out;

    if (!s->d) {
        return;
    }
    buf_init(&out, SIP_DIALOG_PACKED_BYTES_MAX);
    s->packed = sip_dialog_pack(s->d, &out);
    MUST(!out.failed);
    sip_dialog_stored(s->d, s->packed);
    for (unsigned i = 0; i < which; i++) {
        p->at -= p->at > 0 ? 1 : 0;
        if (sip_dialog_needs_store(s->d)) {
            break;
        }
        on_next(p);
    }
    MUST(s->sent <= s->packed);
    MUST(sip_dialog_unpack(p->in, buf_slice(&out), &d) == 0);
    MUST(sip_dialog_needs_store(d) || s->packed == 0x7FFFFFFFu);
    check_identity(buf_slice(&out), d);
    sip_dialog_free(s->d);
    s->d = d;
    buf_deinit(&out);
    p->sums->crashes++;
}

/* Bytes that nobody packed. */
static void on_foreign(struct play *p)
{
    struct slice bytes = take_text(p, take(p));
    struct sip_dialog *d;
    int err = sip_dialog_unpack(p->in, bytes, &d);

    p->sums->foreign++;
    MUST(err == 0 || (err == ERR_BAD_INPUT && !d));
    if (err == 0) {
        struct slot s = {.d = d, .sent = sip_dialog_cseq(d)};
        struct sip_dialog_routes routes;
        struct sip_request_params r = {.method = SIP_METHOD_NOTIFY};

        p->sums->unpacked++;
        check_identity(bytes, d);
        MUST(sip_dialog_next(d, &routes, &r) == 0 ? r.cseq == s.sent + 1 : s.sent == 0x7FFFFFFFu);
        drop(&s);
    }
}

void dialog_play(const uint8_t *script, size_t size, struct dialog_play_sums *sums)
{
    static struct play p;

    p.script = slice_make((const char *)script, size);
    p.at = 0;
    p.sums = sums;
    p.in = sip_dialogs_new();
    MUST(p.in);
    while (p.at < size) {
        switch (take(&p) % 10) {
        case 0:
            on_subscribe(&p);
            break;
        case 1:
            on_uac(&p);
            break;
        case 2:
        case 3:
        case 4:
            on_message(&p, KIND_NOTIFY);
            break;
        case 5:
            on_message(&p, KIND_ANSWER);
            break;
        case 6:
            on_next(&p);
            break;
        case 7:
            on_crash(&p);
            break;
        case 8:
            on_foreign(&p);
            break;
        default:
            drop(&p.slots[take(&p) % SLOTS]);
            break;
        }
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        drop(&p.slots[i]);
    }
    sip_dialogs_free(p.in);
}
