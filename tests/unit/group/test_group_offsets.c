/* Stories of offsets: commits, fetches, deletion, expiry, transactions, and the records they are kept in. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/jstring.h"
#include "story.h"

enum { DAY = 24 * 3600 * 1000 };

static struct kbytes hex(const char *text, uint8_t *to) {
    int n = 0;
    for (; *text; text += 2) {
        unsigned x;
        sscanf(text, "%2x", &x);
        to[n++] = (uint8_t)x;
    }
    return (struct kbytes){to, n};
}

static void assert_bytes(struct kbytes b, const char *expected) {
    uint8_t want[512];
    struct kbytes w = hex(expected, want);
    assert_int_equal(b.len, w.len);
    assert_memory_equal(b.p, w.p, (size_t)w.len);
}

/* A consumer without a group commits and fetches. */
static void simple_group(void **state) {
    struct story *t = story_begin();
    assert_ok(COMMIT(t, .generation = -1, .offset = 42, .metadata = "note"));
    struct ask *f = story_fetch(t, "g", "t", 2, false);
    assert_int_equal(f->offsets[0], 42);
    assert_string_equal(f->metadata[0], "note");
    assert_int_equal(f->offsets[1], -1);
    assert_int_equal(f->errors[1], KERR_NONE);
    assert_string_equal(story_describe(t, "g", 6)->state, "Empty");
    struct ask *l = story_list(t, NULL, NULL);
    assert_int_equal(l->members_n, 1);
    assert_string_equal(l->type, "classic");
    story_restart(t);
    assert_int_equal(story_fetch(t, "g", "t", 1, false)->offsets[0], 42);
    /* Unknown groups have no offsets, and that is no error. */
    f = story_fetch(t, "none", "t", 1, true);
    assert_ok(f);
    assert_int_equal(f->offsets[0], -1);
    assert_int_equal(story_fetch(t, "none", NULL, -1, false)->members_n, 0);
    story_end(t);
}

/* The records, byte by byte. */
static void records(void **state) {
    struct story *t = story_begin();
    struct uuid id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    assert_ok(COMMIT(t, .generation = -1, .offset = 7, .partition = 3, .metadata = "m", .topic_id = id));
    assert_bytes(t->log[0].key, "0001"
                                "000167"
                                "000174"
                                "00000003");
    assert_bytes(t->log[0].value, "0004"
                                  "0000000000000007"
                                  "ffffffff"
                                  "026d"
                                  "0000018bcfe56800"
                                  "01"
                                  "0010"
                                  "0102030405060708090a0b0c0d0e0f10");
    /* With a retention of its own (before version 5) the record says when it ends. */
    assert_ok(COMMIT(t, .generation = -1, .offset = 7, .version = 4, .retention_ms = 1));
    assert_bytes(t->log[1].value, "0001"
                                  "0000000000000007"
                                  "0000"
                                  "0000018bcfe56800"
                                  "0000018bcfe56801");
    assert_ok(story_delete_offset(t, "g", "t", 0));
    assert_bytes(t->log[2].key, "0001"
                                "000167"
                                "000174"
                                "00000000");
    assert_int_equal(t->log[2].value.len, -1);
    /* A new group, and one that is deleted. */
    assert_pending(JOIN(t, .group = "h", .version = 3));
    assert_bytes(t->log[3].key, "0002"
                                "000168");
    assert_bytes(t->log[3].value, "0003"
                                  "0000"
                                  "00000000"
                                  "ffff"
                                  "ffff"
                                  "0000018bcfe56800"
                                  "00000000");
    assert_ok(story_delete(t, "g"));
    assert_bytes(t->log[t->log_n - 1].key, "0002"
                                           "000167");
    assert_int_equal(t->log[t->log_n - 1].value.len, -1);
    story_end(t);
}

