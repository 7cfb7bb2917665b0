/* A node is a file or a directory. A file has two contents, now and durable. A directory has its names now,
 * its durable names, and the changes that lead from the latter to the former; a power cut applies a prefix of
 * them.
 *
 * Nodes live until the disk does: a name that a cut brings back must find its node. */
#include "io/sim_disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/random.h"

enum { SECTOR = 512, NAME = 320 };

struct name {
    char *s;
    struct node *node;
};
struct names {
    struct name *at;
    int count, cap;
};
/* from NULL: to appears; to NULL: from disappears; both: renamed. */
struct change {
    char *from, *to;
    struct node *node;
};
struct node {
    struct node *next;
    uint64_t inode;
    int64_t mtime_ms;
    bool is_dir;
    uint8_t *now, *durable;
    size_t size, cap, durable_size;
    struct names names, durable_names;
    struct change *changes;
    int change_count, change_cap;
};

struct sim_disk {
    struct fs fs; /* first */
    struct node *nodes, *root;
    struct random random;
    uint64_t next_inode;
    int64_t operations, syncs, fault_at, now_ms;
    enum sim_fault fault;
    bool faulted, dead, cut;
    int boot, life;
    struct node *locked;
};
struct sim_file {
    struct file file; /* first */
    struct sim_disk *disk;
    struct node *node;
    int life; /* of the disk when it was opened */
    bool writable;
};

/* ---- names ---- */

static int find_name(const struct names *n, const char *s) {
    for (int i = 0; i < n->count; i++)
        if (!strcmp(n->at[i].s, s)) return i;
    return -1;
}

static void remove_name(struct names *n, const char *s) {
    int i = find_name(n, s);
    if (i < 0) return;
    free(n->at[i].s);
    n->at[i] = n->at[--n->count];
}

static void set_name(struct names *n, const char *s, struct node *node) {
    remove_name(n, s);
    if (n->count == n->cap) {
        n->cap = n->cap ? 2 * n->cap : 8;
        n->at = xrealloc(n->at, (size_t)n->cap * sizeof *n->at);
    }
    n->at[n->count++] = (struct name){xstrdup(s), node};
}

static void apply(struct names *n, const struct change *c) {
    if (c->from) remove_name(n, c->from);
    if (c->to) set_name(n, c->to, c->node);
}

static void drop_changes(struct node *dir) {
    for (int i = 0; i < dir->change_count; i++) {
        free(dir->changes[i].from);
        free(dir->changes[i].to);
    }
    dir->change_count = 0;
}

static void free_names(struct names *n) {
    for (int i = 0; i < n->count; i++) free(n->at[i].s);
    free(n->at);
    *n = (struct names){0};
}

static void change(struct node *dir, const char *from, const char *to, struct node *node) {
    if (dir->change_count == dir->change_cap) {
        dir->change_cap = dir->change_cap ? 2 * dir->change_cap : 8;
        dir->changes = xrealloc(dir->changes, (size_t)dir->change_cap * sizeof *dir->changes);
    }
    struct change c = {from ? xstrdup(from) : NULL, to ? xstrdup(to) : NULL, node};
    dir->changes[dir->change_count++] = c;
    apply(&dir->names, &c);
}

static void sync_names(struct node *dir) {
    for (int i = 0; i < dir->change_count; i++) apply(&dir->durable_names, &dir->changes[i]);
    drop_changes(dir);
}

/* ---- nodes ---- */

static struct node *new_node(struct sim_disk *d, bool is_dir) {
    struct node *n = xcalloc(1, sizeof *n);
    n->is_dir = is_dir;
    n->inode = d->next_inode++;
    n->mtime_ms = d->now_ms;
    n->next = d->nodes;
    d->nodes = n;
    return n;
}

