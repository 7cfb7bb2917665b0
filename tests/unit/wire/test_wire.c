/* wire/: reader, writer, splices, the API table, and what the generated functions promise, on a few messages.
 * That every version of every message is right is shown by tests/wire with bytes of the reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/api_versions.h"
#include "api/describe_topic_partitions.h"
#include "api/fetch.h"
#include "api/header.h"
#include "api/metadata.h"
#include "api/produce.h"
#include "records/group.h"
#include "records/metadata.h"
#include "wire/api.h"

enum { MEMORY = 1 << 20 };

static void reader_errors_stick(void **state) {
    static const uint8_t bytes[] = {0, 0, 0, 7, 1, 2};
    struct reader r = reader_of(bytes, sizeof bytes);
    assert_int_equal(read_i32(&r), 7);
    assert_int_equal(read_i32(&r), 0);
    assert_int_equal(r.err, OE_SHORT);
    assert_int_equal(read_i8(&r), 0);
    assert_int_equal(reader_left(&r), 0);
    r = reader_of("\xff\xff\xff\xff\xff", 5); /* an unsigned varint of more than 32 bits */
    assert_int_equal(read_uvarint(&r), 0);
    assert_int_equal(r.err, OE_MALFORMED);
    r = reader_of("\0", 1); /* null where the message has none */
    read_string(&r, true, false);
    assert_int_equal(r.err, OE_MALFORMED);
    r = reader_of("\x7f\xff\xff\xff", 4); /* more elements than bytes */
    assert_int_equal(read_count(&r, false, true, 1), 0);
    assert_int_equal(r.err, OE_SHORT);
}

static void writer_limits(void **state) {
    uint8_t memory[8];
    struct writer w;
    writer_init_with(&w, memory, sizeof memory, 1000);
    write_i64(&w, 1);
    assert_ptr_equal(w.buf, memory);
    write_i64(&w, 2); /* leaves the given memory */
    assert_ptr_not_equal(w.buf, memory);
    assert_int_equal(get_i64(w.buf), 1);
    assert_int_equal(get_i64(w.buf + 8), 2);
    for (int i = 0; i < 200; i++) write_i64(&w, i);
    assert_int_equal(w.err, OE_LIMIT);
    assert_true(writer_len(&w) <= 1000);
    writer_reset(&w);
    write_string(&w, KSTR_NULL, true, false);
    assert_int_equal(w.err, OE_INVALID);
    writer_free(&w);
}

static struct produce_request example(struct produce_request_topic_produce_data *topic,
                                      struct produce_request_partition_produce_data *partitions) {
    struct produce_request x;
    produce_request_init(&x);
    assert_int_equal(x.transactional_id.len, -1);
    x.acks = -1;
    x.timeout_ms = 30000;
    *topic =
        (struct produce_request_topic_produce_data){.name = KSTR("orders"), .partition_data = partitions};
    topic->partition_data_n = 2;
    partitions[0] = (struct produce_request_partition_produce_data){
        .index = 3, .records = {(const uint8_t *)"abc", 3, 0, 0}};
    partitions[1] = (struct produce_request_partition_produce_data){.index = 4, .records = {.len = -1}};
    x.topic_data = topic;
    x.topic_data_n = 1;
    return x;
}

static void produce_round_trip(void **state) {
    struct produce_request_topic_produce_data topic;
    struct produce_request_partition_produce_data partitions[2];
    struct produce_request x = example(&topic, partitions), y;
    for (int16_t version = 3; version <= 13; version++) {
        struct writer w;
        struct arena a;
        writer_init(&w, MEMORY);
        arena_init(&a, MEMORY);
        assert_int_equal(produce_request_encode(&x, &w, version), 0);
        assert_int_equal(produce_request_size(&x, version), writer_len(&w));
        struct reader r = reader_of(w.buf, writer_len(&w));
        assert_int_equal(produce_request_decode(&y, &r, version, &a), 0);
        assert_int_equal(reader_left(&r), 0);
        assert_int_equal(y.acks, -1);
        assert_int_equal(y.topic_data_n, 1);
        assert_true(kstr_is(y.topic_data[0].name, version <= 12 ? "orders" : ""));
        assert_int_equal(y.topic_data[0].partition_data_n, 2);
        assert_memory_equal(y.topic_data[0].partition_data[0].records.p, "abc", 3);
        assert_int_equal(y.topic_data[0].partition_data[1].records.len, -1);
        for (size_t n = 0; n < writer_len(&w); n++) {
            r = reader_of(w.buf, n);
            assert_int_not_equal(produce_request_decode(&y, &r, version, &a), 0);
        }
        arena_free(&a);
        writer_free(&w);
    }
    struct reader none = reader_of("", 0);
    assert_int_equal(produce_request_decode(&y, &none, 2, NULL), OE_UNSUPPORTED);
}

