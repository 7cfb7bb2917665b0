/* What the controller asks about configurations, answered with config/. Control thread. */
#ifndef OTTLA_SERVER_CONFIG_HOOKS_H
#define OTTLA_SERVER_CONFIG_HOOKS_H

#include "controller/controller.h"

struct node;

struct controller_hooks config_hooks(struct node *n);

#endif
