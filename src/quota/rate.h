/* A rate over a window of samples, as quotas measure it: the sum of what was recorded in the last samples by
 * the time that they cover. Units are the caller's (bytes, nanoseconds, connections); time is in milliseconds
 * of any clock that the caller sticks to.
 *
 * One thread records into a rate; several rates, each with a recorder of its own, may be shards of one
 * quantity: rate_add_to() adds them up, from any thread. So recorders share nothing that is written, and the
 * total is that of one rate into which all had recorded; a record of another thread that is under way is seen
 * a moment later. A sample begins when something is recorded and the sample before is full, not on a grid.
 * Reference: Rate, SampledStat, WindowedSum, QuotaUtils. */
#ifndef OTTLA_QUOTA_RATE_H
#define OTTLA_QUOTA_RATE_H

#include <stdatomic.h>
#include <stdint.h>

/* quota.window.num, quota.window.size.seconds. More samples than the maximum are as good as the maximum. */
enum { RATE_SAMPLES_MAX = 10000 };
struct rate_window {
    int32_t samples;   /* the window is samples - 1 full ones and the running one */
    int64_t sample_ms; /* of one sample */
};

struct rate_sample {
    _Atomic int64_t start, last; /* of the sample; of what was last recorded into it */
    _Atomic int64_t sum;
};

struct rate {
    int32_t room, current; /* room: samples + 1, for the one that the window overlaps */
    _Atomic int32_t used;
    struct rate_sample samples[];
};

/* What shards add up to. */
struct rate_total {
    int64_t sum;
    int64_t oldest; /* start of the oldest sample that counts */
};

struct rate *rate_new(const struct rate_window *w);
/* The rate's own thread. value may be negative: something recorded at `now` is taken back. */
void rate_record(struct rate *r, const struct rate_window *w, int64_t value, int64_t now);
/* Any thread. A total begins with rate_total_at(now). */
static inline struct rate_total rate_total_at(int64_t now) { return (struct rate_total){0, now}; }
void rate_add_to(const struct rate *r, const struct rate_window *w, int64_t now, struct rate_total *t);
/* The time that the total covers: at least all full samples, so that a first burst does not look endless. */
int64_t rate_covers_ms(const struct rate_total *t, const struct rate_window *w, int64_t now);
/* Per second. */
double rate_per_second(const struct rate_total *t, const struct rate_window *w, int64_t now);
/* How long nothing must be recorded for the rate to come down to the limit (per second); 0: it is not above.
 */
int64_t rate_throttle_ms(const struct rate_total *t, const struct rate_window *w, double limit, int64_t now);

#endif
