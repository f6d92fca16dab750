# serving-load.gp: "How long does a request take, the more come?": p50, p99 and p99.9 against the offered load, a line
# for each rung; the bound of 5 ms. `data`: what serving_ladder.c has written.
load "bench/plots/serving.gp"
eval heading("How long does a request take, the more of them come?")
unset title
set multiplot
set logscale xy
array names = ["p50_us", "p99_us", "p999_us"]
array labels = ["p50", "p99", "p99.9"]
stats rows("", "offered_per_s") using 1 name "rate" nooutput
stats rows("", "p50_us_low p999_us_high") using 1:2 name "time" nooutput
set xrange [rate_min / 1.4 : rate_max * 1.4]
set yrange [time_min_x / 1.5 : time_max_y * 1.5]
set ytics ("100 µs" 100, "1 ms" 1e3, "10 ms" 1e4, "100 ms" 1e5, "1 s" 1e6)
set xtics offset 0, 0.3
set tmargin at screen 0.86
set bmargin at screen 0.26
do for [panel = 1:3] {
    set lmargin at screen left_of(panel, 3)
    set rmargin at screen right_of(panel, 3) + 0.045
    set xlabel panel == 2 ? "offered: requests a second (Poisson); the line across: 5 ms" : " "
    set label 1 labels[panel] at graph 0.04, 0.95
    if (panel > 1) { set format y "" }
    if (panel > 1) { set ytics ("" 100, "" 1e3, "" 1e4, "" 1e5, "" 1e6) }
    # One legend, below all of them.
    if (panel == 2) { set key at screen 0.5, screen 0.135 center top Left reverse \
                          maxrows 2 samplen 2.5 spacing 1.2 width -1 font small_font } else { unset key }
    plot_all = "plot 5000 notitle with lines linewidth 2 dashtype 2 linecolor rgb black"
    do for [i = 1:words(rungs)] {
        name = word(rungs, i)
        if (count_of(name) > 0) {
            plot_all = plot_all.sprintf(", spread('%s', 'offered_per_s', names[panel]) notitle with yerrorbars %s", \
                       name, bar(i)). \
                       sprintf(", spread('%s', 'offered_per_s', names[panel]) using 1:2 ", name). \
                       sprintf("title rung_titles[%d] with linespoints ", i).look(i)
        }
    }
    eval plot_all
    unset label 1000
    unset label 1001
}
