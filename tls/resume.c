/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resume: identities and sessions to continue, in two rings. See resume.h. */
#include "tls/resume.h"

#include <pthread.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "tls/tls_int.h"

#define KEY_BYTES 32u
#define SLOT_BYTES 4u

struct peer_entry {
    unsigned char id[RESUME_ID_BYTES];
    unsigned char key[KEY_BYTES]; /* of this ticket alone */
    struct resume_identity identity; /* owned; texts NULL = free */
};

struct offer_entry {
    char *key;     /* owned: '2' or '3' of the version, then the protocol; NULL = free */
    char *session; /* owned, wiped */
    size_t session_len;
    int64_t expires_unix_s;
    struct resume_identity identity;
};

struct resume {
    pthread_mutex_t lock; /* of all below except what never changes */
    const struct tls_aead_ops *aead;
    const struct crypto *crypto;
    struct peer_entry *peers;   /* owned, RESUME_PEERS_MAX */
    struct offer_entry *offers; /* owned, RESUME_OFFERS_MAX */
    int64_t sweep_unix_s;       /* the next time */
    uint32_t next_peer;
    uint32_t next_offer;
};

struct resume *resume_new(const struct tls_backend *backend)
{
    struct resume *r = pool_heap_zalloc(sizeof(*r));
    int err = pthread_mutex_init(&r->lock, NULL);
    ASSERT(err == 0);
    r->aead = backend->aead;
    r->crypto = backend->crypto;
    r->peers = pool_heap_zalloc(RESUME_PEERS_MAX * sizeof(*r->peers));
    r->offers = pool_heap_zalloc(RESUME_OFFERS_MAX * sizeof(*r->offers));
    return r;
}

void resume_identity_deinit(struct resume_identity *identity)
{
    tls_names_deinit(&identity->names);
    pool_free(identity->texts);
    pool_free(identity->proof);
    *identity = (struct resume_identity){0};
}

static void peer_drop(struct peer_entry *entry)
{
    resume_identity_deinit(&entry->identity);
    explicit_bzero(entry, sizeof(*entry));
}

static void offer_deinit(struct offer_entry *offer)
{
    pool_free(offer->key);
    pool_free_wiped(offer->session);
    resume_identity_deinit(&offer->identity);
    *offer = (struct offer_entry){0};
}

void resume_free(struct resume *r)
{
    if (!r) {
        return;
    }
    for (uint32_t i = 0; i < RESUME_PEERS_MAX; i++) {
        peer_drop(&r->peers[i]);
    }
    for (uint32_t i = 0; i < RESUME_OFFERS_MAX; i++) {
        offer_deinit(&r->offers[i]);
    }
    (void)pthread_mutex_destroy(&r->lock);
    pool_heap_free(r->offers);
    pool_heap_free(r->peers);
    pool_heap_free(r);
}

static void lock(struct resume *r)
{
    int err = pthread_mutex_lock(&r->lock);
    ASSERT(err == 0);
}

static void unlock(struct resume *r)
{
    int err = pthread_mutex_unlock(&r->lock);
    ASSERT(err == 0);
}

/* Keys and secrets of sessions that may not be continued any more are not kept. */
void resume_sweep(struct resume *r, int64_t now_unix_s)
{
    lock(r);
    int64_t wait = r->sweep_unix_s - now_unix_s;
    bool is_due = wait <= 0 || wait > RESUME_SWEEP_SECONDS; /* or the clock was set */
    for (uint32_t i = 0; i < RESUME_PEERS_MAX && is_due; i++) {
        if (r->peers[i].identity.texts && r->peers[i].identity.expires_unix_s <= now_unix_s) {
            peer_drop(&r->peers[i]);
        }
    }
    for (uint32_t i = 0; i < RESUME_OFFERS_MAX && is_due; i++) {
        struct offer_entry *offer = &r->offers[i];
        if (offer->key && (offer->expires_unix_s <= now_unix_s ||
                           offer->identity.expires_unix_s <= now_unix_s)) {
            offer_deinit(offer);
        }
    }
    r->sweep_unix_s = is_due ? now_unix_s + RESUME_SWEEP_SECONDS : r->sweep_unix_s;
    unlock(r);
}

