/* Regular expressions in RE2's syntax, matched in time linear to the text. Groups match topics by them
 * (KIP-848). The reference uses RE2/J, RE2's port to Java, so the library is RE2 itself: PCRE2 (regex.h) has
 * another syntax, and patterns that it gives up on. This is the only C++ in the project; libstdc++ is there
 * for snappy anyway. Immutable once compiled: any thread may match. */
#ifndef OTTLA_BASE_RE2_H
#define OTTLA_BASE_RE2_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct re2_pattern;

/* NULL: not a regular expression; *error then says why, in the words of RE2/J. */
struct re2_pattern *re2_compile(const char *pattern, size_t len, const char **error);
/* Whether the whole text matches. */
bool re2_matches(const struct re2_pattern *r, const char *text, size_t len);
void re2_free(struct re2_pattern *r); /* NULL: nothing */

#ifdef __cplusplus
}
#endif

#endif
