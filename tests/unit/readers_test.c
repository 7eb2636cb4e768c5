/* The readers of CSV, vCard and JSON: whatever the pieces in which a file comes, the same records come out. */
#include "../../worker/crm/collate.h"
#include "../../worker/crm/reader.h"
#include "../../worker/crm/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum format { CSV, VCARD, JSON };

static bool note(void *argument, unsigned long line, json_t *input, const struct problem *why) {
    struct text *log = argument;
    char head[512];
    snprintf(head, sizeof head, "%lu ", line);
    text_string(log, head);
    if (why) {
        snprintf(head, sizeof head, "!%s|%s|%lu", why->field, why->detail, why->line);
        text_string(log, head);
        assert_null(input);
    } else if (input) {
        char *dump = json_dumps(input, JSON_COMPACT | JSON_SORT_KEYS);
        text_string(log, dump);
        free(dump);
    } else {
        text_string(log, "-");
    }
    text_char(log, '\n');
    json_decref(input);
    return true;
}

/* Reads a file in pieces of that size; to free(). */
static char *read_in(enum format format, enum kind kind, const struct csv_options *options, const char *file, size_t size, size_t piece) {
    static const struct csv_options plain;
    struct text log = {0};
    struct problem p = {0};
    struct reader *r = format == CSV     ? csv_reader(kind, options ? options : &plain, note, &log, &p)
                       : format == VCARD ? vcard_reader(kind, note, &log, &p)
                                         : json_reader(kind, note, &log, &p);
    bool fine = r != NULL;
    for (size_t at = 0; fine && at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        uint8_t *copy = malloc(n); /* its own allocation, so that a sanitizer sees what reads beyond */
        memcpy(copy, file + at, n);
        fine = reader_feed(r, copy, n);
        free(copy);
    }
    if (fine) fine = reader_end(r);
    if (r) p = r->broken;
    if (!fine) {
        char end[512];
        assert_int_not_equal(p.status, 0);
        snprintf(end, sizeof end, "broken %lu %s|%s\n", p.line, p.field, p.detail);
        text_string(&log, end);
    }
    reader_free(r);
    text_char(&log, 0);
    return log.data;
}

static void expect_with(enum format format, enum kind kind, const struct csv_options *options, const char *file, size_t size,
                        const char *expected) {
    static const size_t pieces[] = {1, 2, 3, 7, 100000};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        char *log = read_in(format, kind, options, file, size, pieces[i]);
        if (strcmp(log, expected) != 0) fail_msg("pieces of %zu\n%s\ngave\n%s\nnot\n%s", pieces[i], file, log, expected);
        free(log);
    }
}
static void expect(enum format format, enum kind kind, const char *file, const char *expected) {
    expect_with(format, kind, NULL, file, strlen(file), expected);
}
static void expect_map(const char *map, char separator, const char *file, const char *expected) {
    struct csv_options options = {separator, map};
    expect_with(CSV, KIND_COMPANY, &options, file, strlen(file), expected);
}