static void commit_is_checked(void **state) {
    struct story *t = story_begin();
    char ids[2][NAME];
    story_stable(t, "g", 2, ids);
    assert_ok(COMMIT(t, .member = ids[0], .generation = 1, .offset = 1));
    assert_error(COMMIT(t, .member = ids[0], .generation = 0), ILLEGAL_GENERATION);
    assert_error(COMMIT(t, .member = ids[0], .generation = 2), ILLEGAL_GENERATION);
    assert_error(COMMIT(t, .member = ids[0], .generation = -1), ILLEGAL_GENERATION);
    assert_error(COMMIT(t, .member = "nobody", .generation = 1), UNKNOWN_MEMBER_ID);
    assert_error(COMMIT(t, .member = ids[0], .instance = "i", .generation = 1), UNKNOWN_MEMBER_ID);
    assert_error(COMMIT(t, .generation = -1), UNKNOWN_MEMBER_ID); /* only while the group is empty */
    assert_error(COMMIT(t, .group = "none", .member = "m", .generation = 1, .version = 9),
                 GROUP_ID_NOT_FOUND);
    assert_error(COMMIT(t, .group = "none", .member = "m", .generation = 1, .version = 8),
                 ILLEGAL_GENERATION);
    assert_int_equal(story_fetch(t, "g", "t", 1, false)->offsets[0], 1);
    story_end(t);
}

static void commit_keeps_session(void **state) {
    struct story *t = story_begin();
    char ids[1][NAME];
    story_stable(t, "g", 1, ids);
    for (int i = 0; i < 5; i++) {
        story_pass(t, 9999);
        assert_ok(COMMIT(t, .member = ids[0], .generation = 1, .offset = i));
    }
    story_pass(t, 10000);
    assert_error(COMMIT(t, .member = ids[0], .generation = 1), UNKNOWN_MEMBER_ID);
    story_end(t);
}

/* The limit counts UTF-16 units. */
static void metadata_limit(void **state) {
    struct story *t = story_begin();
    t->config.offset_metadata_max_bytes = 4;
    assert_ok(COMMIT(t, .generation = -1, .metadata = "abcd"));
    assert_ok(COMMIT(t, .generation = -1, .metadata = "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"));
    assert_ok(COMMIT(t, .generation = -1, .metadata = "\xf0\x9f\xa6\xa6\xf0\x9f\xa6\xa6"));
    assert_error(COMMIT(t, .generation = -1, .metadata = "abcde", .partition = 1), OFFSET_METADATA_TOO_LARGE);
    assert_error(COMMIT(t, .generation = -1, .metadata = "\xf0\x9f\xa6\xa6\xf0\x9f\xa6\xa6x"),
                 OFFSET_METADATA_TOO_LARGE);
    assert_int_equal(story_fetch(t, "g", "t", 2, false)->offsets[1], -1);
    story_end(t);
}

/* An offset committed for a topic that was deleted and made again is not the new topic's. */
static void topic_ids(void **state) {
    struct story *t = story_begin();
    struct uuid first = {{1}}, second = {{2}}, unknown = {{0}};
    assert_ok(COMMIT(t, .generation = -1, .offset = 9, .topic_id = first));
    assert_int_equal(story_fetch_id(t, "g", "t", &first, 1)->offsets[0], 9);
    assert_int_equal(story_fetch_id(t, "g", "t", &second, 1)->offsets[0], -1);
    assert_int_equal(story_fetch_id(t, "g", "t", &unknown, 1)->offsets[0], 9);
    story_end(t);
}

static void fetch_all(void **state) {
    struct story *t = story_begin();
    for (int i = 0; i < 3; i++) assert_ok(COMMIT(t, .generation = -1, .offset = i, .partition = i));
    assert_ok(COMMIT(t, .generation = -1, .topic = "u", .offset = 100));
    struct ask *f = story_fetch(t, "g", NULL, -1, false);
    int64_t sum = 0;
    for (int i = 0; i < f->members_n; i++) sum += f->offsets[i];
    assert_int_equal(f->members_n, 4);
    assert_int_equal(sum, 103);
    story_end(t);
}

