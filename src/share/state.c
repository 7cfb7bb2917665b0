/* What is kept for a share partition, the records that change it, and the checks before them.
 *
 *    key   0 ShareSnapshotKey, 1 ShareUpdateKey: type (int16), then group, topic id, partition
 *    value version (int16) 0, then the message; a tombstone of type 0 ends a share partition
 *
 *  1. State changes only in replay.
 *  2. snapshots holds each share partition by the offset of its last snapshot; `redundant` is the smallest of
 * them as it was after the last snapshot: before it the log says nothing that counts.
 *  3. The highest leader and state epochs that were ever seen fence off older ones; a snapshot may hold lower
 * ones (Initialize begins at leader epoch 0). */
#include "share/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/hashmap.h"
#include "base/heap.h"
#include "base/kerr.h"
#include "base/mem.h"
#include "records/share.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum {
    SCRATCH = 192 << 20, /* of one step: a request is smaller than half of it */
    START_UNKNOWN = -1,
    COMPLETE_UNKNOWN = -1,
};

/* What is known, as a snapshot says it. */
struct known {
    int32_t snapshot_epoch, state_epoch, leader_epoch, delivery_complete;
    int64_t start_offset, created_ms, written_ms;
    struct state_batches batches; /* sorted */
};

struct entry {
    struct heap_node snapshot; /* key: offset of the last one */
    struct known known;
    int32_t updates; /* records since a snapshot was due */
    int32_t top_leader_epoch, top_state_epoch;
    bool counted; /* in `snapshots`: there was a snapshot */
    struct kstr group;
    struct uuid topic;
    int32_t partition;
    size_t id_len;
    uint8_t id[]; /* topic, partition, group: the map's key; group points into it */
};

struct share_state {
    const struct share_state_config *config;
    const struct share_state_env *env;
    int32_t partition;
    struct hashmap entries;
    struct heap snapshots;
    int64_t redundant; /* −1: unknown */
    int64_t pruned;
    int64_t prune_at, cold_at; /* monotonic */
    struct arena scratch;      /* of the running step, and its records */
    struct shard_record *records;
    int32_t records_n, records_cap;
    struct state_batches merged; /* kept for its memory */
};

struct prune {
    int64_t offset;
};

struct share_state *share_state_create(const struct share_state_config *config,
                                       const struct share_state_env *env, int32_t partition, uint64_t seed) {
    struct share_state *s = xcalloc(1, sizeof *s);
    *s = (struct share_state){
        .config = config, .env = env, .partition = partition, .redundant = -1, .pruned = -1};
    s->prune_at = s->cold_at = INT64_MAX;
    hashmap_init(&s->entries, seed);
    arena_init(&s->scratch, SCRATCH);
    return s;
}

static void entry_free(struct share_state *s, struct entry *e) {
    if (heap_has(&e->snapshot)) heap_remove(&s->snapshots, &e->snapshot);
    state_batches_free(&e->known.batches);
    free(e);
}

void share_state_free(struct share_state *s) {
    struct hashmap_entry *h;
    for (size_t i = 0; (h = hashmap_next(&s->entries, &i));) entry_free(s, h->value);
    hashmap_free(&s->entries);
    heap_free(&s->snapshots);
    state_batches_free(&s->merged);
    arena_free(&s->scratch);
    free(s->records);
    free(s);
}

int64_t share_state_count(const struct share_state *s) { return (int64_t)s->entries.count; }

/* ---- keys ---- */

struct kstr share_state_key(struct kstr group, const struct uuid *topic, int32_t partition,
                            struct arena *arena) {
    char id[UUID_TEXT];
    char *text =
        arena_printf(arena, "%.*s:%s:%d", (int)group.len, group.s, uuid_format(topic, id), partition);
    return kstr_of(text);
}

struct id {
    size_t len;
    uint8_t *bytes;
};

