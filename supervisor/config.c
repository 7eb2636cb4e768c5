#include "../policy/cohort.h"
#include "../policy/names.h"
#include "config_parse.h"
#include "ledger.h"
#include "proof.h"
#include "registry.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libconfuse reads sections, strings and lists; what a string may be is in the table below. */
struct config_parse *config_now;

/* --- the options that are one value --- */

enum kind { PATH, RUN_PATH, COUNT, SECONDS, SIZE, ACCOUNT, SECRET_MEMORY, REGION, CGROUP, PEER, MAIL, MODE };
struct option {
    const char *name;
    enum kind kind;
    size_t offset;
    uint64_t least, most; /* COUNT, SECONDS, SIZE */
};
#define AT(field)    offsetof(struct config, field)
#define RUN_PATH_MAX 90 /* a socket's address has 108 bytes */
#define MIB          ((uint64_t)1 << 20)

static const struct option options[] = {
    {"run_dir", RUN_PATH, AT(run_dir), 0, 0},
    {"state_dir", PATH, AT(state_dir), 0, 0},
    {"binaries", PATH, AT(binaries), 0, 0},
    {"uid_base", COUNT, AT(uid_base), 1000, 4294900000},
    {"uid_count", COUNT, AT(uid_count), 2, 16777216},
    {"router_uid", ACCOUNT, AT(router_uid), 0, 0},
    {"router_gid", ACCOUNT, AT(router_gid), 0, 0},
    {"steward_uid", ACCOUNT, AT(steward_uid), 0, 0},
    {"steward_gid", ACCOUNT, AT(steward_gid), 0, 0},
    {"courier_uid", ACCOUNT, AT(courier_uid), 0, 0},
    {"courier_gid", ACCOUNT, AT(courier_gid), 0, 0},
    {"mail_relay", PEER, AT(mail_relay), 0, 0},
    {"mail_from", MAIL, AT(mail_from), 0, 0},
    {"notice_days", COUNT, AT(notice_days), 0, NOTICE_DAYS_MAX},
    {"proxy_group", ACCOUNT, AT(proxy_group), 0, 0},
    {"max_workers", COUNT, AT(max_workers), 1, TENANTS_MAX},
    {"idle_seconds", SECONDS, AT(idle_ms), 0, 2592000},
    {"sample_seconds", SECONDS, AT(sample_ms), 1, 3600},
    {"secret_memory", SECRET_MEMORY, AT(secret_memory), 0, 0},
    {"arena_bytes", SIZE, AT(arena_bytes), 4 * MIB, 4096 * MIB},
    {"default_quota", SIZE, AT(default_quota), MIB, REGISTRY_QUOTA_MAX},
    {"ledger_file_max", SIZE, AT(ledger_file_max), 64 << 10, 1024 * MIB},
    {"mode", MODE, AT(mode), 0, 0},
    {"region", REGION, AT(region), 0, 0},
    {"https_port", COUNT, AT(https_port), 1, 65535},
    {"cgroup", CGROUP, AT(cgroup), 0, 0},
    {"memory_max", SIZE, AT(limits.memory_max), 32 * MIB, REGISTRY_QUOTA_MAX},
    {"pids_max", COUNT, AT(limits.pids_max), 4, 32768},
    {"cpu_weight", COUNT, AT(limits.cpu_weight), 1, 10000},
    {"io_weight", COUNT, AT(limits.io_weight), 1, 10000},
    {"per_source", COUNT, AT(per_source), 1, 1000000},
    {"per_tenant", COUNT, AT(per_tenant), 1, 1000000},
    {"per_source_rate", COUNT, AT(per_source_rate), 1, 1000000},
    {"connections", COUNT, AT(connections), 1, 1000000},
    {"zones", PATH, AT(zones), 0, 0},
    {"support_certificate", PATH, AT(support_certificate), 0, 0},
    {"support_days", COUNT, AT(support_days), 1, 3660},
    {"publish_threshold", COUNT, AT(publish_threshold), COHORT_THRESHOLD, TENANTS_MAX},
    {"publish_seconds", COUNT, AT(publish_seconds), 2, 31 * 86400},
};
enum { OPTIONS = sizeof options / sizeof *options };

