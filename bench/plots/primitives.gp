# primitives.gp: what a lock, a recovery, a thread and a process cost: ours, the system's floor, Python; us, log scale.
load "bench/plots/style.gp"

set title "What do a lock, a thread and a process cost?" font title_font offset -8, title_lift
set key inside top right Left reverse invert samplen 1 spacing 1.3

# From the back to the front; the names are those of the columns.
roles = "python floor ours"
names = "Python floor ours"
array titles = ["Python 3", "floor: the system alone", "ours"]
array shapes = [9, 5, 7]
array sizes = [1.9, 1.5, 1.7]
array colours = [orange, black, blue]
ratios = "floor python"
column_width = 0.1
spread = 0.44
left_margin = 0.32
legend_below = 0
whole_decades = 1
load "bench/plots/rows.gp"
