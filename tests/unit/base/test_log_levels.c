/* Levels of loggers: their own, or that of the nearest one above; and which lines are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"

static enum log_level level_of(const char *name) {
    int i = log_logger_find(name);
    assert_true(i >= 0);
    return log_logger_level(i);
}

static void set(const char *name, int level) { log_logger_set(log_logger_find(name), level); }

/* How many lines f writes to the log. */
static int lines_of(void (*f)(void)) {
    char text[4096], path[] = "/tmp/ottla-test-log-XXXXXX";
    int fd = mkstemp(path), saved = dup(STDERR_FILENO), n = 0;
    assert_true(fd >= 0 && saved >= 0);
    unlink(path);
    dup2(fd, STDERR_FILENO);
    f();
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t got = pread(fd, text, sizeof text, 0);
    close(fd);
    for (ssize_t i = 0; i < got; i++) n += text[i] == '\n';
    return n;
}

static void one_of_each(void) {
    LOG_DEBUG("storage", "one");
    LOG_DEBUG("group", "two");
    LOG_INFO("storage", "three");
    LOG_INFO("group", "four");
    LOG_INFO("nobody", "five");
    LOG_LIMITED(LOG_DEBUG, "storage", "six");
}

static void a_level_is_inherited(void **state) {
    assert_string_equal(log_logger_name(0), LOG_ROOT);
    assert_int_equal(log_logger_find("no.such"), -1);
    for (int i = 0; i < log_loggers(); i++) assert_int_equal(log_logger_level(i), LOG_INFO);
    set("org.apache.kafka", LOG_WARN);
    assert_int_equal(level_of("org.apache.kafka.coordinator.group"), LOG_WARN);
    assert_int_equal(level_of("kafka.server"), LOG_INFO);
    set("org.apache.kafka.coordinator", LOG_TRACE);
    assert_int_equal(level_of("org.apache.kafka.coordinator.group"), LOG_TRACE);
    assert_int_equal(level_of("org.apache.kafka.raft"), LOG_WARN);
    assert_int_equal(log_least_level(), LOG_TRACE);
    set("org.apache.kafka.coordinator", -1);
    assert_int_equal(level_of("org.apache.kafka.coordinator.group"), LOG_WARN);
    set("org.apache.kafka", -1);
    set(LOG_ROOT, -1); /* it keeps its own */
    assert_int_equal(log_least_level(), LOG_INFO);
    log_set_level(LOG_ERROR);
    for (int i = 0; i < log_loggers(); i++) assert_int_equal(log_logger_level(i), LOG_ERROR);
    log_set_level(LOG_INFO);
}

static void an_area_has_its_loggers_level(void **state) {
    assert_int_equal(lines_of(one_of_each), 3);
    set("org.apache.kafka.storage.internals.log", LOG_DEBUG);
    assert_int_equal(lines_of(one_of_each), 5);
    set("org.apache.kafka.storage.internals.log", LOG_ERROR);
    assert_int_equal(lines_of(one_of_each), 2);
    log_set_level(LOG_ERROR);
    assert_int_equal(lines_of(one_of_each), 0);
    set("org.apache.kafka", LOG_INFO);
    assert_int_equal(lines_of(one_of_each), 1);
    set("org.apache.kafka.storage.internals.log", -1);
    assert_int_equal(lines_of(one_of_each), 2);
    set("org.apache.kafka", -1);
    log_set_level(LOG_INFO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_level_is_inherited),
        cmocka_unit_test(an_area_has_its_loggers_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
