/* What is refused before any byte of a body is read: the wrong host, address, method, credential, right or size. */
#include "../functions.h"
#include "../provider/regions.h"
#include "../tenant.h"
#include "confirmations.h"
#include "exchange.h"
#include "login.h"
#include "rollback.h"
#include "routes.h"
#include "session.h"

static bool host_is_ours(const struct connection *c, struct slice host) {
    const char *asked = c->ssl ? SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name) : NULL;
    if (c->ssl && (!asked || !slice_equals_nocase(host, asked))) return false;
    for (uint32_t i = 0; i < self.profile.host_count; i++)
        if (slice_equals_nocase(host, self.profile.host[i])) return true;
    return false;
}

/* false: answered. */
static bool authorize(struct exchange *x) {
    enum session_refusal why = 0;
    const struct session *s = session_authenticate(&x->request, &why);
    if (s) {
        x->session = *s;
        x->request.session = &x->session;
    }
    if (why == SESSION_FOREIGN && !s)
        respond_problem(x, 403, "foreign-page", "A page of another site may not do this.", NULL, 0);
    else if (why == SESSION_OFF && !s)
        respond_function_off(x, FUNCTION_tokens);
    else if (why == SESSION_BUSY && !s)
        respond_problem(x, 503, "try-again", "The credential cannot be looked at now; try again.", NULL, 0);
    else if (!self.keys)
        respond_problem(x, 503, "sealed", "Nobody has opened this tenant since its start: log in.", NULL, 0);
    else if (!s) {
        respond_header(x, "WWW-Authenticate", "Bearer realm=\"cloison\"");
        respond_problem(x, 401, "credentials", "Log in first.", NULL, 0);
    } else if ((s->rights & x->route->rights) != x->route->rights)
        respond_problem(x, 403, "rights", "Your rights do not cover this.", NULL, 0);
    else if (x->route->flags & ROUTE_PERSON && s->kind != SLOT_SESSION) /* what leaked must not outlive its expiry, nor act for anybody */
        respond_problem(x, 403, "rights", "This takes a log-in, not a token.", NULL, 0);
    else
        return true;
    return false;
}

/* false: answered. */
static bool find_route(struct exchange *x) {
    char allow[ALLOW_MAX];
    enum route_verdict verdict = route_find(&x->request, &x->route, allow);
    if (verdict == ROUTE_FOUND) return true;
    if (verdict == ROUTE_BAD_PATH) {
        respond_problem(x, 400, "invalid-path", "The path holds an escape that is not served.", NULL, 0);
    } else if (verdict == ROUTE_NO_PATH) {
        respond_problem(x, 404, "not-found", "There is nothing at this address.", NULL, 0);
    } else {
        respond_header(x, "Allow", allow);
        if (x->head.method == HTTP_OPTIONS)
            respond_empty(x, 204);
        else
            respond_problem(x, 405, "method-not-allowed", "This address does not take that method.", NULL, 0);
    }
    return false;
}

/* While the tenant is sealed only the supervisor knows that a proxy was let in; what it reads then is the log-in page. */
enum function exchange_function_off(const struct exchange *x) {
    if (x->connection->plain && self.keys && !function_on(FUNCTION_plain_socket)) return FUNCTION_plain_socket;
    return x->confirmed || function_on(x->route->function) ? FUNCTION_NONE : x->route->function;
}

/* C4: a route's function is on, or the request is refused by name */
/* false: answered. */
static bool functions_are_on(struct exchange *x) {
    enum function off = exchange_function_off(x);
    if (!off) return true;
    enum store_result result = off == x->route->function ? confirmation_spend(&x->request, off) : STORE_MISSING;
    x->confirmed = result == STORE_OK;
    x->close |= off == FUNCTION_plain_socket;
    if (result == STORE_MISSING)
        respond_function_off(x, off);
    else if (result != STORE_OK)
        answer_failure(x, result);
    return x->confirmed;
}

/* S14: records, of any kind: what a tenant no longer does once its contract has ended. Who may, its keys and its functions stay its own. */
static bool writes(const struct route *route) {
    uint32_t any = RIGHT_WRITE | RIGHT_IMPORT;
    for (int k = 0; k < RIGHTS_KINDS; k++)
        any |= RIGHT_OF(k, RIGHT_WRITE | RIGHT_IMPORT);
    return route->rights & any || route->function == FUNCTION_import; /* whose right depends on a parameter */
}

bool exchange_admit(struct exchange *x) {
    if (!host_is_ours(x->connection, x->head.host)) {
        x->close = true;
        respond_problem(x, 421, "misdirected", "This host is not served here.", NULL, 0);
        return false;
    }
    if (x->head.method == HTTP_OTHER) {
        respond_problem(x, 501, "method-unknown", "This method is not served.", NULL, 0);
        return false;
    }
    if (!find_route(x)) return false;
    if (!(x->route->flags & ROUTE_PUBLIC) && (!authorize(x) || !rollback_admit(x) || !regions_admit(x, x->route->flags))) return false;
    if (self.profile.end_ms && writes(x->route)) {
        respond_problem(x, 403, "contract-ended", "The contract has ended: what is here can be read and fetched, and nothing is written.",
                        NULL, 0);
        return false;
    }
    if (!functions_are_on(x)) return false;
    if (x->route->flags & ROUTE_NO_BODY && !x->body_done) {
        respond_problem(x, 400, "unexpected-body", "This request takes no body.", NULL, 0);
        return false;
    }
    if (!(x->route->flags & ROUTE_STREAMED) && x->body_left > REQUEST_BODY_MAX) {
        respond_problem(x, 413, "too-large", "The body is too large.", NULL, 0);
        return false;
    }
    return true;
}
