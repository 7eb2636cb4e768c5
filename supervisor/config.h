/*
 * The configuration file, cloison.conf(5), as one plain struct. A file is taken whole or not at all: the first error is told as
 * `FILE:LINE: OPTION: what was expected`, and nothing of the file is used. config_load() needs no capability, so a reload can call it.
 */
#pragma once

#include "../policy/decide.h"
#include "../policy/limits.h"
#include "../policy/messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

enum {
    CONFIG_ERROR_MAX = 512,
    CONFIG_FILE_MAX = 262144, /* bytes of a configuration file */
    CONFIG_ACCOUNT_MAX = 32,  /* bytes of a user's or group's name */
};
#define CONFIG_PATH   "/etc/cloison/cloison.conf"
#define CONFIG_NOBODY ((uint32_t)-1) /* a gid nobody has: the duty or group is not there */

struct config_listener {
    char title[64]; /* ADDRESS:PORT in one spelling: 192.0.2.1:443, [2001:db8::1]:443; equal titles = the same socket */
    struct sockaddr_storage address;
    socklen_t address_size;
    uint32_t port;
    enum listener_kind kind; /* LISTENER_TLS or LISTENER_HTTP */
    bool proxy;              /* a PROXY header is required, from these networks only; never true with no source */
    uint32_t source_count;
    struct {
        uint8_t address[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d, bits after the prefix are zero */
        uint32_t prefix;     /* 0..128 */
    } source[SOURCES_MAX];
    char acme_url[PATH_BYTES_MAX + 1]; /* LISTENER_HTTP only; "" = no redirect */
};

/* A user or a group as the file names it and what config_resolve() made of it. */
struct config_account {
    char name[CONFIG_ACCOUNT_MAX + 1]; /* a name or a decimal number */
    uint32_t line;                     /* of the file; 0 = the default */
    uint32_t id;                       /* uid or gid, CONFIG_NOBODY until resolved or if there is none */
};

struct config_place { /* where copies of key capsules may lie */
    char name[PLACE_NAME_MAX + 1];
    char path[PATH_BYTES_MAX + 1];      /* absolute */
    char region[TENANT_REGION_MAX + 1]; /* where it is (S8) */
};

struct config_destination { /* where backups and archives may go (C7, C8) */
    char name[DESTINATION_NAME_MAX + 1];
    enum destination_kind kind;
    char region[TENANT_REGION_MAX + 1]; /* where it is (S8) */
    bool archive;                       /* for archives (C8); a place for backups is one without */
    bool object_lock;                   /* s3, of archives: the store itself is to lock what it keeps */
    char path[PATH_BYTES_MAX + 1];      /* directory: absolute */
    bool same_medium;                   /* directory: it may lie on the file system of state_dir */
    char endpoint[PATH_BYTES_MAX + 1];  /* s3 */
    char bucket[BUCKET_MAX + 1];
    char signing_region[TENANT_REGION_MAX + 1];
    char credentials[PATH_BYTES_MAX + 1]; /* absolute path of a file of root's */
    char ca[PATH_BYTES_MAX + 1];          /* absolute; "" = the machine's authorities */
};

struct config_peer {
    char host[HOST_MAX + 1]; /* a name or a number without brackets; "" = none */
    uint32_t port;
};

struct config_limits {   /* of one tenant's cgroup */
    uint64_t memory_max; /* bytes */
    uint32_t pids_max;
    uint32_t cpu_weight; /* 1..10000 */
    uint32_t io_weight;  /* 1..10000 */
};

struct config {
    char run_dir[PATH_BYTES_MAX + 1];   /* absolute */
    char state_dir[PATH_BYTES_MAX + 1]; /* absolute */
    char binaries[PATH_BYTES_MAX + 1];  /* absolute; holds cloison-router, cloison-steward, cloison-worker */
    uint32_t uid_base;                  /* tenants get uid_base + number, number < uid_count */
    uint32_t uid_count;
    struct config_account router_uid, router_gid, steward_uid, steward_gid; /* .id is neither 0 nor a tenant's; the two uids differ */
    struct config_account courier_uid, courier_gid; /* the same, where there is a destination or a mail relay; else not resolved */
    struct config_peer mail_relay;                  /* host "" = no mail is sent */
    char mail_from[MAIL_ADDRESS_MAX + 1];
    uint32_t notice_days;                   /* of the notice period (S13) */
    struct config_account duty[DUTY_COUNT]; /* .id is the gid; CONFIG_NOBODY: nobody holds the duty */
    struct config_account proxy_group;      /* of web/NAME.sock; .id CONFIG_NOBODY: no such group, root alone may connect */
    uint32_t max_workers;
    uint64_t idle_ms;   /* a worker without traffic for so long is stopped; 0 = never */
    uint64_t sample_ms; /* between two readings of a worker's counters */
    enum secret_memory secret_memory;
    uint64_t allow_missing; /* bit set, 1 << enum layer: a worker may run without these layers of its own; 0 = every one is demanded */
    uint64_t arena_bytes;
    uint64_t default_quota;   /* bytes, a multiple of 4096 */
    uint64_t ledger_file_max; /* bytes after which the ledger begins a new file */
    enum mode mode;
    char region[TENANT_REGION_MAX + 1];
    uint32_t https_port;             /* the public one, for redirects and Origin */
    char cgroup[PATH_BYTES_MAX + 1]; /* "auto", "off" or an absolute path: see cgroup_open() */
    struct config_limits limits;
    uint32_t per_source;                          /* connections at once from one address */
    uint32_t per_tenant;                          /* connections at once to one tenant */
    uint32_t per_source_rate;                     /* new connections a second from one address */
    uint32_t connections;                         /* connections at once that one worker serves */
    uint32_t publish_threshold;                   /* tenants, COHORT_THRESHOLD or more */
    uint32_t publish_seconds;                     /* of a period that is published */
    char support_certificate[PATH_BYTES_MAX + 1]; /* PEM, absolute; "" = there is no support by message */
    uint32_t support_days;                        /* its traces are kept */
    char zones[PATH_BYTES_MAX + 1]; /* a table of `cloison zones compile`, absolute; "" = none: every address is of an unknown country */
    uint32_t listener_count;
    struct config_listener listener[LISTENERS_MAX];
    uint32_t place_count;
    struct config_place place[PLACES_MAX];
    uint32_t destination_count; /* in the order of the file: a plan names one by its index */
    struct config_destination destination[DESTINATIONS_MAX];
};

/* Reads a text without looking at the machine: pure. `file` only names it in errors. false: *out is untouched and error says why. */
bool config_parse(const char *file, const char *text, size_t size, struct config *out, char error[CONFIG_ERROR_MAX]);

/* Whether a courier is needed: there is a destination or a mail relay. */
bool config_has_courier(const struct config *config);
/* Whether its destinations and its relay are the same in both. */
bool config_same_courier(const struct config *a, const struct config *b);

/* Looks names up in ETC/passwd and ETC/group (files only: no NSS module is loaded into root; a directory service's groups are given by
 * number), finds the default of `binaries`, and refuses a tenants' uid range that ETC/passwd, group, subuid or subgid uses. */
bool config_resolve(const char *file, const char *etc, struct config *config, char error[CONFIG_ERROR_MAX]);

/* Reads, parses and resolves a file. false: *out is untouched and error says why. */
bool config_load(const char *path, struct config *out, char error[CONFIG_ERROR_MAX]);

/* The name of the first option that a reload cannot change since it needs what was dropped after start-up; NULL = all can be. */
const char *config_needs_restart(const struct config *old, const struct config *changed);
