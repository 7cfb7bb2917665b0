/* ottla log verify finds what is wrong, and where; ottla log dump shows what is there. Each test writes a
 * partition's directory, changes something, and reads what the command prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "cli/log.h"

#define SEGMENT "00000000000000000100"

enum { BATCHES = 3, RECORDS = 4, FIRST = 100 };

struct place {
    char dir[64], out[96];
    uint8_t bytes[4096];
    size_t size, at[BATCHES + 1]; /* where the batches begin, and the end */
};

static struct place here;

static char *path_of(const char *suffix) { return xasprintf("%s/%s%s", here.dir, SEGMENT, suffix); }

static void put_file(const char *suffix, const void *bytes, size_t n) {
    char *path = path_of(suffix);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
    free(path);
}

/* Three batches of four records; with an index entry for each of the last two. */
static int set_up(void **state) {
    snprintf(here.dir, sizeof here.dir, "/tmp/test-log-XXXXXX");
    assert_non_null(mkdtemp(here.dir));
    snprintf(here.out, sizeof here.out, "%s.out", here.dir);
    here.size = 0;
    uint8_t index[2 * INDEX_ENTRY], times[2 * TIME_INDEX_ENTRY];
    for (int i = 0; i < BATCHES; i++) {
        struct batch_options o = BATCH_OPTIONS_NONE;
        struct batch_builder b;
        uint8_t *bytes;
        size_t n;
        o.base_offset = FIRST + i * RECORDS;
        o.leader_epoch = i;
        batch_builder_init(&b, &o, 1 << 20);
        for (int r = 0; r < RECORDS; r++)
            assert_int_equal(batch_builder_add(&b, 1000 + i, "key", 3, "value", 5), 0);
        assert_int_equal(batch_builder_finish(&b, NULL, &bytes, &n), 0);
        here.at[i] = here.size;
        memcpy(here.bytes + here.size, bytes, n);
        here.size += n;
        batch_builder_free(&b);
        if (i == 0) continue;
        put_u32(index + (i - 1) * INDEX_ENTRY, (uint32_t)(i * RECORDS + RECORDS - 1));
        put_u32(index + (i - 1) * INDEX_ENTRY + 4, (uint32_t)here.at[i]);
        put_i64(times + (i - 1) * TIME_INDEX_ENTRY, 1000 + i);
        put_u32(times + (i - 1) * TIME_INDEX_ENTRY + 8, (uint32_t)(i * RECORDS + RECORDS - 1));
    }
    here.at[BATCHES] = here.size;
    put_file(".log", here.bytes, here.size);
    put_file(".index", index, sizeof index);
    put_file(".timeindex", times, sizeof times);
    return 0;
}

static int tear_down(void **state) {
    assert_int_equal(fs_remove_tree(fs_real(), here.dir), 0);
    unlink(here.out);
    return 0;
}

/* Runs `ottla log <what> [option] <path>`; its status, and its output in text. */
static int run_on(const char *what, const char *option, char *path, char text[8192]) {
    char *argv[] = {"log", (char *)what, option ? (char *)option : path, option ? path : NULL, NULL};
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    FILE *f = fopen(here.out, "w+");
    assert_non_null(f);
    dup2(fileno(f), STDOUT_FILENO);
    int status = cli_log(option ? 4 : 3, argv);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    rewind(f);
    size_t n = fread(text, 1, 8191, f);
    text[n] = 0;
    fclose(f);
    return status;
}

static int verify(char text[8192]) { return run_on("verify", NULL, here.dir, text); }

static void clean(void **state) {
    char text[8192];
    assert_int_equal(verify(text), CLI_DONE);
    assert_non_null(strstr(text, "3 files, 3 batches, 12 records"));
    assert_non_null(strstr(text, "0 problems"));
}

static void every_byte_under_the_crc(void **state) {
    char text[8192], wanted[40];
    for (int i = 0; i < BATCHES; i++) {
        snprintf(wanted, sizeof wanted, "%s.log: byte %zu: ", SEGMENT, here.at[i]);
        for (size_t at = here.at[i] + 16; at < here.at[i + 1]; at++) {
            here.bytes[at] ^= 0x10;
            put_file(".log", here.bytes, here.size);
            assert_int_equal(verify(text), CLI_FAILED);
            assert_non_null(strstr(text, wanted));
            here.bytes[at] ^= 0x10;
        }
    }
}

static void every_length(void **state) {
    char text[8192], wanted[40];
    for (size_t n = 1; n < here.size; n++) {
        int torn = 0;
        while (here.at[torn + 1] <= n) torn++;
        put_file(".log", here.bytes, n);
        int status = run_on("verify", NULL, here.dir, text);
        assert_int_equal(status, CLI_FAILED); /* torn, or its index names what is gone */
        /* fewer bytes are zeros, the first of the base offset: space that was reserved */
        snprintf(wanted, sizeof wanted, "%s.log: byte %zu: ", SEGMENT, here.at[torn]);
        if (n >= here.at[torn] + 8) assert_non_null(strstr(text, wanted));
    }
}

static void order(void **state) {
    char text[8192];
    put_i64(here.bytes + here.at[1], FIRST + 1); /* the base offset is not under the CRC */
    put_file(".log", here.bytes, here.size);
    assert_int_equal(verify(text), CLI_FAILED);
    assert_non_null(strstr(text, "begins at offset 101, the one before it ends at 103"));
    put_i64(here.bytes + here.at[1], FIRST + RECORDS);
    put_i32(here.bytes + here.at[2] + 12, 0); /* nor is the leader epoch */
    put_file(".log", here.bytes, here.size);
    assert_int_equal(verify(text), CLI_FAILED);
    assert_non_null(strstr(text, "leader epoch 0 after 1"));
}

