#include "quota/bucket.h"

void bucket_fill(struct bucket *b, double limit, double burst, int64_t now) {
    double tokens = b->tokens + limit * ((double)(now - b->filled_ms) / 1000.0);
    b->tokens = tokens < burst ? tokens : burst;
    b->filled_ms = now;
}

void bucket_take(struct bucket *b, double limit, double burst, double n, int64_t now) {
    bucket_fill(b, limit, burst, now);
    double tokens = b->tokens - n;
    b->tokens = tokens < burst ? tokens : burst;
}

int64_t bucket_throttle_ms(const struct bucket *b, double limit) {
    if (b->tokens >= 0) return 0;
    double ms = -b->tokens / limit * 1000 + 0.5;
    return ms < (double)INT32_MAX ? (int64_t)ms : INT32_MAX;
}
