/* SPDX-License-Identifier: GPL-2.0-or-later */
/* save_test: the file is the old one or the new one, whatever happens at whichever step; nobody's
 * edit is lost. */
#include "ctl/save.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/err.h"

#define TEXT_BYTES ((size_t)200000) /* several SAVE_WRITE steps */

static char folder[64];
static char file[96];
static char old_text[TEXT_BYTES];
static char new_text[TEXT_BYTES / 2];

static void put_file(const char *path, struct slice text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);

    cr_assert_geq(fd, 0, "%s", path);
    cr_assert_eq(write(fd, text.ptr, text.len), (ssize_t)text.len);
    (void)close(fd);
}

static bool holds(const char *path, struct slice text)
{
    static char bytes[TEXT_BYTES + 1];
    int fd = open(path, O_RDONLY);
    ssize_t len = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));

    if (fd >= 0) {
        (void)close(fd);
    }
    return len >= 0 && slice_eq(slice_make(bytes, (size_t)len), text);
}

/* Names in the folder besides "." and "..". */
static uint32_t count_names(void)
{
    DIR *dir = opendir(folder);
    uint32_t count = 0;

    cr_assert_not_null(dir);
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    }
    (void)closedir(dir);
    return count;
}

static void setup(void)
{
    (void)snprintf(folder, sizeof(folder), "/tmp/fedgate-save-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(file, sizeof(file), "%s/fedgate.conf", folder);
    memset(old_text, 'o', sizeof(old_text));
    memset(new_text, 'n', sizeof(new_text));
    put_file(file, slice_make(old_text, sizeof(old_text)));
}

static void teardown(void)
{
    DIR *dir = opendir(folder);

    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        (void)unlinkat(dirfd(dir), e->d_name, 0);
    }
    if (dir) {
        (void)closedir(dir);
    }
    (void)rmdir(folder);
}

TestSuite(save, .init = setup, .fini = teardown);

static struct slice old_slice(void)
{
    return slice_make(old_text, sizeof(old_text));
}
static struct slice new_slice(void)
{
    return slice_make(new_text, sizeof(new_text));
}

static int save_new(save_probe_fn *probe, void *ctx, bool *is_new)
{
    struct save s = {.probe = probe, .probe_ctx = ctx};
    int err = save_begin(&s, file, false);

    *is_new = false;
    if (!err) {
        cr_assert(slice_eq(save_text(&s), old_slice()));
        err = save_commit(&s, new_slice(), is_new);
    }
    cr_assert((err == 0) == (s.why[0] == 0), "%s", s.why);
    save_end(&s);
    return err;
}

