/* What every verb needs: its last words. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>

static void say(const char *format, va_list args) {
    fflush(stdout); /* in the order in which it happened, when both are one terminal */
    fputs("ottla: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int cli_fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    return CLI_FAILED;
}

int cli_wrong_usage(const char *format, ...) {
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    return CLI_USAGE;
}