/* C12: what the configuration does not open is closed */
static void set_defaults(struct config *c) {
    *c = (struct config){
        .run_dir = "/run/cloison",
        .state_dir = "/var/lib/cloison",
        .uid_base = 2000000000,
        .uid_count = 65536,
        .router_uid = {.name = "cloison-router", .id = CONFIG_NOBODY},
        .router_gid = {.id = CONFIG_NOBODY},
        .steward_uid = {.name = "cloison-steward", .id = CONFIG_NOBODY},
        .steward_gid = {.id = CONFIG_NOBODY},
        .courier_uid = {.name = "cloison-courier", .id = CONFIG_NOBODY},
        .courier_gid = {.id = CONFIG_NOBODY},
        .proxy_group = {.name = "cloison-proxy", .id = CONFIG_NOBODY},
        .notice_days = 30,
        .max_workers = 200,
        .idle_ms = 300000,
        .sample_ms = 10000,
        .secret_memory = SECRET_MEMORY_REQUIRED,
        .arena_bytes = 8 * MIB,
        .default_quota = 1024 * MIB,
        .ledger_file_max = LEDGER_FILE_MAX,
        .mode = MODE_SHARED,
        .region = "local",
        .https_port = 443,
        .cgroup = "auto",
        .limits = {.memory_max = 512 * MIB, .pids_max = 32, .cpu_weight = 100, .io_weight = 100},
        .per_source = 64,
        .per_tenant = 2048,
        .per_source_rate = 50,
        .connections = 1024,
        .publish_threshold = COHORT_THRESHOLD,
        .support_days = 90,
        .publish_seconds = 86400,
    };
    for (int i = 0; i < DUTY_COUNT; i++) {
        snprintf(c->duty[i].name, sizeof c->duty[i].name, "%s", duty_table[i].group);
        c->duty[i].id = CONFIG_NOBODY;
    }
}

int config_refuse(const cfg_t *cfg, const char *format, ...) {
    va_list arguments;
    if (*config_now->error) return -1;
    int used = snprintf(config_now->error, CONFIG_ERROR_MAX, "%s:%d: ", config_now->file, cfg->line);
    if (used < 0 || used >= CONFIG_ERROR_MAX) return -1;
    va_start(arguments, format);
    vsnprintf(config_now->error + used, (size_t)(CONFIG_ERROR_MAX - used), format, arguments);
    va_end(arguments);
    return -1;
}

static void told_by_confuse(cfg_t *cfg, const char *format, va_list arguments) {
    char text[CONFIG_ERROR_MAX / 2];
    vsnprintf(text, sizeof text, format, arguments);
    config_refuse(cfg, "%s", text);
}

/* --- values --- */

bool config_read_decimal(const char *s, const char **end, uint64_t *out) {
    size_t digits = strspn(s, "0123456789");
    *end = s + digits;
    *out = 0;
    for (size_t i = 0; i < digits && digits <= 18; i++)
        *out = *out * 10 + (uint64_t)(s[i] - '0');
    return digits > 0 && digits <= 18;
}

static bool read_count(const char *s, const struct option *o, uint64_t *out) {
    const char *end;
    return config_read_decimal(s, &end, out) && !*end && *out >= o->least && *out <= o->most;
}

/* Bytes with K, M, G or T behind; a multiple of 4096. */
static bool read_size(const char *s, const struct option *o, uint64_t *out) {
    const char *end, *unit;
    if (!config_read_decimal(s, &end, out)) return false;
    if (*end) {
        unit = strchr("KMGT", *end);
        if (!unit || end[1]) return false;
        for (long i = unit - "KMGT" + 1; i > 0; i--)
            if (__builtin_mul_overflow(*out, (uint64_t)1024, out)) return false;
    }
    return *out % 4096 == 0 && *out >= o->least && *out <= o->most;
}

bool config_is_path(const char *s, size_t most) {
    size_t size = strlen(s);
    if (s[0] != '/' || size > most || !text_is_utf8(s, size)) return false;
    for (size_t i = 0; i < size; i++)
        if ((uint8_t)s[i] < 0x20 || s[i] == 0x7f) return false;
    return true;
}

bool config_is_url(const char *s) {
    size_t size = strlen(s);
    const char *host = strncmp(s, "http://", 7) == 0 ? s + 7 : strncmp(s, "https://", 8) == 0 ? s + 8 : NULL;
    if (!host || !*host || *host == '/' || size > PATH_BYTES_MAX) return false;
    for (size_t i = 0; i < size; i++)
        if (s[i] <= ' ' || s[i] >= 0x7f || strchr("\"<>\\^`{|}#?", s[i])) return false;
    return true;
}