static void resize(struct node *n, size_t size) {
    if (size > n->cap) {
        n->cap = size > 2 * n->cap ? size : 2 * n->cap;
        n->now = xrealloc(n->now, n->cap);
    }
    if (size > n->size) memset(n->now + n->size, 0, size - n->size);
    n->size = size;
}

static void sync_bytes(struct node *n) {
    n->durable = xrealloc(n->durable, n->size + 1);
    if (n->size) memcpy(n->durable, n->now, n->size);
    n->durable_size = n->size;
}

/* The directory that holds the path's last part, and that part. */
static struct node *parent_of(struct sim_disk *d, const char *path, char last[NAME]) {
    struct node *dir = d->root;
    ASSERT(*path == '/');
    for (;;) {
        path += strspn(path, "/");
        size_t n = strcspn(path, "/");
        ASSERT(n < NAME);
        memcpy(last, path, n);
        last[n] = 0;
        path += n;
        if (!path[strspn(path, "/")]) return dir;
        int i = find_name(&dir->names, last);
        if (i < 0 || !dir->names.at[i].node->is_dir) return NULL;
        dir = dir->names.at[i].node;
    }
}

static struct node *lookup(struct sim_disk *d, const char *path) {
    char last[NAME];
    struct node *dir = parent_of(d, path, last);
    if (dir && !last[0]) return dir;
    int i = dir ? find_name(&dir->names, last) : -1;
    return i < 0 ? NULL : dir->names.at[i].node;
}

/* ---- faults ---- */

/* Counts a changing operation: 0 when it may go on, else its error. *part: a write may still do this many of
 * its n bytes. */
static int step(struct sim_disk *d, size_t n, size_t *part) {
    if (part) *part = 0;
    if (d->dead) return OE_IO;
    d->operations++;
    if (!d->fault_at || --d->fault_at) return 0;
    d->faulted = true;
    if (part && n && d->fault >= SIM_SHORT_WRITE) *part = random_below(&d->random, n + 1);
    if (d->fault >= SIM_KILL) d->dead = true;
    d->cut |= d->fault == SIM_POWER_CUT;
    return d->fault == SIM_NOSPC ? OE_NOSPC : OE_IO;
}

static int sync_step(struct sim_disk *d) {
    d->syncs++;
    return step(d, 0, NULL);
}

/* ---- files ---- */

static bool stale(const struct sim_file *f) { return f->disk->dead || f->life != f->disk->life; }

static int64_t sim_pread(struct file *file, void *to, size_t n, int64_t at) {
    struct sim_file *f = (struct sim_file *)file;
    if (stale(f)) return OE_IO;
    if ((uint64_t)at >= f->node->size) return 0;
    if (n > f->node->size - (size_t)at) n = f->node->size - (size_t)at;
    memcpy(to, f->node->now + at, n);
    return (int64_t)n;
}

static void put(struct node *n, const void *bytes, size_t len, int64_t at) {
    if ((size_t)at + len > n->size) resize(n, (size_t)at + len);
    if (len) memcpy(n->now + at, bytes, len);
}

static int sim_pwritev(struct file *file, struct iovec *iov, int count, int64_t at) {
    struct sim_file *f = (struct sim_file *)file;
    size_t n = 0, part;
    if (stale(f)) return OE_IO;
    ASSERT(f->writable);
    for (int i = 0; i < count; i++) n += iov[i].iov_len;
    int err = step(f->disk, n, &part);
    if (!err) part = n;
    for (int i = 0; i < count && part; i++) {
        size_t k = iov[i].iov_len < part ? iov[i].iov_len : part;
        put(f->node, iov[i].iov_base, k, at);
        at += (int64_t)k;
        part -= k;
    }
    f->node->mtime_ms = f->disk->now_ms;
    return err;
}

static int sim_datasync(struct file *file) {
    struct sim_file *f = (struct sim_file *)file;
    if (stale(f)) return OE_IO;
    int err = sync_step(f->disk);
    if (!err) sync_bytes(f->node);
    return err;
}