/* Record data in a file is left out of the buffer and noted with its place. */
static void fetch_splices(void **state) {
    struct fetch_response_partition_data partitions[2];
    struct fetch_response_fetchable_topic_response topic;
    struct fetch_response x;
    int file;
    for (int i = 0; i < 2; i++) {
        fetch_response_partition_data_init(&partitions[i]);
        partitions[i].partition_index = i;
        partitions[i].records = (struct krecords){.len = 100000 + i, .file = &file, .pos = 64 * i};
    }
    fetch_response_fetchable_topic_response_init(&topic);
    topic.partitions = partitions;
    topic.partitions_n = 2;
    fetch_response_init(&x);
    x.responses = &topic;
    x.responses_n = 1;
    struct writer w;
    writer_init(&w, MEMORY);
    assert_int_equal(fetch_response_encode(&x, &w, 18), 0);
    assert_int_equal(w.splices_n, 2);
    assert_true(writer_len(&w) < 200);
    assert_int_equal(writer_total(&w), writer_len(&w) + 200001);
    assert_int_equal(fetch_response_size(&x, 18), writer_total(&w));
    assert_ptr_equal(w.splices[1].file, &file);
    assert_int_equal(w.splices[1].pos, 64);
    assert_int_equal(w.splices[1].len, 100001);
    /* Put together, it is what encoding from memory gives. */
    struct writer whole;
    uint8_t *zeros = calloc(1, 100001), *joined = malloc(writer_total(&w)), *p = joined;
    writer_init(&whole, MEMORY);
    for (int i = 0; i < 2; i++) partitions[i].records = (struct krecords){.p = zeros, .len = 100000 + i};
    assert_int_equal(fetch_response_encode(&x, &whole, 18), 0);
    size_t at = 0;
    for (int i = 0; i < w.splices_n; i++) {
        p = mempcpy(p, w.buf + at, w.splices[i].at - at);
        memset(p, 0, (size_t)w.splices[i].len);
        p += w.splices[i].len;
        at = w.splices[i].at;
    }
    memcpy(p, w.buf + at, writer_len(&w) - at);
    assert_int_equal(writer_len(&whole), writer_total(&w));
    assert_memory_equal(joined, whole.buf, writer_len(&whole));
    free(zeros);
    free(joined);
    writer_free(&w);
    writer_free(&whole);
}

/* Unknown tags are skipped, a size that is not the field's is an error, a large tagged field gets its size
 * right. */
static void tagged_fields(void **state) {
    static const char unknown[] = {0, 0, 0, 9, 1, 77, 2, 'x', 'y'};
    struct response_header header;
    struct reader r = reader_of(unknown, sizeof unknown);
    assert_int_equal(response_header_decode(&header, &r, 1, NULL), 0);
    assert_int_equal(header.correlation_id, 9);
    assert_int_equal(reader_left(&r), 0);
    r = reader_of("\0\0\0\x09\x01\x4d\x03xy", 9);
    assert_int_equal(response_header_decode(&header, &r, 1, NULL), OE_SHORT);

    struct api_versions_response x, y;
    struct api_versions_response_finalized_feature_key features[20];
    for (int i = 0; i < 20; i++)
        features[i] = (struct api_versions_response_finalized_feature_key){KSTR("metadata.version"), 29, 1};
    api_versions_response_init(&x);
    assert_int_equal(x.finalized_features_epoch, -1);
    x.finalized_features = features;
    x.finalized_features_n = 20;
    struct writer w;
    struct arena a;
    writer_init(&w, MEMORY);
    arena_init(&a, MEMORY);
    assert_int_equal(api_versions_response_encode(&x, &w, 4), 0);
    assert_int_equal(api_versions_response_size(&x, 4), writer_len(&w));
    r = reader_of(w.buf, writer_len(&w));
    assert_int_equal(api_versions_response_decode(&y, &r, 4, &a), 0);
    assert_int_equal(y.finalized_features_n, 20);
    assert_true(kstr_is(y.finalized_features[19].name, "metadata.version"));
    assert_int_equal(y.finalized_features_epoch, -1);
    assert_int_equal(reader_left(&r), 0);
    /* The one tagged field's tag and size: make the size one byte too small. */
    for (uint8_t *p = w.buf; p < w.p - 3; p++) {
        if (p[0] == 1 && p[1] == 2 && p[2] >= 0x80) {
            p[2]--;
            break;
        }
    }
    r = reader_of(w.buf, writer_len(&w));
    assert_int_not_equal(api_versions_response_decode(&y, &r, 4, &a), 0);
    writer_free(&w);
    arena_free(&a);
}

