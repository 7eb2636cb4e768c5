#include "transfer.h"

#include "announce.h"
#include "supervisor.h"
#include "tell.h"
#include "tenant.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char words[] =
    "Votre contrat d’hébergement doit passer à : %s.\n\n"
    "Rien ne change avant que cet avis vous ait été remis et que le délai de préavis soit écoulé. Vos données restent scellées sous "
    "votre clé ; ni l’ancien ni le nouvel hébergeur ne peut les lire. D’ici là vous pouvez exporter vos données et mettre fin au "
    "contrat.\n\n"
    "Your hosting contract is to pass to: %s.\n\n"
    "Nothing changes before this notice has been delivered to you and the notice period has run. Your data stay sealed under your key; "
    "neither the old nor the new provider can read them. Until then you can export your data and end the contract.\n";

enum { STALE_DAYS = 90 /* after its date: what was announced and not done by then must be announced anew */ };

/* The tenant's newest, if it is to that entity and not too old: one of before was carried out or given up. NULL: there is none. */
static const struct notice *find(const struct tenant *t, const char *entity, uint64_t now_ms) {
    for (size_t i = notices_count(t->house->notices); i > 0; i--) {
        const struct notice *n = notices_at(t->house->notices, i - 1);
        if (n->kind != NOTICE_transfer || n->tenant != t->entry->number) continue;
        bool counts = strcmp(n->entity, entity) == 0 && now_ms < n->effective_ms + STALE_DAYS * NOTICE_DAY_MS;
        return counts ? n : NULL;
    }
    return NULL;
}

static enum transfer_step publish(struct tenant *t, const char *entity, uint32_t uid, uint64_t now_ms) {
    struct notice wanted = {.kind = NOTICE_transfer,
                            .published_ms = now_ms,
                            .effective_ms = now_ms + t->house->config.notice_days * NOTICE_DAY_MS,
                            .tenant = t->entry->number,
                            .uid = uid};
    TEXT_COPY(wanted.entity, entity);
    int text = memfd_create("transfer", MFD_CLOEXEC);
    if (text < 0) return TRANSFER_FAILED;
    const struct notice *made = dprintf(text, words, entity, entity) > 0 ? notices_publish(t->house->notices, &wanted, text) : NULL;
    int error = errno;
    close(text);
    errno = error;
    if (!made) return TRANSFER_FAILED;
    announce_notice(t->house, made);
    return TRANSFER_ANNOUNCED;
}

enum transfer_step transfer_want(struct tenant *t, const char *entity, uint32_t uid, uint64_t now_ms, enum transfer_result *why) {
    const struct notice *n = find(t, entity, now_ms);
    if (!n) return publish(t, entity, uid, now_ms);
    uint64_t in_force = announce_in_force(n, t);
    *why = n->uid == uid ? TRANSFER_ALONE : !in_force ? TRANSFER_NOT_DELIVERED : TRANSFER_PERIOD;
    return n->uid != uid && in_force && now_ms >= in_force ? TRANSFER_MAY : TRANSFER_WAITS;
}

bool transfer_do(struct tenant *t, const char *entity) {
    struct registry_tenant wanted = *t->entry;
    TEXT_COPY(wanted.entity, entity);
    if (registry_update(t->house->registry, &wanted) != REGISTRY_DONE) return false;
    tell_tenant(t);
    return true;
}
