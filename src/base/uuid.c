#include "base/uuid.h"

#include "base/err.h"
#include "base/random.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *uuid_format(const struct uuid *u, char text[UUID_TEXT]) {
    uint32_t bits = 0;
    int have = 0, n = 0;
    for (int i = 0; i < 16; i++) {
        bits = bits << 8 | u->b[i];
        for (have += 8; have >= 6; have -= 6) text[n++] = alphabet[bits >> (have - 6) & 63];
    }
    text[n++] = alphabet[bits << (6 - have) & 63];
    text[n] = 0;
    return text;
}

int uuid_parse(const char *text, struct uuid *u) {
    uint32_t bits = 0;
    int have = 0, n = 0;
    if (strlen(text) != UUID_TEXT - 1) return OE_MALFORMED;
    for (const char *p = text; *p; p++) {
        const char *at = strchr(alphabet, *p);
        if (!at) return OE_MALFORMED;
        bits = bits << 6 | (uint32_t)(at - alphabet);
        have += 6;
        if (have >= 8 && n < 16) {
            have -= 8;
            u->b[n++] = (uint8_t)(bits >> have);
        }
    }
    return n == 16 ? 0 : OE_MALFORMED;
}

struct uuid uuid_random(struct random *r) {
    struct uuid u;
    do {
        random_bytes(r, u.b, 16);
        u.b[6] = (uint8_t)((u.b[6] & 0x0f) | 0x40);
        u.b[8] = (uint8_t)((u.b[8] & 0x3f) | 0x80);
    } while (u.b[0] >> 2 == 62); /* '-' */
    return u;
}
