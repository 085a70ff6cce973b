/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edit_random_test: random layouts x random changes of one list or object. The model: numbers.
 * After each edit the text parses to what the model says; what stands outside of the list is the
 * same bytes; every element that stays and every comment that is not beside a removed one is still
 * there, once, in order. */
#include <stdio.h>

#include <criterion/criterion.h>

#include "base/buf.h"
#include "policy/edit.h"
#include "policy/json.h"

#define ROUNDS    20000u
#define ITEMS_MAX 9u

static uint64_t state;

static uint32_t rnd(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 33) % below);
}

struct scene {
    struct buf text;
    uint32_t values[ITEMS_MAX * 2]; /* the model */
    uint32_t count;
    uint32_t next; /* numbers of elements and comments are never used twice */
    bool is_crlf;
    bool is_object; /* "l" is no list, its members are "k" and their number */
};

/* Blanks, line ends and comments with numbers in them, in any mixture. */
static void put_gap(struct scene *s)
{
    for (uint32_t i = rnd(4); i > 0; i--) {
        switch (rnd(7)) {
        case 0:
            buf_printf(&s->text, "/*c%u,]\"*/", s->next++);
            break;
        case 1:
            buf_printf(&s->text, "//c%u,[{%s", s->next++, s->is_crlf ? "\r\n" : "\n");
            break;
        case 2:
            buf_printf(&s->text, "/*c%u\n*/", s->next++);
            break;
        case 3:
            buf_putc(&s->text, '\t');
            break;
        case 4:
            buf_putc(&s->text, ' ');
            break;
        default:
            buf_put_cstr(&s->text, s->is_crlf ? "\r\n" : "\n");
        }
    }
}

/* An element that holds its number: bare, in a text with brackets, or deep inside. */
static void put_element(struct buf *text, uint32_t number)
{
    switch (number % 4) {
    case 0:
        buf_printf(text, "%u", number);
        break;
    case 1:
        buf_printf(text, "\"%u\\\"],/*\"", number);
        break;
    case 2:
        buf_printf(text, "[[%u, 0], {\"k\": []}]", number);
        break;
    default:
        buf_printf(text, "{\"k\": %u}", number);
    }
}

static void put_key(struct scene *s, uint32_t number)
{
    if (s->is_object) {
        buf_printf(&s->text, "\"k%u\"", number);
        put_gap(s);
        buf_putc(&s->text, ':');
        put_gap(s);
    }
}

static void put_scene(struct scene *s)
{
    s->is_object = rnd(2) != 0;
    s->is_crlf = rnd(4) == 0;
    s->count = rnd(ITEMS_MAX);
    s->next = 1000;
    buf_put_cstr(&s->text, rnd(8) ? "" : "\xef\xbb\xbf");
    put_gap(s);
    buf_put_lit(&s->text, "{");
    put_gap(s);
    buf_put_lit(&s->text, "\"b\":1,");
    put_gap(s);
    buf_put_lit(&s->text, "\"l\":");
    put_gap(s);
    buf_putc(&s->text, s->is_object ? '{' : '[');
    for (uint32_t i = 0; i < s->count; i++) {
        put_gap(s);
        s->values[i] = s->next++;
        put_key(s, s->values[i]);
        put_element(&s->text, s->values[i]);
        put_gap(s);
        if (i + 1 < s->count) {
            buf_putc(&s->text, ',');
        }
    }
    put_gap(s);
    buf_putc(&s->text, s->is_object ? '}' : ']');
    put_gap(s);
    buf_put_cstr(&s->text, rnd(2) ? ",\"z\":2}" : "}");
    put_gap(s);
}

