# serving-ladder.gp: "What does each step of the ladder bring?": the most requests, those for a CPU second, one client's
# p50, for each rung. `data`: what serving_ladder.c has written; x is the number of clients.
load "bench/plots/serving.gp"
eval heading("What does each step bring, with 64 clients and with one?")
unset title
set multiplot
set nokey
set style fill solid paper ? 0.35 : 0.8 border rgb black
set boxwidth 0.7
set ytics scale 0
set grid noytics

# Row i: the median and its interval, of 64 clients or of one.
of(i, clients, name) = sprintf("< awk -v series=%s -v names='x %s %s_low %s_high' -f bench/plots/columns.awk '%s' | ". \
    "awk '$1 == %d && $2 > 0'", word(rungs, int(i)), name, name, name, data, clients)
shown = ""
do for [i = 1:words(rungs)] { if (count_of(word(rungs, i)) > 0) { shown = shown.sprintf(" %d", i) } }
array names = ["achieved_per_s", "per_cpu_s", "p50_us"]
array clients = [64, 64, 1]
array labels = ["requests/s", "requests per CPU second", "one client: p50, µs"]
do for [panel = 1:3] {
    set lmargin at screen 0.232 + (panel - 1) * 0.26
    set rmargin at screen 0.232 + (panel - 1) * 0.26 + 0.225
    set xlabel labels[panel]
    set logscale x
    set format x "%.0s%c"
    if (panel == 1) {
        set ytics ("serial" 1, "serial, batching" 2, "threads" 3, "processes" 4, "shared queue" 5, \
                   "shared queue, batching" 6, "FastAPI, JSON" 7, "FastAPI, bytes" 8) scale 0
    } else {
        set ytics ("" 1, "" 2, "" 3, "" 4, "" 5, "" 6, "" 7, "" 8) scale 0
    }
    all = sprintf("< awk -v names='x %s_low %s_high' -f bench/plots/columns.awk '%s' | awk '$1 == %d && $2 > 0'", \
                  names[panel], names[panel], data, clients[panel])
    set autoscale xy
    stats all using 2:3 name "all" nooutput
    least = all_min_x * (panel < 3 ? 0.6 : 0.75)
    set xrange [least : all_max_y * 3]
    set yrange [8.6 : 0.4]
    number(value) = value < 9.995 ? sprintf("%.2f", value) : value < 999.5 ? sprintf("%.0f", value) : \
                    value < 99950 ? sprintf("%.1fk", value / 1000) : sprintf("%.0fk", value / 1000)
    plot for [i in shown] of(i, clients[panel], names[panel]) \
             using (sqrt(least * $2)):(int(i)):(least):2:(i - 0.35):(i + 0.35) with boxxyerror linewidth 1 \
             linecolor rgb rung_colours[int(i)] fillstyle solid paper ? 0.3 : 0.75 noborder, \
         for [i in shown] of(i, clients[panel], names[panel]) using 2:(int(i)):3:4 with xerrorbars linewidth 2 \
             pointtype 0 linecolor rgb black, \
         for [i in shown] of(i, clients[panel], names[panel]) using 4:(int(i)):(number($2)) with labels left \
             offset 0.6, 0 font small_font
    unset label 1000
    unset label 1001
}
