/* Writes the golden samples as inputs of fuzz_messages: a file each in a folder. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/wire/golden.h"

enum { LARGEST = 1000 };

static void write_seed(const struct golden_sample *s, void *folder) {
    char path[4096];
    uint8_t head[3] = {0, 0, (uint8_t)(s->version - s->message->first)};
    for (int i = 0; i < messages_n; i++)
        if (messages[i] == s->message) put_u16(head, (uint16_t)i);
    if (s->len > LARGEST) return;
    snprintf(path, sizeof path, "%s/%s-%d", (const char *)folder, s->message->name, s->number);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(head, sizeof head, 1, f) != 1 ||
        fwrite(s->bytes, 1, (size_t)s->len, f) != (size_t)s->len) {
        perror(path);
        exit(1);
    }
    fclose(f);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    printf("%d samples\n", golden_each(argv[1], write_seed, argv[2]));
    return 0;
}
