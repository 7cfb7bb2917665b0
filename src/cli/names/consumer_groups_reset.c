/* kafka-consumer-groups --reset-offsets: org.apache.kafka.tools.OffsetsUtils. A group that has members is not
 * reset; offsets outside of a partition's log become its first or last. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "api/describe_topic_partitions.h"
#include "base/kerr.h"
#include "cli/names/consumer_groups.h"
#include "cli/names/topics.h"
#include "io/clock.h"
#include "io/file.h"

enum { CSV_MAX_BYTES = 64 << 20, QUOTE_FROM = 25 };

/* What a group's offsets become: to[i] of group.partitions[i]. */
struct plan {
    struct group_view group;
    int64_t *to;
    const int32_t *order; /* of printing */
};

/* ---- times ---- */

/* "2026-01-31T12:00:00.000", UTC unless +hh:mm, -hh:mm or Z follows. */
static bool parse_datetime(struct tool_run *r, const char *text, int64_t *ms) {
    struct tm tm = {0};
    int milli, hours = 0, minutes = 0, n = 0;
    const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (p && *p == '.' && sscanf(p, ".%3d%n", &milli, &n) == 1 && n == 4) {
        p += n;
        char sign = *p;
        bool zone = (sign == '+' || sign == '-') && sscanf(p + 1, "%2d:%2d%n", &hours, &minutes, &n) == 2;
        p += zone ? n + 1 : sign == 'Z';
        if (!*p) {
            int64_t offset = (int64_t)(hours * 60 + minutes) * 60000;
            *ms = (int64_t)timegm(&tm) * 1000 + milli - (sign == '-' ? -offset : offset);
            return true;
        }
    }
    return tool_fail(r, "java.text.ParseException: Unparseable date: \"%s\"", text);
}

/* A java.time.Duration: PnDTnHnMn.nS; the milliseconds. */
static bool parse_duration(struct tool_run *r, const char *text, int64_t *ms) {
    static const struct {
        char unit;
        bool time;
        double ms;
    } units[] = {{'D', false, 86400000.0}, {'H', true, 3600000.0}, {'M', true, 60000.0}, {'S', true, 1000.0}};
    const char *p = text;
    double sign = 1, total = 0;
    bool time = false, any = false;
    size_t from = 0, count = sizeof units / sizeof *units;
    if (*p == '-' || *p == '+') sign = *p++ == '-' ? -1 : 1;
    if ((*p | 0x20) != 'p') goto wrong;
    for (p++; *p;) {
        if ((*p | 0x20) == 't' && !time) {
            time = true;
            p++;
            continue;
        }
        char *end;
        double v = strtod(p, &end);
        while (from < count && (units[from].unit | 0x20) != (*end | 0x20)) from++;
        if (end == p || from == count || units[from].time != time) goto wrong;
        total += v * units[from++].ms;
        any = true;
        p = end + 1;
    }
    if (!any) goto wrong;
    *ms = (int64_t)(sign * total);
    return true;
wrong:
    return tool_fail(r, "Text cannot be parsed to a Duration");
}

/* ---- CSV ---- */

/* One field in text, quotes undone; *p behind its comma. false at the end of the line. */
static bool csv_field(const char **p, char *text, size_t size) {
    size_t n = 0;
    const char *s = *p;
    if (!*s || *s == '\n' || *s == '\r') return false;
    bool quoted = *s == '"';
    for (s += quoted; *s && *s != '\n' && *s != '\r'; s++) {
        if (quoted && *s == '"' && s[1] != '"') {
            quoted = false;
            continue;
        }
        if (quoted && *s == '"') s++;
        if (!quoted && *s == ',') break;
        if (n + 1 < size) text[n++] = *s;
    }
    text[n] = 0;
    *p = s + (*s == ',');
    return true;
}

enum { FIELDS = 4, FIELD_MAX = 512 };

/* The fields of a line; how many. */
static int csv_line(const char *line, char fields[FIELDS][FIELD_MAX]) {
    int n = 0;
    while (n < FIELDS && csv_field(&line, fields[n], FIELD_MAX)) n++;
    return *line && *line != '\n' && *line != '\r' ? FIELDS + 1 : n;
}

