/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_file_test: reading from real files. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/err.h"
#include "help.h"

static char path[] = "/tmp/fedgate-config-XXXXXX";

static void write_file(struct slice text, mode_t mode)
{
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text.ptr, text.len), (ssize_t)text.len);
    cr_assert_eq(fchmod(fd, mode), 0);
    cr_assert_eq(close(fd), 0);
}

static const char *report_of(const char *file, int err_wanted)
{
    static char printed[4096];
    struct config_report report = {0};
    struct snapshot *s;
    struct buf out;

    cr_expect_eq(config_load_file(&s, file, &report), err_wanted);
    buf_init(&out, sizeof(printed) - 1);
    config_report_write(&report, &out);
    cr_assert(slice_to_cstr(buf_slice(&out), printed, sizeof(printed)));
    buf_deinit(&out);
    config_report_deinit(&report);
    snapshot_free(s);
    return printed;
}

Test(config_file, loads)
{
    write_file(help_text(&(struct help_doc){0}), 0600);
    cr_expect_str_eq(report_of(path, 0), "");
    cr_assert_eq(unlink(path), 0);
}

Test(config_file, warns_when_secrets_are_open_to_everyone)
{
    char line[160];

    write_file(help_text(&(struct help_doc){.gateway = "{\"dialback_secret\":\"0123456789\"}"}),
               0644);
    (void)snprintf(line, sizeof(line),
                   "%s: warning: holds secrets and can be read by everyone on this machine; chmod "
                   "o-r helps\n",
                   path);
    cr_expect_str_eq(report_of(path, 0), line);
    cr_assert_eq(chmod(path, 0640), 0);
    cr_expect_str_eq(report_of(path, 0), "");
    cr_assert_eq(unlink(path), 0);
}

Test(config_file, says_why_it_cannot_read)
{
    cr_expect_str_eq(report_of("/nonexistent/f", ERR_CONFIG),
                     "/nonexistent/f: cannot be opened: No such file or directory\n");
}

/* None of these is waited for or read from: the node asks for its file while it runs. */
Test(config_file, refuses_at_once_what_is_no_regular_file, .timeout = 10)
{
    static const char refused[] =
        "%s: is not a regular file; the configuration is read from a file only\n";
    const char *const others[] = {"/tmp", "/dev/zero", "/dev/ptmx", path};
    char line[160];
    uint64_t hash;
    int fd = mkstemp(path);

    cr_assert_eq(close(fd), 0);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(mkfifo(path, 0600), 0);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        (void)snprintf(line, sizeof(line), refused, others[i]);
        cr_expect_str_eq(report_of(others[i], ERR_CONFIG), line);
        cr_expect_eq(config_file_hash(others[i], &hash), ERR_UNSUPPORTED);
    }
    cr_assert_eq(unlink(path), 0);
}

Test(config_file, refuses_what_is_too_large)
{
    char line[160];
    int fd = mkstemp(path);

    cr_assert_eq(ftruncate(fd, (off_t)CONFIG_FILE_BYTES_MAX + 1), 0);
    cr_assert_eq(close(fd), 0);
    (void)snprintf(line, sizeof(line),
                   "%s:1:1: the file has 67108865 bytes; at most 67108864 are read\n", path);
    cr_expect_str_eq(report_of(path, ERR_CONFIG), line);
    cr_assert_eq(unlink(path), 0);
}

Test(config_file, reads_an_empty_file)
{
    char line[160];

    write_file(SLICE_NONE, 0600);
    (void)snprintf(line, sizeof(line),
                   "%s:1:1: there is nothing in the file; a JSON object { ... } is expected\n",
                   path);
    cr_expect_str_eq(report_of(path, ERR_CONFIG), line);
    cr_assert_eq(unlink(path), 0);
}
