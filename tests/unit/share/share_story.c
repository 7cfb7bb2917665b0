#include "share_story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/kerr.h"

void tell_begin(struct share_story *s) {
    memset(s, 0, sizeof *s);
    s->limits = (struct share_limits){
        .max_record_locks = 2000, .delivery_count_limit = 5, .lock_duration_ms = 30000, .renew = true};
    s->batch_size = 500;
    s->p = share_partition_create();
    assert_int_equal(share_partition_load(s->p, 0, 0, NULL, 0), 0);
}

static void forget_writes(struct share_story *s) {
    while (s->writes_n) share_write_free(&s->writes[--s->writes_n]);
}

void tell_end(struct share_story *s) {
    forget_writes(s);
    share_partition_destroy(s->p);
    state_batches_free(&s->stored);
}

void tell_append(struct share_story *s, int64_t offsets) {
    assert_true(s->log_n < STORY_BATCHES);
    int64_t base = s->log_n ? s->log[s->log_n - 1].last + 1 : 0;
    s->log[s->log_n++] = (struct share_source){.base = base, .last = base + offsets - 1, .producer_id = -1};
}

void tell_log_start(struct share_story *s, int64_t offset) {
    s->log_start = offset;
    while (s->log_n && s->log[0].last < offset)
        memmove(s->log, s->log + 1, (size_t)--s->log_n * sizeof *s->log);
}

const char *tell_fetch(struct share_story *s, const char *member, int32_t max_records, int batches) {
    struct share_acquired_list got = {0};
    struct share_fetch f = {.member = kstr_of(member), .mode = s->mode, .batch_size = s->batch_size};
    int at = 0, n = 0;
    s->text[0] = 0;
    if (!share_partition_can_acquire(s->p, &s->limits)) return "full";
    f.fetch_offset = share_partition_next_fetch(s->p);
    if (f.fetch_offset < s->log_start) {
        share_partition_log_start(s->p, s->log_start);
        return "log start";
    }
    while (at < s->log_n && s->log[at].last < f.fetch_offset) at++;
    while (n < batches && at + n < s->log_n) n++;
    f.batches = s->log + at;
    f.batches_n = (size_t)n;
    f.aborted = s->aborted;
    f.aborted_n = s->aborted_n;
    f.max_records = max_records;
    share_partition_acquire(s->p, &f, &s->limits, s->now, &got);
    share_partition_check(s->p);
    size_t len = 0;
    for (size_t i = 0; i < got.n; i++)
        len += (size_t)snprintf(s->text + len, sizeof s->text - len, "%s%lld-%lld:%d", i ? " " : "",
                                (long long)got.v[i].first, (long long)got.v[i].last, got.v[i].delivery_count);
    free(got.v);
    return s->text;
}

static void queue(struct share_story *s, struct share_write *w) {
    if (!w->batches.n) {
        share_write_free(w);
        return;
    }
    assert_true(s->writes_n < STORY_WRITES);
    s->writes[s->writes_n++] = *w;
}

static int16_t acknowledge(struct share_story *s, const char *member, const struct share_acknowledgement *a,
                           size_t n) {
    struct share_write w;
    const char *why = NULL;
    int16_t error = share_partition_acknowledge(s->p, kstr_of(member), a, n, &s->limits, s->now, &w, &why);
    share_partition_check(s->p);
    assert_true(!error == !why);
    if (!error) queue(s, &w);
    return error;
}

static int8_t type_of(char c) { return (int8_t)(strchr("gaejn", c) - "gaejn"); }

int16_t tell_acks(struct share_story *s, const char *member, const char *what) {
    struct share_acknowledgement a[16];
    int8_t types[16][512];
    size_t n = 0;
    for (char *copy = strdup(what), *part = strtok(copy, " ");; part = strtok(NULL, " "), n++) {
        if (!part) {
            free(copy);
            break;
        }
        char letters[512];
        long long first, last;
        assert_int_equal(sscanf(part, "%lld-%lld:%511s", &first, &last, letters), 3);
        for (size_t i = 0; letters[i]; i++) types[n][i] = type_of(letters[i]);
        a[n] = (struct share_acknowledgement){
            .first = first, .last = last, .types = types[n], .types_n = (int32_t)strlen(letters)};
    }
    return acknowledge(s, member, a, n);
}

