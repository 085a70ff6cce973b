/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pair: see pair.h. */
#include "pair.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/err.h"

const char *pair_file(const char *name, const char *ext)
{
    static char texts[16][256];
    static unsigned next;
    char *text = texts[next++ % 16];
    (void)snprintf(text, sizeof(texts[0]), TLS_CERTS "/%s.%s", name, ext);
    return text;
}

static struct tls_context *context_for(const char *backend, const char *certs, const char *trust,
                                       const struct pair_params *how)
{
    struct tls_credential credentials[8] = {0};
    uint32_t count = 0;
    struct slice rest = slice_from_cstr(certs);
    while (rest.len > 0) {
        struct slice name;
        struct slice domain;
        char text[64];
        if (!slice_cut(&rest, ',', &name)) {
            rest = SLICE_NONE;
        }
        if (slice_find(name, '=') >= 0 && slice_cut(&name, '=', &domain)) {
            credentials[count].domain = domain;
        }
        cr_assert(slice_to_cstr(name, text, sizeof(text)));
        credentials[count].certificate_path = pair_file(text, "crt");
        credentials[count++].key_path = pair_file(text, "key");
    }
    struct tls_context_params params = {
        .credentials = credentials,
        .credential_count = count,
        .trust_path = trust[0] ? pair_file(trust, "crt") : NULL,
        .has_tickets = how->has_tickets,
        .is_aes_first = how->is_aes_first,
    };
    struct tls_context *ctx;
    struct tls_error why;
    int err = tls_context_new(&ctx, tls_backend_find(backend), &params, &why);
    cr_assert_eq(err, 0, "%s", why.text);
    return ctx;
}

struct tls_context *pair_context(const char *backend, const char *certs, const char *trust)
{
    return context_for(backend, certs, trust, &(struct pair_params){0});
}

static const char *or(const char *value, const char *otherwise)
{
    return value ? value : otherwise;
}

static void end_start(struct pair_end *e, const struct pair_params *p, enum tls_role role)
{
    bool is_client = role == TLS_ROLE_CLIENT;
    buf_init(&e->in, PAIR_BYTES_MAX);
    buf_init(&e->out, PAIR_BYTES_MAX);
    buf_init(&e->plain, PAIR_BYTES_MAX);
    struct tls_session_params params = {
        .role = role,
        .sni = slice_from_cstr(p->sni),
        .alpn = slice_from_cstr(is_client ? p->client_alpn : p->server_alpn),
        .credential_idx = UINT32_MAX,
        .now_unix_s = p->now_unix_s,
        .version_min = p->version_min,
        .may_resume = p->may_resume,
    };
    cr_assert_eq(tls_session_new(&e->session, e->ctx, &params), 0);
    e->step = TLS_STEP_MORE;
}

static void end_init(struct pair_end *e, const struct pair_params *p, enum tls_role role)
{
    bool is_client = role == TLS_ROLE_CLIENT;
    e->ctx = context_for(or(is_client ? p->client_backend : p->server_backend, "wolfssl"),
                         or(is_client ? p->client_cert : p->server_certs, "good"),
                         or(p->trust, "trust"), p);
    end_start(e, p, role);
}

void pair_init(struct pair *p, const struct pair_params *params)
{
    *p = (struct pair){.dice = 88172645463325252u, .step_bytes = params->step_bytes};
    end_init(&p->client, params, TLS_ROLE_CLIENT);
    end_init(&p->server, params, TLS_ROLE_SERVER);
}

static void end_stop(struct pair_end *e)
{
    tls_session_free(e->session);
    buf_deinit(&e->in);
    buf_deinit(&e->out);
    buf_deinit(&e->plain);
}

void pair_again(struct pair *p, const struct pair_params *params)
{
    end_stop(&p->client);
    end_stop(&p->server);
    end_start(&p->client, params, TLS_ROLE_CLIENT);
    end_start(&p->server, params, TLS_ROLE_SERVER);
}

