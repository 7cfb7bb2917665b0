/* Hostile bytes: each golden sample cut at every byte and mutated at random, behind a page that cannot be
 * read, with little memory. A prefix never decodes (it is OE_SHORT or OE_MALFORMED); a mutation may, and then
 * check_message's promises hold. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "base/random.h"
#include "check_message.h"
#include "golden.h"

enum { SPACE = 1 << 20, PAGE = 64 << 10, MEMORY = 256 << 10, MUTATIONS = 40, CLOSE_LOOK = 600 };

struct hostile {
    uint8_t *guard; /* the first byte that must not be read */
    struct random random;
    long prefixes, mutations, decoded;
};

/* The bytes, ending at the guard page. */
static uint8_t *place(struct hostile *h, const uint8_t *bytes, size_t n) {
    ASSERT(n <= SPACE);
    return n ? memcpy(h->guard - n, bytes, n) : h->guard;
}

static void prefixes(struct hostile *h, const struct golden_sample *s) {
    /* Long samples repeat themselves: after the first bytes of them, some cuts are enough. */
    for (int32_t n = 0; n < s->len; n += n < CLOSE_LOOK ? 1 : s->len / CLOSE_LOOK + 1, h->prefixes++) {
        int err = check_message(s->message, s->version, place(h, s->bytes, (size_t)n), (size_t)n, MEMORY);
        if (err == OE_SHORT || err == OE_MALFORMED) continue;
        printf("%s version %d sample %d cut to %d bytes: %d\n", s->message->name, s->version, s->number, n,
               err);
        exit(1);
    }
}

static void mutate(struct hostile *h, uint8_t *p, size_t n) {
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe};
    for (uint64_t changes = 1 + random_below(&h->random, 4); changes; changes--) {
        size_t at = random_below(&h->random, n);
        switch (random_below(&h->random, 3)) {
        case 0: p[at] ^= (uint8_t)(1u << random_below(&h->random, 8)); break;
        case 1: p[at] = edges[random_below(&h->random, sizeof edges)]; break;
        default: p[at] = (uint8_t)random_u64(&h->random); break;
        }
    }
}

static void check(const struct golden_sample *s, void *context) {
    struct hostile *h = context;
    prefixes(h, s);
    for (int i = 0; i < MUTATIONS && s->len; i++, h->mutations++) {
        size_t n = (size_t)s->len;
        uint8_t *p = place(h, s->bytes, n);
        mutate(h, p, n);
        if (!check_message(s->message, s->version, p, n, MEMORY)) h->decoded++;
    }
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    struct hostile h = {0};
    uint8_t *space = mmap(NULL, SPACE + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (space == MAP_FAILED || mprotect(space + SPACE, PAGE, PROT_NONE)) return 2;
    h.guard = space + SPACE;
    random_seed(&h.random, 1);
    int samples = golden_each(argv[1], check, &h);
    printf("%d samples, %ld prefixes, %ld mutations of which %ld decoded\n", samples, h.prefixes, h.mutations,
           h.decoded);
    munmap(space, SPACE + PAGE);
    return samples && h.decoded ? 0 : 1;
}
