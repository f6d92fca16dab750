# footprint.gp: "What does a process cost the larger its parent is?": fork, zygote and vfork by the memory
# resident, in us on a log scale. Besides what style.gp wants, its caller has set data, the CSV that footprint.c has
# written.
load "bench/plots/style.gp"

set title "What does a process cost the larger its parent is?" font title_font
set xlabel "memory that the parent has resident: MiB"
set ylabel "start and end of a child: median, 95% interval"
set lmargin at screen 0.135
set rmargin at screen 0.9
set logscale xy
set xtics ("1" 1, "4" 4, "16" 16, "64" 64, "256" 256, "1024" 1024)
set ytics ("1 µs" 1, "10 µs" 10, "100 µs" 100, "1 ms" 1e3, "10 ms" 1e4, "100 ms" 1e5, "1 s" 1e6)
set key top left Left reverse noenhanced samplen 4 spacing 1.3

# From the back to the front; the names are those in the data.
ways = "bare vfork zygote fork"
array titles = ["fork and _exit: the system alone", "vfork: at_run of a program", "zygote: at_process", \
                "fork: at_process"]
array colours = [black, green, blue, vermillion]
array shapes = [5, 13, 7, 9]
array sizes = [1.2, 1.9, 1.6, 1.7]
array dashes = [2, dash(4), 1, 1]

# MiB, then median and the ends of its 95% interval in us; a way without rows was not measured.
all_rows = sprintf("< awk -F, 'NR > 1 { print $1, $5, $6, $7 }' '%s'", data)
rows(way) = sprintf("< awk -F, '$2 == \"%s\" { print $1, $5, $6, $7 }' '%s'", way, data)
last(way, column) = system(sprintf("awk -F, '$2 == \"%s\" { last = $%d } END { print last }' '%s'", \
                                   way, column, data))
time_text(us) = us < 999.5 ? sprintf("%.3g µs", us) : us < 999500 ? sprintf("%.3g ms", us / 1e3) : \
    sprintf("%.3g s", us / 1e6)

stats all_rows using 1 name "mib" nooutput
stats all_rows using 3 name "low" nooutput
stats all_rows using 4 name "high" nooutput
set xrange [mib_min / 1.5 : mib_max * 1.5]
set yrange [low_min / 1.6 : 10 ** ceil(log10(high_max) + 0.1)]

# Ours say what they come to in the end; beside fork's words the floor's would have no room.
plot_all = ""
do for [i = 1:words(ways)] {
    way = word(ways, i)
    if (last(way, 1) ne "") {
        style = sprintf("pointtype %d pointsize %g linewidth 3 dashtype %d linecolor rgb %d", shape(shapes[i]), \
                        sizes[i] * points, dashes[i], colours[i])
        plot_all = plot_all.(plot_all eq "" ? "plot " : ", "). \
            sprintf("rows('%s') using 1:2:3:4 notitle with yerrorbars pointtype 0 linewidth 2 linecolor rgb %d, ", \
                    way, colours[i]). \
            sprintf("rows('%s') using 1:2 title '%s' with linespoints %s", way, titles[i], style)
        if (way ne "bare") {
            set label i time_text(real(last(way, 5))) at real(last(way, 1)), real(last(way, 5)) left offset 1.2, 0 \
                textcolor rgb colours[i]
        }
    }
}
eval plot_all