/* --- who the peer was --- */

static size_t texts_bytes(const char *texts)
{
    const char *at = texts;
    for (int i = 0; i < 3; i++) {
        at += strlen(at) + 1;
    }
    return (size_t)(at - texts);
}

static void *block_copy(const void *from, size_t bytes)
{
    void *block = from ? pool_alloc(bytes) : NULL;
    if (block) {
        memcpy(block, from, bytes);
    }
    return block;
}

static int identity_copy(struct resume_identity *out, const struct resume_identity *from)
{
    *out = *from;
    out->texts = block_copy(from->texts, texts_bytes(from->texts));
    out->proof = block_copy(from->proof, from->proof ? tls_proof_bytes(from->proof) : 0);
    int err = tls_names_copy(&out->names, &from->names);
    if (err != 0 || !out->texts || (from->proof && !out->proof)) {
        resume_identity_deinit(out);
        return ERR_NOMEM;
    }
    return 0;
}

int resume_identity_of(struct resume_identity *out, const struct tls_session *s)
{
    const struct tls_shake *k = s->shake;
    int64_t seconds = s->role == TLS_ROLE_SERVER ? RESUME_SERVER_SECONDS : RESUME_CLIENT_SECONDS;
    *out = (struct resume_identity){
        .not_after_unix_s = s->peer.not_after_unix_s,
        .expires_unix_s = k->now_unix_s + seconds,
        .cred_idx = k->cred_idx,
        .chain = (uint8_t)s->peer.chain,
    };
    if (s->peer.chain != TLS_CHAIN_NONE && k->chain_expires_unix_s < out->expires_unix_s) {
        out->expires_unix_s = k->chain_expires_unix_s;
    }
    if (k->is_resumed) {
        if (k->resumed->texts && !s->peer.is_resumed) {
            return identity_copy(out, k->resumed);
        }
        out->expires_unix_s = k->resumed->expires_unix_s; /* never longer than the first one */
    }
    struct resume_identity borrowed = *out;
    char texts[sizeof(k->subject) + sizeof(k->issuer) + sizeof(k->sni)];
    char *at = texts;
    const char *parts[] = {k->subject, k->issuer, k->sni};
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        size_t bytes = strlen(parts[i]) + 1;
        memcpy(at, parts[i], bytes);
        at += bytes;
    }
    borrowed.names = s->peer.names;
    borrowed.proof = s->proof;
    borrowed.texts = texts;
    return identity_copy(out, &borrowed);
}

/* The third of the texts. */
static const char *identity_sni(const struct resume_identity *identity)
{
    const char *issuer = identity->texts + strlen(identity->texts) + 1;
    return issuer + strlen(issuer) + 1;
}

bool resume_identity_fits(const struct resume_identity *identity, const struct tls_session *s)
{
    const struct tls_shake *k = s->shake;
    return identity->expires_unix_s > k->now_unix_s && identity->cred_idx == k->cred_idx &&
           strcmp(identity_sni(identity), k->sni) == 0;
}

/* --- a server's tickets --- */

static struct tls_aead_head head_of(const struct resume_ticket *ticket)
{
    struct tls_aead_head head;
    STATIC_ASSERT(RESUME_NONCE_BYTES == TLS_NONCE_BYTES && RESUME_TAG_BYTES == TLS_TAG_BYTES,
                  "one and the same");
    memcpy(head.nonce, ticket->nonce, sizeof(head.nonce));
    head.ad = slice_make((const char *)ticket->id, sizeof(ticket->id));
    return head;
}

/* The oldest place is taken, and named in the id. */
static void keep_peer(struct resume *r, unsigned char id[RESUME_ID_BYTES],
                      const unsigned char key[KEY_BYTES], struct resume_identity *identity)
{
    lock(r);
    uint32_t slot = r->next_peer;
    r->next_peer = (slot + 1) % RESUME_PEERS_MAX;
    memcpy(id, &slot, SLOT_BYTES);
    struct peer_entry *entry = &r->peers[slot];
    struct resume_identity old = entry->identity;
    memcpy(entry->id, id, RESUME_ID_BYTES);
    memcpy(entry->key, key, KEY_BYTES);
    entry->identity = *identity;
    unlock(r);
    resume_identity_deinit(&old);
}