Test(save, the_new_text_with_the_old_mode)
{
    bool is_new;
    struct stat st;

    cr_assert_eq(chmod(file, 0604), 0);
    cr_assert_eq(save_new(NULL, NULL, &is_new), 0);
    cr_expect(is_new);
    cr_expect(holds(file, new_slice()));
    cr_expect_eq(count_names(), 1);
    cr_assert_eq(stat(file, &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0604u);
}

Test(save, a_link_stays_a_link)
{
    char link_name[96];
    struct save s = {0};
    struct stat st;
    bool is_new;

    (void)snprintf(link_name, sizeof(link_name), "%s/link", folder);
    cr_assert_eq(symlink("fedgate.conf", link_name), 0);
    cr_assert_eq(save_begin(&s, link_name, false), 0);
    cr_assert_eq(save_commit(&s, new_slice(), &is_new), 0);
    save_end(&s);
    cr_assert_eq(lstat(link_name, &st), 0);
    cr_expect(S_ISLNK(st.st_mode));
    cr_expect(holds(file, new_slice()));
}

Test(save, owner_and_group_are_kept_or_nothing_is_done)
{
    struct stat st;
    bool is_new;

    if (geteuid() != 0 || chown(file, 1234, 2345) != 0) {
        cr_skip_test("only root may give a file away");
    }
    cr_assert_eq(save_new(NULL, NULL, &is_new), 0);
    cr_assert_eq(stat(file, &st), 0);
    cr_expect_eq(st.st_uid, 1234);
    cr_expect_eq(st.st_gid, 2345);
    cr_expect_eq(st.st_mode & 07777, 0640u);
}

/* u::rw- u:1234:r-- g::--- m::r-- o::---, as acl(5) has it in system.posix_acl_access. */
Test(save, an_access_list_is_kept)
{
    static const uint32_t acl[] = {2,   0x60001u, ~0u, 0x40002u, 1234, 0x4u,
                                   ~0u, 0x40010u, ~0u, 0x20u,    ~0u};
    uint32_t now[16];
    bool is_new;

    if (setxattr(file, "system.posix_acl_access", acl, sizeof(acl), 0) != 0) {
        cr_skip_test("no access lists in /tmp here");
    }
    cr_assert_eq(save_new(NULL, NULL, &is_new), 0);
    cr_assert(holds(file, new_slice()));
    cr_assert_eq(getxattr(file, "system.posix_acl_access", now, sizeof(now)), (ssize_t)sizeof(acl));
    cr_expect_eq(memcmp(now, acl, sizeof(acl)), 0);
}

Test(save, other_attributes_are_kept)
{
    char now[16];
    bool is_new;

    if (setxattr(file, "user.note", "keep me", 7, 0) != 0) {
        cr_skip_test("no attributes in /tmp here");
    }
    cr_assert_eq(save_new(NULL, NULL, &is_new), 0);
    cr_assert_eq(getxattr(file, "user.note", now, sizeof(now)), 7);
    cr_expect_eq(memcmp(now, "keep me", 7), 0);
}

/* --- faults --- */

struct fault {
    uint32_t at;    /* how many steps pass before */
    uint32_t count; /* steps seen */
    int err;        /* 0 = killed instead */
    enum save_step step;
};

static int fail_at(enum save_step step, void *ctx)
{
    struct fault *fault = ctx;

    if (fault->count++ != fault->at) {
        return 0;
    }
    fault->step = step;
    if (!fault->err) {
        (void)kill(getpid(), SIGKILL);
    }
    return fault->err;
}

Test(save, an_error_at_any_step_leaves_one_whole_text_and_no_rest)
{
    uint32_t seen[SAVE_STEP_COUNT] = {0};
    bool is_new = false;
    uint32_t at = 0;

    for (;; at++) {
        struct fault fault = {.at = at, .err = -ENOSPC};
        int err;

        put_file(file, old_slice());
        err = save_new(fail_at, &fault, &is_new);
        if (!err) {
            break;
        }
        cr_expect_eq(err, -ENOSPC);
        seen[fault.step]++;
        cr_expect_eq(is_new, fault.step == SAVE_SYNC_FOLDER);
        cr_expect(holds(file, is_new ? new_slice() : old_slice()), "step %d", (int)fault.step);
        cr_expect_eq(count_names(), 1);
    }
    for (uint32_t i = 0; i < SAVE_STEP_COUNT; i++) {
        cr_expect_geq(seen[i], i == SAVE_WRITE ? 2 : 1, "step %u was never reached", i);
    }
}

Test(save, killed_at_any_step_the_file_is_whole_and_the_next_save_cleans_up)
{
    uint32_t old_count = 0;
    uint32_t left_behind = 0;

    for (uint32_t at = 0;; at++) {
        struct fault fault = {.at = at};
        bool is_new;
        int status;
        pid_t child;

        put_file(file, old_slice());
        child = fork();
        if (child == 0) {
            (void)save_new(fail_at, &fault, &is_new);
            _exit(0);
        }
        cr_assert_eq(waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            break;
        }
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        old_count += holds(file, old_slice());
        cr_assert(holds(file, old_slice()) || holds(file, new_slice()));
        left_behind += count_names() > 1;
        put_file(file, old_slice());
        cr_assert_eq(save_new(NULL, NULL, &is_new), 0);
        cr_assert_eq(count_names(), 1);
    }
    cr_expect_geq(old_count, SAVE_STEP_COUNT - 1);
    cr_expect_geq(left_behind, 4, "the kill came too early to leave anything");
}

/* --- others --- */

/* Each adds a line of its own, many times; none is lost. */
Test(save, edits_at_the_same_time_are_all_there)
{
    enum { WRITERS = 6, ROUNDS = 15 };
    struct save s = {0};
    uint32_t lines = 0;

    put_file(file, SLICE_LIT("0\n"));
    for (int i = 0; i < WRITERS; i++) {
        if (fork() == 0) {
            for (int round = 0; round < ROUNDS; round++) {
                char text[4096];
                struct save mine = {0};
                bool is_new;
                int err = save_begin(&mine, file, false);
                int len = snprintf(text, sizeof(text), "%.*s%d\n", SLICE_FMT(save_text(&mine)),
                                   i * ROUNDS + round);

                err = err ? err : save_commit(&mine, slice_make(text, (size_t)len), &is_new);
                save_end(&mine);
                if (err) {
                    _exit(1);
                }
            }
            _exit(0);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        int status;

        cr_assert_gt(wait(&status), 0);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    cr_assert_eq(save_begin(&s, file, true), 0);
    for (size_t i = 0; i < s.len; i++) {
        lines += s.bytes[i] == '\n';
    }
    cr_expect_eq(lines, WRITERS * ROUNDS + 1);
    save_end(&s);
    cr_expect_eq(count_names(), 1);
}

static int meddle(enum save_step step, void *ctx)
{
    if (step == SAVE_SYNC) {
        put_file(ctx, SLICE_LIT("a person's\n"));
    }
    return 0;
}

Test(save, what_an_editor_without_the_lock_wrote_is_not_overwritten)
{
    bool is_new;

    cr_expect_eq(save_new(meddle, file, &is_new), -ESTALE);
    cr_expect(holds(file, SLICE_LIT("a person's\n")));
    cr_expect_eq(save_exit_status(-ESTALE), 75);
}

Test(save, whoever_holds_the_lock_is_waited_for)
{
    struct save s = {0};
    int fd = open(file, O_RDONLY);
    int news[2];
    char byte;
    pid_t child;
    bool is_new;

    cr_assert_eq(flock(fd, LOCK_EX), 0);
    cr_assert_eq(pipe2(news, O_NONBLOCK), 0);
    child = fork();
    if (child == 0) {
        (void)usleep(300000);
        /* Then goes the last copy of the descriptor that is left. */
        _exit(write(news[1], "x", 1) == 1 ? 0 : 1);
    }
    (void)close(fd);
    cr_assert_eq(save_begin(&s, file, true), 0, "reading alone does not wait: %s", s.why);
    save_end(&s);
    cr_assert_eq(save_new(NULL, NULL, &is_new), 0);
    cr_assert_eq(read(news[0], &byte, 1), 1, "not waited for");
    cr_assert_eq(waitpid(child, NULL, 0), child);
    (void)close(news[0]);
    (void)close(news[1]);
}

Test(save, what_is_no_file_is_refused)
{
    struct save s = {0};

    cr_expect_eq(save_begin(&s, "/nowhere/fedgate.conf", false), -ENOENT);
    cr_expect_eq(save_exit_status(-ENOENT), 66);
    save_end(&s);
    s = (struct save){0};
    cr_expect_eq(save_begin(&s, folder, false), ERR_BAD_INPUT);
    save_end(&s);
    s = (struct save){0};
    cr_expect_eq(save_begin(&s, "/dev/null", true), ERR_BAD_INPUT);
    save_end(&s);
}
