#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"

enum { HELP_SHOWN = CLI_DONE + 100, HELP_COLUMN = 34 };

static const struct cli_option no_options[] = {{0}};
static const struct cli_option client_options[] = {
    {'b', "bootstrap-server", "HOST:PORT",
     "where the cluster is (else $OTTLA_BOOTSTRAP, else 127.0.0.1:9092)"},
    {0, "timeout-ms", "MS", "give up after this long (30000)"},
    {0},
};
static const struct cli_option json_options[] = {{0, "json", NULL, "print JSON"}, {0}};
static const struct cli_option help_options[] = {{'h', "help", NULL, "show this"}, {0}};

const struct cli_option *cli_common_options(unsigned flag) {
    return flag == CLI_CLIENT ? client_options : flag == CLI_JSON ? json_options : help_options;
}

/* The tables that together are a command's options; returns how many. */
static int option_tables(const struct cli_command *c, const struct cli_option *tables[4]) {
    int n = 0;
    tables[n++] = c->options ? c->options : no_options;
    if (c->flags & CLI_JSON) tables[n++] = json_options;
    if (c->flags & CLI_CLIENT) tables[n++] = client_options;
    tables[n++] = help_options;
    return n;
}

/* ---- help ---- */

static void help_option(FILE *to, const struct cli_option *o) {
    char left[80];
    int n = o->letter ? snprintf(left, sizeof left, "-%c, ", o->letter) : snprintf(left, sizeof left, "    ");
    snprintf(left + n, sizeof left - (size_t)n, "--%s%s%s", o->name, o->value ? " " : "",
             o->value ? o->value : "");
    fprintf(to, "  %-*s  %s", HELP_COLUMN, left, o->help);
    if (o->choices) {
        fputs(": ", to);
        for (const char *p = o->choices; *p; p++) {
            if (*p == ' ')
                fputs(", ", to);
            else
                fputc(*p, to);
        }
    }
    fputc('\n', to);
}

static void help_commands(FILE *to, const struct cli_command *c, const char *path) {
    fprintf(to, "usage: ottla %s COMMAND [ARGUMENT]...\n\n%s\n\n", path, c->summary);
    for (const struct cli_command *s = c->commands; s->name; s++)
        fprintf(to, "  %-10s %s\n", s->name, s->summary);
    fprintf(to, "\n`ottla %s COMMAND --help` explains a command, with examples.\n", path);
    if (c->examples) fputs("\nExamples:\n", to);
    for (const struct cli_example *e = c->examples; e && e->line; e++)
        fprintf(to, "  %s\n      %s\n", e->line, e->what);
}

static void help(FILE *to, const struct cli_command *c, const char *path) {
    if (c->commands) {
        help_commands(to, c, path);
        return;
    }
    fprintf(to, "usage: ottla %s [OPTION]...%s%s\n\n%s\n", path, c->arguments ? " " : "",
            c->arguments ? c->arguments : "", c->summary);
    if (c->details) fprintf(to, "\n%s\n", c->details);
    if (c->examples) fputs("\nExamples:\n", to);
    for (const struct cli_example *e = c->examples; e && e->line; e++)
        fprintf(to, "  %s\n      %s\n", e->line, e->what);
    fputs("\nOptions:\n", to);
    const struct cli_option *tables[4];
    for (int i = 0, n = option_tables(c, tables); i < n; i++)
        for (const struct cli_option *o = tables[i]; o->name; o++) help_option(to, o);
}

/* ---- parsing ---- */

static const struct cli_option *find_option(const struct cli_command *c, char letter, const char *name,
                                            size_t n) {
    const struct cli_option *tables[4];
    for (int i = 0, count = option_tables(c, tables); i < count; i++)
        for (const struct cli_option *o = tables[i]; o->name; o++)
            if (name ? strlen(o->name) == n && !memcmp(o->name, name, n) : o->letter == letter) return o;
    return NULL;
}

static bool is_choice(const char *choices, const char *value) {
    size_t n = strlen(value);
    for (const char *p = choices; *p; p += strspn(p, " ")) {
        size_t len = strcspn(p, " ");
        if (len == n && !memcmp(p, value, n)) return true;
        p += len;
    }
    return false;
}

