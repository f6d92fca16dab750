# primitives.gp: what a lock, a recovery, a thread and a process cost: ours, the system's floor, Python; us, log scale.
# bench/plot has put into the folder `scratch`: ours, floor, python (place from the top, median, q1, q3 in us) and
# rows (title, ours to floor, Python to ours; by tabs).
load "bench/plots/style.gp"

set title "What do a lock, a thread and a process cost?" font title_font offset -8, title_lift
set xlabel "µs per operation, on a log scale: median and quartiles"
set logscale x
set xtics ("0.001" 1e-3, "0.01" 1e-2, "0.1" 0.1, "1" 1, "10" 10, "100" 100, "1000" 1e3, "10⁴" 1e4, "10⁵" 1e5, \
           "10⁶" 1e6)
set lmargin at screen 0.32
set rmargin at screen 0.79
set key inside top right Left reverse invert samplen 1 spacing 1.3

file(name) = scratch."/".name
stats file("ours") using 1:2 name "all" nooutput
rows = int(system("wc -l <'".file("rows")."'"))
cell(row, column) = system(sprintf("sed -n %dp '%s' | cut -f %d", row, file("rows"), column))
set yrange [rows + 0.6 : 0.3]
set xrange [0.001 : 10 ** ceil(log10(all_max_y) + 0.3)]
set ytics ("" 1)
times(ratio) = ratio eq "-" || ratio eq "lost" ? ratio : ratio." ×"
set label 101 "ours :\nfloor" at screen 0.845, graph 1.065 center
# Without a file of its own, Python was not measured.
python = system("test -s '".file("python")."' && echo there") eq "there"
if (python) { set label 102 "Python :\nours" at screen 0.945, graph 1.065 center }
do for [row = 1:rows] {
    set ytics add (cell(row, 1) row)
    set label 200 + row times(cell(row, 2)) at screen 0.845, first row center
    if (python) { set label 400 + row times(cell(row, 3)) at screen 0.945, first row center }
}

# The subjects of a row lie a little apart, so that equal times do not hide each other. Ours comes last, on top.
subject(name, lift, words, shape, size, colour) = \
    sprintf("'%s' using 2:($1 + %g):3:4 title '%s' with xerrorbars ", file(name), lift, words). \
    sprintf("pointtype %d pointsize %g linewidth 2 linecolor rgb %d", shape, size * points, colour)
eval "plot ".(python ? subject("python", 0.22, "Python 3", 9, 1.9, orange).", " : "") \
            .subject("floor", 0, "floor: the system alone", 5, 1.5, black).", " \
            .subject("ours", -0.22, "ours", 7, 1.7, blue)
