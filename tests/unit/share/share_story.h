/* A share partition with a log, written down as a story: who fetches what, what comes of it, and what is
 * written. States are shown as text:
 *
 *     [0..19] 0-9:A1@a 10-11:+2 12-19:-1     start..end; then ranges with one state (whole batches and
 * offsets)
 *
 * with A acquired, + acknowledged, - archived, . available, the delivery count, @ who holds it, ~ while a
 * write is under way. */
#ifndef OTTLA_TESTS_SHARE_STORY_H
#define OTTLA_TESTS_SHARE_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "share/partition.h"

enum { STORY_BATCHES = 400, STORY_WRITES = 64 };

struct share_story {
    struct share_partition *p;
    struct share_limits limits;
    int64_t now;
    struct share_source log[STORY_BATCHES];
    int log_n;
    int64_t log_start;
    struct state_batches stored; /* what __share_group_state knows */
    int64_t stored_start;
    struct share_write writes[STORY_WRITES]; /* under way; [0] is the oldest */
    int writes_n;
    enum share_acquire_mode mode;
    int32_t batch_size;
    const struct share_aborted *aborted;
    size_t aborted_n;
    char text[8192];
};

void tell_begin(struct share_story *s);
void tell_end(struct share_story *s);
/* A record batch of so many offsets behind the last. */
void tell_append(struct share_story *s, int64_t offsets);
/* The log loses what lies before. */
void tell_log_start(struct share_story *s, int64_t offset);
/* Reads where the partition says, up to `batches` record batches, and acquires. What came, as
 * "0-9:1 10-14:2". */
const char *tell_fetch(struct share_story *s, const char *member, int32_t max_records, int batches);
/* types: a letter for all or one an offset, of gAReN: gap, accept, release, reject, renew → g a e j n */
int16_t tell_ack(struct share_story *s, const char *member, int64_t first, int64_t last, const char *types);
/* Several batches in one acknowledgement: "0-4:a 5-9:e". */
int16_t tell_acks(struct share_story *s, const char *member, const char *what);
void tell_release(struct share_story *s, const char *member);
/* Time passes; locks end. */
void tell_wait(struct share_story *s, int64_t ms);
/* The oldest write under way ends. */
void tell_written(struct share_story *s, bool ok);
void tell_all_written(struct share_story *s);
/* As a leader that starts anew from what was written. */
void tell_restart(struct share_story *s);
const char *tell_show(struct share_story *s);
const char *tell_stored(struct share_story *s);

#define SHOWS(s, expected) assert_string_equal(tell_show(s), expected)
#define FETCHES(s, member, max, batches, expected)                                                           \
    assert_string_equal(tell_fetch(s, member, max, batches), expected)

#endif
