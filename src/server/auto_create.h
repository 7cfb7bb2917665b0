/* Creates topics that clients ask for and that do not exist: by Metadata (auto.create.topics.enable) and for
 * the coordinators' own topics. In the background; whoever asked asks again. Source:
 * DefaultAutoTopicCreationManager. */
#ifndef OTTLA_SERVER_AUTO_CREATE_H
#define OTTLA_SERVER_AUTO_CREATE_H

#include <stdbool.h>

#include "wire/types.h"

struct auto_create;
struct create_topics_request_creatable_topic;
struct node;
struct request;

bool auto_create_enabled(const struct node *n);
/* Loop thread. One list of names; submit gives it up (an empty one does nothing). Names that are in the
 * making already, or exist when their turn comes, are left out. The coordinators' topics get their own
 * settings. `r`: whose quota on changes of topics counts. */
struct auto_create *auto_create_begin(struct request *r);
/* Any thread: the node asks for itself, and nobody's quota counts. */
struct auto_create *auto_create_begin_own(struct node *n);
void auto_create_add(struct auto_create *c, struct kstr name);
/* As the topic says. What goes wrong is kept for keep_ms in the node's topic_errors, whose
 * topic_errors_begin has let the topic through. */
void auto_create_add_topic(struct auto_create *c, const struct create_topics_request_creatable_topic *topic,
                           int64_t keep_ms);
void auto_create_submit(struct auto_create *c);

#endif
