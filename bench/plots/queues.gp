# queues.gp: what a message costs: ours, the floor, Boost, pipe, POSIX message queue, Python; us, on a log scale.
load "bench/plots/style.gp"

set title "What does a message between processes cost?" font title_font offset -12, title_lift
set bmargin at screen 0.235

roles = "mqueue pipe boost python floor ours"
names = "mq pipe Boost Python floor ours"
array titles = ["POSIX message queue", "pipe", "Boost", "Python 3", "floor", "ours"]
array shapes = [11, 13, 15, 9, 5, 7]
array sizes = [1.5, 1.7, 1.6, 1.6, 1.3, 1.6]
array colours = [sky, green, purple, orange, black, blue]
ratios = "floor python boost pipe"
column_width = 0.092
spread = 0.7
left_margin = 0.265
legend_below = 1
whole_decades = 0
load "bench/plots/rows.gp"
