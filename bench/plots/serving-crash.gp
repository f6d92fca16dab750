# serving-crash.gp: "What do clients notice when workers are killed?": answers and failures a second, and p99, of every
# tenth of a second; a mark for each kill. Simulated devices. `data`: what serving_events.c has written.
load "bench/plots/serving.gp"
eval heading("What do clients notice of killed workers? (simulated)")
unset title
set multiplot
set format x "%g"
set lmargin at screen 0.125
set rmargin at screen 0.97
stats rows("", "seconds right_per_s") using 1:2 name "right" nooutput
set xrange [0 : right_max_x + 0.1]
set tmargin at screen 0.87
set bmargin at screen 0.55
set xtics format ""
set format y "%g"
set yrange [0 : right_max_y * 1.45]
set ylabel "answers a second"
set key top right maxrows 1 samplen 2 width -2
set ytics autofreq
plot rows("", "seconds right_per_s") using ($1 + 0.05):2 title "right" with linespoints linewidth 3 pointtype 7 \
         pointsize 0.8 * points linecolor rgb blue, \
     rows("", "seconds failed_per_s") using ($1 + 0.05):2 title "failed" with lines linewidth 3 dashtype dash(2) \
         linecolor rgb vermillion, \
     rows("", "seconds kills") using ($2 > 0 ? $1 + 0.05 : 1/0):(right_max_y * 0.08) title "a worker killed" \
         with points pointtype 2 pointsize 1.3 * points linewidth 2 linecolor rgb black
unset label 1000
unset label 1001
unset key
set tmargin at screen 0.5
set bmargin at screen 0.175
set xtics format "%g"
set xlabel "seconds"
set ylabel "p99: ms"
set format y "%g"
stats rows("", "seconds p99_us") using ($2 / 1000) name "p99" nooutput
set yrange [0 : p99_max * 1.2]
plot rows("", "seconds p99_us") using ($1 + 0.05):($2 / 1000) with linespoints linewidth 3 pointtype 7 \
         pointsize 0.8 * points linecolor rgb blue
