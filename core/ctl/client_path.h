/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client_path: where the node's admin socket is. One thread. */
#ifndef FG_CTL_CLIENT_PATH_H
#define FG_CTL_CLIENT_PATH_H

#include "ctl/client.h"

#define CLIENT_PATH_BYTES 108u /* sun_path */

/* --admin, else listen.admin of the configuration, which need not be valid otherwise, nor JSON
 * behind that: a node runs with its old one while somebody mends the new. An exit status with why
 * on failure. */
NODISCARD int client_path(const struct ctl *ctl, char out[CLIENT_PATH_BYTES],
                          char why[CLIENT_WHY_BYTES]);

#endif
