/* test_bench_report.c: make report on made data: the page is whole, needs nothing else, and says what the data say. */
#include <ctype.h>
#include <sys/stat.h>

#include "bench_run.h"
#include "comparison.h"
#include "output.h"

#define COUNT_OF(list) (sizeof(list) / sizeof *(list))
#define NBSP "\u00a0"

static char output[8192];

/* ---- made data */

/* The first line of a kind's file, as its program writes it. */
static const char *header_of(const char *kind) {
    static char header[1000];
    bool scaling = strcmp(kind, "scaling") == 0;
    if (!scaling && strncmp(kind, "sizes", 5) != 0 && strcmp(kind, "footprint") != 0)
        return strstr(kind, "latencies") != NULL ? latency_header : comparison_header;
    int status =
        run_line(header, sizeof header,
                 "PATH=/nowhere %s/bench/%.*s %s --quick --seconds 0.1 --workers 1 --output %s/learnt >%s/said 2>&1;"
                 " sed 1q %s/learnt-%s.csv",
                 build(), (int)strcspn(kind, "-"), kind, scaling ? "--only empty" : "", folder, folder, folder, kind);
    if (status != 0)
        skip("%s/bench/%s was not built", build(), kind);
    header[strcspn(header, "\n")] = '\0';
    return header;
}

/* A line of CSV with these values, "workers=2|unit=sums": the columns that they do not name are empty. */
static void put_row(FILE *file, const char *header, const char *values) {
    char line[2000] = "", name[100], all[1000], value[400];
    size_t used = 0;
    snprintf(all, sizeof all, "|%s", values);
    for (const char *column = header; *column != '\0'; column += strcspn(column, ",")) {
        column += *column == ',';
        snprintf(name, sizeof name, "|%.*s=", (int)strcspn(column, ","), column);
        const char *at = strstr(all, name), *from = at != NULL ? at + strlen(name) : "";
        used += at != NULL;
        snprintf(value, sizeof value, "%.*s", (int)strcspn(from, "|"), from);
        snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s", column == header ? "" : ",",
                 strpbrk(value, ",\"<") != NULL ? output_quoted(value) : value);
    }
    ck_assert_msg(used == count_of(all, "|"), "%s: not all are columns of %s", values, header);
    output_row(file, "%s", line);
}

/* MACHINE/DATE-KIND.csv with these rows; they end with NULL. */
static void put_data(const char *start, const char *kind, const char *const *rows) {
    char path[300];
    snprintf(path, sizeof path, "%s-%s.csv", in_folder(start), kind);
    FILE *file = fopen(path, "w");
    require(file != NULL);
    const char *header = header_of(kind);
    output_row(file, "%s", header);
    for (; *rows != NULL; rows++)
        put_row(file, header, *rows);
    output_close(file);
}
#define PUT(start, kind, ...) put_data(start, kind, (const char *const[]){__VA_ARGS__, NULL})

/* What bench/run tells of a machine, in its order. */
static void put_machine(const char *start, const char *cpu, const char *quick) {
    char path[100], text[2000];
    snprintf(path, sizeof path, "%.*s", (int)strcspn(start, "/"), start);
    require(mkdir(in_folder(path), 0700) == 0 || errno == EEXIST);
    snprintf(text, sizeof text,
             "{\n  \"machine\": \"made\",\n  \"cpu\": \"%s\",\n  \"virtual\": true,\n  \"cores_usable\": 2,\n"
             "  \"container_cpu_limit\": null,\n  \"caches\": {\"L1 data\": \"32K\", \"L2 unified\": \"1024K\"},\n"
             "  \"memory_mib\": 24105,\n  \"governor\": null,\n  \"kernel\": \"Linux 6.1\",\n"
             "  \"flags\": \"-DNAME=\\\"a\\\\b\\\" <&>\",\n  \"commit\": \"abc1234-dirty\",\n"
             "  \"date\": \"2026-01-02\",\n  \"seed\": 77,\n  \"quick\": %s,\n  \"probe_speedup\": 1.99,\n"
             "  \"noise_verdict\": \"this machine cannot show a speedup of more than 1.99 & no less\"\n}\n",
             cpu, quick);
    snprintf(path, sizeof path, "%s-machine.json", start);
    write_text(in_folder(path), text);
}