static struct id id_of(struct share_state *s, struct kstr group, const struct uuid *topic,
                       int32_t partition) {
    struct id id = {.len = sizeof *topic + sizeof partition + (size_t)(group.len > 0 ? group.len : 0)};
    id.bytes = arena_alloc(&s->scratch, id.len);
    ASSERT(id.bytes); /* a group's name is a short string */
    memcpy(id.bytes, topic, sizeof *topic);
    memcpy(id.bytes + sizeof *topic, &partition, sizeof partition);
    if (group.len > 0) memcpy(id.bytes + sizeof *topic + sizeof partition, group.s, (size_t)group.len);
    return id;
}

static struct entry *find(struct share_state *s, struct kstr group, const struct uuid *topic,
                          int32_t partition) {
    struct id id = id_of(s, group, topic, partition);
    return hashmap_get(&s->entries, id.bytes, id.len);
}

static struct entry *find_or_make(struct share_state *s, struct kstr group, const struct uuid *topic,
                                  int32_t partition) {
    struct id id = id_of(s, group, topic, partition);
    struct entry *e = hashmap_get(&s->entries, id.bytes, id.len);
    if (e) return e;
    e = xcalloc(1, sizeof *e + id.len);
    memcpy(e->id, id.bytes, id.len);
    *e = (struct entry){.topic = *topic,
                        .partition = partition,
                        .id_len = id.len,
                        .group = {(char *)e->id + sizeof *topic + sizeof partition, group.len},
                        .top_leader_epoch = -1,
                        .top_state_epoch = -1};
    memcpy(e->id, id.bytes, id.len);
    hashmap_put(&s->entries, e->id, e->id_len, e);
    return e;
}

/* ---- replay ---- */

static void raise_to(int32_t *top, int32_t epoch) {
    if (epoch > *top) *top = epoch;
}

/* The snapshot at `offset` counts for e now, and no earlier one. */
static void move_snapshot(struct share_state *s, struct entry *e, int64_t offset) {
    if (heap_has(&e->snapshot)) heap_remove(&s->snapshots, &e->snapshot);
    e->snapshot.key = offset;
    heap_insert(&s->snapshots, &e->snapshot);
    s->redundant = heap_min(&s->snapshots)->key;
}

static void end_entry(struct share_state *s, struct entry *e) {
    hashmap_del(&s->entries, e->id, e->id_len);
    entry_free(s, e);
}

static void replay_snapshot(struct share_state *s, struct entry *e, const struct share_snapshot_value *v,
                            int64_t offset) {
    struct known *k = &e->known;
    raise_to(&e->top_leader_epoch, v->leader_epoch);
    raise_to(&e->top_state_epoch, v->state_epoch);
    k->snapshot_epoch = v->snapshot_epoch;
    k->state_epoch = v->state_epoch;
    k->leader_epoch = v->leader_epoch;
    k->delivery_complete = v->delivery_complete_count;
    k->start_offset = v->start_offset;
    k->created_ms = v->create_timestamp;
    k->written_ms = v->write_timestamp;
    k->batches.n = 0;
    for (int32_t i = 0; i < v->state_batches_n; i++) {
        const struct share_snapshot_value_state_batch *b = &v->state_batches[i];
        state_batches_add(&k->batches, (struct state_batch){b->first_offset, b->last_offset,
                                                            b->delivery_count, b->delivery_state});
    }
    if (e->updates >= s->config->snapshot_updates) e->updates = 0;
    move_snapshot(s, e, offset);
}

static void replay_update(struct share_state *s, struct entry *e, const struct share_update_value *v) {
    struct known *k = &e->known;
    struct state_batches more = {0}, old = k->batches;
    raise_to(&e->top_leader_epoch, v->leader_epoch);
    for (int32_t i = 0; i < v->state_batches_n; i++) {
        const struct share_update_value_state_batch *b = &v->state_batches[i];
        state_batches_add(&more, (struct state_batch){b->first_offset, b->last_offset, b->delivery_count,
                                                      b->delivery_state});
    }
    if (v->start_offset != START_UNKNOWN) k->start_offset = v->start_offset;
    if (v->leader_epoch != -1) k->leader_epoch = v->leader_epoch;
    k->delivery_complete = v->delivery_complete_count;
    state_batches_combine(old.v, old.n, more.v, more.n, k->start_offset, &s->merged);
    k->batches = s->merged;
    s->merged = old; /* its memory for the next time */
    e->updates++;
    state_batches_free(&more);
}

