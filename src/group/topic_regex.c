#include "group/topic_regex.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/re2.h"
#include "group/own.h"
#include "metadata/image.h"

/* Worker. An expression was checked when it was given; one that an older release took is left out. */
static struct names match(const struct regex_job *j, struct kstr pattern, const struct topic *const *topics,
                          size_t n, struct arena *a) {
    const char *error;
    struct names found = {.list = arena_calloc(a, n, sizeof *found.list)};
    struct re2_pattern *r = re2_compile(pattern.s, (size_t)pattern.len, &error);
    if (!r)
        LOG_WARN("group", "%.*s: the regular expression %.*s is ignored: %s", KSTR_ARG(j->group),
                 KSTR_ARG(pattern), error);
    for (size_t i = 0; r && found.list && i < n; i++)
        if (re2_matches(r, topics[i]->name, (size_t)topics[i]->name_len))
            found.list[found.n++] = (struct kstr){topics[i]->name, topics[i]->name_len};
    re2_free(r);
    return names_own(&found); /* topics are in order of names */
}

static void run(struct shard_job *job) {
    struct regex_job *j = (struct regex_job *)job;
    struct arena a;
    size_t n = 0;
    arena_init(&a, SIZE_MAX);
    const struct topic **topics = j->image ? image_topics_sorted(j->image, &a, &n) : NULL;
    for (int32_t i = 0; i < j->n; i++) {
        j->found[i].topics = match(j, j->found[i].regex, topics, n, &a);
        j->found[i].version = j->image ? j->image->offset : -1;
        j->found[i].ms = j->wall_ms;
    }
    arena_free(&a);
}

static void drop(struct shard_job *job) { regex_job_free((struct regex_job *)job); }

struct regex_job *regex_job_create(struct group_shard *s, struct kstr group, const struct kstr *regexes,
                                   int32_t n) {
    struct regex_job *j = xcalloc(1, sizeof *j + (size_t)n * sizeof j->found[0]);
    j->job = (struct shard_job){.run = run, .drop = drop};
    j->group = kstr_own(group);
    j->image = s->image ? image_ref(s->image) : NULL;
    j->wall_ms = s->now.wall;
    for (; j->n < n; j->n++) j->found[j->n].regex = kstr_own(regexes[j->n]);
    return j;
}

void regex_job_free(struct regex_job *j) {
    for (int32_t i = 0; i < j->n; i++) {
        kstr_disown(&j->found[i].regex);
        names_free(&j->found[i].topics);
    }
    kstr_disown(&j->group);
    image_unref(j->image);
    free(j);
}
