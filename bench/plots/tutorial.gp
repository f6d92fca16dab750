# tutorial.gp: "Which is faster: nothing, threads or processes?": time against size of work, and where the curves cross.
# bench/plot has put into the folder `scratch`: none, threads, processes (n, median, q1, q3 in us) and threads-crossing,
# processes-crossing (n, us; empty without one); and has set workers, threads_finding and processes_finding.
load "bench/plots/style.gp"

set title "Which is faster: nothing, threads or processes?" font title_font
set xlabel workers == 1 ? "n: one worker adds up the numbers below n" \
                        : sprintf("n: each of %d workers adds up the numbers below n", workers)
set ylabel "time, start and join included"
set lmargin at screen 0.135
set rmargin at screen 0.97
set logscale xy
set xtics ("10" 10, "100" 100, "1000" 1e3, "10⁴" 1e4, "10⁵" 1e5, "10⁶" 1e6, "10⁷" 1e7, "10⁸" 1e8, "10⁹" 1e9)
set ytics ("1 ns" 1e-3, "10 ns" 1e-2, "100 ns" 0.1, "1 µs" 1, "10 µs" 10, "100 µs" 100, "1 ms" 1e3, "10 ms" 1e4, \
           "100 ms" 1e5, "1 s" 1e6, "10 s" 1e7, "100 s" 1e8)
set key top left Left reverse samplen 2 spacing 1.3

file(name) = scratch."/".name
stats file("none") using 1:3 name "least" nooutput
stats file("none") using 1:4 name "none_most" nooutput
stats file("processes") using 1:4 name "most" nooutput
bottom = 10 ** floor(log10(least_min_y)) / 1.5
top = none_most_max_y > most_max_y ? none_most_max_y : most_max_y
set xrange [0.6 * least_min_x : 1.7 * least_max_x]
set yrange [bottom : 10 ** ceil(log10(top) + 0.15)]

# A line leads down from each crossing to its n; the findings stand in the corner below the curves, on a ground that
# hides what runs there.
do for [name in "threads processes"] {
    crossing = system("cat '".file(name)."-crossing'")
    colour = name eq "threads" ? blue : vermillion
    number = name eq "threads" ? 1 : 2
    if (words(crossing) == 2) {
        x = real(word(crossing, 1))
        y = real(word(crossing, 2))
        set arrow number from x, y to x, bottom nohead dashtype 3 linewidth 2 linecolor rgb colour
        set label 10 + number "" at x, y point pointtype 6 pointsize 3.5 * points linewidth 3 linecolor rgb black
    }
}
set object 1 rectangle from graph 0.42, graph 0.025 to graph 0.995, graph 0.165 front fillcolor rgb 0xffffff \
    fillstyle solid noborder
set label 1 threads_finding at graph 0.985, graph 0.13 right front textcolor rgb blue
set label 2 processes_finding at graph 0.985, graph 0.06 right front textcolor rgb vermillion

array names[3]; array colours[3]; array shapes[3]; array titles[3]
names[1] = "none";      colours[1] = black;      shapes[1] = 7; titles[1] = "nothing: one sum after another"
names[2] = "threads";   colours[2] = blue;       shapes[2] = 5; titles[2] = "threads"
names[3] = "processes"; colours[3] = vermillion; shapes[3] = 9; titles[3] = "processes"

plot for [i = 1:3] file(names[i]) using 1:2:3:4 notitle \
         with yerrorbars pointtype 0 linewidth 2 linecolor rgb colours[i], \
     for [i = 1:3] file(names[i]) using 1:2 title titles[i] \
         with linespoints pointtype shapes[i] pointsize 1.5 * points linewidth 3 linecolor rgb colours[i]
