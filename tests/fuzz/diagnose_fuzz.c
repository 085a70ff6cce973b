/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whatever a server says in plain, a walk ends, says good or names a failed step, and prints
 * nothing that moves a cursor. First byte: the row's methods, direction, acknowledgements. */
#include <sys/socket.h>
#include <unistd.h>

#include "diagnose_ground.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct diagnose d;
    uint8_t how = size ? data[0] : 0;
    enum diagnose_direction way = how & 16 ? DIAGNOSE_IN : DIAGNOSE_OUT;
    struct diagnose_stream_params params = {
        .local = way == DIAGNOSE_IN ? SLICE_NONE : SLICE_LIT("a.b"), .remote = SLICE_LIT("x.y"),
        .map = way == DIAGNOSE_IN ? &diagnose_map_in : &diagnose_map_out,
        .methods = how & 15 ? how & 15 : STREAM_METHOD_DIALBACK_PLAIN, .avoid_tls = how & 32,
        .wants_acks = how & 64, .verify_part = way == DIAGNOSE_IN ? NULL : &d.parts[1]};
    enum diagnose_outcome outcome;
    int pair[2];

    set_out(&d, way);
    if (size < 2 || size > 60000 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0) {
        return 0;
    }
    ASSERT(send(pair[1], data + 1, size - 1, MSG_NOSIGNAL) >= 0);
    (void)shutdown(pair[1], SHUT_WR);
    outcome = diagnose_stream_walk(&d, pair[0], &params);
    ASSERT((outcome == DIAGNOSE_STREAM_GOOD) == !diagnose_part_has_failed(d.at));
    check_print(&d);
    (void)close(pair[1]);
    diagnose_deinit(&d);
    return 0;
}
