/* SPDX-License-Identifier: GPL-2.0-or-later */
/* logger_test: format, order, cutting, losses, stuck and exchanged outputs. */
#include "edge/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#define NS 1000000000ull
#define T0 (1000 * NS)
/* 2026-11-21T12:00:00.123Z */
#define UNIX0 (1795262400ull * NS + 123000000ull)

struct bench {
    char path[32];
    struct logger *logger;
    struct log_ring rings[2];
    char text[1 << 20];
};

static struct bench *bench_new(void)
{
    struct bench *b = calloc(1, sizeof(*b));
    int fd;

    cr_assert_not_null(b);
    memcpy(b->path, "/tmp/fedgate-log-XXXXXX", sizeof("/tmp/fedgate-log-XXXXXX"));
    fd = mkstemp(b->path);
    cr_assert_geq(fd, 0);
    (void)close(fd);
    cr_assert_eq(logger_new(&b->logger, b->path), 0);
    log_ring_init(&b->rings[0], "shard0");
    log_ring_init(&b->rings[1], "control");
    logger_add(b->logger, &b->rings[0]);
    logger_add(b->logger, &b->rings[1]);
    log_set_level(LOG_LEVEL_DEBUG);
    return b;
}

static void bench_free(struct bench *b)
{
    logger_free(b->logger);
    log_ring_use(NULL);
    log_ring_deinit(&b->rings[0]);
    log_ring_deinit(&b->rings[1]);
    (void)unlink(b->path);
    free(b);
}

/* Writes a line as if at mono_ns. */
static void put(struct log_ring *ring, uint64_t mono_ns, enum log_level level, enum log_event event,
                const char *text)
{
    uint32_t tail;

    log_ring_use(ring);
    tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    log_write(level, event, "%s", text);
    ring->lines[tail % LOG_RING_LINES].mono_ns = mono_ns;
}

/* What the file holds. */
static const char *written(struct bench *b)
{
    int fd = open(b->path, O_RDONLY);
    ssize_t len = read(fd, b->text, sizeof(b->text) - 1);

    (void)close(fd);
    cr_assert_geq(len, 0);
    b->text[len] = 0;
    return b->text;
}

static uint32_t line_count(const char *text)
{
    uint32_t count = 0;

    for (; *text; text++) {
        count += *text == '\n';
    }
    return count;
}

Test(logger, a_line_says_when_how_bad_who_what)
{
    struct bench *b = bench_new();

    put(&b->rings[0], T0, LOG_LEVEL_INFO, LOG_EVENT_started, "shards=2 version=1");
    put(&b->rings[1], T0 + 877 * NS / 1000, LOG_LEVEL_WARN, LOG_EVENT_stopping, "");
    cr_expect_eq(logger_turn_at(b->logger, T0 + NS, UNIX0 + NS), 2);
    cr_expect_str_eq(written(b), "2026-11-21T12:00:00.123Z info shard0 started shards=2 version=1\n"
                                 "2026-11-21T12:00:01.000Z warn control stopping\n");
    cr_expect_eq(logger_turn_at(b->logger, T0 + 2 * NS, UNIX0 + 2 * NS), 0);
    bench_free(b);
}

Test(logger, rings_are_merged_by_time)
{
    struct bench *b = bench_new();

    put(&b->rings[0], T0 + 1, LOG_LEVEL_INFO, LOG_EVENT_started, "n=1");
    put(&b->rings[0], T0 + 3, LOG_LEVEL_INFO, LOG_EVENT_started, "n=3");
    put(&b->rings[1], T0 + 2, LOG_LEVEL_INFO, LOG_EVENT_started, "n=2");
    put(&b->rings[1], T0 + 3, LOG_LEVEL_INFO, LOG_EVENT_started, "n=4");
    (void)logger_turn_at(b->logger, T0 + NS, UNIX0);
    written(b);
    for (int i = 1; i < 4; i++) {
        char first[16];
        char second[16];

        (void)snprintf(first, sizeof(first), "n=%d\n", i);
        (void)snprintf(second, sizeof(second), "n=%d\n", i + 1);
        cr_expect_lt(strstr(b->text, first), strstr(b->text, second), "%s", b->text);
    }
    bench_free(b);
}

Test(logger, control_bytes_do_not_get_through)
{
    struct bench *b = bench_new();

    put(&b->rings[0], T0, LOG_LEVEL_INFO, LOG_EVENT_started, "a=1\n2026 forged\x1b[2J\x7f");
    (void)logger_turn_at(b->logger, T0, UNIX0);
    cr_expect_str_eq(written(b),
                     "2026-11-21T12:00:00.123Z info shard0 started a=1?2026 forged?[2J?\n");
    bench_free(b);
}

