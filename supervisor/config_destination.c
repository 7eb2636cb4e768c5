/* Where sealed copies may go, of cloison.conf(5): destinations of backups and archives, places of key capsules. */
#include "../policy/names.h"
#include "config_parse.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_bucket(const char *s) {
    size_t size = strlen(s);
    return size >= 3 && size <= BUCKET_MAX && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") == size && s[0] != '.' && s[0] != '-';
}

/* https://HOST[:PORT], or http:// of this machine itself: credentials and sizes are not shown to a network. */
static bool is_endpoint(const char *s) {
    static const char *const here[] = {"http://127.0.0.1", "http://[::1]", "http://localhost"};
    if (!config_is_url(s)) return false;
    const char *host = strstr(s, "://") + 3;
    if (strpbrk(host, "/@")) return false;
    if (strncmp(s, "https://", 8) == 0) return true;
    for (size_t i = 0; i < sizeof here / sizeof *here; i++) {
        size_t size = strlen(here[i]);
        if (strncmp(s, here[i], size) == 0 && (s[size] == '\0' || s[size] == ':')) return true;
    }
    return false;
}

int config_check_destination(cfg_t *cfg, cfg_opt_t *opt) {
    const char *value = cfg_opt_getnstr(opt, 0), *name = opt->name, *expected = NULL;
    if (strcmp(name, "kind") == 0) {
        if (strcmp(value, "directory") != 0 && strcmp(value, "s3") != 0) expected = "directory or s3";
    } else if (strcmp(name, "same_medium") == 0 || strcmp(name, "archive") == 0 || strcmp(name, "object_lock") == 0) {
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0) expected = "true or false";
    } else if (strcmp(name, "endpoint") == 0) {
        if (!is_endpoint(value)) expected = "https://HOST[:PORT], or http:// of 127.0.0.1, [::1] or localhost";
    } else if (strcmp(name, "bucket") == 0) {
        if (!is_bucket(value)) expected = "a bucket's name: 3 to 63 of a-z, 0-9, dot and hyphen";
    } else if (strcmp(name, "region") == 0 || strcmp(name, "signing_region") == 0) {
        if (!name_is_region(value)) expected = "1 to 32 of a-z, 0-9 and hyphen";
    } else if (!config_is_path(value, PATH_BYTES_MAX)) { /* path, credentials, ca */
        expected = "an absolute path of at most 255 bytes";
    }
    return expected ? config_refuse(cfg, "%s: expected %s, not \"%.64s\"", name, expected, value) : 0;
}

/* What each kind must and may have besides kind and region. */
static const struct {
    const char *name;
    char directory, s3; /* '!' must, '?' may, '-' may not */
    size_t offset;      /* of its text; 0 = not one */
} fields[] = {
    {"path", '!', '-', offsetof(struct config_destination, path)},
    {"same_medium", '?', '-', 0},
    {"archive", '?', '?', 0},
    {"object_lock", '-', '?', 0},
    {"endpoint", '-', '!', offsetof(struct config_destination, endpoint)},
    {"bucket", '-', '!', offsetof(struct config_destination, bucket)},
    {"signing_region", '-', '?', offsetof(struct config_destination, signing_region)},
    {"credentials", '-', '!', offsetof(struct config_destination, credentials)},
    {"ca", '-', '?', offsetof(struct config_destination, ca)},
    {"region", '!', '!', offsetof(struct config_destination, region)},
};

static bool is_true(cfg_t *section, const char *name) {
    const char *value = cfg_getstr(section, name);
    return value && strcmp(value, "true") == 0;
}

static int take_fields(cfg_t *cfg, cfg_t *section, struct config_destination *d) {
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const char *value = cfg_getstr(section, fields[i].name), *kind = cfg_getstr(section, "kind");
        char rule = d->kind == DESTINATION_S3 ? fields[i].s3 : fields[i].directory;
        if (!value && rule == '!') return config_refuse(cfg, "destination \"%s\": expected %s", d->name, fields[i].name);
        if (value && rule == '-')
            return config_refuse(cfg, "destination \"%s\": %s does not go with kind = %s", d->name, fields[i].name, kind);
        /* Every text was measured by config_check_destination(). */
        if (value && fields[i].offset) memcpy((char *)d + fields[i].offset, value, strlen(value) + 1);
    }
    d->same_medium = is_true(section, "same_medium");
    d->archive = is_true(section, "archive");
    d->object_lock = is_true(section, "object_lock");
    if (d->object_lock && !d->archive) /* a backup goes when its plan ends */
        return config_refuse(cfg, "destination \"%s\": object_lock goes with archive = true alone", d->name);
    return 0;
}

int config_finish_destination(cfg_t *cfg, cfg_opt_t *opt) {
    cfg_t *section = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
    const char *name = cfg_title(section), *kind = cfg_getstr(section, "kind");
    struct config *c = &config_now->config;
    struct config_destination d = {.signing_region = "us-east-1"};
    if (!name_is_tenant(name)) return config_refuse(cfg, "destination: expected a name of a-z, 0-9 and hyphen, not \"%.64s\"", name);
    if (c->destination_count == DESTINATIONS_MAX) return config_refuse(cfg, "destination: at most %d", DESTINATIONS_MAX);
    for (uint32_t i = 0; i < c->destination_count; i++)
        if (strcmp(c->destination[i].name, name) == 0) return config_refuse(cfg, "destination \"%s\": given twice", name);
    if (!kind) return config_refuse(cfg, "destination \"%s\": expected kind = directory or kind = s3", name);
    snprintf(d.name, sizeof d.name, "%s", name);
    d.kind = strcmp(kind, "s3") == 0 ? DESTINATION_S3 : DESTINATION_DIRECTORY;
    if (take_fields(cfg, section, &d) < 0) return -1;
    c->destination[c->destination_count++] = d;
    return 0;
}

/* ---- places of key capsules ---- */

int config_check_place(cfg_t *cfg, cfg_opt_t *opt) {
    const char *value = cfg_opt_getnstr(opt, 0);
    bool path = strcmp(opt->name, "path") == 0;
    if (path ? config_is_path(value, PATH_BYTES_MAX) : name_is_region(value)) return 0;
    return config_refuse(cfg, "%s: expected %s, not \"%.64s\"", opt->name,
                         path ? "an absolute path of at most 255 bytes" : "1 to 32 of a-z, 0-9 and hyphen", value);
}

/* S8: a place without a region is refused: where a copy lies is always known */
int config_finish_place(cfg_t *cfg, cfg_opt_t *opt) {
    cfg_t *section = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
    const char *name = cfg_title(section), *path = cfg_getstr(section, "path"), *region = cfg_getstr(section, "region");
    struct config *c = &config_now->config;
    if (!name_is_tenant(name)) return config_refuse(cfg, "capsule_place: expected a name of a-z, 0-9 and hyphen, not \"%.64s\"", name);
    if (!path) return config_refuse(cfg, "capsule_place \"%s\": expected path = DIRECTORY", name);
    if (!region) return config_refuse(cfg, "capsule_place \"%s\": expected region = REGION", name);
    if (c->place_count == PLACES_MAX) return config_refuse(cfg, "capsule_place: at most %d", PLACES_MAX);
    for (uint32_t i = 0; i < c->place_count; i++)
        if (strcmp(c->place[i].name, name) == 0) return config_refuse(cfg, "capsule_place \"%s\": given twice", name);
    struct config_place *place = &c->place[c->place_count++];
    snprintf(place->name, sizeof place->name, "%s", name);
    snprintf(place->path, sizeof place->path, "%s", path);
    snprintf(place->region, sizeof place->region, "%s", region);
    return 0;
}