static int replay_value(struct share_state *s, int16_t type, const struct share_snapshot_key *k,
                        struct reader *r, int64_t offset) {
    struct share_snapshot_value snapshot;
    struct share_update_value update;
    int err = type == SHARE_SHARE_SNAPSHOT ? share_snapshot_value_decode(&snapshot, r, 0, &s->scratch)
                                           : share_update_value_decode(&update, r, 0, &s->scratch);
    if (err) return OE_CORRUPT;
    struct entry *e = find_or_make(s, k->group_id, &k->topic_id, k->partition);
    if (type == SHARE_SHARE_SNAPSHOT)
        replay_snapshot(s, e, &snapshot, offset);
    else if (heap_has(&e->snapshot))
        replay_update(s, e, &update);
    else { /* an update whose snapshot was cut off: all that is known */
        e->known.snapshot_epoch = update.snapshot_epoch;
        e->known.start_offset = update.start_offset;
        e->known.leader_epoch = update.leader_epoch;
        replay_update(s, e, &update);
    }
    return 0;
}

static int replay(struct share_state *s, int64_t offset, struct kbytes key, struct kbytes value) {
    struct reader r = reader_of(key.p, key.len > 0 ? (size_t)key.len : 0);
    struct share_snapshot_key k;
    int16_t type = read_i16(&r);
    if (r.err) return OE_CORRUPT;
    if (type != SHARE_SHARE_SNAPSHOT && type != SHARE_SHARE_UPDATE) return 0; /* of a later release */
    if (share_snapshot_key_decode(&k, &r, 0, &s->scratch)) return OE_CORRUPT; /* both keys are the same */
    if (value.len < 0) {
        struct entry *e = find(s, k.group_id, &k.topic_id, k.partition);
        if (type != SHARE_SHARE_SNAPSHOT) return 0;
        if (!e) e = find_or_make(s, k.group_id, &k.topic_id, k.partition);
        move_snapshot(s, e, offset);
        end_entry(s, e);
        return 0;
    }
    r = reader_of(value.p, (size_t)value.len);
    if (read_i16(&r) != 0) return r.err ? OE_CORRUPT : 0; /* a later version */
    return replay_value(s, type, &k, &r, offset);
}

int share_state_replay(struct share_state *s, int64_t offset, struct kbytes key, struct kbytes value) {
    /* A step's records lie in the scratch memory, too: they are replayed before the next step begins. */
    struct arena step = s->scratch;
    arena_init(&s->scratch, SCRATCH);
    int err = replay(s, offset, key, value);
    arena_free(&s->scratch);
    s->scratch = step;
    return err;
}

void share_state_loaded(struct share_state *s, struct shard_now now) {
    s->prune_at = now.mono + s->config->prune_interval_ms;
    s->cold_at = now.mono + s->config->cold_interval_ms;
}

/* ---- records ---- */

static void begin_step(struct share_state *s, struct shard_result *result) {
    arena_reset(&s->scratch);
    s->records_n = 0;
    *result = (struct shard_result){.replay = true};
}

static bool encode_key(struct share_state *s, struct kbytes *to, int16_t type, struct kstr group,
                       const struct uuid *topic, int32_t partition) {
    struct share_snapshot_key k = {.group_id = group, .topic_id = *topic, .partition = partition};
    size_t size = 2 + share_snapshot_key_size(&k, 0);
    struct writer w;
    uint8_t *room = arena_alloc(&s->scratch, size);
    if (!room) return false;
    writer_init_with(&w, room, size, size);
    write_i16(&w, type);
    share_snapshot_key_encode(&k, &w, 0);
    ASSERT(!w.err);
    *to = (struct kbytes){room, (int32_t)size};
    return true;
}

static struct shard_record *add_record(struct share_state *s) {
    if (s->records_n == s->records_cap) {
        s->records_cap = s->records_cap ? 2 * s->records_cap : 8;
        s->records = xrealloc(s->records, (size_t)s->records_cap * sizeof *s->records);
    }
    struct shard_record *r = &s->records[s->records_n++];
    *r = (struct shard_record){.value = KBYTES_NULL};
    return r;
}

