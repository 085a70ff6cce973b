/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_help: see its header. */
#include "notifier_help.h"

#include <stdio.h>

#include "base/check.h"
#include "presence/table.h"

#define LINE_BYTES 4096u

void scene_start(struct fixture *f)
{
    fixture_init(f);
    fixture_start(f);
}

void scene_stop(struct fixture *f)
{
    fixture_deinit(f);
}

/* --- bob -------------------------------------------------------------------------------------- */

unsigned subscribe_raw(struct fixture *f, struct device *d, const char *lines,
                       struct said **answer)
{
    char text[65536];
    struct said *said;

    (void)snprintf(text, sizeof(text),
                   "SUBSCRIBE sip:" ANN " SIP/2.0\n"
                   "Via: SIP/2.0/TLS pool.corp.example;branch=z9hG4bK%s%u\n"
                   "Max-Forwards: 70\n"
                   "From: <sip:" BOB ">;tag=f-%s\n"
                   "To: <sip:" ANN ">%s%s\n"
                   "Call-ID: %s\n"
                   "CSeq: %u SUBSCRIBE\n"
                   "%s%s\n",
                   d->call_id, d->cseq, d->call_id, d->to_tag[0] ? ";tag=" : "", d->to_tag,
                   d->call_id, d->cseq,
                   strstr(lines, "Contact:") || strstr(lines, "m:")
                       ? ""
                       : "Contact: <sip:bob@10.0.0.7:5060>\n",
                   lines);
    ASSERT(fixture_subscribe(f, text) != 0);
    d->cseq++;
    ASSERT(!list_is_empty(&f->answers));
    said = LIST_ENTRY(f->answers.prev, struct said, link);
    if (answer) {
        *answer = said;
    }
    return said->status;
}

static void learn_tag(struct fixture *f, struct device *d)
{
    struct said *s = last_notify(f);
    struct sip_addr from;

    if (!s || d->to_tag[0] || !slice_eq_cstr(fixture_header(s, "Call-ID"), d->call_id)) {
        return;
    }
    ASSERT(sip_addr_parse(fixture_header(s, "From"), &from) == 0);
    slice_to_cstr_cut(from.tag, d->to_tag, sizeof(d->to_tag));
}

unsigned subscribe(struct fixture *f, struct device *d, const char *expires)
{
    char lines[256];
    unsigned status;

    (void)snprintf(lines, sizeof(lines),
                   "Event: presence\nAccept: application/pidf+xml\nExpires: %s\n", expires);
    status = subscribe_raw(f, d, lines, NULL);
    learn_tag(f, d);
    return status;
}

void accept_all(struct fixture *f)
{
    struct said *s;

    for (int i = 0; i < 1000 && (s = fixture_request(f)) != NULL; i++) {
        fixture_respond(f, s, 200, "x", "");
    }
}

struct said *last_notify(struct fixture *f)
{
    return list_is_empty(&f->requests) ? NULL
                                       : LIST_ENTRY(f->requests.prev, struct said, link);
}

struct slice body_of(const struct said *request)
{
    const char *at = strstr(request->text, "\r\n\r\n");

    return at ? slice_from_cstr(at + 4) : SLICE_NONE;
}

bool says(const struct said *request, const char *text)
{
    return strstr(request->text, text) != NULL;
}

/* --- ann -------------------------------------------------------------------------------------- */

void from_ann(struct fixture *f, const char *type, const char *resource, const char *inner)
{
    char xml[LINE_BYTES];
    int len = snprintf(xml, sizeof(xml),
                       "<presence%s%s%s from='" ANN "%s%s' to='" BOB "'>%s</presence>",
                       type[0] ? " type='" : "", type, type[0] ? "'" : "", resource[0] ? "/" : "",
                       resource, inner);

    ASSERT(len > 0 && (size_t)len < sizeof(xml));
    ASSERT(fixture_from_partner(f, xml));
}

/* --- what was said ---------------------------------------------------------------------------- */

