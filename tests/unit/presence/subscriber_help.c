/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_help: see the header. */
#include "subscriber_help.h"

#include <stdio.h>

#define REFRESH_S 3600u

void scene_start(struct scene *s)
{
    *s = (struct scene){0};
    fixture_init(&s->f);
    s->f.rules[CONTACT_IN] = (struct presence_rule){
        .is_allowed = true,
        .with_notes = true,
        .hop = SLICE_LIT("pool"),
        .expires_s = REFRESH_S,
    };
    fixture_start(&s->f);
}

void scene_stop(struct scene *s)
{
    fixture_deinit(&s->f);
}

void ann(struct scene *s, const char *type)
{
    char xml[256];

    snprintf(xml, sizeof(xml), "<presence%s%s%s from='" ANN "' to='" BOB "'/>",
             type ? " type='" : "", type ? type : "", type ? "'" : "");
    cr_assert(fixture_from_partner(&s->f, xml));
}

void watch_back(struct scene *s)
{
    const struct presence_row row = {.pair = fixture_pair(BOB, ANN),
                                     .direction = CONTACT_OUT,
                                     .state = CONTACT_GRANTED,
                                     .asker = CONTACT_BY_LOCAL};

    if (!contact_find(s->f.p, CONTACT_OUT, &row.pair)) {
        cr_assert_eq(presence_load(s->f.p, &row), 0);
    }
}

/* --- the notifier ----------------------------------------------------------------------------- */

bool is_in_flight(struct scene *s)
{
    return fixture_request(&s->f) != NULL;
}

uint32_t until_subscribe(struct scene *s, uint32_t max_s)
{
    uint32_t t = 0;

    while (t < max_s && !is_in_flight(s)) {
        fixture_run(&s->f, 1000);
        t++;
    }
    return t;
}

static void copy_header(char *out, size_t out_bytes, const struct said *request, const char *name)
{
    struct slice value = fixture_header(request, name);
    const char *tag = memchr(value.ptr, ';', value.len);

    if (tag && slice_eq_cstr(slice_make(tag, 5), ";tag=")) {
        value = slice_from(value, (size_t)(tag + 5 - value.ptr));
    }
    slice_to_cstr_cut(value, out, out_bytes);
}

static bool has_to_tag(const struct said *request)
{
    struct slice to = fixture_header(request, "To");

    return slice_find(to, ';') >= 0;
}

/* Remembers the SUBSCRIBE that a NOTIFY will belong to. */
static void learn(struct scene *s)
{
    for (struct list *l = s->f.requests.next; l != &s->f.requests; l = l->next) {
        struct said *r = LIST_ENTRY(l, struct said, link);

        if (!has_to_tag(r)) {
            copy_header(s->call_id, sizeof(s->call_id), r, "Call-ID");
            copy_header(s->local_tag, sizeof(s->local_tag), r, "From");
        }
    }
}

struct said *subscribe_in_flight(struct scene *s)
{
    struct said *r = fixture_request(&s->f);

    cr_assert(r, "no SUBSCRIBE is out");
    learn(s);
    return r;
}

void respond_tagged(struct scene *s, unsigned status, const char *tag, const char *fields)
{
    struct said *r = subscribe_in_flight(s);
    bool is_end = slice_eq_cstr(fixture_header(r, "Expires"), "0");
    bool is_accepted = status >= 200 && status < 300;
    char lines[512];

    snprintf(lines, sizeof(lines), "%s%s%s%s", fields, is_accepted ? "Expires: " : "",
             !is_accepted ? ""
             : is_end     ? "0\r\n"
                          : "3600\r\n",
             is_accepted ? "Contact: <sip:bob@192.0.2.9:5061;transport=tls>\r\n" : "");
    fixture_respond(&s->f, r, status, tag, is_accepted && fields[0] ? fields : lines);
}

void respond(struct scene *s, unsigned status, const char *fields)
{
    respond_tagged(s, status, "n1", fields);
}