/* The number in the element at node. */
static uint32_t number_of(const struct json_doc *doc, uint32_t node)
{
    struct slice text;
    uint64_t number = 0;

    while (json_kind_of(doc, node) != JSON_NUMBER && json_kind_of(doc, node) != JSON_TEXT) {
        node += json_kind_of(doc, node) == JSON_OBJECT ? 2 : 1;
    }
    text = json_text(doc, node);
    for (size_t i = 0; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) {
        number = number * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    return (uint32_t)number;
}

/* What an edit may have changed: original[start..end) became now[start..now_end). */
struct change {
    size_t start;
    size_t end;
    size_t now_end;
};

static struct change change_of(struct slice a, struct slice b)
{
    struct change c = {0, a.len, b.len};

    while (c.start < a.len && c.start < b.len && a.ptr[c.start] == b.ptr[c.start]) {
        c.start++;
    }
    while (c.end > c.start && c.now_end > c.start && a.ptr[c.end - 1] == b.ptr[c.now_end - 1]) {
        c.end--;
        c.now_end--;
    }
    return c;
}

/* Every byte of the old text that is no comma, blank, removed element or comment beside a removed
 * one stands in the new text in the same order: counted by the numbers in both. */
static uint32_t next_number(struct slice text, size_t *at)
{
    uint32_t number = 0;
    uint32_t digits = 0;

    for (; *at < text.len; (*at)++) {
        if (text.ptr[*at] >= '0' && text.ptr[*at] <= '9') {
            number = number * 10 + (uint32_t)(text.ptr[*at] - '0');
            digits++;
        } else if (digits >= 4) {
            return number;
        } else {
            digits = 0;
            number = 0;
        }
    }
    return digits >= 4 ? number : 0;
}

/* may_go: bounds (numbers are given in the order of the text) of what belongs to a removed
 * element: behind the element before it, up to the one after it. */
static bool may_go(const struct scene *s, const bool *gone, uint32_t number)
{
    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t from = i ? s->values[i - 1] : 0;
        uint32_t to = i + 1 < s->count ? s->values[i + 1] : UINT32_MAX;

        if (gone[i] && number > from && number < to) {
            return true;
        }
    }
    return false;
}

static void check_numbers(const struct scene *s, const bool *gone, uint32_t first_new,
                          struct slice before, struct slice now)
{
    size_t at = 0;
    size_t now_at = 0;
    uint32_t old = next_number(before, &at);
    uint32_t new = next_number(now, &now_at);

    while (old || new) {
        if (new >= first_new) {
            new = next_number(now, &now_at);
        } else if (old && old == new) {
            old = next_number(before, &at);
            new = next_number(now, &now_at);
        } else {
            cr_assert(old && may_go(s, gone, old), "%u is gone\n%.*s\n---\n%.*s", old,
                      SLICE_FMT(before), SLICE_FMT(now));
            old = next_number(before, &at);
        }
    }
}

static void check_model(struct slice now, const uint32_t *model, uint32_t count)
{
    struct json_doc doc = {0};
    struct json_fault fault;
    uint32_t list;
    uint32_t idx = 0;

    cr_assert_eq(json_parse(&doc, now, 16, &fault), 0, "%s\n%.*s", fault.text, SLICE_FMT(now));
    list = edit_member(&doc, 0, SLICE_LIT("l"));
    cr_assert_eq(json_child_count(&doc, list), count, "%.*s", SLICE_FMT(now));
    for (uint32_t at = list + 1; at < doc.nodes[list].next; at = doc.nodes[at].next) {
        at += json_kind_of(&doc, at) == JSON_KEY;
        cr_assert_eq(number_of(&doc, at), model[idx++]);
    }
    cr_assert_neq(edit_member(&doc, 0, SLICE_LIT("b")), JSON_NONE);
    json_deinit(&doc);
}

struct round {
    bool gone[ITEMS_MAX];
    uint32_t removed[ITEMS_MAX];
    uint32_t model[ITEMS_MAX * 2];
    uint32_t model_count;
    struct buf added_text[2];
    struct slice added[2];
    struct edit_elements elements;
    struct edit_member members[ITEMS_MAX + 2]; /* of an object: the same changes */
    char keys[ITEMS_MAX + 2][16];
    uint32_t member_count;
};

static void add_member(struct round *r, uint32_t number, struct slice value)
{
    uint32_t i = r->member_count++;

    (void)snprintf(r->keys[i], sizeof(r->keys[i]), "k%u", number);
    r->members[i] = (struct edit_member){slice_from_cstr(r->keys[i]), value};
}

