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

uint64_t transfer_day(const struct tenant *t, uint64_t now_ms) { return now_ms + t->house->config.notice_days * NOTICE_DAY_MS; }

bool transfer_announce(struct tenant *t, const struct request *r) {
    struct notice wanted = {.kind = NOTICE_transfer,
                            .published_ms = r->asked_ms,
                            .effective_ms = transfer_day(t, r->asked_ms),
                            .tenant = t->entry->number,
                            .uid = r->asked_by};
    TEXT_COPY(wanted.entity, r->recipient);
    int text = memfd_create("transfer", MFD_CLOEXEC);
    if (text < 0) return false;
    const struct notice *made = dprintf(text, words, r->recipient, r->recipient) > 0 ? announce_publish(t->house, &wanted, text) : NULL;
    int error = errno;
    close(text);
    errno = error;
    return made;
}

/* That of this request: the tenant's newest. NULL: it could not be published. */
static const struct notice *notice_of(const struct tenant *t, const struct request *r) {
    for (size_t i = notices_count(t->house->notices); i > 0; i--) {
        const struct notice *n = notices_at(t->house->notices, i - 1);
        if (n->kind != NOTICE_transfer || n->tenant != t->entry->number) continue;
        return n->published_ms == r->asked_ms && strcmp(n->entity, r->recipient) == 0 ? n : NULL;
    }
    return NULL;
}

/* S13: a contract is transferred only after its notice was delivered and the period has run, and by a second person */
enum wait_reason transfer_waits(const struct tenant *t, const struct request *r, uint64_t now_ms) {
    const struct notice *n = notice_of(t, r);
    uint64_t in_force = n ? announce_in_force(n, t) : 0;
    if (!in_force) return WAIT_DELIVERY;
    return now_ms < in_force || !announce_has_run(n, t) ? WAIT_PERIOD : 0;
}

bool transfer_do(struct tenant *t, const char *entity) {
    struct registry_tenant wanted = *t->entry;
    TEXT_COPY(wanted.entity, entity);
    if (registry_update(t->house->registry, &wanted) != REGISTRY_DONE) return false;
    tell_tenant(t);
    return true;
}
