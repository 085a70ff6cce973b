/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sock: the plain system calls on TCP sockets that no ring is needed for; none of them blocks.
 * Shaped as entries of io_vtable for backends that run on real descriptors. Any thread.          */
#ifndef FG_IO_SOCK_H
#define FG_IO_SOCK_H

#include "io/io.h"

int sock_open(struct io *io, int family);
/* Sets the options of an accepted descriptor and asks for the peer's address. */
int sock_accepted(struct io *io, int fd, struct sockaddr_storage *peer, socklen_t *len);
void sock_shutdown_send(struct io *io, int fd);
void sock_shutdown_listen(struct io *io, int fd);
void sock_close(struct io *io, int fd, bool is_reset);
size_t sock_unacked(struct io *io, int fd);

#endif