Test(logger, lines_without_time_get_the_turns)
{
    struct bench *b = bench_new();

    put(&b->rings[0], 0, LOG_LEVEL_ERROR, LOG_EVENT_started, "");
    (void)logger_turn_at(b->logger, T0, UNIX0);
    cr_expect_str_eq(written(b), "2026-11-21T12:00:00.123Z error shard0 started\n");
    bench_free(b);
}

Test(logger, an_event_that_floods_is_cut_and_says_so)
{
    struct bench *b = bench_new();

    for (uint32_t i = 0; i < LOGGER_BURST + 10; i++) {
        put(&b->rings[0], T0, LOG_LEVEL_INFO, LOG_EVENT_conn_accepted, "");
    }
    put(&b->rings[0], T0, LOG_LEVEL_INFO, LOG_EVENT_started, "");
    cr_expect_eq(logger_turn_at(b->logger, T0, UNIX0), LOGGER_BURST + 11);
    cr_expect_eq(line_count(written(b)), LOGGER_BURST + 1, "the other event is not cut");
    cr_expect_null(strstr(b->text, "suppressed"));
    put(&b->rings[0], T0 + NS / 10, LOG_LEVEL_INFO, LOG_EVENT_conn_accepted, "a=1");
    put(&b->rings[0], T0 + NS / 10, LOG_LEVEL_INFO, LOG_EVENT_conn_accepted, "a=2");
    (void)logger_turn_at(b->logger, T0 + NS / 10, UNIX0);
    written(b);
    cr_expect(strstr(b->text, "conn_accepted a=1 suppressed=10\n"), "%s",
              b->text + strlen(b->text) - 200);
    cr_expect(strstr(b->text, "conn_accepted a=2\n"));
    bench_free(b);
}

Test(logger, the_long_run_rate_is_held)
{
    struct bench *b = bench_new();

    /* 1000 lines a second for 20 seconds. */
    for (uint32_t s = 0; s < 200; s++) {
        for (uint32_t i = 0; i < 100; i++) {
            put(&b->rings[0], T0 + s * NS / 10, LOG_LEVEL_INFO, LOG_EVENT_conn_accepted, "");
        }
        (void)logger_turn_at(b->logger, T0 + s * NS / 10, UNIX0);
    }
    cr_expect_leq(line_count(written(b)), LOGGER_BURST + 20 * LOGGER_LINES_PER_S);
    cr_expect_geq(line_count(b->text), LOGGER_BURST + 19 * LOGGER_LINES_PER_S);
    bench_free(b);
}

Test(logger, what_was_cut_is_told_after_a_while_of_quiet)
{
    struct bench *b = bench_new();

    for (uint32_t i = 0; i < LOGGER_BURST + 7; i++) {
        put(&b->rings[0], T0, LOG_LEVEL_WARN, LOG_EVENT_conn_refused, "");
    }
    (void)logger_turn_at(b->logger, T0, UNIX0);
    (void)logger_turn_at(b->logger, T0 + LOGGER_QUIET_S * NS - 1, UNIX0);
    cr_expect_null(strstr(written(b), "suppressed"));
    (void)logger_turn_at(b->logger, T0 + LOGGER_QUIET_S * NS, UNIX0);
    cr_expect(strstr(written(b), " warn shard0 conn_refused suppressed=7\n"));
    bench_free(b);
}

Test(logger, what_was_cut_is_told_at_the_end)
{
    struct bench *b = bench_new();

    for (uint32_t i = 0; i < LOGGER_BURST + 3; i++) {
        put(&b->rings[0], T0, LOG_LEVEL_WARN, LOG_EVENT_conn_refused, "");
    }
    (void)logger_turn(b->logger);
    logger_free(b->logger);
    b->logger = NULL;
    cr_expect(strstr(written(b), "conn_refused suppressed=3\n"));
    bench_free(b);
}

Test(logger, debug_lines_are_never_cut)
{
    struct bench *b = bench_new();

    for (uint32_t i = 0; i < LOGGER_BURST * 2; i++) {
        put(&b->rings[0], T0, LOG_LEVEL_DEBUG, LOG_EVENT_conn_accepted, "");
    }
    (void)logger_turn_at(b->logger, T0, UNIX0);
    cr_expect_eq(line_count(written(b)), LOGGER_BURST * 2);
    bench_free(b);
}

