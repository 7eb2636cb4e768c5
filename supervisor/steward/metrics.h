/* The numbers for Prometheus and its kin, in OpenMetrics 1.0 or the text format before it (H4). */
#pragma once

#include "../../policy/http_message.h"
#include "steward.h"

struct evbuffer;

enum metrics_form {
    METRICS_EITHER,      /* nobody asked: both formats' parsers take it; counters go untyped, since the two name their types differently */
    METRICS_OPENMETRICS, /* application/openmetrics-text 1.0 */
    METRICS_TEXT,        /* text/plain 0.0.4 */
};

/* What a request's Accept field wants; empty = none was sent. */
enum metrics_form metrics_negotiate(struct slice accept);
const char *metrics_type(enum metrics_form form);

/* All of them. The caller gives it to metrics_free(), which takes NULL too. NULL: no memory. */
struct evbuffer *metrics_text(const struct steward *steward, enum metrics_form form);
void metrics_free(struct evbuffer *text);

/* Whether a number of the catalogue is among them (only last_activity, a clock, is not). */
bool metrics_has(enum counter counter);