#define ROOM "here/2026-01-02"
#define QUEUE "primitive=queue_8|subject=ours|samples=6|median_ns=59.66|low_ns=36.29|high_ns=163.6|title=8 B, backlog"

static int report(const char *arguments) {
    return run_line(output, sizeof output, "RESULTS=%s bench/report %s", folder, arguments);
}

/* The page of the data in ROOM, which it must be possible to make. */
static const char *page(void) {
    expect_status(report(""), 0, output);
    return text_of(in_folder(ROOM "-report.html"));
}

static void expect_in(const char *text, const char *part) {
    const char *main = strstr(text, "<main>");
    ck_assert_msg(strstr(text, part) != NULL, "'%s' is not in:\n%.3000s", part, main != NULL ? main : text);
}

static void expect_not_in(const char *text, const char *part) {
    const char *at = strstr(text, part);
    ck_assert_msg(at == NULL, "'%s' is there: %.300s", part, at);
}

/* The rows of all tables, each as a line: a bar in the place of tags. */
static const char *rows_of(const char *text) {
    static char rows[16384];
    size_t length = 0;
    for (const char *at = text; (at = strstr(at, "<tr")) != NULL;) {
        rows[length++] = '\n';
        for (const char *end = strstr(at, "</tr>"); at < end; at++) {
            require(length < sizeof rows - 3);
            at = *at == '<' ? strchr(at, '>') : at;
            if (*at != '>' || strchr("|\n", rows[length - 1]) == NULL)
                rows[length++] = *at == '>' ? '|' : *at;
        }
        memcpy(rows + length, "\n", 2);
    }
    return rows;
}

/* ---- a page that is whole */

/* At the end of a tag's attributes, each of which is quoted and has no < in it. */
static const char *attributes_end(const char *at) {
    while (*(at += strspn(at, " \t\n")) != '>' && *at != '/') {
        const char *quote = at + strcspn(at, "= \t\n/>") + 1, *end = strchr(quote + 1, *quote);
        bool right = quote[-1] == '=' && strchr("\"'", *quote) != NULL && end != NULL;
        ck_assert_msg(right && memchr(quote, '<', (size_t)(end - quote)) == NULL, "a bad attribute: %.80s", at);
        at = end + 1;
    }
    return at;
}

/* Each tag is closed, in order, and texts have no bare < or &. */
static void expect_well_formed(const char *text) {
    char open[50][20];
    size_t depth = 0;
    ck_assert_msg(strncmp(text, "<!DOCTYPE html>\n", 16) == 0, "%.80s", text);
    size_t entities = count_of(text, "&amp;") + count_of(text, "&lt;") + count_of(text, "&gt;");
    ck_assert_uint_eq(count_of(text, "&"), entities + count_of(text, "&quot;") + count_of(text, "&#"));
    for (const char *at = text + 16; (at = strchr(at, '<')) != NULL; at++) {
        bool closes = at[1] == '/';
        at += 1 + closes;
        size_t length = strcspn(at, " \t\n/>");
        ck_assert_msg(isalpha((unsigned char)*at) && length < sizeof *open, "no tag: %.80s", at - 1);
        require(closes ? depth > 0 : depth < COUNT_OF(open));
        if (closes) {
            const char *last = open[--depth];
            bool same = strlen(last) == length && strncmp(at, last, length) == 0;
            ck_assert_msg(same && at[length] == '>', "%s is closed by: %.80s", last, at);
            at += length;
        } else {
            snprintf(open[depth++], sizeof *open, "%.*s", (int)length, at);
            at = attributes_end(at + length);
            depth -= *at == '/';
            at += *at == '/';
            ck_assert_msg(*at == '>', "a bad tag: %.80s", at);
        }
    }
    ck_assert_msg(depth == 0, "%s is not closed", open[depth - 1]);
}

