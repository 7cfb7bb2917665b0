/* ottla: one binary, a verb a file in cli/. */
#include <stdio.h>

int main(void) {
    puts("ottla " OTTLA_VERSION);
    return 0;
}
