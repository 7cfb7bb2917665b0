/* The quorum of one: elections, the high watermark, and the two files' worth of text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/err.h"
#include "raft/quorum_state.h"
#include "raft/raft.h"
#include "raft/voters.h"
#include "wire/writer.h"

#include <string.h>

static void the_first_start(void **state) {
    struct raft r;
    struct raft_election none = {0, RAFT_NO_NODE, RAFT_NO_NODE, {{0}}};
    struct raft_todo t = raft_start(&r, 1, &none, 0, 0);
    assert_true(t.save && !t.begin_epoch && !t.commit);
    assert_int_equal(r.election.epoch, 1);
    assert_int_equal(r.election.leader, 1);
    assert_int_not_equal(r.state, RAFT_LEADER); /* not before it is on disk */
    t = raft_saved(&r);
    assert_true(t.begin_epoch && !t.save);
    assert_int_equal(r.state, RAFT_LEADER);
    assert_false(raft_appended(&r, 1).commit);
    assert_int_equal(r.high_watermark, 0);
    assert_true(raft_flushed(&r, 1).commit);
    assert_int_equal(r.high_watermark, 1);
    raft_appended(&r, 5);
    assert_false(raft_flushed(&r, 1).commit);
    assert_true(raft_flushed(&r, 4).commit);
    assert_int_equal(r.high_watermark, 4);
}

static void a_start_has_an_epoch_of_its_own(void **state) {
    struct raft r;
    raft_start(&r, 1, &(struct raft_election){.epoch = 7, .leader = 1, .voted = -1}, 7, 40);
    assert_int_equal(r.election.epoch, 8);
    raft_start(&r, 1, &(struct raft_election){.epoch = 3, .leader = 1, .voted = -1}, 9,
               40); /* quorum-state was lost */
    assert_int_equal(r.election.epoch, 10);
    raft_saved(&r);
    assert_int_equal(r.epoch_start, 40);
    raft_appended(&r, 41);
    raft_flushed(&r, 40);
    assert_int_equal(r.high_watermark, 0); /* nothing of this epoch is on disk yet */
    raft_flushed(&r, 41);
    assert_int_equal(r.high_watermark, 41);
}

/* As Apache Kafka 4.3.1 writes them. */
static const char v0[] =
    "{\"clusterId\":\"\",\"leaderId\":1,\"leaderEpoch\":1,\"votedId\":-1,\"appliedOffset\":0,"
    "\"currentVoters\":[{\"voterId\":1}],\"data_version\":0}";
static const char v1[] =
    "{\"leaderId\":-1,\"leaderEpoch\":2,\"votedId\":1,\"votedDirectoryId\":\"J8aAPcfLQt2bqs1JT_rMgQ\","
    "\"data_version\":1}";

static void quorum_state_reads_and_writes(void **state) {
    struct raft_election e;
    struct strbuf b;
    strbuf_init(&b, 4096);
    assert_int_equal(quorum_state_parse(v0, &e), 0);
    assert_int_equal(e.leader, 1);
    assert_int_equal(e.epoch, 1);
    int32_t voters[] = {1};
    quorum_state_format(&e, 0, voters, 1, &b);
    assert_string_equal(strbuf_str(&b), v0);
    strbuf_reset(&b);
    assert_int_equal(quorum_state_parse(v1, &e), 0);
    assert_int_equal(e.voted, 1);
    quorum_state_format(&e, 1, voters, 1, &b);
    assert_string_equal(strbuf_str(&b), v1);
    strbuf_free(&b);
    assert_int_equal(quorum_state_parse("", &e), OE_MALFORMED);
    assert_int_equal(quorum_state_parse("{}", &e), OE_MALFORMED);
    assert_int_equal(quorum_state_parse("{\"data_version\":2}", &e), OE_UNSUPPORTED);
    assert_int_equal(quorum_state_parse("{\"data_version\":0,\"leaderId\":1}", &e), OE_MALFORMED);
    for (size_t n = 0; n < sizeof v1 - 1; n++) { /* cut anywhere */
        char cut[sizeof v1];
        memcpy(cut, v1, n);
        cut[n] = 0;
        assert_int_not_equal(quorum_state_parse(cut, &e), 0);
    }
}

static void voters_parse_and_encode(void **state) {
    struct voters s, again;
    assert_int_equal(voters_parse("1@localhost:9093, 2@[::1]:9094", &s), 0);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.v[1].host, "::1");
    assert_int_equal(voters_find(&s, 2)->port, 9094);
    assert_null(voters_find(&s, 3));
    static const char *const wrong[] = {"",      "1",           "1@",        "1@h",     "1@:9",
                                        "x@h:9", "1@h:9,1@h:9", "1@h:99999", "1@h:9:x", "-1@h:9"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(voters_parse(wrong[i], &s), OE_MALFORMED);
    assert_int_equal(voters_parse_initial("1@h:9:J8aAPcfLQt2bqs1JT_rMgQ", "CONTROLLER", &s), 0);
    assert_int_equal(voters_parse_initial("1@h:9:J8aAPcfLQt2bqs1JT_rMg", "CONTROLLER", &again), OE_MALFORMED);
    struct writer w;
    writer_init(&w, 4096);
    assert_int_equal(voters_encode(&s, &w), 0);
    assert_int_equal(voters_decode(w.buf, writer_len(&w), &again), 0);
    assert_int_equal(again.n, 1);
    assert_string_equal(again.v[0].listener, "CONTROLLER");
    assert_string_equal(again.v[0].host, "h");
    assert_true(uuid_equal(&again.v[0].directory, &s.v[0].directory));
    assert_int_equal(voters_decode(w.buf, writer_len(&w) - 3, &again), OE_MALFORMED);
    writer_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_start),
        cmocka_unit_test(a_start_has_an_epoch_of_its_own),
        cmocka_unit_test(quorum_state_reads_and_writes),
        cmocka_unit_test(voters_parse_and_encode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