static int sim_truncate(struct file *file, int64_t size) {
    struct sim_file *f = (struct sim_file *)file;
    if (stale(f)) return OE_IO;
    ASSERT(f->writable);
    int err = step(f->disk, 0, NULL);
    if (err == OE_NOSPC && (size_t)size <= f->node->size) err = 0;
    if (!err) resize(f->node, (size_t)size);
    return err;
}

static int sim_allocate(struct file *file, int64_t size) {
    struct sim_file *f = (struct sim_file *)file;
    return (size_t)size > f->node->size ? sim_truncate(file, size) : 0;
}

static int64_t sim_size(struct file *file) {
    struct sim_file *f = (struct sim_file *)file;
    return stale(f) ? OE_IO : (int64_t)f->node->size;
}

static void sim_close(struct file *file) {
    struct sim_file *f = (struct sim_file *)file;
    if (f->disk->locked == f->node && f->life == f->disk->life) f->disk->locked = NULL;
    free(f);
}

static const struct file_ops sim_file_ops = {sim_pread,    sim_pwritev, sim_datasync, sim_truncate,
                                             sim_allocate, sim_size,    sim_close};

static struct file *open_node(struct sim_disk *d, struct node *n, bool writable) {
    struct sim_file *f = xcalloc(1, sizeof *f);
    f->file.ops = &sim_file_ops;
    f->file.fd = -1;
    atomic_init(&f->file.refs, 1);
    f->disk = d;
    f->node = n;
    f->life = d->life;
    f->writable = writable;
    return &f->file;
}

static int sim_open(struct fs *fs, const char *path, unsigned flags, struct file **f) {
    struct sim_disk *d = (struct sim_disk *)fs;
    char last[NAME];
    if (d->dead) return OE_IO;
    struct node *dir = parent_of(d, path, last);
    int i = dir ? find_name(&dir->names, last) : -1, err;
    if (!dir || (i < 0 && !(flags & FS_CREATE))) return OE_NOTFOUND;
    if (i >= 0 && flags & FS_EXCL) return OE_EXISTS;
    struct node *n = i >= 0 ? dir->names.at[i].node : NULL;
    if (!n) {
        if ((err = step(d, 0, NULL))) return err;
        n = new_node(d, false);
        change(dir, NULL, last, n);
    } else if (flags & FS_TRUNC && n->size) {
        if ((err = step(d, 0, NULL)) && err != OE_NOSPC) return err;
        resize(n, 0);
    }
    if (n->is_dir) return OE_IO;
    *f = open_node(d, n, flags & FS_WRITE);
    return 0;
}

/* ---- directories ---- */

static int sim_rename(struct fs *fs, const char *from, const char *to) {
    struct sim_disk *d = (struct sim_disk *)fs;
    char a[NAME], b[NAME];
    if (d->dead) return OE_IO;
    struct node *dir = parent_of(d, from, a), *dir_to = parent_of(d, to, b);
    int i = dir ? find_name(&dir->names, a) : -1;
    if (i < 0 || !dir_to) return OE_NOTFOUND;
    ASSERT(dir == dir_to); /* nothing of ours moves between directories */
    int err = step(d, 0, NULL);
    if (!err || err == OE_NOSPC) change(dir, a, b, dir->names.at[i].node);
    return err == OE_NOSPC ? 0 : err;
}

static int unlink_kind(struct sim_disk *d, const char *path, bool is_dir) {
    char last[NAME];
    if (d->dead) return OE_IO;
    struct node *dir = parent_of(d, path, last);
    int i = dir ? find_name(&dir->names, last) : -1;
    if (i < 0) return OE_NOTFOUND;
    struct node *n = dir->names.at[i].node;
    if (n->is_dir != is_dir) return OE_IO;
    if (is_dir && n->names.count) return OE_EXISTS;
    int err = step(d, 0, NULL);
    if (!err || err == OE_NOSPC) change(dir, last, NULL, NULL);
    return err == OE_NOSPC ? 0 : err;
}