static void reserved_space(void **state) {
    char text[8192];
    uint8_t zeros[1024] = {0};
    memcpy(zeros, here.bytes, here.size);
    put_file(".log", zeros, sizeof zeros);
    assert_true(here.size < sizeof zeros);
    assert_int_equal(verify(text), CLI_DONE);
    zeros[sizeof zeros - 1] = 1;
    put_file(".log", zeros, sizeof zeros);
    assert_int_equal(verify(text), CLI_FAILED);
}

static void indexes(void **state) {
    char text[8192];
    uint8_t e[INDEX_ENTRY], t[TIME_INDEX_ENTRY];
    put_u32(e, RECORDS + RECORDS - 1);
    put_u32(e + 4, (uint32_t)here.at[1] + 1);
    put_file(".index", e, sizeof e);
    assert_int_equal(verify(text), CLI_FAILED);
    assert_non_null(strstr(text, SEGMENT ".index: byte 0: it says that a batch begins"));
    put_u32(e, RECORDS + 1);
    put_u32(e + 4, (uint32_t)here.at[1]);
    put_file(".index", e, sizeof e);
    assert_int_equal(verify(text), CLI_FAILED);
    assert_non_null(strstr(text, "it says offset 105"));
    put_u32(e, 2 * RECORDS + RECORDS - 1); /* as after compaction: a later batch ends there */
    put_file(".index", e, sizeof e);
    assert_int_equal(verify(text), CLI_DONE);
    put_file(".index", e, sizeof e - 1);
    assert_int_equal(verify(text), CLI_FAILED);
    assert_non_null(strstr(text, "half an entry"));
    put_file(".index", e, sizeof e);
    put_i64(t, 1000);
    put_u32(t + 8, RECORDS + RECORDS - 1);
    put_file(".timeindex", t, sizeof t);
    assert_int_equal(verify(text), CLI_FAILED);
    assert_non_null(strstr(text, SEGMENT
                           ".timeindex: byte 0: it says timestamp 1000 for offset 107; that batch has 1001"));
    put_i64(t, 1001);
    put_u32(t + 8, 50);
    put_file(".timeindex", t, sizeof t);
    assert_int_equal(verify(text), CLI_FAILED);
    assert_non_null(strstr(text, "behind the end of the segment"));
}

static void producer_snapshot(void **state) {
    char text[8192];
    uint8_t s[SNAPSHOT_HEADER + SNAPSHOT_ENTRY] = {0};
    put_i16(s, 1);
    put_i32(s + 6, 1);
    put_i64(s + SNAPSHOT_HEADER, 77);
    put_u32(s + 2, crc32c(0, s + 6, sizeof s - 6));
    put_file(".snapshot", s, sizeof s);
    assert_int_equal(verify(text), CLI_DONE);
    char *path = path_of(".snapshot");
    assert_int_equal(run_on("dump", NULL, path, text), CLI_DONE);
    assert_non_null(strstr(text, "producerId: 77"));
    free(path);
    for (size_t i = 0; i < sizeof s; i++) {
        s[i] ^= 1;
        put_file(".snapshot", s, sizeof s);
        assert_int_equal(verify(text), CLI_FAILED);
        s[i] ^= 1;
    }
}

static void dump(void **state) {
    char text[8192];
    char *path = path_of(".log");
    assert_int_equal(run_on("dump", NULL, path, text), CLI_DONE);
    assert_non_null(strstr(text, "baseOffset: 104 lastOffset: 107 count: 4"));
    assert_null(strstr(text, "isvalid: false"));
    assert_int_equal(run_on("dump", "--print-data", path, text), CLI_DONE);
    assert_non_null(strstr(text, "offset: 111"));
    assert_non_null(strstr(text, "key: key value: value"));
    assert_int_equal(run_on("dump", "--from=108", path, text), CLI_DONE);
    assert_null(strstr(text, "baseOffset: 104"));
    put_file(".log", here.bytes, here.size - 1);
    assert_int_equal(run_on("dump", NULL, path, text), CLI_FAILED);
    free(path);
    path = path_of(".index");
    assert_int_equal(run_on("dump", "--json", path, text), CLI_DONE);
    assert_non_null(strstr(text, "{\"offset\":107,\"position\":"));
    free(path);
}

static void kinds(void **state) {
    assert_int_equal(log_kind_of("a/00000000000000000000.log"), LOG_SEGMENT);
    assert_int_equal(log_kind_of("a/00000000000000000010-0000000001.checkpoint"), LOG_KRAFT_SNAPSHOT);
    assert_int_equal(log_kind_of("leader-epoch-checkpoint"), LOG_CHECKPOINT_TEXT);
    assert_int_equal(log_kind_of("x.timeindex"), LOG_TIME_INDEX);
    assert_int_equal(log_kind_of("x"), LOG_UNKNOWN);
    assert_int_equal(log_name_offset("a/00000000000000000117.log"), 117);
    assert_int_equal(log_name_offset("a/117.log"), -1);
    assert_int_equal(log_decode_of("d/__consumer_offsets-3/0.log"), DECODE_OFFSETS);
    assert_int_equal(log_decode_of("d/my__consumer_offsets-3/0.log"), DECODE_NONE);
    assert_int_equal(log_decode_of("d/bootstrap.checkpoint"), DECODE_METADATA);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(clean, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_byte_under_the_crc, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reserved_space, set_up, tear_down),
        cmocka_unit_test_setup_teardown(indexes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(producer_snapshot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dump, set_up, tear_down),
        cmocka_unit_test(kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
