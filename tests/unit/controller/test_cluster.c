/* Leaders, assignments, users and brokers as stories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "api/alter_partition_reassignments.h"
#include "api/alter_user_scram_credentials.h"
#include "api/create_topics.h"
#include "api/elect_leaders.h"
#include "api/list_partition_reassignments.h"
#include "api/update_features.h"
#include "base/kerr.h"

#include <stdio.h>

#include "world.h"

/* Topic "t" with one partition on these brokers. */
static void topic_on(struct world *w, int32_t *brokers, int32_t n) {
    struct create_topics_request_creatable_replica_assignment a = {0, brokers, n};
    struct create_topics_request_creatable_topic t;
    struct create_topics_request r;
    struct create_topics_response out;
    create_topics_request_creatable_topic_init(&t);
    create_topics_request_init(&r);
    t.name = KSTR("t");
    t.num_partitions = -1;
    t.replication_factor = -1;
    t.assignments = &a;
    t.assignments_n = 1;
    r.topics = &t;
    r.topics_n = 1;
    controller_create_topics(w->c, &w->x, &r, &out, &w->records);
    assert_int_equal(out.topics[0].error_code, 0);
    commit(w);
}

static const struct partition *p0(struct world *w) {
    const struct partition *p = image_partition(w->image, "t", 1, 0);
    assert_non_null(p);
    return p;
}

