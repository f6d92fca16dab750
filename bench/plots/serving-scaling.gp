# serving-scaling.gp: "What do more devices bring?": the largest rate with 99 of 100 answers in time, against the
# devices. `data`: what serving_scaling.c has written.
load "bench/plots/serving.gp"
set title "What do more devices bring? (in part simulated)" font title_font
set lmargin at screen 0.125
set rmargin at screen 0.97
set xlabel "devices"
set ylabel "requests a second with p99 in the bound"
set logscale xy
set format y "%.0s%c"
set xtics (1, 2, 4, 8, 16)
set format x "%g"
set ytics (500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6)
stats rows("", "devices rate_low") using 1:2 name "low" nooutput
stats rows("", "devices rate_high") using 1:2 name "high" nooutput
set xrange [0.85 : low_max_x * 1.45]
set yrange [low_min_y / 1.8 : high_max_y * 15]
set key top left Left reverse samplen 3 spacing 1.3
kinds = "sim cpu devices simulated"
there = ""
do for [i = 1:words(kinds)] { if (count_of(word(kinds, i)) > 0) { there = there.sprintf(" %d", i) } }
# What those are that were told.
device_of(kind) = system("awk -F, -v k=".kind." '$1 == k { gsub(/\"/, \"\", $NF); print $NF; exit }' '".data."'")
array kind_titles = ["simulated devices: 5 ms + 0.3 ms a row, p99 of 20 ms", \
                     "cores, which front and clients need, too: digits, p99 of 5 ms", \
                     device_of("devices").": digits, p99 of 5 ms", device_of("simulated").": digits, p99 of 5 ms"]
array kind_colours = [blue, orange, purple, purple]
array kind_shapes = [6, 15, 7, 4]
array kind_dashes = [2, dash(4), 1, 5] # of simulated ones also on a screen
all(kind) = rows(kind, "devices rate_per_s rate_low rate_high efficiency")
alone(kind) = real(system(all(kind)[3:*]." | awk '$1 == 1 { print $2 } END { print 0 }' | head -n 1"))
most(kind) = real(system(all(kind)[3:*]." | awk '$1 > most { most = $1 } END { print most + 0 }'"))
plot for [i in there] x >= 1 && x <= most(word(kinds, int(i))) ? alone(word(kinds, int(i))) * x : 1/0 \
         title i eq word(there, 1) ? "as many times as there are devices" : "" with lines linewidth 2 dashtype 3 \
         linecolor rgb grey, \
     for [i in there] all(word(kinds, int(i))) using 1:2:3:4 notitle with yerrorbars linewidth 2 pointtype 0 \
         linecolor rgb kind_colours[int(i)], \
     for [i in there] all(word(kinds, int(i))) using 1:2 title kind_titles[int(i)] noenhanced with linespoints \
         linewidth 3 dashtype kind_dashes[int(i)] pointtype kind_shapes[int(i)] pointsize 1.6 * points \
         linecolor rgb kind_colours[int(i)], \
     for [i in there] all(word(kinds, int(i))) using 1:2:(sprintf("%.0f%%", 100 * $5)) notitle with labels left \
         offset 1, -0.8 font small_font
