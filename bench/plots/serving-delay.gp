# serving-delay.gp: "Does it pay to wait for more rows?": latencies and the mean batch against the time that a free worker
# waits. Simulated device. `data`: what serving_policy.c has written.
load "bench/plots/serving.gp"
eval heading("Does it pay to wait for more rows? (simulated device)")
unset title
set multiplot
set format x "%g"
set lmargin at screen 0.125
set rmargin at screen 0.97
stats rows("", "x") using 1 name "delay" nooutput
set xrange [-0.15 : delay_max / 1000 + 0.15]
unset key
set tmargin at screen 0.87
set bmargin at screen 0.55
set xtics format ""
set ylabel "latency: ms"
set format y "%g"
stats rows("", "p99_us_high") using ($1 / 1000) name "p99" nooutput
set yrange [0 : p99_max * 1.15]
set key top left Left reverse maxrows 1 samplen 3
plot spread("", "x", "p99_us") using ($1 / 1e3):($2 / 1e3):($3 / 1e3):($4 / 1e3) notitle with yerrorbars @red_bar, \
     spread("", "x", "p99_us") using ($1 / 1e3):($2 / 1e3) title "p99" with linespoints linewidth 3 dashtype dash(4) \
         pointtype shape(9) pointsize 1.5 * points linecolor rgb vermillion, \
     spread("", "x", "p50_us") using ($1 / 1e3):($2 / 1e3):($3 / 1e3):($4 / 1e3) notitle with yerrorbars @blue_bar, \
     spread("", "x", "p50_us") using ($1 / 1e3):($2 / 1e3) title "p50" with linespoints linewidth 3 pointtype 7 \
         pointsize 1.5 * points linecolor rgb blue
unset label 1000
unset label 1001
unset key
set tmargin at screen 0.5
set bmargin at screen 0.175
set xtics format "%g"
set xlabel "a free worker waits so long for more rows: ms (1500 requests a second)"
set ylabel "rows of a batch"
set autoscale y # stats looks only at what is in the range
stats rows("", "mean_batch_high") using 1 name "batch" nooutput
set yrange [0 : batch_max * 1.15]
plot spread("", "x", "mean_batch") using ($1 / 1e3):2:3:4 with yerrorbars @blue_bar, \
     spread("", "x", "mean_batch") using ($1 / 1e3):2 with linespoints linewidth 3 pointtype 7 pointsize 1.5 * points \
         linecolor rgb blue
