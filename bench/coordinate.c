/* coordinate: makes a broker coordinate, and measures how long it takes and what it costs.
 *
 *   coordinate transactions -p PORT [-c producers] [-s records] [-V 1|2] [-d seconds]
 *   coordinate classic      -p PORT [-c members] [-r rounds]
 *   coordinate consumer     -p PORT [-c members] [-n partitions] [-r rounds]
 *   coordinate commits      -p PORT [-c groups] [-n partitions] [-d seconds]
 *   each: [-t TOPIC] [-P pid] [-w seconds or rounds that come first and are not counted]
 *
 * transactions: each producer has a partition and a consumer with read_committed, and begins the next
 * transaction when the last is there (closed loop). Every record is a Produce request of its own; the first
 * is waited for, the others are sent together. -V 2: Produce 12 and EndTxn 5, partitions are added by the
 * first batch (KIP-890); -V 1: AddPartitionsToTxn 3, Produce 11, EndTxn 4. A transaction that comes too early
 * behind the last one (CONCURRENT_TRANSACTIONS) is tried again 20 ms later as the Java client does, and
 * counted. txn_*: from the first request until the consumer has all records; end_*: EndTxn alone.
 *
 * classic, consumer: all but one member form a group; then the last one comes and goes, -r times. come_*,
 * go_*: from its first request until all members hold their assignment of the newest generation or epoch,
 * with every partition owned. Members do not wait for their heartbeat interval: while a rebalance goes on
 * they ask again as soon as they are answered, so that the time is the broker's. storm_ms: at the end all
 * leave, and all come again at once.
 *
 * commits: each group has one classic member, which commits an offset for every partition once a second
 * and sends a heartbeat every three; commits are due evenly over the second, and latency counts from then
 * (open loop).
 *
 * What is printed is KEY=VALUE figures. cpu_us_*: CPU time of the process -P; load_cpu_s: our own, which must
 * be small beside elapsed_s. Exit status 0, or 1 when an answer was wrong. */
#include "bench/coordinate.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/figures.h"
#include "io/clock.h"

struct cost cost_begin(int pid) {
    return (struct cost){clock_mono_ns(), process_cpu_s(pid), own_cpu_s()};
}

void cost_print(const struct cost *from, int pid, int64_t n, const char *thing) {
    double elapsed = (double)(clock_mono_ns() - from->start) / 1e9,
           cpu = process_cpu_s(pid) - from->broker_cpu;
    printf("%ss=%lld %ss_s=%.1f cpu_us_per_%s=%.1f ", thing, (long long)n, thing, (double)n / elapsed, thing,
           n ? cpu * 1e6 / (double)n : 0);
    printf("elapsed_s=%.3f cpu_s=%.3f load_cpu_s=%.3f rss_mib=%.1f peak_rss_mib=%.1f\n", elapsed, cpu,
           own_cpu_s() - from->own_cpu, process_memory_mib(pid, "VmRSS"), process_memory_mib(pid, "VmHWM"));
}

static int number(const char *text, int low, int high) {
    char *end;
    long n = strtol(text, &end, 10);
    if (end == text || *end || n < low || n > high)
        fail("'%s' is not a number from %d to %d", text, low, high);
    return (int)n;
}

static void read_options(struct coordinate_options *o, int argc, char **argv) {
    *o = (struct coordinate_options){.topic = "coordinate",
                                     .port = 9092,
                                     .partitions = 1,
                                     .clients = 1,
                                     .records = 10,
                                     .version = 2,
                                     .rounds = 10,
                                     .seconds = 10};
    optind = 2;
    for (int c; (c = getopt(argc, argv, "p:P:t:n:c:s:V:r:d:w:")) != -1;) switch (c) {
        case 'p': o->port = number(optarg, 1, 65535); break;
        case 'P': o->pid = number(optarg, 0, INT32_MAX); break;
        case 't': o->topic = optarg; break;
        case 'n': o->partitions = number(optarg, 1, 10000); break;
        case 'c': o->clients = number(optarg, 1, 20000); break;
        case 's': o->records = number(optarg, 1, 50); break;
        case 'V': o->version = number(optarg, 1, 2); break;
        case 'r': o->rounds = number(optarg, 1, 100000); break;
        case 'd': o->seconds = number(optarg, 1, 100000); break;
        case 'w': o->warm_up = number(optarg, 0, 100000); break;
        default: exit(2);
        }
}

static const struct {
    const char *name;
    int (*run)(const struct coordinate_options *o);
} modes[] = {{"transactions", coordinate_transactions},
             {"classic", coordinate_classic},
             {"consumer", coordinate_consumer},
             {"commits", coordinate_commits}};

int main(int argc, char **argv) {
    struct coordinate_options o;
    struct rlimit files;
    if (argc < 2) fail("usage: coordinate transactions|classic|consumer|commits [options]");
    read_options(&o, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1); /* wake when a request is due, not 50 µs later */
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(argv[1], modes[i].name)) return modes[i].run(&o);
    fail("there is no mode %s", argv[1]);
}
