/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "../../supervisor/config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct config config;
static char error[CONFIG_ERROR_MAX];

static bool parse(const char *text) { return config_parse("c", text, strlen(text), &config, error); }

/* C12: an empty configuration opens nothing */
static void an_empty_file_gives_the_defaults(void **state) {
    (void)state;
    assert_true(parse(""));
    assert_string_equal(error, "");
    assert_string_equal(config.run_dir, "/run/cloison");
    assert_string_equal(config.state_dir, "/var/lib/cloison");
    assert_string_equal(config.binaries, "");
    assert_int_equal(config.uid_base, 2000000000);
    assert_int_equal(config.uid_count, 65536);
    assert_int_equal(config.max_workers, 200);
    assert_int_equal(config.idle_ms, 300000);
    assert_int_equal(config.sample_ms, 10000);
    assert_int_equal(config.secret_memory, SECRET_MEMORY_REQUIRED);
    assert_int_equal(config.arena_bytes, 8 << 20);
    assert_string_equal(config.cgroup, "auto");
    assert_string_equal(config.duty[DUTY_viewer].name, "cloison-status");
    assert_int_equal(config.duty[DUTY_viewer].line, 0);
    assert_string_equal(config.proxy_group.name, "cloison-proxy");
    assert_int_equal(config.listener_count, 0);
}

static void every_option_is_taken(void **state) {
    (void)state;
    assert_true(
        parse("# all of them\n"
              "run_dir = /tmp/r\nstate_dir = \"/tmp/s\"\nbinaries = /usr/libexec/cloison\n"
              "uid_base = 3000000000\nuid_count = 1000\nrouter_uid = nobody\nrouter_gid = 12\nsteward_uid = 13\nsteward_gid = staff\n"
              "proxy_group = www-data\nmax_workers = 7\nidle_seconds = 1\nsample_seconds = 2\nsecret_memory = best-effort\n"
              "arena_bytes = 16M\ndefault_quota = 2G\nregion = fr-par\nhttps_port = 8443\ncgroup = off\nmemory_max = 256M\n"
              "pids_max = 9\ncpu_weight = 10000\nio_weight = 1\nper_source = 3\nper_tenant = 4\nper_source_rate = 5\nconnections = 6\n"
              "duty \"viewer\" { group = ops }\nallow_missing = { landlock, \"mdwe\" }\n"));
    assert_string_equal(config.run_dir, "/tmp/r");
    assert_string_equal(config.binaries, "/usr/libexec/cloison");
    assert_int_equal(config.uid_base, 3000000000);
    assert_string_equal(config.router_uid.name, "nobody");
    assert_int_equal(config.router_uid.line, 7);
    assert_string_equal(config.steward_gid.name, "staff");
    assert_string_equal(config.proxy_group.name, "www-data");
    assert_int_equal(config.idle_ms, 1000);
    assert_int_equal(config.sample_ms, 2000);
    assert_int_equal(config.secret_memory, SECRET_MEMORY_BEST_EFFORT);
    assert_int_equal(config.arena_bytes, 16 << 20);
    assert_int_equal(config.default_quota, 2147483648);
    assert_string_equal(config.region, "fr-par");
    assert_string_equal(config.cgroup, "off");
    assert_int_equal(config.limits.memory_max, 256 << 20);
    assert_int_equal(config.limits.io_weight, 1);
    assert_int_equal(config.per_source_rate, 5);
    assert_int_equal(config.connections, 6);
    assert_string_equal(config.duty[DUTY_viewer].name, "ops");
    assert_int_equal(config.duty[DUTY_viewer].line, 29);
    assert_string_equal(config.duty[DUTY_auditor].name, "cloison-auditor");
    assert_int_equal(config.allow_missing, (uint64_t)1 << LAYER_landlock | (uint64_t)1 << LAYER_mdwe);
}