int16_t tell_ack(struct share_story *s, const char *member, int64_t first, int64_t last,
                 const char *letters) {
    char what[600];
    snprintf(what, sizeof what, "%lld-%lld:%s", (long long)first, (long long)last, letters);
    return tell_acks(s, member, what);
}

void tell_release(struct share_story *s, const char *member) {
    struct share_write w;
    share_partition_release(s->p, kstr_of(member), &s->limits, &w);
    share_partition_check(s->p);
    queue(s, &w);
}

void tell_wait(struct share_story *s, int64_t ms) {
    struct share_write w;
    s->now += ms;
    share_partition_expire(s->p, &s->limits, s->now, &w);
    share_partition_check(s->p);
    assert_true(share_partition_deadline(s->p) > s->now);
    queue(s, &w);
}

void tell_written(struct share_story *s, bool ok) {
    assert_true(s->writes_n > 0);
    struct share_write w = s->writes[0];
    memmove(s->writes, s->writes + 1, (size_t)--s->writes_n * sizeof w);
    if (ok) {
        struct state_batches out = {0};
        state_batches_combine(s->stored.v, s->stored.n, w.batches.v, w.batches.n, w.start_offset, &out);
        state_batches_free(&s->stored);
        s->stored = out;
        s->stored_start = w.start_offset;
    }
    share_partition_written(s->p, &w, ok);
    share_partition_check(s->p);
    share_write_free(&w);
}

void tell_all_written(struct share_story *s) {
    while (s->writes_n) tell_written(s, true);
}

void tell_restart(struct share_story *s) {
    forget_writes(s);
    share_partition_destroy(s->p);
    s->p = share_partition_create();
    assert_int_equal(share_partition_load(s->p, s->stored_start, 0, s->stored.v, s->stored.n), 0);
    share_partition_check(s->p);
}

/* ---- as text ---- */

struct shown {
    int state, count;
    char member[16];
    bool write;
};

static bool same(const struct shown *a, const struct shown *b) {
    return a->state == b->state && a->count == b->count && !strcmp(a->member, b->member);
}

const char *tell_show(struct share_story *s) {
    int64_t start = share_partition_start(s->p), end = share_partition_end(s->p), from = start;
    size_t len = (size_t)snprintf(s->text, sizeof s->text, "[%lld..%lld]", (long long)start, (long long)end);
    struct shown last = {.state = -1};
    for (int64_t at = start; at <= end + 1; at++) {
        struct shown x = {.state = -1};
        struct kstr member;
        if (at <= end) x.state = share_partition_state(s->p, at, &x.count, &member);
        if (x.state >= 0) snprintf(x.member, sizeof x.member, "%.*s", (int)member.len, member.s);
        if (at > start && at <= end && same(&x, &last)) continue;
        if (last.state >= 0)
            len += (size_t)snprintf(s->text + len, sizeof s->text - len, " %lld-%lld:%c%d%s%s",
                                    (long long)from, (long long)at - 1, ".A+?-"[last.state], last.count,
                                    last.member[0] ? "@" : "", last.member);
        from = at;
        last = x;
    }
    return s->text;
}

const char *tell_stored(struct share_story *s) {
    size_t len = (size_t)snprintf(s->text, sizeof s->text, "%lld:", (long long)s->stored_start);
    for (size_t i = 0; i < s->stored.n; i++)
        len += (size_t)snprintf(s->text + len, sizeof s->text - len, " %lld-%lld:%c%d",
                                (long long)s->stored.v[i].first, (long long)s->stored.v[i].last,
                                ".A+?-"[s->stored.v[i].state], s -> stored.v[i].delivery_count);
    return s->text;
}
