/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_own: what the node calls itself in Via is that of the snapshot in force, whenever it changes:
 * it is kept between messages. */
#include <criterion/criterion.h>

#include "base/pool.h"
#include "edge/sip_int.h"
#include "engine/shard_state.h"
#include "help.h"

static const struct help_doc docs[] = {
    {.node = "{\"name\":\"edge1.corp.example\"}",
     .listen = "{\"sip\":[\"tls:127.0.0.1:5071\",\"tcp:127.0.0.1:5070\"]}"},
    {.node = "{\"name\":\"other.corp.example\"}",
     .listen = "{\"sip\":[\"tcp:127.0.0.1:5072\",\"tls:[::1]:5073\"]}"},
    {.node = "{\"name\":\"edge1.corp.example\"}", .listen = "{}"},
};
static const char *const texts[ARRAY_COUNT(docs)][2] = {
    {"edge1.corp.example:5070", "edge1.corp.example:5071"},
    {"other.corp.example:5072", "other.corp.example:5073"},
    {"edge1.corp.example:5060", "edge1.corp.example:5061"},
};

static void expect_own(struct sip_side *s, const char *const want[2])
{
    for (int is_tls = 0; is_tls < 2; is_tls++) {
        const struct sip_own *own = sip_own(s, is_tls);
        struct sip_host host;

        cr_assert(slice_eq_cstr(sip_sent_by(s, is_tls), want[is_tls]), "%s", own->text);
        cr_assert_eq(sip_host_parse(slice_from_cstr(want[is_tls]), &host), 0);
        cr_assert_eq(own->host.port, host.port);
        cr_assert(sip_host_eq(&own->host, &host));
    }
}

Test(sip_own, follows_the_snapshot)
{
    static struct setup setups[ARRAY_COUNT(docs)];
    static struct shard sh;
    struct edge *e = pool_heap_zalloc(sizeof(*e));
    struct sip_side s = {.e = e};

    e->sh = &sh;
    for (size_t i = 0; i < ARRAY_COUNT(docs); i++) {
        setups[i].policy = help_load(&docs[i]);
    }
    for (size_t n = 0; n < 3 * ARRAY_COUNT(docs); n++) {
        size_t i = n * 2 % ARRAY_COUNT(docs);

        /* As the engine and edge.c do it; the first snapshot is that of version 0. */
        sh.snapshot = &setups[i];
        expect_own(&s, texts[i]);
        expect_own(&s, texts[i]);
        e->setup_version++;
    }
    for (size_t i = 0; i < ARRAY_COUNT(docs); i++) {
        snapshot_free(setups[i].policy);
    }
    pool_heap_free(e);
}