static void listeners_are_taken(void **state) {
    (void)state;
    assert_true(parse(
        "listener \"127.0.0.1:8443\" { kind = tls }\n"
        "listener \"[2001:DB8:0::1]:443\" {\n kind = tls\n proxy = true\n from = {\"127.0.0.0/8\", \"::1\", 2001:db8::/32, 10.0.0.0/7}\n}\n"
        "listener \"0.0.0.0:80\" { kind = http acme = \"http://127.0.0.1:81/acme/\" }\n"));
    assert_int_equal(config.listener_count, 3);
    const struct config_listener *l = config.listener;
    assert_string_equal(l[0].title, "127.0.0.1:8443");
    assert_int_equal(l[0].kind, LISTENER_TLS);
    assert_false(l[0].proxy);
    assert_int_equal(l[0].port, 8443);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&l[0].address;
    assert_int_equal(v4->sin_family, AF_INET);
    assert_int_equal(ntohs(v4->sin_port), 8443);
    assert_int_equal(l[0].address_size, sizeof *v4);
    assert_string_equal(l[1].title, "[2001:db8::1]:443");
    assert_int_equal(l[1].address_size, sizeof(struct sockaddr_in6));
    assert_true(l[1].proxy);
    assert_int_equal(l[1].source_count, 4);
    static const uint8_t loopback[16] = {[10] = 0xff, [11] = 0xff, [12] = 127};
    assert_memory_equal(l[1].source[0].address, loopback, 16);
    assert_int_equal(l[1].source[0].prefix, 104);
    assert_int_equal(l[1].source[1].prefix, 128);
    assert_int_equal(l[1].source[2].prefix, 32);
    assert_int_equal(l[1].source[3].prefix, 103);
    assert_int_equal(l[2].kind, LISTENER_HTTP);
    assert_string_equal(l[2].acme_url, "http://127.0.0.1:81/acme/");
}

static void destinations_and_the_relay_are_taken(void **state) {
    (void)state;
    assert_true(parse("destination \"medium\" { kind = directory path = /mnt/b region = eu-fr archive = true }\n"
                      "destination \"far\" {\n kind = s3 endpoint = \"https://s3.example:9000\" bucket = b-1\n region = eu-de archive = "
                      "true object_lock = true\n"
                      " credentials = /etc/cloison/far ca = /etc/ca.pem signing_region = garage }\n"
                      "mail_relay = \"[::1]:2525\"\nmail_from = \"ops@host.example\"\ncourier_uid = 14\n"));
    assert_int_equal(config.destination_count, 2);
    const struct config_destination *d = config.destination;
    assert_int_equal(d[0].kind, DESTINATION_DIRECTORY);
    assert_true(d[0].archive);
    assert_false(d[0].same_medium);
    assert_string_equal(d[0].path, "/mnt/b");
    assert_string_equal(d[0].region, "eu-fr");
    assert_int_equal(d[1].kind, DESTINATION_S3);
    assert_string_equal(d[1].endpoint, "https://s3.example:9000");
    assert_string_equal(d[1].bucket, "b-1");
    assert_true(d[1].object_lock);
    assert_string_equal(d[1].signing_region, "garage");
    assert_string_equal(d[1].credentials, "/etc/cloison/far");
    assert_string_equal(config.mail_relay.host, "::1");
    assert_int_equal(config.mail_relay.port, 2525);
    assert_string_equal(config.mail_from, "ops@host.example");
    assert_string_equal(config.courier_uid.name, "14");
    assert_true(config_has_courier(&config));
    static struct config other;
    other = config;
    assert_true(config_same_courier(&config, &other));
    other.destination[1].bucket[0] = 'c';
    assert_false(config_same_courier(&config, &other));
    assert_true(parse(""));
    assert_false(config_has_courier(&config));
}

