/* ottla storage: what kafka-storage.sh does. format writes meta.properties, bootstrap.checkpoint and, for a
 * dynamic quorum, its first snapshot; info says what is in the log directories; random-uuid prints a cluster
 * id. */
#include "cli/storage.h"

#include "cli/command.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/strbuf.h"
#include "base/uuid.h"
#include "cli/outside.h"
#include "config/config.h"
#include "config/properties.h"
#include "io/clock.h"
#include "io/file.h"
#include "kraft/format.h"
#include "storage/logdir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_MAX = 1000 };

/* ---- the configuration ---- */

/* The node's configuration from --config and --override; NULL after a line on stderr. */
static struct config *load(struct cli *c) {
    const char *path = cli_get(c, "config"), *overrides[LIST_MAX];
    struct strbuf error;
    struct properties file;
    uint8_t *text = NULL;
    size_t len = 0;
    int32_t n = 0;
    struct config *config = NULL;
    int at = 0;
    for (const char *v; n < LIST_MAX && (v = cli_next(c, "override", &at));) overrides[n++] = v;
    strbuf_init(&error, 64 << 10);
    if (!path) {
        config = config_load(NULL, overrides, n, cli_outside(), &error);
    } else if (fs_read_all(fs_real(), path, PROPERTIES_MAX_BYTES, &text, &len)) {
        strbuf_addf(&error, "%s: cannot be read", path);
    } else {
        if (!properties_parse(&file, (char *)text, len, path, &error))
            config = config_load(&file, overrides, n, cli_outside(), &error);
        properties_free(&file);
    }
    if (!config) cli_fail("%s", strbuf_str(&error));
    free(text);
    strbuf_free(&error);
    return config;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* log.dirs and metadata.log.dir, each once, sorted; free the array. */
static const char **directories(const struct config_node *node, int32_t *n) {
    const char **dirs = xcalloc((size_t)node->log_dirs.n + 1, sizeof *dirs);
    *n = 0;
    for (int32_t i = 0; i < node->log_dirs.n; i++) dirs[(*n)++] = node->log_dirs.items[i];
    bool listed = false;
    for (int32_t i = 0; i < *n; i++) listed |= strcmp(dirs[i], node->metadata_log_dir) == 0;
    if (!listed) dirs[(*n)++] = node->metadata_log_dir;
    qsort(dirs, (size_t)*n, sizeof *dirs, by_name);
    return dirs;
}

/* ---- format ---- */

static void print_line(void *ctx, const char *line) { puts(line); }

/* "name=level" of --feature. */
static int parse_feature(const char *text, struct format_feature *f) {
    const char *eq = strchr(text, '=');
    int64_t level;
    if (!eq || eq == text || cli_parse_number(eq + 1, 0, INT16_MAX, &level))
        return cli_wrong_usage("--feature %s: expected a name and a level, as in group.version=1", text);
    *f = (struct format_feature){xstrndup(text, (size_t)(eq - text)), (int16_t)level};
    return 0;
}

/* The controller listener: its name, and where a standalone controller can be reached. */
static void fill_listener(const struct config *config, struct format_options *o) {
    const struct listeners *l = config_listeners(config);
    const struct listener *own = l->controller_name ? listeners_find(l, l->controller_name) : NULL;
    o->controller_listener = l->controller_name ? l->controller_name : "CONTROLLER";
    o->host = own && own->advertised_host[0] ? own->advertised_host
              : own && own->host[0]          ? own->host
                                             : "localhost";
    o->port = (uint16_t)(own ? own->advertised_port ? own->advertised_port : own->port : 9093);
}

static int check_quorum(struct cli *c, const struct config_node *node) {
    bool standalone = cli_has(c, "standalone"), initial = cli_has(c, "initial-controllers"),
         none = cli_has(c, "no-initial-controllers");
    if (standalone + initial + none > 1)
        return cli_wrong_usage(
            "--standalone, --initial-controllers and --no-initial-controllers exclude each other");
    if (node->voters_n > 0 && (standalone || initial))
        return cli_fail(
            "You cannot specify controller.quorum.voters and format the node with --initial-controllers or "
            "--standalone. If you want to use dynamic quorum, please remove controller.quorum.voters and "
            "specify controller.quorum.bootstrap.servers instead.");
    if (standalone && !node->controller) return cli_fail("You can only use --standalone on a controller.");
    if (!none && node->controller && node->voters_n == 0 && !standalone && !initial)
        return cli_fail(
            "Because controller.quorum.voters is not set on this controller, you must specify one of the "
            "following: --standalone, --initial-controllers, or --no-initial-controllers.");
    return 0;
}

static int format_with(struct cli *c, const struct config *config) {
    const struct config_node *node = config_node(config);
    struct format_feature features[LIST_MAX];
    const char *scram[LIST_MAX];
    struct random random;
    struct format_options o = {.fs = fs_real(),
                               .cluster_id = cli_get(c, "cluster-id"),
                               .node_id = node->id,
                               .metadata_dir = node->metadata_log_dir,
                               .release_version = cli_get(c, "release-version"),
                               .features = features,
                               .scram = scram,
                               .unstable_features = config_bool(config, CFG_UNSTABLE_FEATURE_VERSIONS_ENABLE),
                               .ignore_formatted = cli_has(c, "ignore-formatted"),
                               .dynamic_quorum = node->voters_n == 0,
                               .initial_controllers = cli_get(c, "initial-controllers"),
                               .standalone = cli_has(c, "standalone"),
                               .now_ms = clock_wall_ms(),
                               .random = &random,
                               .say = print_line};
    if (!o.cluster_id)
        return cli_wrong_usage("--cluster-id is missing; `ottla storage random-uuid` makes one");
    int status = check_quorum(c, node), at = 0;
    if (status) return status;
    random_seed(&random, clock_entropy());
    fill_listener(config, &o);
    for (const char *v; !status && o.features_n < LIST_MAX && (v = cli_next(c, "feature", &at));)
        if (!(status = parse_feature(v, &features[o.features_n]))) o.features_n++;
    at = 0;
    for (const char *v; o.scram_n < LIST_MAX && (v = cli_next(c, "add-scram", &at));) scram[o.scram_n++] = v;
    char *why = NULL;
    const char **dirs = directories(node, &o.dirs_n);
    o.dirs = dirs;
    if (!status && format_run(&o, &why)) status = cli_fail("%s", why ? why : "formatting failed");
    for (int32_t i = 0; i < o.features_n; i++) free((char *)features[i].name);
    free(why);
    free(dirs);
    return status;
}

static int run_format(struct cli *c) {
    struct config *config = load(c);
    if (!config) return CLI_FAILED;
    int status = format_with(c, config);
    config_unref(config);
    return status;
}

/* ---- info ---- */

struct found {
    const char *dir;
    bool formatted;
    struct meta_properties m;
};

/* Looks at one directory; a problem is a line in `problems`. */
static void look_at(struct found *f, const struct found *first, struct strbuf *problems) {
    struct fs_stat st;
    if (fs_stat(fs_real(), f->dir, &st)) {
        strbuf_addf(problems, "%s does not exist\n", f->dir);
    } else if (!st.is_dir) {
        strbuf_addf(problems, "%s is not a directory\n", f->dir);
    } else {
        int err = meta_properties_read(fs_real(), f->dir, &f->m);
        f->formatted = !err;
        if (err == OE_NOTFOUND)
            strbuf_addf(problems, "%s is not formatted.\n", f->dir);
        else if (err)
            strbuf_addf(problems, "Error loading %s/meta.properties: %s\n", f->dir, oerr_text(err));
    }
    if (!f->formatted || !first || f == first) return;
    if (strcmp(f->m.cluster_id, first->m.cluster_id) != 0)
        strbuf_adds(problems, "Mismatched cluster IDs between storage directories.\n");
    else if (f->m.node_id != first->m.node_id)
        strbuf_adds(problems, "Mismatched node IDs between storage directories.\n");
}

static void print_json(const struct found *f, int32_t n, const struct strbuf *problems) {
    struct strbuf b;
    char id[UUID_TEXT];
    strbuf_init(&b, 16 << 20);
    strbuf_adds(&b, "{\"directories\":[");
    for (int32_t i = 0; i < n; i++) {
        strbuf_adds(&b, i ? ",{\"path\":" : "{\"path\":");
        strbuf_add_json(&b, f[i].dir, strlen(f[i].dir));
        strbuf_addf(&b, ",\"formatted\":%s", f[i].formatted ? "true" : "false");
        if (f[i].formatted) {
            strbuf_adds(&b, ",\"cluster.id\":");
            strbuf_add_json(&b, f[i].m.cluster_id, strlen(f[i].m.cluster_id));
            strbuf_addf(&b, ",\"node.id\":%d,\"version\":%d,\"directory.id\":\"%s\"", f[i].m.node_id,
                        f[i].m.version, uuid_format(&f[i].m.directory_id, id));
        }
        strbuf_adds(&b, "}");
    }
    strbuf_adds(&b, "],\"problems\":[");
    const char *p = strbuf_str(problems);
    for (size_t len; *p; p += len + 1) {
        len = strcspn(p, "\n");
        if (p != strbuf_str(problems)) strbuf_adds(&b, ",");
        strbuf_add_json(&b, p, len);
    }
    strbuf_adds(&b, "]}");
    puts(strbuf_ok(&b) ? strbuf_str(&b) : "");
    strbuf_free(&b);
}

static void print_text(const struct found *f, int32_t n, const struct found *first,
                       const struct strbuf *problems) {
    char id[UUID_TEXT];
    puts("Log directories:");
    for (int32_t i = 0; i < n; i++)
        printf("  %s%s%s\n", f[i].dir, f[i].formatted ? " directory.id=" : " (not formatted)",
               f[i].formatted ? uuid_format(&f[i].m.directory_id, id) : "");
    if (first)
        printf("\ncluster.id=%s\nnode.id=%d\nversion=%d\n", first->m.cluster_id, first->m.node_id,
               first->m.version);
    if (problems->len) printf("\nProblems:\n%s", strbuf_str(problems));
}

static int run_info(struct cli *c) {
    struct config *config = load(c);
    if (!config) return CLI_FAILED;
    int32_t n;
    const char **dirs = directories(config_node(config), &n);
    struct found *f = xcalloc((size_t)n, sizeof *f), *first = NULL;
    struct strbuf problems;
    strbuf_init(&problems, 1 << 20);
    for (int32_t i = 0; i < n; i++) {
        f[i].dir = dirs[i];
        look_at(&f[i], first, &problems);
        if (f[i].formatted && !first) first = &f[i];
    }
    if (c->json)
        print_json(f, n, &problems);
    else
        print_text(f, n, first, &problems);
    int status = problems.len ? CLI_FAILED : CLI_DONE;
    strbuf_free(&problems);
    free(f);
    free(dirs);
    config_unref(config);
    return status;
}

static int run_random_uuid(struct cli *c) {
    struct random random;
    char text[UUID_TEXT];
    random_seed(&random, clock_entropy());
    struct uuid id = uuid_random(&random);
    puts(uuid_format(&id, text));
    return CLI_DONE;
}

/* ---- the tables ---- */

#define CONFIG_OPTIONS                                                                                       \
    {                                                                                                        \
        'c',    "config",                                                                                    \
        "FILE", "the node's server.properties; without it a single node with its data in ./data",            \
        NULL,   HINT_FILE},                                                                                  \
    {                                                                                                        \
        'e', "override", "KEY=VALUE", "a key of it with another value; may be given again", NULL, HINT_NONE  \
    }

static const struct cli_option format_options[] = {
    CONFIG_OPTIONS,
    {'t', "cluster-id", "ID", "the cluster's id, as random-uuid prints one", NULL, HINT_NONE},
    {'r', "release-version", "VERSION", "the release whose features the cluster starts with (4.3-IV0)", NULL,
     HINT_NONE},
    {'f', "feature", "NAME=LEVEL", "the level of one feature; may be given again", NULL, HINT_NONE},
    {'S', "add-scram", "USER", "a user: 'SCRAM-SHA-256=[name=alice,password=secret]'; may be given again",
     NULL, HINT_NONE},
    {'s', "standalone", NULL, "this controller is the only voter of a dynamic quorum", NULL, HINT_NONE},
    {'N', "no-initial-controllers", NULL, "a dynamic quorum that this node joins later", NULL, HINT_NONE},
    {'I', "initial-controllers", "LIST", "the voters of a dynamic quorum: id@host:port:directory-id,...",
     NULL, HINT_NONE},
    {'g', "ignore-formatted", NULL, "leave directories that are formatted as they are", NULL, HINT_NONE},
    {0}};
static const struct cli_option info_options[] = {CONFIG_OPTIONS, {0}};

static const struct cli_example format_examples[] = {
    {"ottla storage format -t $(ottla storage random-uuid) --standalone -c server.properties",
     "a new cluster of one"},
    {"ottla storage format -t ID -c server.properties --add-scram "
     "'SCRAM-SHA-512=[name=admin,password=secret]'",
     "with a first user"},
    {0}};
static const struct cli_example info_examples[] = {
    {"ottla storage info -c server.properties", "what is where"}, {0}};

static const struct cli_example uuid_examples[] = {
    {"ottla storage format -t $(ottla storage random-uuid) --standalone", "for a new cluster"}, {0}};

static const struct cli_command commands[] = {{.name = "format",
                                               .summary = "prepare the log directories of a new node",
                                               .run = run_format,
                                               .options = format_options,
                                               .examples = format_examples},
                                              {.name = "info",
                                               .summary = "say what is in the log directories",
                                               .run = run_info,
                                               .options = info_options,
                                               .examples = info_examples,
                                               .flags = CLI_JSON},
                                              {.name = "random-uuid",
                                               .summary = "print a new id for a cluster",
                                               .run = run_random_uuid,
                                               .examples = uuid_examples},
                                              {0}};

const struct cli_command cli_storage_command = {
    .name = "storage", .summary = "prepare and inspect log directories", .commands = commands};

int cli_storage(int argc, char **argv) { return cli_run(&cli_storage_command, argc, argv); }
