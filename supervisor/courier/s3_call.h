/* One request to an object store: signed (AWS Signature 4, by libcurl), bounded in time and size, tried again when the store does not
 * answer or says that it failed. */
#pragma once

#include "credentials.h"
#include "destination.h"

#include <curl/curl.h>
#include <stddef.h>

enum {
    S3_HASH_TEXT = 2 * DESTINATION_HASH + 1,
    S3_ETAG_MAX = 128,
    S3_ERROR_BYTES = 1024, /* of an answer that is an error, looked at for its code */
    S3_PAGES_MAX = 256,    /* of a list, and one more for each */
    S3_PAGE_LEAST = 16,    /* keys of ours in it: a store could go on for ever */
    S3_DATE_MAX = 39,      /* 2026-01-01T00:00:00.000000000Z */
    S3_MD5_TEXT = 25,
    S3_VERSION_MAX = 255,
};

#define S3_HASH_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct s3 {
    char endpoint[PATH_BYTES_MAX + 1], bucket[BUCKET_MAX + 1], host[HOST_MAX + 1];
    uint16_t port;
    bool locks; /* it is to lock what it is given (s3_lock.h) */
    char sigv4[TENANT_REGION_MAX + 32], userpwd[2 * CREDENTIAL_MAX + 2];
    char *ca; /* PEM */
    size_t ca_size;
    CURL *curl;
    char *body; /* of an answer that goes to no file: the request's size + 1 bytes at most */
};

enum s3_method { S3_GET, S3_HEAD, S3_PUT, S3_DELETE };

struct s3_request {
    enum s3_method method;
    const char *url;
    bool to_file;            /* get: to fd at its position, otherwise to s3->body */
    int fd;                  /* put, get to a file */
    uint64_t offset, size;   /* put: these bytes; get: at most `size` */
    char hash[S3_HASH_TEXT]; /* put: SHA-256 of the bytes; it is signed, and kept beside them */
    uint8_t *got;            /* get to a file: their SHA-256 */
    bool only_new;           /* put: If-None-Match: * */
    uint64_t until_ms;       /* put: locked until then, Unix time; 0 = not */
    char md5[S3_MD5_TEXT];   /* put: of the bytes, base64; "" = not said */
    int tries;               /* out: how many it took */
};

struct s3_answer {
    long status;
    uint64_t length;                                /* Content-Length */
    uint64_t received;                              /* bytes of the body taken */
    char etag[S3_ETAG_MAX + 1], hash[S3_HASH_TEXT]; /* "" = none */
    char lock_mode[16], lock_until[S3_DATE_MAX + 1], version[S3_VERSION_MAX + 1];
    char body[S3_ERROR_BYTES + 1]; /* the beginning of an error's */
};

/* How patient a call is. Tests make it less so. */
struct s3_patience {
    long connect_ms, stall_s; /* until connected; without a byte */
    int tries;
    long pause_ms; /* before the second try; doubled before each further one */
};
extern struct s3_patience s3_patience;

/* DONE: there was an answer, whatever it says; a 5xx only after all tries. LIED: it was more than asked for, or not HTTP. LOCAL,
 * UNREACHABLE. */
enum destination_result s3_call(struct s3 *s3, struct s3_request *request, struct s3_answer *answer);

void s3_hash_text(const uint8_t sha256[DESTINATION_HASH], char text[S3_HASH_TEXT]);
