#include "registry.h"

#include "../policy/hex.h"
#include "../policy/names.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The file: lines of fields with a tab between them. The last field of each is `check=` and the SHA-256 of the whole file before that
 * field, so that damage is found at its line and no line can be left out.
 *   cloison-registry version=1 uid_base=2000000000 next=3 check=...
 *   tenant number=1 name=acme hosts=acme.example,crm.acme.example title=... ... check=...
 *   end tenants=1 check=...
 * A tenant's last fields, from places=a,b on, are written only when they say something: they came later.
 */
enum { VERSION = 1, LINE_MAX_BYTES = 8192, CHECK_HEX = 64, CHECK_SIZE = 6 + CHECK_HEX /* check=… */ };

struct registry {
    int directory;
    uint32_t uid_base, uid_count;
    uint32_t next; /* the number of the next tenant */
    size_t count;
    struct registry_tenant *tenant[TENANTS_MAX]; /* by rising number */
};

/* --- what a tenant may be --- */

static bool ends(const char *s, size_t room) { return memchr(s, '\0', room) != NULL; }

static bool hosts_are_fine(const struct registry_tenant *t) {
    if (t->host_count == 0 || t->host_count > TENANT_HOSTS_MAX) return false;
    for (uint32_t i = 0; i < t->host_count; i++) {
        if (!ends(t->host[i], sizeof t->host[i]) || !name_is_host(t->host[i])) return false;
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(t->host[i], t->host[j]) == 0) return false;
    }
    return true;
}

static bool places_are_fine(const struct registry_tenant *t) {
    if (t->place_count > COPIES_MAX) return false;
    for (uint32_t i = 0; i < t->place_count; i++) {
        if (!ends(t->place[i], sizeof t->place[i]) || !name_is_tenant(t->place[i])) return false;
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(t->place[i], t->place[j]) == 0) return false;
    }
    return true;
}

uint32_t registry_bad_field(const struct registry_tenant *t) {
    if (!ends(t->name, sizeof t->name) || !name_is_tenant(t->name)) return UINT32_MAX;
    if (!ends(t->title, sizeof t->title) || !name_is_title(t->title)) return ACT_TITLE;
    if (!ends(t->modules, sizeof t->modules) || !name_is_modules(t->modules)) return ACT_MODULES;
    if (!ends(t->region, sizeof t->region) || !name_is_region(t->region)) return ACT_REGION;
    if (!hosts_are_fine(t)) return ACT_HOSTS;
    if (!places_are_fine(t)) return ACT_PLACE;
    if (!ends(t->contact, sizeof t->contact) || (t->contact[0] && !name_is_mail_address(t->contact))) return ACT_CONTACT;
    if (!ends(t->entity, sizeof t->entity) || !name_is_title(t->entity)) return ACT_ENTITY;
    if (!region_bound_is_fine(&t->bound)) return ACT_REGION;
    return t->quota_bytes == 0 || t->quota_bytes % 4096 || t->quota_bytes > REGISTRY_QUOTA_MAX ? ACT_QUOTA : 0;
}

/* A code is used up by the enrolment, and what is not there is zero. */
static void settle(struct registry_tenant *t) {
    if (t->enrolled) t->has_code = false;
    if (!t->has_code) memset(t->code_hash, 0, sizeof t->code_hash);
}

/* --- lookups --- */

