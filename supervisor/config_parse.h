/* What config.c and its sections' files share while a configuration is parsed. libconfuse's callbacks get no pointer of ours, so the parse
 * that is going on is one variable. */
#pragma once

#include "config.h"

#include <confuse.h>

struct config_parse {
    const char *file;
    struct config config;
    uint64_t seen; /* bit set of single options given */
    char *error;   /* CONFIG_ERROR_MAX; "" until something is wrong */
};
extern struct config_parse *config_now;

/* Keeps the first error only; -1, for libconfuse. */
__attribute__((format(printf, 2, 3))) int config_refuse(const cfg_t *cfg, const char *format, ...);

/* Decimal, of at most 18 digits; *end is what follows. */
bool config_read_decimal(const char *text, const char **end, uint64_t *out);
bool config_is_path(const char *text, size_t most);
/* http:// or https:// and a host, at most PATH_BYTES_MAX bytes. */
bool config_is_url(const char *text);
/* "HOST:PORT", HOST a name or an IPv4 address, or "[IPV6]:PORT". */
bool config_read_peer(const char *text, struct config_peer *out);

/* config_listener.c: one value of a listener, and a whole one. */
int config_check_listener(cfg_t *cfg, cfg_opt_t *opt);
int config_finish_listener(cfg_t *cfg, cfg_opt_t *opt);
/* config_destination.c: one value of a destination, and a whole one. */
int config_check_destination(cfg_t *cfg, cfg_opt_t *opt);
int config_finish_destination(cfg_t *cfg, cfg_opt_t *opt);
/* The same of a place of key capsules. */
int config_check_place(cfg_t *cfg, cfg_opt_t *opt);
int config_finish_place(cfg_t *cfg, cfg_opt_t *opt);