static void deletion(void **state) {
    struct story *t = story_begin();
    char ids[1][NAME];
    story_stable(t, "g", 1, ids); /* subscribed to "t" */
    assert_ok(COMMIT(t, .member = ids[0], .generation = 1, .offset = 1));
    assert_ok(COMMIT(t, .member = ids[0], .generation = 1, .topic = "u", .offset = 1));
    struct ask *d = story_delete_offset(t, "g", "t", 0);
    assert_ok(d);
    assert_int_equal(d->errors[0], KERR_GROUP_SUBSCRIBED_TO_TOPIC);
    d = story_delete_offset(t, "g", "u", 0);
    assert_int_equal(d->errors[0], KERR_NONE);
    assert_int_equal(story_fetch(t, "g", "u", 1, false)->offsets[0], -1);
    assert_error(story_delete_offset(t, "none", "u", 0), GROUP_ID_NOT_FOUND);
    assert_error(story_delete_offset(t, "", "u", 0), INVALID_GROUP_ID);
    assert_error(story_delete(t, "g"), NON_EMPTY_GROUP);
    assert_error(story_delete(t, "none"), GROUP_ID_NOT_FOUND);
    assert_ok(story_leave(t, "g", ids[0], NULL, 5));
    assert_ok(story_delete(t, "g"));
    assert_int_equal(group_shard_groups(t->shard), 0);
    assert_int_equal(group_shard_offsets(t->shard), 0);
    struct ask *gone = story_describe(t, "g", 6);
    assert_error(gone, GROUP_ID_NOT_FOUND);
    assert_string_equal(gone->state, "Dead");
    assert_ok(story_describe(t, "g", 5));
    story_restart(t);
    assert_int_equal(group_shard_groups(t->shard), 0);
    story_end(t);
}

/* A group that is not one of consumers: its offsets may not be deleted while it has members. */
static void deletion_from_other_protocol(void **state) {
    struct story *t = story_begin();
    struct ask *a = JOIN(t, .version = 3, .type = "connect");
    assert_error(story_delete_offset(t, "g", "t", 0), NON_EMPTY_GROUP);
    story_pass(t, 3000);
    assert_ok(a);
    story_end(t);
}

static void listing(void **state) {
    struct story *t = story_begin();
    char ids[1][NAME];
    story_stable(t, "stable", 1, ids);
    assert_ok(COMMIT(t, .group = "simple", .generation = -1));
    assert_int_equal(story_list(t, NULL, NULL)->members_n, 2);
    struct ask *l = story_list(t, " sTaBle", NULL);
    assert_int_equal(l->members_n, 1);
    assert_string_equal(l->members[0], "stable");
    assert_string_equal(l->state, "Stable");
    assert_int_equal(story_list(t, "Empty", "CLASSIC")->members_n, 1);
    assert_int_equal(story_list(t, NULL, "consumer")->members_n, 0);
    assert_int_equal(story_list(t, NULL, "nonsense")->members_n, 0);
    assert_int_equal(story_list(t, "nonsense", NULL)->members_n, 0);
    story_end(t);
}

/* Without members offsets expire a retention after the group became empty; then the group goes, too. */
static void expiry_of_empty_group(void **state) {
    struct story *t = story_begin();
    char ids[1][NAME];
    story_stable(t, "g", 1, ids);
    assert_ok(COMMIT(t, .member = ids[0], .generation = 1, .offset = 1));
    story_pass(t, 9000);
    assert_ok(story_leave(t, "g", ids[0], NULL, 5));
    story_pass(t, 7ll * DAY - 600000);
    assert_int_equal(group_shard_offsets(t->shard), 1);
    story_pass(t, 1200000);
    assert_int_equal(group_shard_offsets(t->shard), 0);
    assert_int_equal(group_shard_groups(t->shard), 0);
    story_end(t);
}