/* It is well formed, nothing comes from elsewhere, and what has a name has it alone. */
static void expect_whole(const char *text) {
    static const char *const FOREIGN[] = {" src=", "<script", "<link", "@import"};
    expect_well_formed(text);
    for (size_t i = 0; i < COUNT_OF(FOREIGN); i++)
        expect_not_in(text, FOREIGN[i]);
    /* An address is only the name of a language. */
    ck_assert_uint_eq(count_of(text, "http"), count_of(text, "xmlns=\"http") + count_of(text, "xmlns:xlink=\"http"));
    ck_assert_uint_eq(count_of(text, "href="), count_of(text, "href=\"#") + count_of(text, "href='#"));
    ck_assert_uint_eq(count_of(text, "url("), count_of(text, "url(#"));
    for (const char *at = text; (at = strstr(at, " id=")) != NULL; at++) {
        char id[100];
        snprintf(id, sizeof id, "%.*s", (int)strcspn(at + 5, "\"'") + 6, at);
        expect_not_in(at + 1, id);
    }
}

/* As gnuplot begins and ends all charts, with the same marks in each. */
static const char CHART[] =
    "<?xml version=\"1.0\" encoding=\"utf-8\"  standalone=\"no\"?>\n<svg \n xmlns=\"http://www.w3.org/2000/svg\"\n"
    " xmlns:xlink=\"http://www.w3.org/1999/xlink\"\n>\n\n<title>Gnuplot</title>\n<desc>Produced by GNUPLOT</desc>\n"
    "<g id=\"gnuplot_canvas\">\n<defs>\n\t<circle id='gpDot' r='0.5'/>\n\t<use xlink:href='#gpDot' id='gpPt6'/>\n"
    "\t<filter id='textbox'/>\n</defs>\n<text filter=\"url(#textbox)\">1 &amp; 2</text>\n</g>\n</svg>\n";

START_TEST(page_is_whole_and_needs_nothing_else) {
    put_machine(ROOM, "Maker <&> \\\"Ten\\\"", "false");
    PUT(ROOM, "queues", QUEUE "|reaches=>= 10x <Python> & all: reached");
    PUT(ROOM, "pools", "primitive=map|subject=ours|samples=1|median_ns=80|title=a < b & \"c\" > d");
    write_text(in_folder(ROOM "-queues.svg"), CHART);
    write_text(in_folder(ROOM "-pools.svg"), CHART);
    const char *text = page();
    expect_whole(text);
    ck_assert_uint_eq(count_of(text, "<svg"), 2);
    expect_in(text, "<circle id='queues-gpDot'");
    expect_in(text, "filter=\"url(#pools-textbox)\"");
    expect_in(text, "<h1>What concurrency costs on Maker &lt;&amp;&gt; \"Ten\", 2 cores</h1>");
    expect_in(text, ">a &lt; b &amp; &quot;c&quot; &gt; d</th>");
    expect_in(text, "<span class=\"reached\">≥ 10" NBSP "× &lt;Python&gt; &amp; all: reached</span>");
    /* The same with real charts, where they can be drawn. */
    PUT(ROOM, "pools", "primitive=map|subject=ours|samples=3|median_ns=80|low_ns=70|high_ns=90|title=a & b <c>",
        "primitive=map|subject=floor|samples=3|median_ns=20|low_ns=19|high_ns=22|ratio=4|title=a & b <c>");
    expect_status(run_line(output, sizeof output, "RESULTS=%s bench/plot", folder), 0, output);
    text = page();
    expect_whole(text);
}
END_TEST

/* ---- what it says */

START_TEST(machine_and_how_to_repeat_the_run_are_told) {
    char line[400];
    put_machine(ROOM, "Maker", "true");
    PUT(ROOM, "queues", QUEUE);
    const char *text = page();
    snprintf(line, sizeof line, "^%s-report\\.html \\([0-9]+ KiB\\)\n$", in_folder(ROOM));
    expect_match(output, line);
    expect_in(rows_of(text), "\nProcessor|Maker|\nVirtual machine|yes|\nCores to be used|2|\n"
                             "Limit of cores by a container|none|\nCaches|L1 data: 32K, L2 unified: 1024K|\n"
                             "Memory|24105 MiB|\nFrequency governor|not told|\nKernel|Linux 6.1|\n"
                             "Compiler flags|-DNAME=\"a\\b\" &lt;&amp;&gt;|\nNoise probe, long runs|speedup 1.99|\n");
    expect_in(text, "Noise probe: <b>this machine cannot show a speedup of more than 1.99 &amp; no less.</b>");
    expect_in(text, "Measured on 2026-01-02, commit abc1234-dirty,");
    expect_in(text, "<p>A quick run: ");
    expect_in(text, "<pre>git checkout abc1234\nmake bench QUICK=1 SEED=77\nmake report</pre>");
    expect_in(text, "the sources had changes");
}
END_TEST

