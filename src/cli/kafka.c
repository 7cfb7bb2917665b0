#include "cli/kafka.h"

#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/admin.h"
#include "io/clock.h"

enum { TOPIC_PAUSE_MS = 50, CREATE_MS = 2000 };

/* A signal handler has nothing but globals. */
static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
    (void)number;
    interrupted = 1;
}

void kafka_catch_signals(void) {
    struct sigaction s = {.sa_handler = on_signal,
                          .sa_flags = (int)SA_RESETHAND}; /* the second one ends it at once */
    sigaction(SIGINT, &s, NULL);
    sigaction(SIGTERM, &s, NULL);
}

bool kafka_interrupted(void) { return interrupted; }

int kafka_check(struct cli *c) {
    struct admin a;
    const int32_t *nodes;
    const char *option;
    int n, status;
    for (int at = 0; (option = cli_next(c, "client-option", &at));)
        if (!strncmp(option, "security.protocol=", 18)) return 0;
    status = admin_begin(c, &a);
    if (!status) status = admin_done(&a, client_nodes(a.client, &nodes, &n));
    admin_end(&a);
    return status;
}

int kafka_set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char why[300];
    if (rdk()->conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK) return 0;
    return cli_wrong_usage("%s=%s: %s", name, value, why);
}

int kafka_default(struct cli *c, rd_kafka_conf_t *conf, const char *name, const char *value) {
    const char *option;
    size_t n = strlen(name);
    for (int at = 0; (option = cli_next(c, "client-option", &at));)
        if (!strncmp(option, name, n) && option[n] == '=') return 0;
    return kafka_set(conf, name, value);
}

int kafka_read_ahead(struct cli *c, rd_kafka_conf_t *conf) {
    int status = kafka_default(c, conf, "queued.min.messages", "2000000");
    return status ? status : kafka_default(c, conf, "queued.max.messages.kbytes", "131072");
}

/* librdkafka's log: what matters comes back as errors of calls. */
static void no_log(const rd_kafka_t *rk, int level, const char *facility, const char *text) {
    if (level <= 3) fprintf(stderr, "ottla: %s\n", text);
}

/* Broken connections are mended by librdkafka; what cannot be is fatal and comes with each record. */
static void on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque) {
    char why[300];
    if (err == RD_KAFKA_RESP_ERR__FATAL) {
        rdk()->fatal_error(rk, why, sizeof why);
        cli_fail("%s", why);
    }
}

int kafka_conf(struct cli *c, rd_kafka_conf_t **out) {
    rd_kafka_conf_t *conf = *out = rdk()->conf_new();
    char timeout[24];
    const char *option;
    snprintf(timeout, sizeof timeout, "%lld", (long long)cli_number(c, "timeout-ms", 1, 3600000, 30000));
    rdk()->conf_set_log_cb(conf, no_log);
    rdk()->conf_set_error_cb(conf, on_error);
    int status = c->failed;
    if (!status) status = kafka_set(conf, "bootstrap.servers", admin_bootstrap(c));
    if (!status) status = kafka_default(c, conf, "client.id", "ottla-cli");
    if (!status) status = kafka_set(conf, "log_level", "3");
    if (!status) status = kafka_default(c, conf, "message.timeout.ms", timeout);
    for (int at = 0; !status && (option = cli_next(c, "client-option", &at));) {
        const char *equal = strchr(option, '=');
        if (!equal) {
            status = cli_wrong_usage("-X %s: write name=value", option);
            break;
        }
        char *name = xstrndup(option, (size_t)(equal - option));
        status = kafka_set(conf, name, equal + 1);
        free(name);
    }
    if (status) {
        rdk()->conf_destroy(conf);
        *out = NULL;
    }
    return status;
}

rd_kafka_t *kafka_create(rd_kafka_type_t type, rd_kafka_conf_t *conf) {
    char why[300];
    rd_kafka_t *rk = rdk()->new (type, conf, why, sizeof why);
    if (!rk) {
        rdk()->conf_destroy(conf);
        cli_fail("librdkafka: %s", why);
    }
    return rk;
}

int kafka_partitions(rd_kafka_t *rk, const char *topic, int timeout_ms, bool create) {
    int64_t deadline = clock_mono_ms() + timeout_ms, created = clock_mono_ms() + (create ? CREATE_MS : 0);
    rd_kafka_topic_t *t = rdk()->topic_new(rk, topic, NULL);
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;
    int n = -1;
    while (n < 0 && clock_mono_ms() < deadline && !interrupted) {
        const struct rd_kafka_metadata *m;
        err = rdk()->metadata(rk, 0, t, &m, (int)(deadline - clock_mono_ms()));
        if (err) break;
        err = m->topic_cnt == 1 ? m->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        if (!err && m->topics[0].partition_cnt > 0) n = m->topics[0].partition_cnt;
        rdk()->metadata_destroy(m);
        if (n >= 0) break;
        bool unknown = err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        if (err && err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE && !(unknown && clock_mono_ms() < created))
            break;
        clock_sleep_ms(TOPIC_PAUSE_MS); /* it is being created */
    }
    rdk()->topic_destroy(t);
    if (n < 0 && (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC))
        cli_fail("there is no topic '%s'; `ottla topic create %s` makes it", topic, topic);
    else if (n < 0)
        cli_fail("topic '%s': %s", topic, rdk()->err2str(err));
    return n;
}
