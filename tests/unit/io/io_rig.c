/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_rig: an io for the tests of the io_uring backend. */
#include "io_rig.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/io_uring_int.h"

struct io *rig_start_with(const struct io_params *params)
{
    struct io *io = NULL;
    char why[300] = "";

    cr_assert_eq(io_uring_backend.create(&io, params, why, sizeof(why)), 0, "%s", why);
    cr_assert_eq(io->vt->enable(io), 0);
    return io;
}

struct io *rig_start_as(bool is_plain)
{
    return rig_start_with(&(struct io_params){
        .buf_count = RIG_BUFS, .buf_bytes = RIG_BUF_BYTES, .is_plain = is_plain});
}

struct io *rig_start(void)
{
    return rig_start_as(false);
}

bool rig_is_shared(struct io *io)
{
    return ((struct uring *)(void *)io)->is_shared;
}

void rig_stop(struct io *io)
{
    cr_assert(io_uring_bufs_ok(io));
    cr_assert_eq(io->overflow_count, 0);
    io->vt->destroy(io);
}

struct io_tag rig_tag(enum io_op op, uint32_t slot)
{
    return (struct io_tag){op, slot, slot + 1000};
}

struct io_event rig_next(struct io *io, enum io_op op, uint32_t slot)
{
    struct io_event ev = {0};

    for (uint32_t i = 0; i < 50; i++) {
        if (io->vt->reap(io, &ev, 1)) {
            cr_assert_eq(ev.tag.op, op);
            cr_assert_eq(ev.tag.slot, slot);
            cr_assert_eq(ev.tag.generation, slot + 1000);
            return ev;
        }
        cr_assert_eq(io->vt->wait(io, 200), 0);
    }
    cr_assert(false, "no event");
    return ev;
}

bool rig_is_quiet(struct io *io)
{
    struct io_event ev;

    (void)io->vt->wait(io, 20);
    return io->vt->reap(io, &ev, 1) == 0;
}

void rig_pairs_open(struct rig_pairs *p, struct io *io, uint32_t count)
{
    cr_assert_leq(count, RIG_PAIRS_MAX);
    p->count = count;
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, p->fds[i]), 0);
        cr_assert_eq(io->vt->recv(io, p->fds[i][0], rig_tag(IO_OP_RECV, i)), 0);
    }
    cr_assert(rig_is_quiet(io));
}

void rig_pairs_write(const struct rig_pairs *p, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(write(p->fds[i][1], "abc", 3), 3);
    }
}

void rig_pairs_take(struct io *io, const struct io_event *events, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(events[i].result, 3, "%d", events[i].result);
        cr_assert_arr_eq(events[i].bytes, "abc", 3);
        io->vt->buf_return(io, events[i].buf_idx);
    }
}

void rig_pairs_stop(struct rig_pairs *p, struct io *io)
{
    for (uint32_t i = 0; i < p->count; i++) {
        close(p->fds[i][1]);
    }
    rig_stop(io);
    for (uint32_t i = 0; i < p->count; i++) {
        close(p->fds[i][0]);
    }
}
