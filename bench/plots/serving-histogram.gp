# serving-histogram.gp: "How large do batches become by themselves?": for some loads, the part of the batches with at
# most so many rows; and how many requests are in the server. `data`: what serving_policy.c has written.
load "bench/plots/serving.gp"
eval heading("How large do batches become by themselves? (simulated device)")
unset title
set multiplot
loads = "0.1 0.3 0.5 0.7 0.9"
shown = ""
do for [i = 1:5] { if (count_of(word(loads, i)) > 0) { shown = shown.sprintf(" %d", i) } }
array colours = [sky, green, orange, vermillion, blue]
array shapes_of = [13, 11, 15, 9, 7]
set logscale x
set xtics ("1" 1, "2" 2, "4" 4, "8" 8, "16" 16, "32" 32, "64" 64, "128" 128, "256" 256)
set xrange [0.8 : 320]
set yrange [0 : 1.05]
set format y "%g%%"
set ytics ("0" 0, "25%%" 0.25, "50%%" 0.5, "75%%" 0.75, "100%%" 1)
set lmargin at screen 0.09
set rmargin at screen 0.52
set xlabel "rows of a batch"
set ylabel "batches of at most so many rows"
set key bottom right samplen 3 spacing 1.3 title "load"
cumulated(load) = sprintf("< awk -v series=%s -v names='rows batches_part' -f bench/plots/columns.awk '%s' | ". \
                          "awk '{ sum += $2; print $1, sum }'", load, data)
plot for [i in shown] cumulated(word(loads, int(i))) using 1:2 \
         title sprintf("%.0f%%", 100 * real(word(loads, int(i)))) with steps linewidth 3 dashtype dash(int(i)) linecolor rgb colours[int(i)], \
     for [i in shown] cumulated(word(loads, int(i))) using 1:2 every 4 notitle with points \
         pointtype shape(shapes_of[int(i)]) pointsize 1.1 * points linecolor rgb colours[int(i)]
unset label 1000
unset label 1001
set lmargin at screen 0.64
set rmargin at screen 0.97
unset logscale x
set xrange [0 : 100]
set xtics autofreq
set format x "%g%%"
set xlabel "load"
set logscale y
set format y "%g"
set ytics (1, 2, 5, 10, 20, 50, 100, 200, 500)
set yrange [0.5 : *]
set ylabel "requests in the server, mean (Little)"
unset key
plot sprintf("< awk -v names='load in_server' -f bench/plots/columns.awk '%s' | sort -u", data) using (100 * $1):2 \
     with linespoints linewidth 3 pointtype 7 pointsize 1.5 * points linecolor rgb blue
