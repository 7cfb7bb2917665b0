/* Regular expressions that users write, over PCRE2: a pattern is one of Java's (java.util.regex) or of RE2's,
 * and matches a whole text. What the two do not know (recursion, verbs, conditions; for RE2 also looking
 * around and references back) is refused, though PCRE2 could do it.
 *
 * Patterns and texts are UTF-8; a text that is not matches nothing. The work of a match is bounded: what goes
 * beyond matches nothing. A compiled pattern does not change: any thread may use it. */
#ifndef OTTLA_BASE_REGEX_H
#define OTTLA_BASE_REGEX_H

#include <stdbool.h>
#include <stddef.h>

struct regex;

enum regex_syntax { REGEX_JAVA, REGEX_RE2 };
enum { REGEX_WHY = 160 };

/* 0 and *out (regex_free), or OE_INVALID with the reason in `why` (NULL: nobody asks), or OE_LIMIT: longer
 * than REGEX_LONGEST bytes. */
enum { REGEX_LONGEST = 16 << 10 };
int regex_compile(enum regex_syntax syntax, const char *pattern, size_t n, struct regex **out,
                  char why[REGEX_WHY]);
bool regex_matches(const struct regex *r, const char *s, size_t n);
void regex_free(struct regex *r); /* NULL: nothing */

#endif