static void errors_name_line_option_and_expectation(void **state) {
    (void)state;
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"\nmax_workers = 0\n", "c:2: max_workers: expected a number from 1 to 4096, not \"0\""},
        {"max_workers = 4097", "c:1: max_workers: expected a number from 1 to 4096, not \"4097\""},
        {"max_workers = 0x10", "c:1: max_workers: expected a number"},
        {"max_workers = -1", "c:1: max_workers: expected a number"},
        {"max_workers = 99999999999999999999999999", "c:1: max_workers: expected a number"},
        {"max_workers = 3\nmax_workers = 4", "c:2: max_workers: given twice"},
        {"idle_seconds = 1h", "c:1: idle_seconds: expected seconds from 0 to"},
        {"arena_bytes = 8MB", "c:1: arena_bytes: expected bytes"},
        {"arena_bytes = 8388609", "c:1: arena_bytes: expected bytes (a multiple of 4096"},
        {"default_quota = 999999999T", "c:1: default_quota: expected bytes"},
        {"default_quota = 1k", "c:1: default_quota: expected bytes"},
        {"run_dir = run", "c:1: run_dir: expected an absolute path of at most 90 bytes, not \"run\""},
        {"state_dir = \"\"", "c:1: state_dir: expected an absolute path"},
        {"region = Paris", "c:1: region: expected 1 to 32 of"},
        {"cgroup = yes", "c:1: cgroup: expected auto, off or an absolute path"},
        {"secret_memory = maybe", "c:1: secret_memory: expected required or best-effort"},
        {"router_uid = \"a b\"", "c:1: router_uid: expected a user's or group's name or number"},
        {"router_uid = 4294967295", "c:1: router_uid: expected"},
        {"\n\nlog_dir = /x\n", "c:3: no such option 'log_dir'"},
        {"# a comment\n#\n # \"another\nregion = fr # 'x\n\nlog_dir = /x\n", "c:6: no such option 'log_dir'"},
        {"region = \"f\\\"#r\"\nlog_dir = /x\n", "c:1: region: expected"},
        {"max_workers\n", "c:"},
        {"region = \"fr", "c:"},
        {"listener \"127.0.0.1:1\" {\n kind = tcp\n}", "c:2: kind: expected tls or http, not \"tcp\""},
        {"listener \"127.0.0.1:1\" {\n kind = tls\n proxy = yes }", "c:3: proxy: expected true or false"},
        {"listener \"127.0.0.1:1\" {\n kind = tls\n proxy = true\n from = {\"10.1.0.0/8\"} }", "c:4: from: expected a network"},
        {"listener \"127.0.0.1:1\" { kind = tls proxy = true from = { ::/129 } }", "c:1: from: expected a network"},
        {"region = a\nlistener \"127.0.0.1:1\" {\n kind = tls\n", "c:2: this brace is not closed"},
        {"destination \"a\" {\n kind = tape }", "c:2: kind: expected directory or s3, not \"tape\""},
        {"destination \"a\" { path = /b region = x }", "c:1: destination \"a\": expected kind"},
        {"destination \"a\" { kind = directory path = /b }", "c:1: destination \"a\": expected region"},
        {"destination \"a\" { kind = directory region = x }", "c:1: destination \"a\": expected path"},
        {"destination \"a\" { kind = directory path = /b region = x bucket = abc }",
         "c:1: destination \"a\": bucket does not go with kind = directory"},
        {"destination \"a\" { kind = directory path = /mnt/b region = eu-fr archive = true object_lock = true }",
         "c:1: destination \"a\": object_lock does not go with kind = directory"},
        {"destination \"a\" { kind = s3 endpoint = \"https://s\" bucket = b-1 region = eu-fr credentials = /c object_lock = true }",
         "c:1: destination \"a\": object_lock goes with archive = true alone"},
        {"destination \"a\" { kind = s3 endpoint = \"http://s3.example\" }", "c:1: endpoint: expected https://"},
        {"destination \"a\" { kind = s3 endpoint = \"http://127.0.0.1.example\" }", "c:1: endpoint: expected https://"},
        {"destination \"a\" { kind = s3 endpoint = \"https://s3.example/p\" }", "c:1: endpoint: expected https://"},
        {"destination \"a\" { kind = s3 endpoint = \"https://u@s3.example\" }", "c:1: endpoint: expected https://"},
        {"destination \"a\" { kind = s3 bucket = Upper }", "c:1: bucket: expected a bucket's name"},
        {"destination \"A\" { kind = directory path = /b region = x }", "c:1: destination: expected a name"},
        {"mail_relay = localhost", "c:1: mail_relay: expected \"HOST:PORT\""},
        {"mail_relay = \"a b:25\"", "c:1: mail_relay: expected"},
        {"mail_relay = \"[127.0.0.1]:25\"", "c:1: mail_relay: expected"},
        {"mail_from = \"ops\"", "c:1: mail_from: expected a mail address"},
        {"mail_from = \"a\\nRCPT@host.example\"", "c:1: mail_from: expected a mail address"},
        {"allow_missing = {mdwe", "c:1: this brace is not closed"},
        {"listener \"127.0.0.1:1\" { kind = tls proxy = true }", "c:1: listener \"127.0.0.1:1\": proxy = true and from go together"},
        {"listener \"127.0.0.1:1\" { kind = tls from = { ::1 } }", "c:1: listener \"127.0.0.1:1\": proxy = true and from go together"},
        {"listener \"127.0.0.1:1\" { kind = tls acme = \"http://a/\" }", "c:1: listener \"127.0.0.1:1\": acme needs kind = http"},
        {"listener \"127.0.0.1:1\" { kind = http acme = \"ftp://a/\" }", "c:1: acme: expected an http:// or https:// address"},
        {"listener \"127.0.0.1:1\" { kind = http acme = \"http://a/\r\nX: y\" }", "c:"},
        {"listener \"127.0.0.1:1\" { }", "c:1: listener \"127.0.0.1:1\": expected kind = tls or kind = http"},
        {"listener \"localhost:1\" { kind = tls }", "c:1: listener: expected \"ADDRESS:PORT\" or \"[IPV6]:PORT\", not \"localhost:1\""},
        {"listener \"127.0.0.1:0\" { kind = tls }", "c:1: listener: expected \"ADDRESS:PORT\""},
        {"listener \"127.0.0.1:65536\" { kind = tls }", "c:1: listener: expected \"ADDRESS:PORT\""},
        {"listener \"::1:80\" { kind = tls }", "c:1: listener: expected"},
        {"listener \"[127.0.0.1]:80\" { kind = tls }", "c:1: listener: expected"},
        {"listener \"127.0.0.1\" { kind = tls }", "c:1: listener: expected"},
        {"listener \"[::1]:1\" { kind = tls }\nlistener \"[0::1]:1\" { kind = tls }", "c:2: listener \"[::1]:1\": given twice"},
        {"listener \"127.0.0.1:1\" { kind = tls port = 3 }", "c:1: no such option 'port'"},
        {"allow_missing = { landlock,\n yama }", "c:2: allow_missing: expected layers like"},
        {"capsule_place \"Vault\" { path = /x }", "c:1: capsule_place: expected a name of a-z, 0-9 and hyphen, not \"Vault\""},
        {"capsule_place \"../v\" { path = /x }", "c:1: capsule_place: expected a name"},
        {"capsule_place \"vault\" { }", "c:1: capsule_place \"vault\": expected path = DIRECTORY"},
        {"capsule_place \"vault\" { path = /x }", "c:1: capsule_place \"vault\": expected region = REGION"},
        {"capsule_place \"vault\" { path = /x region = \"EU FR\" }", "c:1: region: expected 1 to 32 of a-z"},
        {"capsule_place \"vault\" { path = vault }", "c:1: path: expected an absolute path"},
        {"capsule_place \"v\" { path = /x region = r }\ncapsule_place \"v\" { path = /y region = r }",
         "c:2: capsule_place \"v\": given twice"},
        {"duty \"god\" { group = root }", "c:1: duty: there is no duty \"god\""},
        {"duty \"viewer\" { }", "c:1: duty \"viewer\": expected group = NAME"},
        {"duty \"viewer\" { group = a }\nduty \"viewer\" { group = b }", "c:2: duty \"viewer\": given twice"},
        {"region = \"${HOME}\"", "c:1: ${...} has no meaning here"},
        {"include(\"/etc/passwd\")", "c:1: no such option 'include'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(&config, 0x5a, sizeof config);
        struct config before = config;
        if (parse(rows[i].text)) fail_msg("taken: %s", rows[i].text);
        if (strncmp(error, rows[i].error, strlen(rows[i].error)) != 0) fail_msg("row %zu: %s", i, error);
        assert_memory_equal(&before, &config, sizeof config);
    }
    assert_false(config_parse("c", "a\0b", 3, &config, error));
    assert_string_equal(error, "c:1: a NUL byte");
}

