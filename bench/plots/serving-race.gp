# serving-race.gp: "Who gets the requests?": the parts of four workers, from the busiest to the idlest of each run,
# where processes race for connections, and where they share a queue. `data`: serving-shares.csv of serving_policy.c.
load "bench/plots/serving.gp"
set title "Who gets the requests? (simulated devices, 70% load)" font title_font noenhanced
set lmargin at screen 0.12
set rmargin at screen 0.97
set xlabel "the four workers of a run, from the busiest to the idlest; 16 connections"
set ylabel "part of the requests: median, range of the runs"
set format x "%g"
set xrange [0.4 : 4.6]
set xtics ("1st" 1, "2nd" 2, "3rd" 3, "4th" 4) scale 0
set format y "%g%%"
set yrange [0 : 110]
set key top right samplen 2 spacing 1.3
set style fill solid 0.8 border rgb black
set boxwidth 0.34
parts(series) = rows(series, "place part low high")
set label 1 "a quarter each" at 3.81, 28 center font small_font
plot 25 notitle with lines linewidth 2 dashtype 2 linecolor rgb black, \
     parts("processes") using ($1 - 0.19):(100 * $2) title "processes, which race for connections" with boxes \
         fillstyle pattern paper ? 4 : 3 linecolor rgb vermillion, \
     parts("shared_queue") using ($1 + 0.19):(100 * $2) title "a shared queue" with boxes linecolor rgb blue \
         fillstyle solid paper ? 0.4 : 0.8, \
     parts("processes") using ($1 - 0.19):(100 * $3):(0):(100 * ($4 - $3)) notitle with vectors nohead linewidth 2 \
         linecolor rgb black, \
     parts("shared_queue") using ($1 + 0.19):(100 * $3):(0):(100 * ($4 - $3)) notitle with vectors nohead linewidth 2 \
         linecolor rgb black
