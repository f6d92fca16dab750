# sizes.gp: "From what size of work on do threads and processes pay?": time against size of work, and where the curves
# cross. bench/plot has put into the folder `scratch`: none, threads, processes (n, then median, low, high in us),
# MODE-crossing (n, us; empty without one), workers, and findings (a line for each of the two).
one_column = 1
load "bench/plots/style.gp"

file(name) = scratch."/".name
workers = int(system("cat '".file("workers")."'"))

set title "From what size of work on do threads and processes pay?" font title_font
set xlabel workers == 1 ? "n: one worker adds up the numbers below n" \
                        : sprintf("n: each of %d workers adds up the numbers below n", workers)
set ylabel "time with start and join: median, 95% interval"
set lmargin at screen paper ? 0.185 : 0.135
set rmargin at screen 0.97
set logscale xy
set xtics ("10" 10, "100" 100, "1000" 1e3, "10⁴" 1e4, "10⁵" 1e5, "10⁶" 1e6, "10⁷" 1e7, "10⁸" 1e8, "10⁹" 1e9)
set ytics ("1 ns" 1e-3, "10 ns" 1e-2, "100 ns" 0.1, "1 µs" 1, "10 µs" 10, "100 µs" 100, "1 ms" 1e3, "10 ms" 1e4, \
           "100 ms" 1e5, "1 s" 1e6, "10 s" 1e7, "100 s" 1e8)
set key top left Left reverse samplen 2 spacing 1.3

# The ranges, from all that was measured; on paper the legend and the findings need more room.
all = "< cat '".file("none")."' '".file("threads")."' '".file("processes")."'"
stats all using 1 name "n" nooutput
stats all using 3 name "low" nooutput
stats all using 4 name "high" nooutput
bottom = 10 ** (floor(log10(low_min)) - paper) / 1.5
set xrange [0.6 * n_min : 1.7 * n_max]
set yrange [bottom : 10 ** (ceil(log10(high_max) + 0.15) + paper)]

# A line leads down from each crossing to its n; the findings stand in the corner below the curves, on a ground that
# hides what runs there.
do for [number = 1:2] {
    name = word("threads processes", number)
    crossing = system("cat '".file(name)."-crossing'")
    if (words(crossing) == 2) {
        x = real(word(crossing, 1))
        y = real(word(crossing, 2))
        set arrow number from x, y to x, bottom nohead dashtype 3 linewidth 2 linecolor rgb mode_colour(name)
        set label 10 + number "" at x, y point pointtype 6 pointsize 3.5 * points linewidth 3 linecolor rgb black
    }
    set label number system(sprintf("sed -n %dp '%s'", number, file("findings"))) \
        at graph 0.985, graph number == 1 ? 0.13 : 0.06 right front textcolor rgb mode_colour(name) \
        font paper ? small_font : font(16 * unit)
}
set object 1 rectangle from graph 0.42, graph 0.025 to graph 0.995, graph 0.165 front fillcolor rgb 0xffffff \
    fillstyle solid noborder

shown = ""
do for [name in "none threads processes"] { if (is_there(file(name))) { shown = shown." ".name } }
title_of(name) = name eq "none" ? "nothing: one sum after another" : name

plot for [name in shown] file(name) using 1:3:(0):($4 - $3) notitle \
         with vectors nohead linewidth 2 linecolor rgb mode_colour(name), \
     for [name in shown] file(name) using 1:2 title title_of(name) with linespoints linewidth 3 \
         dashtype mode_dash(name) pointtype mode_shape(name) pointsize 1.5 * points linecolor rgb mode_colour(name)
