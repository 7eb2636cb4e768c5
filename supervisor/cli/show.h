/* Pieces of a status answer as text; shared by status, list and top. */
#pragma once

#include "client.h"

#include <stdint.h>
#include <stdio.h>

/* A member; 0 and "-" when there is none. */
int64_t show_number(const json_t *object, const char *key);
const char *show_text(const json_t *object, const char *key);
/* A member in bytes, K, M...; "-" when it is not known. */
const char *show_bytes(const json_t *object, const char *key, char out[16]);
/* All classes of a tenant's requests. */
int64_t show_requests(const json_t *tenant);

/* GET on status.sock, judged as client_ask() does. */
int show_get(const struct cli *cli, const char *path, struct client_answer *answer);

/* Two lines about the machine; line_end ends each. */
void show_head(const json_t *status, const char *line_end);
