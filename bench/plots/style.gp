# style.gp: the look that all charts share: readable when projected, and for the colour-blind.
# Its caller has set format ("png" or "svg"), chart (the file) and caption (machine, date, commit).

# The two count fonts and points differently: 16 pt of one are 21 pixels of the other.
if (format eq "png") {
    set terminal pngcairo size 1280, 800 font "DejaVu Sans,16" enhanced background "white"
    title_font = ",24"
    points = 1.0
    title_lift = 0.4
    xlabel_lift = 0
} else {
    set terminal svg size 1280, 800 font "DejaVu Sans,21" enhanced background "white"
    title_font = ",32"
    points = 0.55
    title_lift = -0.3
    xlabel_lift = 0.4
}
set output chart
set encoding utf8

# Okabe and Ito's colours, which stay apart for nearly every eye; each has its own point shape too.
black = 0x000000
orange = 0xe69f00
sky = 0x56b4e9
green = 0x009e73
blue = 0x0072b2
vermillion = 0xd55e00
purple = 0xcc79a7
grey = 0x999999

set border 3 linewidth 2 linecolor rgb 0x444444
set tics nomirror out scale 0.8, 0.4
set grid xtics ytics linewidth 1 linecolor rgb 0xbbbbbb
set bars small
set tmargin at screen 0.885
set bmargin at screen 0.175
set title offset 0, title_lift
set xlabel offset 0, xlabel_lift
set label 1000 caption at screen 0.99, screen 0.022 right noenhanced textcolor rgb 0x555555
