/* The JSON body of create and set: what is taken is what policy/names.h lets a registry hold, and fits the message. */
#include "../../policy/channel.h"
#include "../../policy/names.h"
#include "../../supervisor/steward/act.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds) {
    if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    union message m = {.act = {.head = {.type = MESSAGE_STEWARD_ACT}}};
    struct act_problem problem = {0};
    if (size == 0) return 0;
    bool creating = data[0] & 1;
    if (!act_read((const char *)data + 1, size - 1, creating, &m.act, &problem)) {
        demand(problem.detail != NULL);
        return 0;
    }
    const struct message_act *a = &m.act;
    demand(creating ? name_is_tenant(a->name) && (a->set & ACT_HOSTS) : a->name[0] == 0 && a->set != 0);
    demand(name_is_title(a->title) && name_is_modules(a->modules));
    demand(!(a->set & ACT_REGION) == !a->region[0] && (!a->region[0] || name_is_region(a->region)));
    demand(!(a->set & ACT_HOSTS) == !a->host_count && a->host_count <= TENANT_HOSTS_MAX);
    for (uint32_t i = 0; i < a->host_count; i++)
        demand(name_is_host(a->host[i]));
    demand(!(a->set & ACT_QUOTA) == !a->quota_bytes && a->quota_bytes % 4096 == 0);
    demand(channel_check(&m, sizeof m.act, 0, CHANNEL_STEWARD, CHANNEL_SUPERVISOR) == CHANNEL_OK);
    return 0;
}
