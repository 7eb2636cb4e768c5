/* What a person wants of a tenant: the JSON body of create and set as a message to the supervisor. Pure. */
#pragma once

#include "../../policy/duties.h"
#include "../../policy/messages.h"

#include <stdbool.h>
#include <stddef.h>

struct act_problem {
    char field[40];     /* the member that is wrong, cut; "" = the body as a whole */
    const char *detail; /* static text */
};

/* Reads {"name", "hosts": […], "title", "modules": […], "region", "quota"} into name, title, …, set of a zeroed *act. creating: name and
 * hosts are required and "restore": true may be given; otherwise name is refused and at least one other member is needed. quota is in bytes
 * and rounded up to whole pages. false: *problem says why. */
bool act_read(const char *body, size_t size, bool creating, struct message_act *act, struct act_problem *problem);

/* Reads the body of lock ({"tokens": bool}, or none at all) and of capsule-copy and capsule-forget ({"place"}) into *act. */
bool act_read_option(const char *body, size_t size, enum verb verb, struct message_act *act, struct act_problem *problem);

/* The name of an enum act_field's member, NULL = none. */
const char *act_field_name(uint32_t field);
