# subprocess.gp: what starting a program costs, in us on a log scale, and below it how fast bytes come from one, in
# GB/s: ours, the floor, Python, libuv, GLib, and fork as it was used before. bench/plot has put the files of the two
# panels into the folders times and rates in `scratch`.
load "bench/plots/style.gp"

set multiplot
set title "What does it cost to run another program?" font title_font offset -12, title_lift
set tmargin at screen 0.885
set bmargin at screen 0.465

roles = "fork glib libuv python floor ours"
names = "fork GLib libuv Python floor ours"
array titles = ["fork and exec", "GLib", "libuv", "Python 3", "floor", "ours"]
array shapes = [13, 11, 15, 9, 5, 7]
array sizes = [1.5, 1.4, 1.4, 1.4, 1.1, 1.4]
array colours = [green, vermillion, purple, orange, black, blue]
ratios = "floor python libuv glib"
column_width = 0.092
spread = 0.7
left_margin = 0.275
legend_below = 1
whole_decades = 0
panel = "/times"; rates = 0; headings = 1
load "bench/plots/rows.gp"

if (system("test -s '".scratch."/rates/ours' && echo there") eq "there") {
    unset label
    unset title
    set tmargin at screen 0.345
    set bmargin at screen 0.235
    legend_below = 0
    panel = "/rates"; rates = 1; headings = 0
    load "bench/plots/rows.gp"
}
unset multiplot
