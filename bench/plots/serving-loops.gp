# serving-loops.gp: "Does a closed loop see a stall?": the part of the requests that took no longer, in an open and in a
# closed loop of the same rate, with a worker that stands still for 0.3 s. `data`: what serving_events.c has written.
load "bench/plots/serving.gp"
set title "Who sees that a worker stood still for 0.3 s? (simulated)" font title_font
set lmargin at screen 0.125
set rmargin at screen 0.97
set xlabel "latency, from when the request was due"
set ylabel "requests that took no longer"
set logscale x
set xtics ("1 ms" 1e3, "2 ms" 2e3, "5 ms" 5e3, "10 ms" 1e4, "20 ms" 2e4, "50 ms" 5e4, "100 ms" 1e5, \
           "200 ms" 2e5, "500 ms" 5e5)
stats rows("", "latency_us") using 1 name "us" nooutput
set xrange [us_min / 1.3 : us_max * 1.5]
# Up goes the part on a scale of nines, as in latencies.gp.
nines(part) = part < 1 ? -log10(1 - part) : 3.3
set yrange [0 : 3.4]
set ytics ("0" 0, "50%%" nines(0.5), "90%%" 1, "99%%" 2, "99.9%%" 3, "all" 3.3)
set format y "%s"
set key bottom right samplen 3 spacing 1.3
plot rows("closed", "part latency_us") using 2:(nines($1)) \
         title "closed loop: four clients, who wait with the server" with linespoints linewidth 3 dashtype dash(4) \
         pointtype shape(9) pointsize 1.1 * points linecolor rgb vermillion, \
     rows("open", "part latency_us") using 2:(nines($1)) \
         title "open loop: as many requests, who come anyway" with linespoints linewidth 3 pointtype 7 \
         pointsize 1.1 * points linecolor rgb blue
