/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table_scene: what both files of the table's tests begin with: the fixture with puppets for
 * machines, anew for every test: TestSuite(x, .init = setup, .fini = teardown). For these only. */
#ifndef FG_TEST_TABLE_SCENE_H
#define FG_TEST_TABLE_SCENE_H

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/err.h"
#include "base/pool.h"
#include "presence/table.h"
#include "puppet.h"

#define BOB "bob@corp.example"
#define ANN "ann@chat.example"

static struct fixture f;

static void setup(void)
{
    puppet = (struct puppet){0};
    fixture_init(&f);
}

static void teardown(void)
{
    fixture_deinit(&f);
    cr_expect_eq(puppet.live, 0);
}

/* A stanza makes the contact work on, or rest. */
static void work(struct contact *c, enum puppet_event event, int64_t arg)
{
    (void)arg;
    if (event == PUPPET_STANZA) {
        puppet_set(c, 1);
        contact_set_state(c, CONTACT_ASKED, CONTACT_BY_PARTNER);
    }
}

static void stanza(const char *type, const char *local, const char *remote)
{
    char xml[256];

    (void)snprintf(xml, sizeof(xml), "<presence%s%s%s from='%s' to='%s'/>", *type ? " type='" : "",
                   type, *type ? "'" : "", remote, local);
    cr_assert(fixture_from_partner(&f, xml));
}

static uint64_t subscribe(const char *local, const char *to_tag)
{
    char text[512];

    (void)snprintf(text, sizeof(text),
                   "SUBSCRIBE sip:ann@chat.example SIP/2.0\n"
                   "Via: SIP/2.0/TLS a.example;branch=z9hG4bK1\nMax-Forwards: 70\n"
                   "From: <sip:%s>;tag=1\nTo: <sip:ann@chat.example>%s\n"
                   "Call-ID: c1\nCSeq: 1 SUBSCRIBE\nEvent: presence\n"
                   "Contact: <sip:bob@a.example>\nContent-Length: 0\n\n",
                   local, to_tag);
    return fixture_subscribe(&f, text);
}

static void expect_answer(uint64_t handle, unsigned status)
{
    const struct said *a = fixture_take_answer(&f);

    cr_assert_not_null(a);
    cr_expect_eq(a->handle, handle);
    cr_expect_eq(a->status, status, "%u instead of %u", a->status, status);
}

/* Written with single quotes. */
static void expect_stanza(const char *text)
{
    struct said *s = fixture_take_stanza(&f);

    cr_assert_not_null(s, "instead of %s", text);
    for (char *at = s->text; *at; at++) {
        *at = *at == '"' ? '\'' : *at;
    }
    cr_expect_str_eq(s->text, text);
}

#endif
