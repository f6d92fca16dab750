# tutorial.gp: "Which is faster: two processes, two threads or neither?": the tutorial's comparison as bars, ours
# beside Python, on a log scale; a panel for each size of work. Besides what style.gp wants, its caller has set data,
# the CSV that tutorial.c has written.
load "bench/plots/style.gp"

# The sizes that were measured: the rows are called WAY_SIZE.
sizes = system(sprintf("awk -F, 'sub(/^(multi|thread|normal)_/, \"\", $1) && !seen[$1]++ { print $1 }' '%s'", data))
panels = words(sizes)

# A subject's rows of a size, by tabs: the way's place, median and the ends of its 95% interval in us, and the median in
# words. Titles have commas, but what stands behind them is counted from the end.
rows(subject, size) = sprintf("< awk -F, -v OFS='\\t' -v subject=%s -v size=%s '". \
    "function words(ns) {". \
    "    if (ns < 999.5) return digits(ns) \" ns\";". \
    "    if (ns < 999500) return digits(ns / 1e3) \" µs\";". \
    "    if (ns < 999500000) return digits(ns / 1e6) \" ms\";". \
    "    return digits(ns / 1e9) \" s\" }". \
    "function digits(value) {". \
    "    return sprintf(value < 9.995 ? \"%%.2f\" : value < 99.95 ? \"%%.1f\" : \"%%.0f\", value) }". \
    "BEGIN { place[\"normal_\" size] = 1; place[\"thread_\" size] = 2; place[\"multi_\" size] = 3 }". \
    "$1 in place && $2 == subject && $4 > 0 {". \
    "    print place[$1], $5 / 1e3, $(NF - 4) / 1e3, $(NF - 3) / 1e3, words($5) }' '%s'", subject, size, data)
grouped(number) = strlen(number) <= 3 ? number : grouped(number[1:strlen(number) - 3])." ".number[strlen(number) - 2:*]
measured(subject, size) = system(rows(subject, size)[3:*]." | wc -l") > 0

set multiplot
set label 1001 "Which is faster: two processes, two threads or neither?" at screen 0.5, screen 0.945 center \
    font title_font
set bmargin at screen 0.175
set tmargin at screen 0.82
set datafile separator tab
set logscale y
set grid noxtics
set ytics ("1 ns" 1e-3, "10 ns" 1e-2, "100 ns" 0.1, "1 µs" 1, "10 µs" 10, "100 µs" 100, "1 ms" 1e3, "10 ms" 1e4, \
           "100 ms" 1e5, "1 s" 1e6, "10 s" 1e7)
set xtics ("neither" 1, "two\nthreads" 2, "two\nprocesses" 3) scale 0
set errorbars 1.5 linecolor rgb black linewidth 2
set ylabel "time, start and join included: median, 95% interval"

number(subject) = subject eq "ours" ? 1 : 2
beside(subject, distance) = distance * (number(subject) - 1.5)
array names = ["ours", "Python 3"]
array colours = [blue, orange]
array densities = [paper ? 0.4 : 0.85, paper ? 0.05 : 0.85]
set key at screen 0.5, screen 0.9 center horizontal Left reverse samplen 1.5
left(panel) = 0.125 + (panel - 1) * 0.47
do for [panel = 1:panels] {
    size = word(sizes, panel)
    shown = measured("ours", size) ? "ours" : ""
    if (measured("python", size)) { shown = shown." python" }
    set autoscale # the ranges of the panel before would hide points
    least = 1e9; most = 0
    do for [subject in shown] {
        stats rows(subject, size) using 3 name "low" nooutput
        stats rows(subject, size) using 4 name "high" nooutput
        least = low_min < least ? low_min : least
        most = high_max > most ? high_max : most
    }
    set lmargin at screen left(panel)
    set rmargin at screen panels == 1 ? 0.98 : left(panel) + 0.385
    set title "sums of the numbers below ".grouped(size) offset 0, -0.2
    set xrange [0.45 : 3.55]
    bottom = 0.999 * 10 ** floor(log10(least / 1.5))
    set yrange [bottom : most * (most / bottom) ** 0.09] # with room for the words above a bar
    plot for [subject in shown] rows(subject, size) using (beside(subject, 0.4) + $1):2:3:4:(0.38) \
             title names[number(subject)] with boxerrorbars linecolor rgb colours[number(subject)] \
             fillstyle solid densities[number(subject)] border rgb colours[number(subject)], \
         for [subject in shown] rows(subject, size) using (beside(subject, 0.45) + $1):4:5 notitle \
             with labels font small_font offset 0, 0.6
    unset label
    unset ylabel
    set nokey
}
unset multiplot
