#include "bench/rebalance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/clock.h"

enum { STABLE_S = 60, PAUSE_MS = 30 };

/* The largest generation of those that are there. */
static int32_t newest(const struct rebalance *r) {
    int32_t most = 0;
    for (int i = 0; i < r->o->clients; i++)
        if (r->members[i].present && r->members[i].generation > most) most = r->members[i].generation;
    return most;
}

/* Members ask until all is stable, then the last answers are awaited. Returns when it was stable. */
static int64_t settle(struct rebalance *r) {
    int64_t until = clock_mono_ns() + STABLE_S * INT64_C(1000000000), at;
    for (;;) {
        exchange_serve(&r->x, INT64_MAX);
        at = clock_mono_ns();
        if (r->stable(r)) break;
        if (at > until) fail("%s is not stable after %d s", r->group, STABLE_S);
    }
    r->going = false;
    for (int i = 0; i < r->o->clients; i++)
        while (r->members[i].link.in_flight) exchange_serve(&r->x, INT64_MAX);
    return at;
}

static int64_t come(struct rebalance *r, int first, int n) {
    int64_t start = clock_mono_ns();
    r->before = newest(r);
    r->going = true;
    for (int i = first; i < first + n; i++) {
        r->members[i].present = true;
        r->members[i].settled = false;
        r->join(&r->members[i]);
    }
    for (int i = 0; i < first; i++) r->ask(&r->members[i]);
    return settle(r) - start;
}

static int64_t go(struct rebalance *r, int first, int n) {
    int64_t start = clock_mono_ns();
    r->before = newest(r);
    r->going = true;
    for (int i = first; i < first + n; i++) {
        r->members[i].present = false;
        r->leave(&r->members[i]);
    }
    for (int i = 0; i < first; i++) r->ask(&r->members[i]);
    return settle(r) - start;
}

int rebalance_run(struct rebalance *r) {
    int n = r->o->clients;
    struct histogram *came = xcalloc(1, sizeof *came), *gone = xcalloc(1, sizeof *gone);
    if (n < 2) fail("a rebalance needs two members");
    snprintf(r->group, sizeof r->group, "%.40s-group", r->o->topic);
    exchange_open(&r->x, r->o->port);
    exchange_await_coordinator(&r->x, r->group, 0);
    r->members = xcalloc((size_t)n, sizeof *r->members);
    for (int i = 0; i < n; i++) {
        r->members[i].r = r;
        r->members[i].partitions = xcalloc((size_t)r->o->partitions, sizeof *r->members[i].partitions);
        link_open(&r->x, &r->members[i].link, &r->members[i], r->on_answer);
    }
    come(r, 0, n - 1);
    for (int i = 0; i < r->o->warm_up; i++) {
        come(r, n - 1, 1);
        go(r, n - 1, 1);
    }
    struct cost cost = cost_begin(r->o->pid);
    int64_t requests = r->x.requests_n;
    for (int i = 0; i < r->o->rounds; i++) {
        clock_sleep_ms(PAUSE_MS);
        histogram_add(came, come(r, n - 1, 1));
        clock_sleep_ms(PAUSE_MS);
        histogram_add(gone, go(r, n - 1, 1));
    }
    printf("come_p50_ms=%.3f come_max_ms=%.3f go_p50_ms=%.3f go_max_ms=%.3f requests=%lld ",
           histogram_ms(came, .5), histogram_ms(came, 1), histogram_ms(gone, .5), histogram_ms(gone, 1),
           (long long)(r->x.requests_n - requests));
    cost_print(&cost, r->o->pid, 2 * r->o->rounds, "rebalance");
    go(r, 0, n - 1);
    printf("storm_ms=%.3f\n", (double)come(r, 0, n) / 1e6);
    free(came);
    free(gone);
    return 0;
}
