/* The verbs of tests/lib/suite.py with librdkafka, in C. Each verb is one function; an error ends the program
 * with status 1. */
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PENDING = 100000, WAIT_MS = 15000 };

struct pending {
    int32_t partition;
    int64_t offset;
    char value[128];
};

static struct pending pending[MAX_PENDING];
static size_t npending;
static int failures;
static volatile sig_atomic_t stopped;

static void die(const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char err[256];
    if (rd_kafka_conf_set(conf, name, value, err, sizeof err) != RD_KAFKA_CONF_OK)
        die("%s=%s: %s", name, value, err);
}

static rd_kafka_conf_t *common(void) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", getenv("BOOTSTRAP"));
    set(conf, "topic.metadata.refresh.interval.ms", "2000");
    return conf;
}

static rd_kafka_t *open_client(rd_kafka_type_t type, rd_kafka_conf_t *conf) {
    char err[256];
    rd_kafka_t *rk = rd_kafka_new(type, conf, err, sizeof err);
    if (!rk) die("rd_kafka_new: %s", err);
    return rk;
}

/* ---- produce ---- */

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque) {
    (void)rk, (void)opaque;
    if (m->err) {
        fprintf(stderr, "delivery: %s\n", rd_kafka_err2str(m->err));
        failures++;
    }
}

static char *null(char *text) { return strcmp(text, "\\N") ? text : NULL; }

static void send_line(rd_kafka_t *rk, const char *topic, int32_t partition, char *line) {
    char *key = strsep(&line, "\t"), *value = strsep(&line, "\t"), *header = strsep(&line, "\t");
    if (!value || !header) die("a line of three fields is wanted");
    key = null(key), value = null(value), header = null(header);
    rd_kafka_headers_t *headers = NULL;
    if (header) {
        char *name = strsep(&header, "=");
        headers = rd_kafka_headers_new(1);
        rd_kafka_header_add(headers, name, -1, header, -1);
    }
    rd_kafka_resp_err_t e = rd_kafka_producev(
        rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, key ? strlen(key) : 0),
        RD_KAFKA_V_VALUE(value, value ? strlen(value) : 0), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (e) die("produce: %s", rd_kafka_err2str(e));
    rd_kafka_poll(rk, 0);
}

static void produce(char **args) {
    rd_kafka_conf_t *conf = common();
    set(conf, "compression.type", args[2]);
    set(conf, "enable.idempotence", "true");
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_t *rk = open_client(RD_KAFKA_PRODUCER, conf);
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    while ((n = getline(&line, &room, stdin)) > 0) {
        line[n - 1] = 0;
        send_line(rk, args[0], atoi(args[1]), line);
    }
    free(line);
    rd_kafka_resp_err_t e = rd_kafka_flush(rk, 30000);
    if (e || failures) die("flush: %s, %d failures", rd_kafka_err2str(e), failures);
    rd_kafka_destroy(rk);
}

/* ---- consume ---- */

static rd_kafka_t *open_consumer(rd_kafka_conf_t *conf, const char *group) {
    set(conf, "group.id", group);
    set(conf, "enable.auto.commit", "false");
    set(conf, "auto.offset.reset", "earliest");
    rd_kafka_t *rk = open_client(RD_KAFKA_CONSUMER, conf);
    rd_kafka_poll_set_consumer(rk);
    return rk;
}

static int64_t start_offset(rd_kafka_t *rk, const char *topic, int32_t partition, const char *start) {
    int64_t low, high;
    rd_kafka_resp_err_t e = rd_kafka_query_watermark_offsets(rk, topic, partition, &low, &high, WAIT_MS);
    if (e) die("watermarks: %s", rd_kafka_err2str(e));
    if (!strcmp(start, "beginning")) return low;
    if (!strcmp(start, "end")) return high;
    if (*start != '@') return atoll(start);
    rd_kafka_topic_partition_list_t *times = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(times, topic, partition)->offset = atoll(start + 1);
    e = rd_kafka_offsets_for_times(rk, times, WAIT_MS);
    int64_t offset = times->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(times);
    if (e) die("offsets for times: %s", rd_kafka_err2str(e));
    return offset;
}