static void assert_ids(const int32_t *v, int32_t n, const char *wanted) {
    char text[64] = "";
    for (int32_t i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", i ? "," : "", v[i]);
    assert_string_equal(text, wanted);
}

static int16_t elect(struct world *w, int8_t type) {
    int32_t zero = 0;
    struct elect_leaders_request_topic_partitions t = {KSTR("t"), &zero, 1};
    struct elect_leaders_request r = {.election_type = type, .topic_partitions = &t, .topic_partitions_n = 1};
    struct elect_leaders_response out;
    controller_elect_leaders(w->c, &w->x, &r, &out, &w->records);
    return out.error_code ? out.error_code : out.replica_election_results[0].partition_result[0].error_code;
}

static int16_t reassign(struct world *w, int32_t *replicas, int32_t n, bool any_replication) {
    struct alter_partition_reassignments_request_reassignable_partition p = {0, replicas, n};
    struct alter_partition_reassignments_request_reassignable_topic t = {KSTR("t"), &p, 1};
    struct alter_partition_reassignments_request r = {
        .allow_replication_factor_change = any_replication, .topics = &t, .topics_n = 1};
    struct alter_partition_reassignments_response out;
    controller_alter_partition_reassignments(w->c, &w->x, &r, &out, &w->records);
    return out.responses[0].partitions[0].error_code;
}

static int32_t going_on(struct world *w) {
    struct list_partition_reassignments_request r = {.topics_n = -1};
    struct list_partition_reassignments_response out;
    reassignments_list(w->image, &w->arena, &r, &out);
    return out.topics_n;
}

static void the_first_replica_is_preferred(void **state) {
    struct world *w = *state;
    int32_t on[] = {1, 2};
    add_broker(w, 2);
    topic_on(w, on, 2);
    assert_int_equal(elect(w, 0), KERR_ELECTION_NOT_NEEDED);
    assert_int_equal(elect(w, 1), KERR_ELECTION_NOT_NEEDED);
    assert_int_equal(elect(w, 2), KERR_INVALID_REQUEST);
    int64_t epoch = image_broker(w->image, 1)->epoch;
    assert_int_equal(controller_fence_broker(w->c, 1, epoch, &w->records), 0);
    commit(w);
    assert_int_equal(p0(w)->leader, 2);
    assert_int_equal(elect(w, 0), KERR_PREFERRED_LEADER_NOT_AVAILABLE);
    assert_int_equal(elect(w, 1), KERR_ELECTION_NOT_NEEDED);
    assert_int_equal(w->records.n, 0);
}

static void an_unclean_election_takes_who_is_there(void **state) {
    struct world *w = *state;
    int32_t on[] = {1, 2};
    add_broker(w, 2);
    topic_on(w, on, 2);
    for (int32_t b = 1; b <= 2; b++) {
        controller_fence_broker(w->c, b, image_broker(w->image, b)->epoch, &w->records);
        commit(w);
    }
    assert_int_equal(p0(w)->leader, NO_LEADER);
    assert_int_equal(elect(w, 1), KERR_ELIGIBLE_LEADERS_NOT_AVAILABLE);
    assert_int_equal(controller_unfence_broker(w->c, 1, image_broker(w->image, 1)->epoch, &w->records), 0);
    commit(w);
    assert_int_equal(p0(w)->leader, NO_LEADER); /* 2 was the last one in sync */
    assert_int_equal(elect(w, 1), 0);
    commit(w);
    assert_int_equal(p0(w)->leader, 1);
    assert_int_equal(p0(w)->leader_recovery_state, 1);
    assert_ids(p0(w)->isr, p0(w)->isr_n, "1");
}

static void a_reassignment_waits_for_the_new_replica(void **state) {
    struct world *w = *state;
    int32_t on[] = {1}, there[] = {2};
    add_broker(w, 2);
    topic_on(w, on, 1);
    int32_t epoch = p0(w)->leader_epoch;
    assert_int_equal(reassign(w, on, 1, true), 0);
    assert_int_equal(w->records.n, 0); /* it is there */
    assert_int_equal(reassign(w, NULL, -1, true), KERR_NO_REASSIGNMENT_IN_PROGRESS);
    assert_int_equal(reassign(w, there, 1, true), 0);
    assert_int_equal(commit(w), 1);
    assert_ids(p0(w)->replicas, p0(w)->replicas_n, "2,1");
    assert_ids(p0(w)->adding, p0(w)->adding_n, "2");
    assert_ids(p0(w)->removing, p0(w)->removing_n, "1");
    assert_int_equal(p0(w)->leader, 1);
    assert_int_equal(p0(w)->leader_epoch, epoch);
    assert_true(uuid_equal(&p0(w)->directories[0], &(struct uuid){{1, [15] = 2}}));
    assert_int_equal(going_on(w), 1);
    assert_int_equal(reassign(w, NULL, -1, true), 0);
    commit(w);
    assert_ids(p0(w)->replicas, p0(w)->replicas_n, "1");
    assert_int_equal(p0(w)->adding_n + p0(w)->removing_n, 0);
    assert_int_equal(p0(w)->leader_epoch, epoch + 1); /* a replica has gone */
    assert_int_equal(going_on(w), 0);
}

static void what_is_in_sync_already_is_reached_at_once(void **state) {
    struct world *w = *state;
    int32_t on[] = {1, 2}, turned[] = {2, 1}, less[] = {2};
    add_broker(w, 2);
    topic_on(w, on, 2);
    assert_int_equal(reassign(w, turned, 2, false), 0);
    commit(w);
    assert_ids(p0(w)->replicas, p0(w)->replicas_n, "2,1");
    assert_int_equal(p0(w)->leader, 1);
    assert_int_equal(elect(w, 0), 0);
    commit(w);
    assert_int_equal(p0(w)->leader, 2);
    assert_int_equal(reassign(w, less, 1, false), KERR_INVALID_REPLICATION_FACTOR);
    assert_int_equal(reassign(w, less, 1, true), 0);
    commit(w);
    assert_ids(p0(w)->replicas, p0(w)->replicas_n, "2");
    assert_ids(p0(w)->isr, p0(w)->isr_n, "2");
    assert_int_equal(going_on(w), 0);
    int32_t twice[] = {1, 1}, nobody[] = {7};
    assert_int_equal(reassign(w, twice, 2, true), KERR_INVALID_REPLICA_ASSIGNMENT);
    assert_int_equal(reassign(w, nobody, 1, true), KERR_INVALID_REPLICA_ASSIGNMENT);
    assert_int_equal(reassign(w, NULL, 0, true), KERR_INVALID_REPLICA_ASSIGNMENT);
}

static void a_broker_is_forgotten(void **state) {
    struct world *w = *state;
    int32_t on[] = {2, 1};
    add_broker(w, 2);
    topic_on(w, on, 2);
    assert_int_equal(controller_unregister_broker(w->c, 3, &w->records), KERR_BROKER_ID_NOT_REGISTERED);
    assert_int_equal(controller_unregister_broker(w->c, 2, &w->records), 0);
    commit(w);
    assert_null(image_broker(w->image, 2));
    assert_int_equal(p0(w)->leader, 1);
    assert_ids(p0(w)->isr, p0(w)->isr_n, "1");
}

/* ---- users ---- */

static struct alter_user_scram_credentials_request_scram_credential_upsertion credential(const char *name,
                                                                                         int32_t iterations) {
    static const uint8_t password[32] = {1};
    return (struct alter_user_scram_credentials_request_scram_credential_upsertion){
        kstr_of(name), 1, iterations, {password, 4}, {password, 32}};
}

static void users_are_kept(void **state) {
    struct world *w = *state;
    struct alter_user_scram_credentials_request_scram_credential_upsertion up[] = {
        credential("alice", 4096), credential("bob", 4095), credential("carol", 5000),
        credential("carol", 4096), credential("", 4096),    credential("dora", 16384)};
    struct alter_user_scram_credentials_request r = {.upsertions = up, .upsertions_n = 6};
    struct alter_user_scram_credentials_response out;
    controller_alter_scram(w->c, &w->x, &r, &out, &w->records);
    static const int16_t wanted[] = {0, KERR_UNACCEPTABLE_CREDENTIAL, KERR_DUPLICATE_RESOURCE,
                                     KERR_UNACCEPTABLE_CREDENTIAL, 0};
    assert_int_equal(out.results_n, 5);
    for (int32_t i = 0; i < 5; i++) assert_int_equal(out.results[i].error_code, wanted[i]);
    assert_int_equal(commit(w), 2);
    const struct scram_credential *c = image_scram(w->image, 1, "alice", 5);
    assert_non_null(c);
    assert_int_equal(c->stored_key_len, 32);
    assert_memory_not_equal(c->stored_key, c->server_key, 32);
    assert_null(image_scram(w->image, 1, "carol", 5));
    struct alter_user_scram_credentials_request_scram_credential_deletion del[] = {
        {KSTR("alice"), 1}, {KSTR("bob"), 1}, {KSTR("dora"), 3}, {KSTR("al\0ice"), 1}};
    r = (struct alter_user_scram_credentials_request){.deletions = del, .deletions_n = 4};
    controller_alter_scram(w->c, &w->x, &r, &out, &w->records);
    assert_int_equal(out.results[0].error_code, 0);
    assert_int_equal(out.results[1].error_code, KERR_RESOURCE_NOT_FOUND);
    assert_int_equal(out.results[2].error_code, KERR_UNSUPPORTED_SASL_MECHANISM);
    assert_int_equal(out.results[3].error_code, KERR_UNACCEPTABLE_CREDENTIAL);
    assert_int_equal(commit(w), 1);
    assert_null(image_scram(w->image, 1, "alice", 5));
    assert_non_null(image_scram(w->image, 1, "dora", 4));
}

/* ---- the quorum ---- */

static int16_t update_kraft(struct world *w, int16_t level, int8_t type, bool validate, int16_t *version) {
    struct update_features_request_feature_update_key u = {KSTR(KRAFT_VERSION), level, false, type};
    struct update_features_request r = {
        .feature_updates = &u, .feature_updates_n = 1, .validate_only = validate};
    struct update_features_response out;
    controller_update_features(w->c, &w->x, 2, &r, version, &out, &w->records);
    assert_int_equal(w->records.n, 0);
    return out.error_code;
}

static void kraft_version_goes_up_only(void **state) {
    struct world *w = *state;
    int16_t version = 0;
    assert_int_equal(update_kraft(w, 1, 1, true, &version), 0);
    assert_int_equal(version, 0);
    assert_int_equal(update_kraft(w, 0, 2, false, &version), 0);
    assert_int_equal(update_kraft(w, 2, 1, false, &version), KERR_INVALID_UPDATE_VERSION);
    assert_int_equal(update_kraft(w, 1, 1, false, &version), 0);
    assert_int_equal(version, 1);
    assert_int_equal(update_kraft(w, 0, 2, false, &version), KERR_INVALID_UPDATE_VERSION);
    assert_int_equal(update_kraft(w, 0, 3, false, &version), KERR_INVALID_UPDATE_VERSION);
    assert_int_equal(version, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        STORY(the_first_replica_is_preferred),
        STORY(an_unclean_election_takes_who_is_there),
        STORY(a_reassignment_waits_for_the_new_replica),
        STORY(what_is_in_sync_already_is_reached_at_once),
        STORY(a_broker_is_forgotten),
        STORY(users_are_kept),
        STORY(kraft_version_goes_up_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
