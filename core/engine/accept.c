/* SPDX-License-Identifier: GPL-2.0-or-later */
/* accept: shard 0 accepts on all listeners and hands the descriptors to the shard with the fewest
 * connections. Counts inbound connections per address (IPv6: per /64) until they are
 * authenticated or gone. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/map.h"
#include "engine/conn_int.h"
#include "engine/shard_state.h"

#define ACCEPT_RETRY_MS 200u /* after EMFILE and the like: descriptors have to be closed first */

struct addr_count {
    char key[ADMISSION_ADDRESS_BYTES];
    uint32_t count;
};

struct listener {
    int fd; /* owned; -1 = free */
    uint32_t tag;
    uint32_t generation;
    bool is_armed;
};

struct acceptor {
    struct listener listeners[ENGINE_LISTENERS_MAX];
    uint32_t listener_count;
    struct wheel_timer retry;
    struct map counts; /* struct addr_count, owned */
    /* Handed over so far per shard, and what those had accepted when we looked: in between is on
     * its way and counts as open. */
    uint64_t handed[ENGINE_SHARDS_MAX];
    uint32_t next_shard;
};

void acceptor_new(struct shard *sh)
{
    sh->acceptor = pool_heap_zalloc(sizeof(*sh->acceptor));
}

void acceptor_free(struct shard *sh)
{
    struct acceptor *a = sh->acceptor;
    struct addr_count *count;
    size_t cursor = 0;

    if (!a) {
        return;
    }
    while ((count = map_next(&a->counts, &cursor))) {
        pool_heap_free(count);
    }
    map_deinit(&a->counts);
    pool_heap_free(a);
    sh->acceptor = NULL;
}

static void listeners_arm(struct shard *sh);

static void retry_fired(struct wheel_timer *timer, void *ctx)
{
    (void)timer;
    listeners_arm(ctx);
}

static void listeners_arm(struct shard *sh)
{
    struct acceptor *a = sh->acceptor;

    for (uint32_t i = 0; i < a->listener_count; i++) {
        struct listener *l = &a->listeners[i];

        if (l->fd < 0 || l->is_armed) {
            continue;
        }
        if (sh->io->vt->accept(sh->io, l->fd, (struct io_tag){IO_OP_ACCEPT, i, l->generation})) {
            shard_timer_arm(sh, &a->retry, ACCEPT_RETRY_MS, retry_fired, sh);
            return;
        }
        l->is_armed = true;
    }
}

void acceptor_listen(struct shard *sh, struct listen_mail *m)
{
    struct acceptor *a = sh->acceptor;
    struct listener *l = NULL;

    for (uint32_t i = 0; i < a->listener_count && !l; i++) {
        l = a->listeners[i].fd < 0 ? &a->listeners[i] : NULL;
    }
    if (!l) {
        ASSERT(a->listener_count < ENGINE_LISTENERS_MAX); /* engine_listen counts them */
        l = &a->listeners[a->listener_count++];
    }
    *l = (struct listener){.fd = m->fd, .tag = m->tag, .generation = l->generation + 1};
    listeners_arm(sh);
}

void acceptor_stop(struct shard *sh)
{
    struct acceptor *a = sh->acceptor;

    for (uint32_t i = 0; i < a->listener_count; i++) {
        struct listener *l = &a->listeners[i];

        if (l->fd < 0) {
            continue;
        }
        if (l->is_armed) {
            (void)sh->io->vt->cancel(sh->io, (struct io_tag){IO_OP_ACCEPT, i, l->generation},
                                     (struct io_tag){.op = IO_OP_CANCEL});
        }
        /* The accept in flight holds the socket open; shutdown ends it, whatever the cancel
         * does. */
        sh->io->vt->shutdown_listen(sh->io, l->fd);
        sh->io->vt->close(sh->io, l->fd, false);
        l->fd = -1;
        l->is_armed = false;
        l->generation++;
    }
    wheel_disarm(&sh->wheel, &a->retry);
}

