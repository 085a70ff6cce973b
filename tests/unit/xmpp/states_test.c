/* SPDX-License-Identifier: GPL-2.0-or-later */
/* states: the table of the stream machine: reachable, ending, and drawn in the README. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/buf.h"
#include "xmpp/stream_int.h"

static uint32_t successors(uint32_t state)
{
    const char *name;

    return stream_state_successors(state, &name);
}

static uint32_t reachable(uint32_t from)
{
    uint32_t seen = 1u << from;

    for (uint32_t round = 0; round < STREAM_STATE_COUNT; round++) {
        for (uint32_t s = 0; s < STREAM_STATE_COUNT; s++) {
            if (seen & (1u << s)) {
                seen |= successors(s);
            }
        }
    }
    return seen;
}

Test(states, each_role_reaches_its_own_states_and_only_those)
{
    uint32_t in = reachable(STREAM_STATE_IN_OPENING);
    uint32_t out = reachable(STREAM_STATE_OUT_OPENING);
    uint32_t ends = 1u << STREAM_STATE_CLOSING | 1u << STREAM_STATE_DEAD;

    cr_assert_eq(in & out, ends);
    cr_assert_eq(in | out, (1u << STREAM_STATE_COUNT) - 1);
}

Test(states, every_state_but_the_last_can_end)
{
    for (uint32_t s = 0; s < STREAM_STATE_COUNT; s++) {
        bool can_end = (successors(s) & (1u << STREAM_STATE_DEAD)) != 0;

        cr_assert_eq(can_end, s != STREAM_STATE_DEAD);
    }
}

Test(states, the_readme_shows_this_table)
{
    static char readme[16384];
    struct buf table;
    FILE *f = fopen(XMPP_README, "r");
    size_t len;

    cr_assert(f, "cannot open " XMPP_README);
    len = fread(readme, 1, sizeof(readme) - 1, f);
    cr_assert_eq(fclose(f), 0);
    readme[len] = '\0';
    buf_init(&table, 8192);
    for (uint32_t s = 0; s < STREAM_STATE_COUNT; s++) {
        const char *name;
        uint32_t next = stream_state_successors(s, &name);

        buf_printf(&table, "%-14s ->", name);
        for (uint32_t n = 0; n < STREAM_STATE_COUNT; n++) {
            if (next & (1u << n)) {
                (void)stream_state_successors(n, &name);
                buf_printf(&table, " %s", name);
            }
        }
        buf_putc(&table, '\n');
    }
    buf_putc(&table, '\0');
    cr_assert(strstr(readme, buf_slice(&table).ptr), "the README needs:\n%s",
              buf_slice(&table).ptr);
    buf_deinit(&table);
}