void pair_deinit(struct pair *p)
{
    end_stop(&p->client);
    end_stop(&p->server);
    tls_context_unref(p->client.ctx);
    tls_context_unref(p->server.ctx);
}

uint64_t pair_dice(struct pair *p)
{
    p->dice ^= p->dice << 13;
    p->dice ^= p->dice >> 7;
    p->dice ^= p->dice << 17;
    return p->dice;
}

static size_t step_of(struct pair *p, size_t waiting)
{
    size_t step = p->step_bytes;
    if (step == 0) {
        return waiting;
    }
    if (step == SIZE_MAX) {
        step = 1 + pair_dice(p) % 700;
    }
    return step < waiting ? step : waiting;
}

static void shake(struct pair_end *e)
{
    size_t used;
    struct slice in = buf_slice(&e->in);
    e->step = tls_session_handshake(e->session, in, &used, &e->out);
    cr_assert_leq(used, in.len);
    buf_consume(&e->in, used);
}

/* One step from one end to the other; false when nothing waited. */
static bool move(struct pair *p, struct pair_end *from, struct pair_end *to)
{
    size_t len = step_of(p, buf_len(&from->out));
    if (len == 0) {
        return false;
    }
    buf_append(&to->in, buf_slice(&from->out).ptr, len);
    buf_consume(&from->out, len);
    if (to->step == TLS_STEP_MORE) {
        shake(to);
    }
    return true;
}

bool pair_handshake(struct pair *p)
{
    shake(&p->client);
    bool moved = true;
    while (moved) {
        moved = move(p, &p->client, &p->server);
        moved = move(p, &p->server, &p->client) || moved;
    }
    return p->client.step == TLS_STEP_DONE && p->server.step == TLS_STEP_DONE;
}

int pair_open(struct pair_end *e, size_t *used)
{
    char *bytes = e->in.data ? e->in.data + e->in.head : NULL;
    size_t len = buf_len(&e->in);
    struct slice plain;
    int err = tls_session_open(e->session, bytes, len, used, &plain, &e->out);
    cr_assert_leq(*used, len);
    if (plain.len > 0) {
        cr_assert(plain.ptr >= bytes && plain.ptr + plain.len <= bytes + *used);
        cr_assert(err == 0 || err == ERR_CLOSED);
        buf_put(&e->plain, plain);
    }
    size_t rest = len - *used;
    struct slice in = slice_make(bytes + *used, rest);
    size_t need = err == 0 && rest > 0 ? tls_session_record_bytes(e->session, in) : 0;
    if (need > 0 && need <= rest) { /* a bad one: what came before it counts first */
        cr_assert_gt(plain.len, 0);
        err = tls_session_open(e->session, bytes + *used, rest, used, &plain, &e->out);
        cr_assert(err != 0 && err != ERR_CLOSED && plain.len == 0);
        *used = len;
    }
    buf_consume(&e->in, *used);
    return err;
}

static int open_all(struct pair_end *e)
{
    size_t used = 1;
    int err = 0;
    while (err == 0 && used > 0) {
        err = pair_open(e, &used);
    }
    return err;
}

int pair_carry(struct pair *p, struct pair_end *from, struct pair_end *to)
{
    to->err = open_all(to); /* what the handshake left over */
    while (to->err == 0 && move(p, from, to)) {
        to->err = open_all(to);
    }
    return to->err;
}

void pair_say(struct pair *p, struct pair_end *from, struct slice text)
{
    struct pair_end *to = from == &p->client ? &p->server : &p->client;
    cr_assert_eq(tls_session_seal(from->session, text, &from->out), 0);
    int err = pair_carry(p, from, to);
    cr_assert_eq(err, 0, "%s", tls_session_error(to->session)->text);
    cr_assert(slice_eq(buf_slice(&to->plain), text), "%zu bytes of %zu", buf_len(&to->plain),
              text.len);
    buf_clear(&to->plain);
}
