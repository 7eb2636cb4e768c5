/* What a person wants: the JSON body of a request as a message to the supervisor. Pure. */
#pragma once

#include "../../policy/duties.h"
#include "../../policy/messages.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct act_problem {
    char field[40];     /* the member that is wrong, cut; "" = the body as a whole */
    const char *detail; /* static text */
};

/* false, with *problem: `field` (NULL = the body as a whole), and what was expected, a static text. */
bool act_wrong(struct act_problem *problem, const char *field, const char *detail);

/* One member of a body into *act; `how` is the caller's. false: *problem says why. */
typedef bool act_take(const char *key, json_t *value, int how, struct message_act *act, struct act_problem *problem);

/* Reads a JSON object whose members are each taken, none of them twice. false: *problem says why. */
bool act_members(const char *body, size_t size, act_take *take, int how, struct message_act *act, struct act_problem *problem);
/* The same where there may be no body at all, which is an object without members. */
bool act_members_if_any(const char *body, size_t size, act_take *take, int how, struct message_act *act, struct act_problem *problem);

/* Reads {"name", "hosts": […], "title", "modules": […], "region", "quota"} into name, title, …, set of a zeroed *act. creating: name and
 * hosts are required and "restore": true may be given; otherwise name is refused and at least one other member is needed. quota is in bytes
 * and rounded up to whole pages. false: *problem says why. */
bool act_read(const char *body, size_t size, bool creating, struct message_act *act, struct act_problem *problem);

/* Reads the body of lock ({"tokens": bool}, or none at all) and of capsule-copy and capsule-forget ({"place"}) into *act. */
bool act_read_option(const char *body, size_t size, enum verb verb, struct message_act *act, struct act_problem *problem);

/* The name of an enum act_field's member, NULL = none. */
const char *act_field_name(uint32_t field);