static struct peer_entry *find_peer(struct resume *r, const unsigned char id[RESUME_ID_BYTES])
{
    uint32_t slot;
    memcpy(&slot, id, SLOT_BYTES);
    if (slot >= RESUME_PEERS_MAX) {
        return NULL;
    }
    struct peer_entry *entry = &r->peers[slot];
    return entry->identity.texts && memcmp(entry->id, id, RESUME_ID_BYTES) == 0 ? entry : NULL;
}

int resume_seal(struct tls_session *s, struct resume_ticket *ticket, char *bytes, size_t len)
{
    struct resume *r = s->ctx->resume;
    struct resume_identity identity;
    unsigned char key[KEY_BYTES];
    r->crypto->random(ticket, sizeof(*ticket));
    r->crypto->random(key, sizeof(key));
    if (resume_identity_of(&identity, s) != 0) {
        identity = (struct resume_identity){0};
    } else if (identity.chain == TLS_CHAIN_OK) {
        keep_peer(r, ticket->id, key, &identity);
        memcpy(s->shake->ticket_id, ticket->id, sizeof(ticket->id));
        s->shake->has_ticket_id = true;
    } else {
        resume_identity_deinit(&identity); /* anybody could fill the store */
    }
    struct tls_aead *aead = r->aead->create(TLS_CIPHER_AES_256_GCM, key);
    explicit_bzero(key, sizeof(key));
    if (!aead) {
        return ERR_NOMEM;
    }
    struct tls_aead_head head = head_of(ticket);
    int err = r->aead->seal(aead, &head, slice_make(bytes, len), SLICE_NONE, bytes);
    r->aead->destroy(aead);
    return err;
}

static bool decrypt(struct resume *r, const unsigned char key[KEY_BYTES],
                    const struct resume_ticket *ticket, char *bytes, size_t len)
{
    struct tls_aead *aead = r->aead->create(TLS_CIPHER_AES_256_GCM, key);
    if (!aead) {
        return false;
    }
    struct tls_aead_head head = head_of(ticket);
    size_t plain = len - RESUME_TAG_BYTES;
    int err = r->aead->open(aead, &head, bytes, plain, bytes + plain);
    r->aead->destroy(aead);
    return err == 0;
}

/* The peer that the ticket stands for, if this handshake may go on as its session. */
static bool look_up(struct tls_session *s, const struct resume_ticket *ticket, const char *sni,
                    unsigned char key[KEY_BYTES], struct resume_identity *found)
{
    struct resume *r = s->ctx->resume;
    bool ok = false;
    lock(r);
    const struct peer_entry *entry = find_peer(r, ticket->id);
    if (entry) {
        const struct resume_identity *identity = &entry->identity;
        ok = identity->expires_unix_s > s->shake->now_unix_s &&
             identity->cred_idx == tls_cred_for(s, slice_from_cstr(sni)) &&
             strcmp(identity_sni(identity), sni) == 0 && identity_copy(found, identity) == 0;
        memcpy(key, entry->key, KEY_BYTES);
    }
    unlock(r);
    return ok;
}

/* The id first: nobody has us make keys for tickets that are not ours. */
bool resume_open(struct tls_session *s, const struct resume_ticket *ticket, char *bytes, size_t len,
                 struct slice sni)
{
    struct tls_shake *k = s->shake;
    char name[sizeof(k->sni)];
    unsigned char key[KEY_BYTES] = {0};
    tls_shake_drop_resumed(k);
    if (k->ticket_tries == RESUME_TRIES_MAX || len < RESUME_TAG_BYTES ||
        !hello_is_forward_secret(&k->hello) || !tls_lower_cstr(sni, name, sizeof(name))) {
        return false;
    }
    k->ticket_tries++;
    k->resumed = pool_zalloc(sizeof(*k->resumed));
    bool ok = k->resumed && look_up(s, ticket, name, key, k->resumed) &&
              decrypt(s->ctx->resume, key, ticket, bytes, len);
    explicit_bzero(key, sizeof(key));
    if (!ok) {
        tls_shake_drop_resumed(k);
    }
    return ok;
}

