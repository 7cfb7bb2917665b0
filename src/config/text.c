#include "config/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"

static const char host_chars[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-%._:";

void *text_alloc(struct arena *a, size_t n) {
    void *p = arena_alloc(a, n ? n : 1);
    if (!p) abort();
    return p;
}

char *text_copy_n(struct arena *a, const char *s, size_t n) {
    char *p = text_alloc(a, n + 1);
    memcpy(p, s, n);
    p[n] = 0;
    return p;
}

char *text_copy(struct arena *a, const char *s) { return text_copy_n(a, s, strlen(s)); }

char *text_format(struct arena *a, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(n >= 0);
    char *p = text_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    return p;
}

char *text_upper(struct arena *a, const char *s) {
    char *copy = text_copy(a, s);
    for (char *p = copy; *p; p++) *p = (char)toupper((unsigned char)*p);
    return copy;
}

char *text_lower(struct arena *a, const char *s) {
    char *copy = text_copy(a, s);
    for (char *p = copy; *p; p++) *p = (char)tolower((unsigned char)*p);
    return copy;
}

char *text_trim(struct arena *a, const char *s) {
    size_t n = strlen(s);
    while (n && (unsigned char)s[n - 1] <= ' ') n--;
    while (n && (unsigned char)*s <= ' ') s++, n--;
    return text_copy_n(a, s, n);
}

struct config_list text_list(struct arena *a, const char *s) {
    struct config_list list = {0};
    if (!*s) return list;
    int32_t n = 1;
    for (const char *p = s; *p; p++) n += *p == ',';
    const char **items = text_alloc(a, (size_t)n * sizeof *items);
    for (int32_t i = 0; i < n; i++) {
        size_t length = strcspn(s, ",");
        const char *start = s, *end = s + length;
        if (i > 0)
            while (start < end && isspace((unsigned char)*start)) start++;
        if (i < n - 1)
            while (end > start && isspace((unsigned char)end[-1])) end--;
        items[i] = text_copy_n(a, start, (size_t)(end - start));
        s += length + 1;
    }
    list.items = items;
    list.n = n;
    return list;
}

const char *text_join(struct arena *a, struct config_list list) {
    size_t length = 1;
    for (int32_t i = 0; i < list.n; i++) length += strlen(list.items[i]) + 1;
    char *text = text_alloc(a, length), *p = text;
    for (int32_t i = 0; i < list.n; i++) {
        if (i) *p++ = ',';
        size_t n = strlen(list.items[i]);
        memcpy(p, list.items[i], n);
        p += n;
    }
    *p = 0;
    return text;
}

bool text_list_has(struct config_list list, const char *s) {
    for (int32_t i = 0; i < list.n; i++)
        if (!strcmp(list.items[i], s)) return true;
    return false;
}

bool text_integer(const char *s, int64_t low, int64_t high, int64_t *value) {
    bool negative = *s == '-';
    if (*s == '-' || *s == '+') s++;
    if (!*s) return false;
    int64_t v = 0; /* kept negative: its range is wider */
    for (; *s; s++) {
        if (*s < '0' || *s > '9') return false;
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, *s - '0', &v)) return false;
    }
    if (!negative && __builtin_sub_overflow(0, v, &v)) return false;
    if (v < low || v > high) return false;
    *value = v;
    return true;
}

/* One "n<unit>" of a duration; true when it was there. Seconds may have a fraction. */
static bool duration_part(const char **s, char unit, int64_t unit_ms, int64_t *ms, bool *bad) {
    char *end;
    const char *p = *s;
    bool sign = *p == '-' || *p == '+';
    if (!isdigit((unsigned char)p[sign])) return false;
    int64_t n = strtoll(p, &end, 10), part, fraction = 0;
    if (unit == 'S' && *end == '.') {
        int64_t weight = 100;
        for (end++; isdigit((unsigned char)*end); end++, weight /= 10) fraction += weight * (*end - '0');
    }
    if (toupper((unsigned char)*end) != unit) return false;
    if (*p == '-') fraction = -fraction;
    if (__builtin_mul_overflow(n, unit_ms, &part) || __builtin_add_overflow(*ms, part + fraction, ms))
        *bad = true;
    *s = end + 1;
    return true;
}

bool text_duration(const char *s, int64_t *ms) {
    bool negative = *s == '-', any, bad = false;
    *ms = 0;
    if (*s == '-' || *s == '+') s++;
    if (toupper((unsigned char)*s++) != 'P') return false;
    any = duration_part(&s, 'D', 86400000, ms, &bad);
    if (toupper((unsigned char)*s) == 'T') {
        s++;
        bool time = duration_part(&s, 'H', 3600000, ms, &bad);
        time |= duration_part(&s, 'M', 60000, ms, &bad);
        time |= duration_part(&s, 'S', 1000, ms, &bad);
        if (!time) return false;
        any = true;
    }
    if (negative) *ms = -*ms;
    return any && !bad && !*s;
}

bool text_host_port(struct arena *a, const char *s, const char **host, int32_t *port) {
    int64_t number;
    const char *colon = strrchr(s, ':'), *scheme = strstr(s, "://");
    if (scheme && scheme + 2 < colon && strspn(s, host_chars) >= (size_t)(scheme - s) &&
        !memchr(s, ':', (size_t)(scheme - s)))
        s = scheme + 3;
    if (!colon || colon < s || !isdigit((unsigned char)colon[1])) return false;
    if (!text_integer(colon + 1, 0, INT32_MAX, &number)) return false;
    const char *end = colon;
    if (*s == '[') s++;
    if (end > s && end[-1] == ']') end--;
    if (end < s || strspn(s, host_chars) < (size_t)(end - s)) return false;
    *host = text_copy_n(a, s, (size_t)(end - s));
    *port = (int32_t)number;
    return true;
}
