/* A topic: its name, its id and its partitions in one array. A topic that an image of an older generation may
 * hold is copied before it is changed (topic_copy: the array, not the partitions); `edit` is the generation
 * that may change it. */
#include "base/assert.h"
#include "base/mem.h"
#include "metadata/objects.h"

#include <stdlib.h>
#include <string.h>

const struct uuid directory_migrating = {{0}};
const struct uuid directory_unassigned = {{[15] = 1}};
const struct uuid directory_lost = {{[15] = 2}};

struct topic *topic_new(const char *name, size_t len, const struct uuid *id, uint64_t edit) {
    bool clashes = memchr(name, '.', len) || memchr(name, '_', len);
    struct topic *t = xcalloc(1, sizeof *t + (len + 1) * (clashes ? 2 : 1));
    atomic_init(&t->refs, 1);
    t->id = *id;
    t->name_len = (int32_t)len;
    t->edit = edit;
    memcpy(t->name, name, len);
    if (clashes) {
        char *clash = t->name + len + 1;
        for (size_t i = 0; i < len; i++) clash[i] = name[i] == '.' ? '_' : name[i];
        t->clash = clash;
    }
    return t;
}

struct topic *topic_copy(const struct topic *t, uint64_t edit) {
    ASSERT(t->edit < edit);
    struct topic *c = topic_new(t->name, (size_t)t->name_len, &t->id, edit);
    c->partitions_n = c->partitions_cap = t->partitions_n;
    c->partitions = xmalloc((size_t)(t->partitions_n + 1) * sizeof(void *));
    for (int32_t i = 0; i < t->partitions_n; i++) {
        c->partitions[i] = t->partitions[i];
        if (c->partitions[i]) object_ref((void *)c->partitions[i]);
    }
    return c;
}

void topic_set_partition(struct topic *t, int32_t index, struct partition *p) {
    ASSERT(index >= 0 && p);
    if (index >= t->partitions_cap) {
        t->partitions_cap = index < 4 ? index + 1 : index + index / 2;
        t->partitions = xrealloc(t->partitions, (size_t)t->partitions_cap * sizeof(void *));
    }
    while (t->partitions_n <= index) t->partitions[t->partitions_n++] = NULL;
    if (t->partitions[index]) object_unref((void *)t->partitions[index]);
    t->partitions[index] = p;
}

struct topic *topic_ref(const struct topic *t) {
    object_ref((void *)t);
    return (struct topic *)t;
}

void topic_unref(struct topic *t) {
    if (!t || !object_last(t)) return;
    for (int32_t i = 0; i < t->partitions_n; i++)
        if (t->partitions[i]) object_unref((void *)t->partitions[i]);
    free(t->partitions);
    free(t);
}

const struct partition *topic_partition(const struct topic *t, int32_t index) {
    return index >= 0 && index < t->partitions_n ? t->partitions[index] : NULL;
}

static const void *name_key(const void *v, size_t *len) {
    const struct topic *t = v;
    *len = (size_t)t->name_len;
    return t->name;
}
static const void *id_key(const void *v, size_t *len) {
    *len = sizeof(struct uuid);
    return ((const struct topic *)v)->id.b;
}
static const void *clash_key(const void *v, size_t *len) {
    const struct topic *t = v;
    ASSERT(t->clash);
    *len = (size_t)t->name_len;
    return t->clash;
}
static void unref(void *v) { topic_unref(v); }

const struct pmap_kind topic_by_name_kind = {name_key, object_ref, unref};
const struct pmap_kind topic_by_id_kind = {id_key, object_ref, unref};
const struct pmap_kind topic_by_clash_kind = {clash_key, object_ref, unref};
