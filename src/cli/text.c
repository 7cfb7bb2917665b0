#include "cli/text.h"

#include <string.h>

#include "base/err.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool utf8_is_valid(const void *bytes, size_t n) {
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const uint8_t *p = bytes, *end = p + n;
    while (p < end) {
        uint32_t c = *p++;
        if (c < 0x80) continue;
        int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0xc2 || c > 0xf4 || end - p < more) return false;
        c &= 0x3fu >> more;
        for (int i = 0; i < more; i++, p++) {
            if ((*p & 0xc0) != 0x80) return false;
            c = c << 6 | (*p & 0x3f);
        }
        if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return false;
    }
    return true;
}

void base64_add(struct strbuf *b, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v =
            (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=',
                        left > 2 ? digits[v & 63] : '='};
        strbuf_add(b, four, sizeof four);
    }
}

int base64_decode(const char *text, size_t n, struct strbuf *b) {
    if (n % 4) return OE_MALFORMED;
    for (size_t i = 0; i < n; i += 4) {
        uint32_t v = 0;
        int pad = 0;
        for (size_t k = 0; k < 4; k++) {
            char c = text[i + k];
            const char *at = c ? strchr(digits, c) : NULL;
            if (c == '=' && i + 4 == n && k >= 2)
                pad++;
            else if (!at || pad)
                return OE_MALFORMED;
            v = v << 6 | (at && c != '=' ? (uint32_t)(at - digits) : 0);
        }
        char three[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};
        strbuf_add(b, three, (size_t)(3 - pad));
    }
    return 0;
}

static int hex(char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

long unescape(char *text) {
    char *to = text;
    for (char *p = text; *p; p++) {
        if (*p != '\\') {
            *to++ = *p;
            continue;
        }
        switch (*++p) {
        case 't': *to++ = '\t'; break;
        case 'n': *to++ = '\n'; break;
        case 'r': *to++ = '\r'; break;
        case '0': *to++ = 0; break;
        case '\\': *to++ = '\\'; break;
        case 'x':
            if (hex(p[1]) < 0 || hex(p[2]) < 0) return -1;
            *to++ = (char)(hex(p[1]) << 4 | hex(p[2]));
            p += 2;
            break;
        default: return -1;
        }
    }
    *to = 0;
    return to - text;
}
