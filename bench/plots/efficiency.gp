# efficiency.gp: how much of each worker is used: a heat map of speedup / workers in %, the workloads down, modes and
# workers across. bench/plot has put its tables into `scratch`: efficiency (column, row, efficiency), columns (mode,
# workers) and rows (titles); and has set cores.
load "bench/plots/style.gp"

set datafile separator tab
rows = lines_of(scratch."/rows")
columns = lines_of(scratch."/columns")
array mode[columns]; array workers[columns]; array heading[rows]
stats scratch."/columns" using (mode[$0 + 1] = stringcolumn(1), workers[$0 + 1] = int($2)) nooutput
stats scratch."/rows" using (heading[$0 + 1] = stringcolumn(1), 1) nooutput

set label 1 "How much of each worker is used?" at screen 0.525, screen 0.945 center font title_font
set lmargin at screen 0.325
set rmargin at screen 0.89
set tmargin at screen 0.82
set bmargin at screen 0.17
set xrange [0.5 : columns + 0.5]
set yrange [rows + 0.5 : 0.5]
unset grid
unset border
set tics scale 0
set xtics ("" 1) font small_font
set ytics ("" 1) font small_font noenhanced
set xlabel "workers" font small_font
# Tick labels are formats, in which a % is written twice.
percent(text) = strstrt(text, "%") == 0 ? text : text[1 : strstrt(text, "%")]."%".text[strstrt(text, "%") + 1 : *]
do for [row = 1:rows] { set ytics add (broken(percent(heading[row])) row) }
do for [column = 1:columns] { set xtics add (sprintf("%d", workers[column]) column) }

# From dark to light, for the colour-blind and for a copier: lightness alone tells the order.
if (paper) {
    set palette defined (0 "#404040", 1 "#ffffff")
} else {
    set palette defined (0 "#00204d", 0.25 "#414d6b", 0.5 "#7c7b78", 0.75 "#bcaf6f", 1 "#ffea46")
}
set cbrange [0 : 100]
set cbtics 20 font small_font format "%.0f%%"
set cblabel "speedup / workers" font small_font offset -0.5, 0

# What was not measured is hatched. Each mode has a heading, a wide line parts it from the next, and a dotted one shows
# where the cores end.
set object 1 rectangle from 0.5, 0.5 to columns + 0.5, rows + 0.5 behind fillstyle pattern 4 border linecolor rgb grey \
    fillcolor rgb grey
first = 1
do for [column = 1:columns] {
    last_of_mode = column == columns ? 1 : mode[column + 1] ne mode[column]
    if (last_of_mode) {
        set label 100 + column mode[column] at first (first + column) / 2.0, screen 0.845 center noenhanced
        if (column < columns) {
            set arrow 100 + column from column + 0.5, graph -0.05 to column + 0.5, graph 1.08 nohead front linewidth 6 \
                linecolor rgb 0xffffff
        }
        first = column + 1
    } else {
        if (cores > 0 && workers[column] <= cores && workers[column + 1] > cores) {
            set arrow 200 + column from column + 0.5, graph -0.04 to column + 0.5, graph 1 nohead front linewidth 5 \
                linecolor rgb 0xffffff
            set arrow 300 + column from column + 0.5, graph -0.04 to column + 0.5, graph 1 nohead front dashtype 3 \
                linewidth 3 linecolor rgb black
            set xlabel cores == 1 ? "workers; dotted: where the one core ends" \
                                  : sprintf("workers; dotted: where the %d cores end", cores)
        }
    }
}

edge = paper ? grey : 0xffffff
digits = columns > 24 ? font(9 * unit) : columns > 18 ? tiny_font : small_font
set xtics font digits
shown(value) = sprintf("%.0f", 100 * value)
ground(value) = value < 0.5 ? 0xffffff : 0x000000
plot scratch."/efficiency" using 1:2:($1 - 0.5):($1 + 0.5):($2 - 0.5):($2 + 0.5):(100 * $3) notitle \
         with boxxyerror fillstyle solid 1 border linecolor rgb edge fillcolor palette, \
     "" using 1:2:(shown($3)):(ground($3)) notitle with labels font digits textcolor rgb variable
