/* What a log should hold: every batch that was appended, in order, and what follows from them. */
#ifndef OTTLA_TESTS_CRASH_MODEL_H
#define OTTLA_TESTS_CRASH_MODEL_H

#include <stdio.h>
#include <stdlib.h>

#include "storage/logdir.h"

extern char crash_context[256]; /* printed when a check fails */
#define CHECK(x)                                                                                             \
    do {                                                                                                     \
        if (!(x)) {                                                                                          \
            fprintf(stderr, "%s:%d: %s\n  in %s\n", __FILE__, __LINE__, #x, crash_context);                  \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

struct model_batch {
    uint8_t *bytes;
    size_t len;
    int64_t base, last;
};
struct model {
    struct model_batch *batches;
    int count, cap;
    int64_t written, flushed, start; /* offsets that must be there; the start that was set */
    int64_t epochs_from;             /* the highest start ever set */
    int64_t floor;                   /* all was lost below it: the log goes on from there */
};

void model_add(struct model *m, const uint8_t *bytes, size_t len);
void model_cut(struct model *m, int64_t end); /* forgets batches at or above */
void model_copy(struct model *to, const struct model *from);
void model_free(struct model *m);
int64_t model_end(const struct model *m);

/* Does the log hold a prefix of the model that reaches at least `least`? All of it is read and looked up.
 * alternative: another history that would be right as well, or NULL. Returns which of them it was. */
const struct model *model_verify(const struct model *m, const struct model *alternative, struct log *l,
                                 int64_t least);

#endif
