/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_uring_setup: creating a ring with its buffers and its allow-list of operations, and saying
 * why in words when the system refuses one. Control thread.                                      */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "io/io_uring_int.h"

static const uint8_t allowed_ops[] = {
    IORING_OP_ACCEPT,   IORING_OP_CONNECT,      IORING_OP_RECV,     IORING_OP_SEND,
    IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL, IORING_OP_MSG_RING, IORING_OP_SENDMSG,
};

static int sysctl_io_uring_disabled(void)
{
    FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    int c;

    if (!file) {
        return -1;
    }
    c = fgetc(file);
    (void)fclose(file);
    return c >= '0' && c <= '9' ? c - '0' : -1;
}

int uring_explain(int err, int sysctl_value, const char *kernel_release, uint64_t memlock_bytes,
                  char *why, size_t why_bytes)
{
    if (err == -ENOMEM) {
        (void)snprintf(why, why_bytes,
                       "io_uring: no memory for a ring: the limit of locked memory is %llu bytes; "
                       "raise it (LimitMEMLOCK= in the unit, or ulimit -l) or run fewer shards",
                       (unsigned long long)memlock_bytes);
        return ERR_NOMEM;
    }
    if (err == -EPERM && sysctl_value > 0) {
        (void)snprintf(why, why_bytes,
                       "io_uring is switched off: sysctl kernel.io_uring_disabled is %d; "
                       "set it to 0%s",
                       sysctl_value,
                       sysctl_value == 1 ? ", or add this user to kernel.io_uring_group" : "");
        return ERR_IO_URING_SYSCTL;
    }
    if (err == -EPERM || err == -EACCES || err == -ENOSYS) {
        (void)snprintf(why, why_bytes,
                       "io_uring is refused (%s), most likely by a seccomp profile (containers): "
                       "allow io_uring_setup, io_uring_enter and io_uring_register "
                       "(docker: --security-opt seccomp=..., systemd: SystemCallFilter=)%s",
                       err == -ENOSYS ? "ENOSYS" : "EPERM",
                       err == -ENOSYS ? "; or this kernel is built without it" : "");
        return ERR_IO_URING_SECCOMP;
    }
    if (err == -EINVAL) {
        (void)snprintf(why, why_bytes,
                       "the io_uring of this kernel (%s) is too old: Linux 6.1 or later is needed",
                       kernel_release);
        return ERR_IO_URING_OLD;
    }
    (void)snprintf(why, why_bytes, "io_uring could not be set up: %s", err_text(err));
    return err;
}

static int refused(int err, char *why, size_t why_bytes)
{
    struct rlimit memlock = {0};
    struct utsname name;

    (void)getrlimit(RLIMIT_MEMLOCK, &memlock);
    if (uname(&name) != 0) {
        name.release[0] = '\0';
    }
    return uring_explain(err, sysctl_io_uring_disabled(), name.release, memlock.rlim_cur, why,
                         why_bytes);
}

int uring_register(struct uring *u, unsigned opcode, const void *arg, unsigned count)
{
    int ret = io_uring_register((unsigned)u->ring.ring_fd, opcode, arg, count);

    return ret < 0 ? ret : 0;
}

/* Only what we use may ever be submitted: a seccomp filter cannot see inside the ring. */
static int restrict_ops(struct uring *u)
{
    struct io_uring_restriction rules[ARRAY_COUNT(allowed_ops) + 2];
    uint32_t count = 0;
    struct io_uring_probe *probe = io_uring_get_probe_ring(&u->ring);

    if (!probe) {
        return -EINVAL;
    }
    memset(rules, 0, sizeof(rules));
    for (size_t i = 0; i < ARRAY_COUNT(allowed_ops); i++) {
        if (!io_uring_opcode_supported(probe, allowed_ops[i])) {
            io_uring_free_probe(probe);
            return -EINVAL;
        }
        rules[count].opcode = IORING_RESTRICTION_SQE_OP;
        rules[count].sqe_op = allowed_ops[i];
        count++;
    }
    io_uring_free_probe(probe);
    rules[count].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    rules[count].sqe_flags = IOSQE_BUFFER_SELECT;
    count++;
    rules[count].opcode = IORING_RESTRICTION_REGISTER_OP;
    rules[count].register_op = IORING_REGISTER_ENABLE_RINGS;
    count++;
    return uring_register(u, IORING_REGISTER_RESTRICTIONS, rules, count);
}

static void *map_pages(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return at == MAP_FAILED ? NULL : at;
}