static int set(struct cli *c, const struct cli_option *o, const char *value) {
    if (o->choices && !is_choice(o->choices, value))
        return cli_wrong_usage("--%s %s: it must be one of: %s", o->name, value, o->choices);
    c->settings[c->settings_n++] = (struct cli_setting){o, value};
    if (!strcmp(o->name, "json")) c->json = true;
    return 0;
}

/* An option at argv[*at], with its value there or in the next word. */
static int parse_option(struct cli *c, int argc, char **argv, int *at) {
    const char *word = argv[*at], *value = NULL;
    const struct cli_option *o;
    if (word[1] == '-') {
        size_t n = strcspn(word + 2, "=");
        o = find_option(c->command, 0, word + 2, n);
        if (word[2 + n] == '=') value = word + 3 + n;
    } else {
        o = find_option(c->command, word[1], NULL, 0);
        if (word[2]) value = word + 2;
    }
    if (!o) return cli_wrong_usage("%s: no such option; see `ottla %s --help`", word, c->path);
    if (o == help_options) {
        help(stdout, c->command, c->path);
        return HELP_SHOWN;
    }
    if (!o->value) {
        if (value)
            return cli_wrong_usage("%s: --%s takes no value; see `ottla %s --help`", word, o->name, c->path);
        return set(c, o, "");
    }
    if (!value) {
        if (*at + 1 >= argc)
            return cli_wrong_usage("--%s: %s is missing; see `ottla %s --help`", o->name, o->value, c->path);
        value = argv[++*at];
    }
    return set(c, o, value);
}

static int check_arguments(const struct cli *c) {
    const struct cli_command *k = c->command;
    if (c->args_n < k->least)
        return cli_wrong_usage("%s: %s is missing; see `ottla %s --help`", c->path, k->arguments, c->path);
    if (k->most >= 0 && c->args_n > k->most)
        return cli_wrong_usage("%s: '%s' is one argument too many; see `ottla %s --help`", c->path,
                               c->args[k->most], c->path);
    return 0;
}

/* Walks to the command that runs. Returns the words used, or a negative status. */
static int find_command(const struct cli_command *verb, int argc, char **argv, struct cli *c) {
    int at = 1;
    c->command = verb;
    snprintf(c->path, sizeof c->path, "%s", verb->name);
    while (c->command->commands) {
        const struct cli_command *s = c->command->commands;
        if (at >= argc) {
            help(stderr, c->command, c->path);
            return -CLI_USAGE;
        }
        if (!strcmp(argv[at], "--help") || !strcmp(argv[at], "-h")) {
            help(stdout, c->command, c->path);
            return -HELP_SHOWN;
        }
        while (s->name && strcmp(s->name, argv[at])) s++;
        if (!s->name)
            return -cli_wrong_usage("%s: there is no command '%s'; see `ottla %s --help`", c->path, argv[at],
                                    c->path);
        size_t n = strlen(c->path);
        snprintf(c->path + n, sizeof c->path - n, " %s", s->name);
        c->command = s;
        at++;
    }
    return at;
}

int cli_parse(const struct cli_command *verb, int argc, char **argv, struct cli *c) {
    memset(c, 0, sizeof *c);
    int at = find_command(verb, argc, argv, c);
    if (at < 0) return -at;
    c->settings = xcalloc((size_t)argc, sizeof *c->settings);
    c->args = xcalloc((size_t)argc + 1, sizeof *c->args);
    bool options = true;
    int status = 0;
    for (; at < argc && !status; at++) {
        if (options && !strcmp(argv[at], "--"))
            options = false;
        else if (options && argv[at][0] == '-' && argv[at][1])
            status = parse_option(c, argc, argv, &at);
        else
            c->args[c->args_n++] = argv[at];
    }
    if (!status) status = check_arguments(c);
    if (status) cli_free(c);
    return status;
}

void cli_free(struct cli *c) {
    free(c->settings);
    free(c->args);
    c->settings = NULL;
    c->args = NULL;
}

int cli_run(const struct cli_command *verb, int argc, char **argv) {
    struct cli c;
    int status = cli_parse(verb, argc, argv, &c);
    if (status) return status == HELP_SHOWN ? CLI_DONE : status;
    status = c.command->run(&c);
    if (fflush(stdout) && errno != EPIPE && status == CLI_DONE)
        status = cli_fail("the output cannot be written: %s", strerror(errno));
    cli_free(&c);
    return status;
}

