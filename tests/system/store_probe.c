/*
 * One call of the courier's destination interface from a command line, for tests/system/test_store.py: prints what it says.
 *   store_probe TRIES ENDPOINT BUCKET CREDENTIALS CA put KEY FILE [new|wrong [UNTIL]] | hold KEY UNTIL | get KEY FILE MOST | size KEY |
 *   list PREFIX | delete KEY
 * UNTIL: ms of Unix time; with one the destination is one that locks, as it is when the word is `hold` or `purge` (delete).
 * CA "" = the machine's. Less patient than the courier.
 */
#include "../../policy/hex.h"
#include "../../supervisor/courier/destination.h"
#include "../../supervisor/courier/s3_call.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool show(void *context, const char *key, uint64_t size) {
    (void)context;
    printf("%s %" PRIu64 "\n", key, size);
    return true;
}

static void hash_file(int fd, uint64_t size, uint8_t hash[DESTINATION_HASH]) {
    char *bytes = malloc(size + 1);
    if (!bytes || pread(fd, bytes, size, 0) != (ssize_t)size) exit(2);
    EVP_Digest(bytes, size, hash, NULL, EVP_sha256(), NULL);
    free(bytes);
}

static enum destination_result put(struct destination *d, const char *key, const char *file, const char *how, uint64_t lock_until_ms) {
    uint8_t hash[DESTINATION_HASH];
    struct stat st;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) exit(2);
    hash_file(fd, (uint64_t)st.st_size, hash);
    if (strcmp(how, "wrong") == 0) hash[0] ^= 1;
    return destination_put(d, key, fd, 0, (uint64_t)st.st_size, hash, strcmp(how, "new") == 0, lock_until_ms);
}

static enum destination_result get(struct destination *d, const char *key, const char *file, const char *most) {
    uint8_t hash[DESTINATION_HASH];
    char text[2 * DESTINATION_HASH + 1] = "";
    uint64_t size = 0;
    int fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) exit(2);
    enum destination_result result = destination_get(d, key, fd, strtoull(most, NULL, 10), &size, hash);
    if (result != DESTINATION_DONE) return result;
    hex_write(hash, DESTINATION_HASH, text);
    printf("%" PRIu64 " %s\n", size, text);
    return result;
}

static enum destination_result run(struct destination *d, int count, char **word) {
    uint64_t size = 0;
    enum destination_result result = DESTINATION_LOCAL;
    if (strcmp(word[0], "put") == 0 && count >= 3)
        return put(d, word[1], word[2], count > 3 ? word[3] : "", count > 4 ? strtoull(word[4], NULL, 10) : 0);
    if (strcmp(word[0], "hold") == 0 && count == 3) return destination_hold(d, word[1], strtoull(word[2], NULL, 10));
    if (strcmp(word[0], "purge") == 0 && count == 2) return destination_delete(d, word[1]);

    if (strcmp(word[0], "get") == 0 && count == 4) return get(d, word[1], word[2], word[3]);
    if (strcmp(word[0], "list") == 0 && count == 2) return destination_list(d, word[1], show, NULL);
    if (strcmp(word[0], "delete") == 0 && count == 2) return destination_delete(d, word[1]);
    if (strcmp(word[0], "size") == 0 && count == 2 && (result = destination_size(d, word[1], &size)) == DESTINATION_DONE)
        printf("%" PRIu64 "\n", size);
    return result;
}

int main(int count, char **word) {
    if (count < 8) return 2;
    curl_global_init(CURL_GLOBAL_ALL);
    s3_patience = (struct s3_patience){.connect_ms = 2000, .stall_s = 1, .tries = atoi(word[1]), .pause_ms = 10};
    struct message_destination is = {.kind = DESTINATION_S3, .name = "probe", .signing_region = "us-east-1"};
    is.object_lock = count > 10 || strcmp(word[6], "hold") == 0 || strcmp(word[6], "purge") == 0;
    snprintf(is.endpoint, sizeof is.endpoint, "%s", word[2]);
    snprintf(is.bucket, sizeof is.bucket, "%s", word[3]);
    snprintf(is.ca, sizeof is.ca, "%s", word[5]);
    struct destination *d = destination_open(&is, open(word[4], O_RDONLY | O_CLOEXEC), -1);
    printf("%s\n", destination_result_name(d ? run(d, count - 6, word + 6) : DESTINATION_LOCAL));
    return 0;
}
