/* SPDX-License-Identifier: GPL-2.0-or-later */
/* other: the processes of the measured server, seen from outside. */
#include "load/other.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/slice.h"

#define NAP_NS 20000L
#define PATH_BYTES 64u
#define STAT_BYTES 512u
#define ASLEEP "SDIZX" /* proc(5), state; D: it waits for a device, or a lock */
#define STOPPED "TtZX"
#define CPUCLOCK_SCHED 2 /* of clock_gettime(2): bits of a clock id that names a process */

static const uint64_t ns_per_s = 1000000000u;

/* --- threads --- */

/* 0 = it is gone. */
static char state_of(pid_t pid, uint64_t task)
{
    char path[PATH_BYTES];
    char text[STAT_BYTES];
    const char *name_end;
    size_t len;
    FILE *stat;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%llu/stat", (int)pid,
                   (unsigned long long)task);
    stat = fopen(path, "re");
    if (!stat) {
        return 0;
    }
    len = fread(text, 1, sizeof(text) - 1, stat);
    (void)fclose(stat);
    text[len] = '\0';
    name_end = strrchr(text, ')'); /* "7 (name) S ...": the name may hold anything */
    return name_end && name_end[1] == ' ' ? name_end[2] : '\0';
}

/* Whether each thread but one is in one of these states. */
static bool threads_are(pid_t pid, const char *states, pid_t but)
{
    char path[PATH_BYTES];
    const struct dirent *entry;
    bool are = true;
    DIR *tasks;

    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    tasks = opendir(path);
    while (tasks && are && (entry = readdir(tasks))) {
        uint64_t task;

        if (slice_parse_u64(slice_from_cstr(entry->d_name), &task) && (pid_t)task != but) {
            char state = state_of(pid, task);

            are = state == '\0' || strchr(states, state);
        }
    }
    if (tasks) {
        (void)closedir(tasks);
    }
    return are;
}

static bool all_are(const struct other *o, const char *states)
{
    for (uint32_t i = 0; i < o->count; i++) {
        if (!threads_are(o->pids[i], states, 0)) {
            return false;
        }
    }
    return true;
}

bool other_is_asleep(const struct other *o)
{
    return all_are(o, ASLEEP);
}

bool other_is_rest_of_us_asleep(void)
{
    return threads_are(getpid(), ASLEEP, gettid());
}

uint64_t other_cpu_ns(const struct other *o)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < o->count; i++) {
        clockid_t clock = (clockid_t)(~(uint32_t)o->pids[i] << 3 | CPUCLOCK_SCHED);
        struct timespec t;

        if (clock_gettime(clock, &t) == 0) {
            sum += (uint64_t)t.tv_sec * ns_per_s + (uint64_t)t.tv_nsec;
        }
    }
    return sum;
}

/* --- stop and go --- */

static void signal_all(const struct other *o, int number)
{
    for (uint32_t i = 0; i < o->count; i++) {
        (void)kill(o->pids[i], number);
    }
}

void other_stop(const struct other *o)
{
    const struct timespec nap = {0, NAP_NS};

    signal_all(o, SIGSTOP);
    while (!all_are(o, STOPPED)) {
        (void)nanosleep(&nap, NULL);
    }
}

void other_go(const struct other *o)
{
    signal_all(o, SIGCONT);
}

/* --- the guard --- */

/* Has no descriptor of ours but this one, and no terminal whose signals reach us, too. */
__attribute__((noreturn)) static void stand_guard(const struct other *o, int fd)
{
    char byte;

    (void)setsid();
    (void)dup2(fd, STDIN_FILENO);
    (void)close_range(STDOUT_FILENO, ~0u, 0);
    while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR) {
    }
    signal_all(o, SIGCONT);
    _exit(0);
}

static int start_guard(struct other *o)
{
    int ends[2];

    if (pipe(ends) != 0) {
        return -errno;
    }
    o->guard = fork();
    if (o->guard == 0) {
        (void)close(ends[1]);
        stand_guard(o, ends[0]);
    }
    (void)close(ends[0]);
    o->guard_fd = ends[1];
    if (o->guard < 0) {
        int err = -errno;

        (void)close(ends[1]);
        return err;
    }
    return 0;
}

/* --- begin and end --- */

static int take_list(struct other *o, const char *list, char *why, size_t why_bytes)
{
    struct slice rest = slice_from_cstr(list);

    while (rest.len > 0) {
        const char *comma = memchr(rest.ptr, ',', rest.len);
        size_t len = comma ? (size_t)(comma - rest.ptr) : rest.len;
        uint64_t pid;

        if (!slice_parse_u64(slice_make(rest.ptr, len), &pid) || pid == 0 || pid > INT32_MAX ||
            o->count == OTHER_PROCESSES_MAX) {
            (void)snprintf(why, why_bytes, "processes are PID[,PID...], at most %u",
                           OTHER_PROCESSES_MAX);
            return ERR_CONFIG;
        }
        if ((pid_t)pid == getpid() || kill((pid_t)pid, 0) != 0) {
            int err = (pid_t)pid == getpid() ? -EINVAL : -errno;

            (void)snprintf(why, why_bytes, "process %llu cannot be stopped: %s",
                           (unsigned long long)pid, err_text(err));
            return err;
        }
        o->pids[o->count++] = (pid_t)pid;
        rest = comma ? slice_make(comma + 1, rest.len - len - 1) : SLICE_NONE;
    }
    return 0;
}

int other_open(struct other *o, const char *list, char *why, size_t why_bytes)
{
    int err;

    *o = (struct other){.guard_fd = -1};
    err = take_list(o, list, why, why_bytes);
    if (err != 0) {
        return err;
    }
    if (o->count == 0) {
        (void)snprintf(why, why_bytes, "no process is named");
        return ERR_CONFIG;
    }
    err = start_guard(o);
    if (err != 0) {
        (void)snprintf(why, why_bytes, "no guard can be started: %s", err_text(err));
    }
    return err;
}

void other_close(struct other *o)
{
    (void)close(o->guard_fd); /* it lets them go on */
    while (waitpid(o->guard, NULL, 0) < 0 && errno == EINTR) {
    }
    o->count = 0;
}
