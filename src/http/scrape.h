/* One answer to /metrics, made piece by piece as its reader takes it: whatever there is to tell, a piece is
 * some KiB. What is told is read where it is, with locks that are held for one partition at a time. The HTTP
 * thread. */
#ifndef OTTLA_HTTP_SCRAPE_H
#define OTTLA_HTTP_SCRAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/strbuf.h"
#include "metrics/text.h"

struct node;
struct image;
struct replica;
struct scrape;

/* A part of the answer: adds some text; true: there is more to add. */
typedef bool scrape_part(struct scrape *s);

struct scrape {
    struct node *node;
    struct image *image;
    struct strbuf out; /* the piece */
    size_t sent;       /* of it */
    int part;          /* which is at work */
    size_t at;         /* its own: 0 when it begins */
    int family;        /* its own, likewise */
    struct replica **replicas;
    size_t replicas_n;
    struct group_lags *lags; /* of scrape_groups */
    bool leaving;
};

struct scrape *scrape_new(struct node *n, bool leaving);
/* The next bytes, at most room; 0: that was all. */
size_t scrape_read(struct scrape *s, char *to, size_t room);
void scrape_free(struct scrape *s);

/* The parts (scrape_*.c). */
bool scrape_traffic(struct scrape *s);
bool scrape_requests(struct scrape *s);
bool scrape_replicas(struct scrape *s);
bool scrape_logs(struct scrape *s);
bool scrape_directories(struct scrape *s);
bool scrape_cluster(struct scrape *s);
bool scrape_groups(struct scrape *s);
bool scrape_quotas(struct scrape *s);
bool scrape_clients(struct scrape *s);
bool scrape_process(struct scrape *s);

struct group_lags;
void group_lags_free(struct group_lags *l); /* NULL: nothing */

#endif