/* A user or group: a number, or a name that useradd(8) would take. */
static bool is_account(const char *s) {
    size_t size = strlen(s);
    const char *end;
    uint64_t id;
    if (size == 0 || size > CONFIG_ACCOUNT_MAX) return false;
    if (config_read_decimal(s, &end, &id) && !*end) return id < CONFIG_NOBODY;
    return !(s[0] >= '0' && s[0] <= '9') && s[0] != '-' &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == size;
}

bool config_read_peer(const char *s, struct config_peer *out) {
    const char *colon = strrchr(s, ':'), *end;
    uint64_t port;
    if (!colon || !config_read_decimal(colon + 1, &end, &port) || *end || port == 0 || port > 65535) return false;
    bool bracketed = s[0] == '[' && colon > s + 2 && colon[-1] == ']';
    size_t size = (size_t)(colon - s) - (bracketed ? 2 : 0);
    if (size == 0 || size > HOST_MAX) return false;
    memcpy(out->host, s + bracketed, size);
    memset(out->host + size, 0, sizeof out->host - size);
    out->port = (uint32_t)port;
    struct in6_addr v6;
    if (bracketed) return inet_pton(AF_INET6, out->host, &v6) == 1;
    return strspn(out->host, "abcdefghijklmnopqrstuvwxyz0123456789.-") == size && !strchr(".-", out->host[0]);
}

static void put_account(struct config_account *account, const cfg_t *cfg, const char *value) {
    *account = (struct config_account){.line = (uint32_t)cfg->line, .id = CONFIG_NOBODY};
    snprintf(account->name, sizeof account->name, "%s", value);
}

static int take_number(cfg_t *cfg, const struct option *o, const char *value, void *field) {
    uint64_t n;
    if (o->kind == SIZE ? !read_size(value, o, &n) : !read_count(value, o, &n)) {
        const char *what = o->kind == SIZE      ? "bytes (a multiple of 4096; K, M, G or T may follow)"
                           : o->kind == SECONDS ? "seconds"
                                                : "a number";
        return config_refuse(cfg, "%s: expected %s from %llu to %llu, not \"%.64s\"", o->name, what, (unsigned long long)o->least,
                             (unsigned long long)o->most, value);
    }
    if (o->kind == COUNT)
        *(uint32_t *)field = (uint32_t)n;
    else
        *(uint64_t *)field = o->kind == SECONDS ? n * 1000 : n;
    return 0;
}

static int take_value(cfg_t *cfg, const struct option *o, const char *value, void *field) {
    const char *expected = NULL;
    switch (o->kind) {
    case COUNT:
    case SECONDS:
    case SIZE:
        return take_number(cfg, o, value, field);
    case ACCOUNT:
        if (!is_account(value)) expected = "a user's or group's name or number";
        break;
    case PATH:
        if (!config_is_path(value, PATH_BYTES_MAX)) expected = "an absolute path of at most 255 bytes";
        break;
    case RUN_PATH:
        if (!config_is_path(value, RUN_PATH_MAX)) expected = "an absolute path of at most 90 bytes";
        break;
    case REGION:
        if (!name_is_region(value)) expected = "1 to 32 of a-z, 0-9 and hyphen";
        break;
    case CGROUP:
        if (strcmp(value, "auto") != 0 && strcmp(value, "off") != 0 && !config_is_path(value, PATH_BYTES_MAX))
            expected = "auto, off or an absolute path";
        break;
    case PEER:
        if (!config_read_peer(value, field)) expected = "\"HOST:PORT\" or \"[IPV6]:PORT\"";
        break;
    case MAIL:
        if (!name_is_mail_address(value)) expected = "a mail address of at most 254 bytes";
        break;
    case MODE:
        if (!mode_of(value)) expected = "shared, dedicated or on-premise";
        break;
    case SECRET_MEMORY:
        if (strcmp(value, "required") != 0 && strcmp(value, "best-effort") != 0) expected = "required or best-effort";
        break;
    }
    if (expected) return config_refuse(cfg, "%s: expected %s, not \"%.64s\"", o->name, expected, value);
    if (o->kind == PEER) return 0;
    if (o->kind == ACCOUNT)
        put_account(field, cfg, value);
    else if (o->kind == MODE)
        *(enum mode *)field = (enum mode)mode_of(value);
    else if (o->kind == SECRET_MEMORY)
        *(enum secret_memory *)field = value[0] == 'r' ? SECRET_MEMORY_REQUIRED : SECRET_MEMORY_BEST_EFFORT;
    else
        memcpy(field, value, strlen(value) + 1); /* every kind of text was measured above */
    return 0;
}