static void places_are_read(void **state) {
    (void)state;
    assert_true(parse("capsule_place \"vault\" { path = /mnt/vault region = eu-fr }\ncapsule_place \"other-2\" { path = \"/srv/a b\" "
                      "region = eu-de }\n"));
    assert_int_equal(config.place_count, 2);
    assert_string_equal(config.place[0].name, "vault");
    assert_string_equal(config.place[0].path, "/mnt/vault");
    assert_string_equal(config.place[1].path, "/srv/a b");
    assert_string_equal(config.place[0].region, "eu-fr");
    assert_string_equal(config.place[1].region, "eu-de");
}

static void too_many_are_refused(void **state) {
    (void)state;
    char text[8192];
    size_t used = 0;
    for (int i = 0; i <= LISTENERS_MAX; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "listener \"127.0.0.1:%d\" { kind = tls }\n", 1000 + i);
    assert_false(parse(text));
    assert_string_equal(error, "c:17: listener: at most 16");
    used = (size_t)snprintf(text, sizeof text, "listener \"127.0.0.1:1\" { kind = tls proxy = true from = { ");
    for (int i = 0; i <= SOURCES_MAX; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s10.0.0.%d", i ? ", " : "", i);
    snprintf(text + used, sizeof text - used, " } }");
    assert_false(parse(text));
    assert_string_equal(error, "c:1: from: at most 16 networks");
}

/* --- what looks at the machine --- */

static char etc[64];

static void write_file(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", etc, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int make_etc(void **state) {
    (void)state;
    snprintf(etc, sizeof etc, "/tmp/config_test.XXXXXX");
    if (!mkdtemp(etc)) return -1;
    write_file("passwd", "root:x:0:0::/:/bin/sh\ncloison-router:x:801:901::/:/x\ncloison-steward:x:802:902::/:/x\nodd\n::\n");
    write_file("group", "root:x:0:\ncloison-status:x:950:a,b\nops:x:960:\ncloison-router:x:901:\n");
    write_file("subuid", "lxd:100000:65536\n");
    write_file("subgid", "lxd:100000:65536\n");
    return 0;
}

static int remove_etc(void **state) {
    (void)state;
    static const char *const names[] = {"passwd", "group", "subuid", "subgid", "conf"};
    char path[128];
    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/%s", etc, names[i]);
        unlink(path);
    }
    return rmdir(etc);
}