static void choose(struct round *r, struct scene *s, const struct json_doc *doc, uint32_t list)
{
    uint32_t idx = 0;
    uint32_t many = rnd(4);

    r->elements = (struct edit_elements){.removed = r->removed, .added = r->added};
    for (uint32_t at = list + 1; at < doc->nodes[list].next; at = doc->nodes[at].next, idx++) {
        at += json_kind_of(doc, at) == JSON_KEY;
        r->gone[idx] = rnd(4) < many;
        if (r->gone[idx]) {
            add_member(r, s->values[idx], SLICE_NONE);
            r->removed[r->elements.removed_count++] = at;
        } else {
            r->model[r->model_count++] = s->values[idx];
        }
    }
    r->elements.added_count = rnd(3);
    for (uint32_t i = 0; i < r->elements.added_count; i++) {
        buf_init(&r->added_text[i], 256);
        r->model[r->model_count++] = s->next;
        if (rnd(2)) {
            buf_printf(&r->added_text[i], "{\n    \"k\": %u\n}", s->next++);
        } else {
            put_element(&r->added_text[i], s->next++);
        }
        r->added[i] = buf_slice(&r->added_text[i]);
        add_member(r, s->next - 1, r->added[i]);
    }
}

static void play(struct scene *s)
{
    struct json_doc doc = {0};
    struct json_fault fault;
    struct round r = {0};
    uint32_t first_new = s->next;
    struct slice before = buf_slice(&s->text);
    struct edit_text text;
    struct edit e;
    struct change change;
    struct slice now;
    uint32_t list;

    cr_assert_eq(json_parse(&doc, before, 16, &fault), 0, "%s", fault.text);
    list = edit_member(&doc, 0, SLICE_LIT("l"));
    choose(&r, s, &doc, list);
    edit_init(&e, &doc);
    cr_assert_eq(s->is_object ? edit_object(&e, list, r.members, r.member_count)
                              : edit_list(&e, list, &r.elements),
                 0, "%s", e.why);
    cr_assert_eq(edit_finish(&e, &text), 0, "%s\n%.*s", e.why, SLICE_FMT(before));
    now = slice_make(text.bytes, text.len);
    check_model(now, r.model, r.model_count);
    check_numbers(s, r.gone, first_new, before, now);
    change = change_of(before, now);
    if (r.elements.removed_count || r.elements.added_count) {
        cr_assert_geq(change.start, doc.nodes[list].start);
        cr_assert_leq(change.end, edit_value_end(&doc, list));
    } else {
        cr_assert(slice_eq(before, now));
    }
    edit_text_deinit(&text);
    edit_deinit(&e);
    json_deinit(&doc);
    for (uint32_t i = 0; i < r.elements.added_count; i++) {
        buf_deinit(&r.added_text[i]);
    }
}

Test(edit_random, a_list_or_object_becomes_what_the_model_says_and_the_rest_stays)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct scene s = {0};

        state = 0x9e3779b97f4a7c15u * (round + 1);
        buf_init(&s.text, 1 << 16);
        put_scene(&s);
        play(&s);
        buf_deinit(&s.text);
    }
}

/* A member set leaves every byte outside of its value; added and removed again leaves every
 * comment. */
Test(edit_random, a_value_set_changes_nothing_but_itself)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct scene s = {0};
        struct json_doc doc = {0};
        struct json_fault fault;
        struct edit_text text;
        struct edit e;
        uint32_t list;
        size_t start;
        size_t end;

        state = 0x9e3779b97f4a7c15u * (round + 77777);
        buf_init(&s.text, 1 << 16);
        put_scene(&s);
        cr_assert_eq(json_parse(&doc, buf_slice(&s.text), 16, &fault), 0);
        list = edit_member(&doc, 0, SLICE_LIT("l"));
        start = doc.nodes[list].start;
        end = edit_value_end(&doc, list);
        edit_init(&e, &doc);
        cr_assert_eq(
            edit_object(&e, 0, &(struct edit_member){SLICE_LIT("l"), SLICE_LIT("true")}, 1), 0);
        cr_assert_eq(edit_finish(&e, &text), 0);
        cr_assert_eq(text.len, doc.source.len - (end - start) + 4);
        cr_assert_eq(memcmp(text.bytes, doc.source.ptr, start), 0);
        cr_assert_eq(memcmp(text.bytes + start, "true", 4), 0);
        cr_assert_eq(memcmp(text.bytes + start + 4, doc.source.ptr + end, doc.source.len - end), 0);
        edit_text_deinit(&text);
        edit_deinit(&e);
        json_deinit(&doc);
        buf_deinit(&s.text);
    }
}
