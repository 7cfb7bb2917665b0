/* The threads that clean compacted logs: log.cleaner.threads of them (LogCleaner). Each takes the dirtiest
 * log (storage/cleaner.h), cleans it, and looks again; when nothing is dirty it sleeps for
 * log.cleaner.backoff.ms. All log.cleaner.* keys hold from the next log on when they are changed at run time.
 */
#ifndef OTTLA_SERVER_CLEANERS_H
#define OTTLA_SERVER_CLEANERS_H

#include <stdint.h>

struct node;
struct cleaners;

/* NULL with log.cleaner.enable=false. */
struct cleaners *cleaners_start(struct node *n);
/* Ends the threads; a cleaning that runs is left off. c may be NULL. */
void cleaners_stop(struct cleaners *c);

/* For metrics, with the reference's names in kafka.log. Any thread. */
struct cleaners_state {
    int max_dirty_percent;       /* max-dirty-percent */
    int64_t since_last_run_ms;   /* time-since-last-run-ms */
    int max_buffer_utilization;  /* max-buffer-utilization-percent */
    int recopy_percent;          /* cleaner-recopy-percent */
    int max_clean_seconds;       /* max-clean-time-secs */
    int max_compaction_delay_s;  /* max-compaction-delay-secs */
    int uncleanable_partitions;  /* uncleanable-partitions-count, of all directories */
    int64_t cleanings, failures; /* since the start */
};
struct cleaners_state cleaners_state(struct cleaners *c);

#endif