static void csv(void **state) {
    (void)state;
    expect(CSV, KIND_COMPANY, "name,address.city\r\nA,Lyon\r\n\"B, \"\"x\"\"\nC\",\r\n\r\n,\r\nD,Nice",
           "2 {\"address\":{\"city\":\"Lyon\"},\"name\":\"A\"}\n3 {\"address\":{\"city\":null},\"name\":\"B, \\\"x\\\"\\nC\"}\n6 -\n7 "
           "{\"address\":{\"city\":\"Nice\"},\"name\":\"D\"}\n");
    expect(CSV, KIND_COMPANY, "\xef\xbb\xbfName;SECTOR\nA;b\n", "2 {\"name\":\"A\",\"sector\":\"b\"}\n");
    expect(CSV, KIND_COMPANY, "\n\nname\tsector\nA\t\n", "4 {\"name\":\"A\",\"sector\":null}\n");
    expect(CSV, KIND_COMPANY, "name\rA\rB\r", "2 {\"name\":\"A\"}\n3 {\"name\":\"B\"}\n");
    expect(CSV, KIND_COMPANY, "\"na\n\nme\"\nA\n", "broken 1 na\n\nme|no field of this name; give a map=field:Column,…\n");
    expect(CSV, KIND_COMPANY, "name,sector\nA\nB,c,d\n\"\n\n\",x\n",
           "2 !|1 cells, where the header row has 2.|0\n3 !|3 cells, where the header row has 2.|0\n"
           "4 {\"name\":\"\\n\\n\",\"sector\":\"x\"}\n");
    expect(
        CSV, KIND_CONTACT,
        "id,kind,version,family_name,emails,emails.2,tags,custom.Ville,custom\n"
        "01ARZ3NDEKTSV4RRFFQ69G5FAV,contact,9,N,a@b;c@d,e@f,\"x\\;y; z\",Lyon,\"{\"\"n\"\":1,\"\"Ville\"\":2}\"\n,,,N,,,,,\n,,,N,,,,,{\n",
        "2 "
        "{\"custom\":{\"Ville\":\"Lyon\",\"n\":1},\"emails\":[\"a@b\",\"c@d\",\"e@f\"],\"family_name\":\"N\",\"id\":"
        "\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"kind\":\"contact\","
        "\"tags\":[\"x;y\",\" z\"]}\n3 {\"custom\":{\"Ville\":null},\"emails\":null,\"family_name\":\"N\",\"tags\":null}\n4 "
        "!custom|expected a JSON object|0\n");
}

static void csv_broken(void **state) {
    (void)state;
    expect(CSV, KIND_COMPANY, "", "broken 1 |Expected a header row, got nothing.\n");
    expect(CSV, KIND_COMPANY, "\n\n", "broken 2 |Expected a header row, got nothing.\n");
    expect(CSV, KIND_COMPANY, "name,nom\nA,B\n", "broken 1 nom|no field of this name; give a map=field:Column,…\n");
    expect(CSV, KIND_COMPANY, "name,address\nA,B\n", "broken 1 address|no field of this name; give a map=field:Column,…\n");
    expect(CSV, KIND_COMPANY, "name,name\nA,B\n", "broken 1 name|two columns for one field\n");
    expect(CSV, KIND_COMPANY, "name\nA\nB\"C\n",
           "2 {\"name\":\"A\"}\nbroken 3 |A quote in the middle of a cell: a cell with quotes is quoted, its own quotes are doubled (RFC "
           "4180).\n");
    expect(CSV, KIND_COMPANY, "name\n\"A\nB\n", "broken 2 |A quote that is never closed.\n");
    expect(CSV, KIND_COMPANY, "name\nA\xe9\n", "broken 2 name|Not UTF-8, or with NUL characters; save the file as UTF-8.\n");
    expect_with(CSV, KIND_COMPANY, NULL, "name\nA\0B\n", 9, "broken 2 name|Not UTF-8, or with NUL characters; save the file as UTF-8.\n");
    expect_with(CSV, KIND_COMPANY, NULL, "\xff\xfen\0a\0m\0e\0\n\0", 12, "broken 1 |UTF-16; save the file as UTF-8.\n");
    size_t size = 200000;
    char *file = malloc(size);
    memset(file, 'x', size);
    expect_with(CSV, KIND_COMPANY, NULL, file, size, "broken 1 |No end of the header row within 64 KiB.\n");
    memcpy(file, "name\n\"", 6);
    for (size_t i = 50; i < size; i += 50)
        file[i] = '\n';
    expect_with(CSV, KIND_COMPANY, NULL, file, size, "broken 2 |A cell of more than 128 KiB, or a quote that is never closed.\n");
    free(file);
}

