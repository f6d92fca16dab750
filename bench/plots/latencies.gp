# latencies.gp: how many round trips end within a time: queues and pools, hot and asleep, each subject as a curve.
# `data` is the latencies of the queues or of the pools; those of the others lie beside it. Writes into `scratch`, under
# names with the format in them: two formats may be drawn at once.
load "bench/plots/style.gp"

# Up goes the part of the trips on a scale of nines: 90%, 99% and 99.9% lie equally far apart, so that the few slow
# trips get as much room as all others. 100% would be without end; it has its place above the last of the 200 parts.
nines(part) = -log10(1 - part)
all_trips = 2.75

# For each panel and subject a file of us, nines and whether a point stands there; for each panel the median and p99 of
# ours, both in us. Below 90% every fourth part is as good as all, and the file of the chart is smaller.
start = system("echo '".data."' | sed 's/-[a-z]*-latencies\\.csv$//'")
system(sprintf("awk -F, -v all_trips=%g -v folder='%s/%s-' '", all_trips, scratch, format). \
    "FNR > 1 && NF == 5 && ($4 >= 0.9 || int(200 * $4 + 0.5) % 4 == 0) { ". \
    "nines = $4 < 1 ? -log(1 - $4) / log(10) : all_trips; ". \
    "point = index(\" 0 0.5 0.8 0.9 0.95 0.98 0.99 1 \", \" \" $4 \" \"); ". \
    "print $5 / 1000, nines, point > (folder $1 \"-\" $2) } ". \
    "$2 == \"ours\" && ($4 == 0.5 || $4 == 0.99) { print $5 / 1000 > (folder $1 \"-found\") }' ". \
    sprintf("$(ls '%s-queues-latencies.csv' '%s-pools-latencies.csv' 2>/dev/null)", start, start))
file(panel, role) = sprintf("%s/%s-%s-%s", scratch, format, panel, role)

# From the back to the front, in the colours and shapes that the subjects have in the charts of queues and of pools; but
# on paper, without colours, the executor's shape must differ from the message queue's.
roles = "mqueue pipe boost executor python floor ours"
array titles = ["POSIX message queue", "pipe", "Boost", "Python executor", "Python", "floor", "ours"]
array shapes = [11, 13, 15, paper ? 3 : 11, 9, 5, 7]
array dashes = [2, 4, 5, 4, 3, 2, 1]
array colours = [sky, green, purple, vermillion, orange, black, blue]
count = words(roles)

# A row of panels without any data leaves its room to the other.
panels = "queue_hot queue_asleep pool_apply_hot pool_apply_asleep"
array headings = ["message there and back, hot", "message there and back, asleep", "apply of a task, hot", \
                  "apply of a task, asleep"]
array shown = ["", "", "", ""]
least = 1e12; most = 1e-12
do for [panel = 1:4] {
    do for [role in roles] {
        if (is_there(file(word(panels, panel), role))) {
            shown[panel] = shown[panel]." ".role
            stats file(word(panels, panel), role) using 1 name "us" nooutput
            least = us_min < least ? us_min : least
            most = us_max > most ? us_max : most
        }
    }
}
all_shown = shown[1].shown[2].shown[3].shown[4]." "
upper = shown[1].shown[2] ne ""
lower = shown[3].shown[4] ne ""

human(us) = us < 0.9995 ? sprintf("%.0f ns", us * 1000) : us < 9.995 ? sprintf("%.2f µs", us) : \
            us < 99.95 ? sprintf("%.1f µs", us) : us < 999.5 ? sprintf("%.0f µs", us) : sprintf("%.1f ms", us / 1000)
finding(found) = words(found) == 2 ? sprintf("ours: %s at the median, %s at p99", human(real(word(found, 1))), \
                 human(real(word(found, 2)))) : ""

set multiplot
unset title
set label 1001 "How long does a round trip take, and how much longer the slowest?" at screen 0.5, screen 0.955 center \
    font title_font

# One legend for all panels, ours first.
at = 0.05
do for [i = 1:count] {
    one = count + 1 - i
    if (strstrt(all_shown, " ".word(roles, one)." ") > 0) {
        set label 900 + i titles[one] at screen at, screen 0.066 left offset 1.2, 0 \
            point pointtype shape(shapes[one]) pointsize 1.5 * points linewidth 2 linecolor rgb colours[one]
        at = at + 0.055 + 0.0092 * strlen(titles[one])
    }
}

set nokey
set logscale x
set xrange [10 ** floor(log10(least)) : 10 ** (floor(log10(most)) + 1)]
set yrange [0 : all_trips]
set xtics ("10 ns" 0.01, "100 ns" 0.1, "1 µs" 1, "10 µs" 10, "100 µs" 100, "1 ms" 1e3, "10 ms" 1e4, "100 ms" 1e5, \
           "1 s" 1e6, "10 s" 1e7)
set ytics ("0" 0, "50%%" nines(0.5), "90%%" 1, "99%%" 2, "all" all_trips)

do for [panel = 1:4] {
    down = panel > 2
    if (down ? lower : upper) {
        first = panel % 2 == 1
        bottom = down || !lower ? 0.16 : 0.58
        set lmargin at screen first ? 0.105 : 0.59
        set rmargin at screen first ? 0.485 : 0.97
        set bmargin at screen bottom
        top = down && upper ? 0.425 : 0.845
        set tmargin at screen top
        set xtics offset 0, 0.35
        set ylabel first ? "trips no longer than that" : "" offset -0.8, 0
        name = word(panels, panel)
        found = system(sprintf("cat '%s' 2>/dev/null", file(name, "found")))
        set label 1 headings[panel] at graph 0, screen top + 0.054 left
        set label 2 shown[panel] eq "" ? "not measured" : finding(found) at graph 0, screen top + 0.022 left
        plot_all = "plot 1/0 notitle"
        do for [i = 1:count] {
            if (strstrt(shown[panel]." ", " ".word(roles, i)." ") > 0) {
                plot_all = plot_all.sprintf(", '%s' using 1:2 title '%s' with lines linewidth 3 dashtype %d ", \
                           file(name, word(roles, i)), titles[i], dash(dashes[i])). \
                           sprintf("linecolor rgb %d, ", colours[i]). \
                           "'' using ($3 > 0 ? $1 : 1/0):2 notitle with points linewidth 2 ". \
                           sprintf("pointtype %d pointsize %g linecolor rgb %d", shape(shapes[i]), 1.3 * points, \
                                   colours[i])
            }
        }
        # The two numbers that the heading has.
        do for [nth = 1:words(found)] {
            set label 2 + nth "" at real(word(found, nth)), nines(nth == 1 ? 0.5 : 0.99) front \
                point pointtype 6 pointsize 2.8 * points linewidth 3 linecolor rgb black
        }
        eval plot_all
        do for [nth = 1:4] { unset label nth }
        # The labels on the whole sheet are drawn once.
        do for [nth = 1:count] { unset label 900 + nth }
        unset label 1000
        unset label 1001
    }
}
unset multiplot