/* With members, what they are subscribed to is kept, the rest expires a retention after its commit. */
static void expiry_of_stable_group(void **state) {
    struct story *t = story_begin();
    struct ask *a = JOIN(t, .version = 3, .topics = "t", .session_ms = 1800000);
    story_pass(t, 3000);
    assert_ok(story_sync(t, "g", a->member, 1, NULL));
    assert_ok(COMMIT(t, .member = a->member, .generation = 1, .offset = 1));
    assert_ok(COMMIT(t, .member = a->member, .generation = 1, .topic = "old", .offset = 1));
    for (int i = 0; i < 8 * 96; i++) {
        story_pass(t, 900000);
        assert_ok(story_heartbeat(t, "g", a->member, NULL, 1));
    }
    assert_int_equal(group_shard_offsets(t->shard), 1);
    assert_int_equal(story_fetch(t, "g", "t", 1, false)->offsets[0], 1);
    story_end(t);
}

/* A commit's own retention, and simple groups, which count from the commit. */
static void expiry_of_commits(void **state) {
    struct story *t = story_begin();
    assert_ok(COMMIT(t, .generation = -1, .version = 4, .retention_ms = 1200000, .offset = 1));
    assert_ok(COMMIT(t, .generation = -1, .partition = 1, .offset = 2));
    story_pass(t, 1199999);
    assert_int_equal(group_shard_offsets(t->shard), 2);
    story_pass(t, 600001);
    assert_int_equal(group_shard_offsets(t->shard), 1);
    story_pass(t, 7ll * DAY);
    assert_int_equal(group_shard_groups(t->shard), 0);
    story_end(t);
}

static void log_offset(struct story *t, int64_t producer_id, int32_t partition, int64_t offset) {
    uint8_t key[64], value[64];
    struct kbytes k = hex("0001"
                          "000167"
                          "000174"
                          "00000000",
                          key);
    struct kbytes v = hex("0003"
                          "0000000000000000"
                          "ffffffff"
                          "0000"
                          "0000018bcfe56800",
                          value);
    put_i32(key + 8, partition);
    put_i64(value + 2, offset);
    story_log(t, k, v, producer_id);
    assert_int_equal(group_shard_replay(t->shard, t->log_n - 1, producer_id, k, v, t->now), 0);
}

/* Offsets of open transactions, as found in the log: pending until the marker; a fetch that requires stable
 * offsets is told so. */
static void transactions(void **state) {
    struct story *t = story_begin();
    log_offset(t, -1, 0, 1);
    log_offset(t, 77, 0, 2);
    log_offset(t, 77, 1, 3);
    log_offset(t, 88, 1, 4);
    struct ask *f = story_fetch(t, "g", "t", 3, false);
    assert_int_equal(f->offsets[0], 1);
    assert_int_equal(f->offsets[1], -1);
    f = story_fetch(t, "g", "t", 3, true);
    assert_int_equal(f->errors[0], KERR_UNSTABLE_OFFSET_COMMIT);
    assert_int_equal(f->offsets[0], -1);
    assert_int_equal(f->errors[1], KERR_UNSTABLE_OFFSET_COMMIT);
    assert_int_equal(f->errors[2], KERR_NONE);
    assert_int_equal(story_fetch(t, "g", NULL, -1, true)->errors[0], KERR_UNSTABLE_OFFSET_COMMIT);
    log_offset(t, -1, 1, 9); /* a plain commit after the transactional ones: it is the newest */
    group_shard_replay_marker(t->shard, 77, true);
    group_shard_replay_marker(t->shard, 99, true); /* nothing of that producer */
    f = story_fetch(t, "g", "t", 3, true);
    assert_int_equal(f->offsets[0], 2);
    assert_int_equal(f->errors[1], KERR_UNSTABLE_OFFSET_COMMIT); /* 88 is open */
    group_shard_replay_marker(t->shard, 88, false);
    f = story_fetch(t, "g", "t", 3, true);
    assert_int_equal(f->offsets[1], 9);
    assert_int_equal(group_shard_offsets(t->shard), 2);
    story_end(t);
}