unsigned notify_raw(struct scene *s, const char *to_tag, const char *from_tag, uint32_t cseq,
                    const char *lines, const char *body)
{
    size_t size = strlen(body) + 4096;
    char *text = malloc(size);
    struct said *answer;
    uint64_t handle;

    cr_assert(text);
    learn(s);
    snprintf(text, size,
             "NOTIFY sip:gw.example SIP/2.0\r\n"
             "Via: SIP/2.0/TLS pool.corp.example;branch=z9hG4bK%s%u\r\n"
             "Max-Forwards: 70\r\n"
             "From: <sip:" BOB ">;tag=%s\r\n"
             "To: <sip:" ANN ">%s%s\r\n"
             "Call-ID: %s\r\n"
             "CSeq: %u NOTIFY\r\n"
             "Contact: <sip:bob@192.0.2.9:5061;transport=tls>\r\n"
             "%s"
             "Content-Length: %zu\r\n\r\n%s",
             from_tag, cseq, from_tag, to_tag[0] ? ";tag=" : "", to_tag,
             s->call_id[0] ? s->call_id : "none", cseq, lines, strlen(body), body);
    handle = fixture_notify(&s->f, text);
    free(text);
    cr_assert(handle, "not a message");
    for (struct list *l = s->f.answers.next; l != &s->f.answers; l = l->next) {
        answer = LIST_ENTRY(l, struct said, link);
        if (answer->handle == handle) {
            s->status = answer->status;
            return answer->status;
        }
    }
    s->status = 0;
    return 0; /* not answered */
}

unsigned notify_as(struct scene *s, const char *tag, const char *state, const char *body)
{
    char lines[512];

    snprintf(lines, sizeof(lines), "Event: presence\r\nSubscription-State: %s\r\n%s", state,
             body[0] ? "Content-Type: application/pidf+xml\r\n" : "");
    learn(s);
    return notify_raw(s, s->local_tag[0] ? s->local_tag : "x", tag, ++s->cseq, lines, body);
}

unsigned notify(struct scene *s, const char *state, const char *body)
{
    return notify_as(s, "n1", state, body);
}

static bool is_end(const struct said *request)
{
    return slice_eq_cstr(fixture_header(request, "Expires"), "0");
}

void live(struct scene *s, uint32_t seconds, const char *state)
{
    for (uint32_t t = 0; t < seconds; t += 20) {
        fixture_run(&s->f, (uint64_t)(seconds - t < 20 ? seconds - t : 20) * 1000);
        while (is_in_flight(s)) {
            bool was_end = is_end(subscribe_in_flight(s));

            respond(s, 200, "");
            notify(s, was_end ? "terminated;reason=timeout" : state,
                   !was_end && slice_starts(slice_from_cstr(state), SLICE_LIT("active")) ? PIDF_OPEN
                                                                                         : "");
        }
    }
}

/* --- what was said ---------------------------------------------------------------------------- */

static void put(struct scene *s, const char *before, const char *text, const char *after)
{
    size_t len = strlen(s->said);

    snprintf(s->said + len, sizeof(s->said) - len, "%s%s%s", before, text, after);
}

static const char *stanza_word(const struct said *stanza, char *out, size_t out_bytes)
{
    static const char *const names[] = {
        [STANZA_TYPE_AVAILABLE] = "available",
        [STANZA_TYPE_UNAVAILABLE] = "unavailable",
        [STANZA_TYPE_SUBSCRIBE] = "subscribe",
        [STANZA_TYPE_SUBSCRIBED] = "subscribed",
        [STANZA_TYPE_UNSUBSCRIBE] = "unsubscribe",
        [STANZA_TYPE_UNSUBSCRIBED] = "unsubscribed",
        [STANZA_TYPE_PROBE] = "probe",
        [STANZA_TYPE_ERROR] = "error",
    };
    const char *from = strstr(stanza->text, BOB "/");
    const char *name = names[stanza->type];

    if (stanza->type == STANZA_TYPE_ERROR) {
        name = strstr(stanza->text, "item-not-found") ? "error:item-not-found" : "error:other";
        name = strstr(stanza->text, "resource-constraint") ? "error:resource-constraint" : name;
    }
    if (from) {
        from += strlen(BOB);
        snprintf(out, out_bytes, "%s%.*s", name, (int)strcspn(from, "\"'"), from);
    } else {
        snprintf(out, out_bytes, "%s", name);
    }
    return out;
}

