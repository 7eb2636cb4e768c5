/* cloison zones compile: a table of countries out of a file in MaxMind's format. Offline: no socket, no duty. */
#include "../../policy/zones.h"
#include "cli.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <maxminddb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct ranges {
    uint64_t *start;
    uint16_t *code;
    uint32_t count, room;
};

struct walk {
    MMDB_s *db;
    struct ranges *out;
    unsigned depth;    /* bits of an address that count */
    uint32_t skip;     /* the node of IPv4 inside IPv6, reached by several ways; none there: UINT32_MAX */
    uint64_t visits;   /* a tree has no node twice */
    const char *wrong; /* NULL = nothing yet */
    uint64_t unknown;  /* entries without a country that the catalogue has */
};

static bool ranges_add(struct ranges *r, uint64_t start, uint16_t code) {
    if (r->count && r->code[r->count - 1] == code) return true;
    if (r->count == r->room) {
        uint32_t room = r->room ? 2 * r->room : 4096;
        uint64_t *starts = room > ZONES_RANGES_MAX ? NULL : reallocarray(r->start, room, sizeof *starts);
        if (starts) r->start = starts;
        uint16_t *codes = starts ? reallocarray(r->code, room, sizeof *codes) : NULL;
        if (!codes) return false;
        r->code = codes;
        r->room = room;
    }
    r->start[r->count] = start;
    r->code[r->count++] = code;
    return true;
}

/* A country's entry says country.iso_code in some files and country_code in others. */
static uint16_t country_of(MMDB_entry_s *entry) {
    MMDB_entry_data_s data;
    int found = MMDB_get_value(entry, &data, "country", "iso_code", NULL);
    if (found != MMDB_SUCCESS || !data.has_data) found = MMDB_get_value(entry, &data, "country_code", NULL);
    if (found != MMDB_SUCCESS || !data.has_data || data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size != 2) return 0;
    uint16_t code = ZONE_CODE(data.utf8_string[0], data.utf8_string[1]);
    return zones_counter(code) == COUNTER_zone_unknown ? 0 : code;
}

static void walk_node(struct walk *w, uint64_t node, unsigned bit, uint64_t prefix);

static void walk_record(struct walk *w, uint8_t type, uint64_t record, MMDB_entry_s *entry, unsigned bit, uint64_t prefix) {
    uint16_t code = 0;
    if (w->wrong) return;
    if (type == MMDB_RECORD_TYPE_SEARCH_NODE && bit < w->depth && record != w->skip) {
        walk_node(w, record, bit, prefix);
        return;
    }
    if (type == MMDB_RECORD_TYPE_INVALID) w->wrong = "a record of its tree is not valid";
    if (type == MMDB_RECORD_TYPE_DATA) {
        code = country_of(entry);
        w->unknown += code == 0;
    }
    if (!w->wrong && !ranges_add(w->out, prefix, code)) w->wrong = "too many ranges, or no memory";
}

static void walk_node(struct walk *w, uint64_t node, unsigned bit, uint64_t prefix) {
    MMDB_search_node_s found;
    if (++w->visits > w->db->metadata.node_count) w->wrong = "its tree runs in circles";
    if (!w->wrong && MMDB_read_node(w->db, (uint32_t)node, &found) != MMDB_SUCCESS) w->wrong = "a node of its tree is not there";
    if (w->wrong) return;
    walk_record(w, found.left_record_type, found.left_record, &found.left_record_entry, bit + 1, prefix);
    walk_record(w, found.right_record_type, found.right_record, &found.right_record_entry, bit + 1,
                prefix | (uint64_t)1 << (w->depth - 1 - bit));
}

/* Both families of a file; NULL, or what is wrong with it. */
static const char *read_tree(MMDB_s *db, struct ranges *v6, struct ranges *v4, uint64_t *unknown) {
    bool both = db->metadata.ip_version == 6;
    struct walk four = {.db = db, .out = v4, .depth = 32, .skip = UINT32_MAX};
    struct walk six = {.db = db, .out = v6, .depth = 64, .skip = both ? db->ipv4_start_node.node_value : UINT32_MAX};
    if (both && db->ipv4_start_node.netmask != 96)
        ranges_add(v4, 0, 0); /* no IPv4 in it */
    else
        walk_node(&four, both ? db->ipv4_start_node.node_value : 0, 0, 0);
    if (both)
        walk_node(&six, 0, 0, 0);
    else
        ranges_add(v6, 0, 0);
    *unknown = four.unknown + six.unknown;
    return four.wrong ? four.wrong : six.wrong;
}

