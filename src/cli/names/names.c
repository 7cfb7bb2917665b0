/* Which of Kafka's names ottla was called by; and `ottla install-kafka-names`, which makes the links. */
#include "cli/names/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"

enum { PATH_MAX_BYTES = 4096 };

static const struct name {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} names[] = {
#define NAME(name, function, summary) {name, summary, function},
#include "cli/names/list.h"
#undef NAME
    {NULL, NULL, NULL},
};

bool names_run(int argc, char **argv, int *status) {
    const char *slash = strrchr(argv[0], '/'), *base = slash ? slash + 1 : argv[0];
    if (strncmp(base, "kafka-", 6) != 0) return false;
    base += 6;
    size_t n = strlen(base);
    if (n > 3 && !strcmp(base + n - 3, ".sh")) n -= 3;
    for (const struct name *t = names; t->name; t++)
        if (strlen(t->name) == n && !memcmp(t->name, base, n)) {
            *status = t->run(argc, argv);
            if (fflush(stdout) && errno != EPIPE && !*status)
                *status = cli_fail("the output cannot be written: %s", strerror(errno));
            return true;
        }
    return false;
}

/* ---- install-kafka-names ---- */

/* One link to this binary; one that is there is replaced when it is a link. */
static int install(const char *binary, const char *folder, const char *name, const char *suffix) {
    char path[PATH_MAX_BYTES], target[PATH_MAX_BYTES];
    snprintf(path, sizeof path, "%s/kafka-%s%s", folder, name, suffix);
    if (readlink(path, target, sizeof target) >= 0 && unlink(path))
        return cli_fail("%s: cannot be replaced: %s", path, strerror(errno));
    if (!symlink(binary, path)) return 0;
    if (errno == EEXIST) return cli_fail("%s is there and not a link; it stays", path);
    return cli_fail("%s: %s", path, strerror(errno));
}

static int run_install(struct cli *c) {
    char binary[PATH_MAX_BYTES];
    int made = 0, status = 0;
    ssize_t n = readlink("/proc/self/exe", binary, sizeof binary - 1);
    if (n < 0) return cli_fail("/proc/self/exe: %s", strerror(errno));
    binary[n] = 0;
    for (const struct name *t = names; t->name && !status; t++) {
        status = install(binary, c->args[0], t->name, ".sh");
        if (!status) status = install(binary, c->args[0], t->name, "");
        made += !status;
    }
    if (status) return status;
    printf("%s: %d of Kafka's tools, each with and without .sh\n", c->args[0], made);
    return CLI_DONE;
}

static const struct cli_example examples[] = {
    {"ottla install-kafka-names ~/bin", "from now on kafka-topics.sh is ottla"},
    {0},
};
static const struct cli_command command = {
    .name = "install-kafka-names",
    .arguments = "DIR",
    .summary = "links with the names of Kafka's tools, so that scripts find them",
    .run = run_install,
    .examples = examples,
    .hint = HINT_DIR,
    .least = 1,
    .most = 1};

int names_install(int argc, char **argv) { return cli_run(&command, argc, argv); }
