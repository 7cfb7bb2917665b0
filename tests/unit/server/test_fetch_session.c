/* Fetch sessions (KIP-227), as stories: what a request says, what the context holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/fetch.h"
#include "base/arena.h"
#include "base/kerr.h"
#include "server/fetch_session.h"

enum { VERSION = 12, ITEMS = 10, EVICTION_MS = 1000 };

struct fixture {
    struct fetch_sessions *sessions;
    struct arena arena;
    struct fetch_request in;
    struct fetch_request_fetch_topic topic;
    struct fetch_request_fetch_partition partitions[8];
    struct fetch_request_forgotten_topic forgotten;
    int32_t forgotten_partitions[8];
};

static void setup(struct fixture *f, int slots) {
    memset(f, 0, sizeof *f);
    f->sessions = fetch_sessions_create(slots, ITEMS, EVICTION_MS, 7);
    arena_init(&f->arena, 1 << 20);
}

static void teardown(struct fixture *f) {
    fetch_sessions_destroy(f->sessions);
    arena_free(&f->arena);
}

/* A request for n partitions 0…n−1 of topic "t", each from `offset`. */
static void ask(struct fixture *f, int32_t id, int32_t epoch, int n, int64_t offset) {
    fetch_request_init(&f->in);
    f->in.session_id = id;
    f->in.session_epoch = epoch;
    fetch_request_fetch_topic_init(&f->topic);
    f->topic.topic = KSTR("t");
    f->topic.partitions = f->partitions;
    f->topic.partitions_n = n;
    for (int i = 0; i < n; i++) {
        fetch_request_fetch_partition_init(&f->partitions[i]);
        f->partitions[i].partition = i;
        f->partitions[i].fetch_offset = offset;
    }
    f->in.topics = &f->topic;
    f->in.topics_n = n ? 1 : 0;
}

static void forget(struct fixture *f, int32_t partition) {
    f->forgotten.topic = KSTR("t");
    f->forgotten_partitions[0] = partition;
    f->forgotten.partitions = f->forgotten_partitions;
    f->forgotten.partitions_n = 1;
    f->in.forgotten_topics_data = &f->forgotten;
    f->in.forgotten_topics_data_n = 1;
}

static struct fetch_context begin(struct fixture *f, int64_t now) {
    struct fetch_context c;
    assert_int_equal(fetch_context_begin(f->sessions, &f->in, VERSION, now, &f->arena, &c), 0);
    return c;
}

/* A full fetch of n partitions that makes a session; its id. */
static int32_t make(struct fixture *f, int n, int64_t now) {
    ask(f, 0, 0, n, 0);
    struct fetch_context c = begin(f, now);
    assert_true(c.full);
    assert_int_equal(c.items_n, n);
    int32_t id = fetch_context_keep(f->sessions, &c, false, now);
    fetch_context_end(f->sessions, &c);
    return id;
}

static void grows_changes_and_forgets(void **state) {
    struct fixture f;
    setup(&f, 10);
    int32_t id = make(&f, 2, 0);
    assert_int_not_equal(id, 0);
    ask(&f, id, 1, 3, 50); /* two asked anew, one added */
    struct fetch_context c = begin(&f, 1);
    assert_int_equal(c.error, 0);
    assert_int_equal(c.items_n, 3);
    for (struct fetch_item *i = c.first; i; i = i->next) assert_int_equal(i->fetch_offset, 50);
    fetch_context_end(f.sessions, &c);
    ask(&f, id, 2, 0, 0);
    forget(&f, 1);
    c = begin(&f, 2);
    assert_int_equal(c.items_n, 2);
    assert_int_equal(c.first->partition, 0);
    assert_int_equal(c.first->next->partition, 2);
    fetch_context_end(f.sessions, &c);
    teardown(&f);
}

static void only_what_is_new_is_answered(void **state) {
    struct fixture f;
    setup(&f, 10);
    int32_t id = make(&f, 2, 0);
    ask(&f, id, 1, 0, 0);
    struct fetch_context c = begin(&f, 1);
    struct fetch_item *first = c.first;
    assert_true(fetch_item_answer(&c, first, 0, 10, 0, true, false)); /* records: moves to the end */
    assert_ptr_equal(c.session->last, first);
    assert_false(fetch_item_answer(&c, first, 0, 10, 0, false, false));
    assert_true(fetch_item_answer(&c, first, 0, 11, 0, false, false));
    assert_true(fetch_item_answer(&c, first, 0, 11, 5, false, false));
    assert_true(fetch_item_answer(&c, first, KERR_NOT_LEADER_OR_FOLLOWER, -1, -1, false, false));
    assert_true(fetch_item_answer(&c, first, 0, 11, 5, false, false)); /* after an error it is said again */
    fetch_context_end(f.sessions, &c);
    teardown(&f);
}

