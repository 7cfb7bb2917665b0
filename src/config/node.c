#include <string.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "config/internal.h"
#include "config/text.h"

static int parse_dirs(struct config *c, struct strbuf *error) {
    struct config_node *node = &c->node;
    node->log_dirs = config_list(c, config_is_null(c, CFG_LOG_DIRS) ? CFG_LOG_DIR : CFG_LOG_DIRS);
    if (!node->log_dirs.n) {
        strbuf_adds(error, "At least one log directory must be defined via log.dirs or log.dir.");
        return OE_INVALID;
    }
    const char *metadata = config_string(c, CFG_METADATA_LOG_DIR);
    node->metadata_log_dir = metadata ? metadata : node->log_dirs.items[0];
    return 0;
}

int config_node_parse(struct config *c, struct strbuf *error) {
    struct config_node *node = &c->node;
    struct config_list roles = config_list(c, CFG_PROCESS_ROLES);
    struct quorum_address *addresses;
    int64_t broker_id = config_int(c, CFG_BROKER_ID);
    node->id = (int32_t)config_int(c, CFG_NODE_ID);
    if (broker_id != node->id) {
        strbuf_adds(error, "You must set `node.id` to the same value as `broker.id`.");
        return OE_INVALID;
    }
    node->broker = text_list_has(roles, "broker");
    node->controller = text_list_has(roles, "controller");
    node->rack = config_string(c, CFG_BROKER_RACK);
    int err = quorum_parse_voters(config_list(c, CFG_CONTROLLER_QUORUM_VOTERS), &c->arena, &addresses,
                                  &node->voters_n, error);
    node->voters = addresses;
    if (!err)
        err = quorum_parse_bootstrap(config_list(c, CFG_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS), &c->arena,
                                     &addresses, &node->bootstrap_n, error);
    if (err) return err;
    node->bootstrap = addresses;
    node->standalone =
        c->no_file && node->broker && node->controller && !node->voters_n && !node->bootstrap_n;
    return parse_dirs(c, error);
}