static bool write_tombstone(struct share_state *s, const struct entry *e) {
    struct shard_record *r = add_record(s);
    return encode_key(s, &r->key, SHARE_SHARE_SNAPSHOT, e->group, &e->topic, e->partition);
}

static bool write_snapshot(struct share_state *s, struct kstr group, const struct uuid *topic,
                           int32_t partition, const struct known *k) {
    struct shard_record *r = add_record(s);
    struct share_snapshot_value v = {
        .snapshot_epoch = k->snapshot_epoch,
        .state_epoch = k->state_epoch,
        .leader_epoch = k->leader_epoch,
        .start_offset = k->start_offset,
        .delivery_complete_count = k->delivery_complete,
        .create_timestamp = k->created_ms,
        .write_timestamp = k->written_ms,
        .state_batches_n = (int32_t)k->batches.n,
    };
    v.state_batches = arena_calloc(&s->scratch, k->batches.n + 1, sizeof *v.state_batches);
    if (!v.state_batches) return false;
    for (size_t i = 0; i < k->batches.n; i++)
        v.state_batches[i] =
            (struct share_snapshot_value_state_batch){k->batches.v[i].first, k->batches.v[i].last,
                                                      k->batches.v[i].state, k->batches.v[i].delivery_count};
    size_t size = 2 + share_snapshot_value_size(&v, 0);
    uint8_t *room = arena_alloc(&s->scratch, size);
    if (!room) return false;
    struct writer w;
    writer_init_with(&w, room, size, size);
    write_i16(&w, 0);
    share_snapshot_value_encode(&v, &w, 0);
    ASSERT(!w.err);
    r->value = (struct kbytes){room, (int32_t)size};
    return encode_key(s, &r->key, SHARE_SHARE_SNAPSHOT, group, topic, partition);
}

static bool write_update(struct share_state *s, const struct entry *e, const struct known *k) {
    struct shard_record *r = add_record(s);
    struct share_update_value v = {
        .snapshot_epoch = k->snapshot_epoch,
        .leader_epoch = k->leader_epoch,
        .start_offset = k->start_offset,
        .delivery_complete_count = k->delivery_complete,
        .state_batches_n = (int32_t)k->batches.n,
    };
    v.state_batches = arena_calloc(&s->scratch, k->batches.n + 1, sizeof *v.state_batches);
    if (!v.state_batches) return false;
    for (size_t i = 0; i < k->batches.n; i++)
        v.state_batches[i] =
            (struct share_update_value_state_batch){k->batches.v[i].first, k->batches.v[i].last,
                                                    k->batches.v[i].state, k->batches.v[i].delivery_count};
    size_t size = 2 + share_update_value_size(&v, 0);
    uint8_t *room = arena_alloc(&s->scratch, size);
    if (!room) return false;
    struct writer w;
    writer_init_with(&w, room, size, size);
    write_i16(&w, 0);
    share_update_value_encode(&v, &w, 0);
    ASSERT(!w.err);
    r->value = (struct kbytes){room, (int32_t)size};
    return encode_key(s, &r->key, SHARE_SHARE_UPDATE, e->group, &e->topic, e->partition);
}

/* The next record of a share partition: an update, or the snapshot that is due. */
static bool write_change(struct share_state *s, const struct entry *e, const struct share_state_request *in,
                         int32_t leader_epoch, struct shard_now now) {
    const struct known *had = &e->known;
    struct known k = {.snapshot_epoch = had->snapshot_epoch,
                      .state_epoch = had->state_epoch,
                      .leader_epoch = leader_epoch,
                      .start_offset = in->start_offset,
                      .delivery_complete = in->delivery_complete};
    bool ok;
    if (e->updates >= s->config->snapshot_updates) {
        k.snapshot_epoch++;
        k.created_ms = k.written_ms = now.wall;
        if (k.start_offset == START_UNKNOWN) k.start_offset = had->start_offset;
        state_batches_combine(had->batches.v, had->batches.n, in->batches, in->batches_n, k.start_offset,
                              &k.batches);
        ok = write_snapshot(s, e->group, &e->topic, e->partition, &k);
    } else {
        state_batches_combine(NULL, 0, in->batches, in->batches_n, k.start_offset, &k.batches);
        ok = write_update(s, e, &k);
    }
    state_batches_free(&k.batches);
    return ok;
}