static int sim_unlink(struct fs *fs, const char *path) {
    return unlink_kind((struct sim_disk *)fs, path, false);
}
static int sim_rmdir(struct fs *fs, const char *path) {
    return unlink_kind((struct sim_disk *)fs, path, true);
}

static int sim_mkdir(struct fs *fs, const char *path) {
    struct sim_disk *d = (struct sim_disk *)fs;
    char last[NAME];
    if (d->dead) return OE_IO;
    struct node *dir = parent_of(d, path, last);
    if (!dir) return OE_NOTFOUND;
    if (find_name(&dir->names, last) >= 0) return OE_EXISTS;
    int err = step(d, 0, NULL);
    if (!err) change(dir, NULL, last, new_node(d, true));
    return err;
}

static int sim_sync_dir(struct fs *fs, const char *path) {
    struct sim_disk *d = (struct sim_disk *)fs;
    struct node *dir = d->dead ? NULL : lookup(d, path);
    if (!dir || !dir->is_dir) return d->dead ? OE_IO : OE_NOTFOUND;
    int err = sync_step(d);
    if (!err) sync_names(dir);
    return err;
}

static int sim_sync_all(struct fs *fs, const char *path) {
    struct sim_disk *d = (struct sim_disk *)fs;
    int err = sync_step(d);
    for (struct node *n = d->nodes; n && !err; n = n->next) {
        if (n->is_dir)
            sync_names(n);
        else
            sync_bytes(n);
    }
    return err;
}

static int sim_list(struct fs *fs, const char *path, void (*each)(void *to, const char *name, bool is_dir),
                    void *to) {
    struct sim_disk *d = (struct sim_disk *)fs;
    struct node *dir = d->dead ? NULL : lookup(d, path);
    if (!dir || !dir->is_dir) return d->dead ? OE_IO : OE_NOTFOUND;
    struct names copy = {0}; /* `each` may delete */
    for (int i = 0; i < dir->names.count; i++) set_name(&copy, dir->names.at[i].s, dir->names.at[i].node);
    for (int i = 0; i < copy.count; i++) each(to, copy.at[i].s, copy.at[i].node->is_dir);
    free_names(&copy);
    return 0;
}

static int sim_stat(struct fs *fs, const char *path, struct fs_stat *st) {
    struct sim_disk *d = (struct sim_disk *)fs;
    struct node *n = d->dead ? NULL : lookup(d, path);
    if (!n) return d->dead ? OE_IO : OE_NOTFOUND;
    *st = (struct fs_stat){(int64_t)n->size, n->mtime_ms, n->inode, n->is_dir};
    return 0;
}

static int sim_lock(struct fs *fs, const char *path, struct file **lock) {
    struct sim_disk *d = (struct sim_disk *)fs;
    int err = sim_open(fs, path, FS_WRITE | FS_CREATE, lock);
    if (err) return err;
    struct node *n = ((struct sim_file *)*lock)->node;
    if (d->locked == n) {
        free(*lock);
        return OE_AGAIN;
    }
    d->locked = n;
    return 0;
}

static void sim_boot_id(struct fs *fs, char id[FS_BOOT_ID]) {
    static const char text[] = "00000000-0000-4000-8000-0000000000";
    int boot = ((struct sim_disk *)fs)->boot % 100;
    memset(id, 0, FS_BOOT_ID);
    memcpy(id, text, sizeof text - 1);
    id[sizeof text - 1] = (char)('0' + boot / 10);
    id[sizeof text] = (char)('0' + boot % 10);
}

static int sim_set_mtime(struct fs *fs, const char *path, int64_t mtime_ms) {
    struct sim_disk *d = (struct sim_disk *)fs;
    struct node *n = d->dead ? NULL : lookup(d, path);
    if (!n) return d->dead ? OE_IO : OE_NOTFOUND;
    int err = step(d, 0, NULL);
    if (err && err != OE_NOSPC) return err;
    n->mtime_ms = mtime_ms;
    return 0;
}