Test(logger, lines_that_a_full_ring_lost_are_reported_once)
{
    struct bench *b = bench_new();

    for (uint32_t i = 0; i < LOG_RING_LINES + 5; i++) {
        log_ring_use(&b->rings[1]);
        log_write(LOG_LEVEL_DEBUG, LOG_EVENT_conn_accepted, "n=%u", i);
    }
    (void)logger_turn_at(b->logger, T0, UNIX0);
    cr_expect(strstr(written(b), " warn control log_lost count=5 cause=\"ring full\"\n"));
    (void)logger_turn_at(b->logger, T0, UNIX0);
    cr_expect_eq(line_count(written(b)), LOG_RING_LINES + 1);
    bench_free(b);
}

Test(logger, a_rotated_file_is_opened_anew)
{
    struct bench *b = bench_new();
    char old[40];

    put(&b->rings[0], T0, LOG_LEVEL_INFO, LOG_EVENT_started, "n=1");
    (void)logger_turn_at(b->logger, T0, UNIX0);
    (void)snprintf(old, sizeof(old), "%s.1", b->path);
    cr_assert_eq(rename(b->path, old), 0);
    cr_expect_eq(logger_reopen(b->logger, "/nonexistent/log"), -ENOENT);
    cr_assert_eq(logger_reopen(b->logger, b->path), 0);
    put(&b->rings[0], T0, LOG_LEVEL_INFO, LOG_EVENT_started, "n=2");
    (void)logger_turn_at(b->logger, T0, UNIX0);
    cr_expect_eq(line_count(written(b)), 1);
    cr_expect(strstr(b->text, "n=2"));
    cr_assert_eq(unlink(old), 0);
    bench_free(b);
}

Test(logger, says_why_a_file_cannot_be_opened)
{
    struct logger *l;

    cr_expect_eq(logger_new(&l, "/nonexistent/log"), -ENOENT);
    cr_expect_null(l);
    cr_expect_eq(logger_turn(NULL), 0);
    logger_free(NULL);
}

/* Opening it would wait for a reader: the old output stays instead. */
Test(logger, a_pipe_without_a_reader_is_refused_at_once, .timeout = 10)
{
    struct bench *b = bench_new();
    char path[] = "/tmp/fedgate-log-XXXXXX";

    cr_assert_not_null(mkdtemp(path));
    cr_assert_eq(rmdir(path), 0);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_expect_eq(logger_reopen(b->logger, path), -ENXIO);
    cr_assert_eq(unlink(path), 0);
    bench_free(b);
}

/* A pipe that nobody reads: the turn ends in time, the loss is counted and told later. */
Test(logger, a_stuck_output_loses_lines_and_tells)
{
    struct bench *b = bench_new();
    char path[32];
    uint32_t read_count = 0;
    uint32_t told = 0;
    size_t len = 0;
    ssize_t got;
    int fd[2];

    cr_assert_eq(pipe(fd), 0);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd[1]);
    cr_assert_eq(logger_reopen(b->logger, path), 0);
    for (uint32_t turn = 0; turn < 4; turn++) {
        for (uint32_t i = 0; i < LOG_RING_LINES; i++) {
            put(&b->rings[0], T0, LOG_LEVEL_DEBUG, LOG_EVENT_conn_accepted,
                "a line that is long enough to fill the 64 KiB of a pipe");
        }
        read_count += logger_turn_at(b->logger, T0, UNIX0);
    }
    cr_assert_eq(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
    while ((got = read(fd[0], b->text + len, sizeof(b->text) - 1 - len)) > 0) {
        len += (size_t)got;
    }
    put(&b->rings[0], T0, LOG_LEVEL_DEBUG, LOG_EVENT_conn_accepted, "the last one");
    read_count += logger_turn_at(b->logger, T0, UNIX0);
    while ((got = read(fd[0], b->text + len, sizeof(b->text) - 1 - len)) > 0) {
        len += (size_t)got;
    }
    b->text[len] = 0;
    cr_assert_not_null(strstr(b->text, "\n2026"));
    cr_assert_not_null(strstr(b->text, "log_lost count="), "%s", b->text + len - 300);
    told = (uint32_t)strtoul(strstr(b->text, "log_lost count=") + strlen("log_lost count="), NULL,
                             10);
    cr_expect_gt(told, 0);
    cr_expect_not_null(strstr(b->text, "the last one\n"));
    cr_expect_not_null(strstr(b->text, "cause=\"output stuck\"\n"));
    /* Every line is there or told as lost (a cut one counts as lost; the note is one more). */
    cr_expect_leq((int)(line_count(b->text) - 1 + told) - (int)read_count, 1);
    cr_expect_geq((int)(line_count(b->text) - 1 + told) - (int)read_count, 0);
    (void)close(fd[0]);
    (void)signal(SIGPIPE, SIG_IGN);
    bench_free(b);
    (void)close(fd[1]);
}
