# locks.gp: what it costs to count together: ns for an increment against workers, under one lock, by one atomic counter,
# and each for itself, with the counters in one cache line (false sharing) or apart. bench/plot has put a file for each
# line into `scratch`, and has set cores.
load "bench/plots/style.gp"

set datafile separator tab
ways = "lock_mutex lock_atomic lock_neighbours lock_private"
array titles = ["all under one lock", "all by an atomic instruction", "each its own, in one cache line", \
                "each its own, apart"]
array colours = [vermillion, orange, blue, green]
array shapes = [9, 13, 5, 7]
file(way, mode) = scratch."/".way."-".mode

# The lines that were measured, as numbers: 1 to 4 for the threads, 5 to 8 for the processes.
way_of(line) = 1 + (line - 1) % 4
mode_of(line) = line <= 4 ? "threads" : "processes"
path(line) = file(word(ways, way_of(line)), mode_of(line))
shown = ""
all = "< cat"
do for [line = 1:8] {
    if (is_there(path(line))) { shown = shown.sprintf(" %d", line); all = all." '".path(line)."'" }
}

set title "What does it cost to count together?" font title_font
set xlabel "workers"
set ylabel "ns for an increment: median, 95% interval"
set lmargin at screen 0.105
set rmargin at screen 0.975
set logscale y
stats all using 1 name "workers" nooutput
stats all using 6 name "low" nooutput
stats all using 7 name "high" nooutput
most = workers_max
wider = most > 1 ? most - 1 : 1
set xrange [1 - 0.04 * wider : most + 0.04 * wider]
step = most <= 8 ? 1 : most <= 16 ? 2 : 2 ** floor(log(most) / log(2) - 2)
set xtics step, step
# Above all lines there is room for the legend, below them for the finding.
decades = log10(high_max / low_min)
set yrange [low_min / 10 ** (0.2 * decades) : high_max * 10 ** (0.5 * decades)]
if (decades > 3) {
    set ytics ("0.001" 0.001, "0.01" 0.01, "0.1" 0.1, "1" 1, "10" 10, "100" 100, "1000" 1000, "10⁴" 1e4)
} else {
    set ytics ("0.01" 0.01, "0.02" 0.02, "0.05" 0.05, "0.1" 0.1, "0.2" 0.2, "0.5" 0.5, "1" 1, "2" 2, "5" 5, "10" 10, \
        "20" 20, "50" 50, "100" 100, "200" 200, "500" 500, "1000" 1000, "2000" 2000)
}

# The finding: threads, as many as there are cores, or else as many as were measured.
if (is_there(file("lock_neighbours", "threads")) && is_there(file("lock_private", "threads"))) {
    digits(ratio) = sprintf(ratio < 9.95 ? "%.1f" : "%.0f", ratio)
    chosen = int(cores > 0 && cores < most ? cores : most)
    field(way, number) = real(system(sprintf("awk '$1 == %d { found = $%d } END { print found + 0 }' '%s'", chosen, \
        number, file(way, "threads"))))
    cost(way) = field(way, 5)
    # Said only where the intervals, of 6 samples or more, lie apart.
    above(one, other) = field(one, 6) > field(other, 7)
    sure = field("lock_neighbours", 8) >= 6 && field("lock_private", 8) >= 6 && \
        (above("lock_neighbours", "lock_private") || above("lock_private", "lock_neighbours"))
    if (chosen > 1 && cost("lock_neighbours") > 0 && cost("lock_private") > 0) {
        set label 1 sure ? sprintf("%d threads: neighbours in one cache line take %s × the time of counters apart", \
            chosen, digits(cost("lock_neighbours") / cost("lock_private"))) : \
            sprintf("%d threads: no clear difference between neighbours in one cache line and counters apart", chosen) \
            at graph 0.02, graph 0.06 left front textcolor rgb blue
    }
}
if (cores > 0 && cores <= most) {
    set arrow 1 from cores, graph 0.11 to cores, graph 0.66 nohead dashtype 3 linewidth 2 linecolor rgb grey
}

# The legend: what the colours say, and what the kinds of line say.
set key top left Left reverse maxrows 4 samplen 2.5 spacing 1.25
number(line) = way_of(int(line))
point(line) = int(line) <= 4 || paper ? shape(shapes[number(line)]) : shapes[number(line)] - 1
# The lines lie a little beside each other, so that no interval hides another.
beside(line) = (wider > 4 ? 0.02 : 0.005 * wider) * (int(line) - 4.5)
dash_of(line) = int(line) <= 4 ? 1 : 2
plot for [line in shown] path(int(line)) using ($1 + beside(line)):6:(0):($7 - $6) notitle \
         with vectors nohead linewidth 2 linecolor rgb colours[number(line)], \
     for [line in shown] path(int(line)) using ($1 + beside(line)):5 notitle with linespoints linewidth 3 \
         dashtype dash_of(line) pointtype point(line) pointsize 1.5 * points \
         linecolor rgb colours[number(line)], \
     for [way = 1:4] keyentry title titles[way] with linespoints linewidth 3 pointtype shape(shapes[way]) \
         pointsize 1.5 * points linecolor rgb colours[way], \
     keyentry title "threads" with lines linewidth 3 linecolor rgb 0x444444, \
     keyentry title "processes" with lines linewidth 3 dashtype 2 linecolor rgb 0x444444, \
     keyentry title (cores == 0 ? "" : cores == 1 ? "1 core" : sprintf("%d cores", cores)) \
         with lines linewidth 2 dashtype 3 linecolor rgb grey
