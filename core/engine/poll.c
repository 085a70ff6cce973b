/* SPDX-License-Identifier: GPL-2.0-or-later */
/* poll: readiness of descriptors that others own. One-shot polls of the kernel, armed again after
 * each report. An entry's generation moves on whenever it changes, so that the report of an older
 * poll is recognised and dropped. */
#include <errno.h>
#include <poll.h>

#include "base/check.h"
#include "base/err.h"
#include "engine/shard_state.h"

static struct shard_poll *poll_find(struct shard *sh, int fd)
{
    for (uint32_t i = 0; i < sh->poll_count; i++) {
        if (sh->polls[i].fd == fd) {
            return &sh->polls[i];
        }
    }
    return NULL;
}

static struct io_tag poll_tag(const struct shard *sh, const struct shard_poll *p)
{
    return (struct io_tag){IO_OP_POLL, (uint32_t)(p - sh->polls), p->generation};
}

static int poll_arm(struct shard *sh, struct shard_poll *p)
{
    int err = sh->io->vt->poll(sh->io, p->fd, p->mask, poll_tag(sh, p));

    p->is_armed = err == 0;
    return err;
}

/* Ends the poll in the kernel; its report will carry a generation of the past. */
static void poll_drop(struct shard *sh, struct shard_poll *p)
{
    if (p->is_armed) {
        /* No room for the cancel: the stale poll then fires at most once, unheard. */
        (void)sh->io->vt->cancel(sh->io, poll_tag(sh, p), (struct io_tag){.op = IO_OP_CANCEL});
    }
    p->is_armed = false;
    p->generation++;
}

int shard_poll_add(struct shard *sh, int fd, uint32_t poll_mask, shard_poll_fn *ready, void *ctx)
{
    struct shard_poll *p = poll_find(sh, fd);

    ASSERT(fd >= 0 && ready);
    if (p) {
        poll_drop(sh, p);
    } else {
        p = poll_find(sh, -1);
    }
    if (!p) {
        if (sh->poll_count == SHARD_POLLS_MAX) {
            return ERR_LIMIT;
        }
        p = &sh->polls[sh->poll_count++];
    }
    p->fd = fd;
    p->mask = poll_mask;
    p->ready = ready;
    p->ctx = ctx;
    p->generation++;
    if (poll_arm(sh, p)) {
        p->fd = -1;
        return ERR_FULL;
    }
    return 0;
}

void shard_poll_remove(struct shard *sh, int fd)
{
    struct shard_poll *p = fd >= 0 ? poll_find(sh, fd) : NULL;

    if (p) {
        poll_drop(sh, p);
        p->fd = -1;
        p->ready = NULL;
    }
}

void shard_poll_event(struct shard *sh, const struct io_event *ev)
{
    struct shard_poll *p = &sh->polls[ev->tag.slot % SHARD_POLLS_MAX];
    uint32_t generation = p->generation;

    if (p->fd < 0 || generation != ev->tag.generation || !p->is_armed) {
        return;
    }
    p->is_armed = false;
    p->ready(sh, p->fd, ev->result < 0 ? POLLERR : (uint32_t)ev->result, p->ctx);
    if (p->fd >= 0 && p->generation == generation && poll_arm(sh, p)) {
        /* The queue stays full although this turn's events are handled: the kernel is out of
         * memory. Tell the owner that this descriptor is of no use. */
        p->ready(sh, p->fd, POLLERR, p->ctx);
    }
}
