# serving-timeline.gp: "Who computes when?": the batches of four workers in 0.1 s, where processes race for
# connections and where they share a queue; of the whole run each worker's time at work. `data`: what serving_events.c has written.
load "bench/plots/serving.gp"
eval heading("Who computes when? (simulated devices, 70% load)")
unset title
set multiplot
unset key
set xrange [0 : 100]
set format x "%g"
set yrange [4.6 : 0.4]
set format y "worker %g"
set ytics 1, 1, 4 scale 0
set grid noytics
set style fill solid paper ? 0.35 : 0.8 border rgb black
set lmargin at screen 0.11
set rmargin at screen 0.84
batches(name) = sprintf("< awk -v series=%s -v names='kind worker start_ms end_ms' -f bench/plots/columns.awk ". \
    "'%s' | awk '$1 == \"batch\" { print $2, ($3 < 0 ? 0 : $3), ($4 > 100 ? 100 : $4) }'", name, data)
workers(name) = sprintf("< awk -v series=%s -v names='kind worker requests busy_part' -f bench/plots/columns.awk ". \
    "'%s' | awk '$1 == \"worker\" { busy[$2] = $4; all += $3; n[$2] = $3 } ". \
    "END { for (i = 1; i <= 4; i++) print i, 100 * busy[i], (all > 0 ? 100 * n[i] / all : 0) }'", name, data)
jain(name) = real(system(workers(name)[3:*]. \
    " | awk '{ s += $3; q += $3 * $3 } END { print (q > 0 ? s * s / (4 * q) : 0) }'"))
array series = ["processes", "shared_queue"]
array titles = ["processes, which race for connections", "a shared queue"]
array colours = [vermillion, blue]
do for [panel = 1:2] {
    set tmargin at screen panel == 1 ? 0.85 : 0.46
    set bmargin at screen panel == 1 ? 0.565 : 0.175
    set xlabel panel == 1 ? "" : "ms of the run; 16 connections, batches of 1 row in 2 ms"
    set label 1 sprintf("%s: Jain's index of the requests %.2f", titles[panel], jain(series[panel])) \
        at graph 0, 1.07 left
    set label 2 "at work; requests" at graph 1.01, 1.07 left font small_font
    do for [worker = 1:4] {
        found = system(workers(series[panel])[3:*].sprintf(" | sed -n %dp", worker))
        set label 2 + worker sprintf("%.0f%%; %.0f%%", real(word(found, 2)), real(word(found, 3))) \
            at graph 1.01, first worker left font small_font
    }
    plot batches(series[panel]) using 2:1:2:3:($1 - 0.32):($1 + 0.32) with boxxyerror linewidth 1 \
             linecolor rgb colours[panel]
    unset label 1000
    unset label 1001
}