bool uring_may_share(const char *kernel_release)
{
    unsigned long major;
    unsigned long minor = 0;
    char *end;

    major = strtoul(kernel_release, &end, 10);
    if (end != kernel_release && *end == '.') {
        minor = strtoul(end + 1, NULL, 10);
    }
    return major > 6 || (major == 6 && minor >= 16);
}

/* liburing 2.3 has no helper: the ring's memory is ours, and every field of reg must be zero. */
static int register_bufs(struct uring *u, uint32_t flags)
{
    struct io_uring_buf_reg reg;

    memset(&reg, 0, sizeof(reg));
    reg.ring_addr = (uint64_t)(uintptr_t)u->buf_ring;
    reg.ring_entries = u->io.buf_count;
    reg.bgid = URING_BUF_GROUP;
    reg.pad = (uint16_t)flags;
    return io_uring_register_buf_ring(&u->ring, &reg, 0);
}

/* Sizes left to us depend on how buffers are used. */
static int add_bufs_as(struct uring *u, const struct io_params *params, bool is_shared)
{
    uint32_t count = is_shared ? URING_SHARED_BUF_COUNT : URING_WHOLE_BUF_COUNT;
    uint32_t bytes = is_shared ? URING_SHARED_BUF_BYTES : URING_WHOLE_BUF_BYTES;
    int err;

    u->is_shared = is_shared;
    u->io.buf_count = params->buf_count ? params->buf_count : count;
    u->io.buf_bytes = params->buf_bytes ? params->buf_bytes : bytes;
    u->buf_ring_bytes = (size_t)u->io.buf_count * sizeof(struct io_uring_buf);
    u->buf_ring = map_pages(u->buf_ring_bytes);
    if (!u->buf_ring) {
        return -ENOMEM;
    }
    err = register_bufs(u, is_shared ? URING_BUF_RING_SHARED : 0);
    if (err < 0) {
        (void)munmap(u->buf_ring, u->buf_ring_bytes);
        u->buf_ring = NULL;
    }
    return err < 0 ? err : 0;
}

static int add_buffers(struct uring *u, const struct io_params *params)
{
    struct utsname name;
    int err = -EINVAL;

    if (!params->is_plain && uname(&name) == 0 && uring_may_share(name.release)) {
        err = add_bufs_as(u, params, true);
    }
    if (err == -EINVAL) {
        err = add_bufs_as(u, params, false);
    }
    if (err < 0) {
        return err;
    }
    u->buf_memory = map_pages((size_t)u->io.buf_count * u->io.buf_bytes);
    if (!u->buf_memory) {
        return -ENOMEM;
    }
    u->bufs = pool_heap_zalloc(u->io.buf_count * sizeof(u->bufs[0]));
    io_uring_buf_ring_init(u->buf_ring);
    for (uint32_t i = 0; i < u->io.buf_count; i++) {
        io_uring_buf_ring_add(u->buf_ring, u->buf_memory + (size_t)i * u->io.buf_bytes,
                              u->io.buf_bytes, (uint16_t)i, io_uring_buf_ring_mask(u->io.buf_count),
                              (int)i);
    }
    io_uring_buf_ring_advance(u->buf_ring, (int)u->io.buf_count);
    return 0;
}

static int uring_create(struct io **out, const struct io_params *params, char *why,
                        size_t why_bytes)
{
    struct io_uring_params p;
    struct uring *u;
    int err;

    ASSERT(params->buf_count <= URING_BUF_COUNT_MAX);
    ASSERT((params->buf_count & (params->buf_count - 1)) == 0);
    u = pool_heap_zalloc(sizeof(*u));
    u->io.vt = &uring_vtable;
    u->linger_us = params->linger_us;
    memset(&p, 0, sizeof(p));
    p.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
              IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_TASKRUN_FLAG;
    p.cq_entries = params->cq_entries ? params->cq_entries : URING_CQ_ENTRIES;
    err = io_uring_queue_init_params(params->sq_entries ? params->sq_entries : URING_SQ_ENTRIES,
                                     &u->ring, &p);
    if (err == 0) {
        u->has_ring = true;
        err = add_buffers(u, params);
    }
    if (err == 0) {
        err = restrict_ops(u);
    }
    if (err < 0) {
        err = refused(err, why, why_bytes);
        uring_vtable.destroy(&u->io);
        return err;
    }
    *out = &u->io;
    return 0;
}

const struct io_backend io_uring_backend = {.name = "io_uring", .create = uring_create};