static int take_option(cfg_t *cfg, cfg_opt_t *opt) {
    for (size_t i = 0; i < OPTIONS; i++) {
        if (strcmp(options[i].name, opt->name) != 0) continue;
        if (config_now->seen >> i & 1) return config_refuse(cfg, "%s: given twice", opt->name);
        config_now->seen |= (uint64_t)1 << i;
        return take_value(cfg, &options[i], cfg_opt_getnstr(opt, 0), (char *)&config_now->config + options[i].offset);
    }
    return config_refuse(cfg, "%s: no such option", opt->name);
}

/* --- layers --- */

/* Only a worker's own layers, up to its cgroup's limits: what the machine lacks stops nothing anyway. */
static int check_allow_missing(cfg_t *cfg, cfg_opt_t *opt) {
    const char *value = cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);
    for (int i = 0; i <= LAYER_cgroup_limits; i++)
        if (strcmp(layer_name((enum layer)i), value) == 0) {
            config_now->config.allow_missing |= (uint64_t)1 << i;
            return 0;
        }
    return config_refuse(cfg, "allow_missing: expected layers like landlock or net_namespace, not \"%.64s\"", value);
}

/* --- duties --- */

static int check_group(cfg_t *cfg, cfg_opt_t *opt) {
    const char *value = cfg_opt_getnstr(opt, 0);
    struct config_account *account = NULL;
    for (int i = 0; i < DUTY_COUNT; i++)
        if (strcmp(duty_table[i].name, cfg_title(cfg)) == 0) account = &config_now->config.duty[i];
    if (!account) return config_refuse(cfg, "duty: there is no duty \"%.64s\"", cfg_title(cfg));
    if (!is_account(value)) return config_refuse(cfg, "group: expected a group's name or number, not \"%.64s\"", value);
    if (account->line) return config_refuse(cfg, "duty \"%s\": given twice", cfg_title(cfg));
    put_account(account, cfg, value);
    return 0;
}

static int finish_duty(cfg_t *cfg, cfg_opt_t *opt) {
    const cfg_t *section = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
    return cfg_getstr((cfg_t *)section, "group") ? 0
                                                 : config_refuse(cfg, "duty \"%.64s\": expected group = NAME", cfg_title((cfg_t *)section));
}

/* --- the file --- */

/* A copy with blanks for comments, since libconfuse counts their lines twice. NULL with the error told: a NUL byte, a `${`, for which
 * libconfuse would put in what the environment says, or a brace that the end of the file closes, as it would let it: the file was cut. */
static char *without_comments(const char *file, const char *text, size_t size, char *error) {
    char *copy = malloc(size + 1), quote = '\0';
    int line = 1, opened = 0, depth = 0;
    bool comment = false, escaped = false;
    for (size_t i = 0; copy && i < size; i++) {
        char c = text[i];
        if (c == '\n') {
            line++;
            comment = false;
        } else if (!quote && c == '#') {
            comment = true;
        }
        if (!c || (c == '$' && i + 1 < size && text[i + 1] == '{' && !comment)) {
            snprintf(error, CONFIG_ERROR_MAX, "%s:%d: %s", file, line, c ? "${...} has no meaning here" : "a NUL byte");
            free(copy);
            return NULL;
        }
        copy[i] = comment ? ' ' : c;
        if (!quote && copy[i] == '{' && depth++ == 0) opened = line;
        if (!quote && copy[i] == '}') depth--;
        if (comment || escaped)
            escaped = false;
        else if (quote && c == '\\')
            escaped = true;
        else if (quote ? c == quote : c == '"' || c == '\'')
            quote = quote ? '\0' : c;
    }
    if (!copy) snprintf(error, CONFIG_ERROR_MAX, "%s: %s", file, strerror(errno));
    if (!copy || quote || depth <= 0) return copy;
    snprintf(error, CONFIG_ERROR_MAX, "%s:%d: this brace is not closed", file, opened);
    free(copy);
    return NULL;
}