static void wrong_epochs_and_ids(void **state) {
    struct fixture f;
    setup(&f, 10);
    int32_t id = make(&f, 1, 0);
    ask(&f, id, 5, 0, 0);
    assert_int_equal(begin(&f, 1).error, KERR_INVALID_FETCH_SESSION_EPOCH);
    ask(&f, id ^ 1, 1, 0, 0);
    assert_int_equal(begin(&f, 1).error, KERR_FETCH_SESSION_ID_NOT_FOUND);
    ask(&f, id, 1, 0, 0);
    struct fetch_context c;
    assert_int_equal(fetch_context_begin(f.sessions, &f.in, 13, 1, &f.arena, &c), 0);
    assert_int_equal(c.error, KERR_FETCH_SESSION_TOPIC_ID_ERROR);
    c = begin(&f, 1);
    assert_int_equal(c.error, 0);
    ask(&f, id, 2, 0, 0);
    assert_int_equal(begin(&f, 1).error,
                     KERR_INVALID_FETCH_SESSION_EPOCH); /* the first request still uses it */
    fetch_context_end(f.sessions, &c);
    ask(&f, id, -1, 1, 0); /* the final epoch closes it */
    c = begin(&f, 1);
    assert_false(c.full);
    assert_int_equal(fetch_sessions_count(f.sessions), 0);
    teardown(&f);
}

static void the_cache_is_bounded(void **state) {
    struct fixture f;
    setup(&f, 2);
    int32_t a = make(&f, 1, 0), b = make(&f, 1, 10);
    assert_true(a && b);
    assert_int_equal(make(&f, 1, 20), 0); /* no room, nobody is stale */
    assert_int_not_equal(make(&f, 1, EVICTION_MS + 5), 0);
    ask(&f, a, 1, 0, 0);
    assert_int_equal(begin(&f, EVICTION_MS + 6).error, KERR_FETCH_SESSION_ID_NOT_FOUND);
    assert_int_equal(fetch_sessions_count(f.sessions), 2);
    teardown(&f);
}

static void the_partitions_of_all_sessions_are_bounded(void **state) {
    struct fixture f;
    setup(&f, 10);
    int32_t a = make(&f, 4, 0), b = make(&f, 4, 0);
    assert_true(a && b);
    assert_int_equal(make(&f, 4, 0), 0);
    ask(&f, a, 1, 8, 0);
    assert_int_equal(begin(&f, 1).error, KERR_FETCH_SESSION_ID_NOT_FOUND);
    assert_int_equal(fetch_sessions_count(f.sessions), 1);
    assert_int_not_equal(make(&f, 6, 2), 0); /* what the ended one had is free again */
    ask(&f, b, 1, 0, 0);
    forget(&f, 0);
    struct fetch_context c = begin(&f, 3);
    assert_int_equal(c.items_n, 3);
    fetch_context_end(f.sessions, &c);
    assert_int_not_equal(make(&f, 1, 4), 0);
    assert_int_equal(make(&f, 1, 5), 0);
    teardown(&f);
}

static void forgetting_all_ends_the_session(void **state) {
    struct fixture f;
    setup(&f, 10);
    int32_t id = make(&f, 1, 0);
    ask(&f, id, 1, 0, 0);
    forget(&f, 0);
    struct fetch_context c = begin(&f, 1);
    assert_int_equal(c.error, 0);
    assert_null(c.session);
    assert_int_equal(c.items_n, 0);
    assert_int_equal(fetch_sessions_count(f.sessions), 0);
    teardown(&f);
}

/* A partition asked for again: its place is the first, what is asked the last; the session has it once. */
static void a_partition_twice_is_one(void **state) {
    static const int32_t asked[] = {2, 0, 2, 1, 0, 2};
    struct fixture f;
    setup(&f, 10);
    ask(&f, 0, 0, 6, 0);
    for (int i = 0; i < 6; i++) {
        f.partitions[i].partition = asked[i];
        f.partitions[i].fetch_offset = 100 + i;
    }
    struct fetch_context c = begin(&f, 0);
    assert_int_equal(c.items_n, 3);
    static const int32_t order[] = {2, 0, 1}, offsets[] = {105, 104, 103};
    struct fetch_item *item = c.first;
    for (int i = 0; i < 3; i++, item = item->next) {
        assert_int_equal(item->partition, order[i]);
        assert_int_equal(item->fetch_offset, offsets[i]);
        assert_ptr_equal(item->next ? item->next->prev : item, item);
    }
    assert_null(item);
    int32_t id = fetch_context_keep(f.sessions, &c, false, 0);
    ask(&f, id, 1, 0, 0);
    c = begin(&f, 1);
    assert_int_equal(c.items_n, 3);
    fetch_context_end(f.sessions, &c);
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_changes_and_forgets),
        cmocka_unit_test(only_what_is_new_is_answered),
        cmocka_unit_test(wrong_epochs_and_ids),
        cmocka_unit_test(the_cache_is_bounded),
        cmocka_unit_test(the_partitions_of_all_sessions_are_bounded),
        cmocka_unit_test(forgetting_all_ends_the_session),
        cmocka_unit_test(a_partition_twice_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
