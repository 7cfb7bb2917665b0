/* ottla completion bash|zsh: a script for the shell, made from the tables of the verbs, so it always knows
 * every option. Topic and group names are asked of the cluster (-b of the line, or $OTTLA_BOOTSTRAP) with a
 * second's patience. */
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/command.h"
#include "cli/config.h"
#include "cli/consume.h"
#include "cli/group.h"
#include "cli/log.h"
#include "cli/produce.h"
#include "cli/quota.h"
#include "cli/client_metrics.h"
#include "cli/cluster.h"
#include "cli/feature.h"
#include "cli/reassign.h"
#include "cli/user.h"
#include "cli/share.h"
#include "cli/storage.h"
#include "cli/topic.h"
#include "cli/txn.h"

static int completion_bash(struct cli *c);
static int completion_zsh(struct cli *c);

static const struct cli_example bash_examples[] = {
    {"source <(ottla completion bash)", "for this shell; in ~/.bashrc for every one"},
    {"ottla completion bash > /etc/bash_completion.d/ottla", "for everyone on the machine"},
    {0},
};
static const struct cli_example zsh_examples[] = {
    {"source <(ottla completion zsh)", "for this shell (after compinit); in ~/.zshrc for every one"},
    {"ottla completion zsh > ~/.zfunc/_ottla", "as a file of $fpath"},
    {0},
};
static const struct cli_command commands[] = {
    {"bash", NULL, "a completion script for bash", completion_bash, NULL, NULL, bash_examples},
    {"zsh", NULL, "a completion script for zsh", completion_zsh, NULL, NULL, zsh_examples},
    {0},
};
static const struct cli_command completion_command = {
    "completion", .summary = "Tab completion for bash and zsh", .commands = commands};

/* The server parses its own two arguments. */
static const struct cli_option server_options[] = {
    {0, "override", "KEY=VALUE", "a key of the file with another value"}, {0}};
static const struct cli_command server_command = {
    "server", "[FILE]", "start a node", .options = server_options, .hint = HINT_FILE, .most = 1};

/* Every verb that has a table; the others take files. */
static const struct cli_command *const cli_tables[] = {
    &server_command,
    &cli_topic_command,
    &cli_produce_command,
    &cli_consume_command,
    &cli_group_command,
    &cli_txn_command,
    &cli_share_command,
    &cli_config_command,
    &cli_quota_command,
    &cli_user_command,
    &cli_client_metrics_command,
    &cli_feature_command,
    &cli_reassign_command,
    &cli_cluster_command,
    &cli_storage_command,
    &cli_log_command,
    &cli_bench_command,
    &completion_command,
    NULL,
};

static const struct {
    const char *name, *summary;
} verbs[] = {
#define VERB(function, name, summary) {name, summary},
#include "cli/verbs.h"
#undef VERB
};
enum { VERBS = sizeof verbs / sizeof *verbs };

/* Calls `each` with every command that runs and its path. */
static void each_command(const struct cli_command *c, const char *path,
                         void (*each)(const struct cli_command *c, const char *path)) {
    each(c, path);
    char longer[64];
    for (const struct cli_command *s = c->commands; s && s->name; s++) {
        snprintf(longer, sizeof longer, "%s %s", path, s->name);
        each_command(s, longer, each);
    }
}

static void all_commands(void (*each)(const struct cli_command *c, const char *path)) {
    for (const struct cli_command *const *t = cli_tables; *t; t++) each_command(*t, (*t)->name, each);
}

/* Every option of a command, its own and those of its flags. */
static void each_option(const struct cli_command *c, const char *path,
                        void (*each)(const struct cli_option *o, const char *path)) {
    for (const struct cli_option *o = c->options; o && o->name; o++) each(o, path);
    for (unsigned flag = CLI_CLIENT; flag <= CLI_JSON; flag <<= 1)
        for (const struct cli_option *o = cli_common_options(flag); (c->flags & flag) && o->name; o++)
            each(o, path);
    for (const struct cli_option *o = cli_common_options(0); o->name; o++) each(o, path);
}

/* ---- bash ---- */

static void bash_words(enum cli_hint hint) {
    switch (hint) {
    case HINT_FILE: fputs("COMPREPLY=($(compgen -f -- \"$cur\"))", stdout); break;
    case HINT_DIR: fputs("COMPREPLY=($(compgen -d -- \"$cur\"))", stdout); break;
    case HINT_TOPIC: fputs("words=$(_ottla_names topic)", stdout); break;
    case HINT_GROUP: fputs("words=$(_ottla_names group)", stdout); break;
    case HINT_NONE: fputs(":", stdout); break;
    }
}

static void bash_path(const struct cli_command *c, const char *path) {
    printf("%s'%s'", *c->name ? "|" : "", path);
}

static void bash_value(const struct cli_option *o, const char *path) {
    if (!o->value) return;
    printf("    '%s|--%s'", path, o->name);
    if (o->letter) printf("|'%s|-%c'", path, o->letter);
    fputs(") ", stdout);
    if (o->choices)
        printf("words='%s'", o->choices);
    else
        bash_words(o->hint);
    fputs(" ;;\n", stdout);
}
static void bash_values(const struct cli_command *c, const char *path) {
    if (!c->commands) each_option(c, path, bash_value);
}

static void bash_option(const struct cli_option *o, const char *path) {
    printf("--%s ", o->name);
    if (o->letter) printf("-%c ", o->letter);
}
static void bash_options(const struct cli_command *c, const char *path) {
    printf("    '%s') words='", path);
    if (!c->commands)
        each_option(c, path, bash_option);
    else
        fputs("--help", stdout);
    fputs("' ;;\n", stdout);
}

