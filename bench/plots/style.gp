# style.gp: the look that all charts share: readable when projected, and for the colour-blind; with paper = 1, in
# print. Its caller has set format ("png", "svg" or "pdf"), chart (the file), caption (machine, date, commit), and
# maybe paper. A script that is legible in one column of a printed page, 9 cm wide, sets one_column = 1; the others
# take both columns.
if (!exists("paper")) { paper = 0 }
if (!exists("one_column")) { one_column = 0 }

# The formats count fonts and points differently: 16 pt of PNG are 21 pixels of SVG. On paper the lines are thinner.
font(size) = sprintf("DejaVu Sans,%g", size)
if (format eq "png") {
    set terminal pngcairo size 1280, 800 font font(16) enhanced background "white"
    unit = 1.0
    points = 1.0
    title_lift = 0.4
    xlabel_lift = 0
}
if (format eq "svg" && !paper) {
    set terminal svg size 1280, 800 font font(21) enhanced background "white"
    unit = 21 / 16.0
    points = 0.55
    title_lift = -0.3
    xlabel_lift = 0.4
}
wide = one_column ? 9 : 18
high = one_column ? 7 : 11.25
size = one_column ? 6.75 : 8.25
if (format eq "svg" && paper) {
    set terminal svg size wide * 96 / 2.54, high * 96 / 2.54 font font(size * 96 / 72) enhanced background "white" \
        linewidth 0.5
    unit = size * 96 / 72 / 16
    points = one_column ? 0.4 : 0.45
    title_lift = -0.3
    xlabel_lift = 0.4
}
if (format eq "pdf") {
    set terminal pdfcairo size wide cm, high cm font font(size) fontscale 0.75 enhanced background "white" linewidth 0.5
    unit = size / 16
    points = one_column ? 0.35 : 0.45
    title_lift = 0.4
    xlabel_lift = 0
}
title_font = sprintf(",%g", (one_column && paper ? 16 : 24) * unit)
small_font = sprintf(",%g", 13 * unit)
tiny_font = sprintf(",%g", 11 * unit)
set output chart
set encoding utf8

# Okabe and Ito's colours, which stay apart for nearly every eye; each has its own point shape too. On paper all are
# black: there, dash types and shapes tell lines apart, and ours is the one that is filled.
black = 0x000000
orange = paper ? black : 0xe69f00
sky = paper ? black : 0x56b4e9
green = paper ? black : 0x009e73
blue = paper ? black : 0x0072b2
vermillion = paper ? black : 0xd55e00
purple = paper ? black : 0xcc79a7
grey = paper ? 0x777777 : 0x999999
dash(number) = paper ? number : 1
shape(number) = paper && number != 7 ? number - 1 : number

# The ways to do the work look the same in every chart.
modes = "none serial threads processes pool devices xargs parallel"
array mode_colours = [black, black, blue, vermillion, green, purple, orange, sky]
array mode_shapes = [7, 7, 5, 9, 7, 15, 11, 13]
array mode_dashes = [1, 1, 1, 2, 4, 5, 3, 6]
place_in(list, name) = sum [i = 1:words(list)] (word(list, i) eq name ? i : 0)
mode_colour(name) = mode_colours[place_in(modes, name)]
mode_shape(name) = shape(mode_shapes[place_in(modes, name)])
mode_dash(name) = dash(mode_dashes[place_in(modes, name)])

# A long title of a workload: in two lines, or only its first part.
colon(text) = strlen(text) < 36 ? 0 : strstrt(text, ": ")
broken(text) = colon(text) == 0 ? text : text[1 : colon(text)]."\n".text[colon(text) + 2 : *]
short(text) = colon(text) == 0 ? text : text[1 : colon(text) - 1]

# Error bars of lines are vectors, from low to high: gnuplot's own have a gap around each point.

# Whether a file is there, and not empty; how many lines it has.
is_there(file) = system("test -s '".file."' && echo there") eq "there"
lines_of(file) = int(system("wc -l <'".file."'"))

set border 3 linewidth 2 linecolor rgb paper ? black : 0x444444
set tics nomirror out scale 0.8, 0.4
set grid xtics ytics linewidth 1 linecolor rgb paper ? 0xcccccc : 0xbbbbbb
set bars small
set tmargin at screen 0.885
set bmargin at screen one_column && paper ? 0.21 : 0.175
set title offset 0, title_lift
set xlabel offset 0, xlabel_lift
set label 1000 caption at screen 0.99, screen 0.022 right noenhanced textcolor rgb paper ? black : 0x555555 \
    font paper ? tiny_font : strlen(caption) > 96 ? small_font : font(16 * unit)