static bool resolve(const char *text) { return parse(text) && config_resolve("c", etc, &config, error); }

/* C5: where there is no provider its groups have no duty, only those that the file names */
static void modes_without_a_provider_have_no_groups_of_its_own(void **state) {
    (void)state;
    assert_true(resolve("mode = on-premise"));
    assert_int_equal(config.mode, MODE_ON_PREMISE);
    for (int d = 0; d < DUTY_COUNT; d++)
        assert_int_equal(config.duty[d].id, CONFIG_NOBODY);
    assert_true(resolve("mode = dedicated\nduty \"operator\" { group = ops }"));
    assert_int_equal(config.duty[DUTY_operator].id, 960);
    assert_int_equal(config.duty[DUTY_viewer].id, CONFIG_NOBODY);
    assert_true(resolve("mode = shared"));
    assert_int_equal(config.duty[DUTY_viewer].id, 950);
    assert_false(resolve("mode = own"));
}

static void accounts_are_resolved(void **state) {
    (void)state;
    assert_true(resolve(""));
    assert_int_equal(config.router_uid.id, 801);
    assert_int_equal(config.router_gid.id, 901);
    assert_int_equal(config.steward_uid.id, 802);
    assert_int_equal(config.steward_gid.id, 902);
    assert_int_equal(config.duty[DUTY_viewer].id, 950);
    assert_int_equal(config.duty[DUTY_operator].id, CONFIG_NOBODY);
    assert_int_equal(config.proxy_group.id, CONFIG_NOBODY);
    assert_int_equal(config.binaries[0], '/');
    assert_true(
        resolve("router_uid = 5\nrouter_gid = 6\nduty \"operator\" { group = ops }\nduty \"auditor\" { group = 4000 }\nproxy_group = ops"));
    assert_int_equal(config.router_uid.id, 5);
    assert_int_equal(config.router_gid.id, 6);
    assert_int_equal(config.duty[DUTY_operator].id, 960);
    assert_int_equal(config.duty[DUTY_auditor].id, 4000);
    assert_int_equal(config.proxy_group.id, 960);
    assert_true(resolve("router_uid = 801"));
    assert_int_equal(config.router_gid.id, 901);
}

