#include "holdings.h"

#include "../backup.h"
#include "../crm/answer.h"
#include "../notices.h"
#include "../regions.h"
#include "../support.h"
#include "../tenant.h"
#include "../web/login.h"

#include <string.h>

static json_t *registry(void) {
    const struct message_start *p = &self.profile;
    json_t *hosts = json_array();
    for (uint32_t i = 0; hosts && i < p->host_count; i++)
        json_array_append_new(hosts, json_string(p->host[i]));
    return json_pack("{s:s, s:s, s:s, s:o, s:b, s:I}", "name", p->name, "title", p->title, "region", p->region, "hosts", hosts, "enrolled",
                     (int)p->enrolled, "quota_bytes", (json_int_t)p->quota_bytes);
}

static json_t *counters(void) {
    json_t *all = json_object();
    for (int c = 0; all && c < COUNTER_COUNT; c++) {
        uint64_t value = atomic_load_explicit(&self.counters->value[c], memory_order_relaxed);
        if (json_object_set_new(all, counter_table[c].name, json_integer((json_int_t)value)) == 0) continue;
        json_decref(all);
        all = NULL;
    }
    return all;
}

/* S10: one call tells what the provider holds about the tenant: what each part of it tells by itself, and what no worker knows */
void holdings_get(struct exchange *x, struct request *r) {
    static const char *const none[] = {NULL};
    static const char *const elsewhere[] = {"modules subscribed to, and the day the tenant was created"};
    enum store_result result;
    if (!query_known(x, r, none)) return;
    json_t *support = support_json(r->session, &result);
    if (!support) {
        answer_failure(x, result);
        return;
    }
    json_t *others = json_array();
    for (size_t i = 0; others && i < sizeof elsewhere / sizeof *elsewhere; i++)
        json_array_append_new(others, json_string(elsewhere[i]));
    json_t *ledger = json_pack("{s:I, s:I, s:s, s:s}", "lines", (json_int_t)self.profile.ledger_count, "own",
                               (json_int_t)self.profile.own_count, "heads", "/api/v1/provider-ledger", "read", "/api/v1/provider/ledger");
    json_t *all =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "registry", registry(), "counters", counters(), "ledger", ledger, "notices",
                  notices_json(), "places", places_json(), "snapshots", backup_rows_json(), "support", support, "elsewhere", others);
    if (all)
        respond_json(x, 200, all);
    else
        answer_failure(x, STORE_MEMORY);
}
