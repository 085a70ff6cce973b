/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admin_listen: the admin socket's place in the file system: made, replaced when stale, removed.
 * Control thread; nothing here waits. */
#ifndef FG_EDGE_ADMIN_LISTEN_H
#define FG_EDGE_ADMIN_LISTEN_H

#include <sys/types.h>

#include "edge/admin.h"

struct admin_place {
    char path[ADMIN_PATH_BYTES_MAX + 1];
    dev_t dev; /* of the socket that was made */
    ino_t ino;
};

/* The listening socket, or -errno or ERR_* with why. */
NODISCARD int admin_listen(struct admin_place *place, const char *path,
                           char why[ADMIN_WHY_BYTES]);
/* Removes what admin_listen made, nothing else. */
void admin_unlink(const struct admin_place *place);

#endif
