/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mbedtls_ticket: sessions that go on: tickets of a server, sessions that a client keeps. */
#include "tls/mbedtls_int.h"

/* Before the handshake is complete, but behind the peer's proof that the key is its own. */
int mbedtls_on_new_ticket(void *arg, const mbedtls_ssl_session *session, unsigned char *start,
                          const unsigned char *end, size_t *len, uint32_t *lifetime_s)
{
    struct tls_session *s = arg;
    struct mbed_session *m = s->shake->lib;
    struct resume_ticket ticket;
    size_t room = (size_t)(end - start);
    unsigned char *text = start + sizeof(ticket);
    size_t text_len = 0;
    if (!s->shake->has_ems || room < sizeof(ticket) + RESUME_TAG_BYTES ||
        mbedtls_ssl_session_save(session, text, room - sizeof(ticket) - RESUME_TAG_BYTES,
                                 &text_len) != 0) {
        return MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL; /* it then gives an empty one */
    }
    if (!m->is_resumed && !s->shake->peer_seen) {
        mbedtls_judge_chain(s, session->peer_cert);
    }
    s->shake->is_resumed = m->is_resumed && s->shake->resumed;
    if (resume_seal(s, &ticket, (char *)text, text_len) != 0) {
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
    memcpy(start, &ticket, sizeof(ticket));
    *len = sizeof(ticket) + text_len + RESUME_TAG_BYTES;
    *lifetime_s = RESUME_SERVER_SECONDS;
    return 0;
}

int mbedtls_on_ticket(void *arg, mbedtls_ssl_session *session, unsigned char *bytes, size_t len)
{
    struct tls_session *s = arg;
    struct resume_ticket ticket;
    if (len < sizeof(ticket) + RESUME_TAG_BYTES) {
        return MBEDTLS_ERR_SSL_INVALID_MAC;
    }
    memcpy(&ticket, bytes, sizeof(ticket));
    unsigned char *text = bytes + sizeof(ticket);
    size_t text_len = len - sizeof(ticket);
    if (!resume_open(s, &ticket, (char *)text, text_len, slice_from_cstr(s->shake->sni))) {
        return MBEDTLS_ERR_SSL_INVALID_MAC;
    }
    return mbedtls_ssl_session_load(session, text, text_len - RESUME_TAG_BYTES);
}

bool mbedtls_is_resumed(struct tls_session *s)
{
    const struct mbed_session *m = s->shake->lib;
    return m->is_resumed;
}

void mbedtls_keep(struct tls_session *s)
{
    struct mbed_session *m = s->shake->lib;
    mbedtls_ssl_session session;
    struct buf bytes;
    size_t len = 0;
    mbedtls_ssl_session_init(&session);
    buf_init(&bytes, RESUME_OFFER_BYTES_MAX);
    char *at = buf_reserve(&bytes, RESUME_OFFER_BYTES_MAX);
    if (at && s->shake->has_ems && mbedtls_ssl_get_session(&m->ssl, &session) == 0 &&
        session.ticket_len > 0 &&
        mbedtls_ssl_session_save(&session, (unsigned char *)at, RESUME_OFFER_BYTES_MAX, &len) ==
            0) {
        /* RFC 5077 3.3: 0 says nothing. */
        resume_keep_offer(s, slice_make(at, len),
                          session.ticket_lifetime ? session.ticket_lifetime
                                                  : RESUME_SERVER_SECONDS);
    }
    buf_commit(&bytes, len);
    buf_deinit_wiped(&bytes);
    mbedtls_ssl_session_free(&session);
}

void mbedtls_offer(struct tls_session *s, struct mbed_session *m)
{
    mbedtls_ssl_session session;
    struct buf bytes;
    mbedtls_ssl_session_init(&session);
    buf_init(&bytes, RESUME_OFFER_BYTES_MAX);
    if (resume_take_offer(s, &bytes) &&
        (mbedtls_ssl_session_load(&session, (const unsigned char *)buf_slice(&bytes).ptr,
                                  buf_len(&bytes)) != 0 ||
         mbedtls_ssl_set_session(&m->ssl, &session) != 0)) {
        tls_shake_drop_resumed(s->shake);
    }
    buf_deinit_wiped(&bytes);
    mbedtls_ssl_session_free(&session);
}