/* Deleting an offset or a group also ends what is pending for it; open transactions keep the group from
 * expiring. */
static void transactions_and_deletion(void **state) {
    struct story *t = story_begin();
    log_offset(t, 77, 0, 2);
    story_pass(t, 8ll * DAY);
    assert_int_equal(group_shard_groups(t->shard), 1);
    assert_ok(story_delete_offset(t, "g", "t", 0));
    group_shard_replay_marker(t->shard, 77, true);
    assert_int_equal(story_fetch(t, "g", "t", 1, true)->offsets[0], -1);
    log_offset(t, 77, 0, 3);
    int before = t->log_n;
    assert_ok(story_delete(t, "g"));
    assert_int_equal(t->log_n, before + 2);
    group_shard_replay_marker(t->shard, 77, true);
    assert_int_equal(group_shard_offsets(t->shard), 0);
    assert_int_equal(group_shard_groups(t->shard), 0);
    story_end(t);
}

/* A deleted topic takes its offsets with it, those of an older topic of that name stay. */
static void deleted_topics(void **state) {
    struct story *t = story_begin();
    struct uuid id = {{1}}, other = {{2}};
    struct kstr name = KSTR("t");
    struct group_result r;
    assert_ok(COMMIT(t, .generation = -1, .partition = 0, .topic_id = id));
    assert_ok(COMMIT(t, .generation = -1, .partition = 1));
    assert_ok(COMMIT(t, .generation = -1, .partition = 2, .topic_id = other));
    group_shard_topics_deleted(t->shard, &name, &id, 1, t->now, &r);
    assert_int_equal(r.records_n, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            group_shard_replay(t->shard, 10 + i, -1, r.records[i].key, r.records[i].value, t->now), 0);
    assert_int_equal(group_shard_offsets(t->shard), 1);
    story_end(t);
}

/* Groups of newer kinds: listed, not described as classic, deleted by tombstones when they are empty. */
static void other_kinds(void **state) {
    struct story *t = story_begin();
    uint8_t b[64], v[32], v2[32], m[64];
    struct kbytes value = hex("0000000000010000000000000000"
                              "00",
                              v); /* an epoch and a hash */
    struct kbytes member = hex("0000"
                               "0000"
                               "0101"
                               "00001000"
                               "00000000"
                               "01"
                               "ff"
                               "01"
                               "00",
                               m);
    assert_ok(COMMIT(t, .group = "c", .generation = -1, .offset = 3)); /* a simple group gives way */
    story_log(t,
              hex("0011"
                  "000163",
                  b),
              value, -1);
    story_log(t,
              hex("0013"
                  "000163"
                  "00016d",
                  b),
              member, -1);
    story_log(t,
              hex("0014"
                  "000163",
                  b),
              value, -1);
    story_log(t,
              hex("000b"
                  "000173",
                  b),
              hex("0000"
                  "00000001"
                  "0000000000000000"
                  "00",
                  v2),
              -1); /* a share group */
    story_log(t,
              hex("0063"
                  "000173",
                  b),
              value, -1); /* nobody knows type 99 */
    story_restart(t);
    assert_int_equal(story_list(t, NULL, NULL)->members_n, 2);
    struct ask *l = story_list(t, NULL, "Streams");
    assert_string_equal(l->members[0], "c");
    assert_string_equal(l->state, "NotReady"); /* its topology is not there */
    assert_error(story_describe(t, "c", 6), GROUP_ID_NOT_FOUND);
    assert_error(story_delete(t, "c"), NON_EMPTY_GROUP);
    assert_error(JOIN(t, .group = "c"), INCONSISTENT_GROUP_PROTOCOL);
    assert_error(COMMIT(t, .group = "c", .generation = -1), UNKNOWN_MEMBER_ID);
    assert_int_equal(story_fetch(t, "c", "t", 1, false)->offsets[0], 3);
    assert_error(COMMIT(t, .group = "s", .generation = -1), GROUP_ID_NOT_FOUND);

    story_log(t,
              hex("0013"
                  "000163"
                  "00016d",
                  b),
              KBYTES_NULL, -1); /* the member has left */
    story_restart(t);
    int before = t->log_n;
    assert_error(JOIN(t, .group = "c"), MEMBER_ID_REQUIRED); /* an empty group becomes classic */
    assert_int_equal(t->log_n, before + 4);
    assert_bytes(t->log[before].key, "0014"
                                     "000163");
    assert_bytes(t->log[before + 1].key, "0011"
                                         "000163");
    assert_bytes(t->log[before + 2].key, "0017"
                                         "000163");
    assert_bytes(t->log[before + 3].key, "0002"
                                         "000163");
    assert_int_equal(story_fetch(t, "c", "t", 1, false)->offsets[0], 3);
    story_restart(t);
    assert_string_equal(story_describe(t, "c", 6)->state, "Empty");
    assert_ok(story_delete(t, "c"));
    story_end(t);
}

