/* A bucket of tokens: full at first, refilled at the rate of the limit, emptied by what is taken; it may go
 * below zero once, and nothing more is taken until it is not. For quotas on rare, large steps (changes of
 * topics). Reference: TokenBucket, ControllerMutationQuotaManager. */
#ifndef OTTLA_QUOTA_BUCKET_H
#define OTTLA_QUOTA_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    double tokens;
    int64_t filled_ms; /* when it was last refilled; 0: never, it is full */
};

/* The most that it holds: what the limit allows in the whole window of samples. */
static inline double bucket_burst(double limit, int32_t samples, int64_t sample_ms) {
    return samples * ((double)sample_ms / 1000.0) * limit;
}
void bucket_fill(struct bucket *b, double limit, double burst, int64_t now);
/* Takes n, whatever there is. */
void bucket_take(struct bucket *b, double limit, double burst, double n, int64_t now);
/* Until it is no longer below zero; 0: it is not. */
int64_t bucket_throttle_ms(const struct bucket *b, double limit);

#endif
