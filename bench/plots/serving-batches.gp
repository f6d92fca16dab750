# serving-batches.gp: "What does a batch bring?": on a core, the time of a row and the rows a second by the size of the
# batch, with the line alpha + beta * rows. `data`: what serving_device.c has written.
load "bench/plots/serving.gp"
eval heading("What does a batch bring? (digits, one core)")
unset title
set multiplot
set logscale xy
set xlabel "rows of a batch"
set xtics ("1" 1, "2" 2, "4" 4, "8" 8, "16" 16, "32" 32, "64" 64, "128" 128, "256" 256)
set xrange [0.8 : 320]
fixed = real(value_of("", "alpha_us"))
row = real(value_of("", "beta_us"))
line_title = sprintf("%.3g µs + %.3g µs a row", fixed, row)
all = rows("", "rows batch_us batch_us_low batch_us_high")
peer = rows("", "rows openblas_us openblas_us_low openblas_us_high")
set key top right samplen 3 spacing 1.3
set lmargin at screen 0.09
set rmargin at screen 0.475
set ylabel "time of a row: µs"
set format y "%g"
stats all using ($2 / $1) name "row" nooutput
stats peer using ($2 / $1) name "other" nooutput
set yrange [row_min / 1.5 : (other_max > row_max ? other_max : row_max) * 2]
set ytics (1, 2, 5, 10, 20, 50, 100, 200, 500)
plot (fixed + row * x) / x title line_title with lines linewidth 3 dashtype 2 linecolor rgb black, \
     all using 1:($2 / $1):($3 / $1):($4 / $1) notitle with yerrorbars @blue_bar, \
     peer using 1:($2 / $1) title "OpenBLAS" with linespoints linewidth 2 dashtype 4 pointtype 9 \
         pointsize 1.3 * points linecolor rgb orange, \
     all using 1:($2 / $1) title "our kernels" with linespoints linewidth 3 pointtype 7 pointsize 1.5 * points \
         linecolor rgb blue
unset label 1000
unset label 1001
set lmargin at screen 0.585
set rmargin at screen 0.97
set key top left Left reverse
set ylabel "rows a second"
set format y "%.0s%c"
set ytics (1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6)
set autoscale y
stats all using (1e6 * $1 / $2) name "rate" nooutput
stats peer using (1e6 * $1 / $2) name "slow" nooutput
set yrange [(slow_min < rate_min ? slow_min : rate_min) / 1.6 : rate_max * 4]
plot 1e6 * x / (fixed + row * x) title line_title with lines linewidth 3 dashtype 2 linecolor rgb black, \
     all using 1:(1e6 * $1 / $2):(1e6 * $1 / $4):(1e6 * $1 / $3) notitle with yerrorbars @blue_bar, \
     peer using 1:(1e6 * $1 / $2) title "OpenBLAS" with linespoints linewidth 2 dashtype 4 pointtype 9 \
         pointsize 1.3 * points linecolor rgb orange, \
     all using 1:(1e6 * $1 / $2) title "our kernels" with linespoints linewidth 3 pointtype 7 pointsize 1.5 * points \
         linecolor rgb blue