/* As Jackson writes it: quoted when it is long or has characters that may need it. */
static void csv_print(struct kstr s) {
    bool quote = s.len >= QUOTE_FROM;
    for (int32_t i = 0; i < s.len && !quote; i++) quote = (unsigned char)s.s[i] < '-';
    if (quote) putchar('"');
    for (int32_t i = 0; i < s.len; i++) {
        if (s.s[i] == '"') putchar('"');
        putchar(s.s[i]);
    }
    if (quote) putchar('"');
}

/* The file's lines for this group, as partitions with committed for the wanted offset. */
static bool read_plan(struct tool_run *r, struct group_view *g) {
    const char *path = tool_get(r, "from-file");
    char fields[FIELDS][FIELD_MAX];
    uint8_t *bytes = NULL;
    size_t len = 0;
    int at = 0, groups = 0;
    while (tool_next(r, "group", &at)) groups++;
    if (fs_read_all(fs_real(), path, CSV_MAX_BYTES, &bytes, &len))
        return tool_fail(r, "java.nio.file.NoSuchFileException: %s", path);
    char *text = arena_strndup(&r->admin.arena, (char *)bytes, len);
    free(bytes);
    if (!text) return tool_fail(r, "%s is too large", path);
    int columns = groups == 1 && csv_line(text, fields) == FIELDS - 1 ? FIELDS - 1 : FIELDS;
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        int64_t partition, offset;
        if (csv_line(line, fields) != columns ||
            cli_parse_number(fields[columns - 2], 0, INT32_MAX, &partition) ||
            cli_parse_number(fields[columns - 1], INT64_MIN, INT64_MAX, &offset))
            return tool_fail(r, "a line of %s is not a plan's: %.*s", path, (int)strcspn(line, "\n"), line);
        if (columns == FIELDS && !kstr_is(g->name, fields[0])) continue;
        const char *topic = arena_strndup(&r->admin.arena, fields[columns - 3], strlen(fields[columns - 3]));
        struct group_partition *p = group_partition(&r->admin, g, kstr_of(topic), (int32_t)partition);
        if (!p) return tool_fail(r, "too many partitions");
        p->committed = offset;
    }
    if (!g->partitions_n) consumer_groups_error("No reset plan for group %s found", g->name.s);
    return true;
}

/* ---- which partitions ---- */

/* Every partition must exist. */
static bool check_exist(struct tool_run *r, const struct group_view *g) {
    struct topics_view v;
    struct kstr *names = arena_calloc(&r->admin.arena, (size_t)g->partitions_n + 1, sizeof *names);
    char missing[800] = "";
    size_t at = 0;
    int32_t n = 0;
    if (!names) return tool_fail(r, "too many partitions");
    for (int32_t i = 0; i < g->partitions_n; i++)
        if (!i || !kstr_equal(g->partitions[i].topic, g->partitions[i - 1].topic))
            names[n++] = g->partitions[i].topic;
    if (!n) return true;
    if (!topics_ask(r, names, n, 0, &v)) {
        char name[100];
        const char *text = arena_printf(&r->admin.arena, "%s", r->why);
        if (r->code && text)
            tool_fail(r, "java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.%s: %s",
                      tool_exception(r->code, name), text);
        return false;
    }
    for (int32_t i = 0; i < g->partitions_n; i++) {
        const struct group_partition *p = &g->partitions[i];
        bool there = false;
        for (int32_t t = 0; t < v.topics_n; t++)
            there =
                there || (kstr_equal(v.topics[t].name, p->topic) && p->partition < v.topics[t].partitions_n);
        if (!there && at + 300 < sizeof missing)
            at += (size_t)snprintf(missing + at, sizeof missing - at, "%s%.*s-%d", at ? "," : "",
                                   p->topic.len, p->topic.s, p->partition);
    }
    return !at || tool_fail(r, "The partitions \"%s\" do not exist", missing);
}

