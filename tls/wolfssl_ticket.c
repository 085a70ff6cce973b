/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wolfssl_ticket: sessions that go on: tickets of a server, sessions that a client keeps. */
#include "tls/wolfssl_int.h"

#include "base/check.h"

#define MASTER_BYTES 48u

/* The server makes a ticket or reads one: the library's text under our key. The bytes for a
 * MAC are not needed, the tag is in the text. */
static int on_ticket(WOLFSSL *ssl, unsigned char name[WOLFSSL_TICKET_NAME_SZ],
                     unsigned char iv[WOLFSSL_TICKET_IV_SZ],
                     unsigned char mac[WOLFSSL_TICKET_MAC_SZ], int is_new, unsigned char *bytes,
                     int len, int *out_len, void *arg)
{
    (void)arg;
    struct tls_session *s = wolfSSL_GetIOReadCtx(ssl);
    struct tls_shake *k = s->shake;
    struct resume_ticket ticket;
    STATIC_ASSERT(WOLFSSL_TICKET_NAME_SZ == RESUME_ID_BYTES &&
                      WOLFSSL_TICKET_IV_SZ >= RESUME_NONCE_BYTES,
                  "a ticket has room for what we put into it");
    if (is_new) {
        k->is_resumed = k->resumed && wolfSSL_session_reused(ssl);
        if (resume_seal(s, &ticket, (char *)bytes, (size_t)len) != 0) {
            return WOLFSSL_TICKET_RET_FATAL;
        }
        memcpy(name, ticket.id, sizeof(ticket.id));
        memset(iv, 1, WOLFSSL_TICKET_IV_SZ); /* zeros would be taken for forgotten */
        memcpy(iv, ticket.nonce, sizeof(ticket.nonce));
        memset(mac, 1, WOLFSSL_TICKET_MAC_SZ);
        *out_len = len + (int)RESUME_TAG_BYTES;
        return WOLFSSL_TICKET_RET_OK;
    }
    void *sni = NULL;
    unsigned short sni_len = wolfSSL_SNI_GetRequest(ssl, WOLFSSL_SNI_HOST_NAME, &sni);
    memcpy(ticket.id, name, sizeof(ticket.id));
    memcpy(ticket.nonce, iv, sizeof(ticket.nonce));
    if (!resume_open(s, &ticket, (char *)bytes, (size_t)len, slice_make(sni, sni ? sni_len : 0))) {
        return WOLFSSL_TICKET_RET_REJECT;
    }
    *out_len = len - (int)RESUME_TAG_BYTES;
    return WOLFSSL_TICKET_RET_OK;
}

bool wolfssl_set_tickets(WOLFSSL_CTX *ctx, bool is_on)
{
    if (!is_on) {
        return wolfSSL_CTX_no_ticket_TLSv13(ctx) == 0 &&
               wolfSSL_CTX_NoTicketTLSv12(ctx) == WOLFSSL_SUCCESS;
    }
    (void)wolfSSL_CTX_set_timeout(ctx, RESUME_SERVER_SECONDS);
    return wolfSSL_CTX_set_TicketEncCb(ctx, on_ticket) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_TicketHint(ctx, RESUME_SERVER_SECONDS) == WOLFSSL_SUCCESS;
}

/* The session as bytes, appended to out; false when there is none. */
static bool session_bytes(WOLFSSL *ssl, struct buf *out, uint64_t *lifetime_s)
{
    WOLFSSL_SESSION *session = wolfSSL_get1_session(ssl);
    int len = session ? wolfSSL_i2d_SSL_SESSION(session, NULL) : 0;
    unsigned char *at = len > 0 ? (unsigned char *)buf_reserve(out, (size_t)len) : NULL;
    bool ok = at && wolfSSL_i2d_SSL_SESSION(session, &at) == len;
    if (ok) {
        buf_commit(out, (size_t)len);
    }
    if (session && lifetime_s) {
        *lifetime_s = wolfSSL_SESSION_has_ticket(session)
                          ? wolfSSL_SESSION_get_ticket_lifetime_hint(session)
                          : 0;
    }
    wolfSSL_SESSION_free(session);
    return ok;
}

/* There is no getter: side, time, timeout, length of the id, the id, master secret, then it. */
static bool read_ems(const struct buf *session)
{
    struct slice s = buf_slice(session);
    size_t at = 1 + 4 + 4;
    at += at < s.len ? 1u + (unsigned char)s.ptr[at] + MASTER_BYTES : 0;
    return at < s.len && s.ptr[at] != 0;
}

bool wolfssl_is_resumed(struct tls_session *s)
{
    WOLFSSL *ssl = s->shake->lib;
    struct buf session;
    buf_init(&session, RESUME_OFFER_BYTES_MAX);
    s->shake->has_ems = session_bytes(ssl, &session, NULL) && read_ems(&session);
    buf_deinit_wiped(&session);
    return wolfSSL_session_reused(ssl) != 0;
}

/* Of TLS 1.3 only: as a client of TLS 1.2 wolfSSL 5.5 takes it for granted that a ticket is
 * accepted, and breaks off when the server goes on with a full handshake (as all do after a
 * restart). */
void wolfssl_keep(struct tls_session *s)
{
    struct buf session;
    uint64_t lifetime_s = 0;
    bool is_tls13 = wolfSSL_version(s->shake->lib) == TLS1_3_VERSION;
    buf_init(&session, RESUME_OFFER_BYTES_MAX);
    if (is_tls13 && session_bytes(s->shake->lib, &session, &lifetime_s)) {
        resume_keep_offer(s, buf_slice(&session), lifetime_s);
    }
    buf_deinit_wiped(&session);
}

void wolfssl_offer(struct tls_session *s, WOLFSSL *ssl)
{
    struct buf bytes;
    buf_init(&bytes, RESUME_OFFER_BYTES_MAX);
    if (resume_take_offer(s, &bytes)) {
        const unsigned char *at = (const unsigned char *)buf_slice(&bytes).ptr;
        WOLFSSL_SESSION *session = wolfSSL_d2i_SSL_SESSION(NULL, &at, (long)buf_len(&bytes));
        if (!session || wolfSSL_set_session(ssl, session) != WOLFSSL_SUCCESS) {
            tls_shake_drop_resumed(s->shake);
        }
        wolfSSL_SESSION_free(session);
    }
    buf_deinit_wiped(&bytes);
}
