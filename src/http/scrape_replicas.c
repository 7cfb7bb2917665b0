/* Replicas of this node: their number, their state in the metadata, their logs; log directories and the
 * cleaner. */
#include "http/scrape.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "io/space.h"
#include "metadata/image.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/cleaners.h"
#include "server/node.h"
#include "storage/log.h"
#include "storage/logdir.h"

enum { REPLICAS_A_PIECE = 64 };

static const struct partition *in_metadata(const struct scrape *s, const struct replica *p) {
    return image_partition(s->image, p->topic->name, (size_t)p->topic->name_len, p->index);
}

static void label(struct metric_label labels[3], char number[16], const struct replica *p) {
    snprintf(number, 16, "%d", p->index);
    labels[0] = (struct metric_label){"topic", {p->topic->name, p->topic->name_len}};
    labels[1] = (struct metric_label){"partition", kstr_of(number)};
    labels[2] = (struct metric_label){0};
}

/* ---- numbers ---- */

struct numbers {
    int64_t led, offline, under_replicated, under_min, at_min, reassigning;
};

static int32_t min_isr(const struct scrape *s, const struct config *config, const struct replica *p) {
    const char *own = image_config(s->image, CONFIG_TOPIC, p->topic->name, "min.insync.replicas");
    return own ? (int32_t)strtol(own, NULL, 10) : (int32_t)config_int(config, CFG_MIN_INSYNC_REPLICAS);
}

static void count(const struct scrape *s, const struct config *config, const struct replica *p,
                  struct numbers *n) {
    const struct partition *known = in_metadata(s, p);
    if (!p->log || log_is_offline(p->log)) n->offline++;
    if (!known || known->leader != s->node->id) return;
    int32_t least = min_isr(s, config, p);
    n->led++;
    n->under_replicated += known->isr_n < known->replicas_n - known->adding_n;
    n->under_min += known->isr_n < least;
    n->at_min += known->isr_n == least;
    n->reassigning += known->adding_n > 0 || known->removing_n > 0;
}

static void add_numbers(struct scrape *s) {
    struct numbers n = {0};
    struct config *config = node_config(s->node);
    for (size_t i = 0; i < s->replicas_n; i++) count(s, config, s->replicas[i], &n);
    config_unref(config);
    metric_one(&s->out, METRIC_PARTITION_COUNT, (double)s->replicas_n);
    metric_one(&s->out, METRIC_LEADER_COUNT, (double)n.led);
    metric_one(&s->out, METRIC_OFFLINE_REPLICAS, (double)n.offline);
    metric_one(&s->out, METRIC_UNDER_REPLICATED, (double)n.under_replicated);
    metric_one(&s->out, METRIC_UNDER_MIN_ISR, (double)n.under_min);
    metric_one(&s->out, METRIC_AT_MIN_ISR, (double)n.at_min);
    metric_one(&s->out, METRIC_REASSIGNING, (double)n.reassigning);
}

bool scrape_replicas(struct scrape *s) {
    if (s->at == 0) {
        add_numbers(s);
        metric_head(&s->out, METRIC_ISR);
    }
    for (int n = 0; n < REPLICAS_A_PIECE && s->at < s->replicas_n; n++, s->at++) {
        struct metric_label labels[3];
        char number[16];
        const struct partition *known = in_metadata(s, s->replicas[s->at]);
        label(labels, number, s->replicas[s->at]);
        if (known) metric_int(&s->out, METRIC_ISR, labels, known->isr_n);
    }
    return s->at < s->replicas_n;
}

/* ---- logs ---- */

static const enum metric_id of_logs[] = {METRIC_LOG_SIZE, METRIC_LOG_START, METRIC_LOG_END,
                                         METRIC_LOG_SEGMENTS};
enum { OF_LOGS = sizeof of_logs / sizeof *of_logs };

/* −1: the log is not open, and looking does not open it. */
static int64_t of_log(struct replica *p, enum metric_id id) {
    int64_t v = -1;
    if (!p->log || log_must_be_read(p->log)) return v;
    log_lock(p->log);
    if (!p->deleted && log_is_open(p->log))
        v = id == METRIC_LOG_SIZE    ? log_size(p->log)
            : id == METRIC_LOG_START ? log_start_offset(p->log)
            : id == METRIC_LOG_END   ? log_end_offset(p->log)
                                     : log_segment_count(p->log);
    log_unlock(p->log);
    return v;
}

bool scrape_logs(struct scrape *s) {
    enum metric_id id = of_logs[s->family];
    if (s->at == 0) metric_head(&s->out, id);
    for (int n = 0; n < REPLICAS_A_PIECE && s->at < s->replicas_n; n++, s->at++) {
        struct metric_label labels[3];
        char number[16];
        int64_t v = of_log(s->replicas[s->at], id);
        label(labels, number, s->replicas[s->at]);
        if (v >= 0) metric_int(&s->out, id, labels, v);
    }
    if (s->at < s->replicas_n) return true;
    s->at = 0;
    return ++s->family < OF_LOGS;
}

/* ---- directories, cleaner ---- */

static void add_cleaner(struct scrape *s) {
    if (!s->node->cleaners) return;
    struct cleaners_state c = cleaners_state(s->node->cleaners);
    metric_one(&s->out, METRIC_CLEANER_DIRTY, c.max_dirty_percent);
    metric_one(&s->out, METRIC_CLEANER_SINCE, (double)c.since_last_run_ms);
    metric_one(&s->out, METRIC_CLEANER_UNCLEANABLE, c.uncleanable_partitions);
    metric_one(&s->out, METRIC_CLEANER_BUFFER, c.max_buffer_utilization);
    metric_one(&s->out, METRIC_CLEANER_RECOPY, c.recopy_percent);
    metric_one(&s->out, METRIC_CLEANER_LONGEST, c.max_clean_seconds);
    metric_one(&s->out, METRIC_CLEANER_RUNS, (double)c.cleanings);
    metric_one(&s->out, METRIC_CLEANER_FAILURES, (double)c.failures);
}

static void add_space(struct scrape *s, enum metric_id id) {
    metric_head(&s->out, id);
    for (int i = 0; i < s->node->logdirs_n; i++) {
        const struct metric_label labels[] = {{"logDirectory", kstr_of(logdir_path(s->node->logdirs[i]))},
                                              {0}};
        int64_t total = 0, usable = 0;
        if (id == METRIC_DIRECTORY_OFFLINE)
            metric_int(&s->out, id, labels, logdir_is_offline(s->node->logdirs[i]));
        else if (!disk_space(logdir_path(s->node->logdirs[i]), &total, &usable))
            metric_int(&s->out, id, labels, id == METRIC_DIRECTORY_TOTAL ? total : usable);
    }
}

bool scrape_directories(struct scrape *s) {
    int offline = 0;
    for (int i = 0; i < s->node->logdirs_n; i++) offline += logdir_is_offline(s->node->logdirs[i]);
    metric_one(&s->out, METRIC_DIRECTORIES_OFFLINE, offline);
    add_space(s, METRIC_DIRECTORY_OFFLINE);
    add_space(s, METRIC_DIRECTORY_TOTAL);
    add_space(s, METRIC_DIRECTORY_USABLE);
    add_cleaner(s);
    return false;
}