static void api_table(void **state) {
    assert_int_equal(apis_n, API_KEY_LAST + 1);
    assert_string_equal(api_find(API_LIST_OFFSETS)->name, "ListOffsets");
    assert_null(api_find(-1));
    assert_null(api_find(API_KEY_LAST + 1));
    assert_false(api_has_version(api_find(API_CONTROLLED_SHUTDOWN), 0));
    const struct api *produce = api_find(API_PRODUCE);
    assert_int_equal(produce->first, 3);
    assert_int_equal(produce->last, 13);
    assert_ptr_equal(produce->request, &produce_request_message);
    assert_int_equal(api_find(API_INIT_PRODUCER_ID)->stable, api_find(API_INIT_PRODUCER_ID)->last - 1);
    assert_int_equal(api_request_header_version(API_PRODUCE, 8), 1);
    assert_int_equal(api_request_header_version(API_PRODUCE, 9), 2);
    assert_int_equal(api_response_header_version(API_PRODUCE, 9), 1);
    assert_int_equal(api_request_header_version(API_API_VERSIONS, 3), 2);
    assert_int_equal(api_response_header_version(API_API_VERSIONS, 3), 0);
    assert_int_equal(api_request_header_version(API_API_VERSIONS, 99), 2);
    assert_int_equal(api_request_header_version(API_SASL_HANDSHAKE, 99), 1);
    assert_int_equal(api_request_header_version(999, 3), 1);
}

static void records_and_json(void **state) {
    const struct message *m = message_of_record("metadata", MESSAGE_RECORD, METADATA_TOPIC);
    char name[64];
    assert_non_null(m);
    message_constant_name(m, name, sizeof name);
    assert_string_equal(name, "TOPIC_RECORD");
    struct topic_record topic = {.name = KSTR("a\"b"), .topic_id = {{0}}};
    struct writer w;
    struct strbuf out;
    writer_init(&w, MEMORY);
    strbuf_init(&out, MEMORY);
    assert_int_equal(m->encode(&topic, &w, 0), 0);
    assert_int_equal(message_print(m, w.buf, writer_len(&w), 0, &out, NULL), 0);
    assert_string_equal(strbuf_str(&out), "{\"name\":\"a\\\"b\",\"topicId\":\"AAAAAAAAAAAAAAAAAAAAAA\"}");
    strbuf_reset(&out);
    assert_int_equal(message_print(m, w.buf, 3, 0, &out, NULL), OE_SHORT);
    assert_string_equal(strbuf_str(&out), "");
    assert_ptr_equal(message_of_record("group", MESSAGE_KEY, GROUP_OFFSET_COMMIT),
                     &offset_commit_key_message);
    assert_ptr_equal(message_by_name("FetchRequest"), &fetch_request_message);
    assert_null(message_by_name("Nothing"));
    writer_free(&w);
    strbuf_free(&out);
}

/* The arena's limit bounds what a small request can make us allocate. */
static void memory_limit(void **state) {
    struct writer w;
    struct arena a;
    struct metadata_request x;
    writer_init(&w, MEMORY);
    arena_init(&a, 4096);
    write_uvarint(&w, 100000 + 1);
    for (int i = 0; i < 100000; i++) write_i32(&w, 0);
    struct reader r = reader_of(w.buf, writer_len(&w));
    assert_int_equal(metadata_request_decode(&x, &r, 12, &a), OE_LIMIT);
    writer_free(&w);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reader_errors_stick), cmocka_unit_test(writer_limits),
        cmocka_unit_test(produce_round_trip),  cmocka_unit_test(fetch_splices),
        cmocka_unit_test(tagged_fields),       cmocka_unit_test(api_table),
        cmocka_unit_test(records_and_json),    cmocka_unit_test(memory_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
