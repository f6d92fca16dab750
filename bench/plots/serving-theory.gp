# serving-theory.gp: "Does the server wait as theory says?": mean latency of one simulated device against the load, and
# Inoue's line with the times of the device that the server has learnt. `data`: what serving_policy.c has written.
load "bench/plots/serving.gp"
set title "Does it wait as theory says? (simulated device)" font title_font
set lmargin at screen 0.125
set rmargin at screen 0.97
set xlabel "load: arrivals a second × what each row adds to a batch (Poisson)"
set ylabel "mean latency"
set logscale y
set ytics ("1 ms" 1e3, "2 ms" 2e3, "5 ms" 5e3, "10 ms" 1e4, "20 ms" 2e4, "50 ms" 5e4, "100 ms" 1e5)
set format x "%g%%"
stats rows("", "mean_us_low mean_us_high") using 1:2 name "all" nooutput
set xrange [0 : 100]
set yrange [2500 : 10 ** ceil(log10(all_max_y * 1.2))]
set key top left Left reverse samplen 3 spacing 1.3
fixed = real(system(rows("", "alpha_us")[3:*]." | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'"))
row = real(system(rows("", "beta_us")[3:*]." | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'"))
# As in serving_policy.c.
low(l) = (row + fixed) / (2 * (1 - l)) * (1 + 2 * l / row * fixed + (1 - l / row * fixed) / (1 + l))
high(l) = 1.5 * fixed / (1 - l) + row / 2 * (l + 2) / (1 - l * l)
inoue(l) = low(l) < high(l) ? low(l) : high(l)
set samples 400
set label 1 sprintf("one device that takes 3 ms, and 0.5 ms for each row;\n". \
                    "the line: %.2f ms and %.3f ms, as the server has learnt", fixed / 1e3, row / 1e3) at graph 0.985, graph 0.1 right font small_font
plot x > 2 && x < 95 ? inoue(x / 100) : 1/0 title "Inoue (2019): all that waits is the next batch" with lines \
         linewidth 3 dashtype 2 linecolor rgb black, \
     rows("", "load mean_us mean_us_low mean_us_high") using (100 * $1):2:3:4 notitle with yerrorbars @blue_bar, \
     rows("", "load mean_us") using (100 * $1):2 title "measured, through HTTP" with points linewidth 2 pointtype 7 \
         pointsize 1.8 * points linecolor rgb blue
