/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partner_node: what the running node says about one partner. */
#include <sysexits.h>
#include <time.h>

#include "base/jout.h"
#include "ctl/partner.h"

#define REQUEST_BYTES_MAX ((size_t)4096)

int partner_ask_node(const struct ctl *ctl, struct slice domain, struct client_reply *reply,
                     char why[CLIENT_WHY_BYTES])
{
    struct buf request;
    struct jout j;
    int status;

    buf_init(&request, REQUEST_BYTES_MAX);
    jout_init(&j, &request, false);
    jout_object(&j, NULL);
    jout_cstr(&j, "command", "partner");
    jout_text(&j, "domain", domain);
    jout_end(&j);
    status = client_try(ctl, buf_slice(&request), reply, why);
    if (status == EX_OK && !reply->is_ok) {
        slice_to_cstr_cut(client_text(reply, 0, "error"), why, CLIENT_WHY_BYTES);
    }
    buf_deinit(&request);
    return status;
}

void partner_put_time(struct buf *out, int64_t unix_s)
{
    time_t when = (time_t)unix_s;
    struct tm tm;
    char text[32];

    if (gmtime_r(&when, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%SZ", &tm)) {
        buf_put_cstr(out, text);
    }
}
