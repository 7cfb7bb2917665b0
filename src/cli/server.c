/* ottla server: one node, until SIGINT or SIGTERM. */
#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "cli/outside.h"
#include "config/config.h"
#include "config/properties.h"
#include "http/http.h"
#include "io/file.h"
#include "server/node.h"

enum { OVERRIDES_MAX = 1000 };

static const char help[] =
    "ottla server [server.properties] [--override key=value]...\n"
    "\n"
    "Starts a node. Without a file: one node on 127.0.0.1:9092 with its data in ./data, formatted on the "
    "first start.\n"
    "The file is Kafka's server.properties; an override wins over it.\n"
    "\n"
    "Examples:\n"
    "  ottla server\n"
    "  ottla server --override listeners=PLAINTEXT://0.0.0.0:9092 --override log.dirs=/srv/ottla\n"
    "  ottla server config/server.properties\n";

static int fail(const char *text) {
    fprintf(stderr, "ottla server: %s\n", text);
    return 1;
}

/* NULL with *status set. */
static struct config *load(const char *path, const char *const *overrides, int n, int *status) {
    struct strbuf error;
    struct properties file;
    uint8_t *text = NULL;
    size_t len = 0;
    strbuf_init(&error, 64 << 10);
    struct config *c = NULL;
    if (!path)
        c = config_load(NULL, overrides, n, cli_outside(), &error);
    else if (fs_read_all(fs_real(), path, PROPERTIES_MAX_BYTES, &text, &len))
        strbuf_addf(&error, "%s: cannot be read", path);
    else {
        if (!properties_parse(&file, (char *)text, len, path, &error))
            c = config_load(&file, overrides, n, cli_outside(), &error);
        properties_free(&file);
    }
    if (!c) *status = fail(strbuf_str(&error));
    free(text);
    strbuf_free(&error);
    return c;
}

static void say_ready(const struct node *n) {
    for (int i = 0; i < n->endpoints_n; i++)
        LOG_INFO("server", "ottla " OTTLA_VERSION ": node %d of cluster %s serves on %s://%s:%d", n->id,
                 n->cluster_id, n->endpoints[i].listener, n->endpoints[i].host, n->endpoints[i].port);
}

/* Without a file the listener is only a convenience: a second node on the machine goes without it. */
static struct http *listen_http(const struct config *c, bool must, struct strbuf *error) {
    struct http *http = http_open(c, error);
    if (http || !error->len || must) return http;
    LOG_WARN("http", "%s; no metrics and health by HTTP", strbuf_str(error));
    strbuf_reset(error);
    return NULL;
}

int cli_server(int argc, char **argv) {
    const char *path = NULL, *overrides[OVERRIDES_MAX];
    int n = 0, status = 0;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            fputs(help, stdout);
            return 0;
        }
        if (!strcmp(argv[i], "--override") && i + 1 < argc && strchr(argv[i + 1], '=') && n < OVERRIDES_MAX)
            overrides[n++] = argv[++i];
        else if (argv[i][0] != '-' && !path)
            path = argv[i];
        else {
            fprintf(stderr,
                    "ottla server: what is %s? (--override wants key=value; see ottla server --help)\n",
                    argv[i]);
            return 2;
        }
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL); /* of all threads; this one waits for them */
    signal(SIGPIPE, SIG_IGN);
    struct config *c = load(path, overrides, n, &status);
    if (!c) return status;
    struct strbuf error;
    strbuf_init(&error, 4096);
    struct http *http = listen_http(c, path != NULL, &error);
    struct node *node = error.len ? NULL : node_start(c, &error);
    if (!node) {
        status = fail(strbuf_str(&error));
        strbuf_free(&error);
        return status;
    }
    strbuf_free(&error);
    say_ready(node);
    http_start(http, node);
    int number;
    sigwait(&set, &number);
    LOG_INFO("server", "stopping (%s)", strsignal(number));
    http_leave(http);
    http_stop(http);
    node_stop(node);
    LOG_INFO("server", "stopped");
    return 0;
}
