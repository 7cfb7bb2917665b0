/* The control thread: owns the metadata log (kraft) and the controller, runs their commands one after
 * another, and publishes the images that come of them. It may block on the disk; network loops never do, they
 * send it a request and get it back. */
#ifndef OTTLA_SERVER_CONTROL_H
#define OTTLA_SERVER_CONTROL_H

#include <pthread.h>

#include "controller/controller.h"
#include "io/loop.h"
#include "kraft/node.h"
#include "server/request.h"

struct node;

struct control {
    struct loop *loop;
    struct node *node;
    pthread_t thread;
    struct kraft *kraft;
    struct controller *controller;
    struct timer tick; /* kraft's */
    struct mail cordon;
    bool cordoning;
};

/* A command: runs on the control thread; fills the response that it will finish with and adds records. */
typedef void control_command(struct control *c, struct request *r, struct record_list *records);

struct control *control_create(struct node *node);
/* The steps of a start, on the caller's thread: opens the metadata log and loads the image, the node becomes
 * the leader of its quorum; registers as a broker (fenced); is unfenced when it serves; then the thread
 * begins. 0, or an error with *why (to be freed).
 *
 * All of it becomes durable at once. On a first start the thread does that before its first command, while
 * connections are answered already: whatever can be promised on a node without topics takes a command. Else
 * control_start does it, because clients of the topics that are there may be promised something at once. */
int control_open(struct control *c, struct kraft_options *options, char **why);
int control_register(struct control *c, char **why);
void control_unfence(struct control *c);
/* Control thread, or before it runs: the controller soon learns which directories take no new replicas. */
void control_cordon(struct control *c);
/* Control thread: no log is left that a crash had left to be recovered. */
void control_recovered(struct control *c);
void control_start(struct control *c);
/* Ends the thread, waits for it; then the broker leaves: controlled shutdown, fenced. */
void control_stop(struct control *c);
/* Closes the metadata log. */
void control_destroy(struct control *c);

/* Network loop. Runs `command` on the control thread, commits its records, publishes, then calls `finish` on
 * the request's loop; the image and replicas are then those of after the command. */
void control_submit(struct request *r, control_command *command, void (*finish)(struct request *r));
/* Control thread: commits and publishes. 0 or OE_LIMIT (the list is too large); any other failure ends the
 * process, because a node whose metadata log has failed cannot go on. */
int control_commit(struct control *c, const struct record_list *records);
/* Control thread: the quorum's kraft.version, in the log and for everyone to see. A failure ends the process,
 * as above. */
void control_raise_kraft_version(struct control *c, int16_t version);

#endif
