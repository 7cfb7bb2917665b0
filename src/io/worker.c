#include "io/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/mem.h"

enum { IDLE_SECONDS = 10 };

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t wake, ended;
    struct job *first, **last;
    int threads, idle, max, queued;
    bool stopping;
};

struct workers *workers_create(int max_threads) {
    struct workers *w = xcalloc(1, sizeof *w);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    pthread_cond_init(&w->ended, NULL);
    w->last = &w->first;
    w->max = max_threads;
    return w;
}

/* With the lock held. The next job, or NULL when this thread should end. */
static struct job *next_job(struct workers *w) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += IDLE_SECONDS;
    while (!w->first) {
        if (w->stopping) return NULL;
        w->idle++;
        int e = pthread_cond_timedwait(&w->wake, &w->lock, &until);
        w->idle--;
        if (e == ETIMEDOUT && !w->first) return NULL;
    }
    struct job *j = w->first;
    w->first = j->next;
    if (!w->first) w->last = &w->first;
    w->queued--;
    return j;
}

static void *run(void *arg) {
    struct workers *w = arg;
    pthread_mutex_lock(&w->lock);
    for (struct job *j; (j = next_job(w));) {
        pthread_mutex_unlock(&w->lock);
        struct loop *reply_to = j->reply_to;
        j->work(j);
        if (reply_to) loop_post(reply_to, &j->mail);
        pthread_mutex_lock(&w->lock);
    }
    w->threads--;
    pthread_cond_signal(&w->ended);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void start_thread(struct workers *w) {
    pthread_t t;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 512 << 10);
    if (pthread_create(&t, &attr, run, w) == 0) w->threads++;
    pthread_attr_destroy(&attr);
    ASSERT(w->threads > 0);
}

void workers_submit(struct workers *w, struct job *j) {
    pthread_mutex_lock(&w->lock);
    ASSERT(!w->stopping ||
           w->threads >
               w->idle); /* at the end only a running job may submit another, and its thread sees to it */
    j->next = NULL;
    *w->last = j;
    w->last = &j->next;
    w->queued++;
    if (w->queued <= w->idle || w->threads == w->max)
        pthread_cond_signal(&w->wake);
    else
        start_thread(w);
    pthread_mutex_unlock(&w->lock);
}

void workers_destroy(struct workers *w) {
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->wake);
    while (w->threads) pthread_cond_wait(&w->ended, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    pthread_cond_destroy(&w->ended);
    free(w);
}
