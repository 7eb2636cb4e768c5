/* Names of hosts, looked up here rather than by libcurl, which would make a thread for it: none can be made behind the wall. */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

/* For CURLOPT_RESOLVE. false: there is no such host now. *list: the caller frees it by curl_slist_free_all; NULL for an address. */
bool resolve(const char *host, uint16_t port, struct curl_slist **list);