/* ---- the table ---- */

static uint8_t *put_starts(uint8_t *at, const struct ranges *r, size_t width) {
    for (uint32_t i = 0; i < r->count; i++, at += width) {
        uint64_t start = htole64(r->start[i]);
        memcpy(at, &start, width);
    }
    return at;
}

static uint8_t *put_codes(uint8_t *at, const struct ranges *r) {
    for (uint32_t i = 0; i < r->count; i++, at += sizeof(uint16_t)) {
        uint16_t code = htole16(r->code[i]);
        memcpy(at, &code, sizeof code);
    }
    return at;
}

/* NULL: no memory. */
static uint8_t *table_make(const struct ranges *v6, const struct ranges *v4, size_t *size) {
    struct zones_head head = {.v6 = htole32(v6->count), .v4 = htole32(v4->count)};
    memcpy(head.magic, ZONES_MAGIC, sizeof head.magic);
    *size = zones_size(v6->count, v4->count);
    uint8_t *bytes = malloc(*size);
    if (!bytes) return NULL;
    memcpy(bytes, &head, sizeof head);
    put_codes(put_codes(put_starts(put_starts(bytes + sizeof head, v6, 8), v4, 4), v6), v4);
    return bytes;
}

/* Beside its place first, then there: a supervisor never reads half of one. */
static bool write_file(const char *path, const uint8_t *bytes, size_t size) {
    char beside[4096];
    if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside) return errno = ENAMETOOLONG, false;
    FILE *file = fopen(beside, "we");
    if (!file) return false;
    bool fine = fwrite(bytes, 1, size, file) == size && fflush(file) == 0 && fchmod(fileno(file), 0644) == 0 && fsync(fileno(file)) == 0;
    int why = errno;
    if (fclose(file) != 0 && fine) fine = false, why = errno;
    if (fine && rename(beside, path) == 0) return true;
    if (fine) why = errno;
    unlink(beside);
    errno = why;
    return false;
}

static int told(const char *path, const char *wrong) {
    fprintf(stderr, "cloison: %s: %s\n", path, wrong);
    return CLI_REFUSED;
}

static int compile(const struct cli *cli, MMDB_s *db, const char *in, const char *out) {
    struct ranges v6 = {0}, v4 = {0};
    uint64_t unknown;
    size_t size = 0;
    const char *wrong = read_tree(db, &v6, &v4, &unknown);
    uint8_t *bytes = wrong ? NULL : table_make(&v6, &v4, &size);
    int status = CLI_REFUSED;
    if (!wrong && !bytes) wrong = strerror(ENOMEM);
    if (!wrong) wrong = zones_check(bytes, size);
    if (wrong)
        told(in, wrong);
    else if (!write_file(out, bytes, size))
        told(out, strerror(errno));
    else
        status = CLI_DONE;
    if (status == CLI_DONE && cli->json)
        printf("{\"v4\": %u, \"v6\": %u, \"unknown\": %llu, \"bytes\": %zu}\n", v4.count, v6.count, (unsigned long long)unknown, size);
    else if (status == CLI_DONE)
        printf("%s: %u ranges of IPv4, %u of IPv6, %zu bytes; %llu entries without a known country\n", out, v4.count, v6.count, size,
               (unsigned long long)unknown);
    free(bytes);
    free(v6.start), free(v6.code);
    free(v4.start), free(v4.code);
    return status;
}

int cli_zones_compile(const struct cli *cli, int argc, char **argv) {
    MMDB_s db;
    if (argc != 2) return cli_usage("zones compile: FILE.mmdb and OUT are wanted");
    int result = MMDB_open(argv[0], MMDB_MODE_MMAP, &db);
    if (result != MMDB_SUCCESS) return told(argv[0], MMDB_strerror(result));
    int status = compile(cli, &db, argv[0], argv[1]);
    MMDB_close(&db);
    return status;
}
