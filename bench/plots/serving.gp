# serving.gp: what the charts of the serving lab share: its rungs' looks, and rows of its data by their columns' names.
load "bench/plots/style.gp"

# The rows of a series ("": all), the columns `names`, for plot; and the same with the interval of one of them.
rows(series, names) = sprintf("< awk -v series='%s' -v names='%s' -f bench/plots/columns.awk '%s'", series, names, data)
spread(series, x, y) = rows(series, sprintf("%s %s %s_low %s_high", x, y, y, y))
# How many rows a series has; a value of its last one.
count_of(series) = int(system(rows(series, "samples")[3:*]." | wc -l"))
value_of(series, name) = system(rows(series, name)[3:*]." | tail -n 1")

rungs = "serial serial_batching threads processes shared_queue shared_queue_batching fastapi_json fastapi_bytes"
array rung_titles = ["serial", "serial, batching", "threads", "processes", "shared queue", "shared queue, batching", \
                     "FastAPI, JSON", "FastAPI, bytes"]
array rung_colours = [grey, black, sky, vermillion, green, blue, orange, purple]
array rung_shapes = [4, 5, 13, 9, 11, 7, 15, 3]
array rung_dashes = [2, 1, 3, 4, 5, 1, 2, 6]
# How a rung's line looks; "processes" and "shared_queue" look the same in every chart.
look(i) = sprintf("linewidth 2.5 dashtype %d pointtype %d pointsize %g linecolor rgb %d", dash(rung_dashes[i]), \
                  shape(rung_shapes[i]), 1.3 * points, rung_colours[i])
bar(i) = sprintf("linewidth 1 pointtype 0 linecolor rgb %d", rung_colours[i])
look_of(name) = look(place_in(rungs, name))
bar_of(name) = bar(place_in(rungs, name))

# Error bars of those that are no rungs, as macros.
blue_bar = sprintf("linewidth 2 pointtype 0 linecolor rgb %d", blue)
red_bar = sprintf("linewidth 2 pointtype 0 linecolor rgb %d", vermillion)

# Panels side by side: panel 1 of 2 or 3.
left_of(panel, panels) = 0.085 + (panel - 1) * (0.905 / panels)
right_of(panel, panels) = left_of(panel, panels) + 0.905 / panels - 0.075
heading(text) = sprintf("set label 1001 \"%s\" at screen 0.5, screen 0.955 center font title_font", text)
set format x "%.0s%c"
