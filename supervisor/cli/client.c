#include "client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static bool failed(struct client_answer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool failed(struct client_answer *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out->error, sizeof out->error, format, arguments);
    va_end(arguments);
    return false;
}

static int reach(const struct cli *cli, const char *name, struct client_answer *out) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int size = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s.sock", cli->dir, name);
    if (size < 0 || (size_t)size >= sizeof address.sun_path) {
        failed(out, "%s: the path is too long for a socket", cli->dir);
        return -1;
    }
    struct timeval wait = {.tv_sec = CLIENT_SECONDS};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 &&
        connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int why = errno;
    const char *hint = "";
    if (why == ENOENT || why == ECONNREFUSED) hint = " (is cloisond running? -S names its run directory)";
    if (why == EACCES && strcmp(name, "status") == 0)
        hint = " (you are in no group that has the viewer duty; a new group holds from the next log-in)";
    failed(out, "%s: %s%s", address.sun_path, strerror(why), hint);
    if (fd >= 0) close(fd);
    return -1;
}

static bool send_all(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return errno == EPIPE || errno == ECONNRESET; /* it may have answered and closed */
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

static bool receive_all(int fd, struct client_answer *out, char **bytes, size_t *size) {
    size_t room = 65536;
    *size = 0;
    *bytes = malloc(room);
    if (!*bytes) return failed(out, "no memory");
    for (;;) {
        if (room - *size < 4096) {
            room *= 2;
            char *more = room > CLIENT_ANSWER_MAX ? NULL : realloc(*bytes, room);
            if (!more) return failed(out, "the answer is too large");
            *bytes = more;
        }
        ssize_t got = recv(fd, *bytes + *size, room - *size - 1, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno != ECONNRESET) return failed(out, "no answer: %s", errno == EAGAIN ? "it took too long" : strerror(errno));
        if (got <= 0) break;
        *size += (size_t)got;
    }
    (*bytes)[*size] = 0;
    return true;
}

bool client_read(const char *bytes, size_t size, int *status, size_t *body) {
    const char *end = memmem(bytes, size, "\r\n\r\n", 4);
    if (!end || size < 13 || memcmp(bytes, "HTTP/1.1 ", 9) != 0 || bytes[12] != ' ') return false;
    *status = 0;
    for (int i = 9; i < 12; i++) {
        if (bytes[i] < '0' || bytes[i] > '9') return false;
        *status = *status * 10 + bytes[i] - '0';
    }
    *body = (size_t)(end - bytes) + 4;
    const char *line = memchr(bytes, '\n', size), *next;
    for (; line < end; line = next) {
        next = memchr(line + 1, '\n', size - (size_t)(line + 1 - bytes));
        if (strncasecmp(line + 1, "Content-Length:", 15) != 0) continue;
        return strtoull(line + 16, NULL, 10) == size - *body;
    }
    return false; /* this server always says how long it is */
}

/* "100 Continue" is never asked for: the first answer is the only one. */
static bool talk(int fd, const struct client_call *call, struct client_answer *out) {
    char head[1024];
    int size = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: cloison\r\nAccept: application/json\r\nConnection: close\r\n",
                        call->method, call->path);
    if (call->type && size > 0 && (size_t)size < sizeof head)
        size += snprintf(head + size, sizeof head - (size_t)size, "Content-Type: %s\r\nContent-Length: %zu\r\n", call->type, call->size);
    if (size < 0 || (size_t)size + 3 > sizeof head) return failed(out, "the request is too long");
    memcpy(head + size, "\r\n", 3);
    if (!send_all(fd, head, (size_t)size + 2) || (call->type && !send_all(fd, call->body, call->size)))
        return failed(out, "%s.sock: %s", call->socket, strerror(errno));

    char *bytes = NULL;
    size_t got = 0, body = 0;
    if (receive_all(fd, out, &bytes, &got) && client_read(bytes, got, &out->status, &body)) {
        out->size = got - body;
        memmove(bytes, bytes + body, out->size + 1);
        out->body = bytes;
        out->json = json_loadb(out->body, out->size, 0, NULL);
        return true;
    }
    free(bytes);
    return out->error[0] ? false : failed(out, "%s.sock: the answer is incomplete", call->socket);
}

bool client_send(const struct cli *cli, const struct client_call *call, struct client_answer *out) {
    *out = (struct client_answer){0};
    int fd = reach(cli, call->socket, out);
    if (fd < 0) return false;
    bool answered = talk(fd, call, out);
    close(fd);
    return answered;
}

void client_free(struct client_answer *answer) {
    free(answer->body);
    json_decref(answer->json);
    *answer = (struct client_answer){0};
}

int client_ask(const struct cli *cli, const struct client_call *call, struct client_answer *out) {
    if (!client_send(cli, call, out)) {
        fprintf(stderr, "cloison: %s\n", out->error);
        client_free(out);
        return CLI_UNREACHABLE;
    }
    if (out->status / 100 == 2) return CLI_DONE;
    const char *detail = json_string_value(json_object_get(out->json, "detail")),
               *field = json_string_value(json_object_get(out->json, "field"));
    fprintf(stderr, "cloison: %s%s%s%s\n", out->status == 403 ? "refused: " : "", field ? field : "", field ? ": " : "",
            detail ? detail : "an answer without a reason");
    if (cli->json && out->json) cli_print_json(out->json);
    client_free(out);
    return CLI_REFUSED;
}

int client_say(const struct cli *cli, const char *method, const char *path, const json_t *body, struct client_answer *out) {
    char *text = json_dumps(body, JSON_COMPACT);
    if (!text) return cli_usage("the arguments are not UTF-8");
    struct client_call call = {
        .socket = "control", .method = method, .path = path, .type = "application/json", .body = text, .size = strlen(text)};
    int status = client_ask(cli, &call, out);
    free(text);
    return status;
}
