# pools.gp: what a task costs: ours, the floor, OpenMP, Python's pool and its executor; us, on a log scale.
load "bench/plots/style.gp"

set title "What does a task for another process cost?" font title_font offset -12, title_lift
set bmargin at screen 0.235

roles = "openmp executor python floor ours"
names = "OpenMP executor Pool floor ours"
array titles = ["OpenMP: threads", "Python executor", "Python Pool", "floor", "ours"]
array shapes = [13, 11, 9, 5, 7]
array sizes = [1.7, 1.5, 1.6, 1.3, 1.6]
array colours = [green, vermillion, orange, black, blue]
ratios = "floor python executor openmp"
column_width = 0.092
spread = 0.64
left_margin = 0.265
legend_below = 1
whole_decades = 0
load "bench/plots/rows.gp"