static void print_bytes(const void *bytes, size_t n) {
    if (bytes)
        fwrite(bytes, 1, n, stdout);
    else
        fputs("\\N", stdout);
}

static void print_headers(const rd_kafka_message_t *m) {
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t n, i = 0;
    if (rd_kafka_message_headers(m, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
        for (; !rd_kafka_header_get_all(headers, i, &name, &value, &n); i++)
            printf("%s%s=%.*s", i ? "," : "", name, (int)n, (const char *)value);
    if (i == 0) fputs("\\N", stdout);
}

static void consume(char **args) {
    rd_kafka_conf_t *conf = common();
    set(conf, "enable.partition.eof", "true");
    rd_kafka_t *rk = open_consumer(conf, "none");
    int64_t count = atoll(args[3]), read = 0;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, args[0], atoi(args[1]))->offset =
        start_offset(rk, args[0], atoi(args[1]), args[2]);
    rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    puts("ready");
    fflush(stdout);
    while (read != count) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 1000);
        if (!m) continue;
        if (m->err && m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            die("consume: %s", rd_kafka_message_errstr(m));
        if (m->err && count < 0) count = read;
        if (!m->err) {
            printf("%lld\t", (long long)m->offset);
            print_bytes(m->key, m->key_len);
            putchar('\t');
            print_bytes(m->payload, m->len);
            putchar('\t');
            print_headers(m);
            putchar('\n');
            fflush(stdout);
            read++;
        }
        rd_kafka_message_destroy(m);
    }
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

/* ---- member ---- */

static void commit(rd_kafka_t *rk) {
    if (npending == 0 || rd_kafka_commit(rk, NULL, 0))
        return; /* tried again after the next poll, or the partition goes to somebody else */
    for (size_t i = 0; i < npending; i++)
        printf("%d\t%lld\t%s\n", pending[i].partition, (long long)pending[i].offset, pending[i].value);
    fflush(stdout);
    npending = 0;
}

static void drop(const rd_kafka_topic_partition_list_t *lost) {
    size_t kept = 0;
    for (size_t i = 0; i < npending; i++) {
        int is_lost = 0;
        for (int p = 0; p < lost->cnt; p++) is_lost |= lost->elems[p].partition == pending[i].partition;
        if (!is_lost) pending[kept++] = pending[i];
    }
    npending = kept;
}

static void rebalanced(rd_kafka_t *rk, rd_kafka_resp_err_t e, rd_kafka_topic_partition_list_t *places,
                       void *opaque) {
    (void)opaque;
    int cooperative = !strcmp(rd_kafka_rebalance_protocol(rk), "COOPERATIVE");
    int assigned = e == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    if (!assigned) {
        commit(rk);
        drop(places);
    }
    if (!cooperative)
        rd_kafka_assign(rk, assigned ? places : NULL);
    else
        rd_kafka_error_destroy(assigned ? rd_kafka_incremental_assign(rk, places)
                                        : rd_kafka_incremental_unassign(rk, places));
}

static void stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

static void take(const rd_kafka_message_t *m) {
    if (npending == MAX_PENDING || m->len >= sizeof pending->value)
        die("more records, or larger ones, than a member takes");
    struct pending *p = &pending[npending++];
    p->partition = m->partition;
    p->offset = m->offset;
    memcpy(p->value, m->payload, m->len);
    p->value[m->len] = 0;
}

static void member(char **args) {
    rd_kafka_conf_t *conf = common();
    set(conf, "partition.assignment.strategy", args[2]);
    set(conf, "session.timeout.ms", "10000");
    set(conf, "heartbeat.interval.ms", "500");
    rd_kafka_conf_set_rebalance_cb(conf, rebalanced);
    rd_kafka_t *rk = open_consumer(conf, args[1]);
    signal(SIGTERM, stop);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, args[0], RD_KAFKA_PARTITION_UA);
    rd_kafka_subscribe(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    while (!stopped) {
        int wait = 200;
        rd_kafka_message_t *m;
        for (int n = 0; n < 100 && (m = rd_kafka_consumer_poll(rk, wait)); n++, wait = 0) {
            if (!m->err) take(m);
            rd_kafka_message_destroy(m);
        }
        commit(rk);
    }
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

/* ---- admin ---- */

static rd_kafka_event_t *answer(rd_kafka_queue_t *queue, const char *what) {
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    if (!event) die("%s: no answer", what);
    if (rd_kafka_event_error(event)) die("%s: %s", what, rd_kafka_event_error_string(event));
    return event;
}

static void expect(const char *what, rd_kafka_resp_err_t got, rd_kafka_resp_err_t wanted) {
    if (got != wanted) die("%s: %s, wanted %s", what, rd_kafka_err2name(got), rd_kafka_err2name(wanted));
}

static void create_topic(rd_kafka_t *rk, rd_kafka_queue_t *queue, const char *topic,
                         rd_kafka_resp_err_t wanted) {
    char err[256];
    rd_kafka_NewTopic_t *new = rd_kafka_NewTopic_new(topic, 2, 1, err, sizeof err);
    rd_kafka_NewTopic_set_config(new, "retention.ms", "3600000");
    rd_kafka_CreateTopics(rk, &new, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue, "CreateTopics");
    size_t n;
    const rd_kafka_topic_result_t **got =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    expect("CreateTopics", rd_kafka_topic_result_error(got[0]), wanted);
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(new);
}

static void delete_topic(rd_kafka_t *rk, rd_kafka_queue_t *queue, const char *topic,
                         rd_kafka_resp_err_t wanted) {
    rd_kafka_DeleteTopic_t *old = rd_kafka_DeleteTopic_new(topic);
    rd_kafka_DeleteTopics(rk, &old, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue, "DeleteTopics");
    size_t n;
    const rd_kafka_topic_result_t **got =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &n);
    expect("DeleteTopics", rd_kafka_topic_result_error(got[0]), wanted);
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteTopic_destroy(old);
}

static void create_partitions(rd_kafka_t *rk, rd_kafka_queue_t *queue, const char *topic) {
    char err[256];
    rd_kafka_NewPartitions_t *new = rd_kafka_NewPartitions_new(topic, 4, err, sizeof err);
    rd_kafka_CreatePartitions(rk, &new, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue, "CreatePartitions");
    size_t n;
    const rd_kafka_topic_result_t **got =
        rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), &n);
    expect("CreatePartitions", rd_kafka_topic_result_error(got[0]), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
    rd_kafka_NewPartitions_destroy(new);
}