/* Leaves in g the partitions to be reset, with what is committed of them. */
static bool choose(struct tool_run *r, struct group_view *g) {
    struct group_view chosen = {.name = g->name};
    const char *text;
    if (tool_has(r, "all-topics")) return true;
    if (!tool_has(r, "topic") && !tool_has(r, "from-file"))
        return tool_usage(r, "One of the reset scopes should be defined: --all-topics, --topic.");
    for (int at = 0; (text = tool_next(r, "topic", &at));)
        if (!consumer_groups_partitions(r, text, &chosen)) return false;
    for (int32_t i = 0; i < chosen.partitions_n; i++)
        for (int32_t k = 0; k < g->partitions_n; k++)
            if (chosen.partitions[i].partition == g->partitions[k].partition &&
                kstr_equal(chosen.partitions[i].topic, g->partitions[k].topic))
                chosen.partitions[i].committed = g->partitions[k].committed;
    *g = chosen;
    return true;
}

/* ---- where to ---- */

static bool to_time(struct tool_run *r, struct plan *p, int64_t ms) {
    struct group_view *g = &p->group;
    struct offset_at *q = arena_calloc(&r->admin.arena, (size_t)g->partitions_n + 1, sizeof *q);
    if (!q) return tool_fail(r, "too many partitions");
    for (int32_t i = 0; i < g->partitions_n; i++)
        q[i] = (struct offset_at){.topic = g->partitions[i].topic,
                                  .partition = g->partitions[i].partition,
                                  .leader = g->partitions[i].leader,
                                  .timestamp = ms};
    if (offsets_ask(&r->admin, q, g->partitions_n, false)) return consumer_groups_failed(r);
    for (int32_t k = 0; k < g->partitions_n; k++) {
        int32_t i = p->order[k];
        p->to[i] = q[i].offset;
        if (q[i].offset >= 0) continue;
        p->to[i] = g->partitions[i].end;
        printf("\nWarn: Partition %d from topic %.*s is empty. Falling back to latest known offset.\n",
               q[i].partition, q[i].topic.len, q[i].topic.s);
    }
    return true;
}

static int64_t within(const struct group_partition *p, int64_t offset) {
    return offset > p->end ? p->end : offset < p->start ? p->start : offset;
}

static bool by_offsets(struct tool_run *r, struct plan *p) {
    int64_t shift = tool_number(r, "shift-by", 0);
    for (int32_t i = 0; i < p->group.partitions_n; i++) {
        const struct group_partition *k = &p->group.partitions[i];
        if (tool_has(r, "to-offset"))
            p->to[i] = within(k, tool_number(r, "to-offset", 0));
        else if (tool_has(r, "to-earliest"))
            p->to[i] = k->start;
        else if (tool_has(r, "to-latest"))
            p->to[i] = k->end;
        else if (tool_has(r, "from-file"))
            p->to[i] = within(k, k->committed);
        else if (tool_has(r, "to-current"))
            p->to[i] = k->committed < 0 ? k->end : k->committed;
        else if (k->committed >= 0)
            p->to[i] = within(k, k->committed + shift);
        else
            return tool_usage(
                r, "Cannot shift offset for partition %.*s-%d since there is no current committed offset",
                k->topic.len, k->topic.s, k->partition);
    }
    return true;
}

static bool where_to(struct tool_run *r, struct plan *p) {
    int64_t ms = 0;
    p->to = arena_calloc(&r->admin.arena, (size_t)p->group.partitions_n + 1, sizeof *p->to);
    if (!p->to) return tool_fail(r, "too many partitions");
    if (tool_has(r, "to-datetime"))
        return parse_datetime(r, tool_get(r, "to-datetime"), &ms) && to_time(r, p, ms);
    if (tool_has(r, "by-duration"))
        return parse_duration(r, tool_get(r, "by-duration"), &ms) && to_time(r, p, clock_wall_ms() - ms);
    return by_offsets(r, p);
}

static bool has_scenario(const struct tool_run *r) {
    return tool_has(r, "to-offset") || tool_has(r, "shift-by") || tool_has(r, "to-datetime") ||
           tool_has(r, "by-duration") || tool_has(r, "to-earliest") || tool_has(r, "to-latest") ||
           tool_has(r, "to-current") || tool_has(r, "from-file");
}

/* ---- */

/* Partitions in the order of the tool's map. */
static bool order(struct tool_run *r, struct plan *p) {
    uint32_t *hashes = arena_calloc(&r->admin.arena, (size_t)p->group.partitions_n + 1, sizeof *hashes);
    for (int32_t i = 0; hashes && i < p->group.partitions_n; i++)
        hashes[i] = tool_hash_partition(p->group.partitions[i].topic, p->group.partitions[i].partition);
    p->order = hashes ? tool_hash_order(r, hashes, p->group.partitions_n, 0) : NULL;
    return p->order || tool_fail(r, "too many partitions");
}