/* ---- requests ---- */

struct share_state_response *share_state_error(int16_t error, const char *why, struct arena *arena) {
    struct share_state_response *r = arena_calloc(arena, 1, sizeof *r);
    if (r) {
        r->error = error;
        r->why = why;
    }
    return r;
}

static const char missing_topic[] = "the topic or partition does not exist";

static int16_t check_topic(struct share_state *s, const struct share_state_request *in, const char **why) {
    if (s->env->exists(s->env->arg, &in->topic, in->partition)) return 0;
    *why = missing_topic;
    return KERR_UNKNOWN_TOPIC_OR_PARTITION;
}

static int16_t check(struct share_state *s, enum share_state_api api, const struct share_state_request *in,
                     const struct entry *e, const char **why) {
    if (in->partition < 0) {
        *why = "a partition cannot be negative";
        return KERR_INVALID_REQUEST;
    }
    bool reads = api == SHARE_STATE_READ, writes = api == SHARE_STATE_WRITE;
    if ((reads || writes) && !e) {
        *why = "the share partition's state was not initialized";
        return KERR_INVALID_REQUEST;
    }
    if ((reads || writes) && in->leader_epoch != -1 && e->top_leader_epoch > in->leader_epoch) {
        *why = "the leader epoch is older than the last one";
        return KERR_FENCED_LEADER_EPOCH;
    }
    if ((writes || api == SHARE_STATE_INITIALIZE) && e && in->state_epoch != -1 &&
        e->top_state_epoch > in->state_epoch) {
        *why = "the state epoch is older than the last one";
        return KERR_FENCED_STATE_EPOCH;
    }
    for (size_t i = 0; writes && i < in->batches_n; i++) {
        if (state_batch_valid(&in->batches[i])) continue;
        *why = "a range of offsets ends before it begins";
        return KERR_INVALID_REQUEST;
    }
    return check_topic(s, in, why);
}

static bool initialize(struct share_state *s, const struct share_state_request *in, const struct entry *e,
                       struct shard_now now) {
    struct known k = {
        .snapshot_epoch = e ? e->known.snapshot_epoch + 1 : 0,
        .state_epoch = in->state_epoch,
        .start_offset = in->start_offset,
        .delivery_complete = in->start_offset == START_UNKNOWN ? COMPLETE_UNKNOWN : 0,
        .created_ms = now.wall,
        .written_ms = now.wall,
    };
    return write_snapshot(s, in->group, &in->topic, in->partition, &k);
}

static bool read_state(struct share_state *s, const struct share_state_request *in, const struct entry *e,
                       struct arena *arena, struct share_state_response *out, struct shard_now now) {
    const struct known *k = &e->known;
    out->state_epoch = k->state_epoch;
    out->start_offset = k->start_offset;
    out->batches_n = k->batches.n;
    if (k->batches.n) {
        out->batches = arena_memdup(arena, k->batches.v, k->batches.n * sizeof *k->batches.v);
        if (!out->batches) return false;
    }
    if (in->leader_epoch == -1 || e->top_leader_epoch == in->leader_epoch) return true;
    struct share_state_request same = {.start_offset = k->start_offset,
                                       .delivery_complete = k->delivery_complete};
    return write_change(s, e, &same, in->leader_epoch, now);
}

static void summarize(const struct entry *e, struct share_state_response *out) {
    out->start_offset = e ? e->known.start_offset : START_UNKNOWN;
    out->delivery_complete = e ? e->known.delivery_complete : COMPLETE_UNKNOWN;
    out->leader_epoch = e ? e->known.leader_epoch : 0;
    out->state_epoch = e ? e->known.state_epoch : 0;
}