static bool run_confuse(char *text, size_t size) {
    cfg_opt_t listener[] = {CFG_STR("kind", NULL, CFGF_NODEFAULT), CFG_STR("proxy", NULL, CFGF_NODEFAULT),
                            CFG_STR_LIST("from", NULL, CFGF_NODEFAULT), CFG_STR("acme", NULL, CFGF_NODEFAULT), CFG_END()};
    cfg_opt_t duty[] = {CFG_STR("group", NULL, CFGF_NODEFAULT), CFG_END()};
    cfg_opt_t place[] = {CFG_STR("path", NULL, CFGF_NODEFAULT), CFG_STR("region", NULL, CFGF_NODEFAULT), CFG_END()};
    cfg_opt_t destination[] = {CFG_STR("kind", NULL, CFGF_NODEFAULT),
                               CFG_STR("path", NULL, CFGF_NODEFAULT),
                               CFG_STR("same_medium", NULL, CFGF_NODEFAULT),
                               CFG_STR("endpoint", NULL, CFGF_NODEFAULT),
                               CFG_STR("bucket", NULL, CFGF_NODEFAULT),
                               CFG_STR("region", NULL, CFGF_NODEFAULT),
                               CFG_STR("signing_region", NULL, CFGF_NODEFAULT),
                               CFG_STR("credentials", NULL, CFGF_NODEFAULT),
                               CFG_STR("ca", NULL, CFGF_NODEFAULT),
                               CFG_STR("archive", NULL, CFGF_NODEFAULT),
                               CFG_STR("object_lock", NULL, CFGF_NODEFAULT),
                               CFG_END()};
    cfg_opt_t root[OPTIONS + 6] = {CFG_SEC("listener", listener, CFGF_MULTI | CFGF_TITLE), CFG_SEC("duty", duty, CFGF_MULTI | CFGF_TITLE)};
    for (size_t i = 0; i < OPTIONS; i++)
        root[i + 2] = (cfg_opt_t)CFG_STR(options[i].name, NULL, CFGF_NODEFAULT);
    root[OPTIONS + 2] = (cfg_opt_t)CFG_STR_LIST("allow_missing", NULL, CFGF_NODEFAULT);
    root[OPTIONS + 3] = (cfg_opt_t)CFG_SEC("capsule_place", place, CFGF_MULTI | CFGF_TITLE);
    root[OPTIONS + 4] = (cfg_opt_t)CFG_SEC("destination", destination, CFGF_MULTI | CFGF_TITLE);
    root[OPTIONS + 5] = (cfg_opt_t)CFG_END();
    root[OPTIONS + 2].validcb = check_allow_missing;
    for (size_t i = 0; listener[i].name; i++)
        listener[i].validcb = config_check_listener;
    duty[0].validcb = check_group;
    for (size_t i = 0; place[i].name; i++)
        place[i].validcb = config_check_place;
    root[OPTIONS + 3].validcb = config_finish_place;
    for (size_t i = 0; destination[i].name; i++)
        destination[i].validcb = config_check_destination;
    root[OPTIONS + 4].validcb = config_finish_destination;
    root[0].validcb = config_finish_listener;
    root[1].validcb = finish_duty;
    for (size_t i = 0; i < OPTIONS; i++)
        root[i + 2].validcb = take_option;

    cfg_t *cfg = cfg_init(root, CFGF_NONE);
    FILE *stream = cfg && size ? fmemopen(text, size, "r") : NULL;
    if (cfg) cfg_set_error_function(cfg, told_by_confuse);
    bool fine = cfg && (!size || (stream && cfg_parse_fp(cfg, stream) == CFG_SUCCESS));
    if (!fine && !*config_now->error) snprintf(config_now->error, CONFIG_ERROR_MAX, "%s: cannot be parsed", config_now->file);
    if (stream) fclose(stream);
    if (cfg) cfg_free(cfg);
    return fine && !*config_now->error;
}

bool config_parse(const char *file, const char *text, size_t size, struct config *out, char error[CONFIG_ERROR_MAX]) {
    struct config_parse parse = {.file = file, .error = error};
    error[0] = '\0';
    if (size > CONFIG_FILE_MAX) {
        snprintf(error, CONFIG_ERROR_MAX, "%s: larger than %d bytes", file, CONFIG_FILE_MAX);
        return false;
    }
    char *bare = without_comments(file, text, size, error);
    if (!bare) return false;
    set_defaults(&parse.config);
    config_now = &parse;
    bool fine = run_confuse(bare, size);
    config_now = NULL;
    free(bare);
    if (fine) *out = parse.config;
    return fine;
}