START_TEST(section_stands_only_where_there_is_data) {
    put_machine(ROOM, "Maker", "false");
    PUT(ROOM, "queues", QUEUE);
    PUT(ROOM, "pools-latencies", "primitive=pool_apply_hot|subject=ours|implementation=at_pool|part=0.5|time_ns=1012",
        "primitive=pool_apply_hot|subject=ours|implementation=at_pool|part=1|time_ns=999.6");
    PUT(ROOM, "pools", NULL); /* only the first line */
    const char *text = page();
    ck_assert_uint_eq(count_of(text, "<h2 id="), 3 + 3); /* the machine, what is missing, how to repeat it */
    ck_assert_uint_eq(count_of(text, "<li><a href="), 3 + 2);
    expect_in(text, "<h2 id=\"queues\">");
    expect_in(text, "<li><a href=\"#pools\">");
    expect_in(text, "<h2 id=\"latencies\">");
    expect_in(text, "<li><b>Primitives</b>: there is no data; <code>make bench</code> measures all.</li>");
    ck_assert_uint_eq(count_of(text, "There is no table: the data has no rows"), 1);
    expect_in(text, "The chart 2026-01-02-queues.svg is not there: <code>make plots</code> draws it.");
    expect_not_in(text, "A quick run");
    expect_in(text, "\nmake bench SEED=77\n");
    expect_whole(text);
    expect_in(rows_of(text), "\napply of a task, hot|\nat_pool|1.01" NBSP "µs|–|–|1.00" NBSP "µs|\n");
}
END_TEST

START_TEST(missing_rows_and_an_interrupt_are_told) {
    put_machine(ROOM, "Maker", "false");
    PUT(ROOM, "scaling", "workload=cpu|mode=serial|workers=1|samples=3|median_ns=7|title=cpu",
        "workload=model|mode=all|samples=0|title=model: 10 000 digits|missing=it is <still> to come, sorry");
    PUT(ROOM, "primitives", "primitive=lock|subject=ours|samples=9|median_ns=5|low_ns=4|high_ns=6|title=lock pair",
        "primitive=lock|subject=python|implementation=Lock|samples=0|verdict=python3 is not here|title=lock pair",
        "primitive=recovery|subject=ours|samples=3|median_ns=5|low_ns=4|high_ns=6|title=recovery",
        "primitive=recovery|subject=python|implementation=Lock|samples=0|verdict=lost for ever (0.5 s)|title=recovery");
    write_text(in_folder(ROOM "-scaling.json"), "{\"format\":\"made\",\"interrupted\":true,\"rows\":[]}\n");
    write_text(in_folder(ROOM "-primitives.json"), "{\"format\":\"made\",\"interrupted\":false,\"rows\":[]}\n");
    const char *text = page(), *stopped = strstr(text, "The run was stopped half-way");
    expect_in(text, "<h2 id=\"missing\">What was not measured, and why</h2>\n<ul>\n"
                    "<li><b>model: 10 000 digits</b>: it is &lt;still&gt; to come, sorry</li>\n");
    expect_in(text, "<li><b>lock pair, Lock</b>: python3 is not here</li>");
    expect_in(text, "<li><b>recovery, Lock</b>: lost for ever (0.5 s)</li>");
    ck_assert(stopped != NULL && stopped < strstr(text, "<h2 id=\"primitives\">"));
    ck_assert_ptr_null(strstr(stopped + 1, "The run was stopped half-way"));
    expect_whole(text);
    expect_in(rows_of(text), "\nlock pair|5.00" NBSP "ns |4.00 to 6.00|–|–|\n"
                             "recovery|5.00" NBSP "ns |3 runs: 4.00 to 6.00|lost|–|\n");
}
END_TEST