struct contact *contact_of(struct fixture *f)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);

    return contact_find(f->p, CONTACT_OUT, &pair);
}

static void put_request(struct buf *out, struct said *s)
{
    struct slice state;
    struct slice head;

    if (s->handle) {
        return; /* told before */
    }
    s->handle = 1;
    state = fixture_header(s, "Subscription-State");
    if (!slice_cut(&state, ';', &head)) {
        state = SLICE_NONE;
    }
    buf_put_lit(out, " N:");
    buf_put(out, head);
    if (slice_eq(head, SLICE_LIT("terminated")) && state.len > 0) {
        buf_putc(out, ';');
        buf_put(out, state);
    }
    if (body_of(s).len > 0) {
        buf_put_cstr(out, says(s, "<basic>open") ? "+open" : "+closed");
    }
}

static const char *stanza_type_of(const struct said *s)
{
    switch ((int)s->type) {
    case STANZA_TYPE_SUBSCRIBE:
        return " subscribe";
    case STANZA_TYPE_UNSUBSCRIBE:
        return " unsubscribe";
    case STANZA_TYPE_PROBE:
        return " probe";
    case STANZA_TYPE_UNAVAILABLE:
        return " unavailable";
    default:
        return " other";
    }
}

static const char *state_of(const struct contact *c)
{
    static const char *const names[] = {
#define X(name, text) text,
        NOTIFIER_STATES(X)
#undef X
    };

    return names[c->out.state];
}

const char *told(struct fixture *f)
{
    static char text[LINE_BYTES];
    struct contact *c = contact_of(f);
    struct said *s;
    struct buf out;

    buf_init(&out, sizeof(text) - 1);
    while ((s = fixture_take_answer(f)) != NULL) {
        buf_putc(&out, ' ');
        buf_put_u64(&out, s->status);
    }
    for (struct list *link = f->requests.next; link != &f->requests; link = link->next) {
        put_request(&out, LIST_ENTRY(link, struct said, link));
    }
    while ((s = fixture_take_stanza(f)) != NULL) {
        buf_put_cstr(&out, stanza_type_of(s));
    }
    buf_put_lit(&out, " = ");
    buf_put_cstr(&out, c ? state_of(c) : "gone");
    buf_putc(&out, '/');
    buf_put_u64(&out, c ? notifier_lasting(&c->out) : 0);
    ASSERT(!out.failed);
    slice_to_cstr_cut(slice_from(buf_slice(&out), 1), text, sizeof(text));
    buf_deinit(&out);
    fixture_forget(f);
    return text;
}

/* --- beginnings ------------------------------------------------------------------------------- */

void begin_asking(struct fixture *f, struct device *d, const char *expires)
{
    ASSERT(subscribe(f, d, expires) == 200);
    accept_all(f);
    (void)told(f);
}

void begin_granted(struct fixture *f, struct device *d, const char *expires)
{
    begin_asking(f, d, expires);
    from_ann(f, "subscribed", "", "");
    accept_all(f);
    from_ann(f, "", "desk", "<status>here</status>");
    accept_all(f);
    fixture_run(f, 31000);
    accept_all(f);
    (void)told(f);
}

void begin_two_resources(struct fixture *f, struct device *d)
{
    begin_granted(f, d, "3600");
    from_ann(f, "unavailable", "desk", "");
    accept_all(f);
    fixture_run(f, 6000);
    from_ann(f, "", "phone", "<show>away</show><priority>5</priority>");
    accept_all(f);
    from_ann(f, "", "desk", "<show>dnd</show><priority>1</priority>");
    fixture_run(f, 6000);
    (void)told(f);
}

unsigned tuples(const struct said *s, const char *basic)
{
    char text[64];
    unsigned count = 0;

    (void)snprintf(text, sizeof(text), "<basic>%s</basic>", basic);
    for (const char *at = strstr(s->text, text); at; at = strstr(at + 1, text)) {
        count++;
    }
    return count;
}