static bool reset_one(struct tool_run *r, struct kstr name, struct plan *p) {
    bool missing;
    int16_t code;
    if (group_ask(&r->admin, name.s, &p->group, &missing)) return consumer_groups_failed(r);
    if (!missing && !kstr_is(p->group.state, "Empty") && !kstr_is(p->group.state, "Dead")) {
        consumer_groups_error(
            "Assignments can only be reset if the group '%s' is inactive, but the current state is %.*s.",
            name.s, p->group.state.len, p->group.state.s);
        p->group = (struct group_view){.name = name};
        return true;
    }
    p->group = (struct group_view){.name = name};
    if (group_ask_committed(&r->admin, &p->group)) return consumer_groups_failed(r);
    if (!choose(r, &p->group)) return false;
    group_sort(&p->group);
    if (!check_exist(r, &p->group)) return false;
    if (!has_scenario(r))
        return tool_usage(
            r, "Option '[reset-offsets]' requires one of the following scenarios: [to-offset], [shift-by], "
               "[to-datetime], [by-duration], [to-earliest], [to-latest], [to-current], [from-file]");
    if (tool_has(r, "from-file")) {
        p->group = (struct group_view){.name = name};
        if (!read_plan(r, &p->group)) return false;
    }
    if (group_ask_ends(&r->admin, &p->group)) return consumer_groups_failed(r);
    if (!order(r, p) || !where_to(r, p)) return false;
    if (!tool_has(r, "execute") || !p->group.partitions_n) return true;
    if (group_commit(&r->admin, &p->group, p->to, &code)) return consumer_groups_failed(r);
    return !code || tool_fail(r, "%s", kerr_message(code));
}

static void print_csv(const struct plan *plans, int32_t n, bool single) {
    for (int32_t k = 0; k < n; k++)
        for (int32_t i = 0; i < plans[k].group.partitions_n; i++) {
            const struct group_partition *p = &plans[k].group.partitions[plans[k].order[i]];
            if (!single) {
                csv_print(plans[k].group.name);
                putchar(',');
            }
            csv_print(p->topic);
            printf(",%d,%lld\n", p->partition, (long long)plans[k].to[plans[k].order[i]]);
        }
    putchar('\n');
}

static void print_plans(const struct plan *plans, int32_t n) {
    int group = 15, topic = 15;
    for (int32_t k = 0; k < n; k++) {
        if (plans[k].group.name.len > group) group = plans[k].group.name.len;
        for (int32_t i = 0; i < plans[k].group.partitions_n; i++)
            if (plans[k].group.partitions[i].topic.len > topic)
                topic = plans[k].group.partitions[i].topic.len;
    }
    if (n) printf("\n%-*s %-*s %-10s %s", group, "GROUP", topic, "TOPIC", "PARTITION", "NEW-OFFSET");
    for (int32_t k = 0; k < n; k++)
        for (int32_t i = 0; i < plans[k].group.partitions_n; i++) {
            const struct group_partition *p = &plans[k].group.partitions[plans[k].order[i]];
            printf("\n%-*s %-*.*s %-10d %lld", group, plans[k].group.name.s, topic, p->topic.len, p->topic.s,
                   p->partition, (long long)plans[k].to[plans[k].order[i]]);
        }
    putchar('\n');
}

bool consumer_groups_reset(struct tool_run *r) {
    struct kstr *names;
    int32_t n;
    int at = 0, given = 0;
    if (!consumer_groups_named(r, &names, &n)) return false;
    struct plan *plans = arena_calloc(&r->admin.arena, (size_t)n + 1, sizeof *plans);
    if (!plans) return tool_fail(r, "too many groups");
    for (int32_t i = 0; i < n; i++)
        if (!reset_one(r, names[i], &plans[i])) return false;
    while (tool_next(r, "group", &at)) given++;
    if (tool_has(r, "export"))
        print_csv(plans, n, given == 1);
    else
        print_plans(plans, n);
    return true;
}
