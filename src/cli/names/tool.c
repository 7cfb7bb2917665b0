#include "cli/names/tool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/kerr.h"
#include "base/mem.h"
#include "base/re2.h"
#include "config/properties.h"
#include "io/file.h"

enum { RESPONSE_MAX = 256 << 20 };

static const struct tool_option common[] = {
    {"help", TOOL_FLAG, NULL, "show this"}, {"version", TOOL_FLAG, NULL, "show the version"}, {0}};

/* ---- errors ---- */

bool tool_fail(struct tool_run *r, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(r->why, sizeof r->why, format, args);
    va_end(args);
    r->code = 0;
    return false;
}

bool tool_check(struct tool_run *r, int16_t code, struct kstr message) {
    if (!code) return true;
    tool_fail(r, "%s", admin_error_text(&r->admin, code, message));
    r->code = code;
    return false;
}

const char *tool_exception(int16_t code, char text[100]) {
    static const struct {
        int16_t code;
        const char *name;
    } odd[] = {
        {KERR_UNKNOWN_SERVER_ERROR, "UnknownServer"},
        {KERR_CORRUPT_MESSAGE, "CorruptRecord"},
        {KERR_REQUEST_TIMED_OUT, "Timeout"},
        {KERR_MESSAGE_TOO_LARGE, "RecordTooLarge"},
        {KERR_RECORD_LIST_TOO_LARGE, "RecordBatchTooLarge"},
        {KERR_INVALID_TOPIC_EXCEPTION, "InvalidTopic"},
        {KERR_STALE_CONTROLLER_EPOCH, "ControllerMoved"},
        {KERR_NETWORK_EXCEPTION, "Network"},
        {KERR_TOPIC_ALREADY_EXISTS, "TopicExists"},
        {KERR_INVALID_CONFIG, "InvalidConfiguration"},
        {KERR_NON_EMPTY_GROUP, "GroupNotEmpty"},
        {KERR_GROUP_SUBSCRIBED_TO_TOPIC, "GroupSubscribedToTopic"},
        {KERR_KAFKA_STORAGE_ERROR, "KafkaStorage"},
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        if (odd[i].code == code) {
            snprintf(text, 100, "%sException", odd[i].name);
            return text;
        }
    size_t n = 0;
    bool start = true;
    for (const char *p = kerr_name(code); *p && n < 80; p++) {
        if (*p != '_') text[n++] = (char)(start || *p < 'A' || *p > 'Z' ? *p : *p | 0x20);
        start = *p == '_';
    }
    snprintf(text + n, 100 - n, "Exception");
    return text;
}

const char *tool_execution_text(struct tool_run *r) {
    char name[100];
    if (!r->code) return r->why;
    const char *text = arena_printf(&r->admin.arena, "org.apache.kafka.common.errors.%s: %s",
                                    tool_exception(r->code, name), r->why);
    return text ? text : r->why;
}

/* ---- help ---- */

static void help_table(const struct tool_option *o) {
    for (; o->name; o++) {
        char left[100];
        snprintf(left, sizeof left, "--%s%s%s%s", o->name, o->is ? " <" : "", o->is ? o->is : "",
                 o->is ? ">" : "");
        fprintf(stderr, "%-40s %s\n", left, o->help);
    }
}

bool tool_usage(struct tool_run *r, const char *format, ...) {
    va_list args;
    fflush(stdout);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n%-40s %s\n%-40s %s\n", "Option", "Description", "------", "-----------");
    help_table(r->tool->options);
    help_table(common);
    r->status = 1;
    return false;
}

/* ---- parsing ---- */

static const struct tool_option *find(const struct tool_run *r, const char *name, size_t n) {
    const struct tool_option *tables[] = {r->tool->options, common};
    for (int i = 0; i < 2; i++)
        for (const struct tool_option *o = tables[i]; o->name; o++)
            if (strlen(o->name) == n && !memcmp(o->name, name, n)) return o;
    return NULL;
}

/* A Java number: a sign and digits. */
static bool is_number(const char *text, enum tool_value value) {
    int64_t v;
    const char *digits = *text == '+' ? text + 1 : text;
    if (value == TOOL_INT) return !cli_parse_number(digits, INT32_MIN, INT32_MAX, &v);
    return !cli_parse_number(digits, INT64_MIN, INT64_MAX, &v);
}

bool tool_numbers(struct tool_run *r) {
    for (int i = 0; i < r->settings_n; i++) {
        const struct tool_setting *s = &r->settings[i];
        if ((s->option->value == TOOL_INT || s->option->value == TOOL_LONG) &&
            !is_number(s->value, s->option->value))
            return tool_fail(r, "Cannot parse argument '%s' of option %s", s->value, s->option->name);
    }
    return true;
}

static bool set(struct tool_run *r, const struct tool_option *o, const char *value) {
    r->settings[r->settings_n++] = (struct tool_setting){o, value};
    return true;
}

static bool parse_option(struct tool_run *r, int argc, char **argv, int *at) {
    const char *name = argv[*at] + (argv[*at][1] == '-' ? 2 : 1);
    size_t n = strcspn(name, "=");
    const char *value = name[n] && name[n + 1] ? name + n + 1 : NULL;
    const struct tool_option *o = find(r, name, n);
    if (!o) return tool_usage(r, "%.*s is not a recognized option", (int)n, name);
    if (o->value == TOOL_FLAG) {
        if (value) return tool_usage(r, "%s is not a recognized option", name);
        return set(r, o, NULL);
    }
    if (o->value == TOOL_OPTIONAL) {
        if (!value && *at + 1 < argc && argv[*at + 1][0] != '-') value = argv[++*at];
        return set(r, o, value);
    }
    if (!value) {
        if (*at + 1 >= argc) return tool_usage(r, "Option %s requires an argument", o->name);
        value = argv[++*at];
    }
    return set(r, o, value);
}

bool tool_begin(struct tool_run *r, const struct tool *t, int argc, char **argv) {
    memset(r, 0, sizeof *r);
    r->tool = t;
    arena_init(&r->admin.arena, (size_t)RESPONSE_MAX * 8);
    r->settings = xcalloc((size_t)argc, sizeof *r->settings);
    r->args = xcalloc((size_t)argc + 1, sizeof *r->args);
    bool options = true;
    for (int at = 1; at < argc; at++) {
        if (options && !strcmp(argv[at], "--"))
            options = false;
        else if (options && argv[at][0] == '-' && argv[at][1]) {
            if (!parse_option(r, argc, argv, &at)) return false;
        } else
            r->args[r->args_n++] = argv[at];
    }
    if (!t->late && !tool_numbers(r)) return tool_usage(r, "%s", r->why);
    if (argc == 1 || tool_has(r, "help")) return tool_usage(r, "%s", t->about);
    if (tool_has(r, "version")) {
        puts("4.3.1");
        return false;
    }
    return true;
}

void tool_end(struct tool_run *r) {
    free(r->settings);
    free(r->args);
    admin_end(&r->admin);
}

bool tool_has(const struct tool_run *r, const char *option) {
    for (int i = 0; i < r->settings_n; i++)
        if (!strcmp(r->settings[i].option->name, option)) return true;
    return false;
}

const char *tool_next(const struct tool_run *r, const char *option, int *at) {
    while (*at < r->settings_n) {
        const struct tool_setting *s = &r->settings[(*at)++];
        if (!strcmp(s->option->name, option)) return s->value;
    }
    return NULL;
}

const char *tool_get(const struct tool_run *r, const char *option) {
    int at = 0;
    return tool_next(r, option, &at);
}

int64_t tool_number(const struct tool_run *r, const char *option, int64_t standard) {
    const char *text = tool_get(r, option);
    return text ? strtoll(text, NULL, 10) : standard;
}

/* The next of space-separated words into text; false at the end. */
static bool next_word(const char **words, char text[64]) {
    *words += strspn(*words, " ");
    size_t n = strcspn(*words, " ");
    if (!n) return false;
    ASSERT(n < 64);
    memcpy(text, *words, n);
    text[n] = 0;
    *words += n;
    return true;
}

bool tool_required(struct tool_run *r, const char *options) {
    char name[64];
    while (next_word(&options, name))
        if (!tool_has(r, name)) return tool_usage(r, "Missing required argument \"[%s]\"", name);
    return true;
}

bool tool_excludes(struct tool_run *r, const char *used, const char *options) {
    char name[64];
    if (!tool_has(r, used)) return true;
    while (next_word(&options, name))
        if (tool_has(r, name))
            return tool_usage(r, "Option \"[%s]\" can't be used with option \"[%s]\"", used, name);
    return true;
}

/* ---- the client ---- */

/* What the file of --command-config asks for and ottla's client cannot do. */
static bool check_properties(struct tool_run *r, const struct properties *p) {
    const char *protocol = properties_get(p, "security.protocol");
    if (protocol && strcasecmp(protocol, "PLAINTEXT") != 0)
        return tool_fail(r, "security.protocol=%s: only PLAINTEXT is supported", protocol);
    return true;
}

bool tool_properties(struct tool_run *r, const char *path, struct properties *p) {
    struct strbuf error;
    uint8_t *text = NULL;
    size_t len = 0;
    bool ok = true;
    strbuf_init(&error, 64 << 10);
    int err = fs_read_all(fs_real(), path, PROPERTIES_MAX_BYTES, &text, &len);
    if (properties_parse(p, err ? "" : (char *)text, err ? 0 : len, path, &error))
        ok = tool_fail(r, "%s", strbuf_str(&error));
    if (err)
        ok = tool_fail(r, "%s (%s)", path, err == OE_NOTFOUND ? "No such file or directory" : oerr_text(err));
    strbuf_free(&error);
    free(text);
    return ok;
}

bool tool_connect_with(struct tool_run *r, const char *bootstrap, const char *path, int timeout_ms) {
    const char *given;
    struct properties p;
    bool ok = true;
    if (path) {
        ok = tool_properties(r, path, &p) && check_properties(r, &p);
        if (ok && !bootstrap && (given = properties_get(&p, "bootstrap.servers")))
            bootstrap = arena_strndup(&r->admin.arena, given, strlen(given));
        properties_free(&p);
    }
    if (!ok) return false;
    r->admin.timeout_ms = timeout_ms;
    struct client_options o = {.bootstrap = bootstrap ? bootstrap : "",
                               .client_id = "adminclient-1",
                               .timeout_ms = timeout_ms,
                               .max_response = RESPONSE_MAX};
    if (client_create(&o, &r->admin.client))
        return tool_fail(r, "Invalid url in bootstrap.servers: %s", o.bootstrap);
    return true;
}

bool tool_connect(struct tool_run *r, const char *bootstrap, int timeout_ms) {
    return tool_connect_with(r, bootstrap, tool_get(r, "command-config"), timeout_ms);
}

bool tool_call(struct tool_run *r, const struct client_call *call) {
    if (!client_do(r->admin.client, call)) return true;
    return tool_fail(r, "%s", client_why(r->admin.client));
}

bool tool_ask(struct tool_run *r, int16_t key, const void *request, void *response) {
    return tool_call(r, &(struct client_call){
                            .key = key, .request = request, .response = response, .arena = &r->admin.arena});
}

bool tool_ask_node(struct tool_run *r, int32_t node, int16_t key, const void *request, void *response) {
    return tool_call(r, &(struct client_call){.key = key,
                                              .target = CLIENT_NODE,
                                              .node = node,
                                              .request = request,
                                              .response = response,
                                              .arena = &r->admin.arena});
}

/* ---- topics ---- */

struct re2_pattern *tool_topic_pattern(struct tool_run *r, const char *text) {
    char *regex = xstrdup(text), *to = regex, *from = regex;
    const char *why;
    for (char *p = regex; *p; p++)
        if (*p != ' ') *to++ = (char)(*p == ',' ? '|' : *p);
    *to = 0;
    while (*from == '"' || *from == '\'') from++;
    while (to > from && (to[-1] == '"' || to[-1] == '\'')) *--to = 0;
    struct re2_pattern *p = re2_compile(from, strlen(from), &why);
    if (!p) tool_fail(r, "%s is an invalid regex.", from);
    free(regex);
    return p;
}

bool tool_is_internal(struct kstr topic) {
    return kstr_is(topic, "__consumer_offsets") || kstr_is(topic, "__transaction_state") ||
           kstr_is(topic, "__share_group_state");
}

/* ---- the order of hash maps ---- */

uint32_t tool_hash(struct kstr s) {
    uint32_t h = 0;
    for (int32_t i = 0; i < s.len; i++) h = h * 31 + (unsigned char)s.s[i];
    return h;
}

uint32_t tool_hash_partition(struct kstr topic, int32_t partition) {
    return (31 + (uint32_t)partition) * 31 + tool_hash(topic);
}

struct bucket {
    uint32_t number;
    int32_t index;
};

static int by_bucket(const void *x, const void *y) {
    const struct bucket *a = x, *b = y;
    if (a->number != b->number) return a->number < b->number ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

const int32_t *tool_hash_order(struct tool_run *r, const uint32_t *hashes, int32_t n, int32_t room) {
    uint32_t buckets = room ? 1 : 16;
    struct bucket *v = arena_calloc(&r->admin.arena, (size_t)n + 1, sizeof *v);
    int32_t *order = arena_calloc(&r->admin.arena, (size_t)n + 1, sizeof *order);
    if (!v || !order) return NULL;
    while (buckets < (uint32_t)room) buckets *= 2;
    while ((uint32_t)n > buckets * 3 / 4) buckets *= 2;
    for (int32_t i = 0; i < n; i++) v[i] = (struct bucket){(hashes[i] ^ hashes[i] >> 16) & (buckets - 1), i};
    if (n) qsort(v, (size_t)n, sizeof *v, by_bucket);
    for (int32_t i = 0; i < n; i++) order[i] = v[i].index;
    return order;
}
