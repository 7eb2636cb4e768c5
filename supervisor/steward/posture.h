/* Which walls stand, in words (S4): the layers of the machine and of each running worker, and whether all that is demanded holds. */
#pragma once

#include "../../policy/messages.h"
#include "tenants.h"

#include <jansson.h>
#include <stdbool.h>

/* How much a layer matters. */
enum posture_demand {
    POSTURE_DEMANDED, /* must be on */
    POSTURE_IF_THERE, /* must be on unless the kernel or the machine has none: "unavailable" */
    POSTURE_ADVISED,  /* the machine's owner decides; shown, not demanded */
    POSTURE_EXCUSED,  /* the configuration lets workers run without it; shown, not demanded */
};

struct posture_layer {
    const char *name;
    const char *meaning;
    const char *off; /* what it means when it is not on */
    bool machine;    /* observed on the machine, not in a worker */
};
extern const struct posture_layer posture_layer[LAYER_COUNT];

/* A layer that is not named as an exception is demanded. excused: as in struct message_posture. */
enum posture_demand posture_demand(enum layer layer, uint64_t excused);

/* Whether all demanded layers of the machine, or of a worker, hold. */
bool posture_holds(const uint8_t layer[64], bool machine, uint64_t excused);

/* The same of the machine and of every worker that has proved its walls, or of the one of `only` (NULL = all). host: NULL = the supervisor
 * has not told yet: false. */
bool posture_all_hold(const struct message_posture *host, const struct tenants *tenants, const struct tenants_row *only);

/* {"seccomp": "on", …}: the layers of the machine, or of a worker, that were reported. NULL: no memory. */
json_t *posture_layers(const uint8_t layer[64], bool machine);

/* GET /v1/posture, and /v1/posture/NAME with that one tenant. host as above. NULL: no memory. */
json_t *posture_json(const struct message_posture *host, const struct tenants *tenants, const struct tenants_row *only);