static bool act(struct share_state *s, enum share_state_api api, const struct share_state_request *in,
                const struct entry *e, struct arena *arena, struct share_state_response *out,
                struct shard_now now) {
    switch (api) {
    case SHARE_STATE_INITIALIZE: return initialize(s, in, e, now);
    case SHARE_STATE_READ: return read_state(s, in, e, arena, out, now);
    case SHARE_STATE_WRITE: return write_change(s, e, in, e->known.leader_epoch, now);
    case SHARE_STATE_DELETE: return !e || write_tombstone(s, e);
    case SHARE_STATE_SUMMARY: summarize(e, out); return true;
    }
    return false;
}

void share_state_step(struct share_state *s, enum share_state_api api, const struct share_state_request *in,
                      struct arena *arena, struct shard_now now, struct shard_result *result) {
    begin_step(s, result);
    result->answer = true;
    const struct entry *e = find(s, in->group, &in->topic, in->partition);
    struct share_state_response *out = arena_calloc(arena, 1, sizeof *out);
    result->response = out;
    if (!out) return;
    out->error = check(s, api, in, e, &out->why);
    if (out->error) return;
    if (!act(s, api, in, e, arena, out, now)) {
        s->records_n = 0;
        out->error = KERR_UNKNOWN_SERVER_ERROR;
        out->why = "the state is too large";
        return;
    }
    result->records = s->records;
    result->records_n = s->records_n;
    result->atomic = true;
}

/* ---- on its own ---- */

static void hand_over(struct share_state *s, struct shard_result *result) {
    result->records = s->records;
    result->records_n = s->records_n;
}

void share_state_topics_deleted(struct share_state *s, const struct uuid *ids, int32_t n,
                                struct shard_now now, struct shard_result *result) {
    struct hashmap_entry *h;
    begin_step(s, result);
    for (size_t i = 0; (h = hashmap_next(&s->entries, &i));) {
        const struct entry *e = h->value;
        for (int32_t t = 0; t < n; t++)
            if (uuid_equal(&e->topic, &ids[t]) && !write_tombstone(s, e)) s->records_n--;
    }
    hand_over(s, result);
}

/* Unless all were snapshotted while cold, those that nobody wrote a snapshot of for the interval get one. */
static void snapshot_cold(struct share_state *s, struct shard_now now) {
    struct hashmap_entry *h;
    bool any_warm = false;
    for (size_t i = 0; (h = hashmap_next(&s->entries, &i)) && !any_warm;) {
        const struct entry *e = h->value;
        any_warm = e->known.created_ms == e->known.written_ms;
    }
    if (!any_warm) return;
    for (size_t i = 0; (h = hashmap_next(&s->entries, &i));) {
        const struct entry *e = h->value;
        if (now.wall - e->known.written_ms < s->config->cold_interval_ms) continue;
        struct known k = e->known;
        k.snapshot_epoch++;
        k.written_ms = now.wall;
        if (!write_snapshot(s, e->group, &e->topic, e->partition, &k)) s->records_n--;
    }
}

int64_t share_state_deadline(const struct share_state *s) {
    return s->prune_at < s->cold_at ? s->prune_at : s->cold_at;
}

bool share_state_tick(struct share_state *s, struct shard_now now, struct shard_result *result) {
    begin_step(s, result);
    if (s->cold_at <= now.mono) {
        s->cold_at = now.mono + s->config->cold_interval_ms;
        snapshot_cold(s, now);
        hand_over(s, result);
        return true;
    }
    if (s->prune_at > now.mono) return false;
    s->prune_at = now.mono + s->config->prune_interval_ms;
    if (s->redundant > 0 && s->redundant != s->pruned) {
        struct prune *p = xcalloc(1, sizeof *p);
        p->offset = s->redundant;
        result->after = p; /* once what that rests on is committed */
    }
    return true;
}

void share_state_written(struct share_state *s, void *after, int16_t error) {
    struct prune *p = after;
    if (!p) return;
    if (!error) {
        s->pruned = p->offset;
        s->env->prune(s->env->arg, s->partition, p->offset);
    }
    free(p);
}