static void csv_map(void **state) {
    (void)state;
    static const char oui[] = "Registry,Assignment,Organization Name,Organization Address\nMA-L,002272,American Micro-Fuel Device "
                              "Corp.,2181 Buchanan Loop Ferndale WA US 98248 \n";
    expect_map("name:Organization Name,address.street:Organization Address,custom.assignment:Assignment", 0, oui,
               "2 {\"address\":{\"street\":\"2181 Buchanan Loop Ferndale WA US "
               "98248\"},\"custom\":{\"assignment\":\"002272\"},\"name\":\"American Micro-Fuel Device Corp.\"}\n");
    expect_map("name:a\\,b\\\\:c", ',', "\"a,b\\:c\",d\nx,y\n", "2 {\"name\":\"x\"}\n");
    expect_map("name:A", ';', "A;B,C\nx,y;z\n", "2 {\"name\":\"x,y\"}\n");
    expect_map("name:A,sector:B", 0, "A\nx\n", "broken 1 B|the header row has no column of this name, or the map names it twice\n");
    expect_map("name:A,sector:A", 0, "A\nx\n", "broken 1 A|the header row has no column of this name, or the map names it twice\n");
    expect_map("name:A", 0, "A,A\nx,y\n", "broken 1 A|there are two columns of this name\n");
    expect_map("tags:A,tags:B", 0, "A,B\nx,y\n", "2 {\"tags\":[\"x\",\"y\"]}\n");
    expect_map("nom:A", 0, "A\nx\n", "broken 0 nom|no such field; map is field:Column,field:Column\n");
    expect_map("name", 0, "A\nx\n", "broken 0 name|expected field:Column, the column's name is missing\n");
    expect_map("name:A,", 0, "A\nx\n", "broken 0 |no such field; map is field:Column,field:Column\n");
    expect_map("custom.:A", 0, "A\nx\n", "broken 0 custom.|no such field; map is field:Column,field:Column\n");
}

#define CARD(VERSION, BODY) "BEGIN:VCARD\r\nVERSION:" VERSION "\r\n" BODY "END:VCARD\r\n"

/* Time grows with the file, not with its square: half a megabyte of notes took the only loop of a tenant for a quarter of a minute. */
static void many_notes(void **state) {
    (void)state;
    enum { LINES = 40000 };
    static const char line[] = "NOTE:aaaaaaaaaaaaaaaaaaaa\n";
    struct text file = {0};
    text_string(&file, "BEGIN:VCARD\nVERSION:4.0\nFN:x\n");
    for (int i = 0; i < LINES; i++)
        text_string(&file, line);
    text_string(&file, "END:VCARD\n");
    clock_t begun = clock();
    char *log = read_in(VCARD, KIND_CONTACT, NULL, file.data, file.size, 4096);
    assert_true(clock() - begun < 5 * CLOCKS_PER_SEC);
    assert_true(strlen(log) > LINES * 20);
    free(log);
    text_free(&file);
}

