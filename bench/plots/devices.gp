# devices.gp: "What do cores and devices bring?": the same images by one core, threads, processes and devices: images a
# second against the workers, a panel for each model; and how much of each device is used. Simulated devices have hollow
# points and dashed lines. `data`: what devices_output.c has written.
load "bench/plots/serving.gp"
eval heading("How many images a second do cores and devices read?")
unset title
set multiplot
set nokey
set tics font small_font
set xlabel font small_font
set ylabel font small_font

names = "serial threads processes devices simulated"
array colours = [black, blue, vermillion, purple, purple]
array shapes = [7, shape(5), shape(9), 15, 14]
array dashes = [1, dash(1), dash(4), 1, 2] # of simulated ones also on a screen
array beside = [0.97, 1, 1.03, 1, 1]
# The rows of a model in a mode: workers, images/s, low, high, efficiency, joules.
columns = "mode workers images_per_s images_per_s_low images_per_s_high efficiency joules_per_image"
of(model, mode) = rows(model, columns). \
    sprintf(" | awk '$1 == \"%s\" && $3 > 0 { $1 = \"\"; gsub(/[?]/, 0); print }'", mode)
there(model, mode) = system(of(model, mode)[3:*]." | head -n 1") ne ""
# What the devices are, as the data have it.
device_of(mode) = system("awk -F, -v m=".mode." '$2 == m && $7 > 0 { gsub(/\"/, \"\", $(NF - 2)); print $(NF - 2); ". \
    "exit }' '".data."'")
title_of(mode) = is_device(mode) ? device_of(mode) : mode eq "serial" ? "one core" : mode
number(mode) = place_in(names, mode)
is_device(mode) = mode eq "devices" || mode eq "simulated"
millijoules(joules) = joules > 0 ? sprintf("\n%.2g mJ", 1e3 * joules) : ""
note_of(mode, n, efficiency, joules) = \
    n == 3 || !is_device(mode) ? "" : sprintf("%.0f%%", 100 * efficiency).millijoules(joules)

models = system("awk -F, 'NR > 1 && $7 > 0 && !($1 in seen) { seen[$1] = 1; print $1 }' '".data."' | paste -s -d ' '")
most = real(system("awk -F, 'NR > 1 && $7 > 0 && $4 > most { most = $4 } END { print most }' '".data."'"))
panels = words(models)
set logscale xy
set xtics (1, 2, 3, 4, 8, 16, 32, 64, 128)
set format x "%g"
set format y "%.0s%c"
set for [power = 2:8] ytics add (1.0 * 10 ** power, 2.0 * 10 ** power, 5.0 * 10 ** power)
set xlabel "workers, or devices (in %: efficiency)"
do for [i = 1:panels] {
    model = word(models, i)
    if (i == 2) { unset label 1001; unset label 1000 }
    set lmargin at screen 0.085 + (i - 1) * (0.905 / panels)
    set rmargin at screen 0.085 + i * (0.905 / panels) - 0.075
    set tmargin at screen 0.845
    set bmargin at screen 0.265
    set ylabel i == 1 ? "images/s: median, 95% interval" : ""
    shown = ""
    do for [mode in names] { if (there(model, mode)) { shown = shown." ".mode } }
    title = system("awk -F, '$1 == \"".model."\" { gsub(/\"/, \"\", $(NF - 1)); print $(NF - 1); exit }' '".data."'")
    set label 2 title at graph 0, graph 1.05 left noenhanced font small_font
    set autoscale xy
    stats rows(model, "images_per_s_low images_per_s_high") using 1:2 name "of" nooutput
    set xrange [0.85 : most * 1.35 + 0.3]
    set yrange [of_min_x / 1.6 : of_max_y * 2]
    if (cores > 0 && cores <= most) {
        set arrow 1 from cores, graph 0 to cores, graph 0.97 nohead dashtype 3 linewidth 2 linecolor rgb grey
    }
    plot for [mode in shown] of(model, mode) using ($1 * beside[number(mode)]):2:3:4 notitle with yerrorbars \
             linewidth 2 pointtype 0 linecolor rgb colours[number(mode)], \
         for [mode in shown] of(model, mode) using ($1 * beside[number(mode)]):2 notitle with linespoints \
             linewidth 2.5 dashtype dashes[number(mode)] pointtype shapes[number(mode)] pointsize 1.4 * points \
             linecolor rgb colours[number(mode)], \
         for [mode in shown] of(model, mode) using 1:2:(note_of(mode, $1, $5, $6)) notitle with labels left \
             offset 0.9, -0.7 font small_font
}

# The legend, below all: a plot without anything in it.
all = ""
do for [i = 1:words(names)] {
    if (system("awk -F, -v m=".word(names, i)." '$2 == m && $7 > 0 { print 1; exit }' '".data."'") eq "1") {
        all = all." ".word(names, i)
    }
}
set lmargin at screen 0.02
set rmargin at screen 0.98
set tmargin at screen 0.16
set bmargin at screen 0.06
unset logscale; unset border; unset tics; unset xlabel; unset ylabel; unset grid; unset label; unset arrow
set key at screen 0.5, screen 0.155 center top Left reverse horizontal maxrows 2
set key samplen 3 spacing 1.15 font small_font noenhanced
plot [0:1] [0:1] NaN notitle, \
     for [mode in all] keyentry with linespoints linewidth 2.5 dashtype dashes[number(mode)] \
         pointtype shapes[number(mode)] pointsize 1.4 * points linecolor rgb colours[number(mode)] \
         title title_of(mode), \
     keyentry title (cores == 0 ? "" : cores == 1 ? "1 core" : sprintf("%d cores", cores)) \
         with lines linewidth 2 dashtype 3 linecolor rgb grey
unset multiplot
