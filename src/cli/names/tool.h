/* What Kafka's tools have in common: options as jopt-simple reads them, the client of an Admin with
 * --command-config, errors in the words of the Java client.
 *
 * An option is written --name value, --name=value or -name value; names are not abbreviated. A wrong command
 * line is one sentence and the options on stderr, exit status 1, as is --help. */
#ifndef OTTLA_CLI_NAMES_TOOL_H
#define OTTLA_CLI_NAMES_TOOL_H

#include "base/strbuf.h"
#include "cli/admin.h"

enum tool_value {
    TOOL_FLAG,     /* no value */
    TOOL_TEXT,     /* a value */
    TOOL_INT,      /* a value, a Java int */
    TOOL_LONG,     /* a value, a Java long */
    TOOL_OPTIONAL, /* a value unless an option follows */
};

struct tool_option {
    const char *name;
    enum tool_value value;
    const char *is; /* what --help calls the value */
    const char *help;
};

struct tool {
    const char *name;                  /* "kafka-topics" */
    const char *about;                 /* the first line of --help */
    const struct tool_option *options; /* ends with a {0} */
    bool late;                         /* wrong numbers are found by tool_numbers, not by tool_begin */
};

#define TOOL_CONNECTION                                                                                      \
    {"bootstrap-server", TOOL_TEXT, "host:port,...", "where the cluster is"}, {                              \
        "command-config", TOOL_TEXT, "file", "properties of the client"                                      \
    }

/* A parsed command line, and what came of it. */
struct tool_run {
    const struct tool *tool;
    struct tool_setting {
        const struct tool_option *option;
        const char *value; /* of argv; NULL: none */
    } * settings;
    int settings_n;
    char **args; /* what is no option, of argv */
    int args_n;
    struct admin admin; /* after tool_connect */
    int status;         /* exit status of a wrong command line */
    int16_t code;       /* Kafka's error of the last failure, or 0 */
    char why[1000];     /* its text */
};

/* Parses. false: it was wrong, or --help or --version; r->status is the exit status. tool_end in any case. */
bool tool_begin(struct tool_run *r, const struct tool *t, int argc, char **argv);
void tool_end(struct tool_run *r);

bool tool_has(const struct tool_run *r, const char *option);
/* The first value, or NULL. */
const char *tool_get(const struct tool_run *r, const char *option);
/* One value after the other: at starts with 0; NULL at the end. */
const char *tool_next(const struct tool_run *r, const char *option, int *at);
/* Are all numbers numbers? false: r->why. */
bool tool_numbers(struct tool_run *r);
int64_t tool_number(const struct tool_run *r, const char *option, int64_t standard);

/* One sentence and the options on stderr; sets r->status to 1 and returns false. */
bool tool_usage(struct tool_run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Are all of the space-separated options there? If not, tool_usage. */
bool tool_required(struct tool_run *r, const char *options);
/* With `used`, none of the space-separated options may be there. If one is, tool_usage. */
bool tool_excludes(struct tool_run *r, const char *used, const char *options);

/* The client of r->admin: --bootstrap-server (or given), --command-config. timeout_ms: of a call. false:
 * r->why. */
bool tool_connect(struct tool_run *r, const char *bootstrap, int timeout_ms);
/* The same, with the properties of that file (NULL: none). */
bool tool_connect_with(struct tool_run *r, const char *bootstrap, const char *path, int timeout_ms);
struct properties;
/* Reads a file of properties; properties_free in any case. false: r->why. */
bool tool_properties(struct tool_run *r, const char *path, struct properties *p);
/* client_do. false: r->why and r->code 0. A response with an error of Kafka's is true. */
bool tool_call(struct tool_run *r, const struct client_call *call);
/* To any node, without a common error code. */
bool tool_ask(struct tool_run *r, int16_t key, const void *request, void *response);
/* To one node. */
bool tool_ask_node(struct tool_run *r, int32_t node, int16_t key, const void *request, void *response);
/* Keeps an error of Kafka's in r->code and r->why; true for code 0. message: the broker's, may be null. */
bool tool_check(struct tool_run *r, int16_t code, struct kstr message);
/* Keeps a text in r->why; returns false. */
bool tool_fail(struct tool_run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The name of the Java client's exception for a code, "UnknownTopicOrPartitionException"; text: of the
 * caller. */
const char *tool_exception(int16_t code, char text[100]);
/* r->why as an ExecutionException says it: the exception's full name in front. Of the arena. */
const char *tool_execution_text(struct tool_run *r);

/* Topics by a pattern, as org.apache.kafka.server.util.TopicFilter.IncludeList: a list of regular
 * expressions. NULL: r->why. */
struct re2_pattern *tool_topic_pattern(struct tool_run *r, const char *text);
/* __consumer_offsets and its like. */
bool tool_is_internal(struct kstr topic);

/* The order in which a java.util.HashMap of n entries gives them, as indexes into hashes; the arena's, NULL
 * without memory. room: the capacity it was made with; 0: none. The tools print in this order. */
const int32_t *tool_hash_order(struct tool_run *r, const uint32_t *hashes, int32_t n, int32_t room);
/* String.hashCode() of ASCII, and of a TopicPartition. */
uint32_t tool_hash(struct kstr s);
uint32_t tool_hash_partition(struct kstr topic, int32_t partition);

#endif
