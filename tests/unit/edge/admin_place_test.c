/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admin_listen: what may stand where the admin socket is to be. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "edge/admin_listen.h"

static char folder[] = "/tmp/admin_place_XXXXXX";
static char path[64];
static char why[ADMIN_WHY_BYTES];
static struct admin_place place;

static void make(void)
{
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/s", folder);
}

static void clean(void)
{
    (void)unlink(path);
    cr_expect_eq(rmdir(folder), 0);
}

TestSuite(admin_place, .init = make, .fini = clean);

static bool is_socket(void)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

Test(admin_place, a_dead_one_is_replaced)
{
    int fd = admin_listen(&place, path, why);

    cr_assert_geq(fd, 0, "%s", why);
    (void)close(fd); /* as by SIGKILL: the file stays */
    cr_assert(is_socket());
    fd = admin_listen(&place, path, why);
    cr_assert_geq(fd, 0, "%s", why);
    admin_unlink(&place);
    cr_expect_not(is_socket());
    (void)close(fd);
}

Test(admin_place, a_living_one_is_not)
{
    struct admin_place second;
    int fd = admin_listen(&place, path, why);

    cr_assert_geq(fd, 0);
    cr_expect_eq(admin_listen(&second, path, why), -EADDRINUSE);
    cr_expect(strstr(why, "another process answers on"), "%s", why);
    admin_unlink(&second); /* made nothing, removes nothing */
    cr_expect(is_socket());
    admin_unlink(&place);
    (void)close(fd);
}

Test(admin_place, another_s_is_not_removed)
{
    struct admin_place second;
    int fd = admin_listen(&place, path, why);
    int other;

    cr_assert_eq(unlink(path), 0);
    other = admin_listen(&second, path, why);
    cr_assert_geq(other, 0);
    admin_unlink(&place);
    /* File systems may give the number of the removed one to the new one: then it is gone. */
    cr_expect(is_socket() || place.ino == second.ino);
    admin_unlink(&second);
    (void)close(fd);
    (void)close(other);
}

Test(admin_place, files_stay)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    cr_assert_geq(fd, 0);
    (void)close(fd);
    cr_expect_eq(admin_listen(&place, path, why), -EEXIST);
    cr_expect(strstr(why, "is there and is no socket"), "%s", why);
    cr_expect_eq(access(path, F_OK), 0);
}

Test(admin_place, the_mode_does_not_depend_on_the_umask)
{
    static const mode_t masks[] = {0, 022, 027, 077, 0777};

    for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        mode_t before = umask(masks[i]);
        int fd = admin_listen(&place, path, why);
        struct stat st;

        (void)umask(before);
        cr_assert_geq(fd, 0, "%s", why);
        cr_assert_eq(lstat(path, &st), 0);
        cr_expect_eq(st.st_mode & 07777, 0660, "umask %o: %o", masks[i], st.st_mode);
        admin_unlink(&place);
        (void)close(fd);
    }
}

Test(admin_place, places_that_are_none)
{
    char long_path[256];

    cr_expect_eq(admin_listen(&place, "/nowhere/at/all/s", why), -ENOENT);
    cr_expect(strstr(why, "its folder must be there"), "%s", why);
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = 0;
    cr_expect_eq(admin_listen(&place, long_path, why), -ENAMETOOLONG);
    cr_expect(strstr(why, "255 bytes; sockets have at most 107"), "%s", why);
}