static void config_is(rd_kafka_t *rk, rd_kafka_queue_t *queue, const char *topic, const char *name,
                      const char *wanted) {
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_DescribeConfigs(rk, &resource, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue, "DescribeConfigs");
    size_t n, nentries;
    const rd_kafka_ConfigResource_t **got =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n);
    expect("DescribeConfigs", rd_kafka_ConfigResource_error(got[0]), RD_KAFKA_RESP_ERR_NO_ERROR);
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(got[0], &nentries);
    const char *value = NULL;
    for (size_t i = 0; i < nentries; i++)
        if (!strcmp(rd_kafka_ConfigEntry_name(entries[i]), name))
            value = rd_kafka_ConfigEntry_value(entries[i]);
    if (!value || strcmp(value, wanted)) die("%s is %s, wanted %s", name, value ? value : "absent", wanted);
    rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(resource);
}

static void commit_offset(const char *topic, const char *group, int64_t offset) {
    rd_kafka_t *rk = open_consumer(common(), group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = offset;
    expect("commit", rd_kafka_commit(rk, list, 0), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_del_by_idx(list, 0);
    rd_kafka_topic_partition_list_add(list, topic, 0);
    expect("committed", rd_kafka_committed(rk, list, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    if (list->elems[0].offset != offset)
        die("committed %lld, wanted %lld", (long long)list->elems[0].offset, (long long)offset);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

static void group_is_listed(rd_kafka_t *rk, const char *group, int wanted) {
    const struct rd_kafka_group_list *list;
    expect("list groups", rd_kafka_list_groups(rk, NULL, &list, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    int found = 0;
    for (int i = 0; i < list->group_cnt; i++) found |= !strcmp(list->groups[i].group, group);
    rd_kafka_group_list_destroy(list);
    if (found != wanted) die("the group %s is%s listed", group, found ? "" : " not");
}

static void delete_group(rd_kafka_t *rk, rd_kafka_queue_t *queue, const char *group) {
    rd_kafka_DeleteGroup_t *old = rd_kafka_DeleteGroup_new(group);
    rd_kafka_DeleteGroups(rk, &old, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue, "DeleteGroups");
    size_t n;
    const rd_kafka_group_result_t **got =
        rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event), &n);
    if (rd_kafka_group_result_error(got[0]))
        die("DeleteGroups: %s", rd_kafka_error_string(rd_kafka_group_result_error(got[0])));
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteGroup_destroy(old);
}

static void delete_records(rd_kafka_t *rk, rd_kafka_queue_t *queue, const char *topic) {
    rd_kafka_topic_partition_list_t *before = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(before, topic, 0)->offset = 0;
    rd_kafka_DeleteRecords_t *records = rd_kafka_DeleteRecords_new(before);
    rd_kafka_DeleteRecords(rk, &records, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue, "DeleteRecords");
    const rd_kafka_topic_partition_list_t *got =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
    expect("DeleteRecords", got->elems[0].err, RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteRecords_destroy(records);
    rd_kafka_topic_partition_list_destroy(before);
}

/* Waits until the topic has that many partitions; 0: until it is gone. */
static void wait_partitions(rd_kafka_t *rk, const char *topic, int wanted) {
    for (int tries = 0; tries < 300; tries++) {
        const struct rd_kafka_metadata *md;
        int found = 0;
        expect("metadata", rd_kafka_metadata(rk, 1, NULL, &md, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
        for (int i = 0; i < md->topic_cnt; i++)
            if (!strcmp(md->topics[i].topic, topic)) found = md->topics[i].partition_cnt;
        rd_kafka_metadata_destroy(md);
        if (found == wanted) return;
        usleep(50000);
    }
    die("%s does not come to %d partitions", topic, wanted);
}

static void admin(char **args) {
    rd_kafka_t *rk = open_client(RD_KAFKA_PRODUCER, common());
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    create_topic(rk, queue, args[0], RD_KAFKA_RESP_ERR_NO_ERROR);
    create_topic(rk, queue, args[0], RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS);
    wait_partitions(rk, args[0], 2);
    create_partitions(rk, queue, args[0]);
    wait_partitions(rk, args[0], 4);
    config_is(rk, queue, args[0], "retention.ms", "3600000");
    config_is(rk, queue, args[0], "cleanup.policy", "delete");
    commit_offset(args[0], args[1], 7);
    group_is_listed(rk, args[1], 1);
    delete_group(rk, queue, args[1]);
    group_is_listed(rk, args[1], 0);
    delete_records(rk, queue, args[0]);
    delete_topic(rk, queue, args[0], RD_KAFKA_RESP_ERR_NO_ERROR);
    wait_partitions(rk, args[0], 0);
    delete_topic(rk, queue, args[0], RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
}

/* ---- transactions ---- */

static void done(const char *what, rd_kafka_error_t *e) {
    if (e) die("%s: %s", what, rd_kafka_error_string(e));
}

static rd_kafka_t *open_producer(const char *id) {
    rd_kafka_conf_t *conf = common();
    set(conf, "transactional.id", id);
    rd_kafka_t *rk = open_client(RD_KAFKA_PRODUCER, conf);
    done("init", rd_kafka_init_transactions(rk, WAIT_MS));
    return rk;
}

static void write_some(rd_kafka_t *rk, const char *topic, const char *value, int n) {
    for (int i = 0; i < n; i++) {
        rd_kafka_resp_err_t e =
            rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_VALUE((void *)value, strlen(value)),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (e) die("produce: %s", rd_kafka_err2str(e));
    }
    if (rd_kafka_flush(rk, WAIT_MS)) die("records are not acknowledged");
}

static void send_offset(rd_kafka_t *rk, const char *topic, const char *group, int64_t offset) {
    rd_kafka_t *member = open_consumer(common(), group);
    rd_kafka_consumer_group_metadata_t *about = rd_kafka_consumer_group_metadata(member);
    rd_kafka_topic_partition_list_t *places = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(places, topic, 0)->offset = offset;
    done("offsets", rd_kafka_send_offsets_to_transaction(rk, places, about, WAIT_MS));
    rd_kafka_topic_partition_list_destroy(places);
    rd_kafka_consumer_group_metadata_destroy(about);
    rd_kafka_destroy(member);
}

static void offset_is(const char *topic, const char *group, int64_t wanted) {
    rd_kafka_t *member = open_consumer(common(), group);
    rd_kafka_topic_partition_list_t *places = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(places, topic, 0);
    rd_kafka_resp_err_t e = rd_kafka_committed(member, places, WAIT_MS);
    if (e) die("committed: %s", rd_kafka_err2str(e));
    if (places->elems[0].offset != wanted)
        die("the group is at %lld, wanted %lld", (long long)places->elems[0].offset, (long long)wanted);
    rd_kafka_topic_partition_list_destroy(places);
    rd_kafka_destroy(member);
}

/* Commits, aborts, offsets with both, and a second producer that fences the first one. */
static void transact(char **args) {
    const char *topic = args[0], *group = args[1];
    rd_kafka_t *first = open_producer(topic);
    for (int i = 0; i < 3; i++) {
        done("begin", rd_kafka_begin_transaction(first));
        write_some(first, topic, i == 1 ? "aborted" : "committed", 10);
        send_offset(first, topic, group, 10 + i);
        done("end", i == 1 ? rd_kafka_abort_transaction(first, WAIT_MS)
                           : rd_kafka_commit_transaction(first, WAIT_MS));
        offset_is(topic, group, i == 1 ? 10 : 10 + i);
    }
    done("begin", rd_kafka_begin_transaction(first));
    write_some(first, topic, "fenced", 10);
    rd_kafka_t *second = open_producer(topic);
    rd_kafka_error_t *e = rd_kafka_commit_transaction(first, WAIT_MS);
    if (!e || !rd_kafka_error_is_fatal(e)) die("the first producer is not fenced");
    rd_kafka_error_destroy(e);
    done("begin", rd_kafka_begin_transaction(second));
    write_some(second, topic, "committed", 10);
    done("commit", rd_kafka_commit_transaction(second, WAIT_MS));
    rd_kafka_destroy(first);
    rd_kafka_destroy(second);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int nargs;
        void (*run)(char **args);
    } verbs[] = {{"produce", 3, produce},
                 {"consume", 4, consume},
                 {"member", 3, member},
                 {"admin", 2, admin},
                 {"transact", 2, transact}};
    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++)
        if (!strcmp(argv[1], verbs[i].name) && argc == 2 + verbs[i].nargs) {
            verbs[i].run(argv + 2);
            return 0;
        }
    die("%s",
        "usage: client produce|consume|member|admin ..., see tests/lib/suite.py; BOOTSTRAP names the broker");
}
