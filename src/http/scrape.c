#include "http/scrape.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/node.h"

enum { PIECE_MAX = 64 << 20 };

static scrape_part *const parts[] = {scrape_traffic,     scrape_requests, scrape_replicas, scrape_logs,
                                     scrape_directories, scrape_cluster,  scrape_groups,   scrape_quotas,
                                     scrape_clients,     scrape_process};
enum { PARTS = sizeof parts / sizeof *parts };

struct scrape *scrape_new(struct node *n, bool leaving) {
    struct scrape *s = xcalloc(1, sizeof *s);
    s->node = n;
    s->leaving = leaving;
    s->image = node_image(n);
    s->replicas = replicas_all(n->replicas, &s->replicas_n);
    strbuf_init(&s->out, PIECE_MAX);
    return s;
}

void scrape_free(struct scrape *s) {
    for (size_t i = 0; i < s->replicas_n; i++) replica_unref(s->replicas[i]);
    free(s->replicas);
    group_lags_free(s->lags);
    image_unref(s->image);
    strbuf_free(&s->out);
    free(s);
}

size_t scrape_read(struct scrape *s, char *to, size_t room) {
    while (s->sent == s->out.len && s->part < PARTS) {
        strbuf_reset(&s->out);
        s->sent = 0;
        if (parts[s->part](s)) continue;
        s->part++;
        s->at = 0;
        s->family = 0;
    }
    size_t n = s->out.len - s->sent;
    if (n > room) n = room;
    if (n) memcpy(to, s->out.s + s->sent, n);
    s->sent += n;
    return n;
}
