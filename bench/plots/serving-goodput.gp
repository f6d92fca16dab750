# serving-goodput.gp: "What is left beyond the peak?": answers within 5 ms against the offered load, with what is late
# given up early, and with all computed. Simulated devices. `data`: what serving_policy.c has written.
load "bench/plots/serving.gp"
set title "What is left of 5 ms beyond the peak? (simulated devices)" font title_font
set lmargin at screen 0.12
set rmargin at screen 0.97
set xlabel "offered: requests a second (Poisson); two devices, batches of 4 in 2.6 ms"
set ylabel "answered within 5 ms a second"
set format y "%g"
set format x "%g"
stats rows("", "offered_per_s good_per_s_high") using 1:2 name "all" nooutput
set xrange [0 : all_max_x * 1.05]
set yrange [0 : all_max_y * 1.3]
set key top left Left reverse samplen 3 spacing 1.3
capacity = 2 * 4 / 0.0026
set arrow 1 from capacity, 0 to capacity, all_max_y * 1.16 nohead dashtype 3 linewidth 2 linecolor rgb grey
set label 1 "all that the devices can do" at capacity, all_max_y * 1.14 left offset 1, 0 font small_font
plot x < all_max_y * 1.05 ? x : 1/0 title "all that is offered" with lines linewidth 2 dashtype 2 linecolor rgb black, \
     spread("early_drop", "offered_per_s", "good_per_s") notitle with yerrorbars @blue_bar, \
     spread("early_drop", "offered_per_s", "good_per_s") using 1:2 title "those that would be late are given up" \
         with linespoints linewidth 3 pointtype 7 pointsize 1.5 * points linecolor rgb blue, \
     spread("keep_late", "offered_per_s", "good_per_s") notitle with yerrorbars @red_bar, \
     spread("keep_late", "offered_per_s", "good_per_s") using 1:2 title "all are computed, in time or not" \
         with linespoints linewidth 3 dashtype dash(4) pointtype shape(9) pointsize 1.5 * points \
         linecolor rgb vermillion
