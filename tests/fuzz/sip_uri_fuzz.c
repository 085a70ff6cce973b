/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as URI and as name-addr: parts lie inside the text, host and user survive rewriting. */
#include "base/check.h"
#include "sip/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct slice part, struct slice whole)
{
    ASSERT(part.len == 0 || part.ptr >= whole.ptr);
    ASSERT(part.len == 0 || part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_uri(const struct sip_uri *uri)
{
    struct sip_uri again;
    struct buf user;
    struct buf text;

    check_inside(uri->user, uri->text);
    check_inside(uri->host.text, uri->text);
    check_inside(uri->params, uri->text);
    check_inside(uri->headers, uri->text);
    ASSERT(sip_uri_eq(uri, uri) || uri->has_password);
    if (uri->host.kind == SIP_HOST_NONE) {
        return;
    }
    buf_init(&user, 1 << 20);
    buf_init(&text, 1 << 20);
    ASSERT(sip_unescape(&user, uri->user));
    buf_put_lit(&text, "sip:");
    sip_escape_user(&text, buf_slice(&user));
    buf_put_cstr(&text, uri->has_user ? "@" : "");
    sip_host_put(&text, &uri->host);
    ASSERT(sip_uri_parse(buf_slice(&text), &again) == 0);
    ASSERT(sip_host_eq(&again.host, &uri->host) && again.has_user == uri->has_user);
    buf_clear(&text);
    ASSERT(sip_unescape(&text, again.user));
    ASSERT(slice_eq(buf_slice(&text), buf_slice(&user)));
    buf_deinit(&user);
    buf_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct sip_addr addr;
    struct sip_uri uri;

    if (sip_uri_parse(text, &uri) == 0) {
        check_uri(&uri);
    }
    if (sip_addr_parse(text, &addr) == 0 && !addr.is_star) {
        check_inside(addr.display, text);
        check_inside(addr.tag, text);
        ASSERT(sip_params_are_valid(addr.params));
        check_uri(&addr.uri);
    }
    return 0;
}
