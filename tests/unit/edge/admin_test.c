/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admin: the socket's place, and clients of every kind, seen from one thread: each step of a client
 * is followed by turns of the server. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/jout.h"
#include "base/pool.h"
#include "edge/admin.h"

#define SILENT (ADMIN_CLIENTS_MAX + 8u)

static char folder[] = "/tmp/admin_test_XXXXXX";
static char path[64];
static struct admin *admin;
static uint32_t asked;
static size_t answer_bytes;
static long answer_ms;
static uint64_t later; /* status is answered under this number */
static char why[ADMIN_WHY_BYTES];

static uint64_t answer(const struct admin_request *request, const struct admin_peer *peer,
                       struct buf *out, void *ctx)
{
    struct jout j;

    (void)ctx;
    asked++;
    if (later && request->command == ADMIN_STATUS) {
        return later;
    }
    if (answer_ms > 0) {
        (void)nanosleep(&(struct timespec){.tv_nsec = answer_ms * 1000000L}, NULL);
    }
    cr_assert_eq(peer->uid, geteuid());
    cr_assert_eq(peer->pid, getpid());
    jout_init(&j, out, false);
    jout_object(&j, NULL);
    jout_bool(&j, "ok", true);
    jout_cstr(&j, "command", admin_command_name(request->command));
    jout_key(&j, SLICE_LIT("filling"));
    buf_putc(out, '"');
    for (size_t i = 0; i < answer_bytes; i++) {
        buf_putc(out, 'x');
    }
    buf_putc(out, '"');
    j.has_key = false;
    jout_end(&j);
    return 0;
}

static void open_admin(void)
{
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/admin.sock", folder);
    asked = 0;
    answer_bytes = 0;
    answer_ms = 0;
    later = 0;
    cr_assert_eq(admin_new(&admin, path, answer, NULL, why), 0, "%s", why);
}

static void close_admin(void)
{
    admin_free(admin);
    admin = NULL;
    cr_expect_lt(access(path, F_OK), 0);
    cr_expect_eq(rmdir(folder), 0, "something was left");
}

TestSuite(admin, .init = open_admin, .fini = close_admin);

static int dial(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    memcpy(addr.sun_path, path, strlen(path) + 1);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What comes until the server closes, which it is given turns for; NULL: it does not close. */
static char *hear(int fd, size_t bytes_max)
{
    char *text = pool_heap_zalloc(bytes_max + 1);
    size_t len = 0;

    for (int i = 0; i < 5000 && len < bytes_max; i++) {
        ssize_t got;

        admin_turn(admin);
        got = recv(fd, text + len, bytes_max - len, 0);
        if (got == 0 || (got < 0 && errno == ECONNRESET)) {
            (void)close(fd);
            return text;
        }
        len += got > 0 ? (size_t)got : 0;
    }
    (void)close(fd);
    pool_heap_free(text);
    return NULL;
}

static void expect(int fd, const char *text)
{
    char *got = hear(fd, 65536);

    cr_assert_not_null(got, "not closed, expected %s", text);
    cr_expect_str_eq(got, text);
    pool_heap_free(got);
}

#define STATUS_LINE  "{\"command\": \"status\"}\n"
#define STATUS_REPLY "{\"ok\": true, \"command\": \"status\", \"filling\": \"\"}\n"

Test(admin, one_question_each)
{
    int a = dial();
    int b = dial();
    struct stat st;

    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0660);
    say(b, STATUS_LINE "{\"command\": \"reload\"}\n");
    say(a, "{\"command\":");
    admin_turn(admin);
    admin_turn(admin);
    expect(b, STATUS_REPLY);
    say(a, " \"reload\"}");
    admin_turn(admin);
    say(a, "\n");
    expect(a, "{\"ok\": true, \"command\": \"reload\", \"filling\": \"\"}\n");
    cr_expect_eq(asked, 2);
}

Test(admin, nonsense_is_answered)
{
    int fd = dial();

    say(fd, "GET / HTTP/1.1\r\n");
    expect(fd, "{\"ok\": false, \"error\": \"no JSON, at byte 1: not JSON: invalid char in json "
               "text.\"}\n");
    cr_expect_eq(asked, 0);
}

Test(admin, a_line_has_its_bound)
{
    static char long_line[ADMIN_REQUEST_BYTES_MAX + 8192];
    int fd = dial();
    size_t sent = 0;

    memset(long_line, ' ', sizeof(long_line));
    while (sent < sizeof(long_line)) {
        ssize_t n = send(fd, long_line + sent, sizeof(long_line) - sent, MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN) {
            break; /* answered and closed before it took all */
        }
        sent += n > 0 ? (size_t)n : 0;
        admin_turn(admin);
    }
    expect(fd, "{\"ok\": false, \"error\": \"a request has at most 65536 bytes\"}\n");
}

Test(admin, silent_clients_make_room)
{
    int silent[SILENT];
    int fd;

    for (uint32_t i = 0; i < SILENT; i++) {
        silent[i] = dial();
        admin_turn(admin);
    }
    fd = dial();
    say(fd, STATUS_LINE);
    expect(fd, STATUS_REPLY);
    /* The last ones still have their turn; the first had to go. */
    say(silent[SILENT - 1], STATUS_LINE);
    expect(silent[SILENT - 1], STATUS_REPLY);
    expect(silent[0], "");
    for (uint32_t i = 1; i < SILENT - 1; i++) {
        (void)close(silent[i]);
        admin_turn(admin);
    }
}

