/* Loading a shard: the partition's log is read from its start to its end and replayed, on a worker, which
 * owns the shard meanwhile. Offsets of transactions are pending until their marker is read. Source:
 * CoordinatorLoaderImpl. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/kerr.h"
#include "base/log.h"
#include "coord/partition.h"
#include "io/clock.h"
#include "record/control.h"
#include "record/record.h"

enum { READ_LIMIT = 256 << 20, PLAIN_LIMIT = 256 << 20 }; /* bytes: of one read, of one batch decompressed */

static int replay_control(const struct coord_partition *p, const uint8_t *batch, size_t n) {
    struct control_record c;
    if (!batch_count(batch)) return 0; /* what compaction has left of a marker */
    int err = control_read(batch, n, &c);
    if (err) return err;
    if (p->coord->kind->replay_marker && (c.type == CONTROL_COMMIT || c.type == CONTROL_ABORT))
        p->coord->kind->replay_marker(p->shard, batch_producer_id(batch), c.type == CONTROL_COMMIT);
    return 0;
}

static struct kbytes bytes_of(const uint8_t *p, int32_t len) {
    return len < 0 ? KBYTES_NULL : (struct kbytes){.p = p, .len = len};
}

static int replay_batch(struct coord_partition *p, struct codec *codec, const uint8_t *batch, size_t n,
                        struct shard_now now) {
    bool v2 = batch_magic(batch) == 2;
    struct record_iter it;
    struct record r;
    if (v2 && batch_is_control(batch)) return replay_control(p, batch, n);
    int64_t producer_id = v2 ? batch_producer_id(batch) : NO_PRODUCER_ID;
    int err = record_iter_start(&it, codec, batch, n, PLAIN_LIMIT), more = 0;
    while (!err && (more = record_iter_next(&it, &r)) > 0) {
        err = p->coord->kind->replay(p->shard, r.offset, producer_id, bytes_of(r.key, r.key_len),
                                     bytes_of(r.value, r.value_len), now);
        p->loaded_records++;
        if (err) LOG_ERROR("coord", "the record at offset %lld cannot be understood", (long long)r.offset);
    }
    record_iter_end(&it);
    return err ? err : more;
}

static int replay_batches(struct coord_partition *p, struct codec *codec, const uint8_t *bytes, size_t n,
                          struct shard_now now, int64_t *next) {
    for (size_t at = 0; at < n;) {
        int64_t size = batch_peek(bytes + at, n - at);
        if (size <= 0 || (size_t)size > n - at || batch_check(bytes + at, (size_t)size)) return OE_CORRUPT;
        int err = replay_batch(p, codec, bytes + at, (size_t)size, now);
        if (err) return err;
        *next = batch_last_offset(bytes + at) + 1;
        at += (size_t)size;
    }
    return 0;
}

/* Worker. */
static void load(struct job *j) {
    struct coord_partition *p =
        (struct coord_partition *)((char *)j - offsetof(struct coord_partition, load));
    struct coord_log_ops *ops = &p->coord->ops;
    struct codec *codec = codec_create();
    struct strbuf read;
    struct shard_now now = {.mono = p->load_began_ms, .wall = p->load_wall_ms};
    int64_t next = -1;
    strbuf_init(&read, READ_LIMIT);
    do {
        strbuf_reset(&read);
        p->load_result = ops->read(ops->arg, p->index, next, &read);
        if (!p->load_result && !strbuf_ok(&read)) p->load_result = OE_NOMEM;
        if (!p->load_result && read.len)
            p->load_result = replay_batches(p, codec, (const uint8_t *)read.s, read.len, now, &next);
    } while (!p->load_result && read.len && !p->coord->stopped);
    strbuf_free(&read);
    codec_destroy(codec);
    p->written = p->committed = next < 0 ? 0 : next;
}

static void loaded(struct mail *m) {
    struct coord_partition *p =
        (struct coord_partition *)((char *)m - offsetof(struct coord_partition, load.mail));
    struct coord *c = p->coord;
    c->loading--;
    if (p->load_result) {
        p->state = COORD_FAILED;
        LOG_ERROR("coord", "%s-%d cannot be loaded: %s; its %s are not served", c->kind->topic, p->index,
                  oerr_text(p->load_result), c->kind->things);
        if (p->resigned || c->stopped) coord_partition_close(p);
        return;
    }
    p->state = COORD_ACTIVE;
    if (c->kind->metadata && c->image) c->kind->metadata(p->shard, c->image, NULL, 0, false);
    c->kind->loaded(p->shard, coord_now(c));
    if (p->loaded_records)
        LOG_INFO("coord", "%s-%d: loaded %lld records, %lld %s in %lld ms", c->kind->topic, p->index,
                 (long long)p->loaded_records, (long long)c->kind->count(p->shard), c->kind->things,
                 (long long)(loop_now(c->loop) - p->load_began_ms));
    if (p->resigned || c->stopped)
        coord_partition_close(p);
    else
        coord_partition_set_due(p);
}

void coord_load_start(struct coord_partition *p) {
    ASSERT(p->state == COORD_LOADING);
    p->load = (struct job){.work = load, .reply_to = p->coord->loop, .mail.deliver = loaded};
    p->load_began_ms = loop_now(p->coord->loop);
    p->load_wall_ms = loop_wall(p->coord->loop);
    p->coord->loading++;
    workers_submit(p->coord->workers, &p->load);
}
