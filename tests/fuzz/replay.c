/* Gives a fuzz target every file of a folder, each as a test: the kept corpus, without libFuzzer. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

static int replay(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END)) return 0;
    long size = ftell(f);
    rewind(f);
    uint8_t *bytes =
        size > 0 ? malloc((size_t)size) : NULL; /* of exactly that size, for the address sanitizer */
    int read = bytes && fread(bytes, 1, (size_t)size, f) == (size_t)size;
    fclose(f);
    if (read) LLVMFuzzerTestOneInput(bytes, (size_t)size);
    free(bytes);
    return read;
}

int main(int argc, char **argv) {
    int inputs = 0;
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 2;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        if (entry->d_name[0] != '.') inputs += replay(path);
    }
    closedir(folder);
    printf("%d inputs replayed\n", inputs);
    return inputs ? 0 : 1;
}