Test(admin, a_long_answer_to_a_slow_reader)
{
    int fd = dial();
    int other = dial();
    char *got;

    answer_bytes = (size_t)3 << 20;
    say(fd, STATUS_LINE);
    for (int i = 0; i < 10; i++) {
        admin_turn(admin);
    }
    answer_bytes = 0;
    say(other, STATUS_LINE);
    expect(other, STATUS_REPLY); /* meanwhile */
    got = hear(fd, (size_t)4 << 20);
    cr_assert_not_null(got);
    cr_expect_eq(strlen(got), strlen(STATUS_REPLY) + ((size_t)3 << 20));
    pool_heap_free(got);
    answer_bytes = (size_t)9 << 20;
    fd = dial();
    say(fd, STATUS_LINE);
    expect(fd, "{\"ok\": false, \"error\": \"the answer does not fit its buffer\"}\n");
}

Test(admin, who_leaves_early)
{
    int last;

    for (int i = 0; i < 100; i++) {
        int fd = dial();

        if (i % 2) {
            say(fd, i % 3 ? STATUS_LINE : "{\"comm");
        }
        (void)close(fd);
        admin_turn(admin);
    }
    last = dial();
    say(last, STATUS_LINE);
    expect(last, STATUS_REPLY);
}

#define RELOAD_LINE  "{\"command\": \"reload\"}\n"
#define RELOAD_REPLY "{\"ok\": true, \"command\": \"reload\", \"filling\": \"\"}\n"

static void turns(void)
{
    for (int i = 0; i < 3; i++) {
        admin_turn(admin);
    }
}

/* Whoever waits keeps nobody from asking, and is answered with those who wait for the same. */
Test(admin, an_answer_that_comes_later)
{
    int a = dial();
    int b = dial();
    int c = dial();
    int other = dial();
    struct pollfd p = {.fd = admin_fd(admin), .events = POLLIN};

    later = 7;
    say(a, STATUS_LINE);
    say(b, STATUS_LINE "more");
    turns();
    later = 8;
    say(c, STATUS_LINE);
    turns();
    say(a, "and more");
    turns();
    cr_expect_eq(poll(&p, 1, 0), 0, "nothing to do, and it is woken");
    say(other, RELOAD_LINE);
    expect(other, RELOAD_REPLY);
    admin_finish(admin, 9, SLICE_LIT("nobody\n"));
    admin_finish(admin, 7, SLICE_LIT("seven\n"));
    expect(a, "seven\n");
    expect(b, "seven\n");
    admin_finish(admin, 7, SLICE_LIT("again\n"));
    admin_finish(admin, 8, SLICE_LIT("eight\n"));
    expect(c, "eight\n");
    cr_expect_eq(asked, 4);
}

Test(admin, who_waits_may_leave)
{
    int fd;

    later = 7;
    for (int i = 0; i < 3; i++) {
        fd = dial();
        say(fd, STATUS_LINE);
        turns();
        (void)close(fd);
        turns();
    }
    fd = dial();
    say(fd, STATUS_LINE);
    turns();
    admin_finish(admin, 7, SLICE_LIT("seven\n"));
    expect(fd, "seven\n");
}

/* Silent ones that came later do not take the place of one that waits; many that wait do. */
Test(admin, who_waits_goes_last)
{
    int silent[SILENT];
    int waiting[SILENT];
    int fd = dial();

    later = 7;
    say(fd, STATUS_LINE);
    turns();
    for (uint32_t i = 0; i < SILENT; i++) {
        silent[i] = dial();
        admin_turn(admin);
    }
    admin_finish(admin, 7, SLICE_LIT("seven\n"));
    expect(fd, "seven\n");
    for (uint32_t i = 0; i < SILENT; i++) {
        (void)close(silent[i]);
        waiting[i] = dial();
        say(waiting[i], STATUS_LINE);
        turns();
    }
    fd = dial();
    say(fd, RELOAD_LINE);
    expect(fd, RELOAD_REPLY);
    for (uint32_t i = 0; i < SILENT; i++) {
        (void)close(waiting[i]);
        admin_turn(admin);
    }
}

Test(admin, a_turn_has_its_bound)
{
    int fds[3 * ADMIN_REQUESTS_PER_TURN];
    struct pollfd p = {.fd = admin_fd(admin), .events = POLLIN};

    for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
        fds[i] = dial();
        say(fds[i], STATUS_LINE);
    }
    answer_ms = ADMIN_TURN_MS;
    admin_turn(admin);
    cr_expect_eq(asked, 1, "a slow answer, and another one in the same turn");
    answer_ms = 0;
    admin_turn(admin);
    cr_expect_leq(asked, 1 + ADMIN_REQUESTS_PER_TURN);
    cr_expect_eq(poll(&p, 1, 0), 1, "there is work left, and nobody wakes the caller");
    for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
        expect(fds[i], STATUS_REPLY);
    }
    cr_expect_eq(poll(&p, 1, 0), 0, "nothing to do, and it is woken");
}