static void damaged_records(void **state) {
    struct story *t = story_begin();
    uint8_t k[64], v[64];
    struct kbytes good = hex("0001"
                             "000167"
                             "000174"
                             "00000000",
                             k);
    assert_true(group_shard_replay(t->shard, 0, -1, hex("00", v), KBYTES_NULL, t->now) < 0);
    assert_true(group_shard_replay(t->shard, 0, -1,
                                   hex("0001"
                                       "0005",
                                       v),
                                   KBYTES_NULL, t->now) < 0);
    assert_true(group_shard_replay(t->shard, 0, -1, good, hex("0009", v), t->now) < 0);
    assert_true(group_shard_replay(t->shard, 0, -1, good,
                                   hex("0003"
                                       "00",
                                       v),
                                   t->now) < 0);
    assert_true(group_shard_replay(t->shard, 0, -1, KBYTES_NULL, KBYTES_NULL, t->now) < 0);
    assert_int_equal(group_shard_groups(t->shard), 0);
    story_end(t);
}

/* Java's view of strings; the numbers are what java.lang.String gives. */
static void java_strings(void **state) {
    assert_int_equal(jstring_hash("my-group", 8), -1906497762);
    assert_int_equal(jstring_hash("", 0), 0);
    assert_int_equal(jstring_hash("polygenelubricants", 18), INT32_MIN);
    assert_int_equal(jstring_partition("polygenelubricants", 18, 50), 0);
    assert_int_equal(jstring_hash("\xf0\x9f\xa6\xa6", 4), 1772840);
    assert_int_equal(jstring_hash("\xc3\xa9t\xc3\xa9", 5), 227742);
    assert_int_equal(jstring_length("a\xf0\x9f\xa6\xa6", 5), 3);
    assert_int_equal(jstring_length("\xff\xfe", 2), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple_group),
        cmocka_unit_test(records),
        cmocka_unit_test(commit_is_checked),
        cmocka_unit_test(commit_keeps_session),
        cmocka_unit_test(metadata_limit),
        cmocka_unit_test(topic_ids),
        cmocka_unit_test(fetch_all),
        cmocka_unit_test(deletion),
        cmocka_unit_test(deletion_from_other_protocol),
        cmocka_unit_test(listing),
        cmocka_unit_test(expiry_of_empty_group),
        cmocka_unit_test(expiry_of_stable_group),
        cmocka_unit_test(expiry_of_commits),
        cmocka_unit_test(transactions),
        cmocka_unit_test(transactions_and_deletion),
        cmocka_unit_test(deleted_topics),
        cmocka_unit_test(other_kinds),
        cmocka_unit_test(damaged_records),
        cmocka_unit_test(java_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