void acceptor_address_key(const struct sockaddr *peer, char key[ADMISSION_ADDRESS_BYTES])
{
    memset(key, 0, ADMISSION_ADDRESS_BYTES);
    if (peer->sa_family == AF_INET6) {
        /* One customer gets a /64 at least. */
        memcpy(key, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 8);
    } else {
        key[10] = (char)0xff;
        key[11] = (char)0xff;
        memcpy(key + 12, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
    }
}

/* NULL when the address has as many as it may have. */
static struct addr_count *address_take(struct shard *sh, const struct sockaddr_storage *peer)
{
    struct acceptor *a = sh->acceptor;
    struct addr_count *count;
    char key[ADMISSION_ADDRESS_BYTES];

    acceptor_address_key((const struct sockaddr *)peer, key);
    count = map_get(&a->counts, slice_make(key, sizeof(key)));
    if (!count) {
        count = pool_heap_zalloc(sizeof(*count));
        memcpy(count->key, key, sizeof(key));
        (void)map_add(&a->counts, slice_make(count->key, sizeof(count->key)), count);
    }
    if (count->count >= sh->engine->params.conn_per_address_max) {
        return NULL;
    }
    count->count++;
    return count;
}

void acceptor_ticket_back(struct shard *sh, struct ticket *t)
{
    struct addr_count *count = t->count;

    ASSERT(count && count->count > 0);
    if (--count->count == 0) {
        (void)map_remove(&sh->acceptor->counts, slice_make(count->key, sizeof(count->key)));
        pool_heap_free(count);
    }
    pool_free(t);
}

void ticket_return(struct shard *sh, struct ticket *t)
{
    t->mail.kind = MAIL_KIND_TICKET;
    shard_post_reply(sh, 0, &t->mail); /* one per accepted connection */
}

/* Open connections of a shard, and what is on its way to it. */
static uint64_t load_of(const struct shard *sh, uint32_t idx)
{
    const struct engine_stats *stats = &sh->engine->shards[idx].stats;
    uint64_t taken = __atomic_load_n(&stats->conn_accepted, __ATOMIC_RELAXED) +
                     __atomic_load_n(&stats->conn_refused_full, __ATOMIC_RELAXED);
    uint64_t open = __atomic_load_n(&stats->conn_open, __ATOMIC_RELAXED);

    return open + (sh->acceptor->handed[idx] - taken);
}

/* The least loaded shard, in turn among equals; UINT32_MAX when all are full. */
static uint32_t shard_choose(struct shard *sh)
{
    uint32_t count = sh->engine->shard_count;
    uint32_t best = UINT32_MAX;
    uint64_t best_load = sh->engine->params.conn_max;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t idx = (sh->acceptor->next_shard + i) % count;
        uint64_t load = load_of(sh, idx);

        if (load < best_load) {
            best = idx;
            best_load = load;
        }
    }
    sh->acceptor->next_shard = (sh->acceptor->next_shard + 1) % count;
    return best;
}

static void hand_over(struct shard *sh, int fd, uint32_t tag)
{
    struct ticket *t = pool_zalloc(sizeof(*t));
    uint32_t idx;

    if (!t || sh->io->vt->accepted(sh->io, fd, &t->peer, &t->peer_len)) {
        sh->io->vt->close(sh->io, fd, false); /* gone already, or no memory */
        pool_free(t);
        return;
    }
    if (sh->engine->params.conn_per_address_max) {
        t->count = address_take(sh, &t->peer);
        if (!t->count) {
            stat_add(&sh->stats.conn_refused_address, 1);
            sh->io->vt->close(sh->io, fd, true);
            pool_free(t);
            return;
        }
    }
    idx = shard_choose(sh);
    if (idx == UINT32_MAX) {
        sh->acceptor->handed[0]++; /* refused in the name of shard 0, which counts it */
        stat_add(&sh->stats.conn_refused_full, 1);
        sh->io->vt->close(sh->io, fd, true);
        if (t->count) {
            acceptor_ticket_back(sh, t);
        } else {
            pool_free(t);
        }
        return;
    }
    sh->acceptor->handed[idx]++;
    t->fd = fd;
    t->listener_tag = tag;
    t->mail.kind = MAIL_KIND_ACCEPTED;
    shard_post_reply(sh, idx, &t->mail); /* bounded by the slots of that shard */
}

void acceptor_event(struct shard *sh, const struct io_event *ev)
{
    struct acceptor *a = sh->acceptor;
    struct listener *l = &a->listeners[ev->tag.slot % ENGINE_LISTENERS_MAX];

    if (l->fd < 0 || l->generation != ev->tag.generation) {
        if (ev->result >= 0) {
            sh->io->vt->close(sh->io, ev->result, true); /* came in while the listener closed */
        }
        return;
    }
    if (ev->result >= 0) {
        hand_over(sh, ev->result, l->tag);
    }
    if (!ev->is_last) {
        return;
    }
    l->is_armed = false;
    if (ev->result == -EMFILE || ev->result == -ENFILE || ev->result == -ENOBUFS ||
        ev->result == -ENOMEM) {
        LOG_W(conn_refused, "reason=%s listener=%u", err_name(ev->result), l->tag);
        shard_timer_arm(sh, &a->retry, ACCEPT_RETRY_MS, retry_fired, sh);
    } else {
        listeners_arm(sh); /* ECONNABORTED and other troubles of one peer */
    }
}
