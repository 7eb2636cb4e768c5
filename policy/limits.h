/* Every ceiling of the product, in one place. A length from a wire is compared with one of these and never used to size a buffer. */
#pragma once

enum {
    TENANT_NAME_MAX = 32,       /* bytes, [a-z][a-z0-9-]* */
    TENANT_TITLE_MAX = 128,     /* bytes of UTF-8, what the provider calls the customer (C10) */
    TENANT_MODULES_MAX = 256,   /* bytes, comma-separated names (C10) */
    TENANT_REGION_MAX = 32,     /* bytes, [a-z0-9-]+ (S8) */
    TENANT_HOSTS_MAX = 8,       /* hosts of one tenant */
    TENANT_QUOTA_MIN = 1048576, /* bytes of the LMDB file: below, a store cannot be made */
    FILE_SLACK = 16777216,      /* bytes: no file of a worker grows past twice the quota it started with and this */
    HOST_MAX = 253,             /* bytes, lower case, RFC 1035 */
    TENANTS_MAX = 4096,         /* in one registry */
    LISTENERS_MAX = 16,         /* of one router */
    SOURCES_MAX = 16,           /* networks from which a listener takes PROXY headers */
    PATH_BYTES_MAX = 255,       /* a path in a message or in the configuration */
    NOTE_MAX = 468,             /* bytes of UTF-8: what people write into the ledger */
    RECIPIENT_MAX = 128,        /* bytes: who is given something */
    REASON_MAX = 200,           /* bytes: and why; both fit into a note */
    LEDGER_CLOCK_MS = 300000,   /* so far the clock may be behind what is recorded: steps of a time service */
    ENROL_CODE_HASH = 32,       /* SHA-256 */
    OWN_LINES_MAX = 20000,      /* of a tenant's chain of the ledger, given to its worker at once */
    OWN_LINES_PER_MINUTE = 16,  /* times that a worker may ask for them; an honest one asks half as often */
    LEDGER_LINE_BYTES = 1024,   /* of any line of the ledger */
    LEDGER_HASH = 32,           /* SHA-256 */
    PROGRAM_HASH = 32,          /* SHA-256 of a program's file */
    PLACE_NAME_MAX = 32,        /* bytes, as a tenant's name: a place for copies of key capsules */
    PLACES_MAX = 16,            /* in the configuration */
    COPIES_MAX = 4,             /* places of one tenant */
    CAPSULE_BYTES = 475136,     /* of the file that holds the key slots, always */
    DESTINATIONS_MAX = 8,       /* places outside this machine's own disk, in the configuration */
    DESTINATION_NAME_MAX = 32,  /* bytes, as a tenant's name */
    BUCKET_MAX = 63,            /* bytes of an S3 bucket's name */
    CREDENTIALS_MAX = 4096,     /* bytes of a destination's credentials file */
    MAIL_ADDRESS_MAX = 254,     /* bytes, RFC 5321 */

    CLIENT_HELLO_MAX = 16384,       /* bytes peeked while waiting for a whole ClientHello */
    CLIENT_HELLO_MS = 10000,        /* and how long */
    PROXY_HEADER_MAX = 536,         /* PROXY v2 with its TLVs; v1 is at most 107 */
    HANDOVER_CREDITS = 64,          /* fds in flight to one worker: the kernel counts all of a sending uid together */
    HELD_PER_TENANT = 64,           /* connections held while a tenant starts */
    HELD_MS = 30000,                /* and how long */
    ROUTER_CONNECTIONS_MAX = 16384, /* in the router's hands at once; fewer where RLIMIT_NOFILE's hard limit is small */

    START_MS = 30000, /* a worker must say ready within this */
    DRAIN_MS = 10000, /* and be gone within this after a drain */
    BACKOFF_FIRST_MS = 2000,
    BACKOFF_LAST_MS = 60000,

    REQUEST_HEAD_MAX = 16384, /* request line and headers together */
    REQUEST_TARGET_MAX = 4096,
    REQUEST_HEADERS_MAX = 64,
    REQUEST_BODY_MAX = 1048576, /* a body that is not streamed */
    SOCKET_UNSENT_MAX = 65536,  /* unsent bytes of a connection, in the kernel and again in the worker */
    PIPELINE_MAX = 16,          /* requests read ahead of their answers on one connection */

    SUPPORT_TEXT_MAX = 8192,         /* bytes of UTF-8 of a message to the support, and of an answer */
    SUPPORT_SEALED_MAX = 28672,      /* the same as CMS, with what JSON and padding add */
    SUPPORT_CERTIFICATE_MAX = 16384, /* PEM bytes of the support duty's certificate */
    SUPPORT_TRACES_MAX = 512,        /* kept at once, of all tenants */
    SUPPORT_PER_TENANT = 16,         /* kept at once, of one */
    /* What a worker may hand up in a minute. An honest one hands up half as much: its minute and the supervisor's begin at different
       moments. */
    SUPPORT_PER_MINUTE = 12, /* messages to the support */
    WORDS_PER_MINUTE = 30,   /* of one kind: a plan, a wish for a backup, a function's switch, ... */
    CAPSULES_PER_MINUTE = 120,

    CSR_MAX = 4096,    /* DER bytes of a certification request */
    CHAIN_MAX = 65536, /* PEM bytes of a certificate chain */
};