static void vcard(void **state) {
    (void)state;
    expect(VCARD, KIND_CONTACT,
           CARD("4.0", "KIND:individual\r\nUID:urn:uuid:01563e3a-b5d3-d676-4c61-efb99302bd5b\r\nFN:Zoé "
                       "Œuvrard\r\nN:Œuvrard;Zoé;Anne;Dr;\r\nORG:Acme\\, Inc;Sales\r\nTITLE:Boss\r\n"
                       "item1.EMAIL;TYPE=work:z@b.fr\r\nEMAIL;PREF=1:first@b.fr\r\nTEL;VALUE=uri;TYPE=\"voice,home\":tel:+33-1\r\nADR;"
                       "LABEL=\"a:b;c\":;;1\\, rue\\nX;Ly\r\n on;;69000;France\r\n"
                       "BDAY:19850412\r\nNOTE:a\\nb\r\nNOTE:c\r\nCATEGORIES:x,y\\,z\r\nPHOTO:data:x\r\nX-UNKNOWN;A=b:c\r\n"),
           "1 {\"address\":{\"city\":\"Lyon\",\"country\":\"France\",\"postcode\":\"69000\",\"street\":\"1, "
           "rue\\nX\"},\"birthday\":\"1985-04-12\",\"company\":\"Acme, Inc\","
           "\"emails\":[\"first@b.fr\",\"z@b.fr\"],\"family_name\":\"Œuvrard\",\"given_name\":\"Zoé "
           "Anne\",\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"notes\":\"a\\nb\\nc\","
           "\"phones\":[\"+33-1\"],\"tags\":[\"x\",\"y,z\"],\"title\":\"Boss\"}\n");
    expect(
        VCARD, KIND_CONTACT,
        CARD("3.0", "FN:Jean\nN:;;;;\nTEL;HOME;PREF:1\nBDAY;X-APPLE-OMIT-YEAR=1604:1604-04-12\n") "\n" CARD("3.0", "FN:B\nBDAY:1985-04\n"),
        "1 {\"birthday\":\"--04-12\",\"company\":\"\",\"family_name\":\"Jean\",\"given_name\":\"\",\"phones\":[\"1\"]}\n9 "
        "{\"company\":\"\",\"family_name\":\"B\",\"given_name\":\"\"}\n");
    /* Companies: by KIND, by what address books write, by ORG alone. Others are passed over. */
    expect(
        VCARD, KIND_COMPANY,
        CARD("4.0", "KIND:org\nFN:A\nURL:https://a.fr\nX-SIREN:732829320\n") CARD("3.0", "FN:B\nORG:B\n")
            CARD("3.0", "FN:x\nN:x;;;;\nX-ABShowAs:COMPANY\nORG:C;D\n") CARD("3.0", "FN:x\nN:x;;;;\nORG:C\n")
                CARD("4.0", "KIND:group\nFN:x\n"),
        "1 {\"name\":\"A\",\"siren\":\"732829320\",\"website\":\"https://a.fr\"}\n8 {\"name\":\"B\"}\n13 {\"name\":\"C\"}\n20 -\n26 -\n");
    expect(VCARD, KIND_CONTACT, CARD("3.0", "FN:B\nORG:B\n") CARD("4.0", "KIND:Group\nFN:x\n"), "1 -\n6 -\n");
}

static void vcard_broken(void **state) {
    (void)state;
    expect(VCARD, KIND_CONTACT, "", "broken 0 |Expected BEGIN:VCARD, got nothing.\n");
    expect(VCARD, KIND_CONTACT, "x\n", "broken 1 |Expected BEGIN:VCARD.\n");
    expect(VCARD, KIND_CONTACT,
           "\xef\xbb\xbf"
           "begin:vcard\nVERSION:3.0\nFN:A\nend:vcard\n\n\nFN:x\n",
           "1 {\"company\":\"\",\"family_name\":\"A\",\"given_name\":\"\"}\nbroken 7 |Expected BEGIN:VCARD.\n");
    expect(VCARD, KIND_CONTACT, "BEGIN:VCARD\nVERSION:3.0\nFN:A\n", "broken 1 |The card has no END:VCARD.\n");
    expect(VCARD, KIND_CONTACT, "BEGIN:VCARD\nVERSION:3.0\nFN:A\n" CARD("3.0", "FN:B\n"),
           "1 !END|the card has no END:VCARD|4\n4 {\"company\":\"\",\"family_name\":\"B\",\"given_name\":\"\"}\n");
    expect(VCARD, KIND_CONTACT, CARD("2.1", "FN:A\n") CARD("3.0", "FN:B\n"),
           "1 !VERSION|only 3.0 and 4.0 are read|1\n5 {\"company\":\"\",\"family_name\":\"B\",\"given_name\":\"\"}\n");
    expect(VCARD, KIND_CONTACT, "BEGIN:VCARD\nFN:A\nEND:VCARD\n", "1 !VERSION|a card says its version: 3.0 or 4.0|1\n");
    expect(VCARD, KIND_CONTACT, CARD("3.0", "FN\n"), "1 !|not a line NAME:value|3\n");
    expect(VCARD, KIND_CONTACT, CARD("3.0", "FN;X=\"a:b\n"), "1 !|not a line NAME:value|3\n");
    expect(VCARD, KIND_CONTACT, CARD("3.0", "FN:\xe9\n"), "1 !|not UTF-8; save the file as UTF-8|3\n");
    expect(VCARD, KIND_CONTACT, CARD("3.0", "FN;ENCODING=QUOTED-PRINTABLE:=C3=A9\n"),
           "1 !FN|quoted-printable is of version 2.1; only 3.0 and 4.0 are read|3\n");
    expect_with(VCARD, KIND_CONTACT, NULL, "BEGIN:VCARD\nVERSION:3.0\nFN:A\0\nEND:VCARD\n", 40, "1 !|not a line NAME:value|3\n");
    /* What nobody reads may be as long as it likes. */
    struct text file = {0};
    for (int fn = 0; fn < 2; fn++) {
        text_clear(&file);
        text_string(&file, fn ? "BEGIN:VCARD\nVERSION:3.0\nFN:" : "BEGIN:VCARD\nVERSION:3.0\nFN:A\nPHOTO:");
        for (int i = 0; i < 10000; i++)
            text_string(&file, "AAAAAAAAAAAAAAAAAAAAAAAA\r\n ");
        text_string(&file, "\r\nEND:VCARD\r\n");
        expect_with(VCARD, KIND_CONTACT, NULL, file.data, file.size,
                    fn ? "1 !FN|at most 128 KiB|3\n" : "1 {\"company\":\"\",\"family_name\":\"A\",\"given_name\":\"\"}\n");
    }
    text_free(&file);
}

