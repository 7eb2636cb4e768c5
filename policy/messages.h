/* The structs behind messages.def. Fixed width, no holes, host byte order (both ends are on one machine). Strings are NUL-terminated
 * and NUL-filled to their end; channel_receive() refuses one that is not. */
#pragma once

#include "backup.h"
#include "limits.h"
#include "notices.h"
#include "references.h"
#include "regions.h"

#include <stdint.h>

enum message_type {
#define MESSAGE(NUMBER, NAME, FROM, TO, STRUCT, FD) MESSAGE_##NAME = (NUMBER),
#include "messages.def"
#undef MESSAGE
};

struct message_head {
    uint32_t type;       /* enum message_type */
    uint32_t tenant;     /* the registry's number of the tenant, never reused; 0 = none */
    uint64_t generation; /* which worker of that tenant; a message of a dead one is ignored; 0 = none */
};

/* One number beside the head. */
struct message_plain {
    struct message_head head;
    uint64_t value;
};

/* A piece of one tenant's chain of the ledger. */
struct message_own {
    struct message_head head;
    uint64_t from; /* its own number of the first line wanted, from 1 */
    uint64_t last; /* COUNT of the last line wanted; 0 = the newest, from a worker; it has none, to the steward */
};

enum listener_kind { LISTENER_TLS = 1, LISTENER_HTTP = 2, LISTENER_PLAIN = 3 /* web/NAME.sock, head.tenant says whose */ };