const struct registry_tenant *registry_by_number(const struct registry *r, uint32_t number) {
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (r->tenant[middle]->number == number) return r->tenant[middle];
        if (r->tenant[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct registry_tenant *registry_by_name(const struct registry *r, const char *name) {
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->tenant[i]->name, name) == 0) return r->tenant[i];
    return NULL;
}

const struct registry_tenant *registry_by_host(const struct registry *r, const char *host) {
    for (size_t i = 0; i < r->count; i++)
        for (uint32_t h = 0; h < r->tenant[i]->host_count; h++)
            if (!r->tenant[i]->contract.gone_ms && strcmp(r->tenant[i]->host[h], host) == 0) return r->tenant[i];
    return NULL;
}

size_t registry_count(const struct registry *r) { return r->count; }
const struct registry_tenant *registry_at(const struct registry *r, size_t i) { return r->tenant[i]; }

/* Whether another tenant has this name or one of these hosts. */
static enum registry_result find_clash(const struct registry *r, const struct registry_tenant *t) {
    const struct registry_tenant *other = registry_by_name(r, t->name);
    if (other && other->number != t->number) return REGISTRY_NAME_TAKEN;
    for (uint32_t i = 0; i < t->host_count && !t->contract.gone_ms; i++) {
        other = registry_by_host(r, t->host[i]);
        if (other && other->number != t->number) return REGISTRY_HOST_TAKEN;
    }
    return REGISTRY_DONE;
}

/* --- writing --- */

/* What is written only when it says something. */
static size_t format_later(const struct registry_tenant *t, char *out, size_t room) {
    size_t used = 0;
    for (uint32_t i = 0; i < t->place_count; i++)
        used += (size_t)snprintf(out + used, room - used, "%s%s", i ? "," : "places=", t->place[i]);
    if (t->place_count) used += (size_t)snprintf(out + used, room - used, "\t");
    if (t->contact[0]) used += (size_t)snprintf(out + used, room - used, "contact=%s\t", t->contact);
    if (t->entity[0]) used += (size_t)snprintf(out + used, room - used, "entity=%s\t", t->entity);
    if (t->references) used += (size_t)snprintf(out + used, room - used, "references=%" PRIu32 "\t", t->references);
    if (t->bound.bounded) used += (size_t)snprintf(out + used, room - used, "regions=%s\t", t->bound.names);
    if (t->resetting) used += (size_t)snprintf(out + used, room - used, "resetting=1\t");
    if (t->destroying) used += (size_t)snprintf(out + used, room - used, "destroying=1\t");
    if (t->contract.end_ms)
        used += (size_t)snprintf(
            out + used, room - used, "end=%" PRIu64 "\tterm=%" PRIu64 "\treturned=%" PRIu64 "\tgone=%" PRIu64 "\tcounted=%" PRIu64 "\t",
            t->contract.end_ms, t->contract.term_ms, t->contract.returned_ms, t->contract.gone_ms, t->contract.counted_ms);
    return used;
}

/* The line of one tenant without its check. */
static size_t format_tenant(const struct registry_tenant *t, char line[LINE_MAX_BYTES]) {
    char hosts[TENANT_HOSTS_MAX * (HOST_MAX + 1)], code[2 * ENROL_CODE_HASH + 1] = "-";
    size_t used = 0;
    for (uint32_t i = 0; i < t->host_count; i++)
        used += (size_t)snprintf(hosts + used, sizeof hosts - used, "%s%s", i ? "," : "", t->host[i]);
    if (t->has_code) hex_write(t->code_hash, ENROL_CODE_HASH, code);
    size_t size = (size_t)snprintf(line, LINE_MAX_BYTES,
                                   "tenant\tnumber=%" PRIu32 "\tname=%s\thosts=%s\ttitle=%s\tmodules=%s\tregion=%s\tquota=%" PRIu64
                                   "\tcreated=%" PRIu64 "\tchain=%" PRIu64 "\tsuspended=%d\tenrolled=%d\tplain=%d\tcode=%s\t",
                                   t->number, t->name, hosts, t->title, t->modules, t->region, t->quota_bytes, t->created_ms, t->chain_ms,
                                   t->suspended, t->enrolled, t->plain, code);
    return size + format_later(t, line + size, LINE_MAX_BYTES - size);
}

/* Writes a line with its check; false: errno. */
static bool write_line(FILE *file, SHA256_CTX *before, char line[LINE_MAX_BYTES], size_t size) {
    uint8_t hash[32];
    SHA256_Update(before, (const uint8_t *)line, size);
    SHA256_CTX here = *before;
    SHA256_Final(hash, &here);
    snprintf(line + size, 7, "check=");
    hex_write(hash, sizeof hash, line + size + 6);
    line[size + CHECK_SIZE] = '\n';
    SHA256_Update(before, (const uint8_t *)line + size, CHECK_SIZE + 1);
    return fwrite(line, 1, size + CHECK_SIZE + 1, file) == size + CHECK_SIZE + 1;
}

static bool write_lines(const struct registry *r, FILE *file) {
    char line[LINE_MAX_BYTES + CHECK_SIZE + 1];
    SHA256_CTX hash;
    SHA256_Init(&hash);
    int size = snprintf(line, sizeof line, "cloison-registry\tversion=%d\tuid_base=%" PRIu32 "\tnext=%" PRIu32 "\t", VERSION, r->uid_base,
                        r->next);
    if (!write_line(file, &hash, line, (size_t)size)) return false;
    for (size_t i = 0; i < r->count; i++)
        if (!write_line(file, &hash, line, format_tenant(r->tenant[i], line))) return false;
    size = snprintf(line, sizeof line, "end\ttenants=%zu\t", r->count);
    return write_line(file, &hash, line, (size_t)size);
}

/* Keeps room for the next file, so that a tenant can be suspended on a full disk; the old file's room comes free with each rename. */
static void keep_spare(const struct registry *r) {
    struct stat st;
    int fd = openat(r->directory, "registry.new", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return;
    if (fstatat(r->directory, "registry", &st, AT_SYMLINK_NOFOLLOW) == 0 && fallocate(fd, 0, 0, st.st_size + LINE_MAX_BYTES) < 0)
        st.st_size = 0; /* the next write tries again */
    close(fd);
}

/* The whole file anew; 0, or -1 with errno. */
static int write_registry(const struct registry *r) {
    int fd = openat(r->directory, "registry.new", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        if (fd >= 0) close(fd);
        return -1;
    }
    bool fine = write_lines(r, file) && fflush(file) == 0 && ftruncate(fd, ftello(file)) == 0 && fsync(fd) == 0;
    int saved = errno;
    fclose(file);
    errno = saved;
    if (!fine || renameat(r->directory, "registry.new", r->directory, "registry") < 0 || fsync(r->directory) < 0) return -1;
    keep_spare(r);
    return 0;
}

/* --- changes: in memory first, back again when the disk does not take them --- */

enum registry_result registry_create(struct registry *r, const struct registry_tenant *wanted, const struct registry_tenant **made) {
    if (registry_bad_field(wanted)) return REGISTRY_BAD_FIELD;
    if (r->count == TENANTS_MAX || r->next >= r->uid_count) return REGISTRY_FULL;
    struct registry_tenant *t = malloc(sizeof *t);
    if (!t) return REGISTRY_NOT_WRITTEN;
    *t = *wanted;
    settle(t);
    t->number = r->next;
    t->uid = r->uid_base + t->number;
    enum registry_result result = find_clash(r, t);
    if (result == REGISTRY_DONE) {
        r->tenant[r->count++] = t;
        r->next++;
        if (write_registry(r) == 0) {
            *made = t;
            return REGISTRY_DONE;
        }
        r->count--;
        r->next--;
        result = REGISTRY_NOT_WRITTEN;
    }
    free(t);
    return result;
}

static struct registry_tenant *own(struct registry *r, uint32_t number) { return (struct registry_tenant *)registry_by_number(r, number); }

enum registry_result registry_update(struct registry *r, const struct registry_tenant *changed) {
    struct registry_tenant *t = own(r, changed->number);
    if (!t) return REGISTRY_NO_TENANT;
    struct registry_tenant before = *t, after = *changed;
    after.uid = before.uid;
    after.created_ms = before.created_ms;
    memcpy(after.name, before.name, sizeof after.name);
    settle(&after);
    if (registry_bad_field(&after)) return REGISTRY_BAD_FIELD;
    enum registry_result result = find_clash(r, &after);
    if (result != REGISTRY_DONE) return result;
    *t = after;
    if (write_registry(r) == 0) return REGISTRY_DONE;
    *t = before;
    return REGISTRY_NOT_WRITTEN;
}

enum registry_result registry_remove(struct registry *r, uint32_t number) {
    struct registry_tenant *t = own(r, number);
    if (!t) return REGISTRY_NO_TENANT;
    size_t at = 0;
    while (r->tenant[at] != t)
        at++;
    r->count--;
    for (size_t i = at; i < r->count; i++)
        r->tenant[i] = r->tenant[i + 1];
    if (write_registry(r) == 0) {
        free(t);
        return REGISTRY_DONE;
    }
    for (size_t i = r->count; i > at; i--)
        r->tenant[i] = r->tenant[i - 1];
    r->tenant[at] = t;
    r->count++;
    return REGISTRY_NOT_WRITTEN;
}

/* --- reading: what is not spelled as write_lines() spells it is damage --- */

/* Takes `key=value` and the tab behind it out of *p; NULL: another key, or no tab. */
static char *take_field(char **p, const char *key) {
    size_t size = strlen(key);
    char *tab = strchr(*p, '\t');
    if (!tab || strncmp(*p, key, size) != 0 || (*p)[size] != '=') return NULL;
    char *value = *p + size + 1;
    *tab = '\0';
    *p = tab + 1;
    return value;
}

static bool take_text(char **p, const char *key, char *out, size_t room) {
    const char *value = take_field(p, key);
    return value && (size_t)snprintf(out, room, "%s", value) < room;
}

static bool take_number(char **p, const char *key, uint64_t most, uint64_t *out) {
    const char *value = take_field(p, key);
    char *end;
    if (!value || *value < '0' || *value > '9') return false;
    errno = 0;
    *out = strtoull(value, &end, 10);
    return !errno && !*end && *out <= most;
}

static bool take_u32(char **p, const char *key, uint32_t most, uint32_t *out) {
    uint64_t n;
    bool fine = take_number(p, key, most, &n);
    if (fine) *out = (uint32_t)n;
    return fine;
}

static bool take_flag(char **p, const char *key, bool *out) {
    uint64_t n;
    bool fine = take_number(p, key, 1, &n);
    if (fine) *out = n;
    return fine;
}

static bool take_hosts(char **p, struct registry_tenant *t) {
    char *hosts = take_field(p, "hosts");
    for (char *host; hosts && (host = strsep(&hosts, ","));) {
        if (t->host_count == TENANT_HOSTS_MAX || strlen(host) > HOST_MAX) return false;
        memcpy(t->host[t->host_count++], host, strlen(host) + 1);
    }
    return t->host_count > 0;
}

static bool take_code(char **p, struct registry_tenant *t) {
    const char *value = take_field(p, "code");
    if (!value) return false;
    t->has_code = strcmp(value, "-") != 0;
    return !t->has_code || (strlen(value) == 2 * ENROL_CODE_HASH && hex_read(value, ENROL_CODE_HASH, t->code_hash));
}

static bool take_contract(char **p, struct contract_dates *d) {
    return take_number(p, "end", UINT64_MAX, &d->end_ms) && take_number(p, "term", UINT64_MAX, &d->term_ms) &&
           take_number(p, "returned", UINT64_MAX, &d->returned_ms) && take_number(p, "gone", UINT64_MAX, &d->gone_ms) &&
           (strncmp(*p, "counted=", 8) != 0 || take_number(p, "counted", UINT64_MAX, &d->counted_ms));
}

/* The fields that may be missing. */
static bool take_later(char **p, struct registry_tenant *t) {
    char *places = strncmp(*p, "places=", 7) == 0 ? take_field(p, "places") : NULL;
    for (char *place; places && (place = strsep(&places, ","));) {
        if (t->place_count == COPIES_MAX || strlen(place) > PLACE_NAME_MAX) return false;
        memcpy(t->place[t->place_count++], place, strlen(place) + 1);
    }
    if (strncmp(*p, "contact=", 8) == 0 && !take_text(p, "contact", t->contact, sizeof t->contact)) return false;
    if (strncmp(*p, "entity=", 7) == 0 && !take_text(p, "entity", t->entity, sizeof t->entity)) return false;
    if (strncmp(*p, "references=", 11) == 0 && !take_u32(p, "references", REFERENCES_ALL, &t->references)) return false;
    t->bound.bounded = strncmp(*p, "regions=", 8) == 0;
    if (t->bound.bounded && !take_text(p, "regions", t->bound.names, sizeof t->bound.names)) return false;
    if (strncmp(*p, "resetting=", 10) == 0 && !take_flag(p, "resetting", &t->resetting)) return false;
    if (strncmp(*p, "destroying=", 11) == 0 && !take_flag(p, "destroying", &t->destroying)) return false;
    if (strncmp(*p, "end=", 4) == 0 && !take_contract(p, &t->contract)) return false;
    return !**p;
}

static bool read_tenant(char *p, struct registry_tenant *t) {
    char copy[LINE_MAX_BYTES], again[LINE_MAX_BYTES];
    snprintf(copy, sizeof copy, "%s", p);
    if (strncmp(p, "tenant\t", 7) != 0) return false;
    p += 7;
    bool fine = take_u32(&p, "number", UINT32_MAX, &t->number) && take_text(&p, "name", t->name, sizeof t->name) && take_hosts(&p, t) &&
                take_text(&p, "title", t->title, sizeof t->title) && take_text(&p, "modules", t->modules, sizeof t->modules) &&
                take_text(&p, "region", t->region, sizeof t->region) && take_number(&p, "quota", UINT64_MAX, &t->quota_bytes) &&
                take_number(&p, "created", UINT64_MAX, &t->created_ms) && take_number(&p, "chain", UINT64_MAX, &t->chain_ms) &&
                take_flag(&p, "suspended", &t->suspended) && take_flag(&p, "enrolled", &t->enrolled) && take_flag(&p, "plain", &t->plain) &&
                take_code(&p, t) && take_later(&p, t);
    if (!fine || registry_bad_field(t) || !contract_dates_fit(&t->contract) || (t->destroying && !t->resetting)) return false;
    format_tenant(t, again);
    return strcmp(copy, again) == 0;
}

/* What one line says. NULL, or what is wrong with it. */
static const char *read_line(struct registry *r, size_t number, char *line, bool *ended) {
    uint32_t version, base, tenants;
    if (number == 1) {
        if (strncmp(line, "cloison-registry\t", 17) != 0) return "this is no registry";
        line += 17;
        if (!take_u32(&line, "version", UINT32_MAX, &version)) return "no format version";
        if (version != VERSION) return "a format version that this program does not know";
        if (!take_u32(&line, "uid_base", UINT32_MAX, &base) || !take_u32(&line, "next", UINT32_MAX, &r->next) || *line) return "damaged";
        if (base != r->uid_base) return "the tenants have their uids from another uid_base";
        return r->next == 0 ? "damaged" : r->next > r->uid_count ? "uid_count is smaller than the numbers already given" : NULL;
    }
    if (strncmp(line, "end\t", 4) == 0) {
        line += 4;
        *ended = take_u32(&line, "tenants", TENANTS_MAX, &tenants) && tenants == r->count && !*line;
        return *ended ? NULL : "damaged";
    }
    if (r->count == TENANTS_MAX) return "too many tenants";
    struct registry_tenant *t = calloc(1, sizeof *t);
    if (!t) return strerror(ENOMEM);
    bool fine = read_tenant(line, t) && t->number < r->next && (!r->count || t->number > r->tenant[r->count - 1]->number) &&
                find_clash(r, t) == REGISTRY_DONE;
    if (!fine) {
        free(t);
        return "damaged";
    }
    t->uid = r->uid_base + t->number;
    r->tenant[r->count++] = t;
    return NULL;
}

/* Cuts the check off a line and compares it. */
static bool check_line(SHA256_CTX *before, char *line, size_t size) {
    uint8_t hash[32], said[32];
    if (size < CHECK_SIZE + 1 || size > LINE_MAX_BYTES + CHECK_SIZE || line[size - 1] != '\n' || memchr(line, '\0', size)) return false;
    size_t text = size - 1 - CHECK_SIZE;
    SHA256_Update(before, (const uint8_t *)line, text);
    SHA256_CTX here = *before;
    SHA256_Final(hash, &here);
    SHA256_Update(before, (const uint8_t *)line + text, CHECK_SIZE + 1);
    if (memcmp(line + text, "check=", 6) != 0 || !hex_read(line + text + 6, sizeof said, said)) return false;
    line[text] = '\0';
    return memcmp(hash, said, sizeof said) == 0;
}

/* NULL when the file is whole, or what is wrong, at line *number. */
static const char *read_lines(struct registry *r, FILE *file, size_t *number) {
    char line[LINE_MAX_BYTES + CHECK_SIZE + 2];
    SHA256_CTX hash;
    bool ended = false;
    SHA256_Init(&hash);
    for (*number = 1; !ended; ++*number) {
        memset(line, 0, sizeof line);
        if (!fgets(line, sizeof line, file)) return ferror(file) ? strerror(errno) : "the end is missing";
        bool sound = check_line(&hash, line, strlen(line));
        if (!sound && *number > 1) return "damaged";
        const char *why = read_line(r, *number, line, &ended); /* a newer format is told apart from damage first */
        if (why || !sound) return why ? why : "damaged";
    }
    return fgetc(file) == EOF ? NULL : "something follows the end";
}

/* The first registry of a machine. */
static const char *make_registry(struct registry *r) {
    struct stat st;
    if (fstatat(r->directory, "ledger", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size)
        return "missing, though the ledger is there: put it back";
    r->next = 1;
    return write_registry(r) == 0 ? NULL : strerror(errno);
}

static bool read_registry(struct registry *r, const char *state_dir, char error[REGISTRY_ERROR_MAX]) {
    size_t number = 0;
    const char *why;
    int fd = openat(r->directory, "registry", O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (file) {
        why = read_lines(r, file, &number);
        fclose(file);
    } else {
        why = errno == ENOENT ? make_registry(r) : strerror(errno);
    }
    if (!why) {
        keep_spare(r);
        return true;
    }
    if (number)
        snprintf(error, REGISTRY_ERROR_MAX, "%s/registry:%zu: %s", state_dir, number, why);
    else
        snprintf(error, REGISTRY_ERROR_MAX, "%s/registry: %s", state_dir, why);
    return false;
}

struct registry *registry_open(const char *state_dir, uint32_t uid_base, uint32_t uid_count, char error[REGISTRY_ERROR_MAX]) {
    struct registry *r = calloc(1, sizeof *r);
    if (r) {
        r->uid_base = uid_base;
        r->uid_count = uid_count;
        r->directory = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (!r || r->directory < 0) {
        snprintf(error, REGISTRY_ERROR_MAX, "%s: %s", state_dir, strerror(errno));
    } else if (read_registry(r, state_dir, error)) {
        return r;
    }
    registry_close(r);
    return NULL;
}

void registry_close(struct registry *r) {
    if (!r) return;
    for (size_t i = 0; i < r->count; i++)
        free(r->tenant[i]);
    if (r->directory >= 0) close(r->directory);
    free(r);
}

bool registry_new_code(char code[ENROL_CODE_TEXT], uint8_t hash[ENROL_CODE_HASH]) {
    uint8_t random[ENROL_CODE_RANDOM];
    char plain[ENROL_CODE_CHARS + 1];
    SHA256_CTX context;
    if (getrandom(random, sizeof random, 0) != sizeof random) return false;
    enrol_code_format(random, code);
    enrol_code_normalise(code, plain);
    SHA256_Init(&context);
    SHA256_Update(&context, (const uint8_t *)plain, ENROL_CODE_CHARS);
    SHA256_Final(hash, &context);
    explicit_bzero(random, sizeof random);
    explicit_bzero(plain, sizeof plain);
    return true;
}
