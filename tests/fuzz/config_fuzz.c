/* The configuration's parser: what it takes is within its bounds and is taken again the same; what it refuses leaves no trace. */
#include "../../supervisor/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds) abort();
}

static void check(const struct config *c) {
    must(c->run_dir[0] == '/' && strlen(c->run_dir) <= 90 && c->state_dir[0] == '/');
    must(c->max_workers >= 1 && c->max_workers <= TENANTS_MAX);
    must(c->arena_bytes % 4096 == 0 && c->default_quota % 4096 == 0 && c->default_quota > 0);
    must(c->https_port >= 1 && c->https_port <= 65535 && c->uid_base >= 1000);
    must(c->secret_memory == SECRET_MEMORY_REQUIRED || c->secret_memory == SECRET_MEMORY_BEST_EFFORT);
    must(c->listener_count <= LISTENERS_MAX);
    for (uint32_t i = 0; i < c->listener_count; i++) {
        const struct config_listener *l = &c->listener[i];
        must(l->kind == LISTENER_TLS || l->kind == LISTENER_HTTP);
        must(l->port >= 1 && l->port <= 65535 && l->source_count <= SOURCES_MAX && l->proxy == (l->source_count > 0));
        must(l->kind == LISTENER_HTTP || !l->acme_url[0]);
        must(!strpbrk(l->acme_url, "\r\n \""));
        for (uint32_t s = 0; s < l->source_count; s++)
            must(l->source[s].prefix <= 128);
        for (uint32_t j = 0; j < i; j++)
            must(strcmp(l->title, c->listener[j].title) != 0);
    }
    for (int i = 0; i < DUTY_COUNT; i++)
        must(c->duty[i].name[0] && c->duty[i].id == CONFIG_NOBODY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct config first, second, before;
    char error[CONFIG_ERROR_MAX], again[CONFIG_ERROR_MAX];
    setenv("A", "/b", 1);
    memset(&first, 0x5a, sizeof first);
    memset(&before, 0x5a, sizeof before);
    bool taken = config_parse("f", (const char *)data, size, &first, error);
    must(taken == (error[0] == '\0'));
    must(taken == config_parse("f", (const char *)data, size, &second, again) && strcmp(error, again) == 0);
    if (taken) {
        check(&first);
        must(config_needs_restart(&first, &second) == NULL);
    } else {
        must(memcmp(&first, &before, sizeof first) == 0 && strncmp(error, "f:", 2) == 0);
    }
    return 0;
}