static void json(void **state) {
    (void)state;
    expect(JSON, KIND_COMPANY, "[]", "");
    expect(JSON, KIND_COMPANY, " [ {\"a\":\"}\\\"]\"} ,\n{\"b\":[{}]}\n]\n", "1 {\"a\":\"}\\\"]\"}\n2 {\"b\":[{}]}\n");
    expect(JSON, KIND_COMPANY, "\xef\xbb\xbf{\"a\":1}\n{\"b\":2}{}\n", "1 {\"a\":1}\n2 {\"b\":2}\n2 {}\n");
    expect(JSON, KIND_COMPANY, "[{\n\n\"a\":}, {\"b\":1}, {\"c\":1,\"c\":2}]",
           "1 !|Not valid JSON.|3\n3 {\"b\":1}\n3 !|A name is given twice in one object.|3\n");
    expect(JSON, KIND_COMPANY, "", "broken 1 |Expected an array of objects, or objects one a line, got nothing.\n");
    expect(JSON, KIND_COMPANY, "\n[{},]", "2 {}\nbroken 2 |Expected an object.\n");
    expect(JSON, KIND_COMPANY, "[,]", "broken 1 |Expected an object.\n");
    expect(JSON, KIND_COMPANY, "[1]", "broken 1 |Expected an object.\n");
    expect(JSON, KIND_COMPANY, "[{} {}]", "1 {}\nbroken 1 |Expected a comma or the end of the array.\n");
    expect(JSON, KIND_COMPANY, "[{}", "1 {}\nbroken 1 |The JSON text ends too early.\n");
    expect(JSON, KIND_COMPANY, "[{}]]", "1 {}\nbroken 1 |Something follows the end of the array.\n");
    expect(JSON, KIND_COMPANY, "[{}]{}", "1 {}\nbroken 1 |Something follows the end of the array.\n");
    expect(JSON, KIND_COMPANY, "{\"a\":1", "broken 1 |The JSON text ends too early.\n");
    expect(JSON, KIND_COMPANY, "\"x\"", "broken 1 |Expected an array of objects, or objects one a line.\n");
    size_t size = 300000;
    char *file = malloc(size);
    memset(file, ' ', size);
    memcpy(file, "[{", 2);
    expect_with(JSON, KIND_COMPANY, NULL, file, size,
                "broken 1 |An object of more than 256 KiB, or a quote or brace that is never closed.\n");
    free(file);
}

static int start(void **state) { return (void)state, collate_start() ? 0 : -1; }
static int stop(void **state) { return (void)state, collate_stop(), 0; }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(csv),   cmocka_unit_test(csv_broken), cmocka_unit_test(csv_map),
                                       cmocka_unit_test(vcard), cmocka_unit_test(many_notes), cmocka_unit_test(vcard_broken),
                                       cmocka_unit_test(json)};
    return cmocka_run_group_tests(tests, start, stop);
}
