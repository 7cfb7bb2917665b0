#include "io/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* The text of a small file of /proc, "" when there is none. */
static void read_text(const char *path, char *text, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);
    text[n > 0 ? n : 0] = 0;
    if (fd >= 0) close(fd);
}

static int64_t count_descriptors(void) {
    DIR *d = opendir("/proc/self/fd");
    if (!d) return 0;
    int64_t n = -1; /* its own */
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* Field 22 of /proc/self/stat: clock ticks after the boot. The name in field 2 may hold anything. */
static double started_at(void) {
    char text[1024];
    struct timespec wall, boot;
    read_text("/proc/self/stat", text, sizeof text);
    const char *p = strrchr(text, ')');
    for (int field = 2; p && field < 22; field++) p = strchr(p + 1, ' ');
    if (!p) return 0;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    double booted =
        (double)wall.tv_sec + (double)wall.tv_nsec / 1e9 - (double)boot.tv_sec - (double)boot.tv_nsec / 1e9;
    return booted + strtod(p + 1, NULL) / (double)sysconf(_SC_CLK_TCK);
}

static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

void process_usage(struct process_usage *u) {
    char text[256];
    struct rusage used = {0};
    struct rlimit most = {0};
    read_text("/proc/self/statm", text, sizeof text);
    const char *second = strchr(text, ' ');
    getrusage(RUSAGE_SELF, &used);
    getrlimit(RLIMIT_NOFILE, &most);
    *u = (struct process_usage){.resident_bytes =
                                    second ? strtoll(second, NULL, 10) * sysconf(_SC_PAGESIZE) : 0,
                                .descriptors = count_descriptors(),
                                .descriptors_max = (int64_t)most.rlim_cur,
                                .cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime),
                                .started = started_at()};
}
