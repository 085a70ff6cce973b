/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io: what a ring may do, what kernels can, and why a system refuses one. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "io/io_uring_int.h"
#include "io_rig.h"

Test(io, where_buffers_may_be_shared)
{
    cr_assert_not(uring_may_share("6.1.0-38-amd64"));
    cr_assert_not(uring_may_share("6.12.30"));
    cr_assert_not(uring_may_share("6.15.9"));
    cr_assert(uring_may_share("6.16"));
    cr_assert(uring_may_share("6.18.44-fc"));
    cr_assert(uring_may_share("7.0.1"));
    cr_assert(uring_may_share("10.0"));
    cr_assert_not(uring_may_share("6"));
    cr_assert_not(uring_may_share(""));
    cr_assert_not(uring_may_share("next"));
}

/* What is not on the allow-list is refused by the kernel, whoever writes it into the ring. */
Test(io, other_operations_are_restricted)
{
    struct io *io = rig_start();
    struct uring *u = (struct uring *)(void *)io;
    struct io_uring_cqe *cqe = NULL;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

    if (!sqe) {
        cr_assert(false, "no room in a new queue");
        return;
    }
    io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", 0, 0);
    cr_assert_eq(io_uring_submit_and_wait(&u->ring, 1), 1);
    cr_assert_eq(io_uring_wait_cqe(&u->ring, &cqe), 0);
    cr_assert_eq(cqe->res, -EACCES);
    io_uring_cqe_seen(&u->ring, cqe);
    cr_assert_eq(io_uring_register_files_sparse(&u->ring, 4), -EACCES);
    rig_stop(io);
}

Test(io, a_refusal_is_explained)
{
    char why[300];

    cr_assert_eq(uring_explain(-EPERM, 2, "6.8", 0, why, sizeof(why)), ERR_IO_URING_SYSCTL);
    cr_assert(strstr(why, "kernel.io_uring_disabled is 2"));
    cr_assert_eq(uring_explain(-EPERM, 1, "6.8", 0, why, sizeof(why)), ERR_IO_URING_SYSCTL);
    cr_assert(strstr(why, "io_uring_group"));
    cr_assert_eq(uring_explain(-EPERM, 0, "6.8", 0, why, sizeof(why)), ERR_IO_URING_SECCOMP);
    cr_assert(strstr(why, "seccomp"));
    cr_assert_eq(uring_explain(-EPERM, -1, "6.1", 0, why, sizeof(why)), ERR_IO_URING_SECCOMP);
    cr_assert_eq(uring_explain(-ENOSYS, 0, "6.8", 0, why, sizeof(why)), ERR_IO_URING_SECCOMP);
    cr_assert_eq(uring_explain(-EINVAL, 0, "5.10.1", 0, why, sizeof(why)), ERR_IO_URING_OLD);
    cr_assert(strstr(why, "5.10.1"));
    cr_assert_eq(uring_explain(-ENOMEM, 0, "6.8", 65536, why, sizeof(why)), ERR_NOMEM);
    cr_assert(strstr(why, "65536"));
    cr_assert_eq(uring_explain(-EMFILE, 0, "6.8", 0, why, sizeof(why)), -EMFILE);
}

/* As a container's profile does it. */
static void forbid_io_uring(uint32_t answer_errno)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | answer_errno),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void expect_seccomp(void)
{
    struct io_params params = {.buf_count = RIG_BUFS, .buf_bytes = RIG_BUF_BYTES};
    struct io *io = NULL;
    char why[300] = "";

    cr_assert_eq(io_uring_backend.create(&io, &params, why, sizeof(why)), ERR_IO_URING_SECCOMP);
    cr_assert_null(io);
    cr_assert(strstr(why, "seccomp"), "%s", why);
}

Test(io, forbidden_by_seccomp_with_eperm)
{
    forbid_io_uring(EPERM);
    expect_seccomp();
}

Test(io, forbidden_by_seccomp_with_enosys)
{
    forbid_io_uring(ENOSYS);
    expect_seccomp();
}