/* `unsubscribed` is held back for a moment. */
static void wait_for_the_owed(struct scene *s)
{
    struct contact *c = contact_of(s);

    if (c && c->in.owes_unsubscribed && !c->in.is_unheard && !is_in_flight(s)) {
        fixture_run(&s->f, (SUBSCRIBER_PAY_S + 2) * 1000);
    }
}

const char *said(struct scene *s)
{
    struct contact *c = (wait_for_the_owed(s), contact_of(s));
    struct said *one;
    char word[128];

    s->said[0] = 0;
    while ((one = fixture_take_answer(&s->f)) != NULL) {
        snprintf(word, sizeof(word), "%u", one->status);
        put(s, "", word, " ");
    }
    learn(s);
    for (struct list *l = s->f.requests.next; l != &s->f.requests; l = l->next) {
        one = LIST_ENTRY(l, struct said, link);
        if (!one->handle) {
            one->handle = 1; /* seen */
            put(s, "", is_end(one) ? "end" : has_to_tag(one) ? "refresh" : "new", " ");
        }
    }
    while ((one = fixture_take_stanza(&s->f)) != NULL) {
        put(s, "", stanza_word(one, word, sizeof(word)), " ");
    }
    put(s, "= ", subscriber_state_name(state_of(s)), "/");
    put(s, "", contact_state_name(c ? (enum contact_state)c->state : CONTACT_NONE), "");
    fixture_forget(&s->f);
    return s->said;
}

struct contact *contact_of(struct scene *s)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);

    return contact_find(s->f.p, CONTACT_IN, &pair);
}

enum subscriber_state state_of(struct scene *s)
{
    struct contact *c = contact_of(s);

    return c ? (enum subscriber_state)c->in.state : SUBSCRIBER_NONE;
}

void expect_stanza(struct scene *s, ...)
{
    struct said *stanza = fixture_take_stanza(&s->f);
    const char *piece;
    va_list pieces;

    cr_assert(stanza, "nothing was said");
    va_start(pieces, s);
    while ((piece = va_arg(pieces, const char *)) != NULL) {
        cr_expect(strstr(stanza->text, piece), "%s lacks %s", stanza->text, piece);
    }
    va_end(pieces);
}

void expect_silence(struct scene *s)
{
    struct said *stanza = fixture_take_stanza(&s->f);

    cr_expect(!stanza, "said: %s", stanza ? stanza->text : "");
}

/* --- states ----------------------------------------------------------------------------------- */

static void enter_dormant(struct scene *s)
{
    watch_back(s);
    ann(s, "unavailable");
    fixture_run(&s->f, 125000);
    respond(s, 200, "");
    notify(s, "terminated;reason=timeout", "");
}

void enter(struct scene *s, enum subscriber_state state)
{
    if (state == SUBSCRIBER_NONE) {
        return;
    }
    ann(s, "subscribe");
    if (state == SUBSCRIBER_BACKOFF) {
        respond(s, 503, "");
    } else if (state == SUBSCRIBER_DENIED) {
        respond(s, 403, "");
    } else if (state != SUBSCRIBER_TRYING) {
        respond(s, 200, "");
        notify(s, state == SUBSCRIBER_PENDING ? "pending;expires=3600" : "active;expires=3600",
               state == SUBSCRIBER_PENDING ? "" : PIDF_OPEN);
    }
    if (state == SUBSCRIBER_DORMANT) {
        enter_dormant(s);
    }
    cr_assert_eq(state_of(s), state, "%s instead of %s", subscriber_state_name(state_of(s)),
                 subscriber_state_name(state));
    said(s);
}