void resume_revoke(struct tls_session *s)
{
    struct resume *r = s->ctx->resume;
    if (!s->shake->has_ticket_id) {
        return;
    }
    lock(r);
    struct peer_entry *entry = find_peer(r, s->shake->ticket_id);
    if (entry) {
        peer_drop(entry);
    }
    unlock(r);
}

/* --- a client's sessions --- */

static bool offer_fits(const struct offer_entry *offer, const struct tls_session *s)
{
    const struct tls_shake *k = s->shake;
    return offer->key && strcmp(offer->key + 1, k->alpn) == 0 &&
           (offer->key[0] == '3' || k->version_min < TLS_VERSION_1_3) &&
           offer->expires_unix_s > k->now_unix_s && resume_identity_fits(&offer->identity, s);
}

bool resume_take_offer(struct tls_session *s, struct buf *session)
{
    struct resume *r = s->ctx->resume;
    struct offer_entry found = {0};
    lock(r);
    for (uint32_t i = 1; i <= RESUME_OFFERS_MAX; i++) { /* the newest first */
        struct offer_entry *offer =
            &r->offers[(r->next_offer + RESUME_OFFERS_MAX - i) % RESUME_OFFERS_MAX];
        if (offer_fits(offer, s)) {
            found = *offer;
            *offer = (struct offer_entry){0};
            break;
        }
    }
    unlock(r);
    struct resume_identity *identity = found.key ? pool_alloc(sizeof(*identity)) : NULL;
    if (identity) {
        buf_append(session, found.session, found.session_len);
        *identity = found.identity;
        found.identity = (struct resume_identity){0};
        tls_shake_drop_resumed(s->shake);
        s->shake->resumed = identity;
    }
    offer_deinit(&found);
    return identity && !session->failed;
}

void resume_keep_offer(struct tls_session *s, struct slice session, uint64_t lifetime_s)
{
    struct resume *r = s->ctx->resume;
    const struct tls_shake *k = s->shake;
    struct offer_entry offer = {.session_len = session.len};
    if (session.len == 0 || session.len > RESUME_OFFER_BYTES_MAX || lifetime_s == 0) {
        return;
    }
    if (lifetime_s > RESUME_CLIENT_SECONDS) {
        lifetime_s = RESUME_CLIENT_SECONDS;
    }
    offer.expires_unix_s = k->now_unix_s + (int64_t)lifetime_s;
    offer.key = pool_alloc(strlen(k->alpn) + 2);
    offer.session = pool_alloc(session.len);
    if (!offer.key || !offer.session || resume_identity_of(&offer.identity, s) != 0) {
        offer_deinit(&offer);
        return; /* then there is nothing to offer: a full handshake */
    }
    offer.key[0] = strcmp(s->peer.version, "TLSv1.3") == 0 ? '3' : '2';
    memcpy(offer.key + 1, k->alpn, strlen(k->alpn) + 1);
    memcpy(offer.session, session.ptr, session.len);
    lock(r);
    struct offer_entry *place = &r->offers[r->next_offer];
    struct offer_entry old = *place;
    *place = offer;
    r->next_offer = (r->next_offer + 1) % RESUME_OFFERS_MAX;
    unlock(r);
    offer_deinit(&old);
}

uint32_t resume_peer_count(struct resume *r)
{
    uint32_t count = 0;
    lock(r);
    for (uint32_t i = 0; i < RESUME_PEERS_MAX; i++) {
        const struct peer_entry *entry = &r->peers[i];
        bool has_key = false;
        for (uint32_t j = 0; j < KEY_BYTES; j++) {
            has_key = has_key || entry->key[j] != 0;
        }
        count += entry->identity.texts != NULL || has_key;
    }
    unlock(r);
    return count;
}

uint32_t resume_offer_count(struct resume *r)
{
    uint32_t count = 0;
    lock(r);
    for (uint32_t i = 0; i < RESUME_OFFERS_MAX; i++) {
        count += r->offers[i].key != NULL;
    }
    unlock(r);
    return count;
}