struct message_listener {
    struct message_head head;
    uint32_t id;           /* the supervisor's number of this listener, > 0 */
    uint32_t kind;         /* enum listener_kind */
    uint32_t proxy;        /* 0 none, 1 a PROXY v1 or v2 header is required */
    uint32_t source_count; /* networks a PROXY header is taken from; 0 with proxy = 1 means nobody */
    struct {
        uint8_t address[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
        uint32_t prefix;     /* 0..128 */
    } source[SOURCES_MAX];
    char acme_url[PATH_BYTES_MAX + 1]; /* LISTENER_HTTP: where /.well-known/acme-challenge/ is redirected, "" = nowhere */
    uint32_t https_port;               /* LISTENER_HTTP: the port in the 308's Location; 443 is left out */
    uint32_t reserved;
};

struct message_host {
    struct message_head head;
    char host[HOST_MAX + 3];
};

enum no_worker_reason { NO_WORKER_STOPPED = 1 /* may be wanted */, NO_WORKER_SUSPENDED = 2, NO_WORKER_THROTTLED = 3 };

struct message_limits {
    struct message_head head;
    uint32_t per_source;      /* connections at once from one address */
    uint32_t per_tenant;      /* connections at once in all to one tenant */
    uint32_t per_source_rate; /* new connections a second from one address */
    uint32_t reserved;
};

enum handover_kind { HANDOVER_TLS = 1, HANDOVER_PLAIN = 2 };

struct message_handover {
    struct message_head head;
    uint32_t kind;       /* enum handover_kind */
    uint32_t port;       /* of the source */
    uint8_t address[16]; /* of the source: IPv6, or IPv4 mapped; zero for a Unix socket */
};

/* What the supervisor tells a worker about its tenant: only what the provider itself entered (C10). */
struct message_start {
    struct message_head head;
    char name[TENANT_NAME_MAX + 8];
    char title[TENANT_TITLE_MAX + 8];
    char region[TENANT_REGION_MAX + 8];
    char node_region[TENANT_REGION_MAX + 8]; /* where this machine is, whatever the entry says */
    char host[TENANT_HOSTS_MAX][HOST_MAX + 3];
    uint32_t host_count;
    uint32_t enrolled;                   /* 1: an enrolment code is no longer taken */
    uint64_t quota_bytes;                /* of the LMDB file, a multiple of 4096 */
    uint64_t memory_bytes;               /* of the secret arena wanted */
    uint32_t secret_memory;              /* enum secret_memory */
    uint32_t connections;                /* ceiling of connections at once */
    uint32_t https_port;                 /* the public port, for Origin checks */
    uint32_t fault;                      /* 0, always: a test-only build may read it */
    uint8_t enrol_hash[ENROL_CODE_HASH]; /* SHA-256 of the enrolment code; zero = none */
    uint8_t ledger_head[LEDGER_HASH];    /* the provider's ledger as of this start; the worker seals it */
    uint64_t ledger_count;               /* and how many lines it had; both zero later: a number that rises tells of others */
    uint64_t own_count, own_at;          /* the same of the tenant's own chain; own_at: COUNT of its last line */
    uint8_t own_head[LEDGER_HASH];
    uint64_t end_ms;      /* Unix time: the end of the contract was given notice of; 0 = not. Read-only from then on (S14) */
    uint64_t term_ms;     /* Unix time: until then all of it can be fetched */
    uint64_t returned_ms; /* Unix time: the tenant said that it has all; 0 = not */
    /* what else the provider entered about it: S10 */
    char modules[TENANT_MODULES_MAX + 8];
    char contact[MAIL_ADDRESS_MAX + 2];
    char entity[TENANT_TITLE_MAX + 8];
    uint64_t created_ms; /* Unix time */
};

enum secret_memory { SECRET_MEMORY_REQUIRED = 1, SECRET_MEMORY_BEST_EFFORT = 2 };
enum leaving { LEAVING_RETURNED = 1 /* it has all that it entrusted */, LEAVING_DESTROY = 2 /* and wants it destroyed here */ };
enum lock { LOCK_NONE, LOCK_SESSIONS, LOCK_TOKENS /* and sessions */ };
enum worker_state { WORKER_SEALED = 1, WORKER_SERVING = 2 };
enum chain_result { CHAIN_INSTALLED = 1, CHAIN_UNREADABLE, CHAIN_WRONG_KEY, CHAIN_WRONG_HOSTS, CHAIN_NOT_VALID_NOW, CHAIN_NOT_STORED };
enum steward_socket { STEWARD_STATUS = 1, STEWARD_CONTROL = 2 };
enum steward_record { STEWARD_UNDERTAKINGS, STEWARD_REQUESTS, STEWARD_RECORDS };

/* The layers of layers.def, each 2 bits: enum layer_state. */
enum layer {
#define LAYER(NAME, MEANING, OFF) LAYER_##NAME,
#include "layers.def"
#undef LAYER
    LAYER_COUNT
};
enum layer_state { LAYER_UNKNOWN = 0, LAYER_ON = 1, LAYER_OFF = 2, LAYER_UNAVAILABLE = 3 };

enum destination_kind { DESTINATION_DIRECTORY = 1, DESTINATION_S3 = 2 };

/* A place outside this machine's own disk, as the configuration names it. */
struct message_destination {
    struct message_head head;
    uint32_t index;       /* in the configuration: what a plan calls it */
    uint32_t kind;        /* enum destination_kind */
    uint32_t same_medium; /* directory: 1 = it may lie on the disk of the tenants' files */
    uint32_t object_lock; /* s3, of archives: 1 = it is to lock what it keeps */
    char name[DESTINATION_NAME_MAX + 8];
    char path[PATH_BYTES_MAX + 1];              /* directory */
    char endpoint[PATH_BYTES_MAX + 1];          /* s3: https://HOST[:PORT], or http:// of this very machine */
    char bucket[BUCKET_MAX + 1];                /* s3 */
    char signing_region[TENANT_REGION_MAX + 8]; /* s3: what the store calls its region */
    char ca[PATH_BYTES_MAX + 1];                /* s3: PEM of the authorities it is checked against; "" = the machine's */
};

/* The same as a worker is told of it, for its administrators. */
struct message_offer {
    struct message_head head;
    uint32_t index;
    uint32_t count;   /* of all; one that is told index 0 forgets what it was told before. 0 = there are none */
    uint32_t kind;    /* enum destination_kind */
    uint32_t archive; /* 1: for archives, else for backups */
    char name[DESTINATION_NAME_MAX + 8];
    char region[TENANT_REGION_MAX + 8];
};

/* A plan as the registry has it, and the last attempt. */
struct plan_kept {
    uint32_t on; /* 1: there is a plan */
    uint32_t period_minutes, keep_hours;
    uint32_t result;     /* enum backup_result of the last attempt */
    uint64_t tried_ms;   /* Unix time of it; 0 = none since the start */
    uint64_t last_ms;    /* Unix time of the newest snapshot; 0 = none */
    uint64_t number;     /* its number */
    uint64_t checked_ms; /* the last check of what lies at the destination, and its result; 0 = none since the start */
    uint32_t checked;    /* enum backup_result */
    uint16_t paused;     /* 1: its function is off */
    uint16_t busy;       /* 1: something is being done */
    char destination[DESTINATION_NAME_MAX + 8];
    uint8_t hash[BACKUP_HASH]; /* of the newest snapshot's manifest */
};
struct message_plans {
    struct message_head head;
    uint32_t answers, reserved; /* 1: this answers a WORKER_PLAN or a WORKER_BACKUP, each of which is answered once */
    struct plan_kept plan[BACKUP_KINDS];
};

enum { SNAPSHOT_ROWS_MAX = 4096 /* the newest of a catalogue, in one memfd */ };
/* A snapshot as the courier has it in its catalogue. */
struct snapshot_row {
    uint64_t number, taken_ms, keep_ms, counted_ms, commit, key_created, chunks, bytes;
    uint32_t sent; /* 1: it is at its destination */
    uint32_t kind; /* enum backup_kind */
    uint8_t hash[BACKUP_HASH];
};

enum courier_task {
    TASK_TAKE = 1, /* a snapshot from the pipe into the spool, which has a catalogue */
    TASK_SEND,     /* what is in the spool to the destination; then what is too old goes */
    TASK_CHECK,    /* what lies at the destination, without a key */
    TASK_GIVE,     /* a snapshot into the pipe */
    TASK_LIST,     /* the catalogue */
    TASK_ERASE,    /* everything at the destination goes, but what is locked */
    TASK_ADOPT,    /* the catalogue is filled with what lies at the destination, once: no snapshot waits for that */
};

struct message_job {
    struct message_head head; /* head.tenant: whose it is here */
    uint64_t job;             /* the supervisor's number, in the outcome */
    uint32_t task;            /* enum courier_task */
    uint32_t kind;            /* enum backup_kind */
    uint32_t destination;     /* its index */
    uint32_t foreign;         /* 1: another machine's backups: what lies there counts, not this spool's catalogue */
    uint64_t source;          /* the tenant's number where it was taken: head.tenant, unless that was another machine */
    uint64_t snapshot;        /* GIVE: which; 0 = the newest */
    uint64_t now_ms;          /* Unix time */
    uint64_t keep_ms;
    uint64_t counted_ms;       /* age.h: how long the house has run in all */
    uint64_t most_bytes;       /* of a snapshot: a stream that gives more is none, nor do manifests take more in the spool */
    uint64_t known;            /* the newest snapshot that the registry knows of; 0 = none */
    uint8_t hash[BACKUP_HASH]; /* of its manifest */
};

struct message_outcome {
    struct message_head head;
    uint64_t job;
    uint32_t task, kind;
    uint32_t result;            /* enum backup_result */
    uint32_t rows;              /* in the memfd */
    struct snapshot_row newest; /* number 0 = none. GIVE: the one that was given */
    uint64_t fresh;             /* bytes of packs that were written */
    uint64_t pruned;            /* snapshots that went */
    uint64_t packs, pack_bytes; /* CHECK: what was looked at */
    uint64_t wrong_number;      /* CHECK: the snapshot that is wrong, or names the pack that is; 0 = none */
    uint32_t wrong_is_pack;
    uint32_t reserved;
    uint8_t wrong_pack[BACKUP_HASH];
};

struct message_relay {
    struct message_head head;
    char host[HOST_MAX + 3];
    uint32_t port;
    uint32_t reserved;
    char from[MAIL_ADDRESS_MAX + 2];
};

/* A notice, and what is known of one tenant and it; to the steward: of all. Unix times in ms, 0 = not. */
struct message_notice {
    struct message_head head; /* tenant: whose trace; to the steward: whom it is for, 0 = all */
    uint32_t number;
    uint32_t kind; /* enum notice_kind */
    uint64_t published_ms;
    uint64_t effective_ms;
    uint64_t acknowledged_ms;
    uint64_t mailed_ms;
    uint32_t period_days; /* of the notice period */
    uint32_t bytes;       /* of its text */
    uint32_t tenants;     /* steward: how many it is for */
    uint32_t delivered;   /* steward: how many of them have it */
    char entity[TENANT_TITLE_MAX + 8];
};

struct message_letter {
    struct message_head head; /* tenant: whose contact */
    uint32_t number;          /* of the notice */
    uint32_t kind;            /* enum notice_kind */
    uint64_t effective_ms;
    uint32_t bytes; /* of the text */
    uint32_t reserved;
    char to[MAIL_ADDRESS_MAX + 2];
    char host[HOST_MAX + 3]; /* the tenant's own interface, where it can be acknowledged */
};

struct message_spool {
    struct message_head head;
    char path[PATH_BYTES_MAX + 9]; /* of the spool directory */
};

struct message_ready {
    struct message_head head;
    uint8_t layer[64];       /* enum layer_state, index enum layer; the rest 0 */
    uint32_t landlock_abi;   /* 0 = none */
    uint32_t syscalls;       /* how many the filter allows */
    uint8_t filter_hash[32]; /* SHA-256 of the BPF program */
    uint64_t arena_bytes;    /* of secret memory; 0 = none */
};

enum support_state {
    SUPPORT_SENDING, /* in the worker only: the steward has not got it yet */
    SUPPORT_KEPT,
    SUPPORT_ANSWERED,
    SUPPORT_CLOSED,
    SUPPORT_REMOVED, /* its term is over: nothing of it is kept at the provider */
    SUPPORT_REFUSED, /* too many are kept already */
    SUPPORT_STATES,
    SUPPORT_ALL_TOLD /* no state: after this tenant's traces, as an answer to SUPPORT_ASK */
};

/* One message to the support (S7), in each direction. */
struct message_support {
    struct message_head head;
    uint64_t reference;   /* the worker's own number of it, random */
    uint64_t trace;       /* the steward's, > 0; 0 = none yet */
    uint64_t received_ms; /* Unix time */
    uint64_t until_ms;    /* it is kept until then */
    uint32_t state;       /* enum support_state */
    uint32_t bytes;       /* in the fd, <= SUPPORT_SEALED_MAX; 0 = no fd */
};

enum tenant_event {
    EVENT_CREATED = 1,
    EVENT_CHANGED,
    EVENT_STARTED,
    EVENT_UNSEALED,
    EVENT_DRAINED,
    EVENT_CRASHED,
    EVENT_SUSPENDED,
    EVENT_RESUMED,
    EVENT_LOCKED,
    EVENT_ENROLLED,
    EVENT_CHAIN_INSTALLED,
    EVENT_THROTTLED,
    EVENT_EVICTED,
    EVENT_RESET,
    EVENT_GONE
};

enum tenant_state { /* as shown to staff */
                    TENANT_STOPPED = 1,
                    TENANT_STARTING,
                    TENANT_SEALED,
                    TENANT_SERVING,
                    TENANT_DRAINING,
                    TENANT_SUSPENDED,
                    TENANT_THROTTLED,
};

/* A copy of a tenant's key capsule outside its directory (S14). */
struct message_copy {
    char place[PLACE_NAME_MAX + 8];
    char region[TENANT_REGION_MAX + 8]; /* "" = the configuration has no such place any more */
    uint64_t written_ms;                /* Unix time of the file there; 0 = there is none */
    uint32_t current;                   /* 1: it is the capsule as the worker handed it up last; 0: it may be an older one */
    uint32_t excluded;                  /* 1: the tenant excludes the region, so that nothing is written there (S8) */
};
struct message_place {
    char name[PLACE_NAME_MAX + 8];
    char region[TENANT_REGION_MAX + 8];
};
struct message_copies {
    struct message_head head;
    uint32_t count, place_count;
    struct message_copy copy[COPIES_MAX];
    struct message_place place[PLACES_MAX]; /* all that the configuration has, in its order */
};

/* What the provider entered about a tenant, and how its worker does. */
struct message_tenant {
    struct message_head head;
    char name[TENANT_NAME_MAX + 8];
    char title[TENANT_TITLE_MAX + 8];
    char modules[TENANT_MODULES_MAX + 8];
    char region[TENANT_REGION_MAX + 8];
    char host[TENANT_HOSTS_MAX][HOST_MAX + 3];
    uint32_t host_count;
    uint32_t uid;
    uint32_t state; /* enum tenant_state */
    uint32_t enrolled;
    uint32_t pid;   /* 0 = none */
    uint32_t plain; /* 1: web/NAME.sock is open */
    uint64_t quota_bytes;
    uint64_t created_ms;         /* Unix time, ms */
    uint64_t since_ms;           /* of this state */
    uint64_t throttled_until_ms; /* 0 = not */
    uint64_t starts;
    uint64_t crashes;
    int32_t last_exit; /* exit status, or -signal; valid if starts > 0 and not running the first time */
    uint32_t landlock_abi;
    uint32_t syscalls;
    uint32_t reserved;
    uint8_t layer[64]; /* of the running worker, enum layer_state */
    uint8_t filter_hash[32];
    uint64_t arena_bytes;
    uint64_t memory_bytes;                     /* memory.current of its cgroup; 0 = unavailable */
    uint64_t memory_max, pids_max, cpu_weight; /* as they stand in its cgroup; 0 = unavailable, or none */
    uint8_t program[PROGRAM_HASH];             /* SHA-256 of the file that the running worker was started from; zero = unknown */
    struct message_copy copy[COPIES_MAX];
    uint32_t copy_count;
    char contact[MAIL_ADDRESS_MAX + 2];
    char entity[TENANT_TITLE_MAX + 8]; /* to whom the contract was transferred; "" = it never was */
    uint32_t resetting;                /* 1: two people agreed, it is being emptied */
    uint64_t contract_end_ms, contract_term_ms, contract_returned_ms, contract_gone_ms; /* Unix time, 0 = not: contract.h */
    uint32_t contract, reserved_contract;                                               /* enum contract */
    uint64_t reset_until_ms; /* Unix time until which a second person may confirm a reset; 0 = nobody asked */
    uint64_t last_backup_ms; /* Unix time of the newest backup; 0 = none */
    uint32_t reset_uid;      /* who asked */
    uint32_t references;     /* bit set of enum reference */
};

/* A program that runs once: which file it was started from, and the list of system calls it closed behind itself. */
struct message_program {
    uint8_t hash[PROGRAM_HASH]; /* SHA-256; zero = unknown */
    uint8_t filter_hash[32];    /* SHA-256 of the BPF program; zero = it has not said ready */
    uint32_t syscalls;          /* how many it allows */
    uint32_t reserved;
    uint8_t layer[64]; /* of a service that is ready, enum layer_state */
};
enum program { PROGRAM_SUPERVISOR, PROGRAM_ROUTER, PROGRAM_STEWARD, PROGRAM_COURIER, PROGRAM_WORKER /* told with each tenant */, PROGRAMS };

struct message_posture {
    struct message_head head;
    uint8_t layer[64]; /* of the machine and the supervisor, enum layer_state; index enum layer */
    uint32_t max_workers;
    uint32_t evictions; /* workers stopped to make room */
    uint32_t mode;      /* enum mode (C5) */
    uint32_t reserved_mode;
    uint64_t started_ms; /* Unix time */
    uint64_t ledger_lines;
    uint64_t ledger_gaps; /* lifecycle events that could not be recorded */
    uint64_t router_starts;
    uint64_t steward_starts;
    uint64_t courier_starts;
    uint64_t excused;      /* bit set, 1 << enum layer: the configuration lets a worker run without these */
    uint64_t sample_ms;    /* between two looks at the pages of counters */
    uint64_t capabilities; /* of the supervisor: in any of its sets, the bounding one too; bits 1 << CAP_x */
    struct message_program program[PROGRAM_WORKER];
};

/* A verb of a member of staff. The supervisor checks every field against its own tables again. */
struct message_act {
    struct message_head head; /* head.tenant unused: the name below is looked up */
    uint64_t request;         /* the steward's number, echoed in the answer */
    uint32_t verb;            /* enum verb */
    uint32_t set;             /* bit set of enum act_field: which fields below are given */
    char name[TENANT_NAME_MAX + 8];
    char title[TENANT_TITLE_MAX + 8];
    char modules[TENANT_MODULES_MAX + 8];
    char region[TENANT_REGION_MAX + 8];
    char host[TENANT_HOSTS_MAX][HOST_MAX + 3];
    uint32_t host_count;
    uint32_t reserved;
    uint64_t quota_bytes;
    char place[PLACE_NAME_MAX + 8];
    char contact[MAIL_ADDRESS_MAX + 2];
    char entity[TENANT_TITLE_MAX + 8];
    uint32_t notice_kind; /* enum notice_kind */
    uint32_t reserved_too;
    uint64_t effective_ms; /* Unix time */
    uint64_t source;       /* backup_restore: the tenant's number on the machine that took the snapshot; 0 = its own */
    uint64_t snapshot;     /* backup_drill, backup_restore: 0 = the newest */
    uint64_t number;       /* undertaking_sign: the version of the text; request_approve, request_withdraw: of the request */
    uint64_t until_ms;     /* undertaking_sign: of the term; disclosure: of the hold; Unix time */
    uint32_t ground;       /* disclosure: enum ground */
    uint32_t scope;        /* and bits, 1 << enum scope */
    char recipient[RECIPIENT_MAX + 8];
    char reason[REASON_MAX + 8];
};
enum act_field {
    ACT_TITLE = 1,
    ACT_MODULES = 2,
    ACT_REGION = 4,
    ACT_HOSTS = 8,
    ACT_QUOTA = 16,
    ACT_PLACE = 32,
    ACT_TOKENS = 64,   /* lock: tokens, too */
    ACT_RESTORE = 128, /* create: suspended and without a code, until its files are put back */
    ACT_NUMBER = 256,
    ACT_UNTIL = 512,
    ACT_CONTACT = 1024,
    ACT_ENTITY = 2048,
    ACT_KIND = 4096,
    ACT_EFFECTIVE = 8192,
    ACT_GROUND = 1 << 14,
    ACT_SCOPE = 1 << 15,
    ACT_RECIPIENT = 1 << 16,
    ACT_REASON = 1 << 17,
    ACT_SOURCE = 1 << 20,
    ACT_SNAPSHOT = 1 << 21,
    ACT_ARCHIVE = 1 << 22, /* of the backup verbs: the archive */
    ACT_FIELDS = (1 << 23) - 1
};

/* Why a transfer is not done: detail of ACT_WRONG_STATE. */
enum wait_reason {                 /* why what takes two people is not done yet */
                   WAIT_ALONE = 1, /* the same person as asked */
                   WAIT_ANOTHER,   /* a transfer to another entity is asked for, and open */
                   WAIT_DELIVERY,  /* of the notice */
                   WAIT_PERIOD,    /* of the notice, still runs */
                   WAIT_CONSENT,   /* the tenant's */
};

/* Why a copy of a capsule is not where it should be: detail of ACT_FAILED. */
enum copy_result { COPY_DONE, COPY_NO_PLACE, COPY_PLACE_OPEN /* not root's alone */, COPY_NOT_WRITTEN, COPY_EXCLUDED };

enum act_result {
    ACT_DONE = 1,
    ACT_REFUSED, /* duty missing, or a verb nobody has (C6) */
    ACT_NO_TENANT,
    ACT_EXISTS,       /* name or host is taken */
    ACT_BAD_FIELD,    /* detail = enum act_field */
    ACT_WRONG_STATE,  /* e.g. resume of what is not suspended, enrol-code after enrolment */
    ACT_NOT_RECORDED, /* the ledger cannot take the line: refused */
    ACT_FAILED,       /* the worker did not start or answer; detail = enum chain_result for a chain */
    ACT_FULL,         /* TENANTS_MAX or the uid range */
    ACT_PENDING,      /* waits for a second person */
    ACT_UNDERTAKING,  /* the person's undertaking is not in force; detail = enum undertaking_state */
    ACT_CLOCK,        /* the clock is behind what is recorded already */
    ACT_MODE,         /* not in this mode of the machine (C5) */
    ACT_NO_REQUEST,   /* there is none of that number */
    ACT_ALONE,        /* the person has asked for it: another must agree */
};

struct message_answer {
    struct message_head head;
    uint64_t request;
    uint32_t result; /* enum act_result */
    uint32_t detail;
    char code[40];     /* the enrolment code of create and enrol-code, once; else "" */
    uint64_t value;    /* bytes in the fd, if there is one */
    uint64_t number;   /* undertaking_show: the version signed; of a request: its number; 0 = none */
    uint64_t since_ms; /* undertaking_show: when; Unix time */
    uint64_t until_ms; /* and until when; undertaking_sign, too */
};

union message {
    struct message_head head;
    struct message_plain plain;
    struct message_own own;
    struct message_listener listener;
    struct message_host host;
    struct message_limits limits;
    struct message_handover handover;
    struct message_start start;
    struct message_destination destination;
    struct message_relay relay;
    struct message_offer offer;
    struct message_plans plans;
    struct message_job job;
    struct message_outcome outcome;
    struct message_spool spool;
    struct message_notice notice;
    struct message_copies copies;
    struct message_letter letter;
    struct message_ready ready;
    struct message_tenant tenant;
    struct message_posture posture;
    struct message_act act;
    struct message_answer answer;
    struct message_support support;
};