START_TEST(workloads_have_their_times_and_speedups) {
    put_machine(ROOM, "Maker", "false");
#define CPU "workload=cpu|units=1e6|unit=sums|title=processor: sums|mode="
    PUT(ROOM, "scaling",
        CPU "serial|workers=1|samples=9|median_ns=1.5e9|low_ns=1.4e9|high_ns=1.615e9|speedup=1|efficiency=1",
        CPU "threads|workers=2|samples=9|median_ns=999.4e6|low_ns=99.94e6|high_ns=1e9|speedup=1.501|efficiency=0.7505"
            "|serial_fraction=0.3325",
        CPU "python_futures|workers=2|samples=1|median_ns=99.96e6|low_ns=1|high_ns=2|speedup=0.0501|efficiency=0.02505"
            "|serial_fraction=38.92",
        CPU "xargs|workers=2|samples=2|median_ns=9.996e6|low_ns=9.994e6|high_ns=9.996e6|speedup=9.994"
            "|efficiency=0.09951|serial_fraction=1",
        "workload=lock|title=counter|mode=threads|workers=1|units=12345|unit=steps|samples=2|median_ns=999.4|low_ns=0"
        "|high_ns=999.6");
    expect_in(rows_of(page()), "\nmode|workers|time|speedup|efficiency|serial fraction|\n"
                               "processor: sums |1 million sums|\n"
                               "serial|1|1.50" NBSP "s |1.40 to 1.61|1.00" NBSP "×|100%|–|\n"
                               "threads|2|999" NBSP "ms |99.9 to 1000|1.50" NBSP "×|75%|0.33|\n"
                               "Python futures|2|100" NBSP "ms |one run|0.05" NBSP "×|2.5%|above 1|\n"
                               "xargs -P|2|10.0" NBSP "ms |2 runs: 9.99 to 10.0|9.99" NBSP "×|10%|1.00|\n"
                               "counter |12" NBSP "345 steps|\n"
                               "threads|1|999" NBSP "ns |2 runs: 0.00 to 1000|–|–|–|\n");
}
END_TEST

START_TEST(ours_stands_beside_floor_and_peers) {
    put_machine(ROOM, "Maker", "false");
    PUT(ROOM, "queues", QUEUE "|reaches=>= 10x Python: reached; p99 <= 1.00 us: missed by 3%; <= 2x: -|verdict=-",
        "primitive=queue_8|subject=floor|samples=6|median_ns=12.786|ratio=3.37016|title=8 B, backlog",
        "primitive=queue_8|subject=python|samples=3|median_ns=10604|ratio=177.7|title=8 B, backlog",
        "primitive=queue_mib|subject=ours|samples=6|median_ns=523000|low_ns=5e5|high_ns=6e5|bytes=1048576"
        "|title=1 MiB after 5 us here",
        "primitive=queue_no|subject=ours|samples=6|median_ns=1|in_table=no|title=not in the table");
    const char *text = page();
    expect_in(rows_of(text), "\noperation|ours|floor|ours : floor|Python|goal and verdict|\n"
                             "8 B, backlog|59.7" NBSP "ns |36.3 to 164|12.8" NBSP "ns|3.37" NBSP "×|10.6" NBSP
                             "µs |178" NBSP "×|≥ 10" NBSP "× Python: reached|p99 ≤ 1.00 µs: missed by 3%|≤ 2" NBSP
                             "×: -|\n1 MiB after 5 µs here|523" NBSP "µs |500 to 600| |2.00 GB/s|–|–|–|–|\n");
    expect_in(text, "<span class=\"missed\">p99");
    expect_in(text, "<p>Goals reached: 1 of 2.</p>");
    expect_not_in(text, "not in the table");
}
END_TEST

START_TEST(sizes_have_their_crossovers_and_footprint_its_memory) {
    put_machine(ROOM, "Maker", "false");
    PUT(ROOM, "sizes", "n=5|workers=1|mode=none|samples=9|median_us=7|low_us=6|high_us=8",
        "n=5|workers=2|mode=none|samples=9|median_us=0.0345|low_us=0.03184|high_us=0.0355",
        "n=5|workers=2|mode=threads|samples=9|median_us=36.77|low_us=35.2|high_us=39.09",
        "n=1000000|workers=2|mode=none|samples=9|median_us=1285.4|low_us=1200|high_us=1300");
    PUT(ROOM, "sizes-crossovers", "workers=2|mode=threads|n=500176|time_us=271.2|n_text=500 000|time_text=271 us");
    PUT(ROOM, "footprint", "mib=1024|way=fork|role=ours|samples=3|median_us=16616|low_us=15920|high_us=24100",
        "mib=1024|way=bare|role=floor|samples=3|median_us=999.6|low_us=990|high_us=1001");
    const char *text = page();
    expect_in(text, "<p>With 2 workers, threads win over none from n = 500 000 on (271 µs).</p>");
    expect_in(rows_of(text),
              "\nn, with 2 workers|none|threads|\n"
              "5|34.5" NBSP "ns |31.8 to 35.5|36.8" NBSP "µs |35.2 to 39.1|\n"
              "1" NBSP "000" NBSP "000|1.29" NBSP "ms |1.20 to 1.30|–|\n"
              "MiB of the parent|fork|bare|\n"
              "1" NBSP "024|16.6" NBSP "ms |3 runs: 15.9 to 24.1|1.00" NBSP "ms |3 runs: 0.99 to 1.00|\n");
    PUT(ROOM, "sizes-crossovers", NULL);
    expect_in(page(), "<p>Neither threads nor processes win clearly over none at any size measured.</p>");
}
END_TEST

