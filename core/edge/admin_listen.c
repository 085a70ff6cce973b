/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admin_listen: bind, with a look at what is there already. */
#include "edge/admin_listen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"

#define LISTEN_BACKLOG 64
#define SOCKET_MODE    0660
#define TEXT_PATH      "%.107s" /* ADMIN_PATH_BYTES_MAX */

/* Whether somebody listens there: 0, -ECONNREFUSED (nobody: stale), other -errno. */
static int ask(const struct sockaddr_un *addr)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int err = 0;

    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 && errno != EAGAIN) {
        err = -errno; /* EAGAIN: its backlog is full: somebody does */
    }
    (void)close(fd);
    return err;
}

/* Takes a socket away that nobody listens on any more. Two nodes that start at the same moment
 * cannot get here together: the ports of their streams come first, and one fails there. */
static int clear_place(const struct sockaddr_un *addr, char why[ADMIN_WHY_BYTES])
{
    struct stat st;
    int err;

    if (lstat(addr->sun_path, &st) < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (!S_ISSOCK(st.st_mode)) {
        (void)snprintf(why, ADMIN_WHY_BYTES, "listen.admin: " TEXT_PATH " is there and is no "
                       "socket; choose another path or remove it", addr->sun_path);
        return -EEXIST;
    }
    err = ask(addr);
    if (err == 0) {
        (void)snprintf(why, ADMIN_WHY_BYTES, "listen.admin: another process answers on "
                       TEXT_PATH "; does a node run already?", addr->sun_path);
        return -EADDRINUSE;
    }
    if (err != -ECONNREFUSED) {
        return err;
    }
    return unlink(addr->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

static int bind_there(int fd, const struct sockaddr_un *addr, struct admin_place *place)
{
    struct stat st;
    int err;

    /* The file gets the socket's own mode: never more than the final one, whatever the umask. */
    if (fchmod(fd, SOCKET_MODE) < 0 ||
        bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0) {
        return -errno;
    }
    if (chmod(addr->sun_path, SOCKET_MODE) < 0 || lstat(addr->sun_path, &st) < 0 ||
        listen(fd, LISTEN_BACKLOG) < 0) {
        err = -errno;
        (void)unlink(addr->sun_path);
        return err;
    }
    place->dev = st.st_dev;
    place->ino = st.st_ino;
    return 0;
}

int admin_listen(struct admin_place *place, const char *path, char why[ADMIN_WHY_BYTES])
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd;
    int err;

    *place = (struct admin_place){0};
    why[0] = 0;
    if (!slice_to_cstr(slice_from_cstr(path), addr.sun_path, ADMIN_PATH_BYTES_MAX + 1)) {
        (void)snprintf(why, ADMIN_WHY_BYTES,
                       "listen.admin: a path of %zu bytes; sockets have at most %u", strlen(path),
                       ADMIN_PATH_BYTES_MAX);
        return -ENAMETOOLONG;
    }
    memcpy(place->path, addr.sun_path, sizeof(place->path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    err = fd < 0 ? -errno : clear_place(&addr, why);
    if (err == 0) {
        err = bind_there(fd, &addr, place);
    }
    if (err == 0) {
        return fd;
    }
    if (!why[0]) {
        (void)snprintf(why, ADMIN_WHY_BYTES, "listen.admin: cannot listen on " TEXT_PATH ": %s%s",
                       path, err_text(err),
                       err == -ENOENT ? " (its folder must be there)" : "");
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return err;
}

void admin_unlink(const struct admin_place *place)
{
    struct stat st;

    if (place->path[0] && lstat(place->path, &st) == 0 && st.st_dev == place->dev &&
        st.st_ino == place->ino) {
        (void)unlink(place->path);
    }
}