static void bash_arguments(const struct cli_command *c, const char *path) {
    printf("    '%s') ", path);
    if (c->commands) {
        fputs("words='", stdout);
        for (const struct cli_command *s = c->commands; s->name; s++) printf("%s ", s->name);
        fputs("'", stdout);
    } else {
        bash_words(c->hint);
    }
    fputs(" ;;\n", stdout);
}

static int completion_bash(struct cli *c) {
    puts("# Tab completion of ottla for bash, made by `ottla completion bash`.\n"
         "_ottla_names() {\n"
         "  local i at=()\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    case ${COMP_WORDS[i]} in -b|--bootstrap-server) at=(-b \"${COMP_WORDS[i+1]}\") ;; esac\n"
         "  done\n"
         "  ottla \"$1\" list --timeout-ms 1000 \"${at[@]}\" 2>/dev/null | sed 's/  .*//' | grep -v "
         "'^GROUP$'\n"
         "}\n"
         "_ottla() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= words= i\n"
         "  COMPREPLY=()\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    case \"${path:+$path }${COMP_WORDS[i]}\" in");
    fputs("    ''", stdout);
    all_commands(bash_path);
    for (int i = 0; i < VERBS; i++) printf("|'%s'", verbs[i].name);
    puts(") path=\"${path:+$path }${COMP_WORDS[i]}\" ;;\n"
         "    esac\n"
         "  done\n"
         "  case \"$path|$prev\" in");
    all_commands(bash_values);
    puts("    *)\n"
         "    case $cur in\n"
         "    -*) case $path in");
    all_commands(bash_options);
    puts("    esac ;;\n"
         "    *) case $path in");
    fputs("    '') words='", stdout);
    for (int i = 0; i < VERBS; i++) printf("%s ", verbs[i].name);
    puts("--help --version' ;;");
    all_commands(bash_arguments);
    puts("    *) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
         "    esac ;;\n"
         "    esac ;;\n"
         "  esac\n"
         "  [ -z \"$words\" ] || COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
         "}\n"
         "complete -o filenames -o bashdefault -F _ottla ottla");
    return CLI_DONE;
}

/* ---- zsh ---- */

/* Text inside of '…[…]'. */
static void zsh_text(const char *s) {
    for (; *s; s++) {
        if (*s == '\'')
            fputs("'\\''", stdout);
        else if (strchr("[]:\\", *s))
            printf("\\%c", *s);
        else
            putchar(*s);
    }
}

static const char *zsh_action(enum cli_hint hint) {
    static const char *const actions[] = {"", "_files", "_files -/", "_ottla_names topic",
                                          "_ottla_names group"};
    return actions[hint];
}

static void zsh_option(const struct cli_option *o, const char *path) {
    fputs(" \\\n      ", stdout);
    if (o->letter)
        printf("'*'{-%c,--%s}'[", o->letter, o->name);
    else
        printf("'*--%s[", o->name);
    zsh_text(o->help);
    fputs("]", stdout);
    if (o->value) {
        fputs(":", stdout);
        zsh_text(o->value);
        if (o->choices)
            printf(":(%s)", o->choices);
        else
            printf(":%s", zsh_action(o->hint));
    }
    fputs("'", stdout);
}

static void zsh_command(const struct cli_command *c, const char *path) {
    printf("  '%s')\n", path);
    if (c->commands) {
        fputs("    names=(", stdout);
        for (const struct cli_command *s = c->commands; s->name; s++) {
            printf("'%s:", s->name);
            zsh_text(s->summary);
            fputs("' ", stdout);
        }
        puts(")\n    _describe command names ;;");
        return;
    }
    fputs("    _arguments -s", stdout);
    each_option(c, path, zsh_option);
    if (c->most) {
        fputs(" \\\n      '*:", stdout);
        zsh_text(c->arguments);
        printf(":%s'", zsh_action(c->hint));
    }
    puts(" ;;");
}

static int completion_zsh(struct cli *c) {
    puts("#compdef ottla\n"
         "# Tab completion of ottla for zsh, made by `ottla completion zsh`.\n"
         "_ottla_names() {\n"
         "  local at=() names i\n"
         "  for ((i = 1; i < $#words; i++)); do\n"
         "    case $words[i] in -b|--bootstrap-server) at=(-b $words[i+1]) ;; esac\n"
         "  done\n"
         "  names=(${(f)\"$(ottla $1 list --timeout-ms 1000 $at 2>/dev/null | sed 's/  .*//' | grep -v "
         "'^GROUP$')\"})\n"
         "  compadd -a names\n"
         "}\n"
         "_ottla() {\n"
         "  local cmd= n=0 i names\n"
         "  for ((i = 2; i < CURRENT; i++)); do\n"
         "    case \"${cmd:+$cmd }$words[i]\" in");
    fputs("    ''", stdout);
    all_commands(bash_path);
    for (int i = 0; i < VERBS; i++) printf("|'%s'", verbs[i].name);
    puts(") cmd=\"${cmd:+$cmd }$words[i]\"; n=$((i - 1)) ;;\n"
         "    *) break ;;\n"
         "    esac\n"
         "  done\n"
         "  shift $n words\n"
         "  ((CURRENT -= n))\n"
         "  case $cmd in");
    fputs("  '')\n    names=(", stdout);
    for (int i = 0; i < VERBS; i++) {
        printf("'%s:", verbs[i].name);
        zsh_text(verbs[i].summary);
        fputs("' ", stdout);
    }
    puts(")\n    _describe verb names ;;");
    all_commands(zsh_command);
    puts("  *) _files ;;\n"
         "  esac\n"
         "}\n"
         "compdef _ottla ottla");
    return CLI_DONE;
}

int cli_completion(int argc, char **argv) { return cli_run(&completion_command, argc, argv); }