/* ---- whose page, and none */

START_TEST(each_machine_gets_the_page_of_its_newest_day) {
    put_machine("here/2026-01-01", "Old", "false");
    put_machine("here/2026-01-02", "New", "false");
    put_machine("there/2025-12-31", "Other", "false");
    PUT("here/2026-01-01", "queues", QUEUE);
    PUT("here/2026-01-02", "pools", QUEUE);
    PUT("there/2025-12-31", "queues", QUEUE);
    require(mkdir(in_folder("nobody"), 0700) == 0); /* a folder without a description */
    PUT("nobody/2026-01-01", "queues", QUEUE);
    const char *text = page();
    expect_in(text, "costs on New, 2 cores<");
    expect_in(text, "<h2 id=\"pools\">");
    expect_not_in(text, "<h2 id=\"queues\">");
    expect_in(text_of(in_folder("there/2025-12-31-report.html")), "costs on Other, 2 cores<");
    ck_assert_uint_eq(count_of(output, "\n"), 2);
    expect_match(output, "/here/2026-01-02-report\\.html \\([^\n]*\n[^\n]*/there/2025-12-31-report\\.html \\(");
    ck_assert(access(in_folder("here/2026-01-01-report.html"), F_OK) != 0);
}
END_TEST

START_TEST(without_data_there_is_one_line_and_no_error) {
    for (int there = 0; there < 2; there++) {
        const char *results = there ? folder : in_folder("nowhere");
        expect_status(run_line(output, sizeof output, "RESULTS=%s bench/report", results), 0, output);
        expect_match(output, "^The report: no data under [^\n]* yet; make bench measures[^\n]*\n$");
    }
}
END_TEST

START_TEST(page_that_cannot_be_written_leaves_the_one_before) {
    static const char *const PLACES[] = {"/dev/full", "/nowhere/page"}; /* which stop even root */
    put_machine(ROOM, "Maker", "false");
    PUT(ROOM, "queues", QUEUE);
    write_text(in_folder(ROOM "-report.html"), "the older page\n");
    for (size_t i = 0; i < COUNT_OF(PLACES); i++) {
        require(symlink(PLACES[i], in_folder(ROOM "-report.html.part")) == 0);
        expect_status(report(""), 1, output);
        expect_match(output, "(^|\n)bench/report: [^\n]*-report\\.html cannot be written\n$");
        ck_assert_str_eq(text_of(in_folder(ROOM "-report.html")), "the older page\n");
    }
}
END_TEST

START_TEST(unknown_argument_is_refused) {
    expect_status(report("--nonsense"), 2, output);
    expect_match(output, "^bench/report: --nonsense: unknown argument\nusage: ");
    expect_status(report("--help"), 0, output);
    expect_match(output, "^usage: ");
}
END_TEST

SUITE_WITH("bench_report", make_folder, remove_folder, page_is_whole_and_needs_nothing_else,
           machine_and_how_to_repeat_the_run_are_told, section_stands_only_where_there_is_data,
           missing_rows_and_an_interrupt_are_told, workloads_have_their_times_and_speedups,
           ours_stands_beside_floor_and_peers, sizes_have_their_crossovers_and_footprint_its_memory,
           each_machine_gets_the_page_of_its_newest_day, without_data_there_is_one_line_and_no_error,
           page_that_cannot_be_written_leaves_the_one_before, unknown_argument_is_refused)
