/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base64 and hex. */
#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_put(struct buf *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t v = (uint32_t)(unsigned char)bytes.ptr[i] << 16;
        char text[4];

        if (left > 1) {
            v |= (uint32_t)(unsigned char)bytes.ptr[i + 1] << 8;
        }
        if (left > 2) {
            v |= (unsigned char)bytes.ptr[i + 2];
        }
        text[0] = alphabet[v >> 18];
        text[1] = alphabet[v >> 12 & 63];
        text[2] = left > 1 ? alphabet[v >> 6 & 63] : '=';
        text[3] = left > 2 ? alphabet[v & 63] : '=';
        buf_append(out, text, sizeof(text));
    }
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+') {
        return 62;
    }
    return c == '/' ? 63 : -1;
}

/* One group of four; returns the number of bytes, 0 when malformed. */
static size_t decode_group(const char text[4], bool is_last, char out[3])
{
    int v[4];
    size_t len = 3;
    uint32_t bits = 0;

    if (is_last && text[3] == '=') {
        len = text[2] == '=' ? 1 : 2;
    }
    for (size_t i = 0; i < 4; i++) {
        v[i] = i <= len ? value_of(text[i]) : 0;
        if (v[i] < 0) {
            return 0;
        }
        bits = bits << 6 | (uint32_t)v[i];
    }
    if ((len == 1 && (bits & 0xffff) != 0) || (len == 2 && (bits & 0xff) != 0)) {
        return 0;
    }
    out[0] = (char)(bits >> 16);
    out[1] = (char)(bits >> 8);
    out[2] = (char)bits;
    return len;
}

bool base64_decode(struct buf *out, struct slice text)
{
    size_t before = buf_len(out);

    if (text.len % 4 != 0) {
        return false;
    }
    for (size_t i = 0; i < text.len; i += 4) {
        char bytes[3];
        size_t len = decode_group(text.ptr + i, i + 4 == text.len, bytes);

        if (len == 0) {
            buf_truncate(out, before);
            return false;
        }
        buf_append(out, bytes, len);
    }
    return !out->failed;
}

void hex_put(struct buf *out, struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.len; i++) {
        char pair[2] = {digits[(unsigned char)bytes.ptr[i] >> 4], digits[bytes.ptr[i] & 15]};

        buf_append(out, pair, sizeof(pair));
    }
}