static void accounts_that_do_not_fit_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"router_uid = nemo", "c:1: router_uid: there is no user \"nemo\""},
        {"router_uid = 5", "c:1: router_gid: needed"},
        {"router_uid = 0\nrouter_gid = 1", "c:1: router_uid: neither 0 nor"},
        {"router_uid = 2000000001\nrouter_gid = 1", "c:1: router_uid: neither 0 nor"},
        {"steward_gid = root", "c:1: steward_gid: neither 0 nor"},
        {"steward_uid = cloison-router", "c:1: steward_uid: the router has the same"},
        {"\nduty \"operator\" { group = nemo }", "c:2: operator: there is no group \"nemo\""},
        {"proxy_group = nemo", "c:1: proxy_group: there is no group"},
        {"uid_base = 34465", "c: uid_base: 34465 to 100000 is not free: lxd in "},
        {"uid_base = 165535", "c: uid_base: 165535 to 231070 is not free: lxd in "},
        {"uid_base = 4294900000\nuid_count = 100000", "c: uid_base: the range ends above"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (resolve(rows[i].text)) fail_msg("taken: %s", rows[i].text);
        if (strncmp(error, rows[i].error, strlen(rows[i].error)) != 0) fail_msg("row %zu: %s", i, error);
    }
    assert_true(resolve("uid_base = 34464"));
    assert_true(resolve("uid_base = 165536"));
}

static void a_file_others_can_write_is_refused(void **state) {
    (void)state;
    char path[128];
    write_file("conf", "max_workers = 3\nrouter_uid = 801\nrouter_gid = 901\nsteward_uid = 802\nsteward_gid = 902\n");
    snprintf(path, sizeof path, "%s/conf", etc);
    chmod(path, 0644);
    assert_true(config_load(path, &config, error));
    assert_int_equal(config.max_workers, 3);
    chmod(path, 0664);
    assert_false(config_load(path, &config, error));
    assert_non_null(strstr(error, "writable by its owner alone"));
    assert_false(config_load("/nowhere/conf", &config, error));
    assert_string_equal(error, "/nowhere/conf: No such file or directory");
    assert_false(config_load(etc, &config, error));
}

static void restarts_are_asked_for_by_name(void **state) {
    (void)state;
    static const struct {
        const char *before, *after, *option;
    } rows[] = {
        {"", "", NULL},
        {"", "max_workers = 3\nidle_seconds = 1\nsecret_memory = best-effort", NULL},
        {"", "run_dir = /a", "run_dir"},
        {"", "state_dir = /a", "state_dir"},
        {"", "uid_base = 3000000000", "uid_base"},
        {"", "router_uid = 6\nrouter_gid = 901", "router_uid"},
        {"", "cgroup = off", "cgroup"},
        {"", "arena_bytes = 16M", "arena_bytes"},
        {"arena_bytes = 16M", "", NULL},
        {"", "listener \"127.0.0.1:8443\" { kind = tls }", NULL},
        {"", "listener \"127.0.0.1:443\" { kind = tls }", "listener"},
        {"listener \"127.0.0.1:443\" { kind = tls }", "", NULL},
        {"listener \"127.0.0.1:443\" { kind = tls }", "listener \"127.0.0.1:443\" { kind = tls proxy = true from = ::1 }", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(resolve(rows[i].before));
        struct config old = config;
        assert_true(resolve(rows[i].after));
        const char *option = config_needs_restart(&old, &config);
        if (!rows[i].option != !option || (option && strcmp(option, rows[i].option) != 0))
            fail_msg("row %zu: %s", i, option ? option : "NULL");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_gives_the_defaults),
        cmocka_unit_test(every_option_is_taken),
        cmocka_unit_test(listeners_are_taken),
        cmocka_unit_test(destinations_and_the_relay_are_taken),
        cmocka_unit_test(errors_name_line_option_and_expectation),
        cmocka_unit_test(places_are_read),
        cmocka_unit_test(too_many_are_refused),
        cmocka_unit_test_setup_teardown(modes_without_a_provider_have_no_groups_of_its_own, make_etc, remove_etc),
        cmocka_unit_test_setup_teardown(accounts_are_resolved, make_etc, remove_etc),
        cmocka_unit_test_setup_teardown(accounts_that_do_not_fit_are_refused, make_etc, remove_etc),
        cmocka_unit_test_setup_teardown(a_file_others_can_write_is_refused, make_etc, remove_etc),
        cmocka_unit_test_setup_teardown(restarts_are_asked_for_by_name, make_etc, remove_etc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