static const struct fs_ops sim_fs_ops = {sim_open,  sim_rename,   sim_unlink,   sim_mkdir,
                                         sim_rmdir, sim_sync_dir, sim_sync_all, sim_list,
                                         sim_stat,  sim_lock,     sim_boot_id,  sim_set_mtime};

/* ---- the disk ---- */

struct sim_disk *sim_disk_create(uint64_t seed) {
    struct sim_disk *d = xcalloc(1, sizeof *d);
    d->fs.ops = &sim_fs_ops;
    d->next_inode = 2;
    random_seed(&d->random, seed);
    d->root = new_node(d, true);
    return d;
}

void sim_disk_destroy(struct sim_disk *d) {
    for (struct node *n = d->nodes, *next; n; n = next) {
        next = n->next;
        drop_changes(n);
        free(n->changes);
        free_names(&n->names);
        free_names(&n->durable_names);
        free(n->now);
        free(n->durable);
        free(n);
    }
    free(d);
}

struct fs *sim_disk_fs(struct sim_disk *d) {
    return &d->fs;
}
void sim_disk_set_time(struct sim_disk *d, int64_t now_ms) { d->now_ms = now_ms; }
bool sim_disk_faulted(const struct sim_disk *d) { return d->faulted; }
int64_t sim_disk_operations(const struct sim_disk *d) { return d->operations; }
int64_t sim_disk_syncs(const struct sim_disk *d) { return d->syncs; }

void sim_disk_fault_at(struct sim_disk *d, int64_t n, enum sim_fault fault) {
    d->fault_at = n;
    d->fault = fault;
    d->faulted = false;
}

void sim_disk_cut(struct sim_disk *d) { d->dead = d->cut = true; }

/* What a cut leaves of a file: all of it, nothing since the sync, or some sectors of each. */
static void cut_file(struct sim_disk *d, struct node *n) {
    uint64_t mode = random_below(&d->random, 4);
    size_t lo = n->size < n->durable_size ? n->size : n->durable_size;
    size_t hi = n->size < n->durable_size ? n->durable_size : n->size, size = n->size;
    if (mode == 0)
        size = n->durable_size;
    else if (mode > 1)
        size = lo + random_below(&d->random, hi - lo + 1);
    uint8_t *left = xcalloc(1, size + 1);
    for (size_t at = 0; at < size; at += SECTOR) {
        bool fresh = mode == 1 || (mode > 1 && random_below(&d->random, 2));
        const uint8_t *from = fresh ? n->now : n->durable;
        size_t have = fresh ? n->size : n->durable_size, end = size < at + SECTOR ? size : at + SECTOR;
        if (end > have) end = have;
        if (end > at) memcpy(left + at, from + at, end - at);
    }
    free(n->now);
    n->now = left;
    n->size = size;
    n->cap = size + 1;
    sync_bytes(n);
}

static void cut_directory(struct sim_disk *d, struct node *n) {
    int keep = (int)random_below(&d->random, (uint64_t)n->change_count + 1);
    for (int i = 0; i < keep; i++) apply(&n->durable_names, &n->changes[i]);
    drop_changes(n);
    free_names(&n->names);
    for (int i = 0; i < n->durable_names.count; i++)
        set_name(&n->names, n->durable_names.at[i].s, n->durable_names.at[i].node);
}

void sim_disk_restart(struct sim_disk *d) {
    if (d->cut) {
        for (struct node *n = d->nodes; n; n = n->next) {
            if (n->is_dir)
                cut_directory(d, n);
            else
                cut_file(d, n);
        }
        d->boot++;
    }
    d->dead = d->cut = false;
    d->life++;
    d->locked = NULL;
    d->fault_at = 0;
}
