# rows.gp: a chart with a row for each comparison, and in it a point for each subject: us, on a log scale. Its caller
# has loaded style.gp and set title and key; roles, and for each of them, from the back to the front, its name above a
# column, titles, shapes, sizes and colours; ratios, the roles that have a column; left_margin, column_width, spread
# (how far the subjects of a row lie apart), whole_decades and legend_below. bench/plot has put into the folder
# `scratch`: a file for each role (place from the top, median, low, high in us), rows (title, and for each role its
# ratio, by tabs), and roles, the order of these columns. A panel below another has its files in a folder of its own,
# `panel` in `scratch`, and no headings; with rates = 1 the numbers are GB/s.

if (!exists("panel")) { panel = ""; rates = 0; headings = 1 }
folder = scratch.panel
if (rates) {
    set xlabel "GB/s: more is better; the ratios are those of the times, as above"
    unset logscale x
    set xtics autofreq
} else {
    set xlabel "µs per operation, on a log scale: median and its 95% interval"
    set logscale x
    set xtics ("0.001" 1e-3, "0.01" 1e-2, "0.1" 0.1, "1" 1, "10" 10, "100" 100, "1000" 1e3, "10⁴" 1e4, "10⁵" 1e5, \
               "10⁶" 1e6)
}
set lmargin at screen left_margin
set ytics noenhanced

rows = lines_of(folder."/rows")
all_roles = system("cat '".folder."/roles'")
# The ranges of a panel above would hide what is read here.
set autoscale
array row_title[rows]
set datafile separator tab
stats folder."/rows" using (row_title[$0 + 1] = stringcolumn(1), 1) nooutput
set datafile separator whitespace

# A role without a file of its own was not measured. The roles that were:
shown = ""
do for [role in roles] { if (is_there(folder."/".role)) { shown = shown." ".role } }
is_shown(role) = place_in(shown, role) > 0

# The columns of ratios, from the right; each says what stands above and below the stroke.
columns = words(ratios)
do for [nth = 1:columns] {
    role = word(ratios, nth)
    x = 1 - column_width * (columns - nth + 0.55)
    heading = role eq "floor" ? "ours :\nfloor" : word(names, place_in(roles, role))." :\nours"
    if (is_shown(role)) {
        if (headings) { set label 100 * nth heading at screen x, screen 0.928 center }
        array ratio[rows]
        set datafile separator tab
        stats folder."/rows" using (ratio[$0 + 1] = stringcolumn(1 + place_in(all_roles, role)), 1) nooutput
        set datafile separator whitespace
        do for [row = 1:rows] { set label 100 * nth + row ratio[row] at screen x, first row center }
    }
}
# From the least of all to the greatest, with some room.
least = 1e9; most = 1e-9
do for [role in shown] {
    stats folder."/".role using 3 name "low" nooutput
    stats folder."/".role using 4 name "high" nooutput
    if (low_min < least) { least = low_min }
    if (high_max > most) { most = high_max }
}
set xrange [whole_decades ? 10 ** floor(log10(least)) : least / 2 : \
            whole_decades ? 10 ** ceil(log10(most) + 0.3) : 2 * most]
if (rates) { set xrange [0 : 1.1 * most] }
set yrange [rows + 0.6 : 0.3]
set ytics ("" 1)
do for [row = 1:rows] { set ytics add (row_title[row] row) }

set rmargin at screen 1 - column_width * columns - 0.01

# The subjects of a row lie a little apart, so that equal times do not hide each other.
count = words(roles)
plot_all = ""
at = 0.05
do for [i = 1:count] {
    role = word(roles, i)
    if (is_shown(role)) {
        lift = count == 1 ? 0 : spread * (0.5 - (i - 1.0) / (count - 1))
        plot_all = plot_all.(plot_all eq "" ? "plot " : ", "). \
            sprintf("'%s/%s' using 2:($1 + %g):3:4 title '%s' with xerrorbars ", folder, role, lift, titles[i]). \
            sprintf("pointtype %d pointsize %g linewidth 2 linecolor rgb %d", \
                    shape(shapes[i]), sizes[i] * points, colours[i])
    }
}
# In many rows no corner is free: then the legend is a line of its own below all, ours first.
if (legend_below) {
    set nokey
    do for [i = 1:count] {
        one = count + 1 - i
        if (is_shown(word(roles, one))) {
            set label 900 + i titles[one] at screen at, screen 0.085 left offset 1.2, 0 \
                point pointtype shape(shapes[one]) pointsize sizes[one] * points linewidth 2 linecolor rgb colours[one]
            at = at + 0.055 + 0.0092 * strlen(titles[one])
        }
    }
}
eval plot_all