/* ---- values ---- */

const char *cli_get(const struct cli *c, const char *option) {
    for (int i = c->settings_n; i-- > 0;)
        if (!strcmp(c->settings[i].option->name, option)) return c->settings[i].value;
    return NULL;
}

const char *cli_next(const struct cli *c, const char *option, int *at) {
    while (*at < c->settings_n) {
        const struct cli_setting *s = &c->settings[(*at)++];
        if (!strcmp(s->option->name, option)) return s->value;
    }
    return NULL;
}

int cli_parse_number(const char *text, int64_t min, int64_t max, int64_t *v) {
    char *end;
    if (text[0] != '-' && (text[0] < '0' || text[0] > '9')) return OE_MALFORMED;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (end == text || *end) return OE_MALFORMED;
    if (errno || n < min || n > max) return OE_RANGE;
    *v = n;
    return 0;
}

static int64_t wrong_number(struct cli *c, const char *option, const char *text, int64_t min, int64_t max,
                            int64_t standard) {
    if (!c->failed)
        c->failed = cli_wrong_usage("--%s %s: it must be a number from %lld to %lld", option, text,
                                    (long long)min, (long long)max);
    return standard;
}

int64_t cli_number(struct cli *c, const char *option, int64_t min, int64_t max, int64_t standard) {
    const char *text = cli_get(c, option);
    int64_t v = standard;
    if (text && cli_parse_number(text, min, max, &v))
        return wrong_number(c, option, text, min, max, standard);
    return v;
}

int64_t cli_size(struct cli *c, const char *option, int64_t min, int64_t max, int64_t standard) {
    const char *text = cli_get(c, option), *units = "kmg", *unit;
    if (!text) return standard;
    size_t n = strlen(text);
    char digits[24];
    int64_t v, shift = 0;
    if (n > 1 && n < sizeof digits && (unit = strchr(units, text[n - 1] | 0x20))) {
        shift = 10 * (unit - units + 1);
        n--;
    }
    if (n >= sizeof digits) return wrong_number(c, option, text, min, max, standard);
    memcpy(digits, text, n);
    digits[n] = 0;
    if (cli_parse_number(digits, 0, INT64_MAX >> shift, &v) || v << shift < min || v << shift > max)
        return wrong_number(c, option, text, min, max, standard);
    return v << shift;
}

/* "15m" ago. */
static int parse_ago(const char *text, int64_t now_ms, int64_t *ms) {
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    size_t n = strlen(text);
    char digits[24];
    int64_t v;
    if (n < 2 || n >= sizeof digits) return OE_MALFORMED;
    memcpy(digits, text, n - 1);
    digits[n - 1] = 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (units[i].unit == text[n - 1] && !cli_parse_number(digits, 0, INT64_C(1) << 32, &v)) {
            *ms = now_ms - v * units[i].ms;
            return 0;
        }
    return OE_MALFORMED;
}

int cli_parse_time(const char *text, int64_t now_ms, int64_t *ms) {
    struct tm tm = {.tm_isdst = -1};
    int milli = 0, n = 0;
    if (!cli_parse_number(text, 0, INT64_MAX, ms)) return 0;
    if (!parse_ago(text, now_ms, ms)) return 0;
    const char *p = strptime(text, "%Y-%m-%d", &tm);
    if (!p) return OE_MALFORMED;
    if (*p == 'T' || *p == ' ') {
        p++;
        const char *q = strptime(p, "%H:%M:%S", &tm);
        p = q ? q : strptime(p, "%H:%M", &tm);
        if (!p) return OE_MALFORMED;
        if (*p == '.' && sscanf(p, ".%3d%n", &milli, &n) == 1) {
            for (int digits = n - 1; digits < 3; digits++) milli *= 10;
            p += n;
        }
    }
    bool utc = *p == 'Z';
    if (p[utc ? 1 : 0]) return OE_MALFORMED;
    time_t seconds = utc ? timegm(&tm) : mktime(&tm);
    *ms = (int64_t)seconds * 1000 + milli;
    return 0;
}
