# report.awk: a table of bench/report from the data of one kind; with -v kind=missing, what was not measured and why.
# The columns are known by their names in the first line, so new ones do no harm. Input: the CSV files; output: HTML.

# A line of CSV; texts in quotes may have commas in them.
function fields_of(line, field,    count, place, letter, quoted, text) {
    for (place = 1; place <= length(line); place++) {
        letter = substr(line, place, 1)
        if (quoted && substr(line, place, 2) == "\"\"") {
            text = text letter # a quote within quotes is doubled
            place++
        } else if (letter == "\"")
            quoted = !quoted
        else if (letter == "," && !quoted) {
            field[++count] = text
            text = ""
        } else
            text = text letter
    }
    field[++count] = text
    return count
}

# The field of this line in the column of this name.
function of(name) {
    return name in column ? field[column[name]] : ""
}

# The same as a number: what comes from a line's pieces would be compared as text.
function value(name) {
    return of(name) + 0
}

function escaped(text) {
    gsub(/&/, "\\&amp;", text)
    gsub(/</, "\\&lt;", text)
    gsub(/>/, "\\&gt;", text)
    gsub(/"/, "\\&quot;", text)
    return text
}

# Three digits, as all programs here print a time.
function rounded(number,    size) {
    size = number < 0 ? -number : number
    return sprintf(size < 9.995 ? "%.2f" : size < 99.95 ? "%.1f" : "%.0f", number)
}

# 12345 becomes 12 345.
function grouped(number,    text, result) {
    for (text = sprintf("%.0f", number); length(text) > 3; text = substr(text, 1, length(text) - 3))
        result = "\302\240" substr(text, length(text) - 2) result
    return text result
}

# 1000000 becomes 1 million.
function counted(number) {
    return number >= 1e9 ? sprintf("%.3g billion", number / 1e9) : \
           number >= 1e6 ? sprintf("%.3g million", number / 1e6) : grouped(number)
}

function unit_of(ns) {
    return ns < 999.5 ? 1 : ns < 999500 ? 1e3 : ns < 999500000 ? 1e6 : 1e9
}

function duration(ns,    unit) {
    ns += 0
    unit = unit_of(ns)
    return rounded(ns / unit) "\302\240" (unit == 1 ? "ns" : unit == 1e3 ? "µs" : unit == 1e6 ? "ms" : "s")
}

# This line's median and its interval, in one unit; the columns' names end in `suffix`, a unit of `scale` ns.
function measured(suffix, scale, from, to,    median, unit, span) {
    median = scale * value("median_" suffix)
    unit = unit_of(median) / scale
    span = rounded(value(from suffix) / unit) " to " rounded(value(to suffix) / unit)
    # Of fewer than 6 there is no 95% interval: what stands in its columns are the least and the greatest.
    if (value("samples") > 0 && value("samples") < 6)
        span = value("samples") == 1 ? "one run" : value("samples") " runs: " span
    return duration(median) small(span)
}

function times(ratio) {
    return (ratio < 0.0995 ? sprintf("%.2g", ratio) : rounded(ratio)) "\302\240×"
}

function small(text) {
    return text == "" ? "" : " <small>" text "</small>"
}

function number_cell(text) {
    return "<td class=\"number\">" (text == "" ? "–" : text) "</td>"
}

# `headings`: by "|". The first column is of texts, the others of numbers, but for those that start with a dot.
function open_table(headings,    heading, count, class, i) {
    print "<div class=\"table " kind "\"><table>"
    printf "<thead><tr>"
    count = split(headings, heading, "|")
    for (i = 1; i <= count; i++) {
        class = i == 1 || heading[i] ~ /^\./ ? "" : " class=\"number\""
        sub(/^\./, "", heading[i])
        printf "<th scope=\"col\"%s>%s</th>", class, heading[i]
    }
    print "</tr></thead>"
    columns = count
    opened = 1
}

# Rows that belong together, below a line of their own.
function open_group(title, remark) {
    if (grouping)
        print "</tbody>"
    grouping = 1
    print "<tbody><tr class=\"group\"><th scope=\"rowgroup\" colspan=\"" columns "\">" title small(remark) "</th></tr>"
}

# Workloads in all modes -------------------------------------------------------------------------------------------

function scaling_row(    fraction, percent) {
    if (!opened)
        open_table("mode|workers|time|speedup|efficiency|serial fraction")
    if (of("workload") != workload)
        open_group(escaped(of("title")), counted(value("units")) " " escaped(of("unit")))
    workload = of("workload")
    percent = 100 * value("efficiency")
    fraction = of("serial_fraction") == "" ? "" : value("serial_fraction")
    if (fraction != "")
        fraction = fraction > 1 ? "above 1" : sprintf("%.2f", fraction)
    print "<tr><th scope=\"row\">" mode_name(of("mode")) "</th>" number_cell(value("workers")) \
        number_cell(measured("ns", 1, "low_", "high_")) \
        number_cell(value("speedup") > 0 ? times(value("speedup")) : "") \
        number_cell(percent > 0 ? sprintf(percent < 9.95 ? "%.1f%%" : "%.0f%%", percent) : "") \
        number_cell(fraction) "</tr>"
}

# The same images by cores and devices.
function devices_row(    percent, device) {
    if (!opened)
        open_table("mode|workers|images/s|speedup|efficiency|for an image")
    if (of("workload") != workload)
        open_group(escaped(of("title")), "images")
    workload = of("workload")
    percent = 100 * value("efficiency")
    device = of("mode") == "devices" || of("mode") == "simulated"
    print "<tr><th scope=\"row\">" (device ? escaped(of("device")) : mode_name(of("mode"))) "</th>" \
        number_cell(value("workers") (value("sharing") > 0 ? small("on fewer cards") : "")) \
        number_cell(counted(value("images_per_s")) small(counted(value("images_per_s_low")) " to " \
                                                         counted(value("images_per_s_high")))) \
        number_cell(value("speedup") > 0 ? times(value("speedup")) : "") \
        number_cell(percent > 0 ? sprintf("%.0f%%", percent) : "") \
        number_cell(value("joules_per_image") > 0 ? sprintf("%.3g mJ", 1000 * value("joules_per_image")) : "") "</tr>"
}

function mode_name(mode) {
    gsub(/_/, " ", mode)
    sub(/^python/, "Python", mode)
    sub(/^c11$/, "C11 threads", mode)
    sub(/^openmp$/, "OpenMP", mode)
    sub(/^libuv$/, "libuv’s pool", mode)
    sub(/^xargs$/, "xargs -P", mode)
    sub(/^parallel$/, "GNU parallel", mode)
    return escaped(mode)
}

# Sizes, and memory, across: a row for each, and a column for each way -----------------------------------------------

function across_row(row, way) {
    if (!(row in row_seen))
        row_order[++row_count] = row
    if (!(way in way_seen))
        way_order[++way_count] = way
    row_seen[row] = way_seen[way] = 1
    cell[row, way] = measured("us", 1000, "low_", "high_")
}

function across_table(heading,    i, j) {
    for (j = 1; j <= way_count; j++)
        heading = heading "|" escaped(way_order[j])
    open_table(heading)
    print "<tbody>"
    for (i = 1; i <= row_count; i++) {
        printf "<tr><th scope=\"row\">%s</th>", grouped(row_order[i])
        for (j = 1; j <= way_count; j++)
            printf "%s", number_cell(cell[row_order[i], way_order[j]])
        print "</tr>"
    }
    print "</tbody>"
}

# Only the most workers, as in the chart; the sizes come in order for each of them.
function sizes_row() {
    if (value("workers") > most) {
        most = value("workers")
        split("", row_seen)
        split("", way_seen)
        row_count = way_count = 0
    }
    if (value("workers") == most)
        across_row(of("n"), of("mode"))
}

# Ours, the floor and the peers --------------------------------------------------------------------------------------

function comparison_row(    name, role) {
    if (of("in_table") == "no")
        return
    name = of("primitive")
    role = of("subject")
    if (!(name in row_seen))
        row_order[++row_count] = name
    row_seen[name] = 1
    title[name] = escaped(of("title"))
    gsub(/ us /, " µs ", title[name])
    if (value("samples") == 0 && of("verdict") !~ /^lost/)
        return
    if (!(role in way_seen) && role != "ours" && role != "floor")
        way_order[++way_count] = role
    way_seen[role] = 1
    if (value("samples") == 0) {
        cell[name, role] = "lost"
        return
    }
    if (role != "ours" && role != "floor") {
        cell[name, role] = duration(value("median_ns")) small(of("ratio") == "" ? "" : times(value("ratio")))
        return
    }
    cell[name, role] = role == "floor" ? duration(value("median_ns")) : measured("ns", 1, "low_", "high_")
    if (value("bytes") > 0)
        cell[name, role] = cell[name, role] small(rounded(value("bytes") / value("median_ns")) " GB/s")
    if (role == "floor" && of("ratio") != "")
        ratio[name] = times(value("ratio"))
    else if (role == "ours")
        reaches[name] = of("reaches")
}

# ">= 70x Python: reached; p99 <= 1.00 ms: missed by 3%", a line for each.
function reaches_of(name,    goal, count, i, text, class) {
    count = split(reaches[name], goal, /; /)
    for (i = 1; i <= count; i++) {
        class = goal[i] ~ /: reached/ ? "reached" : goal[i] ~ /: missed/ ? "missed" : "open"
        goals += class != "open"
        goals_reached += class == "reached"
        gsub(/<=/, "≤", goal[i])
        gsub(/>=/, "≥", goal[i])
        gsub(/ us/, " µs", goal[i])
        while (match(goal[i], /[0-9]x/))
            goal[i] = substr(goal[i], 1, RSTART) "\302\240×" substr(goal[i], RSTART + 2)
        text = text (i > 1 ? "<br/>" : "") "<span class=\"" class "\">" escaped(goal[i]) "</span>"
    }
    return text == "" ? "–" : text
}

function comparison_table(    heading, i, j, name, role_title) {
    split("python:Python|executor:Python executor|openmp:OpenMP|boost:Boost|mqueue:POSIX mq|glib:GLib|" \
          "fork:fork and exec", pairs, "|")
    for (i in pairs)
        role_title[substr(pairs[i], 1, index(pairs[i], ":") - 1)] = substr(pairs[i], index(pairs[i], ":") + 1)
    heading = "operation|ours" ("floor" in way_seen ? "|floor|ours : floor" : "")
    for (j = 1; j <= way_count; j++)
        heading = heading "|" (way_order[j] in role_title ? role_title[way_order[j]] : escaped(way_order[j]))
    open_table(heading "|.goal and verdict")
    print "<tbody>"
    for (i = 1; i <= row_count; i++) {
        name = row_order[i]
        printf "<tr><th scope=\"row\">%s</th>%s", title[name], number_cell(cell[name, "ours"])
        if ("floor" in way_seen)
            printf "%s%s", number_cell(cell[name, "floor"]), number_cell(ratio[name])
        for (j = 1; j <= way_count; j++)
            printf "%s", number_cell(cell[name, way_order[j]])
        print "<td>" reaches_of(name) "</td></tr>"
    }
    print "</tbody>"
}

# Distributions ------------------------------------------------------------------------------------------------------

function latencies_row() {
    trip = of("primitive") SUBSEP of("implementation")
    if (!(trip in row_seen))
        row_order[++row_count] = trip
    row_seen[trip] = 1
    cell[trip, of("part") + 0] = duration(value("time_ns"))
}

function latencies_table(    i, part, name, last) {
    title["queue_hot"] = "message there and back, hot"
    title["queue_asleep"] = "message there and back, asleep"
    title["pool_apply_hot"] = "apply of a task, hot"
    title["pool_apply_asleep"] = "apply of a task, asleep"
    open_table("round trip|median|90%|99%|the slowest")
    for (i = 1; i <= row_count; i++) {
        split(row_order[i], part, SUBSEP)
        name = part[1]
        if (name != last)
            open_group(name in title ? title[name] : escaped(name), "")
        last = name
        print "<tr><th scope=\"row\">" escaped(part[2]) "</th>" number_cell(cell[row_order[i], 0.5]) \
            number_cell(cell[row_order[i], 0.9]) number_cell(cell[row_order[i], 0.99]) \
            number_cell(cell[row_order[i], 1]) "</tr>"
    }
}

# The serving lab's goals -------------------------------------------------------------------------------------------

# "30 000/s", "12.3 ms", "0.33×".
function with_unit(number, unit) {
    sub(/^x$/, "\302\240×", unit)
    sub(/ us$/, "\302\240µs", unit)
    return (number >= 1e4 ? grouped(number) : rounded(number)) unit
}

function serving_row(    class) {
    if (!opened) {
        open_table("what|found|goal|.verdict")
        print "<tbody>"
        grouping = 1
    }
    class = of("verdict") ~ /^reached/ ? "reached" : of("verdict") ~ /^missed/ ? "missed" : "open"
    goals += class != "open"
    goals_reached += class == "reached"
    print "<tr><th scope=\"row\">" escaped(of("title")) small(of("simulated") == "yes" ? "simulated devices" : "") \
        "</th>" number_cell(value("samples") == 0 ? "" : with_unit(value("found"), of("unit")) \
                            small(with_unit(value("low"), "") " to " with_unit(value("high"), ""))) \
        number_cell((of("relation") == "at least" ? "≥ " : "≤ ") with_unit(value("reach"), of("unit"))) \
        "<td><span class=\"" class "\">" escaped(of("verdict")) "</span></td></tr>"
}

# What is missing ----------------------------------------------------------------------------------------------------

function missing_row(    reason, who) {
    reason = of("missing") != "" ? of("missing") : of("verdict")
    who = of("implementation") != "" ? of("title") ", " of("implementation") : of("title")
    print "<li><b>" escaped(who) "</b>: " escaped(reason) "</li>"
}

# --------------------------------------------------------------------------------------------------------------------

FNR == 1 {
    count = fields_of($0, field)
    split("", column)
    for (i = 1; i <= count; i++)
        column[field[i]] = i
    # Data of another time, which had other columns, gives no table.
    known = kind == "missing" ? "samples" in column : kind == "scaling" ? "workload" in column : \
            kind == "latencies" ? "part" in column : kind == "sizes" ? "n" in column && "low_us" in column : \
            kind == "serving" ? "relation" in column : kind == "devices" ? "images_per_s" in column : \
            kind == "footprint" ? "mib" in column : "primitive" in column && "low_ns" in column
    next
}
# A line that is cut short is one that Ctrl-C or a full disk left.
!known || fields_of($0, field) != count { next }
kind == "missing" { if (of("samples") == "0") missing_row(); next }
kind == "latencies" { latencies_row(); next }
kind == "scaling" { if (value("samples") > 0) scaling_row(); next }
kind == "devices" { if (value("samples") > 0) devices_row(); next }
kind == "sizes" { sizes_row(); next }
kind == "footprint" { across_row(of("mib"), of("way")); next }
kind == "serving" { serving_row(); next }
{ comparison_row() }

END {
    if (kind == "latencies" && row_count)
        latencies_table()
    else if (kind == "sizes" && row_count)
        across_table("n, with " most (most == 1 ? " worker" : " workers"))
    else if (kind == "footprint" && row_count)
        across_table("MiB of the parent")
    else if (row_count)
        comparison_table()
    if (grouping)
        print "</tbody>"
    if (opened)
        print "</table></div>"
    if (goals)
        print "<p>Goals reached: " goals_reached " of " goals ".</p>"
}
