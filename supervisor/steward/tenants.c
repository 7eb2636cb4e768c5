#include "tenants.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tenants {
    struct tenants_row **row; /* sorted by number */
    size_t count, room;
};

struct tenants *tenants_new(void) {
    return calloc(1, sizeof(struct tenants));
}

static void row_free(struct tenants_row *row) {
    counters_unmap(row->page);
    free(row);
}

void tenants_free(struct tenants *tenants) {
    if (!tenants) return;
    for (size_t i = 0; i < tenants->count; i++)
        row_free(tenants->row[i]);
    free(tenants->row);
    free(tenants);
}

/* Where the number is or would be. */
static size_t place_of(const struct tenants *tenants, uint32_t number) {
    size_t low = 0, high = tenants->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tenants->row[middle]->is.head.tenant < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct tenants_row *find(const struct tenants *tenants, uint32_t number) {
    size_t at = place_of(tenants, number);
    return at < tenants->count && tenants->row[at]->is.head.tenant == number ? tenants->row[at] : NULL;
}

static uint64_t sum(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

static bool is_time(enum counter c) { return c == COUNTER_cert_expires || c == COUNTER_self_sufficient_since; }

/* Switched off: what was counted before is gone here, too (C4). */
static void usage_forget(struct tenants_row *row) {
    for (int c = 0; c < COUNTER_COUNT; c++)
        if (counter_table[c].class == COUNTER_USAGE) row->before[c] = row->last[c] = row->usage_begun[c] = 0;
    row->usage_left = true;
    row->usage_on = false;
}

static void row_sample(struct tenants_row *row) {
    if (!row->page) return;
    for (int c = 0; c < COUNTER_COUNT; c++) {
        uint64_t value = atomic_load_explicit(&row->page->value[c], memory_order_relaxed);
        bool *said = is_time((enum counter)c) ? c == COUNTER_cert_expires ? &row->cert_said : &row->kit_said : NULL;
        if (said) {
            if (*said || value == row->last[c] || value == 0) continue;
            *said = true;
        }
        if (counter_table[c].class == COUNTER_GAUGE || value > row->last[c]) row->last[c] = value;
    }
    if (row->last[COUNTER_usage_state] == USAGE_OFF) usage_forget(row);
    if (row->last[COUNTER_usage_state] == USAGE_ON) row->usage_on = true;
    row->sampled = true;
}

/* Gauges that stay true when the worker is gone. */
static bool lasts(enum counter c) {
    return is_time(c) || c == COUNTER_self_sufficient_kits || c == COUNTER_store_bytes || c == COUNTER_check_state ||
           c == COUNTER_ways_in || c == COUNTER_ledger_state || c == COUNTER_rollback_state;
}

/* The worker is gone: its last numbers count, its gauges of the moment do not. */
static void row_retire(struct tenants_row *row) {
    if (!row->page) return;
    row_sample(row);
    counters_unmap(row->page);
    row->page = NULL;
    for (int c = 0; c < COUNTER_COUNT; c++) {
        if (counter_table[c].class != COUNTER_GAUGE) row->before[c] = sum(row->before[c], row->last[c]);
        if (!lasts((enum counter)c)) row->last[c] = 0;
    }
}

static bool has_worker(uint32_t state) {
    return state == TENANT_STARTING || state == TENANT_SEALED || state == TENANT_SERVING || state == TENANT_DRAINING;
}

bool tenants_put(struct tenants *tenants, const struct message_tenant *message) {
    struct tenants_row *row = find(tenants, message->head.tenant);
    if (row) {
        row->is = *message;
        if (!message->enrolled) row->last[COUNTER_self_sufficient_since] = 0; /* it was emptied */
        if (!has_worker(message->state)) row_retire(row);
        return true;
    }
    if (tenants->count == TENANTS_MAX) return false;
    if (tenants->count == tenants->room) {
        size_t room = tenants->room ? tenants->room * 2 : 16;
        struct tenants_row **more = reallocarray(tenants->row, room, sizeof(void *));
        if (!more) return false;
        tenants->row = more;
        tenants->room = room;
    }
    if (!(row = calloc(1, sizeof *row))) return false;
    row->is = *message;
    size_t at = place_of(tenants, message->head.tenant);
    for (size_t i = tenants->count++; i > at; i--)
        tenants->row[i] = tenants->row[i - 1];
    tenants->row[at] = row;
    return true;
}

void tenants_remove(struct tenants *tenants, uint32_t number) {
    struct tenants_row *row = find(tenants, number);
    if (!row) return;
    size_t at = place_of(tenants, number);
    row_free(row);
    tenants->count--;
    for (size_t i = at; i < tenants->count; i++)
        tenants->row[i] = tenants->row[i + 1];
}

bool tenants_page(struct tenants *tenants, uint32_t number, int fd) {
    struct tenants_row *row = find(tenants, number);
    struct counter_page *page = row ? counters_map(fd, 0) : NULL;
    int why = errno;
    close(fd);
    errno = why;
    if (!row) return true;
    if (!page) return false;
    row_retire(row);
    row->page = page;
    row->cert_said = row->kit_said = false;
    row_sample(row);
    return true;
}

void tenants_chain_installed(struct tenants *tenants, uint32_t number) {
    struct tenants_row *row = find(tenants, number);
    if (!row) return;
    row->cert_said = false;
    row_sample(row);
}

void tenants_sample(struct tenants *tenants) {
    for (size_t i = 0; i < tenants->count; i++)
        row_sample(tenants->row[i]);
}

size_t tenants_count(const struct tenants *tenants) { return tenants->count; }

size_t tenants_running(const struct tenants *tenants) {
    size_t n = 0;
    for (size_t i = 0; i < tenants->count; i++)
        n += tenants->row[i]->is.pid != 0;
    return n;
}

const struct tenants_row *tenants_at(const struct tenants *tenants, size_t i) { return tenants->row[i]; }
const struct tenants_row *tenants_by_number(const struct tenants *tenants, uint32_t number) { return find(tenants, number); }

const struct tenants_row *tenants_by_name(const struct tenants *tenants, const char *name) {
    for (size_t i = 0; i < tenants->count; i++)
        if (strcmp(tenants->row[i]->is.name, name) == 0) return tenants->row[i];
    return NULL;
}

uint64_t tenants_ways_in(const struct tenants_row *row) { return row->is.enrolled ? tenants_value(row, COUNTER_ways_in) : 0; }

bool tenants_self_sufficient(const struct tenants_row *row, uint64_t *kits, uint64_t *since) {
    *kits = tenants_value(row, COUNTER_self_sufficient_kits);
    *since = tenants_value(row, COUNTER_self_sufficient_since);
    return tenants_ways_in(row) > 0;
}

void tenants_usage_begin(struct tenants *tenants) {
    for (size_t i = 0; i < tenants->count; i++) {
        struct tenants_row *row = tenants->row[i];
        row->usage_left = false;
        for (int c = 0; c < COUNTER_COUNT; c++)
            if (counter_table[c].class == COUNTER_USAGE) row->usage_begun[c] = sum(row->before[c], row->last[c]);
    }
}

uint64_t tenants_usage(const struct tenants_row *row, enum counter counter) { return sum(row->before[counter], row->last[counter]); }

uint64_t tenants_value(const struct tenants_row *row, enum counter counter) {
    if (counter_table[counter].class == COUNTER_USAGE) return 0; /* of no single tenant (S12) */
    if (is_time(counter)) return row->last[counter];
    uint64_t value = row->last[counter];
    if (counter_table[counter].class == COUNTER_TOTAL) value = sum(row->before[counter], value);
    return counter_rounded(value);
}
